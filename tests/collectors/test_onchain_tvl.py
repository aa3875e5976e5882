"""Our own sum of contracts against a node out of tables: exact to the unit, at one block, and never part of a sum."""

import asyncio
import random
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.chain import Block, Call, Failed
from monitor.clock import SystemClock
from monitor.collectors.onchain_tvl import Contracts, OnchainTvl, Sum, parse, sums_of, total_of
from monitor.core.book import Chain, Watch
from monitor.core.door import admit
from monitor.errors import BadPayload, SourceError
from monitor.registry import build
from monitor.source import Harvest, Ports
from tests.fake_chain import FakeChain
from tests.fakes import FakeNet

RPC, OTHER = "https://node.test/key", "https://other.test/"
VAULT, SAFE, USDC, WETH = ("0x" + digit * 40 for digit in "abcd")
X = "protocol:x"
BLOCK = Block(100, "0x" + "1" * 64, "0x" + "2" * 64, 1_700_000_000_000)


def balance(token: str, holder: str) -> Call:
    return Call(token, "erc20", "balanceOf", (holder,))


def node(**settings: Any) -> FakeChain:
    chain = FakeChain(**settings)
    for token, decimals, held in ((USDC, 6, {VAULT: 5_000_000, SAFE: 1}), (WETH, 18, {VAULT: 2 * 10**18, SAFE: 10**17})):
        chain.say(Call(token, "erc20", "decimals"), decimals)
        for holder, amount in held.items():
            chain.say(balance(token, holder), amount)
    return chain


def source(**contracts: Any) -> OnchainTvl:
    both: dict[str, Any] = {"chain": "local", "holders": [VAULT, SAFE], "tokens": {"USDC": USDC, "WETH": WETH}}
    built: OnchainTvl = build(OnchainTvl, {"contracts": {X: both | contracts}})
    return built


def poll(chain: FakeChain, one: OnchainTvl, other: object = None, chains: Mapping[str, Chain] | None = None) -> Harvest:
    net = FakeNet().answer("POST", RPC, chain.reply).answer("POST", OTHER, other)
    watch = Watch(chains={"local": Chain(rpc=RPC, chain_id=31337)} if chains is None else chains)
    return asyncio.run(one.poll(Ports(net, SystemClock(), random.Random(0)), watch))


def test_what_the_holders_have_is_summed_at_one_block_and_passes_the_door() -> None:
    chain = node()
    harvest = poll(chain, source())
    assert harvest.rejected == []
    assert {row.metric: row.value for row in harvest.readings} == {"tvl.tokens.USDC": 5.000001, "tvl.tokens.WETH": 2.1}
    assert {(row.subject, row.at, row.block_hash) for row in harvest.readings} == {(X, 1_700_000_000_000, chain.head["hash"])}
    admission = admit(harvest.readings, source="onchain-tvl", received_at=1_700_000_000_000)
    assert (len(admission.observations), admission.rejections) == (2, ())
    assert ("eth_getBlockByNumber", ("safe", False)) in [(method, tuple(params)) for method, params in chain.asked]


def test_it_provides_what_it_delivers_and_nothing_unless_contracts_are_set_up() -> None:
    assert source().provides(Watch()) == {(row.metric, row.subject) for row in poll(node(), source()).readings}
    assert OnchainTvl().provides(Watch()) == frozenset()
    assert OnchainTvl().streams(Watch()) == ()
    assert poll(node(), OnchainTvl()) == Harvest([], [])


def test_a_token_of_which_one_balance_is_missing_is_refused_whole_and_the_others_stand_f_059() -> None:
    chain = node()
    chain.say_raw(balance(WETH, SAFE), b"", success=False)
    harvest = poll(chain, source())
    assert [row.metric for row in harvest.readings] == ["tvl.tokens.USDC"]
    assert harvest.rejected == [f"{X}: WETH: balanceOf reverted"]


def test_a_token_without_decimals_is_refused_and_never_taken_as_18() -> None:
    chain = node()
    chain.say_raw(Call(USDC, "erc20", "decimals"), b"", success=False)
    harvest = poll(chain, source())
    assert [row.metric for row in harvest.readings] == ["tvl.tokens.WETH"]
    assert harvest.rejected == [f"{X}: USDC: decimals reverted"]


def test_a_chain_that_fails_does_not_take_the_others_with_it() -> None:
    down = Contracts(chain="other", holders=(VAULT,), tokens={"USDC": USDC})
    one = OnchainTvl(contracts={**source().contracts, "protocol:y": down})
    chains = {"local": Chain(rpc=RPC, chain_id=31337), "other": Chain(rpc=OTHER, chain_id=5)}
    harvest = poll(node(), one, SourceError("down"), chains)
    assert {row.subject for row in harvest.readings} == {X}
    assert len(harvest.rejected) == 1 and "down" in harvest.rejected[0]


def test_contracts_on_a_chain_that_is_not_set_up_are_said_and_not_passed_over() -> None:
    with pytest.raises(SourceError, match=r"contracts are on chain local, which is not set up: add chains: \{local: \{rpc: \.\.\}\}") as caught:
        poll(node(), source(), chains={})
    assert caught.value.permanent


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"holders": []}, "holders is empty"),
        ({"tokens": {}}, "tokens is empty"),
        ({"holders": [VAULT, VAULT.upper().replace("0X", "0x")]}, "holders names one address twice"),
        ({"tokens": {"USDC": USDC, "USDT": USDC}}, "tokens names one address twice"),
        ({"holders": ["0x12"]}, "pattern"),
        ({"token": {"DAI": WETH}}, r"token\b"),
        ({"tokens": {"usd coin": USDC}}, "pattern"),
    ],
)
def test_contracts_that_cannot_be_meant_are_refused(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        source(**changed)


def test_a_subject_that_is_no_protocol_is_refused() -> None:
    with pytest.raises(ValidationError, match="pattern"):
        build(OnchainTvl, {"contracts": {"ethereum": {"chain": "local", "holders": [VAULT], "tokens": {"USDC": USDC}}}})


@given(st.lists(st.integers(0, 2**256 - 1), min_size=1, max_size=8), st.integers(0, 77))
@example([0], 0)
@example([1, 2**256 - 1], 36)
@example([2**256 - 1, 2**256 - 1], 0)
def test_a_sum_is_exact_and_its_amount_the_nearest_number_that_a_float_has(balances: list[int], decimals: int) -> None:
    answers = [(decimals,), *((amount,) for amount in balances)]
    assert total_of(answers) == (sum(balances), decimals)
    [sums] = sums_of(X, Contracts(chain="local", holders=tuple(f"0x{i:040x}" for i in range(len(balances))), tokens={"T": USDC}))
    assert len(sums.calls) == len(answers)
    [reading] = parse(BLOCK, [(sums, answers)]).readings
    assert reading.value == float(Fraction(sum(balances), 10**decimals))


def test_a_missing_answer_is_no_zero() -> None:
    with pytest.raises(BadPayload, match="reverted"):
        total_of([(6,), Failed("balanceOf reverted")])
    with pytest.raises(BadPayload, match="it says that it has 78 decimals, which no amount can have"):
        total_of([(78,), (1,)])
    assert parse(BLOCK, [(Sum(X, "T", ()), [(6,), Failed("balanceOf reverted")])]).readings == []
