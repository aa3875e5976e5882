"""`status`: the book, the triggers with their distance, layers, sources."""

import sys
import time
from typing import Annotated, Any

import typer

from monitor.cli.common import AsJson, example, load_config, options_of, print_json, print_table, view_of

CLEAR = "\x1b[2J\x1b[H"


def register(app: typer.Typer) -> None:
    app.command(epilog=example("hedge-monitor status --watch"))(status)


def status(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every 2 seconds until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show book, triggers with distance, layers and sources.

    It shows what the store knows. Works beside a running daemon and without one.
    """
    config = load_config(options_of(context))
    while True:
        model = view_of(config)
        if as_json:
            print_json(model)
        else:
            if watch and sys.stdout.isatty():
                typer.echo(CLEAR, nl=False)
            _show(model)
        if not watch:
            return
        time.sleep(2)


def _show(model: dict[str, Any]) -> None:
    if notice := model["now"].get("notice"):
        typer.echo(notice)
    typer.echo(model["headline"])
    _show_book(model["book"], model["positions"])
    typer.echo("")
    judged = [one for one in model["triggers"] if one["verdict"] != "NOT_CONFIGURED"]
    print_table(("trigger", "subject", "verdict", "distance", "why"), map(_trigger_row, judged))
    if left_out := len(model["triggers"]) - len(judged):
        typer.echo(f"{left_out} more have no source set up for what they read: hedge-monitor check names them")
    if model["layers"]:
        typer.echo("")
        print_table(("layer", "position", "state", "notional USD", "cost USD"), map(_layer_row, model["layers"]))
    if model["sources"]:
        typer.echo("")
        print_table(("source", "", "age", "note"), map(_source_row, model["sources"]))


def _show_book(book: dict[str, Any], positions: list[dict[str, Any]]) -> None:
    if not positions:
        return
    for sentence in book["says"]:
        typer.echo(sentence)
    typer.echo("")
    print_table(("position", "kind", "value USD", "delta USD", "how it stands"), [row for one in positions for row in _position_rows(one)])


def _position_rows(position: dict[str, Any]) -> list[tuple[str, ...]]:
    """A position in one row, and a row for each further sentence about it."""
    if "unknown" in position:
        return [(position["id"], position["kind"], "not known", "", position["unknown"])]
    delta = ", ".join(f"{asset} {usd:+,.0f}" for asset, usd in position["delta_usd"].items())
    first, *more = position["says"] or [""]
    head = (position["id"], position["kind"], f"{position['value_usd']:,.0f}", delta, first)
    return [head, *(("", "", "", "", sentence) for sentence in more)]


def _trigger_row(trigger: dict[str, Any]) -> tuple[str, ...]:
    distance = f"{trigger['distance']:+.2f}" if "distance" in trigger else ""
    return trigger["rule"], trigger["subject"], trigger["verdict"], distance, trigger.get("reason", "")


def _layer_row(layer: dict[str, Any]) -> tuple[str, ...]:
    return layer["id"], layer["position"], layer["state"], f"{layer['notional_usd']:,.0f}", f"{layer['cost_usd']:,.2f}"


def _source_row(source: dict[str, Any]) -> tuple[str, ...]:
    age = f"{source['age_seconds']:,.0f} s" if "age_seconds" in source else "never heard"
    return source["id"], "up" if source.get("up") else "down", age, source.get("reason", "")
