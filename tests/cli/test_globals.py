"""The options that stand before the command."""

import pytest
from typer.testing import CliRunner

from monitor import __version__
from monitor.cli import app
from monitor.errors import ConfigError


def test_the_version_is_told_without_a_command():
    assert CliRunner().invoke(app, ["--version"]).output == f"hedge-monitor {__version__}\n"


@pytest.mark.parametrize(("level", "refused"), [("INFO", False), ("debug", False), ("LOUD", True), ("", True)])
def test_a_log_level_that_does_not_exist_is_a_mistake_of_usage(level: str, refused: bool):
    done = CliRunner().invoke(app, ["--log-level", level, "rules", "show", "defi-layer"])

    assert isinstance(done.exception, ConfigError) is refused
