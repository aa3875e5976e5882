"""The Compound v3 collector against a node out of tables, with conversions worked by hand; nothing here was checked against deployed code."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from monitor.chain import Call
from monitor.clock import SystemClock
from monitor.collectors.compound_v3 import AssetInfo, CompoundV3, Pledge, health, utilisation
from monitor.core.aave import HEALTHIEST, NO_DEBT, WAD, apy
from monitor.core.book import Chain, Position, Watch
from monitor.core.door import admit
from monitor.core.scope import lending_subjects
from monitor.errors import SourceError
from monitor.registry import build
from monitor.source import Harvest, Ports
from tests.fake_chain import FakeChain
from tests.fakes import FakeNet

RPC, OTHER = "https://node.test/key", "https://other.test/"
COMET, FEED, ETHER_FEED = ("0x" + digit * 40 for digit in "cde")
USDC, WETH, ODD = ("0x" + "0" * 39 + digit for digit in "123")
ACCOUNT = "0x" + "7" * 40
NOW = 1_700_000_000
MARKET = "lending:local/compound-v3/USDC"
GONE = (b"", False)
SHARE = 8 * 10**17
# 1,000,000,000 / 1e18 a second x 31,536,000 seconds = 3.1536% a year; 1,500,000,000 make 4.7304%.
SUPPLY_RATE, BORROW_RATE = 10**9, 15 * 10**8


def comet(function: str, *args: object) -> Call:
    return Call(COMET, "compound_v3_comet", function, args)


def info(place: int, token: str, feed: str, decimals: int, factor: int) -> tuple[object, ...]:
    return (place, token, feed, 10**decimals, factor - 5 * 10**16, factor, 93 * 10**16, 350_000 * 10**decimals)


def clock(chain: FakeChain, place: str, updated: int) -> None:
    for name in ("latestTimestamp", "ASSET_TO_USD_AGGREGATOR", "BASE_TO_USD_AGGREGATOR"):
        chain.say_raw(Call(place, "price_feed", name), *GONE)
    chain.say(Call(place, "price_feed", "latestRoundData"), 1, 10**8, updated, updated, 1)


def node(**settings: Any) -> FakeChain:
    """A Comet of USDC with two collaterals, and an account that owes 1000 USDC against 1 WETH."""
    chain = FakeChain(**settings)
    totals = {"baseToken": USDC, "baseScale": 10**6, "totalSupply": 10**13, "totalBorrow": 8 * 10**12, "numAssets": 2, "baseTokenPriceFeed": FEED}
    for name, value in (totals | {"isSupplyPaused": False, "isWithdrawPaused": False}).items():
        chain.say(comet(name), value)
    chain.say(comet("getSupplyRate", SHARE), SUPPLY_RATE)
    chain.say(comet("getBorrowRate", SHARE), BORROW_RATE)
    chain.say(comet("getAssetInfo", 0), *info(0, WETH, ETHER_FEED, 18, 9 * 10**17))
    chain.say(comet("getAssetInfo", 1), *info(1, ODD, FEED, 8, 7 * 10**17))
    for token, symbol, amount in ((WETH, "WETH", 5 * 10**21), (ODD, "st-Odd!", 10**8)):
        chain.say(comet("totalsCollateral", token), amount, 0)
        chain.say(Call(token, "erc20", "symbol"), symbol)
        chain.say(comet("collateralBalanceOf", ACCOUNT, token), 10**18 if token == WETH else 0)
    chain.say(comet("balanceOf", ACCOUNT), 0)
    chain.say(comet("borrowBalanceOf", ACCOUNT), 1000 * 10**6)
    chain.say(comet("getPrice", FEED), 10**8)
    chain.say(comet("getPrice", ETHER_FEED), 2000 * 10**8)
    clock(chain, FEED, NOW - 100)
    clock(chain, ETHER_FEED, NOW - 200)
    return chain


SOURCE = CompoundV3(comets={"local/USDC": COMET})
LOAN = Position(id="loan", kind="compound-v3", chain="local", account=ACCOUNT, assets=("USDC", "WETH"))


def watch(*positions: Position, markets: tuple[str, ...] = (MARKET,), chains: Mapping[str, Chain] | None = None) -> Watch:
    return Watch(lending_subjects=markets, positions=positions, chains=chains or {"local": Chain(rpc=RPC, chain_id=31337)})


def poll(chain: FakeChain, watched: Watch, source: CompoundV3 = SOURCE, other: object = None) -> Harvest:
    net = FakeNet().answer("POST", RPC, chain.reply).answer("POST", OTHER, other)
    return asyncio.run(source.poll(Ports(net, SystemClock(), random.Random(0)), watched))


def values(harvest: Harvest, subject: str = MARKET) -> dict[str, float | int]:
    return {row.metric.partition(".")[2]: row.value for row in harvest.readings if row.subject == subject}


def test_a_market_its_collateral_and_an_account_are_read_at_one_block_and_pass_the_door_whole() -> None:
    harvest = poll(node(), watch(LOAN))
    assert harvest.rejected == []
    assert values(harvest) == {
        "supply_apy": apy(0.031536),
        "borrow_apr": 0.047304,
        "utilisation": 0.8,
        "supplied": 10_000_000.0,
        "borrowed": 8_000_000.0,
        "status": 0.0,
    }
    assert values(harvest, "lending:local/compound-v3-usdc/WETH") == {"supplied": 5000.0, "supply_cap": 350_000.0}
    assert values(harvest, "loan") == {
        "supplied.USDC": 0.0,
        "borrowed.USDC": 1000.0,
        "supplied.WETH": 1.0,
        "borrowed.WETH": 0.0,
        "liquidation_threshold.USDC": 0.0,
        "liquidation_threshold.WETH": 0.9,
        "oracle_age_seconds": 200.0,
        "health_factor": 1.8,
        "collateral_usd": 2000.0,
        "debt_usd": 1000.0,
    }
    assert len({(row.at, row.block_hash) for row in harvest.readings}) == 1
    assert admit(harvest.readings, source="compound-v3", received_at=NOW * 1000).rejections == ()
    assert SOURCE.provides(watch(LOAN)) <= {(row.metric, row.subject) for row in harvest.readings}


@pytest.mark.parametrize(
    ("supplied", "borrowed", "share"),
    [(0, 0, 0), (10, 8, 8 * 10**17), (3, 1, 333_333_333_333_333_333), (3, 2, 666_666_666_666_666_666), (1, 2, 2 * WAD)],
    ids=["empty", "four fifths", "a third is rounded down", "two thirds too", "reserves are lent out as well"],
)
def test_utilisation_by_hand(supplied: int, borrowed: int, share: int) -> None:
    assert utilisation(supplied, borrowed) == share


def test_health_by_hand_rounds_each_collateral_down_as_the_contract_does() -> None:
    ether = AssetInfo(0, WETH, FEED, 10**18, 0, 825 * 10**15, 0, 0)
    pledges = [Pledge(3 * 10**17, 2000 * 10**8, ether), Pledge(1, 2000 * 10**8, ether)]
    assert [pledge.worth for pledge in pledges] == [600 * 10**8, 0]
    assert health(495 * 10**6, 10**8, 10**6, pledges) == WAD
    assert health(495 * 10**6 + 1, 10**8, 10**6, pledges) == WAD - 2_020_202_017  # 49_500_000_000 / 49_500_000_100
    assert health(0, 10**8, 10**6, pledges) == NO_DEBT


def test_rewards_are_no_part_of_a_rate_and_are_never_given_F_079() -> None:
    assert "lending.reward_apr" not in {row.metric for row in poll(node(), watch(LOAN)).readings}


def test_rates_are_asked_at_the_use_that_the_accrued_totals_make_F_077() -> None:
    chain = node()
    chain.say(comet("totalBorrow"), 9 * 10**12)
    chain.say(comet("getSupplyRate", 9 * 10**17), 2 * SUPPLY_RATE)
    chain.say(comet("getBorrowRate", 9 * 10**17), 2 * BORROW_RATE)
    assert values(poll(chain, watch()))["borrow_apr"] == pytest.approx(2 * 0.047304)


@pytest.mark.parametrize("flag", ["isSupplyPaused", "isWithdrawPaused"])
def test_a_market_that_stops_either_way_is_paused(flag: str) -> None:
    chain = node()
    chain.say(comet(flag), True)
    assert values(poll(chain, watch()))["status"] == 2


def test_a_market_that_counts_in_ether_gives_health_and_no_dollars() -> None:
    source = CompoundV3(comets={"local/WETH": COMET}, tokens={"local/USDC": WETH})
    loan = Position(id="loan", kind="compound-v3", chain="local", account=ACCOUNT, assets=("WETH", "USDC"))
    harvest = poll(node(), watch(loan, markets=()), source)
    assert values(harvest, "loan").keys() & {"collateral_usd", "debt_usd"} == set()
    assert values(harvest, "loan")["health_factor"] == 1.8
    assert source.provides(watch(loan, markets=())) <= {(row.metric, row.subject) for row in harvest.readings}


def test_an_account_without_debt_has_the_highest_health_there_is() -> None:
    chain = node()
    chain.say(comet("borrowBalanceOf", ACCOUNT), 0)
    assert values(poll(chain, watch(LOAN)), "loan")["health_factor"] == HEALTHIEST


def test_health_on_a_price_that_is_too_old_is_refused_and_its_age_shown_F_078() -> None:
    chain = node()
    clock(chain, ETHER_FEED, NOW - 26 * 3600 - 1)
    harvest = poll(chain, watch(LOAN))
    assert values(harvest, "loan")["oracle_age_seconds"] == 26 * 3600 + 1
    assert "health_factor" not in values(harvest, "loan")
    assert harvest.rejected == ["loan: the oldest price behind its health is 26.0 h old, older than oracle_limit, 26 h"]


@pytest.mark.parametrize("silent", [(FEED, ETHER_FEED), (FEED,), (ETHER_FEED,)])
def test_no_oldest_price_is_told_while_one_feed_is_silent_F_078(silent: tuple[str, ...]) -> None:
    chain = node()
    for place in silent:
        chain.say_raw(Call(place, "price_feed", "latestRoundData"), *GONE)
    harvest = poll(chain, watch(LOAN))
    assert "oracle_age_seconds" not in values(harvest, "loan")
    assert "health_factor" in values(harvest, "loan")
    silence = "does not say when it answered: how old the prices behind its health are is not known"
    assert harvest.rejected == [f"loan: the price feed {silent[0]} {silence}"]


def test_one_silent_feed_does_not_hide_that_the_other_is_too_old_F_078() -> None:
    chain = node()
    chain.say_raw(Call(FEED, "price_feed", "latestRoundData"), *GONE)
    clock(chain, ETHER_FEED, NOW - 26 * 3600 - 1)
    assert "health_factor" not in values(poll(chain, watch(LOAN)), "loan")


def test_collateral_without_a_usable_name_has_no_reading_and_an_account_s_is_told() -> None:
    chain = node()
    chain.say(comet("collateralBalanceOf", ACCOUNT, ODD), 5)
    harvest = poll(chain, watch(LOAN))
    assert harvest.rejected == ["loan: the account also has st-Odd! as collateral, which its assets do not name: add it there"]
    assert {row.subject for row in harvest.readings} == {MARKET, "lending:local/compound-v3-usdc/WETH", "loan"}


def test_a_token_that_will_not_say_its_symbol_has_no_name() -> None:
    chain = node()
    chain.say_raw(Call(WETH, "erc20", "symbol"), *GONE)
    assert poll(chain, watch(LOAN)).rejected == [
        f"{MARKET}: its collateral {WETH} has no name and so no reading: symbol reverted",
        "loan: 0 collaterals of this market are called WETH: add tokens: {local/WETH: 0x..} to this source",
    ]


@pytest.mark.parametrize("name", ["totalSupply", "totalBorrow", "baseScale", "numAssets", "isSupplyPaused"])
def test_a_missing_part_refuses_the_market_and_is_never_a_zero(name: str) -> None:
    chain = node()
    chain.say_raw(comet(name), *GONE)
    assert poll(chain, watch()) == Harvest([], [f"{MARKET}: {name} reverted"])


@pytest.mark.parametrize(
    ("call", "value", "said"),
    [
        (comet("baseScale"), 10**6 + 1, "which is no power of ten"),
        (comet("totalBorrow"), 21 * 10**12, "has lent more than twice of what was supplied to it"),
        (comet("borrowBalanceOf", ACCOUNT), 8 * 10**12 + 1, "more in this market than the market has in all"),
        (comet("balanceOf", ACCOUNT), 10**13 + 1, "more in this market than the market has in all"),
    ],
)
def test_what_no_market_can_be_is_refused(call: Call, value: int, said: str) -> None:
    chain = node()
    chain.say(call, value)
    assert said in poll(chain, watch(LOAN)).rejected[0]


def test_a_comet_of_another_token_is_refused() -> None:
    chain, known = node(), "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
    chain.say(comet("baseToken"), known)
    source = CompoundV3(comets={"ethereum/USDC": COMET})
    watched = watch(markets=("lending:ethereum/compound-v3/USDC",), chains={"ethereum": Chain(rpc=RPC, chain_id=31337)})
    said = f"the Comet at {COMET} lends ETH, not USDC: correct comets: {{ethereum/USDC: 0x..}}"
    assert poll(chain, watched, source).rejected == [f"lending:ethereum/compound-v3/USDC: {said}"]


def test_a_market_without_a_known_comet_promises_nothing_and_says_what_to_add() -> None:
    watched = watch(markets=("lending:local/compound-v3/DAI",))
    assert SOURCE.provides(watched) == frozenset()
    said = "no Comet of DAI is known there: add comets: {local/DAI: 0x..} to this source"
    assert poll(node(), watched).rejected == [f"lending:local/compound-v3/DAI: {said}"]


def test_an_account_that_names_its_collateral_first_is_no_idle_source_and_says_what_to_put_first() -> None:
    turned = replace(LOAN, assets=("WETH", "USDC"))
    watched = watch(turned, markets=lending_subjects(turned))
    assert SOURCE.has_work(watched) and not SOURCE.has_work(watch(markets=()))
    assert poll(node(), watched) == Harvest(
        [],
        [
            "loan: no Comet of WETH is known there: WETH stands first in assets, where the base asset of the market belongs: put that first, or "
            "add comets: {local/WETH: 0x..} to this source"
        ],
    )


@pytest.mark.parametrize(
    "watched",
    [
        watch(markets=("lending:local/aave-v3/USDC", "lending:moon/compound-v3/USDC")),
        watch(Position(id="p", kind="compound-v3", chain="moon", account=ACCOUNT, assets=("USDC",)), markets=()),
        watch(Position(id="p", kind="aave-v3", chain="local", account=ACCOUNT, assets=("USDC",)), markets=()),
    ],
)
def test_what_is_not_its_own_costs_no_request(watched: Watch) -> None:
    chain = node()
    assert SOURCE.provides(watched) == frozenset()
    assert poll(chain, watched) == Harvest([], [])
    assert chain.asked == []


def test_a_position_is_in_the_market_of_its_first_asset_alone() -> None:
    assert lending_subjects(LOAN) == (MARKET,)


def test_a_chain_that_is_down_is_an_error_where_no_other_answers() -> None:
    chains = {"far": Chain(rpc=OTHER, chain_id=1)}
    with pytest.raises(SourceError, match="far is down"):
        poll(node(), watch(markets=("lending:far/compound-v3/USDC",), chains=chains), other=SourceError("far is down"))


@pytest.mark.parametrize("block", ["latest", "safe", "finalized"])
def test_a_pass_reads_at_the_block_that_is_configured(block: str) -> None:
    chain = node()
    poll(chain, watch(), build(CompoundV3, {"block": block, "comets": {"local/USDC": COMET}}))
    assert [params[0] for method, params in chain.asked if method == "eth_getBlockByNumber"] == [block]
