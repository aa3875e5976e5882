"""Aave v3 as the real contracts have it: what the arithmetic and the collector say equals what they answer at that block, to the unit."""

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from web3 import Web3

from monitor.chain import Block, BlockPinnedReader
from monitor.clock import SystemClock
from monitor.collectors.aave_v3 import AaveV3, Market, find_desk, read_markets
from monitor.core import aave, liquidation
from monitor.core.book import Chain, Position, Watch
from monitor.core.door import admit
from monitor.net import HttpNet
from monitor.rpc import json_rpc
from monitor.source import Harvest, Ports
from tests.integration.aave import LISTINGS, NOWHERE, RAY, Aave, artifact, deploy
from tests.integration.anvil import Anvil, started
from tests.integration.solidity import compiled
from tests.integration.uniswap import deployed

DEEDS = 60
SEED = 20260302
GENTLE = (RAY * 9 // 10, 0, RAY // 20, RAY // 20, 0, 0, 0, 0, RAY // 5)
SUBJECTS = {f"lending:local/aave-v3/{one.symbol}": one.symbol for one in LISTINGS}


def watch_of(world: Aave, *positions: Position) -> Watch:
    return Watch(lending_subjects=tuple(SUBJECTS), positions=positions, chains={"local": Chain(rpc=world.chain.url, chain_id=world.chain.chain_id)})


def source_of(world: Aave, **settings: Any) -> AaveV3:
    return AaveV3(providers={"local": world.provider.address}, **settings)


def poll(world: Aave, *positions: Position, **settings: Any) -> Harvest:
    async def once() -> Harvest:
        async with HttpNet() as net:
            return await source_of(world, **settings).poll(Ports(net, SystemClock(), random.Random(0)), watch_of(world, *positions))

    return asyncio.run(once())


def exact(world: Aave) -> tuple[dict[str, Market], Block]:
    """What the collector reads before it becomes floats, by symbol, and the block."""

    async def once() -> tuple[dict[str, Market], list[str], Block]:
        async with HttpNet() as net:
            reader = BlockPinnedReader(json_rpc(net, world.chain.url), world.chain.chain_id)
            block = await reader.pin()
            desk = await find_desk(reader, block, "local", world.provider.address, {})
            return *(await read_markets(reader, block, desk, SUBJECTS)), block

    found, refused, block = asyncio.run(once())
    assert refused == []
    return {SUBJECTS[subject]: market for subject, market in found.items()}, block


def values(harvest: Harvest, subject: str) -> dict[str, float]:
    return {row.metric.partition(".")[2]: row.value for row in harvest.readings if row.subject == subject}


def ours(market: Market, block: Block) -> dict[str, int]:
    """Every whole number that the arithmetic and the collector give of one reserve."""
    stored, settings, now = market.stored, market.settings, block.timestamp_ms // 1000
    return {
        "supplied": market.supplied,
        "borrowed": market.use.debt,
        "stored supply rate": stored.supply_rate,
        "stored borrow rate": stored.borrow_rate,
        "supply rate": market.rates.supply,
        "borrow rate": market.rates.borrow,
        "normalized income": aave.normalized_income(stored, now),
        "normalized debt": aave.normalized_debt(stored, now),
        "decimals": settings.decimals,
        "ltv": settings.ltv,
        "threshold": settings.liquidation_threshold,
        "reserve factor": settings.reserve_factor,
        "borrowable": settings.borrowable,
        "active": settings.active,
        "frozen": settings.frozen,
        "paused": settings.paused,
        "borrow cap": settings.borrow_cap,
        "supply cap": settings.supply_cap,
    }


def theirs(world: Aave, symbol: str, block: Block) -> dict[str, int]:
    """The contracts' own answers at that block, by the same names."""
    at, token = {"blockHash": block.hash}, world.tokens[symbol].address
    unbacked, _, supplied, stable, variable, supply_rate, borrow_rate, _, stable_rate, *_ = world.data.read("getReserveData", token, block=at)
    a_token = Web3.to_checksum_address(world.data.read("getReserveTokensAddresses", token, block=at)[0])
    decimals, ltv, threshold, _, factor, _, borrowable, _, active, frozen = world.data.read("getReserveConfigurationData", token, block=at)
    asked = (unbacked, 0, 0, stable, variable, stable_rate, factor, token, a_token)
    supply, _, borrow = world.strategies[symbol].read("calculateInterestRates", asked, block=at)
    borrow_cap, supply_cap = world.data.read("getReserveCaps", token, block=at)
    return {
        "supplied": supplied,
        "borrowed": stable + variable,
        "stored supply rate": supply_rate,
        "stored borrow rate": borrow_rate,
        "supply rate": supply,
        "borrow rate": borrow,
        "normalized income": world.pool.read("getReserveNormalizedIncome", token, block=at),
        "normalized debt": world.pool.read("getReserveNormalizedVariableDebt", token, block=at),
        "decimals": decimals,
        "ltv": ltv,
        "threshold": threshold,
        "reserve factor": factor,
        "borrowable": borrowable,
        "active": active,
        "frozen": frozen,
        "paused": world.data.read("getPaused", token, block=at),
        "borrow cap": borrow_cap,
        "supply cap": supply_cap,
    }


def recomputed(world: Aave, seen: dict[str, float], block_hash: str) -> tuple[float, float]:
    """Health out of the readings alone and the oracle's prices: as liquidation prices have it, and with the pool's own rounding.

    The pool rounds the average threshold of all collateral down to four digits.
    """
    at = {"blockHash": block_hash}
    prices = {symbol: world.oracle.read("getAssetPrice", token.address, block=at) / 10**8 for symbol, token in world.tokens.items()}
    backing = {symbol: seen[f"supplied.{symbol}"] * seen[f"liquidation_threshold.{symbol}"] for symbol in world.tokens}
    plain = liquidation.health(liquidation.Account(backing, {symbol: seen[f"borrowed.{symbol}"] for symbol in world.tokens}), prices)
    collateral_usd = sum(seen[f"supplied.{symbol}"] * prices[symbol] for symbol in prices if backing[symbol])
    average = sum(backing[symbol] * prices[symbol] for symbol in prices) / collateral_usd
    return plain, plain * int(average * 10**4 + 1e-6) / 10**4 / average


def health_of(world: Aave, user: str, block: Block) -> tuple[aave.Health, list[int]]:
    """An account's health put together out of its parts, and as the pool answers it."""
    at, holdings = {"blockHash": block.hash}, []
    for token in (token.address for token in world.tokens.values()):
        supplied, stable, variable, *_, is_collateral = world.data.read("getUserReserveData", token, user, block=at)
        settings = aave.configuration(world.pool.read("getConfiguration", token, block=at)[0])
        price = world.oracle.read("getAssetPrice", token, block=at)
        collateral = supplied if is_collateral else 0
        holdings.append(aave.Holding(collateral, stable + variable, price, settings.decimals, settings.liquidation_threshold))
    return aave.health(holdings), list(world.pool.read("getUserAccountData", user, block=at))


@pytest.fixture(scope="module")
def chain(anvil: Path) -> Iterator[Anvil]:
    """A chain of this file's own: its time runs ahead by years."""
    with started(anvil) as running:
        yield running


@pytest.fixture(scope="module")
def world(chain: Anvil) -> Aave:
    market = deploy(chain)
    for user in market.users:
        market.supply(user, "USDC", 3_000_000 * 10**6)
        market.supply(user, "WETH", 1_000 * 10**18)
        market.supply(user, "WBTC", 50 * 10**8)
    for user in market.users:
        market.borrow(user, "USDC", 200_000 * 10**6)
        market.borrow(user, "WETH", 50 * 10**18)
    return market


def test_rates_indices_totals_and_health_equal_the_contracts_after_each_of_many_random_deeds(world: Aave) -> None:
    dice, done = random.Random(SEED), list[str]()
    for step in range(DEEDS):
        done.append(world.shake(dice))
        if step % 5:
            continue
        world.wait(dice.randrange(1, 10**5))
        markets, block = exact(world)
        assert list(markets) == [one.symbol for one in LISTINGS]
        for symbol, market in markets.items():
            assert ours(market, block) == theirs(world, symbol, block), done
        for user in world.users:
            health, said = health_of(world, user, block)
            assert [health.collateral, health.debt, health.threshold, health.factor] == [said[0], said[1], said[3], said[5]], done
    kinds = {deed.partition(" ")[0] for deed in done if "refused" not in deed}
    assert kinds == {"supply", "borrow", "repay", "withdraw", "price", "wait"}


def test_one_second_too_few_is_seen_in_both_indices(world: Aave) -> None:
    """The control of the test above: what is compared does move with time, and the last unit counts."""
    world.wait(86400)
    markets, block = exact(world)
    early = replace(block, timestamp_ms=block.timestamp_ms - 1000)
    for symbol in ("WETH", "USDC"):
        assert markets[symbol].use.debt > 0
        mine, said = ours(markets[symbol], early), theirs(world, symbol, block)
        assert {name for name in mine if mine[name] != said[name]} == {"normalized income", "normalized debt"}


def test_a_poll_gives_the_same_numbers_as_floats_at_the_block_it_names(world: Aave) -> None:
    user = world.users[0]
    world.refresh()
    world.borrow(user, "USDC", 10_000 * 10**6)
    position = Position(id="loan", kind="aave-v3", chain="local", account=user, assets=("WETH", "USDC", "WBTC"))
    harvest = poll(world, position)
    assert harvest.rejected == []
    admission = admit(harvest.readings, source="aave-v3", received_at=max(row.at or 0 for row in harvest.readings))
    assert admission.rejections == ()
    delivered = {(row.metric, row.subject) for row in admission.observations}
    assert source_of(world).provides(watch_of(world, position)) <= delivered
    [block_hash] = {row.block_hash for row in admission.observations}
    at = {"blockHash": block_hash}
    markets, _ = exact(world)
    for subject, symbol in SUBJECTS.items():
        seen, market = values(harvest, subject), markets[symbol]
        unit = 10**market.settings.decimals
        assert seen["borrow_apr"] == market.rates.borrow / 10**27
        assert seen["supply_apy"] == aave.apy(market.rates.supply / 10**27)
        assert seen["supplied"] == world.data.read("getATokenTotalSupply", world.tokens[symbol].address, block=at) / unit
        assert seen["borrowed"] == world.data.read("getTotalDebt", world.tokens[symbol].address, block=at) / unit
        assert seen["status"] == 0
    account = values(harvest, "loan")
    collateral, debt, *_, factor = world.pool.read("getUserAccountData", user, block=at)
    assert (account["collateral_usd"], account["debt_usd"], account["health_factor"]) == (collateral / 10**8, debt / 10**8, factor / 10**18)
    for symbol, token in world.tokens.items():
        supplied, _, borrowed, *_ = world.data.read("getUserReserveData", token.address, user, block=at)
        unit = 10 ** token.read("decimals")
        assert (account[f"supplied.{symbol}"], account[f"borrowed.{symbol}"]) == (supplied / unit, borrowed / unit)


def test_an_untouched_reserve_accrues_to_the_block_F_077(world: Aave) -> None:
    """Stored rates stay as they were at the last touch; debt and use go on, and with them the rates that the next touch would set."""
    before, _ = exact(world)
    world.wait(300 * 86400)
    after, block = exact(world)
    assert after["USDC"].stored == before["USDC"].stored
    assert after["USDC"].use.debt > before["USDC"].use.debt
    assert after["USDC"].rates.borrow > after["USDC"].stored.borrow_rate
    assert ours(after["USDC"], block) == theirs(world, "USDC", block)


def test_frozen_and_paused_markets_and_changed_caps_say_so_F_077(world: Aave) -> None:
    token, subject = world.tokens["WBTC"].address, "lending:local/aave-v3/WBTC"
    assert "supply_cap" not in values(poll(world), subject)
    world.configure("setSupplyCap", token, 1_234)
    world.configure("setBorrowCap", token, 567)
    world.configure("setReserveFreeze", token, True)
    seen = values(poll(world), subject)
    assert (seen["supply_cap"], seen["borrow_cap"], seen["status"]) == (1_234, 567, 1)
    world.configure("setReservePause", token, True)
    assert values(poll(world), subject)["status"] == 2
    markets, block = exact(world)
    assert ours(markets["WBTC"], block) == theirs(world, "WBTC", block)
    world.configure("setReservePause", token, False)
    world.configure("setReserveFreeze", token, False)


def test_an_account_in_an_efficiency_mode_has_the_health_that_the_pool_says_F_077(world: Aave) -> None:
    user = world.chain.accounts[6]
    world.refresh()
    world.configure("setEModeCategory", 1, 9000, 9300, 10200, NOWHERE, "alike")
    for symbol in ("WETH", "WBTC"):
        world.configure("setAssetEModeCategory", world.tokens[symbol].address, 1)
    world.supply(user, "WETH", 10 * 10**18)
    world.borrow(user, "WBTC", 10**6)
    position = Position(id="alike", kind="aave-v3", chain="local", account=user, assets=("WETH", "WBTC"))
    before = values(poll(world, position), "alike")["health_factor"]
    world.pool.send(user, "setUserEMode", 1)
    harvest = poll(world, position)
    at = {"blockHash": harvest.readings[0].block_hash}
    after = values(harvest, "alike")["health_factor"]
    assert after == world.pool.read("getUserAccountData", user, block=at)[5] / 10**18
    assert after > before


def test_thresholds_recompute_the_health_that_the_pool_says_in_an_efficiency_mode_and_out_of_it(chain: Anvil) -> None:
    """Collateral in and out of the mode, one asset that is owed as well, and one that is switched off as collateral."""
    market = deploy(chain)
    lender, user = market.users[:2]
    market.supply(lender, "USDC", 10**6 * 10**6)
    market.configure("setEModeCategory", 1, 9000, 9300, 10200, NOWHERE, "alike")
    for symbol in ("WETH", "USDC"):
        market.configure("setAssetEModeCategory", market.tokens[symbol].address, 1)
    market.supply(user, "WETH", 7 * 10**18)
    market.supply(user, "WBTC", 10**7)
    market.supply(user, "USDC", 5_000 * 10**6)
    market.borrow(user, "USDC", 6_543_210_987)
    position = Position(id="loan", kind="aave-v3", chain="local", account=user, assets=("WETH", "USDC", "WBTC"))
    steps: list[tuple[Callable[[], object], dict[str, float]]] = [
        (lambda: None, {"WETH": 0.825, "USDC": 0.8, "WBTC": 0.75}),
        (lambda: market.pool.send(user, "setUserEMode", 1), {"WETH": 0.93, "USDC": 0.93, "WBTC": 0.75}),
        (
            lambda: market.pool.send(user, "setUserUseReserveAsCollateral", market.tokens["WBTC"].address, False),
            {"WETH": 0.93, "USDC": 0.93, "WBTC": 0},
        ),
        (lambda: market.pool.send(user, "setUserEMode", 0), {"WETH": 0.825, "USDC": 0.8, "WBTC": 0}),
    ]
    factors = []
    for change, thresholds in steps:
        change()
        market.wait(86400)
        market.refresh()
        harvest = poll(market, position)
        seen, block_hash = values(harvest, "loan"), harvest.readings[0].block_hash
        assert harvest.rejected == []
        assert {symbol: seen[f"liquidation_threshold.{symbol}"] for symbol in thresholds} == thresholds
        said = market.pool.read("getUserAccountData", user, block={"blockHash": block_hash})[5] / 10**18
        plain, rounded = recomputed(market, seen, block_hash)
        assert rounded == pytest.approx(said, rel=1e-9)
        assert said * (1 - 1e-12) <= plain < said * (1 + 1.5e-4)
        factors.append(said)
    assert factors[1] > factors[0] and factors[2] < factors[1] and factors[3] < factors[2]


def test_full_use_is_a_true_extreme_and_passes_and_more_than_the_curve_charges_is_refused_F_076(chain: Anvil) -> None:
    market, subject = deploy(chain), "lending:local/aave-v3/USDC"
    lender, borrower = market.users[:2]
    market.supply(lender, "USDC", 10_000 * 10**6)
    market.supply(borrower, "WETH", 100 * 10**18)
    market.borrow(borrower, "USDC", 10_000 * 10**6)
    full = poll(market)
    assert full.rejected == []
    assert (values(full, subject)["utilisation"], values(full, subject)["borrow_apr"]) == (1.0, 0.655)
    # A gentler curve under a rate that was stored before it: no market of this curve charges that.
    gentle = deployed(chain, artifact("protocol/pool/DefaultReserveInterestRateStrategy"), market.provider.address, *GENTLE)
    market.configure("setReserveInterestRateStrategyAddress", market.tokens["USDC"].address, gentle.address)
    beyond = poll(market)
    said = "its borrow rate of 65.5% is beyond the 10.0% that its own curve charges at full use; it is taken again once the reserve was touched"
    assert beyond.rejected == [f"{subject}: {said}"]
    assert values(beyond, subject).keys() & {"borrow_apr", "supply_apy"} == set()
    assert values(beyond, subject)["utilisation"] == 1.0


def test_an_account_without_debt_has_the_highest_health_there_is(world: Aave) -> None:
    user = world.chain.accounts[7]
    world.refresh()
    world.supply(user, "USDC", 10**6)
    position = Position(id="saver", kind="aave-v3", chain="local", account=user, assets=("USDC",))
    seen = values(poll(world, position), "saver")
    assert world.pool.read("getUserAccountData", user)[5] == aave.NO_DEBT
    assert (seen["health_factor"], seen["debt_usd"], seen["borrowed.USDC"]) == (aave.HEALTHIEST, 0, 0)


def test_health_on_an_old_price_is_refused_and_its_age_shown_F_078(chain: Anvil) -> None:
    market = deploy(chain)
    user = market.users[0]
    market.supply(user, "WETH", 10 * 10**18)
    market.supply(market.users[1], "USDC", 10**10)
    market.borrow(user, "USDC", 10**9)
    position = Position(id="loan", kind="aave-v3", chain="local", account=user, assets=("WETH", "USDC"))
    for symbol, price in (("WETH", 2000), ("USDC", 1), ("WBTC", 1)):
        market.price(symbol, price * 10**8, age_seconds=0 if symbol != "WBTC" else 10**7)
    fresh = poll(market, position)
    assert fresh.rejected == []
    assert 0 <= values(fresh, "loan")["oracle_age_seconds"] < 60
    market.price("USDC", 10**8)
    market.price("WETH", 2000 * 10**8, age_seconds=27 * 3600)
    stale = poll(market, position)
    seen = values(stale, "loan")
    assert 27 * 3600 <= seen["oracle_age_seconds"] < 27 * 3600 + 60
    assert seen.keys() & {"health_factor", "collateral_usd", "debt_usd"} == set()
    assert seen["borrowed.USDC"] >= 1000
    assert stale.rejected == ["loan: the oldest price behind its health is 27.0 h old, older than oracle_limit, 26 h"]
    assert "health_factor" in values(poll(market, position, oracle_limit=48 * 3_600_000), "loan")


def test_the_age_of_a_feed_behind_an_adapter_counts_F_078(chain: Anvil) -> None:
    market = deploy(chain)
    user = market.users[0]
    market.supply(user, "WETH", 10 * 10**18)
    cap = deployed(chain, compiled()["Feed"], 2000 * 10**8, market.feeds["WETH"].address)
    market.oracle.send(market.admin, "setAssetSources", [market.tokens["WETH"].address], [cap.address])
    market.price("WETH", 2000 * 10**8, age_seconds=5000)
    position = Position(id="capped", kind="aave-v3", chain="local", account=user, assets=("WETH",))
    assert 5000 <= values(poll(market, position), "capped")["oracle_age_seconds"] < 5060


def test_what_an_account_uses_beyond_its_named_assets_is_told(world: Aave) -> None:
    user = world.users[0]
    position = Position(id="half", kind="aave-v3", chain="local", account=user, assets=("WETH",))
    harvest = poll(world, position)
    assert "half: the account also uses USDC, which its assets do not name: add it there" in harvest.rejected
    assert "supplied.WETH" in values(harvest, "half")
