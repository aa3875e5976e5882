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
from tests.integration.uniswap_v4 import NATIVE, PROTOCOL_FEE, Key, UniswapV4, deploy_v4

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
