"""Bybit linear perpetuals and spot (https://bybit-exchange.github.io/docs/v5/market/tickers)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from monitor.venues import CcxtVenue
from monitor.venues.desk import Desk


@dataclass(frozen=True, kw_only=True)
class Bybit(CcxtVenue):
    """Everything about a market's present state stands in its ticker, its interval in hours included."""

    title: ClassVar[str] = "Bybit"
    homepage: ClassVar[str] = "https://www.bybit.com"
    exchange_id: ClassVar[str] = "bybit"
    spot_currency: ClassVar[str] = "USDT"
    spot_by_symbol: ClassVar[bool] = True
    quote_fields: ClassVar[Mapping[str, str]] = {
        "funding.predicted": "fundingRate",
        "perp.mark": "markPrice",
        "perp.index": "indexPrice",
        "open_interest.coins": "openInterest",
        "open_interest.usd": "openInterestValue",
    }
    dated_quotes: ClassVar[bool] = True
    interval_field: ClassVar[str] = "fundingIntervalHour"
    funding_page: ClassVar[int] = 200

    async def quotes(self, desk: Desk, symbols: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """One ticker at a time: asked for two, ccxt fetches all 600."""
        joined: dict[str, Mapping[str, Any]] = {}
        for symbol in symbols:
            joined.update(await desk.ask(f"{symbol}: ticker", partial(desk.exchange.fetch_funding_rates, [symbol])))
        return joined
