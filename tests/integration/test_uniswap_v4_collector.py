"""The Uniswap v4 collector on a running chain, over real sockets, against the real contracts: by token id, to the unit."""

import asyncio
import random
from typing import Any

import pytest
from web3 import Web3

from monitor.clock import SystemClock
from monitor.collectors.uniswap_v4 import POSITION_FIELDS, UniswapV4
from monitor.core.amm import Payout, sqrt_ratio_at_tick
from monitor.core.book import Chain, Position, Watch
from monitor.core.door import admit
from monitor.net import HttpNet
from monitor.source import Harvest, Ports
from tests.integration.anvil import Anvil
from tests.integration.solidity import compiled
from tests.integration.uniswap_v4 import NATIVE, deploy_v4
from tests.integration.uniswap_v4 import UniswapV4 as Contracts

# afterRemoveLiquidity and afterRemoveLiquidityReturnDelta: what a hook may do is written into its address.
HOOK = Web3.to_checksum_address("0x" + "a1" * 18 + "0101")


@pytest.fixture(scope="module")
def world(chain: Anvil) -> Contracts:
    return deploy_v4(chain)


def poll(world: Contracts, token_ids: list[int], **settings: Any) -> Harvest:
    positions = tuple(Position(id=f"lp-{token_id}", kind="uniswap-v4", chain="local", token_id=token_id) for token_id in token_ids)
    watch = Watch(positions=positions, chains={"local": Chain(rpc=world.chain.url, chain_id=world.chain.chain_id)})
    source = UniswapV4(managers={"local": world.manager.address}, **settings)

    async def run() -> Harvest:
        async with HttpNet() as net:
            return await source.poll(Ports(net, SystemClock(), random.Random(0)), watch)

    return asyncio.run(run())


def seen(harvest: Harvest, token_id: int) -> tuple[dict[str, int], dict[str, Any]]:
    """What passed the door of a position, and the block that it is of."""
    admission = admit(harvest.readings, source="uniswap-v4", received_at=max(row.at or 0 for row in harvest.readings))
    assert admission.rejections == ()
    [block] = {row.block_hash for row in admission.observations}
    rows = {row.metric.removeprefix("position."): int(row.value) for row in admission.observations if row.subject == f"lp-{token_id}"}
    return rows, {"blockHash": block}


def payout(rows: dict[str, int]) -> tuple[int, Payout]:
    return rows["liquidity"], Payout(rows["amount0"], rows["amount1"], rows["fees0"], rows["fees1"])


def test_positions_of_tokens_and_of_the_chains_own_coin_are_read_as_the_contracts_would_pay_them(world: Contracts) -> None:
    token0, token1 = (token.address for token in world.tokens)
    plain = world.open_pool(token0, token1, 60, sqrt_ratio_at_tick(7))
    coin = world.open_pool(NATIVE, token0, 60, sqrt_ratio_at_tick(-9))
    held = [world.mint(key, lower, upper, 10**15) for key in (plain, coin) for lower, upper in ((-600, 600), (-60, 60), (120, 240), (-240, -120))]
    for key in (plain, coin):
        world.swap(key, True, 10**12)
        world.swap(key, False, 10**13)
        world.donate(key, 12_345, 678)
    world.decrease(held[1], 10**15)
    gone = world.mint(plain, -60, 60, 10**9)
    world.burn(gone)
    harvest = poll(world, [*held, gone, 10**6])
    unknown = "the position manager knows no such token_id: it was never minted, or is burned"
    assert harvest.rejected == [f"lp-{gone}: {unknown}", f"lp-{10**6}: {unknown}"]
    for token_id in held:
        rows, block = seen(harvest, token_id)
        assert rows.keys() == set(POSITION_FIELDS)
        assert payout(rows) == world.paid(token_id, block)
        pool, position = world.state(token_id, block)
        assert (rows["sqrt_price_x96"], rows["tick"]) == (pool.sqrt_price_x96, pool.tick)
        assert (rows["tick_lower"], rows["tick_upper"]) == (position.tick_lower, position.tick_upper)
        assert (rows["token0"], rows["token1"]) == tuple(int(currency, 16) for currency in world.keys[token_id][:2])
    assert seen(harvest, held[0])[0]["fees0"] > 0
    assert payout(seen(harvest, held[1])[0]) == (0, Payout(0, 0, 0, 0))
    digits = {token.address: token.read("decimals") for token in world.tokens}
    assert [(rows["decimals0"], rows["decimals1"]) for rows in (seen(harvest, held[at])[0] for at in (0, 4))] == [
        (digits[token0], digits[token1]),
        (18, digits[token0]),
    ]


def test_a_hook_that_may_share_in_withdrawals_is_refused_until_it_is_trusted_and_then_valued_before_its_share(world: Contracts) -> None:
    world.chain.change("anvil_setCode", HOOK, compiled()["TakingHook"]["runtime"])
    token0, token1 = (token.address for token in world.tokens)
    key = world.open_pool(token0, token1, 60, 1 << 96, hooks=HOOK)
    held = world.mint(key, -600, 600, 10**15)
    refused = poll(world, [held])
    assert refused.readings == []
    [reason] = refused.rejected
    assert "has afterRemoveLiquidity, afterRemoveLiquidityReturnDelta" in reason and f"trusted_hooks: [{HOOK.lower()}]" in reason
    rows, block = seen(poll(world, [held], trusted_hooks=(HOOK,)), held)
    pays0, pays1 = world.leaving.read("burn", token0, token1, held, block=block)
    assert (rows["amount0"] - rows["amount0"] // 10, rows["amount1"]) == (pays0, pays1)
    assert rows["amount0"] > pays0 > 0
