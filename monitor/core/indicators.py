"""Indicators: pure functions over float64 arrays, one row per closed bar, oldest first, no look-ahead.

Row t depends on rows <= t only, so live reads the last row of the same array a sweep reads whole. A row that cannot be known yet
is NaN (numbers) or False (flags): a rule that must tell QUIET from UNKNOWN asks `numpy.isfinite` of the numbers it reads.
"""

import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from importlib.machinery import ModuleSpec
from threading import get_ident
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WINDOW_BARS = 600
"""Every MACD and RSI row is a function of exactly its own last 600 bars (fewer only where history is shorter)."""
HISTORY_BARS = 720
"""What live should hand over: its last 120 rows, more than a divergence or recovery looks back on, are then the doubles of a sweep."""
SHORTEST_PERIOD = 2

PIVOT_SIDE_BARS = 3
PIVOTS_APART_BARS = (5, 60)
DIVERGENCE_ACTIVE_BARS = 6
MAD_TO_SIGMA = 1.4826


class Macd(NamedTuple):
    """Three arrays of shape (n,) in price units; NaN during warm-up (the first 33 rows of 12, 26, 9)."""

    macd: Floats
    signal: Floats
    histogram: Floats


class Recovery(NamedTuple):
    """Two flag arrays of shape (n,): `event` on the bar of the crossing, `fired` from that bar while it still holds."""

    event: Bools
    fired: Bools


class _WithoutDataFrames:
    """A finder that makes pandas and polars unfindable, for the thread that made it only."""

    def __init__(self) -> None:
        self.thread = get_ident()

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name in ("pandas", "polars") and get_ident() == self.thread:
            raise ModuleNotFoundError(f"{name} is kept out while TA-Lib is imported", name=name)
        return None


@cache
def talib() -> Any:
    """TA-Lib, imported on first use and without the data-frame libraries it wraps when it can find them.

    They cost 46 MB and a second, and we pass arrays only. TA-Lib takes ModuleNotFoundError as "not installed". A finder, unlike None
    in `sys.modules`, cannot break another thread's `import pandas`; nothing is hidden that is imported already; and the path is
    replaced, not edited, because another thread may be walking it.
    """
    hider = _WithoutDataFrames()
    sys.meta_path = [hider, *sys.meta_path]
    try:
        return import_module("talib")
    finally:
        sys.meta_path = [finder for finder in sys.meta_path if finder is not hider]


def _gapless(values: ArrayLike, name: str) -> Floats:
    """Refuse a gap before TA-Lib sees it: after one NaN its MACD stays NaN and its RSI stays 0.0, a false "oversold"."""
    array = np.ascontiguousarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not {array.ndim}")
    holes = np.flatnonzero(~np.isfinite(array))
    if holes.size:
        raise ValueError(f"{name} has a gap: {holes.size} of {array.size} values are not finite, the first at row {holes[0]}")
    return array


def _each_from_its_window(calculate: Callable[[Floats], tuple[Floats, ...]], close: Floats) -> tuple[Floats, ...]:
    """Rows of `calculate`, each from its own last WINDOW_BARS.

    A recursion over all history differs in its last bits from one over the window, and a restart, a replay and a sweep must give
    the same double.
    """
    head = calculate(close[:WINDOW_BARS])
    last_rows = [[line[-1] for line in calculate(close[end - WINDOW_BARS : end])] for end in range(WINDOW_BARS + 1, close.size + 1)]
    tails = np.array(last_rows, dtype=np.float64).reshape(len(last_rows), len(head)).T
    return tuple(np.concatenate(pair) for pair in zip(head, tails, strict=True))


def macd(close: ArrayLike, fast: int = 12, slow: int = 26, signal: int = 9) -> Macd:
    """Moving average convergence/divergence of closes of shape (n,), as TA-Lib computes it: both averages start where the slow one can.

    ValueError: a gap (NaN, infinity, None) anywhere in `close`, or periods outside 2 <= fast < slow, 1 <= signal,
    slow + signal <= WINDOW_BARS.
    """
    if not (SHORTEST_PERIOD <= fast < slow and signal >= 1 and slow + signal <= WINDOW_BARS):
        raise ValueError(f"MACD periods {fast}, {slow}, {signal}: need 2 <= fast < slow, 1 <= signal, slow + signal <= {WINDOW_BARS}")
    calculate = talib().MACD
    return Macd(*_each_from_its_window(lambda bars: calculate(bars, fast, slow, signal), _gapless(close, "close")))


