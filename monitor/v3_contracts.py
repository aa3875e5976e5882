"""What the contracts of Uniswap v3 are asked about a position, and what their answers mean: an NFT of the position manager, or a range that an
account holds in a pool itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from monitor.chain import MOST_DECIMALS, Answer, Block, Call, Failed, amount, output, outputs
from monitor.core.amm import MAX_TICK, MIN_TICK, Stake, TickEdge, V3Pool, V3Position, payout, sqrt_ratio_at_tick
from monitor.core.observation import Reading
from monitor.errors import BadPayload

MANAGER_ABI, FACTORY_ABI, POOL_ABI = "uniswap_v3_position_manager", "uniswap_v3_factory", "uniswap_v3_pool"
POSITION_FIELDS = (
    *("liquidity", "amount0", "amount1", "fees0", "fees1", "token0", "token1", "decimals0", "decimals1"),
    *("sqrt_price_x96", "tick", "tick_lower", "tick_upper"),
)


@dataclass(frozen=True, slots=True)
class Holding:
    """What the position manager stores of one NFT; tokens are 20-byte hex addresses, `fee` is in hundredths of a basis point."""

    token0: str
    token1: str
    fee: int
    position: V3Position


@dataclass(frozen=True, slots=True)
class Place:
    """Where a position lies: its pool (in lower case), its tokens, its range, and the `owner` that the pool knows the range by.

    `stake` is an NFT's own record, and then the owner is the position manager; None where the pool's record is all there is.
    """

    pool: str
    tokens: tuple[str, str]
    owner: str
    tick_lower: int
    tick_upper: int
    stake: Stake | None = None


def parse_holding(answer: Answer) -> Holding:
    """The NFT's own record. BadPayload if the manager has none, which is how a burned or mistyped id looks."""
    if isinstance(answer, Failed):
        raise BadPayload(f"{answer.reason}: the position manager knows no such token_id")
    _, _, token0, token1, fee, lower, upper, *stake = answer
    return Holding(token0, token1, fee, V3Position(lower, upper, Stake(*stake)))


def parse_pool_address(answer: Answer) -> str:
    """The pool's address in lower case; BadPayload if the factory has no such pool."""
    address = str(output(answer)).lower()
    if int(address, 16) == 0:
        raise BadPayload("the factory knows no pool of the position's tokens and fee")
    return address


def place_of(holding: Holding, manager: str, pool: Answer) -> Place:
    """Where an NFT lies, by what the factory answered. BadPayload if it has no such pool."""
    held = holding.position
    return Place(parse_pool_address(pool), (holding.token0, holding.token1), manager, held.tick_lower, held.tick_upper, held.stake)


def state_calls(place: Place) -> tuple[Call, ...]:
    """Everything that a position's worth depends on, in the order that `parse_state` reads it. BadPayload for a range that cannot be."""
    key = range_key(place.owner, place.tick_lower, place.tick_upper)
    return (
        *(Call(place.pool, POOL_ABI, name) for name in ("slot0", "feeGrowthGlobal0X128", "feeGrowthGlobal1X128")),
        *(Call(place.pool, POOL_ABI, "ticks", (tick,)) for tick in (place.tick_lower, place.tick_upper)),
        Call(place.pool, POOL_ABI, "positions", (key,)),
        Call(place.pool, POOL_ABI, "liquidity"),
        *(Call(token, "erc20", "decimals") for token in place.tokens),
        *(Call(token, "erc20", "balanceOf", (place.pool,)) for token in place.tokens),
    )


def range_key(owner: str, tick_lower: int, tick_upper: int) -> bytes:
    """The 32-byte key under which a pool stores what an owner holds in a range. BadPayload for a range that cannot be."""
    from eth_utils.crypto import keccak

    if not MIN_TICK <= tick_lower < tick_upper <= MAX_TICK:
        raise BadPayload(f"no range goes from tick {tick_lower} to {tick_upper}: they must rise, between {MIN_TICK} and {MAX_TICK}")
    return keccak(bytes.fromhex(owner[2:]) + tick_lower.to_bytes(3, signed=True) + tick_upper.to_bytes(3, signed=True))


def parse_state(position_id: str, chain: str, block: Block, place: Place, answers: Sequence[Answer]) -> list[Reading]:
    """Readings of one position and its pool. BadPayload with a sentence if a part is missing or the parts contradict each other.

    A token that will not say what the pool holds of it costs that reserve alone.
    """
    pool, in_range = _pool(answers), output(answers[6])
    worth = _worth(pool, place, *(_decimals(answer) for answer in answers[7:9]))
    state = {"sqrt_price_x96": pool.sqrt_price_x96, "tick": pool.tick, "liquidity": in_range}
    state |= {f"reserve{side}": held for side, answer in enumerate(answers[9:11]) if not isinstance(held := reserve(answer), str)}
    return [*_rows("position", position_id, worth, block), *_rows("pool", f"pool:{chain}/{place.pool}", state, block)]


def reserve(answer: Answer) -> int | str:
    """What a pool holds of a token, in raw units; or in a sentence why that cannot be told."""
    try:
        return amount(answer)
    except BadPayload as problem:
        return str(problem)


def _worth(pool: V3Pool, place: Place, decimals0: int, decimals1: int) -> dict[str, int]:
    """What the owner would be paid: by the position manager for an NFT, and for any other range by the pool itself, whose record nothing caps."""
    stake = place.stake
    if stake is None:
        stake, pool = _own(pool.holder), replace(pool, holder=None)
    try:
        paid = payout(pool, V3Position(place.tick_lower, place.tick_upper, stake))
    except ValueError as problem:
        raise BadPayload(str(problem)) from None
    parts = (
        *(stake.liquidity, paid.amount0, paid.amount1, paid.fees0, paid.fees1),
        *(int(token, 16) for token in place.tokens),
        *(decimals0, decimals1, pool.sqrt_price_x96, pool.tick, place.tick_lower, place.tick_upper),
    )
    return dict(zip(POSITION_FIELDS, parts, strict=True))


def _pool(answers: Sequence[Answer]) -> V3Pool:
    price, tick, *_ = outputs(answers[0])
    # At the edge itself both neighbours are legal: a swap that stops there going down leaves the lower tick.
    if not (MIN_TICK <= tick <= MAX_TICK and (price == 0 or sqrt_ratio_at_tick(tick) <= price <= sqrt_ratio_at_tick(min(tick + 1, MAX_TICK)))):
        raise BadPayload("slot0 of its pool contradicts itself: the tick is not that of the price")
    edges = [TickEdge(edge[7], edge[2], edge[3]) for edge in (outputs(answers[3]), outputs(answers[4]))]
    return V3Pool(price, tick, output(answers[1]), output(answers[2]), edges[0], edges[1], Stake(*outputs(answers[5])))


def _own(stake: Stake | None) -> Stake:
    if stake is None or stake == Stake(0, 0, 0, 0, 0):
        raise BadPayload("its pool has no record of that account in that range: correct account, tick_lower or tick_upper, or delete the position")
    return stake


def _decimals(answer: Answer) -> int:
    """BadPayload for more than a token's amounts could have digits."""
    digits: int = output(answer)
    if digits > MOST_DECIMALS:
        raise BadPayload(f"a token says that it has {digits} decimals, and {MOST_DECIMALS} are the most that make sense")
    return digits


def _rows(family: str, subject: str, values: Mapping[str, int], block: Block) -> Iterator[Reading]:
    for name, value in values.items():
        yield Reading(f"{family}.{name}", subject, value, block.timestamp_ms, block_hash=block.hash)
