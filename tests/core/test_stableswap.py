"""Curve's integers against the invariant solved to 60 digits, and a share's worth against its definition.

Nothing here was checked against a deployed Curve pool: the reference solves the whitepaper's equation in decimals by another way than the contracts.
"""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.exposure import Scenario
from monitor.core.stableswap import (
    FEE_UNIT,
    HALVINGS,
    LOG_BOUND,
    ROUNDS,
    Generation,
    Pool,
    StableSwap,
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


# --- the contracts' integers ---


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


# --- worth at any prices ---

prices_of = st.lists(st.floats(0.2, 5.0), min_size=2, max_size=4)
amplifications = st.floats(0.5, 5000.0)


def share(count: int, amplification: float, d: float = 1e6, rates: tuple[float, ...] = ()) -> StableSwap:
    return StableSwap(tuple("ABCD"[:count]), d, amplification, rates or (1.0,) * count)


def at(*prices: float) -> Scenario:
    return Scenario(dict(zip("ABCD", prices, strict=False)))


def bumped(prices: list[float], place: int, by: float) -> Scenario:
    return at(*(price + by * (one == place) for one, price in enumerate(prices)))


@settings(max_examples=150, deadline=None)
@given(prices=prices_of, amplification=amplifications)
def test_deltas_are_the_slope_of_the_value_and_gammas_that_of_the_deltas(prices: list[float], amplification: float):
    exposure, here = share(len(prices), amplification), at(*prices)
    value, deltas, gammas = float(exposure.value_usd(here)), exposure.deltas(here), exposure.gammas(here)
    for place, (name, price) in enumerate(zip("ABCD", prices, strict=False)):
        # Steps that the bend of the value is small over: its curvature changes over a part in A of the price.
        step = price * 1e-4 / (1 + amplification)
        up, down = bumped(prices, place, step), bumped(prices, place, -step)
        slope = (exposure.deltas(up)[name] - exposure.deltas(down)[name]) / (2 * step)
        assert gammas[name] <= 0
        assert gammas[name] == pytest.approx(slope, rel=1e-5, abs=1e-7 * value / price**2)
        # By the deltas at both ends, whose mean over the step the value must have moved by: no difference of two large numbers is taken.
        assert deltas[name] == pytest.approx((exposure.deltas(up)[name] + exposure.deltas(down)[name]) / 2, rel=1e-6, abs=1e-6 * value)
        wide = price * 1e-3 / (1 + amplification) ** 0.5
        change = exposure.value_usd(bumped(prices, place, wide)) - value
        low, high = exposure.deltas(bumped(prices, place, wide))[name], deltas[name]
        assert wide * low - 1e-9 * value <= change <= wide * high + 1e-9 * value


@settings(max_examples=100, deadline=None)
@given(prices=prices_of, amplification=amplifications, factor=st.floats(1e-3, 1e3))
def test_the_value_is_homogeneous_and_is_what_the_coins_are_worth(prices: list[float], amplification: float, factor: float):
    exposure = share(len(prices), amplification)
    value = exposure.value_usd(at(*prices))
    assert exposure.value_usd(at(*(price * factor for price in prices))) == pytest.approx(factor * value, rel=1e-9)
    assert sum(price * exposure.deltas(at(*prices))[name] for name, price in zip("ABCD", prices, strict=False)) == pytest.approx(value, rel=1e-12)


@settings(max_examples=100, deadline=None)
@given(prices=prices_of, amplification=amplifications)
def test_what_is_held_keeps_the_invariant_and_loses_against_what_was_held(prices: list[float], amplification: float):
    count = len(prices)
    exposure = share(count, amplification)
    held = [float(exposure.deltas(at(*prices))[name]) for name in "ABCD"[:count]]
    product = np.prod([one / 1e6 for one in held])
    left = exposure.ann * (sum(held) / 1e6 - 1) + 1
    assert left == pytest.approx(1 / (count**count * product), rel=1e-6, abs=1e-9 * exposure.ann)
    assert exposure.value_usd(at(*prices)) <= sum(price * 1e6 / count for price in prices) * (1 + 1e-12)


@pytest.mark.parametrize("amplification", [1.0, 2000.0])
def test_a_pool_at_its_peg_holds_as_much_of_each_and_is_worth_its_invariant(amplification: float):
    exposure = share(3, amplification, 3e6)
    assert exposure.value_usd(at(1, 1, 1)) == pytest.approx(3e6, rel=1e-12)
    assert exposure.deltas(at(1, 1, 1)) == pytest.approx({"A": 1e6, "B": 1e6, "C": 1e6})
    # By symmetry d2V/dp2 = -(n-1)/n (Ann + n) / n^2 D at the peg.
    assert exposure.gammas(at(1, 1, 1))["A"] == pytest.approx(-(2 / 3) * (3 * amplification + 3) / 9 * 3e6, rel=1e-9)


@pytest.mark.parametrize(
    ("amplification", "price", "fallen", "other", "gamma"),
    [
        (1.0, 0.9, 553_793.173419494, 448_959.970053733, -576_110.0496194283),
        (2000.0, 0.99, 922_299.547431538, 78_315.737182713, -3_967_118.4821421253),
        (2000.0, 0.5, 999_875.031248045, 7_843.919712236, -31_617.83392236006),
        (200.0, 1e-6, 11_286_296.953186380, 5.382248194670, -3_585_612_591_060.1675),
    ],
)
def test_a_depeg_fills_the_pool_with_the_fallen_coin_as_solved_to_60_digits(
    amplification: float, price: float, fallen: float, other: float, gamma: float
):
    exposure = share(2, amplification)
    deltas = exposure.deltas(at(price, 1.0))
    assert (deltas["A"], deltas["B"], exposure.gammas(at(price, 1.0))["A"]) == pytest.approx((fallen, other, gamma), rel=1e-9)


def test_a_fall_by_half_leaves_two_percent_of_the_other_coin():
    exposure = share(2, 2000.0)
    deltas = exposure.deltas(at(0.5, 1.0))
    assert deltas["A"] > 0.97e6 and deltas["B"] < 0.02e6
    assert exposure.value_usd(at(0.5, 1.0)) < 0.51e6


@settings(max_examples=50, deadline=None)
@given(price=st.floats(0.3, 0.98))
def test_a_large_amplification_is_a_sum_and_a_small_one_a_constant_product(price: float):
    # A sum holds the cheaper coin alone; x y = (D/2)^2 is worth D sqrt(p).
    assert share(2, 1e9).value_usd(at(price, 1.0)) == pytest.approx(1e6 * price, rel=1e-3)
    assert share(2, 1e-9).value_usd(at(price, 1.0)) == pytest.approx(1e6 * price**0.5, rel=1e-6)


def test_a_coin_that_counts_as_more_than_one_is_held_in_fewer():
    exposure = StableSwap(("A", "B"), 1e6, 100.0, (1.25, 1.0))
    assert exposure.deltas(at(1.25, 1.0)) == pytest.approx({"A": 4e5, "B": 5e5})
    plain = share(2, 100.0)
    assert exposure.value_usd(at(1.2, 1.0)) == pytest.approx(plain.value_usd(at(1.2 / 1.25, 1.0)), rel=1e-12)
    assert exposure.gammas(at(1.2, 1.0))["A"] == pytest.approx(plain.gammas(at(1.2 / 1.25, 1.0))["A"] / 1.25**2, rel=1e-12)


def test_two_coins_of_one_asset_are_one_of_it():
    exposure = StableSwap(("A", "A", "B"), 3e6, 100.0, (1.0, 1.0, 1.0))
    apart, prices = share(3, 100.0, 3e6), (0.99, 0.99, 1.0)
    assert exposure.assets == {"A", "B"}
    here = Scenario({"A": 0.99, "B": 1.0})
    assert exposure.deltas(here)["A"] == pytest.approx(2 * apart.deltas(at(*prices))["A"], rel=1e-12)
    step = 1e-7
    slope = (exposure.deltas(Scenario({"A": 0.99 + step, "B": 1.0}))["A"] - exposure.deltas(Scenario({"A": 0.99 - step, "B": 1.0}))["A"]) / (2 * step)
    assert exposure.gammas(here)["A"] == pytest.approx(slope, rel=1e-6)


def test_a_share_of_coins_of_one_asset_alone_has_no_gamma():
    exposure = StableSwap(("A", "A"), 1e6, 100.0, (1.0, 1.0))
    assert exposure.gammas(Scenario({"A": 2000.0}))["A"] == pytest.approx(0.0, abs=1e-6)
    assert exposure.deltas(Scenario({"A": 2000.0})) == pytest.approx({"A": 1e6})


def test_many_scenarios_are_answered_at_once_in_their_shape():
    exposure = share(2, 500.0)
    prices = np.array([0.5, 0.9, 1.0, 1.1])
    many = Scenario({"A": prices, "B": 1.0})
    for answered in (exposure.deltas, exposure.gammas):
        assert np.allclose(answered(many)["A"], np.array([answered(at(price, 1.0))["A"] for price in prices]), rtol=1e-12)
    assert np.allclose(exposure.value_usd(many), np.array([exposure.value_usd(at(price, 1.0)) for price in prices]), rtol=1e-12)
    assert isinstance(exposure.value_usd(at(1.0, 1.0)), float)
    assert exposure.vegas(many) == {}


def test_an_empty_share_is_worth_nothing_at_any_price_F_056():
    exposure = share(2, 100.0, 0.0)
    assert exposure.value_usd(at(0.5, 1.0)) == 0
    assert exposure.deltas(at(0.5, 1.0)) == {"A": 0, "B": 0}
    assert exposure.gammas(at(0.5, 1.0)) == {"A": 0, "B": 0}


@pytest.mark.parametrize("price", [0.0, -1.0, float("nan")])
def test_a_price_of_nothing_is_refused(price: float):
    with pytest.raises(ValueError, match="price of A is not above 0"):
        share(2, 100.0).value_usd(at(price, 1.0))


@pytest.mark.parametrize(
    ("coins", "d", "amplification", "rates"),
    [
        (("A",), 1.0, 1.0, (1.0,)),
        (("A", "B"), 1.0, 1.0, (1.0,)),
        (("A", "B"), -1e-9, 1.0, (1.0, 1.0)),
        (("A", "B"), 1.0, 0.0, (1.0, 1.0)),
        (("A", "B"), 1.0, 1.0, (1.0, 0.0)),
    ],
)
def test_what_no_stable_pool_is_is_refused(coins: tuple[str, ...], d: float, amplification: float, rates: tuple[float, ...]):
    with pytest.raises(ValueError, match="a stable pool has"):
        StableSwap(coins, d, amplification, rates)
