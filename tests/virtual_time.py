"""An event loop whose clock jumps to the next timer when nothing is ready: no sockets, no threads, no waiting."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

T = TypeVar("T")


class NothingScheduled(RuntimeError):
    """Every task waits and no timer is set: on a real loop this run would hang for ever."""


class VirtualLoop(asyncio.base_events.BaseEventLoop):
    """An asyncio loop with virtual `time()`; it starts at 0.0 s and costs no wall time."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual_seconds = 0.0
        self._selector = _JumpingSelector(self)

    def time(self) -> float:
        """Return virtual seconds since the loop was made."""
        return self._virtual_seconds

    def jump(self, seconds: float | None) -> None:
        """Advance to the next timer, `seconds` ahead; None means that there is none."""
        if seconds is None:
            waiting = sorted(task.get_name() for task in asyncio.all_tasks(self))
            at = f"virtual time {self._virtual_seconds} s"
            raise NothingScheduled(f"{at}: nothing is scheduled, yet these tasks wait: {', '.join(waiting)}")
        self._virtual_seconds += seconds

    def run_in_executor(self, executor: Executor | None, func: Callable[..., T], *args: object) -> asyncio.Future[T]:
        """Refuse: a thread lives in real time, and virtual time would not wait for it."""
        raise RuntimeError(f"no threads in virtual time: {func!r}")

    def _process_events(self, event_list: list[object]) -> None:
        pass  # no file is ever watched

    def _write_to_self(self) -> None:
        pass  # no thread ever needs to wake the loop


class _JumpingSelector:
    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        self._loop.jump(timeout)
        return []


class VirtualClock:
    """`monitor.clock.Clock` over a virtual loop; the wall clock reads `start_ms` when the loop's time is 0."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start_ms: int) -> None:
        self._loop = loop
        self._start_ms = start_ms

    def now_ms(self) -> int:
        """Return virtual UTC in milliseconds since 1970."""
        return self._start_ms + round(self._loop.time() * 1000)

    def monotonic(self) -> float:
        """Return virtual seconds since the loop was made."""
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        await asyncio.sleep(seconds)


def run_virtual(main: Coroutine[Any, Any, T] | Callable[[VirtualClock], Coroutine[Any, Any, T]], start_ms: int = 0) -> T:
    """Run a coroutine, or a function of the clock that makes one, on a fresh virtual loop and return its result."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        clock = VirtualClock(runner.get_loop(), start_ms)
        return runner.run(main(clock) if callable(main) else main)
