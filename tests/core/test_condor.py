"""Iron condors, on SPX and on crypto: what they bring and lose, where they break even, alone and with the layers around them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.book import Position
from monitor.core.condor import IronCondor, condor_of, signed_legs, strikes_flaw
from monitor.core.exposure import Scenario
from monitor.core.options import OptionLeg, expiry_ms

SPX = IronCondor(asset="SPX", strikes=(4600.0, 4700.0, 5300.0, 5450.0), years=30 / 365, size=200.0, credit_usd=30.0)
NOW = Scenario({"SPX": 5000.0, "ETH": 2000.0}, {"SPX": 0.20, "ETH": 0.60})


def at_expiry(price: float) -> Scenario:
    return Scenario({"SPX": price}, years=SPX.years)


def test_two_condors_of_spx_have_these_figures():
    # The call side is the wider one: 150 - 30 of each of 2 x 100 index units.
    assert (SPX.max_profit_usd, SPX.max_loss_usd) == (6000.0, 24_000.0)
    assert SPX.break_evens() == (4670.0, 5330.0)
    assert SPX.break_evens(cost_usd=2000.0) == (4680.0, 5320.0)
    assert [(leg.right, leg.strike, leg.size) for leg in SPX.legs] == [
        ("put", 4600.0, 200.0), ("put", 4700.0, -200.0), ("call", 5300.0, -200.0), ("call", 5450.0, 200.0),
    ]  # fmt: skip
    assert {leg.years for leg in SPX.legs} == {30 / 365} and SPX.exposure.assets == {"SPX"}


SETTLED = [
    (0.0, -14_000.0), (4600.0, -14_000.0), (4650.0, -4000.0), (4670.0, 0.0), (4700.0, 6000.0), (5300.0, 6000.0), (5330.0, 0.0), (5400.0, -14_000.0),
    (5450.0, -24_000.0), (9000.0, -24_000.0),
]  # fmt: skip


@pytest.mark.parametrize(("price", "profit"), SETTLED)
def test_at_expiry_it_brings_its_credit_less_what_exercise_takes(price: float, profit: float):
    assert SPX.settled_usd(price) == pytest.approx(profit)
    assert float(SPX.exposure.value_usd(at_expiry(price))) + 6000.0 == pytest.approx(profit)


def test_many_prices_are_settled_at_once():
    prices = np.array([price for price, _ in SETTLED])
    assert np.asarray(SPX.settled_usd(prices)).tolist() == pytest.approx([profit for _, profit in SETTLED])


def test_a_condor_on_ether_is_the_same_in_coins():
    eth = IronCondor(asset="ETH", strikes=(1500.0, 1700.0, 2300.0, 2500.0), years=7 / 365, size=3.0, credit_usd=25.0, rate=0.04)
    assert (eth.max_profit_usd, eth.max_loss_usd, eth.break_evens()) == (75.0, 525.0, (1675.0, 2325.0))
    assert all(leg.rate == 0.04 and leg.asset == "ETH" for leg in eth.legs)


BREAK_EVENS = {
    "the layers cost all of the credit": (6000.0, (4700.0, 5300.0)),
    "the layers cost more than the credit": (6000.01, ()),
    "a gain elsewhere, as wide as the put side": (-14_000.0, (4600.0, 5400.0)),
    "a gain elsewhere beyond the put side": (-14_001.0, (5400.005,)),
    "a gain elsewhere, as wide as the call side": (-24_000.0, (5450.0,)),
    "a gain elsewhere beyond all": (-24_001.0, ()),
}


@pytest.mark.parametrize(("cost_usd", "prices"), BREAK_EVENS.values(), ids=BREAK_EVENS)
def test_break_evens_end_where_the_strikes_do(cost_usd: float, prices: tuple[float, ...]):
    assert SPX.break_evens(cost_usd) == pytest.approx(prices)


def test_bought_inside_it_loses_what_it_took_at_most():
    bought = replace(SPX, size=-200.0)
    assert (bought.max_profit_usd, bought.max_loss_usd) == (24_000.0, 6000.0)
    assert bought.break_evens() == (4670.0, 5330.0)
    assert bought.break_evens(cost_usd=2000.0) == (4660.0, 5340.0)


def test_deltas_of_the_sold_options_stand_without_sign_and_for_one_unit():
    put, call = SPX.short_deltas(NOW)
    spread = 0.20 * math.sqrt(30 / 365)
    d1 = [math.log(5000 / strike) / spread + spread / 2 for strike in (4700, 5300)]
    assert put == pytest.approx(0.5 * math.erfc(d1[0] / math.sqrt(2)))
    assert call == pytest.approx(0.5 * math.erfc(-d1[1] / math.sqrt(2)))


def strike_of_delta(right: str, delta: float) -> float:
    """By bisection on the far side."""
    low, high = (1000.0, 5000.0) if right == "put" else (5000.0, 20_000.0)
    for _ in range(200):
        middle = (low + high) / 2
        leg = OptionLeg("SPX", "put" if right == "put" else "call", middle, 30 / 365, 1.0)
        nearer = abs(float(leg.unit(NOW).delta)) > delta
        low, high = (low, middle) if nearer == (right == "put") else (middle, high)
    return (low + high) / 2


@pytest.mark.parametrize(("delta", "noted"), [(0.1499, "further out"), (0.1501, ""), (0.2499, ""), (0.2501, "nearer")])
def test_a_sold_option_outside_of_the_band_of_deltas_is_noted(delta: float, noted: str):
    put, call = strike_of_delta("put", delta), strike_of_delta("call", 0.2)
    notes = replace(SPX, strikes=(put - 100, put, call, call + 100)).notes(NOW)
    assert len(notes) == bool(noted)
    assert all(note == f"the sold put of {put:,.6g} has a delta of {delta:.3f}: {noted} than 0.15 to 0.25" for note in notes)
    assert len(replace(SPX, strikes=(put - 100, put, 9000.0, 9100.0)).notes(NOW)) == 1 + bool(noted)


def test_the_notes_name_the_side():
    assert [note.split(" of ")[0] for note in replace(SPX, strikes=(2000.0, 2100.0, 9000.0, 9100.0)).notes(NOW)] == ["the sold put", "the sold call"]


def test_skews_go_to_the_strikes_in_their_order():
    skewed = replace(SPX, skews=(0.08, 0.05, -0.02, -0.03))
    assert [leg.skew for leg in skewed.legs] == [0.08, 0.05, -0.02, -0.03]
    assert skewed.short_deltas(NOW)[0] > SPX.short_deltas(NOW)[0] and skewed.short_deltas(NOW)[1] < SPX.short_deltas(NOW)[1]


def test_sold_volatility_costs_when_volatility_rises_and_earns_as_time_goes_by():
    assert float(SPX.exposure.vegas(NOW)["SPX"]) < 0 and float(SPX.exposure.gammas(NOW)["SPX"]) < 0
    assert float(SPX.exposure.value_usd(replace(NOW, years=1 / 365))) > float(SPX.exposure.value_usd(NOW))


def test_a_condor_that_is_bought_has_no_sold_options_whose_deltas_could_be_noted():
    far = replace(SPX, strikes=(2000.0, 2100.0, 9000.0, 9100.0))
    assert len(far.notes(NOW)) == 2
    assert len(replace(far, size=0.5).notes(NOW)) == 2
    assert replace(far, size=-0.5).notes(NOW) == ()


STRIKES = {
    "three": ((1.0, 2.0, 3.0), "must be four, these are 3"),
    "five": ((1.0, 2.0, 3.0, 4.0, 5.0), "must be four, these are 5"),
    "two alike": ((1.0, 2.0, 2.0, 3.0), "each above the one before"),
    "falling": ((4.0, 3.0, 2.0, 1.0), "each above the one before"),
    "nil": ((0.0, 2.0, 3.0, 4.0), "above 0"),
}


@pytest.mark.parametrize(("strikes", "why"), STRIKES.values(), ids=STRIKES)
def test_strikes_that_make_no_condor_are_named(strikes: tuple[float, ...], why: str):
    assert why in strikes_flaw(strikes)
    with pytest.raises(ValueError, match=f"the strikes of a condor .*{why}"):
        signed_legs(strikes)
    assert strikes_flaw((0.5, 2.0, 3.0, 4.0)) == ""


def test_a_condor_that_is_none_is_refused():
    with pytest.raises(ValueError, match="each above the one before"):
        replace(SPX, strikes=(4700.0, 4600.0, 5300.0, 5450.0))
    with pytest.raises(ValueError, match="a condor of size 0 is none"):
        replace(SPX, size=0.0)


@given(st.lists(st.floats(10, 1000), min_size=4, max_size=4, unique=True), st.floats(0.1, 5), st.floats(0, 50), st.floats(1, 2000))
def test_no_settlement_lies_beyond_its_extremes(strikes: list[float], size: float, credit: float, price: float):
    low, put, call, high = sorted(strikes)
    condor = IronCondor(asset="ETH", strikes=(low, put, call, high), years=0.1, size=size, credit_usd=credit)
    profit = float(condor.settled_usd(price))
    assert -condor.max_loss_usd - 1e-9 <= profit <= condor.max_profit_usd + 1e-9
    by_legs = float(condor.exposure.value_usd(Scenario({"ETH": price}, years=0.1))) + size * credit
    assert profit == pytest.approx(by_legs, abs=1e-6)


def test_nothing_is_earned_on_the_strikes_and_no_skew_is_taken_unless_said():
    assert (SPX.rate, SPX.skews) == (0.0, (0.0, 0.0, 0.0, 0.0))
    assert {leg.rate for leg in SPX.legs} == {leg.skew for leg in SPX.legs} == {0.0}


def test_a_declared_condor_is_taken_as_it_is_written_until_it_expires():
    strikes = (1500.0, 1700.0, 2300.0, 2500.0)
    declared = Position(id="c", kind="iron-condor", asset="ETH", strikes=strikes, expiry="2024-06-28", size=3.0, credit=25.0)
    over = expiry_ms("ETH", "2024-06-28")
    found = condor_of(declared, over - 365 * 86_400_000)
    assert found == IronCondor(asset="ETH", strikes=strikes, years=1.0, size=3.0, credit_usd=25.0, rate=0.0, skews=(0.0, 0.0, 0.0, 0.0))
    assert condor_of(declared, over - 1) is not None
    assert condor_of(declared, over) is None
    assert condor_of(replace(declared, kind="option"), over - 1) is None


def test_deltas_at_the_ends_of_the_band_are_within_it(monkeypatch: pytest.MonkeyPatch):
    for deltas in ((0.15, 0.25), (0.25, 0.15)):
        monkeypatch.setattr(IronCondor, "short_deltas", lambda self, scenario, deltas=deltas: deltas)
        assert SPX.notes(NOW) == ()


def test_the_rate_of_its_lowest_leg_is_the_condor_s():
    declared = Position(id="c", kind="iron-condor", asset="ETH", strikes=(1.0, 2.0, 3.0, 4.0), expiry="2024-06-28", size=3.0, credit=25.0)
    legs = replace(SPX.exposure, parts=tuple(replace(leg, rate=0.01 * number) for number, leg in enumerate(SPX.legs, 1)))
    found = condor_of(declared, 0, legs)
    assert found is not None and found.rate == 0.01
