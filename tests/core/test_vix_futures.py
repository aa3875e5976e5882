"""VIX futures: known settlement days, and constant maturities that no roll moves."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.sessions import is_session
from monitor.core.units import DAY, iso, parse_time
from monitor.core.vix_futures import CONTRACTS, TENOR_DAYS, curve, expiries_after, expiry

SESSIONS = [n * DAY for n in range(parse_time("2013-01-02") // DAY, parse_time("2030-12-31") // DAY) if is_session("nyse", n * DAY)]
sessions = st.sampled_from(SESSIONS)


@pytest.mark.parametrize(
    ("contract", "settles"),
    [
        pytest.param("2023-01", "2023-01-18", id="an ordinary month"),
        pytest.param("2012-12", "2012-12-19", id="a December, whose options are of the next year"),
        pytest.param("2025-11", "2025-11-19", id="November"),
        pytest.param("2008-02", "2008-02-19", id="before Good Friday 2008-03-21"),
        pytest.param("2014-03", "2014-03-18", id="before Good Friday 2014-04-18"),
        pytest.param("2019-03", "2019-03-19", id="before Good Friday 2019-04-19"),
        pytest.param("2022-03", "2022-03-15", id="before Good Friday 2022-04-15"),
        pytest.param("2025-03", "2025-03-18", id="before Good Friday 2025-04-18"),
        pytest.param("2024-06", "2024-06-18", id="its Wednesday is Juneteenth"),
        pytest.param("2026-05", "2026-05-19", id="its Friday, 2026-06-19, is Juneteenth"),
    ],
)
def test_a_contract_settles_30_days_before_the_options_or_a_day_earlier_for_a_holiday(contract: str, settles: str):
    year, month = map(int, contract.split("-"))
    assert iso(expiry(year, month))[:10] == settles


@given(st.integers(2004, 2060), st.integers(1, 12))
def test_every_contract_settles_on_a_session_of_its_own_month_midweek(year: int, month: int):
    day = date.fromisoformat(iso(expiry(year, month))[:10])
    assert (day.year, day.month) == (year, month)
    assert day.weekday() in (1, 2)
    assert is_session("nyse", expiry(year, month))


@pytest.mark.parametrize(
    ("day", "front"),
    [("2024-12-17", "2024-12-18"), ("2024-12-18", "2025-01-22"), ("2024-12-31", "2025-01-22"), ("2025-01-01", "2025-01-22")],
)
def test_on_its_settlement_day_a_contract_is_gone(day: str, front: str):
    ahead = expiries_after(parse_time(day), CONTRACTS)
    assert iso(ahead[0])[:10] == front
    assert len(ahead) == CONTRACTS
    assert list(ahead) == sorted(set(ahead))


def test_a_curve_worked_by_hand():
    """Tuesday 2023-01-10: contracts end in 8, 36, 64 and 99 days; 30 days lie 22/28 of the way from the first to the second."""
    ends = [parse_time(day) for day in ("2023-01-18", "2023-02-15", "2023-03-22", "2023-04-19")]
    levels, absent = curve(parse_time("2023-01-10"), dict(zip(ends, (22.0, 24.8, 25.5, 26.0), strict=True)))
    assert absent == []
    assert (levels["1"], levels["2"]) == (22.0, 24.8)
    assert levels["30d"] == pytest.approx(22.0 + 2.8 * 22 / 28)
    assert levels["60d"] == pytest.approx(24.8 + 0.7 * 24 / 35)


@given(sessions, st.floats(5, 60), st.floats(-0.05, 0.2))
def test_on_a_straight_curve_a_constant_maturity_is_that_point_of_the_line_at_every_session(day: int, level: float, slope: float):
    prices = {end: level + slope * (end - day) / DAY for end in expiries_after(day, CONTRACTS)}
    levels, absent = curve(day, prices)
    assert absent == []
    assert {name: levels[name] for name in TENOR_DAYS} == pytest.approx({name: level + slope * days for name, days in TENOR_DAYS.items()})


@given(st.integers(0, len(SESSIONS) - 2), st.lists(st.floats(-0.1, 0.1), min_size=8, max_size=8))
def test_where_no_price_moves_a_constant_maturity_moves_by_what_the_curve_says_and_no_roll_makes_it_jump(place: int, slopes: list[float]):
    """Between two sessions a point slides along the curve by the days between; the short line drawn on from the front adds its own bend.

    The raw front, spliced, jumps by the whole step between two contracts.
    """
    before, after = SESSIONS[place], SESSIONS[place + 1]
    ends = expiries_after(before, CONTRACTS + 2)
    steps = [slope * (b - a) / DAY for slope, a, b in zip(slopes, ends, ends[1:], strict=False)]
    prices = dict(zip(ends, 30 + np.cumsum([0.0, *steps]), strict=True))
    (old, _), (new, _) = curve(before, prices), curve(after, prices)
    steepest = max(map(abs, slopes))
    elapsed = (after - before) // DAY
    drawn_on = max(0, (expiries_after(after, 1)[0] - after) // DAY - TENOR_DAYS["30d"])
    assert abs(new["60d"] - old["60d"]) <= steepest * elapsed + 1e-9
    assert abs(new["30d"] - old["30d"]) <= steepest * (elapsed + 2 * drawn_on + 2 * 6 * (drawn_on == 0 and _was_drawn_on(before))) + 1e-9


def _was_drawn_on(day: int) -> bool:
    return expiries_after(day, 1)[0] - day > TENOR_DAYS["30d"] * DAY


def test_the_line_is_drawn_on_from_the_front_for_six_days_at_most():
    furthest = max((expiries_after(day, 1)[0] - day) // DAY - TENOR_DAYS["30d"] for day in SESSIONS)
    assert furthest == 6
    day = parse_time("2022-03-15")
    assert date.fromisoformat(iso(expiries_after(day, 1)[0])[:10]) - date(2022, 3, 15) == timedelta(days=36)


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        pytest.param(0, {"2", "60d"}, id="without the front"),
        pytest.param(1, {"1"}, id="without the second"),
        pytest.param(2, {"1", "2", "30d"}, id="without the third"),
        pytest.param(3, {"1", "2", "30d", "60d"}, id="without the fourth, which is not needed now"),
    ],
)
def test_a_level_whose_contract_has_no_settlement_is_absent_and_named_and_none_further_away_stands_in(gone: int, left: set[str]):
    day = parse_time("2023-01-10")
    ends = expiries_after(day, CONTRACTS)
    levels, absent = curve(day, {end: 20.0 for place, end in enumerate(ends) if place != gone})
    assert set(levels) == left
    assert {reason.partition(" ")[0] for reason in absent} == {"1", "2", "30d", "60d"} - left
    assert all(iso(ends[gone])[:10] in reason for reason in absent)


def test_a_contract_that_ends_just_then_is_the_far_one_and_what_is_missing_is_named_by_its_day():
    """2023-02-15 is 30 days after 2023-01-16: the front and that contract are enough."""
    near, far = parse_time("2023-01-18"), parse_time("2023-02-15")
    levels, absent = curve(parse_time("2023-01-16"), {near: 20.0, far: 22.0})
    assert levels == {"1": 20.0, "2": 22.0, "30d": 22.0}
    assert absent == ["60d needs the contracts of 2023-02-15 and 2023-03-22"]
    assert curve(parse_time("2023-01-16"), {})[1][:2] == ["1 needs the contract of 2023-01-18", "2 needs the contract of 2023-02-15"]
