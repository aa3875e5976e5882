"""Can the monitor see? Each source with its age, and one sentence for all of them."""

from typing import TYPE_CHECKING, Any

from monitor.core.verdict import State as Truth
from monitor.sinks.shapes import counted, present

if TYPE_CHECKING:
    from monitor.core.engine import Engine

LATE_CADENCES = 1.5


def sources_view(engine: "Engine", now: int) -> list[dict[str, Any]]:
    """Configured sources, then others that were heard (imports). `state`: up, late, failing, down, or waiting when never heard."""
    configured = [_source(engine, name, now) for name in engine.settings.sources]
    others = [_source(engine, name, now) for name in sorted(engine.state.sources) if name not in engine.settings.sources]
    return [*configured, *others]


def _source(engine: "Engine", name: str, now: int) -> dict[str, Any]:
    settings, known = engine.settings.sources.get(name), engine.state.sources.get(name)
    cadence_ms = settings.cadence_ms if settings is not None else None
    heard_at = known.heard_at if known is not None and _was_heard(engine, name) else None
    state = _state(known, heard_at, cadence_ms, now)
    return present(
        id=name,
        state=state,
        up=state in {"up", "late"},
        configured=settings is not None,
        required=settings.required if settings is not None else False,
        heard_at=heard_at,
        age_seconds=max(0.0, (now - heard_at) / 1000) if heard_at is not None else None,
        cadence_seconds=cadence_ms / 1000 if cadence_ms is not None else None,
        rejected=known.rejected if known is not None else None,
        failing_since=known.failing_since if known is not None else None,
        reason=known.reason if known is not None else "not heard yet",
        brings=len(settings.provides) if settings is not None else None,
    )


def _was_heard(engine: "Engine", name: str) -> bool:
    """A source whose first pass failed has a state and was never heard: its `heard_at` is when it was first asked."""
    known = engine.state.sources[name]
    return known.failing_since is None or known.failing_since != known.heard_at


def _state(known: Any, heard_at: int | None, cadence_ms: int | None, now: int) -> str:
    if known is None:
        return "waiting"
    if known.down:
        return "down"
    if known.failing_since is not None:
        return "failing"
    late = cadence_ms is not None and heard_at is not None and now - heard_at > LATE_CADENCES * cadence_ms
    return "late" if late else "up"


def sight_view(engine: "Engine", sources: list[dict[str, Any]], triggers: list[dict[str, Any]]) -> dict[str, Any]:
    """`state`: clear, partly, blind or starting; with the sentence that says why."""
    own = [one for one in sources if one["configured"]]
    up = [one for one in own if one["up"]]
    blind = [f"{t['rule']}/{t['subject']}" for t in triggers if t["verdict"] == Truth.UNKNOWN]
    waiting = bool(own) and all(one["state"] == "waiting" for one in own)
    if waiting or (not own and not engine.rules):
        state, sentence = "starting", "No source has been heard yet."
    elif not blind and len(up) == len(own):
        state, sentence = "clear", _clear(len(own))
    else:
        state = "blind" if triggers and len(blind) == _judged(triggers) else "partly"
        sentence = _impaired([one["id"] for one in own if not one["up"]], blind, how="blind" if state == "blind" else "partly blind")
    return {"state": state, "sentence": sentence, "sources_up": len(up), "sources": len(own), "blind": blind}


def _judged(triggers: list[dict[str, Any]]) -> int:
    return sum(t["verdict"] != Truth.NOT_CONFIGURED for t in triggers)


def _clear(count: int) -> str:
    heard = {0: "", 1: "its source is heard, "}.get(count, f"all {counted(count, 'source')} are heard, ")
    return f"It sees clearly: {heard}every trigger can be judged."


def _impaired(silent: list[str], blind: list[str], how: str) -> str:
    parts = []
    if silent:
        named = ", ".join(silent) if len(silent) < 4 else counted(len(silent), "source")
        parts.append(f"{named} {'is' if len(silent) == 1 else 'are'} silent")
    if blind:
        parts.append(f"{counted(len(blind), 'trigger')} cannot be judged")
    return f"It is {how}: {', '.join(parts)}."
