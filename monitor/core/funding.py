"""Funding of an asset across venues (ALVH): each payment annualised over the interval in force, each venue's mean over 8 hours, and of these the
median weighted by open interest, where no venue weighs over 60%.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from statistics import median
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from monitor.core.units import DAY, HOUR
from monitor.core.verdict import Unknown
from monitor.core.view import View

Number = TypeVar("Number", float, npt.NDArray[np.float64])
HOURS_A_YEAR = 8760.0
MEAN_MS = 8 * HOUR
MEDIAN_MS = 30 * DAY
HEAVIEST = 0.60
DEX = frozenset({"dydx", "gmx", "hyperliquid", "paradex", "derive"})
LEAST_VENUES = {"all": 3, "dex": 2}
SLOTS = MEDIAN_MS // MEAN_MS
COVERAGE = 0.9
LAST_SLOTS = 3
DEAR = 0.95

Times = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Payments:
    """What one venue settled: instants (ms, ascending), rates a year, and how long (ms) each payment covers, backwards from its instant."""

    at: Times
    rate: Floats
    covers_ms: Times


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Annualised funding over venues: now, and at the end (`slot_at`, ms) of each 8-hour slot of the last 30 days in which enough venues paid.

    `weighted` is False when no venue gives its open interest and all weigh the same.
    """

    now: float
    slot_at: Times
    slots: Floats
    venues: tuple[str, ...]
    weighted: bool

    def usual(self, now: int) -> tuple[float, float]:
        """Median and median absolute deviation of the slots. Raises Unknown unless 90% of 30 days is there, the last 3 of them, and no hole over 3.

        The slot that has just ended may be missing: its payments need some minutes to be known.
        """
        places = (self.slot_at - now) // MEAN_MS + SLOTS + 1
        enough = len(places) >= COVERAGE * SLOTS and int(np.diff(places, prepend=0).max()) <= LAST_SLOTS
        if not enough or places[-1] < SLOTS - 1 or places[-1] - places[-LAST_SLOTS] != LAST_SLOTS - 1:
            raise Unknown("coverage", f"{len(places)} of {SLOTS} slots of 8 h are known in the last 30 days: too few or too patchy for a median")
        middle = median(self.slots.tolist())
        return middle, median(np.abs(self.slots - middle).tolist())


def annualised(rate: Number, interval_hours: Number) -> Number:
    """Funding a year as a fraction, of a rate that is paid every `interval_hours`; numbers or arrays of one shape."""
    return rate * HOURS_A_YEAR / interval_hours


def venue_payments(view: View, asset: str, venue: str, span_ms: int) -> Payments:
    """What one venue settled within the span, each payment over the interval in force at its own instant.

    Raises Unknown when the venue is stale or the newest payment's interval is not known; older payments without one are left out.
    """
    rates = view.window("funding.rate", asset, venue, span_ms, covered=False)
    intervals = view.values_at("funding.interval_hours", asset, venue, rates.at)
    if np.isnan(intervals[-1]):
        raise Unknown("interval", f"{venue} does not say which interval the funding of {asset} covers")
    view.note("funding.interval_hours", asset, venue, int(rates.at[-1]))
    known = ~np.isnan(intervals)
    values = annualised(rates.value[known], intervals[known])
    return Payments(rates.at[known], values, np.rint(intervals[known] * HOUR).astype(np.int64))


def venue_rate(view: View, asset: str, venue: str) -> float:
    """One venue's mean over the 8 hours up to its newest payment, a fraction a year. Raises Unknown as `venue_payments`."""
    paid = view.once(("payments", asset, venue), partial(venue_payments, view, asset, venue, MEDIAN_MS + MEAN_MS))
    return _mean(paid)


def weighted_median(values: Sequence[float], weights: Sequence[float]) -> float:
    """Median by weight, no weight above 60% of the total; at an exact half the mean of the two middle values. Weights are positive."""
    return _middle(values, capped_shares(weights))


