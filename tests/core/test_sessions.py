"""Trading sessions: the calendar against an independent one, and what a rest day does to freshness, windows and bars."""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise

import holidays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.observation import Observation
from monitor.core.sessions import are_sessions, is_session, last_of_week, ordinals, session_after
from monitor.core.units import DAY, HOUR, iso, parse_time
from monitor.core.verdict import Unknown
from monitor.core.view import View
from tests.builders import seen, view_of

FIRST, LAST = date(1990, 1, 1), date(2040, 12, 31)
DAYS = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
REST = frozenset(holidays.financial_holidays("NYSE", years=range(FIRST.year, LAST.year + 1)))
OPEN = frozenset(day for day in DAYS if day.weekday() < 5 and day not in REST)
days = st.integers(0, len(DAYS) - 30).map(DAYS.__getitem__)


def ms(day: date | str) -> int:
    return parse_time(str(day))


# --- the calendar ------------------------------------------------------------------------------------------------


def test_the_sessions_of_fifty_one_years_are_those_of_an_independent_calendar():
    assert {day for day in DAYS if is_session("nyse", ms(day))} == OPEN
    assert np.flatnonzero(are_sessions("nyse", [ms(day) for day in DAYS])).tolist() == [n for n, day in enumerate(DAYS) if day in OPEN]


@given(days)
def test_consecutive_sessions_are_one_apart_and_a_rest_day_has_the_number_of_the_next(day: date):
    month = [day + timedelta(days=n) for n in range(30)]
    numbers = ordinals("nyse", [ms(one) for one in month])
    assert [int(step) for step in np.diff(numbers)] == [int(one in OPEN) for one in month[:-1]]


@given(days, st.integers(1, 12))
def test_the_session_after_is_found_by_counting(day: date, count: int):
    ahead = [one for one in (day + timedelta(days=n) for n in range(1, 40)) if one in OPEN or one > LAST]
    assert session_after("nyse", ms(day) + 13 * HOUR, count) == ms(ahead[count - 1])


@pytest.mark.parametrize(
    ("day", "nyse", "bonds"),
    [
        pytest.param("2024-10-14", True, False, id="Columbus Day"),
        pytest.param("2024-11-11", True, False, id="Veterans Day"),
        pytest.param("2023-11-10", True, True, id="the Friday before a Veterans Day on Saturday"),
        pytest.param("2018-11-12", True, False, id="the Monday after a Veterans Day on Sunday"),
        pytest.param("2024-11-28", False, False, id="Thanksgiving"),
        pytest.param("2024-11-29", True, True, id="the day after it, which is a short session"),
        pytest.param("2021-12-31", True, True, id="New Year on a Saturday takes no Friday"),
        pytest.param("2023-01-02", False, False, id="New Year on a Sunday takes the Monday"),
        pytest.param("2021-06-18", True, True, id="Juneteenth before it was a holiday"),
        pytest.param("2022-06-20", False, False, id="Juneteenth on a Sunday takes the Monday"),
        pytest.param("1997-01-20", True, True, id="Martin Luther King before 1998"),
        pytest.param("2025-01-09", False, False, id="mourning for President Carter"),
        pytest.param("2024-03-29", False, False, id="Good Friday"),
        pytest.param("2024-03-30", False, False, id="a Saturday"),
    ],
)
def test_days_that_calendars_get_wrong(day: str, nyse: bool, bonds: bool):
    assert (is_session("nyse", ms(day)), is_session("bonds", ms(day)), is_session("", ms(day))) == (nyse, bonds, True)


