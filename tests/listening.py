"""A collector that answers as it is told, and everything that a feed of such collectors brings in virtual time."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar

from monitor.core.book import Watch
from monitor.feeds import Arrival, LiveFeed
from monitor.source import Collector, Harvest, Ports
from tests.builders import START
from tests.fakes import FakeNet
from tests.virtual_time import VirtualClock, run_virtual

Answer = Callable[[], Harvest] | Harvest | BaseException


@dataclass(frozen=True, kw_only=True)
class Scripted(Collector):
    """Answers in turn, the last for ever; an exception is raised, an infinite `seconds` hangs."""

    title: ClassVar[str] = "a test's"

    answers: Sequence[Answer] = (Harvest(),)
    seconds: float = 0.0
    polled: list[float] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    close_raises: BaseException | None = None
    pause: int = 0

    @property
    def pause_ms(self) -> int:
        return self.pause

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        self.polled.append(ports.clock.monotonic())
        await asyncio.sleep(self.seconds)
        answer = self.answers[min(len(self.polled), len(self.answers)) - 1]
        if isinstance(answer, BaseException):
            raise answer
        return answer() if callable(answer) else answer

    async def close(self) -> None:
        self.closed.append(1)
        if self.close_raises is not None:
            raise self.close_raises


class SureRandom(Random):
    """Draws the middle: without its jitter a rhythm can be written down."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def listen(
    collectors: Mapping[str, Collector],
    seconds: float,
    due_at: Callable[[], int | None] = lambda: None,
    rng: Random | None = None,
    asked_at: Callable[[str], int] = lambda name: 0,
) -> tuple[list[Arrival], LiveFeed]:
    """Everything that arrives within so many virtual seconds."""

    async def main(clock: VirtualClock) -> tuple[list[Arrival], LiveFeed]:
        feed = LiveFeed(collectors, Ports(FakeNet(), clock, rng or SureRandom()), Watch(), due_at, asked_at)
        heard: list[Arrival] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), aclosing(feed.arrivals()) as arrivals:
                async for arrival in arrivals:
                    heard.append(arrival)
        assert asyncio.all_tasks() == {asyncio.current_task()}, "the feed leaves no task behind"
        return heard, feed

    return run_virtual(main, START)
