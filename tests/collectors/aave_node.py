"""A node of Aave v3 out of tables: a v3.0 market of USDC and WETH and an account in it, and what a collector makes of them."""

import asyncio
import random
from collections.abc import Mapping
from typing import Any

from monitor.chain import Call
from monitor.clock import SystemClock
from monitor.collectors.aave_v3 import AaveV3
from monitor.core.aave import RAY
from monitor.core.book import Chain, Position, Watch
from monitor.source import Harvest, Ports
from tests.fake_chain import FakeChain
from tests.fakes import FakeNet

RPC, OTHER = "https://node.test/key", "https://other.test/"
PROVIDER, POOL, DATA, ORACLE, A_TOKEN, STRATEGY, FEED, BEHIND = ("0x" + digit * 40 for digit in "abcdef98")
NOWHERE = "0x" + "0" * 40
USDC, WETH, BRIDGED = ("0x" + "0" * 39 + digit for digit in "123")
ACCOUNT = "0x" + "7" * 40
NOW = 1_700_000_000
MARKET = "lending:local/aave-v3/USDC"
SETTINGS = 6 << 48 | 1 << 56 | 1 << 58 | 1000 << 64
CURVE = (RAY * 9 // 10, 0, RAY * 5 // 100, RAY * 60 // 100)
GONE = (b"", False)


def data(function: str, token: str = USDC, *args: object) -> Call:
    return Call(DATA, "aave_v3_data_provider", function, (token, *args))


def reserve(supplied: int = 10**12, borrowed: int = 9 * 10**11, rate: int = RAY * 5 // 100) -> tuple[int, ...]:
    return (0, 0, supplied, 0, borrowed, RAY * 4 // 100, rate, 0, 0, RAY, RAY, NOW - 3600)


def user(supplied: int, owed: int, is_collateral: bool = True) -> tuple[object, ...]:
    return (supplied, 0, owed, 0, owed, 0, 0, 0, is_collateral)


def old_strategy(part: str) -> Call:
    return Call(STRATEGY, "aave_v3_rate_strategy", part)


OLD_PARTS = ("OPTIMAL_USAGE_RATIO", "getBaseVariableBorrowRate", "getVariableRateSlope1", "getVariableRateSlope2")
JOINT = Call(STRATEGY, "aave_v3_rate_strategy_v2", "getInterestRateData", (USDC,))
BALANCE = Call(USDC, "erc20", "balanceOf", (A_TOKEN,))
DEFICIT = Call(POOL, "aave_v3_pool", "getReserveDeficit", (USDC,))

MODE = Call(POOL, "aave_v3_pool", "getUserEMode", (ACCOUNT,))


def configured(token: str) -> Call:
    return Call(POOL, "aave_v3_pool", "getConfiguration", (token,))


def node(**settings: Any) -> FakeChain:
    """A v3.0 market of USDC and WETH, and an account that owes 1000 USDC against 2 WETH."""
    chain = FakeChain(**settings)
    for name, place in (("getPool", POOL), ("getPoolDataProvider", DATA), ("getPriceOracle", ORACLE)):
        chain.say(Call(PROVIDER, "aave_v3_addresses_provider", name), place)
    chain.say(Call(DATA, "aave_v3_data_provider", "getAllReservesTokens"), [("USDC", USDC), ("wETH", WETH)])
    chain.say(data("getReserveData"), *reserve())
    chain.say(data("getReserveTokensAddresses"), A_TOKEN, NOWHERE, NOWHERE)
    chain.say(data("getInterestRateStrategyAddress"), STRATEGY)
    chain.say(configured(USDC), SETTINGS)
    chain.say(configured(WETH), 18 << 48 | 1 << 56 | 8250 << 16)
    chain.say(MODE, 0)
    chain.say(BALANCE, 10**11)
    for call in (data("getVirtualUnderlyingBalance"), data("getIsVirtualAccActive"), DEFICIT, JOINT):
        chain.say_raw(call, *GONE)
    for part, value in zip(OLD_PARTS, CURVE, strict=True):
        chain.say(old_strategy(part), value)
    chain.say(Call(ORACLE, "aave_v3_oracle", "BASE_CURRENCY"), NOWHERE)
    chain.say(Call(ORACLE, "aave_v3_oracle", "BASE_CURRENCY_UNIT"), 10**8)
    chain.say(Call(POOL, "aave_v3_pool", "getUserAccountData", (ACCOUNT,)), 4000 * 10**8, 1000 * 10**8, 0, 8250, 8000, 33 * 10**17)
    for token, held in ((USDC, user(0, 10**9)), (WETH, user(2 * 10**18, 0))):
        chain.say(data("getUserReserveData", token, ACCOUNT), *held)
        chain.say(Call(ORACLE, "aave_v3_oracle", "getSourceOfAsset", (token,)), FEED)
    feed(chain, FEED, NOW - 600)
    return chain


def feed(chain: FakeChain, place: str, updated: int | None = None, behind: str | None = None, simple: int | None = None) -> None:
    """A price feed that says when it answered by latestRoundData, by latestTimestamp, or not at all."""
    for call in (
        Call(place, "price_feed", name) for name in ("latestRoundData", "latestTimestamp", "ASSET_TO_USD_AGGREGATOR", "BASE_TO_USD_AGGREGATOR")
    ):
        chain.say_raw(call, *GONE)
    if updated is not None:
        chain.say(Call(place, "price_feed", "latestRoundData"), 1, 10**8, updated, updated, 1)
    if simple is not None:
        chain.say(Call(place, "price_feed", "latestTimestamp"), simple)
    if behind is not None:
        chain.say(Call(place, "price_feed", "ASSET_TO_USD_AGGREGATOR"), behind)


def watch(*positions: Position, markets: tuple[str, ...] = (MARKET,), chains: Mapping[str, Chain] | None = None) -> Watch:
    return Watch(lending_subjects=markets, positions=positions, chains=chains or {"local": Chain(rpc=RPC, chain_id=31337)})


SOURCE = AaveV3(providers={"local": PROVIDER})
LOAN = Position(id="loan", kind="aave-v3", chain="local", account=ACCOUNT, assets=("USDC", "WETH"))


def poll(chain: FakeChain, watched: Watch, source: AaveV3 = SOURCE, other: object = None) -> Harvest:
    net = FakeNet().answer("POST", RPC, chain.reply).answer("POST", OTHER, other)
    return asyncio.run(source.poll(Ports(net, SystemClock(), random.Random(0)), watched))


def values(harvest: Harvest, subject: str = MARKET) -> dict[str, float | int]:
    return {row.metric.partition(".")[2]: row.value for row in harvest.readings if row.subject == subject}


def account(chain: FakeChain, source: AaveV3 = SOURCE, position: Position = LOAN) -> tuple[dict[str, float | int], list[str]]:
    harvest = poll(chain, watch(position, markets=()), source)
    return values(harvest, "loan"), list(harvest.rejected)
