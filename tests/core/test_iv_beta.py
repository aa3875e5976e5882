"""The spot beta of implied volatility: measured where there are 60 days of it, one point for each percent where not."""

import numpy as np
import pytest

from monitor.core.iv_beta import spot_beta
from monitor.core.observation import Observation
from monitor.core.units import DAY
from tests.builders import START, seen, view_of

RETURNS = np.random.default_rng(7).normal(0, 3.0, 80)


def days(beta: float, count: int = 62, noise: float = 0.0) -> list[Observation]:
    """Daily candles of ETH and its volatility index at the end of each day, `beta` points up for each percent down."""
    closes = 2000.0 * np.cumprod(1 + RETURNS[:count] / 100)
    points = 200.0 - beta * np.cumsum(RETURNS[:count]) + noise
    ends = [START - (count - 1 - place) * DAY for place in range(count)]
    candles = [seen("candle.1d.close", "ETH", close, end - DAY, "binance") for end, close in zip(ends, closes, strict=True)]
    return candles + [seen("iv.index", "ETH", point, end, "deribit") for end, point in zip(ends, points, strict=True)]


def test_it_is_the_slope_of_points_on_percent_with_its_sign_turned():
    found = spot_beta(view_of(*days(0.7)), "WETH")
    assert found.points_per_percent == pytest.approx(0.7, rel=1e-9)
    assert found.basis == "0.70 points for each percent, by 60 days of deribit"
    assert spot_beta(view_of(*days(-0.4)), "ETH").points_per_percent == pytest.approx(-0.4, rel=1e-9)


def test_days_before_the_last_60_do_not_count():
    old = [o for o in days(0.7, 80) if o.metric == "candle.1d.close" or o.at >= START - 60 * DAY]
    wild = [seen("iv.index", "ETH", 900.0 - 3 * place, START - (61 + place) * DAY, "deribit") for place in range(15)]
    assert spot_beta(view_of(*old, *wild), "ETH").points_per_percent == pytest.approx(0.7, rel=1e-9)


@pytest.mark.parametrize(("count", "measured"), [(55, True), (54, False)])
def test_with_fewer_than_54_days_it_is_one_and_says_so(count: int, measured: bool):
    found = spot_beta(view_of(*days(0.7, count)), "ETH")
    assert found.points_per_percent == pytest.approx(0.7 if measured else 1.0)
    assert ("only 53 of 54 days" in found.basis) is not measured


def test_without_an_index_or_without_a_move_it_is_one():
    assert spot_beta(view_of(), "ETH").basis == "1 point for each percent: nobody gives the implied volatility of ETH"
    still = [seen("candle.1d.close", "ETH", 2000.0, o.at, o.source) if o.metric == "candle.1d.close" else o for o in days(0.7)]
    assert "has not moved" in spot_beta(view_of(*still), "ETH").basis


def test_it_is_thought_of_again_when_the_oldest_of_62_days_has_left():
    view = view_of(*days(0.7, 63))
    assert spot_beta(view, "ETH").points_per_percent == pytest.approx(0.7)
    assert view.due == START + 1
