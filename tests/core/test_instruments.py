"""Instruments: what each brings, costs and ties up, in exact numbers; and that a hedge never turns the exposure it was to reduce."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.black import Right
from monitor.core.book import Book
from monitor.core.exposure import Scenario
from monitor.core.instruments import (
    Cost,
    Quoted,
    VixCurve,
    of_options,
    short_perp,
    top_up,
    vix_fund,
    vix_future,
)
from monitor.core.options import OptionLeg

YEARS = 30 / 365
NOW = Scenario({"ETH": 2000.0, "VIX": 20.0, "SPX": 5000.0}, {"ETH": 0.8, "VIX": 1.0, "SPX": 0.2})
WEEK = 7 / 365
CURVE = VixCurve(near=18.0, far=20.1, days=30.0, level=19.5)


def leg(right: Right, strike: float, size: float, asset: str = "ETH") -> OptionLeg:
    return OptionLeg(asset, right, strike, YEARS, size)


def ended(price: float, asset: str = "ETH") -> Scenario:
    return Scenario({asset: price}, years=YEARS)


def test_a_put_costs_its_ask_and_its_fees_and_ties_up_its_premium():
    put = of_options("put", [Quoted(leg("put", 1800.0, 3.0), 88.0, 92.0)], fees_usd=1.5)
    assert put.costs == (Cost("premium", 276.0), Cost("fees", 1.5))
    assert (put.name, put.cost_usd, put.capital_usd, put.margin_usd, put.daily_usd) == ("put", 277.5, 276.0, 0.0, 0.0)
    assert (put.payoff_usd(ended(1700.0)), put.payoff_usd(ended(1900.0))) == (300.0, 0.0)
    assert (put.profit_usd(ended(1700.0)), put.profit_usd(ended(1900.0))) == (22.5, -277.5)
    assert put.payoff_usd(NOW) == pytest.approx(float(leg("put", 1800.0, 3.0).value_usd(NOW)))


def test_fees_are_none_unless_said():
    assert of_options("put", [Quoted(leg("put", 1800.0, 1.0), None, 92.0)]).cost_usd == 92.0


def test_a_put_spread_costs_the_most_that_it_can_lose():
    spread = of_options("put spread", [Quoted(leg("put", 1800.0, 2.0), 88.0, 92.0), Quoted(leg("put", 1500.0, -2.0), 20.0, 24.0)], fees_usd=1.0)
    assert (spread.cost_usd, spread.capital_usd, spread.margin_usd) == (145.0, 144.0, 0.0)
    assert [spread.payoff_usd(ended(price)) for price in (2500.0, 1800.0, 1600.0, 1500.0, 0.0)] == [0.0, 0.0, 400.0, 600.0, 600.0]
    assert min(float(spread.profit_usd(ended(price))) for price in (0.0, 1500.0, 1800.0, 1e6)) == -spread.cost_usd


def test_a_call_spread_on_the_vix_is_the_same():
    sold, bought = leg("call", 35.0, -1000.0, "VIX"), leg("call", 25.0, 1000.0, "VIX")
    spread = of_options("VIX call spread", [Quoted(bought, 1.0, 1.2), Quoted(sold, 0.5, 0.7)])
    assert spread.cost_usd == spread.capital_usd == pytest.approx(700.0)
    assert [spread.payoff_usd(ended(level, "VIX")) for level in (10.0, 30.0, 80.0)] == [0.0, 5000.0, 10_000.0]


def test_a_strangle_is_both_premiums():
    strangle = of_options("strangle", [Quoted(leg("put", 1700.0, 1.0), 40.0, 45.0), Quoted(leg("call", 2300.0, 1.0), 50.0, 56.0)])
    assert strangle.costs == (Cost("premium", 101.0), Cost("fees", 0.0))
    assert [strangle.payoff_usd(ended(price)) for price in (1500.0, 2000.0, 2600.0)] == [200.0, 0.0, 300.0]


CONDOR = [
    Quoted(leg("put", 1500.0, 2.0), 8.0, 10.0),
    Quoted(leg("put", 1700.0, -2.0), 30.0, 34.0),
    Quoted(leg("call", 2300.0, -2.0), 35.0, 39.0),
    Quoted(leg("call", 2600.0, 2.0), 9.0, 11.0),
]


def test_a_condors_collateral_lies_as_margin_and_comes_back():
    condor = of_options("iron condor", CONDOR, fees_usd=4.0)
    credit = 2 * (30 + 35 - 10 - 11)
    assert condor.costs == (Cost("most that can be lost", 600.0 - credit), Cost("fees", 4.0))
    assert (condor.capital_usd, condor.margin_usd) == (512.0, 512.0)
    profits = [float(condor.profit_usd(ended(price))) for price in (1000.0, 1700.0, 2000.0, 2300.0, 2600.0, 5000.0)]
    assert profits == pytest.approx([credit - 404.0, credit - 4, credit - 4, credit - 4, credit - 604.0, credit - 604.0])
    assert float(condor.payoff_usd(ended(5000.0))) == 0.0
    assert float(condor.decay_usd(NOW)) > 0 and float(condor.exposure.vegas(NOW)["ETH"]) < 0


def test_a_sold_put_can_lose_its_strike():
    naked = of_options("sold put", [Quoted(leg("put", 1800.0, -1.0), 88.0, 92.0)])
    assert (naked.capital_usd, naked.margin_usd) == (1712.0, 1712.0)
    assert float(naked.profit_usd(ended(0.0))) == -1712.0 and float(naked.profit_usd(ended(1800.0))) == 88.0


REFUSED = {
    "more calls sold than bought": ([Quoted(leg("call", 2300.0, -2.0), 1.0, 2.0), Quoted(leg("call", 2500.0, 1.0), 1.0, 2.0)], "no bound"),
    "two assets": ([Quoted(leg("put", 1800.0, 1.0), 1.0, 2.0), Quoted(leg("put", 20.0, 1.0, "VIX"), 1.0, 2.0)], "one asset and one expiry"),
    "two expiries": (
        [Quoted(leg("put", 1800.0, 1.0), 1.0, 2.0), Quoted(replace(leg("put", 1700.0, 1.0), years=0.5), 1.0, 2.0)],
        "one asset and one expiry",
    ),
    "no leg": ([], "one asset and one expiry"),
    "no ask for what is bought": ([Quoted(leg("put", 1800.0, 1.0), 88.0, None)], "the put of 1,800 has no ask"),
    "no bid for what is not bought": ([Quoted(leg("put", 1800.0, 0.0), None, 92.0)], "the put of 1,800 has no bid"),
    "no bid for what is sold": ([Quoted(leg("put", 1800.0, -1.0), None, 92.0)], "the put of 1,800 has no bid"),
}


@pytest.mark.parametrize(("quoted", "why"), REFUSED.values(), ids=REFUSED)
def test_options_that_make_no_instrument_are_refused(quoted: list[Quoted], why: str):
    with pytest.raises(ValueError, match=why):
        of_options("x", quoted)


def test_as_many_calls_sold_as_bought_are_bounded():
    assert of_options("spread", [Quoted(leg("call", 2300.0, -1.0), 50.0, 52.0), Quoted(leg("call", 2500.0, 1.0), 1.0, 2.0)]).capital_usd == 152.0


def test_a_short_perp_costs_what_the_method_says():
    perp = short_perp("ETH", 5.0, 2000.0, Book(), funding_against=0.365, fee=0.0005)
    parts = {"fees": 5.0, "half-spread": 2.5, "funding": 70.0, "yield forgone on margin": 0.04 * 2000 * WEEK}
    assert dict(perp.costs) == pytest.approx(parts)
    assert perp.cost_usd == pytest.approx(77.5 + 0.04 * 2000 * WEEK)
    assert (perp.capital_usd, perp.margin_usd) == pytest.approx((2000.0, 2000.0))
    assert perp.daily_usd == pytest.approx(-(3650 + 80) / 365)
    assert [perp.payoff_usd(replace(NOW, prices={"ETH": price})) for price in (1500.0, 2000.0, 2100.0)] == [2500.0, 0.0, -500.0]
    assert perp.exposure.deltas(NOW) == {"ETH": -5.0}
    assert perp.decay_usd(NOW) == perp.daily_usd


def test_funding_that_a_short_receives_is_no_gain_to_count_on():
    perp = short_perp("ETH", 5.0, 2000.0, Book(), funding_against=-0.5)
    assert perp.costs[2] == Cost("funding", 0.0)
    assert perp.costs[0] == Cost("fees", 0.0)
    assert perp.daily_usd == pytest.approx(-80 / 365)


def test_a_perp_takes_the_books_own_terms_and_horizon():
    book = Book(perp_half_spread=0.001, perp_margin=0.5, treasury_bill_yield=0.10)
    perp = short_perp("BTC", 1.0, 10_000.0, book, funding_against=0.0, days=73.0)
    assert perp.cost_usd == pytest.approx(10.0 + 0.10 * 5000 / 5) and perp.capital_usd == 5000.0


def test_a_perp_of_a_negative_size_is_refused_and_of_none_is_nothing():
    with pytest.raises(ValueError, match=r"sells a size of 0 or more, this is -1"):
        short_perp("ETH", -1.0, 2000.0, Book(), funding_against=0.0)
    assert short_perp("ETH", 0.0, 2000.0, Book(), funding_against=1.0).cost_usd == 0.0


def test_a_top_up_costs_the_yield_and_the_gas_and_not_the_amount():
    moved = top_up(10_000.0, stable_yield=0.073, gas_usd=3.0)
    assert dict(moved.costs) == pytest.approx({"yield forgone": 14.0, "gas": 3.0})
    assert (moved.cost_usd, moved.capital_usd, moved.margin_usd) == pytest.approx((17.0, 10_000.0, 0.0))
    assert moved.daily_usd == pytest.approx(-2.0)
    assert moved.payoff_usd(NOW) == 0.0 and moved.profit_usd(NOW) == pytest.approx(-17.0)
    assert top_up(10_000.0, stable_yield=0.073, gas_usd=3.0, days=14).cost_usd == pytest.approx(31.0)


def test_a_vix_future_costs_its_way_down_the_curve():
    future = vix_future(2.0, CURVE, margin_usd=9000.0, fees_usd=4.0)
    assert dict(future.costs) == pytest.approx({"roll-down": 2000 * 2.1 / 30 * 7, "fees": 4.0})
    assert (future.capital_usd, future.margin_usd, future.daily_usd) == pytest.approx((18_000.0, 18_000.0, -140.0))
    assert [future.payoff_usd(Scenario({"VIX": level})) for level in (19.5, 29.5)] == [0.0, 20_000.0]
    assert future.decay_usd(NOW) == pytest.approx(-140.0)
    assert vix_future(1.0, CURVE, margin_usd=1.0, days=30.0).cost_usd == pytest.approx(2100.0)
    assert vix_future(-1.0, CURVE._replace(near=25.0), margin_usd=9000.0).capital_usd == 9000.0


def test_a_curve_that_slopes_down_pays_nothing_to_count_on():
    stress = VixCurve(near=32.0, far=28.0, days=30.0, level=31.0)
    assert stress.daily_roll == 0.0
    assert vix_future(1.0, stress, margin_usd=9000.0).cost_usd == 0.0
    assert CURVE.daily_roll == pytest.approx(0.07)


@pytest.mark.parametrize(("ticker", "leverage"), [("VXX", 1.0), ("UVXY", 1.5)])
def test_a_fund_on_the_vix_moves_and_rolls_with_its_mix_of_futures(ticker: str, leverage: float):
    fund = vix_fund(ticker, 10_000.0, CURVE, share_near=0.4, half_spread=0.001)
    units = leverage * 10_000 / (0.4 * 18.0 + 0.6 * 20.1)
    assert dict(fund.costs) == pytest.approx({"roll": units * 0.07 * 7, "half-spread": 10.0})
    assert (fund.name, fund.capital_usd, fund.margin_usd) == (ticker, 10_000.0, 0.0)
    assert fund.daily_usd == pytest.approx(-units * 0.07)
    assert float(fund.payoff_usd(Scenario({"VIX": 24.5}))) == pytest.approx(5 * units)
    assert float(fund.payoff_usd(Scenario({"VIX": 19.5}))) == pytest.approx(0.0, abs=1e-9)
    assert vix_fund(ticker, 10_000.0, CURVE, share_near=0.4, half_spread=0.0, days=14).cost_usd == pytest.approx(units * 0.98)


def test_a_fund_that_nobody_knows_is_refused():
    with pytest.raises(KeyError):
        vix_fund("SVXY", 1.0, CURVE, share_near=0.5, half_spread=0.0)


prices = st.floats(1.0, 6000.0)


@given(st.floats(500, 3000), st.floats(1.01, 2.0), st.floats(0.1, 50), prices, st.floats(0.1, 3.0), st.floats(0, 0.2))
def test_a_put_spread_is_worth_between_nothing_and_its_width(low: float, ratio: float, size: float, price: float, sigma: float, years: float):
    bought, sold = leg("put", low * ratio, size), leg("put", low, -size)
    spread = of_options("put spread", [Quoted(bought, None, 50.0), Quoted(sold, 20.0, None)])
    assert spread.cost_usd == spread.capital_usd == pytest.approx(30.0 * size)
    value = float(spread.payoff_usd(Scenario({"ETH": price}, {"ETH": sigma}, years)))
    width = size * low * (ratio - 1)
    assert -1e-9 * width <= value <= width * (1 + 1e-9)


@given(prices, st.floats(0.1, 3.0), st.floats(0, 0.2))
def test_a_condors_payoff_is_never_below_nil(price: float, sigma: float, years: float):
    condor = of_options("iron condor", CONDOR)
    assert float(condor.payoff_usd(Scenario({"ETH": price}, {"ETH": sigma}, years))) >= -1e-9


@given(prices, st.floats(YEARS, 1.0))
def test_at_expiry_and_after_an_instrument_is_worth_its_payoff(price: float, years: float):
    strangle = of_options("strangle", [Quoted(leg("put", 1700.0, 1.0), 40.0, 45.0), Quoted(leg("call", 2300.0, 2.0), 50.0, 56.0)])
    assert float(strangle.payoff_usd(Scenario({"ETH": price}, years=years))) == max(1700.0 - price, 0.0) + 2 * max(price - 2300.0, 0.0)


def test_what_a_day_takes_is_the_theta_of_its_options():
    put = of_options("put", [Quoted(leg("put", 1800.0, 3.0), 88.0, 92.0)])
    theta = 3 * float(leg("put", 1800.0, 1.0).unit(NOW).theta)
    assert put.decay_usd(NOW) == pytest.approx(theta, rel=0.02) and theta < 0
    tomorrow = replace(NOW, years=1 / 365)
    assert put.decay_usd(NOW) == pytest.approx(float(put.payoff_usd(tomorrow)) - float(put.payoff_usd(NOW)))
    assert math.isclose(float(put.decay_usd(replace(NOW, years=YEARS))), 0.0)
