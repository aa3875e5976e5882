"""The tools as fixtures: a test that asks for one runs with it, or says why it cannot."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration import tools
from tests.integration.anvil import Anvil, started
from tests.integration.uniswap import Uniswap, deploy


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


@pytest.fixture(scope="session")
def chain(anvil: Path) -> Iterator[Anvil]:
    """A running chain for the session."""
    with started(anvil) as running:
        yield running


@pytest.fixture(scope="session")
def uniswap(chain: Anvil) -> Uniswap:
    """A pool opened at 1 raw unit for 1, without positions."""
    return deploy(chain, 1 << 96)
