"""Perpetual positions, as declared."""

from monitor.core.book import Position
from monitor.core.exposure import Coins
from monitor.core.tokens import underlying
from monitor.core.view import View
from monitor.core.worth import Valuation


def value(view: View, position: Position) -> Valuation:
    """Its equity: the margin behind it and the profit since its entry.

    *(reading)* Without a declared `margin`, `book.perp_margin` of the notional stands in for it; without an `entry_price` the profit is
    taken as nil: what stands on the venue's account is then not known.
    """
    asset, size = underlying(position.asset), float(position.size)
    price = view.price_usd(asset)
    margin = position.margin or abs(size) * price * view.settings.book.perp_margin
    entry = position.entry_price or price
    exposure = Coins({asset: size}, margin - size * entry)
    return Valuation(margin + size * (price - entry), {asset: size}, {asset: size * price}, exposure)
