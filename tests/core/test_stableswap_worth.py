"""What a share of a stable pool is worth at any prices, against its definition; pins were solved to 60 digits by halving."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.exposure import Scenario
from monitor.core.stableswap import StableSwap

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
    # Of three the sum is a rounding above 0, and is cut off.
    assert StableSwap(("A", "A", "A"), 1e6, 50.0, (1.0, 1.0, 1.0)).gammas(Scenario({"A": 1.0})) == {"A": 0.0}


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
