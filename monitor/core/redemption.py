"""What a token counts for that redeems for more than one of the coin it follows: wstETH, rETH and cbETH, whose rewards make each worth more ETH."""

from collections.abc import Iterable
from statistics import median

import numpy as np

from monitor.core.book import Position
from monitor.core.tokens import STAKED, underlying
from monitor.core.units import MINUTE
from monitor.core.verdict import Unknown
from monitor.core.view import TWAP_MS, View

PRICE = "price.usd"
TOGETHER_MS = 15 * MINUTE
"""Two prices of one source are of one time if they are no further apart: half a round of a source that is asked every 30 minutes."""


def rate(view: View, token: str) -> float:
    """How many of `underlying(token)` one token counts as: its own price over that of the coin. 1 for a coin, and for what redeems one for one.

    Both prices are of one source and of about one time, so that a move of the market is in neither: the median over those that one source gave
    in 30 minutes or more, and over the sources. Raises Unknown where the token has no price that may decide, or no source gives both.
    """
    if token.upper() not in STAKED:
        return 1.0
    return view.once(("rate", token.upper()), lambda: _rate(view, token.upper()))


def followed(view: View, amounts: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Amounts of tokens, by the asset that each one follows and in coins of it. Of nothing no rate is asked."""
    held: dict[str, float] = {}
    for token, amount in amounts:
        held[underlying(token)] = held.get(underlying(token), 0.0) + (amount * rate(view, token) if amount else 0.0)
    return held


def staked_tokens(positions: Iterable[Position]) -> tuple[str, ...]:
    """The tokens of these positions whose own price is needed."""
    named = {name.upper() for one in positions for name in (*one.assets, *one.amounts, *one.deposited)}
    return tuple(sorted(named & STAKED.keys()))


def _rate(view: View, token: str) -> float:
    coin = underlying(token)
    try:
        view.price_usd(token)
    except Unknown as why:
        raise Unknown(why.code, f"{_needed(token, coin)}: {why.reason}") from None
    known = [
        found for source in view.sources(PRICE, token) if source in view.sources(PRICE, coin) if (found := _of_source(view, token, coin, source))
    ]
    if not known:
        raise Unknown("price", f"{_needed(token, coin)}: no source gives fresh prices of both at one time")
    return float(median(known))


def _of_source(view: View, token: str, coin: str, source: str) -> float | None:
    """The median of what one source says; None where it gives the two prices at no one time."""
    try:
        span_ms = max(TWAP_MS, 2 * view.cadence(PRICE, token, source))
        own, theirs = (view.window(PRICE, asset, source, span_ms, covered=False) for asset in (token, coin))
    except Unknown:
        return None
    apart = np.abs(own.at[:, None] - theirs.at[None, :])
    together = apart.min(axis=1) <= TOGETHER_MS
    ratios = (own.value / theirs.value[apart.argmin(axis=1)])[together]
    return float(median(ratios.tolist())) if len(ratios) else None


def _needed(token: str, coin: str) -> str:
    return f"how many {coin} one {token} redeems for is not known (let defillama run, or feed {PRICE} of {token} and {coin} from one source)"
