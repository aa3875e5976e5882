"""Perpetual positions: as declared, or as read from the venue that the position names."""

from monitor.core.book import Position
from monitor.core.exposure import Coins
from monitor.core.perpetual import Perpetual, liquidation_price
from monitor.core.tokens import underlying
from monitor.core.verdict import Evidence, Unknown
from monitor.core.view import View
from monitor.core.worth import Valuation, newest, of_one_block

DECLARED = "what is declared says nothing of its venue's maintenance margin: name `venue` and `account`, or feed position.liquidation_price by hand"
READ = ("size", "entry_price", "margin_usd")
NO_RATIO = "its venue tells neither where it liquidates nor which maintenance margin it asks for"


def value(view: View, position: Position) -> Valuation:
    """Its equity: the margin behind it and the profit since its entry, at today's price. A position with a `venue` is read, any other declared.

    *(reading)* Without a declared `margin`, `book.perp_margin` of the notional stands in for it; without an `entry_price` the profit is
    taken as nil: what stands on the venue's account is then not known.
    """
    asset = underlying(position.asset)
    price = view.price_usd(asset)
    held, block_hash = _held(view, position, price)
    exposure = Coins({asset: held.size}, held.beside_usd)
    return Valuation(held.equity_usd(price), {asset: held.size}, {asset: held.size * price}, exposure, {}, block_hash, _assumed(view, position))


def _assumed(view: View, position: Position) -> str:
    """What stands in for what was not declared, in words."""
    if position.venue:
        return ""
    margin = "" if position.margin else f"margin taken to be {view.settings.book.perp_margin:.0%} of the notional: no `margin` is declared"
    entry = "" if position.entry_price else "profit taken to be nil: no `entry_price` is declared"
    return "; ".join(part for part in (margin, entry) if part)


def _held(view: View, position: Position, price: float) -> tuple[Perpetual, str]:
    """What is held, and the block it was read in."""
    if not position.venue:
        size = float(position.size)
        margin = position.margin or abs(size) * price * view.settings.book.perp_margin
        return Perpetual(size, position.entry_price or price, margin), ""
    return _read(view, position)


def _read(view: View, position: Position) -> tuple[Perpetual, str]:
    points = [newest(view, f"position.{name}", position) for name in READ]
    block_hash, _ = of_one_block(points, "the size, the entry and the margin of the position")
    return Perpetual(*(float(point.value) for point in points)), block_hash


def liquidation_edge(view: View, position: Position) -> float:
    """The price that liquidates it, 0 where none does: the venue's own where it was read with the size, since the venue knows what else backs the
    position; else that of its margin alone. Of a declared position it must be given too. Raises Unknown where it cannot be said.
    """
    if not position.venue:
        if not view.sources("position.liquidation_price", position.id):
            raise Unknown("maintenance", DECLARED)
        return float(newest(view, "position.liquidation_price", position).value)
    own = _beside(view, position, "liquidation_price")
    if own is not None:
        return float(own.value)
    held, _ = _read(view, position)
    return liquidation_price(held, _ratio(view, position)) or 0.0


def _ratio(view: View, position: Position) -> float:
    ratio = _beside(view, position, "maintenance_ratio")
    if ratio is None:
        raise Unknown("maintenance", NO_RATIO)
    return float(ratio.value)


def _beside(view: View, position: Position, name: str) -> Evidence | None:
    """What was read in the same instant as the size; None where the source did not say it then: an older value is of another position."""
    if not view.sources(f"position.{name}", position.id):
        return None
    point = newest(view, f"position.{name}", position, fresh=False)
    size = newest(view, "position.size", position)
    return point if (point.source, point.block_hash, point.at) == (size.source, size.block_hash, size.at) else None
