"""Priority fee per gas of each configured chain, hour by hour: what users pay to be first, from `eth_feeHistory` of your own node.

JSON-RPC: https://ethereum.github.io/execution-apis (eth_feeHistory: for each block the fee at a percentile of its gas, and how full it was).
"""

from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import ClassVar, Literal

from monitor.chain import BlockPinnedReader, fields_of, quantity
from monitor.core.book import Watch
from monitor.core.observation import Reading
from monitor.core.units import HOUR, MINUTE, Count, Duration
from monitor.errors import BadPayload
from monitor.hours import hours_of_blocks, last_closed_hours
from monitor.rpc import json_rpc
from monitor.source import Collector, Harvest, Page, Ports, each

METRIC = "gas.priority_fee_gwei"
WEI_PER_GWEI = 10**9
MOST_BLOCKS = 1_024
PAGE_HOURS = 24


@dataclass(frozen=True, kw_only=True)
class PriorityFee(Collector):
    """`chains` narrows the configured chains. The value of an hour is the median over its blocks of the fee that half of a block's gas paid at most.

    Empty blocks pay nothing and are left out; an hour of empty blocks has no value.
    """

    title: ClassVar[str] = "Priority fee"
    homepage: ClassVar[str] = "https://ethereum.github.io/execution-apis/"
    late_ms: ClassVar[int] = 6 * HOUR

    cadence: Duration = 10 * MINUTE
    chains: tuple[str, ...] = ()
    hours: Count = 3
    block: Literal["latest", "safe", "finalized"] = "safe"

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """One series for each chain."""
        return frozenset((METRIC, f"chain:{chain}") for chain in self._chains(watch))

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """The newest closed hours of each chain; a chain that cannot be read spoils the pass only if no other can."""
        from_ms, to_ms = last_closed_hours(ports.clock.now_ms(), self.hours)
        return await each(partial(self._fees, ports, watch, chain, from_ms, to_ms) for chain in self._chains(watch))

    def streams(self, watch: Watch) -> tuple[str, ...]:
        """One history for each chain."""
        return self._chains(watch)

    async def page(self, ports: Ports, watch: Watch, stream: str, from_ms: int, to_ms: int) -> Page:
        """A day of hours; whole hours only. Nodes keep fees of old blocks as long as they keep the blocks."""
        start, last = -(-from_ms // HOUR) * HOUR, to_ms - to_ms % HOUR
        end = min(start + PAGE_HOURS * HOUR, last)
        harvest = await self._fees(ports, watch, stream, start, end) if start < end else Harvest()
        return Page(harvest, end if start < end < last else None)

    def _chains(self, watch: Watch) -> tuple[str, ...]:
        return tuple(chain for chain in watch.chains if not self.chains or chain in self.chains)

    async def _fees(self, ports: Ports, watch: Watch, chain: str, from_ms: int, to_ms: int) -> Harvest:
        settings = watch.chains[chain]
        reader = BlockPinnedReader(json_rpc(ports.net, self.endpoint or settings.rpc), settings.chain_id)
        head = await reader.pin(self.block)
        readings = []
        async for hour in hours_of_blocks(reader, head, from_ms, to_ms):
            fees: list[int] = []
            for last in range(hour.last, hour.first - 1, -MOST_BLOCKS):
                count = min(MOST_BLOCKS, last - hour.first + 1)
                fees += parse(await reader.rpc("eth_feeHistory", (hex(count), hex(last), [50])), last - count + 1, count)
            if fees:
                readings.append(Reading(METRIC, f"chain:{chain}", median(fees) / WEI_PER_GWEI, hour.start_ms))
        return Harvest(readings)


def parse(answer: object, first: int, count: int) -> list[int]:
    """Wei per gas of each block that is not empty. BadPayload unless the answer is about exactly these blocks."""
    fields = fields_of(answer, "fee history")
    if quantity(fields.get("oldestBlock"), "oldestBlock") != first:
        raise BadPayload("eth_feeHistory: the answer is about other blocks")
    rewards, fullness = (_listed(fields.get(name), count) for name in ("reward", "gasUsedRatio"))
    return [_fee(reward) for reward, used in zip(rewards, fullness, strict=True) if _share(used) > 0]


def _listed(value: object, count: int) -> list[object]:
    if not isinstance(value, list) or len(value) != count:
        raise BadPayload(f"eth_feeHistory: the answer does not hold {count} blocks: the node may have pruned them")
    return value


def _fee(reward: object) -> int:
    if not isinstance(reward, list) or len(reward) != 1:
        raise BadPayload("eth_feeHistory: a block has not exactly one reward")
    return quantity(reward[0], "reward")


def _share(used: object) -> float:
    if isinstance(used, bool) or not isinstance(used, int | float) or not 0 <= used <= 1:
        raise BadPayload("eth_feeHistory: gasUsedRatio is no share")
    return float(used)
