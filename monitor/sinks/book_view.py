"""What is at risk: each position at the prices that may decide, and the book they make together with the layers in force."""

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from monitor.core.book import Position
from monitor.core.capital import defined_risk_capital_usd
from monitor.core.implied import scenario_now
from monitor.core.layers import describe
from monitor.core.risk import hedge_ratio, layer_exposure, layers_in_force, net_greeks, protected_usd
from monitor.core.tokens import STABLES
from monitor.core.units import DAY
from monitor.core.valuation import value_position
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.worth import Valuation
from monitor.sinks.position_view import position_view
from monitor.sinks.risk_view import part_stress, risk_view, says
from monitor.sinks.shapes import present

if TYPE_CHECKING:
    from monitor.core.engine import Engine

COMMITTED = frozenset({"proposed", "approved", "active", "closing", "closed"})
SESSION_SHARE, TIER_SHARE = 0.25, 0.50
TIERS = ("short", "intermediate", "structural")


def book_view(engine: "Engine", view: View, now: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The book, and its positions in the order of the configuration.

    `equity_usd` is absent while a position cannot be valued; then `valued_usd` is the sum of the others, `valued_stress` what
    these would lose by themselves, and `unvalued` names what is missing.
    """
    valued: dict[str, Valuation | Unknown] = {p.id: _value(view, p) for p in engine.settings.positions}
    positions = [{**position_view(view, p, valued[p.id]), "layers": _layers(engine, p)} for p in engine.settings.positions]
    unvalued = [name for name, value in valued.items() if isinstance(value, Unknown)]
    held_usd = sum(v.value_usd for v in valued.values() if isinstance(v, Valuation))
    delta = _net_delta(view, valued)
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
        valued_stress=part_stress(_without(engine, view, unvalued)) if 0 < len(unvalued) < len(valued) else None,
        net_delta_usd=delta or None,
        protected_ratio=_protected(view, valued) if not unvalued else None,
        capital_usd=capital_usd,
        session=_session(engine, view, capital_usd, now),
        risk=risk_view(view) or None,
    )
    return {**book, "says": says(book) if positions else []}, positions


def _without(engine: "Engine", view: View, unvalued: list[str]) -> View:
    """The same for a book without these positions: to be shown, and nothing is decided by it."""
    known = tuple(one for one in engine.settings.positions if one.id not in unvalued)
    return View(view.market, engine.state, view.now, replace(engine.settings, positions=known))


def _value(view: View, position: Position) -> Valuation | Unknown:
    try:
        return value_position(view, position)
    except Unknown as why:
        return why


def _layers(engine: "Engine", position: Position) -> list[dict[str, Any]]:
    return [
        {"id": one.id, "state": one.state, "tier": one.proposal.tier, "what": describe(one.proposal)}
        for one in engine.state.ledger
        if one.live and one.proposal.position == position.id
    ]


def _net_delta(view: View, valued: dict[str, Valuation | Unknown]) -> dict[str, float]:
    """By asset, stablecoins left out, over what could be valued and the layers in force: one exposure is never counted twice."""
    net: defaultdict[str, float] = defaultdict(float)
    for value in valued.values():
        if isinstance(value, Valuation):
            for asset, usd in value.delta_usd.items():
                net[asset] += usd
    for layer in layers_in_force(view):
        try:
            exposure = layer_exposure(view, layer)
            for asset, greeks in net_greeks(exposure, scenario_now(view, exposure.assets)).items():
                net[asset] += greeks.delta_usd
        except Unknown:
            continue
    return {asset: usd for asset, usd in sorted(net.items()) if asset not in STABLES}


def _protected(view: View, valued: dict[str, Valuation | Unknown]) -> float | None:
    """Hedge ratio: notional of the layers in force over what the book is exposed to at the adverse 1.5 sigma price.

    Where no volatility is known, over the long delta at today's prices; absent where there is nothing to protect.
    """
    try:
        return hedge_ratio(view)
    except Unknown as why:
        if why.code == "nothing":
            return None
    long_usd = sum(usd for v in valued.values() if isinstance(v, Valuation) for asset, usd in v.delta_usd.items() if asset not in STABLES and usd > 0)
    return protected_usd(view) / long_usd if long_usd > 0 else None


def _capital(engine: "Engine", equity_usd: float | None) -> float | None:
    """Equity, capped by the capital the user named."""
    cap = engine.settings.book.capital
    if equity_usd is None:
        return None
    return min(equity_usd, cap) if cap > 0 else equity_usd


def _session(engine: "Engine", view: View, capital_usd: float | None, now: int) -> dict[str, Any] | None:
    """Capital that new layers may still tie up before midnight UTC, as the gate `session-cap` counts it; absent while that gate is off."""
    plug = engine.settings.gates.get("session-cap")
    if plug is None or not plug.enabled or capital_usd is None or capital_usd <= 0:
        return None
    cap = defined_risk_capital_usd(view) * float(plug.settings.get("share", SESSION_SHARE))
    tier_cap = cap * float(plug.settings.get("tier_share", TIER_SHARE))
    used = dict.fromkeys(TIERS, 0.0)
    for layer in engine.state.ledger:
        if layer.proposed_at // DAY == now // DAY and layer.state in COMMITTED:
            used[layer.proposal.tier] = used.get(layer.proposal.tier, 0.0) + layer.proposal.capital_usd
    left = max(0.0, cap - sum(used.values()))
    by_tier = {tier: max(0.0, min(left, tier_cap - usd)) for tier, usd in used.items()}
    share_left = left / cap if cap > 0 else 0.0
    return {"cap_usd": cap, "used_usd": sum(used.values()), "left_usd": left, "left_ratio": share_left, "left_by_tier_usd": by_tier}
