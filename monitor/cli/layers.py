"""`layers`: the ledger, and the operator's yes and no."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from monitor.cli.common import AsJson, example, load_config, options_of, print_json, print_table, section, view_of
from monitor.errors import MonitorError

LayerId = Annotated[str, typer.Argument(metavar="ID", help="A layer's id, as `layers` lists it.")]
Note = Annotated[str, typer.Option(metavar="TEXT", help="Why: it goes on record with your name.")]


def register(app: typer.Typer) -> None:
    layers = typer.Typer(invoke_without_command=True, epilog=example("hedge-monitor layers approve L-0123456789ab"))
    layers.callback()(bare)
    layers.command("list", epilog=example("hedge-monitor layers list --json"))(listed)
    for action in (show, approve, reject, activate, close):
        layers.command(epilog=example(f"hedge-monitor layers {action.__name__} L-0123456789ab"))(action)
    app.add_typer(layers, name="layers")


def bare(context: typer.Context, as_json: AsJson = False) -> None:
    """List, approve, reject, activate and close layers.

    Nothing is ever traded: this is the record of what you do.
    """
    if context.invoked_subcommand is None:
        listed(context, as_json)


def listed(context: typer.Context, as_json: AsJson = False) -> None:
    """List layers, and the proposals that are held back."""
    model = view_of(load_config(options_of(context)))
    if as_json:
        print_json(section(model, "layers"))
        return
    headings = ("layer", "position", "tier", "state", "notional USD", "cost USD", "reason")
    held = [{**one, "state": "held"} for one in model["held"]]
    print_table(headings, map(_row, [*model["layers"], *held]))


def show(context: typer.Context, layer_id: LayerId, as_json: AsJson = False) -> None:
    """Show one layer: what, why, and what every gate said."""
    model = view_of(load_config(options_of(context)))
    found = _find(model, layer_id)
    if as_json:
        print_json(found)
        return
    typer.echo(
        "\n".join(
            filter(
                None, (f"{found['id']}  {found.get('state', 'held')}", found.get("what", found.get("binding")), found.get("reason"), *_facts(found))
            )
        )
    )
    typer.echo("")
    print_table(("condition", "verdict", "reason"), ((c["name"], c["verdict"], c.get("reason", "")) for c in found["conditions"]))
    typer.echo("")
    built = [gate for gate in found["gates"] if gate["outcome"] != "not_built"]
    print_table(("gate", "outcome", "reason"), ((g["gate"], g["outcome"], g.get("reason", "")) for g in built))
    if missing := [gate["gate"] for gate in found["gates"] if gate["outcome"] == "not_built"]:
        typer.echo(f"not built yet, so not asked: {', '.join(missing)}")


def approve(context: typer.Context, layer_id: LayerId, note: Note = "") -> None:
    """Say yes to a proposed layer."""
    _move(context, "approve", layer_id, note)


def reject(context: typer.Context, layer_id: LayerId, note: Note = "") -> None:
    """Say no to a proposed or approved layer."""
    _move(context, "reject", layer_id, note)


def activate(context: typer.Context, layer_id: LayerId, note: Note = "") -> None:
    """Say that an approved layer is in place now."""
    _move(context, "activate", layer_id, note)


def close(context: typer.Context, layer_id: LayerId, note: Note = "") -> None:
    """Say that an active layer was taken off."""
    _move(context, "close", layer_id, note)


def _move(context: typer.Context, action: str, layer_id: str, note: str) -> None:
    """Look before asking, so that a slip is answered here; the daemon looks again when it does it."""
    from monitor.commands import signal

    config = load_config(options_of(context))
    refusal = _refusal(view_of(config), action, layer_id)
    if refusal:
        raise MonitorError(refusal)
    typer.echo(f"{action} {layer_id}: {signal(config, action, layer_id, note)}")


def _refusal(model: dict[str, Any], action: str, layer_id: str) -> str:
    from monitor.core.ledger import LEADS_FROM
    from monitor.core.operator import STATE_OF

    state = _find(model, layer_id).get("state", "held")
    wanted = STATE_OF[action]
    return "" if state in LEADS_FROM[wanted] else f"{layer_id} is {state}, it cannot become {wanted}"


def _find(model: dict[str, Any], layer_id: str) -> dict[str, Any]:
    found: dict[str, Any] | None = next((one for one in [*model["layers"], *model["held"]] if one["id"] == layer_id), None)
    if found is None:
        raise MonitorError(f"there is no layer {layer_id}: `hedge-monitor layers` lists them")
    return found


def _facts(layer: dict[str, Any]) -> Iterator[str]:
    """What it was sized by, what it would do, and how long it may be said yes to: what the page and the API show."""
    if "notional_usd" in layer:
        yield f"protects {layer['notional_usd']:,.0f} of {layer['position_value_usd']:,.0f} USD, ties up {layer['capital_usd']:,.0f} USD"
        yield f"costs {layer['cost_usd']:,.2f} USD over {layer['horizon_days']:.3g} days: {layer['cost_source']}"
    for label, name in (("sized by", "basis"), ("returns not known", "returns_unknown")):
        if layer.get(name):
            yield f"{label}: {layer[name]}"
    if "returns" in layer:
        yield from _returns(layer["returns"])
    if "valid_until" in layer:
        from monitor.core.units import iso

        yield f"valid until {iso(layer['valid_until'])}"


def _returns(found: dict[str, Any]) -> Iterator[str]:
    for path in found["paths"]:
        layer, hedged = path["layer_usd"], f"{path['hedged_usd']:+,.0f} USD ({path['hedged_return']:+.2%})"
        loss = _offset(path) if "loss_offset" in path else ""
        yield f"at {path['sigmas']:+g} sigma ({path['price_usd']:,.6g} USD): the layer {layer:+,.0f} USD, with its position {hedged} in a week{loss}"
    for label, name in (("alone", "alone"), ("with the layer", "with_layers"), ("with it and its cost", "with_cost")):
        prices = [f"{price:,.6g}" for price in found["break_even"][name]["prices_usd"]]
        yield f"breaks even in a week {label}: {' and '.join(prices) + ' USD' if prices else 'at no price near'}"
    for thin in found["lens"]:
        worst = min(path["hedged_usd"] for path in thin["paths"])
        yield f"with depth down {thin['depth_down']:.0%}: costs {thin['cost_usd']:,.2f} USD, at worst {worst:+,.0f} USD with its position"


def _row(layer: dict[str, Any]) -> tuple[str, ...]:
    numbers = (f"{layer['notional_usd']:,.0f}", f"{layer['cost_usd']:,.2f}")
    return layer["id"], layer["position"], layer["tier"], layer["state"], *numbers, layer.get("reason", "")


def _offset(path: dict[str, Any]) -> str:
    share = path["loss_offset"]
    does = f"makes good {share:.0%} of" if share >= 0 else f"adds {-share:.0%} to"
    return f"; the layer {does} an impermanent loss of {-path['loss_usd']:,.0f} USD"
