"""Uniswap v4 positions by token id, read from the contracts at one block hash a pass.

The position manager says which pool and range an NFT is of and which pool manager it works with; the rest is read out of the pool manager's own
storage by `extsload`, so that no further contract has to be deployed or believed. What a position is worth is what burning it would pay in that
block, to the unit (`core.amm_v4`).

A hook with a right over withdrawals could forbid, change or share in that payment, and nothing that is stored says how. Such a position is
refused, until the user names the hook in `trusted_hooks`: then the numbers are those that the pool manager owes before the hook.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from monitor.chain import MOST_DECIMALS, Address, Answer, Block, BlockPinnedReader, Call, output, outputs
from monitor.chain_positions import must_be_held, owner_calls
from monitor.core.amm import MAX_TICK, MIN_TICK, Payout, TickEdge, V3Pool, sqrt_ratio_at_tick
from monitor.core.amm_v4 import PackedRange, V4Position, payout, unpack_range, unpack_slot0, withdrawal_rights
from monitor.core.book import Position, Watch
from monitor.core.observation import Reading
from monitor.core.units import MINUTE, Duration
from monitor.errors import BadPayload, SourceError
from monitor.net import Net
from monitor.rpc import json_rpc
from monitor.source import Collector, Harvest, Ports, each

KIND, MANAGER_ABI, POOLS_ABI = "uniswap-v4", "uniswap_v4_position_manager", "uniswap_v4_pool_manager"
# PositionManager by chain id: docs.uniswap.org/contracts/v4/deployments.
MANAGERS: Mapping[int, str] = {
    1: "0xbd216513d74c8cf14cf4747e6aaa6420ff64ee9e",
    10: "0x3c3ea4b57a46241e54610e5f022e5c45859a1017",
    56: "0x7a4a5c919ae2541aed11041a1aeee68f1287f95b",
    130: "0x4529a01c7a0410167c5740c487a8de60232617bf",
    137: "0x1ec2ebf4f37e7363fdfe3551602425af0b3ceef9",
    8453: "0x7c5f5a4bbd8fd63184577525326123b519429bdc",
    42161: "0xd88f38f930b7952f2db2432cb002e7abbf3dd869",
    43114: "0xb74b1f14d2754acfcbbe1a221023a5cf50ab8acd",
}
POSITION_FIELDS = (
    *("liquidity", "amount0", "amount1", "fees0", "fees1", "token0", "token1", "decimals0", "decimals1"),
    *("sqrt_price_x96", "tick", "tick_lower", "tick_upper"),
)
NATIVE = "0x" + "0" * 40
# A chain's own coin is counted in units of 10**-18 by the EVM itself, whatever the coin.
NATIVE_DECIMALS = 18
# Where v4-core's PoolManager keeps `pools`, and within a pool the mappings of ticks and of positions (StateLibrary).
POOLS_SLOT, TICKS_OFFSET, POSITIONS_OFFSET = 6, 4, 6


@dataclass(frozen=True, kw_only=True)
class UniswapV4(Collector):
    """`block` is where a pass reads: `latest` is retractable, `safe` is not. `managers` names the position manager by chain, for forks.

    `trusted_hooks` are hooks with a right over withdrawals whose positions are valued all the same, as if the hook did nothing. `endpoint`
    replaces the RPC URL of every chain.
    """

    title = "Uniswap v4"
    homepage = "https://docs.uniswap.org/contracts/v4/overview"

    cadence: Duration = MINUTE
    block: Literal["latest", "safe", "finalized"] = "latest"
    managers: Mapping[str, Address] = field(default_factory=dict)
    trusted_hooks: tuple[Address, ...] = ()

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """Each position's own metrics."""
        ids = [position.id for positions in _by_chain(watch).values() for position in positions]
        return frozenset((f"position.{name}", position_id) for name in POSITION_FIELDS for position_id in ids)

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """One pass over each chain; a chain that cannot be read spoils the pass only if no other can."""
        return await each(partial(self._chain, ports.net, watch, name, positions) for name, positions in _by_chain(watch).items())

    async def _chain(self, net: Net, watch: Watch, name: str, positions: Sequence[Position]) -> Harvest:
        chain = watch.chains[name]
        manager = self.managers.get(name) or MANAGERS.get(chain.chain_id)
        if manager is None:
            raise SourceError(f"no v4 position manager is known on chain {name}: add managers: {{{name}: 0x..}} to this source", permanent=True)
        reader = BlockPinnedReader(json_rpc(net, self.endpoint or chain.rpc), chain.chain_id)
        return await survey(reader, await reader.pin(self.block), manager, positions, frozenset(hook.lower() for hook in self.trusted_hooks))


