"""Shares of Balancer's pools: weighted, and stable."""

from monitor.core.book import Position
from monitor.core.exposure import Coins
from monitor.core.pool_share import PoolShare, of_pool, read_share, stable_value, valued
from monitor.core.redemption import followed, rate
from monitor.core.tokens import underlying
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.weighted import weighted_share
from monitor.core.worth import Valuation


def value(view: View, position: Position) -> Valuation:
    """What a proportional exit of all shares would pay in the block that was read, at today's prices."""
    share = read_share(view, position)
    if of_pool(view, share, "pool.amplification") is not None:
        return stable_value(view, share)
    return _weighted(view, share)


def _weighted(view: View, share: PoolShare) -> Valuation:
    points = [point for name in share.names if (point := of_pool(view, share, f"pool.weight.{name}")) is not None]
    if len(points) != len(share.names):
        raise Unknown(
            "missing", f"neither weights nor the amplification of {share.pool} were read: it is no weighted or stable pool, or not read yet"
        )
    held = followed(view, zip(share.names, share.amounts, strict=True))
    if not share.is_whole:
        return valued(view, share, held, Coins(held), points)
    weights = [float(point.value) for point in points]
    coins = [amount * rate(view, name) for name, amount in zip(share.names, share.amounts, strict=True)]
    exposure = weighted_share([underlying(name) for name in share.names], coins, weights)
    return valued(view, share, held, exposure, points)
