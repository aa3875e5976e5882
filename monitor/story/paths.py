"""The lines of the plot with a market's noise on them: a number every 15 minutes, history and story in one piece, always the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from random import Random

import numpy as np
import numpy.typing as npt

from monitor.core.units import DAY
from monitor.story import plot

Floats = npt.NDArray[np.float64]

ETH_STEP, BTC_STEP = 0.0027, 0.0019
"""Standard deviation of the log return of 15 minutes in the history: 50% and 36% a year."""
CORRELATION = 0.85
CALM = 0.5
"""How much of that noise is left on the story's own lines, which bring most of their movement themselves."""
PULL = 0.03


@dataclass(frozen=True, slots=True)
class Paths:
    """Columns of one length, one row per 15 minutes from `plot.HISTORY_MS` to `plot.END_MS`.

    `price` in USD by asset, `tvl` in USD by subject, `funding` in fractions a year by asset, `leverage` is open interest in coins
    against the first day, `stable` the price of USDC in USD.
    """

    at: npt.NDArray[np.int64]
    price: Mapping[str, Floats]
    tvl: Mapping[str, Floats]
    funding: Mapping[str, Floats]
    leverage: Floats
    stable: Floats

    def row(self, at_ms: int) -> int:
        """The row of an instant on the grid."""
        return (at_ms - plot.HISTORY_MS) // plot.STEP_MS


@cache
def paths() -> Paths:
    at = np.arange(plot.HISTORY_MS, plot.END_MS + 1, plot.STEP_MS, dtype=np.int64)
    day = (at - plot.START_MS) / DAY
    rng = Random(plot.SEED)
    common, own, other = (_normals(rng, len(at)) for _ in range(3))
    share = np.sqrt(1 - CORRELATION**2)
    eth_noise = _noise(day, ETH_STEP * (CORRELATION * common + share * own))
    btc_noise = _noise(day, BTC_STEP * (CORRELATION * common + share * other))
    price = {
        "ETH": np.exp(_line(day, plot.ETH_USD, 2_780.0) + eth_noise),
        "BTC": np.exp(_line(day, plot.BTC_USD, 94_000.0) + btc_noise),
    }
    funding = _funding(rng, day)
    return Paths(
        at=at,
        price=price,
        tvl={subject: _tvl(rng, day, eth_noise, *plot.TVL_USD[subject]) for subject in plot.TVL_USD},
        funding=funding,
        leverage=1 + np.interp(day, *_columns(plot.LEVERAGE_CHANGE)) + _wandering(rng, day, 0.0012, 0.01),
        stable=1 + _wandering(rng, day, 0.00002, 0.05),
    )


def _normals(rng: Random, count: int) -> Floats:
    return np.array([rng.gauss(0.0, 1.0) for _ in range(count)])


def _columns(corners: plot.Corners) -> tuple[list[float], list[float]]:
    return [day for day, _ in corners], [value for _, value in corners]


def _line(day: Floats, corners: plot.Corners, first: float) -> Floats:
    """The logarithm of a line through the corners, coming from `first` where the history begins."""
    days, values = _columns(corners)
    return np.asarray(np.interp(day, [float(day[0]), *days], np.log([first, *values])))


def _noise(day: Floats, steps: Floats) -> Floats:
    """A random walk through the history that ends at 0 when the story starts, then a pull back to the story's line."""
    past = day <= 0
    walk = np.cumsum(np.where(past, steps, 0.0))
    last = int(past.sum()) - 1
    bridge = walk - walk[last] * np.arange(len(day)) / last
    return np.where(past, bridge, _pulled(np.where(past, 0.0, CALM * steps), PULL))


def _pulled(steps: Floats, pull: float) -> Floats:
    """Steps summed up, with a share of the distance from 0 taken back at each."""
    out = np.empty(len(steps))
    level = 0.0
    for i, step in enumerate(steps):
        level += float(step) - pull * level
        out[i] = level
    return out


def _wandering(rng: Random, day: Floats, step: float, pull: float) -> Floats:
    return _pulled(step * _normals(rng, len(day)), pull)


def _tvl(rng: Random, day: Floats, eth_noise: Floats, base_usd: float, share: float) -> Floats:
    """Value locked moves with the price of ETH, in part, and with deposits and withdrawals."""
    days, changes = _columns(plot.CHAIN_TVL_CHANGE)
    growth = np.interp(day, [float(day[0]), *days], [np.log(0.86), *np.log1p(share * np.array(changes))])
    flows = _wandering(rng, day, 0.0004, 0.02)
    return np.asarray(base_usd * np.exp(growth + 0.55 * share * eth_noise + flows))


def _funding(rng: Random, day: Floats) -> Mapping[str, Floats]:
    line = np.interp(day, *_columns(plot.FUNDING))
    eth, btc = (_wandering(rng, day, 0.0022, 0.01) for _ in range(2))
    calm = np.where(day <= 0, 1.0, 0.35)
    return {"ETH": line + calm * eth, "BTC": 0.02 + 0.75 * line + calm * btc}
