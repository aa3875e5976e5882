"""Uniswap v3 arithmetic in whole numbers, equal to the contracts to the last unit.

Prices are `sqrt(token1 / token0) * 2**96` in raw token units, growths are fees per unit of liquidity times `2**128`, amounts are
raw token units. Every rounding and every wrap-around is the contract's own (v3-core TickMath, SqrtPriceMath, Tick, Position;
v3-periphery NonfungiblePositionManager), because a monitor that is one unit off cannot tell its own error from a lying node.
"""

from dataclasses import dataclass
from math import log

MIN_TICK = -887_272
MAX_TICK = 887_272
MIN_SQRT_RATIO = 4_295_128_739
MAX_SQRT_RATIO = 1_461_446_703_485_210_103_287_273_052_203_988_822_378_723_970_342
Q96 = 1 << 96
Q128 = 1 << 128
Q192 = 1 << 192
Q256 = 1 << 256

# 2**128 / sqrt(1.0001)**(2**n), to the nearest integer, for n = 0 .. 19.
_FACTORS = (
    0xFFFCB933BD6FAD37AA2D162D1A594001,
    0xFFF97272373D413259A46990580E213A,
    0xFFF2E50F5F656932EF12357CF3C7FDCC,
    0xFFE5CACA7E10E4E61C3624EAA0941CD0,
    0xFFCB9843D60F6159C9DB58835C926644,
    0xFF973B41FA98C081472E6896DFB254C0,
    0xFF2EA16466C96A3843EC78B326B52861,
    0xFE5DEE046A99A2A811C461F1969C3053,
    0xFCBE86C7900A88AEDCFFC83B479AA3A4,
    0xF987A7253AC413176F2B074CF7815E54,
    0xF3392B0822B70005940C7A398E4B70F3,
    0xE7159475A2C29B7443B29C7FA6E889D9,
    0xD097F3BDFD2022B8845AD8F792AA5825,
    0xA9F746462D870FDF8A65DC1F90E061E5,
    0x70D869A156D2A1B890BB3DF62BAF32F7,
    0x31BE135F97D08FD981231505542FCFA6,
    0x9AA508B5B7A84E1C677DE54F3E99BC9,
    0x5D6AF8DEDB81196699C329225EE604,
    0x2216E584F5FA1EA926041BEDFE98,
    0x48A170391F7DC42444E8FA2,
)

_LOG_OF_A_TICK = log(1.0001) / 2


@dataclass(frozen=True, slots=True)
class TickEdge:
    """One end of a range as the pool stores it: fee growth on the far side of the tick, and whether any liquidity refers to the tick."""

    initialized: bool
    growth_outside0_x128: int
    growth_outside1_x128: int


@dataclass(frozen=True, slots=True)
class Stake:
    """Liquidity with the growths and debts recorded when it was last touched; the pool and the position manager both store this shape."""

    liquidity: int
    inside0_last_x128: int
    inside1_last_x128: int
    owed0: int
    owed1: int


@dataclass(frozen=True, slots=True)
class V3Pool:
    """What a pool says about one range at one block.

    `tick` is slot0's own: after a fall that stops exactly on a tick it is one below the tick of the price, and fees follow it, not
    the price. `holder` is the pool's record of everything the position manager holds in this range, which caps what can be collected;
    None leaves the cap off.
    """

    sqrt_price_x96: int
    tick: int
    growth0_x128: int
    growth1_x128: int
    lower: TickEdge
    upper: TickEdge
    holder: Stake | None = None


@dataclass(frozen=True, slots=True)
class V3Position:
    """One NFT of the position manager."""

    tick_lower: int
    tick_upper: int
    stake: Stake


@dataclass(frozen=True, slots=True)
class Payout:
    """Raw token units paid by leaving now: `amount` is the liquidity's share of the reserves, `fees` everything owed beside it."""

    amount0: int
    amount1: int
    fees0: int
    fees1: int


def sqrt_ratio_at_tick(tick: int) -> int:
    """Q64.96 square root of the price at a tick, rounded up (TickMath.getSqrtRatioAtTick); ValueError outside +-887272."""
    _require_tick(tick)
    ratio, steps = Q128, abs(tick)
    for bit, factor in enumerate(_FACTORS):
        if steps >> bit & 1:
            ratio = ratio * factor >> 128
    if tick > 0:
        ratio = Q256 // ratio  # as of 2 ** 256 - 1: none of these ratios is a power of 2
    return -(-ratio >> 32)  # up


def tick_at_sqrt_ratio(sqrt_price_x96: int) -> int:
    """Greatest tick whose ratio is not above the price (TickMath.getTickAtSqrtRatio); ValueError outside the contract's domain."""
    _require_price(sqrt_price_x96)
    # The logarithm is right to a millionth of a tick: only the whole tick on either side of it is left to be told apart.
    tick = round(log(sqrt_price_x96 / Q96) / _LOG_OF_A_TICK)
    return tick if sqrt_ratio_at_tick(tick) <= sqrt_price_x96 else tick - 1


def amounts_for_liquidity(sqrt_price_x96: int, tick_lower: int, tick_upper: int, liquidity: int) -> tuple[int, int]:
    """Raw token amounts that burning the liquidity pays, each rounded down as the pool does (SqrtPriceMath, `roundUp = false`)."""
    _require_price(sqrt_price_x96)
    _require_range(tick_lower, tick_upper)
    _require_uint(liquidity, 128, "liquidity")
    lower, upper = sqrt_ratio_at_tick(tick_lower), sqrt_ratio_at_tick(tick_upper)
    inside = min(max(sqrt_price_x96, lower), upper)
    amount0 = (liquidity << 96) * (upper - inside) // (upper * inside)
    amount1 = liquidity * (inside - lower) >> 96
    return amount0, amount1


