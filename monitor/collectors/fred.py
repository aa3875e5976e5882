"""FRED of the St. Louis Fed: prices, yields, spreads and the dollar, by vintage where a key opens ALFRED.

API: https://fred.stlouisfed.org/docs/api/fred/series_observations.html (a free key, 120 requests a minute; it must travel in the query, which no
error or log shows). Without a key the public CSV behind each chart is read: what stands now, without vintages and so without a history.
Percent become fractions and yen per dollar become dollars per yen; nothing else is converted.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import ClassVar, NamedTuple

from monitor.core.book import Watch
from monitor.core.decode import items, parse_decimal, text, whole
from monitor.core.endpoint import at_endpoint
from monitor.core.observation import Reading
from monitor.core.secret import Secret
from monitor.core.sessions import is_session
from monitor.core.units import DAY, HOUR, Duration, iso, month_before, parse_time
from monitor.core.us_calendar import release_instant, release_of
from monitor.core.vocabulary import SESSION_CLOSE_MS, find_metric
from monitor.errors import BadPayload, SourceError
from monitor.source import Collector, Harvest, Page, Ports, named, side_by_side

API = "https://api.stlouisfed.org/fred/series/observations"
CHART = "https://fred.stlouisfed.org/graph/fredgraph.csv"
MISSING = frozenset({".", ""})
REFUSED = 400
LONG_MS, SHORT_MS = 1_100 * DAY, 150 * DAY
# ALFRED takes at most 2000 vintages a request: a daily series has one each day, a monthly one a few dozen in ten years.
MONTHLY_PAGE_YEARS, DAILY_PAGE_YEARS = 10, 2
REVISED_WITHIN_MS = 366 * DAY
FOR_EVER = "9999-12-31"
# As BLS has it: a PPI is revised once, with the release four months later.
PPI_FINAL_AFTER_MONTHS = 4
PPI_REVISED_AFTER_MS = 130 * DAY
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class Series:
    """What one series of FRED is here. `event` names the release whose calendar dates an unrevised or once revised level."""

    metric: str
    subject: str = "US"
    event: str = ""
    at_half_past_eight: bool = False
    percent: bool = False
    inverted: bool = False
    long: bool = False

    @property
    def calendar(self) -> str:
        """The sessions in which its days are counted; empty for a series of months or quarters."""
        row = find_metric(self.metric)
        return "" if row is None else row.calendar

    @property
    def daily(self) -> bool:
        return self.calendar != ""


SERIES = {
    "CPIAUCNS": Series("macro.cpi", event="CPI", at_half_past_eight=True, long=True),
    "CPIAUCSL": Series("macro.cpi_sa", at_half_past_eight=True, long=True),
    "PPIFID": Series("macro.ppi", event="PPI", at_half_past_eight=True, long=True),
    "GDP": Series("macro.gdp", at_half_past_eight=True, long=True),
    "RBUSBIS": Series("macro.reer", long=True),
    "DTB3": Series("macro.tbill_3m", percent=True),
    "DFF": Series("macro.fed_funds", percent=True),
    "BAMLH0A0HYM2": Series("macro.hy_spread", percent=True),
    "VIXCLS": Series("vix.close", "VIX"),
    "SP500": Series("equity.close", "SPX", long=True),
    "DEXUSEU": Series("fx.usd", "EUR"),
    "DEXJPUS": Series("fx.usd", "JPY", inverted=True),
}


class Row(NamedTuple):
    """One value as FRED has it: its day, the number as written, the first day of its vintage ("" where that is not told), and whether it stands."""

    day: str
    value: float
    vintage: str = ""
    stands: bool = True


@dataclass(frozen=True, kw_only=True)
class Fred(Collector):
    """Twelve series of prices, yields, spreads and currencies; `series` names those that are wanted.

    With a `key` each value is known from the day of its vintage: 08:30 in New York for CPI, PPI and GDP, 21:15 UTC for all others. Without one it
    is known when it is received, but an NSA CPI and a PPI from the release that the calendar knows.
    """

    title: ClassVar[str] = "FRED, Federal Reserve Bank of St. Louis"
    homepage: ClassVar[str] = "https://fred.stlouisfed.org"
    late_ms: ClassVar[int] = 200 * DAY

    cadence: Duration = HOUR
    key: Secret = field(default_factory=lambda: Secret(""))
    series: tuple[str, ...] = tuple(SERIES)

    def __post_init__(self) -> None:
        if unknown := [name for name in self.series if name not in SERIES]:
            raise ValueError(f"series: {', '.join(unknown)} is not known here; there are: {', '.join(SERIES)}")

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """What the chosen series are, whatever is watched."""
        return frozenset((SERIES[name].metric, SERIES[name].subject) for name in self.series)

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """The last months of every series, each value as it stands now. One that fails takes no other along."""
        return await side_by_side({name: self._newest(ports, name) for name in self.series})

    async def probe(self, ports: Ports, watch: Watch) -> str:
        """The newest day of each series."""
        harvest = await self.poll(ports, watch)
        self.must_be_sound(harvest, ports)
        newest = {(r.metric, r.subject): r for r in sorted(harvest.readings, key=lambda r: r.at or 0)}
        told = ", ".join(f"{metric}{'' if subject == 'US' else f' {subject}'} {iso(r.at or 0)[:10]}" for (metric, subject), r in newest.items())
        return told if self.key else f"{told}; without a key there are no vintages and no history"

    def streams(self, watch: Watch) -> tuple[str, ...]:
        """One history for each series, by vintage: there is none without a key."""
        return self.series if self.key else ()

    async def page(self, ports: Ports, watch: Watch, stream: str, from_ms: int, to_ms: int) -> Page:
        """Some years of one series with all their vintages, oldest day first."""
        received_at = ports.clock.now_ms()
        series, last_ms = SERIES[stream], min(to_ms, received_at)
        years = DAILY_PAGE_YEARS if series.daily else MONTHLY_PAGE_YEARS
        next_ms = parse_time(f"{int(iso(from_ms)[:4]) + years}-01-01")
        until_ms = next_ms + REVISED_WITHIN_MS
        until = iso(until_ms)[:10] if series.daily and until_ms < received_at else FOR_EVER
        rows, rejected = parse_vintages(await self._ask(ports, stream, from_ms, min(next_ms, last_ms) - 1, until))
        harvest = _harvest(stream, rows, rejected, received_at)
        inside = [reading for reading in harvest.readings if reading.at is not None and from_ms <= reading.at < to_ms]
        return Page(Harvest(inside, harvest.rejected), next_ms if next_ms < last_ms else None)

    async def _newest(self, ports: Ports, name: str) -> Harvest:
        received_at = ports.clock.now_ms()
        from_ms = received_at - (LONG_MS if SERIES[name].long else SHORT_MS)
        if self.key:
            rows, rejected = parse_vintages(await self._ask(ports, name, from_ms, received_at, FOR_EVER))
            rows = [row for row in rows if row.stands]
        else:
            url = at_endpoint(self.endpoint, f"{CHART}?id={name}")
            rows, rejected = parse_chart(await ports.net.get_bytes(url, params={"cosd": iso(from_ms)[:10]}), name)
        return _harvest(name, rows, rejected, received_at)

    async def _ask(self, ports: Ports, name: str, from_ms: int, to_ms: int, known_until: str) -> object:
        # Asked for no earlier vintages than the first day, a row's `realtime_start` is its own and not the edge of the question.
        first, last = iso(from_ms)[:10], iso(to_ms)[:10]
        days = {"observation_start": first, "observation_end": last, "realtime_start": first, "realtime_end": known_until}
        asked: dict[str, str | int] = {**days, "file_type": "json", "limit": 100_000, "api_key": self.key.reveal()}
        try:
            return await ports.net.get_json(at_endpoint(self.endpoint, f"{API}?series_id={name}"), params=asked)
        except SourceError as error:
            if error.status != REFUSED:
                raise
            reason = f"FRED refuses the question (status {REFUSED}): most often a key that it does not know; correct sources.fred.key"
        # Outside of the handler, so that nothing of the question hangs on it.
        raise SourceError(reason, status=REFUSED, permanent=True)


def parse_chart(body: bytes, name: str) -> tuple[list[Row], list[str]]:
    """The rows of a chart's CSV that hold a value, and why others were refused. Raises BadPayload for what is not that CSV."""
    written = body.decode("utf-8", "replace")
    header, *lines = written.splitlines() or [""]
    if header.split(",")[1:] != [name]:
        raise BadPayload(f"{name}: the answer is not its CSV (a notice, or a series that FRED has no more)")
    if not written.endswith("\n"):
        raise BadPayload(f"{name}: the CSV is cut short")
    rows: dict[str, Row] = {}
    rejected: list[str] = []
    for line in lines:
        try:
            day, value = _cells(line)
            if day in rows:
                raise BadPayload("the day appears twice")
            rows |= {row.day: row for row in _row(day, value)}
        except BadPayload as error:
            rejected.append(f"{name}: {line[:24]!a}: {error}")
    return list(rows.values()), rejected


