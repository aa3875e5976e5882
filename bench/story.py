"""The demo's ten days, played once into a store as fast as they can be thought."""

import asyncio
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import structlog

from bench.figures import Options
from monitor.app import configured_event
from monitor.core.engine import Engine
from monitor.core.events import Event
from monitor.daemon import Daemon
from monitor.pipeline import Pipeline
from monitor.registry import Catalogue
from monitor.store.sqlite import SqliteStore
from monitor.story import scenario
from monitor.story.feed import StoryFeed


@dataclass
class Impatient:
    """A clock on which waiting takes no time."""

    seconds: float = 0.0

    def now_ms(self) -> int:
        return scenario.START_MS + round(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def file(options: Options) -> Path:
    """The store that holds the story; played when first asked for."""
    return _once(options)[0]


def decision_seconds(options: Options) -> list[float]:
    """What each event of the story took, from its arrival to its decisions on the disk."""
    return _once(options)[1]


@cache
def events(options: Options) -> list[Event]:
    """The story's journal."""
    store = SqliteStore(str(file(options)))
    try:
        return [event for _, event in store.journal()]
    finally:
        store.close()


@cache
def _once(options: Options) -> tuple[Path, list[float]]:
    path = options.folder / "story.db"
    return path, play(path)


def play(path: Path) -> list[float]:
    """Think the story into a new store. Returns the seconds that each decision took, from the event's arrival to its commit."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # the story's failures are no news here
    store = SqliteStore(str(path), role="bench")
    try:
        return asyncio.run(_play(store))
    finally:
        store.close()


async def _play(store: SqliteStore) -> list[float]:
    clock, seconds = Impatient(), list[float]()
    pipeline = Pipeline(Engine(Catalogue()), store, clock.now_ms)
    pipeline.timed = seconds.append
    pipeline.process(configured_event(scenario.settings(*Catalogue().defaults()), scenario.START_MS))
    daemon = Daemon(pipeline, StoryFeed(clock, 1.0, pipeline.engine.due_at), clock)
    async for arrival in daemon.feed.arrivals():
        daemon.handle(arrival)
    return seconds
