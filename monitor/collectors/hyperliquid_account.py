"""Perpetual positions on Hyperliquid, by the account's public address: no key is needed to see them.

API: https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint/perpetuals (`clearinghouseState`, `meta`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from monitor.accounts import AccountCollector, Held, agrees, checked, told
from monitor.core.book import Position, Watch
from monitor.core.decode import field, items, number, text, whole
from monitor.core.endpoint import at_endpoint
from monitor.core.perpetual import Perpetual
from monitor.core.tokens import underlying
from monitor.core.units import MINUTE, Duration
from monitor.errors import BadPayload
from monitor.source import Harvest, Ports, each

API = "https://api.hyperliquid.xyz/info"
MOST_LEVERAGE = 1000


@dataclass(frozen=True, kw_only=True)
class HyperliquidAccount(AccountCollector):
    """Positions with `venue: hyperliquid` and an `account`, on the main exchange (those of builders' exchanges are not read).

    The margin of a cross position is what the venue sets aside for it; more may stand on the account. Its maintenance margin is half of the
    initial one at the highest leverage of the asset, as the venue documents it; larger positions' margin tiers are left aside, the
    liquidation price is the venue's own and knows of them.
    """

    title: ClassVar[str] = "Hyperliquid account"
    homepage: ClassVar[str] = "https://app.hyperliquid.xyz"
    venue: ClassVar[str] = "hyperliquid"

    cadence: Duration = MINUTE

    def flaw_of(self, position: Position) -> str:
        """An address is needed."""
        known = re.fullmatch("0x[0-9a-fA-F]{40}", position.account)
        return "" if known else "a position on hyperliquid needs `account`, the address that holds it: 0x and 40 hexadecimal digits"

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """The markets, then each account; one that cannot be read does not take the others with it."""
        accounts = self.positions(watch)
        if not accounts:
            return Harvest()
        markets = parse_markets(await self._ask(ports, {"type": "meta"}))
        return await each(partial(self._account, ports, markets, account, positions) for account, positions in accounts.items())

    async def _account(self, ports: Ports, markets: frozenset[str], account: str, positions: Sequence[Position]) -> Harvest:
        body = await self._ask(ports, {"type": "clearinghouseState", "user": account})
        return parse(body, markets, positions)

    async def _ask(self, ports: Ports, question: dict[str, str]) -> object:
        return await ports.net.post_json(at_endpoint(self.endpoint, API), question)


def parse_markets(body: object) -> frozenset[str]:
    """The names of all listed markets."""
    return frozenset(text(market, "name") for market in items(body, "universe"))


def parse(body: object, markets: frozenset[str], positions: Sequence[Position]) -> Harvest:
    """Readings of the positions of one account, at the time that the answer gives for itself. BadPayload where it contradicts its own total."""
    account: dict[str, list[Held]] = {}
    refused: list[str] = []
    notional_usd = 0.0
    for place, row in enumerate(items(body, "assetPositions")):
        try:
            coin = text(row, "position", "coin")
            if coin not in markets:
                raise BadPayload(f"{coin[:20]!a} is no listed market")
            value_usd = number(row, "position", "positionValue")
            account.setdefault(coin, []).append(parse_row(field(row, "position", kind=dict)))
            notional_usd += value_usd
        except BadPayload as problem:
            refused.append(f"hyperliquid: row {place + 1} of the account: {problem}")
    total_usd = number(body, "marginSummary", "totalNtlPos")
    if not refused and not agrees(total_usd, notional_usd, notional_usd):
        raise BadPayload(f"the account's positions are worth {notional_usd:,.2f} USD together, its own total says {total_usd:,.2f}: rows are missing")
    missing = {asset: f"no market of {asset} here" for asset in (underlying(p.asset) for p in positions) if asset not in markets}
    return told(positions, account, refused, whole(body, "time"), missing=missing)


def parse_row(row: dict[str, object]) -> Held:
    """One position. Its funding is told as paid (positive: a cost), ours is received."""
    size, entry, value_usd = number(row, "szi"), number(row, "entryPx"), number(row, "positionValue")
    if size == 0 or value_usd <= 0:
        raise BadPayload("a position without a size or a value")
    mark, profit_usd = value_usd / abs(size), number(row, "unrealizedPnl")
    used_usd = number(row, "marginUsed")
    if text(row, "leverage", "type") == "isolated":
        # What an isolated position has used includes its profit; what was borrowed for it says the same.
        if not agrees(used_usd, number(row, "leverage", "rawUsd") + size * mark, value_usd):
            raise BadPayload("its margin is not what its value leaves after what was borrowed for it")
        used_usd -= profit_usd
    elif text(row, "leverage", "type") != "cross" or not 0 <= used_usd <= value_usd:
        raise BadPayload("its margin is neither isolated nor a share of its value")
    most = number(row, "maxLeverage")
    if not 1 <= most <= MOST_LEVERAGE:
        raise BadPayload(f"a leverage of {most:g} is none that is allowed")
    edge = 0.0 if field(row, "liquidationPx", kind=object) is None else number(row, "liquidationPx")
    return checked(
        Held(
            held=Perpetual(size, entry, used_usd),
            mark=mark,
            unrealised_usd=profit_usd,
            funding_usd=-number(row, "cumFunding", "sinceOpen"),
            maintenance_ratio=1 / (2 * most),
            liquidation_price=edge,
        )
    )
