"""What a liquidity position holds without its fees, and what has become of it since: its own numbers, as they were read."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monitor.core.book import Position
from monitor.core.positions.uniswap_v3 import pool_asset
from monitor.core.tokens import underlying
from monitor.core.units import HOUR
from monitor.core.view import View
from monitor.core.worth import newest

LIQUIDITY_KINDS = frozenset({"uniswap-v2", "uniswap-v3", "uniswap-v4", "curve", "balancer"})
RANGED_KINDS = frozenset({"uniswap-v3", "uniswap-v4"})
SIDES = (0, 1)


def sided(view: View, position: Position) -> bool:
    """Whether it was read as raw amounts of token0 and token1, and not by the names of its assets."""
    return bool(view.sources("position.amount0", position.id))


def amounts_now(view: View, position: Position) -> dict[str, float]:
    """Coins by asset that all its liquidity would pay now, fees that are collected apart left out. Raises Unknown where they were not read lately."""
    if not sided(view, position):
        return _summed((underlying(asset), float(newest(view, f"position.amount.{asset}", position).value)) for asset in position.assets)
    return coins_of(view, position, {side: float(newest(view, f"position.amount{side}", position).value) for side in SIDES})


def coins_of(view: View, position: Position, raw: Mapping[int, float]) -> dict[str, float]:
    """Raw units of both sides as coins by asset. Raises Unknown where the tokens or their decimals were not read."""
    return _summed((pool_asset(view, position, side), raw[side] / unit(view, position, side)) for side in SIDES)


def unit(view: View, position: Position, side: int) -> float:
    """Raw units of one whole token0 or token1."""
    return 10.0 ** int(newest(view, f"position.decimals{side}", position).value)


def _summed(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for asset, amount in pairs:
        found[asset] = found.get(asset, 0.0) + amount
    return found


@dataclass(frozen=True, slots=True)
class Readings:
    """All readings of one metric of a position up to now, oldest first, in raw units."""

    at: tuple[int, ...]
    value: tuple[float, ...]

    def since(self, start: int) -> "Readings":
        """Those after `start` behind the one that still held there, which begins there; without one, from the first."""
        place = bisect_right(self.at, start) - 1
        if place < 0:
            return self
        return Readings((start, *self.at[place + 1 :]), self.value[place:])

    def hours(self, now: int) -> tuple[float, ...]:
        """How long each held: until the next reading, the newest until now."""
        return tuple((end - begin) / HOUR for begin, end in zip(self.at, (*self.at[1:], now), strict=True))


def readings(view: View, metric: str, position: Position) -> Readings:
    """Readings of the source that is read first. Raises Unknown where there are none."""
    source = newest(view, metric, position, fresh=False).source
    known = view.once(("readings", metric, position.id), lambda: view.revisions(metric, position.id, source))
    at = tuple(one for one in known if one <= view.now)
    return Readings(at, tuple(known[one][0] for one in at))
