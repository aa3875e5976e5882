"""The risk of the book: layers that count, the adverse side, exposure at its price, greeks that add up."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.book import Book
from monitor.core.exposure import Coins, Exposure, Scenario, Together, Values
from monitor.core.implied import scenario_now
from monitor.core.risk import (
    Greeks,
    Moves,
    adverse,
    adverse_scenario,
    book_exposure,
    book_greeks,
    hedge_ratio,
    layer_exposure,
    layers_in_force,
    moves,
    net_greeks,
    position_exposure,
    positions_exposure,
    protected_usd,
    stressed_deltas_usd,
    stressed_exposure_usd,
    worth_usd,
)
from monitor.core.rule import Intent
from monitor.core.sizing import size
from monitor.core.tail import scenario_tail
from monitor.core.units import DAY
from monitor.core.verdict import Unknown
from tests.builders import START, proposal_of, seen
from tests.core.books import book, layered, priced, short, tokens, volatile

FALL = math.exp(-1.5 * 0.8 * math.sqrt(7 / 365))
RISE = 1 / FALL
MARKET = [*priced(ETH=2000.0, USDC=1.0), *volatile(ETH=80.0)]
LONG = tokens("wallet", ETH=3.0, USDC=500.0)
SHORT = {"id": "perp", "kind": "perp", "asset": "ETH", "size": -5.0}


# --- what counts ---


@pytest.mark.parametrize(("state", "counts"), [("proposed", False), ("approved", False), ("active", True), ("closing", True), ("closed", False)])
def test_a_layer_counts_while_it_is_active_or_closing(state: str, counts: bool):
    view = book(*MARKET, positions=[LONG], state=layered((state, short(2000.0))))
    assert len(layers_in_force(view)) == counts
    assert book_exposure(view).deltas(scenario_now(view, ("ETH", "USDC")))["ETH"] == (2.0 if counts else 3.0)
    assert protected_usd(view) == (2000.0 if counts else 0.0)
    assert positions_exposure(view).deltas(scenario_now(view, ("ETH", "USDC")))["ETH"] == 3.0


def test_a_short_perp_holds_the_coins_that_it_was_quoted_for_and_is_worth_nothing_there():
    view = book(*MARKET, state=layered(("active", short(3000.0, price=1500.0))))
    [layer] = layers_in_force(view)
    assert layer_exposure(view, layer) == Coins({"ETH": -2.0}, 3000.0)
    assert layer_exposure(view, layer).value_usd(Scenario({"ETH": 1500.0})) == 0
    assert layer_exposure(view, layer).value_usd(Scenario({"ETH": 1400.0})) == 200


def test_a_layer_from_before_quotes_were_kept_is_taken_at_today_s_price():
    view = book(*MARKET, state=layered(("active", short(3000.0, price=0.0))))
    assert layer_exposure(view, layers_in_force(view)[0]) == Coins({"ETH": -1.5}, 3000.0)


def test_a_top_up_is_no_exposure_and_an_unknown_instrument_is_not_taken_for_one():
    view = book(*MARKET, state=layered(("active", {}), ("active", {"instrument": "put"})))
    top_up, put = layers_in_force(view)
    assert layer_exposure(view, top_up) == Coins({})
    with pytest.raises(Unknown, match=f"layer {put.id} is a put, whose exposure is not known"):
        layer_exposure(view, put)
    with pytest.raises(Unknown):
        book_exposure(view)


def test_a_position_that_cannot_be_valued_is_named():
    view = book(positions=[LONG])
    with pytest.raises(Unknown) as why:
        positions_exposure(view)
    assert (why.value.code, why.value.reason) == ("price", "wallet: no fresh price of ETH")


def test_the_book_is_all_its_positions():
    view = book(*MARKET, positions=[LONG, SHORT])
    now = scenario_now(view, ("ETH", "USDC"))
    assert positions_exposure(view).deltas(now) == {"ETH": -2.0, "USDC": 500.0}
    assert position_exposure(view, view.settings.positions[1]).deltas(now) == {"ETH": -5.0}


def test_today_s_scenario_has_prices_and_the_volatility_that_is_known():
    assert scenario_now(book(*MARKET), ["USDC", "ETH", "ETH"]) == Scenario({"ETH": 2000.0, "USDC": 1.0}, {"ETH": 0.8}, 0.0)
    with pytest.raises(Unknown, match="no fresh price of SOL"):
        scenario_now(book(*MARKET), ["ETH", "SOL"])


# --- the adverse side ---


def test_a_long_loses_in_a_fall_and_a_short_in_a_rise():
    long, short_book = book(*MARKET, positions=[LONG]), book(*MARKET, positions=[LONG, SHORT])
    assert (adverse(long), adverse(short_book)) == (-1, 1)
    assert moves(long).fall_usd == pytest.approx(6000 * (1 - FALL))
    assert moves(long).rise_usd == pytest.approx(6000 * (1 - RISE))
    assert moves(short_book).loss_usd == pytest.approx(4000 * (RISE - 1))
    assert moves(long, 1).fall_usd == pytest.approx(6000 * (1 - math.exp(-1.5 * 0.8 / math.sqrt(365))))


def test_layers_do_not_turn_the_adverse_side():
    assert adverse(book(*MARKET, positions=[LONG], state=layered(("active", short(60_000.0))))) == -1


@pytest.mark.parametrize(
    ("fall", "rise", "sign", "loss"),
    [(2.0, 1.0, -1, 2.0), (1.0, 2.0, 1, 2.0), (1.0, 1.0, -1, 1.0), (-3.0, -1.0, 1, -1.0), (-1.0, -3.0, -1, -1.0), (0.0, 0.0, -1, 0.0)],
)
def test_a_tie_is_a_fall_and_of_two_gains_the_smaller_is_adverse(fall: float, rise: float, sign: int, loss: float):
    assert (Moves(fall, rise).sign, Moves(fall, rise).loss_usd) == (sign, loss)


def test_an_empty_book_has_a_side_and_nothing_to_lose():
    assert (moves(book()), adverse(book())) == (Moves(0.0, 0.0), -1)


def test_without_a_volatility_there_is_no_side():
    with pytest.raises(Unknown, match="the volatility of ETH is not known"):
        adverse(book(*priced(ETH=2000.0, USDC=1.0), positions=[LONG]))


def test_the_adverse_scenario_is_as_many_sigmas_away_as_is_asked():
    view = book(*MARKET, positions=[LONG])
    assert adverse_scenario(view, ("ETH", "USDC")).prices == {"ETH": pytest.approx(2000 * FALL), "USDC": 1.0}
    assert adverse_scenario(view, ("ETH",), 2.5, 30).prices["ETH"] == pytest.approx(2000 * math.exp(-2.5 * 0.8 * math.sqrt(30 / 365)))
    assert adverse_scenario(view, ("ETH",)).volatility == {"ETH": 0.8}


# --- stressed exposure ---


def test_stressed_exposure_is_the_coins_at_the_adverse_price_and_positive_where_it_loses():
    view = book(*MARKET, positions=[LONG, {**SHORT, "size": -1.0}])
    wallet, perp = view.settings.positions
    assert stressed_exposure_usd(view) == pytest.approx(2 * 2000 * FALL)
    assert stressed_exposure_usd(view, wallet) == pytest.approx(3 * 2000 * FALL)
    assert stressed_exposure_usd(view, perp) == pytest.approx(-2000 * FALL)
    assert stressed_deltas_usd(view, positions_exposure(view)) == {"ETH": pytest.approx(2 * 2000 * FALL)}
    assert stressed_exposure_usd(view, days=1) == pytest.approx(4000 * math.exp(-1.2 / math.sqrt(365)))


def test_in_a_rise_the_short_side_is_exposed():
    view = book(*MARKET, positions=[LONG, SHORT])
    wallet, perp = view.settings.positions
    assert stressed_exposure_usd(view) == pytest.approx(2 * 2000 * RISE)
    assert stressed_exposure_usd(view, perp) == pytest.approx(5 * 2000 * RISE)
    assert stressed_exposure_usd(view, wallet) == pytest.approx(-3 * 2000 * RISE)


def test_what_is_bought_on_the_vix_gains_in_a_fall_and_is_a_hedge_already():
    friday = START - START % DAY - 3 * DAY
    vix = [seen(metric, "VIX", value, friday, "cboe") for metric, value in (("vix.future.30d", 16.0), ("vvix.close", 90.0))]
    calls = {"id": "calls", "kind": "option", "asset": "VIX", "right": "call", "strike": 18.0, "expiry": "2024-04-17", "size": 100.0}
    view = book(*MARKET, *vix, positions=[LONG, calls])
    option = view.settings.positions[1]
    leg = position_exposure(view, option)
    spike = 16 * math.exp(1.5 * 0.9 * math.sqrt(7 / 365))
    there = Scenario({"VIX": spike}, {"VIX": 0.9})
    gained = float(leg.value_usd(there)) - float(leg.value_usd(Scenario({"VIX": 16.0}, {"VIX": 0.9})))
    assert gained > 0
    both = moves(view)
    assert both.sign == -1
    assert both.fall_usd == pytest.approx(3 * 2000 * (1 - FALL) - gained)
    held_usd = float(leg.deltas(there)["VIX"]) * spike
    assert stressed_exposure_usd(view, option) == pytest.approx(-held_usd)
    assert stressed_exposure_usd(view) == pytest.approx(3 * 2000 * FALL - held_usd)
    with pytest.raises(Unknown, match="calls loses nothing in VIX where the book loses"):
        size(view, Book(), option, Intent("short", ("top_up",)), proposal_of(position="calls"))
    sold = book(*MARKET, *vix, positions=[LONG, {**calls, "size": -100.0}])
    asked = size(sold, Book(), sold.settings.positions[1], Intent("short", ("top_up",)), proposal_of(position="calls"))
    assert asked.notional_usd == pytest.approx(held_usd * 0.25)
    assert "a rise of 1.5 sigma in 7 days" in asked.basis


def test_the_hedge_ratio_is_protected_notional_over_stressed_exposure():
    state = layered(("active", short(1000.0)), ("closing", {"notional_usd": 500.0}), ("proposed", short(900.0)))
    view = book(*MARKET, positions=[LONG], state=state)
    assert protected_usd(view) == 1500.0
    assert hedge_ratio(view) == pytest.approx(1500 / (6000 * FALL))


def test_a_short_perpetual_protects_nothing_in_a_rise():
    state = layered(("active", short(1000.0)), ("active", {"notional_usd": 500.0}))
    view = book(*MARKET, positions=[LONG, SHORT], state=state)
    assert hedge_ratio(view) == pytest.approx(500 / (4000 * RISE))


def test_less_than_a_dollar_can_be_protected_too():
    assert hedge_ratio(book(*MARKET, positions=[tokens("dust", ETH=0.0001)], state=layered(("active", short(0.1))))) == pytest.approx(0.5 / FALL)


def test_where_nothing_loses_there_is_no_hedge_ratio():
    with pytest.raises(Unknown, match="nothing to protect"):
        hedge_ratio(book(*MARKET, positions=[tokens("cash", USDC=100.0)]))


@dataclass(frozen=True)
class Wanting:
    """Needs a volatility that nobody knows."""

    assets: frozenset[str] = frozenset({"USDC"})

    def value_usd(self, scenario: Scenario) -> Values:
        return scenario.sigma("USDC")

    def deltas(self, scenario: Scenario) -> Mapping[str, Values]:
        return {"USDC": scenario.sigma("USDC")}

    gammas = vegas = deltas


def test_a_volatility_that_is_missing_is_unknown_and_no_error():
    view = book(*MARKET)
    attempts: list[Callable[[], object]] = [
        lambda: worth_usd(Wanting(), scenario_now(view, ("USDC",))),
        lambda: stressed_deltas_usd(view, Wanting()),
        lambda: net_greeks(Wanting(), scenario_now(view, ("USDC",))),
        lambda: scenario_tail(view, Wanting()),
    ]
    for attempt in attempts:
        with pytest.raises(Unknown, match="the scenario has no volatility of USDC") as why:
            attempt()
        assert why.value.code == "scenario"


# --- greeks ---


@dataclass(frozen=True)
class Curved:
    """Worth p squared over 1000 a coin, with a vega of 7: a stand-in for whatever is not a straight line."""

    @property
    def assets(self) -> frozenset[str]:
        return frozenset({"ETH"})

    def value_usd(self, scenario: Scenario) -> Values:
        return scenario.price("ETH") ** 2 / 1000

    def deltas(self, scenario: Scenario) -> Mapping[str, Values]:
        return {"ETH": 2 * scenario.price("ETH") / 1000}

    def gammas(self, scenario: Scenario) -> Mapping[str, Values]:
        return {"ETH": 0.002}

    def vegas(self, scenario: Scenario) -> Mapping[str, Values]:
        return {"ETH": 7.0}


def test_greeks_are_dollars_a_coin_a_percent_and_a_point():
    greeks = net_greeks(Together((Curved(), Coins({"USDC": 5.0}))), Scenario({"ETH": 2000.0, "USDC": 0.99}))
    assert greeks == {"ETH": Greeks(8000.0, 80.0, 7.0), "USDC": Greeks(4.95, 0.0, 0.0)}
    # A rise of 1% adds 0.04 coins: 80 USD at today's price.
    grown = Curved().deltas(Scenario({"ETH": 2020.0}))["ETH"] - Curved().deltas(Scenario({"ETH": 2000.0}))["ETH"]
    assert grown * 2000.0 == pytest.approx(greeks["ETH"].gamma_usd)


def test_the_greeks_of_the_book_count_positions_and_layers():
    view = book(*MARKET, positions=[LONG, SHORT], state=layered(("active", short(1000.0))))
    assert book_greeks(view) == {"ETH": Greeks(-5000.0, 0.0, 0.0), "USDC": Greeks(500.0, 0.0, 0.0)}


parts = st.lists(st.one_of(st.just(Curved()), st.builds(Coins, st.fixed_dictionaries({"ETH": st.floats(-50, 50)}), st.floats(-1e5, 1e5))), max_size=6)


@given(parts, parts, st.floats(100, 10_000))
def test_greeks_and_worth_of_a_union_are_sums(first: list[Exposure], second: list[Exposure], price: float):
    scenario = Scenario({"ETH": price})
    one, two, both = Together(tuple(first)), Together(tuple(second)), Together((*first, *second))
    assert both.value_usd(scenario) == pytest.approx(one.value_usd(scenario) + two.value_usd(scenario), abs=1e-6)
    nothing = Greeks(0.0, 0.0, 0.0)
    of_one, of_two, of_both = (net_greeks(each, scenario).get("ETH", nothing) for each in (one, two, both))
    for name in ("delta_usd", "gamma_usd", "vega_usd"):
        assert getattr(of_both, name) == pytest.approx(getattr(of_one, name) + getattr(of_two, name), abs=1e-6)


@given(st.floats(1.0, 1e6), st.floats(0.01, 1.0))
def test_a_short_perp_of_at_most_the_net_delta_never_makes_it_larger(held_usd: float, share: float):
    """Up to twice the net delta would not; how large a layer is asked for is the business of core/sizing.py, which is held to once."""
    coins, notional = held_usd / 2000, held_usd * share
    view = book(*MARKET, positions=[tokens("wallet", ETH=coins)], state=layered(("active", short(notional))))
    bare = net_greeks(positions_exposure(view), scenario_now(view, ("ETH",)))["ETH"].delta_usd
    assert abs(book_greeks(view)["ETH"].delta_usd) <= abs(bare) + 1e-6
