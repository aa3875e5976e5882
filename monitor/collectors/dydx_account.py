"""Perpetual positions on dYdX v4, by address and subaccount, from the public indexer.

API: https://docs.dydx.xyz/indexer-client/http (`/v4/addresses/{address}/subaccountNumber/{number}`, `/v4/perpetualMarkets`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from monitor.accounts import AccountCollector, Held, agrees, checked, told
from monitor.core.book import Position, Watch
from monitor.core.decode import field, number, text
from monitor.core.endpoint import at_endpoint
from monitor.core.perpetual import Perpetual, backing_usd, liquidation_price
from monitor.core.tokens import underlying
from monitor.core.units import MINUTE, Duration
from monitor.errors import BadPayload
from monitor.source import Harvest, Ports, each

API = "https://indexer.dydx.trade/v4"
ACCOUNT = re.compile(r"(dydx1[a-z0-9]{38})(?:/(0|[1-9][0-9]{0,5}))?")


@dataclass(frozen=True, slots=True)
class Market:
    """USD `oracle` price; margins as shares of the notional."""

    oracle: float
    initial: float
    maintenance: float


@dataclass(frozen=True, kw_only=True)
class DydxAccount(AccountCollector):
    """Positions with `venue: dydx` and an `account`: the address, and `/1` for another subaccount than 0 (isolated markets have one of their own).

    All positions of a subaccount are margined together. The margin of one is what the market asks for at first; more may stand there. The
    indexer names no liquidation price: it is where the subaccount's equity is its maintenance margin, all other prices as they are.
    """

    title: ClassVar[str] = "dYdX account"
    homepage: ClassVar[str] = "https://dydx.trade"
    venue: ClassVar[str] = "dydx"

    cadence: Duration = MINUTE

    def flaw_of(self, position: Position) -> str:
        """A dYdX address is needed."""
        known = ACCOUNT.fullmatch(position.account)
        return "" if known else "a position on dydx needs `account`, the address that holds it: dydx1 and 38 characters, then /1 for subaccount 1"

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """The markets, then each subaccount; one that cannot be read does not take the others with it."""
        accounts = self.positions(watch)
        if not accounts:
            return Harvest()
        at = ports.clock.now_ms()
        markets = parse_markets(await ports.net.get_json(at_endpoint(self.endpoint, f"{API}/perpetualMarkets")))
        return await each(partial(self._account, ports, markets, account, positions, at) for account, positions in accounts.items())

    async def _account(self, ports: Ports, markets: Mapping[str, Market | str], account: str, positions: Sequence[Position], at: int) -> Harvest:
        address, _, subaccount = account.partition("/")
        url = f"{API}/addresses/{address}/subaccountNumber/{subaccount or 0}"
        return parse(await ports.net.get_json(at_endpoint(self.endpoint, url)), markets, positions, at)


def parse_markets(body: object) -> dict[str, Market | str]:
    """Each market by its ticker; of one that cannot be read the reason, since most of them are nobody's."""
    found: dict[str, Market | str] = {}
    for ticker, row in field(body, "markets", kind=dict).items():
        try:
            if text(row, "ticker") != ticker:
                raise BadPayload("it is listed under the name of another market")
            market = Market(*(number(row, name) for name in ("oraclePrice", "initialMarginFraction", "maintenanceMarginFraction")))
            if not (0 < market.maintenance <= market.initial <= 1 and market.maintenance < 1 and market.oracle > 0):
                raise BadPayload("its margins or its price are none that a market can have")
            found[ticker] = market
        except BadPayload as problem:
            found[ticker] = str(problem)
    return found


def parse(body: object, markets: Mapping[str, Market | str], positions: Sequence[Position], at: int) -> Harvest:
    """Readings of the positions of one subaccount. BadPayload where its parts are not its equity: then rows are missing, or wrong."""
    account = field(body, "subaccount", kind=dict)
    rows: dict[str, Held] = {}
    refused: list[str] = []
    for ticker, row in field(account, "openPerpetualPositions", kind=dict).items():
        try:
            rows[ticker] = parse_row(ticker, row, markets)
        except BadPayload as problem:
            refused.append(f"dydx: {str(ticker)[:20]!a}: {problem}")
    equity = number(account, "equity")
    gross_usd = sum(abs(row.held.size) * row.mark for row in rows.values())
    parts_usd = _dollars(account) + sum(row.held.size * row.mark for row in rows.values())
    if not refused and not agrees(equity, parts_usd, gross_usd):
        raise BadPayload(
            f"the subaccount's positions and dollars make {parts_usd:,.2f} USD, its own equity says {equity:,.2f}: rows are missing or wrong"
        )
    held = {} if refused else {ticker.removesuffix("-USD"): [_with_edge(ticker, rows, equity)] for ticker in rows}
    found = {asset: markets.get(f"{asset}-USD", "no such market here") for asset in (underlying(p.asset) for p in positions)}
    missing = {asset: f"{asset}-USD: {market}" for asset, market in found.items() if isinstance(market, str)}
    return told(positions, held, refused, at, missing=missing)


def parse_row(ticker: str, row: object, markets: Mapping[str, Market | str]) -> Held:
    """One position at the oracle's price, without its liquidation price, which is the whole subaccount's."""
    market = markets.get(ticker, "no such market here")
    if isinstance(market, str):
        raise BadPayload(market)
    if text(row, "market") != ticker or text(row, "status") != "OPEN":
        raise BadPayload("it is of another market, or not open")
    size, side = number(row, "size"), text(row, "side")
    if (side, size > 0) not in (("LONG", True), ("SHORT", False)) or size == 0:
        raise BadPayload(f"it is {side[:10]!a} with a size of {size:g}")
    margin_usd = abs(size) * market.oracle * market.initial
    return checked(
        Held(
            held=Perpetual(size, number(row, "entryPrice"), margin_usd),
            mark=market.oracle,
            unrealised_usd=number(row, "unrealizedPnl"),
            funding_usd=number(row, "netFunding"),
            maintenance_ratio=market.maintenance,
        )
    )


def _dollars(account: object) -> float:
    """The subaccount's USDC, negative where it is owed."""
    held = field(account, "assetPositions", kind=dict)
    if "USDC" not in held:
        return 0.0
    size, side = number(held, "USDC", "size"), text(held, "USDC", "side")
    if side not in ("LONG", "SHORT") or size < 0:
        raise BadPayload("its USDC has no side or a size below 0")
    return size if side == "LONG" else -size


def _with_edge(ticker: str, rows: Mapping[str, Held], equity: float) -> Held:
    row = rows[ticker]
    ratios = {name: one.maintenance_ratio or 0.0 for name, one in rows.items()}
    others_usd = sum(abs(one.held.size) * one.mark * ratios[name] for name, one in rows.items() if name != ticker)
    backing = backing_usd(equity, row.held.unrealised_usd(row.mark), others_usd)
    edge = liquidation_price(replace(row.held, margin_usd=backing), ratios[ticker])
    return replace(row, liquidation_price=edge or 0.0)
