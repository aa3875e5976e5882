"""The pass over columns against the exact integers, row by row, over the whole domain."""

import math
import random
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.amm import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    Q96,
    Q128,
    Payout,
    Stake,
    TickEdge,
    V3Pool,
    V3Position,
    payout,
    sqrt_ratio_at_tick,
    tick_at_sqrt_ratio,
)
from monitor.core.many_ranges import State, Worths, columns, worths

CASES, SEED = 6_000, 20260611
UINT128, UINT256 = 2**128 - 1, 2**256 - 1
OPEN = TickEdge(True, 0, 0)


def valued(held: Sequence[State], decimals: tuple[int, int] = (0, 0), prices: tuple[float, float] = (1.0, 1.0)) -> Worths:
    count = len(held)
    digits = np.full(count, decimals[0]), np.full(count, decimals[1])
    return worths(columns(held), digits, (np.full(count, prices[0]), np.full(count, prices[1])))


def row(told: Worths, index: int = 0) -> tuple[float, float, float, float]:
    return float(told.amount0[index]), float(told.amount1[index]), float(told.fees0[index]), float(told.fees1[index])


def state(price: int, *, ticks: tuple[int, int] = (-60, 60), tick: int | None = None, stake: Stake | None = None, **pool: Any) -> State:
    here = tick if tick is not None else tick_at_sqrt_ratio(price)
    fields: dict[str, Any] = {"growth0_x128": 0, "growth1_x128": 0, "lower": OPEN, "upper": OPEN, **pool}
    return V3Pool(price, here, **fields), V3Position(*ticks, stake or Stake(10**30, 0, 0, 0, 0))


def random_state(dice: random.Random) -> State:
    """A range anywhere; a price on an end, a unit beside it, inside or anywhere; growths that wrap; liquidity and debts of any size."""
    lower = dice.choice((MIN_TICK, dice.randrange(MIN_TICK, MAX_TICK), dice.randrange(-300_000, 300_000)))
    upper = min(MAX_TICK, lower + dice.choice((1, dice.randint(1, 2_000), dice.randint(1, 2 * MAX_TICK), 2 * MAX_TICK)))
    price = dice.choice(
        (
            *(sqrt_ratio_at_tick(end) + dice.choice((-1, 0, 1)) for end in (lower, upper)),
            dice.randint(sqrt_ratio_at_tick(lower), sqrt_ratio_at_tick(upper)),
            *(sqrt_ratio_at_tick(tick) for tick in (dice.randint(lower, upper), dice.randint(MIN_TICK, MAX_TICK))),
        )
    )
    price = min(max(price, MIN_SQRT_RATIO), MAX_SQRT_RATIO - 1)
    tick = tick_at_sqrt_ratio(price)
    # A fall that stops on a tick leaves slot0 one below it.
    tick -= price == sqrt_ratio_at_tick(tick) and tick > MIN_TICK and dice.random() < 0.5
    growth = [dice.getrandbits(dice.choice((64, 140, 256))) for _ in range(8)]
    liquidity, *owed = (dice.choice((0, 1, dice.getrandbits(dice.randint(1, 128)), UINT128 >> dice.randint(0, 60))) for _ in range(3))
    edges = TickEdge(True, growth[2], growth[3]), TickEdge(True, growth[4], growth[5])
    return V3Pool(price, tick, growth[0], growth[1], *edges), V3Position(lower, upper, Stake(liquidity, growth[6], growth[7], owed[0], owed[1]))


def too_much(held: State, paid: Payout) -> bool:
    """Whether what is owed does not fit the contracts' 128 bits: they cut it off."""
    pool, position = held
    lower, upper = (sqrt_ratio_at_tick(tick) for tick in (position.tick_lower, position.tick_upper))
    root = min(max(pool.sqrt_price_x96, lower), upper)
    drawn = Fraction(position.stake.liquidity * Q96 * (upper - root), upper * root), Fraction(position.stake.liquidity * (root - lower), Q96)
    return any(int(amount) != part for amount, part in zip(map(math.floor, drawn), (paid.amount0, paid.amount1), strict=True)) or any(
        total >= Q128 - 2**80 for total in (drawn[0] + paid.fees0, drawn[1] + paid.fees1)
    )


