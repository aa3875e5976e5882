"""The live feed in virtual time: rhythm, back-off, isolation, ticks, and what a bad source does to the rules that read it."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing, suppress
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from structlog.testing import capture_logs

from monitor.core.book import Watch
from monitor.core.engine import Engine
from monitor.core.events import Configured, Failed
from monitor.core.observation import Reading
from monitor.core.units import HOUR, MINUTE, SECOND
from monitor.daemon import Daemon
from monitor.errors import BadPayload, SourceError
from monitor.feeds import POLL_TIMEOUT_SECONDS, RETRY_BURST, Arrival, LiveFeed
from monitor.pipeline import Pipeline
from monitor.source import Harvest, Ports
from monitor.store.sqlite import SqliteStore
from tests.builders import START, RealPlugins, settings_of
from tests.fakes import FakeNet
from tests.listening import Answer, Scripted, SureRandom, listen
from tests.virtual_time import VirtualClock, run_virtual


def gaps(times: Sequence[float]) -> list[float]:
    return [round(b - a, 3) for a, b in pairwise(times)]


# --- rhythm -------------------------------------------------------------------------------------------------------------


def test_a_poller_polls_at_its_cadence():
    collector = Scripted(cadence=10 * MINUTE)
    heard, _ = listen({"s": collector}, 3601)
    assert gaps(collector.polled) == [600.0] * 6
    assert [a.now - START for a in heard if a.source] == [n * 10 * MINUTE for n in range(7)]


def test_the_cadence_has_a_jitter_of_three_percent_so_that_sources_do_not_march_in_step():
    collector = Scripted(cadence=10 * MINUTE)
    listen({"s": collector}, 24 * 3600, rng=Random(1))
    found = gaps(collector.polled)
    assert len(set(found)) > 100
    assert 582.0 <= min(found) < 590 and 610 < max(found) <= 618.0


def test_a_slow_pass_is_timed_and_stamped_when_it_ends():
    heard, _ = listen({"s": Scripted(seconds=7.0)}, 60)
    assert [(a.now, a.seconds) for a in heard] == [(START + 7 * SECOND, 7.0)]


def test_failures_back_off_in_doubling_pauses_up_to_the_cadence():
    collector = Scripted(cadence=MINUTE, answers=[SourceError("refused")])
    heard, _ = listen({"s": collector}, 300)
    assert gaps(collector.polled) == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0]
    assert {a.failure for a in heard} == {"refused"}


def test_back_off_has_a_jitter_of_a_fifth():
    found = []
    for seed in range(40):
        collector = Scripted(answers=[SourceError("x")])
        listen({"s": collector}, 12, rng=Random(seed))
        found.append(gaps(collector.polled)[0])
    assert 4.0 <= min(found) < 4.5 and 5.5 < max(found) <= 6.0


def test_one_good_pass_begins_the_back_off_anew():
    down = SourceError("down")
    collector = Scripted(cadence=MINUTE, answers=[down, down, down, Harvest(), down, Harvest()])
    listen({"s": collector}, 170)
    assert gaps(collector.polled) == [5.0, 10.0, 20.0, 60.0, 5.0, 60.0]


def test_a_cadence_below_the_first_retry_still_waits_the_first_retry():
    collector = Scripted(cadence=SECOND, answers=[SourceError("down")])
    listen({"s": collector}, 16)
    assert gaps(collector.polled) == [5.0, 5.0, 5.0]


STORMS: dict[str, list[Answer]] = {
    "every pass fails": [SourceError("503", status=503)],
    "every second pass fails": [Harvest(), SourceError("503", status=503)] * 2000,
    "two fail, one does not": [SourceError("502", status=502), SourceError("503", status=503), Harvest()] * 2000,
}


@pytest.mark.parametrize("storm", STORMS)
def test_in_a_storm_of_errors_passes_out_of_turn_are_a_tenth_of_those_in_turn_beyond_a_first_burst_F_099(storm: str):
    """Retry amplification, measured: two days of a source asked each ten minutes, against the passes that it would get if all were well."""
    collector = Scripted(cadence=10 * MINUTE, answers=STORMS[storm])
    listen({"s": collector}, 48 * 3600, rng=Random(1))
    in_turn = 48 * 6
    assert in_turn * 0.8 < len(collector.polled) <= 1.12 * in_turn + RETRY_BURST


def test_when_its_retries_are_spent_a_source_is_still_asked_at_its_cadence_and_earns_them_again_F_099():
    down: list[Answer] = [Harvest(), SourceError("503", status=503)]
    answers: list[Answer] = [*down * 40, *[Harvest()] * 200, SourceError("503", status=503), Harvest()]
    collector = Scripted(cadence=10 * MINUTE, answers=answers)
    listen({"s": collector}, 400 * 600)
    waited = gaps(collector.polled)
    assert waited[1] == 5.0 and waited[79] == 600.0
    assert waited[280] == 5.0


def test_retry_after_is_obeyed_f016():
    """F-016: what the source asks for is the least we wait; other sources go on at their own rhythm."""
    limited = Scripted(cadence=MINUTE, answers=[SourceError("429", status=429, retry_after_seconds=700.0), Harvest()])
    other = Scripted(cadence=MINUTE)
    listen({"limited": limited, "other": other}, 800)
    assert gaps(limited.polled)[0] == 700.0
    assert gaps(other.polled) == [60.0] * 13


def test_a_permanent_error_stops_hot_retries_f017():
    """F-017: a revoked key is not asked again every few seconds, but it is asked again, since a person may mend it."""
    collector = Scripted(cadence=MINUTE, answers=[SourceError("status 401", status=401, permanent=True)])
    heard, _ = listen({"s": collector}, 3000)
    assert gaps(collector.polled) == [900.0, 900.0, 900.0]
    assert heard[0].failure == "status 401"


# --- isolation ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bug", [ValueError("boom"), TimeoutError("a library's own"), asyncio.CancelledError("a library's own"), MemoryError()])
def test_a_collector_that_crashes_is_logged_counted_told_and_started_again_f127(bug: BaseException):
    """F-127: the one bad collector fails aloud; the others never notice."""
    bad, good = Scripted(cadence=MINUTE, answers=[bug, bug, Harvest()]), Scripted(cadence=MINUTE)
    with capture_logs() as logs:
        heard, feed = listen({"bad": bad, "good": good}, 130)
    assert gaps(bad.polled) == [5.0, 10.0, 60.0]
    assert gaps(good.polled) == [60.0, 60.0]
    assert feed.crashes == {"bad": 2}
    assert [entry["source"] for entry in logs if entry["event"] == "a collector crashed" and entry["exc_info"]] == ["bad", "bad"]
    told = [a.failure for a in heard if a.source == "bad"]
    assert told == [f"a bug in this collector: {type(bug).__name__}"] * 2 + [""] * 2


def test_what_a_crash_says_is_not_repeated_since_it_may_hold_a_secret():
    heard, _ = listen({"s": Scripted(answers=[ValueError("https://x/?key=hunter2")])}, 1)
    assert "hunter2" not in heard[0].failure


def test_a_collector_that_hangs_delays_no_other_f089():
    """F-089: a total deadline for each pass, and nobody else waits for it."""
    hung, good = Scripted(seconds=float("inf")), Scripted(cadence=10 * SECOND)
    heard, _ = listen({"hung": hung, "good": good}, 101)
    assert gaps(good.polled) == [10.0] * 10
    assert [(a.now - START, a.failure) for a in heard if a.source == "hung"] == [(POLL_TIMEOUT_SECONDS * 1000, "no answer within 60 s")]
    assert gaps(hung.polled) == [65.0]


def test_a_failure_s_text_is_made_safe_to_show():
    heard, _ = listen({"s": Scripted(answers=[SourceError("<b>\x1b[31m\u202e\n" + "x" * 1000)])}, 1)
    assert heard[0].failure.isprintable() and len(heard[0].failure) <= 300


# --- the end ------------------------------------------------------------------------------------------------------------


def test_stopping_closes_every_collector_once_whatever_one_of_them_does():
    bug, late = Scripted(close_raises=ValueError("boom")), Scripted(close_raises=SourceError("gone"))
    last = Scripted()
    with capture_logs() as logs:
        listen({"bug": bug, "late": late, "last": last}, 5)
    assert [len(c.closed) for c in (bug, late, last)] == [1, 1, 1]
    assert sorted(entry["source"] for entry in logs) == ["bug", "late"]


def test_a_collector_that_hangs_in_close_does_not_hold_up_the_stop():
    class Hanging(Scripted):
        async def close(self) -> None:
            await asyncio.Event().wait()

    async def main(clock: VirtualClock) -> float:
        feed = LiveFeed({"s": Hanging()}, Ports(FakeNet(), clock, SureRandom()), Watch(), lambda: None)
        async with aclosing(feed.arrivals()) as arrivals:
            await anext(arrivals)
        return clock.monotonic()

    assert run_virtual(main) == 5.0


# --- ticks --------------------------------------------------------------------------------------------------------------


def ticks(heard: Sequence[Arrival]) -> list[int]:
    return [a.now - START for a in heard if not a.source]


def test_without_anything_due_time_ticks_once_an_hour():
    heard, _ = listen({}, 3 * 3600 + 1)
    assert ticks(heard) == [HOUR, 2 * HOUR, 3 * HOUR]


def test_a_tick_comes_when_something_is_due_and_the_hour_begins_again():
    dues = [START + 90_500]

    def due_at() -> int | None:
        return dues[0] if dues else None

    async def main(clock: VirtualClock) -> list[int]:
        feed = LiveFeed({}, Ports(FakeNet(), clock, SureRandom()), Watch(), due_at)
        heard = []
        async with aclosing(feed.arrivals()) as arrivals:
            async for arrival in arrivals:
                heard.append(arrival.now - START)
                dues.clear()
                if len(heard) == 2:
                    return heard
        raise AssertionError

    assert run_virtual(main, START) == [90_500, 90_500 + HOUR]


def test_what_an_arrival_makes_due_is_ticked_at_that_instant():
    """A due that comes up while the ticker sleeps wakes it: the pass that brought it has been handled by then."""
    dues: list[int] = []
    collector = Scripted(cadence=20 * SECOND)

    async def main(clock: VirtualClock) -> list[tuple[int, str]]:
        feed = LiveFeed({"s": collector}, Ports(FakeNet(), clock, SureRandom()), Watch(), lambda: min(dues, default=None))
        heard: list[tuple[int, str]] = []
        async with aclosing(feed.arrivals()) as arrivals:
            async for arrival in arrivals:
                heard.append((arrival.now - START, arrival.source))
                dues[:] = [START + 22_250] if len(heard) == 2 else []
                if len(heard) == 4:
                    return heard
        raise AssertionError

    assert run_virtual(main, START) == [(0, "s"), (20_000, "s"), (22_250, ""), (40_000, "s")]


def test_a_due_that_never_passes_ticks_once_a_second_and_does_not_spin():
    heard, _ = listen({}, 10.5, due_at=lambda: START)
    assert ticks(heard) == [n * SECOND for n in range(11)]


# --- a source in the engine's eyes ----------------------------------------------------------------------------------------


PROVIDES = [["tvl.usd", "chain:ethereum"]]


def watch_tvl(collector: Scripted, seconds: float) -> tuple[Engine, SqliteStore]:
    """Runs one source through daemon and pipeline with tvl-drawdown in force."""

    async def main(clock: VirtualClock) -> tuple[Engine, SqliteStore]:
        store = SqliteStore(":memory:")
        pipeline = Pipeline(Engine(RealPlugins()), store, clock.now_ms)
        sources = {"llama": {"cadence_ms": collector.cadence, "provides": PROVIDES}}
        settings = settings_of(rules=["tvl-drawdown"], sources=sources, tvl_subjects=["chain:ethereum"])
        pipeline.process(Configured(clock.now_ms(), settings))
        feed = LiveFeed({"llama": collector}, Ports(FakeNet(), clock, SureRandom()), Watch(), pipeline.engine.due_at)
        daemon = Daemon(pipeline, feed, clock)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), aclosing(feed.arrivals()) as arrivals:
                async for arrival in arrivals:
                    daemon.handle(arrival)
        return pipeline.engine, store

    return run_virtual(main, START)


def hours(count: int, end: int = START) -> Harvest:
    return Harvest([Reading("tvl.usd", "chain:ethereum", 5e10, end - n * HOUR) for n in range(count)])


def codes(store: SqliteStore) -> list[tuple[str, str]]:
    return [(str(e.verdict.state), e.verdict.code) for _, e in store.effects() if e.kind == "verdict"]


def alerts(store: SqliteStore) -> list[str]:
    return [a.type for a in reversed(store.alerts())]


def test_an_old_value_served_again_does_not_refresh_its_freshness_f014():
    """F-014: freshness is the content's own time. The source answers all day, it is up, and yet the rule goes blind and says so."""
    same = Scripted(cadence=10 * MINUTE, answers=[hours(60)])
    engine, store = watch_tvl(same, 24 * 3600)
    assert len(same.polled) >= 144
    assert codes(store) == [("UNKNOWN", "missing"), ("QUIET", ""), ("UNKNOWN", "stale")]
    stale_at = next(e.at for _, e in store.effects() if e.kind == "verdict" and e.verdict.code == "stale")
    assert stale_at == START + 3 * HOUR + 1
    assert not engine.state.sources["llama"].down
    assert alerts(store) == ["data.stale"]
    assert store.connection.execute("SELECT count(*) FROM observations").fetchone() == (60,)


