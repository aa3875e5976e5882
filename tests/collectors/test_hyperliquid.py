"""Hyperliquid's facts, against sample answers of its public interface."""

import pytest

from monitor.collectors.hyperliquid import Hyperliquid
from monitor.core.book import Watch
from monitor.core.door import admit
from monitor.core.units import HOUR
from monitor.errors import BadPayload
from tests.collectors.sample_net import NOON_MS, NOW_MS, SampleNet, ports, samples, unthrottle

WATCH = Watch(assets=("BTC",), spot_assets=("BTC",))
CONTEXTS = "POST /info metaAndAssetCtxs"
HISTORY = "POST /info fundingHistory"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    unthrottle(monkeypatch)


async def poll(bodies: dict[str, object], watch: Watch = WATCH):
    venue, net = Hyperliquid(), SampleNet(bodies)
    try:
        return await venue.poll(ports(net), watch), net
    finally:
        await venue.close()


async def test_a_poll_brings_everything_it_promises_and_nothing_is_refused() -> None:
    harvest, net = await poll(samples("hyperliquid"))
    admission = admit(harvest.readings, source="hyperliquid", received_at=NOW_MS)
    assert (harvest.rejected, admission.rejections) == ([], ())
    assert {(o.metric, o.subject) for o in admission.observations} == Hyperliquid().provides(WATCH)
    assert set(net.asked) == {
        "POST /info metaAndAssetCtxs",
        "POST /info spotMetaAndAssetCtxs",
        "POST /info fundingHistory",
        "POST /info candleSnapshot",
    }


async def test_spot_candles_are_asked_for_by_the_wrapped_tokens_own_pair() -> None:
    _, net = await poll(samples("hyperliquid"))
    coins = [question["req"]["coin"] for question in net.questions if question["type"] == "candleSnapshot"]
    assert coins == ["BTC", "@142"]


async def test_an_hour_is_the_documented_interval_where_one_row_stands_alone_f_004() -> None:
    bodies = samples("hyperliquid")
    del bodies[HISTORY][1:]
    harvest, _ = await poll(bodies)
    assert [r.value for r in harvest.readings if r.metric == "funding.interval_hours"] == [1]


async def test_the_present_state_has_no_time_of_its_own_f_010() -> None:
    harvest, _ = await poll(samples("hyperliquid"))
    assert {(r.metric, r.value) for r in harvest.readings if r.at is None} == {
        ("funding.predicted", 0.0000125),
        ("open_interest.coins", 21000.5),
        ("open_interest.usd", 21000.5 * 82108.0),
        ("perp.mark", 82108.0),
        ("perp.index", 82148.0),
    }


async def test_late_settlements_fall_on_their_hour_f_012() -> None:
    harvest, _ = await poll(samples("hyperliquid"))
    admitted = admit(harvest.readings, source="hyperliquid", received_at=NOW_MS).observations
    assert [o.at for o in admitted if o.metric == "funding.rate"] == [NOON_MS - n * HOUR for n in reversed(range(6))]


async def test_a_market_without_a_row_in_the_contexts_is_named_f_021() -> None:
    bodies = samples("hyperliquid")
    bodies[CONTEXTS][1][0] = {}
    harvest, _ = await poll(bodies)
    assert harvest.rejected[0] == "hyperliquid: BTC: funding.predicted: field funding is missing"
    assert "funding.rate" in {r.metric for r in harvest.readings}


async def test_a_delisted_market_is_refused_f_019() -> None:
    with pytest.raises(BadPayload, match="is not trading"):
        await poll(samples("hyperliquid"), Watch(assets=("MATIC",)))


async def test_a_history_that_is_no_list_is_counted_though_ccxt_reads_it_as_empty_f_022() -> None:
    harvest, _ = await poll({**samples("hyperliquid"), HISTORY: {"rows": []}})
    assert harvest.rejected == ["hyperliquid: BTC: funding: no rows where there must be some"]
