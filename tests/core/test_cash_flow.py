"""Price to cash flow, and the share of an exposure that it justifies to hedge."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.cash_flow import CashFlow, Share, justified_share, price_to_cash_flow
from monitor.core.verdict import Unknown
from monitor.core.worth import Fees

OWN = CashFlow(10.0, "its fees of 30 days")


def test_price_to_cash_flow_is_the_value_over_the_fees_of_a_year():
    assert price_to_cash_flow(1000.0, Fees(1.0, annual_usd=100.0)) == OWN
    assert price_to_cash_flow(1000.0, Fees(1.0, annual_usd=100.0), pool_fee_apr=0.5) == OWN
    assert price_to_cash_flow(1000.0, Fees(1.0), pool_fee_apr=0.2) == CashFlow(5.0, "the fee APR of its pool")


@pytest.mark.parametrize(
    ("value", "fees", "apr", "why"),
    [
        (0.0, Fees(0.0, annual_usd=1.0), None, "worth nothing"),
        (-1.0, Fees(0.0, annual_usd=1.0), None, "worth nothing"),
        (1.0, Fees(0.0), None, "not known yet"),
        (1.0, Fees(0.0, annual_usd=0.0), None, "by its fees of 30 days it earns nothing"),
        (1.0, Fees(0.0), 0.0, "by the fee APR of its pool it earns nothing"),
    ],
)
def test_without_value_or_fees_there_is_none(value: float, fees: Fees, apr: float | None, why: str):
    with pytest.raises(Unknown, match=why):
        price_to_cash_flow(value, fees, apr)


@pytest.mark.parametrize(
    ("history", "factor"),
    [([5.0] * 5, 0.5), ([4.9] * 5, 0.5), ([5.1] * 5, 0.51), ([9.0] * 5, 0.9), ([10.0] * 5, 1.0), ([10.1] * 5, 1.0), ([1, 2, 8, 9, 99], 0.8)],
)
def test_a_dear_position_is_hedged_less_and_never_below_half(history: list[float], factor: float):
    assert justified_share(OWN, history).factor == pytest.approx(factor)


def test_what_was_weighed_is_said():
    assert justified_share(OWN, [8.0] * 34) == Share(0.8, "P/CF 10.0 by its fees of 30 days against a median of 8.0 over 34 days")
    assert justified_share(OWN, [1.0] * 4) == Share(1.0, "P/CF 10.0 by its fees of 30 days, whose history is 4 of at least 5 days: not weighed")


@given(st.floats(0.01, 1e4), st.lists(st.floats(0.01, 1e4), max_size=12))
@example(10.0, [5.0] * 5)
@example(10.0, [10.0] * 5)
def test_the_share_is_between_a_half_and_one(ratio: float, history: list[float]):
    assert 0.5 <= justified_share(CashFlow(ratio, ""), history).factor <= 1.0
