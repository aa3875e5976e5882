"""The cost of capital and what it ought to earn, by hand."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.cost_of_capital import CapitalCosts, RiskFree, capm_return, native_yield, premium_spent_usd, risk_free, wacc
from monitor.core.ledger import Layer
from monitor.core.units import DAY
from monitor.core.verdict import Unknown
from tests.builders import START, proposal_of, seen, view_of


def test_the_cost_of_capital_is_its_four_parts_over_the_capital():
    costs = CapitalCosts(borrow_interest_usd=300.0, net_funding_usd=100.0, margin_usd=5_000.0, premium_usd=600.0)
    assert wacc(costs, 0.04, 20_000.0) == pytest.approx((300 + 100 + 200 + 600) / 20_000)
    assert wacc(CapitalCosts(net_funding_usd=-100.0), 0.04, 20_000.0) == pytest.approx(-0.005)
    assert wacc(CapitalCosts(), 0.04, 1.0) == 0.0


@pytest.mark.parametrize("capital", [0.0, -1.0, float("nan")])
def test_no_capital_has_no_cost(capital: float):
    with pytest.raises(Unknown, match="no capital"):
        wacc(CapitalCosts(premium_usd=1.0), 0.04, capital)


def test_what_capital_ought_to_earn():
    assert capm_return(0.04, 1.2, 0.10) == pytest.approx(0.04 + 1.2 * 0.05 + 0.10)
    assert capm_return(0.04, -1.2, 0.10) == pytest.approx(0.14)
    assert capm_return(0.04, 1.2, 0.10, equity_premium=0.03) == pytest.approx(0.176)


@given(st.floats(-3, 3), st.floats(-0.05, 0.5), st.floats(0, 1))
@example(0.0, 0.04, 0.0)
def test_it_never_ought_to_earn_less_than_the_risk_free_rate_and_its_own_yield(beta: float, rate: float, native: float):
    assert capm_return(rate, beta, native) >= rate + native
    assert capm_return(rate, max(beta, 0.0), native) == capm_return(rate, beta, native)


def test_emissions_count_half():
    assert native_yield(0.10) == 0.10
    assert native_yield(0.10, 0.08) == pytest.approx(0.14)
    assert native_yield(0.10, 0.08, haircut=0.75) == pytest.approx(0.12)


def test_the_risk_free_rate_is_the_bill_or_else_the_books_own_and_it_says_so():
    assert risk_free(view_of()) == RiskFree(0.04, "book.treasury_bill_yield")
    assert risk_free(view_of(settings={"book": {"treasury_bill_yield": 0.03}})).rate == 0.03
    bill = seen("macro.tbill_3m", "US", 0.0525, START - DAY, "fred")
    assert risk_free(view_of(bill)) == RiskFree(0.0525, "3-month T-bill by fred")
    assert risk_free(view_of(bill, now=START + 30 * DAY)).source == "book.treasury_bill_yield"


def layer(state: str, cost_usd: float, age_days: float, **changes: Any) -> Layer:
    at = START - round(age_days * DAY)
    return Layer("L", state, proposal_of(cost_usd=cost_usd, **changes), (), at, at, None, "")


def test_the_premium_is_what_bought_layers_cost_in_365_days_with_this_one():
    layers = [
        layer("active", 1.0, 0),
        layer("closing", 2.0, 100),
        layer("closed", 4.0, 364.99),
        layer("closed", 8.0, 365),
        layer("proposed", 16.0, 0),
        layer("approved", 32.0, 0),
        layer("rejected", 64.0, 0),
        layer("active", 128.0, 5, position="p2"),
    ]
    assert premium_spent_usd(layers, START) == 135.0
    assert premium_spent_usd(layers, START, "p1", new_cost_usd=0.5) == 7.5
    assert premium_spent_usd(layers, START, "p2") == 128.0
    assert premium_spent_usd([], START) == 0.0
