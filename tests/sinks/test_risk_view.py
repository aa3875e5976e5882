"""The risk of the book in words: what a week costs, what it brings, and what is said of a part."""

import math
from typing import Any

import pytest

from monitor.sinks.risk_view import part_stress, says
from tests.core.books import book, priced, tokens, volatile

FALL = math.exp(-1.5 * 0.8 * math.sqrt(7 / 365))
WEEK = {"sigmas": 1.5, "days": 7.0}


def of(loss_usd: float, protected_usd: float) -> str:
    stress = {**WEEK, "direction": "fall", "loss_usd": loss_usd, "protected_loss_usd": protected_usd}
    return said(equity_usd=100.0, risk={"stress": stress})[1]


def said(**parts: Any) -> list[str]:
    return says(parts)


@pytest.mark.parametrize(
    ("loss_usd", "protected_usd", "words"),
    [
        (500.0, 500.0, "cost 500 USD"),
        (500.0, 200.0, "cost 500 USD without layers, and cost 200 USD with those in force"),
        (500.0, -20.0, "cost 500 USD without layers, and bring 20 USD with those in force"),
        (-500.0, -500.0, "bring 500 USD"),
        (0.0, 0.0, "cost 0 USD"),
    ],
)
def test_a_gain_is_not_told_as_a_negative_cost(loss_usd: float, protected_usd: float, words: str):
    assert of(loss_usd, protected_usd) == f"A fall of 1.5 sigma in 7 days would {words}"


def test_a_part_of_the_book_is_told_both_ways_and_named_by_what_is_left_out():
    view = book(*priced(ETH=2000.0), *volatile(ETH=80.0), positions=[tokens("wallet", ETH=3.0)])
    part = part_stress(view)
    assert part == {**WEEK, "fall_usd": pytest.approx(6000 * (1 - FALL)), "rise_usd": pytest.approx(6000 * (1 - 1 / FALL))}
    assert said(unvalued=["loan", "lp"], positions=3, valued_stress=part) == [
        "Equity not known, for want of loan, lp",
        "Without loan, lp: a fall of 1.5 sigma in 7 days would cost 919 USD, a rise bring 1,085 USD, layers left out; "
        "what loan, lp would add or take is not known",
    ]


def test_a_part_whose_volatility_is_not_known_says_nothing():
    assert part_stress(book(*priced(ETH=2000.0), positions=[tokens("wallet", ETH=3.0)])) is None
