"""Options are dear by their own measure of a quarter, and momentum does not follow the price."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from monitor.core.bars import best_bars
from monitor.core.indicators import HISTORY_BARS, Floats, macd, negative_divergence, percentile_rank, positive_divergence
from monitor.core.rule import Class, Configured, Group, Input, Rule, Scope
from monitor.core.scope import EQUITY
from monitor.core.sessions import ordinals
from monitor.core.units import DAY, Count, Fraction
from monitor.core.verdict import Condition, State, Unknown, Verdict, all_of, at_least, flag
from monitor.core.view import View, Window, calendar_of
from monitor.core.vocabulary import find_metric

VIX, DVOL = "vix.close", "iv.index"
SPX_CLOSE, CLOSE = "equity.close", "candle.4h.close"
MINIMUM_BARS = 120
# Ninety sessions and the holidays among them.
MOST_DAYS_A_SAMPLE = 1.6
NEEDED = 2 / 3


@dataclass(frozen=True, kw_only=True)
class IvPercentile(Rule):
    """ALVH: the 70th percentile and the 90 days are the method's own.

    Runs on the S&P 500 by the VIX and daily bars, and on assets by their volatility index and 4 h bars. The newest value is ranked among the last
    values of the `days` before its own: UTC days, or of the VIX sessions *(reading: 90 of either; two thirds of them must be there)*. Its rank is the
    share of them below it, and half of those that equal it. Variant `range` is the alternative reading, its position between the lowest and the
    highest, its own value among them. MACD diverges while a positive or a negative divergence is active, in whichever direction *(reading)*.

    What it speaks for are the outer wings of a condor, 15 to 20% beyond the break-even: bought (`wing_side: buy`, default), since dear options
    tell of what is feared, or sold, as the source has it literally. It asks for no layer yet: wings come with the ladder.
    """

    title: ClassVar[str] = "Implied volatility high in its 90 days while MACD diverges"
    scope: ClassVar[Scope] = Scope.INDEX
    groups: ClassVar[tuple[Group, ...]] = (Group.TECHNICAL,)
    kind: ClassVar[Class] = Class.SIGNAL

    threshold: Fraction = 0.70
    exit: Fraction = 0.60
    days: Count = 90
    variant: Literal["rank", "range"] = "rank"
    wing_side: Literal["buy", "sell"] = "buy"

    def __post_init__(self) -> None:
        if not 0 < self.exit < self.threshold <= 1:
            raise ValueError("exit must lie between 0 and threshold, and threshold at most 100%: write threshold: 70% and exit: 60%, say")
        if not 3 <= self.days <= 365:
            raise ValueError("days must be 3 to 365: write days: 90, say")

    def inputs(self, subject: str) -> tuple[Input, ...]:
        volatility, charts = _of(subject)
        return volatility, *charts

    def configured(self, subject: str, has: Configured) -> bool:
        volatility, charts = _of(subject)
        return has(volatility) and any(has(chart) for chart in charts)

    def judge(self, view: View, subject: str) -> Verdict:
        level, diverges = self._level(view, subject), _divergence(view, subject)
        told = f"{level.reason}; {diverges.reason}"
        code = diverges.reason.split()[1] if level.state is diverges.state is State.FIRED else ""
        return all_of((level, diverges), {State.FIRED: f"{told}: {self.wing_side} outer wings", State.QUIET: told}, code)

    def over(self, view: View, subject: str, since: int) -> bool:
        """The rank is below `exit`; the divergence may have lapsed long before."""
        value = self._level(view, subject).value
        return value is not None and value < self.exit

    def _level(self, view: View, subject: str) -> Condition:
        volatility, _ = _of(subject)
        reasons: list[Unknown] = []
        for source in view.sources(volatility.metric, volatility.subject):
            try:
                span_ms = round(self.days * MOST_DAYS_A_SAMPLE) * DAY
                return self._ranked(view.window(volatility.metric, volatility.subject, source, span_ms, covered=False), volatility)
            except Unknown as why:
                reasons.append(why)
        raise reasons[0] if reasons else Unknown("missing", f"nobody has given {volatility.metric} of {volatility.subject} yet")

    def _ranked(self, values: Window, volatility: Input) -> Condition:
        days, newest = _daily(values, volatility)
        before = newest[(days < days[-1]) & (days >= days[-1] - self.days)]
        if len(before) < NEEDED * self.days:
            raise Unknown("short", f"{len(before)} of {self.days} days of {volatility.metric} {volatility.subject} from {values.source}")
        place, name = _position(before, float(newest[-1])) if self.variant == "range" else (float(percentile_rank(before, newest[-1])), "rank")
        reason = f"{volatility.metric} of {volatility.subject} at {newest[-1]:.1f} has {name} {place:.0%} of its {self.days} days"
        return at_least(f"volatility {name}", round(place, 12), self.threshold, unit="fraction", reason=reason)


def _of(subject: str) -> tuple[Input, tuple[Input, ...]]:
    """The volatility of a subject, and the charts of its price."""
    if subject == EQUITY:
        return Input(VIX, "VIX"), (Input(SPX_CLOSE, EQUITY),)
    return Input(DVOL, subject), (Input(CLOSE, subject), Input(CLOSE, f"spot:{subject}"))


def _daily(values: Window, volatility: Input) -> tuple[np.typing.NDArray[np.int64], Floats]:
    """Numbers of the days or sessions that have a value, and the last value of each."""
    days = ordinals(calendar_of(find_metric(volatility.metric), volatility.subject), values.at)
    last = np.append(np.diff(days) > 0, True)
    return days[last], values.value[last]


def _position(before: Floats, newest: float) -> tuple[float, str]:
    low, high = min(newest, float(before.min())), max(newest, float(before.max()))
    if low == high:
        raise Unknown("flat", "it has not moved: it has no place in its range")
    return (newest - low) / (high - low), "place in the range"


def _divergence(view: View, subject: str) -> Condition:
    _, charts = _of(subject)
    close = best_bars(view, charts[0].metric, [chart.subject for chart in charts], HISTORY_BARS, MINIMUM_BARS).value
    line = macd(close).macd
    active = [name for name, of in (("negative", negative_divergence), ("positive", positive_divergence)) if of(close, line)[-1]]
    reason = f"a {' and a '.join(active)} divergence of MACD is active" if active else "no divergence of MACD is active"
    return flag("MACD diverges", bool(active), reason=reason)
