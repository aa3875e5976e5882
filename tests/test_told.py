"""What the pipeline does with alerts: who gets them, what silences them, sending again, and channels that fail."""

import asyncio
import json
import random

import pytest

from monitor.core.delivery import DELIVERED, FAILED, SILENCED, WAITING, Attempt, Failing
from monitor.core.effects import Alerted, Effect, Silenced
from monitor.core.engine import Engine
from monitor.core.events import Configured, Event, Signal
from monitor.core.units import HOUR
from monitor.pipeline import Pipeline, Subscription
from monitor.registry import Catalogue
from monitor.sinks.sender import Sender
from monitor.store.sqlite import MEMORY, SqliteStore
from tests.sinks.channels import Scripted
from tests.virtual_time import VirtualClock, run_virtual

NOW = 1_750_000_000_000
PHONE, PAGER = Subscription("phone"), Subscription("pager")


class Spoken(Engine):
    """An engine that tells what a signal's note holds, so that a test chooses the alert."""

    def apply(self, event: Event) -> tuple[Effect, ...]:
        effects = super().apply(event)
        if isinstance(event, Signal) and event.action == "say":
            self.emit(Alerted(event.now, f"msg_{event.id}", event.target, event.actor, "said", 1, json.loads(event.note or "{}")))
        return (*effects, *self.effects[len(effects) :])


class Bench:
    """A pipeline over a store in memory, with a wall clock that stands where it is told to."""

    def __init__(self, *channels: Subscription, store: SqliteStore | None = None) -> None:
        self.wall = NOW
        self.store = store or SqliteStore(MEMORY)
        self.pipeline = Pipeline(Spoken(Catalogue()), self.store, lambda: self.wall, channels or (PHONE, PAGER))
        self.pipeline.restore()
        self.pipeline.process(Configured(NOW, {}))

    def say(self, name: str, kind: str = "trigger.fired", severity: str = "warning", **data: str) -> dict[str, str]:
        """Alert, and return the status by channel."""
        self.pipeline.process(Signal(NOW, name, severity, "say", kind, json.dumps(data)))
        return {row.channel: row.status for row in self.store.outbox.find(f"msg_{name}")}

    def silence(self, target: str, until: int) -> None:
        self.pipeline.process(Signal(NOW, f"s_{target}", "me", "silence", target, "because", until))

    def told(self, kind: str) -> list[Alerted]:
        return [alert for alert in self.store.alerts() if alert.type == kind]


def test_a_channel_gets_the_types_it_asked_for():
    bench = Bench(PHONE, Subscription("desk", frozenset({"layer.proposed"})))
    assert bench.say("a") == {"phone": WAITING}
    assert bench.say("b", "layer.proposed") == {"phone": WAITING, "desk": WAITING}


@pytest.mark.parametrize(
    ("target", "silenced"),
    [
        ("trigger.fired", True),
        ("trigger.*", True),
        ("tvl-drawdown", True),
        ("tvl-drawdown/chain:base", True),
        ("tvl-drawdown/*", True),
        ("eth-usdc", True),
        ("*", True),
        ("trigger", False),
        ("tvl-drawdown/chain:ethereum", False),
        ("layer.proposed", False),
        ("", False),
    ],
)
def test_a_silence_covers_a_type_a_rule_a_subject_or_a_position_F_147(target: str, silenced: bool):
    bench = Bench(PHONE)
    bench.silence(target, NOW + HOUR)
    status = bench.say("a", rule="tvl-drawdown", subject="chain:base", position="eth-usdc")
    assert status == {"phone": SILENCED if silenced else WAITING}


@pytest.mark.parametrize(("past_ms", "status"), [(HOUR - 1, SILENCED), (HOUR, WAITING)])
def test_a_silence_ends_by_the_wall_clock_F_147(past_ms: int, status: str):
    bench = Bench(PHONE)
    bench.silence("*", NOW + HOUR)
    bench.wall += past_ms
    assert bench.say("a") == {"phone": status}


