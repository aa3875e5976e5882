"""Value at risk and expected shortfall of one day, by revaluing everything in each state of the world: as days were, and as a fixed table has it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial, reduce

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from monitor.core.exposure import Exposure, Scenario, Values
from monitor.core.implied import scenario_now
from monitor.core.risk import book_exposure, told
from monitor.core.sessions import are_sessions, ordinals
from monitor.core.tokens import LISTED, STABLES
from monitor.core.units import DAY, HOUR
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.volatility import horizon_sigma

Floats = npt.NDArray[np.float64]
Days = npt.NDArray[np.int64]

PERCENTS = (95, 99)
MOST_DAYS, LEAST_DAYS = 365, 60
LAST_BAR_MS = 20 * HOUR
SPAN_MS = (MOST_DAYS + 2) * DAY  # one close more than returns, and the day that has not ended
# The worst UTC day, by ETH, of each stress event of which prices were recorded: change from close to close of the 4 h candles of Binance's spot
# market, of the S&P 500 the change of that session (FRED, SP500). Of August 2024 and October 2025 no candles were recorded: they are left out.
STRESS_DAYS: Mapping[str, Mapping[str, float]] = {
    "2020-03-12": {"BTC": -0.3950, "ETH": -0.4460, "SPX": -0.0951},
    "2021-05-19": {"BTC": -0.1438, "ETH": -0.2774, "SPX": -0.0029},
    "2022-05-09": {"BTC": -0.1164, "ETH": -0.1156, "SPX": -0.0320},
    "2022-06-13": {"BTC": -0.1538, "ETH": -0.1568, "SPX": -0.0388},
    "2022-11-09": {"BTC": -0.1415, "ETH": -0.1738, "SPX": -0.0208},
    "2023-03-09": {"BTC": -0.0619, "ETH": -0.0620, "SPX": -0.0185},
}
INDEX_LIKE = frozenset({"SPX", "ES"})
SIGMA_MOVES = (-3, -2, -1, 1, 2, 3)


def value_at_risk(losses: ArrayLike, percent: int) -> float:
    """The loss that is not exceeded in `percent` of equally likely states: the k-th smallest, k = n x percent / 100 rounded up; a gain is negative.

    That is the lower quantile, the least x of which P(loss <= x) is at least percent / 100. ValueError: no losses, one that is not finite, or a
    percentage outside 1 to 99.
    """
    ordered = _ordered(losses, percent)
    return float(ordered[-(-len(ordered) * percent // 100) - 1])


def expected_shortfall(losses: ArrayLike, percent: int) -> float:
    """The mean loss of the worst (100 - percent)% of equally likely states, the state on the edge counting for the part of it that is inside.

    Acerbi and Tasche, "On the coherence of expected shortfall", Journal of Banking & Finance 26 (2002): at least the value at risk, and on the
    same states never more for a sum than the sum of its parts'. ValueError as `value_at_risk`.
    """
    worst = _ordered(losses, percent)[::-1]
    whole, part = divmod(len(worst) * (100 - percent), 100)
    return float((worst[:whole].sum() + worst[whole] * part / 100) * 100 / (len(worst) * (100 - percent)))


def _ordered(losses: ArrayLike, percent: int) -> Floats:
    ordered = np.sort(np.asarray(losses, dtype=np.float64))
    if ordered.ndim != 1 or not len(ordered) or not np.isfinite(ordered).all():
        raise ValueError("a tail needs one row of finite losses")
    if not 1 <= percent <= 99:
        raise ValueError("a tail begins at 1 to 99 percent")
    return ordered


@dataclass(frozen=True, slots=True)
class Tail:
    """Losses (positive) of one day in USD: value at risk and expected shortfall by percentage. `names` and `losses_usd` are the states in their
    order; `still` the assets that were held at their price, for want of another.
    """

    var_usd: Mapping[int, float]
    es_usd: Mapping[int, float]
    names: tuple[str, ...]
    losses_usd: tuple[float, ...]
    still: tuple[str, ...] = ()

    @property
    def worst(self) -> str:
        """The state of the largest loss."""
        return self.names[int(np.argmax(self.losses_usd))]


def historical_tail(view: View, exposure: Exposure | None = None) -> Tail:
    """As the last 365 days were: today's book revalued at once under each day's log returns of all its assets together.

    At least 60 days that all assets have, from daily candles or else 4 h candles by UTC days, of the perpetual or of spot, whichever has more.
    Volatility and time stay as they are. *(reading)* Of an index the return of a session stands for that of its UTC day, and days of rest are
    left out. A stablecoin without candles stays at its price and is named in `still`. Raises Unknown as prices do, or for too few days.
    """
    whole, now = _now(view, exposure)
    returns, still = _returns(view, now.prices)
    if not returns:
        return _tail(("today",), np.zeros(1), still)
    days = reduce(np.intersect1d, (at for at, _ in returns.values()))[-MOST_DAYS:]
    if len(days) < LEAST_DAYS:
        raise Unknown("short", f"{len(days)} days are common to the prices of {', '.join(returns)}, {LEAST_DAYS} are needed")
    factors = {asset: np.exp(moves[np.searchsorted(at, days)]) for asset, (at, moves) in returns.items()}
    names = tuple(str(day) for day in days.astype("datetime64[D]"))
    return _tail(names, _losses(whole, now, factors, len(days)), still)


def scenario_tail(view: View, exposure: Exposure | None = None) -> Tail:
    """By a fixed table: the one-day moves of stress events, and moves of 1 to 3 daily sigmas up and down.

    *(reading)* All rows count as equally likely: under 20 of them, value at risk and expected shortfall are both the worst row at either
    percentage. In a stress event other crypto assets than BTC move as ETH did, and stablecoins stay. Volatility and time stay as they are.
    Raises Unknown where a volatility is not known.
    """
    whole, now = _now(view, exposure)
    moving = [asset for asset in now.prices if asset not in STABLES]
    factors = {asset: np.array([*_stress_factors(asset), *_sigma_factors(view, asset)]) for asset in moving}
    names = (*STRESS_DAYS, *(f"{sigmas:+d} sigma" for sigmas in SIGMA_MOVES))
    return _tail(names, _losses(whole, now, factors, len(names)), tuple(asset for asset in now.prices if asset in STABLES))


def _now(view: View, exposure: Exposure | None) -> tuple[Exposure, Scenario]:
    whole = book_exposure(view) if exposure is None else exposure
    return whole, scenario_now(view, whole.assets)


def _losses(whole: Exposure, now: Scenario, factors: Mapping[str, Values], count: int) -> Floats:
    """What is lost in each of `count` states, in one revaluation; the same in all of them where no price matters."""
    with told():
        return np.broadcast_to(whole.value_usd(now) - whole.value_usd(now.moved(factors)), (count,))


def _tail(names: tuple[str, ...], losses: Floats, still: tuple[str, ...]) -> Tail:
    var = {percent: value_at_risk(losses, percent) for percent in PERCENTS}
    es = {percent: expected_shortfall(losses, percent) for percent in PERCENTS}
    return Tail(var, es, names, tuple(losses.tolist()), still)


def _stress_factors(asset: str) -> list[float]:
    if asset in LISTED and asset not in INDEX_LIKE:
        raise Unknown("stress", f"the table of stress events has no moves of {asset}")
    column = "SPX" if asset in INDEX_LIKE else asset if asset == "BTC" else "ETH"
    return [1 + moves[column] for moves in STRESS_DAYS.values()]


def _sigma_factors(view: View, asset: str) -> list[float]:
    daily = horizon_sigma(view, asset, 1.0)
    return [float(np.exp(sigmas * daily)) for sigmas in SIGMA_MOVES]


def _returns(view: View, assets: Iterable[str]) -> tuple[dict[str, tuple[Days, Floats]], tuple[str, ...]]:
    """By asset the days (since 1970, ascending) with a return over exactly one day and these log returns; and the stablecoins without any."""
    found: dict[str, tuple[Days, Floats]] = {}
    still: list[str] = []
    for asset in assets:
        try:
            found[asset] = daily_returns(view, asset)
        except Unknown:
            if asset not in STABLES:
                raise
            still.append(asset)
    return found, tuple(still)


def daily_returns(view: View, asset: str) -> tuple[Days, Floats]:
    """The days (since 1970, ascending) that end with a close after another one day, or for an index one session, before; and the log returns.

    Of the candles that are fresh, those with the most days. Raises Unknown where there are none.
    """
    if asset in LISTED:
        ways: list[Callable[[], tuple[Days, Floats]]] = [partial(_of_sessions, view, asset, source) for source in view.sources("equity.close", asset)]
    else:
        ways = [
            partial(_of_candles, view, bar, subject, source)
            for bar in ("1d", "4h")
            for subject in (asset, f"spot:{asset}")
            for source in view.sources(f"candle.{bar}.close", subject)
        ]
    found, reasons = [], []
    for way in ways:
        try:
            found.append(way())
        except Unknown as why:
            reasons.append(why)
    if not found:
        raise reasons[0] if reasons else Unknown("missing", f"nobody has given daily closes of {asset} yet")
    return max(found, key=lambda one: len(one[0]))


def _of_candles(view: View, bar: str, subject: str, source: str) -> tuple[Days, Floats]:
    closes = view.window(f"candle.{bar}.close", subject, source, SPAN_MS, covered=False)
    last = 0 if bar == "1d" else LAST_BAR_MS
    ends = (closes.at % DAY == last) & (closes.at + closes.cadence_ms <= view.now)
    return _steps(closes.at[ends] // DAY, closes.at[ends] // DAY, closes.value[ends])


def _of_sessions(view: View, asset: str, source: str) -> tuple[Days, Floats]:
    closes = view.window("equity.close", asset, source, SPAN_MS, covered=False)
    sessions = are_sessions("nyse", closes.at)
    return _steps(closes.at[sessions] // DAY, ordinals("nyse", closes.at[sessions]), closes.value[sessions])


def _steps(days: Days, numbers: Days, closes: Floats) -> tuple[Days, Floats]:
    """Returns between closes whose numbers are one apart."""
    following = np.flatnonzero(np.diff(numbers) == 1)
    return days[following + 1], np.log(closes[following + 1] / closes[following])
