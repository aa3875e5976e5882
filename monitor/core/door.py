"""The one door: live polls, imports, pushes and backfills all pass here, and nothing else gets in.

A reading is admitted as an observation or refused with a reason; nothing is repaired, scaled or guessed.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from monitor.core.observation import Observation, Reading
from monitor.core.units import MINUTE, iso
from monitor.core.vocabulary import Metric, default_known_at, find_metric, subject_fits

SKEW_MS = 2 * MINUTE
HUGE = 2**1000


@dataclass(frozen=True, slots=True)
class Rejection:
    """One refused reading: its place in the input and why."""

    index: int
    metric: str
    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class Admission:
    """What came through the door, in input order, and what did not."""

    observations: tuple[Observation, ...]
    rejections: tuple[Rejection, ...] = field(default=())


class _Refused(Exception):
    """Why a reading is refused; never leaves this module."""


def admit(readings: Sequence[Reading], *, source: str, received_at: int) -> Admission:
    """Check readings against the vocabulary.

    `received_at` is the wall clock in epoch milliseconds: nothing may be true or known more than two minutes after it (scheduled events
    excepted). `source` names readings that name none themselves. Candles whose parts contradict each other are refused whole.
    """
    admitted: list[tuple[int, Observation]] = []
    rejections: list[Rejection] = []
    for index, reading in enumerate(readings):
        try:
            admitted.append((index, _check(reading, source, received_at)))
        except _Refused as refusal:
            rejections.append(Rejection(index, reading.metric, reading.subject, str(refusal)))
    broken = _broken_candles(observation for _, observation in admitted)
    for index, observation in admitted:
        if (reason := broken.get(_bar(observation))) is not None:
            rejections.append(Rejection(index, observation.metric, observation.subject, reason))
    kept = tuple(observation for _, observation in admitted if _bar(observation) not in broken)
    return Admission(kept, tuple(sorted(rejections, key=lambda rejection: rejection.index)))


def _check(reading: Reading, source: str, received_at: int) -> Observation:
    metric = find_metric(reading.metric)
    if metric is None:
        raise _Refused(f"unknown metric {reading.metric!r}")
    if not subject_fits(metric, reading.subject):
        raise _Refused(f"subject {reading.subject!r} does not fit {metric.name} (expected {metric.subject})")
    name = reading.source or source
    if not name or len(name) > 64 or not name.isascii() or not name.isprintable():
        raise _Refused("source must be 1 to 64 printable ASCII characters")
    at = _checked_at(metric, reading.at, received_at)
    known_at = _checked_known_at(metric, reading.known_at, at, received_at)
    return Observation(reading.metric, reading.subject, name, at, known_at, _checked_value(metric, reading.value), reading.block_hash)


def _checked_at(metric: Metric, at: int | None, received_at: int) -> int:
    if at is None:
        if not metric.undated:
            raise _Refused("it has no time of its own, and this metric needs one")
        return received_at
    if metric.slot_ms:
        at = (at + metric.slot_ms // 2) // metric.slot_ms * metric.slot_ms
    if at < metric.earliest:
        raise _Refused(f"at {at} is before {iso(metric.earliest)}: seconds instead of milliseconds?")
    if at > received_at + SKEW_MS and metric.name != "macro.event":
        raise _Refused(f"at {at} lies in the future (received {iso(received_at)}): microseconds, or a clock that is ahead?")
    if metric.bar_ms and metric.bar_ms < 7 * 86_400_000 and at % metric.bar_ms:
        raise _Refused(f"at {iso(at)} is not the open of a bar")
    return at


def _checked_known_at(metric: Metric, known_at: int | None, at: int, received_at: int) -> int:
    if known_at is None:
        known_at = default_known_at(metric, at)
    if known_at is None:
        raise _Refused(f"known_at is missing, and {metric.name} has no rule that gives it")
    if 0 < at - known_at <= metric.slot_ms // 2:
        known_at = at  # the slot was rounded up past it
    if known_at < at and metric.name != "macro.event":
        raise _Refused("known_at is before at: nobody knows a value before it is true")
    if metric.bar_ms and known_at < at + metric.bar_ms:
        raise _Refused("known_at is before the close of the bar")
    if known_at > received_at + SKEW_MS:
        what = "the bar is not closed yet" if metric.bar_ms else f"known_at {known_at} lies in the future"
        raise _Refused(f"{what} (received {iso(received_at)})")
    return known_at


def _checked_value(metric: Metric, value: object) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Refused(f"value {value!r} is not a number")
    if metric.exact and not isinstance(value, int):
        raise _Refused("a chain integer must stay an integer")
    if isinstance(value, float) and not math.isfinite(value):
        raise _Refused(f"value {value} is not finite")
    if not metric.low <= value <= metric.high:
        shown = f"{value:g}" if abs(value) < HUGE else "with more digits than a float has"
        raise _Refused(f"value {shown} is outside the plausible range {metric.low:g} to {metric.high:g} {metric.unit}")
    return value if metric.exact else float(value)


Bar = tuple[str, str, str, int]


def _bar(observation: Observation) -> Bar | None:
    head, _, part = observation.metric.rpartition(".")
    if not head.startswith("candle.") or not part:
        return None
    return head, observation.subject, observation.source, observation.at


def _broken_candles(observations: Iterable[Observation]) -> dict[Bar | None, str]:
    bars: dict[Bar, dict[str, float]] = defaultdict(dict)
    for observation in observations:
        if (bar := _bar(observation)) is not None:
            bars[bar][observation.metric.rpartition(".")[2]] = observation.value
    return {bar: reason for bar, parts in bars.items() if (reason := _contradiction(parts)) is not None}


def _contradiction(parts: dict[str, float]) -> str | None:
    high, low = parts.get("high", math.inf), parts.get("low", -math.inf)
    if high < low:
        return f"high {high:g} is below low {low:g}"
    for name in ("open", "close"):
        if name in parts and not low <= parts[name] <= high:
            return f"{name} {parts[name]:g} is outside low {low:g} to high {high:g}"
    return None
