"""Options as exposures: contracts, when they expire and what they are called.

An option is worth its Black-Scholes price before expiry and what exercise brings from then on, at the scenario's own price: the settlement
averages of venues are left out.
"""

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Literal

import numpy as np

from monitor.core.black import Greeks, Right, black_scholes
from monitor.core.exposure import Scenario, Values
from monitor.core.tokens import LISTED
from monitor.core.units import DAY, HOUR, parse_time
from monitor.core.us_calendar import NEW_YORK

YEAR_MS = 365 * DAY
CRYPTO_EXPIRY_MS = 8 * HOUR  # 08:00 UTC (https://www.deribit.com/pages/information/Introduction_Policy)
CLOSE, VIX_OPEN = time(16, 0), time(9, 30)


@dataclass(frozen=True, slots=True)
class OptionLeg:
    """A European option on `size` coins or index units (one SPX contract is 100), negative when sold.

    `years` runs from the scenario's now to expiry. `rate` is a continuously compounded rate a year that the forward grows at; dividends, staking
    yields and the basis of futures are left out. `skew` is this strike's volatility over the asset's own (a fraction), which it keeps as that
    moves. `closing_usd` is what closing one unit takes off the premium (when sold: adds to it) for as long as the option lives: the half-spread.
    Greeks are those of the premium.
    """

    asset: str
    right: Right
    strike: float
    years: float
    size: float
    rate: float = 0.0
    skew: float = 0.0
    closing_usd: float = 0.0

    def __post_init__(self) -> None:
        if not self.strike > 0:
            raise ValueError(f"the strike of an option on {self.asset} must be above 0, this is {self.strike:.6g}")

    @property
    def assets(self) -> frozenset[str]:
        return frozenset({self.asset})

    @property
    def bought(self) -> bool:
        return self.size > 0

    def alive(self, scenario: Scenario) -> bool:
        return scenario.years < self.years

    def unit(self, scenario: Scenario) -> Greeks:
        """Price and greeks of one unit, bought. After expiry no volatility is asked for."""
        sigma = np.maximum(scenario.sigma(self.asset) + self.skew, 0.0) if self.alive(scenario) else 0.0
        return black_scholes(self.right, scenario.price(self.asset), self.strike, sigma, self.years - scenario.years, self.rate)

    def value_usd(self, scenario: Scenario) -> Values:
        """What closing brings: never below 0 where bought, never above 0 where sold."""
        closing = self.closing_usd if self.alive(scenario) else 0.0
        toward = closing if self.bought else -closing
        return _plain(self.size * np.maximum(self.unit(scenario).price - toward, 0.0))

    def deltas(self, scenario: Scenario) -> dict[str, Values]:
        return {self.asset: self.size * self.unit(scenario).delta}

    def gammas(self, scenario: Scenario) -> dict[str, Values]:
        return {self.asset: self.size * self.unit(scenario).gamma}

    def vegas(self, scenario: Scenario) -> dict[str, Values]:
        return {self.asset: self.size * self.unit(scenario).vega}


def expiry_ms(asset: str, text: str) -> int:
    """When an option expires, epoch milliseconds: an ISO-8601 instant as it stands, a date at the hour that its market knows.

    Crypto options expire at 08:00 UTC, those on SPX and US funds at 16:00 New York (*(reading)*: SPXW; the monthly SPX that settles at the
    opening needs its instant written out, and so does a half day), those on the VIX at 09:30 New York. Raises ValueError for any other text.
    """
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        return parse_time(text)
    if asset not in LISTED:
        return parse_time(day.isoformat()) + CRYPTO_EXPIRY_MS
    clock = VIX_OPEN if asset == "VIX" else CLOSE
    return round(datetime.combine(day, clock, NEW_YORK).timestamp() * 1000)


def days_to_expiry(now: int, expires: int) -> float:
    """DTE in days and parts of them, 0 from expiry on; both times in epoch milliseconds."""
    return max(0, expires - now) / DAY


def contract_name(asset: str, expires: int, strike: float, right: Literal["put", "call"]) -> str:
    """The vocabulary's subject of an option: ETH-2026-12-25-2000-P, by the UTC day of its expiry (epoch milliseconds)."""
    day = np.datetime64(expires // DAY, "D")
    return f"{asset}-{day}-{strike:.8f}".rstrip("0").rstrip(".") + ("-P" if right == "put" else "-C")


def _plain(values: Values) -> Values:
    return values if np.ndim(values) else float(values)
