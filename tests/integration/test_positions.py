"""The positions of a running daemon against what the contracts would pay, at the block that it names itself, to the unit.

The configuration is the one that `init --owner` writes, used as it stands: only what a machine without a network has to, is switched off by
environment.
"""

import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from monitor.core.amm import sqrt_ratio_at_tick
from tests.integration.anvil import started
from tests.integration.daemons import Running, command, daemon, environment
from tests.integration.uniswap import Uniswap, deploy

OTHERS = ("binance", "bls", "bybit", "defillama", "dydx", "hyperliquid", "us-calendar")
SWAPS = 50
SEED = 20260302
EDGES = (-600, -120, 0, 60, 180, 540)
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
    """A running daemon, the contracts that it watches, and the token ids in its configuration."""

    running: Running
    world: Uniswap
    held: list[int]
    spent: int
    said: str

    def shown(self) -> dict[int, Mapping[str, Any]]:
        """Each position as the API shows it, by token id."""
        rows = self.running.get("/api/v1/positions")["positions"]
        return {int(row["id"].removeprefix("lp-")): row for row in rows}

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


def opened(world: Uniswap) -> tuple[list[int], int]:
    """Positions in range, out of it, over everything, twins in one range; and one that is emptied but not collected."""
    twins = [world.mint(-600, 540, 10**19), world.mint(-600, 540, 7 * 10**18 + 1)]
    held = [*twins, world.mint(-120, 0, 10**18), world.mint(600, 900, 10**17), world.mint(-887220, 887220, 10**17)]
    spent = world.mint(60, 180, 10**17)
    world.swap(False, 10**18)
    world.decrease(spent, world.manager.read("positions", spent)[7])
    return held, spent


@pytest.fixture(scope="module")
def watched(anvil: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("positions")
    # A block's time is at least a second after its parent's, so a chain that is built at once runs ahead of the clock: begin in the past.
    with started(anvil, "--timestamp", str(int(time.time()) - HOUR_SECONDS)) as chain:
        world = deploy(chain, sqrt_ratio_at_tick(7))
        held, spent = opened(world)
        chain.change("evm_setTime", hex(int(time.time())))
        chain.change("evm_mine")
        said = initialised(folder / "mine.yaml", world)
        with daemon(folder, "--config", str(folder / "mine.yaml"), "run", env=settings()) as running:
            yield Watched(running, world, held, spent, said)


def test_init_lists_every_position_that_still_holds_or_is_owed_something(watched: Watched) -> None:
    assert f"{len(watched.held) + 1} Uniswap v3 positions of {watched.world.owner} at block " in watched.said
    assert watched.shown().keys() == {*watched.held, watched.spent}


def test_a_position_shows_its_integers_and_their_block_though_nobody_gives_a_price(watched: Watched) -> None:
    _, shown = watched.at_the_newest_block()
    assert all(row["unknown"] for row in shown.values())
    assert all("value_usd" not in row and row["at"] <= time.time() * 1000 for row in shown.values())


def change(world: Uniswap, held: list[int], dice: random.Random, step: int) -> None:
    """One swap; before some of them somebody mints beside us, collects, or takes a part out."""
    if step % 10 == 2:
        world.mint(*dice.choice([(-600, 540), (-120, 0), (-60, 120)]), 10 ** dice.randrange(3, 18))
    if step % 7 == 3:
        world.collect(dice.choice(held))
    if step % 11 == 5:
        world.decrease(dice.choice(held), 10**12 + step)
    if step == SWAPS // 2:
        world.swap_to(660)
    else:
        world.shake(dice, EDGES)


def test_after_each_of_fifty_swaps_every_position_is_to_the_wei_what_the_contracts_would_pay(watched: Watched) -> None:
    world, dice = watched.world, random.Random(SEED)
    ticks, blocks, in_fees = set(), set(), 0
    for step in range(SWAPS):
        change(world, watched.held, dice, step)
        block, shown = watched.at_the_newest_block()
        assert wrong(world, shown) == [], f"after swap {step} at {block}"
        assert (shown[watched.spent]["liquidity"], shown[watched.held[0]]["liquidity"] != "0") == ("0", True)
        ticks.add(world.pool.read("slot0")[1])
        blocks.add(block)
        in_fees += sum(int(row["fees0"]) + int(row["fees1"]) for row in shown.values())
    assert len(blocks) == SWAPS and in_fees > 0
    assert min(ticks) < -600 and max(ticks) >= 600, "the swaps must leave the ranges on both sides, and enter the one that lay outside"


@pytest.mark.parametrize("name", ["liquidity", "amount0", "amount1", "fees0", "fees1"])
@pytest.mark.parametrize("wei", [1, -1])
def test_the_comparison_sees_a_single_wei(watched: Watched, name: str, wei: int) -> None:
    _, shown = watched.at_the_newest_block()
    assert wrong(watched.world, shown) == []
    for token_id, row in shown.items():
        moved = {**row, name: str(int(row[name]) + wei)}
        assert wrong(watched.world, {**shown, token_id: moved}) == [f"{token_id}.{name}: {moved[name]} is not {row[name]}"]


def test_the_comparison_sees_the_numbers_of_another_block(watched: Watched) -> None:
    """What a pass that is not pinned would show: the state of one block under the name of the next (F-042)."""
    _, before = watched.at_the_newest_block()
    watched.world.swap(True, 10**15)
    block, _ = watched.at_the_newest_block()
    assert wrong(watched.world, {token_id: {**row, "block_hash": block} for token_id, row in before.items()})
