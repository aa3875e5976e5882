"""Wallets against a node out of tables: which contract an asset means, and which coin is the chain's own."""

import asyncio
import random
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.chain import MULTICALL3, Call
from monitor.clock import SystemClock
from monitor.collectors.wallet_tokens import WalletTokens
from monitor.core.book import Chain, Position, Watch
from monitor.core.tokens import token_of
from monitor.registry import build
from monitor.source import Harvest, Ports
from tests.fake_chain import FakeChain
from tests.fakes import FakeNet

RPC = "https://node.test/"
ME = "0x" + "a" * 40
WETH, USDC, OWN = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2", "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "0x" + "0" * 39 + "7"


def poll(*assets: str, chain: str = "ethereum", chain_id: int = 1, **settings: Any) -> tuple[Harvest, FakeChain]:
    node = FakeChain(chain_id)
    node.genesis["hash"] = "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"
    node.say(Call(MULTICALL3, "multicall3", "getEthBalance", (ME,)), 15 * 10**17)
    for token, decimals, balance in ((WETH, 18, 2 * 10**18), (USDC, 6, 7_000_001), (OWN, 0, 9)):
        node.say(Call(token, "erc20", "decimals"), decimals)
        node.say(Call(token, "erc20", "balanceOf", (ME,)), balance)
    position = Position(id="w", kind="tokens", chain=chain, account=ME, assets=assets)
    watch = Watch(positions=(position,), chains={chain: Chain(rpc=RPC, chain_id=chain_id)})
    source, net = build(WalletTokens, settings), FakeNet().answer("POST", RPC, node.reply)
    return asyncio.run(source.poll(Ports(net, SystemClock(), random.Random(0)), watch)), node


def amounts(harvest: Harvest) -> dict[str, float]:
    assert harvest.rejected == []
    return {row.metric.removeprefix("position.amount."): row.value for row in harvest.readings if ".amount." in row.metric}


def test_the_coin_of_the_chain_and_what_wraps_it_are_two_things_at_one_block() -> None:
    harvest, node = poll("ETH", "WETH", "USDC")
    assert amounts(harvest) == {"ETH": 1.5, "WETH": 2.0, "USDC": 7.000001}
    # The coin of the chain has 18 by the EVM itself, which nothing can change.
    assert {row.metric: row.value for row in harvest.readings if ".decimals." in row.metric} == {
        "position.decimals.WETH": 18,
        "position.decimals.USDC": 6,
    }
    assert {(row.at, row.block_hash, row.subject) for row in harvest.readings} == {(1_700_000_000_000, node.head["hash"], "w")}
    assert {params[1]["blockHash"] for method, params in node.asked if method == "eth_call"} == {node.head["hash"]}


def test_the_coin_is_not_asked_for_where_it_is_not_named() -> None:
    assert amounts(poll("USDC")[0]) == {"USDC": 7.000001}


def test_a_token_that_is_not_well_known_is_read_where_it_is_named() -> None:
    assert amounts(poll("OWN", tokens={"ethereum/OWN": OWN})[0]) == {"OWN": 9.0}
    refused = "w: no contract of OWN is known on chain ethereum: add tokens: {ethereum/OWN: 0x..} to the source wallet-tokens"
    assert poll("OWN")[0].rejected == [refused]
    assert poll("OWN", tokens={"base/OWN": OWN})[0].rejected == [refused]


def test_what_is_named_counts_before_what_is_well_known() -> None:
    assert amounts(poll("USDC", tokens={"ethereum/USDC": OWN})[0]) == {"USDC": 9.0}


def test_the_coin_of_an_unknown_chain_must_be_named() -> None:
    assert poll("ETH", chain="mine", chain_id=31337)[0].rejected == [
        "w: no contract of ETH is known on chain mine: add tokens: {mine/ETH: 0x..} to the source wallet-tokens"
    ]
    assert amounts(poll("ETH", chain="mine", chain_id=31337, native={"mine": "ETH"})[0]) == {"ETH": 1.5}


def test_declared_amounts_are_not_read_and_a_chain_without_an_endpoint_is_left_out() -> None:
    declared = Position(id="d", kind="tokens", chain="ethereum", amounts={"ETH": 1.0})
    elsewhere = Position(id="e", kind="tokens", chain="base", account=ME, assets=("ETH",))
    watch = Watch(positions=(declared, elsewhere), chains={"ethereum": Chain(rpc=RPC)})
    assert not WalletTokens().has_work(watch)
    assert asyncio.run(WalletTokens().poll(Ports(FakeNet(), SystemClock(), random.Random(0)), watch)) == Harvest([], [])


@pytest.mark.parametrize(
    ("chain", "asset", "token"),
    [
        ("ethereum", "WETH", WETH),
        ("ethereum", "USDC", USDC),
        ("ethereum", "ETH", ""),
        ("ethereum", "BTC", ""),
        ("mars", "USDC", ""),
        ("base", "WBTC", ""),
    ],
)
def test_which_contract_an_asset_means(chain: str, asset: str, token: str) -> None:
    assert token_of(chain, asset) == token
    assert token_of("ethereum", "WBTC") == "0x2260fac5e5542a773aa44fbcfedf7c193bc2c599"


@pytest.mark.parametrize("settings", [{"tokens": {"USDC": USDC}}, {"tokens": {"base/USDC": "0x12"}}, {"native": {"base": "eth coin"}}])
def test_settings_that_name_nothing_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="pattern"):
        build(WalletTokens, settings)
