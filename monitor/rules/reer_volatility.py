"""A collateral moves twice as wildly against a basket of what it is held for as it did before."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from monitor.core.bars import best_bars
from monitor.core.indicators import Floats
from monitor.core.rule import Class, Configured, Group, Input, Intent, Rule, Scope
from monitor.core.units import DAY, HOUR, Duration, Number
from monitor.core.verdict import Unknown, Verdict, at_least, of_one
from monitor.core.view import View, Window

CLOSE, FX = "candle.4h.close", "fx.usd"
BAR_MS = 4 * HOUR
WEIGHTS = {"USD": 0.50, "EUR": 0.15, "JPY": 0.05, "BTC": 0.15, "ETH": 0.15}
CURRENCIES, COINS = ("EUR", "JPY"), ("BTC", "ETH")
# A fixing that was known before the first bar: a week's are published on the Monday after it, or on the Tuesday.
FX_AHEAD_MS = 14 * DAY
# One of the charts may not have its newest bar yet.
SPARE_BARS = 3


@dataclass(frozen=True, kw_only=True)
class ReerVolatility(Rule):
    """ALVH *(reading of the exchange-rate vote; the numbers are ours)*: the volatility of `recent` is `threshold` times that of the `before`
    days that end where it begins.

    Volatility is the standard deviation of the log returns of 4 h closes. They are those of a real effective exchange rate: the price of the
    asset in a geometric basket of USD 50%, EUR 15%, JPY 5%, BTC 15%, ETH 15%. The asset itself is left out, and so is a part that nobody gives;
    the weights of the others are scaled up, and the verdict names what is left out. A currency's value at a bar is the newest that was known at
    its close, so weekends carry Friday's. Deflators, which belong in the level, do not touch a week's volatility.
    """

    title: ClassVar[str] = "Volatility against a basket of currencies and majors has doubled"
    scope: ClassVar[Scope] = Scope.ASSET
    groups: ClassVar[tuple[Group, ...]] = (Group.FUNDAMENTAL,)
    kind: ClassVar[Class] = Class.EVIDENCE

    threshold: Number = 2.0
    exit: Number = 1.5
    recent: Duration = 7 * DAY
    before: Duration = 30 * DAY

    def __post_init__(self) -> None:
        if not 0 < self.exit < self.threshold:
            raise ValueError("exit must lie between 0 and threshold: write threshold: 2 and exit: 1.5, say")
        if self.recent < DAY or self.before < self.recent:
            raise ValueError("recent must be a day or more, and before not shorter: write recent: 7d and before: 30d, say")

    def inputs(self, subject: str) -> tuple[Input, ...]:
        coins = dict.fromkeys((subject, *COINS))
        charts = (Input(CLOSE, pair) for coin in coins for pair in _pairs(coin))
        return *charts, *(Input(FX, currency) for currency in CURRENCIES)

    def configured(self, subject: str, has: Configured) -> bool:
        """The asset's own price is enough: a basket of less is named as such."""
        return any(has(Input(CLOSE, pair)) for pair in _pairs(subject))

    def judge(self, view: View, subject: str) -> Verdict:
        ratio, left_out = self._ratio(view, subject)
        without = f"; its basket is without {', '.join(left_out)}, which nobody gives" if left_out else ""
        days = f"{self.recent / DAY:g} days is {ratio:.2f} times that of the {self.before / DAY:g} days before"
        return of_one(at_least("volatility ratio", ratio, self.threshold, unit="times", reason=f"volatility of {subject} over {days}{without}"))

    def over(self, view: View, subject: str, since: int) -> bool:
        return self._ratio(view, subject)[0] < self.exit

    def intent(self, verdict: Verdict) -> Intent:
        return Intent(tier="intermediate", actions=("short_perp", "top_up"))

    def _ratio(self, view: View, subject: str) -> tuple[float, tuple[str, ...]]:
        recent, before = self.recent // BAR_MS, self.before // BAR_MS
        level, left_out = _basket(view, subject, recent + before + 1)
        moves = np.diff(level)
        usual = float(moves[:before].std())
        if usual == 0:
            raise Unknown("flat", f"the price of {subject} has not moved before: its volatility has no measure")
        # 2 ln 1.01 / ln 1.01 is a binary hair off 2: exactly the threshold must count.
        return round(float(moves[before:].std()) / usual, 12), left_out


def _basket(view: View, subject: str, count: int) -> tuple[Floats, tuple[str, ...]]:
    """Logarithm of the asset's price in the basket at the newest `count` bars that all charts have, and the parts that nobody gives."""
    coins = [coin for coin in COINS if coin != subject and any(view.sources(CLOSE, pair) for pair in _pairs(coin))]
    currencies = [currency for currency in CURRENCIES if view.sources(FX, currency)]
    charts = [best_bars(view, CLOSE, _pairs(coin), count + SPARE_BARS, count) for coin in (subject, *coins)]
    newest = min(int(chart.at[-1]) for chart in charts)
    own, *others = (_until(chart, newest, count) for chart in charts)
    logs = {coin: np.log(other.value) for coin, other in zip(coins, others, strict=True)}
    logs |= {currency: np.log(_known_by(view, currency, own.at + BAR_MS)) for currency in currencies}
    parts = {"USD": np.zeros(count), **logs}
    whole = sum(WEIGHTS[part] for part in parts)
    basket = sum((WEIGHTS[part] / whole * values for part, values in parts.items()), np.zeros(count))
    return np.log(own.value) - basket, tuple(part for part in WEIGHTS if part not in parts and part != subject)


def _until(chart: Window, newest: int, count: int) -> Window:
    """The last `count` bars up to one: each chart is unbroken, so they are the same instants of all."""
    stop = int(np.searchsorted(chart.at, newest, side="right"))
    if stop < count:
        raise Unknown("short", f"{stop} bars of {chart.source} are common to all charts of the basket, {count} are needed")
    rows = slice(stop - count, stop)
    return Window(chart.at[rows], chart.known_at[rows], chart.value[rows], chart.cadence_ms, chart.source)


def _known_by(view: View, currency: str, instants: np.typing.NDArray[np.int64]) -> Floats:
    """The newest value of a currency that was known at each instant, of the first source that has all of them."""
    reasons = list[Unknown]()
    for values in _fixings(view, currency, view.now - int(instants[0]) + FX_AHEAD_MS, reasons):
        known = values.known_at <= instants[:, np.newaxis]
        if known.any(axis=1).all():
            return np.asarray(values.value[len(values) - 1 - np.argmax(known[:, ::-1], axis=1)])
        reasons.append(Unknown("short", f"{values.source} has no {FX} of {currency} from before the first bar"))
    raise reasons[0]


def _fixings(view: View, currency: str, span_ms: int, reasons: list[Unknown]) -> Iterator[Window]:
    for source in view.sources(FX, currency):
        try:
            yield view.window(FX, currency, source, span_ms)
        except Unknown as why:
            reasons.append(why)


def _pairs(coin: str) -> tuple[str, str]:
    return coin, f"spot:{coin}"
