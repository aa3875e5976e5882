"""Uniswap v2 in whole numbers, equal to the contract, and a constant-product position as a function of prices.

The pair's own source: github.com/Uniswap/v2-core, contracts/UniswapV2Pair.sol (`burn`, `_mintFee`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt, sqrt

import numpy as np

from monitor.core.exposure import Scenario, Values

MOST_RESERVE = 2**112 - 1


@dataclass(frozen=True, slots=True)
class Pair:
    """What a pair says at one block, in raw units.

    `reserve0` and `reserve1` are what it last wrote down, `balance0` and `balance1` what it really holds: they differ after a donation and
    for a token whose balances move by themselves. `k_last` is the product of the reserves at the last mint or burn, 0 while no protocol fee
    is taken; `fee_on` says whether the factory names a receiver of it.
    """

    reserve0: int
    reserve1: int
    balance0: int
    balance1: int
    total_supply: int
    k_last: int
    fee_on: bool


@dataclass(frozen=True, slots=True)
class ProtocolShare:
    """What the protocol takes of the growth of sqrt(k), as a fraction: a sixth at Uniswap; forks have others."""

    part: int
    whole: int

    def __post_init__(self) -> None:
        if not 0 < self.part < self.whole:
            raise ValueError("a protocol share lies between 0 and 1: write {part: 1, whole: 6} for a sixth")


SIXTH = ProtocolShare(1, 6)


def protocol_shares(pair: Pair, share: ProtocolShare = SIXTH) -> int:
    """Shares that the next mint or burn creates first, for the protocol (`_mintFee`): they dilute every holder."""
    if not pair.fee_on or pair.k_last == 0:
        return 0
    root, root_last = isqrt(pair.reserve0 * pair.reserve1), isqrt(pair.k_last)
    grown = max(root - root_last, 0)
    return pair.total_supply * grown * share.part // (root * (share.whole - share.part) + root_last * share.part)


def burned(pair: Pair, shares: int, share: ProtocolShare = SIXTH) -> tuple[int, int]:
    """Raw units of token0 and token1 that the pair sends to who burns so many shares now (`burn`).

    (0, 0) where the contract would refuse, since of one token not even a unit is due; so too for no shares, and in a pair that is empty.
    ValueError for shares that cannot be, and where a balance has outgrown the pair: then burning fails until somebody calls `skim`.
    """
    if not 0 <= shares <= pair.total_supply:
        raise ValueError(f"{shares} shares of {pair.total_supply} cannot be: they were not read at one block")
    if shares == 0:
        return 0, 0
    supply = pair.total_supply + protocol_shares(pair, share)
    amount0, amount1 = shares * pair.balance0 // supply, shares * pair.balance1 // supply
    for side, left in enumerate((pair.balance0 - amount0, pair.balance1 - amount1)):
        if left > MOST_RESERVE:
            raise ValueError(f"the pair holds more of token{side} than it can count: burning fails until somebody calls its skim")
    return (amount0, amount1) if amount0 and amount1 else (0, 0)


def impermanent_loss(ratio: Values) -> Values:
    """LP over the deposited amounts, less 1, after the price of one asset in the other has become `ratio` times what it was; never above 0.

    ALVH: 2 sqrt(k) / (1 + k) - 1. ValueError unless the ratio is above 0.
    """
    if not np.all(np.asarray(ratio) > 0):
        raise ValueError("a ratio of prices is above 0")
    # 2 sqrt(k) - (1 + k) is this square: so it never rounds to above 0.
    return -((1 - ratio**0.5) ** 2) / (1 + ratio)


@dataclass(frozen=True, slots=True)
class ConstantProduct:
    """A share of a pool that keeps x * y: `liquidity` is the root of the product of its two amounts, in whole coins.

    At other prices it holds what arbitrage leaves: sqrt(p1 / p0) of asset0 and sqrt(p0 / p1) of asset1 for each unit of liquidity.
    """

    asset0: str
    asset1: str
    liquidity: float

    def __post_init__(self) -> None:
        if self.asset0 == self.asset1:
            raise ValueError(f"both sides are {self.asset0}: there is no price between them")

    @staticmethod
    def of(asset0: str, amount0: float, asset1: str, amount1: float) -> "ConstantProduct":
        """The position that holds these amounts at the pool's own price."""
        return ConstantProduct(asset0, asset1, sqrt(amount0) * sqrt(amount1))

    @property
    def assets(self) -> frozenset[str]:
        return frozenset((self.asset0, self.asset1))

    def value_usd(self, scenario: Scenario) -> Values:
        price0, price1 = self._prices(scenario)
        return 2 * self.liquidity * price0**0.5 * price1**0.5

    def deltas(self, scenario: Scenario) -> Mapping[str, Values]:
        """The amounts that it holds."""
        price0, price1 = self._prices(scenario)
        return {self.asset0: self.liquidity * (price1 / price0) ** 0.5, self.asset1: self.liquidity * (price0 / price1) ** 0.5}

    def gammas(self, scenario: Scenario) -> Mapping[str, Values]:
        """Never above 0: it sells what rises and buys what falls."""
        price0, price1 = self._prices(scenario)
        amounts = self.deltas(scenario)
        return {self.asset0: -amounts[self.asset0] / (2 * price0), self.asset1: -amounts[self.asset1] / (2 * price1)}

    def vegas(self, scenario: Scenario) -> Mapping[str, Values]:
        return {}

    def _prices(self, scenario: Scenario) -> tuple[Values, Values]:
        return scenario.price(self.asset0), scenario.price(self.asset1)
