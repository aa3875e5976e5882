"""The weekly trend of the S&P 500 turns, or runs out of breath: an early warning and nothing more."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from monitor.core.bars import best_bars
from monitor.core.indicators import HISTORY_BARS, Floats, bars_since, macd
from monitor.core.rule import Class, Configured, Group, Input, Rule, Scope
from monitor.core.sessions import last_of_week
from monitor.core.trends import contracting, zero_crossing
from monitor.core.units import Count, iso
from monitor.core.verdict import Condition, State, Unknown, Verdict, any_of, flag
from monitor.core.view import View

CLOSE = "equity.close"
SUBJECTS = ("SPX", "ES")
MOST_SESSIONS_A_WEEK = 5
MACD_WARM_UP = 33


@dataclass(frozen=True, kw_only=True)
class WeeklyWarning(Rule):
    """ALVH: a zero cross of the weekly MACD(12, 26, 9), or compression of its histogram: 3 weekly bars of one sign, strictly shrinking.

    A week's close is that of its last session (ISO weeks), so a week that is not over has none; the index is read, or its future where
    nobody gives the index. It is FIRED while the newest closed week is the bar of the cross or the third of the compression. It asks for
    no layer.
    """

    title: ClassVar[str] = "Weekly MACD of SPX crosses zero, or its histogram is compressed"
    scope: ClassVar[Scope] = Scope.EQUITY
    groups: ClassVar[tuple[Group, ...]] = (Group.TECHNICAL,)
    kind: ClassVar[Class] = Class.SIGNAL

    minimum_weeks: Count = 60

    def __post_init__(self) -> None:
        if not MACD_WARM_UP + 3 <= self.minimum_weeks <= HISTORY_BARS:
            raise ValueError(f"minimum_weeks must be {MACD_WARM_UP + 3} to {HISTORY_BARS}: write minimum_weeks: 60, say")

    def inputs(self, subject: str) -> tuple[Input, ...]:
        return tuple(Input(CLOSE, one) for one in SUBJECTS)

    def configured(self, subject: str, has: Configured) -> bool:
        return any(has(one) for one in self.inputs(subject))

    def judge(self, view: View, subject: str) -> Verdict:
        days = best_bars(view, CLOSE, SUBJECTS, HISTORY_BARS * MOST_SESSIONS_A_WEEK, 1)
        ends = last_of_week("nyse", days.at)
        weeks = int(ends.sum())
        if weeks < self.minimum_weeks:
            raise Unknown("short", f"{weeks} closed weeks in a row of {CLOSE}, {self.minimum_weeks} are needed")
        lines = macd(days.value[ends][-HISTORY_BARS:])
        week = f"the week of {iso(int(days.at[ends][-1]))[:10]}"
        parts = (_crossed(lines.macd, week), _compressed(lines.histogram, week))
        fired = [part for part in parts if part.state is State.FIRED]
        told = "; ".join(part.reason for part in fired or parts)
        return any_of(parts, {State.FIRED: told, State.QUIET: told}, code="-".join(part.name.replace(" ", "-") for part in fired))

    def over(self, view: View, subject: str, since: int) -> bool:
        """A newer week has closed that warns of nothing, which is when this is asked."""
        return True


def _crossed(line: Floats, week: str) -> Condition:
    crossing = zero_crossing(line)
    weeks_ago = float(bars_since(crossing != 0)[-1])
    if weeks_ago == 0:
        return flag("zero cross", True, reason=f"weekly MACD crossed zero {'upwards' if crossing[-1] > 0 else 'downwards'} in {week}")
    when = f"last crossed zero {weeks_ago:g} weeks ago" if np.isfinite(weeks_ago) else "has not crossed zero in the weeks known"
    return flag("zero cross", False, distance=-weeks_ago if np.isfinite(weeks_ago) else -float(line.size), reason=f"weekly MACD {when}")


def _compressed(histogram: Floats, week: str) -> Condition:
    sizes = ", ".join(f"{size:+.2f}" for size in histogram[-3:])
    word = "compressed" if (fired := bool(contracting(histogram)[-1])) else "not compressed"
    return flag("compression", fired, reason=f"the weekly histogram is {word} in {week}: {sizes}")
