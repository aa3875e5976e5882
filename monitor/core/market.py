"""Everything that is known so far, by series. It holds only what events have brought, so nothing in it can look ahead.

A series is three columns sorted by `at`, the newest revision of each instant on top. Beyond `MAX_POINTS` the older ones are thinned to the last of
each hour, since a month of minutes is still asked for by its hours; what is too much even so falls off.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, MutableSequence
from typing import Any

from monitor.core.observation import Observation, SeriesKey
from monitor.core.units import HOUR
from monitor.core.vocabulary import find_metric

MAX_POINTS = 20_000


class Series:
    """Columns of one series: `at` and `known_at` in epoch milliseconds, ascending by `at`; `value` as float, or exact int.

    `floats` are the values as floats: the same column, or one beside the exact integers, since these cost a millisecond for each 10,000 to turn.
    """

    __slots__ = ("at", "block_hash", "floats", "known_at", "value")

    def __init__(self, exact: bool) -> None:
        self.at = array("q")
        self.known_at = array("q")
        self.floats = array("d")
        self.value: MutableSequence[Any] = [] if exact else self.floats
        self.block_hash = ""

    def __len__(self) -> int:
        return len(self.at)

    def put(self, at: int, known_at: int, value: float | int, block_hash: str = "") -> bool:
        """Insert, or revise the value of an instant. False when nothing changed: known already, or a newer revision is held."""
        position = len(self.at)
        if position and at <= self.at[-1]:
            position = bisect_left(self.at, at)
        if position < len(self.at) and self.at[position] == at:
            is_known = value == self.value[position] and self.is_of_block(at, block_hash)
            if is_known or known_at < self.known_at[position]:
                return False
            self.value[position] = value
            self.floats[position] = float(value)
            self.known_at[position] = known_at
        else:
            self.at.insert(position, at)
            self.known_at.insert(position, known_at)
            self.value.insert(position, value)
            if self.floats is not self.value:
                self.floats.insert(position, float(value))
        if position == len(self.at) - 1:
            self.block_hash = block_hash
        self._trim()
        return True

    def is_of_block(self, at: int, block_hash: str) -> bool:
        """Whether the newest point, if that is the one at `at`, is of this block; the blocks of others are not kept, and "" names none.

        Two blocks can have one time: on a chain with several a second, and where one block took the place of another.
        """
        return not block_hash or not self.at or at != self.at[-1] or block_hash == self.block_hash

    def _trim(self) -> None:
        # Trimming in strides keeps the cost of an append constant.
        if len(self.at) > MAX_POINTS + MAX_POINTS // 10:
            whole = MAX_POINTS * 3 // 4
            old = len(self.at) - whole
            kept = [place for place in range(old) if self.at[place] // HOUR != self.at[place + 1] // HOUR][whole - MAX_POINTS :]
            self.at[:old] = array("q", (self.at[place] for place in kept))
            self.known_at[:old] = array("q", (self.known_at[place] for place in kept))
            if self.floats is not self.value:
                self.value[:old] = [self.value[place] for place in kept]
            self.floats[:old] = array("d", (self.floats[place] for place in kept))

    def between(self, start: int, end: int) -> slice:
        """Positions of the points with start <= at <= end."""
        return slice(bisect_left(self.at, start), bisect_right(self.at, end))


class Market:
    """Series by key, with the sources of each (metric, subject) in the order of their names."""

    def __init__(self) -> None:
        self._series: dict[SeriesKey, Series] = {}
        self._sources: dict[tuple[str, str], tuple[str, ...]] = {}
        self._metrics: dict[str, tuple[str, ...]] = {}

    def put(self, observation: Observation) -> bool:
        """Take one observation in; False when it changed nothing."""
        o = observation
        return self._named(o.key).put(o.at, o.known_at, o.value, o.block_hash)

    def load(self, points: Iterable[tuple[SeriesKey, int, int, float | int, str]]) -> None:
        """Take in what a store holds, in the order of receipt: series, `at`, `known_at`, value, block hash."""
        for key, at, known_at, value, block_hash in points:
            self._named(key).put(at, known_at, value, block_hash)

    def _named(self, key: SeriesKey) -> Series:
        found = self._series.get(key)
        return self._open(key) if found is None else found

    def _open(self, key: SeriesKey) -> Series:
        metric = find_metric(key.metric)
        series = self._series[key] = Series(metric is not None and metric.exact)
        pair = (key.metric, key.subject)
        self._sources[pair] = tuple(sorted({*self._sources.get(pair, ()), key.source}))
        self._metrics[key.metric] = tuple(sorted({*self._metrics.get(key.metric, ()), key.subject}))
        return series

    def series(self, metric: str, subject: str, source: str) -> Series | None:
        return self._series.get(SeriesKey(metric, subject, source))

    def sources(self, metric: str, subject: str) -> tuple[str, ...]:
        """Names of the sources that ever gave this metric of this subject."""
        return self._sources.get((metric, subject), ())

    def subjects(self, metric: str) -> tuple[str, ...]:
        return self._metrics.get(metric, ())

    def metrics(self, prefix: str, subject: str) -> tuple[str, ...]:
        """The metrics that begin so and were ever given of this subject, in the order of their names."""
        return tuple(sorted(name for name, subjects in self._metrics.items() if name.startswith(prefix) and subject in subjects))

    def held(self, key: SeriesKey, at: int) -> tuple[float | int, int] | None:
        """The value held for exactly this instant, and when it was known."""
        series = self._series.get(key)
        if series is None:
            return None
        position = bisect_left(series.at, at)
        found = position < len(series.at) and series.at[position] == at
        return (series.value[position], series.known_at[position]) if found else None

    def value_at(self, key: SeriesKey, at: int) -> float | int | None:
        """The value held for exactly this instant."""
        found = self.held(key, at)
        return None if found is None else found[0]

    def is_of_block(self, key: SeriesKey, at: int, block_hash: str) -> bool:
        """Whether what is held for this instant is of this block, as far as blocks are kept."""
        series = self._series.get(key)
        return series is None or series.is_of_block(at, block_hash)

    def keys(self) -> Iterator[SeriesKey]:
        return iter(sorted(self._series))
