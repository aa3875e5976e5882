"""The Balancer collector against a node out of tables; tests/integration/test_balancer.py asks the contracts themselves."""

import asyncio
from dataclasses import replace

import pytest

from monitor.chain import Call
from monitor.collectors.balancer import VAULT, Balancer
from monitor.core.book import Watch
from monitor.source import Harvest
from tests.collectors.sample import SAMPLES, read_sample
from tests.collectors.sample_chain import ChainSample
from tests.fake_chain import FakeChain

POOL, ME, OURS = ("0x" + digit * 40 for digit in "579")
TOKENS = ["0x" + "0" * 39 + digit for digit in "12"]
SUBJECT = f"pool:local/{POOL}"
GONE = (b"", False)
ID = bytes.fromhex("55" * 20 + "0002" + "0" * 18 + "02")
SOURCE = Balancer(vaults={"local": OURS})


def sample(name: str) -> ChainSample:
    read = read_sample(SAMPLES / f"balancer.{name}.json")
    assert isinstance(read, ChainSample)
    return read


def node(name: str) -> FakeChain:
    return sample(name).node(sample(name).answers)


def pool(function: str) -> Call:
    return Call(POOL, "balancer_v2_pool", function)


TOKENS_OF = Call(OURS, "balancer_v2_vault", "getPoolTokens", (ID,))
HELD = Call(POOL, "erc20", "balanceOf", (ME,))


def poll(chain: FakeChain, name: str = "weighted", watch: Watch | None = None) -> Harvest:
    return asyncio.run(SOURCE.poll(sample(name).over(chain, sample(name).answers), watch or sample(name).watch))


def values(harvest: Harvest) -> dict[str, float]:
    return {row.metric: row.value for row in harvest.readings}


def test_a_share_of_a_weighted_pool_is_of_the_supply_with_the_fees_that_are_due():
    harvest = poll(node("weighted"))
    assert harvest.rejected == []
    # 10 of 1001 shares: a ratio of 0.009990009990009990, rounded down, and each coin rounded down to its own digits.
    assert values(harvest) == {
        "position.shares": 10**19,
        "position.amount.AAVE": 39.96003996003996,
        "position.amount.USDC": 999.000999,
        "position.decimals.AAVE": 18,
        "position.decimals.USDC": 6,
        "pool.balance.AAVE": 4000.0,
        "pool.balance.USDC": 100_000.0,
        "pool.weight.AAVE": 0.8,
        "pool.weight.USDC": 0.2,
    }
    assert {(row.at, row.block_hash) for row in harvest.readings} == {(1_700_000_000_000, node("weighted").head["hash"])}


def test_an_older_pool_divides_by_the_shares_that_are_minted():
    chain = node("weighted")
    chain.say_raw(pool("getActualSupply"), *GONE)
    assert values(poll(chain))["position.amount.AAVE"] == 40.0


def test_a_composable_pool_s_own_shares_are_nobody_s():
    harvest = poll(node("composable"), "composable")
    assert harvest.rejected == []
    assert values(harvest) == {
        "position.shares": 19_000 * 10**18,
        "position.amount.USDC": 10_000.0,
        "position.amount.SUSDE": 9570.0,
        "position.decimals.USDC": 6,
        "position.decimals.SUSDE": 18,
        "pool.balance.USDC": 1_000_000.0,
        "pool.balance.SUSDE": 957_000.0,
        "pool.amplification": 200.0,
        "pool.rate.USDC": 1.0,
        "pool.rate.SUSDE": 1.0,
        "pool.virtual_price": 1.03,
    }


def test_an_older_composable_pool_tells_what_is_out_by_another_name_and_none_is_guessed():
    chain = node("composable")
    chain.say_raw(pool("getActualSupply"), *GONE)
    assert values(poll(chain, "composable"))["position.amount.USDC"] == 10_000.0
    chain.say_raw(pool("getVirtualSupply"), *GONE)
    said = "lp: it keeps its own shares and does not tell how many are out: no such pool is known"
    assert poll(chain, "composable").rejected == [said]


def test_a_rate_is_the_scaling_factor_without_the_decimals():
    chain = node("composable")
    chain.say(pool("getScalingFactors"), [10**30, 10**18, 1_200_000_000_000_000_000])
    assert values(poll(chain, "composable"))["pool.rate.SUSDE"] == 1.2
    chain.say_raw(pool("getScalingFactors"), *GONE)
    assert not any(name.startswith("pool.rate.") for name in values(poll(chain, "composable")))


