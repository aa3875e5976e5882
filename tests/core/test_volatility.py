"""Volatility: Yang-Zhang worked by hand, what stands in for what, and shocks of so many sigmas."""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, stdev, variance
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.observation import Observation
from monitor.core.sessions import is_session
from monitor.core.units import DAY, HOUR
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.vocabulary import BARS
from monitor.core.volatility import annual_sigma, horizon_sigma, implied, realised, shocked, with_market, yang_zhang
from tests.builders import START, seen, view_of

Bar = tuple[float, float, float, float]
THREE: list[Bar] = [(90, 120, 80, 100), (102, 110, 99, 105), (104, 108, 100, 103)]


def textbook(bars: Sequence[Bar], bars_per_year: float) -> float:
    """Yang-Zhang once more, in plain sums as the paper writes them."""
    night = [math.log(bar[0] / before[3]) for before, bar in pairwise(bars)]
    day = [math.log(close / open_) for open_, _, _, close in bars[1:]]
    inside = [math.log(h / c) * math.log(h / o) + math.log(low / c) * math.log(low / o) for o, h, low, c in bars[1:]]
    n = len(day)
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    return math.sqrt(bars_per_year * (variance(night) + k * variance(day) + (1 - k) * fmean(inside)))


def columns(bars: Sequence[Bar]) -> tuple[list[float], list[float], list[float], list[float]]:
    o, h, low, c = zip(*bars, strict=True)
    return list(o), list(h), list(low), list(c)


def test_three_bars_by_hand():
    night = [math.log(1.02), math.log(104 / 105)]
    day = [math.log(105 / 102), math.log(103 / 104)]
    rs1 = math.log(110 / 102) * math.log(110 / 105) + math.log(99 / 102) * math.log(99 / 105)
    rs2 = math.log(108 / 104) * math.log(108 / 103) + math.log(100 / 104) * math.log(100 / 103)
    k = 0.34 / (1.34 + 3)
    v_night = (night[0] - night[1]) ** 2 / 2
    v_day = (day[0] - day[1]) ** 2 / 2
    expected = math.sqrt(365 * (v_night + k * v_day + (1 - k) * (rs1 + rs2) / 2))
    assert yang_zhang(*columns(THREE), 365) == pytest.approx(expected, rel=1e-12)
    assert expected == pytest.approx(1.2494015238, rel=1e-9)


def test_of_the_first_bar_only_the_close_counts():
    assert yang_zhang(*columns([(100, 100, 100, 100), *THREE[1:]]), 365) == yang_zhang(*columns(THREE), 365)


bars = st.lists(
    st.tuples(*[st.floats(50, 150)] * 4).map(lambda four: (four[0], max(four), min(four), four[3])),
    min_size=3,
    max_size=40,
)


@given(bars, st.floats(1, 3000))
def test_it_equals_the_textbook_and_knows_no_unit_of_price(rows: list[Bar], year: float):
    found = yang_zhang(*columns(rows), year)
    assert found == pytest.approx(textbook(rows, year), rel=1e-9, abs=1e-9)
    assert yang_zhang(*columns([tuple(7 * price for price in row) for row in rows]), year) == pytest.approx(found, rel=1e-6, abs=1e-6)  # type: ignore[misc]


def test_flat_bars_leave_the_sample_deviation_of_closes():
    closes = [100.0, 103, 99, 101, 104]
    steps = [math.log(b / a) for a, b in pairwise(closes)]
    assert yang_zhang(closes, closes, closes, closes, 252) == pytest.approx(stdev(steps) * math.sqrt(252), rel=1e-12)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (columns(THREE[:2]), "at least 3 bars"),
        (([1.0], [1.0], [1.0], [1.0]), "at least 3 bars"),
        ((1.0, 1.0, 1.0, 1.0), "at least 3 bars"),
        (([1, 1, 0], [1, 1, 1], [0, 0, 0], [1, 1, 1]), "not a positive"),
        (([1, 1, 1], [1, 1, math.inf], [1, 1, 1], [1, 1, 1]), "not a positive"),
        (([1, 1, 1], [1, 1, math.nan], [1, 1, 1], [1, 1, 1]), "not a positive"),
        (([1, 1, 1], [1, 1, 1], [1, 1, 1], [1, 1, 2]), "outside its low to high"),
        (([1, 1, 1], [1, 1, 1], [1, 2, 1], [1, 1, 1]), "outside its low to high"),
        (([1, 3, 1], [2, 2, 2], [1, 1, 1], [1, 1, 1]), "outside its low to high"),
        (([1, 1, 1], [1, 1, 1], [1, 1, 1], [1, 0.5, 1]), "outside its low to high"),
    ],
)
def test_what_has_no_volatility_is_refused(rows: Any, why: str):
    first, high, low, last = rows
    with pytest.raises(ValueError, match=why):
        yang_zhang(first, high, low, last, 365)


