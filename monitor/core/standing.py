"""How a position stands beyond its worth: its range, its fees, its carry, its health, and where it is liquidated."""

from collections.abc import Callable
from dataclasses import replace
from math import fsum
from typing import Literal, TypeVar

import numpy as np

from monitor.core.book import Position
from monitor.core.funding import HOURS_A_YEAR, aggregate, venue_rate
from monitor.core.implied import spot_usd
from monitor.core.liquidation import LENDING_KINDS, known_sigma, of_account, of_perpetual
from monitor.core.liquidity import LIQUIDITY_KINDS, RANGED_KINDS, SIDES, fees_in, readings, unit
from monitor.core.loss import loss_of
from monitor.core.perpetual import funding_carry_usd
from monitor.core.positions.uniswap_v3 import pool_token
from monitor.core.redemption import rate
from monitor.core.tokens import STABLES, STAKED, underlying
from monitor.core.units import DAY, HOUR
from monitor.core.verdict import Evidence, Unknown
from monitor.core.view import View
from monitor.core.windows import of_first
from monitor.core.worth import Carry, Fees, Liquidation, Range, Standing, Valuation, newest

Found = TypeVar("Found")

WINDOW_MS = 30 * DAY
LEAST_IN_RANGE_HOURS = 24.0
TICK_BASE = 1.0001
Q96 = 2.0**96
FEES_STAY = "the fees of this kind stay in the pool and are part of its value"


def standing(view: View, position: Position, valuation: Valuation) -> Standing:
    """Everything that applies to the kind; what cannot be said is left out and named in `unknown` with its reason."""
    unknown: dict[str, str] = {}

    def attempt(name: str, applies: bool, read: Callable[[], Found]) -> Found | None:
        if not applies:
            return None
        try:
            return read()
        except Unknown as why:
            unknown[name] = why.reason
            return None

    liquid, ranged, lending = (position.kind in kinds for kinds in (LIQUIDITY_KINDS, RANGED_KINDS, LENDING_KINDS))
    perpetual = position.kind == "perp"
    liquidations = _of_account if lending else _of_perpetual
    return Standing(
        fees=attempt("fees", liquid, lambda: fees_of(view, position, unknown)),
        range=attempt("range", ranged, lambda: range_of(view, position)),
        loss=attempt("loss", liquid, lambda: loss_of(view, position)),
        carry=attempt("carry", lending or perpetual, lambda: carry_of(view, position, valuation, unknown)),
        health_factor=attempt("health_factor", lending, lambda: float(newest(view, "account.health_factor", position).value)),
        liquidations=attempt("liquidations", lending or perpetual, lambda: liquidations(view, position, valuation, unknown)) or (),
        unknown=unknown,
    )


def _of_account(view: View, position: Position, valuation: Valuation, unknown: dict[str, str]) -> tuple[Liquidation, ...]:
    return of_account(view, position, known_sigma(view, unknown))


def _of_perpetual(view: View, position: Position, valuation: Valuation, unknown: dict[str, str]) -> tuple[Liquidation, ...]:
    return of_perpetual(view, position, valuation, known_sigma(view, unknown))


# --- ranges ---


def range_of(view: View, position: Position) -> Range:
    """Where the price stands. A range holds its lower tick and not its upper one, as the pool has it. Raises Unknown where it was not read lately.

    Prices are of token0 in token1, or turned over where token0 alone is a stablecoin: then what the pool calls below is above.
    Each reading of the tick holds until the next. `out_hours` is of the last 30 days, or since the first reading if that is later; `since`
    is the first reading outside without one inside after it: it may have left earlier.
    """
    tick, lower, upper = (int(newest(view, f"position.{name}", position).value) for name in ("tick", "tick_lower", "tick_upper"))
    root = float(newest(view, "position.sqrt_price_x96", position).value) / Q96
    if root == 0:
        raise Unknown("price", "its pool was never initialised: it has no price yet")
    scale = unit(view, position, 0) / unit(view, position, 1)
    known = readings(view, "position.tick", position)
    inside = np.flatnonzero((lower <= known.value) & (known.value < upper))
    left = int(inside[-1]) + 1 if len(inside) else 0
    asset0, asset1 = (_shown(pool_token(view, position, side)) for side in SIDES)
    found = Range(
        state="below" if tick < lower else "above" if tick >= upper else "inside",
        lower=TICK_BASE**lower * scale,
        upper=TICK_BASE**upper * scale,
        price=root * root * scale,
        unit=f"{asset1} per {asset0}",
        since=int(known.at[left]) if left < len(known.at) else None,
        out_hours=_hours(view, position, inside=False),
    )
    return _turned(found, f"{asset0} per {asset1}") if asset0 in STABLES and asset1 not in STABLES else found


