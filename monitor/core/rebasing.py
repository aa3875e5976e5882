"""Levels in another unit, or of another base year: never mixed with those that are held.

A revision moves a level by a little. A rebasing or another unit moves every month by one factor, and a change across the seam would be an invention,
so such a delivery is refused until the operator imports the whole series anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from monitor.core.market import Market
from monitor.core.observation import Observation, SeriesKey
from monitor.core.prints import places, same_print
from monitor.core.units import iso
from monitor.core.vocabulary import Publication, find_metric

FARTHEST_REVISION = 0.05
LEAST_MONTHS = 3
"""So many months, all moved by one factor, are a rebasing even where the factor is small."""


def rebased(market: Market, observations: Iterable[Observation], *, by_operator: bool = False) -> Mapping[Observation, str]:
    """The observations that must not be let in, and why. `by_operator` admits a whole series anew: every month that is held, by one factor."""
    levels = [o for o in observations if _is_level(o)]
    refused: dict[Observation, str] = {}
    for key, group in groupby(sorted(levels, key=lambda o: (o.key, o.known_at)), key=lambda o: o.key):
        rows = list(group)
        moved = _moved(market, key, rows)
        if moved and not (by_operator and _is_whole(market, key, rows)):
            since = min(o.known_at for o in moved)
            refused |= dict.fromkeys((o for o in rows if o.known_at >= since), _reason(moved))
    return refused


def _is_level(observation: Observation) -> bool:
    row = find_metric(observation.metric)
    return row is not None and row.publication is Publication.STATED


def _moved(market: Market, key: SeriesKey, rows: Sequence[Observation]) -> dict[Observation, float]:
    """Rows whose level stands in a ratio to the one held for the same month (or given before in this delivery) that no revision explains."""
    held: dict[int, float] = {}
    ratios: dict[Observation, float] = {}
    for row in rows:
        before = held.get(row.at, market.value_at(key, row.at))
        if before is not None and before > 0 and not same_print(float(before), float(row.value)):
            ratios[row] = row.value / before
        if row not in ratios or abs(ratios[row] - 1) <= FARTHEST_REVISION:
            held[row.at] = float(row.value)
    far = {row: ratio for row, ratio in ratios.items() if abs(ratio - 1) > FARTHEST_REVISION}
    return far or _by_one_factor(ratios)


def _by_one_factor(ratios: Mapping[Observation, float]) -> dict[Observation, float]:
    """All of them, where one factor explains every one to its rounding, and they are enough and differ."""
    if len({row.at for row in ratios}) < LEAST_MONTHS or len({row.value for row in ratios}) < LEAST_MONTHS:
        return {}
    factor = sorted(ratios.values())[len(ratios) // 2]
    olds = {row: row.value / ratio for row, ratio in ratios.items()}
    coarse = min(places(olds.values()), places(row.value for row in ratios))
    # Both levels are rounded, and so is the factor that stands between them.
    rounding = 1.5 * 10.0**-coarse
    return dict(ratios) if all(abs(olds[row] * factor - row.value) <= rounding for row in ratios) else {}


def _is_whole(market: Market, key: SeriesKey, rows: Sequence[Observation]) -> bool:
    series = market.series(*key)
    return series is not None and set(series.at) <= {row.at for row in rows}


def _reason(moved: Mapping[Observation, float]) -> str:
    row, ratio = max(moved.items(), key=lambda item: item[0].at)
    month = iso(row.at)[:7]
    return (
        f"the level of {month} is {ratio:.6g} times the one held: another base year or another unit; "
        "import the whole series anew to go on with it (hedge-monitor import)"
    )
