"""The US calendar: when CPI and PPI will be published and when the FOMC decides, as scheduled now.

Pages: https://www.bls.gov/schedule/news_release/bls.ics (iCalendar), https://www.federalreserve.gov/monetarypolicy/fomccalendars.htm.
Where a page cannot be read, the packaged table (`core/us_calendar.csv`) stands in. Rows of `macro.event` that the user imports have another
source, and win over these; the reader sees to that, not this collector.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import ClassVar, NamedTuple

from monitor.core.book import Watch
from monitor.core.endpoint import at_endpoint
from monitor.core.observation import Reading
from monitor.core.units import DAY, HOUR, Duration, parse_time
from monitor.core.us_calendar import COMPILED_MS, EVENTS, NEW_YORK, Release, release_instant, releases
from monitor.core.vocabulary import ANNOUNCED_AHEAD_MS
from monitor.errors import BadPayload, SourceError
from monitor.source import Collector, Harvest, Page, Ports

BLS_PAGE = "https://www.bls.gov/schedule/news_release/bls.ics"
FED_PAGE = "https://www.federalreserve.gov/monetarypolicy/fomccalendars.htm"
PAGE_LIMIT_BYTES = 4 * 1024 * 1024
KEEP_PAST_MS = 7 * DAY
NEAREST_MOVE_MS = 14 * DAY
WARN_DAYS = 60
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
TITLES = {"Consumer Price Index": "CPI", "Producer Price Index": "PPI"}

_TITLE = re.compile(r"(Consumer Price Index|Producer Price Index)(?: for ([A-Z][a-z]{2,8}) ([0-9]{4}))?")
_START = re.compile(r"DTSTART[^:]{0,80}:([0-9]{8})T([0-9]{6})(Z?)")
_YEAR = re.compile(r"\b(20[0-9]{2}) FOMC Meetings")
_MEETING = re.compile(
    r"fomc-meeting__month[^>]{0,80}>(?:\s*<strong>)?\s*([A-Za-z/]{3,20}).{0,200}?fomc-meeting__date[^>]{0,80}>\s*([^<]{1,40})<", re.DOTALL
)
_DAYS = re.compile(r"(?:([0-9]{1,2})\s*-\s*)?([0-9]{1,2})\*?")


class Scheduled(NamedTuple):
    """One event on a live page; `month` (epoch milliseconds) where the page names the reference month."""

    event: str
    at_ms: int
    month: int | None


@dataclass(frozen=True, kw_only=True)
class UsCalendar(Collector):
    """`macro.event` of CPI, PPI and FOMC: 1 at an instant that stands, 0 at one that was moved away."""

    title: ClassVar[str] = "US release calendar"
    homepage: ClassVar[str] = "https://www.bls.gov/schedule/"

    cadence: Duration = 12 * HOUR

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """All three events, whatever is watched."""
        return frozenset(("macro.event", event) for event in EVENTS)

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """What stands, from the pages where they can be read and from the table in any case."""
        live, rejected = await self._live(ports)
        return Harvest(merged(live, ports.clock.now_ms()), rejected)

    async def probe(self, ports: Ports, watch: Watch) -> str:
        """How far each event's calendar reaches, with a warning below 60 days; an event with nothing ahead is an error."""
        live, rejected = await self._live(ports)
        now_ms = ports.clock.now_ms()
        reach = {event: _days_ahead(event, live, now_ms) for event in EVENTS}
        if spent := [event for event, days in reach.items() if days <= 0]:
            raise BadPayload(f"no release of {', '.join(spent)} is known ahead; import macro.event rows or update: {'; '.join(rejected)}")
        short = [f"WARNING: {event} is known for {days} days only" for event, days in reach.items() if days < WARN_DAYS]
        return "; ".join([", ".join(f"{event} {days} days ahead" for event, days in reach.items()), *short, *rejected])

    def streams(self, watch: Watch) -> tuple[str, ...]:
        """The past calendar is the packaged table."""
        return ("calendar",)

    async def page(self, ports: Ports, watch: Watch, stream: str, from_ms: int, to_ms: int) -> Page:
        """Past releases from the table; known, as the metric's rule has it, 28 days before."""
        end = min(to_ms, ports.clock.now_ms() + ANNOUNCED_AHEAD_MS)
        instants = {(release.at_ms, event) for event in EVENTS for release in releases(event) if from_ms <= release.at_ms < end}
        return Page(Harvest([Reading("macro.event", event, 1, at) for at, event in sorted(instants)]))

    async def _live(self, ports: Ports) -> tuple[list[Scheduled], list[str]]:
        live: list[Scheduled] = []
        rejected: list[str] = []
        for url, parse in ((BLS_PAGE, parse_bls), (FED_PAGE, parse_fed)):
            try:
                live += parse(await ports.net.get_bytes(at_endpoint(self.endpoint, url), max_bytes=PAGE_LIMIT_BYTES))
            except (SourceError, BadPayload) as error:
                rejected.append(f"{error}; the packaged calendar stands in")
        return live, rejected


