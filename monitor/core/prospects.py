"""What the book as it stands makes of its layers: returns in the paths of the horizon, break-evens, what thin markets leave, the cost of capital."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import fsum
from typing import TypeVar

from monitor.core.book import Position
from monitor.core.breakeven import SyntheticBreakEven, Terms, synthetic_break_even
from monitor.core.cost_of_capital import CapitalCosts, RiskFree, capm_return, native_yield, premium_spent_usd, risk_free, wacc
from monitor.core.exposure import Coins, Exposure, Together
from monitor.core.funding import funding_against_short
from monitor.core.implied import scenario_now
from monitor.core.instruments import short_perp, top_up
from monitor.core.iv_beta import spot_beta
from monitor.core.layer_return import PATHS, YEAR_DAYS, Hedge, Held, Market, Prospect, hedge_of, layer_return, liquidity_lens, prospect
from monitor.core.liquidation import LENDING_KINDS
from monitor.core.liquidity import LIQUIDITY_KINDS, RANGED_KINDS
from monitor.core.loss import deposit, loss_exposure, loss_of
from monitor.core.loss_offset import Offset, loss_offset
from monitor.core.market_beta import book_beta
from monitor.core.proposal import Proposal
from monitor.core.redemption import rate
from monitor.core.risk import layer_exposure, layers_in_force, told, worth_usd
from monitor.core.standing import carry_of, fees_of, range_of
from monitor.core.tokens import STABLES, underlying
from monitor.core.valuation import value_position
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.volatility import HORIZON_DAYS, horizon_sigma
from monitor.core.worth import Carry, Valuation

Found = TypeVar("Found")

DEAREST = 0.99
YEARS = HORIZON_DAYS / YEAR_DAYS


@dataclass(frozen=True, slots=True)
class Outlook:
    """A layer and its position together, as markets are and by how far depth is down; `basis` says how volatility goes with the price.

    `offsets` says in the paths of `prospect` what of an LP's impermanent loss the layer makes good; empty for other positions, and with the reason
    in `offsets_unknown` where what was put in is not known.
    """

    prospect: Prospect
    lens: Mapping[float, Prospect]
    basis: str
    offsets: tuple[Offset, ...] = ()
    offsets_unknown: str = ""


def layer_outlook(view: View, proposal: Proposal) -> Outlook:
    """What a layer would return from now on over 7 days, with the position that it is for. Raises Unknown where either is not known.

    The price that moves is the one that a perpetual is sold on, else that of the position's risk asset.
    """
    position = next((one for one in view.settings.positions if one.id == proposal.position), None)
    if position is None:
        raise Unknown("gone", f"{proposal.position} is no longer in the book")
    worth = value_position(view, position)
    asset = proposal.asset if proposal.instrument == "short_perp" else worth.risk_asset
    moves = spot_beta(view, asset)
    hedge, sold_usd = _hedge(view, proposal)
    market = _market(view, Together((worth.exposure, hedge.exposure)), asset, moves.points_per_percent)
    held, corners = _held(view, position, worth, market), _corners(view, position, asset)
    dear = funding_against_short(view, proposal.asset, DEAREST) if proposal.instrument == "short_perp" else 0.0
    with told():
        thin = liquidity_lens(held, hedge, market, max(0.0, dear) * sold_usd * YEARS, corners)
        found = Outlook(prospect(held, hedge, market, corners), thin, moves.basis)
    if position.kind not in LIQUIDITY_KINDS:
        return found
    try:
        return replace(found, offsets=_offsets(view, position, worth, hedge, market))
    except Unknown as why:
        return replace(found, offsets_unknown=why.reason)


def _offsets(view: View, position: Position, worth: Valuation, hedge: Hedge, market: Market) -> tuple[Offset, ...]:
    loss_of(view, position)  # raises where the deposit cannot be right
    put_in = deposit(view, position).amounts
    loss = loss_exposure(view, position, worth, put_in)
    known = replace(market, now=scenario_now(view, {*loss.assets, *hedge.exposure.assets}))
    paths = [(layer_return(hedge, known, sigmas).gain_usd, known.after(sigmas)) for sigmas in PATHS]
    return tuple(loss_offset(gain_usd, hedge.exposure, loss, put_in, known.now, there) for gain_usd, there in paths)


def position_break_even(view: View, position: Position, worth: Valuation) -> SyntheticBreakEven:
    """Where a position breaks even in 7 days, alone and with its layers in force. Raises Unknown where a price or a volatility is missing.

    Both are measured from today: what a layer has gained or lost since it was opened is left out, as what the position has is.
    """
    layers = [one for one in layers_in_force(view) if one.proposal.position == position.id]
    held_layers = Together(tuple(layer_exposure(view, one) for one in layers))
    asset = worth.risk_asset
    market = _market(view, Together((worth.exposure, held_layers)), asset, spot_beta(view, asset).points_per_percent)
    exposure = Together((held_layers, Coins({}, -worth_usd(held_layers, market.now))))
    held = _held(view, position, worth, market)
    terms = Terms(
        basis_usd=held.value_usd,
        years=YEARS,
        fees_usd=held.fees_usd,
        funding_usd=held.funding_usd,
        layers_cost_usd=fsum(one.proposal.cost_usd for one in layers),
        kinks=_corners(view, position, asset),
        iv_beta=market.iv_beta,
    )
    with told():
        return synthetic_break_even(held.exposure, exposure, terms, market.now, asset)


def _market(view: View, whole: Exposure, asset: str, iv_beta: float) -> Market:
    now = scenario_now(view, whole.assets | {asset})
    return Market(now=now, asset=asset, sigma_h=horizon_sigma(view, asset), days=HORIZON_DAYS, iv_beta=iv_beta)


def _held(view: View, position: Position, worth: Valuation, market: Market) -> Held:
    """*(reading)* Fees are those of hours in range where it is in range now, as if it stayed there. What is not known yet is none."""
    fees = _or_none(lambda: fees_of(view, position, {})) if _in_range(view, position) else None
    carried = _or_none(lambda: _whole_carry(view, position, worth)) if position.kind in {"perp", *LENDING_KINDS} else None
    return Held(
        exposure=worth.exposure,
        value_usd=worth_usd(worth.exposure, market.now),
        fees_usd=(fees.annual_usd or 0.0) * YEARS if fees is not None else 0.0,
        funding_usd=-_received(carried) * YEARS,
    )


def _whole_carry(view: View, position: Position, worth: Valuation) -> Carry:
    """Raises Unknown where one side is not known: what is received without what is owed is no carry."""
    noted: dict[str, str] = {}
    carry = carry_of(view, position, worth, noted)
    if noted:
        raise Unknown("carry", "; ".join(noted.values()))
    return carry


def _in_range(view: View, position: Position) -> bool:
    where = _or_none(lambda: range_of(view, position)) if position.kind in RANGED_KINDS else None
    return where is not None and where.state == "inside"


def _received(carry: Carry | None) -> float:
    return fsum(usd for usd in (carry.funding_usd, carry.supplied_usd, carry.owed_usd) if usd is not None) if carry is not None else 0.0


def _hedge(view: View, proposal: Proposal) -> tuple[Hedge, float]:
    """The layer as one that is opened now, since returns are from now on; and what it has sold, in USD at today's price.

    *(reading)* What going in costs stands for going out where the layer is in force already.
    """
    bill, book = risk_free(view), view.settings.book
    if proposal.instrument == "top_up":
        return hedge_of(top_up(proposal.notional_usd, stable_yield=bill.rate, gas_usd=book.gas, days=HORIZON_DAYS)), 0.0
    if proposal.instrument != "short_perp":
        raise Unknown("instrument", f"what a layer of {proposal.instrument or 'no instrument'} would return is not known")
    price, against = view.price_usd(proposal.asset), funding_against_short(view, proposal.asset)
    coins = proposal.notional_usd / (proposal.price_usd or price)
    terms = replace(book, treasury_bill_yield=bill.rate)
    sold = short_perp(proposal.asset, coins, price, terms, funding_against=against, fee=book.perp_fee, days=HORIZON_DAYS)
    return hedge_of(sold), coins * price


def _corners(view: View, position: Position, asset: str) -> tuple[float, ...]:
    """Prices of the asset at which the position bends: strikes, and the ends of a range that is counted in dollars of it."""
    strikes = tuple(float(strike) for strike in (position.strike, *position.strikes) if strike)
    where = _or_none(lambda: range_of(view, position)) if position.kind in RANGED_KINDS else None
    money, _, token = where.unit.partition(" per ") if where is not None else ("", "", "")
    if where is None or money not in STABLES or underlying(token) != asset:
        return strikes
    return (*strikes, *(end / rate(view, token) for end in (where.lower, where.upper)))


def _or_none(read: Callable[[], Found]) -> Found | None:
    try:
        return read()
    except Unknown:
        return None


@dataclass(frozen=True, slots=True)
class CapitalView:
    """Fractions a year of the book's equity: what its capital costs, what it earns by itself, what it ought to earn. `unknown` says why not."""

    risk_free: RiskFree
    wacc: float | None = None
    native_yield: float | None = None
    capm_return: float | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)


