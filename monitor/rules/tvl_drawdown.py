"""Total value locked has fallen fast: 8% or more below its highest value of the last 48 hours."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from monitor.core.rule import Class, Group, Input, Rule, Scope
from monitor.core.tvl_confirmed import conditions, must_be_confirmed, must_be_flow
from monitor.core.tvl_parts import Fall, change, parts_of
from monitor.core.tvl_series import believable
from monitor.core.units import HOUR, MINUTE, Duration, Fraction
from monitor.core.verdict import Verdict, at_most, of_one
from monitor.core.view import View, Window


@dataclass(frozen=True, kw_only=True)
class TvlDrawdown(Rule):
    """ALVH: 8% and 48 h are the method's own numbers.

    `variant` high compares with the highest value of the window, start with the value at its beginning. The exit asks for a drawdown of less than
    `exit` through `exit_for`, counted on the series' own times. A fall counts once it is confirmed: the price effect by two price sources explains
    half of it, or our on-chain sum has fallen as far within 3 points *(reading: its own fall is compared, since it covers some contracts alone)*, or
    it has stood for 2 further observations or an hour. A series that comes hourly or slower is taken as it is, but for a zero, a step over 50%,
    and *(reading)* a fall that known amounts and prices could explain and do not.

    Never confirmed, however long it stands *(readings)*: a fall of which tokens with a price source of ours explain less than half although they
    make half of TVL or more, since the rest can be minted at will; and one that is none any more once the parts that are counted apart are added.
    """

    title: ClassVar[str] = "TVL is 8% or more below its highest value of the last 48 h"
    scope: ClassVar[Scope] = Scope.TVL
    groups: ClassVar[tuple[Group, ...]] = (Group.ONCHAIN,)
    kind: ClassVar[Class] = Class.EVIDENCE

    threshold: Fraction = 0.08
    window: Duration = 48 * HOUR
    exit: Fraction = 0.04
    exit_for: Duration = 24 * HOUR
    variant: Literal["high", "start"] = "high"

    def __post_init__(self) -> None:
        if not 0 < self.exit < self.threshold < 1:
            raise ValueError("exit must lie between 0 and threshold, and threshold below 100%: write threshold: 8% and exit: 4%, say")

        if self.window < 10 * MINUTE or self.exit_for < 0:
            raise ValueError("window must be ten minutes or more, and exit_for not negative: write window: 48h, say")

    def inputs(self, subject: str) -> tuple[Input, ...]:
        return (Input("tvl.usd", subject),)

    def judge(self, view: View, subject: str) -> Verdict:
        points = believable(view, subject, self.window)
        fall = Fall.of(points, self._base(points, len(points) - 1), len(points) - 1)
        against = "its highest value of" if self.variant == "high" else "its value at the start of"
        reason = f"TVL of {subject} is {fall.change:+.1%} against {against} the last {self.window / HOUR:g} h"
        verdict = of_one(at_most("drawdown", fall.change, -self.threshold, unit="fraction", reason=reason))
        if fall.change > -self.threshold:
            return verdict
        must_be_flow(view, subject, fall, self.threshold)
        parts = parts_of(view, subject, fall)
        must_be_confirmed(view, subject, points, fall, self.threshold, parts)
        told = conditions(parts)
        return replace(verdict, reason=", ".join([reason, *(part.reason for part in told)]), conditions=(*verdict.conditions, *told))

    def over(self, view: View, subject: str, since: int) -> bool:
        """Drawdown above -4% at every sample of 24 h, the first of them included."""
        points = believable(view, subject, self.window + self.exit_for)
        falls = np.array([change(float(points.value[self._base(points, i)]), float(points.value[i])) for i in range(len(points))])
        bad = np.flatnonzero(falls <= -self.exit)
        first_good = int(bad[-1]) + 1 if len(bad) else 0
        return first_good < len(points) and int(points.at[-1] - points.at[first_good]) >= self.exit_for

    def _base(self, points: Window, place: int) -> int:
        """Where the value is that a sample is compared with: the newest of the highest in its own window, or the first."""
        start = int(np.searchsorted(points.at, points.at[place] - self.window))
        inside = points.value[start : place + 1]
        return start + (len(inside) - 1 - int(np.argmax(inside[::-1])) if self.variant == "high" else 0)