def _cells(line: str) -> tuple[str, str]:
    cells = line.split(",")
    if len(cells) != 2:
        raise BadPayload(f"{len(cells)} cells instead of a day and a value")
    return cells[0], cells[1]


def parse_vintages(body: object) -> tuple[list[Row], list[str]]:
    """The rows of the API's answer that hold a value, by day and then by vintage, and why others were refused.

    Raises BadPayload where the answer is not whole, or its values are changes or logarithms instead of levels.
    """
    if text(body, "units") != "lin":
        raise BadPayload("units: these are not the levels that were asked for")
    listed = items(body, "observations")
    if whole(body, "count") != len(listed):
        raise BadPayload(f"count: the answer holds {len(listed)} rows and counts others: it is cut short")
    rows: list[Row] = []
    rejected: list[str] = []
    for one in listed:
        try:
            stands = _checked_day(text(one, "realtime_end")) == FOR_EVER
            rows += _row(text(one, "date"), text(one, "value"), _checked_day(text(one, "realtime_start")), stands)
        except BadPayload as error:
            rejected.append(str(error))
    return sorted(rows), rejected


def _row(day: str, value: str, vintage: str = "", stands: bool = True) -> Iterator[Row]:
    _checked_day(day)
    if vintage and vintage < day:
        raise BadPayload(f"realtime_start: {vintage} is before {day}, the day of the value")
    if value.strip() not in MISSING:
        yield Row(day, parse_decimal(value), vintage, stands)


