"""The one door: live polls, imports, pushes and backfills all pass here, and nothing else gets in.

A reading is admitted as an observation or refused with a reason; nothing is repaired, scaled or guessed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache

from monitor.core.candles import Candles, bar_of
from monitor.core.observation import Observation, Reading
from monitor.core.units import MINUTE, iso
from monitor.core.vocabulary import METRICS, Metric, default_known_at, find_metric, subject_fits

SKEW_MS = 2 * MINUTE
HUGE = 2**1000
SECONDS_BELOW_MS, MICROSECONDS_ABOVE_MS = 10**11, 10**13  # 1973 and 2286: whoever means a date outside is more likely to have slipped


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


class Refused(Exception):
    """Why a reading is refused."""


def admit(readings: Sequence[Reading], *, source: str, received_at: int) -> Admission:
    """Check readings against the vocabulary.

    `received_at` is the wall clock in epoch milliseconds: nothing may be true or known more than two minutes after it (scheduled events
    excepted). `source` names readings that name none themselves. Candles whose parts contradict each other are refused whole.
    """
    admitted: list[tuple[int, Observation]] = []
    rejections: list[Rejection] = []
    candles = Candles()
    for index, reading in enumerate(readings):
        try:
            observation = check(reading, source=source, received_at=received_at)
        except Refused as refusal:
            rejections.append(Rejection(index, reading.metric, reading.subject, str(refusal)))
        else:
            admitted.append((index, observation))
            candles.add(observation)
    if broken := candles.broken():
        for index, observation in admitted:
            if (bar := bar_of(observation)) in broken:
                rejections.append(Rejection(index, observation.metric, observation.subject, broken[bar]))
        admitted = [(index, observation) for index, observation in admitted if bar_of(observation) not in broken]
    return Admission(tuple(observation for _, observation in admitted), tuple(sorted(rejections, key=lambda rejection: rejection.index)))


def check(reading: Reading, *, source: str, received_at: int) -> Observation:
    """The observation that one reading is, for who has too many of them to hold at once; parameters as of `admit`.

    Raises Refused. Whether a candle's parts agree is for the caller to see, when it has them all.
    """
    name = reading.source or source
    metric = _row_of(reading.metric, reading.subject, name)
    at = _checked_at(metric, reading.at, received_at)
    known_at = _checked_known_at(metric, reading.known_at, at, received_at)
    return Observation(reading.metric, reading.subject, name, at, known_at, _checked_value(metric, reading.value), reading.block_hash)


@lru_cache(maxsize=65536)
def _row_of(metric_name: str, subject: str, source: str) -> Metric:
    """The vocabulary's row for a series that fits it."""
    metric = find_metric(metric_name)
    if metric is None:
        meant = _nearest_metric(metric_name)
        raise Refused(f"unknown metric {metric_name!r}" + (f": did you mean {meant}?" if meant else ""))
    if not subject_fits(metric, subject):
        raise Refused(f"subject {subject!r} does not fit {metric.name} (expected {metric.subject})")
    if not source or len(source) > 64 or not source.isascii() or not source.isprintable():
        raise Refused("source must be 1 to 64 printable ASCII characters")
    return metric


@lru_cache(maxsize=4096)
def _nearest_metric(name: str) -> str:
    """The metric that an unknown name was probably meant to be, empty where none is near. A file can hold a million rows of one slip."""
    families = {metric.partition(".<")[0]: metric for metric in METRICS if "<" in metric}
    stem = get_close_matches(name.rpartition(".")[0], families, 1, 0.85)
    return families[stem[0]] if stem else next(iter(get_close_matches(name, METRICS, 1, 0.75)), "")


def _told(instant_ms: int) -> str:
    """An instant as its date; as it stands where it is more likely a number of seconds or microseconds."""
    return iso(instant_ms) if SECONDS_BELOW_MS < instant_ms < MICROSECONDS_ABOVE_MS else str(instant_ms)


def _checked_at(metric: Metric, at: int | None, received_at: int) -> int:
    if at is None:
        if not metric.undated:
            raise Refused("it has no time of its own, and this metric needs one")
        return received_at
    if metric.slot_ms:
        at = (at + metric.slot_ms // 2) // metric.slot_ms * metric.slot_ms
    if at < metric.earliest:
        seconds = ": seconds instead of milliseconds?" if at <= SECONDS_BELOW_MS else ""
        raise Refused(f"at {_told(at)} is before {iso(metric.earliest)}{seconds}")
    if at > received_at + SKEW_MS and metric.name != "macro.event":
        cause = "microseconds?" if at >= MICROSECONDS_ABOVE_MS else "a slip, or a clock that is ahead?"
        raise Refused(f"at {_told(at)} lies in the future (received {iso(received_at)}): {cause}")
    if metric.bar_ms and metric.bar_ms < 7 * 86_400_000 and at % metric.bar_ms:
        raise Refused(f"at {iso(at)} is not the open of a bar")
    if metric.monthly and iso(at)[8:] != "01T00:00:00Z":
        raise Refused(f"at {iso(at)} is not the first day of the month that it is about")
    return at


def _checked_known_at(metric: Metric, known_at: int | None, at: int, received_at: int) -> int:
    if known_at is None:
        known_at = default_known_at(metric, at)
    if known_at is None:
        raise Refused(f"known_at is missing, and {metric.name} has no rule that gives it: write the instant of its release")
    if 0 < at - known_at <= metric.slot_ms // 2:
        known_at = at  # the slot was rounded up past it
    if known_at < at and metric.name != "macro.event":
        raise Refused("known_at is before at: nobody knows a value before it is true")
    if metric.bar_ms and known_at < at + metric.bar_ms:
        raise Refused("known_at is before the close of the bar")
    if known_at > received_at + SKEW_MS:
        what = "the bar is not closed yet" if metric.bar_ms else f"known_at {_told(known_at)} lies in the future"
        raise Refused(f"{what} (received {iso(received_at)})")
    return known_at


def _checked_value(metric: Metric, value: object) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(f"value {value!r} is not a number")
    if metric.exact and not isinstance(value, int):
        raise Refused("a chain integer must stay an integer")
    if isinstance(value, float) and not math.isfinite(value):
        raise Refused(f"value {value} is not finite")
    if not metric.low <= value <= metric.high:
        shown = f"{value:g}" if abs(value) < HUGE else "with more digits than a float has"
        raise Refused(f"value {shown} is outside the plausible range {metric.low:g} to {metric.high:g} {metric.unit}")
    return value if metric.exact else float(value)
