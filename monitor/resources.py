"""Folders that ship beside the code, found from the code and never from the working directory."""

from pathlib import Path
from typing import Literal

from monitor.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parent


def resource_dir(name: Literal["abis", "grafana"], package: Path = _PACKAGE) -> Path:
    """The folder `name`: inside the package when it was installed from a wheel, at the root of the checkout otherwise.

    Raises `ConfigError` where neither is there: the installation is incomplete.
    """
    shipped = package / name
    if shipped.is_dir():
        return shipped
    root = package.parent
    # Only a checkout has the project file: a folder of that name in site-packages belongs to someone else.
    if (root / "pyproject.toml").is_file() and (root / name).is_dir():
        return root / name
    raise ConfigError(f"{shipped}: the folder '{name}' is missing; install hedge-monitor again")
