"""What the readings say of a share of a pool, all of one block, and the exposure of a share of a stable one."""

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.core.book import Position
from monitor.core.exposure import Coins, Exposure
from monitor.core.redemption import rate
from monitor.core.stableswap import StableSwap, real_invariant
from monitor.core.tokens import ASSET_OF, underlying
from monitor.core.verdict import Evidence, Unknown
from monitor.core.view import View
from monitor.core.worth import Valuation, newest, of_one_block

AMOUNT = "position.amount."
SHARE_UNIT = 10**18  # shares of Curve and of Balancer alike
TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class PoolShare:
    """`names` of the coins as the pool's collector tells them, `amounts` what leaving in proportion would pay; `pool` is the pool's subject."""

    names: tuple[str, ...]
    amounts: tuple[float, ...]
    shares: int
    pool: str
    points: tuple[Evidence, ...]

    @property
    def is_whole(self) -> bool:
        """Whether there is some of each coin: else the share is none, dust that was rounded away, or of a pool that ran dry."""
        return all(amount > 0 for amount in self.amounts)


def read_share(view: View, position: Position) -> PoolShare:
    """Raises Unknown where the share was not read, or not lately."""
    shares = newest(view, "position.shares", position)
    names = coin_names(view, position)
    points = [newest(view, AMOUNT + name, position) for name in names]
    pool = f"pool:{position.chain}/{position.pool.lower()}"
    return PoolShare(names, tuple(float(point.value) for point in points), int(shares.value), pool, (shares, *points))


def coin_names(view: View, position: Position) -> tuple[str, ...]:
    """Its coins as declared; else those that were read, which are well-known ones of its chain by the collector's own rule."""
    known = sorted({asset for (chain, _), asset in ASSET_OF.items() if chain == position.chain})
    return position.assets or tuple(asset for asset in known if view.sources(AMOUNT + asset, position.id))


def of_pool(view: View, share: PoolShare, metric: str) -> Evidence | None:
    """A number of the pool, of the source that told the share; None where it never told it. Raises Unknown where it is stale."""
    source = share.points[0].source
    return view.newest(metric, share.pool, source) if source in view.sources(metric, share.pool) else None


def valued(view: View, share: PoolShare, held: dict[str, float], exposure: Exposure, points: Sequence[Evidence]) -> Valuation:
    """What leaving in proportion would bring at today's prices. Raises Unknown where the readings are not of one block, or a price is missing."""
    block_hash, _ = of_one_block((*share.points, *points), "the share and its pool")
    delta_usd = {asset: amount * view.price_usd(asset) for asset, amount in held.items()}
    return Valuation(sum(delta_usd.values()), held, delta_usd, exposure, {"shares": share.shares}, block_hash)


def _coins_for(view: View, name: str, amount: float, told: float) -> float:
    """How many coins of the asset that it follows one token counts as: by the pool's own rate where that says more than one for one.

    A rate of 1 is also what a pool tells that knows of none.
    """
    if underlying(name) == name or not amount:
        return 1.0
    return told if told != 1 else rate(view, name)


def stable_value(view: View, share: PoolShare) -> Valuation:
    """A share of a stable pool. A coin that follows another asset (wstETH, ETH) counts as what the pool's own rate says that it redeems for,
    or its prices where the pool tells none.

    Raises Unknown where balances, rates and amplification do not make the pool's own virtual price to 1%: then it counts its coins at rates
    that it does not tell, as lending and meta pools do.
    """
    amplification = of_pool(view, share, "pool.amplification")
    if amplification is None:
        raise Unknown("missing", f"the amplification of {share.pool} was not read yet")
    told = [of_pool(view, share, f"pool.rate.{name}") for name in share.names]
    rates = [1.0 if point is None else float(point.value) for point in told]
    coins = [_coins_for(view, *one) for one in zip(share.names, share.amounts, rates, strict=True)]
    points = [point for point in (amplification, *told) if point is not None]
    held: dict[str, float] = {}
    for name, amount, each in zip(share.names, share.amounts, coins, strict=True):
        held[underlying(name)] = held.get(underlying(name), 0.0) + amount * each
    if not share.is_whole:
        return valued(view, share, held, Coins(held), points)
    price = of_pool(view, share, "pool.virtual_price")
    if price is None:
        raise Unknown("missing", f"the virtual price of {share.pool} was not read yet")
    d = real_invariant([amount * told_rate for amount, told_rate in zip(share.amounts, rates, strict=True)], float(amplification.value))
    worth = share.shares / SHARE_UNIT * float(price.value)
    if worth <= 0:
        raise Unknown("price", f"{share.pool} says that its shares are worth nothing, though coins are due for them")
    if abs(d / worth - 1) > TOLERANCE:
        raise Unknown(
            "rates", f"{share.pool} counts its coins at rates that it does not tell: its balances make {d / worth:.3f} of its virtual price"
        )
    try:
        in_coins = tuple(told_rate / each for told_rate, each in zip(rates, coins, strict=True))
        exposure = StableSwap(tuple(underlying(name) for name in share.names), d, float(amplification.value), in_coins)
    except ValueError as problem:
        raise Unknown("pool", f"{share.pool}: {problem}") from None
    return valued(view, share, held, exposure, [*points, price])
