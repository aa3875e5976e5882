"""The words for trends, against rows worked by hand and plain loops; and no row looks ahead or beyond its own window."""

from collections.abc import Callable
from statistics import mean, median, pstdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core import trends
from monitor.core.units import DAY, parse_time

NAN = float("nan")
walks = st.lists(st.floats(-5, 5, allow_subnormal=False), min_size=1, max_size=420).map(lambda steps: 100 + np.cumsum(steps))


def true_rows(flags: object) -> list[int]:
    return np.flatnonzero(np.asarray(flags)).tolist()


@pytest.mark.parametrize(
    ("histogram", "expanding", "contracting"),
    [
        pytest.param([1, 2, 3], [2], [], id="growing above zero"),
        pytest.param([-1, -2, -3], [2], [], id="growing below zero"),
        pytest.param([3, 2, 1], [], [2], id="shrinking above zero"),
        pytest.param([-3, -2, -1], [], [2], id="shrinking below zero"),
        pytest.param([1, 2, 2], [], [], id="a standstill is neither"),
        pytest.param([3, 2, 2], [], [], id="nor is one on the way down"),
        pytest.param([-1, 2, 3], [], [], id="two signs"),
        pytest.param([0, 1, 2], [], [], id="zero has no sign"),
        pytest.param([2, 1, 0], [], [], id="zero at the end has none either"),
        pytest.param([0, -1, -2], [], [], id="zero has none below either"),
        pytest.param([-2, -1, 0], [], [], id="nor at the end"),
        pytest.param([NAN, 1, 2, 3], [3], [], id="warm-up"),
        pytest.param([1, 2], [], [], id="too short"),
        pytest.param([], [], [], id="nothing"),
        pytest.param([1, 2, 3, 4, 3, 2, 1], [2, 3], [5, 6], id="each on its own bar"),
    ],
)
def test_expanding_and_contracting_are_three_bars_of_one_sign(histogram: list[float], expanding: list[int], contracting: list[int]):
    assert true_rows(trends.expanding(histogram)) == expanding
    assert true_rows(trends.contracting(histogram)) == contracting


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=40))
def test_growth_above_zero_is_positive_exactly_where_it_is_above_zero_and_expanding(histogram: list[float]):
    above = [row for row in true_rows(trends.expanding(histogram)) if histogram[row] > 0]
    assert true_rows(trends.growth_above_zero(histogram) > 0) == above


def test_growth_above_zero_is_its_weakest_part():
    assert trends.growth_above_zero([0.5, 2.0, 2.25, 4.0])[2:].tolist() == [0.25, 0.25]
    assert trends.growth_above_zero([0.125, 2.0, 4.0])[-1] == 0.125
    assert np.isnan(trends.growth_above_zero([1.0, 2.0])).all()


