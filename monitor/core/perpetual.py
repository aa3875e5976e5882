"""Linear perpetuals: what they are worth, where they are liquidated and what their funding pays, as functions of prices.

A linear perpetual is margined and settled in dollars: its profit is size x (price - entry). Of an inverse one, margined in the coin itself, the
profit is no straight line of the price; those are not supported, and whoever reads one refuses it (see INVERSE).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.core.units import Number, Usd

INVERSE = (
    "it is margined in the coin itself (inverse), which is not supported: declare its coins as a position of kind tokens, and its size as a perp"
)


@dataclass(frozen=True, slots=True)
class Perpetual:
    """`size` in coins, negative when short; `entry_price` and `margin_usd` in USD, profit and loss left out of the margin."""

    size: Number
    entry_price: Usd
    margin_usd: Usd

    @property
    def beside_usd(self) -> Usd:
        """The dollars that stand beside the coins, so that equity is size x price + this."""
        return self.margin_usd - self.size * self.entry_price

    def unrealised_usd(self, price: Usd) -> Usd:
        """Profit since the entry, negative for a loss."""
        return self.size * (price - self.entry_price)

    def equity_usd(self, price: Usd) -> Usd:
        """What closing at this price would bring, costs left out."""
        return self.margin_usd + self.unrealised_usd(price)


def liquidation_price(held: Perpetual, maintenance_ratio: float) -> Usd | None:
    """The price at which the equity is no more than the maintenance margin; None where no price above 0 is that.

    From margin + size (p - entry) = |size| p ratio follows p = (size entry - margin) / (size - |size| ratio): below it a long is liquidated, above
    it a short. A long whose margin pays for all of its coins has none. For cross margin `margin_usd` is what backs the position beside its own
    profit (see `backing_usd`). ValueError for a ratio that is not from 0 to below 1.
    """
    if not 0 <= maintenance_ratio < 1:
        raise ValueError(f"a maintenance ratio lies from 0 to below 1, this is {maintenance_ratio:g}")
    if held.size == 0:
        return None
    price = -held.beside_usd / (held.size - abs(held.size) * maintenance_ratio)
    return price if price > 0 else None


def backing_usd(equity_usd: Usd, unrealised_usd: Usd, others_maintenance_usd: Usd) -> Usd:
    """What backs one position of a cross-margined account beside its own profit: the account's equity less that, less what its others need."""
    return equity_usd - unrealised_usd - others_maintenance_usd


def funding_carry_usd(delta_usd: Usd, rate_a_year: float) -> Usd:
    """USD a year, positive when received, on a position worth `delta_usd` (negative when short): where the rate is positive, longs pay."""
    return -delta_usd * rate_a_year


def maintenance_ratio(maintenance_usd: Usd, size: Number, price: Usd) -> float:
    """The maintenance margin as a share of the notional. ValueError for a position without one."""
    notional_usd = abs(size) * price
    if notional_usd <= 0:
        raise ValueError("a position without a notional has no maintenance ratio")
    return maintenance_usd / notional_usd


def netted(legs: Iterable[Perpetual]) -> Perpetual:
    """Several positions in one market as the one of equal equity at every price: what is held both ways is closed against each other.

    Sizes and margins are summed. What is left has the entry of its own side (by size, where that has several); the profit or loss of what is
    matched no longer depends on the price and counts as margin. A flat result has entry 0.
    """
    legs = tuple(legs)
    size = sum(leg.size for leg in legs)
    left = [leg for leg in legs if leg.size * size > 0]
    entry = sum(leg.size * leg.entry_price for leg in left) / sum(leg.size for leg in left) if left else 0.0
    beside_usd = sum(leg.beside_usd for leg in legs)
    return Perpetual(size, entry, beside_usd + size * entry)
