"""Binance's facts, against sample answers of its public interface."""

import pytest

from monitor.collectors.binance import Binance
from monitor.core.book import Watch
from monitor.core.door import admit
from monitor.core.units import HOUR
from tests.collectors.sample_net import NOON_MS, NOW_MS, SampleNet, ports, samples, unthrottle

WATCH = Watch(assets=("BTC",), spot_assets=("BTC",))


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    unthrottle(monkeypatch)


async def poll(bodies: dict[str, object], watch: Watch = WATCH):
    venue, net = Binance(), SampleNet(bodies)
    harvest = await venue.poll(ports(net), watch)
    await venue.close()
    return harvest, net


async def test_a_poll_brings_everything_it_promises_and_nothing_is_refused() -> None:
    harvest, net = await poll(samples("binance"))
    admission = admit(harvest.readings, source="binance", received_at=NOW_MS)
    assert (harvest.rejected, admission.rejections) == ([], ())
    assert {(o.metric, o.subject) for o in admission.observations} == Binance().provides(WATCH)
    assert net.asked == [
        "GET /fapi/v1/exchangeInfo",
        "GET /api/v3/exchangeInfo",
        "GET /fapi/v1/fundingInfo",
        "GET /fapi/v1/openInterest",
        "GET /fapi/v1/premiumIndex",
        "GET /fapi/v1/fundingRate",
        "GET /fapi/v1/klines",
        "GET /api/v3/klines",
    ]


async def test_a_change_from_eight_hours_to_one_makes_no_jump_in_annualised_funding_f_005() -> None:
    harvest, _ = await poll(samples("binance"))
    observed = admit(harvest.readings, source="binance", received_at=NOW_MS).observations
    rates = {o.at: o.value for o in observed if o.metric == "funding.rate"}
    hours = {o.at: o.value for o in observed if o.metric == "funding.interval_hours"}
    assert sorted(hours.values()) == [1, 1, 1, 1, 8, 8, 8]
    assert [rates[at] * 8760 / hours[at] for at in sorted(rates)] == pytest.approx([0.0876] * 7)


async def test_the_present_state_is_dated_by_the_venue_and_dollars_are_coins_times_mark() -> None:
    harvest, _ = await poll(samples("binance"))
    state = {r.metric: (r.value, r.at) for r in harvest.readings if r.metric.startswith(("perp", "open", "funding.pred"))}
    at = NOON_MS + 1_799_000
    assert state == {
        "funding.predicted": (0.0000125, at),
        "perp.mark": (82110.5, at),
        "perp.index": (82150.25, at),
        "open_interest.coins": (80000.5, at),
        "open_interest.usd": (80000.5 * 82110.5, at),
    }


async def test_a_market_absent_from_the_table_of_intervals_is_told_by_its_settlements_f_004() -> None:
    bodies = samples("binance")
    bodies["GET /fapi/v1/fundingInfo"] = []
    bodies["GET /fapi/v1/fundingRate"] = bodies["GET /fapi/v1/fundingRate"][:4]
    harvest, _ = await poll(bodies)
    assert [(r.at, r.value) for r in harvest.readings if r.metric == "funding.interval_hours"] == [
        (NOON_MS - 20 * HOUR, 8),
        (NOON_MS - 12 * HOUR + 1, 8),
        (NOON_MS - 4 * HOUR, 8),
    ]


@pytest.mark.parametrize("text", ["999", "1800000", "eight", 0])
async def test_an_interval_that_no_market_has_is_counted_and_never_used_f_006(text: object) -> None:
    bodies = samples("binance")
    bodies["GET /fapi/v1/fundingInfo"][0]["fundingIntervalHours"] = text
    harvest, _ = await poll(bodies)
    assert {r.value for r in harvest.readings if r.metric == "funding.interval_hours"} == {1, 8}
    assert len(harvest.rejected) == 1


async def test_open_interest_that_fails_costs_no_price() -> None:
    bodies = samples("binance")
    bodies["GET /fapi/v1/openInterest"] = {"symbol": "BTCUSDT", "interest": "5", "time": NOON_MS}
    harvest, _ = await poll(bodies)
    assert harvest.rejected == ["binance: BTC: open_interest.coins: field openInterest is missing"]
    assert "perp.mark" in {r.metric for r in harvest.readings}


async def test_a_spot_pair_is_charted_without_any_perpetual() -> None:
    harvest, net = await poll(samples("binance"), Watch(spot_assets=("BTC",)))
    assert {r.subject for r in harvest.readings} == {"spot:BTC"}
    assert net.asked == ["GET /api/v3/exchangeInfo", "GET /api/v3/klines"]
    assert net.questions[0] == {"symbol": "BTCUSDT"}
