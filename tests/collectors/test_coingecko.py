"""CoinGecko: what it does not know it writes as 0, and a year is all that it gives away."""

import asyncio
from random import Random

import pytest

from monitor.collectors.coingecko import CoinGecko, parse_caps, parse_history
from monitor.core.book import Watch
from monitor.core.units import DAY, HOUR, parse_time
from monitor.errors import BadPayload, SourceError
from monitor.source import Ports
from tests.collectors.sample import StillClock
from tests.fakes import FakeNet

RECEIVED = parse_time("2026-11-20T12:00:00Z")
TODAY = parse_time("2026-11-20")
API = "https://api.coingecko.com/api/v3"
WATCH = Watch(tvl_subjects=("chain:base", "protocol:uniswap-v3", "protocol:uniswap-v3@base", "protocol:unheard-of"))
GLOBAL = {"data": {"total_market_cap": {"usd": 3e12}, "updated_at": RECEIVED // 1000}}
UNI = {"usd_market_cap": 4e9, "last_updated_at": RECEIVED // 1000}


def ports(fake: FakeNet) -> Ports:
    return Ports(net=fake, clock=StillClock(RECEIVED), rng=Random(0))


def net(total: object = GLOBAL, caps: object = None) -> FakeNet:
    return FakeNet().answer("GET", f"{API}/global", total).answer("GET", f"{API}/simple/price", caps or {"uniswap": UNI})


def test_a_protocol_without_a_known_token_is_neither_promised_nor_asked_for() -> None:
    assert CoinGecko().provides(WATCH) == {("market_cap.usd", "crypto"), ("market_cap.usd", "protocol:uniswap-v3")}
    fake = net()
    harvest = asyncio.run(CoinGecko().poll(ports(fake), WATCH))
    assert {(r.subject, r.value, r.at) for r in harvest.readings} == {("crypto", 3e12, RECEIVED), ("protocol:uniswap-v3", 4e9, RECEIVED)}
    assert fake.calls[1].params["ids"] == "uniswap"
    asyncio.run(CoinGecko().poll(ports(fake), Watch()))
    assert fake.count("GET", f"{API}/simple/price") == 1


def test_one_half_that_is_down_leaves_the_other() -> None:
    harvest = asyncio.run(CoinGecko().poll(ports(net(total=SourceError("down"))), WATCH))
    assert [reading.subject for reading in harvest.readings] == ["protocol:uniswap-v3"]
    assert harvest.rejected == ["down"]
    with pytest.raises(SourceError, match="down"):
        asyncio.run(CoinGecko().poll(ports(net(total=SourceError("down"))), Watch()))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (UNI | {"usd_market_cap": 0}, "stands for a market cap that is not known"),
        (UNI | {"usd_market_cap": None}, "expected a number"),
        ({"usd_market_cap": 4e9}, "last_updated_at is missing"),
    ],
)
def test_f_034_a_token_without_a_market_cap_is_named_and_not_zero(row: object, said: str) -> None:
    harvest = parse_caps({"uniswap": row}, {"protocol:uniswap-v3": "uniswap", "protocol:x": "gone"})
    assert harvest.readings == []
    assert said in harvest.rejected[0] and harvest.rejected[0].startswith("market cap of protocol:uniswap-v3: ")
    assert harvest.rejected[1] == "market cap of protocol:x: gone is missing; CoinGecko's id of its token is set in `coins`"


def test_a_total_of_zero_is_refused() -> None:
    with pytest.raises(BadPayload, match="not known"):
        asyncio.run(CoinGecko().poll(ports(net(total={"data": {"total_market_cap": {"usd": 0}, "updated_at": 1}})), Watch()))


def test_history_is_asked_for_one_year_at_most_and_its_newest_row_is_no_day_s() -> None:
    source = CoinGecko()
    assert source.streams(WATCH) == ("market_cap.usd/protocol:uniswap-v3",)
    rows = [[TODAY - n * DAY, 1e9 + n] for n in range(365, -1, -1)]
    fake = FakeNet().answer("GET", f"{API}/coins/uniswap/market_chart", {"market_caps": [*rows, [RECEIVED, 9e9]]})
    for from_ms, days in ((parse_time("2020-01-01"), 365), (TODAY - 2 * DAY, 3), (RECEIVED, 1)):
        page = asyncio.run(source.page(ports(fake), WATCH, "market_cap.usd/protocol:uniswap-v3", from_ms, RECEIVED))
        assert fake.calls[-1].params == {"vs_currency": "usd", "days": days, "interval": "daily"}
        assert page.next_ms is None
        assert all(r.at is not None and r.at >= from_ms and r.at % DAY == 0 for r in page.harvest.readings)
    assert page.harvest.rejected == []


@pytest.mark.parametrize("late_ms", [-HOUR, HOUR // 2, HOUR])
def test_the_newest_row_is_no_day_s_though_it_be_near_midnight(late_ms: int) -> None:
    """Its value is of its own time: under the day it would replace the one of midnight."""
    received = TODAY + late_ms
    rows = [[day, 1e9] for day in (TODAY - 2 * DAY, TODAY - DAY, TODAY) if day <= received]
    harvest = parse_history({"market_caps": [*rows, [received - 30_000, 9e9]]}, "protocol:x", received, 0, received + DAY)
    assert [(r.at, r.value) for r in harvest.readings] == [(day, 1e9) for day, _ in rows] and harvest.rejected == []


def test_a_row_of_no_day_is_refused() -> None:
    harvest = parse_history({"market_caps": [[TODAY - 5 * DAY + 3 * HOUR, 1.0], [TODAY - 4 * DAY + HOUR, 2.0]]}, "protocol:x", RECEIVED, 0, RECEIVED)
    assert [(r.at, r.value) for r in harvest.readings] == [(TODAY - 4 * DAY, 2.0)]
    assert harvest.rejected == ["market cap of protocol:x: a row is of no day: days begin at midnight UTC"]


def test_an_id_is_set_by_protocol() -> None:
    assert ("market_cap.usd", "protocol:unheard-of") in CoinGecko(coins={"protocol:unheard-of": "gem"}).provides(WATCH)
