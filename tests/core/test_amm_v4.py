"""Uniswap v4's own arithmetic: fees without debts, balances that must fit, packed words, the rights of hooks."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core import amm
from monitor.core.amm import MAX_TICK, MIN_TICK, Q96, Q128, Q256, Payout, Stake, TickEdge, V3Pool, V3Position, sqrt_ratio_at_tick
from monitor.core.amm_v4 import MAX_BALANCE, PackedRange, V4Position, fees_owed, payout, unpack_range, unpack_slot0, withdrawal_rights

GROWTH = 1 << 120
POOL = V3Pool(Q96, 0, 9 * GROWTH, 7 * GROWTH, TickEdge(True, 4 * GROWTH, 3 * GROWTH), TickEdge(True, GROWTH, GROWTH))
# When it was last touched, growth inside was 5 and 3.5 below what counts as 0: only differences mean anything.
HELD = V4Position(-60, 60, 10**12, Q256 - 5 * GROWTH, Q256 - 7 * GROWTH // 2)
FEE_OF_A_GROWTH = 3_906_250_000
TICKS = st.integers(MIN_TICK, MAX_TICK)


def at(tick: int) -> V3Pool:
    return replace(POOL, sqrt_price_x96=sqrt_ratio_at_tick(tick), tick=tick)


@pytest.mark.parametrize(
    ("tick", "amounts", "growths"),
    [
        (0, (2_995_354_955, 2_995_354_955), (9, 6.5)),
        (-60, (5_999_709_018, 0), (9, 6.5)),
        (-61, (5_999_709_018, 0), (8, 5.5)),
        (59, (49_848_986, 5_949_562_561), (9, 6.5)),
        (60, (0, 5_999_709_018), (2, 1.5)),
        (MAX_TICK - 1, (0, 5_999_709_018), (2, 1.5)),
    ],
)
def test_a_position_is_paid_its_amounts_and_the_fees_since_its_last_touch(tick: int, amounts: tuple[int, int], growths: tuple[float, float]) -> None:
    fees0, fees1 = (int(growth * FEE_OF_A_GROWTH) for growth in growths)
    assert payout(at(tick), HELD) == Payout(*amounts, fees0, fees1)


def test_a_price_on_the_lower_end_left_downwards_earns_no_more_but_holds_the_same() -> None:
    left = replace(at(-60), tick=-61)
    assert payout(left, HELD) == replace(payout(at(-60), HELD), fees0=8 * FEE_OF_A_GROWTH, fees1=11 * FEE_OF_A_GROWTH // 2)


@pytest.mark.parametrize("initialized", [True, False])
def test_a_position_without_liquidity_is_owed_nothing_whatever_its_ticks_are(initialized: bool) -> None:
    pool = replace(POOL, lower=replace(POOL.lower, initialized=initialized), upper=replace(POOL.upper, initialized=initialized))
    assert payout(pool, replace(HELD, liquidity=0)) == Payout(0, 0, 0, 0)


@pytest.mark.parametrize(
    "pool",
    [replace(POOL, lower=replace(POOL.lower, initialized=False)), replace(POOL, upper=replace(POOL.upper, initialized=False))],
    ids=["lower", "upper"],
)
def test_liquidity_on_an_uninitialised_tick_is_refused(pool: V3Pool) -> None:
    with pytest.raises(ValueError, match="not read at one block"):
        payout(pool, replace(HELD, liquidity=1))


@pytest.mark.parametrize("liquidity", [0, 10**12])
def test_a_pool_that_was_never_initialised_has_no_price(liquidity: int) -> None:
    with pytest.raises(ValueError, match="never initialised"):
        payout(replace(POOL, sqrt_price_x96=0), replace(HELD, liquidity=liquidity))


@pytest.mark.parametrize(("lower", "upper"), [(60, 60), (60, -60), (MIN_TICK - 1, 0), (0, MAX_TICK + 1)])
def test_a_range_that_cannot_be_is_refused_even_when_empty(lower: int, upper: int) -> None:
    with pytest.raises(ValueError, match=r"tick|Tick"):
        payout(POOL, V4Position(lower, upper, 0, 0, 0))


@pytest.mark.parametrize("side", [0, 1])
def test_an_amount_with_its_fees_may_fill_a_signed_balance_and_not_a_unit_more(side: int) -> None:
    # A price outside the range puts everything on one side; the growth of one unit of liquidity is one unit of fees.
    pool = V3Pool(sqrt_ratio_at_tick((-61, 61)[side]), (-61, 61)[side], 0, 0, TickEdge(True, 0, 0), TickEdge(True, 0, 0))
    alone = payout(pool, V4Position(-60, 60, Q96, 0, 0))
    amount = (alone.amount0, alone.amount1)[side]
    assert amount > 0 and alone.fees0 == alone.fees1 == 0
    room = MAX_BALANCE - amount
    # 2**96 of liquidity is paid 2**96 for each 2**128 of growth: the last units of room are those of 2**32.
    last = [0, 0]
    last[side] = -(room << 32) % Q256
    full = payout(pool, V4Position(-60, 60, Q96, last[0], last[1]))
    assert ((full.amount0 + full.fees0), (full.amount1 + full.fees1))[side] == MAX_BALANCE == 2**127 - 1
    last[side] = -((room + 1) << 32) % Q256
    with pytest.raises(ValueError, match="more than the pool manager can pay"):
        payout(pool, V4Position(-60, 60, Q96, last[0], last[1]))


@pytest.mark.parametrize(
    ("liquidity", "now", "then", "owed"),
    [
        (1, Q128, 0, 1),
        (1, Q128 - 1, 0, 0),
        (3, Q128 // 2, 0, 1),
        (10**12, GROWTH, GROWTH, 0),
        (10**12, 2 * GROWTH, GROWTH, FEE_OF_A_GROWTH),
        (10**12, 0, Q256 - GROWTH, FEE_OF_A_GROWTH),
        (0, Q256 - 1, 0, 0),
        (Q128 - 1, Q256 - 1, 0, Q256 - Q128 - 1),
    ],
)
def test_fees_are_growth_times_liquidity_rounded_down_and_never_cut_to_128_bits(liquidity: int, now: int, then: int, owed: int) -> None:
    assert fees_owed(liquidity, now, then) == owed


@given(st.integers(0, Q128 - 1), st.integers(0, Q256 - 1), st.integers(0, Q256 - 1))
@example(Q128 - 1, 0, 1)
def test_fees_are_the_exact_product_less_than_a_unit(liquidity: int, now: int, then: int) -> None:
    exact = Fraction((now - then) % Q256 * liquidity, Q128)
    assert 0 <= exact - fees_owed(liquidity, now, then) < 1


@given(TICKS.filter(lambda tick: tick < MAX_TICK), st.integers(1, 10**25), st.integers(0, 10**40), st.integers(0, 10**40))
def test_a_v3_position_without_debts_is_paid_the_same(tick: int, liquidity: int, growth0: int, growth1: int) -> None:
    pool = V3Pool(sqrt_ratio_at_tick(tick), tick, growth0, growth1, TickEdge(True, 0, 0), TickEdge(True, 0, 0))
    in_v3 = amm.payout(pool, V3Position(-887_220, 887_220, Stake(liquidity, 0, 0, 0, 0)))
    if max(in_v3.amount0 + in_v3.fees0, in_v3.amount1 + in_v3.fees1) <= MAX_BALANCE:
        assert payout(pool, V4Position(-887_220, 887_220, liquidity, 0, 0)) == in_v3


@given(st.binary(min_size=25, max_size=25), TICKS, TICKS, st.integers(0, 255))
@example(b"\xff" * 25, -1, -(2**23), 255)
@example(b"\x00" * 25, 2**23 - 1, 1, 1)
def test_a_packed_range_is_read_as_it_was_packed(start: bytes, lower: int, upper: int, subscriber: int) -> None:
    packed = int.from_bytes(start + upper.to_bytes(3, signed=True) + lower.to_bytes(3, signed=True) + bytes([subscriber]))
    assert unpack_range(packed) == PackedRange(start, lower, upper)


def test_a_packed_range_of_the_position_manager() -> None:
    packed = 0x1122334455667788_99AABBCCDDEEFF00_1122334455667788_99_00003C_FFFFC4_01
    assert unpack_range(packed) == PackedRange(bytes.fromhex("112233445566778899aabbccddeeff00112233445566778899"), -60, 60)


@pytest.mark.parametrize(
    ("packed", "price", "tick"),
    [
        (0x000000_000BB8_000000_FFFF75_0000000000000000FE3AA841BA359DAA0EA9EFF7, 0xFE3AA841BA359DAA0EA9EFF7, -139),
        (0xFFFFFF_FFFFFF_FFFFFF_7FFFFF_FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF, 2**160 - 1, 2**23 - 1),
        (0xFFFFFF_FFFFFF_FFFFFF_800000_0000000000000000000000000000000000000000, 0, -(2**23)),
        (0x000000_000000_000000_000001_0000000000000000000000000000000000000001, 1, 1),
        (0, 0, 0),
    ],
)
def test_slot0_gives_price_and_tick_and_no_fee(packed: int, price: int, tick: int) -> None:
    assert unpack_slot0(packed) == (price, tick)


RIGHTS = {9: "beforeRemoveLiquidity", 8: "afterRemoveLiquidity", 0: "afterRemoveLiquidityReturnDelta"}


@pytest.mark.parametrize("bit", range(14))
def test_three_of_the_fourteen_permissions_of_a_hook_reach_withdrawals(bit: int) -> None:
    address = 0xA1 << 152 | 1 << bit
    assert withdrawal_rights(address) == ((RIGHTS[bit],) if bit in RIGHTS else ())


def test_no_hook_has_no_rights_and_one_with_all_has_three() -> None:
    assert withdrawal_rights(0) == ()
    assert withdrawal_rights(2**14 - 1) == tuple(RIGHTS.values())
