"""The split of a change of TVL: price effect and outflow are the change, exactly; what is not known is never taken as 0 or 1."""

import math
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.tvl import Amounts, explains_half, risen_apart, split, vouched_price_effect
from monitor.core.verdict import Unknown

amounts = st.floats(0, 1e18, allow_nan=False)
prices = st.floats(1e-12, 1e9, allow_nan=False)
rows = st.lists(st.tuples(amounts, prices, amounts, prices), max_size=20)
Row = tuple[float, float, float, float]


def ends(tokens: Sequence[Row]) -> tuple[Amounts, Amounts]:
    names = [f"T{i}" for i in range(len(tokens))]
    before = Amounts({n: t[0] for n, t in zip(names, tokens, strict=True)}, {n: t[1] for n, t in zip(names, tokens, strict=True)})
    after = Amounts({n: t[2] for n, t in zip(names, tokens, strict=True)}, {n: t[3] for n, t in zip(names, tokens, strict=True)})
    return before, after


@given(rows, st.floats(-1e13, 1e13, allow_nan=False))
@example([(10.0, 100.0, 10.0, 90.0)], -100.0)
@example([(10.0, 100.0, 9.0, 100.0)], -100.0)
@example([(1e18, 1e9, 1e18, 1e9), (1.0, 1.0, 0.0, 1.0)], -1.0)
@example([(3.0, 1.0, 1.0, 3.0)], 0.0)  # a change of nothing, of two parts
@example([], 0.0)
def test_the_parts_are_the_change_and_the_rest_to_twelve_digits(tokens: list[Row], reported: float):
    made = split(*ends(tokens), reported)
    scale = max(abs(made.price_usd), abs(made.outflow_usd), abs(made.change_usd))
    assert abs(math.fsum([made.price_usd, made.outflow_usd, -made.change_usd])) <= 1e-12 * scale
    scale = max(abs(made.change_usd), abs(made.unexplained_usd), abs(reported))
    assert abs(math.fsum([made.change_usd, made.unexplained_usd, -reported])) <= 1e-12 * scale


@given(rows)
def test_each_part_is_its_formula_in_exact_numbers(tokens: list[Row]):
    exact = [tuple(Fraction(x) for x in row) for row in tokens]
    made = split(*ends(tokens))
    assert made.price_usd == float(sum(q0 * (p1 - p0) for q0, p0, _, p1 in exact))
    assert made.outflow_usd == float(sum((q1 - q0) * p1 for q0, _, q1, p1 in exact))
    assert made.change_usd == float(sum(q1 * p1 - q0 * p0 for q0, p0, q1, p1 in exact))
    assert made.unexplained_usd == 0.0
    before, after = ends(tokens)
    assert before.worth_usd == float(sum(q0 * p0 for q0, p0, _, _ in exact))
    assert after.worth_usd == float(sum(q1 * p1 for _, _, q1, p1 in exact))


def test_a_fall_by_price_and_a_fall_by_outflow_are_told_apart():
    before = Amounts({"ETH": 10, "USDC": 1000.0}, {"ETH": 100.0, "USDC": 1.0})
    after = Amounts({"ETH": 8, "USDC": 900.0}, {"ETH": 75.0, "USDC": 1.0})
    made = split(before, after, -600.0)
    assert (made.price_usd, made.outflow_usd, made.change_usd, made.unexplained_usd) == (-250.0, -250.0, -500.0, -100.0)


def test_amounts_of_a_chain_stay_exact_integers():
    whole = 2**200 + 1
    made = split(Amounts({"X": whole}, {"X": 1.0}), Amounts({"X": whole - 1}, {"X": 1.0}))
    assert (made.price_usd, made.outflow_usd, made.change_usd) == (0.0, -1.0, -1.0)


WHOLE = Amounts({"ETH": 10.0}, {"ETH": 100.0})


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        (WHOLE, Amounts({"ETH": 10.0}, {}), "the price of ETH"),
        (Amounts({"ETH": 10.0}, {}), WHOLE, "the price of ETH"),
        (WHOLE, Amounts({}, {"ETH": 90.0}), "the amount of ETH"),
        (Amounts({}, {"ETH": 90.0}), WHOLE, "the amount of ETH"),
        (WHOLE, Amounts({"ETH": 10.0, "XYZ": 1.0}, {"ETH": 90.0, "XYZ": 1.0}), "the amount of XYZ"),
    ],
)
def test_a_missing_price_or_amount_is_unconfirmed_and_never_0_or_1(before: Amounts, after: Amounts, named: str):
    with pytest.raises(Unknown, match=named) as caught:
        split(before, after)
    assert caught.value.code == "unconfirmed"


@pytest.mark.parametrize(
    ("moves", "effect"),
    [
        ([], 0.0),
        ([-5.0], 0.0),
        ([5.0], 50.0),
        ([-5.0, -4.0], -40.0),
        ([-4.0, -5.0, -1.0], -40.0),
        ([-5.0, 1.0], 10.0),
        ([0.0, -5.0], 0.0),
    ],
    ids=["no source", "one saw it fall", "one saw it rise", "two saw it fall", "two of three", "they disagree", "one saw nothing"],
)
def test_a_price_effect_counts_as_far_as_two_sources_vouch_for_it(moves: list[float], effect: float):
    assert vouched_price_effect({"ETH": 10.0}, {"ETH": moves} if moves else {}) == effect


@pytest.mark.parametrize(
    ("part", "fall", "is_half"),
    [
        (-5.0, 10.0, True),
        (-4.99, 10.0, False),
        (-10 * 0.04, 10 * 0.08, True),
        (5.0, 10.0, False),
        (0.0, 0.0, False),
        # Twelve digits count: what is under half of the twelfth is a hair.
        (-(0.5 - 4e-13), 1.0, True),
        (-(0.5 - 6e-13), 1.0, False),
    ],
)
def test_half_of_a_fall_is_half_on_paper(part: float, fall: float, is_half: bool):
    assert explains_half(part, fall) is is_half


def test_a_part_that_is_counted_apart_has_grown_by_what_it_grew_and_a_new_one_by_all_it_is():
    before = {"staking": 5.0, "pool2": 5.0, "gone": 9.0, "same": 5.0}
    assert risen_apart(before, {"staking": 5.5, "pool2": 4.0, "borrowed": 3.0, "same": 5.0}) == {"staking": 0.5, "borrowed": 3.0}
