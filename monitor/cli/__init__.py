"""The command line: one file a command, found by file name."""

import importlib
import pkgutil
from pathlib import Path
from typing import Annotated

import typer

from monitor import __version__
from monitor.cli.common import Options, example
from monitor.errors import ConfigError

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

app = typer.Typer(
    name="hedge-monitor",
    help="Says when to add a layer of protection to a DeFi book, how large, at what cost, and if not now, why not. It proposes; it never trades.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog=example("hedge-monitor demo"),
)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hedge-monitor {__version__}")
        raise typer.Exit


@app.callback()
def _globals(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Configuration file; without it ./hedge-monitor.yaml, if there is one.")] = None,
    store: Annotated[str | None, typer.Option(metavar="URL", help="Where history and decisions are kept: sqlite:///path.")] = None,
    log_level: Annotated[str, typer.Option(metavar="LEVEL", help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
    version: Annotated[bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Show the version and exit.")] = False,
) -> None:
    if log_level.upper() not in LOG_LEVELS:
        raise ConfigError(f"--log-level {log_level}: there are {', '.join(LOG_LEVELS)}")
    context.obj = Options(config, store, log_level)


for _found in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
    _module = importlib.import_module(f"{__name__}.{_found.name}")
    if hasattr(_module, "register"):
        _module.register(app)
