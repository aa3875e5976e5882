"""A source with two histories in pages, and a backfill of it that a test can kill."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import ClassVar

from monitor.backfill import Backfill, Span, Stream, Tally, keeper, streams_of
from monitor.config import Config, Store
from monitor.core.book import Watch
from monitor.core.observation import Observation, Reading
from monitor.core.units import DAY, HOUR, parse_time
from monitor.source import Collector, Harvest, Page, Ports
from monitor.store.sqlite import SqliteStore
from tests.fakes import FakeNet

FROM_MS = parse_time("2024-01-01")
TO_MS = parse_time("2024-01-06")
NOW_MS = parse_time("2024-06-01")
SPAN = Span(FROM_MS, TO_MS)
STREAMS = ("tvl.usd/chain:ethereum", "price.usd/ETH")
PAGES = len(STREAMS) * (TO_MS - FROM_MS) // DAY


@dataclass(frozen=True, kw_only=True)
class Paged(Collector):
    """A page is a day of hourly values; `before` is called first, and may fail."""

    title: ClassVar[str] = "paged"
    late_ms: ClassVar[int] = DAY
    before: Callable[[str, int], None] = field(default=lambda stream, from_ms: None)

    def streams(self, watch: Watch) -> tuple[str, ...]:
        return STREAMS

    async def page(self, ports: Ports, watch: Watch, stream: str, from_ms: int, to_ms: int) -> Page:
        self.before(stream, from_ms)
        metric, _, subject = stream.partition("/")
        end = min(from_ms + DAY, to_ms)
        rows = [Reading(metric, subject, 1000 + (at - FROM_MS) / HOUR, at) for at in range(from_ms, end, HOUR)]
        return Page(Harvest(rows), end if end < to_ms else None)


@dataclass
class Patience:
    """A clock that notes how long it was asked to wait, and waits `pause_seconds` instead."""

    pause_seconds: float = 0.0
    waits: list[float] = field(default_factory=list)

    def now_ms(self) -> int:
        return NOW_MS

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(self.pause_seconds)


def config_of(path: Path) -> Config:
    return replace(Config(), store=Store(url=f"sqlite:///{path}"))


def fetch(
    path: Path,
    source: Collector,
    *,
    span: Span = SPAN,
    say: Callable[[Stream, Tally, int], object] = lambda stream, tally, at: None,
    clock: Patience | None = None,
    spoil: Callable[[SqliteStore], None] = lambda store: None,
) -> dict[str, Tally]:
    """One run of the backfill into the store at `path`. `spoil` may put a fault into the store that is written to."""
    config = config_of(path)
    watch = Watch()
    with keeper(config, lambda: NOW_MS) as (store, keep, _):
        spoil(store)
        ports = Ports(FakeNet(), clock or Patience(), Random(1))
        return asyncio.run(Backfill(store, keep, ports, watch, span, say).run(streams_of({"paged": source}, watch)))


def rows_of(path: Path) -> list[Observation]:
    """Everything the store holds, in the order of receipt."""
    store = SqliteStore(str(path))
    try:
        return [o for _, event in store.journal() for o in getattr(event, "observations", ())]
    finally:
        store.close()


def main() -> None:
    """The process that is killed: says `page` for each page that is stored."""

    def say(*_: object) -> None:
        sys.stdout.write("page\n")
        sys.stdout.flush()

    fetch(Path(sys.argv[1]), Paged(), say=say, clock=Patience(float(sys.argv[2])))
