"""Pairs against a node out of tables: shares of forks, what cannot be, and what two positions in one pair share."""

import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.chain import Call
from monitor.clock import SystemClock
from monitor.collectors.uniswap_v2 import UniswapV2
from monitor.core.book import Chain, Position, Watch
from monitor.registry import build
from monitor.source import Harvest, Ports
from tests.fake_chain import FakeChain
from tests.fakes import FakeNet

RPC = "https://node.test/"
ME, PAIR, FACTORY, FEE_TO, NOBODY = "0x" + "a" * 40, "0x" + "EE" * 20, "0x" + "cC" * 20, "0x" + "f" * 40, "0x" + "0" * 40
TOKENS = ("0x" + "0" * 39 + "1", "0x" + "0" * 39 + "2")
LP = Position(id="lp", kind="uniswap-v2", chain="local", pool=PAIR, account=ME)


def node(**changed: Any) -> FakeChain:
    told: dict[str, Any] = {"fee_to": FEE_TO, "k_last": 25_000_000, "supply": 5000, "shares": 1000, "decimals": 6, "balances": (4000, 9000)} | changed
    chain = FakeChain()
    for function, value in (
        ("factory", FACTORY),
        ("token0", TOKENS[0]),
        ("token1", TOKENS[1]),
        ("kLast", told["k_last"]),
        ("totalSupply", told["supply"]),
    ):
        chain.say(Call(PAIR, "uniswap_v2_pair", function), value)
    chain.say(Call(PAIR, "uniswap_v2_pair", "getReserves"), 4000, 9000, 7)
    chain.say(Call(PAIR, "uniswap_v2_pair", "balanceOf", (ME,)), told["shares"])
    chain.say(Call(FACTORY, "uniswap_v2_factory", "feeTo"), told["fee_to"])
    for token, decimals, balance in zip(TOKENS, (18, told["decimals"]), told["balances"], strict=True):
        chain.say(Call(token, "erc20", "decimals"), decimals)
        chain.say(Call(token, "erc20", "balanceOf", (PAIR,)), balance)
    return chain


def poll(chain: FakeChain, *positions: Position, **settings: Any) -> Harvest:
    watch = Watch(positions=positions or (LP,), chains={"local": Chain(rpc=RPC, chain_id=31337)})
    net = FakeNet().answer("POST", RPC, chain.reply)
    return asyncio.run(build(UniswapV2, settings).poll(Ports(net, SystemClock(), random.Random(0)), watch))


def paid(harvest: Harvest) -> tuple[float, float]:
    assert harvest.rejected == []
    values = {row.metric: row.value for row in harvest.readings}
    return values["position.amount0"], values["position.amount1"]


def test_everything_is_said_of_one_block() -> None:
    chain = node()
    harvest = poll(chain)
    assert {(row.metric, row.subject): row.value for row in harvest.readings} == {
        ("position.shares", "lp"): 1000,
        ("position.amount0", "lp"): 777,
        ("position.amount1", "lp"): 1750,
        ("position.token0", "lp"): 1,
        ("position.token1", "lp"): 2,
        ("position.decimals0", "lp"): 18,
        ("position.decimals1", "lp"): 6,
        ("pool.reserve0", "pool:local/" + PAIR.lower()): 4000,
        ("pool.reserve1", "pool:local/" + PAIR.lower()): 9000,
    }
    assert {(row.at, row.block_hash) for row in harvest.readings} == {(1_700_000_000_000, chain.head["hash"])}
    assert {params[1]["blockHash"] for method, params in chain.asked if method == "eth_call"} == {chain.head["hash"]}


@pytest.mark.parametrize("tag", ["latest", "safe"])
def test_a_pass_reads_where_it_is_told(tag: str) -> None:
    chain = node()
    poll(chain, block=tag)
    assert [params[0] for method, params in chain.asked if method == "eth_getBlockByNumber"] == [tag]


def test_without_a_receiver_the_protocol_takes_nothing() -> None:
    assert paid(poll(node(fee_to=NOBODY))) == (800, 1800)
    assert paid(poll(node(fee_to=NOBODY, balances=(5000, 8000)))) == (1000, 1600), "the pair pays by what it holds"


@pytest.mark.parametrize("written", [FACTORY, FACTORY.lower()])
def test_the_share_of_a_fork_is_that_of_its_factory(written: str) -> None:
    assert paid(poll(node(), protocol_shares={written: {"part": 8, "whole": 25}})) == (1000 * 4000 // 5281, 1000 * 9000 // 5281)
    assert paid(poll(node(), protocol_shares={PAIR: {"part": 8, "whole": 25}})) == (777, 1750)


def test_who_holds_no_shares_is_told_so() -> None:
    harvest = poll(node(shares=0))
    assert paid(harvest) == (0, 0)
    assert list(harvest.notes) == [f"lp: account {ME} holds no shares of {PAIR}: it is closed, or staked, which is not read"]


def test_a_share_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="between 0 and 1"):
        build(UniswapV2, {"protocol_shares": {FACTORY: {"part": 6, "whole": 6}}})


@pytest.mark.parametrize(
    ("chain", "reason"),
    [
        (node(shares=5001), "lp: 5001 shares of 5000 cannot be: they were not read at one block"),
        (node(k_last=(2**112 - 1) ** 2 + 1), "lp: kLast of its pair is no product of two reserves"),
        (node(decimals=78), "lp: token1 says that it has 78 decimals, which no amount can have"),
        (node(balances=(2**115, 9000)), "lp: the pair holds more of token0 than it can count: burning fails until somebody calls its skim"),
    ],
)
def test_what_cannot_be_is_refused(chain: FakeChain, reason: str) -> None:
    harvest = poll(chain)
    assert (list(harvest.readings), harvest.rejected) == ([], [reason])


def test_the_largest_product_and_77_decimals_may_be() -> None:
    assert paid(poll(node(k_last=(2**112 - 1) ** 2, decimals=77))) == (800, 1800)


def test_a_position_that_cannot_be_read_leaves_the_other_in_its_pair_standing() -> None:
    other, gone = replace(LP, id="other", account="0x" + "b" * 40), replace(LP, id="gone", pool="0x" + "d" * 40)
    chain = node()
    chain.say(Call(PAIR, "uniswap_v2_pair", "balanceOf", (other.account,)), 0)
    harvest = poll(chain, LP, gone, other)
    assert [reason.partition(":")[0] for reason in harvest.rejected] == ["gone"]
    assert {row.subject for row in harvest.readings} == {"lp", "other", "pool:local/" + PAIR.lower()}
    assert len(harvest.readings) == 7 + 7 + 2
    assert {row.value for row in harvest.readings if row.subject == "other" and "amount" in row.metric} == {0}


def test_a_chain_without_an_endpoint_and_positions_of_other_kinds_are_left_out() -> None:
    watch = Watch(positions=(replace(LP, chain="base"), replace(LP, kind="curve")), chains={"local": Chain(rpc=RPC)})
    assert not UniswapV2().has_work(watch)
