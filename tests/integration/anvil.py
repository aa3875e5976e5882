"""A private chain for the tests: anvil on loopback, started here, checked before it is written to, stopped by its process id."""

import asyncio
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from web3 import Web3

from monitor.errors import SourceError

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "node_modules"
BINARY = MODULES / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
# The wrapper package picks a platform package by its install script, which is not run; the platform package is named outright.
PACKAGES = (
    "@foundry-rs/anvil@1.7.1",
    "@foundry-rs/anvil-linux-amd64@1.7.1",
    "@uniswap/v3-core@1.0.1",
    "@uniswap/v3-periphery@1.4.4",
    "solc@0.8.28",
)
START_SECONDS = 20.0
CALL_SECONDS = 30.0
INSTALL_SECONDS = 180.0


@dataclass(frozen=True)
class Anvil:
    """One running chain. `accounts` are anvil's own, unlocked and rich; `rpc` is the async callable the collectors take."""

    url: str
    chain_id: int
    process: subprocess.Popen[bytes]
    calls: list[str] = field(default_factory=list)

    def call(self, method: str, *params: Any) -> Any:
        """One JSON-RPC request; SourceError with the node's message if it answers with an error."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=CALL_SECONDS) as reply:
            answer = json.load(reply)
        self.calls.append(method)
        if "error" in answer:
            raise SourceError(f"{method}: {answer['error'].get('message')}")
        return answer["result"]

    async def rpc(self, method: str, params: Sequence[object]) -> Any:
        return await asyncio.to_thread(self.call, method, *params)

    def change(self, method: str, *params: Any) -> Any:
        """A call that changes the chain, made only once the node proves to be the one started here."""
        if int(self.call("eth_chainId"), 16) != self.chain_id:
            raise RuntimeError(f"{self.url} is another chain than the one this test started; it is left untouched.")
        return self.call(method, *params)

    @property
    def accounts(self) -> list[str]:
        return [Web3.to_checksum_address(account) for account in self.call("eth_accounts")]

    def send(self, sender: str, to: str | None, payload: str) -> dict[str, Any]:
        """Mine one transaction and return its receipt; RuntimeError if it reverts."""
        target = {} if to is None else {"to": to}
        sent = self.change("eth_sendTransaction", {"from": sender, "data": payload, "gas": hex(15_000_000), **target})
        receipt = self._receipt(sent)
        if receipt["status"] != "0x1":
            raise RuntimeError(f"transaction {sent} reverted")
        return receipt

    def _receipt(self, sent: str) -> dict[str, Any]:
        deadline = time.monotonic() + CALL_SECONDS
        while time.monotonic() < deadline:
            receipt: dict[str, Any] | None = self.call("eth_getTransactionReceipt", sent)
            if receipt is not None:
                return receipt
            time.sleep(0.005)
        raise RuntimeError(f"transaction {sent} was not mined within {CALL_SECONDS:.0f} s")


def missing_tools() -> str | None:
    """Install what is absent from the package registry; a sentence on what is missing and how to get it, or None."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        return "anvil and the Uniswap contracts need npm and node: install them (apt install npm), then run again"
    wanted = [package for package in PACKAGES if not (MODULES / package.rpartition("@")[0] / "package.json").is_file()]
    if wanted and not _installed(wanted):
        return f"npm could not install {' '.join(wanted)}: run `npm install --ignore-scripts --no-save` with them in {ROOT} where npm works"
    return None if os.access(BINARY, os.X_OK) else f"{BINARY} does not run on this machine"


def _installed(packages: list[str]) -> bool:
    command = ["npm", "install", "--ignore-scripts", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", *_standing(), *packages]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=INSTALL_SECONDS, check=False).returncode == 0


def _standing() -> list[str]:
    # npm removes what no manifest and no argument names, so whatever stands in node_modules is named again.
    lock = MODULES / ".package-lock.json"
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"] if lock.is_file() else {}
    return [
        f"{path.removeprefix('node_modules/')}@{facts['version']}" for path, facts in packages.items() if path.count("node_modules/") == 1
    ]


def skip_or_fail(reason: str) -> None:
    """A missing tool is a skip on a desk and a failure in continuous integration."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


@contextmanager
def started() -> Iterator[Anvil]:
    port, chain_id = _free_port(), 1_000_000_000 + secrets.randbelow(1_000_000_000)
    options = ["--prune-history", "256", "--slots-in-an-epoch", "1", "--silent", "--host", "127.0.0.1"]
    process = subprocess.Popen([BINARY, *options, "--port", str(port), "--chain-id", str(chain_id)], stdout=subprocess.DEVNULL)
    try:
        chain = Anvil(f"http://127.0.0.1:{port}", chain_id, process)
        _wait(chain)
        yield chain
    finally:
        process.kill()
        process.wait(timeout=START_SECONDS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(chain: Anvil) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and chain.process.poll() is None:
        try:
            chain.call("eth_chainId")
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"anvil did not answer on {chain.url} within {START_SECONDS:.0f} s")


@pytest.fixture(scope="session")
def anvil() -> Iterator[Anvil]:
    """A fresh chain for the session; skips with a sentence where the tools cannot be had."""
    if reason := missing_tools():
        skip_or_fail(reason)
    with started() as chain:
        yield chain
