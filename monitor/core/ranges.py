"""Concentrated liquidity as a function of prices, in whole tokens (Uniswap v3 and v4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np

from monitor.core.amm import Q192, sqrt_ratio_at_tick
from monitor.core.exposure import Scenario, Values


@dataclass(frozen=True, slots=True)
class V3Range:
    """Liquidity between two prices of `asset0` in `asset1`; what it has earned is not in it. ValueError for a range that cannot be.

    `liquidity` is in whole-token units: the square root of whole token0 times whole token1. The pool is taken to stand where the USD prices of
    its two assets say, at P = p0 / p1, as arbitrage puts it. ALVH: delta by asset is the amount held, and gamma of asset0 is -L / (2 P^1.5) in
    asset1 inside the range and 0 outside. A range owns its lower end and not its upper one, as its ticks do.
    """

    asset0: str
    asset1: str
    liquidity: float
    lower: float
    upper: float

    def __post_init__(self) -> None:
        if self.asset0 == self.asset1:
            raise ValueError(f"both sides of the range are {self.asset0}: their prices never part")
        if not (0 < self.lower < self.upper < float("inf") and 0 <= self.liquidity < float("inf")):
            raise ValueError(f"no range of liquidity {self.liquidity} goes from {self.lower} to {self.upper}")

    @property
    def assets(self) -> frozenset[str]:
        return frozenset({self.asset0, self.asset1})

    def amounts(self, price: Values) -> tuple[Values, Values]:
        """Whole tokens of asset0 and of asset1 that the range holds at a price of asset0 in asset1."""
        low, high = sqrt(self.lower), sqrt(self.upper)
        root = np.sqrt(np.clip(price, self.lower, self.upper))
        # A difference of roots loses less near an end than one of their inverses.
        return self.liquidity * (high - root) / (root * high), self.liquidity * (root - low)

    def value_usd(self, scenario: Scenario) -> Values:
        amount0, amount1 = self.amounts(self._price(scenario))
        return amount0 * scenario.price(self.asset0) + amount1 * scenario.price(self.asset1)

    def deltas(self, scenario: Scenario) -> Mapping[str, Values]:
        amount0, amount1 = self.amounts(self._price(scenario))
        return {self.asset0: amount0, self.asset1: amount1}

    def gammas(self, scenario: Scenario) -> Mapping[str, Values]:
        """Of asset0 with the price of asset1 held, and of asset1 with that of asset0 held."""
        price = self._price(scenario)
        inside = (self.lower <= price) & (price < self.upper)
        within = np.clip(price, self.lower, self.upper)
        per_usd = np.where(inside, -self.liquidity / (2 * np.sqrt(within) * scenario.price(self.asset1)), 0.0)
        return {self.asset0: per_usd / within, self.asset1: per_usd * within}

    def vegas(self, scenario: Scenario) -> Mapping[str, Values]:
        return {}

    def _price(self, scenario: Scenario) -> Values:
        return scenario.price(self.asset0) / scenario.price(self.asset1)


def edge_jumps(held: V3Range) -> tuple[float, float]:
    """By how much gamma changes as the price rises through the lower and through the upper end: asset0 for one unit of asset1.

    A second difference taken across an end is neither of its two sides.
    """
    return -held.liquidity / (2 * held.lower**1.5), held.liquidity / (2 * held.upper**1.5)


def range_of(
    assets: tuple[str, str], liquidity: int, ticks: tuple[int, int], decimals: tuple[int, int], rates: tuple[float, float] = (1.0, 1.0)
) -> V3Range:
    """A range in whole coins from the chain's own integers: raw liquidity, lower and upper tick, digits of both tokens.

    `rates` are coins of each asset for one whole token of it, where that redeems for more than one.
    """
    # The highest tick of all ends ranges, though no pool's price may stand there.
    lower, upper = (sqrt_ratio_at_tick(tick) ** 2 * 10 ** decimals[0] / (Q192 * 10 ** decimals[1]) for tick in ticks)
    # Exact until the one division: the square of raw liquidity is in raw units of both tokens.
    coins = rates[1] / rates[0]
    return V3Range(*assets, sqrt(liquidity**2 / 10 ** sum(decimals)) * sqrt(rates[0] * rates[1]), lower * coins, upper * coins)