@pytest.mark.parametrize(
    "problem",
    [
        BadPayload("https://api.llama.fi: the body is HTML"),
        BadPayload("llama: code -1 instead of rows"),
        BadPayload("llama: the body is empty"),
        BadPayload("llama: tvl is missing"),
    ],
    ids=["F-020 HTML", "F-020 an error in a 200", "F-020 empty", "F-022 schema drift"],
)
def test_a_body_that_is_not_what_was_promised_becomes_a_failure_that_says_why_f020_f022(problem: BadPayload):
    """F-020, F-022: nothing of it is parsed, the log names the reason, the source goes down after two cadences and heals by itself."""
    collector = Scripted(cadence=10 * MINUTE, answers=[hours(60), *[problem] * 8, hours(60)])
    engine, store = watch_tvl(collector, 3 * 3600)
    failures = [event for _, event in store.journal() if isinstance(event, Failed)]
    assert [f.reason for f in failures] == [str(problem)]
    assert [(e.up, e.reason) for _, e in store.effects() if e.kind == "source"] == [(False, str(problem)), (True, "heard again")]
    assert not engine.state.sources["llama"].down


def test_a_bad_row_is_counted_and_the_rest_kept_f021():
    """F-021: the row the door refuses and the row the parser refused are counted; the others are in."""
    bad = [Reading("tvl.usd", "chain:ethereum", float("nan"), START), Reading("tvl.usd", "chain:ethereum", 1.0, START + 24 * HOUR)]
    harvest = Harvest([*hours(60).readings[1:], *bad], ["llama: base: tvl is null"])
    engine, store = watch_tvl(Scripted(answers=[harvest]), 60)
    assert engine.state.sources["llama"].rejected == 3
    assert store.connection.execute("SELECT count(*) FROM observations").fetchone() == (59,)


