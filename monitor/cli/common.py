"""What every command needs: its configuration, its store, its output."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from monitor.errors import ConfigError

if TYPE_CHECKING:
    from monitor.config import Config
    from monitor.core.settings import Settings
    from monitor.store.sqlite import SqliteStore

T = TypeVar("T")
DEFAULT_FILE = Path("hedge-monitor.yaml")
AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines instead of a table.")]


def example(words: str) -> str:
    """A command's example for the end of its help: on a line of its own and never folded, so that it can be copied."""
    return f"\b\nExample:\n  {words}"


@dataclass(frozen=True)
class Options:
    """The options that stand before the command."""

    config: Path | None = None
    store: str | None = None
    log_level: str = "INFO"

    @property
    def config_file(self) -> Path | None:
        return self.config or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)


def options_of(context: typer.Context) -> Options:
    options = context.find_object(Options)
    return options or Options()


def load_config(options: Options) -> "Config":
    """The configuration with the command line's store over it. Raises ConfigError."""
    from monitor.config import discover, load

    environ = dict(os.environ)
    if options.store is not None:
        environ["HEDGE_MONITOR_STORE__URL"] = options.store
    return load(options.config_file, environ, discover())


def open_store(config: "Config", *, role: str | None = None) -> "SqliteStore":
    """The store of a configuration; with a role it may write, and nobody else may. Raises StoreError."""
    from monitor.store.sqlite import SqliteStore

    return SqliteStore(config.store.path, role=role)


def view_of(config: "Config") -> dict[str, Any]:
    """What the HTTP API shows of a store, read beside a running daemon or without one. Raises StoreError.

    Where no daemon has ever run, the configuration is put in force here and nowhere else: imported rows can be looked at.
    """
    from monitor.app import build_pipeline, configured_event, engine_settings
    from monitor.clock import SystemClock
    from monitor.commands import wall_ms
    from monitor.shell import Shell

    store = open_store(config)
    try:
        pipeline = build_pipeline(store, config, wall_ms)
        notice = ""
        if store.last_settings() is None:
            notice = "No daemon has run on this store: this is what its rows and your configuration say by themselves."
            pipeline.engine.absorb(configured_event(engine_settings(config), pipeline.engine.now or wall_ms()))
        pipeline.engine.look_again()
        shell = Shell(pipeline, SystemClock(), notice=notice)
        shell.recall()
        return shell.model()
    finally:
        store.close()


def section(model: dict[str, Any], name: str) -> dict[str, Any]:
    """One section of the API, as `/api/v1/NAME` gives it."""
    from monitor.sinks.openapi import SECTIONS

    return {"at": model["now"]["at"], **{key: model[key] for key in SECTIONS[name] if key in model}}


def settings_for(options: Options, config: "Config", store: "SqliteStore") -> "Settings":
    from monitor.app import settings_in_force

    return settings_in_force(store, config, config_given=options.config_file is not None)


def when(text: str | None, name: str) -> int | None:
    """Epoch milliseconds of a time option. Raises ConfigError, so that a slip is a usage error."""
    from monitor.core.units import parse_time

    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from None


def print_json(value: object) -> None:
    from monitor.core.codec import presented

    typer.echo(json.dumps(presented(value), sort_keys=True, ensure_ascii=True, allow_nan=False))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A plain table that fits the terminal; a pipe gets full width."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False).print(table)


def progress(items: Iterable[T], label: str) -> Iterable[T]:
    """The items, with a count on a terminal and nothing in a pipe."""
    if not sys.stderr.isatty():
        yield from items
        return
    for count, item in enumerate(items, start=1):
        if count % 1000 == 0:
            print(f"\r{label}: {count:,}", end="", file=sys.stderr, flush=True)
        yield item
    print(file=sys.stderr)


def start_logging(options: Options, config: "Config") -> None:
    """Logs on standard error: lines for people on a terminal, JSON elsewhere; no secret of the configuration ever shows."""
    from monitor.core.secret import Redactor, Secret
    from monitor.logs import configure_logging

    redactor = Redactor(*(Secret(secret.get_secret_value()) for secret in config.secrets))
    configure_logging(redactor, json_lines=not sys.stderr.isatty(), level=options.log_level.upper())
    for warning in config.warnings:
        print(warning, file=sys.stderr)
