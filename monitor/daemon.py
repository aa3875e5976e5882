"""The daemon: one loop that reads a feed, thinks, commits and shows, beside the sender, the inbox and the HTTP port.

Everything that decides runs on one thread, one event after the other; only sending and serving go on beside it.
"""

import asyncio
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, Protocol

import structlog

from monitor.clock import Clock
from monitor.core.events import Batch, Failed, Signal, Tick
from monitor.core.operator import CLOCK_RIGHT, CLOCK_SET_BACK, CLOCK_WRONG
from monitor.core.state import State
from monitor.core.units import iso
from monitor.feeds import Arrival, Feed
from monitor.pipeline import Pipeline
from monitor.source import Harvest

log = structlog.get_logger("daemon")

INBOX_SECONDS = 0.5
LAG_SECONDS = 0.5
LAG_MEMORY_SECONDS = 60.0
CLOCK_SECONDS = 5.0
AHEAD_MS = 60_000
MESSAGES_A_TURN = 20
REFUSALS_LOGGED = 5


class Hour(Protocol):
    """What the daemon asks of its clock beyond the hour; see `monitor.steady.SteadyClock`."""

    @property
    def skew_ms(self) -> int | None: ...

    def trouble(self) -> str: ...

    def was_set_back(self) -> bool: ...


