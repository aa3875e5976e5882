"""What the shell knows and the engine does not: clocks, the outbox, timings. The view model is made of this and of the engine."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

COMMAND = "hedge-monitor"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Timings:
    """A histogram of durations in seconds, cheap enough for every decision."""

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum_seconds = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration; a bound includes its own value."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum_seconds += seconds

    @property
    def buckets(self) -> tuple[tuple[str, int], ...]:
        """Upper bounds as Prometheus spells them, each with the number of durations up to it."""
        running, rows = 0, []
        for bound, count in zip((*self.bounds, float("inf")), self.counts, strict=True):
            running += count
            rows.append(("+Inf" if bound == float("inf") else repr(float(bound)), running))
        return tuple(rows)


@dataclass(frozen=True, slots=True)
class AlertFact:
    """An alert and what became of it: `delivery` is `pending`, `delivered`, `failing`, `silenced` or `none` (no channel); `at` in ms."""

    id: str
    at: int
    type: str
    severity: str
    summary: str
    delivery: str
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """Where a played history stands: its first and last instant (epoch ms), and how many of its seconds pass in one of ours."""

    from_ms: int
    to_ms: int
    speed: float
    title: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShellFacts:
    """One moment of the shell. What is None or empty was not measured, and does not appear.

    `clock_ms` is the engine's clock at this instant (the wall's when live, the story's in a demo): by it ages grow when no event comes.
    `deliveries` counts by (channel, outcome), `alerts_by_type` since the start; `collect_seconds` is the last pass of each source.
    `clock_skew_seconds` is our clock less what three hosts or more say, `clock_trouble` what is wrong with it.
    `command` is what to type for this store before a command's name. `decisions` and `chart` come from `Decisions.recent` and `Chart.draw`.
    """

    wall_now_ms: int
    started_at: int
    version: str
    clock_ms: int | None = None
    command: str = COMMAND
    notice: str = ""
    story: Story | None = None
    outbox_pending: int | None = None
    outbox_oldest_seconds: float | None = None
    deliveries: Mapping[tuple[str, str], int] = field(default_factory=dict)
    alerts: Sequence[AlertFact] = ()
    alerts_by_type: Mapping[str, int] = field(default_factory=dict)
    decisions: Sequence[Mapping[str, Any]] = ()
    decision_seconds: Timings | None = None
    loop_lag_seconds: float | None = None
    clock_skew_seconds: float | None = None
    clock_trouble: str = ""
    collect_seconds: Mapping[str, float] = field(default_factory=dict)
    chart: Mapping[str, Any] | None = None
