"""Deribit: DVOL, the 30-day implied volatility index of BTC and ETH, by the hour (no key).

API: https://docs.deribit.com/api-reference/market-data/public-get_volatility_index_data. Rows are `[ms, open, high, low, close]` with the
stamp of the hour's beginning. What is kept is the close, and it goes under the hour's *end*, when it was true: known at its own time, as the
metric says. The hour that is still running is left out. An answer that was cut short says with `continuation` where the older rest ends.
"""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from monitor.core.book import Watch
from monitor.core.decode import field, items, number, whole
from monitor.core.endpoint import at_endpoint
from monitor.core.observation import Reading
from monitor.core.units import DAY, HOUR, MINUTE, Duration, iso, parse_time
from monitor.errors import BadPayload
from monitor.source import Collector, Harvest, Page, Ports, each

URL = "https://www.deribit.com/api/v2/public/get_volatility_index_data"
METRIC = "iv.index"
CURRENCIES = ("BTC", "ETH")
FIRST_MS = parse_time("2021-03-24")
PAGE_MS = 40 * DAY  # 960 rows: an answer holds about a thousand
MOST_PARTS = 20
LOWEST_POINTS = 3.0


@dataclass(frozen=True, kw_only=True)
class DeribitDvol(Collector):
    """`iv.index` of BTC and ETH in volatility points. `recent` is how far back a poll looks (the rest is history)."""

    title: ClassVar[str] = "Deribit volatility index"
    homepage: ClassVar[str] = "https://www.deribit.com"

    cadence: Duration = 10 * MINUTE
    recent: Duration = 2 * DAY

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """Both indices, whatever is watched: they also tell the regime."""
        return frozenset((METRIC, currency) for currency in CURRENCIES)

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """The closed hours of the last `recent`. One index that fails does not take the other with it."""
        now = ports.clock.now_ms()
        return await each(partial(self._hours, ports, currency, now - self.recent, now + 1) for currency in CURRENCIES)

    async def probe(self, ports: Ports, watch: Watch) -> str:
        """The newest close of each index."""
        harvest = await self.poll(ports, watch)
        self.must_be_sound(harvest, ports)
        newest = {reading.subject: reading for reading in harvest.readings}
        return ", ".join(f"{subject} {reading.value:g} at {iso(reading.at or 0)}" for subject, reading in newest.items()) or "no closed hour"

    def streams(self, watch: Watch) -> tuple[str, ...]:
        """One history for each index."""
        return tuple(f"{METRIC}/{currency}" for currency in CURRENCIES)

    async def page(self, ports: Ports, watch: Watch, stream: str, from_ms: int, to_ms: int) -> Page:
        """Forty days at a time, from March 2021 on, when the index began."""
        start = max(from_ms, FIRST_MS)
        end = min(start + PAGE_MS, to_ms)
        if start >= end:
            return Page()
        harvest = await self._hours(ports, stream.partition("/")[2], start, end)
        return Page(harvest, end if end < to_ms else None)

    async def _hours(self, ports: Ports, currency: str, from_ms: int, to_ms: int) -> Harvest:
        """Closes with from <= at < to, whose hours began one hour earlier."""
        received_at, end = ports.clock.now_ms(), to_ms - HOUR
        parts: list[Harvest] = []
        for _ in range(MOST_PARTS):
            url = f"{URL}?currency={currency}&start_timestamp={from_ms - HOUR}&end_timestamp={end}&resolution=3600"
            harvest, older_end = parse(await ports.net.get_json(at_endpoint(self.endpoint, url)), currency, received_at)
            parts.append(_between(harvest, from_ms, to_ms))
            if older_end is None or older_end < from_ms - HOUR:
                return _in_order(parts)
            if older_end >= end:
                break
            end = older_end
        raise BadPayload(f"{currency}: continuation does not lead back to {iso(from_ms)}: the answer cannot be paged through")


def parse(body: object, currency: str, received_at: int) -> tuple[Harvest, int | None]:
    """The closed hours of an answer, and where the older rest of it ends (None: this is all). Raises BadPayload."""
    continuation = field(body, "result", "continuation", kind=object)
    older_end = None if continuation is None else whole(body, "result", "continuation")
    readings: list[Reading] = []
    rejected: list[str] = []
    for place, row in enumerate(items(body, "result", "data"), start=1):
        try:
            at, close = _close(row)
        except BadPayload as error:
            rejected.append(f"{currency}: row {place}: {error}")
            continue
        if at <= received_at:
            readings.append(Reading(METRIC, currency, close, at))
    return Harvest(readings, rejected), older_end


def _close(row: object) -> tuple[int, float]:
    opened, high, low, close = whole(row, 0), number(row, 2), number(row, 3), number(row, 4)
    if opened % HOUR:
        raise BadPayload(f"{opened} is not the beginning of an hour in milliseconds")
    if not low <= close <= high:
        raise BadPayload(f"close {close:g} is outside low {low:g} to high {high:g}")
    if close < LOWEST_POINTS:
        raise BadPayload(f"close {close:g} is below {LOWEST_POINTS:g} volatility points: a fraction where points belong?")
    return opened + HOUR, close


def _between(harvest: Harvest, from_ms: int, to_ms: int) -> Harvest:
    return Harvest([reading for reading in harvest.readings if from_ms <= (reading.at or 0) < to_ms], harvest.rejected)


def _in_order(parts: list[Harvest]) -> Harvest:
    """Oldest first, an hour that two parts share once."""
    whole_answer = Harvest.together(parts)
    by_hour = {reading.at or 0: reading for reading in whole_answer.readings}
    return Harvest([by_hour[at] for at in sorted(by_hour)], whole_answer.rejected)
