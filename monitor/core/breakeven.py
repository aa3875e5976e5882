"""Break-evens: every price, within stated bounds, at which a profit or loss is zero."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np
import numpy.typing as npt

from monitor.core.exposure import Exposure, Scenario, Together
from monitor.core.horizon import IV_BETA, at_horizon

Floats = npt.NDArray[np.float64]
Profit = Callable[[Floats], Floats]

POINTS = 1025
HALVINGS = 60
SECTIONS = 60
GOLDEN = (5**0.5 - 1) / 2
ROUNDING = 1e-12
TOUCHING = 1e-10
SAME = 1e-9
REACH = 4.0


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Where a profit is zero between `low` and `high`; prices in USD, ascending.

    At `prices` it changes its sign (or it is zero at an end of the bounds), at `touches` it is zero and keeps its sign, on `stretches` it is
    zero from one price to the other, as far as the scan sees.
    """

    prices: tuple[float, ...]
    touches: tuple[float, ...]
    stretches: tuple[tuple[float, float], ...]
    low: float
    high: float

    @property
    def count(self) -> Literal["none", "one", "two", "more than two"]:
        """How many prices there are, crossed or touched; a stretch is more than two."""
        if self.stretches:
            return "more than two"
        found = len(self.prices) + len(self.touches)
        return "none" if found == 0 else "one" if found == 1 else "two" if found == 2 else "more than two"


def break_even(profit: Profit, low: float, high: float, kinks: Iterable[float] = (), scale_usd: float = 0.0) -> BreakEven:
    """All prices between `low` and `high` (USD, both included) at which `profit` (USD, for an array of prices) is zero, to 1e-9 of the price.

    The scan takes 1,025 prices in equal ratios, the `kinks` (strikes, ends of ranges) and every turn towards zero between them. Prices closer
    than a millionth may be told as one that is touched. Where the profit is a small difference of large sums, `scale_usd` says how large:
    what is under 1e-12 of it is zero. Raises ValueError where bounds or profits are no positive or no finite numbers.
    """
    if not 0 < low < high < np.inf:
        raise ValueError(f"break-evens are looked for between two positive prices, not between {low} and {high}")
    inside = np.clip(np.array([*kinks], dtype=np.float64), low, high)
    prices = np.unique(np.concatenate([np.geomspace(low, high, POINTS)[1:-1], [low, high], inside]))
    values = _values(profit, prices)
    turns, near = _turns(profit, prices, values)
    nothing = np.concatenate([np.zeros(len(prices)), TOUCHING * near]) + ROUNDING * scale_usd
    prices, values = np.concatenate([prices, turns]), np.concatenate([values, _values(profit, turns)])
    order = np.argsort(prices)
    signs = np.where(np.abs(values) <= nothing, 0, np.sign(values)).astype(np.int64)
    return _read(profit, prices[order], signs[order])


def _values(profit: Profit, prices: Floats) -> Floats:
    values: Floats = np.broadcast_to(profit(prices), prices.shape)
    if not np.isfinite(values).all():
        raise ValueError("a profit is not a finite number")
    return values


def _turns(profit: Profit, prices: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Where the profit turns away from zero between the prices of the scan, by golden sections, and how large it is on the scan beside it."""
    size = np.concatenate([[np.inf], np.abs(values), [np.inf]])
    places = np.flatnonzero((size[1:-1] <= size[:-2]) & (size[1:-1] <= size[2:]))
    lower, upper = np.maximum(places - 1, 0), np.minimum(places + 1, len(prices) - 1)
    low, high, side = prices[lower], prices[upper], np.sign(np.where(values[places] == 0, values[lower], values[places]))
    for _ in range(SECTIONS):
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        falls = side * _values(profit, left) < side * _values(profit, right)
        low, high = np.where(falls, low, left), np.where(falls, right, high)
    apart = np.abs(high[:, np.newaxis] / prices - 1).min(axis=1, initial=np.inf) > SAME
    return high[apart], np.maximum(np.abs(values[lower]), np.abs(values[upper]))[apart]


def _read(profit: Profit, prices: Floats, signs: npt.NDArray[np.int64]) -> BreakEven:
    """Runs of one sign, from the lowest price to the highest."""
    runs = [(sign, [place for place, _ in group]) for sign, group in groupby(enumerate(signs.tolist()), key=lambda one: one[1])]
    crossed: list[float] = []
    touched: list[float] = []
    stretches: list[tuple[float, float]] = []
    for number, (sign, places) in enumerate(runs):
        before = runs[number - 1][0] if number > 0 else None
        after = runs[number + 1][0] if number + 1 < len(runs) else None
        first, last = float(prices[places[0]]), float(prices[places[-1]])
        if sign == 0 and last / first - 1 > SAME:
            stretches.append((first, last))
        elif sign == 0:
            (touched if before == after else crossed).append(first)
        elif after == -sign:
            crossed.append(_between(profit, last, float(prices[places[-1] + 1]), sign))
    return BreakEven(tuple(crossed), tuple(touched), tuple(stretches), float(prices[0]), float(prices[-1]))


def _between(profit: Profit, low: float, high: float, sign_low: int) -> float:
    """The price at which the sign changes, by halving the ratio."""
    for _ in range(HALVINGS):
        middle = float(np.sqrt(low * high))
        same = float(np.sign(_values(profit, np.array([middle])))[0]) == sign_low
        low, high = (middle, high) if same else (low, middle)
    return float(np.sqrt(low * high))


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What else a position brings and costs until the horizon, in USD: fees earned, funding paid (negative: received), what its layers cost.

    `basis_usd` is what the position is measured against: its value today, or what was put in. The horizon is `years` away; `kinks` are the
    prices at which strikes and ranges end.
    """

    basis_usd: float
    years: float
    fees_usd: float = 0.0
    funding_usd: float = 0.0
    layers_cost_usd: float = 0.0
    kinks: tuple[float, ...] = ()
    iv_beta: float = IV_BETA


@dataclass(frozen=True, slots=True)
class SyntheticBreakEven:
    """Break-evens of a position at the horizon: alone, with its layers as if they were free, and with their cost."""

    alone: BreakEven
    with_layers: BreakEven
    with_cost: BreakEven


def synthetic_break_even(position: Exposure, layers: Exposure, terms: Terms, now: Scenario, asset: str, reach: float = REACH) -> SyntheticBreakEven:
    """ALVH: prices at which position + fees - funding + layers - layer cost is zero at the horizon, the other assets at today's prices.

    *(reading)* The position counts as what it gained on `terms.basis_usd`; a layer as what it would bring at the horizon, its price being in the
    cost: a perpetual is worth nothing where it was opened. Looked for from today's price / `reach` to today's price x `reach`.
    """
    spot = float(now.price(asset))

    def found(exposure: Exposure, cost_usd: float) -> BreakEven:
        fixed = terms.fees_usd - terms.funding_usd - cost_usd - terms.basis_usd

        def profit(prices: Floats) -> Floats:
            there = at_horizon(now, asset, prices, terms.years, terms.iv_beta)
            return np.asarray(exposure.value_usd(there) + fixed, dtype=np.float64)

        return break_even(profit, spot / reach, spot * reach, terms.kinks, abs(terms.basis_usd))

    hedged = Together((position, layers))
    return SyntheticBreakEven(found(position, 0.0), found(hedged, 0.0), found(hedged, terms.layers_cost_usd))
