"""Trading sessions of the United States: which days count for a series that rests on weekends and holidays.

Days are epoch milliseconds of their midnight UTC. The regular holidays are computed, so the calendar has no end; closures that no rule
gives are listed (source: NYSE, https://www.nyse.com/markets/hours-calendars). Bond markets (SIFMA's recommendation) also rest on Columbus and
Veterans Day.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache

import numpy as np
import numpy.typing as npt

from monitor.core.units import DAY

FIRST_YEAR, LAST_YEAR = 1990, 2100
# Days of mourning, the attacks of September 2001, and the hurricane of October 2012.
EXTRAORDINARY = (
    "1994-04-27", "2001-09-11", "2001-09-12", "2001-09-13", "2001-09-14", "2004-06-11", "2007-01-02", "2012-10-29", "2012-10-30",
    "2018-12-05", "2025-01-09",
)  # fmt: skip
MONDAY, THURSDAY, SATURDAY, SUNDAY = 0, 3, 5, 6


def ordinals(calendar: str, at: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Number of each day's session, counted from 1970: consecutive sessions are one apart. A day of rest has the number of the next session.

    `calendar` is "nyse", "bonds", or "" where every day is a session. KeyError for another.
    """
    days = np.asarray(at, dtype=np.int64) // DAY
    if not calendar:
        return np.asarray(days)
    return np.asarray(np.busday_count("1970-01-01", days.astype("datetime64[D]"), busdaycal=_calendar(calendar)), dtype=np.int64)


def session_after(calendar: str, at: int, count: int) -> int:
    """The day of the `count`-th session after the day of `at`."""
    if not calendar:
        return at - at % DAY + count * DAY
    day = np.datetime64(at // DAY, "D")
    # Counted from the session before, so that from a day of rest the first step leads to the next session.
    offset = np.busday_offset(day, count, roll="backward", busdaycal=_calendar(calendar))
    return int(offset.astype(np.int64)) * DAY


def is_session(calendar: str, at: int) -> bool:
    return bool(are_sessions(calendar, at))


def are_sessions(calendar: str, at: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """For each time whether its day is a session."""
    days = np.asarray(at, dtype=np.int64) // DAY
    if not calendar:
        return np.ones(days.shape, dtype=np.bool_)
    return np.asarray(np.is_busday(days.astype("datetime64[D]"), busdaycal=_calendar(calendar)))


def last_of_week(calendar: str, at: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """For each session (its day, ascending) whether it is the last of its ISO week: the next one is of another week. Nothing ahead is needed.

    ValueError for a day of rest.
    """
    days = np.asarray(at // DAY, dtype=np.int64)
    following = np.busday_offset(days.astype("datetime64[D]"), 1, busdaycal=_calendar(calendar)).astype(np.int64)
    return np.asarray(_monday(following) != _monday(days))


def _monday(days: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return days - (days + THURSDAY) % 7  # the first of January 1970 was a Thursday


@cache
def _calendar(name: str) -> np.busdaycalendar:
    holidays = {"nyse": _nyse, "bonds": _bonds}[name]
    return np.busdaycalendar(holidays=np.array([day for year in range(FIRST_YEAR, LAST_YEAR) for day in holidays(year)], dtype="datetime64[D]"))


def _nyse(year: int) -> Iterator[date]:
    new_year = date(year, 1, 1)
    if new_year.weekday() != SATURDAY:  # the Friday before belongs to the old year and stays open
        yield _observed(new_year)
    if year >= 1998:
        yield _nth(year, 1, MONDAY, 3)
    yield _nth(year, 2, MONDAY, 3)
    yield _easter(year) - timedelta(days=2)
    yield _nth(year, 6, MONDAY, 1) - timedelta(days=7)
    if year >= 2022:
        yield _observed(date(year, 6, 19))
    yield _observed(date(year, 7, 4))
    yield _nth(year, 9, MONDAY, 1)
    yield _nth(year, 11, THURSDAY, 4)
    yield _observed(date(year, 12, 25))
    yield from (day for day in map(date.fromisoformat, EXTRAORDINARY) if day.year == year)


def _bonds(year: int) -> Iterator[date]:
    yield from _nyse(year)
    yield _nth(year, 10, MONDAY, 2)
    if (veterans := date(year, 11, 11)).weekday() != SATURDAY:
        yield _observed(veterans)


def _observed(day: date) -> date:
    """A holiday on a Saturday is kept on Friday, one on a Sunday on Monday."""
    return day + timedelta(days={SATURDAY: -1, SUNDAY: 1}.get(day.weekday(), 0))


def _nth(year: int, month: int, weekday: int, count: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (count - 1))


def _easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (Meeus/Jones/Butcher)."""
    golden, (century, of_century) = year % 19, divmod(year, 100)
    skipped, rest = divmod(century, 4)
    moon = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - skipped - moon + 15) % 30
    weekday = (32 + 2 * rest + 2 * (of_century // 4) - epact - of_century % 4) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)
