"""How old the answer of a price feed is: a health factor is as good as the prices behind it."""

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.chain import Answer, Block, BlockPinnedReader, Call, Failed, output
from monitor.core.units import HOUR, SECOND
from monitor.errors import BadPayload

FEED_ABI = "price_feed"
CLOCKS = ("latestRoundData", "latestTimestamp")
ADAPTERS = ("ASSET_TO_USD_AGGREGATOR", "BASE_TO_USD_AGGREGATOR")
"""Aave's price caps stand before a feed and keep its time from sight: these name the feed behind."""


@dataclass(frozen=True, slots=True)
class Ages:
    """How old the answers of feeds are. `known_seconds` is the oldest of those that say, `silent` are the feeds that do not."""

    known_seconds: int | None
    silent: tuple[str, ...]

    @property
    def oldest_seconds(self) -> int | None:
        """The oldest of all: None as long as one of them could be older."""
        return None if self.silent else self.known_seconds

    def silence(self) -> str:
        """Why there is no oldest; empty where no feed is silent."""
        if not self.silent:
            return ""
        return f"the price feed {self.silent[0]} does not say when it answered: how old the prices behind its health are is not known"

    def too_old(self, limit_ms: int) -> str:
        """Why a health that rests on such prices is refused; empty where it is not."""
        if self.known_seconds is None or self.known_seconds * SECOND <= limit_ms:
            return ""
        return f"the oldest price behind its health is {self.known_seconds / 3600:.1f} h old, older than oracle_limit, {limit_ms / HOUR:g} h"


async def answer_ages(reader: BlockPinnedReader, block: Block, feeds: Iterable[str]) -> Ages:
    """How old the answers of these feeds were at a block. BadPayload for an answer out of the future."""
    unique = list(dict.fromkeys(feeds))
    behind = await reader.read_groups(block, {feed: [Call(feed, FEED_ABI, name) for name in ADAPTERS] for feed in unique})
    places = {feed: (feed, *(str(output(answer)) for answer in group if not isinstance(answer, Failed))) for feed, group in behind.items()}
    clocks = {feed: [Call(place, FEED_ABI, name) for place in asked for name in CLOCKS] for feed, asked in places.items()}
    times = {feed: _newest(group) for feed, group in (await reader.read_groups(block, clocks)).items()}
    known = [moment for moment in times.values() if moment is not None]
    now = block.timestamp_ms // SECOND
    if max(known, default=now) > now:
        raise BadPayload("a price feed says that it answered after the block it was read at")
    return Ages(now - min(known) if known else None, tuple(feed for feed, moment in times.items() if moment is None))


def _newest(answers: Iterable[Answer]) -> int | None:
    """When one feed last answered (epoch seconds), by whichever of its clocks it has; 0 is none."""
    said = [answer[3] if len(answer) > 1 else answer[0] for answer in answers if not isinstance(answer, Failed)]
    return max((moment for moment in said if moment > 0), default=None)
