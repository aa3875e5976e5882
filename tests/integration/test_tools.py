"""The ground that the other integration tests stand on."""

import json
import socket
import subprocess
from pathlib import Path

import pytest
from pytest_socket import SocketConnectBlockedError

from tests.integration import tools


@pytest.mark.parametrize("tool", ["anvil", "prometheus", "promtool", "chromium"])
def test_each_tool_is_here_and_says_its_version(tool: str, request: pytest.FixtureRequest):
    path: Path = request.getfixturevalue(tool)

    said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60, check=True)

    assert tool in (said.stdout + said.stderr).lower()


@pytest.mark.parametrize(
    ("package", "artifact"),
    [
        ("@uniswap/v3-core", "artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json"),
        (
            "@uniswap/v3-periphery",
            "artifacts/contracts/NonfungiblePositionManager.sol/NonfungiblePositionManager.json",
        ),
    ],
)
def test_each_contract_comes_with_its_bytecode(package: str, artifact: str):
    contract = json.loads((tools.node_package(package) / artifact).read_text())

    assert len(bytes.fromhex(contract["bytecode"].removeprefix("0x"))) > 10_000


def test_an_integration_test_may_reach_loopback():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), timeout=5) as client:
        assert client.getpeername() == server.getsockname()


@pytest.mark.filterwarnings("ignore:A test tried to use")
def test_an_integration_test_may_not_leave_the_machine():
    with pytest.raises(SocketConnectBlockedError, match=r"192\.0\.2\.1"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
