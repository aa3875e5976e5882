"""At which prices a lending account or a perpetual is liquidated, and how far away that is."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from monitor.core.aave import HEALTHIEST
from monitor.core.book import Position
from monitor.core.implied import spot_usd
from monitor.core.positions import perp
from monitor.core.redemption import followed
from monitor.core.tokens import STABLES, underlying
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.volatility import horizon_sigma
from monitor.core.worth import Liquidation, Valuation, newest, of_one_block

LENDING_KINDS = frozenset({"aave-v3", "compound-v3"})
AGREEMENT = 0.05
Sigma = Callable[[str], float | None]


@dataclass(frozen=True, slots=True)
class Account:
    """A lending account in coins by asset: `backing` is what is supplied times its liquidation threshold."""

    backing: Mapping[str, float]
    owed: Mapping[str, float]


def account(view: View, position: Position) -> Account:
    """The account as it was read at one block. Raises Unknown where a part was not, or where its thresholds are not known."""
    backing: list[tuple[str, float]] = []
    owed: list[tuple[str, float]] = []
    read = []
    for asset in position.assets:
        supplied, threshold, borrowed = (
            newest(view, f"account.{name}.{asset}", position) for name in ("supplied", "liquidation_threshold", "borrowed")
        )
        backing.append((asset, float(supplied.value) * float(threshold.value)))
        owed.append((asset, float(borrowed.value)))
        read += [supplied, threshold, borrowed]
    of_one_block(read, "the amounts and thresholds of the account")
    return Account(followed(view, backing), followed(view, owed))


def health(held: Account, prices: Mapping[str, float]) -> float:
    """Backing over debt, at these prices; infinite without debt. Liquidation begins below 1.

    Aave rounds the average threshold of mixed collateral down to four digits: its own answer is up to 0.013% lower.
    """
    backing, owed = (sum(amount * prices[asset] for asset, amount in amounts.items()) for amounts in (held.backing, held.owed))
    return backing / owed if owed > 0 else math.inf


def liquidation_price(held: Account, prices: Mapping[str, float], asset: str) -> tuple[float, Literal["below", "above"]] | None:
    """The price of one asset, all others as they are, at which health is 1, and the side of it on which liquidation lies.

    Health is 1 where net backing, sum of (backing - owed) x price, is 0: a straight line of each price. An asset that backs more than is owed
    of it liquidates below its price, one that is owed more above; None where no price above 0 does.
    """
    net = {name: held.backing[name] - held.owed[name] for name in held.backing}
    if net[asset] == 0:
        return None
    price = -sum(amount * prices[name] for name, amount in net.items() if name != asset) / net[asset]
    return (price, "below" if net[asset] > 0 else "above") if price > 0 else None


def found(asset: str, now: float, price: float, side: Literal["below", "above"], sigma: float | None) -> Liquidation:
    """How far `now` is from it: `distance` as a share of today's price, `sigmas` as ln(p / p*) over the 7-day sigma; both negative once past it."""
    sign = 1 if side == "below" else -1
    room = sign * math.log(now / price)
    return Liquidation(asset, price, side, sign * (now - price) / now, room / sigma if sigma else None)


def of_account(view: View, position: Position, sigma: Sigma) -> tuple[Liquidation, ...]:
    """Of each asset that has such a price, by their names. Raises Unknown as `account` does, for a missing price, and as `_must_agree` does."""
    held = account(view, position)
    prices = {asset: spot_usd(view, asset) for asset in held.backing}
    _must_agree(view, position, health(held, prices))
    edges = {asset: liquidation_price(held, prices, asset) for asset in sorted(prices)}
    return tuple(found(asset, prices[asset], *edge, sigma(asset)) for asset, edge in edges.items() if edge is not None)


def _must_agree(view: View, position: Position, reckoned: float) -> None:
    """Raises Unknown where the market's own health of that block is another by more than 5% *(reading)*: the account has what the position does
    not name, or the market's oracle is far from these prices. A price that liquidates by such numbers would be of another account.
    """
    part = newest(view, f"account.supplied.{position.assets[0]}", position)
    if not view.sources("account.health_factor", position.id):
        return
    told = newest(view, "account.health_factor", position, fresh=False)
    if told.at != part.at:
        return
    reckoned = min(reckoned, HEALTHIEST)
    if abs(reckoned - told.value) > AGREEMENT * told.value:
        both = f"its named assets make a health of {reckoned:.3g} at today's prices, the market says {told.value:.3g}"
        raise Unknown("health", f"{both}: name all assets that it uses, unless the market's oracle is that far from these prices")


def of_perpetual(view: View, position: Position, valuation: Valuation, sigma: Sigma) -> tuple[Liquidation, ...]:
    """As `perp.liquidation_edge` says; none where nothing is held. Raises Unknown where it was not read."""
    asset = underlying(position.asset)
    size = valuation.amounts[asset]
    edge = perp.liquidation_edge(view, position) if size else 0.0
    if edge <= 0:
        return ()
    side: Literal["below", "above"] = "below" if size > 0 else "above"
    return (found(asset, spot_usd(view, asset), edge, side, sigma(asset)),)


def known_sigma(view: View, unknown: dict[str, str]) -> Sigma:
    """The 7-day sigma of an asset; where it is not known None, and why in `unknown`. A stablecoin has none: losing its peg is no move of a week."""

    def read(asset: str) -> float | None:
        if asset in STABLES:
            return None
        try:
            return horizon_sigma(view, asset)
        except Unknown as why:
            unknown[f"sigmas.{asset}"] = why.reason
            return None

    return read
