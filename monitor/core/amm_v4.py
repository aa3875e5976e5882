"""What Uniswap v4 adds to the arithmetic of v3, equal to PoolManager and PositionManager to the last unit.

Prices, ticks, amounts and fee growth are the same numbers as in v3 (`core.amm`). Fees are not: v4 owes nothing from earlier, since every touch of
a position pays them out, and it keeps no cut to 128 bits but refuses what its signed balances cannot hold. A donation grows fees like a swap.
Packed words are laid out as v4-core's Slot0 and v4-periphery's PositionInfo say.
"""

from dataclasses import dataclass
from typing import NamedTuple

from monitor.core.amm import Q128, Q256, Payout, V3Pool, amounts_for_liquidity, growths_inside

MAX_BALANCE = (1 << 127) - 1
_POOL_ID_BITS, _SUBSCRIBER_BITS = 200, 8
_WITHDRAWAL_RIGHTS = {"beforeRemoveLiquidity": 1 << 9, "afterRemoveLiquidity": 1 << 8, "afterRemoveLiquidityReturnDelta": 1 << 0}


@dataclass(frozen=True, slots=True)
class V4Position:
    """What the pool manager stores of one NFT: its liquidity, and the fee growth inside its range when it was last touched."""

    tick_lower: int
    tick_upper: int
    liquidity: int
    inside0_last_x128: int
    inside1_last_x128: int


class PackedRange(NamedTuple):
    """What the position manager packs into one word: the first 25 bytes of the pool's id, and the range."""

    pool_id_start: bytes
    tick_lower: int
    tick_upper: int


def payout(pool: V3Pool, position: V4Position) -> Payout:
    """What BURN_POSITION would pay in this state, before any hook; `pool` is a v3 pool's shape without a `holder`.

    A position without liquidity is owed nothing. ValueError for a pool without a price, if a tick of a live position is uninitialised, which no
    one state has, or if an amount exceeds the pool manager's signed 128 bits, so that it would pay nothing at all.
    """
    if position.liquidity and not (pool.lower.initialized and pool.upper.initialized):
        raise ValueError("The position has liquidity but a tick of its range is uninitialised: they were not read at one block.")
    inside0, inside1 = growths_inside(pool, position.tick_lower, position.tick_upper)
    amount0, amount1 = amounts_for_liquidity(pool.sqrt_price_x96, position.tick_lower, position.tick_upper, position.liquidity)
    fees0 = fees_owed(position.liquidity, inside0, position.inside0_last_x128)
    fees1 = fees_owed(position.liquidity, inside1, position.inside1_last_x128)
    if max(amount0 + fees0, amount1 + fees1) > MAX_BALANCE:
        raise ValueError("The position is owed more than the pool manager can pay in one go: its withdrawal would fail.")
    return Payout(amount0, amount1, fees0, fees1)


def fees_owed(liquidity: int, inside_x128: int, inside_last_x128: int) -> int:
    """Raw units of one token that a touch pays, rounded down (Position.update)."""
    return ((inside_x128 - inside_last_x128) % Q256) * liquidity // Q128


def unpack_range(packed: int) -> PackedRange:
    """A PositionInfo word: 200 bits of pool id, the upper and the lower tick of 24 bits each, 8 bits of subscriber."""
    pool_id_start = (packed >> 256 - _POOL_ID_BITS).to_bytes(_POOL_ID_BITS // 8)
    return PackedRange(pool_id_start, _int24(packed >> _SUBSCRIBER_BITS), _int24(packed >> _SUBSCRIBER_BITS + 24))


def unpack_slot0(packed: int) -> tuple[int, int]:
    """The price (Q64.96 square root) and the tick of a Slot0 word: 160 bits and 24 bits from its low end."""
    return packed & (1 << 160) - 1, _int24(packed >> 160)


def withdrawal_rights(hooks: int) -> tuple[str, ...]:
    """The permissions, written into the low bits of a hook's address, that let it forbid, change or share in a withdrawal."""
    return tuple(name for name, bit in _WITHDRAWAL_RIGHTS.items() if hooks & bit)


def _int24(bits: int) -> int:
    low = bits & (1 << 24) - 1
    return low - (1 << 24) if low >> 23 else low
