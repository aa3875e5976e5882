"""History into the store, page by page, through each collector's own streams.

A page's rows and the bookmark that says where the next page starts are one transaction: killed anywhere and started again, it has stored the
same rows in the end. With no daemon this process is the writer; beside one the rows go through its inbox, and the bookmark moves with them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import structlog

from monitor.commands import ROWS_A_MESSAGE, drain, resumed, wall_ms, who
from monitor.config import Config
from monitor.core.book import Watch
from monitor.core.observation import Reading
from monitor.errors import BadPayload, ConfigError, SourceError
from monitor.pipeline import Pipeline, row_of
from monitor.source import Collector, Page, Ports
from monitor.store.lock import StoreInUse
from monitor.store.sqlite import Bookmark, SqliteStore

log = structlog.get_logger("backfill")

TRIES = 4
FIRST_WAIT_SECONDS = 2.0
PAUSE_SECONDS = 0.25
# Not a collector's name: rows of long ago say nothing of whether their source is alive.
SENDER = "backfill"


@dataclass(frozen=True)
class Span:
    """From `from_ms` (inclusive) to `to_ms` (exclusive), epoch milliseconds. An open one ends now, and a later run goes on a little before."""

    from_ms: int
    to_ms: int
    is_open: bool = False

    @property
    def name(self) -> str:
        """The name under which its bookmarks are kept."""
        return f"{self.from_ms}.." if self.is_open else f"{self.from_ms}..{self.to_ms}"


@dataclass(frozen=True)
class Stream:
    """One history of one source."""

    source: Collector
    name: str

    def __str__(self) -> str:
        return f"{self.source.id} {self.name}"


@dataclass
class Tally:
    """What came of one stream so far; `failed` says why it stopped."""

    pages: int = 0
    stored: int = 0
    refused: list[str] = field(default_factory=list)
    failed: str = ""
    was_done: bool = False


Keep = Callable[[Sequence[Reading], int, Bookmark], tuple[int, Sequence[str]]]
"""Stores a page, the count that its parser refused, and the bookmark after it; returns how many rows are new, and why others are not."""


@dataclass(frozen=True)
class Backfill:
    """One run over some streams. `say` is told after each page: the stream, its tally, where it stands (epoch milliseconds)."""

    store: SqliteStore
    keep: Keep
    ports: Ports
    watch: Watch
    span: Span
    say: Callable[[Stream, Tally, int], object]

    async def run(self, streams: Sequence[Stream]) -> dict[str, Tally]:
        """Every stream, one after the other, by its name. One that fails does not keep the others from coming."""
        found: dict[str, Tally] = {}
        for stream in streams:
            found[str(stream)] = tally = Tally()
            try:
                await self._stream(stream, tally)
            except (SourceError, BadPayload) as error:
                tally.failed = str(error)
        for source in {id(stream.source): stream.source for stream in streams}.values():
            await source.close()
        return found

    async def _stream(self, stream: Stream, tally: Tally) -> None:
        start = self._start(stream)
        tally.was_done = start is None
        while start is not None:
            page = await self._page(stream, start)
            if page.next_ms is not None and page.next_ms <= start:
                raise BadPayload("its next page does not begin after this one")
            readings = [replace(reading, source=reading.source or stream.source.id) for reading in page.harvest.readings]
            bookmark = Bookmark(stream.source.id, stream.name, self.span.name, self._goes_on(stream, page))
            stored, refused = self.keep(readings, len(page.harvest.rejected), bookmark)
            tally.pages += 1
            tally.stored += stored
            tally.refused += [*page.harvest.rejected, *refused]
            self.say(stream, tally, page.next_ms or self.span.to_ms)
            start = page.next_ms
            if start is not None:
                await self.ports.clock.sleep(PAUSE_SECONDS)

    def _start(self, stream: Stream) -> int | None:
        """Where to begin; None where this span was done before."""
        found = self.store.find_bookmark(stream.source.id, stream.name, self.span.name)
        start = self.span.from_ms if found is None else found[0]
        return start if start is not None and start < self.span.to_ms else None

    def _goes_on(self, stream: Stream, page: Page) -> int | None:
        if page.next_ms is not None:
            return page.next_ms
        # What was not over or not published when this run ended comes with the next one; what is held is not stored twice.
        return max(self.span.from_ms, self.span.to_ms - stream.source.late_ms) if self.span.is_open else None

    async def _page(self, stream: Stream, start: int) -> Page:
        """One page; what passes by itself is tried again after growing pauses, or after as long as the source asked for."""
        wait_seconds = FIRST_WAIT_SECONDS
        for tries_left in range(TRIES - 1, -1, -1):
            try:
                return await stream.source.page(self.ports, self.watch, stream.name, start, self.span.to_ms)
            except SourceError as error:
                if error.permanent or not tries_left:
                    raise
                pause_seconds = max(wait_seconds, error.retry_after_seconds or 0.0) * self.ports.rng.uniform(1.0, 1.2)
                log.warning("trying again", stream=str(stream), reason=str(error), seconds=round(pause_seconds), tries_left=tries_left)
                await self.ports.clock.sleep(pause_seconds)
                wait_seconds *= 4
        raise AssertionError("the last try returns or raises")


def streams_of(sources: Mapping[str, Collector], watch: Watch, only: str | None = None) -> list[Stream]:
    """The streams to fetch, of every source or of one. Raises ConfigError for a source that is not there or has no history."""
    if only is not None and only not in sources:
        raise ConfigError(f"there is no enabled source {only!r}; there are: {', '.join(sources) or 'none'}")
    found = [Stream(one, name) for key, one in sources.items() if only in (None, key) for name in one.streams(watch)]
    if not found:
        raise ConfigError(f"{f'{only} has no' if only else 'no enabled source has a'} history to fetch for what is watched")
    return found


@contextmanager
def keeper(config: Config, now_ms: Callable[[], int] = wall_ms) -> Iterator[tuple[SqliteStore, Keep, bool]]:
    """The store, the way into it, and whether a daemon is running that takes what we leave in its inbox."""
    try:
        store = SqliteStore(config.store.path, role=SENDER)
    except StoreInUse:
        store = SqliteStore(config.store.path)
        beside = True
    else:
        beside = False
    try:
        if beside:
            yield store, through_inbox(store, now_ms), beside
        else:
            pipeline = resumed(store, config, now_ms)
            drain(pipeline)
            yield store, through_pipeline(pipeline, now_ms), beside
    finally:
        store.close()


def through_pipeline(pipeline: Pipeline, now_ms: Callable[[], int]) -> Keep:
    """As the writer: rows, decisions and bookmark in one transaction. A page without news leaves its bookmark alone."""

    def keep(readings: Sequence[Reading], rejected: int, bookmark: Bookmark) -> tuple[int, Sequence[str]]:
        received = pipeline.receive(readings, source=SENDER, now=now_ms(), rejected=rejected, records=True, bookmark=bookmark)
        return received.stored, [f"{r.metric} {r.subject}: {r.reason}" for r in received.rejections]

    return keep


def through_inbox(store: SqliteStore, now_ms: Callable[[], int]) -> Keep:
    """Beside a daemon: messages for its inbox, and the bookmark with them. Its door refuses what it must, and leaves out what it knows."""

    def keep(readings: Sequence[Reading], _rejected: int, bookmark: Bookmark) -> tuple[int, Sequence[str]]:
        rows = [row_of(reading) for reading in readings]
        with store.transaction():
            for start in range(0, len(rows), ROWS_A_MESSAGE):
                store.inbox.put(now_ms(), who(), "observations", {"rows": rows[start : start + ROWS_A_MESSAGE], "sender": SENDER})
            store.bookmark(*bookmark)
        return len(rows), ()

    return keep