def _middle(values: Sequence[float], shares: Sequence[float]) -> float:
    order = sorted(range(len(values)), key=values.__getitem__)
    running = 0.0
    for index, following in pairwise(order):
        running += shares[index]
        if abs(running - 0.5) < 1e-12:
            return (values[index] + values[following]) / 2
        if running > 0.5:
            return values[index]
    return values[order[-1]]


def capped_shares(weights: Sequence[float]) -> list[float]:
    """Shares of the total, none above 60% where there are others to have the rest.

    A handful of venues: plain numbers are ten times as fast as arrays, and add up in one order everywhere."""
    total = _sum(weights)
    shares = [weight / total for weight in weights]
    heaviest = shares.index(max(shares))
    if len(shares) < 2 or shares[heaviest] <= HEAVIEST:
        return shares
    factor = (1 - HEAVIEST) / (_sum(shares) - shares[heaviest])
    shares = [share * factor for share in shares]
    shares[heaviest] = HEAVIEST
    return shares


def _sum(values: Iterable[float]) -> float:
    """From left to right: the built-in sum rounds differently from Python 3.12 on, and a decision must not."""
    total = 0.0
    for value in values:
        total += value
    return total


def venues_of(view: View, asset: str, name: str) -> tuple[str, ...]:
    """Venues that ever gave funding of this asset and belong to the aggregate `all` or `dex`."""
    return tuple(venue for venue in view.sources("funding.rate", asset) if name == "all" or venue in DEX)


def aggregate(view: View, asset: str, name: str) -> Aggregate:
    """The aggregate `all` or `dex` for an asset. Raises Unknown with fewer venues than it needs (3, 2) that are fresh and state their interval."""
    return view.once(("aggregate", asset, name), lambda: _aggregate(view, asset, name))


def _aggregate(view: View, asset: str, name: str) -> Aggregate:
    payments: dict[str, Payments] = {}
    reasons = []
    for venue in venues_of(view, asset, name):
        try:
            payments[venue] = view.once(("payments", asset, venue), partial(venue_payments, view, asset, venue, MEDIAN_MS + MEAN_MS))
        except Unknown as why:
            reasons.append(why.reason)
    if len(payments) < LEAST_VENUES[name]:
        detail = f" ({'; '.join(reasons)})" if reasons else ""
        raise Unknown("venues", f"{len(payments)} of at least {LEAST_VENUES[name]} venues give the funding of {asset}{detail}")
    known = _open_interest(view, asset, payments)
    smallest = min(known.values(), default=1.0)
    weights = [known.get(venue, smallest) for venue in payments]
    slot_at, slots = _slots(view, asset, payments, weights, LEAST_VENUES[name])
    now = weighted_median([_mean(paid) for paid in payments.values()], weights)
    return Aggregate(now, slot_at, slots, tuple(payments), bool(known))


def _mean(paid: Payments) -> float:
    """Mean over the 8 hours up to the newest, by the time each payment covers: neither a denser interval nor a sparser one counts for more."""
    start = paid.at[-1] - MEAN_MS
    covered = np.clip(paid.at - start, 0, paid.covers_ms).astype(np.float64)
    return float((paid.rate * covered).sum() / covered.sum())


def _slots(view: View, asset: str, payments: Mapping[str, Payments], weights: Sequence[float], least: int) -> tuple[Times, Floats]:
    """The aggregate at the end of each full 8-hour slot (00, 08, 16 h UTC) of the last 30 days; slots with too few venues are left out."""
    last = view.now - view.now % MEAN_MS
    view.wake(last + MEAN_MS)
    ends = last + MEAN_MS * np.arange(1 - SLOTS, 1, dtype=np.int64)
    table = np.array([view.once(("slots", asset, venue), partial(_slot_means, paid, ends)) for venue, paid in payments.items()])
    paid = ~np.isnan(table)
    kept = np.flatnonzero(paid.sum(axis=0) >= least)
    return ends[kept], _medians(table[:, kept], paid[:, kept], np.array(weights))


