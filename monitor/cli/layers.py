"""`layers`: the ledger, and the operator's yes and no."""

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
    typer.echo(f"{found['id']}  {found.get('state', 'held')}\n{found.get('what', '')}\n{found.get('reason', '')}")
    typer.echo("")
    print_table(("condition", "verdict", "reason"), ((c["name"], c["verdict"], c.get("reason", "")) for c in found["conditions"]))
    typer.echo("")
    print_table(("gate", "outcome", "reason"), ((g["gate"], g["outcome"], g.get("reason", "")) for g in found["gates"]))


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


def _row(layer: dict[str, Any]) -> tuple[str, ...]:
    numbers = (f"{layer['notional_usd']:,.0f}", f"{layer['cost_usd']:,.2f}")
    return layer["id"], layer["position"], layer["tier"], layer["state"], *numbers, layer.get("reason", "")
