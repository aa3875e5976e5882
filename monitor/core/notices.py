"""What is told beyond rules and layers: silent sources, rules that stay blind, prints that are late, and the heartbeat whose absence is the alarm.

These are looked at on ticks alone: an import into a store whose daemon is off must not find that everything has been silent.
"""

from collections.abc import Iterator

from monitor.core.effects import SourceMoved
from monitor.core.mind import Mind
from monitor.core.prints import GRACE_MS, LEVELS, SUBJECT, Print, awaited_in, newest_month
from monitor.core.state import SourceState
from monitor.core.units import SECOND, iso

SILENT_CADENCES = 2
SILENT_GRACE_MS = 30 * SECOND


def look_after(mind: Mind) -> None:
    _sources(mind)
    _blind_rules(mind)
    _late_prints(mind)
    _heartbeat(mind)


def dues(mind: Mind) -> Iterator[int]:
    """Instants at which one of these would have something to say."""
    for name, source in mind.settings.sources.items():
        known = mind.state.sources.get(name)
        if known is not None and not known.down:
            yield known.heard_at + _silence_ms(source.cadence_ms) + 1
        elif known is not None and _is_back(mind, known, source.cadence_ms):
            yield mind.now
    for instance in mind.state.unknown_since.keys() & mind.rules.keys():
        since = mind.state.blind_since(instance)
        if since is not None and instance not in mind.state.stale_alerted:
            yield since + mind.settings.unknown_pending_ms
    if not mind.state.stale_alerted.isdisjoint(mind.rules.keys() - mind.state.unknown_since.keys()):
        yield mind.now
    yield from (_overdue_at(mind, one) for one in _awaited(mind) if (one.event, one.month) not in mind.state.late_prints)
    if any(_is_settled(mind, *late) for late in mind.state.late_prints):
        yield mind.now
    if mind.settings.heartbeat_ms and mind.state.heartbeat_at is not None:
        yield mind.state.heartbeat_at + mind.settings.heartbeat_ms


def _silence_ms(cadence_ms: int) -> int:
    return SILENT_CADENCES * cadence_ms + SILENT_GRACE_MS


def _is_back(mind: Mind, known: SourceState, cadence_ms: int) -> bool:
    return known.down and known.failing_since is None and mind.now - known.heard_at <= _silence_ms(cadence_ms)


def _sources(mind: Mind) -> None:
    for name, settings in mind.settings.sources.items():
        known = mind.state.sources.get(name)
        if known is None:
            continue
        silent = mind.now - known.heard_at > _silence_ms(settings.cadence_ms)
        if silent and not known.down:
            reason = known.reason or "no answer"
            mind.emit(SourceMoved(mind.now, name, False, reason, known.heard_at))
            summary = f"Source {name} is down: {reason}"
            mind.alert("source.down", (name, known.heard_at), "warning", summary, {"source": name, "since": known.heard_at})
        elif _is_back(mind, known, settings.cadence_ms):
            mind.emit(SourceMoved(mind.now, name, True, "heard again", known.heard_at))
            data = {"source": name, "resolved": True}
            mind.alert("source.down", (name, known.heard_at, "up"), "info", f"Source {name} is back", data)


def _blind_rules(mind: Mind) -> None:
    state = mind.state
    for instance in sorted(mind.rules):
        since = state.blind_since(instance)
        told = instance in state.stale_alerted
        data = {"rule": instance.rule, "subject": instance.subject}
        if since is not None and not told and mind.now - since >= mind.settings.unknown_pending_ms:
            reason = state.verdicts[instance].reason
            summary = f"{instance.rule} for {instance.subject} cannot be judged: {reason}"
            mind.alert("data.stale", (*instance, since), "warning", summary, {**data, "since": since, "reason": reason})
        elif since is None and told:
            summary = f"{instance.rule} for {instance.subject} can be judged again"
            mind.alert("data.stale", (*instance, mind.now, "resolved"), "info", summary, {**data, "resolved": True})


def _awaited(mind: Mind) -> list[Print]:
    """The prints that a source of ours should bring next."""
    brought = {metric for source in mind.settings.sources.values() for metric, subject in source.provides if subject == SUBJECT}
    return [one for event in LEVELS if LEVELS[event] in brought for one in awaited_in(mind.market, event, mind.now)]


def _overdue_at(mind: Mind, awaited: Print) -> int:
    """After a start the sources get their time anew."""
    return max(awaited.due.at if awaited.due is not None else 0, mind.state.configured_at) + GRACE_MS


def _is_settled(mind: Mind, event: str, month: int) -> bool:
    """Whether a print that was told as late is awaited no more, or not yet again: it came, a later one did, or it was moved."""
    newest = newest_month(mind.market, event)
    waiting = [one for one in awaited_in(mind.market, event, mind.now) if one.month == month]
    return (newest is not None and month <= newest) or any(one.due is not None and mind.now < one.due.at for one in waiting)


def _late_prints(mind: Mind) -> None:
    for event, month in sorted(mind.state.late_prints):
        if _is_settled(mind, event, month):
            name = f"{event} of {iso(month)[:7]}"
            data = {"event": event, "month": iso(month)[:7], "resolved": True}
            mind.alert("data.stale", ("print", event, month, mind.now), "info", f"{name} is no longer late", data)
    for one in _awaited(mind):
        if one.due is not None and (one.event, one.month) not in mind.state.late_prints and mind.now >= _overdue_at(mind, one):
            data = {"event": one.event, "month": iso(one.month)[:7], "since": one.due.at}
            summary = f"{one.name} is late: it was due {iso(one.due.at)} and no source has it"
            mind.alert("data.stale", ("print", one.event, one.month, one.due.at), "warning", summary, data)


def _heartbeat(mind: Mind) -> None:
    period, last = mind.settings.heartbeat_ms, mind.state.heartbeat_at
    if period and (last is None or mind.now >= last + period):
        blind = sorted(f"{rule}/{subject}" for rule, subject in mind.state.unknown_since.keys() & mind.rules.keys())
        summary = "Alive and deciding" + (f"; blind: {', '.join(blind)}" if blind else "")
        mind.alert("heartbeat", (mind.now,), "info", summary, {"blind": blind})
