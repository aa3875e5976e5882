"""dYdX's facts, against sample answers of its public interface."""

import pytest

from monitor.collectors.dydx import Dydx
from monitor.core.book import Watch
from monitor.core.door import admit
from monitor.core.units import HOUR
from tests.collectors.sample_net import NOON_MS, NOW_MS, SampleNet, ports, samples, unthrottle

WATCH = Watch(assets=("BTC",), spot_assets=("BTC",))
HISTORY = "GET /v4/historicalFunding/BTC-USD"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    unthrottle(monkeypatch)


async def poll(bodies: dict[str, object]):
    venue, net = Dydx(), SampleNet(bodies)
    try:
        return await venue.poll(ports(net), WATCH), net
    finally:
        await venue.close()


async def test_a_poll_brings_everything_it_promises_and_nothing_is_refused() -> None:
    harvest, net = await poll(samples("dydx"))
    admission = admit(harvest.readings, source="dydx", received_at=NOW_MS)
    assert (harvest.rejected, admission.rejections) == ([], ())
    assert {(o.metric, o.subject) for o in admission.observations} == Dydx().provides(WATCH)
    assert set(net.asked) == {
        "GET /v4/perpetualMarkets",
        "GET /v4/historicalFunding/BTC-USD",
        "GET /v4/candles/perpetualMarkets/BTC-USD",
    }


def test_it_has_no_spot_market_so_promises_none() -> None:
    assert {subject for _, subject in Dydx().provides(WATCH)} == {"BTC"}
    assert Dydx().provides(Watch(spot_assets=("BTC",))) == frozenset()


async def test_settled_rates_fall_on_their_hour_and_cover_one_f_012() -> None:
    harvest, _ = await poll(samples("dydx"))
    admitted = admit(harvest.readings, source="dydx", received_at=NOW_MS).observations
    rates = [(o.at, o.value) for o in admitted if o.metric == "funding.rate"]
    assert rates == [(NOON_MS - n * HOUR, (90 + n) / 1e7) for n in reversed(range(6))]
    assert {o.value for o in admitted if o.metric == "funding.interval_hours"} == {1}


async def test_a_renamed_rate_is_missed_by_name_and_its_neighbours_are_kept_f_021_f_022() -> None:
    bodies = samples("dydx")
    row = bodies[HISTORY]["historicalFunding"][2]
    row["fundingRate"] = row.pop("rate")
    harvest, _ = await poll(bodies)
    assert harvest.rejected == ["dydx: BTC: settled funding at 2025-03-12T10:00:00.411Z: field rate is missing"]
    assert len([r for r in harvest.readings if r.metric == "funding.rate"]) == 5


async def test_dollars_of_open_interest_use_the_oracle_price() -> None:
    harvest, _ = await poll(samples("dydx"))
    assert {r.metric: r.value for r in harvest.readings if r.at is None} == {
        "funding.predicted": 0.0000094,
        "open_interest.coins": 610.25,
        "open_interest.usd": 610.25 * 82147.31,
        "perp.index": 82147.31,
    }
