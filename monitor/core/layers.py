"""Asking for layers, and looking after those that were asked for. The gates decide; every refusal is recorded with all its reasons."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from monitor.core.book import Position
from monitor.core.codec import digest
from monitor.core.effects import Held, LayerMoved
from monitor.core.ledger import Layer
from monitor.core.mind import Mind
from monitor.core.proposal import NOT_BUILT, GateResult, Proposal
from monitor.core.rule import Gate, Intent, Outcome, Rule, Ruling
from monitor.core.scope import exposed_positions
from monitor.core.sizing import requote, resize, size
from monitor.core.state import Instance
from monitor.core.units import HOUR
from monitor.core.verdict import State as Truth
from monitor.core.verdict import Unknown, Verdict
from monitor.core.view import View

VALID_MS = HOUR


@dataclass(frozen=True, slots=True)
class _Asked:
    """What became of a proposal at the gates."""

    proposal: Proposal
    gates: tuple[GateResult, ...]
    refusals: tuple[str, ...]


def ask_for(mind: Mind, rule: Rule, instance: Instance, view: View, verdict: Verdict) -> None:
    """Propose the fired rule's layer for each exposed position, or record why not. Once per position, tier and episode."""
    intent, episode = rule.intent(verdict), mind.state.episodes.get(instance)
    if intent is None or episode is None:
        return
    for position in exposed_positions(rule.scope, instance.subject, mind.settings, mind.market):
        made = mind.state.ledger.of_episode(*instance, episode.since)
        if not any(layer.live and (layer.proposal.position, layer.proposal.tier) == (position.id, intent.tier) for layer in made):
            _ask(mind, view, position, intent, _wanted(rule, instance, verdict, position, intent, episode.since))


def _wanted(rule: Rule, instance: Instance, verdict: Verdict, position: Position, intent: Intent, since: int) -> Proposal:
    """The layer as it is asked for, before anyone knows how large: as it is, it can only be held."""
    return Proposal(
        rule.id, instance.subject, position.id, rule.kind, intent.tier, "add", "", "", 0.0, 0.0, 0.0, "", 0, 0.0, since,
        conditions=verdict.conditions, evidence=verdict.evidence,
    )  # fmt: skip


def _ask(mind: Mind, view: View, position: Position, intent: Intent, wanted: Proposal) -> None:
    try:
        proposal = size(view, mind.settings.book, position, intent, wanted)
    except Unknown as why:
        _hold(mind, _Asked(wanted, (GateResult("sizing", Outcome.BLOCK, Truth.UNKNOWN, why.reason),), (why.reason,)))
        return
    asked = _through_gates(mind, view, proposal)
    if not asked.refusals and (spent := mind.state.ledger.refusal(proposal.id, "proposed")) is not None:
        # Only with the cooldown gate switched off: the id is made of the episode, and a layer that has ended cannot begin again.
        asked = replace(asked, refusals=(spent,))
    if asked.refusals:
        _hold(mind, asked)
    else:
        _propose(mind, asked)


def _through_gates(mind: Mind, view: View, proposal: Proposal) -> _Asked:
    """Ask every gate, even after one has blocked: the user sees all the reasons at once."""
    results, refusals = [], []
    for gate in mind.gates:
        ruling = _rule_on(gate, view, proposal)
        results.append(_result(gate, ruling))
        if ruling.outcome is Outcome.BLOCK:
            refusals.append(f"{gate.id}: {ruling.verdict.reason}")
        elif ruling.outcome is Outcome.HALVE:
            proposal = resize(proposal, proposal.notional_usd / 2, f"halved by {gate.id}")
        elif ruling.limit_usd is not None and ruling.limit_usd < proposal.notional_usd:
            proposal = resize(proposal, ruling.limit_usd, f"cut by {gate.id}")
    results += [GateResult(gate, "not_built", Truth.NOT_CONFIGURED, "this gate does not exist yet") for gate in NOT_BUILT]
    least = mind.settings.book.minimum_layer
    if not refusals and proposal.notional_usd < least:
        refusals.append(f"below the minimum layer: {proposal.notional_usd:,.0f} of at least {least:,.0f} USD" + _because(proposal))
    return _Asked(proposal, tuple(results), tuple(refusals))


def _because(proposal: Proposal) -> str:
    return f" ({proposal.binding})" if proposal.binding else ""


def _rule_on(gate: Gate, view: View, proposal: Proposal) -> Ruling:
    try:
        return gate.judge(view, proposal)
    except Unknown as why:
        return Ruling(Outcome.BLOCK, Verdict(Truth.UNKNOWN, why.reason, why.code))


