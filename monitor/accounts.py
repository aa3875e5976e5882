"""What the sources of perpetual positions share: which positions are theirs, what contradicts itself, hedges, and positions that are closed.

A position names its source by `venue`. What an account does not hold is a position of size 0, which is a fact and no error; but only where all
that the account holds could be read, else it might be the row that could not.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.core.book import Position, Watch
from monitor.core.observation import Reading
from monitor.core.perpetual import Perpetual, netted
from monitor.core.tokens import underlying
from monitor.errors import BadPayload
from monitor.source import Collector, Harvest

ALL = ("size", "entry_price", "margin_usd", "unrealised_usd", "funding_usd", "maintenance_ratio", "liquidation_price")
# Venues round their figures and take the mark of another moment than the position.
TOLERANCE = 0.005
LEAST_USD = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a venue says of one position: `held` with its margin, USD `mark`, profit at that mark, funding received since it was opened.

    `liquidation_price` is 0 where the venue says that there is none. None is what it does not say.
    """

    held: Perpetual
    mark: float
    unrealised_usd: float
    funding_usd: float | None = None
    maintenance_ratio: float | None = None
    liquidation_price: float | None = None


Account = Mapping[str, Sequence[Held]]
"""All that an account holds, by asset: several where a market is held both ways."""


@dataclass(frozen=True, kw_only=True)
class AccountCollector(Collector):
    """Base of the sources of perpetual positions. `venue` is the name by which positions ask for it; `tells` are the metrics it always brings."""

    venue: ClassVar[str] = ""
    tells: ClassVar[Sequence[str]] = ALL

    @property
    def venues(self) -> tuple[str, ...]:
        """The names that a position's `venue` may have to be read here."""
        return (self.venue,)

    def positions(self, watch: Watch) -> dict[str, list[Position]]:
        """The positions to be read here, by account (for a named account its name)."""
        found: dict[str, list[Position]] = {}
        for position in watch.positions:
            if position.kind == "perp" and position.venue in self.venues and not self.flaw_of(position):
                found.setdefault(account_of(position), []).append(position)
        return found

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """The metrics of each of its positions."""
        ids = [position.id for positions in self.positions(watch).values() for position in positions]
        return frozenset((f"position.{name}", position_id) for position_id in ids for name in self.tells)


def account_of(position: Position) -> str:
    """The account that a position is in, in one spelling: addresses in small letters, the first subaccount without its number."""
    return position.account.lower().removesuffix("/0") or position.venue


def told(
    positions: Sequence[Position],
    account: Account,
    refused: Sequence[str],
    at: int,
    *,
    missing: Mapping[str, str] | None = None,
    others: Iterable[str] = (),
    block_hash: str = "",
) -> Harvest:
    """Readings of each position, all of the instant `at` (epoch milliseconds). `refused` are the reasons of rows that could not be read.

    What is not in the account is closed, and of size 0; where a row was refused nothing can be called closed. `missing` says by asset why the
    venue has no market for it: that is no closed position either. What the account holds and no position names, here or in `others`, is told:
    the book lacks it.
    """
    readings: list[Reading] = []
    rejected = list(refused)
    for position in positions:
        if missing and underlying(position.asset) in missing:
            rejected.append(f"{position.id}: {missing[underlying(position.asset)]}")
            continue
        rows = account.get(underlying(position.asset), ())
        if not rows and refused:
            rejected.append(f"{position.id}: not found, and not all of its account could be read: it is not called closed")
            continue
        try:
            numbers = _numbers(rows)
        except BadPayload as problem:
            rejected.append(f"{position.id}: {problem}")
            continue
        readings += [Reading(f"position.{name}", position.id, value, at, block_hash=block_hash) for name, value in numbers.items()]
    return Harvest(readings, rejected, notes=list(_undeclared(positions, {*account, *others})))


def _undeclared(positions: Sequence[Position], held: Iterable[str]) -> Iterator[str]:
    declared = {underlying(position.asset) for position in positions}
    for asset in sorted(set(held) - declared):
        where = f"{positions[0].venue}: the account of position {positions[0].id}"
        yield f"{where} also holds {asset}, which no position names and the book lacks: add one of the same venue and account with asset: {asset}"


def both_ways(account: Account, positions: Sequence[Position]) -> list[str]:
    """A note for each position that its account holds long and short at once: it is told of as the one that is left of both."""
    notes = []
    for position in positions:
        sizes = [row.held.size for row in account.get(underlying(position.asset), ())]
        if min(sizes, default=0) < 0 < max(sizes, default=0):
            longs, shorts = sum(size for size in sizes if size > 0), -sum(size for size in sizes if size < 0)
            notes.append(f"{position.id}: {longs:g} long and {shorts:g} short are netted")
    return notes


def checked(row: Held) -> Held:
    """The same row. BadPayload where its numbers contradict each other: one of them is wrong, and nobody knows which."""
    held, mark = row.held, row.mark
    numbers = (held.size, held.entry_price, held.margin_usd, mark, row.unrealised_usd)
    if not all(map(math.isfinite, numbers)):
        raise BadPayload("one of its numbers is not finite")
    if held.entry_price <= 0 or mark <= 0:
        raise BadPayload("its entry price or its mark is not above 0")
    if row.maintenance_ratio is not None and not 0 <= row.maintenance_ratio < 1:
        raise BadPayload(f"its maintenance margin is {row.maintenance_ratio:.3g} of its notional")
    if not agrees(row.unrealised_usd, held.unrealised_usd(mark), abs(held.size) * mark):
        raise BadPayload("its profit is not its size times what its mark is above its entry: one of them is wrong")
    return row


def agrees(said_usd: float, made_usd: float, notional_usd: float) -> bool:
    """Whether two figures of a position differ by no more than rounding and a moment do, measured by its notional."""
    return abs(said_usd - made_usd) <= TOLERANCE * notional_usd + LEAST_USD


def _numbers(rows: Sequence[Held]) -> dict[str, float]:
    """The metrics of one position, of all of its rows as one; of none it is closed."""
    if not rows:
        return dict.fromkeys(ALL, 0.0)
    one = netted(row.held for row in rows)
    # The side that is left is the one that can be liquidated; of several rows of it, whichever is nearer.
    left = [row for row in rows if row.held.size * one.size > 0]
    mark = rows[0].mark
    numbers: dict[str, float | None] = {
        "size": one.size,
        "entry_price": one.entry_price,
        "margin_usd": one.margin_usd,
        "unrealised_usd": one.unrealised_usd(mark) if len(rows) > 1 else rows[0].unrealised_usd,
        "funding_usd": _sum([row.funding_usd for row in rows]),
        "maintenance_ratio": _largest([row.maintenance_ratio for row in left]),
        "liquidation_price": _nearest([row.liquidation_price for row in left], one.size),
    }
    return {name: value for name, value in numbers.items() if value is not None}


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _largest(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known, default=0.0) if len(known) == len(values) else None


def _nearest(values: Sequence[float | None], size: float) -> float | None:
    known = [value for value in values if value is not None]
    if len(known) != len(values):
        return None
    named = [value for value in known if value > 0]
    return (max if size > 0 else min)(named, default=0.0)
