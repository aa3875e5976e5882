"""How far prices move: realised volatility by Yang and Zhang, implied volatility, and the shocks that are made of the larger of the two."""

import math
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from monitor.core.bars import best_bars
from monitor.core.exposure import Values
from monitor.core.implied import volatility
from monitor.core.tokens import COUNTER, LISTED, STABLES, underlying
from monitor.core.units import DAY
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.vocabulary import BARS
from monitor.core.windows import of_first

Floats = npt.NDArray[np.float64]

YEAR_DAYS, YEAR_SESSIONS = 365, 252
WINDOW_DAYS, LEAST_DAYS = 30, 27
HORIZON_DAYS = 7.0
PARTS = ("open", "high", "low", "close")


def yang_zhang(open_: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, bars_per_year: float) -> float:
    """Volatility a year as a fraction, of n + 1 bars (four rows of one shape, oldest first): of the first one only the close counts.

    Yang and Zhang, "Drift-independent volatility estimation based on high, low, open and close prices", Journal of Business 73 (2000):
    V = Vo + k Vc + (1 - k) Vrs with k = 0.34 / (1.34 + (n + 1) / (n - 1)); Vo and Vc are the sample variances (n - 1) of ln(open / close
    before) and of ln(close / open), Vrs the mean of u (u - c) + d (d - c) by Rogers and Satchell, where u, d and c are the logarithms of high,
    low and close over open. ValueError: shapes differ, fewer than 3 bars, a price that is not positive and finite, or one outside low to high.
    """
    rows = np.array([np.asarray(part, dtype=np.float64) for part in (open_, high, low, close)])
    if rows.ndim != 2 or rows.shape[1] < 3:
        raise ValueError("volatility needs four rows of at least 3 bars")
    if not np.isfinite(rows).all() or (rows <= 0).any():
        raise ValueError("a price is not a positive number")
    if (rows.max(axis=0) > rows[1]).any() or (rows.min(axis=0) < rows[2]).any():
        raise ValueError("a bar has a price outside its low to high")
    opens, highs, lows, closes = np.log(rows)
    night = opens[1:] - closes[:-1]
    up, down, day = (part[1:] - opens[1:] for part in (highs, lows, closes))
    n = len(day)
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    inside = float((up * (up - day) + down * (down - day)).mean())
    return math.sqrt(bars_per_year * (float(night.var(ddof=1)) + k * float(day.var(ddof=1)) + (1 - k) * inside))


def realised(view: View, asset: str) -> float:
    """Volatility a year as a fraction, of 30 days: of daily candles, else of 4 h candles, of the perpetual or else of spot.

    Crypto has 365 days a year, equities 252 sessions. *(reading)* Of equities only closes are collected: their bars are taken as flat, and what
    is left of Yang-Zhang is the sample deviation of the closes of 30 sessions. 90% of the bars must stand in one row. Raises Unknown.
    """
    name = underlying(asset)
    if name in LISTED:
        closes = best_bars(view, "equity.close", (name,), WINDOW_DAYS + 1, LEAST_DAYS + 1).value
        return yang_zhang(closes, closes, closes, closes, YEAR_SESSIONS)
    charts = [(bar, subject, source) for bar in ("1d", "4h") for subject in (name, f"spot:{name}") for source in _charted(view, bar, subject)]
    return of_first(charts, lambda chart: _of_chart(view, *chart), f"nobody has given candles of {name} yet")


def _charted(view: View, bar: str, subject: str) -> tuple[str, ...]:
    return view.sources(f"candle.{bar}.close", subject)


def _of_chart(view: View, bar: str, subject: str, source: str) -> float:
    bars_a_day = DAY // BARS[bar]
    closes = view.bars(f"candle.{bar}.close", subject, source, WINDOW_DAYS * bars_a_day + 1, LEAST_DAYS * bars_a_day + 1)
    first, high, low, last = rows = [view.values_at(f"candle.{bar}.{part}", subject, source, closes.at) for part in PARTS]
    if np.isnan(rows).any():
        raise Unknown("gap", f"{source} gives {bar} candles of {subject} whose open, high or low is missing")
    try:
        return yang_zhang(first, high, low, last, YEAR_DAYS * bars_a_day)
    except ValueError as problem:
        raise Unknown("candles", f"the {bar} candles of {subject} from {source} have no volatility: {problem}") from None


def implied(view: View, asset: str) -> float:
    """Implied volatility a year as a fraction, the one that scenarios move. Raises Unknown where none is given and fresh."""
    return volatility(view, underlying(asset)).sigma


def annual_sigma(view: View, asset: str) -> float:
    """The larger of realised and implied volatility, a year, as a fraction; the one that is known where the other is not.

    A stablecoin has candles like any other: none is taken to be without volatility. Raises Unknown where neither is known.
    """
    return view.once(("annual sigma", asset), lambda: _annual_sigma(view, asset))


def _annual_sigma(view: View, asset: str) -> float:
    known, reasons = [], []
    for read in (realised, implied):
        try:
            known.append(read(view, asset))
        except Unknown as why:
            reasons.append(why.reason)
    if not known:
        raise Unknown("volatility", f"the volatility of {asset} is not known: {'; '.join(reasons)}")
    return max(known)


def horizon_sigma(view: View, asset: str, days: float = HORIZON_DAYS) -> float:
    """Volatility over `days` (7 by ALVH), as a fraction. Raises Unknown as `annual_sigma` does."""
    return annual_sigma(view, asset) * math.sqrt(days / YEAR_DAYS)


def shocked(view: View, assets: Iterable[str], sigmas: Values, days: float = HORIZON_DAYS) -> Mapping[str, Values]:
    """What each price is multiplied by in a move of so many sigmas of `days`: exp(sigmas x sigma_H). `sigmas` is a number or an array.

    *(reading)* All assets move the same way, as if their correlation were one, and what is on the VIX the other way. Stablecoins stay: losing a
    peg is a jump of its own, not a part of the market's move. Raises Unknown, naming the asset, where a volatility is not known.
    """
    still = 0.0 * sigmas
    return {asset: np.exp(still if asset in STABLES else sigmas * with_market(asset) * horizon_sigma(view, asset, days)) for asset in assets}


def with_market(asset: str) -> int:
    """-1 for what rises as markets fall, else +1."""
    return -1 if asset in COUNTER else 1
