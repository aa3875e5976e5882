"""Whatever a receiver does and whenever we die: nothing is lost, nothing changes, and copies are bounded. With a control that must lose."""

import asyncio
import random
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.delivery import DELIVERED, FAILED, Delivery, Failing
from monitor.sinks.sender import Sender
from monitor.sinks.webhook import Answer
from monitor.store.sqlite import SqliteStore
from tests.sinks.channels import START_MS, queued, row
from tests.virtual_time import VirtualClock, run_virtual

NAMES = ("a", "b", "c", "d")
# What the receiver does with one request: (does it take the alert, what does it answer, after how many seconds)
BEHAVIOURS = st.sampled_from(
    [
        (True, "delivered", 0.1),
        (True, "ambiguous", 10.0),
        (False, "ambiguous", 10.0),
        (False, "failed", 0.2),
        (False, "refused", 0.1),
        (False, "clock", 0.1),
        (False, "gone", 0.1),
    ]
)
LIVES = st.lists(st.floats(0.05, 40.0), max_size=4)


@dataclass
class World:
    """A receiver with a script, and everything that must hold at the end."""

    clock: VirtualClock
    script: list[tuple[bool, str, float]]
    taken: list[tuple[str, bytes]]
    answers: list[tuple[str, str]]

    async def deliver(self, delivery: Delivery) -> Answer:
        takes, outcome, seconds = self.script.pop(0) if self.script else (True, "delivered", 0.1)
        if takes:
            self.taken.append((delivery.id, delivery.body))
        self.answers.append((delivery.id, "unknown"))
        place = len(self.answers) - 1
        await self.clock.sleep(seconds)
        self.answers[place] = (delivery.id, outcome)
        return Answer(outcome, "as told")


async def live(sender: Sender, clock: VirtualClock, seconds: float) -> None:
    """Run for a while and die without a word: neither a grace nor a mark."""
    running = asyncio.create_task(sender.run())
    await clock.sleep(seconds)
    sender._outbox = _Dead()  # type: ignore[assignment]  # a dead process writes nothing any more
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


class _Dead:
    def record(self, *_: object) -> None:
        return


async def _story(
    clock: VirtualClock, kind: type[Sender], script: list[tuple[bool, str, float]], lives: list[float]
) -> tuple[SqliteStore, World, list[Failing], int]:
    store, failing = queued(*[row(name) for name in NAMES]), list[Failing]()
    world = World(clock, list(script), [], [])
    for n, seconds in enumerate([*lives, 8 * 3600.0]):
        await live(kind(store.outbox, {"phone": world}, clock, random.Random(n), failing.append), clock, seconds)
    return store, world, failing, len(lives)


def outcome_of(kind: type[Sender], script: list[tuple[bool, str, float]], lives: list[float]) -> tuple[SqliteStore, World, list[Failing], int]:
    return run_virtual(lambda clock: _story(clock, kind, script, lives), START_MS)


@given(st.lists(BEHAVIOURS, max_size=30), LIVES)
@settings(max_examples=150)
def test_every_alert_is_delivered_or_visibly_failing_whatever_the_receiver_does_INV_1_INV_3(
    script: list[tuple[bool, str, float]], lives: list[float]
):
    store, world, failing, deaths = outcome_of(Sender, script, lives)
    final = {one.id: one.status for one in store.outbox.every()}
    for name in NAMES:
        copies = [body for taken, body in world.taken if taken == name]
        if final[name] == DELIVERED:
            assert copies, f"{name} is marked as delivered and never arrived"
        else:
            assert final[name] == FAILED
            assert any(told.alert_id == name and told.given_up for told in failing)
        assert len(set(copies)) <= 1
        unsure = sum(outcome in ("ambiguous", "unknown") for about, outcome in world.answers if about == name)
        assert len(copies) <= 1 + deaths + unsure


class MarksFirst(Sender):
    """The control: marks before it sends, as senders like to do."""

    async def _send(self, row: Delivery) -> None:
        await self._mark(row, Answer("delivered", ""), DELIVERED)
        await super()._send(row)


def test_a_sender_that_marks_first_loses_an_alert():
    store, world, _, _ = outcome_of(MarksFirst, [(False, "ambiguous", 10.0)], [1.0])
    assert {one.id: one.status for one in store.outbox.every()}["a"] == DELIVERED
    assert "a" not in {name for name, _ in world.taken}
