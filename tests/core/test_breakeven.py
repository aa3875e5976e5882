"""Break-evens: all of them, to the cent that a hand can reckon, and what there is where there is none."""

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from monitor.core.breakeven import BreakEven, Floats, Terms, break_even, synthetic_break_even
from monitor.core.exposure import Coins, Scenario, Values
from monitor.core.horizon import at_horizon

NOW = Scenario({"ETH": 2000.0, "USDC": 1.0}, {"ETH": 0.6})


def exactly(*prices: float) -> object:
    return pytest.approx(prices, rel=1e-9)


def test_without_a_scale_the_smallest_profit_counts_and_with_one_its_rounding_does_not():
    def tiny(prices: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return (prices - 100.0) * 1e-16

    assert break_even(tiny, 10.0, 1000.0).count == "one"
    assert break_even(tiny, 10.0, 1000.0, scale_usd=1.0).count == "more than two"


@pytest.mark.parametrize(
    ("profit", "prices", "count"),
    [
        (lambda p: p - 123.456, (123.456,), "one"),
        (lambda p: 123.456 - p, (123.456,), "one"),
        (lambda p: (p - 50) * (p - 200), (50, 200), "two"),
        (lambda p: -(p - 50) * (p - 200), (50, 200), "two"),
        (lambda p: (p - 50) * (p - 200) * (p - 201), (50, 200, 201), "more than two"),
        (lambda p: (p - 100) * (p - 100.001), (100, 100.001), "two"),
        (lambda p: p * 0 + 1.0, (), "none"),
        (lambda p: p * 0 - 1.0, (), "none"),
        (lambda p: (p - 100) ** 2 + 1e-3, (), "none"),
        (lambda p: -((p - 100) ** 2) - 1e-3, (), "none"),
        (lambda p: p - 10, (10,), "one"),
        (lambda p: p - 1000, (1000,), "one"),
        (lambda p: p - 9.999, (), "none"),
        (lambda p: p - 1000.001, (), "none"),
        (lambda p: (p - 10.001) * (p - 10.002), (10.001, 10.002), "two"),
        (lambda p: (p - 999.7) * (p - 999.6), (999.6, 999.7), "two"),
        (lambda p: np.abs(p - 100) - 1e-4, (99.9999, 100.0001), "two"),
        (lambda p: (p - 99.999) * (100 - p), (99.999, 100), "two"),
    ],
)
def test_every_price_is_found(profit: object, prices: tuple[float, ...], count: str):
    assert callable(profit)
    found = break_even(profit, 10.0, 1000.0, kinks=(100.0,))
    assert found.prices == exactly(*prices)
    assert (found.touches, found.stretches, found.count, found.low, found.high) == ((), (), count, 10.0, 1000.0)


@pytest.mark.parametrize(
    ("profit", "kinks", "touch"),
    [
        (lambda p: (p - 100.3) ** 2, (), 100.3),
        (lambda p: -((p - 100.3) ** 2), (), 100.3),
        (lambda p: np.abs(p - 77.7), (77.7,), 77.7),
    ],
)
def test_a_price_that_is_only_touched_is_told_as_such(profit: object, kinks: tuple[float, ...], touch: float):
    assert callable(profit)
    found = break_even(profit, 10.0, 1000.0, kinks)
    assert (found.prices, found.count) == ((), "one")
    assert found.touches == pytest.approx((touch,), rel=1e-6)


def test_a_stretch_without_profit_or_loss_is_told_by_its_ends():
    found = break_even(lambda p: np.maximum(p - 200, 0.0) - np.maximum(100 - p, 0.0), 10.0, 1000.0, kinks=(100.0, 200.0))
    assert (found.prices, found.touches, found.count) == ((), (), "more than two")
    assert found.stretches == ((100.0, 200.0),)


def test_a_small_difference_of_large_sums_is_no_break_even_but_rounding():
    noisy = break_even(lambda p: (p * 1e6 / 3 + 1e6) - p * 1e6 / 3 - 1e6, 10.0, 1000.0, scale_usd=1e9)
    assert noisy.stretches == ((10.0, 1000.0),)
    assert break_even(lambda p: p * 0 + 1e-4, 10.0, 1000.0, scale_usd=0.9e8).count == "none"
    assert break_even(lambda p: p * 0 + 1e-4, 10.0, 1000.0, scale_usd=1.1e8).stretches == ((10.0, 1000.0),)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (2.0, 2.0), (2.0, 1.0), (1.0, math.inf), (math.nan, 1.0)])
def test_bounds_that_are_no_prices_are_refused(low: float, high: float):
    with pytest.raises(ValueError, match="between two positive prices"):
        break_even(lambda p: p, low, high)


