"""The world at the horizon: one asset's price has moved, the others are as today, and implied volatility has gone with the price."""

from dataclasses import replace

import numpy as np

from monitor.core.exposure import Scenario, Values
from monitor.core.volatility import HORIZON_DAYS

IV_BETA = 1.0
LEAST_IV = 0.01


def at_horizon(now: Scenario, asset: str, price_usd: Values, years: float, iv_beta: float = IV_BETA) -> Scenario:
    """Today's scenario, `years` later, with `asset` at these prices: one number, or an array of shape (n,).

    Its implied volatility moves by its spot beta: `iv_beta` points for each percent of the fall, fewer in a rise (ALVH: 60-day beta, 1 where it is
    not known). *(reading)* It never falls below one point: a straight line would make it negative. Raises ValueError as `Scenario.price` does.
    """
    moved = replace(now, prices={**now.prices, asset: price_usd}, years=now.years + years)
    if asset not in now.volatility:
        return moved
    return replace(moved, volatility={**now.volatility, asset: _moved_iv(now, asset, price_usd, iv_beta)})


def _moved_iv(now: Scenario, asset: str, price_usd: Values, iv_beta: float) -> Values:
    sigma: Values = np.maximum(LEAST_IV, now.sigma(asset) - iv_beta * (price_usd / now.price(asset) - 1.0))
    return sigma


def horizon_days(to_expiry_days: float | None = None) -> float:
    """ALVH: 7 days; of an option the smaller of these and half its life."""
    return HORIZON_DAYS if to_expiry_days is None else min(HORIZON_DAYS, to_expiry_days / 2)
