"""Curve's integers against the invariant solved to 60 digits.

Nothing here was checked against a deployed Curve pool: the reference solves the whitepaper's equation in decimals by another way than the contracts.
"""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.stableswap import (
    FEE_UNIT,
    HALVINGS,
    LOG_BOUND,
    ROUNDS,
    Generation,
    Pool,
    balance_after_swap,
    balance_at_invariant,
    balanced_withdrawal,
    dynamic_fee,
    in_pool_unit,
    invariant,
    real_invariant,
    virtual_price,
    withdrawal_of_one_coin,
)

UNIT = 10**18
GENERATIONS: tuple[Generation, ...] = ("template", "ng")
# As lopsided as pools are after a depeg; beyond that the contracts' own iteration may go back and forth for ever, as two pins below have it.
balances_of = st.lists(st.integers(10**24, 10**26), min_size=2, max_size=4)
amps = st.integers(1, 5000).map(lambda a: 100 * a)


def gap(d: Decimal, balances: list[Decimal], ann: Decimal) -> Decimal:
    """The whitepaper's invariant, all on one side."""
    count, k = len(balances), d
    for balance in balances:
        k *= d / (count * balance)
    return ann * sum(balances, Decimal(0)) + d - ann * d - k


def halved(low: Decimal, high: Decimal, rises) -> Decimal:
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (low, middle) if rises(middle) else (middle, high)
    return (low + high) / 2


def exact_invariant(balances: list[int], amplification: Decimal) -> Decimal:
    """D to 60 digits by halving: no rounding, no Newton."""
    held, ann = [Decimal(one) for one in balances], amplification * len(balances)
    return halved(Decimal(0), sum(held, Decimal(0)), lambda d: gap(d, held, ann) < 0)


def exact_balance(coin: int, balances: list[int], amplification: Decimal, d: Decimal) -> Decimal:
    """The balance of one coin at an invariant, to 60 digits by halving."""
    ann = amplification * len(balances)

    def too_much(y: Decimal) -> bool:
        held = [y if place == coin else Decimal(one) for place, one in enumerate(balances)]
        return gap(d, held, ann) > 0

    return halved(Decimal("1e-30"), d * 10**12, too_much)


@pytest.mark.parametrize("generation", GENERATIONS)
@settings(max_examples=60, deadline=None)
@given(balances=balances_of, amp=amps)
def test_the_invariant_is_the_whitepaper_s_to_the_contract_s_own_unit(generation: Generation, balances: list[int], amp: int):
    with localcontext(prec=60):
        exact = exact_invariant(balances, Decimal(amp) / 100)
        assert abs(invariant(balances, amp, generation) - exact) <= 2


@settings(max_examples=60, deadline=None)
@given(balances=balances_of, amp=amps, moved=st.integers(10**20, 10**25))
def test_a_swap_leaves_what_the_invariant_asks_to_the_contract_s_own_unit(balances: list[int], amp: int, moved: int):
    d = invariant(balances, amp)
    with localcontext(prec=60):
        after = [balances[0] + moved, *balances[1:]]
        exact = exact_balance(1, after, Decimal(amp) / 100, Decimal(d))
        # D / Ann is rounded down to a unit before it is taken off, which the slope of the curve may stretch.
        assert abs(balance_after_swap(0, 1, balances[0] + moved, balances, amp, d) - exact) <= 3


@pytest.mark.parametrize(
    ("balances", "amp", "generation", "a_precision", "d"),
    [
        ([10**24, 10**24, 10**24], 200_000, "ng", 100, 3 * 10**24),
        ([10**24, 10**24, 10**24], 2000, "template", 1, 3 * 10**24),
        ([10**24, 10**24], 100, "ng", 100, 2 * 10**24),
        ([0, 0], 100, "ng", 100, 0),
        ([1, 1], 100, "template", 100, 2),
        # Rounding by n at each coin and by n^n at the end part company where balances are small.
        ([267_400, 1501, 1416], 100, "template", 100, 57_182),
        ([267_400, 1501, 1416], 100, "ng", 100, 57_179),
        ([10**24, 10**18], 200_000, "ng", 100, 230_878_115_543_175_896_291_646),
        ([10**24, 10**21], 200_000, "template", 100, 947_990_402_782_630_971_125_860),
        ([5 * 10**23, 10**24, 2 * 10**24, 10**21], 5000, "ng", 100, 2_287_944_215_373_183_374_101_395),
        ([5 * 10**23, 10**24, 2 * 10**24, 10**22], 5000, "template", 100, 3_027_980_656_546_353_946_536_542),
    ],
)
def test_invariants_that_were_worked(balances: list[int], amp: int, generation: Generation, a_precision: int, d: int):
    assert invariant(balances, amp, generation, a_precision) == d