def test_the_feed_recovers_by_itself_when_the_network_returns():
    """INV-11: nobody restarts anything; a dead network is asked again at growing pauses, at most a cadence apart."""
    back_at = 2 * 3600.0

    def answer() -> Harvest:
        if collector.polled[-1] < back_at:
            raise SourceError("no route to host")
        return hours(60, START)

    collector = Scripted(cadence=10 * MINUTE, answers=[answer])
    engine, store = watch_tvl(collector, back_at + 700)
    first_good = next(t for t in collector.polled if t >= back_at)
    assert first_good - back_at <= 600
    assert alerts(store) == ["data.stale", "source.down", "source.down", "data.stale"]
    assert engine.state.verdicts[next(iter(engine.rules))].state == "QUIET"


def test_a_full_queue_holds_the_pollers_back_and_loses_nothing(monkeypatch: pytest.MonkeyPatch):
    """INV-10: the queue has a limit; at the limit pollers wait."""
    monkeypatch.setattr("monitor.feeds.MOST_WAITING", 2)
    collectors: dict[str, Any] = {f"s{n}": Scripted(cadence=SECOND) for n in range(5)}

    async def main(clock: VirtualClock) -> list[str]:
        feed = LiveFeed(collectors, Ports(FakeNet(), clock, SureRandom()), Watch(), lambda: None)
        heard = []
        async with aclosing(feed.arrivals()) as arrivals:
            async for arrival in arrivals:
                heard.append(arrival.source)
                await asyncio.sleep(10)
                if len(heard) == 10:
                    return heard
        raise AssertionError

    assert run_virtual(main) == ["s0", "s1", "s2", "s3", "s4"] * 2
