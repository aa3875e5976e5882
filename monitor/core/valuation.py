"""What a position holds and what it is worth now.

Delta by asset is the amount of that asset held, inside and outside an LP's range alike (ALVH).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.core.book import Position
from monitor.core.scope import LENDERS
from monitor.core.tokens import ASSET_OF, STABLES, underlying
from monitor.core.verdict import Evidence, Unknown
from monitor.core.view import View

EXACT_FIELDS = ("liquidity", "amount0", "amount1", "fees0", "fees1")


@dataclass(frozen=True, slots=True)
class ChainState:
    """A position's own integers, all of one block: raw token units and liquidity, as they were at `at` (epoch milliseconds)."""

    numbers: Mapping[str, int]
    block_hash: str
    at: int


@dataclass(frozen=True, slots=True)
class Valuation:
    """A position at now. `amounts` is by asset in coins (negative: owed or short), `exact` the chain's own integers where there are any."""

    value_usd: float
    amounts: Mapping[str, float]
    delta_usd: Mapping[str, float]
    exact: Mapping[str, int]
    block_hash: str = ""

    @property
    def risk_asset(self) -> str:
        """The asset, stablecoins left out, with the largest delta in USD. Raises Unknown for a position of stablecoins alone."""
        risky = {asset: abs(usd) for asset, usd in self.delta_usd.items() if asset not in STABLES}
        if not risky:
            raise Unknown("stable", "the position holds stablecoins alone: there is no price risk to hedge")
        return max(sorted(risky), key=lambda asset: risky[asset])


def value_position(view: View, position: Position) -> Valuation:
    """Value one position. Raises Unknown when a price or the chain's state is missing or stale."""
    if position.kind == "uniswap-v3":
        return _uniswap_v3(view, position)
    if position.kind in LENDERS:
        return _lending(view, position)
    declared = {position.asset: position.size} if position.kind == "perp" else position.amounts
    amounts: dict[str, float] = {}
    for name, amount in declared.items():
        amounts[underlying(name)] = amounts.get(underlying(name), 0.0) + float(amount)
    delta = {asset: amount * view.price_usd(asset) for asset, amount in amounts.items()}
    value = abs(sum(delta.values())) if position.kind == "perp" else sum(delta.values())
    return Valuation(value, amounts, delta, {})


def chain_state(view: View, position: Position, *, fresh: bool = True) -> ChainState:
    """What the chain says of an LP, for which no price is needed.

    Raises Unknown when it was not read, or not at one block, or (if `fresh` is asked) not lately.
    """
    points = {name: _state(view, position, name, fresh=fresh) for name in EXACT_FIELDS}
    blocks = {(point.block_hash, point.at) for point in points.values()}
    if len(blocks) != 1:
        raise Unknown("mixed", "the position's numbers come from more than one block")
    return ChainState({name: int(point.value) for name, point in points.items()}, *blocks.pop())


def _uniswap_v3(view: View, position: Position) -> Valuation:
    state = chain_state(view, position)
    exact = state.numbers
    held: dict[str, float] = {}
    for side in ("0", "1"):
        decimals = int(_state(view, position, "decimals" + side).value)
        amount = (exact["amount" + side] + exact["fees" + side]) / 10**decimals
        asset = _asset(view, position, int(side))
        held[asset] = held.get(asset, 0.0) + amount
    delta = {asset: amount * view.price_usd(asset) for asset, amount in held.items()}
    return Valuation(sum(delta.values()), held, delta, exact, state.block_hash)


def _lending(view: View, position: Position) -> Valuation:
    """What is supplied less what is owed, by asset, all of one instant; the value is the sum."""
    held: dict[str, float] = {}
    read: set[tuple[str, int]] = set()
    block_hash = ""
    for asset in position.assets:
        for side, sign in (("supplied", 1), ("borrowed", -1)):
            point = _newest(view, f"account.{side}.{asset}", position)
            held[underlying(asset)] = held.get(underlying(asset), 0.0) + sign * float(point.value)
            read.add((point.source, point.at))
            block_hash = point.block_hash
    if len(read) != 1:
        raise Unknown("mixed", "what the account supplies and owes comes from more than one instant or source")
    delta = {asset: amount * view.price_usd(asset) for asset, amount in held.items()}
    return Valuation(sum(delta.values()), held, delta, {}, block_hash)


def _asset(view: View, position: Position, side: int) -> str:
    if position.assets:
        return underlying(position.assets[side])
    token = int(_state(view, position, f"token{side}").value)
    asset = ASSET_OF.get((position.chain, token))
    if asset is None:
        raise Unknown("token", f"token{side} {token:#042x} is not a well-known one: add assets: [.., ..] to position {position.id}")
    return asset


def _state(view: View, position: Position, name: str, *, fresh: bool = True) -> Evidence:
    return _newest(view, f"position.{name}", position, fresh=fresh)


def _newest(view: View, metric: str, position: Position, *, fresh: bool = True) -> Evidence:
    sources = view.sources(metric, position.id)
    if not sources:
        raise Unknown("missing", f"the state of position {position.id} was not read yet")
    return view.newest(metric, position.id, sources[0], fresh=fresh)
