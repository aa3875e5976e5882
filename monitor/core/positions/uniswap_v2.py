"""Shares of a Uniswap v2 pair, from the chain's own integers."""

from monitor.core.book import Position
from monitor.core.constant_product import ConstantProduct
from monitor.core.exposure import Coins, Exposure
from monitor.core.positions.uniswap_v3 import pool_token
from monitor.core.redemption import followed
from monitor.core.view import View
from monitor.core.worth import Valuation, newest, of_one_block

EXACT_FIELDS = ("shares", "amount0", "amount1")


def value(view: View, position: Position) -> Valuation:
    """What burning all shares would pay in the block that was read, at today's prices."""
    points = {name: newest(view, f"position.{name}", position) for name in EXACT_FIELDS}
    block_hash, _ = of_one_block(points.values(), "the position's numbers")
    exact = {name: int(point.value) for name, point in points.items()}
    held = followed(view, [(pool_token(view, position, side), _whole(view, position, exact[f"amount{side}"], side)) for side in (0, 1)])
    delta_usd = {asset: amount * view.price_usd(asset) for asset, amount in held.items()}
    return Valuation(sum(delta_usd.values()), held, delta_usd, _exposure(held), exact, block_hash)


def _whole(view: View, position: Position, raw: int, side: int) -> float:
    decimals = int(newest(view, f"position.decimals{side}", position).value)
    return float(raw / 10**decimals)


def _exposure(held: dict[str, float]) -> Exposure:
    """Two names of one asset (ETH and stETH) have no price between them that could move: they are coins."""
    if len(held) == 1:
        return Coins(held)
    (asset0, amount0), (asset1, amount1) = held.items()
    return ConstantProduct.of(asset0, amount0, asset1, amount1)
