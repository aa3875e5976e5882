"""The four venues over real sockets: what is asked, what is kept when a row is damaged, and what a change of interval does."""

import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from monitor.collectors.binance import Binance
from monitor.collectors.bybit import Bybit
from monitor.collectors.dydx import Dydx
from monitor.collectors.hyperliquid import Hyperliquid
from monitor.core.book import Watch
from monitor.core.door import Admission, admit
from monitor.core.egress import EgressPolicy
from monitor.core.units import DAY, HOUR, parse_time
from monitor.net import HttpNet
from monitor.source import Harvest, Ports
from monitor.venues import CcxtVenue
from tests.collectors.sample_net import unthrottle
from tests.integration.venue_server import VenueServer, damaged

pytestmark = pytest.mark.integration

NOW_MS = parse_time("2025-03-12T12:30:00Z")
VENUES = [Binance, Bybit, Hyperliquid, Dydx]
WATCH = Watch(assets=("BTC", "ETH"), spot_assets=("BTC",))


@dataclass
class Fixed:
    """A clock that stands, monotonically."""

    at: int

    def now_ms(self) -> int:
        return self.at

    def monotonic(self) -> float:
        return self.at / 1000

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("a collector does not wait by itself")


@pytest.fixture
async def server() -> AsyncIterator[VenueServer]:
    async with VenueServer(NOW_MS) as running:
        yield running


@pytest.fixture
async def net() -> AsyncIterator[HttpNet]:
    async with HttpNet(EgressPolicy(allow_private=True)) as running:
        yield running


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    unthrottle(monkeypatch)


async def poll(kind: type[CcxtVenue], server: VenueServer, net: HttpNet) -> tuple[Harvest, Admission]:
    venue = kind(endpoint=server.url)
    try:
        harvest = await venue.poll(Ports(net, Fixed(server.now_ms), Random(1)), WATCH)
    finally:
        await venue.close()
    return harvest, admit(harvest.readings, source=venue.id, received_at=server.now_ms)


ASKED = {
    Binance: {
        "GET /fapi/v1/exchangeInfo": 1,
        "GET /api/v3/exchangeInfo": 1,
        "GET /fapi/v1/fundingInfo": 1,
        "GET /fapi/v1/openInterest": 2,
        "GET /fapi/v1/premiumIndex": 2,
        "GET /fapi/v1/fundingRate": 2,
        "GET /fapi/v1/klines": 2,
        "GET /api/v3/klines": 1,
    },
    Bybit: {
        "GET /v5/market/instruments-info linear": 2,
        "GET /v5/market/instruments-info spot": 1,
        "GET /v5/market/tickers linear": 2,
        "GET /v5/market/funding/history linear": 2,
        "GET /v5/market/kline linear": 2,
        "GET /v5/market/kline spot": 1,
    },
    Hyperliquid: {
        "POST /info metaAndAssetCtxs": 2,
        "POST /info spotMetaAndAssetCtxs": 1,
        "POST /info fundingHistory": 2,
        "POST /info candleSnapshot": 3,
    },
    Dydx: {
        "GET /v4/perpetualMarkets": 2,
        "GET /v4/historicalFunding/BTC-USD": 1,
        "GET /v4/historicalFunding/ETH-USD": 1,
        "GET /v4/candles/perpetualMarkets/BTC-USD": 1,
        "GET /v4/candles/perpetualMarkets/ETH-USD": 1,
    },
}


@pytest.mark.parametrize("kind", VENUES)
async def test_a_poll_asks_for_the_watched_markets_alone_and_brings_all_it_promises(kind: type[CcxtVenue], server: VenueServer, net: HttpNet) -> None:
    harvest, admission = await poll(kind, server, net)
    assert (harvest.rejected, admission.rejections) == ([], ())
    assert {(o.metric, o.subject) for o in admission.observations} == kind().provides(WATCH)
    assert dict(server.asked) == ASKED[kind]


def break_rate(field: str) -> Any:
    def change(row: dict[str, Any]) -> None:
        row[field] = "1_000"

    return change


