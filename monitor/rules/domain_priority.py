"""Which side comes first: the beta of an asset to the S&P 500 rises, so that what hedges the equity book stands against DeFi too."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from monitor.core.bars import best_bars
from monitor.core.beta import Beta
from monitor.core.market_beta import CLOSE, EQUITY, INDEX, at_closes, beta_of, charts
from monitor.core.rule import Class, Configured, Group, Input, Rule, Scope
from monitor.core.units import Count, Number
from monitor.core.verdict import Verdict, more_than, of_one
from monitor.core.view import View

LEVEL = Input(EQUITY, INDEX)


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
        return LEVEL, *_inputs(subject)

    def configured(self, subject: str, has: Configured) -> bool:
        return has(LEVEL) and any(has(chart) for chart in _inputs(subject))

    def judge(self, view: View, subject: str) -> Verdict:
        count = self.sessions + self.change_sessions + 1
        equity = best_bars(view, EQUITY, (INDEX,), count, count)
        moves, market = np.diff(np.log(at_closes(view, subject, equity))), np.diff(np.log(equity.value))
        now = beta_of(moves[-self.sessions :], market[-self.sessions :], subject)
        before = beta_of(moves[: self.sessions], market[: self.sessions], subject)
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


def _inputs(subject: str) -> list[Input]:
    return [Input(CLOSE, chart) for chart in charts(subject)]
