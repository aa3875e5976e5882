"""What a liquidity position earns against its price (P/CF), and how much of its exposure that cash flow justifies to hedge."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt

from monitor.core.book import Position
from monitor.core.funding import HOURS_A_YEAR
from monitor.core.liquidity import LIQUIDITY_KINDS, fees_in, readings
from monitor.core.standing import LEAST_IN_RANGE_HOURS, TICK_BASE, WINDOW_MS, fees_of
from monitor.core.units import DAY, HOUR
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.worth import Fees, Valuation, newest

Times = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LEAST_FACTOR, MOST_FACTOR = 0.5, 1.0
LEAST_HISTORY = 5
POOL_FEE_APR = "position.pool_fee_apr"


@dataclass(frozen=True, slots=True)
class CashFlow:
    """Price to cash flow: years of fees that the position costs. `basis` says what the fees were reckoned from."""

    ratio: float
    basis: str


def price_to_cash_flow(value_usd: float, fees: Fees, pool_fee_apr: float | None = None) -> CashFlow:
    """Position value over its fees a year, as earned in its in-range hours of 30 days; of a young one by the fee APR of its pool.

    Young is a position whose fees of a year are not known (`Fees.annual_usd`). Raises Unknown where neither is known, where it earned nothing,
    or where it is worth nothing.
    """
    if not value_usd > 0:
        raise Unknown("cash-flow", "a position that is worth nothing has no price to cash flow")
    if fees.annual_usd is not None:
        annual_usd, basis = fees.annual_usd, "its fees of 30 days"
    elif pool_fee_apr is not None:
        annual_usd, basis = pool_fee_apr * value_usd, "the fee APR of its pool"
    else:
        raise Unknown("cash-flow", "the fees that it earns a year are not known yet, nor is the fee APR of its pool")
    if not annual_usd > 0:
        raise Unknown("cash-flow", f"by {basis} it earns nothing")
    return CashFlow(value_usd / annual_usd, basis)


@dataclass(frozen=True, slots=True)
class Share:
    """The share of a stressed exposure that is hedged, and why, in words."""

    factor: float
    basis: str


def justified_share(now: CashFlow, history: Sequence[float]) -> Share:
    """clip(median P/CF / P/CF, 0.5, 1): hedge what the cash flow justifies, never below half *(reading)*.

    `history` is the P/CF of earlier days, as far back as the store goes; under 5 of them there is no median, and the share is 1.
    """
    said = f"P/CF {now.ratio:,.1f} by {now.basis}"
    if len(history) < LEAST_HISTORY:
        return Share(MOST_FACTOR, f"{said}, whose history is {len(history)} of at least {LEAST_HISTORY} days: not weighed")
    usual = median(history)
    factor = min(max(usual / now.ratio, LEAST_FACTOR), MOST_FACTOR)
    return Share(factor, f"{said} against a median of {usual:,.1f} over {len(history)} days")


def cash_flow_share(view: View, position: Position, worth: Valuation) -> Share | None:
    """The justified share of a liquidity position; 1, with the reason, where its P/CF is not known. None for what earns no fees."""
    if position.kind not in LIQUIDITY_KINDS:
        return None
    noted: dict[str, str] = {}
    try:
        fees = fees_of(view, position, noted)
        now = price_to_cash_flow(worth.value_usd, fees, _pool_fee_apr(view, position) if fees.annual_usd is None else None)
        return justified_share(now, daily_ratios(view, position))
    except Unknown as why:
        return Share(MOST_FACTOR, f"P/CF not known, so not weighed: {'; '.join(noted.values()) or why.reason}")


def _pool_fee_apr(view: View, position: Position) -> float | None:
    """As the user feeds it; None where nobody does. Raises Unknown where it is old."""
    return float(newest(view, POOL_FEE_APR, position).value) if view.sources(POOL_FEE_APR, position.id) else None


def daily_ratios(view: View, position: Position) -> list[float]:
    """P/CF at each UTC midnight before now that the store still has 24 hours in range for, oldest first.

    In the pool's own terms: worth and fees of the 30 days before in token1, at the tick of then, so that no price of long ago is asked for.
    Raises Unknown where the position was not read.
    """
    ticks = _Steps.of(view, position, "tick")
    nights = np.arange(int(ticks.at.min()) // DAY * DAY, view.now, DAY, dtype=np.int64)
    price = TICK_BASE ** ticks.held(nights)
    hours = _hours_in_range(view, position, ticks, nights)
    worth, earned = np.zeros(len(nights)), np.zeros(len(nights))
    for side, factor in ((0, price), (1, np.ones(len(nights)))):
        held, fees = (_Steps.of(view, position, f"{name}{side}").held(nights) for name in ("amount", "fees"))
        worth += factor * (held + fees)
        at, rises = fees_in(view, position, side)
        came_in = _Steps(at, np.cumsum(rises))
        earned += factor * (came_in.held(nights) - came_in.held(nights - WINDOW_MS))
    told = (hours >= LEAST_IN_RANGE_HOURS) & (earned > 0) & (worth > 0)
    ratios: list[float] = (worth[told] * hours[told] / (earned[told] * HOURS_A_YEAR)).tolist()
    return ratios


@dataclass(frozen=True, slots=True)
class _Steps:
    """Readings of one number of a position, each of which holds until the next."""

    at: Times
    value: Floats

    @staticmethod
    def of(view: View, position: Position, name: str) -> "_Steps":
        known = readings(view, f"position.{name}", position)
        return _Steps(np.array(known.at, dtype=np.int64), np.array(known.value, dtype=np.float64))

    def held(self, instants: Times) -> Floats:
        """What held at each instant, 0 before the first reading."""
        return np.concatenate([[0.0], self.value])[np.searchsorted(self.at, instants, side="right")]


def _hours_in_range(view: View, position: Position, ticks: _Steps, instants: Times) -> Floats:
    """Of the 30 days before each instant."""
    lower, upper = (int(newest(view, f"position.{name}", position).value) for name in ("tick_lower", "tick_upper"))
    ends = np.append(ticks.at, view.now)
    inside = (lower <= ticks.value) & (ticks.value < upper)
    until = np.concatenate([[0.0], np.cumsum(np.where(inside, np.diff(ends), 0))]) / HOUR
    hours: Floats = np.interp(instants, ends, until) - np.interp(instants - WINDOW_MS, ends, until)
    return hours
