"""The one poller behind every perpetual venue: settled and predicted funding, open interest, prices and 4-hour candles, by ccxt.

A venue is one file in `collectors/` that states its facts; nothing here names one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Protocol, runtime_checkable

from monitor.core.book import Watch
from monitor.core.observation import Reading
from monitor.core.units import DAY, HOUR, SECOND, iso
from monitor.core.vocabulary import METRICS
from monitor.errors import BadPayload, SourceError
from monitor.source import Collector, Harvest, Page, Ports
from monitor.venues.desk import Desk, Market
from monitor.venues.rows import (
    BAR_MS,
    PARTS,
    candles,
    checked_hours,
    funding,
    holes,
    intervals,
    missing_bars,
    number,
    quote,
    settlement_times,
    slot,
)

TIMEFRAME = "4h"
RECENT_MS = 3 * DAY
RECENT_BARS = 6
# A bar may be amended in the seconds after its close.
GRACE_MS = 5 * SECOND
CANDLE_METRICS = tuple(f"candle.{TIMEFRAME}.{part}" for part in PARTS)


@runtime_checkable
class LibrarySessions(Protocol):
    """A net that lends sessions to libraries which make their own calls."""

    def client_session(self) -> object:
        """A new session under the net's own rules."""
        ...


@dataclass(frozen=True, kw_only=True)
class CcxtVenue(Collector):
    """Base of the perpetual venues. The class variables are the venue's facts, as documented by it.

    `quote_fields` maps metrics to fields of the venue's own market row, which `dated_quotes` says has a time; `settled_field` is the
    rate's name in its funding history; `interval_field` names the market's present interval in hours, where it is published;
    `table_hours` is the documented interval where it is not; `funding_page` and `candle_page` are the most rows of one answer.
    """

    exchange_id: ClassVar[str] = ""
    currency: ClassVar[str] = "USDT"
    spot_currency: ClassVar[str] = ""
    market_type: ClassVar[str] = "linear"
    spot_by_symbol: ClassVar[bool] = False
    quote_fields: ClassVar[Mapping[str, str]] = {}
    dated_quotes: ClassVar[bool] = False
    settled_field: ClassVar[str] = "fundingRate"
    interval_field: ClassVar[str] = ""
    table_hours: ClassVar[float | None] = None
    funding_page: ClassVar[int] = 200
    candle_page: ClassVar[int] = 500

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """Funding, quotes and candles of the watched assets' perpetuals, and spot candles of those that are configured."""
        fields = {*self.quote_fields, *(["open_interest.usd"] if "open_interest.coins" in self.quote_fields else [])}
        quotes = {metric for metric in fields if self.dated_quotes or METRICS[metric].undated}
        perpetual = {"funding.rate", "funding.interval_hours", *quotes}
        pairs = {(metric, asset) for asset in watch.assets for metric in perpetual}
        return frozenset(pairs | {(metric, subject) for subject in self.charted(watch) for metric in CANDLE_METRICS})

    def perpetual(self, asset: str) -> str:
        """ccxt's symbol of an asset's perpetual."""
        return f"{asset}/{self.currency}:{self.currency}"

    def charted(self, watch: Watch) -> dict[str, str]:
        """ccxt's symbols of everything that has candles, by subject: the assets' perpetuals, and the spot pairs where it has spot."""
        spot = watch.spot_assets if self.spot_currency else ()
        return {asset: self.perpetual(asset) for asset in watch.assets} | {f"spot:{asset}": f"{asset}/{self.spot_currency}" for asset in spot}

    async def quotes(self, desk: Desk, symbols: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """The present state of each market by symbol: ccxt structures with `info` and `timestamp`. One bulk request by default."""
        rates: Mapping[str, Mapping[str, Any]] = await desk.ask("quotes", lambda: desk.exchange.fetch_funding_rates(list(symbols)))
        return rates

    def candle_window(self, from_ms: int, last_ms: int) -> Mapping[str, int | str]:
        """Parameters that ask for candles from `from_ms` to `last_ms`, inclusive. The end alone by default: the count gives the rest."""
        return {"until": last_ms}

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """One pass; what one question brings in is kept when another cannot be read. Raises as `Collector.poll`."""
        if not self.charted(watch):
            return Harvest()
        desk = await self._ready(ports, watch)
        refused = [f"{self.id}: {reason}" for reason in desk.refused.values()]
        listed = {asset: symbol for asset in watch.assets if (symbol := self.perpetual(asset)) not in desk.refused}
        states, parts = await self._states(desk, listed)
        parts += [await self._kept(partial(self._settled, ports, desk, asset, symbol, states.get(symbol, {}))) for asset, symbol in listed.items()]
        for subject, symbol in self.charted(watch).items():
            if symbol not in desk.refused:
                parts.append(await self._kept(partial(self._recent_bars, ports, desk, subject, symbol)))
        harvest = Harvest.together([*parts, Harvest(rejected=refused)])
        if not harvest.readings:
            raise BadPayload(f"nothing could be read, first: {harvest.rejected[0] if harvest.rejected else 'no rows at all'}")
        return harvest

    def streams(self, watch: Watch) -> tuple[str, ...]:
        """`funding:BTC` for each asset, `candles:BTC` and `candles:spot:BTC` for each chart."""
        return (*(f"funding:{asset}" for asset in watch.assets), *(f"candles:{subject}" for subject in self.charted(watch)))

    async def page(self, ports: Ports, watch: Watch, stream: str, from_ms: int, to_ms: int) -> Page:
        """One page. It asks for some rows before `from_ms` too, so that a hole at the seam is seen. An unlisted market has no history."""
        kind, _, subject = stream.partition(":")
        desk = await self._ready(ports, watch)
        symbol = self.charted(watch).get(subject)
        if symbol is None or symbol in desk.refused:
            return Page(Harvest(rejected=[f"{self.id}: {subject}: {desk.refused.get(symbol or '', 'not watched')}"]))
        fetch = self._funding_page if kind == "funding" else self._candle_page
        harvest, until_ms = await fetch(ports, desk, subject, symbol, from_ms, to_ms)
        return Page(harvest, until_ms if until_ms < to_ms else None)

    async def close(self) -> None:
        """Let go of ccxt."""
        vars(self).pop("_opening", None)
        desk = vars(self).pop("_desk", None)
        if desk is not None:
            await desk.close()

    async def _ready(self, ports: Ports, watch: Watch) -> Desk:
        # Not fields: settings are what the rule-set hash and the schema are made of, a connection is not one.
        async with vars(self).setdefault("_opening", asyncio.Lock()):
            desk: Desk | None = vars(self).get("_desk")
            if desk is None:
                if not isinstance(ports.net, LibrarySessions):
                    raise SourceError(f"{self.id}: this net lends no sessions, and ccxt needs one", permanent=True)
                desk = await Desk.open(self.exchange_id, ports.net.client_session(), self.endpoint)
                vars(self)["_desk"] = desk
        questions: dict[str, Callable[[], Awaitable[Sequence[Market]]]] = {}
        if watch.assets:
            questions["markets"] = partial(_markets, desk.exchange, self.market_type, {})
        spot = watch.spot_assets if self.spot_currency else ()
        for asset in spot if self.spot_by_symbol else spot[:1]:
            only = {"symbol": f"{asset}{self.spot_currency}"} if self.spot_by_symbol else {}
            questions[f"spot market of {asset}"] = partial(_markets, desk.exchange, "spot", only)
        await desk.load(ports.clock, questions, frozenset(self.charted(watch).values()))
        return desk

    async def _kept(self, question: Callable[[], Awaitable[Harvest]]) -> Harvest:
        try:
            harvest = await question()
        except BadPayload as problem:
            return Harvest(rejected=[f"{self.id}: {problem}"])
        return Harvest(harvest.readings, [f"{self.id}: {reason}" for reason in harvest.rejected])

    async def _states(self, desk: Desk, listed: Mapping[str, str]) -> tuple[Mapping[str, Mapping[str, Any]], list[Harvest]]:
        if not listed:
            return {}, []
        try:
            states = await self.quotes(desk, tuple(listed.values()))
        except BadPayload as problem:
            return {}, [Harvest(rejected=[f"{self.id}: {problem}"])]
        harvests = [self.read_quote(states.get(symbol), asset) for asset, symbol in listed.items()]
        return states, [Harvest(h.readings, [f"{self.id}: {reason}" for reason in h.rejected]) for h in harvests]

    def read_quote(self, state: Mapping[str, Any] | None, asset: str) -> Harvest:
        """Readings of one market's present state."""
        if state is None:
            return Harvest(rejected=[f"{asset}: its row is missing from the quotes"])
        at = state.get("timestamp") if self.dated_quotes else None
        if self.dated_quotes and not isinstance(at, int):
            return Harvest(rejected=[f"{asset}: its quotes have no time that can be read"])
        info = state.get("info")
        return quote(info if isinstance(info, Mapping) else {}, at, asset, self.quote_fields)

    def read_settled(self, rows: Sequence[Mapping[str, Any]], asset: str, info: Mapping[str, Any]) -> Harvest:
        """Settled rates with their intervals. `info` is the market's own row, for the interval in force now.

        The oldest row is left out where nothing tells its interval: it was fetched to tell the next one's.
        """
        hours, rejected = None, []
        if self.interval_field and info.get(self.interval_field) not in (None, ""):
            try:
                hours = checked_hours(number(info, self.interval_field))
            except BadPayload as problem:
                rejected.append(f"{asset}: {problem}")
        times = settlement_times(rows)
        told = intervals(times, hours, self.table_hours)
        harvest = funding(rows, asset, self.settled_field, told)
        first = times[0] if len(times) > 1 and times[0] not in told else None
        return Harvest([r for r in harvest.readings if r.at is None or slot(r.at) != first], [*rejected, *harvest.rejected])

    async def _settled(self, ports: Ports, desk: Desk, asset: str, symbol: str, state: Mapping[str, Any]) -> Harvest:
        now_ms = ports.clock.now_ms()
        from_ms = now_ms - (RECENT_MS if self.table_hours is None else DAY)
        rows = await self._funding_rows(desk, asset, symbol, from_ms, now_ms + 1)
        foreign = [f"{asset}: funding: {desk.foreign_rows} rows name no market, or another one"] if desk.foreign_rows else []
        if not rows:
            raise BadPayload(f"{asset}: funding: no rows where there must be some")
        harvest = self.read_settled(rows, asset, state.get("info") or {})
        return Harvest(harvest.readings, [*foreign, *harvest.rejected])

    async def _recent_bars(self, ports: Ports, desk: Desk, subject: str, symbol: str) -> Harvest:
        now_ms = ports.clock.now_ms()
        window = self.candle_window(now_ms - RECENT_BARS * BAR_MS, now_ms)
        rows = await desk.ask(f"{subject}: candles", lambda: desk.exchange.fetch_ohlcv(symbol, TIMEFRAME, None, RECENT_BARS, dict(window)))
        if not rows:
            raise BadPayload(f"{subject}: candles: no rows where there must be some")
        return candles(rows, subject, closed_by(ports, desk))

    async def _funding_rows(self, desk: Desk, asset: str, symbol: str, from_ms: int, until_ms: int) -> list[Mapping[str, Any]]:
        """Settled rows of a window (some venues send more), and rows whose time cannot be believed: the door counts those."""
        what = f"{asset}: funding"
        window = {"startTime": from_ms, "until": until_ms - 1}
        # The window goes in as parameters: with `since`, ccxt would drop rows without a believable time, and nobody would count them.
        rows = await desk.ask(what, lambda: desk.exchange.fetch_funding_rate_history(symbol, None, self.funding_page, dict(window)))
        times = settlement_times(rows)
        _check_window(what, times, from_ms, until_ms)
        if len(rows) >= self.funding_page and not (times and times[0] < from_ms):
            raise BadPayload(f"{what}: the page is full ({len(rows)} rows): some may have been cut off")
        return [row for row in rows if not settlement_times([row]) or from_ms <= slot(row["timestamp"]) < until_ms]

    async def _funding_page(self, ports: Ports, desk: Desk, asset: str, symbol: str, from_ms: int, to_ms: int) -> tuple[Harvest, int]:
        # A day of overlap holds two settlements at the least; the rest of the page is filled at one row an hour, the densest there is.
        until_ms = min(to_ms, from_ms + (self.funding_page - 26) * HOUR)
        rows = await self._funding_rows(desk, asset, symbol, from_ms - DAY, until_ms)
        harvest = self.read_settled(rows, asset, {})
        gaps = [f"{asset}: {hole}" for hole in holes(settlement_times(rows))]
        if desk.foreign_rows:
            gaps.append(f"{asset}: funding: {desk.foreign_rows} rows name no market, or another one")
        return self._within(harvest, gaps, from_ms, until_ms), until_ms

    async def _candle_page(self, ports: Ports, desk: Desk, subject: str, symbol: str, from_ms: int, to_ms: int) -> tuple[Harvest, int]:
        first_ms = from_ms - from_ms % BAR_MS - BAR_MS
        until_ms = min(to_ms, first_ms + self.candle_page * BAR_MS)
        count = -(-(until_ms - first_ms) // BAR_MS)
        window = self.candle_window(first_ms, until_ms - 1)
        what = f"{subject}: candles"
        rows = await desk.ask(what, lambda: desk.exchange.fetch_ohlcv(symbol, TIMEFRAME, None, count, dict(window)))
        opens = [row[0] for row in rows if isinstance(row[0], int)]
        _check_window(what, opens, first_ms, until_ms)
        harvest = candles(rows, subject, closed_by(ports, desk))
        gaps = [f"{subject}: {gap}" for gap in missing_bars(at for at in opens if first_ms <= at < until_ms)]
        return self._within(harvest, gaps, from_ms, until_ms), until_ms

    def _within(self, harvest: Harvest, gaps: Sequence[str], from_ms: int, until_ms: int) -> Harvest:
        """Readings of the window, oldest first. Rows whose time is missing or unbelievable stay in: the door refuses and counts them."""
        unplaced = [r for r in harvest.readings if r.at is None or not _near(r.at, from_ms)]
        placed = sorted((r for r in harvest.readings if r.at is not None and from_ms <= slot(r.at) < until_ms), key=_at)
        return Harvest([*placed, *unplaced], [f"{self.id}: {reason}" for reason in (*harvest.rejected, *gaps)])


def closed_by(ports: Ports, desk: Desk) -> int:
    """The instant by which a bar must have closed: now by our clock or by the venue's, whichever is earlier, less a grace."""
    now_ms = ports.clock.now_ms()
    return min(now_ms, desk.server_ms or now_ms) - GRACE_MS


def _check_window(what: str, times: Sequence[int], from_ms: int, until_ms: int) -> None:
    """Refuse a page of which nothing lies in the window that was asked for: the venue has repeated its newest page."""
    if times and not any(from_ms <= at < until_ms for at in times):
        raise BadPayload(f"{what}: the answer is about another time, {iso(min(times))} to {iso(max(times))}")


def _near(at: int, from_ms: int) -> bool:
    return abs(at - from_ms) < 3650 * DAY


def _at(reading: Reading) -> int:
    return reading.at or 0


async def _markets(exchange: Any, market_type: str, parameters: Mapping[str, str]) -> Sequence[Market]:
    options = exchange.options.setdefault("fetchMarkets", {})
    options["types"] = [market_type]
    markets: Sequence[Market] = await exchange.fetch_markets(dict(parameters))
    return markets
