"""Signed swap volume on a running chain: the sums of each hour equal what the pool's own balances say of the same blocks."""

import asyncio
import random
from collections import defaultdict
from pathlib import Path

from web3 import Web3

from monitor.collectors.uniswap_swaps import UniswapSwaps
from monitor.core.book import Chain, Watch
from monitor.core.door import admit
from monitor.core.units import HOUR
from monitor.net import HttpNet
from monitor.source import Harvest, Ports
from tests.collectors.sample import StillClock
from tests.integration.anvil import Anvil, started
from tests.integration.uniswap import Uniswap, deploy

START_SECONDS = 1_750_000_000 // 3600 * 3600
SWAPS = 60


def balances(uniswap: Uniswap) -> tuple[int, int]:
    return tuple(token.read("balanceOf", uniswap.pool.address) for token in uniswap.tokens)


def set_time(chain: Anvil, seconds: int) -> None:
    chain.change("evm_setNextBlockTimestamp", seconds)


def poll(source: UniswapSwaps, watch: Watch, now_ms: int) -> Harvest:
    async def run() -> Harvest:
        async with HttpNet() as net:
            return await source.poll(Ports(net, StillClock(now_ms), random.Random(0)), watch)

    return asyncio.run(run())


def test_each_hours_sums_equal_the_change_of_the_pools_balances_over_the_same_blocks(anvil: Path) -> None:
    with started(anvil, "--timestamp", str(START_SECONDS - 60)) as chain:
        uniswap = deploy(chain, 1 << 96)
        uniswap.mint(-6000, 6000, 10**18)
        dice, seconds = random.Random(7), int(chain.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16) + 1
        first_hour = -(-seconds // 3600) * 3600
        moved: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        seconds = first_hour
        for number in range(SWAPS):
            before = balances(uniswap)
            # A block on the first second of an hour, and one on its last, are the ones that a careless sum gives to the wrong hour.
            seconds = -(-(seconds + 1) // 3600) * 3600 - (number % 2) if number % 10 < 2 else seconds + dice.randrange(1, 400)
            set_time(chain, seconds)
            uniswap.swap(dice.random() < 0.5, int(10 ** dice.uniform(3, 15)))
            # No one else pays this pool and nobody collects: what its balances change by is what the swap moved.
            changes = [after - was for after, was in zip(balances(uniswap), before, strict=True)]
            own = moved[(seconds - seconds % 3600) * 1000]
            for side, change in enumerate(changes):
                own[side] += change
                own[2 + side] += abs(change)
        last_hour = (seconds // 3600 + 1) * 3600
        for step in range(3):
            set_time(chain, last_hour + step)
            uniswap.swap(True, 1000)

        hours = (last_hour - first_hour) // 3600
        pool = Web3.to_checksum_address(uniswap.pool.address)
        source = UniswapSwaps(pools=(f"local/{pool}",), hours=hours, span_blocks=7)
        watch = Watch(chains={"local": Chain(rpc=chain.url, chain_id=chain.chain_id)})
        harvest = poll(source, watch, (last_hour + 10) * 1000)

    assert harvest.rejected == []
    admission = admit(harvest.readings, source=source.id, received_at=(last_hour + 10) * 1000)
    assert admission.rejections == ()
    found: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for one in admission.observations:
        found[one.at][("net0", "net1", "volume0", "volume1").index(one.metric.removeprefix("swap."))] = int(one.value)
    assert len(moved) > 5
    assert {at: sums for at, sums in found.items() if any(sums)} == moved
    assert found.keys() == {first_hour * 1000 + hour * HOUR for hour in range(hours)}