def _result(gate: Gate, ruling: Ruling) -> GateResult:
    factor = 0.5 if ruling.outcome is Outcome.HALVE else 1.0
    return GateResult(gate.id, ruling.outcome, ruling.verdict.state, ruling.verdict.reason, factor, ruling.limit_usd)


def _hold(mind: Mind, asked: _Asked) -> None:
    proposal = asked.proposal
    signature = ",".join(sorted(g.gate for g in asked.gates if g.outcome == Outcome.BLOCK)) or "minimum"
    known = mind.state.held.get(proposal.id)
    if known is not None and known.signature == signature:
        return
    held_id = "R-" + digest([proposal.id, signature, mind.now])[:12]
    reason = "; ".join(asked.refusals)
    mind.emit(Held(mind.now, held_id, proposal, asked.gates, signature, reason))
    summary = f"Refused a layer for {proposal.position} ({proposal.rule}, {proposal.subject}), because {reason}"
    data = {
        "position": proposal.position,
        "layer": {"id": proposal.id, "proposal": proposal},
        "gates": asked.gates,
        "conditions": proposal.conditions,
    }
    mind.alert("layer.refused", (held_id,), "info", summary, data)


def _propose(mind: Mind, asked: _Asked) -> None:
    proposal = asked.proposal
    valid_until = mind.now + VALID_MS
    reason = f"{proposal.rule} fired for {proposal.subject}"
    moved = LayerMoved(mind.now, proposal.id, "proposed", reason, valid_until=valid_until, proposal=proposal, gates=asked.gates)
    mind.emit(moved)
    tell_move(mind, moved, "layer.proposed", "warning", f"Proposed {describe(proposal)}, because {reason}")


def cents(usd: float) -> str:
    """Dollars with cents, halves up, as pages show them: a binary half must not read one way here and another there."""
    return f"{math.floor(usd * 100 + 0.5) / 100:,.2f}"


def describe(proposal: Proposal) -> str:
    """The layer in words: what, how large, for what, at what cost."""
    what = f"a short perp on {proposal.asset}" if proposal.instrument == "short_perp" else f"a collateral top-up in {proposal.asset}"
    cut = f" ({proposal.binding})" if proposal.binding else ""
    return f"{what} of {proposal.notional_usd:,.0f} USD{cut} for {proposal.position}, cost {cents(proposal.cost_usd)} USD over 7 days"


def tell_move(mind: Mind, moved: LayerMoved, kind: str, severity: str, summary: str) -> None:
    """Alert that a layer has moved."""
    layer = mind.state.ledger.held(moved.id)
    data = {
        "position": layer.proposal.position,
        "layer": {"id": layer.id, "state": moved.state, "proposal": layer.proposal, "by": moved.by or None},
        "valid_until": layer.valid_until,
        "gates": layer.gates,
        "conditions": layer.proposal.conditions,
    }
    mind.alert(kind, (moved.id, moved.state), severity, summary, data)


def look_after(mind: Mind) -> None:
    """Quote proposed layers anew when their quote runs out; let them expire when their episode is over or their position gone."""
    for layer in list(mind.state.ledger):
        if layer.state == "proposed":
            _look_after(mind, layer)


def dues(mind: Mind) -> Iterator[int]:
    return (layer.valid_until for layer in mind.state.ledger if layer.state == "proposed" and layer.valid_until is not None)


def _look_after(mind: Mind, layer: Layer) -> None:
    proposal = layer.proposal
    instance = Instance(proposal.rule, proposal.subject)
    episode = mind.state.episodes.get(instance)
    if episode is None or episode.since != proposal.episode_since or instance not in mind.rules:
        why = "the episode that asked for it is over" if instance in mind.rules else "the rule that asked for it is switched off"
        mind.emit(LayerMoved(mind.now, layer.id, "expired", why))
        return
    # Valid for longer than any quote is: it was quoted by a clock that was ahead.
    if layer.valid_until is None or mind.now < layer.valid_until <= mind.now + VALID_MS:
        return
    position = next((p for p in mind.settings.positions if p.id == proposal.position), None)
    try:
        if position is None:
            raise Unknown("gone", "its position is no longer in the book")
        fresh = requote(mind.view(), mind.settings.book, position, proposal)
    except Unknown as why:
        mind.emit(LayerMoved(mind.now, layer.id, "expired", f"it could not be quoted anew: {why.reason}"))
        return
    valid_until = mind.now + VALID_MS
    mind.emit(LayerMoved(mind.now, layer.id, "proposed", layer.reason, valid_until=valid_until, proposal=fresh))