def fee_growth_inside(tick: int, tick_lower: int, tick_upper: int, growth_x128: int, outside_lower_x128: int, outside_upper_x128: int) -> int:
    """Fee growth of one token inside the range, modulo 2**256 (Tick.getFeeGrowthInside): only differences of two readings mean anything."""
    _require_range(tick_lower, tick_upper)
    below = outside_lower_x128 if tick >= tick_lower else growth_x128 - outside_lower_x128
    above = outside_upper_x128 if tick < tick_upper else growth_x128 - outside_upper_x128
    return (growth_x128 - below - above) % Q256


def fees_owed(liquidity: int, inside_x128: int, inside_last_x128: int, tokens_owed: int) -> int:
    """Raw units owed after a touch: old debt plus growth times liquidity, both cut to uint128 as NonfungiblePositionManager does."""
    _require_uint(liquidity, 128, "liquidity")
    earned = ((inside_x128 - inside_last_x128) % Q256) * liquidity >> 128
    return (tokens_owed + earned % Q128) % Q128


def payout(pool: V3Pool, position: V3Position) -> Payout:
    """What decreaseLiquidity(all) followed by collect(maximum) would pay in this state.

    A position without liquidity pays its old debt. ValueError if a tick of a live position is uninitialised: no one state has both.
    """
    _require_range(position.tick_lower, position.tick_upper)
    if not position.stake.liquidity:
        return _settle(pool, position.stake, (0, 0), (position.stake.inside0_last_x128, position.stake.inside1_last_x128))
    if not (pool.lower.initialized and pool.upper.initialized):
        raise ValueError("The position has liquidity but a tick of its range is uninitialised: they were not read at one block.")
    burned = amounts_for_liquidity(pool.sqrt_price_x96, position.tick_lower, position.tick_upper, position.stake.liquidity)
    return _settle(pool, position.stake, burned, growths_inside(pool, position.tick_lower, position.tick_upper))


def growths_inside(pool: V3Pool, tick_lower: int, tick_upper: int) -> tuple[int, int]:
    """Fee growth inside the range for both tokens, modulo 2**256."""
    return (
        fee_growth_inside(pool.tick, tick_lower, tick_upper, pool.growth0_x128, pool.lower.growth_outside0_x128, pool.upper.growth_outside0_x128),
        fee_growth_inside(pool.tick, tick_lower, tick_upper, pool.growth1_x128, pool.lower.growth_outside1_x128, pool.upper.growth_outside1_x128),
    )


def price_of_token0(sqrt_price_x96: int, decimals0: int, decimals1: int) -> float:
    """Units of token1 for one whole unit of token0; exact until the one division, which rounds to the nearest double."""
    _require_price(sqrt_price_x96)
    _require_uint(decimals0, 8, "decimals0")
    _require_uint(decimals1, 8, "decimals1")
    numerator: int = sqrt_price_x96**2 * 10**decimals0
    denominator: int = Q192 * 10**decimals1
    return numerator / denominator


def _settle(pool: V3Pool, stake: Stake, burned: tuple[int, int], inside: tuple[int, int]) -> Payout:
    due0 = _due(stake.liquidity, burned[0], inside[0], stake.inside0_last_x128, stake.owed0)
    due1 = _due(stake.liquidity, burned[1], inside[1], stake.inside1_last_x128, stake.owed1)
    if pool.holder is not None:
        # The pool rounds its record down on every visit to the range, an NFT only on its own, so the NFT may be owed a unit the pool lacks.
        moved = pool.holder.liquidity if stake.liquidity else 0
        due0 = min(due0, _due(moved, burned[0], inside[0], pool.holder.inside0_last_x128, pool.holder.owed0))
        due1 = min(due1, _due(moved, burned[1], inside[1], pool.holder.inside1_last_x128, pool.holder.owed1))
    amount0, amount1 = min(burned[0], due0), min(burned[1], due1)
    return Payout(amount0, amount1, due0 - amount0, due1 - amount1)


def _due(liquidity: int, burned: int, inside_x128: int, inside_last_x128: int, tokens_owed: int) -> int:
    return (fees_owed(liquidity, inside_x128, inside_last_x128, tokens_owed) + burned) % Q128


def _require_tick(tick: int) -> None:
    if not MIN_TICK <= tick <= MAX_TICK:
        raise ValueError(f"Tick {tick} is outside the range of Uniswap v3, {MIN_TICK} to {MAX_TICK}.")


def _require_range(tick_lower: int, tick_upper: int) -> None:
    _require_tick(tick_lower)
    _require_tick(tick_upper)
    if tick_lower >= tick_upper:
        raise ValueError(f"The lower tick {tick_lower} is not below the upper tick {tick_upper}.")


def _require_price(sqrt_price_x96: int) -> None:
    if sqrt_price_x96 == 0:
        raise ValueError("The square-root price is 0: the pool exists but was never initialised, so it has no price.")
    if not MIN_SQRT_RATIO <= sqrt_price_x96 < MAX_SQRT_RATIO:
        raise ValueError(f"The square-root price {sqrt_price_x96} is outside the range of Uniswap v3.")


def _require_uint(value: int, bits: int, name: str) -> None:
    if not 0 <= value < 1 << bits:
        raise ValueError(f"The {name} {value} does not fit {bits} unsigned bits.")
