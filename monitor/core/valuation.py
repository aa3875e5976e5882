"""What a position holds and what it is worth now: one file of core/positions/ for each kind.

Delta by asset is the amount of that asset held, inside and outside an LP's range alike (ALVH).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from monitor.core.book import Position, PositionKind
from monitor.core.positions import balancer, curve, iron_condor, lending, option, perp, tokens, treasury, uniswap_v2, uniswap_v3
from monitor.core.view import View
from monitor.core.worth import Valuation, newest, of_one_block

Value = Callable[[View, Position], Valuation]

VALUES: Mapping[PositionKind, Value] = {
    "uniswap-v2": uniswap_v2.value,
    "uniswap-v3": uniswap_v3.value,
    "uniswap-v4": uniswap_v3.value,  # the same integers under the same names: what differs is how they are read
    "curve": curve.value,
    "balancer": balancer.value,
    "erc-4626": tokens.vault_value,
    "aave-v3": lending.value,
    "compound-v3": lending.value,
    "perp": perp.value,
    "option": option.value,
    "iron-condor": iron_condor.value,
    "tokens": tokens.value,
    "treasury": treasury.value,
}

# The kinds of LPs whose own integers are other ones than those of a range.
EXACT_OF: Mapping[PositionKind, tuple[str, ...]] = {"uniswap-v2": uniswap_v2.EXACT_FIELDS}


def value_position(view: View, position: Position) -> Valuation:
    """Value one position, once in a judgement. Raises Unknown when a price or the position's state is missing or stale."""
    return view.once(("worth", position.id), lambda: VALUES[position.kind](view, position))


@dataclass(frozen=True, slots=True)
class ChainState:
    """A position's own integers, all of one block: raw token units and liquidity, as they were at `at` (epoch milliseconds)."""

    numbers: Mapping[str, int]
    block_hash: str
    at: int


def chain_state(view: View, position: Position) -> ChainState:
    """What the chain says of an LP, for which neither a price nor a young age is needed. Raises Unknown when it was not read at one block."""
    points = {name: newest(view, f"position.{name}", position, fresh=False) for name in EXACT_OF.get(position.kind, uniswap_v3.EXACT_FIELDS)}
    return ChainState({name: int(point.value) for name, point in points.items()}, *of_one_block(points.values(), "the position's numbers"))
