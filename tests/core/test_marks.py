"""Options and condors in the book: by a live quote where there is one, else by a model that says what it took."""

from dataclasses import replace
from typing import Any

import pytest

from monitor.core.black import Right, black_76, black_scholes
from monitor.core.book import Position
from monitor.core.exposure import Scenario, Together
from monitor.core.implied import scenario_now
from monitor.core.observation import Observation
from monitor.core.options import OptionLeg
from monitor.core.settings import read_settings
from monitor.core.tokens import LISTED
from monitor.core.units import DAY, MINUTE, parse_time
from monitor.core.valuation import value_position
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.worth import Valuation
from monitor.sinks.position_view import position_view
from tests.builders import START, seen, series, settings_of, view_of
from tests.core.books import layered

PUT = Position(id="p1", kind="option", asset="ETH", right="put", strike=1800.0, expiry="2024-04-26", size=2.0)
NAME = "ETH-2024-04-26-1800-P"
YEARS = (parse_time("2024-04-26T08:00:00Z") - START) / (365 * DAY)
RATE = 0.04


def quoted(metric: str, value: float, name: str = NAME, source: str = "deribit", end: int = START) -> list[Observation]:
    return series(f"option.{metric}", name, [value] * 3, step_ms=MINUTE, source=source, end=end)


def market(price: float = 2000.0, iv: float | None = 80.0) -> list[Observation]:
    rows = [o for source in "ab" for o in series("price.usd", "ETH", [price] * 3, step_ms=MINUTE, source=source)]
    return rows + (series("iv.index", "ETH", [iv] * 3, step_ms=MINUTE, source="dvol") if iv is not None else [])


def worth(*rows: Observation, position: Position = PUT, **settings: Any) -> Valuation:
    return value_position(view_of(*market(), *rows, settings=settings), position)


def model(sigma: float, right: Right = "put", strike: float = 1800.0, spot: float = 2000.0) -> float:
    return float(black_scholes(right, spot, strike, sigma, YEARS, RATE).price)


def test_the_forward_grows_at_the_collected_bill_and_only_without_one_at_the_setting():
    bill = seen("macro.tbill_3m", "US", 0.09, START - DAY, "fred")
    for rows, rate in (([bill], 0.09), ([], 0.02)):
        held = worth(*rows, book={"treasury_bill_yield": 0.02}).exposure
        assert isinstance(held, Together)
        assert [leg.rate for leg in held.parts if isinstance(leg, OptionLeg)] == [rate]
    assert worth(bill).value_usd == pytest.approx(2 * 0.95 * float(black_scholes("put", 2000.0, 1800.0, 0.8, YEARS, 0.09).price), rel=1e-9)


def test_a_bought_option_is_worth_its_bid_and_a_sold_one_owes_its_ask():
    quotes = quoted("bid", 110.0) + quoted("ask", 120.0)
    assert worth(*quotes).value_usd == 220.0
    assert worth(*quotes, position=replace(PUT, size=-2.0)).value_usd == -240.0


def test_an_option_that_nobody_bids_for_is_worth_nothing_now_and_something_in_a_fall():
    found = worth(*quoted("bid", 0.0), *quoted("ask", 3.0))
    assert found.value_usd == 0.0
    assert float(found.exposure.value_usd(Scenario({"ETH": 1500.0}, {"ETH": 0.8}))) > 500.0


def test_it_says_which_quote_it_took_and_what_volatility_that_implies():
    basis = worth(*quoted("bid", 110.0), *quoted("ask", 120.0)).basis
    sigma = basis.partition("volatility ")[2].partition("%")[0]
    assert basis == f"{NAME}: the bid 110 USD of deribit, volatility {sigma}% (implied by bid and ask)"
    assert model(float(sigma) / 100) == pytest.approx(115.0, abs=0.2)
    assert "the ask 120 USD of deribit" in worth(*quoted("ask", 120.0), position=replace(PUT, size=-2.0)).basis
    assert "(implied by the ask)" in worth(*quoted("ask", 120.0), position=replace(PUT, size=-2.0)).basis
    assert "(implied by the bid)" in worth(*quoted("bid", 110.0)).basis


