"""How large a layer would be, and what it would cost: pure arithmetic on the book and the view."""

from dataclasses import dataclass, replace
from math import fsum

from monitor.core.book import Book, Position
from monitor.core.cash_flow import cash_flow_share
from monitor.core.cost_of_capital import risk_free
from monitor.core.exposure import Together
from monitor.core.funding import funding_against_short, median_cost, newest_cost
from monitor.core.implied import scenario_now
from monitor.core.instruments import short_perp, top_up
from monitor.core.proposal import Proposal
from monitor.core.risk import IN_FORCE, SHOCK_SIGMAS, adverse, adverse_scenario, book_exposure, layer_exposure, stressed_deltas_usd
from monitor.core.rule import Intent
from monitor.core.units import DAY
from monitor.core.valuation import value_position
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.volatility import with_market
from monitor.core.worth import Valuation

HORIZON_DAYS = 7
HORIZON_MS = HORIZON_DAYS * DAY
SHORT_PERP_FUNDING_FLOOR = -0.20


@dataclass(frozen=True, slots=True)
class _Cost:
    """USD over the horizon; `fixed_usd` of it does not depend on the size."""

    usd: float
    source: str
    fixed_usd: float = 0.0


def size(view: View, book: Book, position: Position, intent: Intent, wanted: Proposal) -> Proposal:
    """The wanted layer with its size and its cost, before the gates.

    Notional is what the position's risk asset would be worth at the adverse 1.5 sigma price, times the share that its cash flow justifies, the
    book's layer share (25%) and the intent's own share. A short perp is never larger than what the book is still long of that asset, over
    positions and layers, and a top-up never larger than what layers leave of the position's exposure. Raises Unknown when the position cannot
    be valued, when it needs no protection or has it already, or when none of the intended actions can be priced.
    """
    valuation = value_position(view, position)
    stressed_usd, basis = _stressed(view, position, valuation)
    justified = cash_flow_share(view, position, valuation)
    factor = justified.factor if justified is not None else 1.0
    parts = [
        basis,
        *([f"times {factor:.0%} ({justified.basis})"] if justified is not None else []),
        f"times the layer share of {book.layer_share:.0%}",
        *([f"times the rule's share of {intent.share:.0%}"] if intent.share != 1.0 else []),
    ]
    sized = replace(
        wanted,
        notional_usd=stressed_usd * factor * book.layer_share * intent.share,
        horizon_ms=HORIZON_MS,
        position_value_usd=valuation.value_usd,
        basis="; ".join(parts),
    )
    return _first_allowed(view, book, valuation, intent, sized, stressed_usd)


def resize(proposal: Proposal, notional_usd: float, binding: str) -> Proposal:
    """The same layer, smaller: capital and cost (but for what is fixed of it) shrink with the notional, and it says what cut it."""
    share = notional_usd / proposal.notional_usd if proposal.notional_usd > 0 else 0.0
    return replace(
        proposal,
        notional_usd=notional_usd,
        capital_usd=proposal.capital_usd * share,
        cost_usd=proposal.fixed_usd + (proposal.cost_usd - proposal.fixed_usd) * share,
        binding="; ".join(part for part in (proposal.binding, binding) if part),
    )


def requote(view: View, book: Book, position: Position, proposal: Proposal) -> Proposal:
    """The same layer at today's cost and value. Its size stays what the gates let through, unless the book is long of less by now.

    Raises Unknown as `size` does.
    """
    valuation = value_position(view, position)
    kept = _within_room(view, valuation, proposal) if proposal.instrument == "short_perp" else proposal
    return replace(_priced(view, book, kept), position_value_usd=valuation.value_usd)


def _stressed(view: View, position: Position, valuation: Valuation) -> tuple[float, str]:
    """USD of the risk asset at the adverse 1.5 sigma price, and how it was found; today's where volatilities or the book are not known."""
    asset = valuation.risk_asset
    try:
        side = adverse(view)
        price_usd = float(adverse_scenario(view, valuation.exposure.assets).price(asset))
        usd = -side * with_market(asset) * stressed_deltas_usd(view, valuation.exposure).get(asset, 0.0)
    except Unknown as why:
        usd = abs(valuation.delta_usd[asset])
        return usd, f"today's exposure of {usd:,.0f} USD of {asset}, as the stressed one is not known ({why.reason})"
    if usd <= 0:
        raise Unknown("hedge", f"{position.id} loses nothing in {asset} where the book loses: there is nothing to protect")
    way = "fall" if side * with_market(asset) == -1 else "rise"
    return usd, f"stressed exposure of {usd:,.0f} USD of {asset} at {price_usd:,.6g} USD, a {way} of {SHOCK_SIGMAS:g} sigma in {HORIZON_DAYS} days"


def _first_allowed(view: View, book: Book, valuation: Valuation, intent: Intent, sized: Proposal, exposed_usd: float) -> Proposal:
    """The first intended action that can be had: no short perp where its funding is below -20% a year (ALVH), now or by the median of 30 days."""
    reasons = []
    for action in intent.actions:
        try:
            return _as(view, book, valuation, action, sized, exposed_usd)
        except Unknown as why:
            if why.code == "hedged":
                raise
            reasons.append(f"{action}: {why.reason}")
    raise Unknown("unpriced", "; ".join(reasons))


