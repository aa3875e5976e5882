"""Perpetual positions on centralised venues, by an API key that can only read (https://docs.ccxt.com/#/?id=positions).

The monitor must hold no key that can move funds: where the venue says what a key may do (Binance, Bybit, OKX), one that may do more than read
is refused on every pass; where it does not, `check` and the log say so.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from monitor.accounts import AccountCollector, both_ways, told
from monitor.core.book import Position, Watch
from monitor.core.tokens import underlying
from monitor.core.units import MINUTE, Duration
from monitor.core.vocabulary import POSITION
from monitor.errors import SourceError
from monitor.source import Harvest, Ports, side_by_side
from monitor.venues import LibrarySessions
from monitor.venues.account import Account, AccountDesk
from monitor.venues.positions import parse


@dataclass(frozen=True, kw_only=True)
class VenueAccount(AccountCollector):
    """`accounts` by the name that positions write as their `venue`.

    The margin of a cross position is what the venue sets aside for it; its liquidation price is the venue's own. Funding since the opening is
    not told. Positions that are margined in the coin itself are refused.
    """

    title: ClassVar[str] = "Accounts by API key"
    homepage: ClassVar[str] = "https://docs.ccxt.com"
    tells: ClassVar[Sequence[str]] = ("size", "entry_price", "margin_usd", "unrealised_usd")

    cadence: Duration = MINUTE
    accounts: Mapping[str, Account] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if bad := [name for name in self.accounts if re.fullmatch(POSITION, name) is None]:
            raise ValueError(f"accounts: {bad[0][:60]!r} cannot be a name: write small letters, digits and dashes")

    @property
    def venues(self) -> tuple[str, ...]:
        """The accounts' names."""
        return tuple(self.accounts)

    def flaw_of(self, position: Position) -> str:
        """The account is the venue's name, so there is no other."""
        return f"`venue: {position.venue}` already names the account; delete `account`" if position.account else ""

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """Every account with a position, side by side; one that cannot be read does not take the others with it."""
        passes = self.positions(watch)
        return await side_by_side({name: self._harvest(ports, name, positions) for name, positions in passes.items()})

    async def probe(self, ports: Ports, watch: Watch) -> str:
        """What each account holds, what its key may do, and what is held both ways."""
        lines: list[str] = []

        async def one(name: str, positions: Sequence[Position]) -> Harvest:
            harvest, notes = await self._read(ports, name, positions)
            lines.append(f"{name}: {', '.join(notes)}")
            return harvest

        harvest = await side_by_side({name: one(name, positions) for name, positions in self.positions(watch).items()})
        self.must_be_sound(harvest, ports)
        return "; ".join(sorted(lines)) + harvest.warnings

    async def close(self) -> None:
        """Let go of every connection."""
        vars(self).pop("_opening", None)
        for desk in vars(self).pop("_desks", {}).values():
            await desk.close()

    async def _harvest(self, ports: Ports, name: str, positions: Sequence[Position]) -> Harvest:
        harvest, _ = await self._read(ports, name, positions)
        return harvest

    async def _read(self, ports: Ports, name: str, positions: Sequence[Position]) -> tuple[Harvest, list[str]]:
        desk, at = await self._desk(ports, name), ports.clock.now_ms()
        only_reads = await desk.verify_key()
        found = await desk.positions(ports.clock)
        venue = desk.account.venue
        symbols = {asset: desk.account.symbol(asset) for asset in (underlying(position.asset) for position in positions)}
        account, refused, others = parse(found, desk.ways, frozenset(symbols.values()))
        missing = {asset: f"no market {symbol} at {venue}" for asset, symbol in symbols.items() if symbol not in found.listed}
        harvest = told(positions, account, [f"{name}: {reason}" for reason in refused], at, missing=missing, others=others)
        if not only_reads:
            harvest = replace(harvest, notes=[*harvest.notes, f"{name}: {venue} does not tell whether its key can only read"])
        held = sum(underlying(position.asset) in account for position in positions)
        key = ["its key can only read"] if only_reads else []
        return harvest, [f"{held} of {len(positions)} positions are held at {venue}", *key, *both_ways(account, positions)]

    async def _desk(self, ports: Ports, name: str) -> AccountDesk:
        if not isinstance(ports.net, LibrarySessions):
            raise SourceError(f"{name}: this net lends no sessions, and ccxt needs one", permanent=True)
        # Not fields: settings are what the schema is made of, a connection is not one.
        desks: dict[str, AccountDesk] = vars(self).setdefault("_desks", {})
        async with vars(self).setdefault("_opening", asyncio.Lock()):
            if name not in desks:
                desks[name] = await AccountDesk.open(name, self.accounts[name], ports.net.client_session(), self.endpoint)
        return desks[name]
