"""What the arithmetic says a position is worth, against what the real contracts would pay, at one block hash, to the unit."""

import random
from dataclasses import replace
from typing import Any

import pytest
from web3 import Web3

from monitor.core.amm import Payout, Stake, TickEdge, V3Pool, V3Position, payout, sqrt_ratio_at_tick, tick_at_sqrt_ratio
from tests.integration.anvil import Anvil
from tests.integration.uniswap import Uniswap, deploy

SWAPS = 50
SEED = 20260301
EDGES = (-600, -120, 0, 60, 180, 540)


def pinned(chain: Anvil) -> dict[str, Any]:
    return {"blockHash": chain.call("eth_getBlockByNumber", "latest", False)["hash"], "requireCanonical": True}


def state(world: Uniswap, token_id: int, block: dict[str, Any]) -> tuple[V3Pool, V3Position]:
    held = world.manager.read("positions", token_id, block=block)
    lower, upper = held[5], held[6]
    key = Web3.solidity_keccak(["address", "int24", "int24"], [world.manager.address, lower, upper])
    below, above = (TickEdge(edge[7], edge[2], edge[3]) for edge in (world.pool.read("ticks", tick, block=block) for tick in (lower, upper)))
    price, tick, *_ = world.pool.read("slot0", block=block)
    pool = V3Pool(
        price,
        tick,
        world.pool.read("feeGrowthGlobal0X128", block=block),
        world.pool.read("feeGrowthGlobal1X128", block=block),
        below,
        above,
        Stake(*world.pool.read("positions", key, block=block)),
    )
    return pool, V3Position(lower, upper, Stake(*held[7:12]))


def check(world: Uniswap, token_ids: list[int]) -> list[Payout]:
    block, results = pinned(world.chain), []
    for token_id in token_ids:
        pool, position = state(world, token_id, block)
        computed = payout(pool, position)
        assert (position.stake.liquidity, computed) == world.paid(token_id, block), f"position {token_id} at {block} with {pool}"
        results.append(computed)
    return results


def test_every_position_is_worth_to_the_wei_what_the_contracts_would_pay_after_each_of_fifty_swaps(chain: Anvil) -> None:
    world, dice = deploy(chain, sqrt_ratio_at_tick(7)), random.Random(SEED)
    twin = (-600, 540)
    held = [world.mint(*twin, 10**19), world.mint(*twin, 7 * 10**18 + 1), world.mint(-120, 0, 10**18), world.mint(-887220, 887220, 10**17)]
    spent = world.mint(60, 180, 10**17)
    world.swap(False, 10**18)
    stake = state(world, spent, pinned(chain))[1].stake
    world.decrease(spent, stake.liquidity)
    ticks, fees = set(), 0
    for step in range(SWAPS):
        world.shake(dice, EDGES)
        if step % 7 == 3:
            world.collect(dice.choice(held))
        if step % 11 == 5:
            world.decrease(dice.choice(held), 10**12 + step)
        results = check(world, [*held, spent])
        ticks.add(world.pool.read("slot0")[1])
        fees += sum(result.fees0 + result.fees1 for result in results)
    assert fees > 0
    assert min(ticks) < -600 and max(ticks) >= 540, "the swaps must leave the ranges on both sides, or the edges are not tested"


@pytest.mark.parametrize(("start", "edge"), [(7, -60), (7, 120), (-300, -60), (300, 120)])
def test_a_price_that_stops_exactly_on_an_edge_pays_as_the_contracts_do(chain: Anvil, start: int, edge: int) -> None:
    world = deploy(chain, sqrt_ratio_at_tick(start))
    held = [world.mint(-60, 120, 10**18), world.mint(-887220, 887220, 10**17)]
    world.swap(edge < start, 10**21, sqrt_ratio_at_tick(edge))
    price, tick, *_ = world.pool.read("slot0")
    assert price == sqrt_ratio_at_tick(edge)
    assert tick == tick_at_sqrt_ratio(price) - (edge < start)
    check(world, held)
    world.swap(edge >= start, 10**15)
    check(world, held)


def test_a_neighbour_in_the_same_range_can_round_a_position_out_of_a_unit_it_is_owed(chain: Anvil) -> None:
    world = deploy(chain, sqrt_ratio_at_tick(7))
    large, small = world.mint(-60, 120, 10**18), world.mint(-60, 120, 10**3)
    for _ in range(6):
        world.swap(True, 1000)
        world.collect(small)
    [result] = check(world, [large])
    pool, position = state(world, large, pinned(chain))
    assert payout(replace(pool, holder=None), position).fees0 > result.fees0
