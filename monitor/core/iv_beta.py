"""How implied volatility goes with the price: its spot beta."""

from dataclasses import dataclass

import numpy as np

from monitor.core.beta import beta
from monitor.core.horizon import IV_BETA
from monitor.core.tail import daily_returns
from monitor.core.tokens import underlying
from monitor.core.units import DAY
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.windows import held_at, of_first

DAYS, LEAST_DAYS = 60, 54


@dataclass(frozen=True, slots=True)
class SpotBeta:
    """Volatility points that come with each percent of a fall, and what that stands on."""

    points_per_percent: float
    basis: str


def spot_beta(view: View, asset: str) -> SpotBeta:
    """The slope, by least squares, of the daily change of the 30-day implied volatility (points) on the daily return (percent), its sign turned.

    Over the last 60 days, at their UTC closes; where fewer than 54 of them have both, 1 point for each percent (ALVH), and the basis says why.
    """
    name = underlying(asset)
    try:
        return of_first(
            view.sources("iv.index", name), lambda source: _measured(view, name, source), f"nobody gives the implied volatility of {name}"
        )
    except Unknown as why:
        return SpotBeta(IV_BETA, f"{IV_BETA:g} point for each percent: {why.reason}")


def _measured(view: View, asset: str, source: str) -> SpotBeta:
    days, returns = daily_returns(view, asset)
    recent = (days + 1) * DAY > view.now - DAYS * DAY
    ends, percent = (days[recent] + 1) * DAY, np.expm1(returns[recent]) * 100
    points = view.window("iv.index", asset, source, (DAYS + 2) * DAY, covered=False)
    change = held_at(points, ends, DAY) - held_at(points, ends - DAY, DAY)
    known = np.isfinite(change)
    if known.sum() < LEAST_DAYS:
        raise Unknown("short", f"only {known.sum()} of {LEAST_DAYS} days have both a price and an implied volatility of {asset}")
    try:
        slope = beta(change[known], percent[known]).value
    except ValueError as problem:
        raise Unknown("flat", f"the implied volatility of {asset} has no spot beta: {problem}") from None
    return SpotBeta(-slope, f"{-slope:.2f} points for each percent, by {known.sum()} days of {source}")
