"""Signed swap volume of watched Uniswap pools, hour by hour, summed from their own Swap events by RPC.

Events: `Swap` of UniswapV3Pool (amount0, amount1: what the pool received, negative what it paid) and of UniswapV2Pair (amounts in and out).
Forks that kept the event are read the same way. Net is what the pool received less what it paid: a positive `swap.net0` means that
token0 was sold into the pool.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from monitor.chain import BlockPinnedReader
from monitor.chain_logs import Log, LogFilter, logs_between
from monitor.core.book import Watch
from monitor.core.observation import Reading
from monitor.core.units import HOUR, MINUTE, Count, Duration
from monitor.errors import BadPayload
from monitor.hours import hours_of_blocks, last_closed_hours
from monitor.rpc import json_rpc
from monitor.source import Collector, Harvest, Page, Ports, each

# keccak256 of Swap(address,address,int256,int256,uint160,uint128,int24) and of Swap(address,uint256,uint256,uint256,uint256,address)
SWAP_V3 = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"
SWAP_V2 = "0xd78ad95fa46c994b6551d0da85fc275fe613ce37657fb8d5e3d130840159d822"
METRICS = ("net0", "net1", "volume0", "volume1")
WORD = 32
PAGE_HOURS = 24
Pool = Annotated[str, Field(pattern=r"^[a-z0-9\-]+/0x[0-9a-fA-F]{40}$")]


@dataclass(frozen=True, kw_only=True)
class UniswapSwaps(Collector):
    """`pools` are written `chain/0x..`; none is watched by itself. A poll looks at the newest `hours` closed ones.

    `block` is how far a pass reads: an hour is summed once a block after it is `safe`, so that no sum is of blocks that a reorganisation takes back.
    """

    title: ClassVar[str] = "Uniswap swaps"
    homepage: ClassVar[str] = "https://docs.uniswap.org/contracts/v3/reference/core/interfaces/pool/IUniswapV3PoolEvents"
    late_ms: ClassVar[int] = 6 * HOUR

    cadence: Duration = 10 * MINUTE
    pools: tuple[Pool, ...] = ()
    hours: Count = 3
    span_blocks: Count = 2_000
    block: Literal["latest", "safe", "finalized"] = "safe"

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """Net and gross volume of both tokens of each pool whose chain is configured."""
        return frozenset((f"swap.{name}", f"pool:{pool}") for pools in self._by_chain(watch).values() for pool in pools for name in METRICS)

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """The newest closed hours of each chain; a chain that cannot be read spoils the pass only if no other can."""
        from_ms, to_ms = last_closed_hours(ports.clock.now_ms(), self.hours)
        return await each(partial(self._chain, ports, watch, chain, pools, from_ms, to_ms) for chain, pools in self._by_chain(watch).items())

    def streams(self, watch: Watch) -> tuple[str, ...]:
        """One history for each chain with pools."""
        return tuple(self._by_chain(watch))

    async def page(self, ports: Ports, watch: Watch, stream: str, from_ms: int, to_ms: int) -> Page:
        """A day of hours; whole hours only."""
        start = -(-from_ms // HOUR) * HOUR
        end = min(start + PAGE_HOURS * HOUR, to_ms - to_ms % HOUR)
        harvest = await self._chain(ports, watch, stream, self._by_chain(watch)[stream], start, end) if start < end else Harvest()
        return Page(harvest, end if start < end < to_ms - to_ms % HOUR else None)

    def _by_chain(self, watch: Watch) -> Mapping[str, list[str]]:
        grouped: dict[str, list[str]] = {}
        for pool in self.pools:
            chain = pool.partition("/")[0]
            if chain in watch.chains:
                grouped.setdefault(chain, []).append(pool.lower())
        return grouped

    async def _chain(self, ports: Ports, watch: Watch, chain: str, pools: list[str], from_ms: int, to_ms: int) -> Harvest:
        settings = watch.chains[chain]
        reader = BlockPinnedReader(json_rpc(ports.net, self.endpoint or settings.rpc), settings.chain_id)
        head = await reader.pin(self.block)
        wanted = LogFilter(tuple(pool.partition("/")[2] for pool in pools), (SWAP_V3, SWAP_V2))
        parts = []
        async for hour in hours_of_blocks(reader, head, from_ms, to_ms):
            logs = await logs_between(reader, wanted, hour.first, hour.last, self.span_blocks)
            parts.append(volumes(chain, wanted.addresses, logs, hour.start_ms))
        return Harvest.together(parts)


def volumes(chain: str, addresses: Iterable[str], logs: Iterable[Log], hour_ms: int) -> Harvest:
    """One hour's readings of each pool, in raw token units; a pool with an event that cannot be read gives none for that hour."""
    sums = {address: [0, 0, 0, 0] for address in addresses}
    rejected: dict[str, str] = {}
    for log in logs:
        try:
            amounts = signed_amounts(log)
        except BadPayload as problem:
            rejected[log.address] = f"pool:{chain}/{log.address}: {problem}"
            continue
        for side, amount in enumerate(amounts):
            sums[log.address][side] += amount
            sums[log.address][2 + side] += abs(amount)
    readings = [
        Reading(f"swap.{name}", f"pool:{chain}/{address}", value, hour_ms)
        for address, values in sums.items()
        if address not in rejected
        for name, value in zip(METRICS, values, strict=True)
    ]
    return Harvest(readings, list(rejected.values()))


def signed_amounts(log: Log) -> tuple[int, int]:
    """What a pool received (positive) or paid (negative) of token0 and token1 in one swap, in raw units."""
    is_v3 = log.topics[0].hex() == SWAP_V3[2:]
    if len(log.topics) != 3 or len(log.data) != (5 if is_v3 else 4) * WORD:
        raise BadPayload(f"its Swap event in block {log.block} has not the form of Uniswap's")
    words = [log.data[start : start + WORD] for start in range(0, len(log.data), WORD)]
    if is_v3:
        return int.from_bytes(words[0], signed=True), int.from_bytes(words[1], signed=True)
    in0, in1, out0, out1 = (int.from_bytes(word) for word in words)
    return in0 - out0, in1 - out1
