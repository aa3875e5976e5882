"""The pool arithmetic: exact tables, properties against exact fractions, and the published vectors of the contracts' own tests."""

import csv
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core import amm
from monitor.core.amm import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    Q96,
    Payout,
    Stake,
    TickEdge,
    V3Pool,
    V3Position,
    amounts_for_liquidity,
    fee_growth_inside,
    fees_owed,
    payout,
    price_of_token0,
    sqrt_ratio_at_tick,
    tick_at_sqrt_ratio,
)

UINT128 = (1 << 128) - 1
UINT256 = (1 << 256) - 1
TICKS = st.integers(MIN_TICK, MAX_TICK)
PRICES = st.integers(MIN_SQRT_RATIO, MAX_SQRT_RATIO - 1)
RANGES = st.tuples(TICKS, TICKS).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: (min(pair), max(pair)))
GROWTHS = st.integers(0, UINT256)
OPEN = TickEdge(True, 0, 0)
CLOSED = TickEdge(False, 0, 0)


def rows(path: Path) -> list[tuple[int, ...]]:
    with path.open(newline="", encoding="utf-8") as lines:
        return [tuple(int(cell) for cell in row) for row in list(csv.reader(lines))[1:]]


def test_tick_to_price_equals_the_published_vectors(recorded_data: Path) -> None:
    table = rows(recorded_data / "uniswap-v3-oracle" / "tick_to_sqrtPriceX96.csv")
    assert len(table) == 28
    assert [sqrt_ratio_at_tick(tick) for tick, _ in table] == [ratio for _, ratio in table]


def test_price_to_tick_equals_the_published_vectors(recorded_data: Path) -> None:
    table = rows(recorded_data / "uniswap-v3-oracle" / "sqrtPriceX96_to_tick.csv")
    assert len(table) == 13
    assert [tick_at_sqrt_ratio(ratio) for ratio, _ in table] == [tick for _, tick in table]


def test_each_factor_is_the_root_of_the_tick_base_to_the_nearest_unit() -> None:
    with localcontext(prec=90):
        exact = [Decimal(2) ** 128 / Decimal("1.0001") ** (Decimal(2) ** (bit - 1)) for bit in range(20)]
        assert list(amm._FACTORS) == [int(value.to_integral_value()) for value in exact]


@pytest.mark.parametrize(
    ("tick", "ratio"),
    [
        (MIN_TICK, MIN_SQRT_RATIO),
        (MIN_TICK + 1, 4295343490),
        (-1, 79224201403219477170569942574),
        (0, Q96),
        (1, 79232123823359799118286999568),
        (MAX_TICK - 1, 1461373636630004318706518188784493106690254656249),
        (MAX_TICK, MAX_SQRT_RATIO),
    ],
)
def test_the_price_at_a_tick_is_exact_at_both_ends_and_around_zero(tick: int, ratio: int) -> None:
    assert sqrt_ratio_at_tick(tick) == ratio


@pytest.mark.parametrize(
    ("price", "tick"),
    [
        (MIN_SQRT_RATIO, MIN_TICK),
        (4295343489, MIN_TICK),
        (4295343490, MIN_TICK + 1),
        (Q96 - 1, -1),
        (Q96, 0),
        (79232123823359799118286999567, 0),
        (79232123823359799118286999568, 1),
        (MAX_SQRT_RATIO - 1, MAX_TICK - 1),
    ],
)
def test_a_price_one_unit_below_a_tick_belongs_to_the_tick_before(price: int, tick: int) -> None:
    assert tick_at_sqrt_ratio(price) == tick


def test_a_unit_to_either_side_of_a_tick_is_told_apart_all_over_the_domain() -> None:
    for tick in (*range(MIN_TICK + 1, MAX_TICK, 997), *range(-50, 51), *range(MIN_TICK + 1, MIN_TICK + 50), *range(MAX_TICK - 50, MAX_TICK)):
        ratio = sqrt_ratio_at_tick(tick)
        assert [tick_at_sqrt_ratio(ratio + step) for step in (-1, 0, 1)] == [tick - 1, tick, tick]


