"""The story as a daemon meets it: what is known when it starts, then one scene after another. Only a feed knows that it is one.

It is a stylised stress of about ten days. TVL of Ethereum bleeds while ETH falls in two waves and funding turns; RSI recovers into the
hours before a CPI print, whose blackout refuses the signal; the print is rising, so the protective layer is proposed; a venue dies and
heals; it grows calm.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from monitor.core.observation import Reading
from monitor.core.units import DAY, HOUR
from monitor.source import Harvest
from monitor.story import loan, macro, plot, venues
from monitor.story.book import CADENCES_MS, config_text, settings, sources, watch

START_MS, END_MS = plot.START_MS, plot.END_MS
RECENT_MS = 3 * DAY
"""How much of the fast series (prices, open interest, the positions) the history holds."""
CHARTED_MS = 14 * DAY
"""How far back prices go by the hour, so that price and TVL are drawn over the same days."""
RATED_MS = 31 * DAY
"""How far back the rates of the loan go, so that a rise of them can be judged."""

__all__ = ["END_MS", "START_MS", "Scene", "config_text", "history", "scenes", "settings", "sources", "watch"]


@dataclass(frozen=True, slots=True)
class Scene:
    """One pass of one source at an instant of the story (epoch milliseconds): its harvest, or why there was none."""

    at_ms: int
    source: str
    harvest: Harvest | None
    failure: str = ""


def history() -> list[tuple[str, list[Reading]]]:
    """Source by source what was known before the story starts; all of it may be received at `START_MS`.

    125 days of TVL, candles and funding, 26 months of prints, a month of lending rates, 3 days of prices, open interest and positions.
    """
    return [(name, list(_past(name))) for name in CADENCES_MS]


def scenes() -> Iterator[Scene]:
    """All passes of all sources after `START_MS` and up to `END_MS`, in the order of time."""
    for at_ms in range(START_MS + plot.STEP_MS, END_MS + 1, plot.STEP_MS):
        for source, cadence_ms in CADENCES_MS.items():
            if at_ms % cadence_ms == 0 or (source == "bls" and at_ms in (plot.CPI_PRINT_MS, plot.PPI_PRINT_MS)):
                yield _scene(at_ms, source)


def _scene(at_ms: int, source: str) -> Scene:
    if source == plot.DEAD_VENUE and plot.DEAD_FROM_MS <= at_ms < plot.HEALS_MS:
        return Scene(at_ms, source, None, plot.DEATH)
    return Scene(at_ms, source, Harvest(venues.says(source, at_ms)))


def _past(source: str) -> Iterator[Reading]:
    if source == "us-calendar":
        yield from macro.calendar()
    elif source == "bls":
        yield from macro.levels(0, START_MS)
    elif source in ("uniswap-v3", "aave-v3"):
        for at_ms in range(START_MS - RATED_MS, START_MS - RECENT_MS, HOUR) if source == "aave-v3" else ():
            yield from loan.rates(at_ms)
        for at_ms in range(START_MS - RECENT_MS, START_MS + 1, plot.STEP_MS):
            yield from venues.says(source, at_ms)
    else:
        yield from _slow(source)
        for at_ms in range(START_MS - CHARTED_MS, START_MS - RECENT_MS, HOUR):
            yield from venues.prices(source, at_ms)
        for at_ms in range(START_MS - RECENT_MS, START_MS + 1, plot.STEP_MS):
            yield from venues.prices(source, at_ms)
            if source in venues.VENUES and at_ms % venues.VENUES[source].interest_ms == 0:
                yield from venues.open_interest(source, at_ms)


def _slow(source: str) -> Iterator[Reading]:
    venue = venues.VENUES.get(source)
    for at_ms in range(plot.HISTORY_MS + DAY, START_MS + 1, HOUR):
        if venue is None:
            yield from venues.locked(at_ms)
        elif at_ms % (venue.interval_hours * HOUR) == 0:
            yield from venues.funding(source, at_ms)
        if venue is not None and venue.central and at_ms % venues.BAR_MS == 0:
            yield from venues.candles(source, at_ms)