# --- out of a view ---


def candles(bars: Sequence[Bar], *, bar: str = "1d", subject: str = "ETH", source: str = "s1", end: int = START) -> list[Observation]:
    """Bars without a gap of which the last closes at `end`."""
    first = end - len(bars) * BARS[bar]
    rows = zip(("open", "high", "low", "close"), zip(*bars, strict=True), strict=True)
    return [seen(f"candle.{bar}.{part}", subject, value, first + n * BARS[bar], source) for part, values in rows for n, value in enumerate(values)]


def walk(count: int, seed: int = 1, step: float = 0.02) -> list[Bar]:
    dice = np.random.default_rng(seed)
    closes = 2000 * np.exp(np.cumsum(dice.normal(0, step, count + 1)))
    opens = closes[:-1] * np.exp(dice.normal(0, step / 4, count))
    tops, floors = np.maximum(opens, closes[1:]) * 1.005, np.minimum(opens, closes[1:]) * 0.994
    return [tuple(float(price) for price in row) for row in zip(opens, tops, floors, closes[1:], strict=True)]  # type: ignore[misc]


def test_realised_is_of_the_last_thirty_days_and_the_close_before_them():
    rows = walk(40)
    assert realised(view_of(*candles(rows)), "ETH") == pytest.approx(textbook(rows[-31:], 365), rel=1e-12)


def test_without_daily_candles_those_of_4_h_are_taken_six_to_a_day():
    rows = walk(200)
    assert realised(view_of(*candles(rows, bar="4h")), "ETH") == pytest.approx(textbook(rows[-181:], 365 * 6), rel=1e-12)


def test_daily_candles_come_first_and_the_perpetual_before_spot():
    daily, spot, short = walk(31, 1), walk(31, 2), walk(181, 3)
    every = [*candles(daily), *candles(spot, subject="spot:ETH"), *candles(short, bar="4h")]
    assert realised(view_of(*every), "ETH") == pytest.approx(textbook(daily, 365), rel=1e-12)
    assert realised(view_of(*every[124:]), "ETH") == pytest.approx(textbook(spot, 365), rel=1e-12)
    assert realised(view_of(*every[248:]), "WETH") == pytest.approx(textbook(short, 365 * 6), rel=1e-12)


