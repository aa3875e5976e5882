"""The command line: one file a command, found by file name."""

import importlib
import pkgutil
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.common import Options

app = typer.Typer(
    name="hedge-monitor",
    help="Says when to add a layer of protection to a DeFi book, how large, at what cost, and if not now, why not. It proposes; it never trades.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _globals(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="Configuration file; without it ./hedge-monitor.yaml, if there is one.")] = None,
    store: Annotated[str | None, typer.Option(help="Where history and decisions are kept: sqlite:///path.")] = None,
    log_level: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
) -> None:
    context.obj = Options(config, store, log_level)


for _found in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
    _module = importlib.import_module(f"{__name__}.{_found.name}")
    if hasattr(_module, "register"):
        _module.register(app)
