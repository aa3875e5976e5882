"""What a position is worth as a function of prices, volatility and time: greeks, stress and break-evens are all made from it.

A layer is worth something in the same way, so that one book holds both (ALVH: one exposure is never hedged twice).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

Values = float | npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scenario:
    """States of the world: USD price of one unit by asset, implied volatility by asset (annualised fraction), and how many years from now.

    Each entry is one number or an array; the arrays have one shape, (n,) for n states at once.
    """

    prices: Mapping[str, Values]
    volatility: Mapping[str, Values] = field(default_factory=dict)
    years: float = 0.0

    def price(self, asset: str) -> Values:
        """ValueError, naming the asset, where there is none: a price is never assumed."""
        if asset not in self.prices:
            raise ValueError(f"the scenario has no price of {asset}")
        return self.prices[asset]

    def sigma(self, asset: str) -> Values:
        """Annualised implied volatility as a fraction. ValueError, naming the asset, where there is none."""
        if asset not in self.volatility:
            raise ValueError(f"the scenario has no volatility of {asset}")
        return self.volatility[asset]

    def moved(self, factors: Mapping[str, Values]) -> "Scenario":
        """The same with these prices multiplied."""
        return replace(self, prices={asset: price * factors.get(asset, 1.0) for asset, price in self.prices.items()})


class Exposure(Protocol):
    """A claim on assets. Each answer is by asset, in the scenario's shape.

    `deltas` is the derivative of the value by the asset's USD price, in coins; `gammas` the second derivative, in coins per USD; `vegas` the
    change in USD for one volatility point (0.01) more. An asset that is not named has 0.
    """

    @property
    def assets(self) -> frozenset[str]: ...

    def value_usd(self, scenario: Scenario) -> Values: ...

    def deltas(self, scenario: Scenario) -> Mapping[str, Values]: ...

    def gammas(self, scenario: Scenario) -> Mapping[str, Values]: ...

    def vegas(self, scenario: Scenario) -> Mapping[str, Values]: ...


@dataclass(frozen=True, slots=True)
class Coins:
    """Coins held (negative: owed or short) and USD beside them: tokens, loans, and perpetuals with what was paid for them as `usd`."""

    amounts: Mapping[str, float]
    usd: float = 0.0

    @property
    def assets(self) -> frozenset[str]:
        return frozenset(self.amounts)

    def value_usd(self, scenario: Scenario) -> Values:
        return sum((amount * scenario.price(asset) for asset, amount in self.amounts.items()), start=self.usd)

    def deltas(self, scenario: Scenario) -> Mapping[str, Values]:
        return {asset: amount + 0.0 * scenario.price(asset) for asset, amount in self.amounts.items()}

    def gammas(self, scenario: Scenario) -> Mapping[str, Values]:
        return {}

    def vegas(self, scenario: Scenario) -> Mapping[str, Values]:
        return {}


@dataclass(frozen=True, slots=True)
class Together:
    """Several exposures as one: everything is a sum, so a book is additive by construction."""

    parts: tuple[Exposure, ...]

    @property
    def assets(self) -> frozenset[str]:
        return frozenset().union(*(part.assets for part in self.parts))

    def value_usd(self, scenario: Scenario) -> Values:
        return sum((part.value_usd(scenario) for part in self.parts), start=0.0)

    def deltas(self, scenario: Scenario) -> Mapping[str, Values]:
        return _summed(part.deltas(scenario) for part in self.parts)

    def gammas(self, scenario: Scenario) -> Mapping[str, Values]:
        return _summed(part.gammas(scenario) for part in self.parts)

    def vegas(self, scenario: Scenario) -> Mapping[str, Values]:
        return _summed(part.vegas(scenario) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Scaled:
    """A share (or a multiple, negative: the other side) of another exposure."""

    whole: Exposure
    share: float

    @property
    def assets(self) -> frozenset[str]:
        return self.whole.assets

    def value_usd(self, scenario: Scenario) -> Values:
        return self.share * self.whole.value_usd(scenario)

    def deltas(self, scenario: Scenario) -> Mapping[str, Values]:
        return self._of(self.whole.deltas, scenario)

    def gammas(self, scenario: Scenario) -> Mapping[str, Values]:
        return self._of(self.whole.gammas, scenario)

    def vegas(self, scenario: Scenario) -> Mapping[str, Values]:
        return self._of(self.whole.vegas, scenario)

    def _of(self, greeks: Callable[[Scenario], Mapping[str, Values]], scenario: Scenario) -> Mapping[str, Values]:
        return {asset: self.share * value for asset, value in greeks(scenario).items()}


def _summed(tables: Iterable[Mapping[str, Values]]) -> dict[str, Values]:
    total: dict[str, Values] = {}
    for table in tables:
        for asset, value in table.items():
            total[asset] = total[asset] + value if asset in total else value
    return total
