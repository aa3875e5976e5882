"""Exposures that are nothing but coins, and how exposures are put together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.exposure import Coins, Scaled, Scenario, Together, Values

TODAY = Scenario({"ETH": 2000.0, "USDC": 0.99})
LOAN = Coins({"ETH": 3.0, "USDC": -1000.0}, 25.0)


class Bent:
    """Worth the square of a price, and a vega: enough to see that second derivatives are added and scaled too."""

    assets = frozenset({"ETH"})

    def value_usd(self, scenario: Scenario) -> Values:
        return scenario.price("ETH") ** 2

    def deltas(self, scenario: Scenario) -> dict[str, Values]:
        return {"ETH": 2 * scenario.price("ETH")}

    def gammas(self, scenario: Scenario) -> dict[str, Values]:
        return {"ETH": 2.0}

    def vegas(self, scenario: Scenario) -> dict[str, Values]:
        return {"ETH": 5.0 * scenario.sigma("ETH")}


def test_coins_are_worth_their_prices_and_the_dollars_beside_them():
    assert LOAN.value_usd(TODAY) == 3 * 2000.0 - 1000 * 0.99 + 25.0
    assert LOAN.deltas(TODAY) == {"ETH": 3.0, "USDC": -1000.0}
    assert LOAN.gammas(TODAY) == {} == LOAN.vegas(TODAY)
    assert LOAN.assets == {"ETH", "USDC"}


def test_many_states_at_once_are_each_as_one_alone():
    prices = np.array([1500.0, 2000.0, 2500.0])
    many = Scenario({"ETH": prices, "USDC": 1.0})
    assert LOAN.value_usd(many) == pytest.approx([3 * price - 1000 + 25 for price in prices])
    assert list(np.broadcast_to(LOAN.deltas(many)["ETH"], 3)) == [3.0, 3.0, 3.0]


def test_a_price_or_volatility_that_is_not_there_is_named_and_never_assumed():
    with pytest.raises(ValueError, match="no price of BTC"):
        Coins({"BTC": 1.0}).value_usd(TODAY)
    with pytest.raises(ValueError, match="no volatility of ETH"):
        TODAY.sigma("ETH")
    assert Scenario({}, {"ETH": 0.7}).sigma("ETH") == 0.7


def test_a_moved_scenario_multiplies_the_named_prices_alone_and_keeps_the_rest():
    moved = Scenario({"ETH": 2000.0, "USDC": 1.0}, {"ETH": 0.5}, 0.25).moved({"ETH": 0.9})
    assert (moved.prices, moved.volatility, moved.years) == ({"ETH": 1800.0, "USDC": 1.0}, {"ETH": 0.5}, 0.25)


def test_together_everything_is_a_sum():
    scenario = Scenario({"ETH": 10.0, "USDC": 1.0}, {"ETH": 0.5})
    both = Together((Bent(), LOAN, Bent()))
    assert both.assets == {"ETH", "USDC"}
    assert both.value_usd(scenario) == 2 * 100.0 + 30.0 - 1000.0 + 25.0
    assert both.deltas(scenario) == {"ETH": 43.0, "USDC": -1000.0}
    assert both.gammas(scenario) == {"ETH": 4.0}
    assert both.vegas(scenario) == {"ETH": 5.0}
    assert Together(()).value_usd(scenario) == 0.0
    assert Together(()).assets == frozenset()


def test_a_share_is_a_share_of_everything():
    scenario = Scenario({"ETH": 10.0}, {"ETH": 0.5})
    short = Scaled(Bent(), -0.5)
    assert short.assets == {"ETH"}
    assert short.value_usd(scenario) == -50.0
    assert (short.deltas(scenario), short.gammas(scenario), short.vegas(scenario)) == ({"ETH": -10.0}, {"ETH": -1.0}, {"ETH": -1.25})


amounts = st.dictionaries(st.sampled_from(["ETH", "BTC", "USDC"]), st.floats(-1e6, 1e6), max_size=3)


@given(amounts, amounts, st.tuples(*[st.floats(0.5, 1e5)] * 3))
def test_a_book_is_additive(one, other, prices):
    scenario = Scenario(dict(zip(["ETH", "BTC", "USDC"], prices, strict=True)))
    parts = Coins(one), Coins(other)
    book = Together(parts)
    assert book.value_usd(scenario) == pytest.approx(parts[0].value_usd(scenario) + parts[1].value_usd(scenario), rel=1e-12, abs=1e-3)
    for asset in book.assets:
        assert book.deltas(scenario)[asset] == pytest.approx(one.get(asset, 0.0) + other.get(asset, 0.0))
