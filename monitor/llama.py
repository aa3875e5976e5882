"""What the collectors of DefiLlama share: names that it does not know, and days that are over.

API: https://api-docs.defillama.com. A name that was renamed or split is answered with 400 or 404, and a daily series ends in a row that is
not a day's yet.
"""

from collections.abc import Awaitable, Sequence
from typing import NamedTuple

from monitor.core.decode import whole
from monitor.core.units import DAY, HOUR, iso, parse_time
from monitor.errors import BadPayload, SourceError
from monitor.source import Harvest

BODY_TIMEOUT_SECONDS = 60.0
_OLDEST_MS = parse_time("2015-01-01")
_LABEL_JITTER_MS = 2 * HOUR


class Day(NamedTuple):
    """One row of a daily series under its day (epoch milliseconds of midnight UTC)."""

    at: int
    row: object


async def found(subject: str, name: str, request: Awaitable[object]) -> object:
    """The answer. BadPayload that names a name which DefiLlama does not know: no retry mends it."""
    try:
        return await request
    except SourceError as error:
        if error.status not in (400, 404):
            raise
        raise BadPayload(f"{subject}: DefiLlama knows nothing called {name!r} here (renamed, split, or never counted?)") from None


def finished_days(rows: Sequence[object], stamp: str | int, about: str, received_at: int, from_ms: int) -> tuple[list[Day], list[str]]:
    """The rows of days that were over when the answer came, oldest first, from `from_ms` on; the strings say what was refused and why.

    `stamp` is where a row holds its time in seconds. What is younger than a day is left out: its value still moves. BadPayload where there is
    no row at all.
    """
    if not rows:
        raise BadPayload(f"{about}: the series is empty")
    days: dict[int, Day] = {}
    rejected: list[str] = []
    for row in rows:
        try:
            at = _day_of(row, stamp, received_at)
        except BadPayload as error:
            rejected.append(f"{about}: {error}")
            continue
        if at is None or at < from_ms:
            continue
        if days.setdefault(at, Day(at, row)).row is not row:
            rejected.append(f"{about}: two rows of the day {iso(at)[:10]}, the later one is left out")
    return sorted(days.values(), key=lambda day: day.at), rejected


def between(harvest: Harvest, from_ms: int, to_ms: int) -> Harvest:
    """The readings of a harvest from `from_ms` to `to_ms` (exclusive)."""
    return Harvest([r for r in harvest.readings if r.at is not None and from_ms <= r.at < to_ms], harvest.rejected)


def _day_of(row: object, stamp: str | int, received_at: int) -> int | None:
    """The day that a row is of, None where it is not over."""
    time_ms = whole(row, stamp) * 1000
    if not _OLDEST_MS <= time_ms <= received_at + DAY:
        raise BadPayload("the time of a row is none in seconds that can be")
    if time_ms > received_at - DAY:
        return None
    day = (time_ms + DAY // 2) // DAY * DAY
    if abs(time_ms - day) > _LABEL_JITTER_MS:
        raise BadPayload(f"the row of {iso(time_ms)} is of no day: days begin at midnight UTC")
    return day
