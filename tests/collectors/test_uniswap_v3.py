"""The Uniswap v3 collector against a node out of tables, through the net and the door that it meets in the daemon."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from monitor.chain import Block, Call, Failed
from monitor.clock import SystemClock
from monitor.collectors.uniswap_v3 import UniswapV3
from monitor.core.amm import sqrt_ratio_at_tick
from monitor.core.book import Chain, Position, Watch
from monitor.core.door import admit
from monitor.errors import BadPayload, SourceError
from monitor.registry import build
from monitor.source import Harvest, Ports
from monitor.v3_contracts import parse_holding, parse_pool_address, parse_state, place_of, range_key
from tests.fake_chain import FakeChain, header
from tests.fakes import FakeNet

RPC, OTHER = "https://node.test/key", "https://other.test/"
MANAGER, FACTORY, POOL = ("0x" + digit * 40 for digit in "ace")
TOKEN0, TOKEN1 = "0x" + "0" * 39 + "1", "0x" + "0" * 39 + "2"
Q96, GROWTH = 1 << 96, 1 << 120
STAKE = (10**12, 0, 0, 11, 13)
HELD = (0, TOKEN0, TOKEN0, TOKEN1, 3000, -60, 60, *STAKE)
EDGE = (10**12, 10**12, 0, 0, 0, 0, 0, True)


def nft(token_id: int) -> Call:
    return Call(MANAGER, "uniswap_v3_position_manager", "positions", (token_id,))


def pool(function: str, *args: object) -> Call:
    return Call(POOL, "uniswap_v3_pool", function, args)


def node(**settings: Any) -> FakeChain:
    chain = FakeChain(**settings)
    chain.say(Call(MANAGER, "uniswap_v3_position_manager", "factory"), FACTORY)
    chain.say(nft(7), *HELD)
    chain.say(Call(FACTORY, "uniswap_v3_factory", "getPool", (TOKEN0, TOKEN1, 3000)), POOL)
    chain.say(pool("slot0"), Q96, 0, 0, 1, 1, 0, True)
    chain.say(pool("feeGrowthGlobal0X128"), GROWTH)
    chain.say(pool("feeGrowthGlobal1X128"), GROWTH // 2)
    chain.say(pool("liquidity"), 5 * 10**12)
    for tick in (-60, 60):
        chain.say(pool("ticks", tick), *EDGE)
    chain.say(pool("positions", range_key(MANAGER, -60, 60)), *STAKE)
    for token, decimals, reserve in ((TOKEN0, 6, 10**15), (TOKEN1, 18, 10**16)):
        chain.say(Call(token, "erc20", "decimals"), decimals)
        chain.say(Call(token, "erc20", "balanceOf", (POOL,)), reserve)
    return chain


def watch(*positions: Position, chains: Mapping[str, Chain] | None = None) -> Watch:
    return Watch(positions=positions, chains=chains or {"local": Chain(rpc=RPC, chain_id=31337)})


LP = Position(id="lp", kind="uniswap-v3", chain="local", token_id=7)
SOURCE = UniswapV3(managers={"local": MANAGER})


def poll(chain: FakeChain, watched: Watch, source: UniswapV3 = SOURCE, other: object = None) -> Harvest:
    net = FakeNet().answer("POST", RPC, chain.reply).answer("POST", OTHER, other)
    return asyncio.run(source.poll(Ports(net, SystemClock(), random.Random(0)), watched))


def values(harvest: Harvest, subject: str = "lp") -> dict[str, float | int]:
    return {row.metric: row.value for row in harvest.readings if row.subject == subject}


FEES0, FEES1 = (10**12 >> 8) + 11, (10**12 >> 9) + 13


def test_a_position_is_read_with_its_pool_at_one_block_and_passes_the_door_whole() -> None:
    chain = node()
    harvest = poll(chain, watch(LP))
    assert values(harvest) == {
        "position.liquidity": 10**12,
        "position.amount0": 2_995_354_955,
        "position.amount1": 2_995_354_955,
        "position.fees0": FEES0,
        "position.fees1": FEES1,
        "position.token0": 1,
        "position.token1": 2,
        "position.decimals0": 6,
        "position.decimals1": 18,
        "position.sqrt_price_x96": Q96,
        "position.tick": 0,
        "position.tick_lower": -60,
        "position.tick_upper": 60,
    }
    assert values(harvest, f"pool:local/{POOL}") == {
        "pool.sqrt_price_x96": Q96,
        "pool.tick": 0,
        "pool.liquidity": 5 * 10**12,
        "pool.reserve0": 10**15,
        "pool.reserve1": 10**16,
    }
    assert {(row.at, row.block_hash) for row in harvest.readings} == {(1_700_000_000_000, chain.head["hash"])}
    admission = admit(harvest.readings, source="uniswap-v3", received_at=1_700_000_000_000)
    assert len(admission.observations) == 18
    assert admission.rejections == ()


def test_it_provides_what_it_delivers() -> None:
    delivered = {(row.metric, row.subject) for row in poll(node(), watch(LP)).readings}
    assert SOURCE.provides(watch(LP)) == {pair for pair in delivered if pair[1] == "lp"}


@pytest.mark.parametrize(
    "position",
    [
        Position(id="perp", kind="perp", asset="ETH", size=1.0),
        Position(id="elsewhere", kind="uniswap-v3", chain="moon", token_id=7),
        Position(id="nameless", kind="uniswap-v3", chain="local"),
    ],
)
def test_what_is_not_its_own_costs_no_request(position: Position) -> None:
    chain = node()
    assert SOURCE.provides(watch(position)) == frozenset()
    assert poll(chain, watch(position)) == Harvest([], [])
    assert chain.asked == []


def test_a_token_id_that_does_not_exist_is_named_and_harms_no_other_F_059() -> None:
    chain = node()
    chain.say_raw(nft(8), b"", success=False)
    burned = Position(id="burned", kind="uniswap-v3", chain="local", token_id=8)
    for order in ((LP, burned), (burned, LP)):
        harvest = poll(chain, watch(*order))
        assert harvest.rejected == ["burned: positions reverted: the position manager knows no such token_id"]
        assert values(harvest)["position.amount0"] == 2_995_354_955


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (pool("slot0"), "slot0 reverted"),
        (pool("ticks", 60), "ticks reverted"),
        (pool("positions", range_key(MANAGER, -60, 60)), "positions reverted"),
        (pool("liquidity"), "liquidity reverted"),
        (Call(TOKEN1, "erc20", "decimals"), "decimals reverted"),
    ],
)
def test_a_missing_part_of_the_state_refuses_the_position_and_is_never_a_zero(call: Call, sentence: str) -> None:
    chain = node()
    chain.say_raw(call, b"", success=False)
    assert poll(chain, watch(LP)) == Harvest([], [f"lp: {sentence}"])


@pytest.mark.parametrize(("answer", "success"), [(b"", False), ((2**128).to_bytes(32), True)], ids=["silent", "more than there is"])
def test_a_token_that_hides_its_balance_costs_the_reserve_alone(answer: bytes, success: bool) -> None:
    chain = node()
    chain.say_raw(Call(TOKEN0, "erc20", "balanceOf", (POOL,)), answer, success=success)
    harvest = poll(chain, watch(LP))
    assert len(harvest.rejected) == 1 and harvest.rejected[0].startswith("lp: reserve of its pool: ")
    assert "pool.reserve0" not in values(harvest, f"pool:local/{POOL}")
    assert values(harvest, f"pool:local/{POOL}")["pool.reserve1"] == 10**16
    assert values(harvest)["position.fees0"] == FEES0


@pytest.mark.parametrize(
    ("call", "outputs", "sentence"),
    [
        (pool("slot0"), (0, 0, 0, 0, 0, 0, False), "never initialised"),
        (pool("ticks", -60), (0, 0, 0, 0, 0, 0, 0, False), "not read at one block"),
    ],
)
def test_a_state_that_cannot_be_is_refused_with_a_sentence_F_056(call: Call, outputs: tuple[object, ...], sentence: str) -> None:
    chain = node()
    chain.say(call, *outputs)
    [reason] = poll(chain, watch(LP)).rejected
    assert sentence in reason


def owner(token_id: int = 7) -> Call:
    return Call(MANAGER, "uniswap_v3_position_manager", "ownerOf", (token_id,))


def test_an_nft_that_left_its_account_is_no_longer_in_the_book_and_a_farm_that_keeps_it_is_its_account() -> None:
    chain, mine, farm = node(), "0x" + "dA" * 20, "0x" + "5" * 40
    named = replace(LP, account=mine)
    chain.say(owner(), mine.lower())
    assert values(poll(chain, watch(named))) == values(poll(chain, watch(LP)))
    chain.say(owner(), farm)
    harvest = poll(chain, watch(named, replace(LP, id="free")))
    assert {row.subject for row in harvest.readings if row.metric == "position.amount0"} == {"free"}
    [said] = harvest.rejected
    assert said.startswith(f"lp: its NFT is held by {farm} and not by account {mine.lower()}: it was sold, moved or staked.")
    assert list(poll(chain, watch(replace(LP, account=farm))).rejected) == []
    chain.say_raw(owner(), b"", success=False)
    assert poll(chain, watch(named)).rejected == ["lp: ownerOf reverted"]


def test_a_pool_that_the_factory_does_not_know_is_refused() -> None:
    chain = node()
    chain.say(Call(FACTORY, "uniswap_v3_factory", "getPool", (TOKEN0, TOKEN1, 3000)), "0x" + "0" * 40)
    assert poll(chain, watch(LP)).rejected == ["lp: the factory knows no pool of the position's tokens and fee"]


def test_two_positions_of_one_pool_share_its_reads() -> None:
    chain = node()
    chain.say(nft(8), *HELD)
    twin = Position(id="twin", kind="uniswap-v3", chain="local", token_id=8)
    harvest = poll(chain, watch(LP, twin))
    assert values(harvest, "twin") == values(harvest)
    assert len({(row.metric, row.subject) for row in harvest.readings}) == len(harvest.readings) == 13 + 13 + 5
    assert [method for method, _ in chain.asked].count("eth_call") == 3


def test_a_chain_that_is_down_is_a_refused_row_while_another_answers_and_an_error_when_none_does() -> None:
    far = Position(id="far", kind="uniswap-v3", chain="far", token_id=7)
    chains = {"local": Chain(rpc=RPC, chain_id=31337), "far": Chain(rpc=OTHER, chain_id=1)}
    harvest = poll(node(), watch(LP, far, chains=chains), other=SourceError("far is down"))
    assert harvest.rejected == ["far is down"]
    assert values(harvest)["position.fees1"] == FEES1
    with pytest.raises(SourceError, match="far is down"):
        poll(node(), watch(far, chains=chains), other=SourceError("far is down"))


def test_a_chain_without_a_known_manager_says_what_to_add() -> None:
    with pytest.raises(SourceError, match=r"add managers: \{local: 0x..\}") as refused:
        poll(node(), watch(LP), UniswapV3())
    assert refused.value.permanent


def test_another_chain_behind_the_url_is_refused_F_053() -> None:
    with pytest.raises(SourceError, match="is chain 10, not 31337"):
        poll(node(chain_id=10), watch(LP))


@pytest.mark.parametrize("block", ["latest", "safe", "finalized"])
def test_a_pass_reads_at_the_block_that_is_configured(block: str) -> None:
    chain = node()
    poll(chain, watch(LP), build(UniswapV3, {"block": block, "managers": {"local": MANAGER}}))
    assert [params[0] for method, params in chain.asked if method == "eth_getBlockByNumber"] == [block]


@pytest.mark.parametrize("manager", ["0x12", "vitalik.eth", MANAGER + "00"])
def test_a_manager_that_is_no_address_is_refused_before_it_is_asked_F_067(manager: str) -> None:
    with pytest.raises(ValueError, match="managers"):
        build(UniswapV3, {"managers": {"local": manager}})


ACCOUNT = "0x" + "d" * 40
RANGE = Position(id="range", kind="uniswap-v3", chain="local", pool=POOL.upper().replace("0X", "0x"), account=ACCOUNT, tick_lower=-60, tick_upper=60)


def with_range(*record: int) -> FakeChain:
    """The same pool, in which the account holds a record of its own."""
    chain = node()
    chain.say(pool("token0"), TOKEN0)
    chain.say(pool("token1"), TOKEN1)
    chain.say(pool("positions", range_key(ACCOUNT, -60, 60)), *record)
    return chain


def test_a_range_of_an_account_is_paid_by_the_pool_itself_and_needs_no_manager() -> None:
    harvest = poll(with_range(2 * 10**12, 0, GROWTH // 4, 17, 19), watch(RANGE), UniswapV3())
    assert harvest.rejected == []
    assert values(harvest) == {}
    assert values(harvest, "range") == {
        "position.liquidity": 2 * 10**12,
        "position.amount0": 5_990_709_911,
        "position.amount1": 5_990_709_911,
        "position.fees0": (2 * 10**12 >> 8) + 17,
        "position.fees1": (2 * 10**12 >> 10) + 19,
        "position.token0": 1,
        "position.token1": 2,
        "position.decimals0": 6,
        "position.decimals1": 18,
        "position.sqrt_price_x96": Q96,
        "position.tick": 0,
        "position.tick_lower": -60,
        "position.tick_upper": 60,
    }
    assert {subject for _, subject in SOURCE.provides(watch(RANGE))} == {"range"}
    assert values(harvest, f"pool:local/{POOL}")["pool.reserve1"] == 10**16


def test_a_range_and_an_nft_of_one_pool_are_read_in_one_pass_and_share_its_reads() -> None:
    chain = with_range(2 * 10**12, 0, 0, 17, 19)
    both = poll(chain, watch(RANGE, LP))
    assert values(both) == values(poll(node(), watch(LP)))
    assert values(both, "range")["position.fees1"] == (2 * 10**12 >> 9) + 19
    assert [method for method, _ in chain.asked].count("eth_call") == 3
    assert len({row.block_hash for row in both.readings}) == 1


def test_a_range_without_liquidity_is_paid_what_it_is_still_owed() -> None:
    told = values(poll(with_range(0, 5, 6, 17, 19), watch(RANGE)), "range")
    assert [told[f"position.{name}"] for name in ("liquidity", "amount0", "amount1", "fees0", "fees1")] == [0, 0, 0, 17, 19]


def test_a_range_that_was_emptied_is_worth_nothing_and_one_that_never_was_is_refused() -> None:
    emptied = values(poll(with_range(0, 5, 0, 0, 0), watch(RANGE)), "range")
    assert [emptied[f"position.{name}"] for name in ("liquidity", "amount0", "fees0")] == [0, 0, 0]
    assert poll(with_range(0, 0, 0, 0, 0), watch(RANGE)) == Harvest(
        [], ["range: its pool has no record of that account in that range: correct account, tick_lower or tick_upper, or delete the position"]
    )


@pytest.mark.parametrize(
    ("ticks", "reason"),
    [
        ((60, -60), "no range goes from tick 60 to -60: they must rise, between -887272 and 887272"),
        ((60, 60), "no range goes from tick 60 to 60: they must rise, between -887272 and 887272"),
        ((-887_273, 0), "no range goes from tick -887273 to 0: they must rise, between -887272 and 887272"),
        ((0, 9_000_000), "no range goes from tick 0 to 9000000: they must rise, between -887272 and 887272"),
        ((None, 60), "a range of a pool needs tick_lower and tick_upper"),
        ((-60, None), "a range of a pool needs tick_lower and tick_upper"),
    ],
)
def test_a_range_that_cannot_be_is_refused_and_harms_no_other(ticks: tuple[int | None, int | None], reason: str) -> None:
    odd = replace(RANGE, tick_lower=ticks[0], tick_upper=ticks[1])
    harvest = poll(with_range(1, 0, 0, 0, 0), watch(odd, LP))
    assert harvest.rejected == [f"range: {reason}"]
    assert values(harvest)["position.fees0"] == FEES0


def test_an_address_that_is_no_pool_is_named_and_harms_no_other_F_059() -> None:
    chain = with_range(1, 0, 0, 0, 0)
    chain.say_raw(pool("token0"), b"", success=False)
    harvest = poll(chain, watch(RANGE, LP))
    assert harvest.rejected == ["range: token0 reverted"]
    assert values(harvest)["position.fees0"] == FEES0


@pytest.mark.parametrize(("decimals", "read"), [(0, True), (36, True), (77, True), (78, False), (255, False)])
def test_a_token_may_have_any_number_of_decimals_that_make_sense_F_057(decimals: int, read: bool) -> None:
    chain = node()
    chain.say(Call(TOKEN1, "erc20", "decimals"), decimals)
    harvest = poll(chain, watch(LP))
    if read:
        assert (values(harvest)["position.decimals1"], harvest.rejected) == (decimals, [])
    else:
        assert harvest == Harvest([], [f"lp: a token says that it has {decimals} decimals, and 77 are the most that make sense"])


@pytest.mark.parametrize(("tick", "amounts"), [(-1000, (5_999_709_018, 0)), (1000, (0, 5_999_709_018))])
def test_out_of_range_a_position_holds_one_token_and_its_pool_may_hold_no_liquidity_at_all(tick: int, amounts: tuple[int, int]) -> None:
    chain = node()
    chain.say(pool("slot0"), sqrt_ratio_at_tick(tick), tick, 0, 1, 1, 0, True)
    chain.say(pool("liquidity"), 0)
    harvest = poll(chain, watch(LP))
    told = values(harvest)
    assert (told["position.amount0"], told["position.amount1"], told["position.tick"]) == (*amounts, tick)
    assert (told["position.fees0"], told["position.fees1"]) == (11, 13)
    assert values(harvest, f"pool:local/{POOL}")["pool.liquidity"] == 0


def test_a_pool_without_a_price_owes_what_it_owed_to_a_position_without_liquidity_F_056() -> None:
    chain = node()
    chain.say(nft(7), *HELD[:7], 0, 0, 0, 11, 13)
    chain.say(pool("slot0"), 0, 0, 0, 0, 0, 0, False)
    told = values(poll(chain, watch(LP)))
    assert [told[f"position.{name}"] for name in ("sqrt_price_x96", "amount0", "amount1", "fees0", "fees1")] == [0, 0, 0, 11, 13]


def state_answers() -> list[Any]:
    edge = (10**12, 10**12, 0, 0, 0, 0, 0, True)
    return [(Q96, 0), (GROWTH,), (GROWTH // 2,), edge, edge, STAKE, (5,), (6,), (18,), (1,), (2,)]


@pytest.mark.parametrize("missing", range(9))
def test_each_needed_answer_in_turn_can_fail_the_parse(missing: int) -> None:
    place = place_of(parse_holding(HELD), MANAGER, (POOL,))
    block = Block(1, str(header()["hash"]), "", 1)
    answers: list[Any] = state_answers()
    assert len(parse_state("lp", "local", block, place, answers)) == 18
    answers[missing] = Failed("gone")
    with pytest.raises(BadPayload, match="gone"):
        parse_state("lp", "local", block, place, answers)


def test_a_factory_that_does_not_answer_is_a_bad_payload() -> None:
    with pytest.raises(BadPayload, match="reverted"):
        parse_pool_address(Failed("getPool reverted"))
