"""`run`: the daemon."""

import asyncio

import typer

from monitor.cli.common import load_config, options_of


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: hedge-monitor --config hedge-monitor.yaml run")(run)


def run(context: typer.Context) -> None:
    """Watch, decide and tell until stopped. SIGTERM stops cleanly, SIGHUP reloads the configuration; a bad file keeps the old one and alerts."""
    options = options_of(context)
    config = load_config(options)
    from monitor.app import serve
    from monitor.cli.common import start_logging

    start_logging(options, config)
    asyncio.run(serve(config, announce=typer.echo, reread=lambda: load_config(options)))