def book_capital(view: View) -> CapitalView:
    """WACC and CAPM return of the whole book, as it is carried today. Raises Unknown where a position cannot be valued.

    *(reading)* Interest received on what is supplied is part of the native yield, with the fees of liquidity; margin is the equity of perpetuals.
    """
    bill, unknown = risk_free(view), dict[str, str]()
    worth = {position.id: _worth(view, position) for position in view.settings.positions}
    equity_usd = fsum(one.value_usd for one in worth.values())

    def attempt(name: str, read: Callable[[], float]) -> float | None:
        try:
            return read()
        except Unknown as why:
            unknown[name] = why.reason
            return None

    cost = attempt("wacc", lambda: wacc(_costs(view, worth), bill.rate, equity_usd))
    native = attempt("native_yield", lambda: _native(view, worth, equity_usd))
    asked = attempt("capm_return", lambda: capm_return(bill.rate, book_beta(view).value, native)) if native is not None else None
    return CapitalView(bill, cost, native, asked, unknown)


def _worth(view: View, position: Position) -> Valuation:
    try:
        return value_position(view, position)
    except Unknown as why:
        raise Unknown(why.code, f"{position.id}: {why.reason}") from None


def _costs(view: View, worth: Mapping[str, Valuation]) -> CapitalCosts:
    positions = view.settings.positions
    owed = {one.id: _carry(view, one, worth, "owed") for one in positions if one.kind in LENDING_KINDS}
    funding = {one.id: _carry(view, one, worth, "funding") for one in positions if one.kind == "perp"}
    return CapitalCosts(
        borrow_interest_usd=-fsum(owed.values()),
        net_funding_usd=-fsum(funding.values()),
        margin_usd=fsum(worth[name].value_usd for name in funding),
        premium_usd=premium_spent_usd(view.ledger, view.now),
    )


