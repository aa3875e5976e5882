"""Cboe: VIX and VVIX at the close, and VIX futures raw and at constant maturity, from its public daily files (no key).

Files: https://www.cboe.com/tradable_products/vix/vix_historical_data (`VIX_History.csv`: DATE, OPEN, HIGH, LOW, CLOSE; `VVIX_History.csv`: DATE,
VVIX) and https://www.cboe.com/us/futures/market_statistics/historical_data (one file for each contract, named after its final settlement day:
Trade Date, ..., Settle, ...). Rows of NYSE holidays, on which the index has been computed in the hours of other continents since 2022, are
left out: they are no closes. A settlement of 0 is none: files carry it before a contract first trades, and throughout the first half of
2013, which is why history begins on 2013-07-22.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from monitor.core.book import Watch
from monitor.core.decode import number
from monitor.core.endpoint import at_endpoint
from monitor.core.observation import Reading
from monitor.core.units import DAY, HOUR, Duration, iso, parse_time
from monitor.core.vix_futures import CONTRACTS, TENOR_DAYS, curve, expiries_after
from monitor.daily_csv import Row, close_within, is_closed_session, session_day, table
from monitor.errors import BadPayload, SourceError
from monitor.source import Collector, Harvest, Page, Ports, each

HOST = "https://cdn.cboe.com"
INDEX_FILES = f"{HOST}/api/global/us_indices/daily_prices"
FUTURE_FILES = f"{HOST}/data/us/futures/market_statistics/historical_data/VX"
SUBJECT = "VIX"
INDICES = {"vix.close": ("VIX_History.csv", ("DATE", "HIGH", "LOW", "CLOSE")), "vvix.close": ("VVIX_History.csv", ("DATE", "VVIX"))}
FUTURES = "vix.future"
FIRST_SETTLEMENT_MS = parse_time("2013-07-22")

Settlements = dict[int, float]


@dataclass(frozen=True, kw_only=True)
class Cboe(Collector):
    """`vix.close`, `vvix.close` and `vix.future.*` of `VIX`. `recent` is how far back a poll looks (the rest is history)."""

    title: ClassVar[str] = "Cboe daily files"
    homepage: ClassVar[str] = "https://www.cboe.com"

    cadence: Duration = HOUR
    recent: Duration = 14 * DAY

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """Index, its volatility, and the curve of its futures, whatever is watched."""
        futures = {f"{FUTURES}.{name}" for name in ("1", "2", *TENOR_DAYS)}
        return frozenset((metric, SUBJECT) for metric in (*INDICES, *futures))

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """The sessions of the last `recent`: both indices, and the contracts that make the curve now."""
        now = ports.clock.now_ms()
        return await each(partial(self._part, ports, stream, now - self.recent, now) for stream in self.streams(watch))

    def streams(self, watch: Watch) -> tuple[str, ...]:
        """Two indices, and the futures."""
        return (*INDICES, FUTURES)

    async def page(self, ports: Ports, watch: Watch, stream: str, from_ms: int, to_ms: int) -> Page:
        """An index comes whole in one page; the futures contract by contract: the sessions in which one was the front."""
        if stream != FUTURES:
            return Page(await self._part(ports, stream, from_ms, to_ms))
        start = max(from_ms, FIRST_SETTLEMENT_MS)
        if start >= to_ms:
            return Page()
        end = min(expiries_after(start - start % DAY, 1)[0], to_ms)
        return Page(await self._part(ports, stream, start, end), end if end < to_ms else None)

    async def _part(self, ports: Ports, stream: str, from_ms: int, to_ms: int) -> Harvest:
        if stream == FUTURES:
            return await self._futures(ports, from_ms, to_ms)
        name, columns = INDICES[stream]
        rows = table(await ports.net.get_bytes(at_endpoint(self.endpoint, f"{INDEX_FILES}/{name}")), columns)
        return index_readings(rows, stream, from_ms, min(to_ms, ports.clock.now_ms()))

    async def _futures(self, ports: Ports, from_ms: int, to_ms: int) -> Harvest:
        now = min(to_ms, ports.clock.now_ms())
        by_contract: dict[int, Settlements] = {}
        rejected: list[str] = []
        failures: list[SourceError | BadPayload] = []
        for expiry in _contracts(from_ms, now):
            try:
                body = await ports.net.get_bytes(at_endpoint(self.endpoint, f"{FUTURE_FILES}/VX_{iso(expiry)[:10]}.csv"))
                by_contract[expiry], refused = settlements(body, expiry, from_ms, now)
                rejected += refused
            except (SourceError, BadPayload) as error:
                failures.append(error)
                rejected.append(f"VX {iso(expiry)[:10]}: {error}")
        if failures and not by_contract:
            raise failures[0]
        return Harvest.together([curve_readings(by_contract), Harvest((), rejected)])


def _contracts(from_ms: int, to_ms: int) -> list[int]:
    """Final settlement days of every contract that made the curve at some time between."""
    first, last = from_ms - from_ms % DAY, to_ms - to_ms % DAY
    found = set(expiries_after(last, CONTRACTS))
    while first <= last:
        ahead = expiries_after(first, CONTRACTS)
        found.update(ahead)
        first = ahead[0]
    return sorted(found)


def index_readings(rows: list[Row], metric: str, from_ms: int, to_ms: int) -> Harvest:
    """The closes of sessions that began at `from_ms` or later and are over by `to_ms`."""
    readings: list[Reading] = []
    rejected: list[str] = []
    for place, row in enumerate(rows, start=1):
        try:
            day = session_day(row, "DATE")
            if day >= from_ms and is_closed_session(day, to_ms):
                value = number(row, "VVIX") if metric == "vvix.close" else close_within(row, low="LOW", high="HIGH", close="CLOSE")
                readings.append(Reading(metric, SUBJECT, value, day))
        except BadPayload as error:
            rejected.append(f"{metric}: row {place}: {error}")
    return Harvest(readings, rejected)


def settlements(body: bytes, expiry: int, from_ms: int, to_ms: int) -> tuple[Settlements, list[str]]:
    """Settlement prices of one contract by session, its final settlement left out, and the rows that were refused. Raises BadPayload."""
    found: Settlements = {}
    contradicted: set[int] = set()
    rejected: list[str] = []
    for place, row in enumerate(table(body, ("Trade Date", "Settle")), start=1):
        try:
            day = session_day(row, "Trade Date")
            if not from_ms <= day < expiry or not is_closed_session(day, to_ms):
                continue
            settle = number(row, "Settle")
            if settle <= 0:
                raise BadPayload(f"settle {settle:g} on {iso(day)[:10]} is no settlement")
            if found.setdefault(day, settle) != settle:
                contradicted.add(day)
                raise BadPayload(f"{iso(day)[:10]} has two settlements, {found[day]:g} and {settle:g}")
        except BadPayload as error:
            rejected.append(f"VX {iso(expiry)[:10]}: row {place}: {error}")
    return {day: settle for day, settle in found.items() if day not in contradicted}, rejected


def curve_readings(by_contract: Mapping[int, Settlements]) -> Harvest:
    """Raw and constant-maturity levels of every session in which any contract settled, oldest first."""
    by_day: dict[int, Settlements] = defaultdict(dict)
    for expiry, of_contract in by_contract.items():
        for day, settle in of_contract.items():
            by_day[day][expiry] = settle
    readings: list[Reading] = []
    rejected: list[str] = []
    for day in sorted(by_day):
        levels, absent = curve(day, by_day[day])
        readings += [Reading(f"{FUTURES}.{name}", SUBJECT, level, day) for name, level in levels.items()]
        if absent:
            rejected.append(f"{FUTURES} of {iso(day)[:10]}: no settlement: {'; '.join(absent)}")
    return Harvest(readings, rejected)