@pytest.mark.parametrize("name", ["weighted", "composable"])
def test_a_pool_without_shares_and_a_holder_without_any_have_nothing_F_056(name: str):
    chain = node(name)
    chain.say(HELD, 0)
    assert (values(poll(chain, name))["position.shares"], values(poll(chain, name))["position.amount.USDC"]) == (0, 0.0)
    chain.say(pool("getActualSupply"), 0)
    chain.say_raw(pool("getRate"), *GONE)
    harvest = poll(chain, name)
    assert harvest.rejected == []
    assert values(harvest)["position.amount.USDC"] == 0.0
    assert "pool.virtual_price" not in values(harvest)


@pytest.mark.parametrize("decimals", [0, 6, 8, 18])
def test_tokens_of_any_decimals_are_told_whole_F_057(decimals: int):
    chain = node("weighted")
    chain.say(Call(TOKENS[1], "erc20", "decimals"), decimals)
    chain.say(TOKENS_OF, TOKENS, [4000 * 10**18, 1001 * 10**decimals], 90)
    found = values(poll(chain))
    assert found["pool.balance.USDC"] == 1001.0
    # The ratio has 18 digits, so a coin of as many loses some to it and one of fewer loses its last.
    assert found["position.amount.USDC"] == pytest.approx(10.0 if decimals else 9.0, rel=2 / 10 ** max(decimals, 1))


@pytest.mark.parametrize(
    ("name", "call", "answer", "said"),
    [
        ("weighted", Call(TOKENS[1], "erc20", "decimals"), (19,), "the Vault names no coin of the pool, or one of more than 18 decimals"),
        ("weighted", TOKENS_OF, ([], [], 90), "the Vault names no coin of the pool"),
        ("weighted", pool("getNormalizedWeights"), ([8 * 10**17, 2 * 10**17 + 1],), "its weights are not one for each coin that together make 1"),
        ("weighted", pool("getNormalizedWeights"), ([10**18],), "its weights are not one for each coin"),
        ("weighted", HELD, (1001 * 10**18 + 1,), "the account has more shares than there are"),
        ("composable", pool("getAmplificationParameter"), (200_000, False, 0), "its amplification is below 1"),
        ("composable", pool("getAmplificationParameter"), (999, False, 1000), "its amplification is below 1"),
        ("composable", pool("getScalingFactors"), ([10**30, 10**18],), "it scales 1 coins and the Vault keeps 2 of it"),
    ],
)
def test_what_no_pool_says_is_refused(name: str, call: Call, answer: tuple[object, ...], said: str):
    chain = node(name)
    chain.say(call, *answer)
    [reason] = poll(chain, name).rejected
    assert reason.startswith(f"lp: {said}")


@pytest.mark.parametrize(
    ("name", "call", "said"),
    [
        ("weighted", pool("getPoolId"), "getPoolId reverted"),
        ("weighted", TOKENS_OF, "getPoolTokens reverted"),
        ("weighted", HELD, "balanceOf reverted"),
        ("weighted", pool("getNormalizedWeights"), "it has neither weights nor amplification"),
        ("composable", pool("getRate"), "getRate reverted"),
    ],
)
def test_a_part_that_is_missing_refuses_the_position(name: str, call: Call, said: str):
    chain = node(name)
    chain.say_raw(call, *GONE)
    [reason] = poll(chain, name).rejected
    assert reason.startswith(f"lp: {said}")


def test_an_amplification_of_one_is_the_least_there_is():
    chain = node("composable")
    chain.say(pool("getAmplificationParameter"), 1000, True, 1000)
    assert values(poll(chain, "composable"))["pool.amplification"] == 1.0


def test_the_vault_is_the_well_known_one_unless_a_fork_is_named():
    [position], chain = sample("weighted").watch.positions, sample("weighted").watch.chains["local"]
    [call] = Balancer().asks(position, chain, (((ID,),),))
    assert (call.target, call.args) == (VAULT, (ID,))
    assert SOURCE.asks(position, chain, (((ID,),),))[0].target == OURS


def test_what_is_promised_beforehand_is_what_the_position_names():
    [position], chains = sample("weighted").watch.positions, sample("weighted").watch.chains
    nameless = Watch(positions=(replace(position, assets=()),), chains=chains)
    assert SOURCE.provides(nameless) == {("position.shares", "lp")}
    named = {("position.amount.AAVE", "lp"), ("position.amount.USDC", "lp"), ("pool.balance.AAVE", SUBJECT), ("pool.balance.USDC", SUBJECT)}
    assert SOURCE.provides(sample("weighted").watch) == named | {("position.shares", "lp")}