@pytest.mark.parametrize(("bar", "least"), [("1d", 28), ("4h", 163)])
def test_nine_tenths_of_the_bars_must_stand_in_one_row(bar: str, least: int):
    assert realised(view_of(*candles(walk(least), bar=bar)), "ETH") == pytest.approx(textbook(walk(least), 365 * DAY // BARS[bar]), rel=1e-12)
    with pytest.raises(Unknown, match=f"{least - 1} bars in a row of candle.{bar}.close ETH, {least} are needed"):
        realised(view_of(*candles(walk(least)[1:], bar=bar)), "ETH")


def test_a_source_whose_highs_are_missing_or_wrong_is_passed_over_for_the_next_one():
    rows = walk(31)
    holed = [o for o in candles(walk(31, 9), source="a") if not (o.metric.endswith("high") and o.at == START - 5 * DAY)]
    assert realised(view_of(*holed, *candles(rows)), "ETH") == pytest.approx(textbook(rows, 365), rel=1e-12)
    with pytest.raises(Unknown, match="a gives 1d candles of ETH whose open, high or low is missing"):
        realised(view_of(*holed), "ETH")
    wrong = [(o, low, h, c) for o, h, low, c in walk(31, 9)]
    with pytest.raises(Unknown, match="the 1d candles of ETH from s1 have no volatility: a bar has a price outside"):
        realised(view_of(*candles(wrong)), "ETH")


SESSIONS = [day for day in range(START - 70 * DAY, START, DAY) if is_session("nyse", day)]


def levels(count: int, *, subject: str = "SPX") -> tuple[list[Observation], list[float]]:
    values = [row[3] for row in walk(count, 4, 0.01)]
    return [seen("equity.close", subject, value, day) for value, day in zip(values, SESSIONS[-count:], strict=True)], values


def test_an_index_has_the_deviation_of_the_closes_of_thirty_sessions():
    observations, values = levels(40)
    steps = [math.log(b / a) for a, b in pairwise(values[-31:])]
    assert realised(view_of(*observations), "SPX") == pytest.approx(stdev(steps) * math.sqrt(252), rel=1e-12)
    enough, values = levels(28)
    assert realised(view_of(*enough), "SPX") > 0
    with pytest.raises(Unknown, match="28 are needed"):
        realised(view_of(*levels(27)[0]), "SPX")


def index(points: float, asset: str = "ETH", metric: str = "iv.index") -> list[Observation]:
    return [seen(metric, asset, points, START - n * HOUR) for n in (2, 1, 0)]


def test_implied_is_the_asset_s_index_and_of_the_s_and_p_the_vix():
    view = view_of(*index(80.0), seen("vix.close", "VIX", 20.0, SESSIONS[-1]))
    assert (implied(view, "ETH"), implied(view, "WETH"), implied(view, "SPX"), implied(view, "ES")) == (0.8, 0.8, 0.2, 0.2)
    for other in ("BTC", "VXX"):
        with pytest.raises(Unknown, match=f"no implied volatility of {other}: nobody has given iv.index of {other} yet"):
            implied(view, other)


def test_an_old_index_is_no_implied_volatility():
    with pytest.raises(Unknown, match="old"):
        implied(view_of(*index(80.0), now=START + 3 * HOUR + 1), "ETH")


def view_with(points: float | None = None, *, rows: Sequence[Bar] = (), asset: str = "ETH") -> View:
    return view_of(*(index(points, asset) if points else []), *(candles(rows, subject=asset) if rows else []))


def test_the_larger_of_both_is_taken_and_either_alone_will_do():
    rows = walk(31)
    moved = textbook(rows, 365)
    assert 0.2 < moved < 0.8
    assert annual_sigma(view_with(80, rows=rows), "ETH") == 0.8
    assert annual_sigma(view_with(20, rows=rows), "ETH") == pytest.approx(moved, rel=1e-12)
    assert annual_sigma(view_with(20), "ETH") == 0.2
    assert annual_sigma(view_with(rows=rows), "ETH") == pytest.approx(moved, rel=1e-12)
    said = (
        "the volatility of ETH is not known: nobody has given candles of ETH yet; no implied volatility of ETH: nobody has given iv.index of ETH yet"
    )
    with pytest.raises(Unknown) as why:
        annual_sigma(view_of(), "ETH")
    assert (why.value.code, why.value.reason) == ("volatility", said)


def test_no_stablecoin_is_taken_to_be_still():
    with pytest.raises(Unknown, match="the volatility of USDC is not known"):
        annual_sigma(view_of(), "USDC")
    rows = [(1.0, 1.001, 0.999, 1.0)] * 31
    assert annual_sigma(view_with(rows=rows, asset="USDC"), "USDC") == pytest.approx(textbook(rows, 365), rel=1e-9)


def test_a_horizon_grows_with_the_root_of_its_days():
    view = view_with(73)
    assert horizon_sigma(view, "ETH") == pytest.approx(0.73 * math.sqrt(7 / 365), rel=1e-12)
    assert horizon_sigma(view, "ETH", 1) == pytest.approx(0.73 / math.sqrt(365), rel=1e-12)
    assert horizon_sigma(view, "ETH", 365) == pytest.approx(0.73, rel=1e-12)


def test_a_shock_moves_all_risky_assets_the_same_way_and_leaves_stablecoins():
    view = view_of(*index(80.0), *index(60.0, "BTC"))
    fall = shocked(view, ("ETH", "BTC", "USDC"), -1.5)
    assert fall == {
        "ETH": pytest.approx(math.exp(-1.5 * 0.8 * math.sqrt(7 / 365))),
        "BTC": pytest.approx(math.exp(-1.5 * 0.6 * math.sqrt(7 / 365))),
        "USDC": 1.0,
    }
    assert shocked(view, ("ETH",), 2.0, 30)["ETH"] == pytest.approx(math.exp(2 * 0.8 * math.sqrt(30 / 365)))
    both = shocked(view, ("ETH", "USDC"), np.array([-1.0, 0.0, 1.0]))
    assert np.allclose(both["ETH"], np.exp(np.array([-1, 0, 1]) * 0.8 * math.sqrt(7 / 365)))
    assert np.array_equal(both["USDC"], [1.0, 1.0, 1.0])


@pytest.mark.parametrize(("asset", "way"), [("VIX", -1), ("VXX", -1), ("UVXY", -1), ("SPX", 1), ("ETH", 1)])
def test_what_is_on_the_vix_rises_as_markets_fall(asset: str, way: int):
    assert with_market(asset) == way


def test_a_shock_of_what_has_no_known_volatility_is_unknown():
    with pytest.raises(Unknown, match="the volatility of SOL"):
        shocked(view_with(80), ("ETH", "SOL"), 1.0)