CASES = {
    "both sides": ({"bid": 110.0, "ask": 120.0}, 2.0),
    "both sides, half a coin": ({"bid": 110.0, "ask": 120.0}, 0.5),
    "both sides, sold": ({"bid": 110.0, "ask": 120.0}, -2.0),
    "the side met alone": ({"bid": 110.0}, 2.0),
    "no bid left": ({"bid": 0.0, "ask": 3.0}, 2.0),
    "below what exercise would bring": ({"bid": 150.0, "ask": 190.0}, 2.0),
    "below what exercise would bring, sold": ({"bid": 150.0, "ask": 190.0}, -2.0),
    "the model": ({}, 2.0),
    "the model, sold": ({}, -2.0),
    "the venue's volatility": ({"iv": 95.0}, 2.0),
}


@pytest.mark.parametrize(("quotes", "size"), CASES.values(), ids=CASES)
def test_the_exposure_is_worth_the_same_in_the_scenario_of_now(quotes: dict[str, float], size: float):
    deep = "below" in next(name for name, case in CASES.items() if case == (quotes, size))
    rows = [*market(1600.0 if deep else 2000.0), *(row for metric, value in quotes.items() for row in quoted(metric, value))]
    view = view_of(*rows)
    found = value_position(view, replace(PUT, size=size))
    now = scenario_now(view, found.exposure.assets)
    assert float(found.exposure.value_usd(now)) == pytest.approx(found.value_usd, rel=1e-12, abs=1e-9)
    assert found.amounts == {"ETH": pytest.approx(float(found.exposure.deltas(now)["ETH"]), rel=1e-12)}
    assert found.delta_usd == {"ETH": pytest.approx(found.amounts["ETH"] * (1600.0 if deep else 2000.0))}
    assert found.risk_asset == "ETH" and found.amounts["ETH"] * size < 0


def test_the_quotes_volatility_keeps_its_distance_from_the_assets():
    forward = 2000.0 * 2.718281828459045 ** (RATE * YEARS)
    middle = float(black_76("put", forward, 1800.0, 0.95, YEARS, RATE).price)
    found = worth(*quoted("bid", middle - 4), *quoted("ask", middle + 4))
    calmer = Scenario({"ETH": 2000.0}, {"ETH": 0.70})
    assert float(found.exposure.value_usd(calmer)) == pytest.approx(2 * (model(0.85) - 4), rel=1e-9)
    settled = Scenario({"ETH": 1500.0}, years=YEARS)
    assert float(found.exposure.value_usd(settled)) == 600.0


def test_without_a_quote_a_bought_option_is_marked_down_and_a_sold_one_up():
    bought, sold = worth(), worth(position=replace(PUT, size=-2.0))
    small = worth(position=replace(PUT, size=0.5))
    assert small.value_usd == pytest.approx(bought.value_usd / 4, rel=1e-12) and small.basis == bought.basis
    assert bought.value_usd == pytest.approx(2 * 0.95 * model(0.80), rel=1e-12)
    assert sold.value_usd == pytest.approx(-2 * 1.05 * model(0.80), rel=1e-12)
    assert bought.amounts["ETH"] == pytest.approx(2 * float(black_scholes("put", 2000.0, 1800.0, 0.8, YEARS, RATE).delta))
    assert bought.basis == (
        f"{NAME}: Black-Scholes at 80.0% (iv.index of ETH from dvol), {model(0.8):,.6g} USD and 5.0% of it taken off for the half-spread; "
        f"no quote: nobody gives option.bid of {NAME}"
    )
    assert "5.0% of it added for the half-spread; no quote: nobody gives option.ask" in sold.basis


def test_haircut_and_rate_are_the_books():
    book = {"option_half_spread": 0.10, "treasury_bill_yield": 0.0}
    expected = 2 * 0.90 * float(black_scholes("put", 2000.0, 1800.0, 0.8, YEARS, 0.0).price)
    assert worth(book=book).value_usd == pytest.approx(expected, rel=1e-12)