def rsi(close: ArrayLike, period: int = 14) -> Floats:
    """Relative strength index by Wilder's smoothing, shape (n,), 0 to 100, NaN for the first `period` rows, as TA-Lib computes it.

    One exception: where the window holds no move at all (0/0) TA-Lib says 0.0, a false "oversold"; here it is NaN.
    ValueError: a gap (NaN, infinity, None) anywhere in `close`, or a period outside 2 <= period < WINDOW_BARS.
    """
    if not SHORTEST_PERIOD <= period < WINDOW_BARS:
        raise ValueError(f"RSI period {period}: need 2 <= period < {WINDOW_BARS}")
    calculate = talib().RSI

    def strength(bars: Floats) -> tuple[Floats, ...]:
        rising, falling = calculate(bars, period), calculate(-bars, period)
        # a real 0 (only falls) mirrors to 100; 0 on both sides is the missing move
        return (np.where((rising == 0) & (falling == 0), np.nan, rising),)

    return _each_from_its_window(strength, _gapless(close, "close"))[0]


def rsi_series(candle_closes: Sequence[float | None]) -> Floats:
    """RSI(14) of the closes of consecutive candles, None where a candle is missing: ValueError then, for a gap is never bridged."""
    return rsi(np.array(candle_closes, dtype=np.float64))


def pivot_low_confirmed(close: ArrayLike) -> Bools:
    """True on the bar where a pivot low becomes known: the close 3 bars ago is strictly below the 3 before it and the 3 since.

    ValueError: a gap.
    """
    closes, side = _gapless(close, "close"), PIVOT_SIDE_BARS
    spans = sliding_window_view(np.concatenate((np.full(2 * side, np.nan), closes, [np.nan])), 2 * side + 1)[: closes.size]
    neighbours = np.delete(spans, side, axis=1)
    return np.asarray((spans[:, side, np.newaxis] < neighbours).all(axis=1))


def bars_since(event: ArrayLike) -> Floats:
    """Bars since the last true flag, shape (n,): 0 on its bar, infinity before the first."""
    flags = np.asarray(event, dtype=np.bool_)
    rows = np.arange(flags.size, dtype=np.float64)
    return rows - np.maximum.accumulate(np.where(flags, rows, -np.inf))


def positive_divergence_confirmed(close: ArrayLike, macd_line: ArrayLike) -> Bools:
    """True on the bar where a positive divergence becomes known: price made a lower low, MACD (read on the same two bars) a higher low.

    The two lows are neighbouring pivots, 5 to 60 bars apart *(reading: a further pivot between them ends the comparison)*.
    ValueError: a gap in `close`, or arrays of different length. A pivot on a bar where MACD is NaN confirms nothing.
    """
    closes, line = _gapless(close, "close"), np.asarray(macd_line, dtype=np.float64)
    if line.shape != closes.shape:
        raise ValueError(f"close has shape {closes.shape}, MACD {line.shape}")
    known = np.flatnonzero(pivot_low_confirmed(closes))
    earlier, later = known[:-1] - PIVOT_SIDE_BARS, known[1:] - PIVOT_SIDE_BARS
    nearest, furthest = PIVOTS_APART_BARS
    apart = later - earlier
    diverges = (nearest <= apart) & (apart <= furthest) & (closes[later] < closes[earlier]) & (line[later] > line[earlier])
    confirmed = np.zeros(closes.size, dtype=np.bool_)
    confirmed[known[1:][diverges]] = True
    return confirmed


def positive_divergence(close: ArrayLike, macd_line: ArrayLike, active_bars: int = DIVERGENCE_ACTIVE_BARS) -> Bools:
    """True while a positive divergence is active: on the bar that confirms it and for `active_bars` bars after it.

    Errors as for the confirmation.
    """
    return bars_since(positive_divergence_confirmed(close, macd_line)) <= active_bars


