"""Part of the view model: one position, what it is worth, how it moves and how it stands."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from monitor.core.book import Position
from monitor.core.condor import condor_of
from monitor.core.implied import scenario_now
from monitor.core.prospects import position_break_even
from monitor.core.risk import layers_in_force, net_greeks
from monitor.core.standing import standing
from monitor.core.tokens import STABLES
from monitor.core.valuation import chain_state
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.worth import Carry, Fees, Liquidation, Loss, Range, Standing, Valuation
from monitor.sinks.prospect_view import break_even_view
from monitor.sinks.shapes import present

BENT = frozenset({"curve", "balancer", "option", "iron-condor"})


def position_view(view: View, position: Position, value: Valuation | Unknown) -> dict[str, Any]:
    """What is known of a position. The chain's own integers need no price, so they stand beside `unknown` too."""
    named = {"id": position.id, "kind": position.kind, **present(chain=position.chain, holds=_holds(position)), **_exact(view, position)}
    if isinstance(value, Unknown):
        return {**named, "unknown": value.reason}
    stands = standing(view, position, value)
    return {
        **named,
        "value_usd": value.value_usd,
        **present(basis=value.basis),
        "amounts": dict(value.amounts),
        "delta_usd": dict(value.delta_usd),
        **_greeks(view, value),
        **plain(replace(stands, unknown={})),
        **present(missing=dict(stands.unknown) or None),
        **_break_even(view, position, value),
        "says": [
            *([value.basis] if value.basis else []),
            *_condor(view, position, value),
            *says(position, stands),
        ],
    }


def plain(value: Any) -> Any:
    """A dataclass as a table, what is None or empty left out: what was not computed is absent, never 0."""
    if is_dataclass(value):
        table = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        return {name: part for name, part in table.items() if part is not None and part not in ({}, [])}
    if isinstance(value, Mapping):
        return {name: plain(part) for name, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, tuple) else value


def _holds(position: Position) -> str | None:
    """Contracts in words: the amounts of an option are its delta, and not what was bought."""
    if position.kind == "option":
        return f"{position.size:,.6g} {position.asset} {position.right}s at {position.strike:,.6g} USD, to {position.expiry}"
    if position.kind == "iron-condor":
        return (
            f"{position.size:,.6g} {position.asset} condors at {'/'.join(f'{strike:,.6g}' for strike in position.strikes)} USD, to {position.expiry}"
        )
    return None


def _exact(view: View, position: Position) -> dict[str, Any]:
    """An LP's integers with the block that they are of. Age takes nothing from what a block said."""
    if not position.kind.startswith("uniswap-"):
        return {}
    try:
        state = chain_state(view, position)
    except Unknown:
        return {}
    return {**{name: str(number) for name, number in state.numbers.items()}, **present(block_hash=state.block_hash, at=state.at)}


def _greeks(view: View, value: Valuation) -> dict[str, Any]:
    """By asset, 0 left out: what is not bent has no gamma, what holds no option no vega."""
    try:
        greeks = net_greeks(value.exposure, scenario_now(view, value.exposure.assets))
    except (Unknown, ValueError) as why:
        return {"greeks_unknown": str(why)}
    gamma = {asset: one.gamma_usd for asset, one in greeks.items() if one.gamma_usd and asset not in STABLES}
    vega = {asset: one.vega_usd for asset, one in greeks.items() if one.vega_usd}
    return present(gamma_usd=gamma or None, vega_usd=vega or None)


def _break_even(view: View, position: Position, value: Valuation) -> dict[str, Any]:
    """Where it breaks even in a week. Of what bends nowhere that is today's price and says nothing: it is left out."""
    if not position.kind.startswith("uniswap-") and position.kind not in BENT:
        return {}
    try:
        return {"break_even": break_even_view(position_break_even(view, position, value))}
    except Unknown as why:
        return {"break_even_unknown": why.reason}


def says(position: Position, stands: Standing) -> list[str]:
    """How it stands, a plain sentence each."""
    said = []
    if stands.range is not None:
        said.append(_range(stands.range))
    if stands.fees is not None:
        said.append(_fees(stands.fees))
    if stands.loss is not None:
        said.append(_loss(stands.loss))
    if stands.health_factor is not None:
        said.append(f"Health factor {stands.health_factor:,.2f}; below 1 it can be liquidated")
    said += [_liquidation(one) for one in stands.liquidations]
    if stands.carry is not None:
        said += _carry(stands.carry)
    return said + not_known(stands.unknown)


def not_known(unknown: Mapping[str, str]) -> list[str]:
    """What cannot be said, each reason once with all that waits for it."""
    names: dict[str, list[str]] = {}
    for name, reason in sorted(unknown.items()):
        names.setdefault(reason, []).append(name.replace(".", " ").replace("_", " "))
    return [f"Not known, {', '.join(waiting)}: {reason}" for reason, waiting in names.items()]


def _condor(view: View, position: Position, value: Valuation) -> list[str]:
    """What an open condor can win and lose, where it breaks even, and which sold option is nearer or further out than it should be (ALVH)."""
    held = condor_of(position, view.now, value.exposure)
    if held is None:
        return []
    paid = sum(one.proposal.cost_usd for one in layers_in_force(view) if one.proposal.position == position.id)
    bare, net = (" and ".join(f"{price:,.6g}" for price in held.break_evens(cost)) or "no price" for cost in (0.0, paid))
    said = [f"Break-even at {bare}" + (f", with the cost of its layers at {net}" if paid else "")] if position.credit else []
    most = [f"Wins at most {held.max_profit_usd:,.0f} USD, loses at most {held.max_loss_usd:,.0f}"] if position.credit else []
    return [*most, *said, *(f"{note[0].upper()}{note[1:]}" for note in held.notes(scenario_now(view, held.exposure.assets)))]


def _range(where: Range) -> str:
    ends = f"{where.lower:,.6g} to {where.upper:,.6g}"
    if where.state == "inside":
        return f"In range: {where.price:,.6g} lies in {ends} {where.unit}"
    hours = f", {where.out_hours:,.0f} h of the last 30 days" if where.out_hours is not None else ""
    return f"Out of range: {where.price:,.6g} lies {where.state} {ends} {where.unit}{hours}; out there it earns no fees"


def _fees(fees: Fees) -> str:
    earned = f", {fees.earned_usd:,.2f} USD earned" if fees.earned_usd is not None else ""
    earned += f" in {fees.in_range_hours:,.0f} h in range of the last 30 days" if earned and fees.in_range_hours is not None else ""
    yearly = f", {fees.annual_usd:,.0f} USD a year at that pace" if fees.annual_usd is not None else ""
    return f"Fees: {fees.uncollected_usd:,.2f} USD not collected yet{earned}{yearly}"


def _loss(loss: Loss) -> str:
    return f"Impermanent loss {loss.ratio:+.2%} ({loss.usd:+,.0f} USD) against {loss.basis}"


def _liquidation(one: Liquidation) -> str:
    far = f", {one.sigmas:.1f} weekly sigmas" if one.sigmas is not None else ""
    return f"Liquidated with {one.asset} {one.side} {one.price_usd:,.6g} USD ({one.distance:.1%}{far} away)"


def _carry(carry: Carry) -> list[str]:
    parts = {"funding": carry.funding_usd, "interest on what is supplied": carry.supplied_usd, "interest on what is owed": carry.owed_usd}
    return [f"Carry: {usd:+,.0f} USD a year of {name}" for name, usd in parts.items() if usd is not None]
