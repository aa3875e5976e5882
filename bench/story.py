"""The demo's ten days, played into a store as fast as they can be thought."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from monitor.app import configured_event
from monitor.core.engine import Engine
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


def play(path: Path) -> list[float]:
    """Think the story into a new store. Returns the seconds that each decision took, from the event's arrival to its commit."""
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
