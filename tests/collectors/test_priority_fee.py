"""Priority fees against a chain out of tables."""

import asyncio
import random
from typing import Any

import pytest

from monitor.collectors.priority_fee import PriorityFee, parse
from monitor.core.book import Chain, Watch
from monitor.core.units import iso, parse_time
from monitor.errors import BadPayload, SourceError
from monitor.source import Harvest, Page, Ports
from tests.collectors.sample import StillClock
from tests.fake_chain import FakeChain, header
from tests.fakes import FakeNet

RPC = "https://node.test/"
NOW_MS = parse_time("2026-01-05T12:30:00Z")
HEAD_SECONDS = NOW_MS // 1000 - 60
WATCH = Watch(chains={"local": Chain(rpc=RPC, chain_id=31337)})
GWEI = 10**9


def ports(chain: FakeChain) -> Ports:
    net = FakeNet().answer("POST", RPC, chain.reply)
    return Ports(net, StillClock(NOW_MS), random.Random(0))


def node(fees: Any, spacing: int = 12) -> FakeChain:
    return FakeChain(head=header(50_000, HEAD_SECONDS), spacing_seconds=spacing, fees=fees)


def poll(chain: FakeChain, **settings: Any) -> Harvest:
    return asyncio.run(PriorityFee(**{"hours": 1, **settings}).poll(ports(chain), WATCH))


def test_an_hour_is_the_median_over_its_blocks_in_gwei() -> None:
    last = 50_000 - (HEAD_SECONDS - parse_time("2026-01-05T11:59:48Z") // 1000) // 12
    harvest = poll(node(lambda number: (3 * GWEI if last - 149 <= number <= last else GWEI, 0.5)))
    [row] = harvest.readings
    assert (row.metric, row.subject, row.value, iso(row.at or 0)) == ("gas.priority_fee_gwei", "chain:local", 2.0, "2026-01-05T11:00:00Z")


def test_empty_blocks_are_left_out_and_an_hour_of_them_has_no_value() -> None:
    assert [row.value for row in poll(node(lambda number: (GWEI, 0.5) if number % 2 else (0, 0.0))).readings] == [1.0]
    assert poll(node(lambda number: (0, 0.0))) == Harvest([], [])


def test_an_hour_of_many_blocks_is_asked_for_in_pieces() -> None:
    chain = node(lambda number: (GWEI, 1.0), spacing=1)
    assert [row.value for row in poll(chain).readings] == [1.0]
    asked = [int(params[0], 16) for method, params in chain.asked if method == "eth_feeHistory"]
    assert (sum(asked), max(asked)) == (3600, 1024)


GOOD: dict[str, Any] = {"oldestBlock": "0x5", "reward": [["0x1"], ["0x2"]], "gasUsedRatio": [0.5, 1], "baseFeePerGas": ["0x1"]}


@pytest.mark.parametrize(
    "change",
    [
        {"oldestBlock": "0x6"},
        {"oldestBlock": 5},
        {"reward": None},
        {"reward": "0x"},
        {"reward": [["0x1"]]},
        {"reward": [["0x1"], ["0x1", "0x2"]]},
        {"reward": [["0x1"], "0x1"]},
        {"reward": [["0x1"], ["-0x1"]]},
        {"gasUsedRatio": [0.5]},
        {"gasUsedRatio": [0.5, 1.1]},
        {"gasUsedRatio": [0.5, True]},
        {"gasUsedRatio": [0.5, "1"]},
        {"gasUsedRatio": [0.5, float("nan")]},
    ],
)
def test_a_fee_history_that_is_not_about_these_blocks_is_refused(change: dict[str, Any]) -> None:
    assert parse(GOOD, 5, 2) == [1, 2]
    with pytest.raises(BadPayload):
        parse({**GOOD, **change}, 5, 2)


def test_chains_are_all_that_are_configured_or_those_that_are_named() -> None:
    watch = Watch(chains={"local": Chain(), "base": Chain()})
    assert PriorityFee().provides(watch) == {("gas.priority_fee_gwei", "chain:local"), ("gas.priority_fee_gwei", "chain:base")}
    assert PriorityFee(chains=("base",)).provides(watch) == {("gas.priority_fee_gwei", "chain:base")}
    assert PriorityFee().streams(watch) == ("local", "base")


def test_history_comes_by_the_day_in_whole_hours() -> None:
    chain = node(lambda number: (GWEI, 1.0))

    def page(start: str, end: str) -> Page:
        return asyncio.run(PriorityFee().page(ports(chain), WATCH, "local", parse_time(start), parse_time(end)))

    first = page("2026-01-04T09:59:00Z", "2026-01-05T11:59:00Z")
    assert (len(first.harvest.readings), first.next_ms) == (24, parse_time("2026-01-05T10:00:00Z"))
    last = page("2026-01-05T10:00:00Z", "2026-01-05T11:59:00Z")
    assert (len(last.harvest.readings), last.next_ms) == (1, None)
    assert page("2026-01-05T11:01:00Z", "2026-01-05T11:59:00Z") == Page()


def test_one_dead_chain_leaves_the_other_and_both_dead_fail_the_pass() -> None:
    dead = SourceError("no answer")
    watch = Watch(chains={"local": Chain(rpc=RPC, chain_id=31337), "moon": Chain(rpc="https://moon.test/", chain_id=7)})

    def polled(local: object) -> Harvest:
        net = FakeNet().answer("POST", "https://moon.test/", dead).answer("POST", RPC, local)
        return asyncio.run(PriorityFee(hours=1).poll(Ports(net, StillClock(NOW_MS), random.Random(0)), watch))

    harvest = polled(node(lambda number: (GWEI, 1.0)).reply)
    assert (len(harvest.readings), harvest.rejected) == (1, ["no answer"])
    with pytest.raises(SourceError, match="no answer"):
        polled(dead)
