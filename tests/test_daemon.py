"""The daemon: arrivals become events, operators are heard, a stop is clean, a bug of ours is a crash that leaves nothing half done."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from monitor.clock import Clock, SystemClock
from monitor.core.engine import Engine
from monitor.core.events import Batch, Configured, Event, Failed, Signal, Tick
from monitor.core.observation import Reading
from monitor.core.units import HOUR, MINUTE
from monitor.daemon import Daemon
from monitor.errors import StoreError
from monitor.feeds import Arrival
from monitor.pipeline import Pipeline
from monitor.source import Harvest
from monitor.store.sqlite import SqliteStore
from tests.builders import START, RealPlugins, settings_of
from tests.virtual_time import VirtualClock, run_virtual


class ListFeed:
    """Gives its arrivals and ends; `pause` seconds lie before each, `ends` says whether it was closed."""

    def __init__(self, arrivals: Sequence[Arrival], clock: Clock | None = None, pause: float = 0.0) -> None:
        self._arrivals, self._clock, self._pause = arrivals, clock, pause
        self.closed = False

    def now_ms(self) -> int:
        return self._clock.now_ms() if self._clock else START

    async def arrivals(self) -> AsyncGenerator[Arrival, None]:
        try:
            for arrival in self._arrivals:
                await asyncio.sleep(self._pause)
                yield arrival
        finally:
            self.closed = True


def tvl(value: float, at: int = START) -> Reading:
    return Reading("tvl.usd", "chain:ethereum", value, at)


def daemon_of(feed: ListFeed, clock: Clock, store: SqliteStore | None = None) -> Daemon:
    pipeline = Pipeline(Engine(RealPlugins()), store or SqliteStore(":memory:"), clock.now_ms)
    sources = {"llama": {"cadence_ms": HOUR, "provides": [["tvl.usd", "chain:ethereum"]]}}
    pipeline.process(Configured(START, settings_of(rules=["tvl-drawdown"], sources=sources, tvl_subjects=["chain:ethereum"])))
    return Daemon(pipeline, feed, clock)


def journal(daemon: Daemon) -> list[Event]:
    """What was logged after the configuration."""
    return [event for _, event in daemon.pipeline.store.journal()][1:]


def handle(*arrivals: Arrival) -> tuple[Daemon, list[Event]]:
    daemon = daemon_of(ListFeed(()), SystemClock())
    for arrival in arrivals:
        daemon.handle(arrival)
    return daemon, journal(daemon)


# --- arrivals -------------------------------------------------------------------------------------------------------------


def test_a_harvest_becomes_a_batch_and_its_duration_is_kept():
    daemon, events = handle(Arrival(START, "llama", Harvest([tvl(5e10)]), seconds=0.25))
    assert [(e.source, len(e.observations), e.rejected) for e in events if isinstance(e, Batch)] == [("llama", 1, 0)]
    assert daemon.collect_seconds == {"llama": 0.25}


def test_records_stay_as_old_as_they_say_and_their_source_is_heard_without_news():
    old = Reading("tvl.usd", "chain:ethereum", 4e10, START - 9 * HOUR, START - 9 * HOUR, "mine")
    older = Reading("tvl.usd", "chain:ethereum", 3e10, START - 9 * HOUR, START - 8 * HOUR, "mine")
    _, events = handle(
        Arrival(START + 1, "folder", Harvest([older], records=True)),
        Arrival(START + 2, "folder", Harvest([old], records=True)),
        Arrival(START + 3, "folder", Harvest([old, older], ["bad.csv: line 2: x"], records=True)),
    )
    assert [[(o.known_at, o.value) for o in e.observations] for e in events if isinstance(e, Batch)] == [
        [(START - 8 * HOUR, 3e10)],
        [(START - 9 * HOUR, 4e10)],
        [],
    ]
    assert [(e.source, e.rejected) for e in events if isinstance(e, Batch)] == [("folder", 0), ("folder", 0), ("folder", 1)]


def test_a_harvest_of_nothing_new_is_recorded_as_having_been_heard():
    same = Harvest([tvl(5e10)])
    daemon, events = handle(Arrival(START, "llama", same), Arrival(START + HOUR, "llama", same))
    assert [len(e.observations) for e in events if isinstance(e, Batch)] == [1, 0]
    assert daemon.pipeline.engine.state.sources["llama"].heard_at == START + HOUR


def test_refused_rows_are_counted_all_and_logged_a_few():
    bad = [tvl(float("nan")) for _ in range(8)]
    with capture_logs() as logs:
        _, events = handle(Arrival(START, "llama", Harvest(bad, [f"row {n}: null" for n in range(8)])))
    assert [e.rejected for e in events if isinstance(e, Batch)] == [16]
    assert [entry["event"] for entry in logs] == ["refused"] * 10


def test_a_refusal_that_stands_is_logged_once_and_again_when_it_had_gone():
    """A token without a name is refused every minute for years."""
    passes: tuple[list[str], ...] = (["a", "b"], ["a", "b"], ["b", "c"], [], ["a"])
    with capture_logs() as logs:
        _, events = handle(*(Arrival(START + MINUTE * place, "llama", Harvest((), refused)) for place, refused in enumerate(passes)))
    assert [entry["reason"] for entry in logs] == ["a", "b", "c", "a"]
    assert [event.rejected for event in events if isinstance(event, Batch)] == [2, 2, 2, 0, 1]


def test_a_note_is_logged_once_and_counts_as_no_refused_row():
    with capture_logs() as logs:
        _, events = handle(*(Arrival(START + MINUTE * place, "llama", Harvest((), ["a"], notes=["also b"])) for place in range(2)))
    assert [(entry["event"], entry["reason"]) for entry in logs] == [("refused", "a"), ("noted", "also b")]
    assert [event.rejected for event in events if isinstance(event, Batch)] == [1, 1]


def test_a_failure_is_recorded_run_length_and_again_when_its_reason_changes_or_it_had_been_well():
    failures = [Arrival(START + n, "llama", failure=reason) for n, reason in enumerate(["down", "down", "quota", "quota"])]
    well = Arrival(START + 10, "llama", Harvest([tvl(5e10)]))
    _, events = handle(*failures, well, Arrival(START + 11, "llama", failure="quota"))
    assert [(e.now - START, e.reason) for e in events if isinstance(e, Failed)] == [(0, "down"), (2, "quota"), (11, "quota")]


def test_an_arrival_without_a_source_is_a_tick():
    _, events = handle(Arrival(START + HOUR))
    assert events == [Tick(START + HOUR)]


# --- running --------------------------------------------------------------------------------------------------------------


def run_for(seconds: float, feed: Callable[[VirtualClock], ListFeed], *beside: Callable[[], Awaitable[None]]) -> Daemon:
    async def main(clock: VirtualClock) -> Daemon:
        daemon = daemon_of(feed(clock), clock)
        asyncio.get_running_loop().call_later(seconds, daemon.stop)
        await daemon.run(beside)
        assert asyncio.all_tasks() == {asyncio.current_task()}, "a stop leaves no task behind"
        assert clock.monotonic() == seconds
        return daemon

    return run_virtual(main, START)


def test_a_stop_ends_cleanly_and_closes_the_feed_and_what_runs_beside():
    ended: list[str] = []

    async def beside() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("beside")

    feed = ListFeed([Arrival(START), Arrival(START + 1)], pause=60.0)
    daemon = run_for(90.0, lambda clock: feed, beside)
    assert journal(daemon) == [Tick(START)]
    assert feed.closed and ended == ["beside"]


def test_a_feed_that_has_ended_leaves_the_daemon_up():
    daemon = run_for(3600.0, lambda clock: ListFeed([Arrival(START)]))
    assert journal(daemon) == [Tick(START)]


async def fail() -> None:
    await asyncio.sleep(1)
    raise OSError("the port is gone")


def test_a_failure_of_what_runs_beside_ends_the_daemon_with_it():
    with pytest.raises(OSError, match="the port is gone"):
        run_for(90.0, lambda clock: ListFeed([]), fail)


def test_a_bug_in_the_engine_ends_the_daemon_and_nothing_of_the_event_is_committed(monkeypatch: pytest.MonkeyPatch):
    """Crash, do not limp: the log holds what was decided before, and a restart goes on from there."""
    store = SqliteStore(":memory:")
    real = Engine.apply

    def apply(engine: Engine, event: Event) -> Any:
        effects = real(engine, event)
        if event.now == START + 2:
            raise ZeroDivisionError("a bug of ours")
        return effects

    monkeypatch.setattr(Engine, "apply", apply)
    shown: list[Event] = []

    async def main(clock: VirtualClock) -> None:
        feed = ListFeed([Arrival(START + n, "llama", Harvest([tvl(5e10 + n, START + n)])) for n in range(1, 5)])
        daemon = daemon_of(feed, clock, store)
        daemon.pipeline.shows.append(lambda event, effects: shown.append(event))
        try:
            await daemon.run()
        finally:
            assert feed.closed and daemon.stopped.is_set()

    with pytest.raises(ZeroDivisionError):
        run_virtual(main, START)
    assert [event.now - START for event in shown] == [1]
    assert [event.now - START for _, event in store.journal()] == [0, 1]
    assert store.connection.execute("SELECT count(*) FROM observations").fetchone() == (1,)
    assert not store.connection.in_transaction


def test_a_reload_switches_the_feed_at_once_even_while_the_old_one_is_silent():
    """The old feed would have nothing to say for an hour; the new one is heard in the same instant."""
    old, new = ListFeed([Arrival(START + 1)], pause=3600.0), ListFeed([Arrival(START + 2), Arrival(START + 3)])

    async def main(clock: VirtualClock) -> Daemon:
        daemon = daemon_of(old, clock)
        daemon.on_reload(lambda: new)
        loop = asyncio.get_running_loop()
        loop.call_later(10.0, daemon.reload)
        loop.call_later(11.0, daemon.stop)
        await daemon.run()
        return daemon

    assert journal(run_virtual(main, START)) == [Tick(START + 2), Tick(START + 3)]
    assert old.closed and new.closed


def test_a_reload_after_the_feed_has_ended_goes_on_with_the_new_one():
    new = ListFeed([Arrival(START + 2)])

    async def main(clock: VirtualClock) -> Daemon:
        daemon = daemon_of(ListFeed([Arrival(START + 1)]), clock)
        daemon.on_reload(lambda: new)
        loop = asyncio.get_running_loop()
        loop.call_later(10.0, daemon.reload)
        loop.call_later(11.0, daemon.stop)
        await daemon.run()
        return daemon

    assert journal(run_virtual(main, START)) == [Tick(START + 1), Tick(START + 2)]


def test_a_reload_that_gives_no_feed_keeps_the_present_one():
    def feed(clock: VirtualClock) -> ListFeed:
        return ListFeed([Arrival(START + n) for n in range(3)], pause=10.0)

    async def main(clock: VirtualClock) -> Daemon:
        daemon = daemon_of(feed(clock), clock)
        loop = asyncio.get_running_loop()
        loop.call_later(15.0, daemon.reload)
        loop.call_later(60.0, daemon.stop)
        await daemon.run()
        return daemon

    assert journal(run_virtual(main, START)) == [Tick(START), Tick(START + 1), Tick(START + 2)]


def test_a_reload_that_cannot_be_written_down_ends_the_daemon():
    """The engine has thought what the store does not hold: to go on would be to decide on something that a restart does not know."""

    def fail_to_write() -> None:
        raise StoreError("the disk is gone")

    async def main(clock: VirtualClock) -> None:
        daemon = daemon_of(ListFeed([]), clock)
        daemon.on_reload(fail_to_write)
        loop = asyncio.get_running_loop()
        loop.call_later(10.0, daemon.reload)
        loop.call_later(60.0, daemon.stop)
        await daemon.run()

    with pytest.raises(StoreError, match="the disk is gone"):
        run_virtual(main, START)


# --- the operator's word -----------------------------------------------------------------------------------------------------


def test_a_word_in_the_inbox_becomes_an_event_within_a_second_and_only_once():
    said_at = 100.3

    async def main(clock: VirtualClock) -> Daemon:
        daemon = daemon_of(ListFeed([], clock), clock)
        body = {"action": "silence", "target": "*", "note": "", "until": START + HOUR}
        loop = asyncio.get_running_loop()
        loop.call_later(said_at, lambda: daemon.pipeline.store.inbox.put(clock.now_ms(), "me", "signal", body))
        loop.call_later(200.0, daemon.stop)
        await daemon.run()
        return daemon

    daemon = run_virtual(main, START)
    (event,) = journal(daemon)
    assert isinstance(event, Signal) and (event.actor, event.action, event.until) == ("me", "silence", START + HOUR)
    assert 0 <= event.now - START - said_at * 1000 <= 1000
    assert daemon.pipeline.store.inbox.waiting() == []


def test_a_hundred_words_are_taken_in_order_and_the_feed_is_heard_in_between():
    async def main(clock: VirtualClock) -> Daemon:
        daemon = daemon_of(ListFeed([Arrival(START + n) for n in range(5)], clock), clock)
        for n in range(100):
            body = {"rows": [["tvl.usd", "chain:ethereum", "hand", START - n * MINUTE, None, 1e9 + n]]}
            daemon.pipeline.store.inbox.put(START + n, "me", "observations", body)
        asyncio.get_running_loop().call_later(5.0, daemon.stop)
        await daemon.run()
        return daemon

    events = journal(run_virtual(main, START))
    values = [e.observations[0].value for e in events if isinstance(e, Batch)]
    assert values == [1e9 + n for n in range(100)]
    first_tick = next(i for i, event in enumerate(events) if isinstance(event, Tick))
    assert first_tick < 20


# --- the loop and the process ---------------------------------------------------------------------------------------------------


async def test_a_task_that_blocks_the_loop_for_a_second_shows_in_the_lag_f128():
    """F-128: on a real loop; and it still shows a second later, when the next scrape comes."""
    clock = SystemClock()
    daemon = daemon_of(ListFeed([]), clock)
    running = asyncio.create_task(daemon.run())
    await asyncio.sleep(0.1)
    assert daemon.loop_lag_seconds == 0.0
    time.sleep(1.0)  # noqa: ASYNC251 - the fault itself
    await asyncio.sleep(1.2)
    assert daemon.loop_lag_seconds >= 0.5
    daemon.stop()
    await running


def test_a_lag_is_forgotten_after_a_minute(monkeypatch: pytest.MonkeyPatch):
    seen: list[float] = []

    async def main(clock: VirtualClock) -> None:
        loop = asyncio.get_running_loop()
        daemon = daemon_of(ListFeed([]), clock)
        block = lambda: setattr(loop, "_virtual_seconds", clock.monotonic() + 3.0)  # noqa: E731 - one statement of the fault
        loop.call_later(10.0, block)
        for at in (14.0, 60.0, 80.0):
            loop.call_later(at, lambda: seen.append(daemon.loop_lag_seconds))
        loop.call_later(90.0, daemon.stop)
        await daemon.run()

    run_virtual(main)
    assert seen[0] > 2.0 and seen[1] == seen[0] and seen[2] == 0.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_of_the_system_stops_the_daemon(number: signal.Signals):
    daemon = daemon_of(ListFeed([]), SystemClock())
    reloads: list[int] = []
    daemon.on_reload(lambda: reloads.append(1))
    daemon.listen_to_signals()
    running = asyncio.create_task(daemon.run())
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGHUP)
    await asyncio.sleep(0.01)
    assert reloads == [1] and not running.done()
    os.kill(os.getpid(), number)
    await asyncio.wait_for(running, 5)
    with contextlib.suppress(ValueError):
        for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().remove_signal_handler(one)
