"""CAPM beta: how far an asset moves with the market, and how surely that is known. Pure functions over log returns."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

PARAMETERS = 2


class Beta(NamedTuple):
    """Slope of an asset's log returns on the market's by ordinary least squares with an intercept, and its standard error (both plain numbers)."""

    value: float
    error: float


def beta(asset_returns: ArrayLike, market_returns: ArrayLike) -> Beta:
    """Beta of two arrays of shape (n,), one row a session.

    ValueError: lengths differ, fewer than 3 rows, a value that is not finite, or a market that has not moved.
    """
    y, x = np.asarray(asset_returns, dtype=np.float64), np.asarray(market_returns, dtype=np.float64)
    if y.shape != x.shape or y.ndim != 1 or y.size <= PARAMETERS:
        raise ValueError(f"beta needs two rows of at least {PARAMETERS + 1} returns of the same length, not {y.shape} and {x.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("a return is not finite: leave the session out")
    if np.ptp(x) == 0:
        raise ValueError("the market has not moved: it has no beta")
    moves = x - x.mean()
    spread = float(moves @ moves)
    slope = float(moves @ (y - y.mean())) / spread
    residuals = y - y.mean() - slope * moves
    return Beta(slope, math.sqrt(float(residuals @ residuals) / (y.size - PARAMETERS) / spread))
