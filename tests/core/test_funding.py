"""The weighted median of venues: against a plain reckoning, with no venue over 60%."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.funding import Aggregate, Payments, _medians, _slot_means, annualised, capped_shares, weighted_median
from monitor.core.units import HOUR
from monitor.core.verdict import Unknown
from tests.builders import START

PAIRS = st.lists(st.tuples(st.floats(-5, 5), st.integers(1, 50)), min_size=1, max_size=7)


@pytest.mark.parametrize(
    ("values", "weights", "median"),
    [
        ([3.0], [7], 3.0),
        ([1.0, 2.0], [1, 1], 1.5),
        ([1.0, 2.0], [9, 1], 1.0),
        ([1.0, 2.0, 3.0], [1, 1, 1], 2.0),
        ([1.0, 2.0, 3.0], [1, 1, 2], 2.5),
        ([3.0, 1.0, 2.0, 4.0], [1, 1, 1, 1], 2.5),
        ([0.0, 1.0, 2.0], [1, 1, 98], 2.0),
    ],
)
def test_it_is_the_value_at_half_of_the_weight_or_the_mean_of_two(values: list[float], weights: list[float], median: float):
    assert weighted_median(values, weights) == pytest.approx(median)


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        ([7], [1.0]),
        ([9, 1], [0.6, 0.4]),
        ([1, 9], [0.4, 0.6]),
        ([6, 4], [0.6, 0.4]),
        ([64, 27, 9], [0.6, 0.3, 0.1]),
        ([59, 32, 9], [0.59, 0.32, 0.09]),
        ([1, 1, 98], [0.2, 0.2, 0.6]),
    ],
)
def test_no_venue_weighs_over_60_percent_and_the_others_share_the_rest_as_they_weigh(weights: list[float], shares: list[float]):
    assert capped_shares(weights) == pytest.approx(shares, rel=1e-12)


@given(PAIRS)
def test_at_most_half_of_the_capped_weight_lies_on_either_side(pairs: list[tuple[float, int]]):
    values, weights = [v for v, _ in pairs], [w for _, w in pairs]
    total, heaviest = sum(weights), max(weights)
    if len(pairs) > 1 and heaviest > 0.6 * total:
        others = total - heaviest
        first = weights.index(heaviest)
        shares = [0.6 if i == first else 0.4 * w / others for i, w in enumerate(weights)]
    else:
        shares = [w / total for w in weights]
    middle = weighted_median(values, weights)
    assert sum(s for v, s in zip(values, shares, strict=True) if v < middle) <= 0.5 + 1e-9
    assert sum(s for v, s in zip(values, shares, strict=True) if v > middle) <= 0.5 + 1e-9
    assert min(values) <= middle <= max(values)


ALL_SLOTS = range(1, 91)


def usual(missing: set[int], *, now: int = START + HOUR, last: int = START) -> tuple[float, float]:
    """Of the 90 slots of 8 hours that end at `last`, the first of which is slot 1; each is worth its number."""
    known = [slot for slot in ALL_SLOTS if slot not in missing]
    slot_at = np.array([last - (90 - slot) * 8 * HOUR for slot in known])
    return Aggregate(0.0, slot_at, np.array(known, dtype=np.float64), (), weighted=True).usual(now)


def test_what_is_usual_is_the_median_of_the_slots_and_their_median_distance_from_it():
    assert START % (8 * HOUR) == 0
    assert usual(set()) == usual(set(), now=START) == (45.5, 22.5)


NINE = {5, 6, 15, 16, 25, 26, 35, 36, 45}


@pytest.mark.parametrize("missing", [NINE, {90}, {1, 2}, {20, 21}, {87}, {86, 90}])
def test_nine_slots_in_ninety_may_be_missing_two_at_a_time_and_the_last_one_too(missing: set[int]):
    known = sorted(set(ALL_SLOTS) - missing)
    assert usual(missing)[0] == np.median(known)


@pytest.mark.parametrize("missing", [{*NINE, 46}, {89, 90}, {1, 2, 3}, {20, 21, 22}, {88}, {89}, {87, 90}, {88, 90}])
def test_ten_missing_slots_three_together_or_one_of_the_last_three_are_too_patchy(missing: set[int]):
    with pytest.raises(Unknown, match=f"{90 - len(missing)} of 90 slots of 8 h are known in the last 30 days") as told:
        usual(missing)
    assert told.value.code == "coverage"


def test_a_rate_is_annualised_over_the_hours_it_is_paid_for():
    assert annualised(0.0001, 8.0) == pytest.approx(0.1095, rel=1e-12)
    assert annualised(0.0001, 1.0) == pytest.approx(0.876, rel=1e-12)


def test_a_share_of_just_60_percent_is_left_as_it_is():
    assert capped_shares([6, 3, 1]) == [0.6, 0.3, 0.1]


@pytest.mark.parametrize(("over", "middle"), [(0.95e-12, 1.5), (1.05e-12, 1.0)])
def test_a_trillionth_over_half_of_the_weight_is_half_of_it(over: float, middle: float):
    values, weights = [1.0, 2.0], [0.5 + over, 0.5 - over]
    assert weighted_median(values, weights) == middle
    table = np.array(values)[:, np.newaxis]
    assert _medians(table, np.isfinite(table), np.array(weights)).tolist() == [middle]


def test_a_payment_counts_in_its_slot_from_its_first_millisecond_on_and_none_of_before_the_first_slot():
    ends = np.array([8 * HOUR, 16 * HOUR])
    for at, means in (
        (1, [0.1, math.nan]),
        (0, [math.nan] * 2),
        (-HOUR, [math.nan] * 2),
        (16 * HOUR + 1, [math.nan] * 2),
        (8 * HOUR + 1, [math.nan, 0.1]),
        (16 * HOUR, [math.nan, 0.1]),
    ):
        with np.errstate(all="raise"):
            found = _slot_means(Payments(np.array([at]), np.array([0.1]), np.array([8 * HOUR])), ends)
        assert found.tolist() == pytest.approx(means, nan_ok=True)
