"""What layers return, by hand: in both paths, on their own capital and on that of the position, and in thin markets."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.book import Book
from monitor.core.exposure import Coins, Scenario
from monitor.core.horizon import horizon_days
from monitor.core.instruments import short_perp, top_up
from monitor.core.layer_return import (
    Expense,
    Hedge,
    Held,
    Market,
    PathReturn,
    hedge_of,
    hedged_return,
    layer_return,
    liquidity_lens,
    prospect,
    return_on,
)
from monitor.core.verdict import Unknown
from monitor.core.xirr import Return
from tests.core.test_breakeven import Vega

NOW = Scenario({"ETH": 2000.0}, {"ETH": 0.6})
WEEK = Market(now=NOW, asset="ETH", sigma_h=0.1)
DOWN, UP = 2000 * math.exp(-0.15), 2000 * math.exp(0.15)
SHORT = Hedge(exposure=Coins({"ETH": -4.0}, 8000.0), expense=Expense(10.0, 20.0, 30.0), capital_usd=1600.0)
POSITION = Held(exposure=Coins({"ETH": 10.0}), value_usd=20_000.0, fees_usd=300.0, funding_usd=100.0)


def test_a_layer_is_marked_at_the_horizon_net_of_its_cost():
    fall, still, rise = (layer_return(SHORT, WEEK, sigmas) for sigmas in (-1.5, 0.0, 1.5))
    assert (fall.price_usd, still.price_usd, rise.price_usd) == pytest.approx((DOWN, 2000.0, UP))
    assert fall.gain_usd == pytest.approx(4 * (2000 - DOWN) - 60)
    assert fall.earned == Return(fall.gain_usd / 1600.0, "holding-period")
    assert still == PathReturn(0.0, 2000.0, -60.0, Return(-0.0375, "holding-period"))
    assert rise.gain_usd == pytest.approx(4 * (2000 - UP) - 60)
    assert rise.sigmas == 1.5


def test_the_hedged_position_returns_on_the_capital_of_both():
    fall = hedged_return(POSITION, SHORT, WEEK, -1.5)
    assert fall.gain_usd == pytest.approx(6 * (DOWN - 2000) + 300 - 100 - 60)
    assert fall.earned.value == pytest.approx(fall.gain_usd / 21_600.0)
    assert fall.price_usd == pytest.approx(DOWN)
    assert fall.sigmas == -1.5


def test_volatility_goes_with_the_path():
    vega = Hedge(exposure=Vega(), expense=Expense(), capital_usd=600.0)
    price = 2000 * math.exp(-0.15)
    assert layer_return(vega, WEEK, -1.5).gain_usd == pytest.approx(1000 * (0.6 + 1 - price / 2000))
    flat = Market(now=NOW, asset="ETH", sigma_h=0.1, iv_beta=0.0)
    assert layer_return(vega, flat, -1.5).gain_usd == pytest.approx(600.0)


def test_the_path_is_as_long_as_the_horizon():
    assert WEEK.after(0.0).years == pytest.approx(7 / 365)
    assert Market(now=NOW, asset="ETH", sigma_h=0.1, days=3.0).after(0.0).years == pytest.approx(3 / 365)


@pytest.mark.parametrize(("to_expiry", "days"), [(None, 7.0), (60.0, 7.0), (14.0, 7.0), (13.0, 6.5), (2.0, 1.0)])
def test_the_horizon_of_an_option_is_at_most_half_its_life(to_expiry: float | None, days: float):
    assert horizon_days(to_expiry) == days


def test_from_30_days_on_a_return_is_that_of_a_year():
    assert return_on(10.0, 100.0, 29.9) == Return(0.1, "holding-period")
    year = return_on(10.0, 100.0, 30.0)
    assert (year.kind, year.others) == ("xirr", ())
    assert year.value == pytest.approx(1.1 ** (365 / 30) - 1)
    assert return_on(-50.0, 100.0, 30.0).value == pytest.approx(0.5 ** (365 / 30) - 1)


def test_a_loss_of_all_or_more_is_told_as_it_is():
    assert return_on(-99.0, 100.0, 30.0) == Return(-0.99, "holding-period")
    assert return_on(-100.0, 100.0, 60.0) == Return(-1.0, "holding-period")
    assert return_on(-150.0, 100.0, 60.0) == Return(-1.5, "holding-period")
    assert return_on(-150.0, 100.0, 7.0) == Return(-1.5, "holding-period")


@pytest.mark.parametrize("capital", [0.0, -1.0, math.nan])
def test_nothing_tied_up_returns_nothing(capital: float):
    with pytest.raises(Unknown, match="ties up no capital"):
        return_on(1.0, capital, 7.0)


def test_an_instrument_is_a_hedge_whose_costs_are_told_apart():
    perp = short_perp("ETH", 4.0, 2000.0, Book(), funding_against=0.365, fee=0.001, days=7.0)
    hedge = hedge_of(perp)
    assert hedge.exposure == perp.exposure
    assert hedge.capital_usd == pytest.approx(1600.0)
    assert hedge.expense == pytest.approx((8000 * 0.00025, 8000 * 0.365 * 7 / 365, 8000 * (0.001 + 0.04 * 0.2 * 7 / 365)))
    lent = hedge_of(top_up(1000.0, stable_yield=0.0365, gas_usd=5.0), spread_usd=2.0)
    assert lent.expense == pytest.approx((2.0, 0.0, 0.7 + 5.0 - 2.0))
    assert hedge_of(top_up(1000.0, stable_yield=0.0365, gas_usd=5.0)).expense == pytest.approx((0.0, 0.0, 5.7))


def test_a_prospect_has_the_three_paths_and_the_break_evens():
    found = prospect(POSITION, SHORT, WEEK, kinks=(1800.0,))
    assert [one.sigmas for one in found.layer] == [one.sigmas for one in found.hedged] == [-1.5, 0.0, 1.5]
    assert found.layer[0] == layer_return(SHORT, WEEK, -1.5)
    assert found.hedged[2] == hedged_return(POSITION, SHORT, WEEK, 1.5)
    assert found.break_even.alone.prices == pytest.approx((2000 - 200 / 10,))
    assert found.break_even.with_layers.prices == pytest.approx((2000 - 200 / 6,))
    assert found.break_even.with_cost.prices == pytest.approx((2000 - 140 / 6,))
    assert found.expense.usd == 60.0


def test_in_thin_markets_spreads_widen_as_depth_shrinks_and_funding_is_dear():
    lens = liquidity_lens(POSITION, SHORT, WEEK, 200.0)
    assert list(lens) == [0.3, 0.5, 0.7]
    assert lens[0.5].expense == Expense(20.0, 200.0, 30.0)
    assert [one.expense.usd for one in lens.values()] == pytest.approx([10 / 0.7 + 230, 250.0, 10 / 0.3 + 230])
    assert lens[0.5].layer[1].gain_usd == -250.0
    assert lens[0.5].break_even.with_cost.prices == pytest.approx((2000 + 50 / 6,))
    assert lens[0.5].break_even.alone.prices == pytest.approx((1980.0,))


@pytest.mark.parametrize("down", [-0.01, 1.0, 1.5])
def test_depth_falls_by_a_share(down: float):
    with pytest.raises(ValueError, match="depth falls by a share"):
        Expense(1.0).in_thin_markets(down, 0.0)


@given(st.floats(0, 0.99), st.floats(0, 1e5), st.floats(0, 1e5))
@example(0.0, 1.0, 2.0)
def test_thin_markets_never_make_a_spread_cheaper(down: float, spread: float, funding: float):
    thin = Expense(spread, 1.0, 2.0).in_thin_markets(down, funding)
    assert thin.spread_usd >= spread
    assert (thin.funding_usd, thin.rest_usd) == (funding, 2.0)


@given(st.floats(-2, 2), st.floats(0.0, 0.5))
@example(-1.5, 0.1)
@example(0.0, 0.0)
def test_position_and_layer_gain_together_what_they_gain_apart(sigmas: float, sigma_h: float):
    market = Market(now=NOW, asset="ETH", sigma_h=sigma_h)
    nothing = Hedge(exposure=Coins({}), expense=Expense(), capital_usd=1.0)
    apart = hedged_return(POSITION, nothing, market, sigmas).gain_usd + layer_return(SHORT, market, sigmas).gain_usd
    assert hedged_return(POSITION, SHORT, market, sigmas).gain_usd == pytest.approx(apart, abs=1e-6)


def test_a_position_earns_and_pays_nothing_unless_said():
    held = Held(exposure=Coins({"ETH": 1.0}), value_usd=2000.0)
    assert (held.fees_usd, held.funding_usd) == (0.0, 0.0)


def test_half_a_dollar_is_a_capital():
    assert return_on(0.25, 0.5, 7.0) == Return(0.5, "holding-period")
