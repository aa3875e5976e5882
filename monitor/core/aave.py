"""Aave v3 in whole numbers, equal to the contracts: interest, indices, the curve of rates, an account's health.

Sources: WadRayMath, PercentageMath, MathUtils, ReserveLogic, GenericLogic, ReserveConfiguration and DefaultReserveInterestRateStrategy (v3.0) and
its V2 (v3.1 on) of github.com/aave/aave-v3-core and github.com/aave-dao/aave-v3-origin. A rate is simple interest a year. Each unit has its
type, and is converted in one place: what is a ray cannot be read as a wad, a percentage or a rate a second.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NewType

Ray = NewType("Ray", int)
"""27 decimals: rates a year, indices, shares."""
Wad = NewType("Wad", int)
"""18 decimals: health factors."""
Bps = NewType("Bps", int)
"""Hundredths of a percent: reserve factors, thresholds."""
PerSecond = NewType("PerSecond", int)
"""A rate a second in 18 decimals, as Compound v3 has it."""

RAY, WAD, PERCENT = 10**27, 10**18, 10**4
YEAR_SECONDS = 365 * 24 * 3600
NO_DEBT = Wad(2**256 - 1)
"""The health factor of an account that owes nothing, as the contract answers it."""

HEALTHIEST = 1_000_000.0
ENDLESS_APR = 700.0


def ray_mul(a: int, b: int) -> int:
    """a x b of two numbers of which one is in rays, halves up."""
    return (a * b + RAY // 2) // RAY


def ray_div(a: int, b: int) -> int:
    """a / b in rays, halves up. ValueError by zero, where the contract reverts."""
    if b == 0:
        raise ValueError("division by zero, where the contract reverts")
    return (a * RAY + b // 2) // b


def percent_mul(value: int, share: Bps) -> int:
    """A share of a value, halves up."""
    return (value * share + PERCENT // 2) // PERCENT


def fraction_of_ray(value: Ray) -> float:
    """The nearest float."""
    return value / RAY


def fraction_of_wad(value: Wad) -> float:
    """The nearest float."""
    return value / WAD


def apr_of_second(rate: PerSecond) -> float:
    """Simple interest a year as a fraction, of a rate a second in 18 decimals: times 31,536,000."""
    return rate * YEAR_SECONDS / WAD


def apy(apr: float) -> float:
    """Yield a year compounded every second, (1 + apr / 31,536,000) ^ 31,536,000 - 1; fractions. Infinite where floats end, at 70,000% a year."""
    if apr > ENDLESS_APR:
        return math.inf
    return math.expm1(YEAR_SECONDS * math.log1p(apr / YEAR_SECONDS))


def linear_interest(rate: Ray, seconds: int) -> Ray:
    """Growth of what is supplied, 1 ray and up: simple interest, rounded down."""
    return Ray(RAY + rate * seconds // YEAR_SECONDS)


def compounded_interest(rate: Ray, seconds: int) -> Ray:
    """Growth of what is owed, 1 ray and up: the first three terms of the binomial, as MathUtils rounds them."""
    if seconds == 0:
        return Ray(RAY)
    one_less, two_less = seconds - 1, max(seconds - 2, 0)
    squared = ray_mul(rate, rate) // YEAR_SECONDS**2
    cubed = ray_mul(squared, rate) // YEAR_SECONDS
    second = seconds * one_less * squared // 2
    third = seconds * one_less * two_less * cubed // 6
    return Ray(RAY + rate * seconds // YEAR_SECONDS + second + third)


@dataclass(frozen=True, slots=True)
class Stored:
    """What a reserve's storage says, as old as its last touch: rates a year, indices, and when (epoch seconds)."""

    supply_rate: Ray
    borrow_rate: Ray
    supply_index: Ray
    borrow_index: Ray
    touched: int


def normalized_income(stored: Stored, now: int) -> Ray:
    """The supply index at a block's time (epoch seconds), though nobody has touched the reserve since."""
    grown = linear_interest(stored.supply_rate, now - stored.touched)
    return Ray(ray_mul(grown, stored.supply_index))


def normalized_debt(stored: Stored, now: int) -> Ray:
    """The borrow index at a block's time (epoch seconds), though nobody has touched the reserve since."""
    grown = compounded_interest(stored.borrow_rate, now - stored.touched)
    return Ray(ray_mul(grown, stored.borrow_index))


@dataclass(frozen=True, slots=True)
class Curve:
    """A market's own curve of borrow rates: from `base` up by `slope1` to the optimal usage, and by `slope2` from there to full use."""

    optimal: Ray
    base: Ray
    slope1: Ray
    slope2: Ray

    @property
    def maximum(self) -> Ray:
        """The borrow rate at full use: no variable rate is higher."""
        return Ray(self.base + self.slope1 + self.slope2)


