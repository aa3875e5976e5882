"""What all perpetual venues share, seen through two of them: errors by remedy, market lists, pages, and what survives a bad row."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from monitor.collectors.binance import Binance
from monitor.collectors.bybit import Bybit
from monitor.collectors.dydx import Dydx
from monitor.collectors.hyperliquid import Hyperliquid
from monitor.core.book import Watch
from monitor.core.door import admit
from monitor.core.units import DAY, HOUR
from monitor.errors import BadPayload, SourceError
from monitor.registry import settings_of
from monitor.source import Harvest
from monitor.venues import CcxtVenue
from monitor.venues.desk import redirected
from monitor.venues.rows import BAR_MS
from tests.collectors.sample_net import NOON_MS, NOW_MS, Reply, SampleNet, ports, samples, unthrottle

BITCOIN = Watch(assets=("BTC",))
FUNDING = "GET /fapi/v1/fundingRate"
MARKETS = "GET /fapi/v1/exchangeInfo"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    unthrottle(monkeypatch)


@pytest.fixture
async def binance() -> AsyncIterator[Binance]:
    venue = Binance()
    yield venue
    await venue.close()


@pytest.fixture
async def bybit() -> AsyncIterator[Bybit]:
    venue = Bybit()
    yield venue
    await venue.close()


def times_of(harvest: Harvest, metric: str) -> list[int | None]:
    return [r.at for r in harvest.readings if r.metric == metric]


def settled(*times: int) -> list[dict[str, Any]]:
    return [{"symbol": "BTCUSDT", "fundingTime": at, "fundingRate": "0.0001", "markPrice": "82000"} for at in times]


@pytest.mark.parametrize("status", [401, 403, 451])
async def test_a_block_or_a_revoked_key_is_permanent_whatever_ccxt_calls_it_f_017(binance: Binance, status: int) -> None:
    net = SampleNet({**samples("binance"), MARKETS: Reply(status, '{"code": 0, "msg": "restricted location"}')})
    with pytest.raises(SourceError, match=f"HTTP {status}") as caught:
        await binance.poll(ports(net), BITCOIN)
    assert (caught.value.status, caught.value.permanent) == (status, True)


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {"Retry-After": "30"}, 30.0),
        (418, {"Retry-After": "Wed, 12 Mar 2025 12:32:00 GMT"}, 120.0),
        (429, {"Retry-After": "999999"}, 3600.0),
        (429, {"Retry-After": "soon"}, None),
        (429, {}, None),
        (500, {}, None),
        (503, {"Retry-After": "5"}, 5.0),
    ],
)
async def test_a_passing_failure_says_how_long_to_wait_f_016(binance: Binance, status: int, headers: dict[str, str], wait: float | None) -> None:
    net = SampleNet({**samples("binance"), MARKETS: Reply(status, "{}", headers)})
    with pytest.raises(SourceError) as caught:
        await binance.poll(ports(net), BITCOIN)
    assert (caught.value.status, caught.value.permanent, caught.value.retry_after_seconds) == (status, False, wait)


@pytest.mark.parametrize("text", ["<html>maintenance</html>", "", '{"symbols": [', '[{"symbol": "BTC"'])
async def test_a_page_or_half_a_document_under_status_200_is_a_bad_payload_f_020(binance: Binance, text: str) -> None:
    bodies = {key: Reply(200, text) for key in samples("binance")}
    with pytest.raises(BadPayload, match="not a JSON document"):
        await binance.poll(ports(SampleNet(bodies)), BITCOIN)


async def test_messages_hold_neither_url_nor_body(binance: Binance) -> None:
    net = SampleNet({**samples("binance"), FUNDING: Reply(500, '{"secret": "hunter2"}')})
    with pytest.raises(SourceError) as caught:
        await binance.poll(ports(net), BITCOIN)
    assert str(caught.value) == "BTC: funding: HTTP 500"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


async def test_one_question_that_cannot_be_read_costs_only_its_own_rows(binance: Binance) -> None:
    net = SampleNet({**samples("binance"), FUNDING: {"code": -1, "msg": "an unknown error"}})
    harvest = await binance.poll(ports(net), BITCOIN)
    assert times_of(harvest, "funding.rate") == []
    assert times_of(harvest, "perp.mark") != []
    assert [reason.split(" (")[0] for reason in harvest.rejected] == ["binance: BTC: funding: the answer cannot be read"]


async def test_an_empty_history_of_a_listed_market_is_counted_not_passed_over(binance: Binance) -> None:
    net = SampleNet({**samples("binance"), FUNDING: []})
    harvest = await binance.poll(ports(net), BITCOIN)
    assert harvest.rejected == ["binance: BTC: funding: no rows where there must be some"]


async def test_rows_in_seconds_or_without_a_time_are_counted_at_the_door_f_010_f_011(binance: Binance) -> None:
    rows = settled(NOON_MS - 16 * HOUR, NOON_MS - 8 * HOUR, NOON_MS) + settled(NOON_MS // 1000)
    rows += [{"symbol": "BTCUSDT", "fundingRate": "0.0001"}]
    harvest = await binance.poll(ports(SampleNet({**samples("binance"), FUNDING: rows})), BITCOIN)
    admission = admit(harvest.readings, source="binance", received_at=NOW_MS)
    assert len(admission.rejections) == 2
    assert [o.at for o in admission.observations if o.metric == "funding.rate"] == [NOON_MS - 8 * HOUR, NOON_MS]


async def test_duplicates_and_disorder_give_the_same_series_f_028(binance: Binance) -> None:
    bodies = samples("binance")
    straight = await binance.poll(ports(SampleNet(bodies)), BITCOIN)
    await binance.close()
    for key in (FUNDING, "GET /fapi/v1/klines"):
        bodies[key] = [*reversed(bodies[key]), *bodies[key][-2:]]
    twisted = await binance.poll(ports(SampleNet(bodies)), BITCOIN)
    keys = [{(o.key, o.at, o.value) for o in admit(h.readings, source="x", received_at=NOW_MS).observations} for h in (straight, twisted)]
    assert keys[0] == keys[1]


async def test_an_asset_that_is_not_listed_is_named_and_the_others_are_read(binance: Binance) -> None:
    harvest = await binance.poll(ports(SampleNet(samples("binance"))), Watch(assets=("BTC", "NOPE")))
    assert harvest.rejected == ["binance: no market NOPE/USDT:USDT here"]
    assert {r.subject for r in harvest.readings} == {"BTC"}


async def test_a_spot_pair_that_the_venue_refuses_costs_only_itself(binance: Binance) -> None:
    net = SampleNet({**samples("binance"), "GET /api/v3/exchangeInfo": Reply(400, '{"code": -1121, "msg": "Invalid symbol."}')})
    harvest = await binance.poll(ports(net), Watch(assets=("BTC",), spot_assets=("BTC",)))
    assert {r.subject for r in harvest.readings} == {"BTC"}
    assert any("spot market of BTC" in reason for reason in harvest.rejected)


async def test_a_contract_that_is_not_one_coin_is_refused_not_mapped_f_018(binance: Binance) -> None:
    bodies = samples("binance")
    bodies[MARKETS]["symbols"][0]["contractSize"] = "1000"
    with pytest.raises(BadPayload, match="contracts of 1000"):
        await binance.poll(ports(SampleNet(bodies)), BITCOIN)


async def test_a_halted_market_is_refused_f_019(binance: Binance) -> None:
    bodies = samples("binance")
    bodies[MARKETS]["symbols"][0]["status"] = "SETTLING"
    with pytest.raises(BadPayload, match="is not trading"):
        await binance.poll(ports(SampleNet(bodies)), BITCOIN)


async def test_the_market_list_is_asked_for_once_a_day_and_when_the_watch_changes(binance: Binance) -> None:
    net = SampleNet(samples("binance"))
    spot_too = Watch(assets=("BTC",), spot_assets=("BTC",))
    for watch, now_ms in [(BITCOIN, 0), (BITCOIN, DAY - 1), (BITCOIN, DAY), (spot_too, DAY), (spot_too, DAY)]:
        await binance.poll(ports(net, NOW_MS + now_ms), watch)
    assert net.asked.count(MARKETS) == 3


async def test_only_the_watched_markets_stay_in_memory(binance: Binance) -> None:
    bodies = samples("binance")
    listed = bodies[MARKETS]["symbols"]
    listed += [{**listed[0], "symbol": f"A{n}USDT", "pair": f"A{n}USDT", "baseAsset": f"A{n}"} for n in range(50)]
    await binance.poll(ports(SampleNet(bodies)), BITCOIN)
    assert list(vars(binance)["_desk"].exchange.markets) == ["BTC/USDT:USDT"]


async def test_a_candle_that_the_venues_clock_calls_unfinished_is_left_out_though_ours_is_ahead_f_026(binance: Binance) -> None:
    harvest = await binance.poll(ports(SampleNet(samples("binance")), NOON_MS + 5 * HOUR), BITCOIN)
    assert max(at or 0 for at in times_of(harvest, "candle.4h.close")) == NOON_MS - BAR_MS


async def test_a_page_of_funding_overlaps_the_one_before_and_gives_only_its_own_rows_f_023(binance: Binance) -> None:
    eights = [NOON_MS - n * 8 * HOUR for n in reversed(range(9))]
    net = SampleNet({**samples("binance"), FUNDING: settled(*eights)})
    page = await binance.page(ports(net), BITCOIN, "funding:BTC", NOON_MS - 24 * HOUR, NOON_MS)
    assert page.next_ms is None
    assert times_of(page.harvest, "funding.rate") == [NOON_MS - 24 * HOUR, NOON_MS - 16 * HOUR, NOON_MS - 8 * HOUR]
    assert times_of(page.harvest, "funding.interval_hours") == times_of(page.harvest, "funding.rate")
    assert net.questions[-1]["startTime"] == str(NOON_MS - 48 * HOUR)
    assert net.questions[-1]["endTime"] == str(NOON_MS - 1)


async def test_a_hole_at_the_seam_of_two_pages_is_seen_f_023(binance: Binance) -> None:
    rows = settled(*(NOON_MS + n * 8 * HOUR for n in (-5, -4, -2, -1)))
    net = SampleNet({**samples("binance"), FUNDING: rows})
    page = await binance.page(ports(net), BITCOIN, "funding:BTC", NOON_MS - 20 * HOUR, NOON_MS)
    assert page.harvest.rejected == ["binance: BTC: gap: no settlement between 2025-03-11T04:00:00Z and 2025-03-11T20:00:00Z"]


async def test_pages_follow_each_other_without_a_seam_and_end(bybit: Bybit) -> None:
    bodies = samples("bybit")
    bodies["GET /v5/market/funding/history"]["result"]["list"] = []
    net, starts = SampleNet(bodies), []
    at: int | None = NOON_MS - 20 * DAY
    while at is not None:
        starts.append(at)
        page = await bybit.page(ports(net), BITCOIN, "funding:BTC", at, NOON_MS)
        at = page.next_ms
    assert starts == [NOON_MS - 20 * DAY + n * 174 * HOUR for n in range(3)]


async def test_a_full_page_is_refused_because_rows_may_have_been_cut_off_f_023(bybit: Bybit) -> None:
    bodies = samples("bybit")
    key = "GET /v5/market/funding/history"
    bodies[key]["result"]["list"] = [
        {"symbol": "BTCUSDT", "fundingRate": "0.0001", "fundingRateTimestamp": str(NOON_MS - n * HOUR // 2)} for n in range(200)
    ]
    with pytest.raises(BadPayload, match="page is full"):
        await bybit.page(ports(SampleNet(bodies)), BITCOIN, "funding:BTC", NOON_MS - 100 * HOUR, NOON_MS)


async def test_a_page_of_candles_names_missing_bars_oldest_first_f_023_f_025(binance: Binance) -> None:
    bodies = samples("binance")
    bars = bodies["GET /fapi/v1/klines"]
    bodies["GET /fapi/v1/klines"] = [bars[2], bars[0]]
    page = await binance.page(ports(SampleNet(bodies)), BITCOIN, "candles:BTC", NOON_MS - 2 * BAR_MS, NOON_MS)
    assert times_of(page.harvest, "candle.4h.open") == [NOON_MS - BAR_MS]
    assert page.harvest.rejected == ["binance: BTC: gap: no candle from 2025-03-12T04:00:00Z to 2025-03-12T08:00:00Z"]


async def test_candle_pages_cover_two_years_and_end(binance: Binance) -> None:
    net, pages = SampleNet({**samples("binance"), "GET /fapi/v1/klines": []}), 0
    at: int | None = NOON_MS - 730 * DAY
    while at is not None:
        page = await binance.page(ports(net), BITCOIN, "candles:BTC", at, NOON_MS)
        assert page.next_ms is None or page.next_ms > at
        at = page.next_ms
        pages += 1
    assert pages == 9
    assert {int(question["limit"]) for question in net.questions if "limit" in question} <= set(range(1, 501))


async def test_a_stream_of_a_market_that_is_not_listed_is_one_empty_page() -> None:
    venue = Binance()
    page = await venue.page(ports(SampleNet(samples("binance"))), Watch(assets=("BTC", "NOPE")), "funding:NOPE", 0, NOON_MS)
    assert page.next_ms is None
    assert page.harvest.rejected == ["binance: NOPE: no market NOPE/USDT:USDT here"]
    await venue.close()


@pytest.mark.parametrize("stream", ["funding:BTC", "candles:BTC"])
async def test_a_venue_that_repeats_its_newest_page_is_caught_f_023(binance: Binance, stream: str) -> None:
    with pytest.raises(BadPayload, match="the answer is about another time"):
        await binance.page(ports(SampleNet(samples("binance"))), BITCOIN, stream, NOON_MS - 90 * DAY, NOON_MS - 80 * DAY)


@pytest.mark.parametrize("venue", [Binance(), Bybit(), Hyperliquid(), Dydx()])
def test_a_venue_has_nothing_to_do_for_an_empty_watch(venue: CcxtVenue) -> None:
    assert venue.provides(Watch()) == frozenset()
    assert venue.streams(Watch()) == ()


async def test_an_empty_watch_asks_nothing(binance: Binance) -> None:
    net = SampleNet({})
    assert await binance.poll(ports(net), Watch()) == Harvest()
    assert net.asked == []


async def test_a_net_that_lends_no_sessions_is_a_permanent_failure(binance: Binance) -> None:
    with pytest.raises(SourceError) as caught:
        await binance.poll(ports(object()), BITCOIN)
    assert caught.value.permanent


async def test_an_open_connection_is_no_setting(binance: Binance) -> None:
    before = settings_of(binance)
    await binance.poll(ports(SampleNet(samples("binance"))), BITCOIN)
    assert settings_of(binance) == before == settings_of(Binance())
    assert binance == Binance()


async def test_a_poll_and_a_page_that_start_together_share_one_connection(binance: Binance) -> None:
    net = SampleNet(samples("binance"))
    polled = binance.poll(ports(net), BITCOIN)
    await asyncio.gather(polled, binance.page(ports(net), BITCOIN, "candles:BTC", NOON_MS - BAR_MS, NOON_MS))
    assert net.sessions == 1
    assert net.asked.count(MARKETS) == 1


async def test_a_closed_venue_can_be_polled_again(binance: Binance) -> None:
    net = SampleNet(samples("binance"))
    await binance.poll(ports(net), BITCOIN)
    await binance.close()
    await binance.close()
    assert (await binance.poll(ports(net), BITCOIN)).rejected == []


async def test_a_probe_names_the_first_refused_row(binance: Binance) -> None:
    bodies = samples("binance")
    bodies[FUNDING][3]["fundingRate"] = "1_000"
    with pytest.raises(BadPayload, match=r"1 of .* rows refused, first: binance: BTC: settled funding"):
        await binance.probe(ports(SampleNet(bodies)), BITCOIN)


def test_an_endpoint_replaces_scheme_host_and_port_of_every_url_and_keeps_paths() -> None:
    urls = {"public": "https://api.{hostname}/v5", "nested": {"fapi": "https://fapi.example:8443/fapi/v1"}, "none": None}
    assert redirected(urls, "http://127.0.0.1:81") == {
        "public": "http://127.0.0.1:81/v5",
        "nested": {"fapi": "http://127.0.0.1:81/fapi/v1"},
        "none": None,
    }
