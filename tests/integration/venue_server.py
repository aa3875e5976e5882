"""Four perpetual venues behind one loopback port: enough of each for a poll and a backfill, full-sized or damaged if asked.

Rows are the samples of the unit tests, multiplied; times run on a clock that the test sets.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

from aiohttp import web

from monitor.core.units import DAY, HOUR
from monitor.venues.rows import BAR_MS
from tests.collectors.sample_net import samples

FULL_SIZE = {"binance": 650, "bybit": 600, "hyperliquid": 200, "dydx": 200}
HISTORY_MS = 60 * DAY
MAJORS = ("BTC", "ETH", "SOL")
Query = Mapping[str, Any]


@dataclass
class VenueServer:
    """`interval_hours` gives the funding interval by venue and time; `damage` rewrites bodies by question on their way out.

    `private` holds further bodies by path, such as those of accounts; `headers` what the newest question for a path came with. A
    `refusal` is the status and text of every answer.
    """

    now_ms: int
    markets: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(FULL_SIZE, 5))
    interval_hours: Callable[[str, int], int] = lambda venue, _at: 8 if venue in {"binance", "bybit"} else 1
    damage: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    private: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, Mapping[str, str]] = field(default_factory=dict)
    refusal: tuple[int, str] | None = None
    url: str = ""
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> "VenueServer":
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_exc_info: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        query: Query = await request.json() if request.method == "POST" else dict(request.query)
        kind = query.get("type", "") if request.method == "POST" else query.get("category", "")
        question = f"{request.method} {request.path} {kind}".strip()
        self.asked[question] += 1
        self.headers[request.path] = request.headers
        if self.refusal is not None:
            return web.Response(status=self.refusal[0], text=self.refusal[1], content_type="application/json")
        body = self.private[request.path] if request.path in self.private else self._body(request.path, kind, query)
        if (damage := self.damage.get(question)) is not None:
            body = damage(body)
        date = {"Date": formatdate(self.now_ms / 1000, usegmt=True)}
        if body is None:
            return web.Response(status=404, text="{}", headers=date)
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(text=text, content_type="application/json", headers=date)

    def _body(self, path: str, kind: str, query: Query) -> Any:
        if path.startswith(("/fapi", "/api/v3")):
            return self._binance(path, query)
        if path.startswith("/v5"):
            return self._bybit(path, kind, query)
        return self._hyperliquid(kind, query) if path == "/info" else self._dydx(path, query)

    def names(self, venue: str) -> list[str]:
        """Base assets listed at a venue: the majors, then made-up ones."""
        return [*MAJORS, *(f"COIN{n}" for n in range(self.markets[venue] - len(MAJORS)))]

    def settlements(self, venue: str, from_ms: int, to_ms: int) -> list[tuple[int, str]]:
        """Settlement times in a window, oldest first, each with a rate that is the same share of a year whatever the interval."""
        at, rows = self.now_ms - self.now_ms % DAY - HISTORY_MS, []
        while (at := at + self.interval_hours(venue, at) * HOUR) <= min(to_ms, self.now_ms):
            if at >= from_ms:
                rows.append((at, f"{self.interval_hours(venue, at - 1) * 0.00001:.8f}"))
        return rows

    def bars(self, from_ms: int, to_ms: int) -> list[int]:
        """Opens of the 4-hour bars in a window, the unfinished one included, oldest first."""
        first = -(-max(from_ms, self.now_ms - HISTORY_MS) // BAR_MS) * BAR_MS
        return list(range(first, min(to_ms, self.now_ms) + 1, BAR_MS))

    def _window(self, rows: list[Any], query: Query, default: int, *, from_start: bool) -> list[Any]:
        limit = int(query.get("limit", default))
        return rows[:limit] if from_start else rows[-limit:]

    def _binance(self, path: str, query: Query) -> Any:
        sample = samples("binance")[f"GET {path}"]
        symbol = query.get("symbol", "")
        start, end = int(query.get("startTime", 0)), int(query.get("endTime", self.now_ms))
        match path.rpartition("/")[2]:
            case "exchangeInfo":
                listed = [symbol.removesuffix("USDT")] if symbol else self.names("binance")
                return {**sample, "symbols": [_renamed(sample["symbols"][0], f"{name}USDT", name) for name in listed]}
            case "fundingInfo":
                return []
            case "fundingRate":
                rows = self._window(self.settlements("binance", start, end), query, 100, from_start="startTime" in query)
                return [{**sample[0], "symbol": symbol, "fundingTime": at + 3, "fundingRate": rate} for at, rate in rows]
            case "klines":
                opens = self._window(self.bars(start, end), query, 500, from_start="startTime" in query)
                return [[at, *sample[0][1:6], at + BAR_MS - 1, *sample[0][7:]] for at in opens]
        return {**sample, "symbol": symbol, "time": self.now_ms}

    def _bybit(self, path: str, kind: str, query: Query) -> Any:
        bodies = samples("bybit")
        body = bodies.get(f"GET {path} {kind}") or bodies[f"GET {path}"]
        result, symbol = body["result"], query.get("symbol", "BTCUSDT")
        row = result["list"][0]
        match path.rpartition("/")[2]:
            case "instruments-info":
                listed = [] if query.get("status") else [symbol.removesuffix("USDT")] if kind == "spot" else self.names("bybit")
                rows: list[Any] = [_renamed(row, f"{name}USDT", name) for name in listed]
            case "tickers":
                rows = [{**row, "symbol": symbol}]
            case "history":
                start, end = int(query.get("startTime", 0)), int(query.get("endTime", self.now_ms))
                paid = self._window(self.settlements("bybit", start, end), query, 200, from_start=False)
                rows = [{"symbol": symbol, "fundingRate": rate, "fundingRateTimestamp": str(at)} for at, rate in reversed(paid)]
            case _:
                opens = self._window(self.bars(int(query.get("start", 0)), int(query.get("end", self.now_ms))), query, 200, from_start=False)
                rows = [[str(at), *row[1:]] for at in reversed(opens)]
        return {**body, "result": {**result, "list": rows}, "time": self.now_ms}

    def _hyperliquid(self, kind: str, query: Query) -> Any:
        sample = samples("hyperliquid")[f"POST /info {kind}"]
        match kind:
            case "metaAndAssetCtxs":
                universe = [{**sample[0]["universe"][0], "name": name} for name in self.names("hyperliquid")]
                return [{**sample[0], "universe": universe}, [sample[1][0]] * len(universe)]
            case "fundingHistory":
                paid = self.settlements("hyperliquid", query["startTime"], query.get("endTime", self.now_ms))[:500]
                return [{**sample[0], "coin": query["coin"], "fundingRate": rate, "time": at + 41} for at, rate in paid]
            case "candleSnapshot":
                opens = self.bars(query["req"]["startTime"], query["req"]["endTime"])
                return [{**sample[0], "s": query["req"]["coin"], "t": at, "T": at + BAR_MS - 1} for at in opens]
        return sample

    def _dydx(self, path: str, query: Query) -> Any:
        market = path.rpartition("/")[2]
        limit = int(query.get("limit", 100))
        if market == "perpetualMarkets":
            row = samples("dydx")["GET /v4/perpetualMarkets"]["markets"]["BTC-USD"]
            return {"markets": {f"{name}-USD": {**row, "ticker": f"{name}-USD"} for name in self.names("dydx")}}
        if "historicalFunding" in path:
            row = samples("dydx")["GET /v4/historicalFunding/BTC-USD"]["historicalFunding"][0]
            paid = self.settlements("dydx", 0, _instant(query.get("effectiveBeforeOrAt"), self.now_ms))[-limit:]
            rows = [{**row, "ticker": market, "rate": rate, "effectiveAt": _iso(at + 400)} for at, rate in reversed(paid)]
            return {"historicalFunding": rows}
        row = samples("dydx")["GET /v4/candles/perpetualMarkets/BTC-USD"]["candles"][0]
        opens = self.bars(_instant(query.get("fromISO"), 0), _instant(query.get("toISO"), self.now_ms))[-limit:]
        return {"candles": [{**row, "ticker": market, "startedAt": _iso(at)} for at in reversed(opens)]}


def _renamed(row: Mapping[str, Any], symbol: str, base: str) -> dict[str, Any]:
    names = {"symbol": symbol, "pair": symbol, "baseAsset": base, "baseCoin": base}
    return {**row, **{key: name for key, name in names.items() if key in row}}


def _iso(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _instant(text: str | None, default: int) -> int:
    return default if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)


def damaged(rows: Callable[[Any], Iterable[Any]], at: int, change: Callable[[Any], None]) -> Callable[[Any], Any]:
    """A damage that changes one row of a body: `rows` finds the list, `at` the place."""

    def damage(body: Any) -> Any:
        change(list(rows(body))[at])
        return body

    return damage
