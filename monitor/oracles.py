"""How old the answer of a price feed is: a health factor is as good as the prices behind it."""

from collections.abc import Iterable

from monitor.chain import Answer, Block, BlockPinnedReader, Call, Failed, output
from monitor.core.units import HOUR, SECOND
from monitor.errors import BadPayload

FEED_ABI = "price_feed"
CLOCKS = ("latestRoundData", "latestTimestamp")
ADAPTERS = ("ASSET_TO_USD_AGGREGATOR", "BASE_TO_USD_AGGREGATOR")
"""Aave's price caps stand before a feed and keep its time from sight: these name the feed behind."""


async def oldest_answer_seconds(reader: BlockPinnedReader, block: Block, feeds: Iterable[str]) -> int | None:
    """Seconds since the one of these feeds that has been silent longest last answered; None where none of them says when.

    BadPayload for an answer out of the future.
    """
    unique = list(dict.fromkeys(feeds))
    behind = await reader.read_groups(block, {feed: [Call(feed, FEED_ABI, name) for name in ADAPTERS] for feed in unique})
    places = {feed: (feed, *(str(output(answer)) for answer in group if not isinstance(answer, Failed))) for feed, group in behind.items()}
    clocks = {feed: [Call(place, FEED_ABI, name) for place in asked for name in CLOCKS] for feed, asked in places.items()}
    times = [_newest(group) for group in (await reader.read_groups(block, clocks)).values()]
    known = [moment for moment in times if moment is not None]
    if not known:
        return None
    now = block.timestamp_ms // SECOND
    if max(known) > now:
        raise BadPayload("a price feed says that it answered after the block it was read at")
    return now - min(known)


def too_old(age_seconds: int | None, limit_ms: int) -> str:
    """Why a health that rests on such a price is refused; empty where it is not."""
    if age_seconds is None or age_seconds * SECOND <= limit_ms:
        return ""
    return f"the oldest price behind its health is {age_seconds / 3600:.1f} h old, older than oracle_limit, {limit_ms / HOUR:g} h"


def _newest(answers: Iterable[Answer]) -> int | None:
    """When one feed last answered (epoch seconds), by whichever of its clocks it has; 0 is none."""
    said = [answer[3] if len(answer) > 1 else answer[0] for answer in answers if not isinstance(answer, Failed)]
    return max((moment for moment in said if moment > 0), default=None)
