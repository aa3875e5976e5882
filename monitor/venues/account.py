"""The positions of one account at one venue, by an API key that can only read, through an unmodified ccxt class."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TypeVar

from monitor.clock import Clock
from monitor.core.decode import items
from monitor.core.secret import Secret
from monitor.core.units import DAY, SECOND
from monitor.errors import BadPayload, SourceError
from monitor.venues.desk import Desk, Market, known_exchanges
from monitor.venues.keys import PERMISSIONS, refusal
from monitor.venues.positions import WAYS, Listed, Rows, Ways

T = TypeVar("T")
MOST_ROWS = 200
# ccxt writes every request with its headers, and so the key, into its log at debug level.
_SILENT = logging.Logger("ccxt of an account", logging.CRITICAL + 1)


@dataclass(frozen=True, kw_only=True)
class Account:
    """One account: `venue` is the exchange's name in ccxt, `passphrase` is for venues that ask for one (OKX). `settle` is the dollar coin in
    which its perpetuals are margined. The key must only be able to read.
    """

    venue: str
    api_key: Secret
    secret: Secret
    passphrase: Secret = field(default_factory=lambda: Secret(""))
    settle: str = "USDT"

    def __post_init__(self) -> None:
        if not (self.venue.isascii() and self.venue.isalnum() and self.venue == self.venue.lower()):
            raise ValueError("venue: write the exchange as ccxt spells it, in small letters, such as binance, bybit or okx")
        if self.settle not in ("USDT", "USDC", "USD"):
            raise ValueError("settle: write USDT, USDC or USD; perpetuals that are margined in the coin itself are not supported")

    def symbol(self, asset: str) -> str:
        """ccxt's symbol of an asset's linear perpetual."""
        return f"{asset}/{self.settle}:{self.settle}"


class AccountDesk:
    """A connection with a key. Belongs to the event loop it was opened in."""

    def __init__(self, name: str, account: Account, desk: Desk) -> None:
        self.account = account
        self._name = name
        self._desk = desk
        self._listed: Mapping[str, Listed] = {}
        self._listed_until = 0.0
        self._parse_json = desk.exchange.parse_json
        self._answer: object = None

    @staticmethod
    async def open(name: str, account: Account, session: object, endpoint: str) -> "AccountDesk":
        """SourceError (permanent) for a venue that ccxt does not know, or whose positions it cannot read."""
        exchanges = await known_exchanges()
        if account.venue not in exchanges:
            close = get_close_matches(account.venue, exchanges, 1)
            raise SourceError(f"{name}: ccxt knows no venue {account.venue!r}" + (f"; did you mean {close[0]}?" if close else ""), permanent=True)
        desk = await Desk.open(account.venue, session, endpoint)
        exchange = desk.exchange
        if not exchange.has.get("fetchPositions"):
            raise SourceError(f"{name}: ccxt cannot read the positions of {account.venue}: declare them", permanent=True)
        exchange.logger = _SILENT
        exchange.apiKey, exchange.secret = account.api_key.reveal(), account.secret.reveal()
        if account.passphrase:
            exchange.password = account.passphrase.reveal()
        exchange.options["defaultSettle"] = account.settle
        return AccountDesk(name, account, desk)

    async def verify_key(self) -> bool:
        """Whether the venue says that the key can only read; False where it does not tell. SourceError (permanent) for a key that may do more."""
        permissions = _known(self._desk.exchange, PERMISSIONS)
        if permissions is None:
            return False
        what = f"{self._name}: what its key may do"
        body = await self._desk.ask(what, getattr(self._desk.exchange, permissions.method))
        try:
            rights = permissions.beyond_reading(body)
        except BadPayload as problem:
            raise BadPayload(f"{what}: {problem}") from None
        if rights:
            raise SourceError(refusal(self._name, self.account.venue, rights), permanent=True)
        return True

    async def positions(self, clock: Clock) -> Rows:
        """All positions of the account. BadPayload where there may be more of them than one answer holds."""
        await self._load(clock)
        ways, exchange = self.ways, self._desk.exchange
        exchange.parse_json = self._noted
        try:
            rows = await self._desk.ask(f"{self._name}: positions", lambda: exchange.fetch_positions(None, dict(ways.parameters)))
            self._must_be_all(rows)
        finally:
            exchange.parse_json, self._answer = self._parse_json, None
        if len(rows) >= MOST_ROWS:
            raise BadPayload(f"{self._name}: {len(rows)} positions in one answer: there may be more, which are not read")
        return Rows(rows, self._listed)

    def _noted(self, body: str) -> object:
        self._answer = self._parse_json(body)
        return self._answer

    def _must_be_all(self, rows: Sequence[object]) -> None:
        """ccxt takes a body that it does not know for an empty account, and all positions would be closed: its rows are counted."""
        if self.ways.rows is None:
            return
        try:
            count = len(items(self._answer, *self.ways.rows))
        except BadPayload as problem:
            raise BadPayload(f"{self._name}: positions: {problem}") from None
        if count != len(rows):
            raise BadPayload(f"{self._name}: {count} positions were answered, ccxt could read {len(rows)}")

    @property
    def ways(self) -> Ways:
        """How this venue is asked; its regional and partial sisters in ccxt (`binanceusdm`, `myokx`) are asked like it."""
        return _known(self._desk.exchange, WAYS) or Ways()

    async def _load(self, clock: Clock) -> None:
        """The venue's markets, for a day."""
        if clock.monotonic() < self._listed_until:
            return
        exchange = self._desk.exchange
        if self.ways.types:
            exchange.options.setdefault("fetchMarkets", {})["types"] = list(self.ways.types)
        told: Sequence[Market | None] = await self._desk.ask(f"{self._name}: markets", exchange.fetch_markets)
        markets = [market for market in told if market is not None and market.get("swap")]
        if not markets:
            raise BadPayload(f"{self._name}: no perpetual is listed at {self.account.venue}")
        exchange.set_markets(markets)
        listed = {name: _listing(market) for market in markets for name in (str(market.get("symbol")), str(market.get("id")))}
        self._listed, self._listed_until = listed, clock.monotonic() + DAY / SECOND

    async def close(self) -> None:
        """Let go of ccxt."""
        await self._desk.close()


def _known(exchange: object, table: Mapping[str, T]) -> T | None:
    """What a table says of an exchange or of the one that its class is made from."""
    return next((table[cls.__name__] for cls in type(exchange).__mro__ if cls.__name__ in table), None)


def _listing(market: Market) -> Listed:
    return Listed(str(market.get("symbol")), str(market.get("base")), market.get("linear") is True)