def test_a_profit_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="not a finite number"):
        break_even(lambda p: np.where(p > 100, np.nan, 1.0), 10.0, 1000.0)


@given(st.lists(st.floats(11.0, 900.0), min_size=0, max_size=5, unique=True), st.sampled_from([-1.0, 1.0]))
@example([100.0], 1.0)
@example([100.0, 100.02], -1.0)
def test_the_prices_that_a_profit_was_made_for_are_all_found(prices: list[float], sign: float):
    ordered = sorted(prices)
    assume(all(b / a > 1.0001 for a, b in pairwise(ordered)))

    def profit(p: Floats) -> Floats:
        return np.asarray(sign * np.prod([np.log(p / price) for price in prices], axis=0) + 0.0 * p)

    assert break_even(profit, 10.0, 1000.0).prices == exactly(*ordered)


# --- at the horizon ------------------------------------------------------------------------------------------------


def test_volatility_goes_against_the_price_by_its_beta_and_never_below_a_point():
    then = at_horizon(NOW, "ETH", np.array([1800.0, 2000.0, 2200.0, 9000.0]), 0.5)
    assert then.sigma("ETH") == pytest.approx([0.7, 0.6, 0.5, 0.01])
    assert (then.years, then.price("USDC")) == (0.5, 1.0)
    assert at_horizon(then, "USDC", 0.9, 0.25).years == 0.75
    assert at_horizon(NOW, "ETH", 1800.0, 0.0, iv_beta=0.5).sigma("ETH") == pytest.approx(0.65)
    assert at_horizon(NOW, "USDC", 0.9, 0.0).volatility == NOW.volatility


class Put:
    """One put held to its end, with a strike of 1800: the simplest thing with a kink."""

    assets = frozenset({"ETH"})

    def value_usd(self, scenario: Scenario) -> Values:
        return np.maximum(1800.0 - np.asarray(scenario.price("ETH")), 0.0)

    def deltas(self, scenario: Scenario) -> Mapping[str, Values]:
        return {}

    gammas = vegas = deltas


def test_break_evens_of_coins_with_fees_funding_and_a_short():
    held, short = Coins({"ETH": 10.0}), Coins({"ETH": -4.0}, 4.0 * 2000.0)
    terms = Terms(basis_usd=20_000.0, years=7 / 365, fees_usd=300.0, funding_usd=100.0, layers_cost_usd=60.0)
    found = synthetic_break_even(held, short, terms, NOW, "ETH")
    assert found.alone.prices == exactly(2000 - 200 / 10)
    assert found.with_layers.prices == exactly(2000 - 200 / 6)
    assert found.with_cost.prices == exactly(2000 - 140 / 6)
    assert (found.alone.low, found.alone.high) == (500.0, 8000.0)


def test_break_evens_of_coins_with_a_put_lie_on_both_sides_of_its_strike():
    terms = Terms(basis_usd=20_000.0, years=0.02, fees_usd=900.0, layers_cost_usd=100.0, kinks=(1800.0,))
    found = synthetic_break_even(Coins({"ETH": 10.0}), Put(), terms, NOW, "ETH")
    assert found.alone.prices == found.with_layers.prices == exactly(1910.0)
    assert found.with_cost.prices == exactly(1920.0)
    small = Terms(basis_usd=1000.0, years=0.02, layers_cost_usd=20.0, kinks=(1800.0,))
    other = synthetic_break_even(Coins({"ETH": 0.5}, 0.0), Put(), small, NOW, "ETH", reach=10.0)
    assert other.alone.prices == exactly(2000.0)
    assert other.with_layers.prices == exactly(1600.0, 2000.0)
    assert other.with_cost.prices == exactly(1560.0, 2040.0)
    assert (other.with_cost.low, other.with_cost.high, other.with_cost.count) == (200.0, 20_000.0, "two")


class Vega:
    """Worth its volatility alone."""

    assets = frozenset({"ETH"})

    def value_usd(self, scenario: Scenario) -> Values:
        return 1000.0 * np.asarray(scenario.sigma("ETH"))

    def deltas(self, scenario: Scenario) -> Mapping[str, Values]:
        return {}

    gammas = vegas = deltas


def test_the_volatility_of_the_break_even_price_is_the_one_of_the_way_there():
    steep, flat = (Terms(basis_usd=700.0, years=0.02, iv_beta=beta) for beta in (1.0, 0.5))
    assert synthetic_break_even(Vega(), Coins({}), steep, NOW, "ETH").alone.prices == exactly(1800.0)
    assert synthetic_break_even(Vega(), Coins({}), flat, NOW, "ETH").alone.prices == exactly(1600.0)
    assert Terms(basis_usd=700.0, years=0.02) == steep


