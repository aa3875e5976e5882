"""What the budgets are shares of: the book's own capital (ALVH)."""

from monitor.core.book import Position
from monitor.core.condor import condor_of
from monitor.core.valuation import value_position
from monitor.core.verdict import Unknown
from monitor.core.view import View


def portfolio_capital_usd(view: View) -> float:
    """Equity of the declared book, capped by `book.capital` where that is set.

    *(reading)* Equity is as valued now, not at the last daily close. Raises Unknown, naming the position, when one cannot be valued: a
    share of an unknown sum is no limit.
    """
    equity = sum(_equity_usd(view, position) for position in view.settings.positions)
    cap = view.settings.book.capital
    return min(equity, cap) if cap > 0 else equity


def defined_risk_capital_usd(view: View) -> float:
    """The hedge envelope, 10% of portfolio capital, and the most that the condors which are open can lose."""
    envelope_usd = max(0.0, portfolio_capital_usd(view)) * view.settings.book.envelope
    return envelope_usd + sum(_most_lost_usd(view, one) for one in view.settings.positions)


def _most_lost_usd(view: View, condor: Position) -> float:
    """Nothing from its expiry on, nor where its credit is not declared: too much would be allowed on a guess."""
    held = condor_of(condor, view.now)
    return max(0.0, held.max_loss_usd) if held is not None and condor.credit else 0.0


def _equity_usd(view: View, position: Position) -> float:
    try:
        return value_position(view, position).value_usd
    except Unknown as why:
        raise Unknown("capital", f"the book's capital is not known: {position.id}: {why.reason}") from None
