"""The positions of a running daemon against what the contracts would pay, at the block that it names itself, to the unit.

The configuration is the one that `init --owner` writes, used as it stands: only what a machine without a network has to, is switched off by
environment.
"""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from monitor.core.units import parse_time
from tests.integration.daemons import daemon
from tests.integration.uniswap import Uniswap
from tests.integration.watching import Watched, come_to_now, initialised, past_world, settings, wrong

SWAPS = 50
SEED = 20260302
EDGES = (-600, -120, 0, 60, 180, 540)


def opened(world: Uniswap) -> tuple[list[int], int]:
    """Positions in range, out of it, over everything, twins in one range; and one that is emptied but not collected."""
    twins = [world.mint(-600, 540, 10**19), world.mint(-600, 540, 7 * 10**18 + 1)]
    held = [*twins, world.mint(-120, 0, 10**18), world.mint(600, 900, 10**17), world.mint(-887220, 887220, 10**17)]
    spent = world.mint(60, 180, 10**17)
    world.swap(False, 10**18)
    world.decrease(spent, world.manager.read("positions", spent)[7])
    return held, spent


@dataclass(frozen=True)
class Told(Watched):
    """With the token ids of the positions, the emptied one apart, and what `init` said of them."""

    held: list[int]
    spent: int
    said: str


@pytest.fixture(scope="module")
def watched(anvil: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("positions")
    with past_world(anvil) as world:
        held, spent = opened(world)
        come_to_now(world)
        said = initialised(folder / "mine.yaml", world)
        with daemon(folder, "--config", str(folder / "mine.yaml"), "run", env=settings()) as running:
            yield Told(running, world, held, spent, said)


def test_init_lists_every_position_that_still_holds_or_is_owed_something(watched: Told) -> None:
    assert f"{len(watched.held) + 1} Uniswap v3 positions of {watched.world.owner} at block " in watched.said
    assert watched.shown().keys() == {*watched.held, watched.spent}


def test_a_position_shows_its_integers_and_their_block_though_nobody_gives_a_price(watched: Told) -> None:
    _, shown = watched.at_the_newest_block()
    assert all(row["unknown"] for row in shown.values())
    assert all("value_usd" not in row and parse_time(row["at"]) <= time.time() * 1000 for row in shown.values())


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


def test_after_each_of_fifty_swaps_every_position_is_to_the_wei_what_the_contracts_would_pay(watched: Told) -> None:
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


def test_the_comparison_sees_the_numbers_of_another_block(watched: Told) -> None:
    """What a pass that is not pinned would show: the state of one block under the name of the next (F-042)."""
    _, before = watched.at_the_newest_block()
    watched.world.swap(True, 10**15)
    block, _ = watched.at_the_newest_block()
    assert wrong(watched.world, {token_id: {**row, "block_hash": block} for token_id, row in before.items()})
