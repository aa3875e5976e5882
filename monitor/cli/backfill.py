"""`backfill`: history into the store."""

import random
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.common import example, load_config, options_of, when
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from monitor.backfill import Span, Stream, Tally
    from monitor.config import Config

SHOWN_REFUSALS = 3


def register(app: typer.Typer) -> None:
    app.command(epilog=example("hedge-monitor backfill --from 2024-01-01 --source defillama"))(backfill)


def backfill(
    context: typer.Context,
    from_: Annotated[str, typer.Option("--from", metavar="TIME", help="First instant, ISO-8601.")],
    to: Annotated[str | None, typer.Option("--to", help="Where to stop; without it now, and the next run goes on.")] = None,
    source: Annotated[str | None, typer.Option(help="One source; without it every enabled one that has a history.")] = None,
) -> None:
    """Fetch history into the store, page by page.

    It keeps to the pace that the sources allow, and can be stopped at any time: the same command goes on where it was. Beside a running
    daemon the rows go through its inbox. Exits 1 when a history could not be fetched to its end.
    """
    from monitor.backfill import Span
    from monitor.commands import wall_ms

    start, end = when(from_, "--from"), when(to, "--to")
    now = wall_ms()
    if start is None or start >= (now if end is None else end):
        raise ConfigError(f"--from {from_} does not lie before {f'--to {to}' if to else 'now'}")
    if end is not None and end > now:
        raise ConfigError(f"--to {to} lies in the future: leave it out to fetch until now")
    config = load_config(options_of(context))
    import asyncio

    found = asyncio.run(_fetch(config, Span(start, now if end is None else end, is_open=end is None), source))
    raise typer.Exit(1 if any(tally.failed for tally in found.values()) else 0)


async def _fetch(config: "Config", span: "Span", only: str | None) -> "dict[str, Tally]":
    from monitor.app import private_hosts
    from monitor.backfill import Backfill, keeper, streams_of
    from monitor.clock import SystemClock
    from monitor.net import EgressPolicy, HttpNet
    from monitor.source import Ports

    streams = streams_of(config.enabled_sources, config.watch, only)
    async with HttpNet(EgressPolicy(allowed_hosts=private_hosts(config))) as net:
        with keeper(config) as (store, keep, beside):
            ports = Ports(net, SystemClock(), random.Random())
            found = await Backfill(store, keep, ports, config.watch, span, _progress).run(streams)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    for name, tally in found.items():
        typer.echo(f"{name}: {_line(tally, beside)}")
        for reason in tally.refused[:SHOWN_REFUSALS]:
            typer.echo(f"  refused: {reason}", err=True)
    return found


def _progress(stream: "Stream", tally: "Tally", at_ms: int) -> None:
    if sys.stderr.isatty():
        from monitor.core.units import iso

        print(f"\r\x1b[K{stream}: {iso(at_ms)[:10]}, {tally.stored:,} rows", end="", file=sys.stderr, flush=True)


def _line(tally: "Tally", beside: bool) -> str:
    if tally.was_done:
        return "done before, nothing to fetch"
    told = f"{tally.stored:,} rows " + ("handed to the running daemon" if beside else "new") + f", {tally.pages} pages"
    told += f", {len(tally.refused)} refused" if tally.refused else ""
    return f"{told}; stopped: {tally.failed}; run it again to go on" if tally.failed else told
