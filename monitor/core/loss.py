"""Impermanent loss: what a liquidity position would pay now, its fees left out, less what was put in, both at today's prices."""

from collections.abc import Mapping
from math import sqrt
from typing import NamedTuple

import numpy as np

from monitor.core.book import Position
from monitor.core.exposure import Coins, Exposure, Scaled, Together
from monitor.core.implied import spot_usd
from monitor.core.liquidity import LIQUIDITY_KINDS, amounts_now, coins_of, readings, sided
from monitor.core.pool_share import AMOUNT, coin_names
from monitor.core.redemption import followed
from monitor.core.units import iso
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.worth import Loss, Valuation

FEES_INSIDE = "; fees stay in the pool and lessen the loss"
ROUNDING = 1e-9
MISFIT = 0.01
"""Ours: a deposit that was rounded when it was written down may make a loss a gain of a percent."""


class Deposit(NamedTuple):
    """What was put in, in coins by asset, and how that is known."""

    amounts: Mapping[str, float]
    basis: str


def loss_of(view: View, position: Position) -> Loss | None:
    """The impermanent loss; None for a kind that has none. At most 0 while prices alone have moved since the deposit.

    Measured against `position.deposited`, else against what it held when it was first read with the liquidity (or shares) that it has now.
    The fees of a Uniswap v2 pair stay in its reserves and are taken out by the growth of the root of their product; those of Curve and
    Balancer cannot be told apart and lessen the loss: `basis` says so. Raises Unknown where prices or amounts are missing.
    """
    if position.kind not in LIQUIDITY_KINDS:
        return None
    put_in = deposit(view, position)
    held = amounts_now(view, position)
    share, inside = _share_without_fees(position, held, put_in.amounts)
    prices = {asset: spot_usd(view, asset) for asset in {*held, *put_in.amounts}}
    found = of_amounts({asset: amount * share for asset, amount in held.items()}, put_in.amounts, prices, put_in.basis + inside)
    if not inside and found.ratio > MISFIT:
        raise Unknown(
            "deposited", f"{position.id} is worth {found.ratio:.1%} more than its deposit, without fees: no price does that, correct deposited"
        )
    return found


def loss_exposure(view: View, position: Position, worth: Valuation, put_in: Mapping[str, float]) -> Exposure:
    """The same as a function of prices: the liquidity without its fees, less the deposited amounts.

    Raises Unknown as `loss_of` does, but for a deposit that is too small to be right.
    """
    held = amounts_now(view, position)
    share, _ = _share_without_fees(position, held, put_in)
    fees = Coins({asset: held.get(asset, 0.0) - amount for asset, amount in worth.amounts.items()})
    return Together((Scaled(Together((worth.exposure, fees)), share), Coins({asset: -amount for asset, amount in put_in.items()})))


def of_amounts(held: Mapping[str, float], put_in: Mapping[str, float], prices: Mapping[str, float], basis: str) -> Loss:
    """Both sums at these prices, one less the other. Raises Unknown where nothing was put in."""
    held_usd, put_in_usd = (sum(amount * prices[asset] for asset, amount in amounts.items()) for amounts in (held, put_in))
    if put_in_usd <= 0:
        raise Unknown("deposited", "what was put in is worth nothing: there is nothing to measure a loss against")
    return Loss(held_usd - put_in_usd, held_usd / put_in_usd - 1, basis)


def deposit(view: View, position: Position) -> Deposit:
    """What was put in: as declared, else what was first read since the liquidity last changed. Raises Unknown where neither is known."""
    if position.deposited:
        declared = [(asset, float(amount)) for asset, amount in position.deposited.items()]
        return Deposit(followed(view, declared), "as declared in deposited")
    measure = "position.liquidity" if view.sources("position.liquidity", position.id) else "position.shares"
    sizes = readings(view, measure, position)
    changed = np.flatnonzero(np.diff(sizes.value, prepend=np.nan) != 0)  # the first one differs from nothing
    start = int(sizes.at[changed[-1]])
    return Deposit(_held_at(view, position, start), f"what it held at {iso(start)}, when it was first read with today's liquidity")


def _held_at(view: View, position: Position, at: int) -> dict[str, float]:
    if sided(view, position):
        return coins_of(view, position, {side: _read_at(view, position, f"position.amount{side}", at) for side in (0, 1)})
    return followed(view, [(name, _read_at(view, position, AMOUNT + name, at)) for name in coin_names(view, position)])


def _read_at(view: View, position: Position, metric: str, at: int) -> float:
    known = readings(view, metric, position)
    place = int(np.searchsorted(known.at, at))
    if place == len(known.at) or known.at[place] != at:
        raise Unknown("mixed", f"{metric} of {position.id} was not read at {iso(at)}, when its liquidity last changed: declare deposited")
    return float(known.value[place])


def _share_without_fees(position: Position, held: Mapping[str, float], put_in: Mapping[str, float]) -> tuple[float, str]:
    """The share of the amounts that is not fees which stay in the pool, and what is to be said where they cannot be told apart."""
    if position.kind in ("uniswap-v3", "uniswap-v4"):
        return 1.0, ""
    if position.kind != "uniswap-v2" or len(held) != 2 or set(held) != set(put_in):
        return 1.0, FEES_INSIDE
    first, second = held
    root, root_put_in = sqrt(held[first] * held[second]), sqrt(put_in[first] * put_in[second])
    if root_put_in > root * (1 + ROUNDING):
        raise Unknown("deposited", f"{position.id} holds less than its deposit makes: something was withdrawn, correct deposited")
    return (root_put_in / root if root > 0 else 1.0), ""
