"""One hung source delays no other, is reported in its time, and heals by itself: over every collector that there is. F-089, F-100.

A collector with a sample is polled on it, and hangs in its own requests; one without has a stand-in with its cadence.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import ClassVar

import pytest

from monitor.core.book import Watch
from monitor.core.engine import Engine
from monitor.core.events import Configured, Failed, Tick
from monitor.core.observation import Reading
from monitor.core.units import HOUR, MINUTE, SECOND
from monitor.core.verdict import State as Truth
from monitor.daemon import Daemon
from monitor.feeds import POLL_TIMEOUT_SECONDS, LiveFeed
from monitor.pipeline import Pipeline
from monitor.registry import plugins
from monitor.source import Collector, Harvest, Ports
from monitor.store.sqlite import SqliteStore
from tests.builders import START, RealPlugins, settings_of
from tests.collectors.sample import SAMPLE_FILES, Sample, read_sample
from tests.fakes import HANG, FakeNet
from tests.listening import SureRandom
from tests.virtual_time import VirtualClock, run_virtual

NAMES = sorted(plugins("monitor.collectors", Collector))
SAMPLES = {path.name.partition(".")[0].replace("_", "-"): path for path in SAMPLE_FILES}
HANGS_AT_SECONDS = 2 * 3600.0
LATE_SECONDS = 1.0
# Parsing the same sample once more finds nothing new.
SAMPLED_POLLS = 3


@dataclass(frozen=True, kw_only=True)
class Sampled(Collector):
    """A collector polled on its sample, on a net that hangs while `hangs(seconds)` says so; without a sample, it itself does."""

    title: ClassVar[str] = "a test's"

    sample: Sample | None = None
    hangs: Callable[[float], bool] = lambda seconds: False
    harvest: Callable[[int], Harvest] = lambda now: Harvest()
    polled: list[float] = field(default_factory=list)

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        began = ports.clock.monotonic()
        self.polled.append(began)
        if self.sample is None or len(self.polled) > SAMPLED_POLLS:
            await asyncio.sleep(float("inf") if self.hangs(began) else 0.0)
            return self.harvest(ports.clock.now_ms())
        made = self.sample.ports()
        if self.hangs(began):
            made = replace(made, net=FakeNet().answer("GET", "", HANG).answer("POST", "", HANG))
        await self.sample.collector.poll(made, self.sample.watch)
        return Harvest()


def every_collector(hung: str, hangs: Callable[[float], bool]) -> dict[str, Sampled]:
    found = {}
    for name, made in plugins("monitor.collectors", Collector).items():
        sample = read_sample(SAMPLES[name]) if name in SAMPLES else None
        if sample is not None and not (isinstance(sample.ports().net, FakeNet) and sample.answers):
            sample = None  # a venue's library speaks to sockets of its own
        cadence = sample.collector.cadence if sample is not None else made.cadence
        found[name] = Sampled(sample=sample, cadence=max(cadence, MINUTE), hangs=hangs if name == hung else lambda seconds: False)
    return found


def run(sources: Mapping[str, Sampled], seconds: float) -> None:
    async def main(clock: VirtualClock) -> dict[str, int]:
        feed = LiveFeed(sources, Ports(FakeNet(), clock, SureRandom()), Watch(), lambda: None)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), aclosing(feed.arrivals()) as arrivals:
                async for _ in arrivals:
                    pass
        return feed.crashes

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asyncio.to_thread", inline)  # virtual time has no threads, and web3 is imported in one
        assert run_virtual(main, START) == {}


async def inline(function: Callable[..., object], *arguments: object) -> object:
    return function(*arguments)


@pytest.mark.parametrize("hung", NAMES)
def test_one_hung_source_delays_no_other_by_more_than_a_second_F_089(hung: str):
    """p99 of the lateness of all the others, hour after hour while one of them never answers."""
    sources = every_collector(hung, lambda seconds: True)
    run(sources, 13 * 3600)
    assert len(sources[hung].polled) >= 2, "it is asked again"
    lateness = sorted(
        after - before - source.cadence / 1000 for name, source in sources.items() if name != hung for before, after in pairwise(source.polled)
    )
    assert len(lateness) > 100
    assert lateness[int(0.99 * len(lateness))] <= LATE_SECONDS
    assert all(len(source.polled) > 1 for source in sources.values())


# --- reported, and healed -------------------------------------------------------------------------------------------------------

TVL = ("tvl.usd", "chain:ethereum")


@dataclass
class Watched:
    """What a daemon made of the sources: its alerts (time, type, source, resolved) and its engine."""

    engine: Engine
    store: SqliteStore

    def down(self) -> list[tuple[int, str, bool]]:
        found = [(a.at, str(a.data["source"]), bool(a.data.get("resolved"))) for a in self.store.alerts(1000) if a.type == "source.down"]
        return sorted(found)


def watch(sources: Mapping[str, Sampled], seconds: float, unknown_pending_ms: int = 10 * MINUTE) -> Watched:
    async def main(clock: VirtualClock) -> Watched:
        store = SqliteStore(":memory:")
        pipeline = Pipeline(Engine(RealPlugins()), store, clock.now_ms)
        named = {name: {"cadence_ms": one.cadence, "provides": [list(TVL)] if one.sample is None else []} for name, one in sources.items()}
        settings = settings_of(rules=["tvl-drawdown"], sources=named, tvl_subjects=[TVL[1]], unknown_pending_ms=unknown_pending_ms)
        pipeline.process(Configured(clock.now_ms(), settings))
        feed = LiveFeed(sources, Ports(FakeNet(), clock, SureRandom()), Watch(), pipeline.engine.due_at)
        daemon = Daemon(pipeline, feed, clock)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), aclosing(feed.arrivals()) as arrivals:
                async for arrival in arrivals:
                    daemon.handle(arrival)
        return Watched(pipeline.engine, store)

    return run_virtual(main, START)


@pytest.mark.parametrize("dead", NAMES)
def test_a_dead_source_is_reported_within_twice_its_cadence_and_thirty_seconds_and_heals_by_itself_F_089(dead: str):
    """A stand-in with its cadence: some collectors have something to fall back on when their source is dead."""
    cadence = every_collector(dead, lambda seconds: False)[dead].cadence
    dies, heals = cadence / 1000 * 2 + 1, cadence / 1000 * 8 + 1
    sources = {dead: Sampled(cadence=cadence, hangs=lambda seconds: dies <= seconds < heals), "another": Sampled(cadence=cadence)}
    seen = watch(sources, cadence / 1000 * 11 + 120)
    last_heard = START + round(max(at for at in sources[dead].polled if at < dies) * 1000)
    (reported, who, resolved), (back, _, is_back) = seen.down()
    assert (who, resolved, is_back) == (dead, False, True)
    assert last_heard + 2 * cadence < reported <= last_heard + 2 * cadence + 30 * SECOND + SECOND
    assert back - (START + heals * 1000) <= cadence * 1.2 + (POLL_TIMEOUT_SECONDS + 2) * SECOND


def hours(now: int) -> Harvest:
    return Harvest([Reading(*TVL, 5e10, (now // HOUR - n) * HOUR) for n in range(60)])


def test_the_rules_of_a_dead_source_turn_unknown_and_can_be_judged_again_when_it_is_back_F_089():
    sources = {"llama": Sampled(cadence=10 * MINUTE, harvest=hours, hangs=lambda seconds: HANGS_AT_SECONDS <= seconds < 5 * HANGS_AT_SECONDS)}
    seen = watch(sources, 6 * HANGS_AT_SECONDS)
    verdicts = [(e.verdict.state, e.verdict.code) for _, e in seen.store.effects() if e.kind == "verdict"]
    assert verdicts == [(Truth.UNKNOWN, "missing"), (Truth.QUIET, ""), (Truth.UNKNOWN, "stale"), (Truth.QUIET, "")]
    assert [(a.type, bool(a.data.get("resolved"))) for a in reversed(seen.store.alerts())] == [
        ("source.down", False),
        ("data.stale", False),
        ("source.down", True),
        ("data.stale", True),
    ]


# --- F-100: all at once ---------------------------------------------------------------------------------------------------------


def falling(now: int) -> Harvest:
    """TVL that has lost a third within the day."""
    return Harvest([Reading(*TVL, 5e10 if n > 6 else 3e10, (now // HOUR - n) * HOUR) for n in range(60)])


def test_when_all_sources_die_together_each_is_reported_in_time_and_what_has_fired_stays_fired_F_100():
    dead = HANGS_AT_SECONDS

    def hangs(seconds: float) -> bool:
        return seconds >= dead

    names = ("llama", "one", "two", "three", "four")
    sources = {
        name: Sampled(cadence=(n + 1) * 5 * MINUTE, harvest=falling if name == "llama" else lambda now: Harvest(), hangs=hangs)
        for n, name in enumerate(names)
    }
    seen = watch(sources, 6 * dead)
    reported = {who: at for at, who, _ in seen.down()}
    for name, source in sources.items():
        last_heard = START + round(max(at for at in source.polled if at < dead) * 1000)
        assert reported[name] <= last_heard + 2 * source.cadence + 31 * SECOND
    kinds = [alert.type for alert in reversed(seen.store.alerts())]
    assert "data.stale" in kinds, "it says that it cannot see"
    assert kinds.count("trigger.fired") == 1
    assert "trigger.resolved" not in kinds
    assert len(seen.engine.state.episodes) == 1, "what has fired is not over because nobody can see it"
    assert [v.state for v in seen.engine.state.verdicts.values()] == [Truth.UNKNOWN]


def test_failures_alone_do_not_count_as_being_heard_F_100():
    """Every source says 503 for hours: that is an answer, and it is none."""
    engine = Engine(RealPlugins())
    engine.apply(Configured(START, settings_of(sources={"s": {"cadence_ms": MINUTE, "provides": []}})))
    engine.apply(Failed(START, "s", "status 503"))
    engine.apply(Failed(START + 2 * MINUTE, "s", "status 502"))
    effects = engine.apply(Tick(START + 2 * MINUTE + 31 * SECOND))
    assert [e.type for e in effects if e.kind == "alert"][:1] == ["source.down"]
