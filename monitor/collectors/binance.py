"""Binance USD-margined perpetuals and spot (https://developers.binance.com/docs/derivatives/usds-margined-futures)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from monitor.errors import BadPayload
from monitor.venues import CcxtVenue
from monitor.venues.desk import Desk


@dataclass(frozen=True, kw_only=True)
class Binance(CcxtVenue):
    """`lastFundingRate` of premiumIndex is, despite its name, the running estimate for the next settlement.

    fundingInfo lists only the markets whose cap, floor or interval was ever adjusted: for the others the spacing of settlements tells it.
    """

    title: ClassVar[str] = "Binance"
    homepage: ClassVar[str] = "https://www.binance.com/en/futures"
    exchange_id: ClassVar[str] = "binance"
    spot_currency: ClassVar[str] = "USDT"
    spot_by_symbol: ClassVar[bool] = True
    quote_fields: ClassVar[Mapping[str, str]] = {
        "funding.predicted": "lastFundingRate",
        "perp.mark": "markPrice",
        "perp.index": "indexPrice",
        "open_interest.coins": "openInterest",
    }
    dated_quotes: ClassVar[bool] = True
    interval_field: ClassVar[str] = "fundingIntervalHours"
    funding_page: ClassVar[int] = 1000

    async def quotes(self, desk: Desk, symbols: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """Three answers joined by market: premium index, open interest, interval. One market at a time: the bulk answer has 650."""
        intervals = await _or_nothing(desk, "intervals", desk.exchange.fetch_funding_intervals, list(symbols))
        joined: dict[str, Mapping[str, Any]] = {}
        for symbol in symbols:
            interest = await _or_nothing(desk, f"{symbol}: open interest", desk.exchange.fetch_open_interest, symbol)
            state = await _or_nothing(desk, f"{symbol}: premium index", desk.exchange.fetch_funding_rate, symbol)
            info = {**_info(intervals.get(symbol)), **_info(interest), **_info(state)}
            joined[symbol] = {**state, "info": info}
        return joined


async def _or_nothing(desk: Desk, what: str, call: Any, argument: object) -> Mapping[str, Any]:
    """An answer, or none where it cannot be read: the fields that it would have brought are then named as missing, one by one."""
    try:
        answer: Mapping[str, Any] = await desk.ask(what, partial(call, argument))
    except BadPayload:
        return {}
    return answer


def _info(structure: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return (structure or {}).get("info") or {}
