"""The treasury wallets against a node out of tables: sums over wallets, whole or not at all, and settings that would count twice."""

import asyncio
import random
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.chain import MULTICALL3, Call
from monitor.clock import SystemClock
from monitor.collectors.treasury_wallets import TreasuryWallets
from monitor.core.book import Chain, Watch
from monitor.core.door import admit
from monitor.errors import BadPayload, SourceError
from monitor.registry import build
from monitor.source import Harvest, Ports
from tests.fake_chain import FakeChain
from tests.fakes import FakeNet

RPC = "https://node.test/key"
A, B = "0x" + "a" * 40, "0x" + "b" * 40
USDC, WETH, UNI = ("0x" + "0" * 39 + digit for digit in "123")
X = {
    "chain": "local",
    "wallets": [A, B],
    "tokens": {"USDC": USDC, "WETH": WETH, "UNI": UNI},
    "native": "ETH",
    "own_token": "UNI",
    "liabilities": "1_000_000 USD",
    "receivables": "20_000 USD",
}


def erc20(token: str, function: str, *args: object) -> Call:
    return Call(token, "erc20", function, args)


def node() -> FakeChain:
    chain = FakeChain()
    for wallet, wei, usdc, weth in ((A, 10**18, 5 * 10**6, 3 * 10**17), (B, 5 * 10**17, 10**6 + 1, 0)):
        chain.say(Call(MULTICALL3, "multicall3", "getEthBalance", (wallet,)), wei)
        chain.say(erc20(USDC, "balanceOf", wallet), usdc)
        chain.say(erc20(WETH, "balanceOf", wallet), weth)
    chain.say(erc20(USDC, "decimals"), 6)
    chain.say(erc20(WETH, "decimals"), 18)
    return chain


def source(treasury: dict[str, Any] | None = None, **others: Any) -> TreasuryWallets:
    return build(TreasuryWallets, {"treasuries": {"protocol:x": treasury if treasury is not None else X, **others}})


WATCH = Watch(chains={"local": Chain(rpc=RPC, chain_id=31337)})


def poll(chain: FakeChain, collector: TreasuryWallets, watch: Watch = WATCH) -> Harvest:
    net = FakeNet().answer("POST", RPC, chain.reply)
    return asyncio.run(collector.poll(Ports(net, SystemClock(), random.Random(0)), watch))


def values(harvest: Harvest) -> dict[tuple[str, str], float]:
    return {(row.metric.removeprefix("treasury."), row.subject): row.value for row in harvest.readings}


def test_balances_of_all_wallets_are_added_in_whole_units_and_the_own_token_is_never_read() -> None:
    chain, collector = node(), source()
    harvest = poll(chain, collector)
    assert values(harvest) == {
        ("tokens.ETH", "protocol:x"): 1.5,
        ("tokens.USDC", "protocol:x"): 6.000001,
        ("tokens.WETH", "protocol:x"): 0.3,
        ("decimals.USDC", "protocol:x"): 6,
        ("decimals.WETH", "protocol:x"): 18,
        ("liabilities_usd", "protocol:x"): 1_000_000,
        ("receivables_usd", "protocol:x"): 20_000,
    }
    admission = admit(harvest.readings, source=collector.id, received_at=max(row.at or 0 for row in harvest.readings))
    assert (admission.rejections, harvest.rejected) == ((), [])
    assert {(row.metric, row.subject) for row in admission.observations} == collector.provides(WATCH)
    assert {row.at for row in admission.observations} == {1_700_000_000_000}
    assert {row.block_hash for row in admission.observations if "tokens" in row.metric} == {chain.head["hash"]}


@pytest.mark.parametrize("tag", ["latest", "safe"])
def test_every_read_of_a_pass_names_one_block(tag: str) -> None:
    chain = node()
    poll(chain, build(TreasuryWallets, {"block": tag, "treasuries": {"protocol:x": X}}))
    calls = [params for method, params in chain.asked if method == "eth_call"]
    assert {params[1]["blockHash"] for params in calls} == {chain.head["hash"]}
    assert ("eth_getBlockByNumber", [tag, False]) in chain.asked


