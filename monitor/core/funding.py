"""Funding of an asset across venues: each payment annualised over the interval in force, then an open-interest-weighted median (METHOD 1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.core.units import DAY, HOUR
from monitor.core.verdict import Unknown
from monitor.core.view import View

HOURS_A_YEAR = 8760.0
MEAN_MS = 8 * HOUR
MEDIAN_MS = 30 * DAY
HEAVIEST = 0.60
DEX = frozenset({"dydx", "gmx", "hyperliquid", "paradex", "derive"})
LEAST_VENUES = {"all": 3, "dex": 2}


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Annualised funding over venues: now, and at each of the 8-hour slots of the last 30 days (ascending; slots with too few venues left out)."""

    now: float
    slots: npt.NDArray[np.float64]
    venues: tuple[str, ...]
    weighted: bool


def annualised(rate: float, interval_hours: float) -> float:
    """Funding a year as a fraction, of a rate paid every `interval_hours`."""
    return rate * HOURS_A_YEAR / interval_hours


def venue_payments(view: View, asset: str, venue: str, span_ms: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Settlement times (ms) and annualised rates of one venue within the span, each over the interval in force at that payment.

    Raises Unknown when the venue is stale or the newest payment's interval is not known; older payments without one are left out.
    """
    rates = view.window("funding.rate", asset, venue, span_ms, covered=False)
    intervals = view.revisions("funding.interval_hours", asset, venue)
    if int(rates.at[-1]) not in intervals:
        raise Unknown("interval", f"{venue} does not say which interval the funding of {asset} covers")
    known = [i for i, at in enumerate(rates.at) if int(at) in intervals]
    values = [annualised(float(rates.value[i]), intervals[int(rates.at[i])][0]) for i in known]
    return rates.at[known], np.array(values, dtype=np.float64)


def weighted_median(values: Sequence[float], weights: Sequence[float]) -> float:
    """Median by weight, no weight above 60% of the total; at an exact half the mean of the two middle values. Weights are positive."""
    shares = _capped(np.array(weights, dtype=np.float64))
    order = np.argsort(np.array(values), kind="stable")
    running = 0.0
    for place, index in enumerate(order):
        running += shares[index]
        if abs(running - 0.5) < 1e-12 and place + 1 < len(order):
            return float((values[index] + values[order[place + 1]]) / 2)
        if running > 0.5:
            break
    return float(values[index])


def _capped(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    shares: npt.NDArray[np.float64] = weights / weights.sum()
    heaviest = int(shares.argmax())
    if len(shares) < 2 or shares[heaviest] <= HEAVIEST:
        return shares
    others = shares.sum() - shares[heaviest]
    shares *= (1 - HEAVIEST) / others
    shares[heaviest] = HEAVIEST
    return shares


def aggregate(view: View, asset: str, name: str) -> Aggregate:
    """The aggregate `all` or `dex` for an asset. Raises Unknown with fewer venues than it needs (3, 2) that are fresh and state their interval."""
    payments = {}
    reasons = []
    for venue in view.sources("funding.rate", asset):
        if name == "dex" and venue not in DEX:
            continue
        try:
            payments[venue] = venue_payments(view, asset, venue, MEDIAN_MS + MEAN_MS)
        except Unknown as why:
            reasons.append(why.reason)
    if len(payments) < LEAST_VENUES[name]:
        detail = f" ({'; '.join(reasons)})" if reasons else ""
        raise Unknown("venues", f"{len(payments)} of at least {LEAST_VENUES[name]} venues give the funding of {asset}{detail}")
    weights = _weights(view, asset, tuple(payments))
    newest = max(int(at[-1]) for at, _ in payments.values())
    ends = np.arange(newest - newest % MEAN_MS - MEDIAN_MS, newest + 1, MEAN_MS)
    slots = [value for end in ends if (value := _at(payments, weights, int(end), LEAST_VENUES[name])) is not None]
    now = _latest(payments, weights)
    return Aggregate(now, np.array(slots, dtype=np.float64), tuple(payments), len(set(weights.values())) > 1)


Payments = Mapping[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]


def _latest(payments: Payments, weights: Mapping[str, float]) -> float:
    """Each venue's mean over the 8 hours up to its own newest payment: venues settle at different times."""
    means = {venue: float(rates[at > at[-1] - MEAN_MS].mean()) for venue, (at, rates) in payments.items()}
    return weighted_median(list(means.values()), [weights[venue] for venue in means])


def _at(payments: Payments, weights: Mapping[str, float], end: int, least: int) -> float | None:
    values, shares = [], []
    for venue, (at, rates) in payments.items():
        inside = rates[(at > end - MEAN_MS) & (at <= end)]
        if len(inside):
            values.append(float(inside.mean()))
            shares.append(weights[venue])
    return weighted_median(values, shares) if len(values) >= least else None


def _weights(view: View, asset: str, venues: Sequence[str]) -> dict[str, float]:
    """Open interest in USD; a venue without one weighs as the smallest known, and all weigh the same where none has it."""
    known: dict[str, float] = {}
    for venue in venues:
        try:
            known[venue] = max(1.0, float(view.newest("open_interest.usd", asset, venue).value))
        except Unknown:
            continue
    smallest = min(known.values(), default=1.0)
    return {venue: known.get(venue, smallest) for venue in venues}


def median_cost(view: View, asset: str) -> float:
    """The 30-day median of the annualised funding, over the venues known; a fraction a year, positive when a short receives it.

    Raises Unknown when no venue can be read.
    """
    medians, reasons = [], []
    for venue in view.sources("funding.rate", asset):
        try:
            medians.append(float(np.median(venue_payments(view, asset, venue, MEDIAN_MS)[1])))
        except Unknown as why:
            reasons.append(why.reason)
    if not medians:
        raise Unknown("funding", "; ".join(reasons) or f"no venue gives the funding of {asset}")
    return float(np.median(medians))
