"""Momentum comes back under a hidden strength: RSI from below 40 to above 55 with a positive MACD divergence."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from monitor.core.bars import best_bars
from monitor.core.indicators import HISTORY_BARS, Bools, Floats, macd, positive_divergence, rsi, rsi_recovery
from monitor.core.rule import Class, Configured, Group, Input, Intent, Rule, Scope
from monitor.core.units import Count, Number
from monitor.core.verdict import Condition, State, Unknown, Verdict, all_of, flag, less_than, more_than, unknown
from monitor.core.view import View

CLOSE = "candle.4h.close"
MINIMUM_BARS = 120
RSI_POINTS = "RSI points"


@dataclass(frozen=True, kw_only=True)
class MacdRsiScaling(Rule):
    """ALVH: 40, 55 and the divergence are the method's own.

    Judged on closed 4 h bars of the perp, or of the spot where there is no perp.

    FIRED from the bar on which RSI crosses above `high`, with a minimum below `low` in the `lookback` bars before it and a positive
    divergence active, while RSI stays above and the divergence stays active. A protective layer is cheaper in the recovery than in the
    fall. Its size is +0.25 of the notional, the book's own layer share; the larger total of a cheap volatility premium needs a
    volatility rank, which is not measured yet.
    """

    title: ClassVar[str] = "RSI from below 40 to above 55 with a positive MACD divergence"
    scope: ClassVar[Scope] = Scope.ASSET
    groups: ClassVar[tuple[Group, ...]] = (Group.TECHNICAL,)
    kind: ClassVar[Class] = Class.SIGNAL

    low: Number = 40.0
    high: Number = 55.0
    lookback: Count = 30

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high < 100:
            raise ValueError("low must lie below high, and both between 0 and 100: write low: 40 and high: 55, say")
        if not 1 <= self.lookback <= MINIMUM_BARS - 40:
            raise ValueError(f"lookback must be 1 to {MINIMUM_BARS - 40} bars: write lookback: 30, say")

    def inputs(self, subject: str) -> tuple[Input, ...]:
        return Input(CLOSE, subject), Input(CLOSE, f"spot:{subject}")

    def configured(self, subject: str, has: Configured) -> bool:
        return any(has(one) for one in self.inputs(subject))

    def judge(self, view: View, subject: str) -> Verdict:
        bars = best_bars(view, CLOSE, (subject, f"spot:{subject}"), HISTORY_BARS, MINIMUM_BARS)
        strength, active = rsi(bars.value), positive_divergence(bars.value, macd(bars.value).macd)
        if np.isnan(strength[-1]):
            raise Unknown("flat", f"the price of {subject} has not moved: it has no RSI")
        parts = self._legs(strength, active)
        return all_of(parts, {State.FIRED: "; ".join(part.reason for part in parts), State.QUIET: _why_not(parts)})

    def over(self, view: View, subject: str, since: int) -> bool:
        """It ends when it is no longer true, which is when this is asked."""
        return True

    def intent(self, verdict: Verdict) -> Intent:
        return Intent(tier="short", actions=("short_perp", "top_up"))

    def _legs(self, strength: Floats, active: Bools) -> tuple[Condition, ...]:
        moves = rsi_recovery(strength, active, self.low, self.high, self.lookback)
        fired = bool(moves.fired[-1])
        crossing = int(np.flatnonzero(moves.event)[-1]) if fired else len(strength) - 1
        now = float(strength[-1])
        return (
            more_than("RSI(14, 4h)", now, self.high, unit=RSI_POINTS, reason=f"RSI is {now:.1f}, asked for is above {self.high:g}"),
            self._lowest(strength[crossing - self.lookback : crossing]),
            flag("positive divergence", bool(active[-1]), reason=f"a positive MACD divergence is {'active' if active[-1] else 'not active'}"),
            flag("crossing", fired, reason=_crossed(len(strength) - 1 - crossing if fired else None, self.high)),
        )

    def _lowest(self, before: Floats) -> Condition:
        name = f"lowest RSI of the {self.lookback} bars before"
        lowest = float(before.min())
        if np.isnan(lowest):
            return unknown(name, f"the price did not move in the {self.lookback} bars before: there was no RSI")
        reason = f"its lowest of {self.lookback} bars is {lowest:.1f}, asked for is below {self.low:g}"
        return less_than(name, lowest, self.low, unit=RSI_POINTS, reason=reason)


def _crossed(bars_ago: int | None, high: float) -> str:
    if bars_ago is None:
        return f"RSI has not crossed {high:g} upwards with both in place, or they have lapsed since"
    return f"RSI crossed {high:g} upwards {bars_ago} bars ago and has held since"


def _why_not(parts: tuple[Condition, ...]) -> str:
    return "; ".join(part.reason for part in parts if part.state is State.QUIET)