def test_a_critical_alert_pierces_every_silence_F_147():
    bench = Bench(PHONE)
    bench.silence("*", NOW + HOUR)
    assert bench.say("a", severity="critical") == {"phone": WAITING}
    assert bench.say("b", severity="warning") == {"phone": SILENCED}


def test_a_silence_is_on_record_with_who_and_why_and_outlives_a_restart_F_147():
    bench = Bench(PHONE)
    bench.silence("*", NOW + HOUR)
    assert [effect for _, effect in bench.store.effects() if isinstance(effect, Silenced)] == [Silenced(NOW, "s_*", "*", NOW + HOUR, "me", "because")]
    assert Bench(PHONE, store=bench.store).say("a") == {"phone": SILENCED}


def test_what_was_silenced_is_not_sent_and_stays_on_record():
    bench = Bench(PHONE)
    bench.silence("*", NOW + HOUR)
    bench.say("a")
    assert bench.store.outbox.waiting("phone", NOW) == []
    assert [alert.id for alert in bench.told("trigger.fired")] == ["msg_a"]


def test_sending_again_is_one_event_and_puts_every_row_of_the_alert_back():
    bench = Bench()
    bench.say("a")
    body = bench.store.outbox.find("msg_a")[0].body
    bench.store.outbox.record(Attempt("msg_a", "phone", NOW, "delivered", ""), DELIVERED)
    bench.store.outbox.record(Attempt("msg_a", "pager", NOW, "gone", ""), FAILED)
    bench.wall += 5
    bench.pipeline.process(Signal(NOW, "r1", "me", "resend", "msg_a"))
    rows = bench.store.outbox.find("msg_a")
    assert [(row.status, row.attempts, row.queued_at, row.body) for row in rows] == [(WAITING, 0, NOW + 5, body)] * 2


def test_a_failing_channel_is_told_of_on_the_others_once_even_after_a_restart():
    bench = Bench()
    failing = Failing("phone", "msg_a", "trigger.fired", "status 500", given_up=False)
    bench.pipeline.report(failing, NOW)
    bench.pipeline.report(failing, NOW)
    again = Bench(store=bench.store)
    again.pipeline.report(failing, NOW)
    alerts = again.told("delivery.failing")
    assert [(alert.severity, alert.data["channel"], alert.data["given_up"]) for alert in alerts] == [("warning", "phone", False)]
    assert [row.channel for row in again.store.outbox.find(alerts[0].id)] == ["pager"]


def test_an_alert_that_was_given_up_is_told_of_apart_and_pierces_silences():
    bench = Bench()
    bench.silence("*", NOW + HOUR)
    for given_up in (False, True):
        bench.pipeline.report(Failing("phone", "msg_a", "trigger.fired", "status 500", given_up=given_up), NOW)
    by_severity = {alert.severity: bench.store.outbox.find(alert.id)[0].status for alert in bench.told("delivery.failing")}
    assert by_severity == {"warning": SILENCED, "critical": WAITING}


def test_two_dead_channels_tell_of_each_other_and_then_it_ends():
    async def scene(clock: VirtualClock) -> Bench:
        bench = Bench()
        bench.say("a")
        dead = {name: Scripted(clock, ["failed"]) for name in ("phone", "pager")}
        sender = Sender(bench.store.outbox, dead, clock, random.Random(1), lambda failing: bench.pipeline.report(failing, clock.now_ms()))
        bench.pipeline.shows.append(lambda event, effects: sender.wake())
        running = asyncio.create_task(sender.run())
        await clock.sleep(10 * 86_400)
        await sender.stop(1)
        await running
        return bench

    bench = run_virtual(scene, NOW)
    assert {row.status for row in bench.store.outbox.every()} == {FAILED}
    assert sorted((alert.data["channel"], alert.data["given_up"]) for alert in bench.told("delivery.failing")) == [
        ("pager", False),
        ("pager", True),
        ("phone", False),
        ("phone", True),
    ]