class Daemon:
    """Runs a pipeline on a feed until told to stop."""

    def __init__(self, pipeline: Pipeline, feed: Feed, clock: Clock) -> None:
        self.pipeline = pipeline
        self.clock = clock
        self.feed = feed
        self.collect_seconds: dict[str, float] = {}
        self._refusals: dict[str, list[str]] = {}
        self._lags = deque([0.0], maxlen=round(LAG_MEMORY_SECONDS / LAG_SECONDS))
        self.hour: Hour | None = None
        self.waiting_for = ""
        self._clock_is_wrong = False
        self._stop = asyncio.Event()
        self._switched = asyncio.Event()
        self._asked_to_reload = asyncio.Event()
        self._reload: Callable[[], Feed | None] = lambda: None

    def on_reload(self, reload: Callable[[], Feed | None]) -> None:
        """What SIGHUP does: returns the feed to go on with, or None to keep the present one."""
        self._reload = reload

    def listen_to_signals(self) -> None:
        """SIGTERM and SIGINT stop, SIGHUP reloads."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self.reload)

    def stop(self) -> None:
        self._stop.set()

    def reload(self) -> None:
        """Ask for a reload. It is done in a task of `run`: what goes wrong in it must end the daemon, and a signal handler would swallow it."""
        self._asked_to_reload.set()

    @property
    def loop_lag_seconds(self) -> float:
        """By how much the loop was late at worst in the last minute: a block between two scrapes is still seen."""
        return max(self._lags)

    @property
    def stopped(self) -> asyncio.Event:
        return self._stop

    async def run(self, beside: Sequence[Callable[[], Awaitable[None]]] = (), *, wind_up: Callable[[], Awaitable[None]] | None = None) -> None:
        """Run until `stop`. A bug in the engine or the store ends the daemon: what was committed is safe, the rest starts again from the log.

        `wind_up` is awaited once no more is decided, and before the jobs `beside` are cancelled: what they are amid may come to its end.
        """
        tasks: list[asyncio.Future[Any]] = [
            asyncio.create_task(self._read(), name="reader"),
            asyncio.create_task(self._inbox(), name="inbox"),
            asyncio.create_task(self._measure_lag(), name="lag"),
            asyncio.create_task(self._reload_when_asked(), name="reloads"),
            asyncio.create_task(self._stop.wait(), name="stop"),
        ]
        if self.hour is not None:
            tasks.append(asyncio.create_task(self._watch_the_clock(self.hour), name="clock"))
        jobs: list[asyncio.Future[Any]] = [asyncio.ensure_future(job()) for job in beside]
        try:
            done, _ = await asyncio.wait([*tasks, *jobs], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._stop.set()
            await _cancel(tasks)
            if wind_up is not None:
                await wind_up()
            await _cancel(jobs)

    async def _read(self) -> None:
        """Follow the feed, and after each reload the next one. A feed that has ended leaves the daemon up until it is stopped."""
        while True:
            following = asyncio.create_task(self._follow(self.feed), name="feed")
            switched = asyncio.create_task(self._switched.wait(), name="reload")
            try:
                await asyncio.wait({following, switched}, return_when=asyncio.FIRST_COMPLETED)
                if following.done():
                    following.result()
                    await switched
            finally:
                following.cancel()
                switched.cancel()
                await asyncio.gather(following, switched, return_exceptions=True)
            self._switched.clear()

    async def _follow(self, feed: Feed) -> None:
        async with aclosing(feed.arrivals()) as arrivals:
            async for arrival in arrivals:
                self.handle(arrival)

    def handle(self, arrival: Arrival) -> None:
        """Turn one arrival into an event, or into none when it says nothing new."""
        if arrival.harvest is not None:
            self._receive(arrival.source, arrival.harvest, arrival)
        elif arrival.source:
            if _is_news(self.pipeline.engine.state, arrival):
                log.warning("source failed", source=arrival.source, reason=arrival.failure)
                self.pipeline.process(Failed(arrival.now, arrival.source, arrival.failure))
        else:
            self.pipeline.process(Tick(arrival.now))

    def _receive(self, source: str, harvest: Harvest, arrival: Arrival) -> None:
        self.collect_seconds[source] = arrival.seconds
        said = [*((reason, "refused") for reason in harvest.rejected), *((note, "noted") for note in harvest.notes)][:REFUSALS_LOGGED]
        # What is refused at every pass is said once; how much of it there is, the metrics count.
        for reason, what in (one for one in said if one[0] not in self._refusals.get(source, ())):
            log.warning(what, source=source, reason=reason)
        self._refusals[source] = [reason for reason, _ in said]
        refused = len(harvest.rejected)
        received = self.pipeline.receive(harvest.readings, source=source, now=arrival.now, rejected=refused, records=harvest.records)
        if harvest.records and not received.stored:  # records without news are no event, but that their source was heard is one
            self.pipeline.process(Batch(arrival.now, source, (), refused + len(received.rejections)))
        for rejection in received.rejections[:REFUSALS_LOGGED]:
            log.warning("refused", source=source, metric=rejection.metric, subject=rejection.subject, reason=rejection.reason)

    async def _inbox(self) -> None:
        """Operators' words become events within a second."""
        while True:
            for message in self.pipeline.store.inbox.waiting(MESSAGES_A_TURN):
                self.pipeline.take(message, self.feed.now_ms())
                await asyncio.sleep(0)
            await self.clock.sleep(INBOX_SECONDS)

    async def _reload_when_asked(self) -> None:
        """Go on with the feed that the reload gives, at once: an old feed may have nothing to say for an hour."""
        while True:
            await self._asked_to_reload.wait()
            self._asked_to_reload.clear()
            feed = self._reload()
            if feed is not None:
                self.feed = feed
                self._switched.set()

    async def until_sane(self, doubt: Callable[[], str], feed: Feed) -> None:
        """Return when there is no doubt about the clock, or the daemon is stopped. The sources are asked meanwhile, for the hour alone."""
        if not doubt():
            return
        asking = asyncio.create_task(_follow_idly(feed), name="asking the hour")
        try:
            while (why := doubt()) and not self._stop.is_set():
                if not self.waiting_for:
                    log.error("nothing is decided by such a clock", reason=why)
                self.waiting_for = why
                await self.clock.sleep(INBOX_SECONDS)
        finally:
            await _cancel([asking])
        self.waiting_for = ""
        if not self._stop.is_set() and self.feed.now_ms() < self.pipeline.engine.now - AHEAD_MS:
            self._set_back(self.feed.now_ms())

    async def _watch_the_clock(self, hour: Hour) -> None:
        while True:
            self.look_at_the_clock(hour)
            await self.clock.sleep(CLOCK_SECONDS)

    def look_at_the_clock(self, hour: Hour) -> None:
        """Tell of a clock that steps or is off, and that it is right again; take the engine back where the clock was ahead."""
        now, trouble = self.feed.now_ms(), hour.trouble()
        if hour.was_set_back() and now < self.pipeline.engine.now:
            self._set_back(now)
        if bool(trouble) != self._clock_is_wrong:
            self._tell_clock(now, CLOCK_WRONG if trouble else CLOCK_RIGHT, trouble or "it is right again")
        self._clock_is_wrong = bool(trouble)

    def _set_back(self, now: int) -> None:
        self._tell_clock(now, CLOCK_SET_BACK, f"it was ahead, and has been set back to {iso(now)}")

    def _tell_clock(self, now: int, action: str, note: str) -> None:
        log.warning("clock", reason=note)
        self.pipeline.process(Signal(now, f"clock_{action}_{now}", "clock", action, "clock", note))

    async def _measure_lag(self) -> None:
        while True:
            began = self.clock.monotonic()
            await self.clock.sleep(LAG_SECONDS)
            self._lags.append(max(0.0, self.clock.monotonic() - began - LAG_SECONDS))


async def _follow_idly(feed: Feed) -> None:
    async with aclosing(feed.arrivals()) as arrivals:
        async for _ in arrivals:
            pass


async def _cancel(tasks: Sequence[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _is_news(state: State, arrival: Arrival) -> bool:
    """A failure that is the same as the one before it is recorded run-length: once."""
    known = state.sources.get(arrival.source)
    return known is None or known.failing_since is None or known.reason != arrival.failure
