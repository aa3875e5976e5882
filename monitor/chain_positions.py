"""What collectors of positions on chains share: each pass over a chain at one block hash, in two rounds of reads for all its positions.

A position that cannot be read is a refused row that begins with its id; the others stand.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal, TypeVar

from monitor.chain import Answer, Block, BlockPinnedReader, Call
from monitor.core.book import Chain, Position, PositionKind, Watch
from monitor.core.observation import Reading
from monitor.core.units import MINUTE, Duration
from monitor.errors import BadPayload
from monitor.net import Net
from monitor.rpc import json_rpc
from monitor.source import Collector, Harvest, Ports, each

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a position is: its chain, by name and as configured, and the block of this pass."""

    chain_name: str
    chain: Chain
    block: Block

    def readings(self, family: str, subject: str, values: Mapping[str, float | int]) -> Iterator[Reading]:
        """`family.name` of a subject, each under the time and the hash of the block."""
        for name, value in values.items():
            yield Reading(f"{family}.{name}", subject, value, self.block.timestamp_ms, block_hash=self.block.hash)


@dataclass(frozen=True, kw_only=True)
class ChainPositions(Collector):
    """`block` is where a pass reads: `latest` is retractable, `safe` is not. `endpoint` replaces the RPC URL of every chain."""

    kind: ClassVar[PositionKind]

    cadence: Duration = MINUTE
    block: Literal["latest", "safe", "finalized"] = "latest"

    def first_calls(self, position: Position, chain: Chain) -> tuple[Call, ...]:
        """What is asked of addresses that are known beforehand. BadPayload where a setting is missing."""
        raise NotImplementedError

    def second_calls(self, position: Position, answers: Sequence[Answer]) -> tuple[Call, ...]:
        """What is asked of addresses that only the first answers name. BadPayload where one of these is missing or makes no sense."""
        return ()

    def parse(self, position: Position, place: Place, first: Sequence[Answer], second: Sequence[Answer]) -> list[Reading]:
        """The readings of one position. BadPayload, with a sentence, where a part is missing or parts contradict each other."""
        raise NotImplementedError

    def watched(self, watch: Watch) -> dict[str, list[Position]]:
        """The positions that it reads, by chain. A chain without an endpoint is left out."""
        grouped: dict[str, list[Position]] = {}
        for position in watch.positions:
            if position.kind == self.kind and position.account and position.chain in watch.chains:
                grouped.setdefault(position.chain, []).append(position)
        return grouped

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """One pass over each chain; a chain that cannot be read spoils the pass only if no other can."""
        watched = self.watched(watch)
        return await each(partial(self._chain, ports.net, name, watch.chains[name], positions) for name, positions in watched.items())

    async def _chain(self, net: Net, name: str, chain: Chain, positions: Sequence[Position]) -> Harvest:
        reader = BlockPinnedReader(json_rpc(net, self.endpoint or chain.rpc), chain.chain_id)
        place = Place(name, chain, await reader.pin(self.block))
        by_id, refused = {position.id: position for position in positions}, list[str]()
        calls = _kept(by_id, lambda one: self.first_calls(by_id[one], chain), refused)
        first = await reader.read_groups(place.block, calls)
        more = _kept(first, lambda one: self.second_calls(by_id[one], first[one]), refused)
        second = await reader.read_groups(place.block, more)
        rows = _kept(second, lambda one: self.parse(by_id[one], place, first[one], second[one]), refused)
        # Two positions in one pool say the same of it.
        readings = {(row.metric, row.subject): row for of_one in rows.values() for row in of_one}
        return Harvest(list(readings.values()), refused)


def _kept(names: Mapping[str, object], make: Callable[[str], Result], refused: list[str]) -> dict[str, Result]:
    """What is made for each name; why not, where it is not, goes to `refused`."""
    made: dict[str, Result] = {}
    for name in names:
        try:
            made[name] = make(name)
        except BadPayload as problem:
            refused.append(f"{name}: {problem}")
    return made