def test_where_every_day_counts_a_session_is_a_day():
    assert ordinals("", [ms("2024-03-30"), ms("2024-03-31") + 1]).tolist() == [ms("2024-03-30") // DAY, ms("2024-03-31") // DAY]
    assert session_after("", ms("2024-03-30") + 5 * HOUR, 2) == ms("2024-04-01")


def test_a_calendar_that_does_not_exist_is_no_calendar():
    with pytest.raises(KeyError):
        ordinals("tokyo", [0])


def test_the_week_of_a_rest_day_is_not_asked_for():
    with pytest.raises(ValueError, match="Non-business day"):
        last_of_week("nyse", np.array([ms("2024-03-30")]))


def test_the_last_session_of_a_week_is_a_friday_or_what_a_holiday_leaves_of_it():
    week = [ms(day) for day in ("2024-03-27", "2024-03-28", "2024-04-01", "2024-04-04", "2024-04-05", "2024-04-08")]
    assert last_of_week("nyse", np.array(week)).tolist() == [False, True, False, False, True, False]


@given(days)
def test_each_iso_week_has_one_last_session_and_it_needs_nothing_ahead(day: date):
    sessions = [one for one in (day + timedelta(days=n) for n in range(30)) if one in OPEN]
    last = last_of_week("nyse", np.array([ms(one) for one in sessions]))
    changes = [a.isocalendar()[:2] != b.isocalendar()[:2] for a, b in pairwise(sessions)]
    assert last.tolist()[:-1] == changes
    assert last_of_week("nyse", np.array([ms(sessions[0])])).tolist() == last.tolist()[:1]


# --- freshness ---------------------------------------------------------------------------------------------------


def fails(code: str, read: Callable[[], object]) -> str:
    with pytest.raises(Unknown) as caught:
        read()
    assert caught.value.code == code
    return caught.value.reason


def vix(*days: str | date, metric: str = "vix.close", subject: str = "VIX") -> list[Observation]:
    return [seen(metric, subject, 15.0 + n % 7, ms(day)) for n, day in enumerate(days)]


def newest(view: View) -> object:
    return view.newest("vix.close", "VIX", "s1")


@pytest.mark.parametrize(
    ("day", "limit"),
    [
        pytest.param("2024-03-01", "2024-03-04T23:15:00Z", id="Friday's until Monday night"),
        pytest.param("2024-03-04", "2024-03-05T23:15:00Z", id="Monday's until Tuesday night"),
        pytest.param("2024-11-27", "2024-11-29T23:15:00Z", id="over Thanksgiving"),
        pytest.param("2024-11-29", "2024-12-02T23:15:00Z", id="the short session after it, over the weekend"),
        pytest.param("2025-01-08", "2025-01-10T23:15:00Z", id="over the mourning for President Carter"),
        pytest.param("2024-03-28", "2024-04-01T23:15:00Z", id="over Good Friday and Easter"),
        pytest.param("2001-09-10", "2001-09-17T23:15:00Z", id="over the week of September 2001"),
    ],
)
def test_a_value_is_fresh_until_two_hours_after_the_next_close_and_the_view_wakes_a_millisecond_later(day: str, limit: str):
    until = parse_time(limit)
    view = view_of(*vix(day), now=until)
    assert newest(view)
    assert view.due == until + 1
    fails("stale", lambda: newest(view_of(*vix(day), now=until + 1)))


@given(st.sampled_from([day for day in DAYS[7:] if day not in OPEN]), st.integers(0, DAY - 1))
def test_a_weekend_or_a_holiday_never_makes_vix_stale(day: date, of_day: int):
    last = next(one for one in (day - timedelta(days=n) for n in range(1, 20)) if one in OPEN)
    assert newest(view_of(*vix(last), now=ms(day) + of_day))


def test_bond_series_stay_fresh_for_their_sessions_and_the_crypto_line_knows_no_rest():
    bill = [seen("macro.tbill_3m", "US", 0.05, ms("2024-10-10"))]
    assert view_of(*bill, now=parse_time("2024-10-16T23:15:00Z")).newest("macro.tbill_3m", "US", "s1").value == 0.05
    fails("stale", lambda: view_of(*bill, now=parse_time("2024-10-16T23:15:00.001Z")).newest("macro.tbill_3m", "US", "s1"))
    line = vix("2024-03-02", metric="breadth.ad_line", subject="crypto")
    assert view_of(*line, now=parse_time("2024-03-05")).newest("breadth.ad_line", "crypto", "s1").value == 15.0
    fails("stale", lambda: view_of(*line, now=parse_time("2024-03-05") + 1).newest("breadth.ad_line", "crypto", "s1"))


# --- windows and bars --------------------------------------------------------------------------------------------

DECEMBER = [day for day in DAYS if date(2024, 12, 16) <= day <= date(2025, 1, 10) and day in OPEN]
NOW = parse_time("2025-01-10T21:15:00Z")
SPAN = NOW - ms("2024-12-15")


def of_december(*gone: str) -> View:
    return view_of(*vix(*(day for day in DECEMBER if str(day) not in gone)), now=NOW)


def test_a_window_over_christmas_new_year_and_a_day_of_mourning_is_covered():
    window = of_december().window("vix.close", "VIX", "s1", SPAN)
    assert [iso(int(at))[:10] for at in window.at] == [str(day) for day in DECEMBER]
    assert len(window) == 17


@pytest.mark.parametrize(
    ("gone", "problem"),
    [
        pytest.param(("2024-12-18",), None, id="one session of 17"),
        pytest.param(("2024-12-18", "2024-12-23"), "15 of 17", id="two sessions"),
        pytest.param(("2025-01-08",), "one of the last 3", id="one of the last three, beside the day of mourning"),
        pytest.param(("2025-01-10",), None, id="the newest, which need not be published yet"),
    ],
)
def test_what_a_window_lacks_is_counted_in_sessions(gone: tuple[str, ...], problem: str | None):
    if problem is None:
        assert len(of_december(*gone).window("vix.close", "VIX", "s1", SPAN)) == 17 - len(gone)
    else:
        assert problem in fails("coverage", lambda: of_december(*gone).window("vix.close", "VIX", "s1", SPAN))


def test_a_hole_of_more_than_three_sessions_is_one_however_long_the_window():
    year = [day for day in DAYS if date(2024, 1, 2) <= day <= date(2025, 1, 10) and day in OPEN]
    now, span = NOW, NOW - ms("2024-01-01")
    three = view_of(*vix(*(day for day in year if not date(2024, 6, 17) < day < date(2024, 6, 21))), now=now)
    four = view_of(*vix(*(day for day in year if not date(2024, 6, 17) < day < date(2024, 6, 25))), now=now)
    assert len(three.window("vix.close", "VIX", "s1", span)) == len(year) - 2
    assert "a hole of 5 sessions" in fails("coverage", lambda: four.window("vix.close", "VIX", "s1", span))


def test_bars_run_on_over_rest_days_and_stop_at_a_session_that_is_missing():
    bars = of_december().bars("vix.close", "VIX", "s1", 100, 17)
    assert (len(bars), bars.cadence_ms) == (17, DAY)
    assert len(of_december().bars("vix.close", "VIX", "s1", 5, 5)) == 5
    broken = of_december("2024-12-31")
    assert iso(int(broken.bars("vix.close", "VIX", "s1", 100, 5).at[0]))[:10] == "2025-01-02"
    assert "the last gap ends 2025-01-02" in fails("gap", lambda: broken.bars("vix.close", "VIX", "s1", 100, 7))
    assert "17 bars in a row" in fails("short", lambda: of_december().bars("vix.close", "VIX", "s1", 100, 18))


def test_a_value_of_a_rest_day_is_no_bar_and_bridges_none():
    rest = vix("2024-12-25", "2024-12-28", "2025-01-01")
    whole = view_of(*vix(*DECEMBER), *rest, now=NOW).bars("vix.close", "VIX", "s1", 100, 17)
    assert whole.at.tolist() == [ms(day) for day in DECEMBER]
    assert whole.value.tolist() == [15.0 + n % 7 for n in range(17)]
    broken = view_of(*vix(*(day for day in DECEMBER if day != date(2024, 12, 26))), *rest, now=NOW)
    fails("gap", lambda: broken.bars("vix.close", "VIX", "s1", 100, 11))
    only_rest = view_of(*vix("2024-12-28"), now=ms("2024-12-29"))
    fails("short", lambda: only_rest.bars("vix.close", "VIX", "s1", 100, 1))


def test_bars_of_yesterday_s_session_are_read_until_two_hours_after_the_next_close():
    assert of_december("2025-01-10").bars("vix.close", "VIX", "s1", 100, 16)
    late = view_of(*vix(*DECEMBER), now=parse_time("2025-01-13T23:15:00.001Z"))
    fails("stale", lambda: late.bars("vix.close", "VIX", "s1", 100, 1))


def test_bars_of_the_crypto_line_are_days_and_a_missing_saturday_is_a_gap():
    whole_week = vix(*(f"2024-03-{n:02d}" for n in range(1, 11)), metric="breadth.ad_line", subject="crypto")
    assert len(view_of(*whole_week, now=ms("2024-03-11")).bars("breadth.ad_line", "crypto", "s1", 100, 10)) == 10
    no_saturday = [o for o in whole_week if o.at != ms("2024-03-09")]
    fails("gap", lambda: view_of(*no_saturday, now=ms("2024-03-11")).bars("breadth.ad_line", "crypto", "s1", 100, 2))
