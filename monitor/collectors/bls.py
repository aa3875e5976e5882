"""US Bureau of Labor Statistics: CPI-U, not seasonally adjusted and adjusted, and PPI final demand, index levels.

API: https://www.bls.gov/developers/api_signature_v2.htm. Version 1 needs no key and takes 25 requests a day of at most 10 years each; version 2,
with a free key, takes 500. The cadence and the pause between two polls, which a restart does not shorten, keep to that.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from monitor.core.book import Watch
from monitor.core.decode import items, number, text
from monitor.core.endpoint import at_endpoint
from monitor.core.observation import Reading
from monitor.core.prints import LEVELS, Stage, awaited
from monitor.core.secret import Secret
from monitor.core.units import DAY, HOUR, MINUTE, Duration, iso, parse_time
from monitor.core.us_calendar import never_published, release_of, releases
from monitor.errors import BadPayload, SourceError
from monitor.source import Collector, Harvest, Page, Ports

API = "https://api.bls.gov/publicAPI"
SERIES = {"CUUR0000SA0": ("macro.cpi", "CPI"), "CUSR0000SA0": ("macro.cpi_sa", "CPI"), "WPUFD4": ("macro.ppi", "PPI")}
ADJUSTED = "CUSR0000SA0"
# With the CPI of each January the seasonal factors of the five years before are computed anew.
FACTORS_STAND_AFTER_YEARS = 5
DAILY_REQUESTS, DAILY_REQUESTS_WITH_KEY = 25, 500
YEARS_A_PAGE = 10
FIRST_YEAR = 1913
PRELIMINARY = "P"
# BLS revises a PPI once, four months after its first print; the NSA CPI is final when printed.
PPI_FINAL_AFTER_MONTHS = 4
MISSING = frozenset({"", "-", ".", "(NA)"})
# A January that the calendar does not know is taken as out when its release would be overdue.
JANUARY_IS_OUT_MS = 75 * DAY
SUCCEEDED = "REQUEST_SUCCEEDED"
REFUSED = re.compile(r"REQUEST_[A-Z_]{1,40}")


class Print(NamedTuple):
    """One row of a series: the month (epoch milliseconds of its first day) and its level; None where BLS published none."""

    series: str
    month: int
    level: float | None
    preliminary: bool


@dataclass(frozen=True, kw_only=True)
class Bls(Collector):
    """`macro.cpi`, `macro.cpi_sa` and `macro.ppi` of `US`. `key` is a registration key of version 2; without one, version 1 is asked."""

    title: ClassVar[str] = "US Bureau of Labor Statistics"
    homepage: ClassVar[str] = "https://www.bls.gov"
    late_ms: ClassVar[int] = 200 * DAY

    cadence: Duration = 75 * MINUTE
    key: Secret = field(default_factory=lambda: Secret(""))

    @property
    def pause_ms(self) -> int:
        """The day's quota, spread over the day."""
        return DAY // (DAILY_REQUESTS_WITH_KEY if self.key else DAILY_REQUESTS)

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """CPI and PPI, whatever is watched."""
        return frozenset((metric, "US") for metric, _ in SERIES.values())

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """This year and the two before it: a year-over-year change and the one before it need 14 months."""
        received_at = ports.clock.now_ms()
        year = int(iso(received_at)[:4])
        prints, rejected = parse(await self._ask(ports, year - 2, year))
        return Harvest([_reading(row, received_at, first_print=False) for row in prints if row.level is not None], rejected)

    async def probe(self, ports: Ports, watch: Watch) -> str:
        """The newest month of each series, the months for which BLS published no value, and the next print: scheduled, or late."""
        received_at = ports.clock.now_ms()
        year = int(iso(received_at)[:4])
        prints, rejected = parse(await self._ask(ports, year - 2, year))
        levels = [_reading(row, received_at, first_print=False) for row in prints if row.level is not None]
        self.must_be_sound(Harvest(levels, rejected), ports)
        told = [_told(series, [row for row in prints if row.series == series]) for series in SERIES]
        return "; ".join([*told, *_ahead(prints, received_at)])

    def streams(self, watch: Watch) -> tuple[str, ...]:
        """All series come in one request, so they are one history."""
        return ("prints",)

    async def page(self, ports: Ports, watch: Watch, stream: str, from_ms: int, to_ms: int) -> Page:
        """Ten years at a time. First prints are not kept: final levels stand in, as of the first release; adjusted ones as of their last revision."""
        received_at = ports.clock.now_ms()
        first, last = max(FIRST_YEAR, int(iso(from_ms)[:4])), int(iso(min(to_ms, received_at))[:4])
        end = min(last, first + YEARS_A_PAGE - 1)
        prints, rejected = parse(await self._ask(ports, first, end))
        kept = [row for row in prints if row.level is not None and from_ms <= row.month < to_ms]
        harvest = Harvest([_reading(row, received_at, first_print=True) for row in kept], rejected)
        return Page(harvest, parse_time(f"{end + 1}-01-01") if end < last else None)

    async def _ask(self, ports: Ports, first_year: int, last_year: int) -> object:
        # The key travels in the body: a URL would put it into logs and error messages.
        key = self.key.reveal()
        body: dict[str, object] = {"seriesid": list(SERIES), "startyear": str(first_year), "endyear": str(last_year)}
        url = f"{API}/{'v2' if key else 'v1'}/timeseries/data/"
        return await ports.net.post_json(at_endpoint(self.endpoint, url), body | ({"registrationkey": key} if key else {}))


