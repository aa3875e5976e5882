"""Shares of a vault: what the collector says they bring is what redeeming them then brings, with gains, losses and a fee on leaving."""

import asyncio
import random

import pytest
from web3 import Web3

from monitor.clock import SystemClock
from monitor.collectors.erc4626 import Erc4626
from monitor.core.book import Chain, Position, Watch
from monitor.core.door import admit
from monitor.net import HttpNet
from monitor.registry import build
from monitor.source import Harvest, Ports
from tests.integration.anvil import Anvil
from tests.integration.solidity import compiled
from tests.integration.uniswap import MULTICALL3, Contract, deployed
from tests.integration.uniswap_v2 import token

SEED = 20260702
ACTS = 12


def poll(vault: Contract, who: str, source: Erc4626 | None = None, assets: tuple[str, ...] = ("USDX",)) -> Harvest:
    position = Position(id="vault", kind="erc-4626", chain="local", pool=vault.address, account=who, assets=assets)
    watch = Watch(positions=(position,), chains={"local": Chain(rpc=vault.chain.url, chain_id=vault.chain.chain_id)})

    async def run() -> Harvest:
        async with HttpNet() as net:
            return await (source or Erc4626()).poll(Ports(net, SystemClock(), random.Random(0)), watch)

    return asyncio.run(run())


def said(vault: Contract, who: str, source: Erc4626 | None = None) -> dict[str, float]:
    harvest = poll(vault, who, source)
    admission = admit(harvest.readings, source="erc-4626", received_at=max(row.at or 0 for row in harvest.readings))
    assert (harvest.rejected, admission.rejections) == ([], ())
    [block] = {row.block_hash for row in admission.observations}
    assert block == vault.chain.call("eth_getBlockByNumber", "latest", False)["hash"]
    return {row.metric.removeprefix("position."): row.value for row in admission.observations}


def opened(chain: Anvil, decimals: int = 6, fee: int = 0, offset: int = 0) -> tuple[Contract, Contract]:
    chain.change("anvil_setCode", MULTICALL3, compiled()["BatchCaller"]["runtime"])
    asset = token(chain, "USDX", decimals)
    return asset, deployed(chain, compiled("vaults")["Vault"], asset.address, fee, offset)


def deposit(asset: Contract, vault: Contract, who: str, amount: int) -> None:
    asset.send(who, "mint", who, amount)
    asset.send(who, "approve", vault.address, amount)
    vault.send(who, "deposit", amount, who)


def redeemed(asset: Contract, vault: Contract, who: str) -> int:
    """What arrives when all shares are redeemed, in truth, and undone."""
    to = Web3.to_checksum_address("0x" + "fd" * 20)
    mark = vault.chain.change("evm_snapshot")
    try:
        vault.send(who, "redeem", vault.read("balanceOf", who), to, who)
        return int(asset.read("balanceOf", to))
    finally:
        vault.chain.change("evm_revert", mark)


@pytest.mark.parametrize(("decimals", "fee", "offset"), [(6, 0, 0), (6, 25, 12), (18, 50, 0), (0, 0, 6), (36, 1, 0)])
def test_the_amount_is_what_redeeming_brings_after_gains_losses_and_fees(chain: Anvil, decimals: int, fee: int, offset: int) -> None:
    dice, (asset, vault) = random.Random(SEED), opened(chain, decimals, fee, offset)
    holders, seen = chain.accounts[1:3], set[float]()
    for who in holders:
        deposit(asset, vault, who, 10**9)
    for _ in range(ACTS):
        act = dice.choice(("gain", "gain", "loss", "deposit"))
        if act == "gain":
            asset.send(holders[0], "mint", vault.address, dice.randrange(10**8))
        elif act == "loss":
            vault.send(holders[0], "lose", dice.randrange(asset.read("balanceOf", vault.address) // 4))
        else:
            deposit(asset, vault, dice.choice(holders), dice.randrange(10**8))
        who = dice.choice(holders)
        found = said(vault, who)
        assert found["shares"] == vault.read("balanceOf", who)
        assert found["amount.USDX"] == redeemed(asset, vault, who) / 10**decimals
        whole = 10 ** vault.read("decimals")
        assert found["share_price"] == vault.read("convertToAssets", whole) / 10**decimals
        if fee:
            assert found["amount.USDX"] < found["shares"] / whole * found["share_price"]
        seen.add(found["amount.USDX"])
    assert len(seen) > 5


def test_a_holder_without_shares_and_an_empty_vault_hold_nothing(chain: Anvil) -> None:
    asset, vault = opened(chain)
    assert said(vault, chain.accounts[5]) == {"shares": 0, "share_price": 1.0, "amount.USDX": 0.0, "decimals.USDX": 6}
    deposit(asset, vault, chain.accounts[1], 10**9)
    vault.send(chain.accounts[1], "lose", 10**9)
    assert said(vault, chain.accounts[1]) == {"shares": 10**9, "share_price": 0.0, "amount.USDX": 0.0, "decimals.USDX": 6}
    assert redeemed(asset, vault, chain.accounts[1]) == 0


def test_a_vault_that_pays_by_request_is_refused_until_it_is_listed(chain: Anvil) -> None:
    asset, _ = opened(chain)
    queue, who = deployed(chain, compiled("vaults")["QueueVault"], asset.address), chain.accounts[1]
    deposit(asset, queue, who, 10**9)
    asset.send(who, "mint", queue.address, 10**8)
    harvest = poll(queue, who)
    assert list(harvest.readings) == []
    assert harvest.rejected == ["vault: previewRedeem reverted; a vault that pays by request is to be listed in by_request of this source"]
    listed = build(Erc4626, {"by_request": [queue.address]})
    assert said(queue, who, listed)["amount.USDX"] == queue.read("convertToAssets", 10**9) / 10**6


def test_an_asset_that_nobody_named_is_asked_for(chain: Anvil) -> None:
    asset, vault = opened(chain)
    assert poll(vault, chain.accounts[1], assets=()).rejected == [
        f"vault: its asset {asset.address.lower()} is not a well-known token: add assets: [..] to this position"
    ]