@given(PRICES)
@example(MIN_SQRT_RATIO)
@example(MAX_SQRT_RATIO - 1)
def test_the_tick_of_a_price_brackets_it(price: int) -> None:
    tick = tick_at_sqrt_ratio(price)
    assert sqrt_ratio_at_tick(tick) <= price < sqrt_ratio_at_tick(tick + 1)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: sqrt_ratio_at_tick(MAX_TICK + 1), "outside the range"),
        (lambda: sqrt_ratio_at_tick(MIN_TICK - 1), "outside the range"),
        (lambda: tick_at_sqrt_ratio(0), "never initialised"),
        (lambda: tick_at_sqrt_ratio(MIN_SQRT_RATIO - 1), "outside the range"),
        (lambda: tick_at_sqrt_ratio(MAX_SQRT_RATIO), "outside the range"),
        (lambda: amounts_for_liquidity(0, -60, 60, 1), "never initialised"),
        (lambda: amounts_for_liquidity(Q96, 60, 60, 1), "not below"),
        (lambda: amounts_for_liquidity(Q96, -60, 60, -1), "does not fit 128"),
        (lambda: amounts_for_liquidity(Q96, -60, 60, UINT128 + 1), "does not fit 128"),
        (lambda: fee_growth_inside(0, 60, -60, 0, 0, 0), "not below"),
        (lambda: fees_owed(-1, 0, 0, 0), "does not fit 128"),
        (lambda: price_of_token0(0, 18, 6), "never initialised"),
        (lambda: price_of_token0(Q96, -1, 6), "decimals0"),
        (lambda: price_of_token0(Q96, 18, 256), "decimals1"),
        (lambda: price_of_token0(Q96, 256, 18), "decimals0"),
    ],
)
def test_nonsense_is_refused_with_a_sentence_F_056(call: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        call()


AT_LOWER, AT_UPPER = sqrt_ratio_at_tick(-60), sqrt_ratio_at_tick(60)
# Floors of the exact fractions for a liquidity of 10**30, where one unit of price is worth a dozen of the token.
ALL = 5999709018652706591653020634


@pytest.mark.parametrize(
    ("price", "amounts"),
    [
        (MIN_SQRT_RATIO, (ALL, 0)),
        (AT_LOWER - 1, (ALL, 0)),
        (AT_LOWER, (ALL, 0)),
        (AT_LOWER + 1, (5999709018652706591653020621, 12)),
        (Q96, (2995354955910780937674382092, 2995354955910780937674382080)),
        (AT_UPPER - 1, (12, 5999709018652706591653020621)),
        (AT_UPPER, (0, ALL)),
        (AT_UPPER + 1, (0, ALL)),
        (MAX_SQRT_RATIO - 1, (0, ALL)),
    ],
)
def test_amounts_at_and_around_the_edges_of_a_range(price: int, amounts: tuple[int, int]) -> None:
    assert amounts_for_liquidity(price, -60, 60, 10**30) == amounts


@given(PRICES, RANGES, st.integers(0, UINT128))
@example(MIN_SQRT_RATIO, (MIN_TICK, MAX_TICK), UINT128)
@example(MAX_SQRT_RATIO - 1, (MIN_TICK, MAX_TICK), UINT128)
@example(Q96, (-1, 1), 0)
def test_amounts_are_the_exact_fractions_rounded_down_once(price: int, ticks: tuple[int, int], liquidity: int) -> None:
    lower, upper = (sqrt_ratio_at_tick(tick) for tick in ticks)
    inside = min(max(price, lower), upper)
    exact0 = Fraction(liquidity * Q96 * (upper - inside), upper * inside)
    exact1 = Fraction(liquidity * (inside - lower), Q96)
    amount0, amount1 = amounts_for_liquidity(price, *ticks, liquidity)
    assert 0 <= exact0 - amount0 < 1
    assert 0 <= exact1 - amount1 < 1


@pytest.mark.parametrize(
    ("tick", "inside"),
    [(MIN_TICK, 1), (-61, 1), (-60, 95), (59, 95), (60, UINT256), (MAX_TICK, UINT256)],
)
def test_a_range_owns_its_lower_tick_and_not_its_upper(tick: int, inside: int) -> None:
    assert fee_growth_inside(tick, -60, 60, 100, 3, 2) == inside


@given(TICKS, RANGES, GROWTHS, GROWTHS, GROWTHS, GROWTHS)
@example(0, (-60, 60), 5, UINT256, UINT256, 10)
def test_growth_inside_moves_by_the_global_growth_in_range_and_not_at_all_out_of_it(
    tick: int, ticks: tuple[int, int], growth: int, lower: int, upper: int, step: int
) -> None:
    before = fee_growth_inside(tick, *ticks, growth, lower, upper)
    after = fee_growth_inside(tick, *ticks, (growth + step) % (1 << 256), lower, upper)
    assert (after - before) % (1 << 256) == (step if ticks[0] <= tick < ticks[1] else 0)


@pytest.mark.parametrize(
    ("liquidity", "inside", "last", "owed", "expected"),
    [
        (0, 1 << 200, 0, 7, 7),
        (1, (1 << 128) - 1, 0, 0, 0),
        (1, 1 << 128, 0, 0, 1),
        (3, 1, UINT256, 5, 5),
        (1 << 127, 1, UINT256, 5, 6),
        (1, 0, 0, UINT128, UINT128),
        (1, 1 << 128, 0, UINT128, 0),
        (UINT128, UINT256, 0, 1, 0),
        (2, 1 << 255, 0, 9, 9),
    ],
    ids=[
        "no liquidity",
        "under a unit",
        "a unit",
        "wrapped growth",
        "wrapped growth of a unit",
        "full debt",
        "debt wraps",
        "cut",
        "cut to 0",
    ],
)
def test_fees_owed_wrap_and_truncate_as_the_manager_does(liquidity: int, inside: int, last: int, owed: int, expected: int) -> None:
    assert fees_owed(liquidity, inside, last, owed) == expected


def pool_at(price: int, tick: int, holder: Stake | None = None, lower: TickEdge = OPEN, upper: TickEdge = OPEN) -> V3Pool:
    return V3Pool(price, tick, 1 << 120, 1 << 119, lower, upper, holder)


def test_a_live_position_is_paid_its_share_and_its_fees() -> None:
    position = V3Position(-60, 60, Stake(10**12, 0, 0, 11, 13))
    fees0, fees1 = 10**12 >> 8, 10**12 >> 9
    assert payout(pool_at(Q96, 0), position) == Payout(2995_354_955, 2995_354_955, fees0 + 11, fees1 + 13)


def test_fees_follow_the_tick_of_slot0_when_the_price_stands_exactly_on_the_edge() -> None:
    position = V3Position(-60, 60, Stake(10**12, 0, 0, 0, 0))
    crossed, inside = payout(pool_at(AT_LOWER, -61), position), payout(pool_at(AT_LOWER, -60), position)
    assert (crossed.amount0, crossed.amount1) == (inside.amount0, inside.amount1) == (5999_709_018, 0)
    assert (crossed.fees0, inside.fees0) == (0, 10**12 >> 8)


@pytest.mark.parametrize("edges", [(OPEN, OPEN), (CLOSED, CLOSED)])
def test_a_position_without_liquidity_is_paid_its_old_debt_alone_F_056(edges: tuple[TickEdge, TickEdge]) -> None:
    position = V3Position(-60, 60, Stake(0, 5, 6, 11, 13))
    assert payout(pool_at(Q96, 0, None, *edges), position) == Payout(0, 0, 11, 13)


@pytest.mark.parametrize("edges", [(CLOSED, OPEN), (OPEN, CLOSED)])
def test_a_live_position_on_an_uninitialised_tick_is_refused_F_056(edges: tuple[TickEdge, TickEdge]) -> None:
    with pytest.raises(ValueError, match="not read at one block"):
        payout(pool_at(Q96, 0, None, *edges), V3Position(-60, 60, Stake(1, 0, 0, 0, 0)))


def test_a_range_upside_down_is_refused_even_without_liquidity() -> None:
    with pytest.raises(ValueError, match="not below"):
        payout(pool_at(Q96, 0), V3Position(60, -60, Stake(0, 0, 0, 0, 0)))


def test_the_pools_own_record_caps_what_is_collected() -> None:
    position = V3Position(-60, 60, Stake(10**12, 0, 0, 11, 13))
    free = payout(pool_at(Q96, 0), position)
    capped = payout(pool_at(Q96, 0, Stake(10**12, 0, 0, 10, 13)), position)
    assert capped == Payout(free.amount0, free.amount1, free.fees0 - 1, free.fees1)


def test_the_cap_reaches_the_principal_last_and_counts_no_growth_for_a_spent_position() -> None:
    drained = Stake(0, 0, 0, UINT128, UINT128)
    assert payout(pool_at(Q96, 0, drained), V3Position(-60, 60, Stake(10**12, 0, 0, 0, 0))) == Payout(2995_354_954, 2995_354_954, 0, 0)
    assert payout(pool_at(Q96, 0, Stake(10**12, 0, 0, 3, 4)), V3Position(-60, 60, Stake(0, 0, 0, 11, 13))) == Payout(0, 0, 3, 4)
    # Not even where each unit of liquidity had earned five whole ones since the pool's record was made.
    late = V3Position(-60, 60, Stake(0, 5 << 128, 5 << 128, 11, 13))
    assert payout(pool_at(Q96, 0, Stake(10**12, 0, 0, 3, 4)), late) == Payout(0, 0, 3, 4)


@pytest.mark.parametrize(
    ("price", "decimals0", "decimals1", "expected"),
    [
        (Q96, 18, 18, 1.0),
        (Q96, 18, 6, 1e12),
        (Q96, 0, 2, 0.01),
        (2 * Q96, 6, 18, 4e-12),
        (Q96, 36, 0, 1e36),
        (MIN_SQRT_RATIO, 0, 36, MIN_SQRT_RATIO**2 / (2**192 * 10**36)),
        (MAX_SQRT_RATIO - 1, 255, 0, 3.402567868363881e293),
    ],
)
def test_price_of_token0_at_odd_decimals_and_at_the_bounds_F_057(price: int, decimals0: int, decimals1: int, expected: float) -> None:
    assert price_of_token0(price, decimals0, decimals1) == expected
