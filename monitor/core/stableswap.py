"""Curve's StableSwap: its integer arithmetic with the contracts' rounding, and what a share of a pool is worth at any prices.

Two generations round differently. `template`: the pools of 2020 and 2021 (curvefi/curve-contract, pool-templates/base), whose D divides by n at each
coin. `ng`: stableswap-ng (2023), which divides by n^n at the end and charges a fee that grows off the peg. In both A() is A n^(n-1) of the
whitepaper, `amp` is A() times `a_precision` (100; 1 in pools older than A_precise), and balances are in the pool's own unit: raw units times
rate / 10^18.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np
import numpy.typing as npt

from monitor.core.exposure import Scenario, Values

Generation = Literal["template", "ng"]
Floats = npt.NDArray[np.float64]

PRECISION = 10**18
FEE_UNIT = 10**10
A_PRECISION = 100
ROUNDS = 255


def invariant(balances: Sequence[int], amp: int, generation: Generation = "ng", a_precision: int = A_PRECISION) -> int:
    """D (get_D): the sum that the pool would have with all coins at one price; 0 for an empty pool. ValueError where one coin alone is gone."""
    count, total = len(balances), sum(balances)
    if total == 0:
        return 0
    if min(balances) <= 0:
        raise ValueError("a pool that has run dry of one coin has no invariant")
    ann, d = amp * count, total
    for _ in range(ROUNDS):
        product = d
        for balance in balances:
            product = product * d // (balance * count if generation == "template" else balance)
        if generation == "ng":
            product //= count**count
        before = d
        d = (ann * total // a_precision + product * count) * d // ((ann - a_precision) * d // a_precision + (count + 1) * product)
        if abs(d - before) <= 1:
            return d
    raise ValueError("the invariant does not converge")


def balance_after_swap(into: int, out_of: int, balance: int, balances: Sequence[int], amp: int, d: int, a_precision: int = A_PRECISION) -> int:
    """What the pool has left of coin `out_of` once it has `balance` of coin `into` (get_y); the same in both generations."""
    if into == out_of:
        raise ValueError("a coin is not swapped for itself")
    after = [balance if place == into else held for place, held in enumerate(balances)]
    return balance_at_invariant(out_of, after, amp, d, a_precision)


def balance_at_invariant(coin: int, balances: Sequence[int], amp: int, d: int, a_precision: int = A_PRECISION) -> int:
    """The balance of one coin that makes the invariant `d` with the others as they are (get_y_D); the same in both generations."""
    count = len(balances)
    others = [balance for place, balance in enumerate(balances) if place != coin]
    c = d
    for balance in others:
        c = c * d // (balance * count)
    c = c * d * a_precision // (amp * count * count)
    b = sum(others) + d * a_precision // (amp * count)
    y = d
    for _ in range(ROUNDS):
        before = y
        y = (y * y + c) // (2 * y + b - d)
        if abs(y - before) <= 1:
            return y
    raise ValueError("the balance does not converge")


def in_pool_unit(balances: Sequence[int], rates: Sequence[int]) -> list[int]:
    """Raw balances in the pool's own unit (_xp_mem); a plain token of d decimals has the rate 10^(36 - d)."""
    return [balance * rate // PRECISION for balance, rate in zip(balances, rates, strict=True)]


def virtual_price(d: int, supply: int) -> int:
    """Worth of one whole share in the pool's own unit, 18 decimals (get_virtual_price). ValueError where there is no share."""
    if supply <= 0:
        raise ValueError("a pool without shares has no price of a share")
    return d * PRECISION // supply


def balanced_withdrawal(balances: Sequence[int], shares: int, supply: int) -> list[int]:
    """Raw units that remove_liquidity pays for shares, in both generations: each coin's part rounded down, no fee. Nothing for no shares.

    ValueError for more shares than there are.
    """
    if shares > supply:
        raise ValueError("there are more shares than the pool has")
    return [balance * shares // supply if shares else 0 for balance in balances]


@dataclass(frozen=True, slots=True)
class Pool:
    """One pool at one block, as its contract has it: raw balances, rates, `amp`, supply of shares, and the fee in parts of 10^10.

    `offpeg` is offpeg_fee_multiplier of `ng`, in parts of 10^10.
    """

    balances: tuple[int, ...]
    rates: tuple[int, ...]
    amp: int
    supply: int
    fee: int
    generation: Generation = "ng"
    offpeg: int = FEE_UNIT


def withdrawal_of_one_coin(pool: Pool, shares: int, coin: int) -> int:
    """Raw units of one coin that remove_liquidity_one_coin pays (calc_withdraw_one_coin), after its fee.

    `template` charges fee n / (4 (n-1)) on what is swapped on the way; `ng` raises that with each coin's distance from the mean balance.
    """
    held = in_pool_unit(pool.balances, pool.rates)
    count = len(held)
    d0 = invariant(held, pool.amp, pool.generation)
    d1 = d0 - shares * d0 // pool.supply
    left = balance_at_invariant(coin, held, pool.amp, d1)
    base_fee, mean = pool.fee * count // (4 * (count - 1)), (d0 + d1) // (2 * count)
    reduced = []
    for place, balance in enumerate(held):
        moved = balance * d1 // d0 - left if place == coin else balance - balance * d1 // d0
        typical = (balance + left) // 2 if place == coin else balance
        fee = dynamic_fee(typical, mean, base_fee, pool.offpeg) if pool.generation == "ng" else base_fee
        reduced.append(balance - fee * moved // FEE_UNIT)
    paid = reduced[coin] - balance_at_invariant(coin, reduced, pool.amp, d1)
    return (paid - 1) * PRECISION // pool.rates[coin]


def dynamic_fee(one: int, other: int, fee: int, offpeg: int) -> int:
    """The fee of `ng` in parts of 10^10: `fee` where the two balances are equal, towards offpeg x fee as they part (_dynamic_fee)."""
    # A multiple below 1 counts as 1, of which the balances take nothing.
    offpeg = max(offpeg, FEE_UNIT)
    return offpeg * fee // ((offpeg - FEE_UNIT) * 4 * one * other // (one + other) ** 2 + FEE_UNIT)


# --- worth at any prices ---

LOG_BOUND, HALVINGS = 92.0, 72  # 10^-40 to 10^40, halved until a double has no digits left


def real_invariant(balances: Sequence[float], amplification: float) -> float:
    """D of balances above 0 in the pool's own unit, to a double's last digits. Unlike the contracts' own iteration it ends for any of them."""
    count, total = len(balances), sum(balances)
    ann, low, high = amplification * count, 0.0, 1.0
    for _ in range(HALVINGS):
        d = (low + high) / 2
        product = prod(d * total / (count * balance) for balance in balances)
        low, high = (low, d) if ann * (1 - d) + d < d * product else (d, high)
    return total * (low + high) / 2


@dataclass(frozen=True, slots=True)
class StableSwap:
    """A share of a stable pool once arbitrage has moved the pool to the prices: V(p) = min of p.x over the balances x that keep the invariant.

    No fee is reckoned. `coins` names the asset of each coin, `rates` says how many of the pool's own unit one coin counts as, `invariant` is D
    of the share in that unit, `amplification` is A(). V is concave and homogeneous of degree 1, so the deltas are the amounts held and no
    gamma is positive: as a coin falls the share fills with it. It is worth at most what the present balances are: the rest is the arbitrageurs'.
    """

    coins: tuple[str, ...]
    invariant: float
    amplification: float
    rates: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.coins) == len(self.rates) >= 2:
            raise ValueError("a stable pool has two coins or more, and a rate for each")
        if self.invariant < 0 or self.amplification <= 0 or min(self.rates) <= 0:
            raise ValueError("a stable pool has no negative invariant, and no amplification or rate of 0 or less")

    @property
    def assets(self) -> frozenset[str]:
        return frozenset(self.coins)

    def value_usd(self, scenario: Scenario) -> Values:
        prices = self._prices(scenario)
        held = self.invariant * _balances(prices / prices.min(axis=0), self.ann)
        return _shaped((prices * held).sum(axis=0))

    def deltas(self, scenario: Scenario) -> Mapping[str, Values]:
        prices = self._prices(scenario)
        held = self.invariant * _balances(prices / prices.min(axis=0), self.ann)
        found = dict.fromkeys(self.coins, np.zeros(()))
        for coin, rate, amount in zip(self.coins, self.rates, held, strict=True):
            found[coin] = found[coin] + amount / rate
        return {coin: _shaped(amount) for coin, amount in found.items()}

    def gammas(self, scenario: Scenario) -> Mapping[str, Values]:
        """d2V/dp2 by the implicit derivative of the Lagrange condition, see `_hessian`."""
        prices = self._prices(scenario)
        lowest = prices.min(axis=0)
        second = self.invariant * _hessian(prices / lowest, self.ann) / lowest
        found = dict.fromkeys(self.coins, np.zeros(()))
        for i, coin in enumerate(self.coins):
            for k, other in enumerate(self.coins):
                if coin == other:
                    found[coin] = found[coin] + second[i, k] / (self.rates[i] * self.rates[k])
        # Rounding must not bend a concave function upwards.
        return {coin: _shaped(np.minimum(gamma, 0.0)) for coin, gamma in found.items()}

    def vegas(self, scenario: Scenario) -> Mapping[str, Values]:
        return {}

    @property
    def ann(self) -> float:
        """A() times the number of coins, as in the contracts."""
        return self.amplification * len(self.coins)

    def _prices(self, scenario: Scenario) -> Floats:
        """USD price of one of the pool's own unit of each coin, shape (coins, *scenario)."""
        prices = [np.asarray(scenario.price(coin), dtype=np.float64) / rate for coin, rate in zip(self.coins, self.rates, strict=True)]
        for coin, price in zip(self.coins, prices, strict=True):
            if not np.all(price > 0):
                raise ValueError(f"the price of {coin} is not above 0: no balance of a stable pool goes with it")
        return np.stack(np.broadcast_arrays(*prices))


def _balances(ratios: Floats, ann: float) -> Floats:
    """Balances of a pool with D = 1 at these prices, the lowest of which is 1.

    With the multiplier l the condition is l p_i = Ann + K / x_i, K = D^(n+1) / (n^n prod x): so x_i = K / u_i with u_i = l p_i - Ann, and
    K^(n+1) = prod u / n^n. With t = l - Ann the invariant Ann (sum x - 1) + 1 - K = 0 falls in t: it is halved down on log t.
    """
    low, high = np.array(-LOG_BOUND), np.array(LOG_BOUND)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        k, u = _parts(ratios, ann, np.exp(middle))
        above = ann * ((k / u).sum(axis=0) - 1) + 1 - k > 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    k, u = _parts(ratios, ann, np.exp((low + high) / 2))
    return np.asarray(k / u)


def _parts(ratios: Floats, ann: float, t: Floats) -> tuple[Floats, Floats]:
    count = len(ratios)
    u = ann * (ratios - 1) + t * ratios
    return np.exp((np.log(u).sum(axis=0) - count * np.log(count)) / (count + 1)), u


def _hessian(ratios: Floats, ann: float) -> Floats:
    """Derivative of balance i by price k for D = 1, shape (coins, coins, *scenario).

    From l p_i = Ann + K / x_i and p.dx = 0, with V = p.x and Q = sum (p x)^2: dl/dp_k = l x_k (p_k x_k - V/(n+1)) / (V^2/(n+1) - Q),
    dx_i/dp_k = -x_i^2 (p_i dl/dp_k + l [i = k]) / K + x_i (V dl/dp_k + l x_k) / ((n+1) K).
    """
    held, more = _balances(ratios, ann), len(ratios) + 1
    k = 1 / (float(len(ratios)) ** len(ratios) * held.prod(axis=0))
    multiplier = (ann + k / held[0]) / ratios[0]
    worth = ratios * held
    total, squares = worth.sum(axis=0), (worth**2).sum(axis=0)
    slope = multiplier * held * (worth - total / more) / (total**2 / more - squares)
    same = np.eye(len(ratios)).reshape(len(ratios), len(ratios), *[1] * (ratios.ndim - 1))
    first = -(held[:, None] ** 2) * (ratios[:, None] * slope[None, :] + multiplier * same) / k
    return np.asarray(first + held[:, None] * (total * slope + multiplier * held)[None, :] / (more * k))


def _shaped(values: Floats) -> Values:
    """An array as it is; of no dimension, its number."""
    return values if values.ndim else float(values)
