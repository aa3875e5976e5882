"""`dashboards build`: grafana/ from code."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.common import example


def register(app: typer.Typer) -> None:
    shown = example("hedge-monitor dashboards build --out /etc/hedge-monitor/grafana")
    group = typer.Typer(help="Grafana dashboards and Prometheus rules, made from code.", no_args_is_help=True, epilog=shown)
    group.command(epilog=shown)(build)
    # A callback keeps `build` a word of its own while it is the only one.
    group.callback()(lambda: None)
    app.add_typer(group, name="dashboards")


Folder = Annotated[Path, typer.Option(metavar="FOLDER", help="Folder to write; what stands there under the same names is replaced.")]


def build(out: Folder = Path("grafana")) -> None:
    """Write dashboards, rules, and what provisions them.

    The same version writes the same bytes.
    """
    from monitor.dashboards import write
    from monitor.errors import ConfigError

    try:
        made = write(out)
    except OSError as error:
        raise ConfigError(f"{out}: {error.strerror or error}") from error
    for name in made:
        typer.echo(out / name)