def _checked_day(written: str) -> str:
    try:
        if _DAY.fullmatch(written):
            return date.fromisoformat(written).isoformat()
    except ValueError:
        pass  # the thirtieth of February, say
    raise BadPayload(f"{written[:24]!a} is not a day")


def _harvest(name: str, rows: Sequence[Row], rejected: Sequence[str], received_at: int) -> Harvest:
    readings: list[Reading] = []
    refused = [named(name, reason) for reason in rejected]
    for row in rows:
        try:
            readings += _readings(SERIES[name], row, received_at)
        except BadPayload as error:
            refused.append(f"{name}: {row.day}: {error}")
    return Harvest(readings, refused)


def _readings(series: Series, row: Row, received_at: int) -> Iterator[Reading]:
    at = parse_time(row.day)
    if not series.daily and not row.day.endswith("-01"):
        raise BadPayload("it is not the first day of a month")
    # Some daily values are carried over days of rest, on which nothing happened.
    if series.daily and not is_session(series.calendar, at):
        return
    if series.inverted and row.value <= 0:
        raise BadPayload("a price of the dollar must be above zero")
    value = 1 / row.value if series.inverted else row.value / 100 if series.percent else row.value
    yield Reading(series.metric, series.subject, value, at, min(_known_at(series, row, at, received_at), received_at))


def _known_at(series: Series, row: Row, at: int, received_at: int) -> int:
    """From the vintage, else from the calendar, else from the receipt."""
    if row.vintage:
        if series.at_half_past_eight:
            return release_instant("CPI", date.fromisoformat(row.vintage))  # PPI and GDP have the same half hour
        return parse_time(row.vintage) + SESSION_CLOSE_MS
    release = release_of(series.event, at) if series.event else None
    if series.event == "PPI" and received_at - at > PPI_REVISED_AFTER_MS:
        final = release_of(series.event, month_before(at, -PPI_FINAL_AFTER_MONTHS))
        release = release if final is not None and final.at_ms > received_at else final
    return release.at_ms if release is not None and release.at_ms <= received_at else received_at
