"""The machine's clock tells milliseconds and lets go of a cancelled sleep."""

import asyncio
import time

from monitor.clock import Clock, SystemClock


def test_now_is_the_wall_clock_in_milliseconds() -> None:
    clock: Clock = SystemClock()
    before = int(time.time() * 1000)
    assert before <= clock.now_ms() <= before + 1000


def test_monotonic_time_never_goes_backwards() -> None:
    clock = SystemClock()
    readings = [clock.monotonic() for _ in range(100)]
    assert readings == sorted(readings)


async def test_a_cancelled_sleep_ends_at_once() -> None:
    sleeper = asyncio.ensure_future(SystemClock().sleep(3600))
    await SystemClock().sleep(0)
    sleeper.cancel()
    await asyncio.gather(sleeper, return_exceptions=True)
    assert sleeper.cancelled()
