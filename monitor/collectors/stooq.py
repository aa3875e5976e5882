"""Stooq: closes of the S&P 500 and of two volatility funds (no key; a daily quota for each address).

CSV: `https://stooq.com/q/d/l/?s=^spx&i=d&d1=YYYYMMDD&d2=YYYYMMDD` with Date, Open, High, Low, Close. There is no published contract; a used-up
quota or an unknown symbol comes as a line of text with HTTP 200, which is refused as no table. So is the page that asks a browser for a proof of
work: programs have been seen to get it since July 2026 (https://github.com/Verdenroz/finance-query/issues/263), and no way round it is taken.

Funds such as VXX and UVXY merge their shares again and again, and their history is then written anew: the monitor keeps each value that
changed as a later vintage, known from its receipt, so that the whole of `recent` moves to the new scale at once and no decision of the past
changes. Within one answer a close that is `break_factor` times the one before it, or a fraction of that, is taken for a history that was
rewritten in part: what stands before it is refused. Sessions older than `recent` keep the old scale until `backfill` is run again, and a
merger of shares below `break_factor` cannot be told from a move.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar
from urllib.parse import quote

from monitor.core.book import Watch
from monitor.core.endpoint import at_endpoint
from monitor.core.observation import Reading
from monitor.core.units import DAY, HOUR, Duration, Number, iso
from monitor.daily_csv import close_within, is_closed_session, session_day, table
from monitor.errors import BadPayload
from monitor.source import Collector, Harvest, Page, Ports, each

URL = "https://stooq.com/q/d/l/"
METRIC = "equity.close"
COLUMNS = ("Date", "High", "Low", "Close")
SYMBOLS: Mapping[str, str] = {"SPX": "^spx", "VXX": "vxx.us", "UVXY": "uvxy.us"}
YEARS_MS = 3653 * DAY
LEAST_PAUSE_MS = HOUR


@dataclass(frozen=True, kw_only=True)
class Stooq(Collector):
    """`equity.close` of `SPX`, `VXX`, `UVXY`. `symbols` adds or replaces Stooq's symbols by subject (`ES: es.f`, say).

    It is off unless switched on, since it may not answer programs any more; SPX comes from `fred` too.
    """

    title: ClassVar[str] = "Stooq daily closes"
    homepage: ClassVar[str] = "https://stooq.com"

    enabled: bool = False
    cadence: Duration = 3 * HOUR
    recent: Duration = 400 * DAY
    break_factor: Number = 2.5
    symbols: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.break_factor > 1:
            raise ValueError("break_factor must be above 1: write break_factor: 2.5, say")

    @property
    def pause_ms(self) -> int:
        """Stooq counts what it refuses, too."""
        return LEAST_PAUSE_MS

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """The index and the funds, whatever is watched."""
        return frozenset((METRIC, subject) for subject in self._symbols())

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """The sessions of the last `recent`. One symbol that fails does not take the others with it."""
        now = ports.clock.now_ms()
        return await each(partial(self._closes, ports, subject, now - self.recent, now) for subject in self._symbols())

    def streams(self, watch: Watch) -> tuple[str, ...]:
        """One history for each subject."""
        return tuple(f"{METRIC}/{subject}" for subject in self._symbols())

    async def page(self, ports: Ports, watch: Watch, stream: str, from_ms: int, to_ms: int) -> Page:
        """Ten years at a time, on the scale of today: what a fund's price was said to be at the time is not kept by the source."""
        end = min(from_ms + YEARS_MS, to_ms)
        return Page(await self._closes(ports, stream.partition("/")[2], from_ms, end), end if end < to_ms else None)

    def _symbols(self) -> Mapping[str, str]:
        return {**SYMBOLS, **self.symbols}

    async def _closes(self, ports: Ports, subject: str, from_ms: int, to_ms: int) -> Harvest:
        days = (iso(at)[:10].replace("-", "") for at in (from_ms, to_ms))
        query = f"s={quote(self._symbols()[subject])}&i=d&d1={next(days)}&d2={next(days)}"
        body = await ports.net.get_bytes(at_endpoint(self.endpoint, f"{URL}?{query}"))
        return closes(body, subject, from_ms, min(to_ms, ports.clock.now_ms()), self.break_factor)


def closes(body: bytes, subject: str, from_ms: int, to_ms: int, break_factor: float) -> Harvest:
    """Closes of the sessions between, oldest first; what stands before a break of scale is refused. Raises BadPayload."""
    found: dict[int, float] = {}
    rejected: list[str] = []
    try:
        rows = table(body, COLUMNS)
    except BadPayload as error:
        raise BadPayload(f"{subject}: {error}") from None
    for place, row in enumerate(rows, start=1):
        try:
            day = session_day(row, "Date")
            if day >= from_ms and is_closed_session(day, to_ms):
                found[day] = close_within(row, low="Low", high="High", close="Close")
        except BadPayload as error:
            rejected.append(f"{subject}: row {place}: {error}")
    days = sorted(found)
    start = _after_break([found[day] for day in days], break_factor)
    if start:
        step = f"from {found[days[start - 1]]:g} to {found[days[start]]:g} on {iso(days[start])[:10]}"
        rejected.append(f"{subject}: {step} is a change of scale, not a move: {start} sessions before it are refused")
    return Harvest([Reading(METRIC, subject, found[day], day) for day in days[start:]], rejected)


def _after_break(values: Sequence[float], factor: float) -> int:
    """Place of the first value after the newest step by `factor` or more either way; 0 where there is none, or where a value is not positive."""
    steps = [place for place in range(1, len(values)) if not 1 / factor < _ratio(values[place], values[place - 1]) < factor]
    return steps[-1] if steps else 0


def _ratio(value: float, before: float) -> float:
    # A close of nothing is the door's to refuse; here it must not hide a break.
    return value / before if value > 0 and before > 0 else 1.0
