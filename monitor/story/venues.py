"""What each source says at an instant of the grid. The history is what it would have said all along."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from monitor.core.observation import Reading
from monitor.core.units import HOUR
from monitor.story import liquidity, loan, macro, plot
from monitor.story.book import ASSETS, CANDLE, PERP
from monitor.story.paths import paths

HOURS_A_YEAR = 8760
LIQUIDATION_USD = 84_422.11
"""Of the perp: 0.5% of maintenance margin under 36,000 USD and an entry at 108,000."""
BAR_MS = 4 * HOUR
COINS = {"ETH": 1_000_000.0, "BTC": 34_000.0}
VOLUME = {"ETH": 240_000.0, "BTC": 9_000.0}


@dataclass(frozen=True, slots=True)
class Venue:
    """One venue: how often its perps settle, how its funding differs (`off`, `jitter`: fractions a year), its open interest by `COINS`."""

    interval_hours: int
    off: float
    jitter: float
    size: float
    central: bool
    salt: int

    @property
    def interest_ms(self) -> int:
        """How often its open interest is told: with the candles, or with the payments."""
        return BAR_MS if self.central else self.interval_hours * HOUR


VENUES = {
    "binance": Venue(8, 0.0, 0.004, 2.0, True, 1),
    "bybit": Venue(8, 0.004, 0.006, 1.2, True, 2),
    "hyperliquid": Venue(1, -0.008, 0.012, 0.9, False, 3),
    "dydx": Venue(1, -0.012, 0.012, 0.07, False, 4),
}


def says(source: str, at_ms: int) -> list[Reading]:
    """Everything that is new at one source at this instant; empty when nothing is."""
    return list(_SOURCES[source](source, at_ms))


def prices(source: str, at_ms: int) -> Iterator[Reading]:
    """Marks of the centralised venues, prices of the aggregator, and where the first venue liquidates the perp."""
    known = paths()
    row = known.row(at_ms)
    venue = VENUES.get(source)
    if source == "binance":
        yield Reading("position.liquidation_price", PERP, LIQUIDATION_USD, at_ms)
    if venue is None:
        yield Reading("price.usd", "USDC", round(float(known.stable[row]), 6), at_ms)
    for asset in ASSETS if venue is None or venue.central else ():
        metric, salt = ("price.usd", 9) if venue is None else ("perp.mark", venue.salt)
        yield Reading(metric, asset, _cents(float(known.price[asset][row]) * (1 + 0.00015 * _jitter(row, salt))), at_ms)


def open_interest(source: str, at_ms: int) -> Iterator[Reading]:
    known, venue = paths(), VENUES[source]
    row = known.row(at_ms)
    for asset in ASSETS:
        coins = COINS[asset] * venue.size * float(known.leverage[row]) * (1 + 0.002 * _jitter(row, venue.salt))
        yield Reading("open_interest.coins", asset, round(coins, 3), at_ms)
        yield Reading("open_interest.usd", asset, round(coins * float(known.price[asset][row]), 2), at_ms)


def funding(source: str, at_ms: int, known_at: int | None = None) -> Iterator[Reading]:
    """The payment settled at this instant: the mean of what was due since the last one."""
    known, venue = paths(), VENUES[source]
    row, hours = known.row(at_ms), venue.interval_hours
    since = known.row(at_ms - hours * HOUR)
    for asset in ASSETS:
        a_year = float(known.funding[asset][max(0, since) : row + 1].mean()) + venue.off + venue.jitter * _jitter(row, venue.salt)
        yield Reading("funding.rate", asset, round(a_year * hours / HOURS_A_YEAR, 10), at_ms, known_at)
        yield Reading("funding.interval_hours", asset, hours, at_ms, known_at)


def candles(source: str, at_ms: int) -> Iterator[Reading]:
    """The 4 h bars that close at this instant."""
    known, venue = paths(), VENUES[source]
    row, first = known.row(at_ms), known.row(at_ms - BAR_MS)
    scale = 1 + 0.0001 * _jitter(row, venue.salt)
    for asset in ASSETS if first >= 0 else ():
        path = known.price[asset][first : row + 1] * scale
        opened, closed, high, low = float(path[0]), float(path[-1]), float(path.max()), float(path.min())
        wick = 0.2 * (high - low)
        high, low = high + wick * (1 + _jitter(row, 5)) / 2, low - wick * (1 + _jitter(row, 6)) / 2
        volume = VOLUME[asset] * venue.size * (0.6 + 40 * (high / low - 1)) * (1 + 0.2 * _jitter(row, 7))
        values = (*(_cents(price) for price in (opened, high, low, closed)), round(volume, 1))
        for metric, value in zip(CANDLE, values, strict=True):
            yield Reading(metric, asset, value, at_ms - BAR_MS)


def locked(at_ms: int) -> Iterator[Reading]:
    known = paths()
    for subject, path in known.tvl.items():
        yield Reading("tvl.usd", subject, round(float(path[known.row(at_ms)]), 0), at_ms)


def _venue(source: str, at_ms: int) -> Iterator[Reading]:
    venue = VENUES[source]
    yield from prices(source, at_ms)
    if at_ms % venue.interest_ms == 0:
        yield from open_interest(source, at_ms)
    if at_ms % (venue.interval_hours * HOUR) == 0:
        yield from funding(source, at_ms)
    if venue.central and at_ms % BAR_MS == 0:
        yield from candles(source, at_ms)
    if source == plot.DEAD_VENUE and at_ms == plot.HEALS_MS:
        yield from _owed(source)


def _owed(source: str) -> Iterator[Reading]:
    """Payments of the outage, learned of when it ends."""
    for at_ms in range(plot.DEAD_FROM_MS, plot.HEALS_MS, VENUES[source].interval_hours * HOUR):
        yield from funding(source, at_ms, plot.HEALS_MS)


def _aggregator(source: str, at_ms: int) -> Iterator[Reading]:
    yield from prices(source, at_ms)
    if at_ms % HOUR == 0:
        yield from locked(at_ms)


def _agency(source: str, at_ms: int) -> Iterator[Reading]:
    yield from macro.levels(at_ms - 1, at_ms)


_SOURCES: dict[str, Callable[[str, int], Iterator[Reading] | Sequence[Reading]]] = {
    **dict.fromkeys(VENUES, _venue),
    "defillama": _aggregator,
    "uniswap-v3": lambda _, at_ms: liquidity.readings(at_ms),
    "aave-v3": lambda _, at_ms: loan.readings(at_ms),
    "us-calendar": lambda _, at_ms: (),
    "bls": _agency,
}


def _cents(price: float) -> float:
    return round(price, 2)


def _jitter(row: int, salt: int) -> float:
    """A number from -1 to 1 that looks like chance and is not: the same instant of the same source says the same for ever."""
    mixed = (row * 2_654_435_761 + salt * 40_503_001) % 4_294_967_291
    return (mixed * mixed % 1_000_003) / 500_001.5 - 1