def test_every_row_is_its_exact_payout_to_a_billionth_of_itself_or_one_raw_unit_wherever_its_price_stands() -> None:
    dice = random.Random(SEED)
    held = [random_state(dice) for _ in range(CASES)]
    told, tried = valued(held), Counter[str]()
    for index, one in enumerate(held):
        paid, numbers = payout(*one), row(told, index)
        if too_much(one, paid):
            tried["too much"] += 1
            continue
        for number, truth, slack in zip(numbers, (paid.amount0, paid.amount1, paid.fees0, paid.fees1), (1, 1, 0, 0), strict=True):
            assert abs(Fraction(number) - truth) <= Fraction(truth, 10**9) + slack, f"row {index}: {numbers} is not {paid} of {one}"
        assert told.usd[index] == pytest.approx(sum(numbers), rel=1e-12)
        tried[f"side {columns([one]).side[0]}"] += 1
        tried["a few units"] += 0 < min(paid.amount0, paid.amount1) < 1000
        tried["fees"] += paid.fees0 > 0
    assert (sum(tried[name] for name in ("side -1", "side 0", "side 1", "too much")), len(told.usd)) == (CASES, CASES)
    assert min(tried.values()) > 40 and tried["too much"] < CASES / 2, tried


LOWER, UPPER = sqrt_ratio_at_tick(-60), sqrt_ratio_at_tick(60)


@pytest.mark.parametrize("price", [LOWER - 1, LOWER, LOWER + 1, Q96, UPPER - 1, UPPER, UPPER + 1, MIN_SQRT_RATIO, MAX_SQRT_RATIO - 1])
@pytest.mark.parametrize("liquidity", [0, 1, 10**30, 2**100])
def test_at_and_beside_the_ends_amounts_are_right_to_the_unit(price: int, liquidity: int) -> None:
    held = state(price, stake=Stake(liquidity, 0, 0, 0, 0))
    amount0, amount1, _, _ = row(valued([held]))
    paid = payout(*held)
    assert abs(amount0 - paid.amount0) <= 1 + 1e-12 * paid.amount0
    assert abs(amount1 - paid.amount1) <= 1 + 1e-12 * paid.amount1
    assert (amount0 == 0, amount1 == 0) == (price >= UPPER or not liquidity, price <= LOWER or not liquidity)


@pytest.mark.parametrize(("tick", "earned"), [(-61, 4 - 9), (-60, 100 - 4 - 9), (59, 100 - 4 - 9), (60, 9 - 4)])
def test_fees_follow_the_tick_of_slot0_and_growth_wraps(tick: int, earned: int) -> None:
    pool: dict[str, Any] = {"growth0_x128": 100 << 128, "lower": TickEdge(True, 4 << 128, 0), "upper": TickEdge(True, 9 << 128, 0)}
    since = ((earned << 128) - 7) % 2**256
    held = state(Q96, tick=tick, stake=Stake(3, since, 0, 11, 13), **pool)
    assert row(valued([held]))[2:] == (11, 13) == (payout(*held).fees0, payout(*held).fees1)
    more = state(Q96, tick=tick, stake=Stake(3, (since - (5 << 128)) % 2**256, 0, 11, 13), **pool)
    assert row(valued([more]))[2] == 26 == payout(*more).fees0


