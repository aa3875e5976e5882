"""What collectors of positions on chains share: each pass over a chain at one block hash, in a few rounds of reads for all its positions.

A position that cannot be read is a refused row that begins with its id; the others stand.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal, TypeVar

from monitor.chain import Answer, Block, BlockPinnedReader, Call, output
from monitor.core.book import Chain, Position, PositionKind, Watch
from monitor.core.observation import Reading
from monitor.core.units import MINUTE, Duration
from monitor.errors import BadPayload
from monitor.net import Net
from monitor.rpc import json_rpc
from monitor.source import Collector, Harvest, Ports, each

Result = TypeVar("Result")
Rounds = tuple[tuple[Answer, ...], ...]
"""What was answered so far, round by round."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a position is: its chain as configured, and the block of this pass."""

    chain: Chain
    block: Block

    def readings(self, family: str, subject: str, values: Mapping[str, float | int]) -> Iterator[Reading]:
        """`family.name` of a subject, each under the time and the hash of the block."""
        for name, value in values.items():
            yield Reading(f"{family}.{name}", subject, value, self.block.timestamp_ms, block_hash=self.block.hash)


def owner_calls(manager: str, abi: str, position: Position) -> tuple[Call, ...]:
    """Who holds the position's NFT: asked where it names the account that should."""
    return (Call(manager, abi, "ownerOf", (position.token_id,)),) if position.account else ()


def must_be_held(position: Position, owner: Sequence[Answer]) -> None:
    """BadPayload where another account holds the NFT than the position names; `owner` is what `owner_calls` were answered."""
    for answer in owner:
        holder = str(output(answer)).lower()
        if holder != position.account.lower():
            raise BadPayload(
                f"its NFT is held by {holder} and not by account {position.account.lower()}: it was sold, moved or staked. If a farm or a gauge "
                "keeps it for you, write that address as account; else delete the position"
            )


@dataclass(frozen=True, kw_only=True)
class ChainPositions(Collector):
    """`block` is where a pass reads: `latest` is retractable, `safe` is not. `endpoint` replaces the RPC URL of every chain."""

    kind: ClassVar[PositionKind]
    rounds: ClassVar[int]

    cadence: Duration = MINUTE
    block: Literal["latest", "safe", "finalized"] = "latest"

    def asks(self, position: Position, chain: Chain, answers: Rounds) -> tuple[Call, ...]:
        """The calls of the next round, given what those before answered. BadPayload where a setting is missing or they make no sense."""
        raise NotImplementedError  # each kind of position asks and reads its own contracts

    def parse(self, position: Position, place: Place, answers: Rounds) -> list[Reading]:
        """The readings of one position and its pool. BadPayload, with a sentence, where a part is missing or parts contradict each other."""
        raise NotImplementedError  # each kind of position asks and reads its own contracts

    def promises(self, position: Position) -> Iterable[tuple[str, str]]:
        """The (metric, subject) pairs that a position will bring."""
        raise NotImplementedError  # each kind of position has its own

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """What is promised of each position that is read."""
        return frozenset(pair for positions in self.watched(watch).values() for position in positions for pair in self.promises(position))

    def watched(self, watch: Watch) -> dict[str, list[Position]]:
        """The positions that it reads, by chain. A chain without an endpoint is left out."""
        grouped: dict[str, list[Position]] = {}
        for position in watch.positions:
            if position.kind == self.kind and position.account and position.chain in watch.chains:
                grouped.setdefault(position.chain, []).append(position)
        return grouped

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """One pass over each chain; a chain that cannot be read spoils the pass only if no other can."""
        return await each(partial(self._chain, ports.net, watch.chains[name], positions) for name, positions in self.watched(watch).items())

    async def _chain(self, net: Net, chain: Chain, positions: Sequence[Position]) -> Harvest:
        reader = BlockPinnedReader(json_rpc(net, self.endpoint or chain.rpc), chain.chain_id)
        place = Place(chain, await reader.pin(self.block))
        by_id, refused = {position.id: position for position in positions}, list[str]()
        answers: dict[str, Rounds] = dict.fromkeys(by_id, ())
        for _ in range(self.rounds):
            calls = _kept(answers, lambda name, known: self.asks(by_id[name], chain, known), refused)
            found = await reader.read_groups(place.block, calls)
            answers = {name: (*answers[name], group) for name, group in found.items()}
        rows = _kept(answers, lambda name, known: self.parse(by_id[name], place, known), refused)
        # Two positions in one pool say the same of it.
        readings = {(row.metric, row.subject): row for of_one in rows.values() for row in of_one}
        empty = [by_id[name] for name, of_one in rows.items() if any((row.metric, row.value) == ("position.shares", 0) for row in of_one)]
        notes = [f"{one.id}: account {one.account} holds no shares of {one.pool}: it is closed, or staked, which is not read" for one in empty]
        return Harvest(list(readings.values()), refused, notes=notes)


def _kept(answers: Mapping[str, Rounds], make: Callable[[str, Rounds], Result], refused: list[str]) -> dict[str, Result]:
    """What is made for each name out of its answers; why not, where it is not, goes to `refused`."""
    made: dict[str, Result] = {}
    for name, known in answers.items():
        try:
            made[name] = make(name, known)
        except BadPayload as problem:
            refused.append(f"{name}: {problem}")
    return made
