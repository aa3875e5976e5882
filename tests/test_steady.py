"""The daemon's clock: what it believes when the machine's steps, and what the engine makes of it. F-101 to F-105."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.engine import Engine
from monitor.core.events import Batch, Configured, Event, Signal, Tick
from monitor.core.operator import CLOCK_RIGHT, CLOCK_SET_BACK, CLOCK_WRONG
from monitor.core.units import DAY, HOUR, MINUTE, SECOND
from monitor.daemon import Daemon
from monitor.feeds import Arrival
from monitor.pipeline import Pipeline
from monitor.source import Harvest
from monitor.steady import HOLD_MS, WRITTEN_MS, SteadyClock, Witnesses
from monitor.store.sqlite import SqliteStore
from tests.builders import START, RealPlugins, seen, settings_of
from tests.test_daemon import ListFeed

NOW = WRITTEN_MS + 90 * DAY
HOSTS = ("api.one.test", "api.two.test", "api.three.test")


class Machine:
    """A machine whose wall clock can be set. `true_ms` is the time that everybody else has."""

    def __init__(self, start: int = NOW) -> None:
        self.true_ms, self.up_ms, self.ahead_ms = start, 5 * HOUR, 0
        self.witnesses = Witnesses(lambda: self.up_ms)
        self.clock = SteadyClock(self.witnesses, wall=lambda: self.true_ms + self.ahead_ms, uptime=lambda: self.up_ms)

    def pass_time(self, ms: int) -> None:
        self.true_ms += ms
        self.up_ms += ms
        self.clock.now_ms()

    def hear(self, *hosts: str, off_ms: int = 0) -> None:
        for host in hosts or HOSTS:
            self.witnesses.hear(host, formatdate((self.true_ms + off_ms) / 1000, usegmt=True))

    @property
    def off_ms(self) -> int:
        return self.clock.now_ms() - self.true_ms

    @property
    def skew_ms(self) -> int:
        skew = self.clock.skew_ms
        assert skew is not None
        return skew


STEPS = [-HOUR, -11 * SECOND, 11 * SECOND, HOUR, 30 * DAY]


@pytest.mark.parametrize("step_ms", STEPS)
def test_a_step_of_the_wall_clock_is_not_followed_and_is_told_F_101_F_102_F_103(step_ms: int):
    machine = Machine()
    machine.pass_time(MINUTE)
    assert machine.clock.trouble() == ""
    machine.ahead_ms = step_ms
    machine.pass_time(MINUTE)
    assert machine.off_ms == 0
    assert machine.clock.stepped_ms == step_ms
    assert "this machine's clock was set" in machine.clock.trouble()
    machine.ahead_ms = 0
    machine.pass_time(MINUTE)
    assert (machine.off_ms, machine.clock.stepped_ms, machine.clock.trouble()) == (0, 0, "")


@pytest.mark.parametrize("step_ms", STEPS)
def test_three_hosts_that_contradict_a_step_keep_it_from_ever_being_followed_F_101_F_102(step_ms: int):
    machine = Machine()
    machine.ahead_ms = step_ms
    for _ in range(40):
        machine.hear()
        machine.pass_time(MINUTE)
    assert machine.off_ms == 0


@pytest.mark.parametrize("wrong_ms", STEPS)
def test_a_correction_that_three_hosts_confirm_is_followed_at_once_F_102(wrong_ms: int):
    """The clock was wrong from the start, and is set right."""
    machine = Machine(NOW)
    machine.ahead_ms = wrong_ms
    machine.clock = SteadyClock(machine.witnesses, wall=lambda: machine.true_ms + machine.ahead_ms, uptime=lambda: machine.up_ms)
    machine.pass_time(MINUTE)
    machine.hear()
    assert machine.off_ms == wrong_ms
    assert abs(machine.skew_ms - wrong_ms) <= SECOND
    machine.ahead_ms = 0
    machine.pass_time(SECOND)
    assert machine.off_ms == 0
    assert machine.clock.was_set_back() is (wrong_ms > 0)
    assert machine.clock.was_set_back() is False


def test_a_step_that_nobody_confirms_or_denies_is_followed_after_a_quarter_of_an_hour():
    machine = Machine()
    machine.ahead_ms = 8 * HOUR
    machine.hear("only.one.test", "and.another.test")
    machine.clock.now_ms()
    machine.pass_time(HOLD_MS - 1)
    assert machine.off_ms == 0
    machine.pass_time(1)
    assert machine.off_ms == 8 * HOUR


def test_a_suspended_machine_s_uptime_counts_its_sleep_so_that_waking_is_no_step_F_103():
    machine = Machine()
    machine.pass_time(8 * HOUR)
    assert (machine.off_ms, machine.clock.trouble()) == (0, "")


def test_a_leap_second_and_a_clock_that_drifts_are_followed_F_104():
    machine = Machine()
    for _ in range(100):
        machine.pass_time(MINUTE)
        machine.ahead_ms -= SECOND
        assert machine.off_ms == machine.ahead_ms
    assert machine.clock.stepped_ms == 0


# --- what others say ------------------------------------------------------------------------------------------------------------


def test_the_skew_is_the_median_of_three_hosts_or_more_so_that_one_that_lies_is_outvoted_F_102():
    machine = Machine()
    machine.hear("a", "b")
    assert machine.clock.skew_ms is None
    machine.hear("liar", off_ms=30 * DAY)
    assert abs(machine.skew_ms) < SECOND
    machine.pass_time(31 * MINUTE)
    assert machine.clock.skew_ms is None, "what was said half an hour ago is no witness"


def test_an_answer_from_a_cache_counts_with_its_age():
    machine = Machine()
    for host in HOSTS:
        machine.witnesses.hear(host, formatdate((machine.true_ms - HOUR) / 1000, usegmt=True), "3600")
    assert abs(machine.skew_ms) < SECOND


@pytest.mark.parametrize("date", ["", "yesterday", "Tue, 99 Nov 99999 99:99:99 GMT"])
def test_a_date_that_cannot_be_read_is_no_witness(date: str):
    machine = Machine()
    for host in HOSTS:
        machine.witnesses.hear(host, date)
    assert machine.clock.skew_ms is None


@pytest.mark.parametrize(("off_ms", "wrong"), [(-HOUR, True), (-61 * SECOND, True), (-58 * SECOND, False), (58 * SECOND, False), (61 * SECOND, True)])
def test_a_clock_a_minute_off_is_told_since_receivers_may_refuse_its_signatures_F_102(off_ms: int, wrong: bool):
    machine = Machine()
    machine.hear(off_ms=-off_ms)
    assert ("signatures" in machine.clock.trouble()) is wrong


# --- the start ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "floor", "sane"),
    [
        (0, WRITTEN_MS, False),
        (WRITTEN_MS, WRITTEN_MS, True),
        (NOW - HOUR, NOW, False),
        (NOW - 59 * SECOND, NOW, True),
        (NOW + 30 * DAY, NOW, True),
    ],
    ids=["1970", "written", "an hour before the last event", "within a minute of it", "a month later"],
)
def test_no_decision_is_made_by_a_clock_that_stands_before_what_has_passed_F_105(now: int, floor: int, sane: bool):
    assert (Machine(now).clock.insane(floor) == "") is sane


def test_three_hosts_clear_a_clock_that_a_store_from_the_future_accuses_F_105():
    machine = Machine()
    assert machine.clock.insane(NOW + 30 * DAY)
    machine.hear()
    assert machine.clock.insane(NOW + 30 * DAY) == ""


# --- the daemon -----------------------------------------------------------------------------------------------------------------


def daemon_by(machine: Machine, arrivals: Sequence[Arrival] = ()) -> Daemon:
    pipeline = Pipeline(Engine(RealPlugins()), SqliteStore(":memory:"), machine.clock.now_ms)
    daemon = Daemon(pipeline, ListFeed(arrivals, machine.clock), machine.clock)
    daemon.hour = machine.clock
    return daemon


def told(daemon: Daemon) -> list[str]:
    return [alert.summary for alert in reversed(daemon.pipeline.store.alerts())]


def events(daemon: Daemon) -> list[Event]:
    return [event for _, event in daemon.pipeline.store.journal()]


def test_a_clock_that_steps_is_told_once_and_once_more_when_it_is_right_again_F_101():
    machine = Machine()
    daemon = daemon_by(machine)
    for ahead_ms in (0, -HOUR, -HOUR, -HOUR, 0, 0):
        machine.ahead_ms = ahead_ms
        machine.pass_time(5 * SECOND)
        daemon.look_at_the_clock(machine.clock)
    assert [event.action for event in events(daemon) if isinstance(event, Signal)] == [CLOCK_WRONG, CLOCK_RIGHT]
    assert told(daemon)[0].startswith("Clock: this machine's clock was set 3600 s back")


def test_an_engine_that_a_clock_far_ahead_has_taken_along_is_taken_back_F_102():
    machine = Machine()
    machine.ahead_ms = 30 * DAY
    machine.clock = SteadyClock(machine.witnesses, wall=lambda: machine.true_ms + machine.ahead_ms, uptime=lambda: machine.up_ms)
    daemon = daemon_by(machine)
    daemon.pipeline.process(Tick(machine.clock.now_ms()))
    machine.hear()
    machine.ahead_ms = 0
    machine.pass_time(SECOND)
    daemon.look_at_the_clock(machine.clock)
    assert daemon.pipeline.engine.now == machine.true_ms
    assert [event.action for event in events(daemon) if isinstance(event, Signal)] == [CLOCK_SET_BACK]


async def test_a_machine_that_starts_in_1970_decides_nothing_until_its_clock_is_set_F_105(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("monitor.daemon.INBOX_SECONDS", 0.01)
    machine = Machine(0)
    daemon = daemon_by(machine)
    asked = ListFeed([Arrival(0, "s", Harvest())], machine.clock)
    waiting = asyncio.create_task(daemon.until_sane(lambda: machine.clock.insane(WRITTEN_MS), asked))
    await asyncio.sleep(0.05)
    assert "set it" in daemon.waiting_for
    assert events(daemon) == []
    assert asked.closed, "the source was asked, for the hour alone"
    machine.ahead_ms = NOW
    await asyncio.wait_for(waiting, 5)
    assert daemon.waiting_for == ""


async def test_a_store_from_the_future_is_taken_back_at_the_start_once_three_hosts_have_spoken_F_102_F_105(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("monitor.daemon.INBOX_SECONDS", 0.01)
    machine = Machine()
    daemon = daemon_by(machine)
    daemon.pipeline.process(Tick(NOW + 30 * DAY))
    waiting = asyncio.create_task(daemon.until_sane(lambda: machine.clock.insane(daemon.pipeline.engine.now), ListFeed([])))
    await asyncio.sleep(0.03)
    assert not waiting.done()
    machine.hear()
    await asyncio.wait_for(waiting, 5)
    assert daemon.pipeline.engine.now == NOW


async def test_a_stop_ends_the_wait_for_a_sane_clock_F_105(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("monitor.daemon.INBOX_SECONDS", 0.01)
    machine = Machine(0)
    daemon = daemon_by(machine)
    waiting = asyncio.create_task(daemon.until_sane(lambda: machine.clock.insane(WRITTEN_MS), ListFeed([])))
    await asyncio.sleep(0.03)
    daemon.stop()
    await asyncio.wait_for(waiting, 5)
    assert events(daemon) == []


# --- the engine -----------------------------------------------------------------------------------------------------------------

SOURCES = {"llama": {"cadence_ms": HOUR, "provides": [["tvl.usd", "chain:ethereum"]]}}


def engine_at(now: int) -> Engine:
    engine = Engine(RealPlugins())
    engine.apply(Configured(now, settings_of(rules=["tvl-drawdown"], sources=SOURCES, tvl_subjects=["chain:ethereum"], heartbeat_ms=DAY)))
    return engine


def test_a_step_back_of_a_stamp_moves_no_time_and_fires_nothing_again_F_101():
    engine = engine_at(START)
    engine.apply(Batch(START, "llama", (seen("tvl.usd", "chain:ethereum", 5e10),)))
    engine.apply(Tick(START))
    assert engine.apply(Tick(START - HOUR)) == ()
    assert engine.now == START


def test_what_was_stamped_by_a_clock_ahead_holds_nothing_up_once_it_is_taken_back_F_102():
    """A source that dies after the correction is noticed in its time, not thirty days later; so is the heartbeat."""
    engine = engine_at(START + 30 * DAY)
    engine.apply(Batch(START + 30 * DAY, "llama", (seen("tvl.usd", "chain:ethereum", 5e10),)))
    engine.apply(Tick(START + 30 * DAY))
    engine.apply(Signal(START, "c1", "clock", CLOCK_SET_BACK, "clock", "set back"))
    assert engine.now == START
    later = START + 2 * HOUR + 31 * SECOND
    assert [e.type for e in engine.apply(Tick(later)) if e.kind == "alert"] == ["source.down", "data.stale"]
    assert "heartbeat" in [e.type for e in engine.apply(Tick(START + DAY)) if e.kind == "alert"]


# --- F-104: instants --------------------------------------------------------------------------------------------------------------

EDGES = [
    datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC),  # a leap second followed
    datetime(2026, 3, 8, 6, 59, 59, tzinfo=UTC),  # New York goes to summer time a second later
    datetime(2026, 11, 1, 5, 59, 59, tzinfo=UTC),  # and back
    datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC),  # the last second of 32 bits
]


@given(st.sampled_from(EDGES), st.lists(st.integers(1, 3 * HOUR), min_size=1, max_size=8))
def test_time_passes_evenly_across_every_edge_of_the_calendar_F_104(edge: datetime, steps: list[int]):
    """Instants are whole milliseconds of UTC: silence is told after the same time, whatever the calendar does meanwhile."""
    began = int(edge.timestamp() * 1000)
    machine, engine = Machine(began), engine_at(began)
    engine.apply(Batch(began, "llama", ()))
    for step in steps:
        machine.pass_time(step)
        now = machine.clock.now_ms()
        assert now == machine.true_ms
        engine.apply(Tick(now))
        assert engine.state.sources["llama"].down is (now - began > 2 * HOUR + 30 * SECOND)


@given(st.integers(0, 2**33))
def test_an_instant_written_in_a_header_is_read_back_to_the_second_until_2242_F_104(second: int):
    machine = Machine(second * 1000)
    machine.hear()
    assert abs((machine.witnesses.time_ms() or 0) - second * 1000) <= SECOND
