"""Shares of Curve's stable pools."""

from monitor.core.book import Position
from monitor.core.pool_share import read_share, stable_value
from monitor.core.view import View
from monitor.core.worth import Valuation


def value(view: View, position: Position) -> Valuation:
    """What remove_liquidity would pay for all shares in the block that was read, at today's prices."""
    return stable_value(view, read_share(view, position))
