"""Swap volume against a chain out of tables: which hours are summed, what a log must be, and what a node may not slip in."""

import asyncio
import random
from typing import Any

import pytest

from monitor.chain import BlockPinnedReader
from monitor.chain_logs import Log, LogFilter, logs_between, parse_logs
from monitor.collectors.uniswap_swaps import SWAP_V2, SWAP_V3, UniswapSwaps, signed_amounts
from monitor.core.book import Chain, Watch
from monitor.core.door import admit
from monitor.core.units import HOUR, iso, parse_time
from monitor.errors import BadPayload, SourceError
from monitor.source import Harvest, Page, Ports
from tests.collectors.sample import StillClock
from tests.fake_chain import FakeChain, header
from tests.fakes import FakeNet

RPC = "https://node.test/"
POOL, OTHER = "0x" + "a" * 40, "0x" + "b" * 40
NOW_MS = parse_time("2026-01-05T12:30:00Z")
HEAD, SPACING = 10_000, 12
HEAD_SECONDS = NOW_MS // 1000 - 60
WATCH = Watch(chains={"local": Chain(rpc=RPC, chain_id=31337)})


def block_at(time: str) -> int:
    """The block with exactly this time, or the next one."""
    return HEAD - (HEAD_SECONDS - parse_time(time) // 1000) // SPACING


def word(value: int) -> str:
    return value.to_bytes(32, signed=value < 0).hex()


def swap(block: int, *values: int, address: str = POOL, index: int = 0, topic: str = "") -> dict[str, Any]:
    """A v3 event of (amount0, amount1) or a v2 event of four amounts."""
    is_v3 = len(values) == 2
    data = [*values, 1 << 96, 10**18, 0] if is_v3 else list(values)
    topics = [topic or (SWAP_V3 if is_v3 else SWAP_V2), "0x" + "0" * 64, "0x" + "1" * 64]
    place = {"blockNumber": hex(block), "logIndex": hex(index), "blockHash": "0x" + "c" * 64, "transactionHash": "0x" + "d" * 64}
    return {"address": address, "topics": topics, "data": "0x" + "".join(map(word, data)), "removed": False, **place}


def node(*logs: dict[str, Any]) -> FakeChain:
    return FakeChain(head=header(HEAD, HEAD_SECONDS), spacing_seconds=SPACING, logs=list(logs))


def ports(chain: FakeChain) -> Ports:
    return Ports(FakeNet().answer("POST", RPC, chain.reply), StillClock(NOW_MS), random.Random(0))


def poll(chain: FakeChain, **settings: Any) -> Harvest:
    source = UniswapSwaps(**{"pools": (f"local/{POOL}",), "hours": 2, **settings})
    return asyncio.run(source.poll(ports(chain), WATCH))


def sums(harvest: Harvest, subject: str = f"pool:local/{POOL}") -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for row in harvest.readings:
        if row.subject == subject and row.at is not None:
            found.setdefault(iso(row.at)[11:16], {})[row.metric.removeprefix("swap.")] = int(row.value)
    return found


NOTHING = {"net0": 0, "net1": 0, "volume0": 0, "volume1": 0}


def test_the_swaps_of_each_closed_hour_are_summed_by_their_own_block_times() -> None:
    first, second, running = (block_at(f"2026-01-05T{time}:00Z") for time in ("10:00", "11:00", "12:00"))
    chain = node(
        swap(first - 1, 10**30, -1),  # the hour before, which two hours do not reach
        swap(first, 500, -20),
        swap(second - 1, -300, 13),
        swap(second - 1, 7, -1, index=1),
        swap(second, 40, -2),
        swap(running, 10**30, -1),  # this hour is not over
    )
    harvest = poll(chain)
    assert sums(harvest) == {
        "10:00": {"net0": 207, "net1": -8, "volume0": 807, "volume1": 34},
        "11:00": {"net0": 40, "net1": -2, "volume0": 40, "volume1": 2},
    }
    assert harvest.rejected == []
    admission = admit(harvest.readings, source="uniswap-swaps", received_at=NOW_MS)
    assert (len(admission.observations), admission.rejections) == (8, ())
    assert {o.known_at - o.at for o in admission.observations} == {HOUR}


def test_an_hour_without_a_swap_is_a_zero_and_not_a_gap() -> None:
    assert sums(poll(node())) == {"10:00": NOTHING, "11:00": NOTHING}


def test_v2_pairs_tell_what_went_in_and_what_came_out() -> None:
    chain = node(swap(block_at("2026-01-05T11:30:00Z"), 100, 0, 0, 45), swap(block_at("2026-01-05T11:31:00Z"), 3, 50, 90, 0))
    assert sums(poll(chain, hours=1)) == {"11:00": {"net0": 13, "net1": 5, "volume0": 187, "volume1": 95}}


def test_an_hour_whose_end_no_safe_block_has_passed_waits() -> None:
    chain = node(swap(block_at("2026-01-05T10:10:00Z"), 5, -1))
    chain.head = header(HEAD, parse_time("2026-01-05T11:59:59Z") // 1000)
    assert sums(poll(chain)).keys() == {"10:00"}


def test_a_range_that_the_node_finds_too_long_is_halved() -> None:
    middle = block_at("2026-01-05T11:30:00Z")
    chain = node(swap(middle, 5, -1), swap(middle + 1, 6, -1))
    honest = chain.result

    def strict(method: str, params: Any) -> object:
        if method == "eth_getLogs" and int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) > 50:
            raise SourceError("query returned more than 10000 results")
        return honest(method, params)

    chain.result = strict  # type: ignore[method-assign]  # a node with a limit
    assert sums(poll(chain, hours=1))["11:00"]["net0"] == 11


def test_a_node_that_refuses_every_range_fails_the_pass_after_few_questions() -> None:
    chain = node()

    def refuse(answer: Any) -> object:
        raise SourceError("the archive is closed")

    chain.spoil("eth_getLogs", refuse)
    with pytest.raises(SourceError, match="the archive is closed"):
        poll(chain, hours=1)
    assert sum(method == "eth_getLogs" for method, _ in chain.asked) < 10


HALF = block_at("2026-01-05T11:30:00Z")
SPOILED = {
    "of another contract": {"address": OTHER},
    "of another event": {"topics": ["0x" + "9" * 64]},
    "without a topic": {"topics": []},
    "with topics that are no list": {"topics": SWAP_V3},
    "outside the range": {"blockNumber": hex(HALF - 4000)},
    "of a block that was taken back": {"removed": True},
    "without a place": {"logIndex": None},
    "with data in another notation": {"data": "5"},
    "with a data bomb": {"data": "0x" + "00" * 5000},
}


@pytest.mark.parametrize("change", SPOILED.values(), ids=SPOILED)
def test_one_log_that_was_not_asked_for_spoils_the_answer(change: dict[str, Any]) -> None:
    chain = node()
    chain.spoil("eth_getLogs", lambda answer: [swap(HALF, 5, -1), {**swap(HALF, 6, -1, index=1), **change}])
    with pytest.raises(BadPayload):
        poll(chain, hours=1)


@pytest.mark.parametrize("answer", [None, {}, "0x", [None], ["x"]])
def test_an_answer_that_is_no_list_of_logs_is_none(answer: object) -> None:
    with pytest.raises(BadPayload):
        parse_logs(answer, LogFilter((POOL,), (SWAP_V3,)), 0, 10)


def test_a_log_that_is_told_twice_counts_once_and_two_claims_to_one_place_are_refused() -> None:
    wanted = LogFilter((POOL,), (SWAP_V3,))
    assert len(parse_logs([swap(5, 5, -1), swap(5, 5, -1)], wanted, 0, 10)) == 1
    with pytest.raises(BadPayload, match="two logs claim place 0 of block 5"):
        parse_logs([swap(5, 5, -1), swap(5, 6, -1)], wanted, 0, 10)


def test_logs_come_in_the_order_of_the_chain_whatever_the_order_of_the_answer() -> None:
    logs = parse_logs([swap(7, 1, 1), swap(5, 1, 1, index=2), swap(5, 1, 1)], LogFilter((POOL,), (SWAP_V3,)), 0, 10)
    assert [(log.block, log.index) for log in logs] == [(5, 0), (5, 2), (7, 0)]


def test_a_pool_with_a_strange_event_gives_nothing_for_that_hour_and_the_others_stand() -> None:
    strange = swap(HALF, 5, -1)
    strange["data"] = strange["data"][:-64]
    chain = node(strange, swap(HALF, 6, -1, address=OTHER, index=1))
    harvest = poll(chain, pools=(f"local/{POOL}", f"local/{OTHER}"), hours=1)
    assert sums(harvest) == {}
    assert sums(harvest, f"pool:local/{OTHER}")["11:00"]["net0"] == 6
    assert harvest.rejected == [f"pool:local/{POOL}: its Swap event in block {HALF} has not the form of Uniswap's"]


@pytest.mark.parametrize(("topics", "words"), [(2, 5), (4, 5), (3, 4), (3, 6), (3, 0)])
def test_only_uniswaps_own_form_of_the_event_is_read(topics: int, words: int) -> None:
    topic = bytes.fromhex(SWAP_V3[2:])
    with pytest.raises(BadPayload):
        signed_amounts(Log(POOL, (topic,) * topics, b"\0" * 32 * words, 1, 0))


def test_too_many_logs_are_refused_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.chain_logs.MOST_LOGS", 1)
    with pytest.raises(BadPayload, match="watch fewer contracts"):
        poll(node(swap(HALF, 5, -1), swap(HALF, 5, -1, index=1)), hours=1)


def test_one_dead_chain_leaves_the_other_and_both_dead_fail_the_pass() -> None:
    dead = SourceError("no answer")
    watch = Watch(chains={"local": Chain(rpc=RPC, chain_id=31337), "moon": Chain(rpc="https://moon.test/", chain_id=7)})
    source = UniswapSwaps(pools=(f"moon/{POOL}", f"local/{POOL}"), hours=1)
    net = FakeNet().answer("POST", "https://moon.test/", dead).answer("POST", RPC, node().reply)
    harvest = asyncio.run(source.poll(Ports(net, StillClock(NOW_MS), random.Random(0)), watch))
    assert (len(harvest.readings), harvest.rejected) == (4, ["no answer"])
    silent = FakeNet().answer("POST", "https://moon.test/", dead).answer("POST", RPC, dead)
    with pytest.raises(SourceError, match="no answer"):
        asyncio.run(source.poll(Ports(silent, StillClock(NOW_MS), random.Random(0)), watch))


def test_history_comes_a_day_at_a_time_in_whole_hours() -> None:
    chain = node(swap(block_at("2026-01-04T23:30:00Z"), 9, -1), swap(block_at("2026-01-05T10:30:00Z"), 5, -1))
    source = UniswapSwaps(pools=(f"local/{POOL}",))

    def page(start: str, end: str) -> Page:
        return asyncio.run(source.page(ports(chain), WATCH, "local", parse_time(start), parse_time(end)))

    assert source.streams(WATCH) == ("local",)
    first = page("2026-01-04T10:20:00Z", "2026-01-05T12:00:00Z")
    assert first.next_ms == parse_time("2026-01-05T11:00:00Z")
    assert len(sums(first.harvest)) == 24
    assert sums(first.harvest)["23:00"]["net0"] == 9
    last = page("2026-01-05T11:00:00Z", "2026-01-05T12:00:00Z")
    assert (last.next_ms, sums(last.harvest)) == (None, {"11:00": NOTHING})
    assert page("2026-01-05T11:10:00Z", "2026-01-05T12:00:00Z") == Page()


def test_pools_of_chains_that_are_not_configured_cost_nothing() -> None:
    source = UniswapSwaps(pools=(f"moon/{POOL}",))
    assert source.provides(WATCH) == frozenset()
    assert asyncio.run(source.poll(Ports(FakeNet(), StillClock(NOW_MS), random.Random(0)), WATCH)) == Harvest([], [])


@pytest.mark.parametrize("spacing", [1, 12, 400, 3599, 3600, 4000])
def test_the_blocks_of_an_hour_are_found_whatever_their_spacing(spacing: int) -> None:
    from monitor.hours import hours_of_blocks

    chain = FakeChain(head=header(50_000, HEAD_SECONDS), spacing_seconds=spacing)
    reader = BlockPinnedReader(chain.rpc, 31337)

    async def hours() -> list[tuple[int, int, int]]:
        head = await reader.pin()
        end = NOW_MS - NOW_MS % HOUR
        return [(hour.start_ms, hour.first, hour.last) async for hour in hours_of_blocks(reader, head, end - 5 * HOUR, end)]

    times = {number: (HEAD_SECONDS - (50_000 - number) * spacing) * 1000 for number in range(50_000 - 20_000, 50_001)}
    for start, first, last in asyncio.run(hours()):
        own = [number for number, at in times.items() if start <= at < start + HOUR]
        assert list(range(first, last + 1)) == own
    assert len(chain.asked) < 250


def test_logs_are_asked_for_a_span_at_a_time() -> None:
    chain = node()
    asyncio.run(logs_between(BlockPinnedReader(chain.rpc, 31337), LogFilter((POOL,), (SWAP_V3,)), 1, 25, span=10))
    asked = [(params[0]["fromBlock"], params[0]["toBlock"]) for method, params in chain.asked if method == "eth_getLogs"]
    assert asked == [("0x1", "0xa"), ("0xb", "0x14"), ("0x15", "0x19")]
