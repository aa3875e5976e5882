"""What the hedged position's capital costs (WACC), and what it ought to earn (CAPM): fractions a year."""

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.core.ledger import Layer
from monitor.core.units import DAY
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.windows import of_first

EQUITY_PREMIUM = 0.05
EMISSIONS_HAIRCUT = 0.5
PREMIUM_MS = 365 * DAY
BOUGHT = frozenset({"active", "closing", "closed"})


@dataclass(frozen=True, slots=True)
class RiskFree:
    """The risk-free rate, a fraction a year, and where it is from."""

    rate: float
    source: str


def risk_free(view: View) -> RiskFree:
    """The 3-month treasury bill as it was last known, or else the book's own `treasury_bill_yield`: the source says which."""

    def read(source: str) -> RiskFree:
        return RiskFree(float(view.newest("macro.tbill_3m", "US", source).value), f"3-month T-bill by {source}")

    try:
        return of_first(view.sources("macro.tbill_3m", "US"), read, "no T-bill is collected")
    except Unknown:
        return RiskFree(view.settings.book.treasury_bill_yield, "book.treasury_bill_yield")


def native_yield(fees: float, emissions: float = 0.0, haircut: float = EMISSIONS_HAIRCUT) -> float:
    """What a position earns by itself a year: fees and, at half of what they fetch, emissions; all fractions of its value."""
    return fees + emissions * (1.0 - haircut)


def capm_return(risk_free_rate: float, beta: float, native: float, equity_premium: float = EQUITY_PREMIUM) -> float:
    """r_f + max(beta, 0) x 5% + native yield: a hedge that goes against the market is asked for no less than the risk-free rate."""
    return risk_free_rate + max(beta, 0.0) * equity_premium + native


@dataclass(frozen=True, slots=True, kw_only=True)
class CapitalCosts:
    """USD a year: interest on what is owed and funding, both positive when paid; margin of perpetuals and the premium of a year in USD."""

    borrow_interest_usd: float = 0.0
    net_funding_usd: float = 0.0
    margin_usd: float = 0.0
    premium_usd: float = 0.0


def wacc(costs: CapitalCosts, risk_free_rate: float, capital_usd: float) -> float:
    """(borrow interest + net funding + r_f x margin + premium) / capital of the hedged position, a fraction a year.

    The premium is what was spent in 365 days: it is never annualised by its tenor (ALVH). Raises Unknown where there is no capital.
    """
    if not capital_usd > 0:
        raise Unknown("capital", f"the hedged position has no capital that a cost could be a share of ({capital_usd:,.0f} USD)")
    carried = costs.borrow_interest_usd + costs.net_funding_usd
    return (carried + risk_free_rate * costs.margin_usd + costs.premium_usd) / capital_usd


def premium_spent_usd(layers: Iterable[Layer], now: int, position: str = "", *, new_cost_usd: float = 0.0) -> float:
    """What the layers bought in the last 365 days cost, of one position or (unnamed) of all, with `new_cost_usd` of the layer in question.

    *(reading)* A layer's own cost counts whole, a perpetual's funding and margin with it: these are then not counted again as the position's.
    """
    return new_cost_usd + sum(
        layer.proposal.cost_usd
        for layer in layers
        if layer.state in BOUGHT and layer.proposed_at > now - PREMIUM_MS and position in ("", layer.proposal.position)
    )
