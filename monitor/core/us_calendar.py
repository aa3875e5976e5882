"""The US release calendar: when CPI and PPI are published and when the FOMC decides, as a dated table of facts.

The table (`us_calendar.csv`, beside this module) says where its rows come from. It ends where the facts end: nothing is extrapolated.
"""

from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from monitor.core.units import DAY, parse_time

NEW_YORK = ZoneInfo("America/New_York")
RELEASE_TIMES = {"CPI": time(8, 30), "PPI": time(8, 30), "FOMC": time(14, 0)}
EVENTS = tuple(RELEASE_TIMES)
COMPILED_MS = parse_time("2026-11-20")


@dataclass(frozen=True, slots=True)
class Release:
    """One scheduled release; times are epoch milliseconds.

    `reference_month` is the first day of the month that the release is about, None for an FOMC decision.
    """

    event: str
    reference_month: int | None
    at_ms: int
    confidence: str


@cache
def releases(event: str) -> tuple[Release, ...]:
    """Every release of `CPI`, `PPI` or `FOMC` that the table knows, oldest first. Raises KeyError for another event."""
    dated = [(month, day, confidence) for month, day, confidence in _rows()[event] if day is not None]
    return tuple(Release(event, month, release_instant(event, day), confidence) for month, day, confidence in dated)


def release_of(event: str, month_ms: int) -> Release | None:
    """The release that first published a reference month (its first day, epoch milliseconds); None where the table does not know it."""
    return _by_month(event).get(month_ms)


@cache
def never_published(event: str) -> frozenset[int]:
    """Reference months (first days, epoch milliseconds) that were never published: absent for good, not late."""
    return frozenset(month for month, day, _ in _rows()[event] if day is None and month is not None)


def days_ahead(event: str, now_ms: int) -> int:
    """Whole days from now to the last release that the table knows; 0 when it has run out."""
    return max(0, (releases(event)[-1].at_ms - now_ms) // DAY)


def release_instant(event: str, day: date) -> int:
    """The instant of a release on a New York day, epoch milliseconds: 08:30 for CPI and PPI, 14:00 for FOMC, daylight saving included."""
    return round(datetime.combine(day, RELEASE_TIMES[event], NEW_YORK).timestamp() * 1000)


@cache
def _by_month(event: str) -> dict[int, Release]:
    return {release.reference_month: release for release in releases(event) if release.reference_month is not None}


Row = tuple[int | None, date | None, str]


@cache
def _rows() -> dict[str, list[Row]]:
    text = files("monitor.core").joinpath("us_calendar.csv").read_text(encoding="utf-8")
    lines = [line.split(",") for line in text.splitlines() if line and not line.startswith("#")]
    rows: dict[str, list[Row]] = {event: [] for event in EVENTS}
    for event, month, day, confidence in lines[1:]:
        rows[event].append((parse_time(f"{month}-01") if month else None, date.fromisoformat(day) if day else None, confidence))
    return rows
