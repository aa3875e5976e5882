"""What closing an option would bring now: by a live quote where there is one, else by a model, and it says which."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import exp
from typing import NamedTuple

from monitor.core.black import Right, implied_volatility
from monitor.core.book import Position
from monitor.core.cost_of_capital import risk_free
from monitor.core.exposure import Coins, Scenario, Together
from monitor.core.implied import Volatility, spot_usd, volatility, volatility_until
from monitor.core.options import YEAR_MS, OptionLeg, contract_name, expiry_ms
from monitor.core.tokens import underlying
from monitor.core.units import iso
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.windows import of_first
from monitor.core.worth import Valuation


@dataclass(frozen=True, slots=True)
class Mark:
    """An option as it stands: a leg that is worth `value_usd` in the scenario of now, and in words how that was found."""

    leg: OptionLeg
    value_usd: float
    basis: str


class Quote(NamedTuple):
    """USD for one unit, of one source: the side that closing would meet, and the other one where it is known."""

    source: str
    met: float
    other: float | None


class Contract(NamedTuple):
    """One listed option of a position, `size` coins or index units of it, negative when sold."""

    right: Right
    strike: float
    size: float


def value_options(view: View, position: Position, contracts: Iterable[Contract]) -> Valuation:
    """The worth of options of one expiry, together. `amounts` are their deltas in coins.

    From expiry on it is 0: what it paid lies elsewhere. Raises Unknown where the price or the volatility of the asset is missing.
    """
    asset, expires = underlying(position.asset), expiry_ms(position.asset, position.expiry)
    if view.now >= expires:
        basis = f"expired at {iso(expires)}: what it paid lies elsewhere now, take it out of the book"
        return Valuation(0.0, {asset: 0.0}, {asset: 0.0}, Coins({asset: 0.0}), basis=basis)
    view.wake(expires)
    marks = [mark(view, asset, expires, contract, position.venue) for contract in contracts]
    exposure = Together(tuple(one.leg for one in marks))
    spot = spot_usd(view, asset)
    delta = float(exposure.deltas(Scenario({asset: spot}, {asset: volatility(view, asset).sigma}))[asset])
    basis = "; ".join(one.basis for one in marks)
    return Valuation(sum(one.value_usd for one in marks), {asset: delta}, {asset: delta * spot}, exposure, basis=basis)


def mark(view: View, asset: str, expires: int, contract: Contract, venue: str = "") -> Mark:
    """One option, of which `expires` lies ahead (epoch milliseconds). A source called as `venue` is asked before others."""
    years = (expires - view.now) / YEAR_MS
    leg = OptionLeg(asset, contract.right, contract.strike, years, contract.size, risk_free(view).rate)
    name = contract_name(asset, expires, contract.strike, contract.right)
    side = "option.bid" if leg.bought else "option.ask"
    sources = sorted(view.sources(side, name), key=lambda source: source != venue)
    try:
        quote = of_first(sources, lambda source: _quote(view, name, side, source), f"nobody gives {side} of {name}")
    except Unknown as why:
        return _modelled(view, leg, name, expires, why.reason)
    return _quoted(view, leg, name, expires, quote)


def _quote(view: View, name: str, side: str, source: str) -> Quote:
    """Raises Unknown unless the side that closing would meet is fresh, and where bid and ask are crossed."""
    met, other = float(view.newest(side, name, source).value), "option.ask" if side == "option.bid" else "option.bid"
    try:
        opposite = float(view.newest(other, name, source).value)
    except Unknown:
        return Quote(source, met, None)
    bid, ask = (met, opposite) if side == "option.bid" else (opposite, met)
    if bid > ask:
        raise Unknown("crossed", f"{source} bids {bid:,.6g} and asks {ask:,.6g} for {name}")
    return Quote(source, met, opposite)


def _quoted(view: View, leg: OptionLeg, name: str, expires: int, quote: Quote) -> Mark:
    word = "bid" if leg.bought else "ask"
    spot = spot_usd(view, leg.asset)
    try:
        middle = quote.met if quote.other is None else (quote.met + quote.other) / 2
        sigma = implied_volatility(leg.right, middle, spot * exp(leg.rate * leg.years), leg.strike, leg.years, leg.rate)
        chosen = Volatility(sigma, f"implied by the {word}" if quote.other is None else "implied by bid and ask")
    except Unknown:
        chosen = _stated(view, name, leg.asset, expires)
    shaped, premium = _priced(view, leg, spot, chosen)
    closing = premium - quote.met if leg.bought else quote.met - premium
    basis = f"{name}: the {word} {quote.met:,.6g} USD of {quote.source}, volatility {chosen.sigma:.1%} ({chosen.basis})"
    return Mark(replace(shaped, closing_usd=closing), leg.size * quote.met, basis)


def _modelled(view: View, leg: OptionLeg, name: str, expires: int, why: str) -> Mark:
    chosen = _stated(view, name, leg.asset, expires)
    shaped, premium = _priced(view, leg, spot_usd(view, leg.asset), chosen)
    share = view.settings.book.option_half_spread
    against = f"{share:.1%} of it {'taken off' if leg.bought else 'added'} for the half-spread"
    basis = f"{name}: Black-Scholes at {chosen.sigma:.1%} ({chosen.basis}), {premium:,.6g} USD and {against}; no quote: {why}"
    value = leg.size * premium * (1 - share if leg.bought else 1 + share)
    return Mark(replace(shaped, closing_usd=share * premium), value, basis)


def _stated(view: View, name: str, asset: str, expires: int) -> Volatility:
    """The venue's own volatility of this contract, else that of the asset."""
    try:
        sources = view.sources("option.iv", name)
        point = of_first(sources, lambda source: view.newest("option.iv", name, source), f"nobody gives option.iv of {name}")
    except Unknown:
        return volatility_until(view, asset, expires)
    return Volatility(float(point.value) / 100, f"option.iv from {point.source}")


def _priced(view: View, leg: OptionLeg, spot: float, chosen: Volatility) -> tuple[OptionLeg, float]:
    """The leg at this volatility today, and its premium for one unit."""
    own = volatility(view, leg.asset).sigma
    shaped = replace(leg, skew=chosen.sigma - own)
    return shaped, float(shaped.unit(Scenario({leg.asset: spot}, {leg.asset: own})).price)