def parse_bls(body: bytes) -> list[Scheduled]:
    """CPI and PPI of BLS's iCalendar. A local time is New York's. Raises BadPayload where neither is in it."""
    unfolded = body.decode("utf-8", "replace").replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "")
    found = []
    for block in unfolded.split("BEGIN:VEVENT")[1:]:
        lines = block.partition("END:VEVENT")[0].split("\n")
        title = next((_TITLE.fullmatch(line.partition(":")[2].strip()) for line in lines if line.startswith("SUMMARY")), None)
        start = next((match for line in lines if (match := _START.match(line))), None)
        if title and start and "STATUS:CANCELLED" not in lines and (at_ms := _instant(start)) is not None:
            found.append(Scheduled(TITLES[title[1]], at_ms, _month(title[2], title[3])))
    if not found:
        raise BadPayload("the BLS calendar holds no CPI or PPI release")
    return found


def parse_fed(body: bytes) -> list[Scheduled]:
    """Decisions on the Federal Reserve's page: 14:00 New York on the last day of each meeting; notation votes and calls are none."""
    _, *pieces = _YEAR.split(body.decode("utf-8", "replace"))
    found = []
    for year, section in zip(pieces[::2], pieces[1::2], strict=True):
        days = [_decision_day(int(year), match[1], match[2]) for match in _MEETING.finditer(section)]
        found += [Scheduled("FOMC", release_instant("FOMC", day), None) for day in days if day is not None]
    if not found:
        raise BadPayload("the Federal Reserve's page shows no FOMC meeting")
    return found


def merged(live: Sequence[Scheduled], now_ms: int) -> list[Reading]:
    """Readings of table and pages, from a week ago. A release that a page shows elsewhere moved: 0 where it was, 1 where it is."""
    readings = []
    for event in EVENTS:
        pages = {row.at_ms: row for row in live if row.event == event}
        table = {release.at_ms: release for release in releases(event)}
        elsewhere = [row for at, row in pages.items() if at not in table]
        unseen = [release for at, release in table.items() if at not in pages]
        moved = {target.at_ms: release.at_ms for release in unseen if (target := _moved_to(release, elsewhere)) is not None}
        for at in sorted(at for at in pages.keys() | table.keys() if at >= now_ms - KEEP_PAST_MS):
            if at in moved.values():
                readings.append(Reading("macro.event", event, 0, at, now_ms))
            else:
                readings.append(Reading("macro.event", event, 1, at, now_ms if at in moved else _known_at(at, now_ms, in_table=at in table)))
    return readings


def _known_at(at: int, now_ms: int, *, in_table: bool) -> int:
    """28 days before, or since the table says so, or now: never later than now, and the same at every poll where that can be."""
    announced = at - ANNOUNCED_AHEAD_MS
    if announced <= now_ms:
        return announced
    return COMPILED_MS if in_table and now_ms >= COMPILED_MS else now_ms


def _moved_to(release: Release, elsewhere: list[Scheduled]) -> Scheduled | None:
    """Where the pages show a release that they do not show where the table has it; one that they do not show at all has not moved."""
    if same := [row for row in elsewhere if row.month is not None and row.month == release.reference_month]:
        return same[0]
    near = [row for row in elsewhere if row.month is None and abs(row.at_ms - release.at_ms) <= NEAREST_MOVE_MS]
    return min(near, key=lambda row: abs(row.at_ms - release.at_ms), default=None)


def _days_ahead(event: str, live: Sequence[Scheduled], now_ms: int) -> int:
    last = max([releases(event)[-1].at_ms, *(row.at_ms for row in live if row.event == event)])
    return (last - now_ms) // DAY


def _instant(start: re.Match[str]) -> int | None:
    try:
        moment = datetime.fromisoformat(f"{start[1]}T{start[2]}").replace(tzinfo=UTC if start[3] else NEW_YORK)
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def _month(name: str | None, year: str | None) -> int | None:
    if name is None or name[:3].lower() not in MONTHS:
        return None
    return parse_time(f"{year}-{MONTHS.index(name[:3].lower()) + 1:02d}-01")


def _decision_day(year: int, months: str, days: str) -> date | None:
    """The last day of a meeting such as (`January`, `27-28`) or (`Apr/May`, `30-1`); None where that is no regular meeting."""
    match = _DAYS.fullmatch(days.strip())
    name = months.rpartition("/")[2][:3].lower()
    if match is None or match[1] is None or name not in MONTHS:
        return None
    try:
        return date(year, MONTHS.index(name) + 1, int(match[2]))
    except ValueError:
        return None