def _shown(token: str) -> str:
    """A pool's price is of its own tokens: one that redeems for more than one coin keeps its name."""
    return token if token.upper() in STAKED else underlying(token)


def _turned(of: Range, unit_of_it: str) -> Range:
    """The same range by the price of token1 in token0."""
    state: Literal["inside", "below", "above"] = "above" if of.state == "below" else "below" if of.state == "above" else "inside"
    return replace(of, state=state, lower=1 / of.upper, upper=1 / of.lower, price=1 / of.price, unit=unit_of_it)


def _hours(view: View, position: Position, *, inside: bool) -> float:
    """Hours of the last 30 days with the tick inside, or outside, of the range."""
    lower, upper = (int(newest(view, f"position.{name}", position).value) for name in ("tick_lower", "tick_upper"))
    known = readings(view, "position.tick", position, WINDOW_MS)
    return int(known.held_ms[((lower <= known.value) & (known.value < upper)) == inside].sum()) / HOUR


# --- fees ---


def fees_of(view: View, position: Position, unknown: dict[str, str]) -> Fees:
    """What collect would pay now, and what was earned over the last 30 days, at today's prices.

    Earned is the sum of the rises of what could be collected. A fall is a collect: what stands after it counts, while what had come in between the
    reading before and the collect is lost to it, an undercount of at most one reading's worth. A year's worth is that over the hours in range;
    under 24 of these it is not said. Raises Unknown where fees were not read.
    """
    if position.kind not in RANGED_KINDS:
        raise Unknown("inside", FEES_STAY)
    worth = {side: _token_usd(view, pool_token(view, position, side)) / unit(view, position, side) for side in SIDES}
    uncollected = fsum(float(newest(view, f"position.fees{side}", position).value) * worth[side] for side in SIDES)
    try:
        earned = fsum(_earned(view, position, side) * worth[side] for side in SIDES)
        hours = _hours(view, position, inside=True)
    except Unknown as why:
        unknown["fees.earned"] = why.reason
        return Fees(uncollected)
    if hours < LEAST_IN_RANGE_HOURS:
        unknown["fees.annual"] = f"it was in range for {hours:.1f} of at least {LEAST_IN_RANGE_HOURS:.0f} hours that a year's fees are reckoned from"
        return Fees(uncollected, earned, hours)
    return Fees(uncollected, earned, hours, earned * HOURS_A_YEAR / hours)


def _token_usd(view: View, token: str) -> float:
    return spot_usd(view, underlying(token)) * rate(view, token)


def _earned(view: View, position: Position, side: int) -> float:
    """Raw units that came in over the last 30 days."""
    return float(fees_in(view, position, side, WINDOW_MS)[1].sum())


# --- carry ---


def carry_of(view: View, position: Position, valuation: Valuation, unknown: dict[str, str]) -> Carry:
    """USD a year at today's rates and prices, positive when received. Raises Unknown where the funding of a perpetual is not known."""
    if position.kind == "perp":
        asset = underlying(position.asset)
        return Carry(funding_usd=funding_carry_usd(valuation.delta_usd[asset], funding_a_year(view, asset, position.venue)))
    supplied, owed = (_interest(view, position, side, unknown) for side in ("supplied", "borrowed"))
    return Carry(supplied_usd=supplied, owed_usd=None if owed is None else -owed)


def funding_a_year(view: View, asset: str, venue: str) -> float:
    """Mean over 8 hours of the venue's own settled funding where it is known, else the aggregate of all venues; a fraction a year.

    Positive: longs pay. Raises Unknown where neither can be said.
    """
    if venue in view.sources("funding.rate", asset):
        return venue_rate(view, asset, venue)
    return aggregate(view, asset, "all").now


def _interest(view: View, position: Position, side: str, unknown: dict[str, str]) -> float | None:
    """Interest a year on one side of a lending account; None where the rate of what it has there is not known.

    Collateral in Compound v3 earns nothing: of its markets only the first asset, the base, has rates.
    """
    total = 0.0
    try:
        for place, asset in enumerate(position.assets):
            coins = float(newest(view, f"account.{side}.{asset}", position).value)
            if coins and (place == 0 or position.kind != "compound-v3"):
                total += coins * _token_usd(view, asset) * _interest_rate(view, position, side, asset)
    except Unknown as why:
        unknown[f"carry.{side}"] = why.reason
        return None
    return total


def _interest_rate(view: View, position: Position, side: str, asset: str) -> float:
    metric = "lending.supply_apy" if side == "supplied" else "lending.borrow_apr"
    subject = f"lending:{position.chain}/{position.kind}/{asset}"

    def read(source: str) -> Evidence:
        return view.newest(metric, subject, source)

    return float(of_first(view.sources(metric, subject), read, f"the rates of {subject} were not read yet: watch that market").value)
