"""What the arithmetic of Uniswap v4 says a position is worth, against what the real contracts would pay, at one block hash, to the unit."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from monitor.core.amm import Payout, V3Pool, sqrt_ratio_at_tick, tick_at_sqrt_ratio
from monitor.core.amm_v4 import MAX_BALANCE, V4Position, payout
from monitor.errors import SourceError
from tests.integration.anvil import Anvil
from tests.integration.test_uniswap_v3_contracts import pinned
from tests.integration.uniswap_v4 import NATIVE, PROTOCOL_FEE, Key, UniswapV4, deploy_v4, pool_id

DEEDS, SEED = 220, 20260401
EDGES = (-887220, -600, -120, 0, 60, 180, 540, 887220)
Formula = Callable[[V3Pool, V4Position], Payout]


@pytest.fixture(scope="module")
def world(chain: Anvil) -> UniswapV4:
    return deploy_v4(chain)


def check(world: UniswapV4, token_ids: Sequence[int], formula: Formula = payout) -> list[Payout]:
    """The payouts of these positions; AssertionError where the contracts would pay another unit."""
    block, results = pinned(world.chain), []
    for token_id in token_ids:
        pool, position = world.state(token_id, block)
        computed = formula(pool, position)
        assert (position.liquidity, computed) == world.paid(token_id, block), f"position {token_id} at {block} with {pool}"
        results.append(computed)
    return results


def two_pools(world: UniswapV4, price_x96: int) -> tuple[Key, Key]:
    token0, token1 = (token.address for token in world.tokens)
    plain = world.open_pool(token0, token1, 60, price_x96, protocol_fee=PROTOCOL_FEE)
    return plain, world.open_pool(NATIVE, token1, 60, price_x96)


def test_every_live_position_is_worth_to_the_wei_what_the_contracts_would_pay_through_random_adds_removes_swaps_and_donations(
    world: UniswapV4,
) -> None:
    dice = random.Random(SEED)
    keys = two_pools(world, sqrt_ratio_at_tick(7))
    live = [world.mint(key, -887220, 887220, 10**17) for key in keys]
    done, ticks, most = Counter[str](), set[int](), [0, 0]
    for step in range(DEEDS):
        done[world.shake(dice, live, keys, EDGES)] += 1
        if step % 10 == 9:
            results = check(world, live)
            ticks |= {world.state(token_id, pinned(world.chain))[0].tick for token_id in live[:2]}
            most = [max(most[0], *(one.fees0 for one in results)), max(most[1], *(one.fees1 for one in results))]
    assert min(done[deed] for deed in ("mint", "increase", "decrease", "burn", "swap", "donate")) >= 5, done
    assert min(most) > 0
    assert min(ticks) < -600 and max(ticks) >= 540, "the swaps must leave the ranges on both sides, or the edges are not tested"
    _sees_one_unit(world, live)


def _sees_one_unit(world: UniswapV4, live: Sequence[int]) -> None:
    """The comparison would tell a formula that is one unit off in any of its four numbers."""
    for name in ("amount0", "amount1", "fees0", "fees1"):
        for off in (-1, 1):

            def wrong(pool: V3Pool, position: V4Position, name: str = name, off: int = off) -> Payout:
                right = payout(pool, position)
                return replace(right, **{name: getattr(right, name) + off})

            with pytest.raises(AssertionError, match="position"):
                check(world, live[:1], wrong)


@pytest.mark.parametrize(("spacing", "start", "edge"), [(20, 7, -60), (30, 7, 120), (15, -300, -60), (12, 300, 120)])
def test_a_price_that_stops_exactly_on_an_edge_pays_as_the_contracts_do(world: UniswapV4, spacing: int, start: int, edge: int) -> None:
    token0, token1 = (token.address for token in world.tokens)
    key = world.open_pool(token0, token1, spacing, sqrt_ratio_at_tick(start))
    held = [world.mint(key, -60, 120, 10**18), world.mint(key, -600, 600, 10**17)]
    world.swap_to(key, edge)
    price, tick, *_ = world.view.read("getSlot0", pool_id(key))
    assert (price, tick) == (sqrt_ratio_at_tick(edge), tick_at_sqrt_ratio(price) - (edge < start))
    check(world, held)
    world.swap(key, edge >= start, 10**15)
    check(world, held)


def test_fee_growth_that_has_wrapped_around_still_pays_the_difference(world: UniswapV4) -> None:
    token0, token1 = world.tokens
    key = world.open_pool(token0.address, token1.address, 1, 1 << 96)
    held = world.mint(key, -1, 1, 1)
    token0.send(world.owner, "mint", world.owner, 2**129)
    grown = list[int]()
    for _ in range(5):
        world.donate(key, 2**126, 0)
        [result] = check(world, [held])
        assert result.fees0 == 2**126
        grown.append(world.view.read("getFeeGrowthGlobals", pool_id(key))[0])
        world.decrease(held, 0)
    assert grown[3] < grown[2], "the growth must wrap around, or this says nothing"


def test_what_a_signed_balance_cannot_hold_is_refused_by_the_contracts_and_by_us(world: UniswapV4) -> None:
    token0, token1 = world.tokens
    key = world.open_pool(token0.address, token1.address, 2, 1 << 96)
    held = world.mint(key, -2, 2, 1)
    token0.send(world.owner, "mint", world.owner, 2**129)
    world.donate(key, 2**126, 0)
    world.donate(key, 2**126 - 1, 0)
    assert check(world, [held])[0].fees0 == MAX_BALANCE
    world.donate(key, 1, 0)
    with pytest.raises(ValueError, match="more than the pool manager can pay"):
        payout(*world.state(held, pinned(world.chain)))
    with pytest.raises(SourceError, match="revert"):
        world.paid(held, pinned(world.chain))
