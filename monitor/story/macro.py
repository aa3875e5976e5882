"""Inflation and the calendar of the story: levels invented, release dates as the agencies had them."""

from collections.abc import Iterator

from monitor.core.observation import Reading
from monitor.core.units import DAY, HOUR, MINUTE, month_before, parse_time

ANNOUNCED_MS = parse_time("2024-12-02")
NEWEST_MONTH = parse_time("2025-07-01")
# Published changes on the year in percent, oldest first, for the 14 months up to the print of the story.
CPI_PERCENT = (2.9, 2.9, 2.6, 2.5, 2.6, 2.7, 2.8, 2.9, 2.8, 2.6, 2.5, 2.5, 2.4, 2.7)
PPI_PERCENT = (2.5, 2.3, 2.0, 2.1, 2.5, 2.9, 3.2, 3.4, 3.2, 3.0, 2.8, 2.7, 2.4, 2.4)
CPI_DATES = (
    "2024-07-11", "2024-08-14", "2024-09-11", "2024-10-10", "2024-11-13", "2024-12-11", "2025-01-15", "2025-02-12", "2025-03-12",
    "2025-04-10", "2025-05-13", "2025-06-11", "2025-07-15", "2025-08-12",
)  # fmt: skip
PPI_DATES = (
    "2024-07-12", "2024-08-13", "2024-09-12", "2024-10-11", "2024-11-14", "2024-12-12", "2025-01-14", "2025-02-13", "2025-03-13",
    "2025-04-11", "2025-05-15", "2025-06-12", "2025-07-16", "2025-08-14",
)  # fmt: skip
EVENTS = {
    "CPI": (*CPI_DATES[6:], "2025-09-11", "2025-10-15", "2025-11-13", "2025-12-10"),
    "PPI": (*PPI_DATES[6:], "2025-09-10", "2025-10-16", "2025-11-14", "2025-12-11"),
    "FOMC": ("2025-01-29", "2025-03-19", "2025-05-07", "2025-06-18", "2025-07-30", "2025-09-17", "2025-10-29", "2025-12-10"),
}
SERIES = {"macro.cpi": (CPI_PERCENT, CPI_DATES, 305.0), "macro.ppi": (PPI_PERCENT, PPI_DATES, 141.0)}
MONTHS = 26
USUAL_DELAY_MS = 43 * DAY + 12 * HOUR + 30 * MINUTE
"""From the first day of a month to the release of its print, for the old months that only serve as a base."""


def calendar() -> list[Reading]:
    """`macro.event` of the year, announced before it began."""
    return [Reading("macro.event", event, 1, instant(event, date), ANNOUNCED_MS) for event, dates in EVENTS.items() for date in dates]


def instant(event: str, date: str) -> int:
    """The moment of a release: 08:30 New York for the prints, 14:00 for the FOMC; epoch milliseconds."""
    summer = "2024-03-10" <= date < "2024-11-03" or "2025-03-09" <= date < "2025-11-02"
    clock = {"FOMC": ("18:00", "19:00")}.get(event, ("12:30", "13:30"))[0 if summer else 1]
    return parse_time(f"{date}T{clock}")


def levels(from_ms: int, to_ms: int) -> list[Reading]:
    """Index levels released after `from_ms` and up to `to_ms`."""
    published = (reading for metric in SERIES for reading in _series(metric))
    return [reading for reading in published if from_ms < (reading.known_at or 0) <= to_ms]


def _series(metric: str) -> Iterator[Reading]:
    """26 months: 12 that rise by a quarter percent each, then what the published changes make of them."""
    percents, dates, first = SERIES[metric]
    event = "CPI" if metric == "macro.cpi" else "PPI"
    found: dict[int, float] = {}
    for place in range(MONTHS):
        month, published = month_before(NEWEST_MONTH, MONTHS - 1 - place), place - 12
        if published < 0:
            found[month] = round(first * 1.0024**place, 3)
            released = month + USUAL_DELAY_MS
        else:
            found[month] = round(found[month_before(month, 12)] * (1 + percents[published] / 100), 3)
            released = instant(event, dates[published])
        yield Reading(metric, "US", found[month], month, released)
