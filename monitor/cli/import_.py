"""`import`: observations from CSV files, through the same door as live ones."""

import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.common import example, load_config, options_of

if TYPE_CHECKING:
    from monitor.config import Config


def register(app: typer.Typer) -> None:
    app.command("import", epilog=example("hedge-monitor import tvl.csv cpi.csv"))(import_files)


def import_files(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV files with the header metric,subject,source,at,known_at,value.")],
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave bad rows out and print how many, instead of taking nothing.")] = False,
) -> None:
    """Take observations from CSV files. A bad row is named, and then nothing of its file is taken.

    Rows are stored some thousand at a time; stopped on the way and run again, it stores the rest.
    """
    from monitor.errors import MonitorError

    config, failed = load_config(options_of(context)), False
    for file in files:
        try:
            failed |= not _take(config, file, skip_bad=skip_bad)
        except MonitorError as error:
            typer.echo(str(error), err=True)
            failed = True
    raise typer.Exit(1 if failed else 0)


def _take(config: "Config", file: Path, *, skip_bad: bool) -> bool:
    """Read one file and hand its rows over; False when nothing of it was taken."""
    from monitor.commands import import_readings
    from monitor.imports import read_csv

    with closing(read_csv(file, _counting(f"{file}: reading"))) as rows:
        _counted()
        for problem in rows.problems:
            typer.echo(problem, err=True)
        if rows.bad and not skip_bad:
            typer.echo(f"{file}: nothing was taken ({rows.bad} bad rows); mend them, or leave them out with --skip-bad", err=True)
            return False
        stored = import_readings(config, rows.readings(), _counting(f"{file}: storing", rows.good))
        _counted()
        skipped = f", {rows.bad} bad rows left out" if rows.bad else ""
        typer.echo(f"{file}: {rows.good} rows read, {stored}{skipped}")
    return True


def _counting(label: str, total: int | None = None) -> Callable[[int], None]:
    """Shows a count on a terminal, and nothing in a pipe."""
    of = "" if total is None else f" of {total:,}"

    def show(count: int) -> None:
        if sys.stderr.isatty():
            print(f"\r\x1b[K{label} {count:,}{of}", end="", file=sys.stderr, flush=True)

    return show


def _counted() -> None:
    """Wipe the count away."""
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
