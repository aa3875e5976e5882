"""Fear jumps: the VIX is up by a fifth in five sessions, or the high-yield spread by half a point in twenty."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np

from monitor.core.indicators import HISTORY_BARS, macd, positive_divergence, rsi
from monitor.core.rule import Class, Configured, Group, Input, Rule, Scope
from monitor.core.units import Count, Fraction, Number
from monitor.core.verdict import Condition, State, Unknown, Verdict, any_of, at_least, attempt
from monitor.core.view import View, Window

VIX, SPREAD = Input("vix.close", "VIX"), Input("macro.hy_spread", "US")
INDEX, BREADTH = Input("equity.close", "SPX"), Input("breadth.ad_line", "NYSE")
MINIMUM_BARS = 120
BREADTH_SESSIONS = 10
MOMENTUM, EXHAUSTION, UNNAMED = "momentum", "exhaustion", "unannotated"


@dataclass(frozen=True, kw_only=True)
class VolSpike(Rule):
    """ALVH: its numbers are ours. A vote, which asks for no layer.

    Sessions are counted, so weekends and holidays are no gaps. One leg is enough: where one of the two was never set up, the other judges alone.
    What fired is called *exhaustion* when the RSI(14) of the S&P 500 is at most `exhausted`, or its positive divergence is active with the NYSE
    advance-decline line above the lowest of its last 10 sessions *(reading: the line belongs to the divergence)*; else *momentum*; and
    *unannotated* where index or line are not known. It is over when both changes are below `exit` of their thresholds (half: ours).
    """

    title: ClassVar[str] = "The VIX or the high-yield spread jumps"
    scope: ClassVar[Scope] = Scope.EQUITY
    groups: ClassVar[tuple[Group, ...]] = (Group.FUNDAMENTAL,)
    kind: ClassVar[Class] = Class.EVIDENCE

    vix_rise: Fraction = 0.20
    vix_sessions: Count = 5
    spread_rise: Fraction = 0.005
    spread_sessions: Count = 20
    exit: Fraction = 0.5
    exhausted: Number = 30.0

    def __post_init__(self) -> None:
        if min(self.vix_rise, self.spread_rise) <= 0:
            raise ValueError("vix_rise and spread_rise must be above zero: write vix_rise: 20% and spread_rise: 50bp, say")
        if not (1 <= self.vix_sessions <= HISTORY_BARS and 1 <= self.spread_sessions <= HISTORY_BARS):
            raise ValueError(f"vix_sessions and spread_sessions must be 1 to {HISTORY_BARS}: write vix_sessions: 5 and spread_sessions: 20, say")
        if not 0 < self.exit <= 1:
            raise ValueError("exit is a share of the thresholds, above 0 and at most 1: write exit: 50%, say")
        if not 0 < self.exhausted < 100:
            raise ValueError("exhausted is an RSI, between 0 and 100: write exhausted: 30, say")

    def inputs(self, subject: str) -> tuple[Input, ...]:
        return VIX, SPREAD, INDEX, BREADTH

    def configured(self, subject: str, has: Configured) -> bool:
        return has(VIX) or has(SPREAD)

    def judge(self, view: View, subject: str) -> Verdict:
        parts = list(self._legs(view))
        said = "; ".join(part.reason for part in parts)
        verdict = any_of(parts, {State.FIRED: said, State.QUIET: said})
        if verdict.state is not State.FIRED:
            return verdict
        code, why = self._annotation(view)
        return replace(verdict, code=code, reason=f"{verdict.reason}; {code}: {why}")

    def over(self, view: View, subject: str, since: int) -> bool:
        """Every leg is known and below its share of the threshold."""
        checks = [(VIX, self._vix_change, self.vix_rise), (SPREAD, self._spread_change, self.spread_rise)]
        return all(change(view) < self.exit * rise for one, change, rise in checks if view.expects(one.metric, one.subject))

    def _legs(self, view: View) -> Iterator[Condition]:
        legs = ((VIX, "VIX", self._vix), (SPREAD, "high-yield spread", self._spread))
        found = [(name, leg) for one, name, leg in legs if view.expects(one.metric, one.subject)]
        if not found:
            raise Unknown("missing", "neither the VIX nor the high-yield spread is known yet")
        for name, leg in found:
            yield attempt(name, partial(leg, view))

    def _vix(self, view: View) -> Condition:
        change = self._vix_change(view)
        reason = f"the VIX moved {change:+.1%} in {self.vix_sessions} sessions, asked for is {self.vix_rise:+.0%}"
        return at_least("VIX", change, self.vix_rise, unit="fraction", reason=reason)

    def _spread(self, view: View) -> Condition:
        change = self._spread_change(view)
        reason = (
            f"the high-yield spread moved {change * 1e4:+.0f} bp in {self.spread_sessions} sessions, asked for is {self.spread_rise * 1e4:+.0f} bp"
        )
        return at_least("high-yield spread", change, self.spread_rise, unit="fraction", reason=reason)

    def _vix_change(self, view: View) -> float:
        values = _sessions(view, VIX, self.vix_sessions + 1, self.vix_sessions + 1).value
        return _exact(float(values[-1] / values[0]) - 1)

    def _spread_change(self, view: View) -> float:
        values = _sessions(view, SPREAD, self.spread_sessions + 1, self.spread_sessions + 1).value
        return _exact(float(values[-1] - values[0]))

    def _annotation(self, view: View) -> tuple[str, str]:
        try:
            closes = _sessions(view, INDEX, HISTORY_BARS, MINIMUM_BARS).value
            strength = float(rsi(closes)[-1])
            if np.isnan(strength):
                return UNNAMED, "the S&P 500 has not moved"
            if strength <= self.exhausted:
                return EXHAUSTION, f"RSI of the S&P 500 is {strength:.1f}"
            if not positive_divergence(closes, macd(closes).macd)[-1]:
                return MOMENTUM, f"RSI of the S&P 500 is {strength:.1f}, without a positive divergence"
            line = _sessions(view, BREADTH, BREADTH_SESSIONS, BREADTH_SESSIONS).value
        except Unknown as blind:
            return UNNAMED, blind.reason
        if line[-1] > line.min():
            return EXHAUSTION, "a positive divergence of the S&P 500, and the advance-decline line is above its 10-day low"
        return MOMENTUM, "a positive divergence of the S&P 500, but the advance-decline line is at its 10-day low"


def _sessions(view: View, one: Input, count: int, minimum: int) -> Window:
    """The newest sessions of the freshest source, and of these the longest unbroken run."""
    found: list[Window] = []
    reasons: list[Unknown] = []
    for source in view.sources(one.metric, one.subject):
        try:
            found.append(view.bars(one.metric, one.subject, source, count, minimum))
        except Unknown as why:
            reasons.append(why)
    if not found:
        raise reasons[0] if reasons else Unknown("missing", f"no {one.metric} of {one.subject} is known yet")
    return max(found, key=lambda bars: (int(bars.at[-1]), len(bars)))


def _exact(change: float) -> float:
    """Without the binary hair that would hide a change of exactly the threshold."""
    return round(change, 12)
