"""Uniswap v3 positions and their pools, read from the contracts at one block hash a pass.

What a position is worth is what the position manager would pay for it in that block, to the unit (`core.amm`); no indexer is asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field

from monitor.chain import Answer, Block, BlockPinnedReader, Call, Failed, amount
from monitor.core.amm import MAX_TICK, MIN_TICK, Payout, Stake, TickEdge, V3Pool, V3Position, payout, sqrt_ratio_at_tick
from monitor.core.book import Position, Watch
from monitor.core.observation import Reading
from monitor.core.units import MINUTE, Duration
from monitor.errors import BadPayload, SourceError
from monitor.net import Net
from monitor.rpc import json_rpc
from monitor.source import Collector, Harvest, Ports, each

MANAGER_ABI, POOL_ABI = "uniswap_v3_position_manager", "uniswap_v3_pool"
# NonfungiblePositionManager by chain id: docs.uniswap.org/contracts/v3/reference/deployments, one page for each chain.
MANAGERS: Mapping[int, str] = {
    1: "0xC36442b4a4522E871399CD717aBDD847Ab11FE88",
    10: "0xC36442b4a4522E871399CD717aBDD847Ab11FE88",
    137: "0xC36442b4a4522E871399CD717aBDD847Ab11FE88",
    8453: "0x03a520b32C04BF3bEEf7BEb72E919cf822Ed34f1",
    42161: "0xC36442b4a4522E871399CD717aBDD847Ab11FE88",
}
Address = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")]
POSITION_FIELDS = ("liquidity", "amount0", "amount1", "fees0", "fees1", "token0", "token1", "decimals0", "decimals1")


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
        """Each position's own metrics. Its pool's come with them, under an address that only the chain knows."""
        ids = [position.id for positions in self._by_chain(watch).values() for position in positions]
        return frozenset((f"position.{name}", position_id) for name in POSITION_FIELDS for position_id in ids)

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """One pass over each chain; a chain that cannot be read spoils the pass only if no other can."""
        return await each(partial(self._chain, ports.net, watch, name, positions) for name, positions in self._by_chain(watch).items())

    def _by_chain(self, watch: Watch) -> dict[str, list[Position]]:
        grouped: dict[str, list[Position]] = {}
        for position in watch.positions:
            if position.kind == "uniswap-v3" and position.token_id is not None and position.chain in watch.chains:
                grouped.setdefault(position.chain, []).append(position)
        return grouped

    async def _chain(self, net: Net, watch: Watch, name: str, positions: Sequence[Position]) -> Harvest:
        chain = watch.chains[name]
        manager = self.managers.get(name) or MANAGERS.get(chain.chain_id)
        if manager is None:
            raise SourceError(f"no position manager is known on chain {name}: add managers: {{{name}: 0x..}} to this source", permanent=True)
        reader = BlockPinnedReader(json_rpc(net, self.endpoint or chain.rpc), chain.chain_id)
        return await survey(reader, await reader.pin(self.block), name, manager, positions)


@dataclass(frozen=True, slots=True)
class Holding:
    """What the position manager stores of one NFT; tokens are 20-byte hex addresses, `fee` is in hundredths of a basis point."""

    token0: str
    token1: str
    fee: int
    position: V3Position


async def survey(reader: BlockPinnedReader, block: Block, chain: str, manager: str, positions: Sequence[Position]) -> Harvest:
    """Readings of positions and their pools, all of one block. A position that cannot be read is a rejected row; the others stand."""
    factory, *answers = await reader.read(block, [Call(manager, MANAGER_ABI, "factory"), *(_held(manager, position) for position in positions)])
    rejected, holdings = list[str](), dict[str, Holding]()
    for position, answer in zip(positions, answers, strict=True):
        try:
            holdings[position.id] = parse_holding(answer)
        except BadPayload as problem:
            rejected.append(f"{position.id}: {problem}")
    wanted = [_pool_of(_one(factory), holding) for holding in holdings.values()]
    pools = dict(zip(holdings, await reader.read(block, wanted), strict=True))
    harvest = await _states(reader, block, chain, manager, holdings, pools)
    return Harvest(harvest.readings, [*rejected, *harvest.rejected])


async def _states(
    reader: BlockPinnedReader, block: Block, chain: str, manager: str, holdings: Mapping[str, Holding], pools: Mapping[str, Answer]
) -> Harvest:
    calls, rejected = dict[str, tuple[Call, ...]](), list[str]()
    for position_id, holding in holdings.items():
        try:
            calls[position_id] = state_calls(parse_pool_address(pools[position_id]), manager, holding)
        except BadPayload as problem:
            rejected.append(f"{position_id}: {problem}")
    unique = tuple(dict.fromkeys(call for group in calls.values() for call in group))
    answers = dict(zip(unique, await reader.read(block, unique), strict=True))
    readings = dict[tuple[str, str], Reading]()
    for position_id, group in calls.items():
        try:
            own = [_reserve(answers[call]) if call.function == "balanceOf" else answers[call] for call in group]
            rows = parse_state(position_id, chain, block, holdings[position_id], group, own)
            readings |= {(row.metric, row.subject): row for row in rows}
            rejected += [f"{position_id}: reserve of its pool: {answer.reason}" for answer in own[9:11] if isinstance(answer, Failed)]
        except BadPayload as problem:
            rejected.append(f"{position_id}: {problem}")
    return Harvest(list(readings.values()), rejected)


def _reserve(answer: Answer) -> Answer:
    """What a pool holds of a token: Failed for an amount that no token has, which costs the reserve alone."""
    try:
        return answer if isinstance(answer, Failed) else (amount(answer),)
    except BadPayload as problem:
        return Failed(str(problem))


def _held(manager: str, position: Position) -> Call:
    return Call(manager, MANAGER_ABI, "positions", (position.token_id,))


def _pool_of(factory: Any, holding: Holding) -> Call:
    return Call(str(factory), "uniswap_v3_factory", "getPool", (holding.token0, holding.token1, holding.fee))


def parse_holding(answer: Answer) -> Holding:
    """The NFT's own record. BadPayload if the manager has none, which is how a burned or mistyped id looks."""
    if isinstance(answer, Failed):
        raise BadPayload(f"{answer.reason}: the position manager knows no such token_id")
    _, _, token0, token1, fee, lower, upper, *stake = answer
    return Holding(token0, token1, fee, V3Position(lower, upper, Stake(*stake)))