def test_the_venues_volatility_of_the_contract_comes_before_the_assets():
    found = worth(*quoted("iv", 95.0))
    assert found.value_usd == pytest.approx(2 * 0.95 * model(0.95), rel=1e-12)
    assert "Black-Scholes at 95.0% (option.iv from deribit)" in found.basis


def test_where_a_quote_implies_no_volatility_its_price_stands_and_the_stated_one_moves_it():
    view = view_of(*market(1600.0), *quoted("bid", 150.0), *quoted("iv", 60.0))
    found = value_position(view, PUT)
    assert found.value_usd == 300.0
    assert "volatility 60.0% (option.iv from deribit)" in found.basis


NEAR = replace(PUT, expiry="2024-03-11")


@pytest.mark.parametrize(("expiry", "sigma"), [("2024-03-19T00:00:00Z", 0.95), ("2024-03-19T00:00:01Z", 0.80)])
def test_up_to_fifteen_days_the_near_volatility_prices_it(expiry: str, sigma: float):
    near = series("iv.atm.7d", "ETH", [95.0] * 3, step_ms=MINUTE, source="dvol")
    found = worth(*near, position=replace(PUT, expiry=expiry))
    years = (parse_time(expiry) - START) / (365 * DAY)
    assert found.value_usd == pytest.approx(2 * 0.95 * float(black_scholes("put", 2000.0, 1800.0, sigma, years, RATE).price), rel=1e-9)


def test_a_near_option_falls_back_on_the_index():
    assert "iv.index of ETH" in worth(position=NEAR).basis


STALE = START - 30 * MINUTE
UNUSED = {
    "stale": (quoted("bid", 110.0, end=STALE) + quoted("ask", 120.0), "is 30 min old"),
    "crossed": (quoted("bid", 121.0) + quoted("ask", 120.0), f"deribit bids 121 and asks 120 for {NAME}"),
    "given once": ([seen("option.bid", NAME, 110.0, source="import")], "import has only 1 values of option.bid"),
    "of another strike": (quoted("bid", 110.0, "ETH-2024-04-26-1900-P"), "nobody gives option.bid"),
}


@pytest.mark.parametrize(("rows", "why"), UNUSED.values(), ids=UNUSED)
def test_a_quote_that_cannot_be_used_is_named_and_the_model_stands(rows: list[Observation], why: str):
    found = worth(*rows)
    assert found.value_usd == pytest.approx(2 * 0.95 * model(0.80), rel=1e-12)
    assert "no quote: " in found.basis and why in found.basis


def test_a_crossed_quote_is_not_used_for_what_was_sold_either():
    found = worth(*quoted("bid", 121.0), *quoted("ask", 120.0), position=replace(PUT, size=-2.0))
    assert f"deribit bids 121 and asks 120 for {NAME}" in found.basis


def test_bid_and_ask_may_be_the_same():
    assert worth(*quoted("bid", 115.0), *quoted("ask", 115.0)).value_usd == 230.0


def test_a_stale_other_side_is_left_out():
    assert "(implied by the bid)" in worth(*quoted("bid", 110.0), *quoted("ask", 900.0, end=STALE)).basis


def test_the_positions_venue_is_asked_first():
    rows = [*quoted("bid", 100.0, source="aevo"), *quoted("bid", 110.0, source="deribit")]
    assert worth(*rows).value_usd == 200.0
    assert worth(*rows, position=replace(PUT, venue="deribit")).value_usd == 220.0
    assert worth(*rows, position=replace(PUT, venue="okx")).value_usd == 200.0


