"""The weighted median of venues: against a plain reckoning, with no venue over 60%."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.funding import capped_shares, weighted_median

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
