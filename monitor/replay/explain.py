"""Why a rule fired, or why not: replay, stopped at an instant."""

from dataclasses import replace
from typing import Any

from monitor.core.codec import plain
from monitor.core.engine import Engine
from monitor.core.ledger import Ledger
from monitor.core.rule import Rule
from monitor.core.scope import exposed_positions
from monitor.core.settings import Settings
from monitor.core.state import Instance
from monitor.core.units import iso
from monitor.core.verdict import State, Verdict
from monitor.errors import ConfigError
from monitor.registry import Catalogue
from monitor.replay.runner import by_knowledge
from monitor.store.sqlite import SqliteStore

LATER = "known later than decided"
WORST_FIRST = (State.FIRED, State.UNKNOWN, State.QUIET, State.NOT_CONFIGURED)


def explain(store: SqliteStore, settings: Settings, rule: str, subject: str | None, position: str | None, at: int) -> dict[str, Any]:
    """The verdict of one rule at `at` (epoch milliseconds), with everything it was made of; other subjects' in `others`.

    Raises ConfigError for a rule, subject or position that does not exist.
    """
    engine = Engine(Catalogue())
    for _ in by_knowledge(engine, _bearing_on(settings, rule), store.history(), at, list(store.ticks())):
        pass
    instances = [i for i in engine.rules if i.rule == rule]
    if not instances:
        known = ", ".join(sorted(name for name, plug in settings.rules.items() if plug.enabled))
        raise ConfigError(f"there is no rule {rule!r} in force; there are: {known}")
    chosen = _choose(engine, instances, subject, position)
    answer = _answer(engine, chosen, at) | {"rule_set": settings.rule_set}
    live = store.verdict_in_force(rule, chosen.subject, at)
    if live is not None and live.verdict.state != answer["verdict"]:
        answer["live"] = {"verdict": live.verdict.state, "since": live.at, "reason": live.verdict.reason, "note": LATER}
    recorded = _of(store.ledger(at), chosen)
    if live is not None and {layer["id"] for layer in recorded} != {layer["id"] for layer in answer["layers"]}:
        answer["live_layers"] = recorded
    if position:
        answer["position"] = position
    answer["others"] = [_brief(engine, i) for i in instances if i != chosen]
    return answer


def _bearing_on(settings: Settings, rule: str) -> Settings:
    """The settings with the rules alone that `rule` can depend on: all where it proposes layers, which share caps, else it and what it needs."""
    catalogue = Catalogue().rules
    if rule not in settings.rules or rule not in catalogue or catalogue[rule].intent is not Rule.intent:
        return settings
    needed = {rule}
    while more := {one for name in needed if name in catalogue for one in catalogue[name].needs} - needed:
        needed |= more
    return replace(settings, rules={name: plug for name, plug in settings.rules.items() if name in needed})


def _choose(engine: Engine, instances: list[Instance], subject: str | None, position: str | None) -> Instance:
    if subject is not None:
        found = [i for i in instances if i.subject == subject]
        if not found:
            raise ConfigError(f"{instances[0].rule} has no subject {subject!r}; it has: {', '.join(i.subject for i in instances)}")
        return found[0]
    if position is not None:
        if position not in {p.id for p in engine.settings.positions}:
            named = ", ".join(p.id for p in engine.settings.positions) or "none"
            raise ConfigError(f"there is no position {position!r}; there are: {named}")
        instances = [i for i in instances if position in _exposed(engine, i)] or instances
    return min(instances, key=lambda i: (WORST_FIRST.index(_verdict(engine, i).state), -(_verdict(engine, i).distance or -1e9), i.subject))


def _exposed(engine: Engine, instance: Instance) -> list[str]:
    return [p.id for p in exposed_positions(engine.rules[instance].scope, instance.subject, engine.settings, engine.market)]


def _verdict(engine: Engine, instance: Instance) -> Verdict:
    return engine.state.verdicts.get(instance) or Verdict(State.UNKNOWN, "nothing was known yet", "missing")


def _brief(engine: Engine, instance: Instance) -> dict[str, Any]:
    verdict = _verdict(engine, instance)
    brief = {"subject": instance.subject, "verdict": verdict.state, "distance": verdict.distance, "reason": verdict.reason}
    return {key: value for key, value in brief.items() if value is not None}


def _answer(engine: Engine, instance: Instance, at: int) -> dict[str, Any]:
    verdict, episode = _verdict(engine, instance), engine.state.episodes.get(instance)
    evidence = [{**plain(e), "age_seconds": round((at - e.at) / 1000)} for e in verdict.evidence]
    answer: dict[str, Any] = {"rule": instance.rule, "subject": instance.subject, "position": None, "at": at, "verdict": verdict.state}
    answer |= {name: getattr(verdict, name) for name in ("value", "threshold", "distance") if getattr(verdict, name) is not None}
    answer |= {"reason": verdict.reason, "episode": {"open_since": episode.since} if episode else None}
    answer |= {"conditions": [plain(c) for c in verdict.conditions], "evidence": evidence, "rule_set": engine.settings.rule_set}
    return answer | {"layers": _of(engine.state.ledger, instance), "refused": _refused(engine, instance), "exposed": _exposed(engine, instance)}


def _of(ledger: Ledger, instance: Instance) -> list[dict[str, Any]]:
    own = [layer for layer in ledger if (layer.proposal.rule, layer.proposal.subject) == instance]
    return [
        {"id": x.id, "state": x.state, "at": x.proposed_at, "reason": x.reason, "proposal": plain(x.proposal), "gates": plain(x.gates)} for x in own
    ]


def _refused(engine: Engine, instance: Instance) -> list[dict[str, Any]]:
    own = [held for held in engine.state.held.values() if (held.proposal.rule, held.proposal.subject) == instance]
    return [{"id": h.id, "at": h.at, "reason": h.reason, "gates": plain(h.gates), "proposal": plain(h.proposal)} for h in own]


def sentences(answer: dict[str, Any]) -> list[str]:
    """The answer for people: the verdict, its legs, and what became of its layer."""
    told = [f"{answer['rule']}/{answer['subject']} at {iso(answer['at'])}: {answer['verdict']}", f"  {answer['reason']}"]
    for leg in answer["conditions"]:
        numbers = f" (value {leg['value']:.4g}, threshold {leg['threshold']:.4g})" if "value" in leg and "threshold" in leg else ""
        distance = f", distance {leg['distance']:+.2f}" if "distance" in leg else ""
        told.append(f"  - {leg['name']}: {leg['state']}{numbers}{distance}: {leg.get('reason', '')}")
    if answer["episode"]:
        told.append(f"  episode open since {iso(answer['episode']['open_since'])}")
    recorded = answer.get("live_layers")
    rethought = "" if recorded is None else f", in replay alone ({LATER})"
    told += [f"  layer {layer['id']} {layer['state']} {iso(layer['at'])}{rethought}: {layer['reason']}" for layer in answer["layers"]]
    told += [f"  layer {layer['id']} {layer['state']} {iso(layer['at'])}, on record: {layer['reason']}" for layer in recorded or ()]
    told += [f"  refused {iso(held['at'])}: {held['reason']}" for held in answer["refused"]]
    if "live" in answer:
        live = answer["live"]
        told.append(f"  live decided {live['verdict']} ({live['note']}): {live['reason']}")
    told += [f"  also {other['subject']}: {other['verdict']}: {other['reason']}" for other in answer["others"]]
    return told
