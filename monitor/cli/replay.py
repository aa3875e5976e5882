"""`replay`: the same engine on history, unable to notify."""

from typing import Annotated

import typer

from monitor.cli.common import AsJson, example, load_config, open_store, options_of, print_table, settings_for, when
from monitor.errors import MonitorError


def register(app: typer.Typer) -> None:
    app.command(epilog=example("hedge-monitor replay --from 2022-05-01 --to 2022-06-01 --json"))(replay)


def replay(
    context: typer.Context,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Show from this instant on; thinking begins at the first observation.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Stop at this instant; by default at the last observation.")] = None,
    log: Annotated[bool, typer.Option("--log", help="Think the journal again in its own order, and compare with what was recorded.")] = False,
    as_json: AsJson = False,
) -> None:
    """Think history again, or audit what was decided.

    Nothing is sent, nothing is written. Exits 1 when there is nothing to replay, or when the audit differs.
    """
    start, end = when(from_, "--from"), when(to, "--to")
    options = options_of(context)
    config = load_config(options)
    store = open_store(config)
    try:
        if log:
            from monitor.replay.audit import audit

            result = audit(store, typer.echo)
            typer.echo(result.sentence, err=True)
            raise typer.Exit(0 if result.same else 1)
        from monitor.replay.report import lines, rows

        found = lines(store, settings_for(options, config, store), start, end)
        if found is None:
            raise MonitorError("there are no observations in this range: import or backfill some first, or widen --from and --to")
        if as_json:
            for line in found:
                typer.echo(line.json)
        else:
            print_table(("when", "what", "", "why"), rows(found))
    finally:
        store.close()
