"""What is at risk: each position at the prices that may decide, and the book they make together with the layers in force."""

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from monitor.core.book import Position
from monitor.core.layers import describe
from monitor.core.ledger import Layer
from monitor.core.tokens import STABLES
from monitor.core.units import DAY
from monitor.core.valuation import chain_state, value_position
from monitor.core.verdict import Unknown
from monitor.core.worth import Valuation
from monitor.sinks.shapes import present

if TYPE_CHECKING:
    from monitor.core.engine import Engine

IN_FORCE = frozenset({"active", "closing"})
COMMITTED = frozenset({"proposed", "approved", "active", "closing", "closed"})
SESSION_SHARE, TIER_SHARE = 0.25, 0.50
TIERS = ("short", "intermediate", "structural")


def book_view(engine: "Engine", now: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The book, and its positions in the order of the configuration.

    `equity_usd` is absent while a position cannot be valued; then `valued_usd` is the sum of the others and `unvalued` names what is missing.
    """
    valued: dict[str, Valuation | Unknown] = {p.id: _value(engine, p) for p in engine.settings.positions}
    positions = [_position(engine, p, valued[p.id]) for p in engine.settings.positions]
    unvalued = [name for name, value in valued.items() if isinstance(value, Unknown)]
    held_usd = sum(v.value_usd for v in valued.values() if isinstance(v, Valuation))
    delta = _net_delta(engine, valued)
    equity_usd = held_usd if valued and not unvalued else None
    capital_usd = _capital(engine, equity_usd)
    book = present(
        positions=len(positions),
        mode=engine.settings.book.mode,
        objective=engine.settings.book.objective,
        rule_set=engine.settings.rule_set,
        equity_usd=equity_usd,
        valued_usd=held_usd if 0 < len(unvalued) < len(valued) else None,
        unvalued=unvalued or None,
        net_delta_usd=delta or None,
        protected_ratio=_protected(engine, valued) if not unvalued else None,
        capital_usd=capital_usd,
        session=_session(engine, capital_usd, now),
    )
    return book, positions


def _value(engine: "Engine", position: Position) -> Valuation | Unknown:
    try:
        return value_position(engine.view(), position)
    except Unknown as why:
        return why


def _position(engine: "Engine", position: Position, value: Valuation | Unknown) -> dict[str, Any]:
    layers = [
        {"id": one.id, "state": one.state, "tier": one.proposal.tier, "what": describe(one.proposal)}
        for one in engine.state.ledger
        if one.live and one.proposal.position == position.id
    ]
    named = {"id": position.id, "kind": position.kind, "layers": layers, **present(chain=position.chain), **_exact(engine, position)}
    if isinstance(value, Unknown):
        return {**named, "unknown": value.reason}
    return {**named, "value_usd": value.value_usd, "amounts": dict(value.amounts), "delta_usd": dict(value.delta_usd)}


def _exact(engine: "Engine", position: Position) -> dict[str, Any]:
    """An LP's integers with the block that they are of. No price is needed for them, and age takes nothing from what a block said."""
    if position.kind not in ("uniswap-v3", "uniswap-v4"):
        return {}
    try:
        state = chain_state(engine.view(), position)
    except Unknown:
        return {}
    return {**{name: str(number) for name, number in state.numbers.items()}, **present(block_hash=state.block_hash, at=state.at)}


def _net_delta(engine: "Engine", valued: dict[str, Valuation | Unknown]) -> dict[str, float]:
    """By asset, stablecoins left out, over what could be valued and the layers in force: one exposure is never counted twice."""
    net: defaultdict[str, float] = defaultdict(float)
    for value in valued.values():
        if isinstance(value, Valuation):
            for asset, usd in value.delta_usd.items():
                net[asset] += usd
    for layer in _shorts(engine):
        net[layer.proposal.asset] -= layer.proposal.notional_usd
    return {asset: usd for asset, usd in sorted(net.items()) if asset not in STABLES}


def _shorts(engine: "Engine") -> list[Layer]:
    return [one for one in engine.state.ledger if one.state in IN_FORCE and one.proposal.instrument == "short_perp"]


def _protected(engine: "Engine", valued: dict[str, Valuation | Unknown]) -> float | None:
    """Notional of the layers in force over the book's long delta, both at today's prices; absent where there is nothing to protect."""
    long_usd = sum(usd for v in valued.values() if isinstance(v, Valuation) for asset, usd in v.delta_usd.items() if asset not in STABLES and usd > 0)
    if long_usd <= 0:
        return None
    return sum(one.proposal.notional_usd for one in engine.state.ledger if one.state in IN_FORCE) / long_usd


def _capital(engine: "Engine", equity_usd: float | None) -> float | None:
    """Equity, capped by the capital the user named."""
    cap = engine.settings.book.capital
    if equity_usd is None:
        return None
    return min(equity_usd, cap) if cap > 0 else equity_usd


def _session(engine: "Engine", capital_usd: float | None, now: int) -> dict[str, Any] | None:
    """Capital that new layers may still tie up before midnight UTC, as the gate `session-cap` counts it; absent while that gate is off."""
    plug = engine.settings.gates.get("session-cap")
    if plug is None or not plug.enabled or capital_usd is None or capital_usd <= 0:
        return None
    cap = capital_usd * engine.settings.book.envelope * float(plug.settings.get("share", SESSION_SHARE))
    tier_cap = cap * float(plug.settings.get("tier_share", TIER_SHARE))
    used = dict.fromkeys(TIERS, 0.0)
    for layer in engine.state.ledger:
        if layer.proposed_at // DAY == now // DAY and layer.state in COMMITTED:
            used[layer.proposal.tier] = used.get(layer.proposal.tier, 0.0) + layer.proposal.capital_usd
    left = max(0.0, cap - sum(used.values()))
    by_tier = {tier: max(0.0, min(left, tier_cap - usd)) for tier, usd in used.items()}
    share_left = left / cap if cap > 0 else 0.0
    return {"cap_usd": cap, "used_usd": sum(used.values()), "left_usd": left, "left_ratio": share_left, "left_by_tier_usd": by_tier}