def test_a_book_that_is_wholly_hedged_breaks_even_everywhere():
    found = synthetic_break_even(Coins({"ETH": 1.3}), Coins({"ETH": -1.3}, 2600.0), Terms(basis_usd=2600.0, years=0.02), NOW, "ETH")
    assert found.with_cost == BreakEven((), (), ((500.0, 8000.0),), 500.0, 8000.0)


class Asked:
    """A profit that remembers the prices it was asked for."""

    def __init__(self) -> None:
        self.prices: list[Floats] = []

    def __call__(self, prices: Floats) -> Floats:
        self.prices.append(prices)
        return (prices - 100.2) * (prices - 400.0)


def test_the_scan_takes_1025_prices_and_each_turn_and_each_crossing_sixty_steps():
    asked = Asked()
    assert break_even(asked, 0.5, 1000.0, kinks=(0.5, 1000.0)).prices == exactly(100.2, 400.0)
    scan = np.geomspace(0.5, 1000.0, 1025)
    assert asked.prices[0].tolist() == pytest.approx(scan.tolist(), rel=1e-14) and len(asked.prices[0]) == 1025
    # The scan, two prices in each of 60 golden sections for the turns, the turns themselves, and 60 halvings for each of two crossings.
    assert len(asked.prices) == 1 + 2 * 60 + 1 + 2 * 60
    # It is nearest to zero beside 100.2 and 400: the sections begin between the neighbours of each, at the golden ratio.
    sections = [(scan[place - 1], scan[place + 1]) for place in (np.abs(scan - zero).argmin() for zero in (100.2, 400.0))]
    golden = (math.sqrt(5) - 1) / 2
    assert asked.prices[1][-2:].tolist() == pytest.approx([high - golden * (high - low) for low, high in sections], rel=1e-12)
    assert asked.prices[2][-2:].tolist() == pytest.approx([low + golden * (high - low) for low, high in sections], rel=1e-12)


def test_what_is_a_trillionth_of_the_scale_is_zero_and_what_is_more_is_not():
    assert break_even(lambda p: 0 * p + 1e-12, 10.0, 1000.0, scale_usd=1.0).stretches == ((10.0, 1000.0),)
    assert break_even(lambda p: 0 * p + 1.05e-12, 10.0, 1000.0, scale_usd=1.0).count == "none"


BESIDE = (100.125, 100.375)
"""Two prices between which the scan from 10 to 1000 has none of its own: it has 100 and 100.45."""


def test_a_dip_of_a_level_profit_between_two_prices_of_the_scan_is_found():
    found = break_even(lambda p: 1.0 - 2.0 * np.maximum(1 - np.abs(p - 100.25) / 0.125, 0.0), 10.0, 1000.0, BESIDE)
    assert found.prices == exactly(100.1875, 100.3125)


def test_zero_at_two_neighbours_of_the_scan_is_a_stretch():
    assert break_even(lambda p: np.maximum(np.abs(p - 100.25) - 0.125, 0.0), 10.0, 1000.0, BESIDE).stretches == (BESIDE,)


def test_a_level_ground_that_the_scan_has_overlooked_is_told_by_its_upper_end():
    found = break_even(lambda p: np.maximum(np.abs(p - 100.2) - 0.0625, 0.0), 10.0, 1000.0)
    assert (found.prices, found.stretches) == ((), ())
    assert found.touches == exactly(100.2625)


@pytest.mark.parametrize(("above_usd", "count"), [(2.4e-11, "one"), (2.6e-11, "none")])
def test_a_turn_within_a_ten_billionth_of_what_is_beside_it_touches(above_usd: float, count: str):
    # 0.25 at the price of the scan below: a ten-billionth of it is 2.5e-11.
    assert break_even(lambda p: np.abs(p - 100.25) + above_usd, 10.0, 1000.0, BESIDE).count == count


@pytest.mark.parametrize(("apart", "count"), [(1.05e-9, "one"), (0.95e-9, "none")])
def test_a_turn_within_a_billionth_of_a_price_of_the_scan_is_that_price(apart: float, count: str):
    assert break_even(lambda p: np.abs(p - 100.0 * (1 + apart)), 10.0, 1000.0, (100.0,)).count == count


def test_one_touch_that_two_places_of_the_scan_find_is_one():
    found = break_even(lambda price: np.abs(price - 100.25), 10.0, 1000.0, (100.125, 100.375))
    assert (found.count, found.stretches) == ("one", ())
    assert found.touches == pytest.approx((100.25,), rel=1e-9)
