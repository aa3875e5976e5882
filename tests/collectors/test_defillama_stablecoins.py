"""DefiLlama's stablecoins: every peg in dollars, no coin at a dollar by assumption."""

import asyncio
from random import Random

import pytest

from monitor.collectors.defillama_stablecoins import DefiLlamaStablecoins, parse_supplies, parse_total
from monitor.core.book import Watch
from monitor.core.units import DAY, parse_time
from monitor.errors import BadPayload, SourceError
from monitor.source import Ports
from tests.collectors.sample import StillClock
from tests.fakes import FakeNet

RECEIVED = parse_time("2026-11-20T12:00:00Z")
TODAY = parse_time("2026-11-20")
URL = "https://stablecoins.llama.fi/"


def day(at: int, **pegs: object) -> dict[str, object]:
    return {"date": str(at // 1000), "totalCirculating": {"peggedUSD": 1.0}, "totalCirculatingUSD": pegs}


def coin(gecko_id: str, price: object, supply: object) -> dict[str, object]:
    return {"symbol": "USDC", "gecko_id": gecko_id, "price": price, "circulating": {"peggedUSD": supply}}


def test_the_total_is_all_pegs_in_dollars_of_days_that_are_over() -> None:
    rows = [day(TODAY - DAY, peggedUSD=300e9, peggedEUR=1.5e9), day(TODAY, peggedUSD=400e9)]
    harvest = parse_total(rows, RECEIVED, 0)
    assert [(r.metric, r.subject, r.value, r.at) for r in harvest.readings] == [("market_cap.usd", "stablecoins", 301.5e9, TODAY - DAY)]
    assert harvest.rejected == []


@pytest.mark.parametrize(
    ("pegs", "said"),
    [
        ({"peggedEUR": 1.0}, "the coins pegged to the dollar are missing"),
        ({"peggedUSD": 1.0, "peggedEUR": None}, "expected a number"),
        ({"peggedUSD": 1.0, "peggedEUR": -1.0}, "'peggedEUR' is below zero"),
    ],
)
def test_one_damaged_peg_spoils_its_day_and_no_other(pegs: dict[str, object], said: str) -> None:
    harvest = parse_total([day(TODAY - 2 * DAY, **pegs), day(TODAY - DAY, peggedUSD=5.0)], RECEIVED, 0)
    assert [reading.at for reading in harvest.readings] == [TODAY - DAY]
    [reason] = harvest.rejected
    assert reason.startswith("stablecoins 2026-11-18: ") and said in reason


def test_f_073_a_supply_counts_at_its_own_price_and_without_one_not_at_all() -> None:
    body = {
        "peggedAssets": [coin("usd-coin", 0.9, 1000.0), coin("dai", None, 1000.0), coin("tether", 0, 1000.0), coin("usd-coin-fake", 1.0, 7.0), None]
    }
    harvest = parse_supplies(body, {"USDC": "usd-coin", "DAI": "dai", "USDT": "tether", "GHO": "gho"}, RECEIVED)
    assert [(r.subject, r.value, r.at) for r in harvest.readings] == [("USDC", 900.0, RECEIVED)]
    assert harvest.rejected == [
        "supply of DAI: price: expected a number, got None",
        "supply of USDT: price or supply is below zero",
        "supply of GHO: DefiLlama lists no stablecoin with the CoinGecko id 'gho'; correct it in `coins`",
    ]


def test_followed_are_three_and_those_among_the_assets_and_the_settings() -> None:
    source = DefiLlamaStablecoins(coins={"USDX": "usdx-money"})
    subjects = {subject for _, subject in source.provides(Watch(assets=("ETH", "GHO")))}
    assert subjects == {"stablecoins", "USDC", "USDT", "DAI", "GHO", "USDX"}


def test_one_half_that_is_down_leaves_the_other() -> None:
    ports = Ports(FakeNet().answer("GET", URL + "stablecoincharts/all", SourceError("down")), StillClock(RECEIVED), Random(0))
    assert isinstance(ports.net, FakeNet)
    ports.net.answer("GET", URL + "stablecoins", {"peggedAssets": [coin("usd-coin", 1.0, 5.0)]})
    harvest = asyncio.run(DefiLlamaStablecoins().poll(ports, Watch()))
    assert [reading.subject for reading in harvest.readings] == ["USDC"]
    assert "down" in harvest.rejected
    ports.net.answer("GET", URL + "stablecoins", BadPayload("broken"))
    with pytest.raises(SourceError, match="down"):
        asyncio.run(DefiLlamaStablecoins().poll(ports, Watch()))


def test_history_is_the_total_between_its_bounds() -> None:
    rows = [day(TODAY - n * DAY, peggedUSD=float(n)) for n in range(900, 0, -1)]
    ports = Ports(FakeNet().answer("GET", URL, rows), StillClock(RECEIVED), Random(0))
    source = DefiLlamaStablecoins()
    [stream] = source.streams(Watch())
    page = asyncio.run(source.page(ports, Watch(), stream, TODAY - 800 * DAY, TODAY - 798 * DAY))
    assert [r.value for r in page.harvest.readings] == [800.0, 799.0]
    assert page.next_ms is None
