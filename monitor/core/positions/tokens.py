"""Plain tokens: as declared, or as read of a wallet; and shares of a vault, which are the tokens that redeeming them brings."""

from monitor.core.book import Position
from monitor.core.exposure import Coins
from monitor.core.redemption import followed
from monitor.core.tokens import ASSET_OF
from monitor.core.verdict import Evidence, Unknown
from monitor.core.view import View
from monitor.core.worth import Valuation, newest, of_one_block

AMOUNT = "position.amount."


def value(view: View, position: Position) -> Valuation:
    """The amounts at today's prices: the declared ones, else those of the wallet, all of one block."""
    if position.amounts:
        return of_coins(view, followed(view, ((asset, float(amount)) for asset, amount in position.amounts.items())))
    points = {asset: newest(view, AMOUNT + asset, position) for asset in position.assets}
    return _read(view, points, {}, "the amounts of the wallet")


def vault_value(view: View, position: Position) -> Valuation:
    """What redeeming all shares would bring in the block that was read, at today's prices."""
    shares = newest(view, "position.shares", position)
    # What the position does not name is a well-known token of its chain, by the collector's own rule.
    known = sorted({asset for (chain, _), asset in ASSET_OF.items() if chain == position.chain and view.sources(AMOUNT + asset, position.id)})
    assets = position.assets or known
    if len(assets) != 1:
        raise Unknown("missing", f"what the vault of position {position.id} holds was not read yet")
    points = {asset: newest(view, AMOUNT + asset, position) for asset in assets}
    return _read(view, points, {"shares": shares}, "the shares of the vault and their worth")


def of_coins(view: View, amounts: dict[str, float], exact: dict[str, int] | None = None, block_hash: str = "") -> Valuation:
    """Coins, and nothing else."""
    delta_usd = {asset: amount * view.price_usd(asset) for asset, amount in amounts.items()}
    return Valuation(sum(delta_usd.values()), amounts, delta_usd, Coins(amounts), exact or {}, block_hash)


def _read(view: View, points: dict[str, Evidence], exact: dict[str, Evidence], what: str) -> Valuation:
    block_hash, _ = of_one_block([*points.values(), *exact.values()], what)
    amounts = followed(view, ((asset, float(point.value)) for asset, point in points.items()))
    return of_coins(view, amounts, {name: int(point.value) for name, point in exact.items()}, block_hash)
