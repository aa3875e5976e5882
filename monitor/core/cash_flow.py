"""What a liquidity position earns against its price (P/CF), and how much of its exposure that cash flow justifies to hedge."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from monitor.core.verdict import Unknown
from monitor.core.worth import Fees

HOURS_A_YEAR = 8760.0
LEAST_FACTOR, MOST_FACTOR = 0.5, 1.0
LEAST_HISTORY = 5


@dataclass(frozen=True, slots=True)
class CashFlow:
    """Price to cash flow: years of fees that the position costs. `basis` says what the fees were reckoned from."""

    ratio: float
    basis: str


def price_to_cash_flow(value_usd: float, fees: Fees, pool_fee_apr: float | None = None) -> CashFlow:
    """Position value over its fees a year, as earned in its in-range hours of 30 days; of a young one by the fee APR of its pool.

    Young is a position whose fees of a year are not known (`Fees.annual_usd`). Raises Unknown where neither is known, where it earned nothing,
    or where it is worth nothing.
    """
    if not value_usd > 0:
        raise Unknown("cash-flow", "a position that is worth nothing has no price to cash flow")
    if fees.annual_usd is not None:
        annual_usd, basis = fees.annual_usd, "its fees of 30 days"
    elif pool_fee_apr is not None:
        annual_usd, basis = pool_fee_apr * value_usd, "the fee APR of its pool"
    else:
        raise Unknown("cash-flow", "the fees that it earns a year are not known yet, nor is the fee APR of its pool")
    if not annual_usd > 0:
        raise Unknown("cash-flow", f"by {basis} it earns nothing")
    return CashFlow(value_usd / annual_usd, basis)


@dataclass(frozen=True, slots=True)
class Share:
    """The share of a stressed exposure that is hedged, and why, in words."""

    factor: float
    basis: str


def justified_share(now: CashFlow, history: Sequence[float]) -> Share:
    """clip(median P/CF / P/CF, 0.5, 1): hedge what the cash flow justifies, never below half *(reading)*.

    `history` is the P/CF of earlier days, as far back as the store goes; under 5 of them there is no median, and the share is 1.
    """
    said = f"P/CF {now.ratio:,.1f} by {now.basis}"
    if len(history) < LEAST_HISTORY:
        return Share(MOST_FACTOR, f"{said}, whose history is {len(history)} of at least {LEAST_HISTORY} days: not weighed")
    usual = median(history)
    factor = min(max(usual / now.ratio, LEAST_FACTOR), MOST_FACTOR)
    return Share(factor, f"{said} against a median of {usual:,.1f} over {len(history)} days")
