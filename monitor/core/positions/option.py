"""One option, bought or sold."""

from monitor.core.black import Right
from monitor.core.book import Position
from monitor.core.marks import Contract, value_options
from monitor.core.view import View
from monitor.core.worth import Valuation


def value(view: View, position: Position) -> Valuation:
    """What closing it would bring: by its quote, else by Black-Scholes. `basis` says which."""
    right: Right = "put" if position.right == "put" else "call"
    return value_options(view, position, [Contract(right, float(position.strike), float(position.size))])
