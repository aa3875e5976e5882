"""Uniswap v3 positions and their pools, read from the contracts at one block hash a pass.

A position is an NFT of the position manager (`token_id`), or a range that an account holds in a pool itself (`pool`, `account`, `tick_lower`,
`tick_upper`). What it is worth is what leaving it would pay in that block, to the unit (`core.amm`); no indexer is asked.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from monitor.chain import Answer, Block, BlockPinnedReader, Call, output
from monitor.chain_positions import must_be_held, owner_calls
from monitor.core.book import Position, Watch
from monitor.core.units import MINUTE, Duration
from monitor.errors import BadPayload, SourceError
from monitor.net import Net
from monitor.rpc import json_rpc
from monitor.source import Collector, Harvest, Ports, each
from monitor.v3_contracts import (
    FACTORY_ABI,
    MANAGER_ABI,
    POOL_ABI,
    POSITION_FIELDS,
    Holding,
    Place,
    parse_holding,
    parse_state,
    place_of,
    reserve,
    state_calls,
)

# NonfungiblePositionManager by chain id: docs.uniswap.org/contracts/v3/reference/deployments, one page for each chain.
MANAGERS: Mapping[int, str] = {
    1: "0xC36442b4a4522E871399CD717aBDD847Ab11FE88",
    10: "0xC36442b4a4522E871399CD717aBDD847Ab11FE88",
    137: "0xC36442b4a4522E871399CD717aBDD847Ab11FE88",
    8453: "0x03a520b32C04BF3bEEf7BEb72E919cf822Ed34f1",
    42161: "0xC36442b4a4522E871399CD717aBDD847Ab11FE88",
}
T = TypeVar("T")
Address = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")]


@dataclass(frozen=True, kw_only=True)
class UniswapV3(Collector):
    """`block` is where a pass reads: `latest` is retractable, `safe` is not. `managers` names the position manager by chain, for forks.

    `endpoint` replaces the RPC URL of every chain.
    """

    title = "Uniswap v3"
    homepage = "https://docs.uniswap.org/contracts/v3/overview"

    cadence: Duration = MINUTE
    block: Literal["latest", "safe", "finalized"] = "latest"
    managers: Mapping[str, Address] = field(default_factory=dict)

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """Each position's own metrics. Its pool's come with them, under an address that for an NFT only the chain knows."""
        ids = [position.id for positions in self._by_chain(watch).values() for position in positions]
        return frozenset((f"position.{name}", position_id) for name in POSITION_FIELDS for position_id in ids)

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """One pass over each chain; a chain that cannot be read spoils the pass only if no other can."""
        return await each(partial(self._chain, ports.net, watch, name, positions) for name, positions in self._by_chain(watch).items())

    def _by_chain(self, watch: Watch) -> dict[str, list[Position]]:
        grouped: dict[str, list[Position]] = {}
        for position in watch.positions:
            if position.kind == "uniswap-v3" and (position.token_id is not None or position.pool) and position.chain in watch.chains:
                grouped.setdefault(position.chain, []).append(position)
        return grouped

    async def _chain(self, net: Net, watch: Watch, name: str, positions: Sequence[Position]) -> Harvest:
        chain = watch.chains[name]
        manager = self.managers.get(name) or MANAGERS.get(chain.chain_id, "")
        if not manager and any(position.token_id is not None for position in positions):
            raise SourceError(f"no position manager is known on chain {name}: add managers: {{{name}: 0x..}} to this source", permanent=True)
        reader = BlockPinnedReader(json_rpc(net, self.endpoint or chain.rpc), chain.chain_id)
        return await survey(reader, await reader.pin(self.block), name, manager, positions)


async def survey(reader: BlockPinnedReader, block: Block, chain: str, manager: str, positions: Sequence[Position]) -> Harvest:
    """Readings of positions and their pools, all of one block. A position that cannot be read is a rejected row; the others stand."""
    rejected = list[str]()
    places = await _places(reader, block, manager, positions, rejected)
    calls = _made(places, lambda name: state_calls(places[name]), rejected)
    answers = await reader.read_groups(block, calls)
    read = _made(answers, lambda name: parse_state(name, chain, block, places[name], answers[name]), rejected)
    for name in read:
        rejected += [f"{name}: reserve of its pool: {why}" for why in map(reserve, answers[name][9:11]) if isinstance(why, str)]
    # Positions of one pool share its readings.
    return Harvest(list({(row.metric, row.subject): row for rows in read.values() for row in rows}.values()), rejected)


async def _places(reader: BlockPinnedReader, block: Block, manager: str, positions: Sequence[Position], rejected: list[str]) -> dict[str, Place]:
    """Where each position lies; why that cannot be told of the others is added to `rejected`."""
    ranges, of_id = {one.id: one for one in positions if one.token_id is None}, {one.id: one for one in positions}
    first = await reader.read_groups(block, {one.id: _first_calls(manager, one) for one in positions})
    places = _made(ranges, lambda name: _range_of(ranges[name], first[name]), rejected)
    nfts = _made([name for name in of_id if name not in ranges], lambda name: _holding(of_id[name], first[name]), rejected)
    wanted = _made(nfts, lambda name: (_pool_of(output(first[name][1]), nfts[name]),), rejected)
    pools = await reader.read_groups(block, wanted)
    return places | _made(pools, lambda name: place_of(nfts[name], manager, pools[name][0]), rejected)


def _made(names: Iterable[str], make: Callable[[str], T], rejected: list[str]) -> dict[str, T]:
    """What can be made for each name. A BadPayload costs that name alone and is added to `rejected`."""
    made = dict[str, T]()
    for name in names:
        try:
            made[name] = make(name)
        except BadPayload as problem:
            rejected.append(f"{name}: {problem}")
    return made


def _first_calls(manager: str, position: Position) -> tuple[Call, ...]:
    if position.token_id is None:
        return Call(position.pool, POOL_ABI, "token0"), Call(position.pool, POOL_ABI, "token1")
    of_nft = Call(manager, MANAGER_ABI, "positions", (position.token_id,)), Call(manager, MANAGER_ABI, "factory")
    return *of_nft, *owner_calls(manager, MANAGER_ABI, position)


def _holding(position: Position, answers: Sequence[Answer]) -> Holding:
    found = parse_holding(answers[0])
    must_be_held(position, answers[2:])
    return found


def _range_of(position: Position, answers: Sequence[Answer]) -> Place:
    if position.tick_lower is None or position.tick_upper is None:
        raise BadPayload("a range of a pool needs tick_lower and tick_upper")
    token0, token1 = (str(output(answer)) for answer in answers)
    return Place(position.pool.lower(), (token0, token1), position.account, position.tick_lower, position.tick_upper)


def _pool_of(factory: str, holding: Holding) -> Call:
    return Call(factory, FACTORY_ABI, "getPool", (holding.token0, holding.token1, holding.fee))
