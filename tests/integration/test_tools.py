"""The ground that the other integration tests stand on."""

import json
import socket
import subprocess
import threading
import time
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


def test_what_is_installed_by_half_is_seen_by_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Two workers start with nothing: the second looks only when the first has finished."""
    monkeypatch.setattr(tools, "UNPACKED", tmp_path)
    monkeypatch.setattr(tools, "NODE_MODULES", tmp_path)
    half_done, seen = threading.Event(), list[bool]()

    def install() -> None:
        (tmp_path / "package").mkdir()
        half_done.set()
        time.sleep(0.2)
        (tmp_path / "package" / "whole").touch()

    monkeypatch.setattr(tools, "_install_node_packages", install)
    first = threading.Thread(target=tools.node_package, args=("package",))
    first.start()
    assert half_done.wait(10)
    seen.append((tools.node_package("package") / "whole").exists())
    first.join()
    assert seen == [True]
