"""Balancer's weighted pools: what an exit pays to the unit, and what a share is worth at any prices.

Integers are those of the contracts: FixedPoint, and BasePoolMath.computeProportionalAmountsOut (`exactBPTInForTokensOut` in older pools), which
composable stable pools use as well. Balances are scaled to 18 decimals before, and rounded down to the token's own after.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, log

import numpy as np

from monitor.core.exposure import Scenario, Values

ONE = 10**18
MOST_DECIMALS = 18


def multiply_down(a: int, b: int) -> int:
    """FixedPoint.mulDown: the product of two numbers of 18 decimals, rounded down."""
    return a * b // ONE


def divide_down(a: int, b: int) -> int:
    """FixedPoint.divDown: their quotient, rounded down. ValueError for a division by 0, where the contract reverts."""
    if b == 0:
        raise ValueError("a pool without shares pays nothing out")
    return a * ONE // b


def proportional_exit(balances: Sequence[int], decimals: Sequence[int], shares: int, supply: int) -> list[int]:
    """Raw units that the Vault pays when shares leave in proportion; `supply` includes what is due to the protocol and not minted yet.

    Nothing for no shares. ValueError for more shares than there are, or a token of more than 18 decimals, which no pool takes.
    """
    if shares > supply:
        raise ValueError("there are more shares than the pool has")
    if any(each > MOST_DECIMALS for each in decimals):
        raise ValueError("Balancer takes no token of more than 18 decimals")
    if shares == 0:
        return [0] * len(balances)
    ratio = divide_down(shares, supply)
    # The contract brings balances to 18 decimals and back, both rounded down: for whole factors that is rounding down once.
    return [multiply_down(balance, ratio) for balance in balances]


@dataclass(frozen=True, slots=True)
class Weighted:
    """A share of a weighted pool once arbitrage has moved the pool to the prices: V = e^log_scale prod p_i^w_i, no fee reckoned.

    `weights` are fractions by asset that sum to 1. Deltas w_i V / p_i are the amounts held, gammas w_i (w_i - 1) V / p_i^2.
    """

    weights: Mapping[str, float]
    log_scale: float

    @property
    def assets(self) -> frozenset[str]:
        return frozenset(self.weights)

    def value_usd(self, scenario: Scenario) -> Values:
        total: Values = self.log_scale
        for asset, weight in self.weights.items():
            price = scenario.price(asset)
            if not np.all(np.asarray(price) > 0):
                raise ValueError(f"the price of {asset} is not above 0: no balance of a weighted pool goes with it")
            total = total + weight * np.log(price)
        worth = np.exp(total)
        return worth if np.ndim(worth) else float(worth)

    def deltas(self, scenario: Scenario) -> Mapping[str, Values]:
        worth = self.value_usd(scenario)
        return {asset: weight * worth / scenario.price(asset) for asset, weight in self.weights.items()}

    def gammas(self, scenario: Scenario) -> Mapping[str, Values]:
        worth = self.value_usd(scenario)
        return {asset: weight * (weight - 1) * worth / scenario.price(asset) ** 2 for asset, weight in self.weights.items()}

    def vegas(self, scenario: Scenario) -> Mapping[str, Values]:
        return {}


def weighted_share(coins: Sequence[str], amounts: Sequence[float], weights: Sequence[float]) -> Weighted:
    """The exposure of amounts that a share holds now, all above 0: V = prod (amount_i p_i / w_i)^w_i. Coins of one asset are one of it."""
    total: dict[str, float] = {}
    for coin, weight in zip(coins, weights, strict=True):
        total[coin] = total.get(coin, 0.0) + weight
    return Weighted(total, fsum(weight * log(amount / weight) for amount, weight in zip(amounts, weights, strict=True)))
