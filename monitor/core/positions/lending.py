"""Accounts of Aave v3 and Compound v3."""

from monitor.core.book import Position
from monitor.core.exposure import Coins
from monitor.core.redemption import followed
from monitor.core.verdict import Evidence
from monitor.core.view import View
from monitor.core.worth import Valuation, newest, of_one_block


def value(view: View, position: Position) -> Valuation:
    """What is supplied less what is owed, by asset, all of one instant; the value is the sum."""
    amounts: list[tuple[str, float]] = []
    read: list[Evidence] = []
    for asset in position.assets:
        for side, sign in (("supplied", 1), ("borrowed", -1)):
            point = newest(view, f"account.{side}.{asset}", position)
            amounts.append((asset, sign * float(point.value)))
            read.append(point)
    block_hash, _ = of_one_block(read, "the amounts that the account supplies and owes")
    held = followed(view, amounts)
    delta_usd = {asset: amount * view.price_usd(asset) for asset, amount in held.items()}
    return Valuation(sum(delta_usd.values()), held, delta_usd, Coins(held), {}, block_hash)
