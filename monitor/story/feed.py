"""Plays the story to the daemon: a feed like any other, with a clock of its own that runs faster than ours and stands still at the end."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable

from monitor.clock import Clock
from monitor.core.units import MINUTE
from monitor.feeds import Arrival
from monitor.source import Harvest
from monitor.story import scenario


class StoryFeed:
    """`speed` is how many seconds of the story pass in one of ours; `due_at` is when the engine next wants to be asked."""

    def __init__(self, clock: Clock, speed: float, due_at: Callable[[], int | None]) -> None:
        self._clock, self._speed, self._due_at = clock, speed, due_at
        self._began: float | None = None

    def now_ms(self) -> int:
        if self._began is None:
            return scenario.START_MS
        return min(scenario.END_MS, scenario.START_MS + round((self._clock.monotonic() - self._began) * 1000 * self._speed))

    async def arrivals(self) -> AsyncGenerator[Arrival, None]:
        for source, readings in scenario.history():
            yield Arrival(scenario.START_MS, source, Harvest(readings))
        self._began = self._clock.monotonic()
        last = scenario.START_MS
        for scene in scenario.scenes():
            async for tick in self._ticks(last, scene.at_ms):
                yield tick
            await self._until(scene.at_ms)
            last = scene.at_ms
            yield Arrival(scene.at_ms, scene.source, scene.harvest, scene.failure)
        async for tick in self._ticks(last, scenario.END_MS):
            yield tick

    async def _ticks(self, after: int, before: int) -> AsyncIterator[Arrival]:
        """Ticks on full minutes of the story at which something is due."""
        while (due := self._due_at()) is not None:
            at = -(-max(due, after + 1) // MINUTE) * MINUTE
            if at >= before:
                return
            await self._until(at)
            after = at
            yield Arrival(at)

    async def _until(self, story_ms: int) -> None:
        await self._clock.sleep(max(0.0, (story_ms - self.now_ms()) / 1000 / self._speed))
