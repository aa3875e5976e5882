"""What relays delivered: one payload counts once however many relays tell of it, and no hour is told by half."""

import asyncio
import random
from typing import Any

import pytest

from monitor.collectors.mev_boost import GENESIS_MS, PAGE_SLOTS, RELAYS, SLOT_MS, MevBoost, Payload, by_hour, parse, slot_from
from monitor.core.book import Chain, Watch
from monitor.core.units import HOUR, iso, parse_time
from monitor.errors import BadPayload, SourceError
from monitor.source import Harvest, Page, Ports
from tests.collectors.sample import StillClock
from tests.fakes import Call, FakeNet

NOW_MS = parse_time("2026-01-05T12:20:00Z")
WATCH = Watch(chains={"ethereum": Chain(rpc="https://node.test/")})
ETHER = 10**18


def row(slot: int, wei: int, block: int = 0) -> dict[str, str]:
    return {"slot": str(slot), "value": str(wei), "block_hash": f"0x{block or slot:064x}", "gas_used": "1", "num_tx": "2"}


def relay(*rows: dict[str, str]) -> Any:
    """Answers as a relay does: from the cursor down, at most `limit`."""

    def answer(call: Call) -> object:
        wanted = [one for one in rows if int(one["slot"]) <= int(call.params["cursor"])]
        return sorted(wanted, key=lambda one: -int(one["slot"]))[: int(call.params["limit"])]

    return answer


def ports(**relays: object) -> Ports:
    net = FakeNet()
    for name, url in RELAYS.items():
        net.answer("GET", url, relays.get(name, []))
    return Ports(net, StillClock(NOW_MS), random.Random(0))


def poll(hours: int = 1, **relays: object) -> Harvest:
    return asyncio.run(MevBoost(hours=hours).poll(ports(**relays), WATCH))


ELEVEN = slot_from(parse_time("2026-01-05T11:00:00Z"))


def test_slots_have_the_times_of_the_beacon_chain() -> None:
    # The merge: slot 4700013, 2022-09-15T06:42:59Z (https://blog.ethereum.org/2022/09/15/mainnet-merge-announcement names block and day).
    assert iso(GENESIS_MS + 4_700_013 * SLOT_MS) == "2022-09-15T06:42:59Z"
    assert slot_from(GENESIS_MS) == 0
    assert slot_from(GENESIS_MS + 1) == 1


def test_the_median_of_an_hour_counts_each_payload_once_and_no_other_hour() -> None:
    flashbots = [row(ELEVEN - 1, 90 * ETHER), row(ELEVEN, ETHER), row(ELEVEN + 1, 3 * ETHER), row(ELEVEN + 300, 90 * ETHER)]
    harvest = poll(flashbots=relay(*flashbots), ultrasound=relay(row(ELEVEN, ETHER), row(ELEVEN + 299, 2 * ETHER)))
    [found] = harvest.readings
    assert (found.metric, found.subject, found.value, iso(found.at or 0)) == ("mev.payment_eth", "chain:ethereum", 2.0, "2026-01-05T11:00:00Z")
    assert harvest.rejected == []


def test_a_slot_on_which_relays_disagree_is_refused_and_the_others_count() -> None:
    harvest = poll(flashbots=relay(row(ELEVEN, ETHER), row(ELEVEN + 1, 5 * ETHER)), ultrasound=relay(row(ELEVEN, 2 * ETHER)))
    assert [found.value for found in harvest.readings] == [5.0]
    assert harvest.rejected == [f"slot {ELEVEN}: relays disagree on what was delivered"]


def test_an_hour_waits_until_every_relay_has_answered() -> None:
    with pytest.raises(SourceError, match="wait until every relay answers; relay bloxroute: gone"):
        poll(flashbots=relay(row(ELEVEN, ETHER)), bloxroute=SourceError("gone"))


def test_a_bug_is_not_taken_for_a_silent_relay() -> None:
    def broken(call: Call) -> object:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        poll(flashbots=broken)


def test_a_busy_relay_is_asked_page_by_page() -> None:
    slots = range(ELEVEN - 50, ELEVEN + 300)
    source_ports = ports(flashbots=relay(*(row(slot, ETHER) for slot in slots)))
    harvest = asyncio.run(MevBoost(hours=1).poll(source_ports, WATCH))
    assert [found.value for found in harvest.readings] == [1.0]
    asked = [call.params["cursor"] for call in source_ports.net.calls if call.url.startswith(RELAYS["flashbots"])]  # type: ignore[attr-defined]  # a FakeNet
    assert asked == [ELEVEN + 299, ELEVEN + 299 - PAGE_SLOTS]


def test_a_relay_that_gives_less_a_page_than_it_was_asked_for_is_asked_further() -> None:
    """Else its older half would be missing, and the median be another."""
    rows = [row(ELEVEN + place, (1 if place < 200 else 9) * ETHER) for place in range(300)]
    assert [found.value for found in poll(flashbots=lambda call: relay(*rows)(call)[:100]).readings] == [1.0]


def test_an_hour_in_which_nothing_was_delivered_has_no_value() -> None:
    assert poll() == Harvest([], [])


@pytest.mark.parametrize(
    "change",
    [{"slot": "x"}, {"slot": 5}, {"slot": None}, {"value": "-1"}, {"value": 1e18}, {"value": "1.5"}, {"block_hash": "0x12"}, {"block_hash": None}],
)
def test_a_damaged_payload_is_refused(change: dict[str, Any]) -> None:
    assert parse([row(5, 7)], 9) == [Payload(5, f"0x{5:064x}", 7)]
    with pytest.raises(BadPayload):
        parse([{**row(5, 7), **change}], 9)


def test_a_slot_that_was_not_asked_for_is_refused() -> None:
    with pytest.raises(BadPayload, match="not asked for"):
        parse([row(10, 7)], 9)


def test_hours_without_a_payload_are_left_out() -> None:
    first = GENESIS_MS - GENESIS_MS % HOUR + 2 * HOUR
    harvest = by_hour([Payload(slot_from(first), "0x1", ETHER)], first - HOUR, first + HOUR)
    assert [found.at for found in harvest.readings] == [first]


def test_it_asks_only_where_ethereum_is_a_chain_of_ours() -> None:
    elsewhere = Watch(chains={"base": Chain()})
    assert (MevBoost().provides(elsewhere), MevBoost().streams(elsewhere)) == (frozenset(), ())
    assert asyncio.run(MevBoost().poll(Ports(FakeNet(), StillClock(NOW_MS), random.Random(0)), elsewhere)) == Harvest()
    assert MevBoost().streams(WATCH) == ("payments",)


def test_history_comes_by_six_hours() -> None:
    def page(start: str, end: str) -> Page:
        own = ports(flashbots=relay(*(row(slot, ETHER) for slot in range(ELEVEN - 3000, ELEVEN, 10))))
        return asyncio.run(MevBoost().page(own, WATCH, "payments", parse_time(start), parse_time(end)))

    first = page("2026-01-05T02:30:00Z", "2026-01-05T10:30:00Z")
    assert (len(first.harvest.readings), first.next_ms) == (6, parse_time("2026-01-05T09:00:00Z"))
    last = page("2026-01-05T09:00:00Z", "2026-01-05T10:30:00Z")
    assert (len(last.harvest.readings), last.next_ms) == (1, None)
    assert page("2026-01-05T10:10:00Z", "2026-01-05T10:30:00Z") == Page()