def _medians(table: Floats, paid: Bools, weights: Floats) -> Floats:
    """The weighted median of each column, over the rows (venues) that paid; `weighted_median` of them all at once, rounded the same."""
    last = paid.sum(axis=0) - 1
    order = np.argsort(table, axis=0, kind="stable")  # NaN, who did not pay, comes last
    running = np.cumsum(np.take_along_axis(_shares(paid, weights), order, axis=0), axis=0)
    halves = np.abs(running - 0.5) < 1e-12
    place = np.minimum(np.argmax(halves | (running > 0.5), axis=0), last)
    columns = np.arange(table.shape[1])
    low, high = (table[order[row, columns], columns] for row in (place, np.minimum(place + 1, last)))
    medians: Floats = np.where(halves[place, columns], (low + high) / 2, low)
    return medians


def _shares(paid: Bools, weights: Floats) -> Floats:
    """The capped share of each venue in each column, 0 where it did not pay; mostly the same venues paid in all of them."""
    shares: Floats = np.zeros(paid.shape)
    who_paid = (1 << np.arange(len(paid))) @ paid
    for who in set(who_paid.tolist()):
        columns = who_paid == who
        rows = paid[:, columns][:, 0]
        shares[np.ix_(rows, columns)] = np.array(capped_shares(weights[rows].tolist()))[:, np.newaxis]
    return shares


def _slot_means(paid: Payments, ends: Times) -> Floats:
    """One venue's mean in each slot, NaN where it paid nothing."""
    places = np.searchsorted(ends, paid.at)
    here = places < len(ends)
    places, at, rate, covers_ms = places[here], paid.at[here], paid.rate[here], paid.covers_ms[here]
    # What was paid before the first slot covers nothing of it.
    covered = np.clip(at - (ends[places] - MEAN_MS), 0, covers_ms).astype(np.float64)
    total = np.bincount(places, covered, len(ends))
    means: Floats = np.full(len(ends), np.nan)
    np.divide(np.bincount(places, covered * rate, len(ends)), total, out=means, where=total > 0)
    return means


def _open_interest(view: View, asset: str, venues: Iterable[str]) -> dict[str, float]:
    """Fresh open interest in USD, of the venues that have one."""
    known: dict[str, float] = {}
    for venue in venues:
        try:
            known[venue] = max(1.0, float(view.newest("open_interest.usd", asset, venue).value))
        except Unknown:
            continue
    return known


def median_cost(view: View, asset: str) -> float:
    """The 30-day median of the annualised funding, over the venues known; a fraction a year, positive when a short receives it.

    Raises Unknown when no venue can be read.
    """
    return _over_venues(view, asset, lambda paid: float(np.median(paid.rate)))


def newest_cost(view: View, asset: str) -> float:
    """The newest annualised funding, each venue's mean over 8 hours and of these the median; otherwise as `median_cost`."""
    return _over_venues(view, asset, _mean)


def funding_against_short(view: View, asset: str, share: float = DEAR) -> float:
    """What a short would pay a year where funding is dear: the 95th percentile of 30 days of payments, median over the venues known.

    A fraction; negative where even then it would receive. Raises Unknown when no venue can be read.
    """
    return _over_venues(view, asset, lambda paid: float(np.quantile(-paid.rate, share)))


def _over_venues(view: View, asset: str, read: Callable[[Payments], float]) -> float:
    """The median over venues of what `read` makes of the 30 days of payments of each."""
    found, reasons = [], []
    for venue in view.sources("funding.rate", asset):
        try:
            found.append(read(venue_payments(view, asset, venue, MEDIAN_MS)))
        except Unknown as why:
            reasons.append(why.reason)
    if not found:
        raise Unknown("funding", "; ".join(reasons) or f"no venue gives the funding of {asset}")
    return float(np.median(found))
