"""The rate at which dated payments are worth nothing together (XIRR), and the plain return of a holding of some days.

Rates are fractions a year, years have 365 days (Act/365F), payments are in USD: negative when paid, positive when received.
"""

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import median_low
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monitor.core.units import DAY
from monitor.core.verdict import Unknown

YEAR_MS = 365 * DAY
ANNUALISED_FROM_MS = 30 * DAY
FIRST_GUESS = math.log(1.10)
LARGEST = math.log(sys.float_info.max)
ROUNDING = 1e-13
TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Flow:
    """One payment: `at` in epoch milliseconds, `usd` negative when paid."""

    at: int
    usd: float


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate a year that brings the payments to nothing. `others` are the other rates that do so too, ascending: empty where it is the only one."""

    rate: float
    others: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Return:
    """A return as a fraction: of the whole time (`holding-period`, not annualised) or a year (`xirr`). `others` as in `Rate`."""

    value: float
    kind: Literal["holding-period", "xirr"]
    others: tuple[float, ...] = ()


def xirr(flows: Iterable[Flow]) -> Rate:
    """The rate a year at which the net present value is zero.

    Where there are several, the one whose logarithm is nearest to that of 10% is returned, where a spreadsheet begins its search, and the
    `others` with it. Raises Unknown: `flows` where a payment is no number, `one-sign` where nothing was paid or nothing received, `no-rate`
    where no rate will do, `steep` where one would, but none that a number of 64 bits can hold leaves less than 0.1% of the largest payment:
    pyxirr's tolerance, on payments of the size of 1.
    """
    net = _net(_numbers(flows))
    roots = sorted(_roots(net))
    if not roots:
        raise Unknown("no-rate", "no rate brings these payments to nothing: their net present value keeps its sign")
    held = [root for root in roots if root < LARGEST and net.vanishes(math.expm1(root))]
    if not held:
        raise Unknown("steep", "the rate that brings these payments to nothing is too extreme to be told from its neighbours")
    nearest = min(held, key=lambda root: abs(root - FIRST_GUESS))
    return Rate(math.expm1(nearest), tuple(math.expm1(root) for root in held if root != nearest))


def holding_return(flows: Iterable[Flow]) -> float:
    """What was received less what was paid, over what was paid: a fraction, of the whole time. Raises Unknown where nothing was paid."""
    amounts = [flow.usd for flow in _numbers(flows)]
    paid = -math.fsum(min(usd, 0.0) for usd in amounts)
    if paid == 0:
        raise Unknown("one-sign", "nothing was paid: there is no return on nothing")
    return math.fsum(amounts) / paid


def period_return(flows: Iterable[Flow]) -> Return:
    """ALVH: XIRR, but the holding-period return where the first and the last payment lie under 30 days apart. Raises Unknown as these two do."""
    known = _numbers(flows)
    if not known or known[-1].at - known[0].at < ANNUALISED_FROM_MS:
        return Return(holding_return(known), "holding-period")
    found = xirr(known)
    return Return(found.rate, "xirr", found.others)


def _numbers(flows: Iterable[Flow]) -> list[Flow]:
    """In the order of time. Raises Unknown where one is not a number."""
    known = sorted(flows, key=lambda flow: flow.at)
    if not all(math.isfinite(flow.usd) for flow in known):
        raise Unknown("flows", "a payment is not a number")
    return known


@dataclass(frozen=True, slots=True)
class _Sum:
    """The sum of amounts x exp(-years x log_rate), where log_rate = ln(1 + rate): the net present value. Years ascend, no amount is 0.

    Both of shape (n,). Added without rounding (fsum): where there are hundreds, their signs cancel.
    """

    years: NDArray[np.float64]
    amounts: NDArray[np.float64]

    def at(self, log_rate: float) -> float:
        """Its value, and so its sign, with the largest discount factor as 1: it overflows at no rate."""
        return math.fsum((self.amounts * self._factors(log_rate)).tolist())

    def touches(self, log_rate: float) -> bool:
        """Whether it is zero but for rounding, which is measured against the sum of amounts without their signs."""
        size = math.fsum((abs(self.amounts) * self._factors(log_rate)).tolist())
        return math.isclose(self.at(log_rate), 0.0, abs_tol=ROUNDING * size)

    def vanishes(self, rate: float) -> bool:
        """Whether the net present value at this very rate is under 0.1% of the largest payment."""
        if rate == -1:
            return False
        log_rate = math.log1p(rate)
        # `at` has the largest discount factor as 1.
        return math.isclose(self.at(log_rate), 0.0, abs_tol=TOLERANCE * math.exp(-self._exponents(log_rate).max()))

    def _factors(self, log_rate: float) -> NDArray[np.float64]:
        exponents = self._exponents(log_rate)
        factors: NDArray[np.float64] = np.exp(exponents - exponents.max())
        return factors

    def _exponents(self, log_rate: float) -> NDArray[np.float64]:
        return -self.years * log_rate

    def changes(self) -> Sequence[int]:
        """The places after which the sign changes: there are at most as many roots, and fewer by an even number (Descartes)."""
        return [int(place) for place in np.flatnonzero(np.diff(np.sign(self.amounts)))]

    def bounds(self) -> tuple[float, float]:
        """Every root lies between: beyond, the last or the first payment outweighs all others together."""
        sizes = abs(self.amounts)
        widest = (math.log(math.fsum(sizes)) - math.log(sizes.min())) / float(np.diff(self.years).min())
        return -widest, widest

    def turned(self, place: int) -> "_Sum":
        """The derivative of the sum x exp(c x log_rate), c between two payments: it has one change of sign less, and the roots of the sum
        lie between its own, at most one in each gap (Rolle).
        """
        middle = (self.years[place] + self.years[place + 1]) / 2
        return _scaled(self.years, self.amounts * (middle - self.years))


def _net(flows: Sequence[Flow]) -> _Sum:
    """Payments of one instant as one, in years from the first. Raises Unknown where no rate could ever be found."""
    by_instant = [(at, math.fsum(flow.usd for flow in group)) for at, group in groupby(flows, key=lambda flow: flow.at)]
    if not any(usd < 0 for _, usd in by_instant) or not any(usd > 0 for _, usd in by_instant):
        raise Unknown("one-sign", "nothing was paid or nothing was received: there is no rate of return")
    moved = [(at, usd) for at, usd in by_instant if usd]
    at = np.array([at for at, _ in moved])
    return _scaled((at - at.min()) / YEAR_MS, np.array([usd for _, usd in moved]))


def _scaled(years: NDArray[np.float64], amounts: NDArray[np.float64]) -> _Sum:
    """With the largest amount as 1; what is nothing beside it is left out."""
    parts = amounts / abs(amounts).max()
    return _Sum(years[parts != 0], parts[parts != 0])


def _roots(net: _Sum) -> list[float]:
    """All logarithmic rates at which the sum is zero; one at which it only touches zero counts once."""
    changes = net.changes()
    if not changes:
        return []
    low, high = net.bounds()
    if len(changes) == 1:
        return [_root(net, low, high)]
    turns = _roots(net.turned(median_low(changes)))
    touching = [turn for turn in turns if net.touches(turn)]
    ends = [(end, 0.0 if end in touching else net.at(end)) for end in sorted((low, *turns, high))]
    return touching + [_root(net, one, other) for (one, before), (other, after) in pairwise(ends) if before * after < 0]


def _root(net: _Sum, low: float, high: float) -> float:
    """The one root between two ends: the bracket is halved until no number lies between them."""
    beyond = np.sign(net.at(high))
    middle = (low + high) / 2
    while middle not in (low, high):
        low, high = (low, middle) if np.sign(net.at(middle)) == beyond else (middle, high)
        middle = (low + high) / 2
    return middle