def test_a_pool_that_ran_dry_of_one_coin_has_no_invariant():
    with pytest.raises(ValueError, match="run dry of one coin"):
        invariant([10**24, 0], 200_000)


@pytest.mark.parametrize(("balances", "generation"), [([10**24, 1], "template"), ([10**24, 10**18], "ng")])
def test_an_iteration_that_goes_back_and_forth_is_refused_as_the_contract_does(balances: list[int], generation: Generation):
    with pytest.raises(ValueError, match="the invariant does not converge"):
        invariant(balances, 100, generation)
    with localcontext(prec=60):
        assert real_invariant([float(one) for one in balances], 1.0) == pytest.approx(float(exact_invariant(balances, Decimal(1))), rel=1e-14)


@settings(max_examples=60, deadline=None)
@given(balances=st.lists(st.floats(1e-6, 1e9), min_size=2, max_size=4), amplification=st.floats(0.1, 5000.0))
def test_the_invariant_in_doubles_is_the_exact_one(balances: list[float], amplification: float):
    with localcontext(prec=60):
        held, ann = [Decimal(one) for one in balances], Decimal(amplification) * len(balances)
        exact = halved(Decimal(0), sum(held, Decimal(0)), lambda d: gap(d, held, ann) < 0)
    assert real_invariant(balances, amplification) == pytest.approx(float(exact), rel=1e-13)


def test_the_contracts_give_up_after_255_rounds_and_ours_end_where_a_double_has_no_digits_left():
    assert ROUNDS == 255
    assert np.exp(LOG_BOUND) == pytest.approx(1e40, rel=0.2)
    assert (HALVINGS, 2 * LOG_BOUND / 2**HALVINGS < 1e-16) == (72, True)


def test_a_balance_that_does_not_converge_is_refused():
    with pytest.raises(ValueError, match="the balance does not converge"):
        balance_at_invariant(0, [1, 1], 10**9, 10**300)


def test_an_iteration_ends_where_it_moves_by_one_unit_and_not_before():
    # The first goes to and fro by one unit for ever; the second moves by 2 before it moves by 1.
    assert balance_at_invariant(0, [30, 59], 200, 86) == 28
    assert balance_at_invariant(0, [20, 28], 1000, 22) == 0


@pytest.mark.parametrize(
    ("balances", "amp", "a_precision", "expected"),
    [
        ([10**24, 10**24], 20_000, 100, 900_050_223_229_924_554_033_067),
        ([10**24, 10**24], 200, 1, 900_050_223_229_924_554_033_067),
        ([10**24, 10**24, 10**24], 200_000, 100, 900_005_047_672_478_020_100_047),
    ],
)
def test_swaps_that_were_worked(balances: list[int], amp: int, a_precision: int, expected: int):
    d = sum(balances)
    assert balance_after_swap(0, 1, 11 * 10**23, balances, amp, d, a_precision) == expected
    assert balance_at_invariant(1, [11 * 10**23, 0, *balances[2:]], amp, d, a_precision) == expected


def test_a_coin_is_not_swapped_for_itself():
    with pytest.raises(ValueError, match="for itself"):
        balance_after_swap(1, 1, 1, [1, 1], 100, 2)


@pytest.mark.parametrize("decimals", [0, 6, 8, 18, 36])
def test_coins_of_any_decimals_are_counted_in_one_unit_F_057(decimals: int):
    assert in_pool_unit([3 * 10**decimals], [10 ** (36 - decimals)]) == [3 * UNIT]


def test_a_rate_is_rounded_down():
    assert in_pool_unit([10**18 - 1, 7], [105 * 10**16, UNIT + 1]) == [1_049_999_999_999_999_998, 7]


