"""Prices and greeks of European options by Black (1976) and Black-Scholes, and the volatility that a price implies.

Numbers or arrays of one shape alike. Volatilities and rates are fractions a year, rates compounded continuously; `years` counts to expiry, and
from there on an option is worth what exercise brings. Source: Hull, "Options, Futures, and Other Derivatives", 8th edition, chapters 14, 17 and 18.
"""

import math
from typing import Literal, NamedTuple

import numpy as np

from monitor.core.exposure import Values
from monitor.core.verdict import Unknown

Right = Literal["put", "call"]

DAYS_A_YEAR = 365.0
BISECTIONS = 80
WIDEST = 64.0
"""Standard deviations to expiry beyond which no option's price changes any more in double precision."""


class Greeks(NamedTuple):
    """An option on one unit, bought: price in USD, delta in units, gamma in units per USD, vega in USD per volatility point (0.01), and theta
    in USD per calendar day (mostly negative)."""

    price: Values
    delta: Values
    gamma: Values
    vega: Values
    theta: Values


def normal_cdf(x: Values) -> Values:
    """Standard normal distribution function.

    The relative error is below 1e-15 for x > -2 and below 2e-16 (4 + x^2) in the left tail, where the rounding of x itself is what counts.
    The C library's erfc is called for each entry: so one number and an array agree to the bit, and 100,000 entries take some 12 ms.
    """
    if isinstance(x, np.ndarray):
        each = map(math.erfc, (x * -math.sqrt(0.5)).ravel().tolist())
        return 0.5 * np.fromiter(each, np.float64, x.size).reshape(x.shape)
    return 0.5 * math.erfc(x * -math.sqrt(0.5))


def black_76(right: Right, forward: Values, strike: float, sigma: Values, years: float, rate: float = 0.0) -> Greeks:
    """An option on a forward or future that ends with it. Delta and gamma are by the forward's price; theta is at an unmoved forward.

    At expiry gamma, vega and theta are 0, and delta at the strike itself is half of one.
    """
    sign, left = _sign(right), max(years, 0.0)
    root, discount = math.sqrt(left), math.exp(-rate * left)
    spread = sigma * root
    d1 = _d1(forward, strike, spread)
    inside, paid = normal_cdf(sign * d1), normal_cdf(sign * (d1 - spread))
    floor = discount * np.maximum(sign * (forward - strike), 0.0)
    price = np.maximum(sign * discount * (forward * inside - strike * paid), floor)
    dense = discount * np.exp(-0.5 * d1 * d1) / math.sqrt(2.0 * math.pi)
    area = forward * spread
    gamma = dense / np.where(area > 0.0, area, np.inf)
    vega = forward * dense * root / 100.0
    decay = forward * dense * sigma / (2.0 * root) if left > 0.0 else 0.0 * forward
    theta = (rate * price * (left > 0.0) - decay) / DAYS_A_YEAR
    return Greeks(*map(_plain, (price, sign * discount * inside, gamma, vega, theta)))


def black_scholes(right: Right, spot: Values, strike: float, sigma: Values, years: float, rate: float = 0.0) -> Greeks:
    """An option on what pays nothing itself: its forward is the spot price grown at `rate`. Delta, gamma and theta are at the spot price."""
    left = max(years, 0.0)
    growth = math.exp(rate * left)
    forward = spot * growth
    by_forward = black_76(right, forward, strike, sigma, years, rate)
    drift = rate * forward * by_forward.delta * (left > 0.0) / DAYS_A_YEAR
    delta, gamma = by_forward.delta * growth, by_forward.gamma * growth * growth
    return Greeks(by_forward.price, delta, gamma, by_forward.vega, _plain(by_forward.theta - drift))


def implied_volatility(right: Right, price: float, forward: float, strike: float, years: float, rate: float = 0.0) -> float:
    """The volatility at which `black_76` gives this price, by bisection between brackets.

    Raises Unknown where there is none: at or past expiry, at or below what exercise would bring, at or above the most that any volatility gives.
    """
    if years <= 0.0:
        raise Unknown("volatility", "an option that has expired implies no volatility")
    undiscounted = price * math.exp(rate * years)
    # What exercise brings taken off, the rest is the price of the option of the other right at the same strike (put-call parity).
    time_value = undiscounted - max(_sign(right) * (forward - strike), 0.0)
    if not 0.0 < time_value < min(forward, strike):
        end = "at or above the most that any volatility gives" if time_value > 0.0 else "at or below what exercise would bring"
        raise Unknown("volatility", f"a {right} of {strike:,.6g} at {price:,.6g} is {end}: it implies no volatility")
    return _root(forward, strike, time_value) / math.sqrt(years)


def _root(forward: float, strike: float, time_value: float) -> float:
    """Standard deviations to expiry at which the option out of the money is worth its time value."""
    outside: Right = "put" if forward >= strike else "call"
    low, high = 0.0, WIDEST
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        if black_76(outside, forward, strike, middle, 1.0).price < time_value:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _sign(right: Right) -> float:
    return 1.0 if right == "call" else -1.0


def _d1(forward: Values, strike: float, spread: Values) -> Values:
    """How many standard deviations the forward stands above the strike, plus half of one; infinite where nothing can move it any more."""
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.divide(np.log(np.divide(forward, strike)), spread)
    return _plain(np.where(np.isnan(distance), 0.0, distance) + 0.5 * spread)


def _plain(values: Values) -> Values:
    return values if np.ndim(values) else float(values)
