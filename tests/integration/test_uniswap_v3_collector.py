"""The chain reader and the Uniswap v3 collector on a running chain, over real sockets, against the real contracts and a hostile one."""

import asyncio
import random
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from monitor.chain import BlockPinnedReader, Call, Failed, json_rpc
from monitor.clock import SystemClock
from monitor.collectors.uniswap_v3 import UniswapV3
from monitor.core.book import Chain, Position, Watch
from monitor.core.door import admit
from monitor.errors import SourceError
from monitor.net import HttpNet
from monitor.source import Harvest, Ports
from tests.integration.anvil import Anvil, started
from tests.integration.lure import lure
from tests.integration.solidity import compiled
from tests.integration.uniswap import NOBODY, Uniswap, deployed

T = TypeVar("T")


def with_net(work: Callable[[HttpNet], Awaitable[T]]) -> T:
    async def run() -> T:
        async with HttpNet() as net:
            return await work(net)

    return asyncio.run(run())


def with_reader(chain: Anvil, work: Callable[[BlockPinnedReader], Awaitable[T]]) -> T:
    return with_net(lambda net: work(BlockPinnedReader(json_rpc(net, chain.url), chain.chain_id)))


def test_the_collector_gives_what_the_contracts_would_pay_at_the_block_it_names(uniswap: Uniswap) -> None:
    chain, manager = uniswap.chain, uniswap.manager
    held = [uniswap.mint(-600, 600, 10**15), uniswap.mint(-60, 60, 10**14)]
    for zero_for_one in (True, False, True):
        uniswap.swap(zero_for_one, 10**13)
    positions = tuple(Position(id=f"lp-{token_id}", kind="uniswap-v3", chain="local", token_id=token_id) for token_id in held)
    watch = Watch(positions=positions, chains={"local": Chain(rpc=chain.url, chain_id=chain.chain_id)})
    source = UniswapV3(managers={"local": manager.address})

    async def poll(net: HttpNet) -> Harvest:
        return await source.poll(Ports(net, SystemClock(), random.Random(0)), watch)

    harvest = with_net(poll)
    assert harvest.rejected == []
    admission = admit(harvest.readings, source=source.id, received_at=max(row.at or 0 for row in harvest.readings))
    assert admission.rejections == ()
    [block] = {row.block_hash for row in admission.observations}
    for token_id, position in zip(held, positions, strict=True):
        seen = {row.metric.removeprefix("position."): int(row.value) for row in admission.observations if row.subject == position.id}
        limit = 2**128 - 1
        leave = [
            manager.payload("decreaseLiquidity", (token_id, seen["liquidity"], 0, 0, 2**40)),
            manager.payload("collect", (token_id, uniswap.owner, limit, limit)),
        ]
        calls = [bytes.fromhex(call[2:]) for call in leave]
        burned, paid = manager.read("multicall", calls, sender=uniswap.owner, block={"blockHash": block})
        assert (seen["amount0"], seen["amount1"]) == (int.from_bytes(burned[:32]), int.from_bytes(burned[32:]))
        assert seen["amount0"] + seen["fees0"] == int.from_bytes(paid[:32])
        assert seen["amount1"] + seen["fees1"] == int.from_bytes(paid[32:])
    assert {seen["decimals0"], seen["decimals1"]} == {6, 18}


@pytest.mark.parametrize("tag", ["latest", "safe", "finalized", 0, 1])
def test_a_running_node_hashes_its_headers_as_the_reader_does_F_045(uniswap: Uniswap, tag: str | int) -> None:
    block = with_reader(uniswap.chain, lambda reader: reader.pin(tag))
    name = hex(tag) if isinstance(tag, int) else tag
    assert block.hash == uniswap.chain.call("eth_getBlockByNumber", name, False)["hash"]


def test_another_chain_id_than_configured_is_refused_F_053(chain: Anvil) -> None:
    with pytest.raises(SourceError, match=f"is chain {chain.chain_id}, not 5"):
        with_net(lambda net: BlockPinnedReader(json_rpc(net, chain.url), 5).pin())


def test_a_block_that_was_reorganised_away_is_not_read_any_more_F_042(anvil: Path) -> None:
    with started(anvil) as chain:
        before = chain.change("evm_snapshot")
        chain.change("evm_mine")

        async def reorganise(reader: BlockPinnedReader) -> None:
            block = await reader.pin()
            chain.change("evm_revert", before)
            chain.change("evm_increaseTime", 100)
            chain.change("evm_mine")
            assert (await reader.pin()).number == block.number
            await reader.read(block, [Call(NOBODY, "erc20", "decimals")])

        with pytest.raises(SourceError, match="the node says") as refused:
            with_reader(chain, reorganise)
        assert not refused.value.permanent


def test_a_hostile_token_fails_call_by_call_and_is_never_followed_to_its_url_F_059_F_060_F_061(uniswap: Uniswap) -> None:
    chain, honest = uniswap.chain, uniswap.tokens[0].address
    with lure() as (url, visits):
        trap = deployed(chain, compiled()["Hostile"], url)
        hostile = trap.address
        calls = [
            Call(honest, "erc20", "decimals"),
            Call(hostile, "erc20", "decimals"),
            Call(hostile, "erc20", "balanceOf", (NOBODY,)),
            Call(hostile, "erc20", "symbol"),
            Call(NOBODY, "erc20", "decimals"),
            Call(honest, "erc20", "symbol"),
        ]

        async def read(reader: BlockPinnedReader) -> tuple[object, ...]:
            return await reader.read(await reader.pin(), calls)

        decimals, short, lookup, flood, nothing, symbol = with_reader(chain, read)
        assert visits == []
        # The address in the trap is alive: who does follow it is seen.
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(trap.read("url"), timeout=5)
        assert len(visits) == 1
    assert (decimals, symbol) == ((uniswap.tokens[0].read("decimals"),), (uniswap.tokens[0].read("symbol"),))
    assert short == Failed("the answer of decimals does not decode: InsufficientDataBytes")
    assert lookup == Failed("balanceOf asks for a lookup outside the chain, which is never made")
    assert flood == Failed("the answer of symbol is longer than 64 KiB")
    assert nothing == Failed("the answer of decimals does not decode: InsufficientDataBytes")
