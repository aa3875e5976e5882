"""Where events come from: supervised pollers and a ticker, read in one place.

A feed yields arrivals, each stamped with the instant at which it was received; the daemon does not know whether they are live.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import structlog

from monitor.core.book import Watch
from monitor.core.text import safe_text
from monitor.core.units import HOUR
from monitor.dial import LANE
from monitor.errors import BadPayload, SourceError
from monitor.source import Collector, Harvest, Ports

log = structlog.get_logger("feeds")

POLL_TIMEOUT_SECONDS = 60.0
FIRST_RETRY_SECONDS = 5.0
PERMANENT_RETRY_SECONDS = 900.0
# What waits can change without an arrival (an operator's word), and a wall clock can be set: the ticker looks at least this often.
TICK_SECONDS = 300.0
LEAST_TICK_SECONDS = 1.0
CLOSE_SECONDS = 5.0
REASON_LENGTH = 300
MOST_WAITING = 1_000
# In a storm of errors we must not add to it: beyond a first burst, passes out of turn are a tenth of those in turn.
RETRY_SHARE = 0.1
RETRY_BURST = 10.0


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

    def arrivals(self) -> AsyncGenerator[Arrival, None]:
        """Arrivals in the order in which they were received, until the feed ends or is cancelled."""
        ...


class LiveFeed:
    """Every collector polled by a task of its own; one that hangs, fails or crashes holds up no other."""

    def __init__(
        self,
        collectors: Mapping[str, Collector],
        ports: Ports,
        watch: Watch,
        due_at: Callable[[], int | None],
        asked_at: Callable[[str], int] = lambda name: 0,
    ) -> None:
        """`due_at` is when something waits for time alone, `asked_at` when a source was last asked, in an earlier life too (epoch milliseconds)."""
        self._collectors = collectors
        self._ports = ports
        self._watch = watch
        self._due_at = due_at
        self.asked_at = asked_at
        self._queue: asyncio.Queue[Arrival] = asyncio.Queue(MOST_WAITING)
        self._handled = asyncio.Event()
        self.crashes: dict[str, int] = {}

    def now_ms(self) -> int:
        return self._ports.clock.now_ms()

    async def arrivals(self) -> AsyncGenerator[Arrival, None]:
        tasks = [asyncio.create_task(self._supervise(name), name=f"poll {name}") for name in self._collectors]
        tasks.append(asyncio.create_task(self._tick(), name="tick"))
        try:
            while True:
                yield await self._queue.get()
                self._handled.set()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(*(self._close(name) for name in self._collectors))

    async def _close(self, name: str) -> None:
        """Let one collector go; one that cannot holds up neither the others nor the stop."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._collectors[name].close()
        except Exception:  # whatever a library raises on its way out, it is logged, and the stop goes on
            log.exception("a collector could not be closed", source=name)

    async def _supervise(self, name: str) -> None:
        """Poll for ever. A crash is a bug of ours: it is logged, counted and told, and the poller starts again."""
        LANE.set(name)
        poller = _Poller(name, self._collectors[name], self._ports, self._watch)
        await self._rest(name)
        while True:
            try:
                arrival, pause = await poller.once()
            except asyncio.CancelledError as cancelled:
                # We are stopped; unless nobody asked for that, and a library has let its own cancellation out.
                if _is_being_cancelled():
                    raise
                arrival, pause = self._crashed(name, cancelled), poller.back_off(None)
            except Exception as bug:  # noqa: BLE001 - the supervisor is the one place that outlives a bug in a collector
                arrival, pause = self._crashed(name, bug), poller.back_off(None)
            await self._queue.put(arrival)
            await self._ports.clock.sleep(pause)

    async def _rest(self, name: str) -> None:
        """A daemon that is started again and again must not use up a source's daily quota: what is left of the pause is kept."""
        pause_ms = self._collectors[name].pause_ms
        # A clock that was set back must not make the pause longer than it is.
        left_ms = min(pause_ms, self.asked_at(name) + pause_ms - self.now_ms())
        if left_ms > 0:
            log.info("its daily quota asks for patience", source=name, seconds=round(left_ms / 1000))
            await self._ports.clock.sleep(left_ms / 1000)

    def _crashed(self, name: str, bug: BaseException) -> Arrival:
        self.crashes[name] = self.crashes.get(name, 0) + 1
        log.error("a collector crashed", source=name, exc_info=bug)
        return Arrival(self.now_ms(), name, failure=safe_text(f"a bug in this collector: {type(bug).__name__}", REASON_LENGTH))

    async def _tick(self) -> None:
        """A tick when something is due, and one an hour in any case, so that the log shows that someone was there."""
        last = self.now_ms()
        while True:
            now, due = self.now_ms(), self._due_at()
            next_at = last + HOUR if due is None else min(due, last + HOUR)
            if next_at <= now:
                last = now
                await self._queue.put(Arrival(now))
                await self._ports.clock.sleep(LEAST_TICK_SECONDS)
            else:
                await self._until_handled(min((next_at - now) / 1000, TICK_SECONDS))

    async def _until_handled(self, seconds: float) -> None:
        """Wait until an arrival was handled, which can change what is due, or until the time is up."""
        self._handled.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._handled.wait()


class _Poller:
    """One collector's rhythm: its cadence when all is well, growing pauses when not, and what the source itself asks for."""

    def __init__(self, name: str, collector: Collector, ports: Ports, watch: Watch) -> None:
        self._name, self._collector, self._ports, self._watch = name, collector, ports, watch
        self._failures = 0
        self._counted_seconds = collector.pause_ms / 1000
        self._retries = RETRY_BURST

    async def once(self) -> tuple[Arrival, float]:
        """One pass. Returns what it brought, and how many seconds to wait."""
        clock = self._ports.clock
        began = clock.monotonic()
        self._retries = min(RETRY_BURST, self._retries + RETRY_SHARE)
        try:
            async with asyncio.timeout(POLL_TIMEOUT_SECONDS) as limit:
                harvest = await self._collector.poll(self._ports, self._watch)
        except TimeoutError:
            if not limit.expired():
                raise
            return self._failed(f"no answer within {POLL_TIMEOUT_SECONDS:.0f} s", None)
        except SourceError as error:
            retry = PERMANENT_RETRY_SECONDS if error.permanent else error.retry_after_seconds
            # What was answered was counted there; what never arrived was not.
            return self._failed(str(error), max(retry or 0.0, self._counted_seconds) if error.status is not None else retry)
        except BadPayload as error:
            return self._failed(str(error), self._counted_seconds)
        self._failures = 0
        pause = self._collector.cadence / 1000 * self._ports.rng.uniform(0.97, 1.03)
        return Arrival(clock.now_ms(), self._name, harvest, seconds=clock.monotonic() - began), pause

    def _failed(self, reason: str, retry_seconds: float | None) -> tuple[Arrival, float]:
        arrival = Arrival(self._ports.clock.now_ms(), self._name, failure=safe_text(reason, REASON_LENGTH))
        return arrival, self.back_off(retry_seconds)

    def back_off(self, retry_seconds: float | None) -> float:
        """Doubling pauses with jitter up to the cadence, but never less than the source asked for; the cadence when the retries are spent."""
        self._failures += 1
        ceiling = max(FIRST_RETRY_SECONDS, self._collector.cadence / 1000)
        pause = min(ceiling, FIRST_RETRY_SECONDS * 2.0 ** min(self._failures - 1, 12))
        if pause < ceiling and self._retries >= 1.0:
            self._retries -= 1.0
        else:
            pause = ceiling
        return max(pause * self._ports.rng.uniform(0.8, 1.2), retry_seconds or 0.0)


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
