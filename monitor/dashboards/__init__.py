"""Dashboards and Prometheus rules as code: what stands in grafana/ is made here, from the names that `/metrics` serves.

A metric that is renamed there is an error here, before any panel stays empty.
"""

from collections.abc import Mapping
from pathlib import Path

from monitor.dashboards import alarms, liquidity, overview
from monitor.resources import resource_dir

DASHBOARDS = (overview.dashboard, liquidity.dashboard)


def generated() -> Mapping[str, str]:
    """The text of every file that is made from code, by its path inside grafana/. The same code gives the same bytes."""
    boards = [dashboard() for dashboard in DASHBOARDS]
    return {f"dashboards/{board.uid}.json": board.text() for board in boards} | {
        "prometheus/alerts.yml": alarms.text(alarms.alerts()),
        "prometheus/rules.yml": alarms.text(alarms.records()),
    }


def write(folder: Path) -> list[str]:
    """Make `folder` a whole grafana/: the generated files, and those written by hand beside them. Returns the paths of the generated ones.

    Raises `ConfigError` where the installation lacks the files written by hand, `OSError` where the folder cannot be written.
    """
    made = generated()
    shipped = resource_dir("grafana")
    if folder.resolve() != shipped.resolve():
        for path in shipped.rglob("*"):
            name = path.relative_to(shipped)
            if path.is_file() and str(name) not in made:
                _put(folder / name, path.read_text(encoding="utf-8"))
    for made_name, text in made.items():
        _put(folder / made_name, text)
    return sorted(made)


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