@given(st.integers(0, UINT256), st.integers(0, UINT128), st.integers(0, UINT128))
@example(UINT256, UINT128, UINT128)
@example(1 << 128, UINT128, 1)
@example(2**160 - 1, 2**32 - 1, 0)
@example((2**128 + 2) // 3, 3, 0)
@example(2**128 // 3, 3, 0)
@example(UINT256, 1, UINT128)
def test_earned_fees_are_multiplied_and_cut_exactly(growth: int, liquidity: int, owed: int) -> None:
    # Beyond the range every growth comes from the ends alone; above it nothing is held of token0.
    held = state(UPPER, tick=60, ticks=(-60, 60), stake=Stake(liquidity, 0, 0, owed, 0), upper=TickEdge(True, growth, 0))
    paid = payout(*held)
    # What rounds to 2^128 cannot be told from what is cut off.
    expected = paid.fees0 if paid.fees0 < Q128 - 2**75 else math.nan
    assert row(valued([held]))[2] == pytest.approx(expected, rel=1e-15, nan_ok=True)


@pytest.mark.parametrize("unsound", ["lower", "upper", "price"])
def test_what_is_of_no_one_state_is_not_a_number_and_spoils_no_other_row_F_056(unsound: str) -> None:
    shut = TickEdge(False, 0, 0)
    odd = {"price": state(0, tick=0), "lower": state(Q96, lower=shut), "upper": state(Q96, upper=shut)}[unsound]
    with pytest.raises(ValueError, match=r"never initialised|not read at one block"):
        payout(*odd)
    told = valued([state(Q96), odd, state(Q96)])
    assert all(math.isnan(number) for number in (*row(told, 1), told.usd[1]))
    assert row(told, 0) == row(told, 2) and told.usd[0] == told.usd[2] > 0
    spent = V3Position(-60, 60, Stake(0, 5, 6, 11, 13))
    assert row(valued([(odd[0], spent)])) == (0, 0, 11, 13)


@pytest.mark.parametrize(
    ("price", "sound"), [(MIN_SQRT_RATIO - 1, False), (MIN_SQRT_RATIO, True), (MAX_SQRT_RATIO - 1, True), (MAX_SQRT_RATIO, False)]
)
def test_a_price_outside_the_domain_is_of_no_state(price: int, sound: bool) -> None:
    held = state(price, tick=0, stake=Stake(1, 0, 0, 0, 0))
    assert columns([held]).sound.tolist() == [sound]


@pytest.mark.parametrize(("owed", "known"), [(UINT128 - 10, False), (2**127, True)])
def test_more_than_the_contracts_can_owe_is_not_a_number(owed: int, known: bool) -> None:
    for stake in (Stake(10**30, 0, 0, owed, 0), Stake(10**30, 0, 0, 0, owed)):
        assert math.isnan(valued([state(Q96, stake=stake)]).usd[0]) is not known


@pytest.mark.parametrize(("owed", "known"), [(UINT128, False), (UINT128 - 2**76, True)])
def test_what_rounds_to_more_than_the_contracts_can_owe_is_not_a_number_either(owed: int, known: bool) -> None:
    # At an end nothing is held of one token: all that is paid of it is what was owed.
    for price, stake in ((UPPER, Stake(1, 0, 0, owed, 0)), (LOWER, Stake(1, 0, 0, 0, owed))):
        assert math.isnan(valued([state(price, stake=stake)]).usd[0]) is not known


@pytest.mark.parametrize("decimals", [(0, 0), (6, 18), (18, 6), (8, 36), (36, 0)])
def test_whole_tokens_and_dollars_at_any_decimals(decimals: tuple[int, int]) -> None:
    held = state(Q96, growth0_x128=1 << 120, growth1_x128=1 << 119, stake=Stake(10**30, 0, 0, 7, 0))
    paid, told = payout(*held), valued([held], decimals, (2000.0, 0.5))
    whole = (paid.amount0 / 10 ** decimals[0], paid.amount1 / 10 ** decimals[1], paid.fees0 / 10 ** decimals[0], paid.fees1 / 10 ** decimals[1])
    assert row(told) == pytest.approx(whole, rel=1e-12)
    assert told.usd[0] == pytest.approx((whole[0] + whole[2]) * 2000 + (whole[1] + whole[3]) * 0.5, rel=1e-12)


def test_each_row_has_its_own_decimals_and_prices() -> None:
    told = worths(columns([state(Q96)] * 2), (np.array([6, 18]), np.array([0, 6])), (np.array([1.0, 3.0]), np.array([2.0, 5.0])))
    amount = payout(*state(Q96)).amount0
    assert told.usd == pytest.approx([amount / 1e6 + amount * 2, 3 * amount / 1e18 + 5 * amount / 1e6], rel=1e-9)


def test_columns_have_a_row_each_and_refuse_ranges_that_cannot_be() -> None:
    assert len(columns([state(Q96)] * 3)) == 3
    for ticks in ((60, 60), (60, -60)):
        with pytest.raises(ValueError, match="not below"):
            columns([state(Q96, ticks=ticks)])
    with pytest.raises(ValueError, match="outside the range"):
        columns([state(Q96, ticks=(0, MAX_TICK + 1))])


def test_roots_take_five_limbs_and_liquidity_four() -> None:
    told = columns([state(Q96)])
    assert [limbs.shape for limbs in (told.price, told.lower, told.upper, told.liquidity)] == [(5, 1), (5, 1), (5, 1), (4, 1)]
