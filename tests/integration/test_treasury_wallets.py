"""Treasuries on a running chain: what the quick ratio adds up equals sums made apart from it, over the same block, after random transfers."""

import asyncio
import random
from fractions import Fraction
from typing import Any

import pytest
from web3 import Web3

from monitor.clock import SystemClock
from monitor.collectors.treasury_wallets import TreasuryWallets
from monitor.core.book import Chain, Watch
from monitor.core.door import admit
from monitor.core.market import Market
from monitor.core.observation import Observation
from monitor.core.state import State
from monitor.core.units import MINUTE
from monitor.core.verdict import Verdict
from monitor.core.view import View
from monitor.errors import BadPayload
from monitor.net import HttpNet
from monitor.registry import build
from monitor.rules.quick_ratio import QuickRatio
from monitor.source import Harvest, Ports
from tests.integration.anvil import Anvil
from tests.integration.solidity import compiled
from tests.integration.uniswap import MULTICALL3, Contract, deployed

SEED = 20260401
TRANSFERS = 12
DECIMALS = {"GHO": 0, "USDC": 6, "DAI": 18, "WSTETH": 36, "UNI": 18}
PRICES = {"GHO": 0.97, "USDC": 0.9995, "DAI": 1.002, "WSTETH": 3600.5, "ETH": 3012.25}
X = "protocol:x"
OWED = 40_000.0


def poll(chain: Anvil, collector: TreasuryWallets) -> Harvest:
    async def run() -> Harvest:
        async with HttpNet() as net:
            watch = Watch(chains={"local": Chain(rpc=chain.url, chain_id=chain.chain_id)})
            return await collector.poll(Ports(net, SystemClock(), random.Random(0)), watch)

    return asyncio.run(run())


def tokens_on(chain: Anvil) -> dict[str, Contract]:
    chain.change("anvil_setCode", MULTICALL3, compiled()["BatchCaller"]["runtime"])
    return {asset: deployed(chain, compiled()["Token"], asset, decimals) for asset, decimals in DECIMALS.items()}


def collector_of(wallets: list[str], tokens: dict[str, Contract]) -> TreasuryWallets:
    treasury: dict[str, Any] = {
        "chain": "local",
        "wallets": wallets,
        "tokens": {asset: token.address for asset, token in tokens.items()},
        "native": "ETH",
        "own_token": "UNI",
        "liabilities": f"{OWED} USD",
        "receivables": "125 USD",
    }
    return build(TreasuryWallets, {"block": "latest", "treasuries": {X: treasury}})


def judged(rows: tuple[Observation, ...], at: int) -> Verdict:
    market = Market()
    for asset, usd in PRICES.items():
        for source in ("p1", "p2"):
            for n in range(3):
                market.put(Observation("price.usd", asset, source, at - n * MINUTE, at, usd))
    for row in rows:
        market.put(row)
    state = State()
    state.cadences = {"treasury-wallets": MINUTE}
    return QuickRatio().judge(View(market, state, at), X)


def independently(chain: Anvil, wallets: list[str], tokens: dict[str, Contract], block: str) -> dict[str, float]:
    """Stables and majors in USD, asked wallet by wallet without Multicall3."""
    pinned = {"blockHash": block}
    held = {a: sum(t.read("balanceOf", wallet, block=pinned) for wallet in wallets) for a, t in tokens.items()}
    amounts = {asset: Fraction(raw, 10 ** DECIMALS[asset]) for asset, raw in held.items()}
    wei = sum(int(chain.call("eth_getBalance", wallet, pinned), 16) for wallet in wallets)
    stables = sum(float(amounts[asset]) * PRICES[asset] for asset in ("GHO", "USDC", "DAI"))
    return {"stables": stables, "majors": float(amounts["WSTETH"]) * PRICES["WSTETH"] + float(Fraction(wei, 10**18)) * PRICES["ETH"]}


def test_the_parts_of_the_quick_ratio_equal_independent_sums_over_the_same_block(chain: Anvil) -> None:
    dice, owner = random.Random(SEED), chain.accounts[0]
    wallets: list[str] = [Web3.to_checksum_address(f"0x{dice.getrandbits(160):040x}") for _ in range(3)]
    tokens = tokens_on(chain)
    collector = collector_of(wallets, tokens)
    for asset, token in tokens.items():
        token.send(owner, "mint", owner, 10 ** (DECIMALS[asset] + 9))
    seen = set[float]()
    for _ in range(TRANSFERS):
        for asset, token in tokens.items():
            unit = 10 ** DECIMALS[asset]
            amount = dice.randint(1, 5) * unit if unit == 1 else dice.randrange(1, 5 * unit)
            token.send(owner, "transfer", dice.choice(wallets), amount)
        chain.change("anvil_setBalance", dice.choice(wallets), hex(dice.randrange(10**19)))
        chain.change("evm_mine")
        harvest = poll(chain, collector)
        at = max(row.at or 0 for row in harvest.readings)
        admission = admit(harvest.readings, source=collector.id, received_at=at)
        assert (harvest.rejected, admission.rejections) == ([], ())
        [block] = {row.block_hash for row in admission.observations if row.metric.startswith("treasury.tokens.")}
        verdict = judged(admission.observations, at)
        parts = {condition.name: condition.value for condition in verdict.conditions if condition.value is not None}
        for name, usd in independently(chain, wallets, tokens, block).items():
            assert parts[name] == pytest.approx(usd, rel=1e-12)
        assert (parts["receivables"], parts["liabilities"]) == (125.0, OWED)
        assert parts["quick ratio"] == pytest.approx((parts["stables"] + parts["majors"] + 125) / OWED, rel=1e-9)
        seen.add(parts["quick ratio"])
    assert len(seen) == TRANSFERS


def test_a_token_that_is_no_contract_leaves_the_treasury_out_and_says_which(chain: Anvil) -> None:
    tokens = tokens_on(chain)
    nothing = Contract(chain, "0x00000000000000000000000000000000000000ee", tokens["DAI"].abi)
    collector = collector_of([chain.accounts[1]], tokens | {"DAI": nothing})
    with pytest.raises(BadPayload, match=f"at {nothing.address}; the treasury is left out of this pass"):
        poll(chain, collector)
