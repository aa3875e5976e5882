"""What is said of a position: its worth now, and how it stands. One file of core/positions/ makes these for each kind."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from monitor.core.book import Position
from monitor.core.exposure import Exposure
from monitor.core.tokens import STABLES
from monitor.core.verdict import Evidence, Unknown
from monitor.core.view import View


@dataclass(frozen=True, slots=True)
class Valuation:
    """A position at now, at the prices that may decide. `value_usd` is its equity: what closing it would bring.

    `amounts` is by asset in coins (negative: owed or short) and `delta_usd` what they are worth; `exposure` says the same as a function of
    prices; `exact` holds the chain's own integers where there are any, all of the block `block_hash`.
    `basis` says in words how it was priced, where there is more than one way.
    """

    value_usd: float
    amounts: Mapping[str, float]
    delta_usd: Mapping[str, float]
    exposure: Exposure
    exact: Mapping[str, int] = field(default_factory=dict)
    block_hash: str = ""
    basis: str = ""

    @property
    def risk_asset(self) -> str:
        """The asset, stablecoins left out, with the largest delta in USD. Raises Unknown for a position of stablecoins alone."""
        risky = {asset: abs(usd) for asset, usd in self.delta_usd.items() if asset not in STABLES}
        if not risky:
            raise Unknown("stable", "the position holds stablecoins alone: there is no price risk to hedge")
        return max(sorted(risky), key=lambda asset: risky[asset])


@dataclass(frozen=True, slots=True)
class Fees:
    """Fees of an LP in USD at today's prices: not collected yet, and earned over the last 30 days with the hours in range behind them."""

    uncollected_usd: float
    earned_usd: float | None = None
    in_range_hours: float | None = None
    annual_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """Where the price stands in an LP's range, in `unit`, such as "USDC per ETH": turned so that a stablecoin is what one counts in.

    `since` is when it left, epoch milliseconds.
    """

    state: Literal["inside", "below", "above"]
    lower: float
    upper: float
    price: float
    unit: str = ""
    since: int | None = None
    out_hours: float | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """Impermanent loss: LP, fees left out, minus the amounts that were put in. `ratio` is of the latter's worth; `basis` says what they were."""

    usd: float
    ratio: float
    basis: str


@dataclass(frozen=True, slots=True)
class Carry:
    """USD a year at today's rates, positive when received: funding of perpetuals, interest on what is supplied and on what is owed."""

    funding_usd: float | None = None
    supplied_usd: float | None = None
    owed_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Liquidation:
    """The price of one asset, all others as they are, at which a position is liquidated; `sigmas` how many 7-day sigmas away."""

    asset: str
    price_usd: float
    side: Literal["below", "above"]
    distance: float
    sigmas: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a position stands beyond its worth. What does not apply is None; what applies and cannot be said is in `unknown`, by name."""

    fees: Fees | None = None
    range: Range | None = None
    loss: Loss | None = None
    carry: Carry | None = None
    health_factor: float | None = None
    liquidations: tuple[Liquidation, ...] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)


def newest(view: View, metric: str, position: Position, *, fresh: bool = True) -> Evidence:
    """The newest value of a position's own metric, of the source that spoke last: another may have read what had this id before.

    Raises Unknown where it was never read, or (if `fresh` is asked) not lately.
    """
    sources = view.sources(metric, position.id)
    if not sources:
        raise Unknown("missing", f"the state of position {position.id} was not read yet")
    last = max(sources, key=lambda source: _spoke(view, metric, position, source)) if len(sources) > 1 else sources[0]
    return view.newest(metric, position.id, last, fresh=fresh)


def _spoke(view: View, metric: str, position: Position, source: str) -> int:
    """When a source last said it; 0 where that time is still to come."""
    try:
        return view.newest(metric, position.id, source, fresh=False).at
    except Unknown:
        return 0


def of_one_block(points: Iterable[Evidence], what: str) -> tuple[str, int]:
    """The block hash and the time that all points share. Raises Unknown where they are of several blocks, instants or sources."""
    read = {(point.source, point.block_hash, point.at) for point in points}
    if len(read) != 1:
        raise Unknown("mixed", f"{what} come from more than one block, instant or source")
    [(_, block_hash, at)] = read
    return block_hash, at
