"""Iron condors: the inner put and call sold, the outer ones bought."""

from monitor.core.book import Position
from monitor.core.condor import signed_legs
from monitor.core.marks import Contract, value_options
from monitor.core.view import View
from monitor.core.worth import Valuation


def value(view: View, position: Position) -> Valuation:
    """What closing all four legs would bring, mostly below 0: the credit was received at the start and lies elsewhere."""
    strikes = tuple(float(strike) for strike in position.strikes)
    contracts = [Contract(right, strike, sign * float(position.size)) for right, strike, sign in signed_legs(strikes)]
    return value_options(view, position, contracts)
