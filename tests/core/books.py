"""Books for tests: prices by two sources, volatility by an index, positions and layers by a few words."""

from collections.abc import Iterable, Mapping
from typing import Any

from monitor.core.effects import LayerMoved
from monitor.core.observation import Observation
from monitor.core.state import State
from monitor.core.units import HOUR, MINUTE
from monitor.core.view import View
from tests.builders import START, proposal_of, seen, view_of

STEPS: Mapping[str, tuple[str, ...]] = {
    "proposed": ("proposed",),
    "approved": ("proposed", "approved"),
    "active": ("proposed", "approved", "active"),
    "closing": ("proposed", "approved", "active", "closing"),
    "closed": ("proposed", "approved", "active", "closed"),
    "rejected": ("proposed", "rejected"),
}


def priced(now: int = START, **prices: float) -> list[Observation]:
    """Prices of two sources, so that they may decide."""
    return [seen("price.usd", asset, price, now - n * MINUTE, source) for asset, price in prices.items() for source in ("a", "b") for n in (2, 1, 0)]


def volatile(now: int = START, **points: float) -> list[Observation]:
    """An implied volatility index by asset, in volatility points."""
    return [seen("iv.index", asset, value, now - n * HOUR) for asset, value in points.items() for n in (2, 1, 0)]


def tokens(name: str, **amounts: float) -> dict[str, Any]:
    return {"id": name, "kind": "tokens", "amounts": amounts}


def layered(*layers: tuple[str, Mapping[str, Any]]) -> State:
    """A state with one layer for each (state, changes of its proposal)."""
    state = State()
    for number, (last, changes) in enumerate(layers):
        proposal = proposal_of(episode_since=START + number, **changes)
        for step in STEPS[last]:
            state.ledger.fold(LayerMoved(START, proposal.id, step, "test", proposal=proposal))
    return state


def short(notional: float, price: float = 2000.0, asset: str = "ETH") -> dict[str, Any]:
    return {"instrument": "short_perp", "action": "add", "asset": asset, "notional_usd": notional, "price_usd": price}


def book(*observations: Observation, positions: Iterable[Mapping[str, Any]] = (), state: State | None = None, now: int = START) -> View:
    return view_of(*observations, now=now, state=state, settings={"positions": [dict(one) for one in positions]})
