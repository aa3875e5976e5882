"""Compound v3 over a real chain, against a stand-in of our own.

What it proves: calls and answers travel as Comet's interface says. What it does not: that Comet's arithmetic is what we think it is.
"""

import asyncio
import random

import pytest

from monitor.clock import SystemClock
from monitor.collectors.compound_v3 import CompoundV3
from monitor.core.aave import apy
from monitor.core.book import Chain, Position, Watch
from monitor.core.liquidation import Account, health
from monitor.net import HttpNet
from monitor.source import Harvest, Ports
from tests.integration.aave import NOWHERE
from tests.integration.anvil import Anvil
from tests.integration.solidity import compiled
from tests.integration.uniswap import MULTICALL3, deployed

MARKET = "lending:local/compound-v3/USDC"


def test_a_market_and_an_account_travel_as_the_interface_says(chain: Anvil) -> None:
    chain.change("anvil_setCode", MULTICALL3, compiled()["BatchCaller"]["runtime"])
    base, collateral = (deployed(chain, compiled()["Token"], symbol, decimals) for symbol, decimals in (("USDC", 6), ("WETH", 18)))
    feeds = [deployed(chain, compiled()["Feed"], price * 10**8, NOWHERE) for price in (1, 2000)]
    comet = deployed(chain, compiled()["StandInComet"], base.address, feeds[0].address, collateral.address, feeds[1].address)
    position = Position(id="loan", kind="compound-v3", chain="local", account=chain.accounts[3], assets=("USDC", "WETH"))
    watch = Watch(lending_subjects=(MARKET,), positions=(position,), chains={"local": Chain(rpc=chain.url, chain_id=chain.chain_id)})
    source = CompoundV3(comets={"local/USDC": comet.address})

    async def poll() -> Harvest:
        async with HttpNet() as net:
            return await source.poll(Ports(net, SystemClock(), random.Random(0)), watch)

    harvest = asyncio.run(poll())
    assert harvest.rejected == []
    seen = {(row.metric, row.subject): row.value for row in harvest.readings}
    assert source.provides(watch) <= seen.keys()
    # 0.75 used: 0.75e9 / 1e18 a second to suppliers, twice that from borrowers.
    assert seen["lending.utilisation", MARKET] == 0.75
    assert seen["lending.supply_apy", MARKET] == apy(0.75 * 31_536_000 / 10**9)
    assert seen["lending.borrow_apr", MARKET] == 1.5 * 31_536_000 / 10**9
    assert seen["lending.supply_cap", "lending:local/compound-v3-usdc/WETH"] == 1000
    assert (seen["account.supplied.WETH", "loan"], seen["account.borrowed.USDC", "loan"]) == (0.75, 900)
    assert seen["account.health_factor", "loan"] == 0.75 * 2000 * 0.9 / 900
    held = Account({"WETH": 0.75 * seen["account.liquidation_threshold.WETH", "loan"], "USDC": 0.0}, {"WETH": 0.0, "USDC": 900.0})
    assert seen["account.liquidation_threshold.USDC", "loan"] == 0.0
    assert health(held, {"WETH": 2000.0, "USDC": 1.0}) == pytest.approx(seen["account.health_factor", "loan"], rel=1e-12)
    assert len({row.block_hash for row in harvest.readings}) == 1
