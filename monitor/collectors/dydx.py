"""dYdX v4 perpetuals (https://docs.dydx.xyz/indexer-client/http)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from monitor.core.units import iso
from monitor.venues import CcxtVenue
from monitor.venues.desk import Desk


@dataclass(frozen=True, kw_only=True)
class Dydx(CcxtVenue):
    """The market list is also the list of quotes; it carries no time and an oracle price instead of a mark.

    Funding is paid every hour (https://docs.dydx.xyz/concepts/trading/funding) and no field says so.
    """

    title: ClassVar[str] = "dYdX"
    homepage: ClassVar[str] = "https://dydx.trade"
    exchange_id: ClassVar[str] = "dydx"
    currency: ClassVar[str] = "USDC"
    market_type: ClassVar[str] = "swap"
    quote_fields: ClassVar[Mapping[str, str]] = {
        "funding.predicted": "nextFundingRate",
        "perp.index": "oraclePrice",
        "open_interest.coins": "openInterest",
    }
    settled_field: ClassVar[str] = "rate"
    table_hours: ClassVar[float | None] = 1.0
    funding_page: ClassVar[int] = 100
    candle_page: ClassVar[int] = 100

    def candle_window(self, from_ms: int, last_ms: int) -> Mapping[str, int | str]:
        """By their documented names: ccxt writes them in another case, which the indexer passes over."""
        return {"fromISO": iso(from_ms), "toISO": iso(last_ms)}

    async def quotes(self, desk: Desk, symbols: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """ccxt has no bulk of rates here: the raw rows of the market list say the same."""
        markets = await desk.ask("quotes", desk.exchange.fetch_markets)
        return {market["symbol"]: market for market in markets if market.get("symbol") in symbols}
