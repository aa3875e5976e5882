"""Options as exposures: worth, greeks and settlement; when contracts expire and what they are called."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.black import Right, black_scholes
from monitor.core.exposure import Scenario, Together
from monitor.core.options import YEAR_MS, OptionLeg, contract_name, days_to_expiry, expiry_ms
from monitor.core.units import DAY, parse_time

PUT = OptionLeg("ETH", "put", 1800.0, 30 / 365, 2.0, rate=0.04)
NOW = Scenario({"ETH": 2000.0, "BTC": 1.0}, {"ETH": 0.8})
legs = st.builds(
    OptionLeg,
    st.just("ETH"),
    st.sampled_from(("put", "call")),
    st.floats(50, 200),
    st.floats(0.02, 2),
    st.sampled_from((-3.0, -0.5, 0.5, 3.0)),
    st.floats(0, 0.1),
    st.floats(-0.1, 0.3),
)
worlds = st.builds(
    lambda price, sigma, years: Scenario({"ETH": price}, {"ETH": sigma}, years), st.floats(60, 180), st.floats(0.2, 1.5), st.floats(0, 0.01)
)


def test_a_bought_put_is_worth_its_black_scholes_price_times_its_size():
    assert PUT.value_usd(NOW) == pytest.approx(2 * 89.214399752, rel=1e-11)
    assert PUT.deltas(NOW) == {"ETH": pytest.approx(2 * -0.278134366255, rel=1e-11)}
    assert PUT.gammas(NOW) == {"ETH": pytest.approx(2 * 0.000731472857342, rel=1e-11)}
    assert PUT.vegas(NOW) == {"ETH": pytest.approx(2 * 1.92387381657, rel=1e-11)}
    assert PUT.assets == {"ETH"}
    sold = replace(PUT, size=-2.0)
    assert sold.value_usd(NOW) == -PUT.value_usd(NOW) and sold.deltas(NOW)["ETH"] == -PUT.deltas(NOW)["ETH"]


def test_time_that_has_passed_is_taken_off_its_life():
    later = replace(NOW, years=10 / 365)
    expected = black_scholes("put", 2000.0, 1800.0, 0.8, 20 / 365, 0.04)
    assert PUT.value_usd(later) == pytest.approx(2 * float(expected.price), rel=1e-12)


def test_its_skew_stays_on_top_of_the_assets_volatility_and_none_is_below_nil():
    skewed = replace(PUT, skew=0.15)
    assert skewed.value_usd(NOW) == pytest.approx(float(PUT.value_usd(replace(NOW, volatility={"ETH": 0.95}))), rel=1e-12)
    assert replace(PUT, skew=-0.9).value_usd(NOW) == 0.0
    assert replace(PUT, skew=-0.9).value_usd(replace(NOW, prices={"ETH": 1000.0})) == pytest.approx(2 * (1800 * math.exp(-0.04 * 30 / 365) - 1000))


def test_closing_takes_its_half_spread_until_expiry_and_never_turns_the_sign():
    premium = float(PUT.value_usd(NOW)) / 2
    bought, sold = replace(PUT, closing_usd=5.0), replace(PUT, size=-2.0, closing_usd=5.0)
    assert bought.value_usd(NOW) == pytest.approx(2 * (premium - 5))
    assert sold.value_usd(NOW) == pytest.approx(-2 * (premium + 5))
    assert replace(bought, closing_usd=premium + 1).value_usd(NOW) == 0.0
    assert replace(bought, size=0.5).value_usd(NOW) == pytest.approx(0.5 * (premium - 5))
    assert bought.deltas(NOW) == PUT.deltas(NOW)
    settled = Scenario({"ETH": 1700.0}, years=30 / 365)
    assert (bought.value_usd(settled), sold.value_usd(settled)) == (200.0, -200.0)


@pytest.mark.parametrize("years", [30 / 365, 31 / 365])
def test_from_expiry_on_it_is_what_exercise_brings_and_no_volatility_is_needed(years: float):
    settled = Scenario({"ETH": np.array([0.0, 1700.0, 1800.0, 2500.0])}, years=years)
    assert np.asarray(PUT.value_usd(settled)).tolist() == [3600.0, 200.0, 0.0, 0.0]
    assert np.asarray(replace(PUT, right="call", size=-1.0).value_usd(settled)).tolist() == [0.0, 0.0, 0.0, -700.0]
    assert np.asarray(PUT.vegas(settled)["ETH"]).tolist() == np.asarray(PUT.gammas(settled)["ETH"]).tolist() == [0.0] * 4


def test_alive_until_the_very_instant():
    assert PUT.alive(replace(NOW, years=30 / 365 - 1e-9)) and not PUT.alive(replace(NOW, years=30 / 365))


def test_before_expiry_a_missing_volatility_is_never_assumed():
    with pytest.raises(ValueError, match="no volatility of ETH"):
        PUT.value_usd(Scenario({"ETH": 2000.0}))
    with pytest.raises(ValueError, match="no price of ETH"):
        PUT.value_usd(Scenario({}, {"ETH": 0.5}))


def test_a_strike_may_be_small_and_interest_is_nothing_unless_said():
    small = OptionLeg("XRP", "call", 0.5, 1.0, 1.0)
    assert small.value_usd(Scenario({"XRP": 2.0}, {"XRP": 0.0})) == 1.5


def test_a_year_has_365_days():
    assert YEAR_MS == 31_536_000_000


@pytest.mark.parametrize("strike", [0.0, -5.0, float("nan")])
def test_a_strike_is_above_nil(strike: float):
    with pytest.raises(ValueError, match="the strike of an option on ETH must be above 0"):
        OptionLeg("ETH", "put", strike, 0.1, 1.0)


@given(legs, worlds)
def test_a_bought_option_is_worth_something_between_nothing_and_all_and_a_sold_one_owes_it(leg: OptionLeg, world: Scenario):
    value = float(leg.value_usd(world)) / leg.size
    most = world.price("ETH") if leg.right == "call" else leg.strike
    assert 0.0 <= value <= most
    assert float(leg.value_usd(world)) * leg.size >= 0.0


@given(legs, worlds)
def test_its_greeks_are_the_differences_of_its_value(leg: OptionLeg, world: Scenario):
    price, sigma, step = world.price("ETH"), world.sigma("ETH"), 1e-3
    up, down = (replace(world, prices={"ETH": price + move}) for move in (step, -step))
    assert leg.deltas(world)["ETH"] == pytest.approx((leg.value_usd(up) - leg.value_usd(down)) / (2 * step), abs=1e-6)
    assert leg.gammas(world)["ETH"] == pytest.approx((leg.deltas(up)["ETH"] - leg.deltas(down)["ETH"]) / (2 * step), abs=1e-6)
    up, down = (replace(world, volatility={"ETH": sigma + move}) for move in (1e-5, -1e-5))
    assert leg.vegas(world)["ETH"] == pytest.approx((leg.value_usd(up) - leg.value_usd(down)) / (2e-5 * 100), abs=1e-6)


@given(st.lists(legs, min_size=1, max_size=4), worlds)
def test_a_book_of_options_is_their_sum(held: list[OptionLeg], world: Scenario):
    assert Together(tuple(held)).value_usd(world) == pytest.approx(sum(float(leg.value_usd(world)) for leg in held))
    assert Together(tuple(held)).gammas(world)["ETH"] == pytest.approx(sum(float(leg.gammas(world)["ETH"]) for leg in held))


EXPIRIES = {
    "crypto, a date": ("ETH", "2026-12-25", "2026-12-25T08:00:00Z"),
    "crypto, an instant": ("ETH", "2026-12-25T10:30:00Z", "2026-12-25T10:30:00Z"),
    "crypto, written with blanks": ("BTC", " 2026-12-25 ", "2026-12-25T08:00:00Z"),
    "SPX in winter": ("SPX", "2026-12-18", "2026-12-18T21:00:00Z"),
    "SPX in summer": ("SPX", "2026-06-19", "2026-06-19T20:00:00Z"),
    "SPX that settles at the opening": ("SPX", "2026-12-18T14:30:00Z", "2026-12-18T14:30:00Z"),
    "a fund": ("VXX", "2026-12-18", "2026-12-18T21:00:00Z"),
    "VIX": ("VIX", "2026-12-16", "2026-12-16T14:30:00Z"),
}


@pytest.mark.parametrize(("asset", "text", "instant"), EXPIRIES.values(), ids=EXPIRIES)
def test_a_date_is_the_hour_that_its_market_knows(asset: str, text: str, instant: str):
    assert expiry_ms(asset, text) == parse_time(instant)


@pytest.mark.parametrize("text", ["25DEC26", "", "2026-13-01", "next friday"])
def test_any_other_text_is_no_expiry(text: str):
    with pytest.raises(ValueError, match="is not a time"):
        expiry_ms("ETH", text)


def test_days_to_expiry_end_at_nil():
    at = parse_time("2026-12-25T08:00:00Z")
    assert (days_to_expiry(at - 36 * DAY // 24, at), days_to_expiry(at, at), days_to_expiry(at + DAY, at)) == (1.5, 0.0, 0.0)


NAMES: list[tuple[str, float, Right, str]] = [
    ("ETH", 2000.0, "put", "ETH-2026-12-25-2000-P"),
    ("SPX", 5000.0, "call", "SPX-2026-12-25-5000-C"),
    ("BTC", 1234567.0, "call", "BTC-2026-12-25-1234567-C"),
    ("XRP", 0.575, "put", "XRP-2026-12-25-0.575-P"),
]


@pytest.mark.parametrize(("asset", "strike", "right", "name"), NAMES)
def test_a_contract_has_the_name_that_quotes_go_by(asset: str, strike: float, right: Right, name: str):
    assert contract_name(asset, parse_time("2026-12-25T08:00:00Z"), strike, right) == name


@pytest.mark.parametrize(("size", "bought"), [(0.5, True), (1e-9, True), (0.0, False), (-0.5, False)])
def test_a_size_above_nothing_is_bought(size: float, bought: bool):
    assert OptionLeg("ETH", "put", 1.0, 1.0, size).bought is bought
