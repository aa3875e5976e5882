"""The iron condor (ALVH, on SPX or on crypto): a put and a call sold, each with a further one bought, so that the loss is bounded."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from monitor.core.black import Right
from monitor.core.book import Position
from monitor.core.exposure import Exposure, Scenario, Together, Values
from monitor.core.options import YEAR_MS, OptionLeg, expiry_ms
from monitor.core.tokens import underlying

SHORT_DELTAS = (0.15, 0.25)
"""Between these the delta of each sold option should lie (ALVH)."""


def signed_legs(strikes: tuple[float, ...]) -> tuple[tuple[Right, float, float], ...]:
    """Right, strike and sign of the four legs of one condor. Raises ValueError unless there are four strikes, each above the one before."""
    if flaw := strikes_flaw(strikes):
        raise ValueError(f"the strikes of a condor {flaw}")
    low, put, call, high = strikes
    return ("put", low, 1.0), ("put", put, -1.0), ("call", call, -1.0), ("call", high, 1.0)


def strikes_flaw(strikes: tuple[float, ...]) -> str:
    """What is wrong with the strikes of a condor, empty where nothing is."""
    if len(strikes) != 4:
        return f"must be four, these are {len(strikes)}"
    if strikes[0] <= 0 or any(left >= right for left, right in pairwise(strikes)):
        return "must be above 0 and each above the one before: bought put, sold put, sold call, bought call"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IronCondor:
    """`size` condors (coins or index units of each leg; negative: bought inside, sold outside), `years` before their expiry.

    `credit_usd` is what one of them brought at the start (negative: what it took). `skews` are the volatilities of the four strikes over the
    asset's own, from the lowest strike to the highest.
    """

    asset: str
    strikes: tuple[float, float, float, float]
    years: float
    size: float
    credit_usd: float
    rate: float = 0.0
    skews: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        """ValueError for strikes that make no condor, and for none at all."""
        signed_legs(self.strikes)
        if self.size == 0:
            raise ValueError("a condor of size 0 is none")

    @property
    def legs(self) -> tuple[OptionLeg, ...]:
        signed = signed_legs(self.strikes)
        return tuple(
            OptionLeg(self.asset, right, strike, self.years, sign * self.size, self.rate, skew)
            for (right, strike, sign), skew in zip(signed, self.skews, strict=True)
        )

    @property
    def exposure(self) -> Together:
        """The four legs, the credit left out: what closing them brings."""
        return Together(self.legs)

    @property
    def max_profit_usd(self) -> float:
        return max(self._at_strikes())

    @property
    def max_loss_usd(self) -> float:
        """The most that can be lost, positive; fees left out."""
        return -min(self._at_strikes())

    def settled_usd(self, price: Values) -> Values:
        """Profit at expiry at this price, credit included."""
        low, put, call, high = self.strikes
        below = np.clip(put - np.asarray(price), 0.0, put - low)
        above = np.clip(np.asarray(price) - call, 0.0, high - call)
        profit = self.size * (self.credit_usd - below - above)
        return profit if np.ndim(price) else float(profit)

    def break_evens(self, cost_usd: float = 0.0) -> tuple[float, ...]:
        """Prices at expiry at which the profit is just `cost_usd` (what the layers around it have cost), ascending: two, one or none."""
        low, put, call, high = self.strikes
        paid_out = self.credit_usd - cost_usd / self.size
        below = (put - paid_out,) if 0.0 <= paid_out <= put - low else ()
        above = (call + paid_out,) if 0.0 <= paid_out <= high - call else ()
        return below + above

    def short_deltas(self, scenario: Scenario) -> tuple[float, float]:
        """Deltas of one sold put and one sold call, both without their sign."""
        _, put, call, _ = (leg.unit(scenario).delta for leg in self.legs)
        return abs(float(put)), abs(float(call))

    def notes(self, scenario: Scenario) -> tuple[str, ...]:
        """One sentence for each sold option whose delta lies outside of 0.15 to 0.25; none where the inner options are bought."""
        if self.size < 0:
            return ()
        low, high = SHORT_DELTAS
        named = zip(("put", "call"), self.strikes[1:3], self.short_deltas(scenario), strict=True)
        return tuple(
            f"the sold {right} of {strike:,.6g} has a delta of {delta:.3f}: {'nearer' if delta > high else 'further out'} than {low} to {high}"
            for right, strike, delta in named
            if not low <= delta <= high
        )

    def _at_strikes(self) -> tuple[float, ...]:
        # Between the strikes profit is a straight line, beyond them it is flat: its extremes lie at strikes.
        return tuple(float(self.settled_usd(strike)) for strike in self.strikes)


def condor_of(position: Position, now: int, exposure: Exposure | None = None) -> IronCondor | None:
    """A declared condor, `now` in epoch milliseconds, at the rate and the skews that its legs are valued at in `exposure`.

    None from its expiry on, and for any other kind.
    """
    if position.kind != "iron-condor" or now >= (expires := expiry_ms(position.asset, position.expiry)):
        return None
    low, put, call, high = (float(strike) for strike in position.strikes)
    legs = [leg for leg in exposure.parts if isinstance(leg, OptionLeg)] if isinstance(exposure, Together) else []
    first, second, third, fourth = (leg.skew for leg in legs) if legs else (0.0, 0.0, 0.0, 0.0)
    return IronCondor(
        asset=underlying(position.asset),
        strikes=(low, put, call, high),
        years=(expires - now) / YEAR_MS,
        size=float(position.size),
        credit_usd=float(position.credit),
        rate=legs[0].rate if legs else 0.0,
        skews=(first, second, third, fourth),
    )