def parse(body: object) -> tuple[list[Print], list[str]]:
    """The monthly rows of all series, oldest first, and the rows that were refused.

    Raises SourceError where BLS says that it did not process the request (a used-up quota comes with HTTP 200), BadPayload otherwise.
    """
    status = text(body, "status")
    if status != SUCCEEDED:
        if REFUSED.fullmatch(status):
            reason = f"BLS answers {status}: the daily quota is used up, or its data are being updated"
            raise SourceError(reason, retry_after_seconds=HOUR / 1000)
        raise BadPayload("status is none that BLS knows")
    prints: list[Print] = []
    rejected: list[str] = []
    found = {text(row, "seriesID"): row for row in items(body, "Results", "series")}
    for series in SERIES:
        if series not in found:
            rejected.append(f"{series}: the series is not in the answer")
            continue
        for row in items(found[series], "data"):
            try:
                prints += _print(series, row)
            except BadPayload as error:
                rejected.append(f"{series}: {error}")
    return sorted(prints, key=lambda row: (row.series, row.month)), rejected


def _print(series: str, row: object) -> list[Print]:
    year, period = text(row, "year"), text(row, "period")
    if not re.fullmatch(r"(19|20)[0-9]{2}", year) or not re.fullmatch(r"M(0[1-9]|1[0-3])", period):
        raise BadPayload("year and period name no month")
    if period == "M13":  # the year's average, which is no month
        return []
    codes = {code for note in items(row, "footnotes") if isinstance(note, dict) and isinstance(code := note.get("code"), str)}
    month = parse_time(f"{year}-{period[1:]}-01")
    written = text(row, "value")
    if written.strip() in MISSING:
        return [Print(series, month, None, False)]
    return [Print(series, month, number(row, "value"), PRELIMINARY in codes)]


def _reading(row: Print, received_at: int, *, first_print: bool) -> Reading:
    """A level is known from the release that printed it; where the calendar does not know that release, from its receipt.

    A final PPI is a print of its own, four months after the first; only history (`first_print`) lets it stand in for the first. A seasonally
    adjusted CPI is revised every January: it is known from the last of these releases, and not before.
    """
    metric, event = SERIES[row.series]
    revised = event == "PPI" and not row.preliminary and not first_print
    printed = _adjusted_with(row.month, received_at) if row.series == ADJUSTED else row.month
    release = release_of(event, _months_later(row.month, PPI_FINAL_AFTER_MONTHS) if revised else printed)
    known_at = release.at_ms if release is not None and release.at_ms <= received_at else received_at
    return Reading(metric, "US", row.level if row.level is not None else float("nan"), row.month, known_at)


def _adjusted_with(month_ms: int, received_at: int) -> int:
    """The month whose release last printed this one: the newest released January of the five after it, else the month itself.

    Where the calendar does not know that January's release, neither is the print's.
    """
    year = int(iso(month_ms)[:4])
    for later in range(year + FACTORS_STAND_AFTER_YEARS, year, -1):
        january = parse_time(f"{later}-01-01")
        release = release_of("CPI", january)
        if release.at_ms <= received_at if release is not None else january + JANUARY_IS_OUT_MS <= received_at:
            return january
    return month_ms


def _months_later(month_ms: int, count: int) -> int:
    months = int(iso(month_ms)[:4]) * 12 + int(iso(month_ms)[5:7]) - 1 + count
    return parse_time(f"{months // 12:04d}-{months % 12 + 1:02d}-01")


def _ahead(prints: list[Print], now_ms: int) -> Iterator[str]:
    """The next print of each event, as the packaged calendar has it."""
    for event, metric in LEVELS.items():
        newest = max(row.month for row in prints if row.level is not None and SERIES[row.series][0] == metric)
        known = {release.at_ms: 1.0 for release in releases(event)}
        yield from (f"WARNING: {one}" if one.stage == Stage.LATE else str(one) for one in awaited(event, newest, known, now_ms)[:1])


def _told(series: str, rows: list[Print]) -> str:
    metric, event = SERIES[series]
    levels = [row for row in rows if row.level is not None]
    if not levels:
        raise BadPayload(f"{series}: no month has a value")
    gaps = [iso(row.month)[:7] + (" (never published)" if row.month in never_published(event) else "") for row in rows if row.level is None]
    return f"{metric} {iso(levels[-1].month)[:7]} {levels[-1].level:g}" + (f", without a value: {', '.join(gaps)}" if gaps else "")
