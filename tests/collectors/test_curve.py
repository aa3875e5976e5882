"""The Curve collector against a node out of tables; nothing here was checked against a deployed Curve pool."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from monitor.chain import Call
from monitor.collectors.curve import Curve
from monitor.core.book import Position, Watch
from monitor.registry import build
from monitor.source import Harvest
from tests.collectors.sample import SAMPLES, read_sample
from tests.collectors.sample_chain import ChainSample
from tests.fake_chain import FakeChain

POOL, SHARES, ME = ("0x" + digit * 40 for digit in "567")
TOKENS = ["0x" + "0" * 39 + digit for digit in "123"]
SUBJECT = f"pool:local/{POOL}"
GONE = (b"", False)


def sample(name: str) -> ChainSample:
    read = read_sample(SAMPLES / f"curve.{name}.json")
    assert isinstance(read, ChainSample)
    return read


def node(name: str) -> FakeChain:
    return sample(name).node(sample(name).answers)


def pool(function: str, *args: object) -> Call:
    return Call(POOL, "curve_pool", function, args)


def poll(chain: FakeChain, *, source: Curve | None = None, watch: Watch | None = None) -> Harvest:
    one = sample("ng")
    return asyncio.run((source or Curve()).poll(one.over(chain, one.answers), watch or one.watch))


def watched(chain: str = "local", **changed: Any) -> Watch:
    [position], places = sample("ng").watch.positions, sample("ng").watch.chains
    return Watch(positions=(replace(position, chain=chain, **changed),), chains={chain: places["local"]})


def values(harvest: Harvest) -> dict[str, float]:
    return {row.metric: row.value for row in harvest.readings}


def test_a_new_pool_is_its_own_token_and_tells_its_rates():
    harvest = poll(node("ng"))
    assert harvest.rejected == []
    assert values(harvest) == {
        "position.shares": 19_800 * 10**18,
        "position.amount.USDC": 10_500.0,
        "position.amount.CRVUSD": 9_500.0,
        "position.decimals.USDC": 6,
        "position.decimals.CRVUSD": 18,
        "pool.balance.USDC": 1_050_000.0,
        "pool.balance.CRVUSD": 950_000.0,
        "pool.amplification": 200.0,
        "pool.rate.USDC": 1.0,
        "pool.rate.CRVUSD": 1.0,
        "pool.virtual_price": 1.01,
    }
    assert {row.subject for row in harvest.readings} == {"lp", SUBJECT}
    assert {(row.at, row.block_hash) for row in harvest.readings} == {(1_700_000_000_000, node("ng").head["hash"])}


def test_an_old_pool_has_a_token_of_its_own_and_no_rates():
    harvest = poll(node("three"), watch=sample("three").watch)
    assert harvest.rejected == []
    found = values(harvest)
    assert (found["position.amount.DAI"], found["position.amount.USDT"]) == (3000.0, 2900.0)
    assert found["pool.amplification"] == 2000.0
    assert not any(name.startswith("pool.rate.") for name in found)


def test_the_token_of_the_shares_is_asked_by_its_other_name_too():
    chain = node("three")
    chain.say(pool("token"), SHARES)
    chain.say_raw(pool("lp_token"), *GONE)
    assert values(poll(chain, watch=sample("three").watch))["position.shares"] == 88 * 10**20


def test_a_pool_that_does_not_tell_its_token_says_what_to_write():
    chain = node("three")
    chain.say_raw(pool("lp_token"), *GONE)
    chain.say_raw(pool("totalSupply"), *GONE)
    chain.say_raw(Call(POOL, "erc20", "balanceOf", (ME,)), *GONE)
    said = f"lp: the pool does not tell the token of its shares: add lp_tokens: {{local/{POOL}: 0x..}} to this source"
    assert poll(chain, watch=sample("three").watch).rejected == [said]
    source = build(Curve, {"lp_tokens": {f"local/{POOL}": SHARES}})
    assert poll(chain, source=source, watch=sample("three").watch).rejected == []


def test_the_token_of_the_oldest_pool_is_known():
    three = "0xbEbc44782C7dB0a1A60Cb6fe97d0b483032FF1C7"
    position = Position(id="lp", kind="curve", chain="ethereum", pool=three, account=ME)
    answers = tuple(node_answers("three"))
    [supply, held, *_] = Curve().asks(position, sample("ng").watch.chains["local"], (answers,))
    assert {supply.target, held.target} == {"0x6c3F90f043a72FA612cbac8115EE7e52BDe6E490"}


def node_answers(name: str):
    """What the first round answers, decoded."""
    from monitor.chain import Failed, call_payload, decode_output

    chain, [position] = node(name), sample(name).watch.positions
    for call in Curve().asks(position, sample(name).watch.chains["local"], ()):
        success, output = chain.answers.get((call.target, call_payload(call)), (False, b""))
        told = call.function not in ("lp_token", "token") and success
        yield decode_output(output, call.abi, call.function) if told else Failed("reverted", reverted=True)


def test_well_known_coins_and_ether_need_no_name():
    chain = node("ng")
    chain.say(pool("coins", 0), "0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE")
    usdc = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
    chain.say(pool("coins", 1), usdc)
    chain.say(Call(usdc, "erc20", "decimals"), 6)
    found = values(poll(chain, watch=watched("ethereum", assets=())))
    # Ether has 18 decimals and no contract to ask; the balance of this node was meant for 6.
    assert found["pool.balance.ETH"] == 1_050_000 / 10**12
    assert found["pool.balance.USDC"] == 950_000 * 10**12
    turned = poll(chain, watch=watched("ethereum", assets=("USDC", "WETH"))).rejected
    assert turned == [f"lp: its coin {usdc} is USDC, position lp declares WETH: correct assets, in the order of the pool"]
    assert values(poll(chain, watch=watched("ethereum", assets=("WETH", "USDC"))))["pool.balance.USDC"] == 950_000 * 10**12
    said = "lp: its coin 0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee is not a well-known token"
    assert poll(chain, watch=watched("sepolia", assets=())).rejected[0].startswith(said)


def test_coins_without_a_name_too_many_names_and_one_name_twice_are_refused():
    cure = "add assets: [..] to position lp, in the order of the pool"
    for assets, said in (
        ((), f"its coin {TOKENS[0]} is not a well-known token"),
        (("USDC",), "the pool has 2 coins and the position names 1"),
        (("USDC", "USDC"), "two of its coins are called USDC"),
    ):
        assert poll(node("ng"), watch=watched(assets=assets)).rejected == [f"lp: {said}: {cure}"]


@pytest.mark.parametrize("decimals", [0, 6, 8, 18, 36])
def test_tokens_of_any_decimals_are_told_whole_F_057(decimals: int):
    chain = node("ng")
    chain.say(Call(TOKENS[0], "erc20", "decimals"), decimals)
    chain.say(pool("balances", 0), 7 * 10**decimals)
    chain.say(pool("stored_rates"), [10 ** (36 - decimals), 10**18])
    found = values(poll(chain))
    assert (found["pool.balance.USDC"], found["pool.rate.USDC"]) == (7.0, 1.0)


def test_decimals_that_no_amount_has_are_refused_F_057():
    chain = node("ng")
    chain.say(Call(TOKENS[0], "erc20", "decimals"), 78)
    assert poll(chain).rejected == ["lp: a coin says that it has 78 decimals, which no amount can have"]


def test_an_empty_pool_has_amounts_of_nothing_and_no_price_of_a_share_F_056():
    chain = node("ng")
    for call in (pool("balances", 0), pool("balances", 1), pool("totalSupply"), Call(POOL, "erc20", "balanceOf", (ME,))):
        chain.say(call, 0)
    chain.say_raw(pool("get_virtual_price"), *GONE)
    harvest = poll(chain)
    assert harvest.rejected == []
    assert (values(harvest)["position.shares"], values(harvest)["position.amount.USDC"]) == (0, 0.0)
    assert "pool.virtual_price" not in values(harvest)


def test_a_holder_without_shares_has_nothing_F_056():
    chain = node("ng")
    chain.say(Call(POOL, "erc20", "balanceOf", (ME,)), 0)
    assert (values(poll(chain))["position.shares"], values(poll(chain))["position.amount.CRVUSD"]) == (0, 0.0)
    assert list(poll(chain).notes) == [f"lp: account {ME} holds no shares of {POOL}: it is closed, or staked, which is not read"]
    assert list(poll(node("ng")).notes) == []


@pytest.mark.parametrize(
    ("call", "answer", "said"),
    [
        (pool("gamma"), (10**14,), "it is a cryptoswap pool, which is not kept at one peg: only stable pools are read"),
        (pool("A"), (201,), "its A() is not that of its A_precise()"),
        (pool("N_COINS"), (3,), "it says that it has 3 coins and lists 2"),
        (pool("stored_rates"), ([10**30],), "it tells 1 rates for 2 coins"),
        (Call(POOL, "erc20", "balanceOf", (ME,)), (1_980_000 * 10**18 + 1,), "the account has more shares than there are"),
        (pool("coins", 2), (TOKENS[2],), "it does not list its coins and balances"),
        (pool("balances", 2), (5,), "it does not list its coins and balances"),
    ],
)
def test_what_no_stable_pool_says_is_refused(call: Call, answer: tuple[object, ...], said: str):
    chain = node("ng")
    chain.say(call, *answer)
    [reason] = poll(chain).rejected
    assert reason.startswith(f"lp: {said}")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (pool("stored_rates"), "stored_rates reverted"),
        (pool("A"), "A reverted"),
        (pool("get_virtual_price"), "get_virtual_price reverted"),
        (pool("balances", 0), "it does not list its coins and balances"),
        (pool("coins", 1), "it does not list its coins and balances"),
        (Call(TOKENS[1], "erc20", "decimals"), "decimals reverted"),
    ],
)
def test_a_part_that_is_missing_refuses_the_position(call: Call, said: str):
    chain = node("ng")
    chain.say_raw(call, *GONE)
    [reason] = poll(chain).rejected
    assert reason.startswith(f"lp: {said}")
    assert poll(chain).readings == []


def test_a_pool_that_counts_its_coins_otherwise_is_refused():
    chain = node("ng")
    for place in range(2):
        chain.say_raw(pool("coins", place), *GONE)
        chain.say_raw(pool("balances", place), *GONE)
    assert poll(chain).rejected[0].endswith("with uint256 indexes does: is pool: the pool's address?")


def test_one_position_that_cannot_be_read_leaves_the_others_and_a_pool_is_told_once():
    [mine] = sample("ng").watch.positions
    other = replace(mine, id="other")
    wrong = replace(mine, id="wrong", pool="0x" + "8" * 40)
    both = Watch(positions=(wrong, mine, other), chains=sample("ng").watch.chains)
    harvest = poll(node("ng"), watch=both)
    assert {row.subject for row in harvest.readings} == {"lp", "other", SUBJECT}
    assert len(harvest.readings) == len({(row.metric, row.subject) for row in harvest.readings})
    assert [reason.partition(":")[0] for reason in harvest.rejected] == ["wrong"]


def test_what_is_not_its_own_costs_no_request():
    chain = node("ng")
    for changed in (watched(kind="balancer"), Watch(positions=sample("ng").watch.positions)):
        assert (poll(chain, watch=changed), Curve().provides(changed)) == (Harvest([], []), frozenset())
    assert chain.asked == []


def test_what_is_promised_beforehand_is_what_the_position_names():
    assert Curve().provides(watched(assets=())) == {("position.shares", "lp"), ("pool.amplification", SUBJECT), ("pool.virtual_price", SUBJECT)}
    assert ("pool.balance.CRVUSD", SUBJECT) in Curve().provides(watched())


@pytest.mark.parametrize("block", ["latest", "safe", "finalized"])
def test_a_pass_reads_at_the_block_that_is_configured(block: str):
    chain = node("ng")
    poll(chain, source=build(Curve, {"block": block}))
    assert [params[0] for method, params in chain.asked if method == "eth_getBlockByNumber"] == [block]
