"""What a layer, and the position with it, returns in the paths of the horizon, and what is left of that when markets grow thin."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from monitor.core.breakeven import SyntheticBreakEven, Terms, synthetic_break_even
from monitor.core.exposure import Exposure, Scenario, Together
from monitor.core.horizon import at_horizon
from monitor.core.instruments import Instrument
from monitor.core.units import DAY
from monitor.core.verdict import Unknown
from monitor.core.xirr import Flow, Return, period_return

YEAR_DAYS = 365.0
PATHS = (-1.5, 0.0, 1.5)
DEPTHS_DOWN = (0.3, 0.5, 0.7)


class Expense(NamedTuple):
    """What a layer costs over the horizon in USD: half-spread and impact, funding, and everything else."""

    spread_usd: float = 0.0
    funding_usd: float = 0.0
    rest_usd: float = 0.0

    @property
    def usd(self) -> float:
        return self.spread_usd + self.funding_usd + self.rest_usd

    def in_thin_markets(self, depth_down: float, funding_usd: float) -> "Expense":
        """The same with depth down by a share, and with other funding.

        *(reading)* Half-spread and impact grow as depth shrinks: by 1 / (1 - share). Raises ValueError where no depth is left.
        """
        if not 0 <= depth_down < 1:
            raise ValueError(f"depth falls by a share from 0 to under 1, not by {depth_down}")
        return Expense(self.spread_usd / (1 - depth_down), funding_usd, self.rest_usd)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hedge:
    """One layer. `exposure` is what it brings (an option its worth, a perpetual nothing where it was opened), `capital_usd` what it ties up."""

    exposure: Exposure
    expense: Expense
    capital_usd: float


def hedge_of(instrument: Instrument, spread_usd: float | None = None) -> Hedge:
    """An instrument as a hedge. `spread_usd` is what of its cost is half-spread and impact: of options it lies in the premium and must be said."""
    by_name = {cost.name: cost.usd for cost in instrument.costs}
    spread = by_name.get("half-spread", 0.0) if spread_usd is None else spread_usd
    funding = by_name.get("funding", 0.0)
    expense = Expense(spread, funding, instrument.cost_usd - spread - funding)
    return Hedge(exposure=instrument.exposure, expense=expense, capital_usd=instrument.capital_usd)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The position that a layer protects: its value now, and the fees earned and funding paid (negative: received) until the horizon in USD."""

    exposure: Exposure
    value_usd: float
    fees_usd: float = 0.0
    funding_usd: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Where paths begin: today's prices and volatilities, the asset that moves, its sigma over the horizon, and how many days that is.

    `iv_beta` is how many volatility points come with each percent of a fall.
    """

    now: Scenario
    asset: str
    sigma_h: float
    days: float = 7.0
    iv_beta: float = 1.0

    def after(self, sigmas: float) -> Scenario:
        """The world at the horizon, the asset being so many sigmas away."""
        price_usd = float(self.now.price(self.asset)) * math.exp(sigmas * self.sigma_h)
        return at_horizon(self.now, self.asset, price_usd, self.days / YEAR_DAYS, self.iv_beta)


@dataclass(frozen=True, slots=True)
class PathReturn:
    """One path: how many sigmas, the price there, what was gained net of cost in USD, and the return on the capital."""

    sigmas: float
    price_usd: float
    gain_usd: float
    earned: Return


def return_on(gain_usd: float, capital_usd: float, days: float) -> Return:
    """The IRR of a capital that comes back with its gain after so many days; under 30 days the holding-period return.

    Where there is no rate a year, as for a loss of all of it or more, the holding-period return is given. Raises Unknown where no capital is
    tied up.
    """
    if not capital_usd > 0:
        raise Unknown("capital", "the layer ties up no capital: there is no return on nothing")
    whole = Return(gain_usd / capital_usd, "holding-period")
    try:
        found = period_return([Flow(0, -capital_usd), Flow(round(days * DAY), capital_usd + gain_usd)])
    except Unknown:
        return whole
    return found if found.kind == "xirr" else whole


def layer_return(hedge: Hedge, market: Market, sigmas: float) -> PathReturn:
    """What the layer returns on its own capital in one path: marked to market at the horizon, net of its cost."""
    there = market.after(sigmas)
    gain_usd = float(hedge.exposure.value_usd(there)) - hedge.expense.usd
    return PathReturn(sigmas, float(there.price(market.asset)), gain_usd, return_on(gain_usd, hedge.capital_usd, market.days))


def hedged_return(held: Held, hedge: Hedge, market: Market, sigmas: float) -> PathReturn:
    """What the position and its layer return together, on the position's value and the layer's capital."""
    there = market.after(sigmas)
    moved_usd = float(Together((held.exposure, hedge.exposure)).value_usd(there)) - held.value_usd
    gain_usd = moved_usd + held.fees_usd - held.funding_usd - hedge.expense.usd
    return PathReturn(sigmas, float(there.price(market.asset)), gain_usd, return_on(gain_usd, held.value_usd + hedge.capital_usd, market.days))


@dataclass(frozen=True, slots=True)
class Prospect:
    """A layer and the hedged position in each path, and the break-evens."""

    expense: Expense
    layer: tuple[PathReturn, ...]
    hedged: tuple[PathReturn, ...]
    break_even: SyntheticBreakEven


def prospect(held: Held, hedge: Hedge, market: Market, kinks: Iterable[float] = (), paths: tuple[float, ...] = PATHS) -> Prospect:
    """Returns and break-evens of one layer at -1.5, 0 and +1.5 sigma. Raises Unknown as `return_on` does."""
    terms = Terms(
        basis_usd=held.value_usd,
        years=market.days / YEAR_DAYS,
        fees_usd=held.fees_usd,
        funding_usd=held.funding_usd,
        layers_cost_usd=hedge.expense.usd,
        kinks=tuple(kinks),
        iv_beta=market.iv_beta,
    )
    return Prospect(
        hedge.expense,
        tuple(layer_return(hedge, market, sigmas) for sigmas in paths),
        tuple(hedged_return(held, hedge, market, sigmas) for sigmas in paths),
        synthetic_break_even(held.exposure, hedge.exposure, terms, market.now, market.asset),
    )


def liquidity_lens(
    held: Held, hedge: Hedge, market: Market, dear_funding_usd: float, kinks: Iterable[float] = (), depths_down: tuple[float, ...] = DEPTHS_DOWN
) -> dict[float, Prospect]:
    """The same by how far depth is down (30, 50, 70%), with funding over the horizon at its 99th percentile (`dear_funding_usd`).

    It is the layer's funding: the position's own is in `held`.
    """
    corners = tuple(kinks)
    thin = {down: replace(hedge, expense=hedge.expense.in_thin_markets(down, dear_funding_usd)) for down in depths_down}
    return {down: prospect(held, changed, market, corners) for down, changed in thin.items()}