def _native(view: View, worth: Mapping[str, Valuation], equity_usd: float) -> float:
    """Fees and interest a year over equity. Raises Unknown where one of them is not known, or where there is no equity."""
    if equity_usd <= 0:
        raise Unknown("capital", f"the book has no equity that a yield could be a share of ({equity_usd:,.0f} USD)")
    earned = [_fees(view, one) for one in view.settings.positions if one.kind in RANGED_KINDS]
    earned += [_carry(view, one, worth, "supplied") for one in view.settings.positions if one.kind in LENDING_KINDS]
    return native_yield(fsum(earned) / equity_usd)


def _fees(view: View, position: Position) -> float:
    """USD a year at the pace of all hours that it was watched in 30 days, in range or not: out of it nothing is earned."""
    why: dict[str, str] = {}
    fees = fees_of(view, position, why)
    if fees.annual_usd is None or fees.in_range_hours is None:
        raise Unknown("fees", f"{position.id}: {'; '.join(why.values())}")
    out_hours = range_of(view, position).out_hours or 0.0
    return fees.annual_usd * fees.in_range_hours / (fees.in_range_hours + out_hours)


def _carry(view: View, position: Position, worth: Mapping[str, Valuation], part: str) -> float:
    why: dict[str, str] = {}
    carry = carry_of(view, position, worth[position.id], why)
    found: float | None = getattr(carry, f"{part}_usd")
    if found is None:
        raise Unknown("carry", f"{position.id}: {'; '.join(why.values()) or 'its interest is not known'}")
    return found
