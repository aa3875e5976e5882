"""The sender in virtual time: order, patience, isolation, and giving up aloud."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest

from monitor.core.delivery import DELIVERED, FAILED, WAITING, Attempt, Failing
from monitor.errors import StoreError
from monitor.sinks.sender import GIVEN_UP_AFTER_TRIES, Sender
from monitor.sinks.webhook import Answer
from monitor.store.sqlite import SqliteStore, StoreFull
from tests.fakes import HANG, FakeNet
from tests.sinks.channels import OK, START_MS, URL, Desk, Scripted, desk, queued, row, status, webhook
from tests.virtual_time import VirtualClock, run_virtual

HOUR, DAY = 3600.0, 86_400.0
Scene = Callable[[VirtualClock], Awaitable[None]]


def play(scene: Scene) -> None:
    async def main(clock: VirtualClock) -> None:
        await scene(clock)

    run_virtual(main, START_MS)


async def run_for(one: Desk, seconds: float, clock: VirtualClock, grace_seconds: float = 30.0) -> None:
    running = asyncio.create_task(one.sender.run())
    await clock.sleep(seconds)
    await one.sender.stop(grace_seconds)
    await running


def states(store: SqliteStore) -> dict[str, str]:
    return {f"{one.id}@{one.channel}": one.status for one in store.outbox.every()}


def test_alerts_are_sent_in_the_order_in_which_they_were_decided():
    async def scene(clock: VirtualClock) -> None:
        phone = Scripted(clock, ["delivered"])
        one = desk(queued(row("b"), row("a"), row("c")), clock, phone=phone)
        await run_for(one, 1, clock)
        assert phone.ids == ["b", "a", "c"]
        assert set(states(one.store).values()) == {DELIVERED}
        assert one.sender.deliveries == {("phone", "delivered"): 3}

    play(scene)


def test_what_waited_at_a_restart_is_sent_at_once_F_120():
    async def scene(clock: VirtualClock) -> None:
        phone = Scripted(clock, ["delivered"])
        await run_for(desk(queued(row("a"), row("b")), clock, phone=phone), 5, clock)
        assert [at for at, _, _ in phone.sent] == [0.0, 0.0]

    play(scene)


def test_a_wake_sends_at_once_what_was_just_committed():
    async def scene(clock: VirtualClock) -> None:
        phone = Scripted(clock, ["delivered"])
        one = desk(queued(), clock, phone=phone)
        running = asyncio.create_task(one.sender.run())
        await clock.sleep(17.25)
        queued(row("a", at=clock.now_ms()), store=one.store)
        one.sender.wake()
        await clock.sleep(0.01)
        assert phone.sent == [(17.25, "a", row("a").body)]
        await one.sender.stop(1)
        await running

    play(scene)


def test_an_ambiguous_timeout_is_sent_again_with_the_same_id_and_bytes_and_a_fresh_time_F_134():
    async def scene(clock: VirtualClock) -> None:
        net = FakeNet().answer("POST", URL, HANG, HANG, OK)
        one = desk(queued(row("a")), clock, phone=webhook(net, clock))
        await run_for(one, 120, clock)
        assert states(one.store) == {"a@phone": DELIVERED}
        assert {(call.headers["webhook-id"], call.body) for call in net.calls} == {("a", row("a").body)}
        assert len({call.headers["webhook-timestamp"] for call in net.calls}) == 3
        tries = list(one.store.outbox.attempts("a"))
        assert [one.outcome for one in tries] == ["ambiguous", "ambiguous", "delivered"]
        assert net.count("POST") <= 1 + sum(one.outcome == "ambiguous" for one in tries)  # INV-3

    play(scene)


def test_a_channel_that_hangs_delays_no_other():
    async def scene(clock: VirtualClock) -> None:
        net = FakeNet().answer("POST", URL, HANG).answer("POST", "https://pager.test", OK)
        rows = [row(name, channel) for name in "abc" for channel in ("phone", "pager")]
        one = desk(queued(*rows), clock, phone=webhook(net, clock), pager=webhook(net, clock, "https://pager.test/x"))
        running = asyncio.create_task(one.sender.run())
        await clock.sleep(0.01)
        assert {key: at for key, at in states(one.store).items() if "pager" in key} == dict.fromkeys(("a@pager", "b@pager", "c@pager"), DELIVERED)
        await one.sender.stop(60)
        await running

    play(scene)


def test_old_trouble_does_not_hold_up_news():
    async def scene(clock: VirtualClock) -> None:
        store = queued(row("old1"), row("old2"))
        for name in ("old1", "old2"):
            store.outbox.record(Attempt(name, "phone", START_MS, "failed", ""), WAITING, START_MS)
        phone = Scripted(clock, ["delivered"])
        await run_for(desk(queued(row("new"), store=store), clock, phone=phone), 1, clock)
        assert phone.ids == ["new", "old1", "old2"]

    play(scene)


def test_the_back_off_grows_to_ten_minutes_with_full_jitter():
    async def scene(clock: VirtualClock) -> None:
        phone = Scripted(clock, ["failed"])
        one = desk(queued(row("a")), clock, phone=phone)
        await run_for(one, 6 * HOUR, clock)
        times = [at for at, _, _ in phone.sent]
        gaps = [b - a for a, b in pairwise(times)]
        assert all(gap <= min(600.0, 2.0 * 2**n) + 0.01 for n, gap in enumerate(gaps))
        assert max(gaps) > 300
        assert min(gaps[9:]) < 300

    play(scene)


@pytest.mark.parametrize(("asked", "least", "most"), [(120.0, 120.0, 120.1), (86_400.0, 3600.0, 3600.1)])
def test_retry_after_is_obeyed_up_to_an_hour_F_140(asked: float, least: float, most: float):
    async def scene(clock: VirtualClock) -> None:
        phone = Scripted(clock, [Answer("failed", "busy", asked), "delivered"])
        await run_for(desk(queued(row("a")), clock, phone=phone), 2 * HOUR, clock)
        assert least <= phone.sent[1][0] <= most

    play(scene)


def test_trouble_is_shown_once_after_an_hour_and_given_up_after_three_days_F_141():
    async def scene(clock: VirtualClock) -> None:
        phone = Scripted(clock, ["failed"])
        one = desk(queued(row("a"), row("b")), clock, phone=phone)
        running = asyncio.create_task(one.sender.run())
        await clock.sleep(HOUR - 1)
        assert one.failing == []
        await clock.sleep(900)
        assert [(told.channel, told.given_up) for told in one.failing] == [("phone", False)]
        await clock.sleep(3 * DAY - HOUR - 901)
        assert states(one.store) == {"a@phone": WAITING, "b@phone": WAITING}
        await clock.sleep(900)
        assert states(one.store) == {"a@phone": FAILED, "b@phone": FAILED}
        assert sorted(told.alert_id for told in one.failing if told.given_up) == ["a", "b"]
        asked = len(phone.sent)
        await clock.sleep(DAY)
        assert len(phone.sent) == asked
        await one.sender.stop(1)
        await running

    play(scene)


def test_a_clock_that_jumps_a_month_ahead_makes_nothing_give_up_F_102():
    async def scene(clock: VirtualClock) -> None:
        phone = Scripted(clock, ["failed"] * 5 + ["delivered"])
        one = desk(queued(row("a")), clock, phone=phone)
        one.store.outbox.record(Attempt("a", "phone", START_MS - 30 * 86_400_000, "failed", ""), WAITING, START_MS)
        one.store.connection.execute("UPDATE outbox SET queued_at = 0")
        await run_for(one, HOUR, clock)
        assert states(one.store) == {"a@phone": DELIVERED}
        assert len(phone.sent) < GIVEN_UP_AFTER_TRIES

    play(scene)


def test_a_clock_that_jumps_back_does_not_put_a_row_off_F_101():
    async def scene(clock: VirtualClock) -> None:
        phone = Scripted(clock, ["delivered"])
        one = desk(queued(row("a", at=START_MS + 3_600_001)), clock, phone=phone)
        await run_for(one, 5, clock)
        assert phone.ids == ["a"]

    play(scene)


@pytest.mark.parametrize("outcome", ["refused", "clock"])
def test_what_a_person_must_mend_is_shown_at_once_and_still_tried_F_106_F_139(outcome: str):
    async def scene(clock: VirtualClock) -> None:
        phone = Scripted(clock, [outcome, outcome, "delivered"])
        one = desk(queued(row("a")), clock, phone=phone)
        await run_for(one, HOUR, clock)
        assert [(told.alert_id, told.given_up) for told in one.failing] == [("a", False)]
        assert states(one.store) == {"a@phone": DELIVERED}

    play(scene)


def test_a_receiver_that_is_gone_is_not_asked_again_and_others_go_on_F_139():
    async def scene(clock: VirtualClock) -> None:
        net = FakeNet().answer("POST", URL, status(410)).answer("POST", "https://pager.test", OK)
        one = desk(queued(row("a"), row("a", "pager")), clock, phone=webhook(net, clock), pager=webhook(net, clock, "https://pager.test/x"))
        await run_for(one, DAY, clock)
        assert states(one.store) == {"a@phone": FAILED, "a@pager": DELIVERED}
        assert net.count("POST", URL) == 1
        assert [(told.channel, told.given_up) for told in one.failing] == [("phone", True)]

    play(scene)


def test_giving_up_is_told_before_it_is_marked():
    async def scene(clock: VirtualClock) -> None:
        store = queued(row("a"))
        seen: list[str] = []

        def on_failing(failing: Failing) -> None:
            seen.append(store.outbox.find(failing.alert_id)[0].status)

        sender = Sender(store.outbox, {"phone": Scripted(clock, ["gone"])}, clock, random.Random(1), on_failing)
        await run_for(Desk(store, sender, []), 1, clock)
        assert seen == [WAITING]

    play(scene)


def test_a_failing_escalation_is_not_escalated():
    async def scene(clock: VirtualClock) -> None:
        one = desk(queued(row("a", kind="delivery.failing")), clock, phone=Scripted(clock, ["gone"]))
        await run_for(one, DAY, clock)
        assert one.failing == []
        assert states(one.store) == {"a@phone": FAILED}

    play(scene)


def test_rows_of_a_channel_that_is_no_longer_configured_wait_and_are_shown():
    async def scene(clock: VirtualClock) -> None:
        one = desk(queued(row("a", "gone-channel"), row("b", "gone-channel")), clock, phone=Scripted(clock, ["delivered"]))
        await run_for(one, DAY, clock)
        assert [(told.channel, told.alert_id) for told in one.failing] == [("gone-channel", "a")]
        assert set(states(one.store).values()) == {WAITING}

    play(scene)


@pytest.mark.parametrize(("seconds_to_answer", "marked"), [(4.0, DELIVERED), (6.0, WAITING)])
def test_stopping_lets_a_delivery_end_within_the_grace_and_else_leaves_it_waiting_F_122(seconds_to_answer: float, marked: str):
    async def scene(clock: VirtualClock) -> None:
        async def slow() -> Answer:
            await clock.sleep(seconds_to_answer)
            return Answer("delivered", "")

        phone = Scripted(clock, [slow])
        one = desk(queued(row("a"), row("b")), clock, phone=phone)
        running = asyncio.create_task(one.sender.run())
        await clock.sleep(0.5)
        await one.sender.stop(5.0)
        await running
        assert phone.ids == ["a"]
        assert states(one.store) == {"a@phone": marked, "b@phone": WAITING}
        assert [tried.outcome for tried in one.store.outbox.attempts("a")] == (["delivered"] if marked == DELIVERED else ["ambiguous"])

    play(scene)


def test_a_mark_that_cannot_be_written_is_written_later_and_the_alert_is_not_sent_again():
    async def scene(clock: VirtualClock) -> None:
        phone = Scripted(clock, ["delivered"])
        one = desk(queued(row("a"), row("b")), clock, phone=phone)
        full_until = 60.0
        record = one.store.outbox.record

        def full(attempt: Attempt, marked: str, next_at: int = 0) -> None:
            if clock.monotonic() < full_until:
                raise StoreError("the disk is full")
            record(attempt, marked, next_at)

        one.store.outbox.record = full  # type: ignore[method-assign,assignment]  # a disk that is full for a minute
        running = asyncio.create_task(one.sender.run())
        await clock.sleep(7)
        one.sender.replace({"phone": phone})  # a reload in the middle of it changes nothing
        await clock.sleep(113)
        await one.sender.stop(1)
        await running
        assert phone.ids == ["a", "b"]
        assert set(states(one.store).values()) == {DELIVERED}

    play(scene)


def test_an_alert_that_is_resent_begins_anew():
    async def scene(clock: VirtualClock) -> None:
        phone = Scripted(clock, ["gone", "failed", "delivered"])
        one = desk(queued(row("a")), clock, phone=phone)
        running = asyncio.create_task(one.sender.run())
        await clock.sleep(5 * DAY)
        assert states(one.store) == {"a@phone": FAILED}
        assert one.store.outbox.resend("a", clock.now_ms()) == 1
        one.sender.wake()
        await clock.sleep(10)
        assert states(one.store) == {"a@phone": DELIVERED}
        assert len({body for _, _, body in phone.sent}) == 1
        await one.sender.stop(1)
        await running

    play(scene)


def test_a_full_disk_is_raised_by_its_own_name_not_in_a_group():
    """The daemon answers it with one alert from memory, and the command with one line."""

    async def scene(clock: VirtualClock) -> None:
        def full(failing: Failing) -> None:
            raise StoreFull("the disk is full")

        sender = Sender(queued(row("a")).outbox, {"phone": Scripted(clock, ["refused"])}, clock, random.Random(1), full)
        with pytest.raises(StoreFull, match="the disk is full"):
            await sender.run()

    play(scene)
