"""Plain tokens, as declared."""

from monitor.core.book import Position
from monitor.core.exposure import Coins
from monitor.core.tokens import underlying
from monitor.core.view import View
from monitor.core.worth import Valuation


def value(view: View, position: Position) -> Valuation:
    """The declared amounts at today's prices."""
    amounts: dict[str, float] = {}
    for name, amount in position.amounts.items():
        amounts[underlying(name)] = amounts.get(underlying(name), 0.0) + float(amount)
    return of_coins(view, amounts)


def of_coins(view: View, amounts: dict[str, float]) -> Valuation:
    """Coins, and nothing else."""
    delta_usd = {asset: amount * view.price_usd(asset) for asset, amount in amounts.items()}
    return Valuation(sum(delta_usd.values()), amounts, delta_usd, Coins(amounts))
