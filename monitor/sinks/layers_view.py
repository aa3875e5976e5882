"""The ladder: every layer with its proposal and gates, what was refused, and the three tiers with what is in each."""

from typing import TYPE_CHECKING, Any

from monitor.core.effects import Held
from monitor.core.layers import describe
from monitor.core.ledger import Layer
from monitor.core.state import Instance
from monitor.core.view import View
from monitor.sinks import shapes
from monitor.sinks.prospect_view import returns_view
from monitor.sinks.shapes import present

if TYPE_CHECKING:
    from monitor.core.engine import Engine

TIERS = {"short": "0 to 7 days", "intermediate": "15 to 45 days", "structural": "60 days and more"}
SHOWN = 200


def layers_view(engine: "Engine", view: View) -> list[dict[str, Any]]:
    """Layers that live, newest first, then the newest of those that are past."""
    newest = sorted(engine.state.ledger, key=lambda one: (not one.live, -one.moved_at, one.id))
    return [_layer(engine, view, one) for one in newest[:SHOWN]]


def _layer(engine: "Engine", view: View, layer: Layer) -> dict[str, Any]:
    return {
        "id": layer.id,
        "state": layer.state,
        "live": layer.live,
        "what": describe(layer.proposal),
        **shapes.proposal(layer.proposal),
        **(returns_view(view, layer.proposal) if layer.live else {}),
        **present(reason=layer.reason, by=layer.by, proposed_at=layer.proposed_at, moved_at=layer.moved_at, valid_until=layer.valid_until),
        "conditions": shapes.conditions(layer.proposal.conditions),
        "evidence": shapes.evidence(layer.proposal.evidence, engine.now),
        "gates": shapes.gates(layer.gates),
    }


def held_view(engine: "Engine") -> list[dict[str, Any]]:
    """Proposals that are held while the episode that asked for them is open, newest first, each with what every gate said."""
    newest = sorted((one for one in engine.state.held.values() if _asks_still(engine, one)), key=lambda one: (-one.at, one.id))[:SHOWN]
    return [
        {
            "id": one.id,
            "at": one.at,
            "reason": one.reason,
            **shapes.proposal(one.proposal),
            "conditions": shapes.conditions(one.proposal.conditions),
            "evidence": shapes.evidence(one.proposal.evidence, engine.now),
            "gates": shapes.gates(one.gates),
        }
        for one in newest
    ]


def _asks_still(engine: "Engine", held: Held) -> bool:
    episode = engine.state.episodes.get(Instance(held.proposal.rule, held.proposal.subject))
    return episode is not None and episode.since == held.proposal.episode_since


def ladder_view(engine: "Engine", layers: list[dict[str, Any]], held: list[dict[str, Any]], book: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per tier: notional by state and cost of what lives in it, and the room that the day has left for it."""
    return [_tier(tier, horizon, [x for x in layers if x["tier"] == tier and x["live"]], held, book) for tier, horizon in TIERS.items()]


def _tier(tier: str, horizon: str, live: list[dict[str, Any]], held: list[dict[str, Any]], book: dict[str, Any]) -> dict[str, Any]:
    by_state: dict[str, float] = {}
    for layer in live:
        by_state[layer["state"]] = by_state.get(layer["state"], 0.0) + layer["notional_usd"]
    session = book.get("session")
    return {
        "tier": tier,
        "horizon": horizon,
        "notional_usd": by_state,
        "layers": [x["id"] for x in live],
        "held": [x["id"] for x in held if x["tier"] == tier],
        **present(
            cost_usd=sum(x["cost_usd"] for x in live) if live else None,
            capital_usd=sum(x["capital_usd"] for x in live) if live else None,
            left_usd=session["left_by_tier_usd"].get(tier) if session is not None else None,
        ),
    }