@dataclass(frozen=True, slots=True)
class Use:
    """How much of a reserve is in use, in raw units of its token, interest until the block's time included.

    `unbacked` is what was minted against nothing, bad debt since v3.3 included; stable debt exists until v3.1 alone.
    """

    available: int
    variable_debt: int
    stable_debt: int = 0
    stable_rate: Ray = Ray(0)
    unbacked: int = 0

    @property
    def debt(self) -> int:
        return self.variable_debt + self.stable_debt

    @property
    def utilisation(self) -> Ray:
        """Share of what is there that is borrowed; 0 where there is nothing."""
        return Ray(ray_div(self.debt, self.available + self.debt) if self.debt else 0)


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates a year, simple: to suppliers, and of variable debt."""

    supply: Ray
    borrow: Ray


def rates(curve: Curve, use: Use, reserve_factor: Bps) -> Rates:
    """What calculateInterestRates answers: the rates that the next touch would set. ValueError where the contract reverts."""
    borrow = _borrow_rate(curve, use.utilisation)
    if use.debt == 0:
        return Rates(Ray(0), borrow)
    weighted = ray_mul(use.variable_debt * 10**9, borrow) + ray_mul(use.stable_debt * 10**9, use.stable_rate)
    overall = ray_div(weighted, use.debt * 10**9)
    supplied_share = ray_div(use.debt, use.available + use.debt + use.unbacked)
    return Rates(Ray(percent_mul(ray_mul(overall, supplied_share), Bps(PERCENT - reserve_factor))), borrow)


def _borrow_rate(curve: Curve, usage: Ray) -> Ray:
    if usage > curve.optimal:
        excess = ray_div(usage - curve.optimal, RAY - curve.optimal)
        return Ray(curve.base + curve.slope1 + ray_mul(curve.slope2, excess))
    return Ray(curve.base + ray_div(ray_mul(curve.slope1, usage), curve.optimal))


@dataclass(frozen=True, slots=True)
class Configuration:
    """A reserve's settings. Caps are in whole tokens, 0 where there is none; `category` is its efficiency mode, up to v3.1."""

    ltv: Bps
    liquidation_threshold: Bps
    decimals: int
    active: bool
    frozen: bool
    borrowable: bool
    paused: bool
    reserve_factor: Bps
    borrow_cap: int
    supply_cap: int
    category: int


def configuration(word: int) -> Configuration:
    """The settings that getConfiguration packs into one word."""

    def bits(first: int, count: int) -> int:
        return word >> first & (1 << count) - 1

    return Configuration(
        ltv=Bps(bits(0, 16)),
        liquidation_threshold=Bps(bits(16, 16)),
        decimals=bits(48, 8),
        active=bool(bits(56, 1)),
        frozen=bool(bits(57, 1)),
        borrowable=bool(bits(58, 1)),
        paused=bool(bits(60, 1)),
        reserve_factor=Bps(bits(64, 16)),
        borrow_cap=bits(80, 36),
        supply_cap=bits(116, 36),
        category=bits(168, 8),
    )


@dataclass(frozen=True, slots=True)
class EfficiencyMode:
    """The mode that an account is in. `members` has the bit of each reserve's id that counts as its collateral, since v3.2; None before."""

    category: int
    threshold: Bps
    members: int | None


def threshold_in_force(settings: Configuration, mode: EfficiencyMode | None, reserve_id: int) -> Bps:
    """The liquidation threshold of a reserve for an account, as GenericLogic takes it: the mode's for its members, 0 for what is no collateral."""
    if mode is None or settings.liquidation_threshold == 0:
        return settings.liquidation_threshold
    belongs = settings.category == mode.category if mode.members is None else mode.members >> reserve_id & 1
    return mode.threshold if belongs else settings.liquidation_threshold


@dataclass(frozen=True, slots=True)
class Holding:
    """One asset of an account: raw units that count as collateral, and owed; price in the oracle's units, threshold of its category."""

    collateral: int
    debt: int
    price: int
    decimals: int
    threshold: Bps


@dataclass(frozen=True, slots=True)
class Health:
    """An account in the oracle's units, with its average liquidation threshold and its health factor."""

    collateral: int
    debt: int
    threshold: Bps
    factor: Wad


def health(holdings: Iterable[Holding]) -> Health:
    """What getUserAccountData answers, rounded as the contract rounds."""
    collateral = debt = weighted = 0
    for one in holdings:
        worth = one.collateral * one.price // 10**one.decimals if one.threshold else 0
        collateral += worth
        weighted += worth * one.threshold
        debt += one.debt * one.price // 10**one.decimals
    threshold = Bps(weighted // collateral if collateral else 0)
    return Health(collateral, debt, threshold, health_factor(collateral, threshold, debt))


def health_factor(collateral: int, threshold: Bps, debt: int) -> Wad:
    """Collateral at its liquidation threshold over debt; below 1 wad the account can be liquidated. NO_DEBT where nothing is owed."""
    if debt == 0:
        return NO_DEBT
    return Wad((percent_mul(collateral, threshold) * WAD + debt // 2) // debt)


def shown_health(factor: Wad) -> float:
    """A health factor as a number to show and to judge. It ends at HEALTHIEST: what nothing is owed against is no measurement."""
    return min(fraction_of_wad(factor), HEALTHIEST)