DAMAGES = [
    (Binance, "GET /fapi/v1/fundingRate", damaged(list, 5, break_rate("fundingRate"))),
    (Bybit, "GET /v5/market/funding/history linear", damaged(lambda body: body["result"]["list"], 5, break_rate("fundingRate"))),
    (Hyperliquid, "POST /info fundingHistory", damaged(list, 5, break_rate("fundingRate"))),
    (Dydx, "GET /v4/historicalFunding/BTC-USD", damaged(lambda body: body["historicalFunding"], 5, break_rate("rate"))),
]


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize(("kind", "question", "damage"), DAMAGES)
async def test_a_damaged_row_is_counted_and_its_neighbours_are_kept_f_021(
    kind: type[CcxtVenue], question: str, damage: Any, server: VenueServer, net: HttpNet
) -> None:
    whole, _ = await poll(kind, server, net)
    server.damage[question] = damage
    harvest, admission = await poll(kind, server, net)
    asked_twice = 1 if kind is Dydx else 2
    assert len(harvest.rejected) == asked_twice
    assert all("settled funding at" in reason and "is not a number: '1_000'" in reason for reason in harvest.rejected)
    rates = [sum(r.metric == "funding.rate" for r in h.readings) for h in (whole, harvest)]
    assert rates[0] - rates[1] == asked_twice
    assert {(o.metric, o.subject) for o in admission.observations} == kind().provides(WATCH)


ROW_OF_MARKETS = [
    (Binance, "GET /fapi/v1/exchangeInfo", lambda body: body["symbols"]),
    (Bybit, "GET /v5/market/instruments-info linear", lambda body: body["result"]["list"] or [{}] * 5),
    (Hyperliquid, "POST /info metaAndAssetCtxs", lambda body: body[0]["universe"]),
    (Dydx, "GET /v4/perpetualMarkets", lambda body: body["markets"].values()),
]


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize(("kind", "question", "rows"), ROW_OF_MARKETS)
async def test_a_damaged_market_that_nobody_watches_harms_nobody_f_021(
    kind: type[CcxtVenue], question: str, rows: Any, server: VenueServer, net: HttpNet
) -> None:
    server.damage[question] = damaged(rows, 4, dict.clear)
    _, admission = await poll(kind, server, net)
    assert {(o.metric, o.subject) for o in admission.observations} == kind().provides(WATCH)


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("kind", [Binance, Bybit])
async def test_an_interval_that_goes_from_eight_hours_to_one_makes_no_jump_f_005(kind: type[CcxtVenue], server: VenueServer, net: HttpNet) -> None:
    changed_ms = NOW_MS - NOW_MS % DAY + 8 * HOUR
    server.interval_hours = lambda _venue, at: 8 if at < changed_ms else 1
    _, admission = await poll(kind, server, net)
    rates = {o.at: o.value for o in admission.observations if o.metric == "funding.rate" and o.subject == "BTC"}
    hours = {o.at: o.value for o in admission.observations if o.metric == "funding.interval_hours" and o.subject == "BTC"}
    assert {at: hours[at] for at in rates} == {at: 8 if at <= changed_ms else 1 for at in rates}
    assert sum(hours[at] == 1 for at in rates) == 4
    assert {round(rate * 8760 / hours[at], 9) for at, rate in rates.items()} == {0.0876}


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("kind", VENUES)
@pytest.mark.parametrize(("stream", "metric", "spacing_ms"), [("funding:BTC", "funding.rate", 0), ("candles:BTC", "candle.4h.close", 4 * HOUR)])
async def test_a_backfill_in_pages_is_complete_ordered_and_without_repetition_f_023(
    kind: type[CcxtVenue], stream: str, metric: str, spacing_ms: int, server: VenueServer, net: HttpNet
) -> None:
    spacing = spacing_ms or (8 if kind in (Binance, Bybit) else 1) * HOUR
    venue, times = kind(endpoint=server.url), []
    last = NOW_MS - NOW_MS % DAY
    first = last - 21 * DAY
    at: int | None = first
    while at is not None:
        page = await venue.page(Ports(net, Fixed(NOW_MS), Random(1)), WATCH, stream, at, last)
        assert page.harvest.rejected == []
        observed = admit(page.harvest.readings, source=venue.id, received_at=NOW_MS).observations
        times += [o.at for o in observed if o.metric == metric]
        at = page.next_ms
    await venue.close()
    assert times == list(range(first, last, spacing))


START_TOGETHER = """
import asyncio
from monitor.venues.desk import Desk
async def main():
    desks = await asyncio.gather(*(Desk.open(name, object(), "") for name in ("binance", "bybit", "hyperliquid", "dydx")))
    print(*sorted(desk.exchange.id for desk in desks))
    for desk in desks:
        await desk.close()
asyncio.run(main())
"""


def test_venues_that_start_together_in_a_fresh_process_do_not_deadlock_over_the_import() -> None:
    run = subprocess.run([sys.executable, "-c", START_TOGETHER], capture_output=True, text=True, timeout=60, check=False)
    assert run.stdout.split() == ["binance", "bybit", "dydx", "hyperliquid"], run.stderr[-2000:]
