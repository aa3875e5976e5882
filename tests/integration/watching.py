"""A daemon that watches a private chain, and what the contracts would pay for the positions that it shows."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from monitor.core.amm import sqrt_ratio_at_tick
from tests.integration.anvil import started
from tests.integration.daemons import Running, command, environment
from tests.integration.uniswap import Uniswap, deploy

OTHERS = ("binance", "bls", "bybit", "defillama", "dydx", "hyperliquid", "us-calendar")
HOUR_SECONDS = 3600


def settings(cadence: str = "1s") -> dict[str, str]:
    """A daemon that asks the chain alone, as often as it may, on any free port."""
    off = {f"HEDGE_MONITOR_SOURCES__{name.upper().replace('-', '_')}__ENABLED": "no" for name in OTHERS}
    return environment(HEDGE_MONITOR_SOURCES__UNISWAP_V3__CADENCE=cadence, HEDGE_MONITOR_SERVER__PORT="0", **off)


def initialised(file: Path, world: Uniswap, url: str = "") -> str:
    """The configuration as `init` writes it for the owner of everything; what it said."""
    chain = ["--rpc", url or world.chain.url, "--chain", "anvil", "--chain-id", str(world.chain.chain_id)]
    said = command("init", str(file), "--owner", world.owner, *chain, "--manager", world.manager.address)
    assert said.returncode == 0, said.stderr
    return said.stdout


@dataclass(frozen=True)
class Watched:
    """A running daemon and the contracts that it watches."""

    running: Running
    world: Uniswap

    def shown(self) -> dict[int, Mapping[str, Any]]:
        """Each position as the API shows it, by token id."""
        rows = self.running.get("/api/v1/positions")["positions"]
        return {int(row["id"].removeprefix("lp-")): row for row in rows}

    def source(self) -> Mapping[str, Any]:
        """How the reader of the chain is."""
        [row] = [row for row in self.running.get("/api/v1/sources")["sources"] if row["id"] == "uniswap-v3"]
        return row

    def at_the_newest_block(self) -> tuple[str, dict[int, Mapping[str, Any]]]:
        """The newest block's hash and the positions, once they are all of that block."""
        newest = self.world.chain.call("eth_getBlockByNumber", "latest", False)["hash"]

        def look() -> dict[int, Mapping[str, Any]] | None:
            shown = self.shown()
            return shown if all(row.get("block_hash") == newest for row in shown.values()) else None

        return newest, self.running.wait_for(look, 30)


def due(world: Uniswap, token_id: int, block_hash: str) -> dict[str, str]:
    """The exact fields of the API as the contracts have them: an eth_call at exactly this block."""
    liquidity, paid = world.paid(token_id, {"blockHash": block_hash, "requireCanonical": True})
    return {name: str(number) for name, number in {"liquidity": liquidity, **asdict(paid)}.items()}


def wrong(world: Uniswap, shown: Mapping[int, Mapping[str, Any]]) -> list[str]:
    """Every field of every position that is not, to the unit, what the contracts would pay at the block that stands beside it."""
    owed = {token_id: due(world, token_id, row["block_hash"]) for token_id, row in shown.items()}
    return [
        f"{token_id}.{name}: {shown[token_id].get(name)} is not {value}"
        for token_id, fields in owed.items()
        for name, value in fields.items()
        if shown[token_id].get(name) != value
    ]


@contextmanager
def past_world(anvil: Path) -> Iterator[Uniswap]:
    """A chain of its own with Uniswap on it, an hour behind the clock until `come_to_now`.

    A block's time is at least its parent's, and often a second more, so a chain that is built at once would run ahead of the clock.
    """
    with started(anvil, "--timestamp", str(int(time.time()) - HOUR_SECONDS)) as chain:
        yield deploy(chain, sqrt_ratio_at_tick(7))


def come_to_now(world: Uniswap) -> None:
    """Blocks have the time of the clock from here on."""
    world.chain.change("evm_setTime", hex(int(time.time())))
    world.chain.change("evm_mine")
