"""A private chain for the tests: anvil on loopback, started here, checked before it is written to, stopped by its process id."""

import asyncio
import json
import secrets
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from web3 import Web3

from monitor.errors import SourceError

START_SECONDS = 20.0
CALL_SECONDS = 30.0


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

    def send(self, sender: str, to: str | None, payload: str, value_wei: int = 0) -> dict[str, Any]:
        """Mine one transaction and return its receipt; RuntimeError if it reverts."""
        target = {"value": hex(value_wei)} | ({} if to is None else {"to": to})
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


@contextmanager
def started(binary: Path, *more: str) -> Iterator[Anvil]:
    """A fresh chain on a free port, with more of anvil's options if wanted, killed at the end."""
    port, chain_id = _free_port(), 1_000_000_000 + secrets.randbelow(1_000_000_000)
    options = ["--prune-history", "256", "--slots-in-an-epoch", "1", "--silent", "--host", "127.0.0.1"]
    process = subprocess.Popen([binary, *options, "--port", str(port), "--chain-id", str(chain_id), *more], stdout=subprocess.DEVNULL)
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