def test_the_virtual_price_is_the_invariant_of_one_share_rounded_down():
    assert virtual_price(2 * UNIT, 3 * UNIT) == 666_666_666_666_666_666
    assert virtual_price(3, 1) == 3 * UNIT
    with pytest.raises(ValueError, match="without shares"):
        virtual_price(0, 0)


def test_a_balanced_withdrawal_is_each_balance_s_share_rounded_down_F_056():
    assert balanced_withdrawal([10, 5, 0], 2, 3) == [6, 3, 0]
    assert balanced_withdrawal([10, 5], 3, 3) == [10, 5]
    assert balanced_withdrawal([10, 5], 0, 3) == [0, 0]
    assert balanced_withdrawal([0, 0], 0, 0) == [0, 0]
    with pytest.raises(ValueError, match="more shares than the pool has"):
        balanced_withdrawal([10, 5], 4, 3)


RATES = (10**30, 10**18)
POOL = Pool((2 * 10**12, 10**24), RATES, 20_000, 3 * 10**24, 4_000_000)


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("coin", [0, 1])
@settings(max_examples=30, deadline=None)
@given(shares=st.integers(10**20, 2 * 10**24), fee=st.integers(0, 5 * 10**8))
def test_a_withdrawal_of_one_coin_is_the_exact_one_to_a_unit_of_the_coin(generation: Generation, coin: int, shares: int, fee: int):
    pool = Pool(POOL.balances, POOL.rates, POOL.amp, POOL.supply, fee, generation, 5 * FEE_UNIT)
    held, count, amplification = in_pool_unit(pool.balances, pool.rates), 2, Decimal(pool.amp) / 100
    with localcontext(prec=60):
        d0 = exact_invariant(held, amplification)
        d1 = d0 * (1 - Decimal(shares) / pool.supply)
        left = exact_balance(coin, held, amplification, d1)
        reduced = []
        for place, balance in enumerate(map(Decimal, held)):
            moved = balance * d1 / d0 - left if place == coin else balance - balance * d1 / d0
            typical = (balance + left) / 2 if place == coin else balance
            mean, base = (d0 + d1) / (2 * count), Decimal(fee * count // (4 * (count - 1)))
            off = 5 * base / (4 * 4 * typical * mean / (typical + mean) ** 2 + 1) if generation == "ng" else base
            reduced.append(balance - off * moved / FEE_UNIT)
        paid = reduced[coin] - exact_balance(coin, [int(one) for one in reduced], amplification, d1)
        exact = paid * UNIT / pool.rates[coin]
    # The fee is a whole number of parts of 10^10, so up to one part of what is moved is lost to its rounding.
    assert abs(withdrawal_of_one_coin(pool, shares, coin) - exact) <= 2 + 10**24 * UNIT // pool.rates[coin] // 10**9


@pytest.mark.parametrize(
    ("generation", "offpeg", "coin", "expected"),
    [
        ("template", 0, 0, 100_119_482_545),
        ("template", 0, 1, 99_664_504_791_973_601_961_634),
        ("ng", 0, 0, 100_119_482_545),
        ("ng", 5 * FEE_UNIT, 0, 100_119_174_894),
        ("ng", 5 * FEE_UNIT, 1, 99_663_741_672_190_943_795_930),
    ],
)
def test_withdrawals_of_one_coin_that_were_worked(generation: Generation, offpeg: int, coin: int, expected: int):
    pool = Pool(POOL.balances, POOL.rates, POOL.amp, POOL.supply, POOL.fee, generation, offpeg)
    assert withdrawal_of_one_coin(pool, 10**23, coin) == expected


@pytest.mark.parametrize(
    ("one", "other", "offpeg", "fee"),
    [
        (10**18, 10**18, 5 * 10**10, 4_000_000),
        (10**18, 3 * 10**18, 5 * 10**10, 5_000_000),
        (3 * 10**18, 10**18, 5 * 10**10, 5_000_000),
        (10**18, 10**30, 5 * 10**10, 20_000_000),
        (10**18, 3 * 10**18, 10**10, 4_000_000),
        (10**18, 3 * 10**18, 10**10 + 10**9, 4_093_023),
        (10**18, 3 * 10**18, 0, 4_000_000),
    ],
)
def test_the_fee_grows_off_the_peg_towards_its_multiple(one: int, other: int, offpeg: int, fee: int):
    assert dynamic_fee(one, other, 4_000_000, offpeg) == fee
