"""Where events come from: supervised pollers and a ticker, read in one place.

A feed yields arrivals, each stamped with the instant at which it was received; the daemon does not know whether they are live.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import structlog

from monitor.clock import Clock
from monitor.core.book import Watch
from monitor.core.text import safe_text
from monitor.core.units import HOUR
from monitor.errors import BadPayload, SourceError
from monitor.source import Collector, Harvest, Ports

log = structlog.get_logger("feeds")

POLL_TIMEOUT_SECONDS = 60.0
FIRST_RETRY_SECONDS = 5.0
PERMANENT_RETRY_SECONDS = 900.0
TICK_SECONDS = 5.0
REASON_LENGTH = 300
MOST_WAITING = 1_000


@dataclass(frozen=True)
class Arrival:
    """One pass of one source, or (without a source) the passing of time. `failure` says why a pass brought nothing."""

    now: int
    source: str = ""
    harvest: Harvest | None = None
    failure: str = ""
    seconds: float = 0.0


class Feed(Protocol):
    """Anything that arrivals come from."""

    def now_ms(self) -> int:
        """The clock by which this feed stamps: the wall's when live."""
        ...

    def arrivals(self) -> AsyncIterator[Arrival]:
        """Arrivals in the order in which they were received, until the feed ends or is cancelled."""
        ...


class LiveFeed:
    """Every collector polled by a task of its own; one that hangs, fails or crashes holds up no other."""

    def __init__(self, collectors: Mapping[str, Collector], ports: Ports, watch: Watch, due_at: Callable[[], int | None]) -> None:
        self._collectors = collectors
        self._ports = ports
        self._watch = watch
        self._due_at = due_at
        self._queue: asyncio.Queue[Arrival] = asyncio.Queue(MOST_WAITING)
        self.crashes: dict[str, int] = {}

    def now_ms(self) -> int:
        return self._ports.clock.now_ms()

    async def arrivals(self) -> AsyncIterator[Arrival]:
        tasks = [asyncio.create_task(self._supervise(name), name=f"poll {name}") for name in self._collectors]
        tasks.append(asyncio.create_task(self._tick(), name="tick"))
        try:
            while True:
                yield await self._queue.get()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for collector in self._collectors.values():
                with suppress(SourceError, BadPayload):
                    await collector.close()

    async def _supervise(self, name: str) -> None:
        """Poll for ever. A crash is a bug of ours: it is logged, counted and told, and the poller starts again."""
        poller = _Poller(name, self._collectors[name], self._ports, self._watch)
        while True:
            try:
                arrival, pause = await poller.once()
            except Exception as bug:  # noqa: BLE001 - the supervisor is the one place that outlives a bug in a collector
                self.crashes[name] = self.crashes.get(name, 0) + 1
                log.exception("a collector crashed", source=name)
                reason = safe_text(f"a bug in this collector: {type(bug).__name__}", REASON_LENGTH)
                arrival, pause = Arrival(self.now_ms(), name, failure=reason), poller.back_off(None)
            await self._queue.put(arrival)
            await self._ports.clock.sleep(pause)

    async def _tick(self) -> None:
        """A tick when something is due, and one an hour in any case, so that the log shows that someone was there."""
        last = self.now_ms()
        while True:
            await self._ports.clock.sleep(TICK_SECONDS)
            now, due = self.now_ms(), self._due_at()
            if (due is not None and due <= now) or now - last >= HOUR:
                last = now
                await self._queue.put(Arrival(now))


class _Poller:
    """One collector's rhythm: its cadence when all is well, growing pauses when not, and what the source itself asks for."""

    def __init__(self, name: str, collector: Collector, ports: Ports, watch: Watch) -> None:
        self._name, self._collector, self._ports, self._watch = name, collector, ports, watch
        self._failures = 0

    async def once(self) -> tuple[Arrival, float]:
        """One pass. Returns what it brought, and how many seconds to wait."""
        clock = self._ports.clock
        began = clock.monotonic()
        try:
            async with asyncio.timeout(POLL_TIMEOUT_SECONDS):
                harvest = await self._collector.poll(self._ports, self._watch)
        except TimeoutError:
            return self._failed(f"no answer within {POLL_TIMEOUT_SECONDS:.0f} s", None)
        except SourceError as error:
            retry = PERMANENT_RETRY_SECONDS if error.permanent else error.retry_after_seconds
            return self._failed(str(error), retry)
        except BadPayload as error:
            return self._failed(str(error), None)
        self._failures = 0
        pause = self._collector.cadence / 1000 * self._ports.rng.uniform(0.97, 1.03)
        return Arrival(clock.now_ms(), self._name, harvest, seconds=clock.monotonic() - began), pause

    def _failed(self, reason: str, retry_seconds: float | None) -> tuple[Arrival, float]:
        arrival = Arrival(self._ports.clock.now_ms(), self._name, failure=safe_text(reason, REASON_LENGTH))
        return arrival, self.back_off(retry_seconds)

    def back_off(self, retry_seconds: float | None) -> float:
        """Doubling pauses with jitter up to the cadence, but never less than the source asked for."""
        self._failures += 1
        ceiling = max(FIRST_RETRY_SECONDS, self._collector.cadence / 1000)
        pause = min(ceiling, FIRST_RETRY_SECONDS * 2.0 ** min(self._failures - 1, 12)) * self._ports.rng.uniform(0.8, 1.2)
        return max(pause, retry_seconds or 0.0)
