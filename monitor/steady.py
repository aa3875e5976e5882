"""A clock that is not believed when it steps: it must agree with the time that has passed, or with what other machines say.

Between two looks the wall clock may move as far as the machine's uptime did. Where it moved otherwise, the uptime is believed, until three
other hosts have said who is right, by the Date of their answers, or until a quarter of an hour has brought no witness.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from statistics import median

# Corrections of a clock that runs well are far smaller; so is a leap second.
STEP_MS = 10_000
HOLD_MS = 900_000
LEAST_WITNESSES = 3
HEARD_MS = 1_800_000
HALF_A_SECOND_MS = 500
OFF_MS = 60_000
# 2026-01-01. No clock that is right stands before the time at which this was written.
WRITTEN_MS = 1_767_225_600_000


def uptime_ms() -> int:
    """Milliseconds since the machine started, sleep included where the system tells."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) // 1_000_000


class Witnesses:
    """What other machines' clocks say, one word a host, held against our uptime: no step of our own clock changes it."""

    def __init__(self, uptime: Callable[[], int] = uptime_ms) -> None:
        self._uptime = uptime
        self._heard: dict[str, tuple[int, int]] = {}

    def hear(self, host: str, date: str, age: str = "") -> None:
        """Take the `Date` of an answer, and the `Age` by which a cache has kept it."""
        try:
            when = parsedate_to_datetime(date)
        except ValueError:
            return
        kept_ms = int(age) * 1000 if age.isascii() and age.isdigit() and len(age) < 9 else 0
        theirs = round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000) + kept_ms + HALF_A_SECOND_MS
        self._heard[host] = (theirs - self._uptime(), self._uptime())

    def time_ms(self) -> int | None:
        """The time by the median of the hosts heard in the last half hour; None while they are fewer than three."""
        now = self._uptime()
        offsets = [offset for offset, heard in self._heard.values() if now - heard <= HEARD_MS]
        return now + round(median(offsets)) if len(offsets) >= LEAST_WITNESSES else None


class SteadyClock:
    """`monitor.clock.Clock` for a daemon that runs for months."""

    def __init__(
        self, witnesses: Witnesses, *, wall: Callable[[], int] = lambda: time.time_ns() // 1_000_000, uptime: Callable[[], int] = uptime_ms
    ) -> None:
        self._witnesses, self._wall, self._uptime = witnesses, wall, uptime
        self._anchor = wall() - uptime()
        self._doubted_at: int | None = None
        self._set_back = False

    def now_ms(self) -> int:
        """UTC in milliseconds since 1970, as it is believed."""
        wall, up = self._wall(), self._uptime()
        steady = self._anchor + up
        if abs(wall - steady) <= STEP_MS:
            self._anchor, self._doubted_at = wall - up, None
            return wall
        if self._doubted_at is None:
            self._doubted_at = up
        if not self._is_right(wall, steady, up - self._doubted_at):
            return steady
        self._set_back = self._set_back or wall < steady
        self._anchor, self._doubted_at = wall - up, None
        return wall

    def _is_right(self, wall: int, steady: int, doubted_ms: int) -> bool:
        if steady < WRITTEN_MS <= wall:
            return True  # a machine that started in 1970 has been told the time
        said = self._witnesses.time_ms()
        return doubted_ms >= HOLD_MS if said is None else abs(said - wall) < abs(said - steady)

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        await asyncio.sleep(seconds)

    @property
    def stepped_ms(self) -> int:
        """How far the wall clock stands from the time that is believed; 0 while it is believed itself."""
        believed = self.now_ms()
        return self._wall() - believed if self._doubted_at is not None else 0

    @property
    def skew_ms(self) -> int | None:
        """The time that is believed less what other machines say; None while too few have been heard."""
        said = self._witnesses.time_ms()
        return None if said is None else self.now_ms() - said

    def was_set_back(self) -> bool:
        """Whether, since this was last asked, the time that is believed went back."""
        found, self._set_back = self._set_back, False
        return found

    def trouble(self) -> str:
        """What is wrong with this machine's clock, and what to do; empty when nothing is known to be."""
        stepped, skew = self.stepped_ms, self.skew_ms
        if stepped:
            return f"this machine's clock was set {_far(stepped)} {_way(stepped)}; until others confirm it, the time before is counted on"
        if skew is not None and abs(skew) > OFF_MS:
            return (
                f"this machine's clock is {_far(skew)} {_way(skew)} of what other hosts say: set it (timedatectl); "
                "receivers may take the signatures of alerts for old ones"
            )
        return ""

    def insane(self, floor_ms: int) -> str:
        """Why no decision may be made by this clock: it stands before `floor_ms`, which has passed already. Empty when all is well."""
        now, said = self.now_ms(), self._witnesses.time_ms()
        if now >= floor_ms - OFF_MS or (said is not None and abs(now - said) <= OFF_MS):
            return ""
        return f"this machine's clock stands {_far(now - floor_ms)} before a time that has passed already: set it (timedatectl)"


def _far(difference_ms: int) -> str:
    seconds = abs(difference_ms) / 1000
    return f"{seconds:.0f} s" if seconds < 7200 else f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


def _way(difference_ms: int) -> str:
    return "ahead" if difference_ms > 0 else "back"
