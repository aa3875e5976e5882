"""Bybit's facts, against sample answers of its public interface."""

import pytest

from monitor.collectors.bybit import Bybit
from monitor.core.book import Watch
from monitor.core.door import admit
from monitor.core.units import HOUR
from monitor.errors import SourceError
from tests.collectors.sample_net import NOON_MS, NOW_MS, SampleNet, ports, samples, unthrottle

WATCH = Watch(assets=("BTC",), spot_assets=("BTC",))
HISTORY = "GET /v5/market/funding/history"
TICKERS = "GET /v5/market/tickers"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    unthrottle(monkeypatch)


async def poll(bodies: dict[str, object]):
    venue, net = Bybit(), SampleNet(bodies)
    try:
        return await venue.poll(ports(net), WATCH), net
    finally:
        await venue.close()


async def test_a_poll_brings_everything_it_promises_and_nothing_is_refused() -> None:
    harvest, net = await poll(samples("bybit"))
    admission = admit(harvest.readings, source="bybit", received_at=NOW_MS)
    assert (harvest.rejected, admission.rejections) == ([], ())
    assert {(o.metric, o.subject) for o in admission.observations} == Bybit().provides(WATCH)
    assert sorted(net.asked) == [
        "GET /v5/market/funding/history",
        "GET /v5/market/instruments-info linear",
        "GET /v5/market/instruments-info linear",
        "GET /v5/market/instruments-info spot",
        "GET /v5/market/kline",
        "GET /v5/market/kline",
        "GET /v5/market/tickers",
    ]


async def test_a_newest_first_history_reads_as_any_other_with_its_intervals() -> None:
    harvest, _ = await poll(samples("bybit"))
    rows = [(r.metric, r.at, r.value) for r in harvest.readings if r.at and r.metric in {"funding.rate", "funding.interval_hours"}]
    times = [NOON_MS - hours * HOUR for hours in (20, 12, 4)]
    assert rows == [
        row
        for at, rate in zip(times, (0.000063, 0.000062, 0.000061), strict=True)
        for row in (("funding.rate", at, rate), ("funding.interval_hours", at, 8.0))
    ]


async def test_one_settlement_alone_takes_its_interval_from_the_ticker_f_004() -> None:
    bodies = samples("bybit")
    del bodies[HISTORY]["result"]["list"][1:]
    harvest, _ = await poll(bodies)
    assert [r.value for r in harvest.readings if r.metric == "funding.interval_hours"] == [8]


@pytest.mark.parametrize("text", ["480", "1800000", "8h"])
async def test_an_interval_in_other_units_is_counted_and_not_used_f_006(text: str) -> None:
    bodies = samples("bybit")
    del bodies[HISTORY]["result"]["list"][1:]
    bodies[TICKERS]["result"]["list"][0]["fundingIntervalHour"] = text
    harvest, _ = await poll(bodies)
    assert [r.value for r in harvest.readings if r.metric == "funding.interval_hours"] == []
    assert len(harvest.rejected) == 1


async def test_predicted_and_settled_funding_are_two_series_f_008() -> None:
    harvest, _ = await poll(samples("bybit"))
    predicted = [(r.value, r.at) for r in harvest.readings if r.metric == "funding.predicted"]
    assert predicted == [(0.000075, NOON_MS + 1_799_000)]
    assert 0.000075 not in [r.value for r in harvest.readings if r.metric == "funding.rate"]


async def test_open_interest_is_taken_in_both_units_as_the_venue_gives_it() -> None:
    harvest, _ = await poll(samples("bybit"))
    values = {r.metric: r.value for r in harvest.readings if r.metric.startswith("open_interest")}
    assert values == {"open_interest.coins": 52000.25, "open_interest.usd": 4269865328.10}


async def test_too_many_visits_under_status_200_are_a_passing_failure() -> None:
    bodies = samples("bybit")
    bodies[HISTORY] = {"retCode": 10006, "retMsg": "Too many visits!", "result": {}, "retExtInfo": {}, "time": NOON_MS}
    with pytest.raises(SourceError, match="RateLimitExceeded"):
        await poll(bodies)
