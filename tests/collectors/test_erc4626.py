"""Vaults against a node out of tables: which asset counts, and answers that cannot be."""

import asyncio
import random
from typing import Any

import pytest

from monitor.chain import Call
from monitor.clock import SystemClock
from monitor.collectors.erc4626 import Erc4626
from monitor.core.book import Chain, Position, Watch
from monitor.registry import build
from monitor.source import Harvest, Ports
from tests.fake_chain import FakeChain
from tests.fakes import FakeNet

RPC = "https://node.test/"
ME, VAULT = "0x" + "a" * 40, "0x" + "EE" * 20
USDC = "0xaf88d065e77c8cc2239327c5edb3a432268e5831"
OTHER = "0x" + "0" * 39 + "7"


def of(function: str, *args: object) -> Call:
    return Call(VAULT, "erc4626", function, args)


def node(asset: str = USDC, **changed: int) -> FakeChain:
    told = {"decimals": 18, "digits": 6, "supply": 10**20, "shares": 3 * 10**18} | changed
    chain = FakeChain()
    chain.say(of("asset"), asset)
    chain.say(of("decimals"), told["decimals"])
    chain.say(of("totalSupply"), told["supply"])
    chain.say(of("balanceOf", ME), told["shares"])
    chain.say(Call(asset, "erc20", "decimals"), told["digits"])
    if told["decimals"] < 78:
        chain.say(of("convertToAssets", 10 ** told["decimals"]), 1_100_000)
    chain.say(of("convertToAssets", told["shares"]), 3_300_000)
    chain.say(of("previewRedeem", told["shares"]), 3_267_000)
    return chain


def poll(chain: FakeChain, *assets: str, **settings: Any) -> Harvest:
    position = Position(id="v", kind="erc-4626", chain="arbitrum", pool=VAULT, account=ME, assets=assets)
    watch = Watch(positions=(position,), chains={"arbitrum": Chain(rpc=RPC, chain_id=31337)})
    net = FakeNet().answer("POST", RPC, chain.reply)
    return asyncio.run(build(Erc4626, settings).poll(Ports(net, SystemClock(), random.Random(0)), watch))


def values(harvest: Harvest) -> dict[str, float]:
    assert harvest.rejected == []
    return {row.metric.removeprefix("position."): row.value for row in harvest.readings}


def test_what_is_paid_is_after_the_vault_s_fees_and_the_price_of_a_share_before_them() -> None:
    assert values(poll(node(), "USDC")) == {"shares": 3 * 10**18, "share_price": 1.1, "amount.USDC": 3.267, "decimals.USDC": 6}


@pytest.mark.parametrize(("shares", "is_refused"), [(909_090_909_090_909, False), (909_090_909_090_910, True)])
def test_a_vault_that_pays_nothing_for_what_is_no_dust_is_not_worth_nothing(shares: int, is_refused: bool) -> None:
    """At 1.1 USDC a share these stand for a hair less, and a hair more, than 1000 raw units."""
    chain = node(shares=shares)
    chain.say(of("previewRedeem", shares), 0)
    harvest = poll(chain, "USDC")
    said = "v: the vault pays nothing for shares that stand for something: it is paused, or not what it seems"
    assert list(harvest.rejected) == ([said] if is_refused else [])
    assert (harvest.readings == []) is is_refused


def test_a_vault_that_pays_by_request_counts_at_what_its_shares_stand_for() -> None:
    assert values(poll(node(), "USDC", by_request=[VAULT.lower()]))["amount.USDC"] == 3.3
    assert values(poll(node(), "USDC", by_request=[VAULT]))["amount.USDC"] == 3.3


def test_a_well_known_asset_needs_no_name() -> None:
    assert values(poll(node()))["amount.USDC"] == 3.267
    assert "position.amount.USDC" not in {metric for metric, _ in Erc4626().provides(Watch())}


@pytest.mark.parametrize(
    ("chain", "assets", "reason"),
    [
        (node(), ("DAI",), "v: its asset is USDC, this position declares DAI: correct assets, or the pool"),
        (
            node("0x82af49447d8a07e3bd95bd0d56f35241523fbab1"),
            ("WSTETH",),
            "v: its asset is ETH, this position declares WSTETH: correct assets, or the pool",
        ),
        (node(OTHER), (), f"v: its asset {OTHER} is not a well-known token: add assets: [..] to this position"),
        (node(supply=10), (), "v: 3.000e+18 shares of 1.000e+01 cannot be: ask another node"),
        (node(decimals=78), (), "v: the vault says that it has 78 decimals, which no amount can have"),
        (node(digits=78), (), "v: the vault's asset says that it has 78 decimals, which no amount can have"),
    ],
)
def test_what_cannot_be_is_refused(chain: FakeChain, assets: tuple[str, ...], reason: str) -> None:
    harvest = poll(chain, *assets)
    assert (list(harvest.readings), harvest.rejected) == ([], [reason])


def test_all_shares_of_a_vault_and_77_decimals_may_be() -> None:
    assert values(poll(node(supply=3 * 10**18)))["shares"] == 3 * 10**18
    assert values(poll(node(decimals=77)))["share_price"] == 1.1
    assert values(poll(node(OTHER, digits=77), "ODD"))["amount.ODD"] == 3.267e-71