@pytest.mark.parametrize("late_ms", [0, 1, DAY])
def test_from_its_expiry_on_it_is_nothing_and_says_so(late_ms: int):
    rows = series("price.usd", "ETH", [1000.0], end=parse_time("2024-04-26T08:00:00Z") + late_ms)
    found = value_position(view_of(*rows, now=parse_time("2024-04-26T08:00:00Z") + late_ms), PUT)
    assert (found.value_usd, found.amounts, found.delta_usd) == (0.0, {"ETH": 0.0}, {"ETH": 0.0})
    assert found.basis == "expired at 2024-04-26T08:00:00Z: what it paid lies elsewhere now, take it out of the book"
    assert found.exposure.assets == {"ETH"} and found.exposure.value_usd(Scenario({"ETH": 1000.0})) == 0.0


def test_its_expiry_wakes_the_judgement():
    at = parse_time("2024-03-04T00:01:30Z")
    view = view_of(*market())
    value_position(view, replace(PUT, expiry="2024-03-04T00:01:30Z"))
    assert view.due == at


def test_without_any_volatility_or_price_it_cannot_be_valued():
    with pytest.raises(Unknown, match=r"no implied volatility of ETH: nobody has given iv\.index of ETH yet"):
        value_position(view_of(*market(iv=None), *quoted("bid", 110.0)), PUT)
    with pytest.raises(Unknown, match="no fresh price of ETH"):
        value_position(view_of(*series("iv.index", "ETH", [80.0] * 3, step_ms=MINUTE)), PUT)


def test_a_wrapped_asset_is_priced_as_what_it_stands_for():
    assert worth(position=replace(PUT, asset="WETH")).value_usd == pytest.approx(2 * 0.95 * model(0.80), rel=1e-12)


def test_the_near_volatility_stands_in_for_an_index_that_is_missing():
    rows = [*market(iv=None), *series("iv.atm.7d", "ETH", [80.0] * 3, step_ms=MINUTE, source="dvol")]
    found = value_position(view_of(*rows), PUT)
    assert found.value_usd == pytest.approx(2 * 0.95 * model(0.80), rel=1e-12)
    assert "(iv.atm.7d of ETH from dvol)" in found.basis


FRIDAY = parse_time("2024-03-01")


def listed(metric: str, subject: str, value: float) -> Observation:
    return seen(metric, subject, value, FRIDAY, source="cboe")


CONDOR = Position(id="c1", kind="iron-condor", asset="SPX", strikes=(4600.0, 4700.0, 5300.0, 5450.0), expiry="2024-04-19", size=200.0, credit=30.0)


def test_a_condor_on_spx_is_its_four_legs_at_the_vix():
    view = view_of(listed("equity.close", "SPX", 5000.0), listed("vix.close", "VIX", 20.0))
    found = value_position(view, CONDOR)
    years = (parse_time("2024-04-19T20:00:00Z") - START) / (365 * DAY)
    rights: tuple[Right, ...] = ("put", "put", "call", "call")
    legs = [black_scholes(right, 5000.0, strike, 0.2, years, RATE) for right, strike in zip(rights, CONDOR.strikes, strict=True)]
    outer, inner = (float(legs[i].price + legs[j].price) for i, j in ((0, 3), (1, 2)))
    assert found.value_usd == pytest.approx(200 * (0.95 * outer - 1.05 * inner), rel=1e-12)
    assert found.amounts["SPX"] == pytest.approx(200 * float(legs[0].delta - legs[1].delta - legs[2].delta + legs[3].delta), rel=1e-9)
    assert found.delta_usd["SPX"] == pytest.approx(5000 * found.amounts["SPX"])
    assert [part.partition(":")[0] for part in found.basis.split("; SPX")] == [
        "SPX-2024-04-19-4600-P", "-2024-04-19-4700-P", "-2024-04-19-5300-C", "-2024-04-19-5450-C",
    ]  # fmt: skip
    assert found.basis.count("vix.close of VIX from cboe") == 4


def test_a_condor_that_is_bought_inside_is_its_mirror():
    rows = listed("equity.close", "SPX", 5000.0), listed("vix.close", "VIX", 20.0)
    free = {"book": {"option_half_spread": 0.0}}
    one, other = (value_position(view_of(*rows, settings=free), replace(CONDOR, size=size)) for size in (200.0, -200.0))
    assert one.value_usd == pytest.approx(-other.value_usd) and one.value_usd < 0
    assert one.amounts["SPX"] == pytest.approx(-other.amounts["SPX"])


