"""What rules did over a history: their episodes, how often they are true, and how far ahead of the next low they were. A fold of replay's effects."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from monitor.core.effects import EpisodeClosed, EpisodeOpened, Judged
from monitor.core.observation import Observation
from monitor.core.state import Instance
from monitor.core.units import DAY, HOUR
from monitor.core.verdict import State
from monitor.replay.runner import Step

LOOK_MS = 7 * DAY
YEAR_MS = 365.25 * DAY
BAR_MS = 4 * HOUR
CLOSE = "candle.4h.close"
JUDGED = (State.FIRED, State.QUIET)


@dataclass(frozen=True)
class Prices:
    """Closes in the order of time: when each was known (epoch milliseconds), and the price in USD."""

    at: Sequence[int] = ()
    value: Sequence[float] = ()

    def around(self, instant: int) -> "Low | None":
        """The low of the next seven days, the close in force included; None unless closes cover these and the seven days before."""
        here = bisect_right(self.at, instant) - 1
        first, last = bisect_right(self.at, instant - LOOK_MS), bisect_right(self.at, instant + LOOK_MS)
        if here < 0 or self.at[0] > instant - LOOK_MS or self.at[-1] < instant + LOOK_MS - BAR_MS:
            return None
        low = min(range(here, last), key=lambda n: self.value[n])
        now = self.value[here]
        return Low(max(0, self.at[low] - instant), self.value[low] / now - 1, now / max(self.value[first : here + 1]) - 1)


def closes_of(observations: Iterable[Observation], asset: str) -> Prices:
    """The 4 h closes of an asset, of the perp where there is one, else of the spot, and of one source."""
    charts: dict[tuple[bool, str], dict[int, float]] = {}
    for o in observations:
        if o.metric == CLOSE and o.subject in (asset, f"spot:{asset}"):
            charts.setdefault((o.subject != asset, o.source), {})[o.at + BAR_MS] = float(o.value)
    if not charts:
        return Prices()
    chart = charts[min(charts)]
    return Prices(sorted(chart), [chart[at] for at in sorted(chart)])


@dataclass(frozen=True)
class Low:
    """`lead_ms` from an episode's beginning to the low; how far (fractions, 0 or below) the price fell to it, and had fallen from its high before."""

    lead_ms: int
    fell: float
    had_fallen: float


def median_of(lows: Sequence[Low]) -> Low | None:
    """Each number's own median; None of none."""
    if not lows:
        return None
    lead, fell, had_fallen = (median(numbers) for numbers in zip(*((low.lead_ms, low.fell, low.had_fallen) for low in lows), strict=True))
    return Low(round(lead), fell, had_fallen)


def of_any_time(prices: Prices, start: int, end: int) -> list[Low]:
    """The lows as seen from every close from `start` to `end`: what a rule that knows nothing would have."""
    found = (prices.around(at) for at in prices.at if start <= at <= end)
    return [low for low in found if low is not None]


@dataclass(frozen=True)
class Span:
    """One episode; `closed` is None where it was still open in the end."""

    opened: int
    closed: int | None = None
    low: Low | None = None


@dataclass(frozen=True)
class Measured:
    """What one rule said of one subject. `state` is its last; `judged_ms` counts the time in which it was FIRED or QUIET."""

    rule: str
    subject: str
    state: State
    reason: str
    judged_ms: int = 0
    fired_ms: int = 0
    episodes: tuple[Span, ...] = ()

    @property
    def share_fired(self) -> float | None:
        return self.fired_ms / self.judged_ms if self.judged_ms else None

    @property
    def episodes_a_year(self) -> float | None:
        """Of judged time: a year in which it was blind is none."""
        return len(self.episodes) * YEAR_MS / self.judged_ms if self.judged_ms else None

    @property
    def lows(self) -> tuple[Low, ...]:
        return tuple(episode.low for episode in self.episodes if episode.low is not None)

    @property
    def median_low(self) -> Low | None:
        """Over the episodes that have one."""
        return median_of(self.lows)


@dataclass
class _Clock:
    """Of one instance: the state it is in, since when, and how long it was in each."""

    state: State = State.UNKNOWN
    reason: str = ""
    since: int = 0
    spent_ms: dict[State, int] = field(default_factory=dict)

    def move(self, at: int, start: int) -> None:
        """Count the time up to `at`, as far as it lies after `start`."""
        passed = at - max(self.since, start)
        if passed > 0:
            self.spent_ms[self.state] = self.spent_ms.get(self.state, 0) + passed
        self.since = at


def measure(steps: Iterable[Step], prices: Prices, start: int, end: int) -> list[Measured]:
    """Fold a replay. Counted are time and episodes' beginnings from `start` to `end` (epoch milliseconds); by rule and subject."""
    clocks: dict[Instance, _Clock] = {}
    spans: dict[Instance, list[Span]] = {}
    for _, effects in steps:
        for effect in effects:
            if isinstance(effect, Judged):
                clock = clocks.setdefault(Instance(effect.rule, effect.subject), _Clock(since=effect.at))
                clock.move(effect.at, start)
                clock.state, clock.reason = effect.verdict.state, effect.verdict.reason
            elif isinstance(effect, EpisodeOpened) and effect.at >= start:
                spans.setdefault(Instance(effect.rule, effect.subject), []).append(Span(effect.at, low=prices.around(effect.at)))
            elif isinstance(effect, EpisodeClosed) and (own := spans.get(Instance(effect.rule, effect.subject))):
                own[-1] = replace(own[-1], closed=effect.at)
    for clock in clocks.values():
        clock.move(end, start)
    return [_measured(instance, clocks[instance], spans.get(instance, ())) for instance in sorted(clocks)]


def _measured(instance: Instance, clock: _Clock, episodes: Iterable[Span]) -> Measured:
    judged_ms = sum(clock.spent_ms.get(state, 0) for state in JUDGED)
    return Measured(*instance, clock.state, clock.reason, judged_ms, clock.spent_ms.get(State.FIRED, 0), tuple(episodes))


def together(parts: Sequence[Measured]) -> Measured:
    """One rule over its subjects: their time and episodes added up. `parts` are of one rule, at least one."""
    judged = [part for part in parts if part.judged_ms] or parts
    return replace(
        judged[0],
        subject=", ".join(part.subject for part in judged),
        judged_ms=sum(part.judged_ms for part in judged),
        fired_ms=sum(part.fired_ms for part in judged),
        episodes=tuple(sorted((episode for part in judged for episode in part.episodes), key=lambda episode: episode.opened)),
    )
