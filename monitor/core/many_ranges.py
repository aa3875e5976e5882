"""Many concentrated positions in one pass over columns: the arithmetic of core/amm.py for all of them at once.

What wraps around or cancels (fee growths, differences of prices) is carried in whole numbers, limb by limb; only the last division is made in
floating point. So each amount is that of core/amm.py to a relative 1e-12 of itself or to one raw unit, by which the contracts round down, and
each fee to a relative 1e-15 of itself, wherever the price stands.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from monitor.core.amm import MAX_SQRT_RATIO, MIN_SQRT_RATIO, Q96, Q128, V3Pool, V3Position, sqrt_ratio_at_tick

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Limbs = npt.NDArray[np.int64]
"""Whole numbers in limbs of 32 bits, the lowest first: shape (limbs, n)."""
BITS, MASK = 32, (1 << 32) - 1
UINT128, UINT160, UINT256 = 4, 5, 8
State = tuple[V3Pool, V3Position]


@dataclass(frozen=True, slots=True, eq=False)
class Growths:
    """Of one token, (8, n): fee growth in all, on the far side of both ends, and inside the range when the position was last touched; with
    the debt recorded then, (4, n).
    """

    everywhere: Limbs
    beyond_lower: Limbs
    beyond_upper: Limbs
    inside_last: Limbs
    owed: Limbs


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """One row a position: Q64.96 square roots of the price and of both ends, (5, n), liquidity, (4, n), and growths.

    `side` is where slot0's tick stands: -1 below the range, 0 inside, 1 above. A row that is not `sound` (liquidity on an uninitialised tick,
    or without a price) is of no one state and is worth NaN.
    """

    price: Limbs
    lower: Limbs
    upper: Limbs
    liquidity: Limbs
    side: Whole
    sound: npt.NDArray[np.bool_]
    growths: tuple[Growths, Growths]

    def __len__(self) -> int:
        return len(self.side)


@dataclass(frozen=True, slots=True, eq=False)
class Worths:
    """What leaving would pay, (n,): liquidity and uncollected fees in whole tokens, and all of it in USD."""

    amount0: Floats
    amount1: Floats
    fees0: Floats
    fees1: Floats
    usd: Floats


def columns(held: Sequence[State]) -> Columns:
    """The columns of these positions, in order. ValueError for ticks that are out of bounds or do not rise.

    The pool's own record, which caps an NFT by the few units that it rounds away, is left out.
    """
    pools, positions = [pool for pool, _ in held], [position for _, position in held]
    if any(one.tick_lower >= one.tick_upper for one in positions):
        raise ValueError("a range's lower tick is not below its upper one")
    ends = {tick for one in positions for tick in (one.tick_lower, one.tick_upper)}
    ratios = {tick: sqrt_ratio_at_tick(tick) for tick in ends}
    return Columns(
        _limbs([pool.sqrt_price_x96 for pool in pools], UINT160),
        _limbs([ratios[one.tick_lower] for one in positions], UINT160),
        _limbs([ratios[one.tick_upper] for one in positions], UINT160),
        _limbs([one.stake.liquidity for one in positions], UINT128),
        np.array([(pool.tick >= one.tick_upper) - (pool.tick < one.tick_lower) for pool, one in held], dtype=np.int64),
        np.array([_is_sound(pool, one) for pool, one in held], dtype=np.bool_),
        (_growths(pools, positions, "0"), _growths(pools, positions, "1")),
    )


def worths(held: Columns, decimals: tuple[Whole, Whole], prices_usd: tuple[Floats, Floats]) -> Worths:
    """Value every row, by the digits and by the USD prices of token0 and token1, (n,) each.

    NaN where the row is not sound, or where more than 2^128 raw units would be owed, which the contracts cut off.
    """
    amounts, liquidity = _amounts(held), held.liquidity
    fees = [_float(_owed(held.side, liquidity, growths)) for growths in held.growths]
    units = [10.0**digits for digits in decimals]
    known = held.sound & (amounts[0] + fees[0] < Q128) & (amounts[1] + fees[1] < Q128)
    paid = [np.where(known, raw, np.nan) / unit for raw, unit in zip((*amounts, *fees), (*units, *units), strict=True)]
    return Worths(paid[0], paid[1], paid[2], paid[3], (paid[0] + paid[2]) * prices_usd[0] + (paid[1] + paid[3]) * prices_usd[1])


def _amounts(held: Columns) -> tuple[Floats, Floats]:
    """Raw units of both tokens, not rounded. Differences of roots are exact: beside an end they are a few units of numbers of 160 bits."""
    width = _float(_carried((held.upper, 1), (held.lower, -1)))
    above = np.clip(_float(_carried((held.price, 1), (held.lower, -1))), 0.0, width)
    below = np.clip(_float(_carried((held.upper, 1), (held.price, -1))), 0.0, width)
    liquidity, lower, upper = _float(held.liquidity), _float(held.lower), _float(held.upper)
    root = np.clip(_float(held.price), lower, upper)
    return liquidity * (below / upper) * (Q96 / root), liquidity * (above / Q96)


def _owed(side: Whole, liquidity: Limbs, growths: Growths) -> Limbs:
    """What is owed beside the liquidity, modulo 2**128: the growth inside since the last touch, times liquidity, and the debt of then."""
    inside = side == 0
    lower, upper = np.where(side < 0, 1, -1), np.where(side > 0, 1, -1)
    # Tick.getFeeGrowthInside with its three cases multiplied out: the growth everywhere cancels unless the price is inside.
    since = _carried((growths.everywhere, inside), (growths.beyond_lower, lower), (growths.beyond_upper, upper), (growths.inside_last, -1))
    earned = _upper_half(since[:UINT256], liquidity)
    return _carried((earned, 1), (growths.owed, 1))[:UINT128]


def _carried(*terms: tuple[Limbs, npt.ArrayLike]) -> Limbs:
    """The sum of whole numbers times -1, 0 or 1: one limb more than they have, the last with its sign."""
    (first, _), *_ = terms
    size, count = first.shape
    total, carry = np.empty((size + 1, count), dtype=np.int64), np.zeros(count, dtype=np.int64)
    for place in range(size):
        for limbs, sign in terms:
            carry = carry + limbs[place] * np.asarray(sign)
        total[place] = carry & MASK
        carry = carry >> BITS
    total[size] = carry
    return total


def _upper_half(growth: Limbs, liquidity: Limbs) -> Limbs:
    """Bits 128 to 255 of a product, as NonfungiblePositionManager and the pool cut it: school multiplication, carries kept apart."""
    wide, factor = growth.astype(np.uint64), liquidity.astype(np.uint64)
    halves, carry = list[Limbs](), np.zeros(growth.shape[1], dtype=np.uint64)
    for place in range(UINT256):
        total, carry = carry, np.zeros_like(carry)
        for index in range(max(0, place - UINT128 + 1), place + 1):
            product = wide[index] * factor[place - index]
            total = total + (product & np.uint64(MASK))
            carry = carry + (product >> np.uint64(BITS))
        carry = carry + (total >> np.uint64(BITS))
        if place >= UINT128:
            halves.append((total & np.uint64(MASK)).astype(np.int64))
    return np.stack(halves)


def _float(limbs: Limbs) -> Floats:
    """To a few units of the last place: from the top, so that a sign in the last limb cancels before anything is rounded."""
    value: Floats = limbs[-1].astype(np.float64)
    for limb in limbs[-2::-1]:
        value = value * 2.0**BITS + limb
    return value


def _growths(pools: Sequence[V3Pool], positions: Sequence[V3Position], token: str) -> Growths:
    """By names that attrgetter reads at once: most of the time that columns take to build goes into these."""
    return Growths(
        _limbs(list(map(attrgetter(f"growth{token}_x128"), pools)), UINT256),
        _limbs(list(map(attrgetter(f"lower.growth_outside{token}_x128"), pools)), UINT256),
        _limbs(list(map(attrgetter(f"upper.growth_outside{token}_x128"), pools)), UINT256),
        _limbs(list(map(attrgetter(f"stake.inside{token}_last_x128"), positions)), UINT256),
        _limbs(list(map(attrgetter(f"stake.owed{token}"), positions)), UINT128),
    )


def _limbs(numbers: Sequence[int], size: int) -> Limbs:
    packed = b"".join([number.to_bytes(4 * size, "little") for number in numbers])
    return np.ascontiguousarray(np.frombuffer(packed, dtype="<u4").reshape(len(numbers), size).T.astype(np.int64))


def _is_sound(pool: V3Pool, position: V3Position) -> bool:
    if not position.stake.liquidity:
        return True
    return pool.lower.initialized and pool.upper.initialized and MIN_SQRT_RATIO <= pool.sqrt_price_x96 < MAX_SQRT_RATIO
