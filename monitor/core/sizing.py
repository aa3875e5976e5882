"""How large a layer would be, and what it would cost: pure arithmetic on the book and the view."""

from dataclasses import replace

from monitor.core.book import Book, Position
from monitor.core.funding import median_cost
from monitor.core.proposal import Proposal
from monitor.core.rule import Intent
from monitor.core.units import DAY
from monitor.core.valuation import value_position
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.worth import Valuation

HORIZON_MS = 7 * DAY
HORIZON_YEARS = 7 / 365
SHORT_PERP_FUNDING_FLOOR = -0.20


def size(view: View, book: Book, position: Position, intent: Intent, wanted: Proposal) -> Proposal:
    """The wanted layer with its size and its cost, before the gates.

    Notional is the book's layer share (25%) of what the position holds at today's prices, times the intent's own share. Raises Unknown when
    the position cannot be valued, or when none of the intended actions can be priced.
    """
    valuation = value_position(view, position)
    notional = abs(sum(valuation.delta_usd.values())) * book.layer_share * intent.share
    action, asset, cost, how = _cheapest_allowed(view, book, valuation, notional, intent)
    return replace(
        wanted,
        action="top_up" if action == "top_up" else "add",
        instrument=action,
        asset=asset,
        notional_usd=notional,
        capital_usd=notional * _capital_share(book, action),
        cost_usd=cost,
        cost_source=how,
        horizon_ms=HORIZON_MS,
        position_value_usd=valuation.value_usd,
        price_usd=_price(view, action, asset),
    )


def resize(proposal: Proposal, notional_usd: float, binding: str) -> Proposal:
    """The same layer, smaller: capital and cost shrink with the notional, and it says what cut it."""
    share = notional_usd / proposal.notional_usd if proposal.notional_usd > 0 else 0.0
    return replace(
        proposal,
        notional_usd=notional_usd,
        capital_usd=proposal.capital_usd * share,
        cost_usd=proposal.cost_usd * share,
        binding="; ".join(part for part in (proposal.binding, binding) if part),
    )


def requote(view: View, book: Book, position: Position, proposal: Proposal) -> Proposal:
    """The same layer at today's cost and value; its size stays what the gates let through. Raises Unknown as `size` does."""
    valuation = value_position(view, position)
    cost, how = _cost(view, book, proposal.instrument, proposal.asset, proposal.notional_usd)
    return replace(
        proposal, cost_usd=cost, cost_source=how, position_value_usd=valuation.value_usd, price_usd=_price(view, proposal.instrument, proposal.asset)
    )


def _cheapest_allowed(view: View, book: Book, valuation: Valuation, notional: float, intent: Intent) -> tuple[str, str, float, str]:
    """The first intended action that can be had: no short perp where its funding is below -20% a year (ALVH)."""
    reasons = []
    for action in intent.actions:
        asset = valuation.risk_asset if action == "short_perp" else "USDC"
        try:
            if action == "short_perp" and (funding := median_cost(view, asset)) < SHORT_PERP_FUNDING_FLOOR:
                raise Unknown("funding", f"a short perp would pay {-funding:.0%} a year")
            return action, asset, *_cost(view, book, action, asset, notional)
        except Unknown as why:
            reasons.append(f"{action}: {why.reason}")
    raise Unknown("unpriced", "; ".join(reasons))


def _cost(view: View, book: Book, action: str, asset: str, notional: float) -> tuple[float, str]:
    if action == "top_up":
        yield_a_year = book.treasury_bill_yield
        return notional * yield_a_year * HORIZON_YEARS, f"forgone T-bill yield of {yield_a_year:.2%} a year over 7 days"
    funding = median_cost(view, asset)
    paid = max(0.0, -funding) * HORIZON_YEARS
    how = f"half-spread {book.perp_half_spread * 1e4:.1f} bp and 30-day median funding {funding:+.1%} a year over 7 days"
    return notional * (book.perp_half_spread + paid), how


def _price(view: View, action: str, asset: str) -> float:
    return view.price_usd(asset) if action == "short_perp" else 0.0


def _capital_share(book: Book, action: str) -> float:
    return book.perp_margin if action == "short_perp" else 1.0
