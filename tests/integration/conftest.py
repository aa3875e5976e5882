"""The tools as fixtures: a test that asks for one runs with it, or says why it cannot."""

from pathlib import Path

import pytest

from tests.integration import tools


@pytest.fixture(scope="session")
def anvil() -> Path:
    return tools.anvil_path()


@pytest.fixture(scope="session")
def prometheus() -> Path:
    return tools.prometheus_path()


@pytest.fixture(scope="session")
def promtool() -> Path:
    return tools.promtool_path()


@pytest.fixture(scope="session")
def chromium() -> Path:
    return tools.chromium_path()
