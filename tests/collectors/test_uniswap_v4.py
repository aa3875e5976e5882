"""The Uniswap v4 collector against a node out of tables, through the net and the door that it meets in the daemon."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from monitor.chain import Block, Call, Failed
from monitor.clock import SystemClock
from monitor.collectors.uniswap_v4 import (
    MANAGER_ABI,
    MANAGERS,
    NATIVE,
    POOLS_ABI,
    POSITION_FIELDS,
    UniswapV4,
    holding_calls,
    parse_holding,
    parse_state,
    pool_id,
    state_calls,
    storage_slots,
)
from monitor.core.amm import MAX_SQRT_RATIO, MIN_SQRT_RATIO, sqrt_ratio_at_tick
from monitor.core.amm_v4 import PackedRange
from monitor.core.book import Chain, Position, Watch
from monitor.core.door import admit
from monitor.errors import BadPayload, SourceError
from monitor.registry import build
from monitor.source import Harvest, Ports
from tests.fake_chain import FakeChain, header
from tests.fakes import FakeNet

RPC, OTHER = "https://node.test/key", "https://other.test/"
MANAGER, POOLS = "0x" + "a" * 40, "0x" + "c" * 40
TOKEN0, TOKEN1 = "0x" + "0" * 39 + "1", "0x" + "0" * 39 + "2"
Q96, GROWTH = 1 << 96, 1 << 120
LIQUIDITY = 10**12
HOOK = "0x" + "b" * 36 + "0200"

Key = tuple[str, str, int, int, str]
KEY: Key = (TOKEN0, TOKEN1, 3000, 60, NATIVE)


def packed(key: Key, lower: int = -60, upper: int = 60) -> int:
    return int.from_bytes(pool_id(key)[:25] + upper.to_bytes(3, signed=True) + lower.to_bytes(3, signed=True) + b"\1")


def slot0(price: int = Q96, tick: int = 0) -> int:
    return 3000 << 208 | (tick % 2**24) << 160 | price


# Slot0 and both growths; the lower tick, the upper tick (net and gross liquidity, growths outside); the position.
WORDS = (slot0(), 9 * GROWTH, 7 * GROWTH, 1 << 128 | 1, GROWTH, GROWTH, 1 << 128 | 1, GROWTH, 2 * GROWTH, LIQUIDITY, 2 * GROWTH, GROWTH)
FEES0, FEES1 = 5 * LIQUIDITY // 256, 3 * LIQUIDITY // 256


def at(words: tuple[int, ...], changes: Mapping[int, int]) -> tuple[int, ...]:
    return tuple(changes.get(index, word) for index, word in enumerate(words))


def storage(token_id: int = 7, key: Key = KEY, lower: int = -60, upper: int = 60) -> Call:
    place = PackedRange(pool_id(key)[:25], lower, upper)
    return Call(POOLS, POOLS_ABI, "extsload", (storage_slots(pool_id(key), place, MANAGER, token_id),))


def hold(chain: FakeChain, token_id: int, key: Key = KEY, words: tuple[int, ...] = WORDS, info: int | None = None) -> FakeChain:
    chain.say(Call(MANAGER, MANAGER_ABI, "getPoolAndPositionInfo", (token_id,)), key, packed(key) if info is None else info)
    chain.say(Call(MANAGER, MANAGER_ABI, "getPositionLiquidity", (token_id,)), words[9])
    chain.say(storage(token_id, key), [word.to_bytes(32) for word in words])
    return chain


def node(words: tuple[int, ...] = WORDS, **settings: Any) -> FakeChain:
    chain = FakeChain(**settings)
    chain.say(Call(MANAGER, MANAGER_ABI, "poolManager"), POOLS)
    for token, decimals in ((TOKEN0, 6), (TOKEN1, 18)):
        chain.say(Call(token, "erc20", "decimals"), decimals)
    return hold(chain, 7, words=words)


def watch(*positions: Position, chains: Mapping[str, Chain] | None = None) -> Watch:
    return Watch(positions=positions, chains=chains or {"local": Chain(rpc=RPC, chain_id=31337)})


LP = Position(id="lp", kind="uniswap-v4", chain="local", token_id=7)
SOURCE = UniswapV4(managers={"local": MANAGER})


def poll(chain: FakeChain, watched: Watch, source: UniswapV4 = SOURCE, other: object = None) -> Harvest:
    net = FakeNet().answer("POST", RPC, chain.reply).answer("POST", OTHER, other)
    return asyncio.run(source.poll(Ports(net, SystemClock(), random.Random(0)), watched))


def values(harvest: Harvest, subject: str = "lp") -> dict[str, float | int]:
    return {row.metric.removeprefix("position."): row.value for row in harvest.readings if row.subject == subject}


VALUES = {
    "liquidity": LIQUIDITY,
    "amount0": 2_995_354_955,
    "amount1": 2_995_354_955,
    "fees0": FEES0,
    "fees1": FEES1,
    "token0": 1,
    "token1": 2,
    "decimals0": 6,
    "decimals1": 18,
    "sqrt_price_x96": Q96,
    "tick": 0,
    "tick_lower": -60,
    "tick_upper": 60,
}


def test_a_position_is_read_at_one_block_and_passes_the_door_whole() -> None:
    chain = node()
    harvest = poll(chain, watch(LP))
    assert harvest.rejected == []
    assert values(harvest) == VALUES
    assert {(row.at, row.block_hash) for row in harvest.readings} == {(1_700_000_000_000, chain.head["hash"])}
    admission = admit(harvest.readings, source="uniswap-v4", received_at=1_700_000_000_000)
    assert len(admission.observations) == len(POSITION_FIELDS) == 13
    assert admission.rejections == ()


def test_it_provides_what_it_delivers() -> None:
    assert SOURCE.provides(watch(LP)) == {(row.metric, row.subject) for row in poll(node(), watch(LP)).readings}


@pytest.mark.parametrize(
    "position",
    [
        Position(id="perp", kind="perp", asset="ETH", size=1.0),
        Position(id="third", kind="uniswap-v3", chain="local", token_id=7),
        Position(id="elsewhere", kind="uniswap-v4", chain="moon", token_id=7),
        Position(id="nameless", kind="uniswap-v4", chain="local"),
    ],
)
def test_what_is_not_its_own_costs_no_request(position: Position) -> None:
    chain = node()
    assert SOURCE.provides(watch(position)) == frozenset()
    assert poll(chain, watch(position)) == Harvest([], [])
    assert chain.asked == []


def test_the_chains_own_coin_is_token_0_with_eighteen_decimals_that_nobody_is_asked_for() -> None:
    key: Key = (NATIVE, TOKEN0, 500, 60, NATIVE)
    chain = hold(node(), 8, key)
    harvest = poll(chain, watch(replace(LP, token_id=8)))
    assert values(harvest) == VALUES | {"token0": 0, "token1": 1, "decimals0": 18, "decimals1": 6}
    assert admit(harvest.readings, source="uniswap-v4", received_at=1_700_000_000_000).rejections == ()


def test_a_token_id_that_was_never_minted_or_is_burned_is_named_and_harms_no_other_F_059() -> None:
    chain = hold(node(), 8, (NATIVE, NATIVE, 0, 0, NATIVE), info=0)
    burned = replace(LP, id="burned", token_id=8)
    for order in ((LP, burned), (burned, LP)):
        harvest = poll(chain, watch(*order))
        assert harvest.rejected == ["burned: the position manager knows no such token_id: it was never minted, or is burned"]
        assert values(harvest) == VALUES


def test_a_position_without_liquidity_is_worth_nothing_and_still_has_its_range() -> None:
    emptied = at(WORDS, {3: 0, 6: 0, 9: 0})
    nothing = {"liquidity": 0, "amount0": 0, "amount1": 0, "fees0": 0, "fees1": 0}
    assert values(poll(node(emptied), watch(LP))) == VALUES | nothing


@pytest.mark.parametrize(("tick", "amounts"), [(-61, (5_999_709_018, 0)), (60, (0, 5_999_709_018))])
def test_a_position_out_of_range_holds_one_token(tick: int, amounts: tuple[int, int]) -> None:
    # Growth outside is that of the far side, so the fees are the difference of the ends: nothing or less is earned out here since the last touch.
    words = at(WORDS, {0: slot0(sqrt_ratio_at_tick(tick), tick), 10: 0, 11: 0, 4: GROWTH, 5: GROWTH, 7: GROWTH, 8: GROWTH})
    seen = values(poll(node(words), watch(LP)))
    assert (seen["amount0"], seen["amount1"], seen["fees0"], seen["fees1"]) == (*amounts, 0, 0)
    assert (seen["tick"], seen["sqrt_price_x96"]) == (tick, sqrt_ratio_at_tick(tick))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({0: 0}, "never initialised"),
        ({0: slot0(0, 5)}, "never initialised"),
        ({0: slot0(Q96, 1)}, "contradicts itself"),
        ({0: slot0(Q96 - 1, 0)}, "contradicts itself"),
        ({0: slot0(sqrt_ratio_at_tick(1) + 1, 0)}, "contradicts itself"),
        ({0: slot0(MIN_SQRT_RATIO, -887_273)}, "contradicts itself"),
        ({0: slot0(MAX_SQRT_RATIO, 887_273)}, "contradicts itself"),
        ({0: slot0(MAX_SQRT_RATIO, 887_272)}, "outside the range"),
        ({3: 0}, "not read at one block"),
        ({6: 0}, "not read at one block"),
        ({1: 2**255}, "more than the pool manager can pay"),
    ],
)
def test_a_state_that_cannot_be_is_refused_with_a_sentence_F_056(changes: Mapping[int, int], sentence: str) -> None:
    harvest = poll(node(at(WORDS, changes)), watch(LP))
    assert harvest.readings == []
    [reason] = harvest.rejected
    assert reason.startswith("lp: ") and sentence in reason


@pytest.mark.parametrize(("price", "tick"), [(sqrt_ratio_at_tick(1), 0), (MIN_SQRT_RATIO, -887_272), (MAX_SQRT_RATIO - 1, 887_271)])
def test_a_price_at_the_end_of_its_tick_or_of_the_world_is_legal(price: int, tick: int) -> None:
    seen = values(
        poll(node(at(WORDS, {0: slot0(price, tick), 1: 4 * GROWTH, 2: 4 * GROWTH, 10: 0, 11: -GROWTH % 2**256, 4: GROWTH, 7: GROWTH})), watch(LP))
    )
    assert (seen["sqrt_price_x96"], seen["tick"]) == (price, tick)


def test_two_managers_that_say_different_liquidity_are_refused() -> None:
    chain = node()
    chain.say(Call(MANAGER, MANAGER_ABI, "getPositionLiquidity", (7,)), LIQUIDITY + 1)
    [reason] = poll(chain, watch(LP)).rejected
    assert "different liquidity" in reason


@pytest.mark.parametrize("count", [11, 13])
def test_storage_of_another_length_is_refused(count: int) -> None:
    chain = node()
    chain.say(storage(), [word.to_bytes(32) for word in (*WORDS, 0)[:count]])
    assert poll(chain, watch(LP)).rejected == [f"lp: the pool manager answered {count} words of storage instead of 12"]


def test_an_nft_that_left_its_account_is_no_longer_in_the_book() -> None:
    chain, mine, other = node(), "0x" + "dA" * 20, "0x" + "5" * 40
    owner, named = Call(MANAGER, MANAGER_ABI, "ownerOf", (7,)), replace(LP, account=mine)
    chain.say(owner, mine.lower())
    assert values(poll(chain, watch(named))) == VALUES
    chain.say(owner, other)
    harvest = poll(chain, watch(named, replace(LP, id="free")))
    assert values(harvest, "free") == VALUES and values(harvest) == {}
    [said] = harvest.rejected
    assert said.startswith(f"lp: its NFT is held by {other} and not by account {mine.lower()}: ")


def test_a_record_that_is_not_of_the_pool_it_names_is_refused() -> None:
    chain = hold(node(), 7, info=packed((TOKEN0, TOKEN1, 500, 10, NATIVE)))
    assert poll(chain, watch(LP)) == Harvest([], ["lp: the pool that the position manager names is not the one its record is of"])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (Call(MANAGER, MANAGER_ABI, "poolManager"), "poolManager reverted"),
        (Call(MANAGER, MANAGER_ABI, "getPoolAndPositionInfo", (7,)), "getPoolAndPositionInfo reverted"),
        (Call(MANAGER, MANAGER_ABI, "getPositionLiquidity", (7,)), "getPositionLiquidity reverted"),
        (storage(), "extsload reverted"),
        (Call(TOKEN0, "erc20", "decimals"), "decimals reverted"),
        (Call(TOKEN1, "erc20", "decimals"), "decimals reverted"),
    ],
)
def test_a_missing_part_of_the_state_refuses_the_position_and_is_never_a_zero(call: Call, sentence: str) -> None:
    chain = node()
    chain.say_raw(call, b"", success=False)
    assert poll(chain, watch(LP)) == Harvest([], [f"lp: {sentence}"])


@pytest.mark.parametrize(("digits", "accepted"), [(77, True), (78, False)])
def test_decimals_of_which_no_amount_could_be_made_are_refused(digits: int, accepted: bool) -> None:
    chain = node()
    chain.say(Call(TOKEN1, "erc20", "decimals"), digits)
    harvest = poll(chain, watch(LP))
    assert bool(harvest.readings) is accepted
    assert harvest.rejected == ([] if accepted else ["lp: a token says that it has 78 decimals, and 77 are the most that make sense"])


def hooked(hook: str) -> FakeChain:
    return hold(node(), 7, (TOKEN0, TOKEN1, 3000, 60, hook))


@pytest.mark.parametrize(
    ("low", "rights"),
    [
        ("0200", "beforeRemoveLiquidity"),
        ("0100", "afterRemoveLiquidity"),
        ("0101", "afterRemoveLiquidity, afterRemoveLiquidityReturnDelta"),
        ("3fff", "beforeRemoveLiquidity, afterRemoveLiquidity, afterRemoveLiquidityReturnDelta"),
    ],
)
def test_a_hook_with_a_right_over_withdrawals_is_refused_by_name_until_it_is_trusted(low: str, rights: str) -> None:
    hook = "0x" + "B" * 36 + low
    harvest = poll(hooked(hook), watch(LP))
    assert harvest.readings == []
    assert harvest.rejected == [
        f"lp: the hook {hook.lower()} of its pool has {rights}: what leaving pays is up to it. If you trust it, add "
        f"trusted_hooks: [{hook.lower()}] to this source: then it is valued as if the hook did nothing"
    ]
    assert values(poll(hooked(hook), watch(LP), replace(SOURCE, trusted_hooks=(hook,)))) == VALUES
    assert poll(hooked(hook), watch(LP), replace(SOURCE, trusted_hooks=(HOOK.replace("b", "d"),))).readings == []


def test_a_hook_that_only_sees_trades_and_deposits_is_no_reason_to_refuse() -> None:
    assert values(poll(hooked("0x" + "b" * 36 + "3cfe"), watch(LP))) == VALUES


def test_every_position_of_a_pass_is_read_in_two_requests() -> None:
    chain = hold(node(), 8)
    harvest = poll(chain, watch(LP, replace(LP, id="twin", token_id=8)))
    assert values(harvest, "twin") == values(harvest) == VALUES
    assert [method for method, _ in chain.asked].count("eth_call") == 2


def test_a_chain_that_is_down_is_a_refused_row_while_another_answers_and_an_error_when_none_does() -> None:
    far = replace(LP, id="far", chain="far")
    chains = {"local": Chain(rpc=RPC, chain_id=31337), "far": Chain(rpc=OTHER, chain_id=1)}
    harvest = poll(node(), watch(LP, far, chains=chains), other=SourceError("far is down"))
    assert harvest.rejected == ["far is down"]
    assert values(harvest) == VALUES
    with pytest.raises(SourceError, match="far is down"):
        poll(node(), watch(far, chains=chains), other=SourceError("far is down"))


def test_a_chain_without_a_known_manager_says_what_to_add() -> None:
    with pytest.raises(SourceError, match=r"add managers: \{local: 0x..\}") as refused:
        poll(node(), watch(LP), UniswapV4())
    assert refused.value.permanent


@pytest.mark.parametrize("chain_id", [1, 10, 56, 130, 137, 8453, 42161, 43114])
def test_the_manager_of_a_well_known_chain_is_known(chain_id: int) -> None:
    chain = FakeChain(chain_id)
    with pytest.raises(SourceError):
        poll(chain, watch(LP, chains={"local": Chain(rpc=OTHER, chain_id=chain_id)}), UniswapV4(), other=SourceError("asked"))
    assert len(MANAGERS) == 8 and len(MANAGERS[chain_id]) == 42


def test_an_endpoint_of_the_source_replaces_that_of_the_chain() -> None:
    chain = node()
    elsewhere = replace(SOURCE, endpoint=OTHER)
    assert values(poll(FakeChain(), watch(LP), elsewhere, other=chain.reply)) == VALUES


def test_another_chain_behind_the_url_is_refused_F_053() -> None:
    with pytest.raises(SourceError, match="is chain 10, not 31337"):
        poll(node(chain_id=10), watch(LP))


@pytest.mark.parametrize("block", ["latest", "safe", "finalized"])
def test_a_pass_reads_at_the_block_that_is_configured(block: str) -> None:
    chain = node()
    poll(chain, watch(LP), build(UniswapV4, {"block": block, "managers": {"local": MANAGER}}))
    assert [params[0] for method, params in chain.asked if method == "eth_getBlockByNumber"] == [block]


@pytest.mark.parametrize("settings", [{"managers": {"local": "0x12"}}, {"trusted_hooks": ["vitalik.eth"]}, {"trusted_hooks": [HOOK + "00"]}])
def test_what_is_no_address_is_refused_before_it_is_asked_F_067(settings: Mapping[str, object]) -> None:
    with pytest.raises(ValueError, match=r"managers|trusted_hooks"):
        build(UniswapV4, settings)


@pytest.mark.parametrize("missing", range(3))
def test_each_answer_of_the_two_questions_in_turn_can_fail_the_parse(missing: int) -> None:
    first: list[Any] = [(POOLS,), (KEY, packed(KEY)), (LIQUIDITY,)]
    holding = parse_holding(first, frozenset())
    assert len(holding_calls(MANAGER, LP)) == len(state_calls(holding, MANAGER, 7)) == 3
    second: list[Any] = [([word.to_bytes(32) for word in WORDS],), (6,), (18,)]
    block = Block(1, str(header()["hash"]), "", 1)
    assert len(parse_state("lp", block, holding, second)) == 13
    for answers in (first, second):
        answers[missing] = Failed("gone")
    with pytest.raises(BadPayload, match="gone"):
        parse_holding(first, frozenset())
    with pytest.raises(BadPayload, match="gone"):
        parse_state("lp", block, holding, second)
