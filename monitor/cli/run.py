"""`run`: the daemon."""

import os
from contextlib import ExitStack

import typer

from monitor import early
from monitor.cli.common import example, load_config, options_of


def register(app: typer.Typer) -> None:
    app.command(epilog=example("hedge-monitor --config hedge-monitor.yaml run"))(run)


def run(context: typer.Context) -> None:
    """Watch, decide and tell until stopped.

    SIGTERM stops cleanly, SIGHUP reloads the configuration; a bad file keeps the old one and alerts.
    """
    options = options_of(context)
    with ExitStack() as stack:
        first = early.start(options.config_file, os.environ)  # before all that takes long to import
        if first is not None:
            stack.callback(first.close)
        import asyncio

        from monitor.app import serve
        from monitor.cli.common import start_logging

        config = load_config(options)
        if first is not None and first.place != (config.server.host, config.server.port):
            first.close()
            first = None
        start_logging(options, config)
        asyncio.run(serve(config, announce=typer.echo, reread=lambda: load_config(options), early=first))
