"""Which side comes first: the beta of an asset to the S&P 500 rises, so that what hedges the equity book stands against DeFi too."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from monitor.core.bars import best_bars
from monitor.core.beta import Beta, beta
from monitor.core.indicators import Floats
from monitor.core.rule import Class, Configured, Group, Input, Rule, Scope
from monitor.core.units import HOUR, Count, Number
from monitor.core.verdict import Unknown, Verdict, more_than, of_one
from monitor.core.view import COVERAGE, View, Window

CLOSE, EQUITY = "candle.4h.close", Input("equity.close", "SPX")
# The 4 h bar that closes at 20:00 UTC.
BAR_OF_CLOSE_MS = 16 * HOUR
LAST = 3


@dataclass(frozen=True, kw_only=True)
class DomainPriority(Rule):
    """ALVH, with numbers of our own. Beta is the slope of log returns on those of the S&P 500 over `sessions`, by ordinary least squares.

    Both are sampled at the equity close, 16:00 in New York, on days of trading. Of the asset that is the newest 4 h close at or before it: the one of
    20:00 UTC, which is that very moment in summer and an hour before it in winter (a shortened session is taken at 20:00 too). Rising: up over
    `change_sessions` by more than one standard error of today's beta and by more than `least_change`; falling is the mirror image. Rising, DeFi goes
    first where proposals compete for one cap; falling, SPX goes first. A change of 0.10 lies within one standard error, which is about 0.5: most of
    the time the answer is steady. A session without a 4 h close is left out, with the returns to it and from it.
    """

    title: ClassVar[str] = "Beta to the S&P 500 is rising: DeFi goes first"
    scope: ClassVar[Scope] = Scope.ASSET
    groups: ClassVar[tuple[Group, ...]] = (Group.FUNDAMENTAL,)
    kind: ClassVar[Class] = Class.SIGNAL

    sessions: Count = 60
    change_sessions: Count = 20
    least_change: Number = 0.10

    def __post_init__(self) -> None:
        if not 10 <= self.sessions <= 1000 or not 1 <= self.change_sessions <= 1000 or self.least_change <= 0:
            raise ValueError("sessions must be 10 to 1000, change_sessions 1 to 1000, least_change above 0: write 60, 20 and 0.10, say")

    def inputs(self, subject: str) -> tuple[Input, ...]:
        return EQUITY, *_charts(subject)

    def configured(self, subject: str, has: Configured) -> bool:
        return has(EQUITY) and any(has(chart) for chart in _charts(subject))

    def judge(self, view: View, subject: str) -> Verdict:
        count = self.sessions + self.change_sessions + 1
        equity = best_bars(view, EQUITY.metric, (EQUITY.subject,), count, count)
        moves, market = np.diff(np.log(self._samples(view, subject, equity))), np.diff(np.log(equity.value))
        now = self._beta(moves[-self.sessions :], market[-self.sessions :], subject)
        before = self._beta(moves[: self.sessions], market[: self.sessions], subject)
        return self._verdict(subject, now, before)

    def over(self, view: View, subject: str, since: int) -> bool:
        """It ends when it is no longer true, which is when this is asked."""
        return True

    def _verdict(self, subject: str, now: Beta, before: Beta) -> Verdict:
        change = round(now.value - before.value, 12)
        least = max(now.error, self.least_change)
        code = "rising" if change > least else "falling" if -change > least else "steady"
        figures = f"{before.value:.2f} to {now.value:.2f} in {self.change_sessions} sessions, its standard error is {now.error:.2f}"
        leg = more_than("change of beta", change, least, unit="beta", reason=f"beta of {subject} to SPX is {code}: {figures}")
        return of_one(leg, code)

    def _samples(self, view: View, subject: str, equity: Window) -> Floats:
        """The asset's prices at the closes of these sessions, NaN where there is none, of the first market and source that has them."""
        reasons: list[Unknown] = []
        for chart in _charts(subject):
            for source in view.sources(CLOSE, chart.subject):
                try:
                    view.newest(CLOSE, chart.subject, source)
                    samples = view.values_at(CLOSE, chart.subject, source, equity.at - equity.at % (24 * HOUR) + BAR_OF_CLOSE_MS)
                    self._must_cover(samples, subject)
                except Unknown as why:
                    reasons.append(why)
                else:
                    return samples
        raise reasons[0] if reasons else Unknown("missing", f"nobody has given 4 h candles of {subject} yet")

    def _must_cover(self, samples: Floats, subject: str) -> None:
        there = np.isfinite(samples)
        if there.mean() < COVERAGE or not there[-LAST:].all():
            raise Unknown(
                "coverage", f"{int(there.sum())} of {there.size} sessions have a 4 h close of {subject} at 20:00 UTC, and the last {LAST} must"
            )

    def _beta(self, moves: Floats, market: Floats, subject: str) -> Beta:
        both = np.isfinite(moves) & np.isfinite(market)
        try:
            return beta(moves[both], market[both])
        except ValueError as error:
            raise Unknown("flat", f"no beta of {subject}: {error}") from None


def _charts(subject: str) -> tuple[Input, Input]:
    return Input(CLOSE, subject), Input(CLOSE, f"spot:{subject}")
