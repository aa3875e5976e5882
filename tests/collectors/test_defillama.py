"""DefiLlama: day labels, the point of "now", names that vanish, bodies that are too large."""

import asyncio
from random import Random

import pytest

from monitor.collectors.defillama import COIN_IDS, NOW_SOURCE, DefiLlama, token_readings, tvl_readings
from monitor.core.book import Position, Watch
from monitor.core.observation import Reading
from monitor.core.units import DAY, HOUR, MINUTE, parse_time
from monitor.errors import BadPayload, SourceError
from monitor.source import Harvest, Ports
from tests.collectors.sample import StillClock
from tests.fakes import FakeNet

RECEIVED = parse_time("2026-11-20T12:00:00Z")
TODAY = parse_time("2026-11-20")
COINS: dict[str, object] = {
    f"coingecko:{coin}": {"price": 1.0, "symbol": coin, "timestamp": RECEIVED // 1000, "confidence": 0.99} for coin in ("usd-coin", "tether", "dai")
}


def points(*rows: tuple[int, object]) -> list[object]:
    return [{"date": at // 1000, "tvl": value} for at, value in rows]


def read(rows: list[object]) -> Harvest:
    return tvl_readings(rows, "tvl", "chain:ethereum", RECEIVED, RECEIVED - 7 * DAY)


def placed(harvest: Harvest) -> list[tuple[int | None, str, float]]:
    return [(reading.at, reading.source, reading.value) for reading in harvest.readings]


def net(*, protocol: object = None, chain: object = None) -> FakeNet:
    answers = FakeNet().answer("GET", "https://coins.llama.fi/prices/current/", {"coins": COINS})
    answers.answer("GET", "https://api.llama.fi/protocol/", protocol)
    return answers.answer("GET", "https://api.llama.fi/v2/historicalChainTvl/", chain)


def ports(fake: FakeNet) -> Ports:
    return Ports(net=fake, clock=StillClock(RECEIVED), rng=Random(0))


def poll(fake: FakeNet, *subjects: str, collector: DefiLlama | None = None) -> Harvest:
    return asyncio.run((collector or DefiLlama()).poll(ports(fake), Watch(tvl_subjects=subjects)))


@pytest.mark.parametrize(
    ("newest", "at", "source"),
    [
        pytest.param(TODAY, RECEIVED, NOW_SOURCE, id="today's label holds the latest hour, not midnight"),
        pytest.param(TODAY + DAY, RECEIVED, NOW_SOURCE, id="a label rounded up to tomorrow is still now"),
        pytest.param(RECEIVED - 50 * MINUTE, RECEIVED - 50 * MINUTE, NOW_SOURCE, id="a stamp of its own is kept"),
        pytest.param(RECEIVED + MINUTE, RECEIVED + MINUTE, NOW_SOURCE, id="a clock one minute ahead is kept"),
        pytest.param(RECEIVED + 3 * MINUTE, RECEIVED, NOW_SOURCE, id="a stamp in the future is the time of receipt"),
        pytest.param(TODAY - 3 * DAY + 5 * HOUR, TODAY - 3 * DAY + 5 * HOUR, NOW_SOURCE, id="an old stamp stays old"),
        pytest.param(TODAY - 2 * DAY, TODAY - 2 * DAY, "", id="a label of the day before yesterday is a day: the series stopped"),
        pytest.param(RECEIVED - DAY, RECEIVED - DAY, NOW_SOURCE, id="noon of yesterday is no label"),
    ],
)
def test_the_newest_point_is_kept_apart_from_the_days(newest: int, at: int, source: str) -> None:
    """F-038, F-040: a stopped series must not look fresh by being stamped with the time of receipt."""
    harvest = read(points((TODAY - 4 * DAY, 5.0), (newest, 4.0)))
    assert placed(harvest) == [(TODAY - 4 * DAY, "", 5.0), (at, source, 4.0)]
    assert not harvest.rejected


def test_a_second_point_on_one_day_is_left_out_and_counted() -> None:
    """F-038"""
    harvest = read(points((TODAY - 2 * DAY, 5.0), (TODAY - 2 * DAY + HOUR, 6.0), (RECEIVED, 4.0)))
    assert placed(harvest)[0] == (TODAY - 2 * DAY, "", 5.0)
    assert harvest.rejected == ["chain:ethereum: two points on the day 2026-11-18, the later one is left out"]


@pytest.mark.parametrize(("shift", "kept"), [(0, True), (-2 * HOUR, True), (2 * HOUR, True), (2 * HOUR + 1000, False), (12 * HOUR, False)])
def test_a_label_shifted_by_up_to_two_hours_is_its_day_and_no_further(shift: int, kept: bool) -> None:
    """F-038"""
    harvest = read(points((TODAY - 2 * DAY + shift, 5.0), (RECEIVED, 4.0)))
    assert ((TODAY - 2 * DAY, "", 5.0) in placed(harvest)) is kept
    assert bool(harvest.rejected) is not kept


def test_zero_is_a_value_and_null_is_none() -> None:
    """F-033, F-034: a true drain must reach the rule, an absent value must not look like one."""
    harvest = read(points((TODAY - 3 * DAY, 0), (TODAY - 2 * DAY, None), (RECEIVED, 0.0)))
    assert placed(harvest) == [(TODAY - 3 * DAY, "", 0.0), (RECEIVED, NOW_SOURCE, 0.0)]
    assert len(harvest.rejected) == 1
    assert "chain:ethereum 2026-11-18" in harvest.rejected[0]


def test_an_empty_series_is_refused_by_name() -> None:
    """F-034"""
    with pytest.raises(BadPayload, match="chain:ethereum: the series is empty"):
        read([])


def test_only_the_tokens_worth_most_today_are_followed_and_odd_symbols_are_not() -> None:
    day = {"date": (TODAY - DAY) // 1000}
    amounts = {"WETH": 10.0, "DUST": 9e9, "USDC": 50.0, "bad symbol!": 1.0}
    worth = {"WETH": 30_000.0, "DUST": 1.0, "USDC": 50.0, "bad symbol!": 1e9}
    body = {"tokens": [day | {"tokens": amounts}], "tokensInUsd": [day | {"tokens": worth}]}
    harvest = token_readings(body, "protocol:x", RECEIVED + DAY, 0, 2)
    assert [reading.metric for reading in harvest.readings] == ["tvl.tokens.WETH", "tvl.tokens.USDC"]


@pytest.mark.parametrize("status", [400, 404])
def test_a_protocol_that_was_renamed_is_named_and_not_zero(status: int) -> None:
    """F-034"""
    fake = net(protocol=SourceError("no", status=status), chain=points((TODAY - DAY, 5.0), (RECEIVED, 4.0)))
    fake.answer("GET", "https://api.llama.fi/tvl/", SourceError("no", status=status))
    harvest = poll(fake, "protocol:aave-v9", "chain:ethereum")
    assert {reading.subject for reading in harvest.readings if reading.metric == "tvl.usd"} == {"chain:ethereum"}
    assert any("protocol:aave-v9: DefiLlama knows nothing called 'aave-v9'" in reason for reason in harvest.rejected)


def test_a_deployment_that_left_the_chain_is_named_and_the_protocol_stays() -> None:
    """F-034: a parent that was split, or a chain that was renamed."""
    series = [{"date": RECEIVED // 1000, "totalLiquidityUSD": 7.0}]
    fake = net(protocol={"tvl": series, "chainTvls": {"Ethereum-borrowed": {"tvl": series}}})
    harvest = poll(fake, "protocol:aave-v3", "protocol:aave-v3@ethereum")
    assert [reading.subject for reading in harvest.readings if reading.metric == "tvl.usd"] == ["protocol:aave-v3"]
    assert harvest.rejected == ["protocol:aave-v3@ethereum: DefiLlama lists no deployment on 'Ethereum' any more"]


def test_borrowed_and_staked_components_never_stand_in_for_a_deployment() -> None:
    """F-037: only the component named after the chain is its TVL."""
    component = {"tvl": [{"date": RECEIVED // 1000, "totalLiquidityUSD": 7.0}]}
    fake = net(protocol={"tvl": [], "chainTvls": {"Ethereum": component, "Ethereum-staking": component, "staking": component}})
    harvest = poll(fake, "protocol:x@ethereum")
    assert [reading.value for reading in harvest.readings if reading.metric == "tvl.usd"] == [7.0]


def test_f_037_what_tvl_leaves_out_is_collected_beside_it() -> None:
    """F-037: of the protocol under the part's name, of one chain under the chain's; what is no part of ours is a chain."""

    def worth(usd: float) -> dict[str, object]:
        return {"tvl": [{"date": (TODAY - DAY) // 1000, "totalLiquidityUSD": 1.0}, {"date": RECEIVED // 1000, "totalLiquidityUSD": usd}]}

    parts = {"staking": worth(5.0), "Ethereum": worth(9.0), "Ethereum-borrowed": worth(6.0), "Base-borrowed": worth(7.0), "pool2": {"tvl": []}}
    harvest = poll(net(protocol={**worth(9.0), "chainTvls": parts}), "protocol:x", "protocol:x@ethereum")
    apart = [(r.metric, r.subject, r.source, r.value) for r in harvest.readings if r.metric.startswith("tvl.apart.")]
    assert apart == [
        ("tvl.apart.staking", "protocol:x", "", 1.0),
        ("tvl.apart.staking", "protocol:x", NOW_SOURCE, 5.0),
        ("tvl.apart.borrowed", "protocol:x@ethereum", "", 1.0),
        ("tvl.apart.borrowed", "protocol:x@ethereum", NOW_SOURCE, 6.0),
    ]
    assert harvest.rejected == []


def test_f_037_a_part_that_is_null_is_refused_and_never_0_and_tvl_stays() -> None:
    series = [{"date": RECEIVED // 1000, "totalLiquidityUSD": 7.0}]
    null = {"tvl": [{"date": RECEIVED // 1000, "totalLiquidityUSD": None}]}
    harvest = poll(net(protocol={"tvl": series, "chainTvls": {"staking": null}}), "protocol:x")
    assert [reading.metric for reading in harvest.readings if reading.subject == "protocol:x"] == ["tvl.usd"]
    assert len(harvest.rejected) == 1 and "totalLiquidityUSD" in harvest.rejected[0]


@pytest.mark.parametrize(
    ("chain", "listed"),
    [("optimism", "OP Mainnet"), ("optimism", "Optimism"), ("bsc", "Binance"), ("base", "Base"), ("immutable-zkevm", "Mine")],
)
def test_a_chain_is_found_under_the_names_that_defillama_gives_it(chain: str, listed: str) -> None:
    component = {"tvl": [{"date": RECEIVED // 1000, "totalLiquidityUSD": 7.0}]}
    fake = net(protocol={"tvl": [], "chainTvls": {listed: component}})
    harvest = poll(fake, f"protocol:x@{chain}", collector=DefiLlama(chain_names={"immutable-zkevm": "Mine"}))
    assert [reading.subject for reading in harvest.readings if reading.metric == "tvl.usd"] == [f"protocol:x@{chain}"]


def test_a_body_over_its_limit_falls_back_to_the_current_number_and_says_so() -> None:
    """A protocol's body can be tens of megabytes: it is bounded, and the whole-protocol value is still seen."""
    huge = {"tvl": [{"date": RECEIVED // 1000, "totalLiquidityUSD": 7.0}] * 100}
    fake = net(protocol=huge).answer("GET", "https://api.llama.fi/tvl/x", 9.5)
    harvest = poll(fake, "protocol:x", "protocol:x@ethereum", collector=DefiLlama(body_limit_bytes=1000))
    assert Reading("tvl.usd", "protocol:x", 9.5, RECEIVED, source=NOW_SOURCE) in harvest.readings
    assert len(harvest.rejected) == 1
    assert fake.count("GET", "https://api.llama.fi/protocol/x") == 1


def test_one_body_serves_every_subject_of_its_protocol() -> None:
    series = [{"date": RECEIVED // 1000, "totalLiquidityUSD": 7.0}]
    fake = net(protocol={"tvl": series, "chainTvls": {"Base": {"tvl": series}, "Ethereum": {"tvl": series}}})
    poll(fake, "protocol:x", "protocol:x@base", "protocol:x@ethereum")
    assert fake.count("GET", "https://api.llama.fi/protocol/") == 1


def test_a_pass_in_which_everything_failed_fails() -> None:
    fake = FakeNet().answer("GET", "https://", SourceError("down"))
    with pytest.raises(SourceError, match="down"):
        poll(fake, "chain:ethereum")


def test_an_endpoint_replaces_every_host() -> None:
    fake = FakeNet().answer("GET", "http://127.0.0.1:9/mirror/", SourceError("down"))
    with pytest.raises(SourceError, match="down"):
        poll(fake, "chain:ethereum", "protocol:x@base", collector=DefiLlama(endpoint="http://127.0.0.1:9/mirror"))
    assert fake.count() == fake.count(url_prefix="http://127.0.0.1:9/mirror/") == 3


@pytest.mark.parametrize(("confidence", "kept"), [(0.9, True), (0.89, False)])
def test_a_price_of_low_confidence_is_refused(confidence: float, kept: bool) -> None:
    coins = COINS | {"coingecko:dai": {"price": 1.0, "timestamp": RECEIVED // 1000, "confidence": confidence}}
    harvest = poll(FakeNet().answer("GET", "https://coins.llama.fi/", {"coins": coins}))
    assert ("DAI" in {reading.subject for reading in harvest.readings}) is kept
    assert bool(harvest.rejected) is not kept


def test_history_is_days_alone_from_the_first_instant_to_before_the_last() -> None:
    fake = net(chain=points(*[(TODAY - n * DAY, float(n)) for n in range(5, 0, -1)], (RECEIVED, 9.0)))
    watch = Watch(tvl_subjects=("chain:ethereum",))
    page = asyncio.run(DefiLlama().page(ports(fake), watch, "tvl.usd/chain:ethereum", TODAY - 4 * DAY, TODAY - 2 * DAY))
    assert [reading.at for reading in page.harvest.readings] == [TODAY - 4 * DAY, TODAY - 3 * DAY]
    assert page.next_ms is None


def test_history_is_days_alone_up_to_an_end_that_is_after_now() -> None:
    """F-038: the point of now would be a day's for good."""
    fake = net(chain=points((TODAY - DAY, 8.0), (RECEIVED, 9.0)))
    page = asyncio.run(
        DefiLlama().page(ports(fake), Watch(tvl_subjects=("chain:ethereum",)), "tvl.usd/chain:ethereum", TODAY - 4 * DAY, RECEIVED + DAY)
    )
    assert placed(page.harvest) == [(TODAY - DAY, "", 8.0)]


def test_a_history_of_prices_goes_on_where_its_page_ended() -> None:
    start, end = TODAY - 700 * DAY, TODAY
    prices = [{"timestamp": (start + n * DAY) // 1000, "price": 100.0 + n} for n in range(502)]
    chart = {"coins": {"coingecko:dai": {"symbol": "DAI", "confidence": 0.99, "prices": prices}}}
    fake = FakeNet().answer("GET", "https://coins.llama.fi/chart/", chart)
    collector, watch = DefiLlama(), Watch()
    assert "price.usd/DAI" in collector.streams(watch)
    page = asyncio.run(collector.page(ports(fake), watch, "price.usd/DAI", start, end))
    assert len(page.harvest.readings) == 500
    assert page.next_ms == start + 500 * DAY
    assert fake.calls[0].params == {"start": start // 1000, "span": 500, "period": "1d"}
    assert asyncio.run(collector.page(ports(fake), watch, "price.usd/DAI", page.next_ms, end)).next_ms is None


def test_the_probe_says_what_was_seen_or_what_was_refused() -> None:
    watch = Watch(tvl_subjects=("chain:ethereum",))
    fine = net(chain=points((TODAY - DAY, 68e9), (RECEIVED, 69.5e9)))
    assert asyncio.run(DefiLlama().probe(ports(fine), watch)) == "chain:ethereum 69.50 bn USD, 5 values"
    broken = net(chain=points((TODAY - DAY, None), (RECEIVED, 69.5e9)))
    with pytest.raises(BadPayload, match="1 of 5 rows refused, first: chain:ethereum 2026-11-19"):
        asyncio.run(DefiLlama().probe(ports(broken), watch))


def test_a_coin_that_is_added_is_priced_though_nobody_holds_it() -> None:
    """What a treasury holds is no asset of the book, and still needs a price."""
    collector = DefiLlama(coins={"WSTETH": "wrapped-steth"})
    assert ("price.usd", "WSTETH") in collector.provides(Watch())
    assert "price.usd/WSTETH" in collector.streams(Watch())


def test_the_staked_tokens_that_positions_name_are_priced_since_they_count_by_their_own_price():
    held = Position(id="w", kind="tokens", amounts={"WSTETH": 1.0, "RETH": 1.0, "CBETH": 1.0, "ETH": 1.0})
    priced = {subject for metric, subject in DefiLlama().provides(Watch(positions=(held,))) if metric == "price.usd"}
    assert priced == {"USDC", "USDT", "DAI", "WSTETH", "RETH", "CBETH"}
    assert (COIN_IDS["RETH"], COIN_IDS["CBETH"]) == ("rocket-pool-eth", "coinbase-wrapped-staked-eth")
