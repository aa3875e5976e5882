"""What a layer can be made of (ALVH, "Cost of a layer"): an instrument is an exposure, what it costs to hold over the horizon, and what it ties up.

What an instrument brings by a scenario less what it costs is its profit. Sizes are in coins or index units; money is in USD; rates are
fractions a year; `days` is the horizon H, 7 unless said.

*(reading)* In a scenario `VIX` is one future on the VIX: all VIX futures move by as many points at once. Funds on them (VXX; UVXY at 1.5) are
taken as linear over the horizon: what daily resetting adds or takes in a long swing is left out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from monitor.core.book import Book
from monitor.core.exposure import Coins, Exposure, Scenario, Together, Values
from monitor.core.options import OptionLeg

DAYS = 7.0
A_YEAR = 365.0
VIX_MULTIPLIER = 1000.0
"""USD for one point of one VIX future (https://www.cboe.com/tradable_products/vix/vix_futures/specifications)."""
LEVERAGE = {"VXX": 1.0, "UVXY": 1.5}


class Cost(NamedTuple):
    """One part of what an instrument costs over the horizon."""

    name: str
    usd: float


class Quoted(NamedTuple):
    """A leg with the venue's bid and ask for one unit of it, in USD. The side that is not met may be None."""

    leg: OptionLeg
    bid_usd: float | None
    ask_usd: float | None


class VixCurve(NamedTuple):
    """The first two VIX futures in points, the days between their expiries, and the level that scenarios call `VIX` now (the 30-day future)."""

    near: float
    far: float
    days: float
    level: float

    @property
    def daily_roll(self) -> float:
        """Points a day that the second one loses on its way to the first. *(reading)* Where the curve slopes down the gain is not counted on."""
        return max(0.0, self.far - self.near) / self.days


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One hedge. `exposure` says what it brings before its cost, so that a bought option's is its worth and a perpetual's the move of its price.

    `capital_usd` is the premium, the most that can be lost, the margin or the amount; `margin_usd` what of it lies as collateral. `daily_usd`
    is what it is paid for each day beside what its options lose (negative: what it pays).
    """

    name: str
    exposure: Exposure
    costs: tuple[Cost, ...]
    capital_usd: float
    margin_usd: float = 0.0
    daily_usd: float = 0.0

    @property
    def cost_usd(self) -> float:
        return sum(cost.usd for cost in self.costs)

    def payoff_usd(self, scenario: Scenario) -> Values:
        """What it brings, before its cost."""
        return self.exposure.value_usd(scenario)

    def profit_usd(self, scenario: Scenario) -> Values:
        """What it brings, net of its cost over the horizon."""
        return self.exposure.value_usd(scenario) - self.cost_usd

    def decay_usd(self, scenario: Scenario) -> Values:
        """What the next day brings if prices and volatilities stay where they are; mostly negative."""
        tomorrow = replace(scenario, years=scenario.years + 1 / A_YEAR)
        return self.exposure.value_usd(tomorrow) - self.exposure.value_usd(scenario) + self.daily_usd


def of_options(name: str, quoted: Sequence[Quoted], fees_usd: float = 0.0) -> Instrument:
    """Options of one asset and one expiry: a put, a put spread, a call spread on the VIX, a strangle, an iron condor.

    What is bought pays the ask, what is sold receives the bid. The cost is the most that can be lost, and fees: for what is only bought that is
    the premium. Collateral for what is sold counts as brought along and comes back in the payoff, which so is never below 0.
    Raises ValueError for legs of several assets or expiries, a missing quote, or a loss without bound.
    """
    legs = tuple(one.leg for one in quoted)
    premium = sum(one.leg.size * _met(one) for one in quoted)
    collateral = _most_paid_out(legs)
    most_lost = collateral + premium
    exposure = Together((*legs, Coins({}, collateral)))
    costs = (Cost("premium" if collateral == 0.0 else "most that can be lost", most_lost), Cost("fees", fees_usd))
    return Instrument(name=name, exposure=exposure, costs=costs, capital_usd=most_lost, margin_usd=collateral + min(0.0, premium))


def short_perp(asset: str, size: float, price_usd: float, book: Book, *, funding_against: float, fee: float = 0.0, days: float = DAYS) -> Instrument:
    """`size` coins sold (positive) as a perpetual, at the book's half-spread, margin and risk-free yield.

    `funding_against` is what a short would pay a year (`funding_against_short`); `fee` is a share of the notional for going in.
    Raises ValueError for a size below 0.
    """
    if size < 0:
        raise ValueError(f"a short perp sells a size of 0 or more, this is {size:.6g}")
    notional, years = size * price_usd, days / A_YEAR
    margin = book.perp_margin * notional
    paid, forgone = max(0.0, funding_against) * notional, book.treasury_bill_yield * margin
    costs = (
        Cost("fees", fee * notional),
        Cost("half-spread", book.perp_half_spread * notional),
        Cost("funding", paid * years),
        Cost("yield forgone on margin", forgone * years),
    )
    exposure = Coins({asset: -size}, notional)
    return Instrument(name="short perp", exposure=exposure, costs=costs, capital_usd=margin, margin_usd=margin, daily_usd=-(paid + forgone) / A_YEAR)


def top_up(amount_usd: float, *, stable_yield: float, gas_usd: float, days: float = DAYS) -> Instrument:
    """Stablecoins moved into a lending account as collateral. It costs the yield forgone and the gas, not the amount, which stays one's own.

    Its exposure is nil: what it protects from is liquidation, and the coins are the book's already.
    """
    daily = amount_usd * stable_yield / A_YEAR
    costs = Cost("yield forgone", daily * days), Cost("gas", gas_usd)
    return Instrument(name="top-up", exposure=Coins({}), costs=costs, capital_usd=amount_usd, daily_usd=-daily)


def vix_future(contracts: float, curve: VixCurve, *, margin_usd: float, fees_usd: float = 0.0, days: float = DAYS) -> Instrument:
    """The second VIX future, bought. It costs the way down to the first as time goes by, at the pace of the curve between them.

    `margin_usd` is for one contract.
    """
    units = contracts * VIX_MULTIPLIER
    daily = units * curve.daily_roll
    costs = Cost("roll-down", daily * days), Cost("fees", fees_usd)
    exposure, margin = Coins({"VIX": units}, -units * curve.level), abs(contracts) * margin_usd
    return Instrument(name="VIX future", exposure=exposure, costs=costs, capital_usd=margin, margin_usd=margin, daily_usd=-daily)


def vix_fund(ticker: str, notional_usd: float, curve: VixCurve, *, share_near: float, half_spread: float, days: float = DAYS) -> Instrument:
    """VXX or UVXY, bought: a mix of the first two VIX futures, of whose contracts `share_near` are of the first and a part moves on each day.

    That costs the gap between the two, times the fund's leverage. `half_spread` is a share of the notional. Raises KeyError for another fund.
    """
    exposed = LEVERAGE[ticker] * notional_usd
    units = exposed / (share_near * curve.near + (1.0 - share_near) * curve.far)
    daily = units * curve.daily_roll
    costs = Cost("roll", daily * days), Cost("half-spread", half_spread * notional_usd)
    exposure = Coins({"VIX": units}, -units * curve.level)
    return Instrument(name=ticker, exposure=exposure, costs=costs, capital_usd=notional_usd, daily_usd=-daily)


def _met(one: Quoted) -> float:
    usd = one.ask_usd if one.leg.bought else one.bid_usd
    if usd is None:
        side = "ask" if one.leg.bought else "bid"
        raise ValueError(f"the {one.leg.right} of {one.leg.strike:,.6g} has no {side}")
    return usd


def _most_paid_out(legs: Iterable[OptionLeg]) -> float:
    """The most that exercise of all legs together can take at their one expiry, 0 where it takes nothing."""
    held = tuple(legs)
    if len({(leg.asset, leg.years) for leg in held}) != 1:
        raise ValueError("the legs of one instrument must be of one asset and one expiry")
    if sum(leg.size for leg in held if leg.right == "call") < 0:
        raise ValueError("more calls are sold than bought: the loss has no bound")
    asset, years = held[0].asset, held[0].years
    # Exercise is a straight line between strikes, and rises (or is flat) beyond the last: its low lies at a strike or at 0.
    kinks = np.array([0.0, *(leg.strike for leg in held)])
    return max(0.0, -float(np.min(Together(held).value_usd(Scenario({asset: kinks}, years=years)))))
