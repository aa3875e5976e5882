"""Uniswap v3 positions, from the chain's own integers."""

from monitor.core.book import Position
from monitor.core.exposure import Coins
from monitor.core.tokens import ASSET_OF, underlying
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.worth import Valuation, newest, of_one_block

EXACT_FIELDS = ("liquidity", "amount0", "amount1", "fees0", "fees1")


def value(view: View, position: Position) -> Valuation:
    """What withdrawing all liquidity and collecting would pay in the block that was read, at today's prices."""
    points = {name: newest(view, f"position.{name}", position) for name in EXACT_FIELDS}
    block_hash, _ = of_one_block(points.values(), "the position's numbers")
    exact = {name: int(point.value) for name, point in points.items()}
    held: dict[str, float] = {}
    for side in ("0", "1"):
        decimals = int(newest(view, "position.decimals" + side, position).value)
        amount = (exact["amount" + side] + exact["fees" + side]) / 10**decimals
        asset = pool_asset(view, position, int(side))
        held[asset] = held.get(asset, 0.0) + amount
    delta_usd = {asset: amount * view.price_usd(asset) for asset, amount in held.items()}
    return Valuation(sum(delta_usd.values()), held, delta_usd, Coins(held), exact, block_hash)


def pool_asset(view: View, position: Position, side: int) -> str:
    """The asset of token0 or token1: as declared, else as a well-known token. Raises Unknown for any other token: its name is never asked."""
    if position.assets:
        return underlying(position.assets[side])
    token = int(newest(view, f"position.token{side}", position).value)
    asset = ASSET_OF.get((position.chain, token))
    if asset is None:
        raise Unknown("token", f"token{side} {token:#042x} is not a well-known one: add assets: [.., ..] to position {position.id}")
    return asset
