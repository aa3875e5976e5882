"""What is told beyond rules and layers: sources that went silent, rules that stay blind, and the heartbeat whose absence is the alarm.

These are looked at on ticks alone: an import into a store whose daemon is off must not find that everything has been silent.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from monitor.core.codec import digest, plain
from monitor.core.effects import Alerted, SourceMoved
from monitor.core.state import SourceState
from monitor.core.units import SECOND

if TYPE_CHECKING:
    from monitor.core.engine import Engine

SILENT_CADENCES = 2
SILENT_GRACE_MS = 30 * SECOND


def alert(engine: "Engine", kind: str, key: Iterable[object], severity: str, summary: str, data: Mapping[str, Any]) -> Alerted:
    """The alert, with everything a receiver needs. `key` makes the id: the same cause has the same id."""
    sequence = engine.state.alerts + 1
    alert_id = "msg_" + digest([kind, *key])[:24]
    complete = {**data, "status": "confirmed", "rule_set": engine.settings.rule_set}
    return Alerted(engine.now, alert_id, kind, severity, summary, sequence, plain(complete))


def look_after(engine: "Engine") -> None:
    _sources(engine)
    _blind_rules(engine)
    _heartbeat(engine)


def dues(engine: "Engine") -> Iterator[int]:
    """Instants at which one of these would have something to say."""
    for name, source in engine.settings.sources.items():
        known = engine.state.sources.get(name)
        if known is not None and not known.down:
            yield known.heard_at + _silence_ms(source.cadence_ms) + 1
        elif known is not None and _is_back(engine, known, source.cadence_ms):
            yield engine.now
    for instance, since in engine.state.unknown_since.items():
        if instance not in engine.state.stale_alerted and instance in engine.rules:
            yield since + engine.settings.unknown_pending_ms
    if not engine.state.stale_alerted.isdisjoint(engine.rules.keys() - engine.state.unknown_since.keys()):
        yield engine.now
    if engine.settings.heartbeat_ms and engine.state.heartbeat_at is not None:
        yield engine.state.heartbeat_at + engine.settings.heartbeat_ms


def _silence_ms(cadence_ms: int) -> int:
    return SILENT_CADENCES * cadence_ms + SILENT_GRACE_MS


def _is_back(engine: "Engine", known: SourceState, cadence_ms: int) -> bool:
    return known.down and known.failing_since is None and engine.now - known.heard_at <= _silence_ms(cadence_ms)


def _sources(engine: "Engine") -> None:
    for name, settings in engine.settings.sources.items():
        known = engine.state.sources.get(name)
        if known is None:
            continue
        silent = engine.now - known.heard_at > _silence_ms(settings.cadence_ms)
        if silent and not known.down:
            reason = known.reason or "no answer"
            engine.emit(SourceMoved(engine.now, name, False, reason, known.heard_at))
            summary = f"Source {name} is down: {reason}"
            engine.alert("source.down", (name, known.heard_at), "warning", summary, {"source": name, "since": known.heard_at})
        elif _is_back(engine, known, settings.cadence_ms):
            engine.emit(SourceMoved(engine.now, name, True, "heard again", known.heard_at))
            data = {"source": name, "resolved": True}
            engine.alert("source.down", (name, known.heard_at, "up"), "info", f"Source {name} is back", data)


def _blind_rules(engine: "Engine") -> None:
    state = engine.state
    for instance in sorted(engine.rules):
        since = state.unknown_since.get(instance)
        told = instance in state.stale_alerted
        data = {"rule": instance.rule, "subject": instance.subject}
        if since is not None and not told and engine.now - since >= engine.settings.unknown_pending_ms:
            reason = state.verdicts[instance].reason
            summary = f"{instance.rule} for {instance.subject} cannot be judged: {reason}"
            engine.alert("data.stale", (*instance, since), "warning", summary, {**data, "since": since, "reason": reason})
        elif since is None and told:
            summary = f"{instance.rule} for {instance.subject} can be judged again"
            engine.alert("data.stale", (*instance, engine.now, "resolved"), "info", summary, {**data, "resolved": True})


def _heartbeat(engine: "Engine") -> None:
    period, last = engine.settings.heartbeat_ms, engine.state.heartbeat_at
    if period and (last is None or engine.now >= last + period):
        blind = sorted(f"{rule}/{subject}" for rule, subject in engine.state.unknown_since)
        summary = "Alive and deciding" + (f"; blind: {', '.join(blind)}" if blind else "")
        engine.alert("heartbeat", (engine.now,), "info", summary, {"blind": blind})
