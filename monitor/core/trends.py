"""The method's words for trends: pure functions over float64 arrays, one row per closed bar, oldest first, no look-ahead.

As in core/indicators.py, row t depends on rows <= t only, and only on the few that its window names, so live reads the double that a sweep
reads. What cannot be known yet is NaN (numbers) or False (flags). Standard deviations are those of the samples themselves (divided by n).
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from monitor.core.indicators import Bools, Floats

EXPANDING_BARS = 3
FLAT_BARS, FLAT_SAMPLES, FLAT_SHARE = 3, 100, 0.10
TREND_SAMPLES, TREND_DEVIATIONS = 252, 0.5
HIGH_BARS = 63
MEDIAN_MONTHS, MEDIAN_MINIMUM = 120, 60


def expanding(histogram: ArrayLike, bars: int = EXPANDING_BARS) -> Bools:
    """True where the last `bars` rows have one sign and strictly growing size. Zero has no sign."""
    rows = _windows(histogram, bars)
    return np.asarray(_of_one_sign(rows) & np.all(np.diff(np.abs(rows), axis=1) > 0, axis=1))


def contracting(histogram: ArrayLike, bars: int = EXPANDING_BARS) -> Bools:
    """True where the last `bars` rows have one sign and strictly shrinking size; on 3 weekly bars this is compression."""
    rows = _windows(histogram, bars)
    return np.asarray(_of_one_sign(rows) & np.all(np.diff(np.abs(rows), axis=1) < 0, axis=1))


def growth_above_zero(histogram: ArrayLike, bars: int = EXPANDING_BARS) -> Floats:
    """How surely it is above zero and expanding, in the histogram's unit: the smallest of the first of `bars` rows and of the steps since.

    Above 0 exactly where all rows are above zero and expanding.
    """
    rows = _windows(histogram, bars)
    return np.asarray(np.minimum(rows[:, 0], np.diff(rows, axis=1).min(axis=1)))


def zero_crossing(line: ArrayLike) -> Floats:
    """+1 on the bar where a line comes above zero, -1 where it comes below, else 0. The first row crosses nothing, nor do NaN rows."""
    values = np.asarray(line, dtype=np.float64)
    before = np.concatenate(([np.nan], values))[: values.size]
    return np.where((values > 0) & (before <= 0), 1.0, np.where((values < 0) & (before >= 0), -1.0, 0.0))


def trend(values: ArrayLike, bars: int, samples: int = TREND_SAMPLES) -> Floats:
    """x[t] - x[t-bars] in standard deviations of that difference over the last `samples` of it, NaN before there are so many.

    A difference of 0 is 0 deviations whatever the deviation; a lasting one that never varies is infinitely many.
    """
    series = np.asarray(values, dtype=np.float64)
    change = np.full(series.size, np.nan)
    change[bars:] = series[bars:] - series[:-bars]
    # Each from a window of its own: a running sum would differ in its last bits from what live sees.
    deviation = _windows(change, samples).std(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((change == 0) & np.isfinite(deviation), 0.0, change / deviation)


def rising(values: ArrayLike, bars: int, deviations: float = TREND_DEVIATIONS) -> Bools:
    """True where the change over `bars` is above `deviations` of its standard deviations over 252 samples."""
    return np.asarray(trend(values, bars) > deviations)


def falling(values: ArrayLike, bars: int, deviations: float = TREND_DEVIATIONS) -> Bools:
    """The mirror image of `rising`."""
    return np.asarray(trend(values, bars) < -deviations)


def flat(macd_line: ArrayLike, share: float = FLAT_SHARE) -> Bools:
    """True where |MACD[t] - MACD[t-3]| is under `share` of that difference's standard deviation over 100 bars."""
    return np.asarray(np.abs(trend(macd_line, FLAT_BARS, FLAT_SAMPLES)) < share)


def weakens(values: ArrayLike, bars: int) -> Bools:
    """True where a value is below its mean of the last `bars` (its own included) and falling over `bars`.

    The method's words for the A/D line (10 days) and for price to cash flow (20 days: it deteriorates).
    """
    series = np.asarray(values, dtype=np.float64)
    return np.asarray((series < _windows(series, bars).mean(axis=1)) & falling(series, bars))


def bars_since_high(values: ArrayLike, bars: int = HIGH_BARS) -> Floats:
    """How many bars ago the highest of the last `bars` was, the newest where several tie; NaN before there are so many."""
    rows = _windows(values, bars)
    return np.where(np.isnan(rows).any(axis=1), np.nan, np.argmax(rows[:, ::-1], axis=1))


def share_of_high(values: ArrayLike, bars: int = HIGH_BARS) -> Floats:
    """Each value as a share of the highest of the last `bars`, to 12 decimals; NaN before there are so many."""
    return np.asarray(np.round(np.asarray(values, dtype=np.float64) / _windows(values, bars).max(axis=1), 12))


def month_end_median(at_ms: ArrayLike, values: ArrayLike, months: int = MEDIAN_MONTHS, minimum: int = MEDIAN_MINIMUM) -> Floats:
    """For each row the median of the last values of the `months` calendar months (UTC) before its own, NaN where fewer than `minimum` have any.

    *(reading: a month's last value stands for its end, whatever day it is of.)* ValueError: lengths differ.
    """
    series = np.asarray(values, dtype=np.float64)
    month_of: NDArray[np.int64] = np.asarray(at_ms, dtype="datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    if month_of.shape != series.shape:
        raise ValueError(f"{month_of.size} times for {series.size} values")
    months_seen, last_reversed = np.unique(month_of[::-1], return_index=True)
    ends = series[series.size - 1 - last_reversed]
    medians = np.full(series.size, np.nan)
    for month in months_seen:
        known = ends[(months_seen < month) & (months_seen >= month - months)]
        if known.size >= minimum:
            medians[month_of == month] = np.median(known)
    return medians


def _of_one_sign(rows: Floats) -> Bools:
    return np.asarray(np.all(rows > 0, axis=1) | np.all(rows < 0, axis=1))


def _windows(values: ArrayLike, bars: int) -> Floats:
    """The last `bars` values of each row, shape (n, bars), with NaN before the first; a copy, so that sums do not depend on n."""
    series = np.asarray(values, dtype=np.float64)
    padded = np.concatenate((np.full(bars, np.nan), series))
    return np.ascontiguousarray(sliding_window_view(padded, bars)[1:])