@pytest.mark.parametrize("broken", [erc20(WETH, "balanceOf", B), erc20(USDC, "decimals")], ids=["a balance", "decimals"])
def test_f_059_a_treasury_of_which_one_part_is_missing_is_left_out_whole_and_the_others_stand(broken: Call) -> None:
    chain = node()
    chain.say_raw(broken, b"", success=False)
    harvest = poll(chain, source(**{"protocol:y": {"liabilities": "5 USD"}}))
    assert {subject for _, subject in values(harvest)} == {"protocol:y"}
    [reason] = harvest.rejected
    assert reason == f"protocol:x: {broken.function} reverted at {broken.target}; the treasury is left out of this pass, correct or remove that token"


def test_decimals_that_no_amount_can_have_are_refused() -> None:
    chain = node()
    chain.say(erc20(USDC, "decimals"), 255)
    with pytest.raises(BadPayload, match="USDC says that it has 255 decimals"):
        poll(chain, source())


def test_declared_sums_need_neither_wallet_nor_chain() -> None:
    collector = source({"liabilities": "3_000 USD"})
    harvest = poll(node(), collector)
    assert values(harvest) == {("liabilities_usd", "protocol:x"): 3000.0, ("receivables_usd", "protocol:x"): 0.0}
    assert collector.provides(Watch()) == {("treasury.liabilities_usd", "protocol:x"), ("treasury.receivables_usd", "protocol:x")}


def test_a_token_named_as_the_chain_s_own_coin_is_added_to_it() -> None:
    harvest = poll(node(), source({**X, "tokens": {"ETH": WETH}}))
    assert values(harvest)["tokens.ETH", "protocol:x"] == 1.8


def test_the_coin_of_a_known_chain_needs_no_name_and_that_of_another_does() -> None:
    bare = {key: value for key, value in X.items() if key != "native"}
    known = Watch(chains={"local": Chain(rpc=RPC, chain_id=137)})
    assert ("treasury.tokens.POL", "protocol:x") in source(bare).provides(known)
    with pytest.raises(SourceError, match="add native: and its symbol") as refused:
        poll(node(), source(bare))
    assert refused.value.permanent


def test_a_chain_that_is_not_configured_is_named() -> None:
    with pytest.raises(SourceError, match="chain local is not among your chains"):
        poll(node(), source(), Watch())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"wallets": [A, "0x" + "A" * 40]}, "wallets lists one address twice"),
        ({"tokens": {"USDC": USDC, "USDCE": USDC}}, "tokens lists one address twice"),
        ({"liabilities": "-1 USD"}, "must not be negative"),
        ({"receivables": "-1 USD"}, "must not be negative"),
        ({"liabilities": "1000"}, "not an amount of money"),
        ({"chain": ""}, "wallets and chain go together"),
        ({"wallets": []}, "wallets and chain go together"),
        ({"walets": [A]}, "Unexpected keyword argument"),
        ({"wallets": ["0x12"]}, "pattern"),
        ({"tokens": {"usd coin": USDC}}, "pattern"),
    ],
)
def test_settings_that_would_count_wrong_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        source({**X, **change})


def test_what_is_owed_must_be_said_and_the_subject_must_be_a_protocol() -> None:
    with pytest.raises(ValidationError, match="liabilities"):
        source({key: value for key, value in X.items() if key != "liabilities"})
    with pytest.raises(ValidationError, match="pattern"):
        build(TreasuryWallets, {"treasuries": {"chain:ethereum": X}})


def test_nothing_configured_is_nothing_to_do() -> None:
    assert TreasuryWallets().provides(WATCH) == frozenset()
    assert poll(node(), TreasuryWallets()) == Harvest([], [])