def negative_divergence(close: ArrayLike, macd_line: ArrayLike, active_bars: int = DIVERGENCE_ACTIVE_BARS) -> Bools:
    """The mirror image: price made a higher high, MACD a lower high."""
    return positive_divergence(-np.asarray(close, dtype=np.float64), -np.asarray(macd_line, dtype=np.float64), active_bars)


def rsi_recovery(rsi_line: ArrayLike, divergence_active: ArrayLike, low: float = 40.0, high: float = 55.0, lookback: int = 30) -> Recovery:
    """RSI from below `low` to above `high` with a positive divergence.

    `event` at t: RSI[t] > high >= RSI[t-1], min(RSI[t-lookback..t-1]) < low, divergence active at t. `fired`: from the event while
    RSI > high and the divergence stays active. NaN within the lookback (warm-up) is no event. ValueError: arrays of different length.
    """
    strength, active = np.asarray(rsi_line, dtype=np.float64), np.asarray(divergence_active, dtype=np.bool_)
    if strength.shape != active.shape:
        raise ValueError(f"RSI has shape {strength.shape}, divergence {active.shape}")
    before = sliding_window_view(np.concatenate((np.full(lookback, np.nan), strength)), lookback)[: strength.size]
    holds = (strength > high) & active
    event = holds & (before[:, -1] <= high) & (before.min(axis=1) < low)
    return Recovery(event, bars_since(event) < bars_since(~holds))


def _samples(window: ArrayLike) -> Floats:
    samples = np.asarray(window, dtype=np.float64)
    if samples.ndim == 0 or samples.shape[-1] == 0 or not np.isfinite(samples).all():
        raise ValueError("a window must hold at least one sample, and all of them finite")
    return samples


def mad(window: ArrayLike) -> Floats:
    """Median absolute deviation from the median, unscaled, over the last axis: (..., n) to (...). ValueError: empty or not finite."""
    samples = _samples(window)
    return np.asarray(np.median(np.abs(samples - np.median(samples, axis=-1, keepdims=True)), axis=-1))


def robust_z(window: ArrayLike, x: ArrayLike, mad_floor: float) -> Floats:
    """(x - median) / (1.4826 MAD) of each window (..., n) without the current value x (...).

    `mad_floor`, in units of x, is the smallest MAD believed: a quiet series must not turn a rounding step into an alarm.
    ValueError: a window empty or not finite, a floor that is not positive. NaN in x gives NaN.
    """
    if not mad_floor > 0:
        raise ValueError(f"the MAD floor must be positive, not {mad_floor}")
    distance = np.asarray(x, dtype=np.float64) - np.median(_samples(window), axis=-1)
    return np.asarray(distance / (MAD_TO_SIGMA * np.maximum(mad(window), mad_floor)))


def percentile_rank(window_without_current: ArrayLike, x: ArrayLike) -> Floats:
    """Share of each window (..., n) below x (...), plus half of the ties: 0 to 1.

    ValueError: a window empty or not finite. NaN in x gives NaN.
    """
    samples, current = _samples(window_without_current), np.asarray(x, dtype=np.float64)
    below = (samples < current[..., np.newaxis]).mean(axis=-1)
    ties = (samples == current[..., np.newaxis]).mean(axis=-1)
    return np.asarray(np.where(np.isnan(current), np.nan, below + ties / 2))


def held_for_ms(at_ms: ArrayLike, flags: ArrayLike) -> int | None:
    """How long, up to the last sample, the flags have been true without a break: 0 when only the last is, None when the last is not.

    It counts from the first true sample, never from the false one before it. ValueError: lengths differ, or times do not strictly rise.
    """
    times, states = np.asarray(at_ms, dtype=np.int64), np.asarray(flags, dtype=np.bool_)
    if times.shape != states.shape or (np.diff(times) <= 0).any():
        raise ValueError("held_for_ms needs one time per flag, strictly rising")
    since_false = np.flatnonzero(~states)
    first = since_false[-1] + 1 if since_false.size else 0
    return int(times[-1] - times[first]) if first < times.size else None
