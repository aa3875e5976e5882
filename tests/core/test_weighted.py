"""Balancer's exits to the unit and a weighted share's worth. The contracts themselves are asked in tests/integration/test_balancer.py."""

from math import exp, log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.exposure import Scenario
from monitor.core.weighted import ONE, Weighted, divide_down, multiply_down, proportional_exit, weighted_share

NAMES = ("A", "B", "C")


def test_fixed_point_rounds_down():
    assert multiply_down(3, ONE // 2) == 1
    assert multiply_down(ONE, ONE) == ONE
    assert divide_down(2, 3) == 666_666_666_666_666_666
    assert divide_down(0, 3) == 0
    with pytest.raises(ValueError, match="without shares"):
        divide_down(1, 0)


@pytest.mark.parametrize(
    ("balances", "decimals", "shares", "supply", "paid"),
    [
        ([10**12, 10**24], [6, 18], ONE, 4 * ONE, [25 * 10**10, 25 * 10**22]),
        # A third is rounded down to 18 digits first: 10^6 whole coins of 18 decimals lose 333,334 units to that, of 6 decimals none.
        ([10**12, 10**24], [6, 18], ONE, 3 * ONE, [333_333_333_333, 333_333_333_333_333_333 * 10**6]),
        ([7, 7], [0, 8], ONE, 2 * ONE, [3, 3]),
        ([7], [18], 2 * ONE, 2 * ONE, [7]),
        ([7, 9], [6, 18], 0, 0, [0, 0]),
        ([0, 0], [6, 18], 0, ONE, [0, 0]),
        ([0, 5], [6, 18], ONE, ONE, [0, 5]),
        ([], [], 0, 0, []),
        ([10**30], [18], 1, 10**36, [0]),
    ],
)
def test_an_exit_pays_each_balance_s_share_rounded_down_twice_F_056_F_057(balances, decimals, shares, supply, paid):
    assert proportional_exit(balances, decimals, shares, supply) == paid


def test_an_exit_of_more_than_there_is_or_of_a_token_that_no_pool_takes_is_refused_F_057():
    with pytest.raises(ValueError, match="more shares than the pool has"):
        proportional_exit([1], [18], 2, 1)
    with pytest.raises(ValueError, match="more shares than the pool has"):
        proportional_exit([1], [18], 1, 0)
    with pytest.raises(ValueError, match="more than 18 decimals"):
        proportional_exit([1, 1], [18, 36], 1, 1)
    with pytest.raises(ValueError, match="more than 18 decimals"):
        proportional_exit([1], [19], 1, 1)


prices_of = st.lists(st.floats(1e-3, 1e5), min_size=2, max_size=3)
parts_of = st.lists(st.floats(0.02, 1.0), min_size=3, max_size=3)


def at(prices) -> Scenario:
    return Scenario(dict(zip(NAMES, prices, strict=False)))


def pool(weights, prices, worth: float) -> Weighted:
    """A share whose pool stands at these prices: amounts w V / p."""
    amounts = [weight * worth / price for weight, price in zip(weights, prices, strict=True)]
    return weighted_share(NAMES[: len(weights)], amounts, weights)


@settings(max_examples=150, deadline=None)
@given(first=prices_of, parts=parts_of, moves=st.lists(st.floats(0.1, 10.0), min_size=3, max_size=3))
def test_the_value_is_that_at_the_start_times_the_weighted_moves(first, parts, moves):
    weights = [part / sum(parts[: len(first)]) for part in parts[: len(first)]]
    share, later = pool(weights, first, 1000.0), [price * move for price, move in zip(first, moves, strict=False)]
    expected = 1000.0
    for weight, move in zip(weights, moves, strict=False):
        expected *= move**weight
    value = share.value_usd(at(later))
    assert value == pytest.approx(expected, rel=1e-9)
    held = sum(price * weight * 1000.0 / start for price, weight, start in zip(later, weights, first, strict=False))
    assert value <= held * (1 + 1e-12)
    deltas, gammas = share.deltas(at(later)), share.gammas(at(later))
    assert sum(price * deltas[name] for name, price in zip(NAMES, later, strict=False)) == pytest.approx(value, rel=1e-9)
    for place, (name, price) in enumerate(zip(NAMES, later, strict=False)):
        step = price * 1e-5
        up, down = (at([one + by * (k == place) for k, one in enumerate(later)]) for by in (step, -step))
        assert deltas[name] == pytest.approx((share.value_usd(up) - share.value_usd(down)) / (2 * step), rel=1e-6)
        assert gammas[name] <= 0
        assert gammas[name] == pytest.approx((share.deltas(up)[name] - share.deltas(down)[name]) / (2 * step), rel=1e-6)


@settings(max_examples=50, deadline=None)
@given(prices=prices_of, factor=st.floats(1e-3, 1e3))
def test_the_value_is_homogeneous(prices, factor):
    share = weighted_share(NAMES[:2], [3.0, 5.0], [0.8, 0.2])
    one = share.value_usd(at(prices[:2]))
    assert share.value_usd(at([price * factor for price in prices[:2]])) == pytest.approx(factor * one, rel=1e-9)


def test_an_even_pool_of_two_is_a_constant_product():
    share = weighted_share(("ETH", "USDC"), [2.0, 4000.0], [0.5, 0.5])
    here = Scenario({"ETH": 500.0, "USDC": 1.0})
    assert share.value_usd(here) == pytest.approx(2 * sqrt(2.0 * 4000.0 * 500.0))
    assert share.deltas(here) == pytest.approx({"ETH": 4.0, "USDC": 2000.0})
    assert share.gammas(here) == pytest.approx({"ETH": -0.25 * 4000.0 / 500.0**2, "USDC": -0.25 * 4000.0})


def test_an_uneven_pool_as_worked():
    share = weighted_share(("A", "B"), [8.0, 1.0], [0.8, 0.2])
    assert share.log_scale == pytest.approx(0.8 * log(10.0) + 0.2 * log(5.0))
    here = at([1.0, 2.0])
    worth = 10**0.8 * 10**0.2
    assert share.value_usd(here) == pytest.approx(worth)
    assert share.deltas(here) == pytest.approx({"A": 0.8 * worth, "B": 0.1 * worth})
    assert share.gammas(here) == pytest.approx({"A": -0.16 * worth, "B": -0.04 * worth})
    assert share.vegas(here) == {}
    assert share.assets == {"A", "B"}


def test_two_coins_of_one_asset_are_one_of_it():
    share = weighted_share(("ETH", "ETH", "USDC"), [2.0, 2.0, 4000.0], [0.25, 0.25, 0.5])
    assert share.weights == {"ETH": 0.5, "USDC": 0.5}
    assert share.value_usd(Scenario({"ETH": 1000.0, "USDC": 1.0})) == pytest.approx(8000.0)
    assert share.log_scale == pytest.approx(0.5 * log(8.0) + 0.5 * log(8000.0))


def test_many_scenarios_are_answered_at_once():
    share = Weighted({"A": 0.5, "B": 0.5}, 0.0)
    many = Scenario({"A": np.array([1.0, 4.0]), "B": 1.0})
    assert np.allclose(share.value_usd(many), [1.0, 2.0])
    assert np.allclose(share.deltas(many)["A"], [0.5, 0.25])
    assert isinstance(Weighted({"A": 1.0}, log(3.0)).value_usd(at([2.0])), float)
    assert Weighted({"A": 1.0}, log(3.0)).value_usd(at([2.0])) == pytest.approx(exp(log(6.0)))


@pytest.mark.parametrize("price", [0.0, -1.0, float("nan")])
def test_a_price_of_nothing_is_refused(price: float):
    with pytest.raises(ValueError, match="price of B is not above 0"):
        Weighted({"A": 0.5, "B": 0.5}, 0.0).value_usd(at([1.0, price]))