def parse_pool_address(answer: Answer) -> str:
    """The pool's address in lower case; BadPayload if the factory has no such pool."""
    address = str(_one(answer)).lower()
    if int(address, 16) == 0:
        raise BadPayload("the factory knows no pool of the position's tokens and fee")
    return address


def state_calls(pool: str, manager: str, holding: Holding) -> tuple[Call, ...]:
    """Everything that one position's worth depends on, in the order that `parse_state` reads it."""
    lower, upper = holding.position.tick_lower, holding.position.tick_upper
    tokens = (holding.token0, holding.token1)
    return (
        *(Call(pool, POOL_ABI, name) for name in ("slot0", "feeGrowthGlobal0X128", "feeGrowthGlobal1X128")),
        *(Call(pool, POOL_ABI, "ticks", (tick,)) for tick in (lower, upper)),
        Call(pool, POOL_ABI, "positions", (range_key(manager, lower, upper),)),
        Call(pool, POOL_ABI, "liquidity"),
        *(Call(token, "erc20", "decimals") for token in tokens),
        *(Call(token, "erc20", "balanceOf", (pool,)) for token in tokens),
    )


def range_key(owner: str, tick_lower: int, tick_upper: int) -> bytes:
    """The 32-byte key under which a pool stores what an owner holds in a range."""
    from eth_utils.crypto import keccak

    return keccak(bytes.fromhex(owner[2:]) + tick_lower.to_bytes(3, signed=True) + tick_upper.to_bytes(3, signed=True))


def parse_state(position_id: str, chain: str, block: Block, holding: Holding, calls: Sequence[Call], answers: Sequence[Answer]) -> list[Reading]:
    """Readings of one position and its pool. BadPayload with a sentence if a part is missing or the parts contradict each other."""
    pool, (liquidity, *_) = _pool(answers), _all(answers[6])
    decimals = [_one(answer) for answer in answers[7:9]]
    try:
        paid = payout(pool, holding.position)
    except ValueError as problem:
        raise BadPayload(str(problem)) from None
    worth = _position_values(holding, paid, decimals)
    state = {"sqrt_price_x96": pool.sqrt_price_x96, "tick": pool.tick, "liquidity": liquidity}
    # A token that will not say what the pool holds of it costs the reserve alone.
    state |= {f"reserve{side}": _one(answer) for side, answer in enumerate(answers[9:11]) if not isinstance(answer, Failed)}
    return [*_rows("position", position_id, worth, block), *_rows("pool", f"pool:{chain}/{calls[0].target}", state, block)]


def _pool(answers: Sequence[Answer]) -> V3Pool:
    price, tick, *_ = _all(answers[0])
    # At the edge itself both neighbours are legal: a swap that stops there going down leaves the lower tick.
    if not (MIN_TICK <= tick <= MAX_TICK and (price == 0 or sqrt_ratio_at_tick(tick) <= price <= sqrt_ratio_at_tick(min(tick + 1, MAX_TICK)))):
        raise BadPayload("slot0 of its pool contradicts itself: the tick is not that of the price")
    edges = [TickEdge(edge[7], edge[2], edge[3]) for edge in (_all(answers[3]), _all(answers[4]))]
    return V3Pool(price, tick, _one(answers[1]), _one(answers[2]), edges[0], edges[1], Stake(*_all(answers[5])))


def _position_values(holding: Holding, paid: Payout, decimals: Sequence[int]) -> dict[str, int]:
    tokens = (int(holding.token0, 16), int(holding.token1, 16))
    parts = (holding.position.stake.liquidity, paid.amount0, paid.amount1, paid.fees0, paid.fees1, *tokens, *decimals)
    return dict(zip(POSITION_FIELDS, parts, strict=True))


def _rows(family: str, subject: str, values: Mapping[str, int], block: Block) -> Iterator[Reading]:
    for name, value in values.items():
        yield Reading(f"{family}.{name}", subject, value, block.timestamp_ms, block_hash=block.hash)


def _all(answer: Answer) -> tuple[Any, ...]:
    if isinstance(answer, Failed):
        raise BadPayload(answer.reason)
    return answer


def _one(answer: Answer) -> Any:
    [value] = _all(answer)
    return value