@pytest.mark.parametrize(
    ("line", "crossings"),
    [
        pytest.param([-1, 1, 2, -1], [0, 1, 0, -1], id="up and down, each on its bar"),
        pytest.param([-1, 0, 1], [0, 0, 1], id="through zero counts on leaving it"),
        pytest.param([1, 0, -1], [0, 0, -1], id="and so downwards"),
        pytest.param([1, 0, 1], [0, 0, 1], id="a touch is left again"),
        pytest.param([NAN, 1, -1], [0, 0, -1], id="warm-up crosses nothing"),
        pytest.param([5], [0], id="one bar"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_a_zero_crossing_counts_on_its_bar(line: list[float], crossings: list[int]):
    assert trends.zero_crossing(line).tolist() == crossings


@given(walks, st.integers(1, 12), st.integers(2, 40))
def test_a_trend_is_the_change_in_its_own_standard_deviations(values: np.ndarray, bars: int, samples: int):
    found = trends.trend(values, bars, samples)
    for row in range(len(values)):
        if row < bars + samples - 1:
            assert np.isnan(found[row])
            continue
        changes = [values[k] - values[k - bars] for k in range(row - samples + 1, row + 1)]
        deviation = pstdev(changes)
        if deviation > 1e-6:
            assert found[row] == pytest.approx(changes[-1] / deviation, rel=1e-6, abs=1e-6)


def test_a_change_of_nothing_is_no_trend_and_one_that_never_varies_is_endless():
    assert trends.trend([7.0] * 8, 2, 3).tolist()[4:] == [0.0] * 4
    assert trends.trend(np.arange(8.0), 2, 3).tolist()[4:] == [np.inf] * 4
    assert trends.trend(-np.arange(8.0), 2, 3).tolist()[4:] == [-np.inf] * 4
    assert np.isnan(trends.trend([1.0], 3, 2)).all()


def changing(last: float, bars: int, samples: int) -> np.ndarray:
    """A line whose changes over `bars` are 1 up and 1 down in turn, `samples` of them, the last one being `last`."""
    line = [0.0] * bars
    for change in [*((1.0, -1.0)[n % 2] for n in range(samples - 1)), last]:
        line.append(line[-bars] + change)
    return np.array(line)


def edge(share: float, samples: int) -> float:
    """The last change that is `share` of the standard deviation of all, itself included."""
    low, high = 0.0, 5.0
    for _ in range(100):
        middle = (low + high) / 2
        deviation = float(np.std([*((1.0, -1.0)[n % 2] for n in range(samples - 1)), middle]))
        low, high = (middle, high) if middle < share * deviation else (low, middle)
    return high


@pytest.mark.parametrize(("factor", "is_true"), [(1.000001, True), (0.999999, False)])
def test_rising_is_beyond_half_a_standard_deviation_of_252_changes(factor: float, is_true: bool):
    line = changing(factor * edge(0.5, 252), 10, 252)
    assert bool(trends.rising(line, 10)[-1]) is is_true
    assert not trends.falling(line, 10)[-1]
    assert bool(trends.falling(-line, 10)[-1]) is is_true
    assert not trends.rising(line[1:], 10)[-1]


@pytest.mark.parametrize(("factor", "is_true"), [(0.999999, True), (1.000001, False)])
def test_flat_is_under_a_tenth_of_the_standard_deviation_of_100_changes_over_3_bars(factor: float, is_true: bool):
    line = changing(factor * edge(0.1, 100), 3, 100)
    assert bool(trends.flat(line)[-1]) is is_true
    assert bool(trends.flat(-line)[-1]) is is_true
    assert not trends.flat(line[1:])[-1]


def test_exactly_as_many_deviations_as_are_asked_for_are_not_beyond_them():
    line = changing(3.0, 10, 252)
    asked = float(trends.trend(line, 10)[-1])
    assert not trends.rising(line, 10, asked)[-1]
    assert not trends.falling(-line, 10, asked)[-1]
    assert not trends.flat(line, float(np.abs(trends.trend(line, 3, 100)[-1])))[-1]


def test_what_stands_at_its_mean_has_not_weakened_however_far_it_fell():
    line = [*[100.0] * 300, *[50.0] * 10]
    assert trends.falling(line, 10)[-1]
    assert trends.weakens(line, 10)[-2:].tolist() == [True, False]


def test_a_share_has_twelve_decimals():
    assert trends.share_of_high([3.0, 1.0], 2)[-1] == 0.333333333333


def test_a_line_that_does_not_move_is_flat():
    assert trends.flat(np.zeros(103))[-1]


def test_weakens_is_below_its_mean_and_falling():
    calm = [100.0 + (n % 2) for n in range(262)]
    down = [*calm, *(100.0 - n for n in range(1, 11))]
    assert trends.weakens(down, 10)[-1]
    assert not trends.weakens(calm, 10)[-1]
    back = [*down, 100.0]
    assert back[-1] > mean(back[-10:])
    assert not trends.weakens(back, 10)[-1]
    up = [*calm, *(100.0 + n for n in range(1, 11)), 101.5]
    assert up[-1] < mean(up[-10:])
    assert not trends.weakens(up, 10)[-1]
    assert not trends.weakens(down[20:], 10)[-1]


@pytest.mark.parametrize(
    ("values", "ago", "share"),
    [
        pytest.param([5, 4, 3], 2, 0.6, id="at the start of the window"),
        pytest.param([3, 4, 5], 0, 1.0, id="now"),
        pytest.param([3, 5, 5], 0, 1.0, id="the newest of a tie"),
        pytest.param([9, 3, 5, 4], 1, 0.8, id="one before the window does not count"),
    ],
)
def test_the_age_of_a_high_and_the_share_of_it(values: list[float], ago: int, share: float):
    assert trends.bars_since_high(values, 3)[-1] == ago
    assert trends.share_of_high(values, 3)[-1] == share


def test_a_high_is_not_known_before_the_window_is_full():
    assert np.isnan(trends.bars_since_high([1.0, 2.0], 3)).all()
    assert np.isnan(trends.share_of_high([1.0, 2.0], 3)).all()
    assert np.isfinite(trends.bars_since_high([1.0] * 63)).tolist() == [False] * 62 + [True]


# --- the historical median -----------------------------------------------------------------------------------------

START = parse_time("2010-01-01")


def daily(count: int) -> np.ndarray:
    return START + DAY * np.arange(count)


def test_the_historical_median_is_that_of_the_month_ends_before_this_month():
    at = [parse_time(day) for day in ("2020-01-30", "2020-01-31", "2020-02-03", "2020-02-28", "2020-03-31", "2020-04-01", "2020-04-02")]
    found = trends.month_end_median(at, [9.0, 1.0, 9.0, 2.0, 30.0, 9.0, 8.0], months=120, minimum=2)
    assert np.isnan(found[:4]).all()
    assert found[4:].tolist() == [1.5, 2.0, 2.0]


@pytest.mark.parametrize(("months", "known"), [(60, True), (59, False)])
def test_sixty_month_ends_are_needed(months: int, known: bool):
    at = [parse_time(f"{2010 + n // 12}-{n % 12 + 1:02d}-15") for n in range(months + 1)]
    assert bool(np.isfinite(trends.month_end_median(at, np.arange(months + 1.0)))[-1]) is known


def test_ten_years_of_month_ends_count_and_none_before():
    at = [parse_time(f"{2000 + n // 12}-{n % 12 + 1:02d}-28") for n in range(140)]
    values = np.arange(140.0)
    assert trends.month_end_median(at, values)[-1] == median(values[19:139])


def test_times_and_values_must_be_of_one_length():
    with pytest.raises(ValueError, match="2 times for 1 values"):
        trends.month_end_median([0, DAY], [1.0])


# --- no look-ahead, and live is a sweep's last row -------------------------------------------------------------------

WORDS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], int]] = {
    "expanding": (trends.expanding, 3),
    "contracting": (trends.contracting, 3),
    "growth above zero": (trends.growth_above_zero, 3),
    "zero crossing": (trends.zero_crossing, 2),
    "rising": (lambda x: trends.rising(x, 10), 262),
    "falling": (lambda x: trends.falling(x, 10), 262),
    "trend": (lambda x: trends.trend(x, 3), 255),
    "flat": (trends.flat, 103),
    "weakens": (lambda x: trends.weakens(x, 10), 262),
    "bars since high": (trends.bars_since_high, 63),
    "share of high": (trends.share_of_high, 63),
}


@pytest.mark.parametrize("word", WORDS)
@given(walk=walks, cut=st.integers(0, 419))
def test_a_row_is_the_same_double_live_and_in_a_sweep_and_knows_nothing_of_later_rows(word: str, walk: np.ndarray, cut: int):
    judge, reach = WORDS[word]
    row = min(cut, len(walk) - 1)
    swept = judge(walk - 100)[row]
    cut_off = judge(walk[: row + 1] - 100)[-1]
    assert np.array_equal(swept, cut_off, equal_nan=True)
    if row >= reach - 1:
        assert np.array_equal(swept, judge(walk[row + 1 - reach : row + 1] - 100)[-1], equal_nan=True)


@given(st.integers(1, 4000))
def test_the_historical_median_of_a_row_is_the_same_live_and_in_a_sweep(count: int):
    at, values = daily(5000), np.sin(np.arange(5000) / 90) + np.arange(5000) % 7
    swept = trends.month_end_median(at, values)
    first = parse_time("2010-01-01")
    live = trends.month_end_median(at[:count], values[:count])
    assert np.array_equal(swept[:count], live, equal_nan=True)
    assert at[0] == first