def test_each_leg_of_a_condor_takes_the_quote_it_has():
    rows = [*market(), *quoted("bid", 12.0, "ETH-2024-04-26-1500-P"), *quoted("ask", 60.0, "ETH-2024-04-26-1700-P")]
    position = replace(CONDOR, asset="ETH", strikes=(1500.0, 1700.0, 2300.0, 2500.0), expiry="2024-04-26", size=1.0)
    found = value_position(view_of(*rows), position)
    calls = 0.95 * model(0.8, "call", 2500.0) - 1.05 * model(0.8, "call", 2300.0)
    assert found.value_usd == pytest.approx(12.0 - 60.0 + calls, rel=1e-12)


def view_of_listed() -> View:
    rows = [listed("equity.close", "SPX", 5000.0), listed("equity.close", "VXX", 25.0), listed("vix.close", "VIX", 14.0)]
    return view_of(*market(), *rows, listed("vix.future.30d", "VIX", 16.0), listed("vvix.close", "VIX", 90.0))


def test_the_scenario_of_now_has_every_price_and_the_volatilities_that_there_are():
    now = scenario_now(view_of_listed(), ["SPX", "ETH", "VXX", "VIX", "ETH"])
    assert now.prices == {"ETH": 2000.0, "SPX": 5000.0, "VIX": 16.0, "VXX": 25.0}
    assert now.volatility == {"ETH": 0.8, "SPX": 0.14, "VIX": 0.9}
    assert now.years == 0.0
    with pytest.raises(Unknown, match="no fresh price of BTC"):
        scenario_now(view_of_listed(), ["ETH", "BTC"])
    with pytest.raises(Unknown, match=r"nobody has given equity\.close of ES yet"):
        scenario_now(view_of_listed(), ["ES"])


def test_what_trades_at_us_exchanges_is_no_coin_to_watch():
    condor = {"id": "c1", "kind": "iron-condor", "asset": "SPX", "strikes": [1, 2, 3, 4], "expiry": "2024-04-19", "size": 1}
    assert read_settings(settings_of(positions=[condor])).assets == ("BTC", "ETH")
    assert {"SPX", "ES", "VIX", "VXX", "UVXY"} == LISTED


OPEN = Position(id="c", kind="iron-condor", asset="ETH", strikes=(1200.0, 1700.0, 2300.0, 2500.0), expiry="2024-03-15", size=3.0, credit=40.0)


def shown(position: Position, *layers: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    view = view_of(*market(), state=layered(*layers))
    return position_view(view, position, value_position(view, position))


def test_a_position_of_options_shows_how_it_was_priced_and_that_it_has_expired():
    over = shown(replace(PUT, expiry="2024-03-01"))
    assert over["value_usd"] == 0.0
    assert over["says"] == [over["basis"]] == ["expired at 2024-03-01T08:00:00Z: what it paid lies elsewhere now, take it out of the book"]
    assert shown(PUT)["basis"].startswith(f"{NAME}: Black-Scholes at 80.0%")


def test_a_condor_tells_what_it_can_lose_where_it_breaks_even_and_which_deltas_are_off():
    says = shown(OPEN, ("active", {"position": "c", "cost_usd": 30.0}), ("active", {"position": "d"}), ("closed", {"position": "c"}))["says"][1:]
    assert says == [
        "Wins at most 120 USD, loses at most 1,380",
        "Break-even at 1,660 and 2,340, with the cost of its layers at 1,670 and 2,330",
        "The sold put of 1,700 has a delta of 0.109: further out than 0.15 to 0.25",
    ]
    assert shown(OPEN)["says"][2] == "Break-even at 1,660 and 2,340"
    assert shown(replace(OPEN, credit=0.0))["says"][1:] == says[2:]
    assert len(shown(replace(OPEN, expiry="2024-03-01"))["says"]) == 1