def _by_chain(watch: Watch) -> dict[str, list[Position]]:
    """The positions that are NFTs, by chain."""
    grouped: dict[str, list[Position]] = {}
    for position in watch.positions:
        if position.kind == KIND and position.token_id is not None and position.chain in watch.chains:
            grouped.setdefault(position.chain, []).append(position)
    return grouped


@dataclass(frozen=True, slots=True)
class Holding:
    """What the position manager says of one NFT: addresses in hexadecimal, `pools` the pool manager, `pool_id` the hash of the pool's key."""

    pools: str
    currency0: str
    currency1: str
    hooks: str
    pool_id: bytes
    range: PackedRange
    liquidity: int


async def survey(reader: BlockPinnedReader, block: Block, manager: str, positions: Sequence[Position], trusted: frozenset[str]) -> Harvest:
    """Readings of positions, all of one block. A position that cannot be read or that a hook may touch is a rejected row; the others stand."""
    of_id = {position.id: position for position in positions}
    held = await reader.read_groups(block, {name: holding_calls(manager, position) for name, position in of_id.items()})
    rejected, calls, holdings = list[str](), dict[str, tuple[Call, ...]](), dict[str, Holding]()
    for position_id, answers in held.items():
        try:
            holdings[position_id] = parse_holding(answers, trusted)
            must_be_held(of_id[position_id], answers[3:])
            calls[position_id] = state_calls(holdings[position_id], manager, of_id[position_id].token_id or 0)
        except BadPayload as problem:
            rejected.append(f"{position_id}: {problem}")
    readings = list[Reading]()
    for position_id, answers in (await reader.read_groups(block, calls)).items():
        try:
            readings += parse_state(position_id, block, holdings[position_id], answers)
        except BadPayload as problem:
            rejected.append(f"{position_id}: {problem}")
    return Harvest(readings, rejected)


def holding_calls(manager: str, position: Position) -> tuple[Call, ...]:
    """What is asked of the position manager, in the order that `parse_holding` reads it, and last whose the NFT is."""
    token_id = position.token_id
    return (
        Call(manager, MANAGER_ABI, "poolManager"),
        Call(manager, MANAGER_ABI, "getPoolAndPositionInfo", (token_id,)),
        Call(manager, MANAGER_ABI, "getPositionLiquidity", (token_id,)),
        *owner_calls(manager, MANAGER_ABI, position),
    )


def parse_holding(answers: Sequence[Answer], trusted: frozenset[str]) -> Holding:
    """The NFT's own record. BadPayload for an id that was never minted or is burned, for a record that is not of its pool, and for a
    pool whose hook has a right over withdrawals and is not trusted.
    """
    pools, (key, packed), liquidity = str(output(answers[0])), outputs(answers[1]), output(answers[2])
    if packed == 0:
        raise BadPayload("the position manager knows no such token_id: it was never minted, or is burned")
    currency0, currency1, _, _, hooks = key
    holding = Holding(pools, currency0, currency1, hooks.lower(), pool_id(key), unpack_range(packed), liquidity)
    if holding.pool_id[:25] != holding.range.pool_id_start:
        raise BadPayload("the pool that the position manager names is not the one its record is of")
    rights = withdrawal_rights(int(hooks, 16))
    if rights and holding.hooks not in trusted:
        raise BadPayload(
            f"the hook {holding.hooks} of its pool has {', '.join(rights)}: what leaving pays is up to it. If you trust it, add "
            f"trusted_hooks: [{holding.hooks}] to this source: then it is valued as if the hook did nothing"
        )
    return holding


def pool_id(key: Sequence[Any]) -> bytes:
    """The 32-byte id of a pool: the hash of its two currencies, its fee, its tick spacing and its hooks."""
    from eth_abi.abi import encode
    from eth_utils.crypto import keccak

    return keccak(encode(["(address,address,uint24,int24,address)"], [tuple(key)]))


