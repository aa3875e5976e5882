"""Uniswap v3 positions, from the chain's own integers."""

from monitor.core.book import Position
from monitor.core.exposure import Coins, Exposure, Together
from monitor.core.ranges import range_of
from monitor.core.redemption import rate
from monitor.core.tokens import ASSET_OF, belied, underlying
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.worth import Valuation, newest, of_one_block

EXACT_FIELDS = ("liquidity", "amount0", "amount1", "fees0", "fees1", "sqrt_price_x96", "tick", "tick_lower", "tick_upper")
MOST_DECIMALS = 77
"""10**78 is more than a chain can count."""


def value(view: View, position: Position) -> Valuation:
    """What withdrawing all liquidity and collecting would pay in the block that was read, at today's prices."""
    points = {name: newest(view, f"position.{name}", position) for name in EXACT_FIELDS}
    block_hash, _ = of_one_block(points.values(), "the position's numbers")
    exact = {name: int(point.value) for name, point in points.items()}
    tokens = pool_token(view, position, 0), pool_token(view, position, 1)
    assets, rates = (underlying(tokens[0]), underlying(tokens[1])), (rate(view, tokens[0]), rate(view, tokens[1]))
    decimals = _decimals(view, position, 0), _decimals(view, position, 1)
    drawn, fees, held = dict[str, float](), dict[str, float](), dict[str, float]()
    for side, (asset, digits) in enumerate(zip(assets, decimals, strict=True)):
        unit, amount, fee = 10**digits, exact[f"amount{side}"], exact[f"fees{side}"]
        for into, raw in ((drawn, amount), (fees, fee), (held, amount + fee)):
            into[asset] = into.get(asset, 0.0) + raw / unit * rates[side]
    delta_usd = {asset: amount * view.price_usd(asset) for asset, amount in held.items()}
    exposure = Together((_range(assets, exact, decimals, rates, drawn), Coins(fees)))
    return Valuation(sum(delta_usd.values()), held, delta_usd, exposure, exact, block_hash)


def _range(
    assets: tuple[str, str], exact: dict[str, int], decimals: tuple[int, int], rates: tuple[float, float], drawn: dict[str, float]
) -> Exposure:
    """The liquidity as a function of prices. Of one asset on both sides it is what it holds now: their prices never part."""
    if assets[0] == assets[1]:
        return Coins(drawn)
    try:
        return range_of(assets, exact["liquidity"], (exact["tick_lower"], exact["tick_upper"]), decimals, rates)
    except ValueError as problem:
        raise Unknown("range", str(problem)) from None


def _decimals(view: View, position: Position, side: int) -> int:
    """Raises Unknown for more than amounts can have."""
    digits = int(newest(view, f"position.decimals{side}", position).value)
    if digits > MOST_DECIMALS:
        raise Unknown("decimals", f"token{side} of position {position.id} has {digits} decimals: more than an amount has digits")
    return digits


def pool_token(view: View, position: Position, side: int) -> str:
    """The name of token0 or token1: as declared, else as a well-known token. Raises Unknown for any other token, whose name is never asked, and
    where a well-known one is declared as another: in the wrong order, for one.
    """
    if position.assets and not view.sources(f"position.token{side}", position.id):
        return position.assets[side]
    token = int(newest(view, f"position.token{side}", position, fresh=False).value)
    if position.assets:
        if known := belied(position.chain, token, position.assets[side]):
            wrong = f"token{side} of position {position.id} is {known}, its assets declare {position.assets[side]}"
            raise Unknown("token", f"{wrong}: correct them, in the order of the pool")
        return position.assets[side]
    asset = ASSET_OF.get((position.chain, token))
    if asset is None:
        raise Unknown("token", f"token{side} {token:#042x} is not a well-known one: add assets: [.., ..] to position {position.id}")
    return asset
