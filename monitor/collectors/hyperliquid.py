"""Hyperliquid perpetuals and spot (https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint/perpetuals)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from monitor.venues import CcxtVenue


@dataclass(frozen=True, kw_only=True)
class Hyperliquid(CcxtVenue):
    """One answer, metaAndAssetCtxs, describes all markets; it carries no time.

    Funding is paid every hour (https://hyperliquid.gitbook.io/hyperliquid-docs/trading/funding) and no field says so.
    """

    title: ClassVar[str] = "Hyperliquid"
    homepage: ClassVar[str] = "https://app.hyperliquid.xyz"
    exchange_id: ClassVar[str] = "hyperliquid"
    currency: ClassVar[str] = "USDC"
    spot_currency: ClassVar[str] = "USDC"
    market_type: ClassVar[str] = "swap"
    quote_fields: ClassVar[Mapping[str, str]] = {
        "funding.predicted": "funding",
        "perp.mark": "markPx",
        "perp.index": "oraclePx",
        "open_interest.coins": "openInterest",
    }
    table_hours: ClassVar[float | None] = 1.0
    funding_page: ClassVar[int] = 500