def _as(view: View, book: Book, valuation: Valuation, action: str, sized: Proposal, exposed_usd: float) -> Proposal:
    if action != "short_perp":
        moved = replace(sized, action=action, instrument=action, asset="USDC", capital_usd=sized.notional_usd)
        return _priced(view, book, _within_exposure(view, moved, exposed_usd))
    asset = valuation.risk_asset
    if (funding := min(median_cost(view, asset), newest_cost(view, asset))) < SHORT_PERP_FUNDING_FLOOR:
        raise Unknown("funding", f"a short perp would pay {-funding:.0%} a year")
    short = replace(sized, action="add", instrument=action, asset=asset, capital_usd=sized.notional_usd * book.perp_margin)
    return _priced(view, book, _within_room(view, valuation, short))


def _within_room(view: View, valuation: Valuation, proposal: Proposal) -> Proposal:
    """Cut to what the book is still long of the asset, so that a layer never adds to the net delta that it is there to reduce.

    Layers that were asked for or approved count with those in force: together they must not be too much either. Raises Unknown `hedged` where
    nothing is left of what the position is long of, and `not-long` where it is not long.
    """
    asset = proposal.asset
    if valuation.delta_usd[asset] <= 0:
        raise Unknown("not-long", f"{proposal.position} is not long of {asset}")
    asked = tuple(layer_exposure(view, one) for one in view.ledger if one.live and one.state not in IN_FORCE and one.id != proposal.id)
    room_usd = _delta_usd(view, Together((book_exposure(view), *asked)), asset)
    if room_usd <= 0:
        raise Unknown("hedged", f"already hedged: positions and layers together are {room_usd:,.0f} USD net of {asset}")
    if proposal.notional_usd <= room_usd:
        return proposal
    return resize(proposal, room_usd, f"cut to the {room_usd:,.0f} USD of {asset} that positions and layers leave unhedged")


def _within_exposure(view: View, proposal: Proposal, exposed_usd: float) -> Proposal:
    """Cut to what the layers that live leave of the position's exposure: the hedge ratio ends at 1 (ALVH). Raises Unknown `hedged` at nothing."""
    others = (one.proposal for one in view.ledger if one.live and one.id != proposal.id)
    protected_usd = fsum(one.notional_usd for one in others if one.position == proposal.position)
    room_usd = exposed_usd - protected_usd
    if room_usd <= 0:
        raise Unknown("hedged", f"already hedged: layers protect {protected_usd:,.0f} of {exposed_usd:,.0f} USD exposed in {proposal.position}")
    if proposal.notional_usd <= room_usd:
        return proposal
    return resize(proposal, room_usd, f"cut to the {room_usd:,.0f} USD that layers leave unprotected of {proposal.position}")


def _delta_usd(view: View, exposure: Together, asset: str) -> float:
    now = scenario_now(view, exposure.assets)
    return float(exposure.deltas(now).get(asset, 0.0)) * float(now.price(asset))


def _priced(view: View, book: Book, proposal: Proposal) -> Proposal:
    cost = _perp_cost(view, book, proposal) if proposal.instrument == "short_perp" else _top_up_cost(view, book, proposal)
    price_usd = view.price_usd(proposal.asset) if proposal.instrument == "short_perp" else 0.0
    return replace(proposal, cost_usd=cost.usd, fixed_usd=cost.fixed_usd, cost_source=cost.source, price_usd=price_usd)


def _perp_cost(view: View, book: Book, proposal: Proposal) -> _Cost:
    """ALVH: fees + half-spread + max(0, 95th percentile of 30-day funding against us) x H + r_f x margin x H."""
    against, bill = funding_against_short(view, proposal.asset), risk_free(view)
    terms = replace(book, treasury_bill_yield=bill.rate)
    of_a_dollar = short_perp(proposal.asset, 1.0, 1.0, terms, funding_against=against, fee=book.perp_fee, days=HORIZON_DAYS)
    source = (
        ", ".join(f"{cost.name} {cost.usd * 1e4:.1f} bp" for cost in of_a_dollar.costs)
        + f" over {HORIZON_DAYS} days: the 95th percentile of 30 days of funding is {against:+.1%} a year against a short, "
        f"the yield of a margin of {book.perp_margin:.0%} is {bill.rate:.2%} ({bill.source}); "
        f"getting out costs another {(book.perp_fee + book.perp_half_spread) * 1e4:.1f} bp"
    )
    return _Cost(proposal.notional_usd * of_a_dollar.cost_usd, source)


def _top_up_cost(view: View, book: Book, proposal: Proposal) -> _Cost:
    """ALVH: forgone stable yield + gas, not the amount. *(reading)* The yield forgone is the risk-free rate."""
    bill = risk_free(view)
    layer = top_up(proposal.notional_usd, stable_yield=bill.rate, gas_usd=book.gas, days=HORIZON_DAYS)
    source = f"forgone yield of {bill.rate:.2%} a year ({bill.source}) over {HORIZON_DAYS} days, and gas of {book.gas:,.2f} USD"
    return _Cost(layer.cost_usd, source, book.gas)
