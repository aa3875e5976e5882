"""Inflation is rising: the newest CPI or PPI print, year on year as published, is above the print before it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

from monitor.core.prints import finest, places
from monitor.core.rule import Class, Configured, Group, Input, Rule, Scope
from monitor.core.units import DAY, Duration, iso, month_before
from monitor.core.verdict import Condition, State, Unknown, Verdict, any_of, attempt, more_than
from monitor.core.view import View

PRINTS = {"macro.cpi": "CPI", "macro.cpi_sa": "CPI", "macro.ppi": "PPI"}
READ = {"yoy": ("macro.cpi", "macro.ppi"), "mom": ("macro.cpi_sa", "macro.ppi")}
SCALE_POINTS = 0.1


@dataclass(frozen=True, kw_only=True)
class MacroRising(Rule):
    """ALVH. The variant `yoy` compares year-on-year changes of the levels, `mom` month-on-month, of the
    seasonally adjusted CPI (the PPI is read as it is fed); both rounded half-up to 0.1 points.

    A print counts for `valid_for` after its release. The previous print is the previous *published* month of the same vintage: a month that was never
    published is passed over, and never interpolated. Of several sources the most precise is read; they are contested where they differ by more
    than the rounding of the coarser, no majority agrees and none was known later (ours).
    """

    title: ClassVar[str] = "The newest CPI or PPI print is above the one before"
    scope: ClassVar[Scope] = Scope.MARKET
    groups: ClassVar[tuple[Group, ...]] = (Group.FUNDAMENTAL,)
    kind: ClassVar[Class] = Class.EVIDENCE

    valid_for: Duration = 45 * DAY
    variant: Literal["yoy", "mom"] = "yoy"

    def inputs(self, subject: str) -> tuple[Input, ...]:
        return tuple(Input(metric, subject) for metric in READ[self.variant])

    def configured(self, subject: str, has: Configured) -> bool:
        return any(has(one) for one in self.inputs(subject))

    def judge(self, view: View, subject: str) -> Verdict:
        metrics = [metric for metric in READ[self.variant] if view.expects(metric, subject)]
        if not any(view.sources(metric, subject) for metric in metrics):
            raise Unknown("missing", "no CPI or PPI print is known yet")
        parts = [attempt(PRINTS[metric], partial(self._leg, view, metric, subject)) for metric in metrics]
        said = "; ".join(part.reason for part in parts)
        return any_of(parts, {State.FIRED: said, State.QUIET: said})

    def over(self, view: View, subject: str, since: int) -> bool:
        """The next print has come and is not rising: the verdict is QUIET on known evidence, which is when this is asked."""
        return True

    def _leg(self, view: View, metric: str, subject: str) -> Condition:
        source, levels = self._chosen(view, metric, subject)
        changes = self._changes(levels)
        if len(changes) < 2:
            raise Unknown("short", f"the levels known give {len(changes)} changes of the {PRINTS[metric]}, 2 are needed to compare")
        (month, before), (newest, change) = list(changes.items())[-2:]
        released = levels[newest][1]
        if view.now > released + self.valid_for:
            name = f"the newest {PRINTS[metric]} print, of {iso(newest)[:7]}"
            raise Unknown("stale", f"{name}, was released more than {self.valid_for / DAY:g} days ago")
        view.wake(released + self.valid_for + 1)
        for at in (newest, month):
            view.note(metric, subject, source, at)
        word = "above" if change > before else ("equal to" if change == before else "below")
        reason = f"{PRINTS[metric]} of {iso(newest)[:7]} at {change:.1f}% is {word} the {before:.1f}% of {iso(month)[:7]}"
        return more_than(PRINTS[metric], change, before, scale=SCALE_POINTS, unit="percent", reason=reason)

    def _chosen(self, view: View, metric: str, subject: str) -> tuple[str, Mapping[int, tuple[float, int]]]:
        """The source to read, with its levels: of those that have the newest month, the most precise one that is not outvoted.

        Levels are never taken from two sources: the vintage of one is not that of the other.
        """
        vintages = {source: view.revisions(metric, subject, source) for source in view.sources(metric, subject)}
        if not vintages:
            raise Unknown("missing", f"no print of the {PRINTS[metric]} is known yet")
        newest = max(max(levels) for levels in vintages.values())
        having = {source: levels for source, levels in vintages.items() if newest in levels}
        precise = {source: (levels[newest][0], places(level for level, _ in levels.values()), levels[newest][1]) for source, levels in having.items()}
        for source in finest(precise):
            return source, having[source]
        said = ", ".join(f"{source} {level:.10g}" for source, (level, _, _) in sorted(precise.items()))
        raise Unknown("contested", f"the sources of the {PRINTS[metric]} of {iso(newest)[:7]} differ by more than their rounding ({said})")

    def _changes(self, levels: Mapping[int, tuple[float, int]]) -> dict[int, float]:
        """Change in percent by month, oldest first. A month without a change, since it or its base was never published, is passed over."""
        bases = {month: month_before(month, 12 if self.variant == "yoy" else 1) for month in sorted(levels)}
        return {month: round_half_up(100 * (levels[month][0] / levels[base][0] - 1)) for month, base in bases.items() if base in levels}


def round_half_up(percent: float) -> float:
    """To 0.1 points, halves away from zero, as the statistics are published; a binary hair below a half counts as the half."""
    return math.copysign(math.floor(abs(percent) * 10 + 0.5 + 1e-9) / 10, percent)
