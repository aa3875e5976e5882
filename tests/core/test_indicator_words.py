"""Pivots, divergence, RSI recovery and the words over windows, against tables made by hand and plain loops."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.core import indicators as ind

# --- pivots and divergence --------------------------------------------------------------------------------------------------------


def lows(*at: tuple[int, float], bars: int = 90, macd: dict[int, float] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """A slowly rising price with dips (row, close), and a MACD line that is 0 but at the rows given."""
    close, line = 100 + np.arange(bars) * 1e-3, np.zeros(bars)
    for row, value in at:
        close[row] = value
    for row, value in (macd or {}).items():
        line[row] = value
    return close, line


@pytest.mark.parametrize(
    ("name", "close", "known_at"),
    [
        ("known on the third bar after", [5, 4, 3, 1, 3, 4, 5, 6], [6]),
        ("not yet known on the second", [5, 4, 3, 1, 3, 4], []),
        ("only two bars before", [4, 3, 1, 3, 4, 5, 6, 7], []),
        ("a tie before is no strict low", [5, 4, 1, 1, 3, 4, 5], []),
        ("a tie three bars before", [1, 4, 3, 1, 3, 4, 5], []),
        ("a tie three bars after", [5, 4, 3, 1, 3, 4, 1], []),
        ("a lower one four bars before is allowed", [0, 5, 4, 3, 1, 3, 4, 5], [7]),
        ("a high is no low", [1, 2, 3, 5, 3, 2, 1], []),
        ("nothing", [], []),
    ],
)
def test_a_pivot_low_is_strict_and_known_three_bars_later(name: str, close: list[float], known_at: list[int]) -> None:
    assert np.flatnonzero(ind.pivot_low_confirmed(close)).tolist() == known_at, name


@pytest.mark.parametrize(
    ("name", "dips", "macd", "confirmed_at"),
    [
        ("lower low, higher MACD", [(10, 90), (20, 89)], {10: -2, 20: -1}, [23]),
        ("equal price low", [(10, 90), (20, 90)], {10: -2, 20: -1}, []),
        ("higher price low", [(10, 90), (20, 91)], {10: -2, 20: -1}, []),
        ("equal MACD", [(10, 90), (20, 89)], {10: -2, 20: -2}, []),
        ("lower MACD", [(10, 90), (20, 89)], {10: -2, 20: -3}, []),
        ("4 bars apart is too near", [(10, 90), (14, 89)], {10: -2, 14: -1}, []),
        ("5 bars apart", [(10, 90), (15, 89)], {10: -2, 15: -1}, [18]),
        ("60 bars apart", [(10, 90), (70, 89)], {10: -2, 70: -1}, [73]),
        ("61 bars apart is too far", [(10, 90), (71, 89)], {10: -2, 71: -1}, []),
        ("a pivot between ends the comparison", [(10, 90), (20, 95), (30, 89)], {10: -2, 20: 0, 30: -1}, []),
        ("MACD still warming up", [(10, 90), (20, 89)], {10: math.nan, 20: -1}, []),
        ("one pivot only", [(10, 90)], {10: -2}, []),
        ("the second pivot not known yet", [(10, 90), (87, 89)], {10: -2, 87: -1}, []),
        ("two in a row", [(10, 90), (20, 89), (30, 88)], {10: -3, 20: -2, 30: -1}, [23, 33]),
    ],
)
def test_a_positive_divergence_and_its_mirror(name: str, dips: list[tuple[int, float]], macd: dict[int, float], confirmed_at: list[int]) -> None:
    close, line = lows(*dips, macd=macd)
    active = sorted({row for start in confirmed_at for row in range(start, start + 7)})
    assert np.flatnonzero(ind.positive_divergence_confirmed(close, line)).tolist() == confirmed_at, name
    assert np.flatnonzero(ind.positive_divergence(close, line)).tolist() == active, name
    assert np.flatnonzero(ind.negative_divergence(200 - close, -line)).tolist() == active, name
    assert not ind.negative_divergence(close, line).any() and not ind.positive_divergence(200 - close, -line).any(), name


def test_a_rule_may_ask_for_a_longer_memory_of_a_divergence() -> None:
    close, line = lows((10, 90), (20, 89), macd={10: -2, 20: -1})
    for words, sign in ((ind.positive_divergence, 1), (ind.negative_divergence, -1)):
        assert np.flatnonzero(words(sign * close, sign * line, 12)).tolist() == list(range(23, 36))


def test_divergence_refuses_lines_of_different_length_and_a_gap() -> None:
    close, line = lows((10, 90))
    with pytest.raises(ValueError, match="shape"):
        ind.positive_divergence(close, line[:-1])
    close[5] = math.nan
    with pytest.raises(ValueError, match="gap"):
        ind.negative_divergence(close, line)


def test_divergence_agrees_with_a_plain_loop_on_random_walks() -> None:
    hits = 0
    for seed in range(20):
        close = 2000 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, 400)))
        line = ind.macd(close).macd
        bottoms = [p for p in range(3, 397) if all(close[p] < close[p + k] for k in (-3, -2, -1, 1, 2, 3))]
        found = [b for a, b in pairwise(bottoms) if 5 <= b - a <= 60 and close[b] < close[a] and line[b] > line[a]]
        expected = [any(b + 3 <= t <= b + 9 for b in found) for t in range(400)]
        assert ind.positive_divergence(close, line).tolist() == expected
        hits += len(found)
    assert hits > 20  # otherwise the walks prove nothing


@pytest.mark.parametrize(
    ("flags", "bars"),
    [([], []), ([0, 0], [math.inf, math.inf]), ([0, 1, 0, 0, 1], [math.inf, 0, 1, 2, 0]), ([1], [0])],
)
def test_bars_since_counts_from_the_last_event(flags: list[int], bars: list[float]) -> None:
    assert ind.bars_since(flags).tolist() == bars


# --- RSI recovery -----------------------------------------------------------------------------------------------------------------

RISE = [50.0] * 30 + [39.0] + [50.0] * 4 + [55.0, 56.0, 57.0, 58.0, 50.0, 60.0]


def rows(result: ind.Recovery) -> tuple[list[int], list[int]]:
    return np.flatnonzero(result.event).tolist(), np.flatnonzero(result.fired).tolist()


@pytest.mark.parametrize(
    ("name", "rsi", "inactive", "event", "fired"),
    [
        ("from below 40 to above 55, and again", RISE, [], [36, 40], [36, 37, 38, 40]),
        ("the low must be below 40", [40.0 if x == 39 else x for x in RISE], [], [], []),
        ("55 itself is not above", [min(x, 55.0) for x in RISE], [], [], []),
        ("a cross without divergence is no event, later divergence does not make one", RISE[:39], [36], [], []),
        ("the divergence ends", RISE[:39], [38], [36], [36, 37]),
        ("and its return without a new cross does not fire", RISE[:39], [37], [36], [36]),
        ("the low 30 bars before", [50.0, 39.0] + [50.0] * 29 + [56.0], [], [31], [31]),
        ("the low 31 bars before", [39.0] + [50.0] * 30 + [56.0], [], [], []),
        ("a low on the first bar of a full lookback", [39.0] + [50.0] * 29 + [56.0], [], [30], [30]),
        ("the lookback is one bar short", [39.0] + [50.0] * 28 + [56.0], [], [], []),
        ("warm-up within the lookback", [math.nan, 39.0] + [50.0] * 28 + [56.0], [], [], []),
        ("from 39 straight to 56", [50.0] * 30 + [39.0, 56.0], [], [31], [31]),
        ("nothing", [], [], [], []),
    ],
)
def test_rsi_recovery_by_hand(name: str, rsi: list[float], inactive: list[int], event: list[int], fired: list[int]) -> None:
    assert rows(ind.rsi_recovery(rsi, [row not in inactive for row in range(len(rsi))])) == (event, fired), name


def test_the_limits_of_a_recovery_are_parameters() -> None:
    assert rows(ind.rsi_recovery([45.0, 50.0, 61.0], [True] * 3, low=46, high=60, lookback=2)) == ([2], [2])
    assert rows(ind.rsi_recovery([45.0, 50.0, 61.0], [True] * 3, low=45, high=60, lookback=2)) == ([], [])
    with pytest.raises(ValueError, match="shape"):
        ind.rsi_recovery([1.0], [True, False])


# --- words over windows -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("window", "expected"), [([3], 0), ([1, 2, 4], 1), ([1, 1, 2, 2, 4, 6, 9], 1), ([5, 5, 5, 90], 0)])
def test_mad_by_hand(window: list[float], expected: float) -> None:
    assert ind.mad(window) == expected


@pytest.mark.parametrize(
    ("name", "window", "x", "floor", "expected"),
    [
        ("two MADs up", [1, 2, 4], 4, 0.1, 2 / 1.4826),
        ("the median itself", [1, 2, 4], 2, 0.1, 0),
        ("down is negative", [1, 2, 4], 1, 0.1, -1 / 1.4826),
        ("the floor holds a still series", [5, 5, 5], 6, 0.5, 2 / 1.4826),
        ("the floor just reached", [1, 2, 4], 4, 1, 2 / 1.4826),
        ("an unknown x stays unknown", [1, 2, 4], math.nan, 1, math.nan),
    ],
)
def test_robust_z_by_hand(name: str, window: list[float], x: float, floor: float, expected: float) -> None:
    np.testing.assert_allclose(ind.robust_z(window, x, floor), expected, rtol=1e-15, err_msg=name)


@pytest.mark.parametrize(
    ("name", "window", "x", "expected"),
    [
        ("below all", [1, 2, 3, 4], 0, 0),
        ("above all", [1, 2, 3, 4], 5, 1),
        ("half of a tie", [1, 2, 3, 4], 3, 0.625),
        ("all ties", [7, 7], 7, 0.5),
        ("one sample", [7], 8, 1),
        ("an unknown x stays unknown", [1, 2], math.nan, math.nan),
    ],
)
def test_percentile_rank_by_hand(name: str, window: list[float], x: float, expected: float) -> None:
    np.testing.assert_array_equal(ind.percentile_rank(window, x), expected, err_msg=name)


@pytest.mark.parametrize("window", [[], [1.0, math.nan], [math.inf], 3.0])
def test_a_window_that_is_empty_or_holds_a_gap_is_refused(window: list[float] | float) -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        ind.mad(window)
    with pytest.raises(ValueError, match="at least one sample"):
        ind.robust_z(window, 1, 1)
    with pytest.raises(ValueError, match="at least one sample"):
        ind.percentile_rank(window, 1)


@pytest.mark.parametrize("floor", [0.0, -1.0, math.nan])
def test_robust_z_wants_a_declared_floor(floor: float) -> None:
    with pytest.raises(ValueError, match="floor must be positive"):
        ind.robust_z([1, 2], 1, floor)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-5, 5), min_size=4, max_size=40))
@example([0, 0, 0, 0])
def test_a_sweep_over_windows_equals_one_window_at_a_time(values: list[int]) -> None:
    windows, x = np.array([values[row : row + 3] for row in range(len(values) - 3)], dtype=float), np.array(values[3:], dtype=float)
    ranks, scores, spreads = ind.percentile_rank(windows, x), ind.robust_z(windows, x, 0.5), ind.mad(windows)
    for row, window in enumerate(windows):
        below, ties = sum(v < x[row] for v in window), sum(v == x[row] for v in window)
        assert math.isclose(ranks[row], (below + ties / 2) / 3, rel_tol=1e-15)
        assert 0 <= ranks[row] <= 1
        assert scores[row] == ind.robust_z(window, x[row], 0.5) and spreads[row] == ind.mad(window)


@pytest.mark.parametrize(
    ("name", "flags", "held"),
    [
        ("all along", [1, 1, 1, 1], 900),
        ("since the second", [0, 1, 1, 1], 800),
        ("a break starts it anew", [1, 1, 0, 1], 0),
        ("not now", [1, 1, 1, 0], None),
        ("never", [0, 0, 0, 0], None),
    ],
)
def test_held_for_counts_from_the_first_true_sample_of_the_last_run(name: str, flags: list[int], held: int | None) -> None:
    assert ind.held_for_ms([100, 200, 300, 1000], flags) == held, name


def test_held_for_without_samples_is_none_and_nonsense_is_refused() -> None:
    assert ind.held_for_ms([], []) is None
    assert ind.held_for_ms([1_700_000_000_000], [True]) == 0
    for times, flags in (([1, 2], [True]), ([2, 2], [True, True]), ([3, 2], [True, True])):
        with pytest.raises(ValueError, match="strictly rising"):
            ind.held_for_ms(times, flags)
