"""Brings what waits in the outbox to its channels: at least once, the same id and bytes each time, until it is accepted or given up aloud.

Each channel has a task of its own, so one that hangs delays no other. Whatever happens between sending and mark, the row still waits.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from monitor.clock import Clock
from monitor.core.delivery import DELIVERED, FAILED, WAITING, Attempt, Delivery, Failing
from monitor.core.effects import Alerted, Effect
from monitor.core.events import Event, Signal
from monitor.errors import StoreError
from monitor.sinks import webhook
from monitor.sinks.webhook import Answer

HOUR_MS = 3_600_000
SHOWN_AFTER_MS = HOUR_MS
# A wall clock that jumps ahead must not make every row look three days old, hence the number of tries too.
GIVEN_UP_AFTER_MS = 72 * HOUR_MS
GIVEN_UP_AFTER_TRIES = 20
FIRST_BACK_OFF_SECONDS = 2.0
LONGEST_BACK_OFF_SECONDS = 600.0
# What a person must mend is not mended by asking often.
REFUSED_BACK_OFF_SECONDS = 300.0
LONGEST_RETRY_AFTER_SECONDS = 3600.0
# Rows appear by our own commits, which wake us; this is for a clock that was set.
LONGEST_SLEEP_SECONDS = 300.0
MARK_AGAIN_SECONDS = 5.0
_TOLD_AT_ONCE = frozenset({webhook.REFUSED, webhook.GONE, webhook.CLOCK})


class Channel(Protocol):
    """A receiver."""

    async def deliver(self, delivery: Delivery) -> Answer: ...


class Queue(Protocol):
    """What the sender needs of the outbox."""

    def waiting(self, channel: str, now: int, limit: int = 50) -> Sequence[Delivery]: ...

    def next_at(self, channel: str) -> int | None: ...

    def oldest(self) -> Sequence[Delivery]: ...

    def record(self, attempt: Attempt, status: str, next_at: int = 0) -> None: ...


class Sender:
    """Call `run()` in a task, `wake()` after each commit, `stop()` at the end. `on_failing` must put a `Failing` on record.

    `deliveries` counts tries by (channel, outcome).
    """

    def __init__(
        self, outbox: Queue, channels: Mapping[str, Channel], clock: Clock, rng: random.Random, on_failing: Callable[[Failing], object]
    ) -> None:
        self.deliveries: Counter[tuple[str, str]] = Counter()
        self._outbox = outbox
        self._channels = channels
        self._clock = clock
        self._rng = rng
        self._on_failing = on_failing
        self._wakes = {name: asyncio.Event() for name in channels}
        self._stopping = asyncio.Event()
        self._halt = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []
        self._told: set[str] = set()

    async def run(self) -> None:
        """Send until stopped. An error in here is a bug or a broken store: it ends every channel and is raised."""
        while not self._stopping.is_set():
            self._halt.clear()
            self._report_lost_channels()
            try:
                async with asyncio.TaskGroup() as group:
                    self._workers = [group.create_task(self._serve(name), name=f"channel {name}") for name in self._channels]
                    await self._halt.wait()
            except ExceptionGroup as group_of_errors:
                # By its own name: a full disk is answered differently from a bug.
                raise group_of_errors.exceptions[0] from group_of_errors

    def replace(self, channels: Mapping[str, Channel]) -> None:
        """Go on with these channels once the deliveries in flight have ended."""
        self._channels = channels
        self._wakes |= {name: asyncio.Event() for name in channels if name not in self._wakes}
        self._halt.set()
        self.wake()

    def show(self, event: Event, effects: Sequence[Effect]) -> None:
        """What the pipeline calls after each commit: most have nothing to send."""
        if isinstance(event, Signal) or any(isinstance(effect, Alerted) for effect in effects):
            self.wake()

    def wake(self) -> None:
        """Look into the outbox now."""
        for wake in self._wakes.values():
            wake.set()

    async def stop(self, grace_seconds: float) -> None:
        """Let each delivery in flight end; one that does not within the grace goes on waiting, and is sent again by the next run."""
        self._stopping.set()
        self._halt.set()
        self.wake()
        if self._workers:
            _, late = await asyncio.wait(self._workers, timeout=grace_seconds)
            for worker in late:
                worker.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _report_lost_channels(self) -> None:
        for row in self._outbox.oldest():
            if row.channel not in self._channels:
                self._tell(row, "there is no such channel any more; its alerts wait until there is one again", given_up=False)

    async def _serve(self, name: str) -> None:
        while not self._halt.is_set():
            self._wakes[name].clear()
            rows = self._outbox.waiting(name, self._clock.now_ms(), 1)
            if rows:
                await self._send(rows[0])
            else:
                await self._pause(self._wakes[name], self._idle_seconds(name))

    def _idle_seconds(self, name: str) -> float:
        next_at = self._outbox.next_at(name)
        wait = LONGEST_SLEEP_SECONDS if next_at is None else (next_at - self._clock.now_ms()) / 1000
        return min(max(wait, 0.0), LONGEST_SLEEP_SECONDS)

    async def _pause(self, until: asyncio.Event, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await until.wait()

    async def _send(self, row: Delivery) -> None:
        """One try: send, then mark; never the other way round."""
        try:
            answer = await self._channels[row.channel].deliver(row)
        except asyncio.CancelledError:
            # We stop without knowing: the row goes on waiting, and the try is on record.
            with suppress(StoreError):
                self._outbox.record(self._attempt(row, Answer(webhook.AMBIGUOUS, "stopped before an answer came")), WAITING)
            raise
        self.deliveries[row.channel, answer.outcome] += 1
        if answer.outcome == webhook.ACCEPTED:
            self._told.discard(row.channel)
            await self._mark(row, answer, DELIVERED)
        else:
            await self._not_delivered(row, answer)

    async def _not_delivered(self, row: Delivery, answer: Answer) -> None:
        """Try again later, and say so when it lasts; or give up, and say that first: dying in between must not hide it."""
        now = self._clock.now_ms()
        tries, failing_ms = row.attempts + 1, now - (now if row.failing_since is None else row.failing_since)
        if answer.outcome == webhook.GONE or (failing_ms >= GIVEN_UP_AFTER_MS and tries >= GIVEN_UP_AFTER_TRIES):
            self._tell(row, answer.detail, given_up=True)
            await self._mark(row, answer, FAILED)
            return
        if (answer.outcome in _TOLD_AT_ONCE or failing_ms >= SHOWN_AFTER_MS) and row.channel not in self._told:
            self._told.add(row.channel)
            self._tell(row, answer.detail, given_up=False)
        await self._mark(row, answer, WAITING, now + round(1000 * self._back_off_seconds(tries, answer)))

    def _back_off_seconds(self, tries: int, answer: Answer) -> float:
        """Exponential with full jitter, so that many of us do not come back as one; what the receiver asks for is the least."""
        ceiling = min(LONGEST_BACK_OFF_SECONDS, FIRST_BACK_OFF_SECONDS * 2 ** min(tries - 1, 30))
        drawn = self._rng.uniform(0.0, ceiling)
        least = REFUSED_BACK_OFF_SECONDS if answer.outcome == webhook.REFUSED else (answer.retry_after_seconds or 0.0)
        return max(drawn, min(least, LONGEST_RETRY_AFTER_SECONDS))

    def _tell(self, row: Delivery, detail: str, *, given_up: bool) -> None:
        """Escalate, except about an escalation: two broken channels would tell of each other for ever."""
        if row.type != "delivery.failing":
            self._on_failing(Failing(row.channel, row.id, row.type, detail, given_up))

    async def _mark(self, row: Delivery, answer: Answer, status: str, next_at: int = 0) -> None:
        """Write what became of it. While that cannot be written (a full disk, say), nothing else is sent: it would be sent for ever."""
        attempt = self._attempt(row, answer)
        while True:
            try:
                self._outbox.record(attempt, status, next_at)
            except StoreError:
                if self._stopping.is_set():
                    return
                await self._pause(self._stopping, MARK_AGAIN_SECONDS)
            else:
                return

    def _attempt(self, row: Delivery, answer: Answer) -> Attempt:
        return Attempt(row.id, row.channel, self._clock.now_ms(), answer.outcome, answer.detail)
