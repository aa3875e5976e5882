"""What a rule sees: the market as of now, judged for quality, with every read kept as evidence.

The view also learns from the reads when the answer could change without any news: a value goes stale, a point leaves its window, a timer
ends. The earliest of these is `due`, and the engine asks again then and not before.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from monitor.core.ledger import Ledger
from monitor.core.market import Market, Series
from monitor.core.sessions import are_sessions, ordinals, session_after
from monitor.core.settings import Settings
from monitor.core.state import Episode, Instance, State
from monitor.core.units import DAY, HOUR, MINUTE, iso
from monitor.core.verdict import Evidence, Unknown, Verdict
from monitor.core.vocabulary import SESSION_CLOSE_MS, Metric, find_metric

Result = TypeVar("Result")

FRESH_CADENCES = 3
COVERAGE = 0.9
INFERENCE_POINTS = 20
TWAP_MS = 30 * MINUTE
PRICES = ("price.usd", "perp.mark")
FUNDING = ("funding.rate", "funding.interval_hours")
SESSION_GRACE_MS = 2 * HOUR
LONGEST_REST_DAYS = 7


@dataclass(frozen=True, slots=True)
class Window:
    """Points of one series in a closed span of time: columns of equal length, ascending by `at` (epoch milliseconds)."""

    at: npt.NDArray[np.int64]
    known_at: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    cadence_ms: int
    source: str

    def __len__(self) -> int:
        return len(self.at)


class View:
    """The market and the state at `now`, for one judgement."""

    def __init__(self, market: Market, state: State, now: int, settings: Settings | None = None) -> None:
        self.now = now
        self.settings = settings or Settings()
        self._market = market
        self._state = state
        self._evidence: dict[tuple[str, str, str, int], Evidence] = {}
        self._computed: dict[tuple[str, ...], Any] = {}
        self.due: int | None = None

    @property
    def market(self) -> Market:
        """All that is known; to be read only, and by what keeps no evidence."""
        return self._market

    @property
    def ledger(self) -> Ledger:
        """The layers so far; to be read only."""
        return self._state.ledger

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        return tuple(self._evidence.values())

    def wake(self, at: int) -> None:
        """Ask to be judged again at `at`."""
        if at > self.now and (self.due is None or at < self.due):
            self.due = at

    def once(self, key: tuple[str, ...], compute: Callable[[], Result]) -> Result:
        """What `compute` gives, computed once in this judgement. A failure is not kept: it is raised anew."""
        if key not in self._computed:
            self._computed[key] = compute()
        found: Result = self._computed[key]
        return found

    def sources(self, metric: str, subject: str) -> tuple[str, ...]:
        return self._market.sources(metric, subject)

    def expects(self, metric: str, subject: str) -> bool:
        """Whether anybody gave this ever, or a source that is set up is to bring it: then what is missing is UNKNOWN, and no leg to leave out."""
        promised = any((metric, subject) in source.provides for source in self.settings.sources.values())
        return promised or bool(self.sources(metric, subject))

    def subjects(self, metric: str) -> tuple[str, ...]:
        return self._market.subjects(metric)

    def verdict(self, rule: str, subject: str) -> Verdict | None:
        """The verdict of a rule this one needs, judged in this same pass; what it was judged on is evidence here too."""
        verdict = self._state.verdicts.get(Instance(rule, subject))
        for point in verdict.evidence if verdict is not None else ():
            self._keep(point)
        return verdict

    def episode(self, rule: str, subject: str) -> Episode | None:
        return self._state.episodes.get(Instance(rule, subject))

    def last_fired(self, rule: str, subject: str) -> int | None:
        """When the rule was last FIRED (now, if it is), in epoch milliseconds."""
        verdict = self._state.verdicts.get(Instance(rule, subject))
        if verdict is not None and verdict.state == "FIRED":
            return self.now
        return self._state.last_fired.get(Instance(rule, subject))

    def cadence(self, metric: str, subject: str, source: str) -> int:
        """Expected spacing in milliseconds: the vocabulary's, else the median spacing of the last 20 values.

        Under 3 values a source of ours is expected at its polling cadence; a series fed by hand raises Unknown.
        """
        row = find_metric(metric)
        if row is not None and row.cadence_ms is not None:
            return row.cadence_ms
        inferred_ms = self._spacing(metric, subject, source)
        return max(inferred_ms, self._interval_ms(subject, source)) if metric in FUNDING else inferred_ms

    def _spacing(self, metric: str, subject: str, source: str) -> int:
        series = self._need(metric, subject, source)
        known = series.between(0, self.now)
        recent = series.at[max(known.start, known.stop - INFERENCE_POINTS) : known.stop]
        if len(recent) < 3:
            if (polled_ms := self._state.cadences.get(source)) is not None:
                return polled_ms
            raise Unknown("short", f"{source} has only {len(recent)} values of {metric} {subject}, 3 are needed to know how often it comes")
        return max(1, int(median(b - a for a, b in pairwise(recent))))

    def _interval_ms(self, subject: str, source: str) -> int:
        """Interval of the newest funding: after a change from 1 h to 8 h the last 20 values are still an hour apart.

        0 where it is not known.
        """
        series = self._market.series(FUNDING[1], subject, source)
        last = series.between(0, self.now).stop - 1 if series is not None else -1
        return round(float(series.value[last]) * HOUR) if series is not None and last >= 0 else 0

    def newest(self, metric: str, subject: str, source: str, *, fresh: bool = True) -> Evidence:
        """The newest value whose time has come. Raises Unknown when there is none or (if `fresh` is asked) it is stale."""
        series = self._need(metric, subject, source)
        position = self._stop(series, 0) - 1
        if position < 0:
            raise Unknown("missing", f"{source} has no {metric} of {subject} yet")
        point = self._point(series, metric, subject, source, position)
        if fresh:
            self._must_be_fresh(point, self.cadence(metric, subject, source))
        return self._keep(point)

    def window(self, metric: str, subject: str, source: str, span_ms: int, *, covered: bool = True) -> Window:
        """Points with now - span <= at <= now. Raises Unknown when stale, or (if `covered` is asked) when the coverage is too thin."""
        series = self._need(metric, subject, source)
        cadence_ms = self.cadence(metric, subject, source)
        inside = slice(series.between(self.now - span_ms, self.now).start, self._stop(series, 0))
        if inside.start == inside.stop:
            raise Unknown("missing", f"{source} has no {metric} of {subject} in the last {_span(span_ms)}")
        point = self._point(series, metric, subject, source, inside.stop - 1)
        self._must_be_fresh(point, cadence_ms)
        self._keep(point)
        self.wake(series.at[inside.start] + span_ms + 1)
        at = np.array(series.at[inside], dtype=np.int64)
        if covered:
            # A hole at the old end shrinks as the window moves on: time alone can mend it.
            self.wake(int(at[0]) - FRESH_CADENCES * cadence_ms + span_ms)
            self._must_be_covered(at, span_ms, cadence_ms, metric, subject, source)
        return Window(at, np.array(series.known_at[inside], dtype=np.int64), np.array(series.floats[inside], dtype=np.float64), cadence_ms, source)

    def history(self, metric: str, subject: str, source: str, since: int = 0) -> Window:
        """Every point up to now, fresh or not, from the one that still held at `since` (epoch milliseconds); 0 is from the first on.

        Raises Unknown where there is none. No evidence is kept: it is what a position has been through, and decides nothing.
        """
        series = self._need(metric, subject, source)
        stop = self._stop(series, 0)
        if stop == 0:
            raise Unknown("missing", f"{source} has no {metric} of {subject} yet")
        inside = slice(max(0, series.between(0, since).stop - 1), stop)
        at, known_at = np.array(series.at[inside], dtype=np.int64), np.array(series.known_at[inside], dtype=np.int64)
        return Window(at, known_at, np.array(series.floats[inside], dtype=np.float64), 0, source)

    def bars(self, metric: str, subject: str, source: str, count: int, minimum: int) -> Window:
        """The newest closed bars without a gap, at most `count`; of a daily value that has sessions, the newest sessions.

        Raises Unknown when stale, or when fewer than `minimum` stand in one row.
        """
        row = find_metric(metric)
        series = self._need(metric, subject, source)
        bar_ms = row.bar_ms if row is not None else 0
        in_sessions = row is not None and row.calendar != ""
        end = self._stop(series, bar_ms)
        if end == 0:
            raise Unknown("missing", f"{source} has no closed bar of {metric} {subject}")
        point = self._point(series, metric, subject, source, end - 1)
        self._must_be_fresh(point, DAY if in_sessions else bar_ms)
        self._keep(point)
        # Days of rest that have a value (the end of a month, an early hour of another continent) are no bars and must not use up the count.
        run = slice(max(0, end - (2 * count + LONGEST_REST_DAYS if in_sessions else count)), end)
        at, known_at = np.array(series.at[run], dtype=np.int64), np.array(series.known_at[run], dtype=np.int64)
        values = np.array(series.floats[run], dtype=np.float64)
        if in_sessions:
            kept = np.flatnonzero(are_sessions(calendar_of(row, subject), at))[-count:]
            at, known_at, values = at[kept], known_at[kept], values[kept]
        holes = np.flatnonzero(np.diff(ordinals(calendar_of(row, subject), at)) > 1 if in_sessions else np.diff(at) != bar_ms)
        start = int(holes[-1]) + 1 if len(holes) else 0
        if len(at) - start < minimum:
            gap = f", the last gap ends {iso(int(at[start]))}" if len(holes) else ""
            raise Unknown("gap" if len(holes) else "short", f"{len(at) - start} bars in a row of {metric} {subject}, {minimum} are needed{gap}")
        return Window(at[start:], known_at[start:], values[start:], DAY if in_sessions else bar_ms, source)

    def revisions(self, metric: str, subject: str, source: str) -> Mapping[int, tuple[float, int]]:
        """Every instant's newest known value and when it was known, oldest first: what a vintage looks like as of now. Never empty."""
        series = self._need(metric, subject, source)
        rows: dict[int, tuple[float, int]] = {}
        for at, value, known_at in zip(series.at, series.value, series.known_at, strict=True):
            if known_at <= self.now:
                rows[at] = float(value), known_at
            else:
                self.wake(known_at)
        if not rows:
            raise Unknown("missing", f"{source} has no {metric} of {subject} yet")
        return rows

    def note(self, metric: str, subject: str, source: str, at: int) -> None:
        """Keep the value of one instant as evidence."""
        series = self._need(metric, subject, source)
        inside = series.between(at, at)
        if inside.start < inside.stop:
            self._keep(self._point(series, metric, subject, source, inside.start))

    def values_at(self, metric: str, subject: str, source: str, at: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """The values held for exactly these instants (ascending, at least one), NaN where there is none."""
        values = np.full(len(at), np.nan)
        series = self._market.series(metric, subject, source)
        if series is not None:
            inside = series.between(int(at[0]), int(at[-1]))
            held = np.array(series.at[inside], dtype=np.int64)
            here = np.searchsorted(at, held)
            same = at[here] == held
            values[here[same]] = np.array(series.floats[inside], dtype=np.float64)[same]
        return values

    def prices_usd(self, asset: str) -> Mapping[tuple[str, str], float]:
        """Fresh prices by (metric, source). A source that gives both a price and a mark is one source: its price is taken."""
        prices: dict[tuple[str, str], float] = {}
        for metric in PRICES:
            for source in self.sources(metric, asset):
                if (PRICES[0], source) in prices:
                    continue
                try:
                    prices[metric, source] = float(self.newest(metric, asset, source).value)
                except Unknown:
                    continue
        return prices

    def price_usd(self, asset: str) -> float:
        """Price that may decide: the median of at least two sources, or one source's mean over 30 minutes or more.

        Raises Unknown otherwise.
        """
        prices = self.prices_usd(asset)
        if len(prices) >= 2:
            return float(median(prices.values()))
        if not prices:
            raise Unknown("price", f"no fresh price of {asset}")
        ((metric, source),) = prices
        cadence_ms = self.cadence(metric, asset, source)
        window = self.window(metric, asset, source, max(TWAP_MS, 2 * cadence_ms), covered=False)
        if len(window) < 2 or int(window.at[-1] - window.at[0]) + cadence_ms < TWAP_MS:
            raise Unknown("price", f"one source of the price of {asset} and less than 30 minutes of it: an average or a second source is needed")
        return float(window.value.mean())

    def _stop(self, series: Series, bar_ms: int) -> int:
        """Position after the newest point that is over by now; the next one, if clocks let it in early, is waited for."""
        stop = int(series.between(0, self.now - bar_ms).stop)
        if stop < len(series):
            self.wake(series.at[stop] + bar_ms)
        return stop

    def _need(self, metric: str, subject: str, source: str) -> Series:
        series = self._market.series(metric, subject, source)
        if series is None:
            raise Unknown("missing", f"no {metric} of {subject} from {source}")
        return series

    def _point(self, series: Series, metric: str, subject: str, source: str, position: int) -> Evidence:
        newest = position == len(series) - 1
        value = series.value[position]
        block_hash = series.block_hash if newest else ""
        return Evidence(metric, subject, source, series.at[position], series.known_at[position], value, block_hash)

    def _keep(self, point: Evidence) -> Evidence:
        self._evidence[(point.metric, point.subject, point.source, point.at)] = point
        return point

    def _must_be_covered(self, at: npt.NDArray[np.int64], span_ms: int, cadence_ms: int, metric: str, subject: str, source: str) -> None:
        what, start = f"{metric} {subject} from {source}", self.now - span_ms
        if calendar := calendar_of(find_metric(metric), subject):
            # In numbers of sessions, weekends and holidays are no holes. The newest one need not be published yet.
            first, newest = (int(number) for number in ordinals(calendar, np.array([start, at[-1]])))
            must_be_covered(ordinals(calendar, at), first - 1, newest - first + 1, 1, what)
        else:
            must_be_covered(at, start, span_ms, cadence_ms, what)

    def _must_be_fresh(self, point: Evidence, cadence_ms: int) -> None:
        row = find_metric(point.metric)
        ends = point.at + (row.bar_ms if row is not None else 0)
        limit = ends + FRESH_CADENCES * cadence_ms
        if row is not None and (calendar := calendar_of(row, point.subject)):
            limit = session_after(calendar, point.at, row.fresh_sessions) + SESSION_CLOSE_MS + SESSION_GRACE_MS
        if self.now > limit:
            raise Unknown("stale", f"{point.metric} {point.subject} from {point.source} is {_span(self.now - ends)} old")
        self.wake(limit + 1)


def calendar_of(row: Metric | None, subject: str) -> str:
    """The sessions in which a metric's values are counted: crypto has no day of rest."""
    return row.calendar if row is not None and subject != "crypto" else ""


def must_be_covered(at: npt.NDArray[np.int64], start: int, span_ms: int, cadence_ms: int, what: str) -> None:
    """ALVH: 90% of the expected samples, all of the last 3, no hole over 3 cadences. Raises Unknown with what is missing of `what`."""
    expected = span_ms // cadence_ms
    if len(at) < COVERAGE * expected:
        raise Unknown("coverage", f"{what}: {len(at)} of {expected} expected samples")
    gaps = np.diff(at, prepend=start)
    if len(gaps) and int(gaps.max()) > FRESH_CADENCES * cadence_ms:
        hole = f"{int(gaps.max())} sessions" if cadence_ms == 1 else _span(int(gaps.max()))
        raise Unknown("coverage", f"{what}: a hole of {hole}")
    if np.any(np.diff(at)[-2:] > 1.5 * cadence_ms):
        raise Unknown("coverage", f"{what}: one of the last 3 samples is missing")


def _span(span_ms: int) -> str:
    hours = span_ms / HOUR
    if hours >= 48:
        return f"{hours / 24:.1f} days"
    return f"{hours:.1f} h" if hours >= 1 else f"{span_ms / MINUTE:.0f} min"
