"""Which blocks an hour holds: the bridge from what a chain counts (blocks) to what a series counts (hours)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from monitor.chain import Block, BlockPinnedReader
from monitor.core.units import HOUR

SAMPLE_BLOCKS = 1_000


@dataclass(frozen=True, slots=True)
class HourOfBlocks:
    """Blocks `first` to `last` (inclusive) have a time from `start_ms` to an hour later (exclusive); `last` is `first` - 1 where there is none."""

    start_ms: int
    first: int
    last: int


def last_closed_hours(now_ms: int, count: int) -> tuple[int, int]:
    """Start of the `count`-th closed hour back, and end of the newest one (epoch milliseconds)."""
    end = now_ms - now_ms % HOUR
    return end - count * HOUR, end


async def hours_of_blocks(reader: BlockPinnedReader, head: Block, from_ms: int, to_ms: int) -> AsyncIterator[HourOfBlocks]:
    """The whole hours from `from_ms` to `to_ms` (both on the hour) that `head` lies behind, oldest first.

    An hour counts as over only when a block after it is known.
    """
    search = _Search(reader, head)
    end = min(to_ms, head.timestamp_ms - head.timestamp_ms % HOUR)
    if end <= from_ms:
        return
    first = await search.first_from(from_ms)
    for start in range(from_ms, end, HOUR):
        after = await search.first_from(start + HOUR, first)
        yield HourOfBlocks(start, first, after - 1)
        first = after


class _Search:
    """Finds blocks by time, and remembers the headers it has seen."""

    def __init__(self, reader: BlockPinnedReader, head: Block) -> None:
        self._reader, self._head = reader, head
        self._times = {head.number: head.timestamp_ms}

    async def first_from(self, at_ms: int, low: int = 0) -> int:
        """Number of the first block, from `low` on, whose time is `at_ms` or later."""
        high = self._head.number
        if await self._time(low) >= at_ms:
            return low
        low = max(low, await self._before(at_ms, low))
        low_ms, high_ms, halve = await self._time(low), self._head.timestamp_ms, False
        while high - low > 1:
            share = 0.5 if halve or high_ms <= low_ms else (at_ms - low_ms) / (high_ms - low_ms)
            middle = min(high - 1, max(low + 1, low + round(share * (high - low))))
            found_ms = await self._time(middle)
            if found_ms >= at_ms:
                high, high_ms = middle, found_ms
            else:
                low, low_ms = middle, found_ms
            # Where blocks are evenly spaced a line finds the place at once; halving now and then bounds the search where they are not.
            halve = not halve
        return high

    async def _before(self, at_ms: int, floor: int) -> int:
        """A block older than `at_ms` and not much older, or `floor`."""
        newest, sampled = self._head, max(floor, self._head.number - SAMPLE_BLOCKS)
        spacing_ms = max(1.0, (newest.timestamp_ms - await self._time(sampled)) / max(1, newest.number - sampled))
        back = int((newest.timestamp_ms - at_ms) / spacing_ms) + SAMPLE_BLOCKS // 10
        while (guess := newest.number - back) > floor:
            if await self._time(guess) < at_ms:
                return guess
            back *= 2
        return floor

    async def _time(self, number: int) -> int:
        if number not in self._times:
            self._times[number] = (await self._reader.block(number)).timestamp_ms
        return self._times[number]
