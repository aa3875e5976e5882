"""What a liquidity position holds without its fees, and what has become of it since: its own numbers, as they were read."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.core.book import Position
from monitor.core.pool_share import AMOUNT, coin_names
from monitor.core.positions.uniswap_v3 import pool_token
from monitor.core.redemption import followed
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
        return followed(view, [(name, float(newest(view, AMOUNT + name, position).value)) for name in coin_names(view, position)])
    return coins_of(view, position, {side: float(newest(view, f"position.amount{side}", position).value) for side in SIDES})


def coins_of(view: View, position: Position, raw: Mapping[int, float]) -> dict[str, float]:
    """Raw units of both sides as coins by asset. Raises Unknown where the tokens or their decimals were not read."""
    return followed(view, [(pool_token(view, position, side), raw[side] / unit(view, position, side)) for side in SIDES])


def unit(view: View, position: Position, side: int) -> float:
    """Raw units of one whole token0 or token1."""
    return 10.0 ** int(newest(view, f"position.decimals{side}", position).value)


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings of one metric of a position up to now, oldest first, and how long each held: until the next one, the newest until now."""

    at: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    held_ms: npt.NDArray[np.int64]


def readings(view: View, metric: str, position: Position, span_ms: int | None = None) -> Readings:
    """All of them, or those of the last `span_ms` behind the one that still held then, which begins there. Raises Unknown where there are none."""
    source = newest(view, metric, position, fresh=False).source
    start = 0 if span_ms is None else view.now - span_ms
    known = view.history(metric, position.id, source, start)
    at = np.maximum(known.at, start)
    return Readings(at, known.value, np.diff(at, append=view.now))


def fees_in(view: View, position: Position, side: int, span_ms: int | None = None) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """When each reading of a side's fees after the first was made, and the raw units that came in since the one before. Raises Unknown without any.

    A fall is a collect: what stands after it counts. Where liquidity was taken out in between nothing counts, since what was withdrawn waits
    beside the fees until it is collected.
    """
    known = readings(view, f"position.fees{side}", position, span_ms)
    steps = np.diff(known.value)
    rises = np.where(steps >= 0, steps, known.value[1:])
    if view.sources("position.liquidity", position.id):
        depth = readings(view, "position.liquidity", position, span_ms)
        held = depth.value[np.maximum(np.searchsorted(depth.at, known.at, side="right") - 1, 0)]
        rises = np.where(np.diff(held) < 0, 0.0, rises)
    return known.at[1:], rises
