"""One view model for the page, the API, `status` and the metrics. Pure: the engine and the shell's facts in, plain JSON-ready values out.

Times are epoch milliseconds, ages seconds, money US dollars, shares fractions. What was not computed is absent, never 0.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from monitor.core.rule import Rule
from monitor.core.scope import exposed_positions
from monitor.core.state import Instance
from monitor.core.verdict import State as Truth
from monitor.core.verdict import Verdict
from monitor.sinks import shapes
from monitor.sinks.book_view import book_view
from monitor.sinks.facts import AlertFact, ShellFacts
from monitor.sinks.layers_view import held_view, ladder_view, layers_view
from monitor.sinks.markets_view import markets_view
from monitor.sinks.shapes import counted, present
from monitor.sinks.sight import sight_view, sources_view

if TYPE_CHECKING:
    from monitor.core.engine import Engine

STATES = tuple(str(state) for state in (Truth.FIRED, Truth.UNKNOWN, Truth.QUIET, Truth.NOT_CONFIGURED))


def view_model(engine: "Engine", facts: ShellFacts) -> dict[str, Any]:
    """Everything that is shown, as of the engine's clock. See `monitor/sinks/openapi.py` for each field."""
    # A story is as old as what was told of it; a live monitor ages even when nothing comes.
    now = engine.now if facts.story is not None else max(engine.now, facts.clock_ms or 0)
    triggers = triggers_view(engine, now)
    sources = sources_view(engine, now)
    view = engine.view()
    book, positions = book_view(engine, view, now)
    layers, held = layers_view(engine, view), held_view(engine)
    model: dict[str, Any] = {
        "now": now_view(engine, facts, now),
        "sight": sight_view(engine, sources, triggers),
        "book": book,
        "positions": positions,
        "triggers": triggers,
        "layers": layers,
        "held": held,
        "ladder": ladder_view(engine, layers, held, book),
        "gates": gates_view(engine, held),
        "markets": markets_view(engine),
        "alerts": [_alert(one) for one in facts.alerts],
        "sources": sources,
        "decisions": list(facts.decisions),
        "health": health_view(engine, facts),
    }
    model["headline"] = headline(model)
    if facts.chart is not None:
        model["chart"] = facts.chart
    return model


def now_view(engine: "Engine", facts: ShellFacts, now: int) -> dict[str, Any]:
    """The clocks. `story` says where a played history stands; a live monitor has none."""
    story = facts.story
    shown = None
    if story is not None:
        span = max(1, story.to_ms - story.from_ms)
        done = min(1.0, max(0.0, (now - story.from_ms) / span))
        shown = present(from_ms=story.from_ms, to_ms=story.to_ms, speed=story.speed, done=done, title=story.title)
    return present(
        at=now, wall=facts.wall_now_ms, started_at=facts.started_at, version=facts.version, command=facts.command, notice=facts.notice,
        story=shown, rule_set=engine.settings.rule_set,
    )  # fmt: skip


def triggers_view(engine: "Engine", now: int) -> list[dict[str, Any]]:
    """Every rule about every subject: what fired (those that ask for a layer before those that vote), then the blind, then the nearest.

    A quiet rule that would ask for a layer, and one of whose legs has fired already, stands before those that are merely near.
    """
    rows = [_trigger(engine, instance, rule, now) for instance, rule in engine.rules.items()]
    return sorted(rows, key=_rank)


def _rank(trigger: Mapping[str, Any]) -> tuple[Any, ...]:
    only_votes = trigger["verdict"] == Truth.FIRED and not trigger["proposes"]
    waits = trigger["verdict"] == Truth.QUIET and trigger["proposes"] and any(leg["verdict"] == Truth.FIRED for leg in trigger["conditions"])
    return STATES.index(trigger["verdict"]), only_votes, not waits, -trigger.get("distance", float("-inf")), trigger["rule"], trigger["subject"]


def _trigger(engine: "Engine", instance: Instance, rule: Rule, now: int) -> dict[str, Any]:
    verdict = engine.state.verdicts.get(instance, Verdict(Truth.UNKNOWN, "not judged yet"))
    episode = engine.state.episodes.get(instance)
    return {
        "rule": instance.rule,
        "subject": instance.subject,
        "title": rule.title,
        "class": str(rule.kind),
        "groups": [str(group) for group in rule.groups],
        "proposes": rule.intent(verdict) is not None,
        "exposed": [position.id for position in exposed_positions(rule.scope, instance.subject, engine.settings, engine.market)],
        **shapes.numbers(verdict),
        **present(episode={"open_since": episode.since} if episode is not None else None),
        "conditions": shapes.conditions(verdict.conditions),
        "evidence": shapes.evidence(verdict.evidence, now),
    }


def gates_view(engine: "Engine", held: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The gates in force, each with how many of the proposals held now it blocks."""
    blocked = [one["gate"] for refused in held for one in refused["gates"] if one["outcome"] == "block"]
    return [{"id": gate.id, "title": gate.title, "blocked": blocked.count(gate.id)} for gate in engine.gates]


def health_view(engine: "Engine", facts: ShellFacts) -> dict[str, Any]:
    """What the daemon says of itself."""
    timings = facts.decision_seconds
    counted = {"buckets": [[bound, count] for bound, count in timings.buckets], "sum": timings.sum_seconds} if timings is not None else None
    return present(
        uptime_seconds=max(0.0, (facts.wall_now_ms - facts.started_at) / 1000),
        loop_lag_seconds=facts.loop_lag_seconds,
        clock_skew_seconds=facts.clock_skew_seconds,
        clock_trouble=facts.clock_trouble or None,
        outbox_pending=facts.outbox_pending,
        outbox_oldest_seconds=facts.outbox_oldest_seconds,
        deliveries=[{"channel": c, "outcome": o, "count": n} for (c, o), n in sorted(facts.deliveries.items())],
        alerts_total=engine.state.alerts,
        alerts_by_type=dict(sorted(facts.alerts_by_type.items())),
        collect_seconds=dict(sorted(facts.collect_seconds.items())),
        decision_seconds=counted,
    )


def headline(model: Mapping[str, Any]) -> str:
    """The whole state in one sentence: what fired, what is proposed, and whether the monitor can see."""
    if not model["triggers"]:
        return "Nothing has been judged here: no daemon has run on this store. Ask explain or replay what its history says."
    fired = [t for t in model["triggers"] if t["verdict"] == Truth.FIRED]
    proposed = [one for one in model["layers"] if one["state"] == "proposed"]
    running = [one for one in model["layers"] if one["state"] in {"approved", "active", "closing"}]
    parts = [f"{counted(len(fired), 'trigger')} fired" if fired else "nothing has fired"]
    if proposed:
        parts.append(f"{counted(len(proposed), 'layer')} waiting for your word")
    if running:
        parts.append(f"{counted(len(running), 'layer')} in force")
    if not proposed and fired and model["held"]:
        parts.append(f"{counted(len(model['held']), 'layer')} refused for now")
    said = ", ".join(parts)
    return f"{said[0].upper()}{said[1:]}. {model['sight']['sentence']}"


def _alert(one: AlertFact) -> dict[str, Any]:
    return present(
        id=one.id, at=one.at, type=one.type, severity=one.severity, summary=one.summary, delivery=one.delivery,
        channel=one.channel,
    )  # fmt: skip
