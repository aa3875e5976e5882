"""`export`: observations, decisions and layers out of the store."""

import json
import sys
from typing import Annotated

import typer

from monitor.cli.common import example, load_config, open_store, options_of, when
from monitor.errors import ConfigError

FOREVER = 2**62


def register(app: typer.Typer) -> None:
    app.command(epilog=example("hedge-monitor export 'tvl.*' --from 2022-05-01 --to 2022-06-01 > tvl.csv"))(export)


def export(
    context: typer.Context,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="A metric or pattern such as 'tvl.*', or one of: decisions, layers.")] = "*",
    from_: Annotated[str | None, typer.Option("--from", metavar="TIME", help="First instant (at), ISO-8601.")] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Last instant (at), ISO-8601.")] = None,
) -> None:
    """Write observations, decisions or layers to standard output.

    Observations come as CSV that `import` reads back, decisions and layers as JSON Lines.
    """
    from monitor.imports import write_csv

    start, end = when(from_, "--from"), when(to, "--to")
    config = load_config(options_of(context))
    store = open_store(config)
    first, last = start if start is not None else -FOREVER, end if end is not None else FOREVER
    if query in ("decisions", "layers"):
        some = False
        for seq, body in store.recorded_lines(("ledger",) if query == "layers" else None) or ():
            if first <= json.loads(body)["at"] <= last:
                some = True
                typer.echo(f'{{"seq":{seq},"effect":{body}}}')
    else:
        some = write_csv(store.select(query, first, last), sys.stdout) > 0
    store.close()
    if not some:
        raise ConfigError(f"nothing matches {query!r}: give a metric such as tvl.usd, a pattern such as 'candle.*', decisions or layers")