def state_calls(holding: Holding, manager: str, token_id: int) -> tuple[Call, ...]:
    """Everything that one position's worth depends on, in the order that `parse_state` reads it."""
    slots = storage_slots(holding.pool_id, holding.range, manager, token_id)
    tokens = [token for token in (holding.currency0, holding.currency1) if token != NATIVE]
    return (Call(holding.pools, POOLS_ABI, "extsload", (slots,)), *(Call(token, "erc20", "decimals") for token in tokens))


def storage_slots(pool: bytes, held: PackedRange, manager: str, token_id: int) -> tuple[bytes, ...]:
    """Where the pool manager keeps Slot0 and both growths, the lower tick, the upper tick and the position: three words each."""
    state = _mapped(pool, POOLS_SLOT)
    place = bytes.fromhex(manager[2:]) + held.tick_lower.to_bytes(3, signed=True) + held.tick_upper.to_bytes(3, signed=True) + _word(token_id)
    ticks = [_mapped(tick.to_bytes(32, signed=True), state + TICKS_OFFSET) for tick in (held.tick_lower, held.tick_upper)]
    firsts = (state, *ticks, _mapped(_hashed(place), state + POSITIONS_OFFSET))
    return tuple(_word(first + offset) for first in firsts for offset in range(3))


def _mapped(key: bytes, slot: int) -> int:
    """Where Solidity keeps the value of a 32-byte key of the mapping at a slot."""
    return int.from_bytes(_hashed(key + _word(slot)))


def _hashed(body: bytes) -> bytes:
    from eth_utils.crypto import keccak

    return keccak(body)


def _word(number: int) -> bytes:
    return (number % 2**256).to_bytes(32)


def parse_state(position_id: str, block: Block, holding: Holding, answers: Sequence[Answer]) -> list[Reading]:
    """Readings of one position. BadPayload with a sentence if a part is missing or the parts contradict each other."""
    words = [int.from_bytes(word) for word in output(answers[0])]
    if len(words) != 12:
        raise BadPayload(f"the pool manager answered {len(words)} words of storage instead of 12")
    decimals = [_decimals(answer) for answer in answers[1:]]
    if holding.currency0 == NATIVE:
        decimals.insert(0, NATIVE_DECIMALS)
    pool, position = _pool(words), V4Position(holding.range.tick_lower, holding.range.tick_upper, *words[9:])
    if position.liquidity != holding.liquidity:
        raise BadPayload("position manager and pool manager say different liquidity: is this a fork with a storage of its own?")
    try:
        paid = payout(pool, position)
    except ValueError as problem:
        raise BadPayload(str(problem)) from None
    return list(_rows(position_id, _values(holding, pool, position, paid, decimals), block))


def _decimals(answer: Answer) -> int:
    digits: int = output(answer)
    if digits > MOST_DECIMALS:
        raise BadPayload(f"a token says that it has {digits} decimals, and {MOST_DECIMALS} are the most that make sense")
    return digits


def _pool(words: Sequence[int]) -> V3Pool:
    price, tick = unpack_slot0(words[0])
    if price == 0:
        raise BadPayload("its pool was never initialised, so it has no price")
    # At the edge itself both neighbours are legal: a swap that stops there going down leaves the lower tick.
    if not (MIN_TICK <= tick <= MAX_TICK and sqrt_ratio_at_tick(tick) <= price <= sqrt_ratio_at_tick(min(tick + 1, MAX_TICK))):
        raise BadPayload("slot0 of its pool contradicts itself: the tick is not that of the price")
    lower, upper = (TickEdge(liquidity != 0, outside0, outside1) for liquidity, outside0, outside1 in (words[3:6], words[6:9]))
    return V3Pool(price, tick, words[1], words[2], lower, upper)


def _values(holding: Holding, pool: V3Pool, position: V4Position, paid: Payout, decimals: Sequence[int]) -> dict[str, int]:
    worth = (position.liquidity, paid.amount0, paid.amount1, paid.fees0, paid.fees1)
    tokens = (int(holding.currency0, 16), int(holding.currency1, 16), *decimals)
    parts = (*worth, *tokens, pool.sqrt_price_x96, pool.tick, position.tick_lower, position.tick_upper)
    return dict(zip(POSITION_FIELDS, parts, strict=True))


def _rows(subject: str, values: Mapping[str, int], block: Block) -> Iterator[Reading]:
    for name, value in values.items():
        yield Reading(f"position.{name}", subject, value, block.timestamp_ms, block_hash=block.hash)
