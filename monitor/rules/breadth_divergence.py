"""The S&P 500 stands near its high on failing momentum and without the breadth that carried it there."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from monitor.core.bars import best_bars, in_step
from monitor.core.indicators import HISTORY_BARS, macd, negative_divergence
from monitor.core.rule import Class, Group, Input, Rule, Scope
from monitor.core.trends import HIGH_BARS, bars_since_high, share_of_high
from monitor.core.units import Count, Fraction
from monitor.core.verdict import Condition, State, Verdict, all_of, at_least, flag, more_than
from monitor.core.view import View, Window

CLOSE, BREADTH = Input("equity.close", "SPX"), Input("breadth.ad_line", "NYSE")
MINIMUM_BARS = 120


@dataclass(frozen=True, kw_only=True)
class BreadthDivergence(Rule):
    """ALVH: a negative divergence of the daily MACD histogram of SPX, and an A/D divergence of more than 10 trading days; the 10 is the
    method's own.

    The histogram diverges as the MACD line does elsewhere: higher high of the price, lower high of the histogram, active for 6 bars after it
    is known. A/D diverges while SPX is within 1% of its 63-day high and the A/D line's own 63-day high is more than `days` sessions older
    *(reading: older than the high of SPX)*. It asks for no layer yet: deferred volatility comes with the ladder.
    """

    title: ClassVar[str] = "SPX near its high with failing momentum and breadth"
    scope: ClassVar[Scope] = Scope.EQUITY
    groups: ClassVar[tuple[Group, ...]] = (Group.TECHNICAL,)
    kind: ClassVar[Class] = Class.SIGNAL

    days: Count = 10
    near: Fraction = 0.01

    def __post_init__(self) -> None:
        if not 0 <= self.days < HIGH_BARS - 1 or not 0 <= self.near < 1:
            raise ValueError(f"days must be 0 to {HIGH_BARS - 2} and near below 100%: write days: 10 and near: 1%, say")

    def inputs(self, subject: str) -> tuple[Input, ...]:
        return CLOSE, BREADTH

    def judge(self, view: View, subject: str) -> Verdict:
        bars = best_bars(view, CLOSE.metric, (CLOSE.subject,), HISTORY_BARS, MINIMUM_BARS)
        breadth = best_bars(view, BREADTH.metric, (BREADTH.subject,), HISTORY_BARS, HIGH_BARS)
        closes, line = in_step(bars, breadth, HIGH_BARS)
        # Momentum stops at the newest session that breadth has: both speak of one day.
        parts = (_failing(bars.value[bars.at <= closes.at[-1]]), self._near_high(closes), self._narrow(closes, line))
        told = {
            State.FIRED: "; ".join(part.reason for part in parts),
            State.QUIET: "; ".join(part.reason for part in parts if part.state is State.QUIET),
        }
        return all_of(parts, told)

    def over(self, view: View, subject: str, since: int) -> bool:
        """It ends when it is no longer true, which is when this is asked."""
        return True

    def _near_high(self, closes: Window) -> Condition:
        share = float(share_of_high(closes.value)[-1])
        reason = f"SPX is {1 - share:.1%} below its {HIGH_BARS}-day high"
        return at_least("SPX near its high", share, round(1 - self.near, 12), scale=0.01, unit="share of the high", reason=reason)

    def _narrow(self, closes: Window, line: Window) -> Condition:
        older = float(bars_since_high(line.value)[-1] - bars_since_high(closes.value)[-1])
        reason = f"the A/D line's {HIGH_BARS}-day high is {abs(older):g} sessions {'older' if older >= 0 else 'younger'} than that of SPX"
        return more_than("age of the A/D high", older, self.days, scale=max(1, self.days), unit="sessions", reason=reason)


def _failing(close: np.typing.NDArray[np.float64]) -> Condition:
    active = bool(negative_divergence(close, macd(close).histogram)[-1])
    return flag("negative divergence", active, reason=f"a negative divergence of the MACD histogram is {'active' if active else 'not active'}")
