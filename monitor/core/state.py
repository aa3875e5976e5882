"""The state of the brain: a fold of the effects it has recorded, and of which sources were heard when.

Nothing else is remembered from one event to the next, so a restart that folds the same records is the same brain.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from monitor.core.effects import Alerted, Effect, EpisodeClosed, EpisodeOpened, Held, Judged, LayerMoved, Silenced, SourceMoved
from monitor.core.events import Batch, Configured, Event, Failed
from monitor.core.ledger import Ledger
from monitor.core.units import parse_time
from monitor.core.verdict import State as Truth
from monitor.core.verdict import Verdict

Told = TypeVar("Told")


class Instance(NamedTuple):
    """One rule about one subject."""

    rule: str
    subject: str


@dataclass(frozen=True, slots=True)
class Episode:
    """From the first FIRED to the rule's exit. Times are epoch milliseconds."""

    since: int


@dataclass(slots=True)
class SourceState:
    """What is known of one source's health. `asked_at` is when its last pass ended, whatever it brought."""

    heard_at: int
    asked_at: int = 0
    rejected: int = 0
    failing_since: int | None = None
    reason: str = ""
    down: bool = False


@dataclass(slots=True)
class State:
    """Verdicts as last judged, verdicts as last recorded, episodes, layers, refusals, sources, silences."""

    verdicts: dict[Instance, Verdict] = field(default_factory=dict)
    recorded: dict[Instance, tuple[str, str]] = field(default_factory=dict)
    judged_at: dict[Instance, int] = field(default_factory=dict)
    last_fired: dict[Instance, int] = field(default_factory=dict)
    unknown_since: dict[Instance, int] = field(default_factory=dict)
    stale_alerted: set[Instance] = field(default_factory=set)
    late_prints: set[tuple[str, int]] = field(default_factory=set)
    episodes: dict[Instance, Episode] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    held: dict[str, Held] = field(default_factory=dict)
    sources: dict[str, SourceState] = field(default_factory=dict)
    cadences: dict[str, int] = field(default_factory=dict)
    silences: dict[str, Silenced] = field(default_factory=dict)
    signals: set[str] = field(default_factory=set)
    alerts: int = 0
    heartbeat_at: int | None = None
    configured_at: int = 0

    def blind_since(self, instance: Instance) -> int | None:
        """Since when a rule has been blind while there was a daemon to see: what was blind before a stop gets its time anew after the start."""
        since = self.unknown_since.get(instance)
        return None if since is None else max(since, self.configured_at)

    def rewind(self, now: int) -> None:
        """The clock was ahead and has been set back: nothing that is remembered happened later than now."""
        for known in self.sources.values():
            known.heard_at = min(known.heard_at, now)
            known.failing_since = None if known.failing_since is None else min(known.failing_since, now)
        for times in (self.judged_at, self.last_fired, self.unknown_since):
            times.update({instance: min(at, now) for instance, at in times.items()})
        self.heartbeat_at = None if self.heartbeat_at is None else min(self.heartbeat_at, now)
        self.configured_at = min(self.configured_at, now)

    def hear(self, event: Event) -> None:
        """Take the health of a source, or a new beginning, from an event."""
        if isinstance(event, Configured):
            self.configured_at = event.now
        elif isinstance(event, Batch):
            known = self.sources.setdefault(event.source, SourceState(event.now))
            known.heard_at, known.asked_at, known.failing_since, known.reason = event.now, event.now, None, ""
            known.rejected += event.rejected
        elif isinstance(event, Failed):
            known = self.sources.setdefault(event.source, SourceState(event.now))
            known.asked_at = event.now
            known.failing_since = known.failing_since if known.failing_since is not None else event.now
            known.reason = event.reason

    def fold(self, effect: Effect) -> None:
        """Apply one recorded effect."""
        match effect:
            case Judged():
                self._fold_verdict(effect)
            case EpisodeOpened():
                self.episodes[Instance(effect.rule, effect.subject)] = Episode(effect.at)
            case EpisodeClosed():
                self.episodes.pop(Instance(effect.rule, effect.subject), None)
            case Held():
                self.held[effect.proposal.id] = effect
            case LayerMoved():
                self.ledger.fold(effect)
                self.held.pop(effect.id, None)
            case SourceMoved():
                self.sources.setdefault(effect.source, SourceState(effect.since)).down = not effect.up
            case Silenced():
                self.silences[effect.id] = effect
            case _:
                self._fold_alert(effect)

    def _fold_verdict(self, judged: Judged) -> None:
        instance = Instance(judged.rule, judged.subject)
        before = self.recorded.get(instance)
        if before is not None and before[0] == Truth.FIRED and judged.verdict.state != Truth.FIRED:
            self.last_fired[instance] = judged.at
        if judged.verdict.state != Truth.UNKNOWN:
            self.unknown_since.pop(instance, None)
        elif before is None or before[0] != Truth.UNKNOWN:
            self.unknown_since[instance] = judged.at
        self.verdicts[instance] = judged.verdict
        self.recorded[instance] = (judged.verdict.state, judged.verdict.code)
        self.judged_at[instance] = judged.at

    def _fold_alert(self, alert: Alerted) -> None:
        self.alerts += 1
        if alert.type == "heartbeat" and not alert.data.get("test"):
            self.heartbeat_at = alert.at
        if alert.type == "data.stale":
            self._fold_stale(alert.data)

    def _fold_stale(self, data: Mapping[str, Any]) -> None:
        """What is told to be stale is a print, or a rule instance."""
        if "event" in data:
            self._mark(self.late_prints, (str(data["event"]), parse_time(f"{data['month']}-01")), data)
        else:
            self._mark(self.stale_alerted, Instance(str(data["rule"]), str(data["subject"])), data)

    def _mark(self, told: set[Told], about: Told, data: Mapping[str, Any]) -> None:
        if data.get("resolved"):
            told.discard(about)
        else:
            told.add(about)
