"""What collectors of shares of pools have in common: rounds of reads at one block hash a pass, and names of a pool's coins."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

from monitor.chain import MOST_DECIMALS, Answer, Block, BlockPinnedReader, Call, output, unless_absent
from monitor.core.book import Chain, Position, PositionKind, Watch
from monitor.core.observation import Reading
from monitor.core.tokens import ASSET_OF
from monitor.core.units import MINUTE, Duration
from monitor.errors import BadPayload
from monitor.net import Net
from monitor.rpc import json_rpc
from monitor.source import Collector, Harvest, Ports, each

# How contracts write the coin that pays for gas where a token's address is asked, and the chains on which that is ether.
NATIVE = "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
ETHER_CHAINS = frozenset({"ethereum", "arbitrum", "base", "optimism"})
Rounds = tuple[tuple[Answer, ...], ...]


@dataclass(frozen=True, kw_only=True)
class PoolShares(Collector):
    """`block` is where a pass reads: `latest` is retractable, `safe` is not. `endpoint` replaces the RPC URL of every chain."""

    kind: ClassVar[PositionKind]
    rounds: ClassVar[int]

    cadence: Duration = MINUTE
    block: Literal["latest", "safe", "finalized"] = "latest"

    def asks(self, position: Position, chain: Chain, answers: Rounds) -> tuple[Call, ...]:
        """The calls of the next round, given what those before answered. BadPayload where they make no sense."""
        raise NotImplementedError

    def parse(self, position: Position, block: Block, answers: Rounds) -> list[Reading]:
        """The readings of one position and its pool. BadPayload, with a sentence, where a part is missing or parts contradict each other."""
        raise NotImplementedError

    def watched(self, watch: Watch) -> dict[str, list[Position]]:
        """The positions that it reads, by chain. A chain without an endpoint is left out."""
        grouped: dict[str, list[Position]] = {}
        for position in watch.positions:
            if position.kind == self.kind and position.chain in watch.chains:
                grouped.setdefault(position.chain, []).append(position)
        return grouped

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """One pass over each chain; a chain that cannot be read spoils the pass only if no other can."""
        return await each(partial(self._chain, ports.net, watch.chains[name], positions) for name, positions in self.watched(watch).items())

    async def _chain(self, net: Net, chain: Chain, positions: Sequence[Position]) -> Harvest:
        reader = BlockPinnedReader(json_rpc(net, self.endpoint or chain.rpc), chain.chain_id)
        block = await reader.pin(self.block)
        answers: dict[str, Rounds] = {position.id: () for position in positions}
        rejected, readings = list[str](), dict[tuple[str, str], Reading]()
        for _ in range(self.rounds):
            calls = dict[str, tuple[Call, ...]]()
            for position in (one for one in positions if one.id in answers):
                try:
                    calls[position.id] = self.asks(position, chain, answers[position.id])
                except BadPayload as problem:
                    rejected.append(f"{position.id}: {problem}")
            found = await reader.read_groups(block, calls)
            answers = {name: (*answers[name], group) for name, group in found.items()}
        for position in (one for one in positions if one.id in answers):
            try:
                readings |= {(row.metric, row.subject): row for row in self.parse(position, block, answers[position.id])}
            except BadPayload as problem:
                rejected.append(f"{position.id}: {problem}")
        return Harvest(list(readings.values()), rejected)


def pool_subject(position: Position) -> str:
    """The subject of a position's pool."""
    return f"pool:{position.chain}/{position.pool.lower()}"


def coin_names(position: Position, tokens: Sequence[str]) -> tuple[str, ...]:
    """The asset of each coin of a pool: as declared, in the pool's order, else as a well-known token. What a token calls itself is never asked.

    BadPayload, saying what to write, where one has no name or two have the same.
    """
    cure = f"add assets: [..] to position {position.id}, in the order of the pool"
    if position.assets and len(position.assets) != len(tokens):
        raise BadPayload(f"the pool has {len(tokens)} coins and the position names {len(position.assets)}: {cure}")
    names = position.assets or tuple(_well_known(position.chain, token) for token in tokens)
    nameless = [token for token, name in zip(tokens, names, strict=True) if not name]
    if nameless:
        raise BadPayload(f"its coin {nameless[0]} is not a well-known token: {cure}")
    if len(set(names)) != len(names):
        raise BadPayload(f"two of its coins are called {max(names, key=names.count)}: {cure}")
    return names


def _well_known(chain: str, token: str) -> str:
    if token.lower() == NATIVE and chain in ETHER_CHAINS:
        return "ETH"
    return ASSET_OF.get((chain, int(token, 16)), "")


def share_price(answer: Answer, shares: int) -> dict[str, float]:
    """The virtual price, of 18 decimals. A pool that holds nothing or dust cannot tell it, which matters to nobody who has no share of it."""
    return {} if not shares and unless_absent(answer) is None else {"virtual_price": output(answer) / 10**18}


@dataclass(frozen=True, slots=True)
class Share:
    """What one account has of a pool, in raw units; `paid` is what leaving with all shares in proportion would pay."""

    names: tuple[str, ...]
    decimals: tuple[int, ...]
    balances: tuple[int, ...]
    paid: Sequence[int]
    shares: int

    def readings(self, position: Position, block: Block, pool: Mapping[str, float]) -> Iterator[Reading]:
        """Readings of the position and of its pool, `pool` adding to what is told of the latter."""
        if max(self.decimals) > MOST_DECIMALS:
            raise BadPayload(f"a coin says that it has {max(self.decimals)} decimals, which no amount can have")
        tell = partial(Reading, at=block.timestamp_ms, block_hash=block.hash)
        yield tell("position.shares", position.id, self.shares)
        for name, digits, balance, paid in zip(self.names, self.decimals, self.balances, self.paid, strict=True):
            yield tell(f"position.amount.{name}", position.id, paid / 10**digits)
            yield tell(f"pool.balance.{name}", pool_subject(position), balance / 10**digits)
        for metric, value in pool.items():
            yield tell(f"pool.{metric}", pool_subject(position), value)
