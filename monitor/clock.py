"""Time as a port: whatever waits or asks the hour is handed a `Clock`, so that a test can run thirty days in a blink."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What the shell may know of time."""

    def now_ms(self) -> int:
        """Return the wall clock, UTC, in milliseconds since 1970; it may step when the machine is corrected."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start that never go backwards: for deadlines and durations."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellation ends the wait at once."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        """See `Clock.now_ms`."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        await asyncio.sleep(seconds)
