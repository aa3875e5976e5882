"""Perpetual positions: as declared, or as read from the venue that the position names."""

from monitor.core.book import Position
from monitor.core.exposure import Coins
from monitor.core.funding import aggregate, venue_rate
from monitor.core.perpetual import Perpetual, funding_carry_usd, liquidation_distance, liquidation_price
from monitor.core.tokens import underlying
from monitor.core.verdict import Evidence, Unknown
from monitor.core.view import View
from monitor.core.worth import Carry, Liquidation, Standing, Valuation, newest, of_one_block

READ = ("size", "entry_price", "margin_usd")
NO_RATIO = "its maintenance margin is not known: name the venue that holds it, and the liquidation price is read"


def value(view: View, position: Position) -> Valuation:
    """Its equity: the margin behind it and the profit since its entry, at today's price. A position with a `venue` is read, any other declared.

    *(reading)* Without a declared `margin`, `book.perp_margin` of the notional stands in for it; without an `entry_price` the profit is
    taken as nil: what stands on the venue's account is then not known.
    """
    asset = underlying(position.asset)
    price = view.price_usd(asset)
    held, block_hash = _held(view, position, price)
    exposure = Coins({asset: held.size}, held.beside_usd)
    return Valuation(held.equity_usd(price), {asset: held.size}, {asset: held.size * price}, exposure, {}, block_hash)


def standing(view: View, position: Position) -> Standing:
    """Funding carry a year and the liquidation price. Raises Unknown as `value`; what of the rest cannot be said is named in `unknown`."""
    asset = underlying(position.asset)
    price = view.price_usd(asset)
    held, _ = _held(view, position, price)
    unknown: dict[str, str] = {}
    carry: Carry | None = None
    liquidations: tuple[Liquidation, ...] = ()
    try:
        carry = Carry(funding_usd=funding_carry_usd(held.size, price, funding_a_year(view, position)) if held.size else 0.0)
    except Unknown as why:
        unknown["carry"] = why.reason
    try:
        liquidations = _liquidations(view, position, held, price)
    except Unknown as why:
        unknown["liquidations"] = why.reason
    return Standing(carry=carry, liquidations=liquidations, unknown=unknown)


def funding_a_year(view: View, position: Position) -> float:
    """The funding rate that the position meets: its venue's own, where that is known under its name, else the aggregate of all venues.

    *(reading)* Both are means over the last 8 hours, a fraction a year. Raises Unknown where neither can be said.
    """
    asset = underlying(position.asset)
    if position.venue in view.sources("funding.rate", asset):
        return venue_rate(view, asset, position.venue)
    return aggregate(view, asset, "all").now


def _held(view: View, position: Position, price: float) -> tuple[Perpetual, str]:
    """What is held, and the block it was read in."""
    if not position.venue:
        size = float(position.size)
        margin = position.margin or abs(size) * price * view.settings.book.perp_margin
        return Perpetual(size, position.entry_price or price, margin), ""
    points = [newest(view, f"position.{name}", position) for name in READ]
    block_hash, _ = of_one_block(points, "the size, the entry and the margin of the position")
    return Perpetual(*(float(point.value) for point in points)), block_hash


def _liquidations(view: View, position: Position, held: Perpetual, price: float) -> tuple[Liquidation, ...]:
    """The venue's own price where it gives one, since it knows what else backs the position; else that of the margin alone."""
    if held.size == 0:
        return ()
    at = _beside(view, position, "liquidation_price")
    edge = float(at.value) if at is not None else liquidation_price(held, _ratio(view, position))
    if not edge:  # the venue writes 0 where no price liquidates it
        return ()
    distance = liquidation_distance(held.size, price, edge)
    return (Liquidation(underlying(position.asset), edge, "below" if held.size > 0 else "above", distance),)


def _ratio(view: View, position: Position) -> float:
    ratio = _beside(view, position, "maintenance_ratio")
    if ratio is None:
        raise Unknown("maintenance", NO_RATIO)
    return float(ratio.value)


def _beside(view: View, position: Position, name: str) -> Evidence | None:
    """What was read in the same instant as the size; None where the source did not say it then: an older value is of another position."""
    if not position.venue or not view.sources(f"position.{name}", position.id):
        return None
    point = newest(view, f"position.{name}", position, fresh=False)
    size = newest(view, "position.size", position)
    return point if (point.source, point.block_hash, point.at) == (size.source, size.block_hash, size.at) else None
