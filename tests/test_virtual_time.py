"""Virtual time is quick, orderly, cancellable, and never hangs."""

import asyncio
import time

import pytest

from monitor.clock import Clock
from tests.virtual_time import NothingScheduled, VirtualClock, run_virtual

DAY_SECONDS = 86_400.0
START_MS = 1_700_000_000_000


def test_thirty_days_of_sleep_take_less_than_a_tenth_of_a_second() -> None:
    async def main(clock: Clock) -> tuple[int, float]:
        await clock.sleep(30 * DAY_SECONDS)
        return clock.now_ms(), clock.monotonic()

    started = time.perf_counter()
    now_ms, monotonic = run_virtual(main, START_MS)
    assert time.perf_counter() - started < 0.1
    assert (now_ms, monotonic) == (START_MS + 30 * 86_400_000, 30 * DAY_SECONDS)


def test_timers_fire_in_the_order_of_their_time_whatever_the_order_they_were_set_in() -> None:
    async def main(clock: VirtualClock) -> list[tuple[str, int]]:
        fired: list[tuple[str, int]] = []

        async def wait(name: str, seconds: float) -> None:
            await clock.sleep(seconds)
            fired.append((name, clock.now_ms()))

        await asyncio.gather(wait("late", 3.0), wait("early", 0.001), wait("middle", 2.5))
        return fired

    assert run_virtual(main) == [("early", 1), ("middle", 2500), ("late", 3000)]


def test_a_cancelled_sleep_does_not_move_the_clock() -> None:
    async def main(clock: VirtualClock) -> tuple[bool, float]:
        sleeper = asyncio.ensure_future(clock.sleep(DAY_SECONDS))
        await clock.sleep(1)
        sleeper.cancel()
        await asyncio.gather(sleeper, return_exceptions=True)
        return sleeper.cancelled(), clock.monotonic()

    assert run_virtual(main) == (True, 1.0)


def test_a_timeout_ends_a_wait_at_its_virtual_instant() -> None:
    async def main(clock: VirtualClock) -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(7.5):
                await asyncio.Event().wait()
        return clock.monotonic()

    assert run_virtual(main) == 7.5


def test_a_run_that_would_wait_for_ever_says_which_task_waits() -> None:
    async def main() -> None:
        waiter = asyncio.create_task(asyncio.Event().wait(), name="the-forgotten-one")
        await waiter

    with pytest.raises(NothingScheduled, match=r"nothing is scheduled, yet these tasks wait: .*the-forgotten-one"):
        run_virtual(main())


def test_threads_are_refused_because_virtual_time_would_not_wait_for_them() -> None:
    with pytest.raises(RuntimeError, match="no threads in virtual time"):
        run_virtual(asyncio.to_thread(print))
