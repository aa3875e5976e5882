"""`import`: observations from CSV files, through the same door as live ones."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.common import example, load_config, options_of
from monitor.errors import MonitorError


def register(app: typer.Typer) -> None:
    app.command("import", epilog=example("hedge-monitor import tvl.csv cpi.csv"))(import_files)


def import_files(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV files with the header metric,subject,source,at,known_at,value.")],
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave bad rows out and print how many, instead of taking nothing.")] = False,
) -> None:
    """Take observations from CSV files. A bad row is named, and then nothing of its file is taken."""
    from monitor.commands import import_readings
    from monitor.imports import read_csv

    config = load_config(options_of(context))
    failed = False
    for file in files:
        try:
            found = read_csv(file)
        except MonitorError as error:
            typer.echo(str(error), err=True)
            failed = True
            continue
        for problem in found.problems:
            typer.echo(problem, err=True)
        if found.bad and not skip_bad:
            typer.echo(f"{file}: nothing was taken ({found.bad} bad rows); mend them, or leave them out with --skip-bad", err=True)
            failed = True
            continue
        stored = import_readings(config, found.readings)
        skipped = f", {found.bad} bad rows left out" if found.bad else ""
        typer.echo(f"{file}: {len(found.readings)} rows read, {stored}{skipped}")
    raise typer.Exit(1 if failed else 0)
