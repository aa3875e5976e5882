"""Which points of TVL may be believed: several sources made one series, a value that is stuck left out, a spike of one poll no high."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from monitor.core.units import HOUR, iso
from monitor.core.verdict import Unknown
from monitor.core.view import INFERENCE_POINTS, View, Window, must_be_covered

TVL = "tvl.usd"
OWN = "onchain-tvl"
STEP = 0.50
CONFIRMATIONS = 2
STUCK_MS = 24 * HOUR
STUCK_RUNS = 3
STANDS_WITHIN = 1.02
REMEMBERED_POINTS = 2000


def believable(view: View, subject: str, span_ms: int) -> Window:
    """The points of the last `span_ms`: of the first source that covers it, with newer points of the others; else of all together.

    A provider's newest value comes apart from its days: one is slow and whole, the other fast and young. Our own sum of some contracts has
    another level than what a provider counts, so it stands in only where nobody else speaks. Raises Unknown when no one covers the span.
    """
    sources = view.sources(TVL, subject)
    sources = tuple(source for source in sources if source != OWN) or sources
    reasons: list[Unknown] = []
    for source in sources:
        try:
            covered = _moving(view, subject, source, span_ms, covered=True)
        except Unknown as why:
            reasons.append(why)
            continue
        whole = joined([covered, *_fresh(view, subject, [s for s in sources if s != source], span_ms)])
        return without_spikes(whole, _value_before(view, subject, whole))
    parts = sorted(_fresh(view, subject, sources, span_ms), key=lambda part: -part.cadence_ms)
    if len(parts) < 2:
        raise reasons[0] if reasons else Unknown("missing", f"nobody has given the TVL of {subject} yet")
    whole = joined(parts)
    must_be_covered(whole.at, view.now - span_ms, span_ms, parts[0].cadence_ms, f"{TVL} {subject}")
    return without_spikes(whole, _value_before(view, subject, whole))


def _fresh(view: View, subject: str, sources: Sequence[str], span_ms: int) -> list[Window]:
    """What the sources have, those left out that are stale, stuck or have nothing."""
    windows = []
    for source in sources:
        try:
            windows.append(_moving(view, subject, source, span_ms, covered=False))
        except Unknown:
            continue
    return windows


def _moving(view: View, subject: str, source: str, span_ms: int, *, covered: bool) -> Window:
    """One source's window. Raises Unknown (stale) where it has repeated one value for a day, as it never did before."""
    window = view.window(TVL, subject, source, span_ms, covered=covered)
    if (since := stuck_since(*_history(view, subject, source))) is not None:
        raise Unknown("stale", f"{TVL} {subject} from {source} has not moved since {iso(since)}: a value that is stuck, not news")
    return window


def _history(view: View, subject: str, source: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """What one source has said so far, times and values of its newest 2000 points."""
    series = view.market.series(TVL, subject, source)
    stop = series.between(0, view.now).stop if series is not None else 0
    known = slice(max(0, stop - REMEMBERED_POINTS), stop)
    at, value = (series.at[known], series.value[known]) if series is not None else ((), ())
    return np.array(at, dtype=np.int64), np.array(value, dtype=np.float64)


def stuck_since(at: npt.NDArray[np.int64], value: npt.NDArray[np.float64]) -> int | None:
    """Since when (epoch milliseconds) a series has repeated itself unlike ever before; None where it moves, or where nobody can tell.

    Stuck is a newest value that has come unchanged for 24 h or more and over three times as often in a row as any value before it. That asks for
    twenty steps of history, and a daily series that is equal for two or three days is not stuck. A zero is not either: what is drained stays so.
    """
    same = np.append(np.diff(value) == 0, False)
    moved = np.flatnonzero(~same[:-1])
    if not len(value) or value[-1] == 0 or not len(moved):
        return None
    start = int(moved[-1]) + 1
    steps = len(value) - 1 - start
    if start < INFERENCE_POINTS or at[-1] - at[start] < STUCK_MS:
        return None
    longest = int(np.max(np.diff(np.append(-1, moved)))) - 1
    return int(at[start]) if steps > STUCK_RUNS * max(1, longest) else None


def joined(parts: Sequence[Window]) -> Window:
    """The first window, and of each other one the points after those so far. The cadence is that of the part which the newest point is from."""
    first = parts[0]
    at, known_at, value, cadence_ms = first.at, first.known_at, first.value, first.cadence_ms
    for part in parts[1:]:
        newer = part.at > at[-1]
        cadence_ms = part.cadence_ms if newer.any() else cadence_ms
        at, known_at = np.append(at, part.at[newer]), np.append(known_at, part.known_at[newer])
        value = np.append(value, part.value[newer])
    return Window(at, known_at, value, cadence_ms, first.source)


def _value_before(view: View, subject: str, points: Window) -> float | None:
    """The last value before the window: it tells whether the window's first one is a spike."""
    series = view.market.series(TVL, subject, points.source)
    place = series.between(0, int(points.at[0]) - 1).stop if series is not None else 0
    return float(series.value[place - 1]) if series is not None and place else None


def without_spikes(points: Window, before: float | None) -> Window:
    """Without values that more than doubled in one step and came back before they had stood: what is no fall on the way down is no high either.

    `before` is the value ahead of the first one, if there is any.
    """
    earlier = np.append(np.nan if before is None else before, points.value[:-1])
    kept = np.ones(len(points), dtype=bool)
    for place in np.flatnonzero(earlier < (1 - STEP) * points.value):
        back = np.flatnonzero(points.value[place:] < (1 - STEP) * points.value[place])
        end = place + int(back[0]) if len(back) else len(points)
        if end < len(points) and not has_stood(points.at[place:end]):
            kept[place:end] = False
    return Window(points.at[kept], points.known_at[kept], points.value[kept], points.cadence_ms, points.source)


def has_stood(at: npt.NDArray[np.int64]) -> bool:
    """ALVH: for 2 further observations, or for one hour."""
    return len(at) > CONFIRMATIONS or int(at[-1] - at[0]) >= HOUR


def standing(points: Window, ceiling_usd: float) -> int:
    """At how many of the newest points the value has stood at or below a ceiling, or within 2% of the newest."""
    above = np.flatnonzero(points.value > max(ceiling_usd, float(points.value[-1]) * STANDS_WITHIN))
    return len(points) - (int(above[-1]) + 1 if len(above) else 0)
