"""A treasury can no longer pay what it owes out of what it can sell at once, or is fast on the way there."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from monitor.core.rule import Class, Configured, Group, Input, Intent, Rule, Scope
from monitor.core.treasury import LIABILITIES, LIQUID, PARTS, RECEIVABLES, TOKENS, Held, Sheet, holdings, sheet_of
from monitor.core.units import DAY, Duration, Fraction, Number
from monitor.core.verdict import Condition, State, Unknown, Verdict, any_of, at_most, attempt, less_than
from monitor.core.view import FRESH_CADENCES, View

LIQUID_METRICS = tuple(TOKENS + asset for asset in LIQUID)


@dataclass(frozen=True, kw_only=True)
class QuickRatio(Rule):
    """ALVH: a falling quick ratio. (Stables + liquid majors + receivables) / current liabilities, below `threshold`, or down by `fall` against
    its value `fall_over` ago; the numbers are ours.

    Where wallets are read, amounts count at prices that may decide, stablecoins included; 30 days ago at the mean of the day before then
    (reading). Otherwise the USD sums of a provider count, at its prices. The protocol's own tokens never do. Receivables that nobody ever
    declared are none. Who owes nothing has no creditor to fail: QUIET, without a number.
    """

    title: ClassVar[str] = "A treasury's quick ratio is below 1, or down 15% in 30 days"
    scope: ClassVar[Scope] = Scope.TVL
    groups: ClassVar[tuple[Group, ...]] = (Group.FUNDAMENTAL,)
    kind: ClassVar[Class] = Class.EVIDENCE

    threshold: Number = 1.0
    fall: Fraction = 0.15
    fall_over: Duration = 30 * DAY
    exit: Number = 1.1
    exit_fall: Fraction = 0.075

    def __post_init__(self) -> None:
        if not 0 < self.threshold < self.exit:
            raise ValueError("threshold must lie between 0 and exit: write threshold: 1 and exit: 1.1, say")
        if not 0 < self.exit_fall < self.fall < 1:
            raise ValueError("exit_fall must lie between 0 and fall, and fall below 100%: write fall: 15% and exit_fall: 7.5%, say")
        if self.fall_over < DAY:
            raise ValueError("fall_over must be a day or more: write fall_over: 30d, say")

    def concerns(self, subject: str) -> bool:
        """A chain has no treasury, and a deployment has that of its protocol."""
        return subject.startswith("protocol:") and "@" not in subject

    def inputs(self, subject: str) -> tuple[Input, ...]:
        """Token amounts come in the pass that brings the liabilities."""
        return tuple(Input(metric, subject) for metric in (LIABILITIES, *PARTS.values(), RECEIVABLES))

    def configured(self, subject: str, has: Configured) -> bool:
        """What is owed, and either the wallets or a provider's sums; receivables are not needed."""
        holds = any(has(Input(metric, subject)) for metric in LIQUID_METRICS) or all(has(Input(metric, subject)) for metric in PARTS.values())
        return holds and has(Input(LIABILITIES, subject))

    def judge(self, view: View, subject: str) -> Verdict:
        held = holdings(view, subject, self.fall_over)
        sheet = sheet_of(view, subject, held, self.fall_over)
        parts = [_part(name, usd) for name, usd in sheet._asdict().items()]
        if sheet.liabilities == 0:
            return Verdict(State.QUIET, f"{subject} owes nothing within a year: there is no creditor", "no-creditor", conditions=tuple(parts))
        level = less_than("quick ratio", _rounded(sheet.ratio), self.threshold, unit="ratio", reason=_told(subject, sheet, held.source))
        falling = attempt("fall", lambda: self._falling(view, subject, held, sheet))
        said = "; ".join(leg.reason for leg in (level, falling) if leg.state is not State.UNKNOWN)
        return any_of([level, falling, *parts], {State.FIRED: f"{said}; withdraw first", State.QUIET: said})

    def over(self, view: View, subject: str, since: int) -> bool:
        """The ratio is above its exit and has not fallen far; or nothing is owed any more."""
        held = holdings(view, subject, self.fall_over)
        sheet = sheet_of(view, subject, held, self.fall_over)
        if sheet.liabilities == 0:
            return True
        return _rounded(sheet.ratio) > self.exit and self._change(view, subject, held, sheet) > -self.exit_fall

    def intent(self, verdict: Verdict) -> Intent:
        """Withdrawing comes before any layer, and the reason says so: it is not an action of ours."""
        return Intent(tier="intermediate", actions=("short_perp", "top_up"))

    def _falling(self, view: View, subject: str, held: Held, sheet: Sheet) -> Condition:
        change = self._change(view, subject, held, sheet)
        return at_most("fall", change, -self.fall, unit="fraction", reason=f"{change:+.1%} in {self.fall_over // DAY} days")

    def _change(self, view: View, subject: str, held: Held, sheet: Sheet) -> float:
        """Of the ratio against its value `fall_over` before the newest, as a fraction."""
        start = int(held.at[-1]) - self.fall_over
        place = int(np.searchsorted(held.at, start, side="right")) - 1
        if place < 0 or start - int(held.at[place]) > FRESH_CADENCES * held.cadence_ms:
            raise Unknown("short", f"{held.source} has no treasury of {subject} of {self.fall_over // DAY} days before its newest")
        then = int(held.at[place])
        for name in held.amounts(place):
            view.note(held.metric(name), subject, held.source, then)
        before = sheet_of(view, subject, held, self.fall_over, place, then)
        if before.liabilities == 0 or before.ratio == 0:
            raise Unknown("short", f"{self.fall_over // DAY} days ago there was no ratio above 0 to fall from")
        return _rounded(sheet.ratio / before.ratio - 1)


def _part(name: str, usd: float) -> Condition:
    return Condition(name, State.QUIET, f"{name} {usd:,.0f} USD", usd, unit="USD")


def _told(subject: str, sheet: Sheet, source: str) -> str:
    quick = f"{sheet.stables:,.0f} stables + {sheet.majors:,.0f} majors + {sheet.receivables:,.0f} receivables"
    return f"quick ratio of {subject} is {sheet.ratio:.2f}: ({quick}) / {sheet.liabilities:,.0f} USD owed, by {source}"


def _rounded(value: float) -> float:
    """To 12 decimals: 85 / 100 - 1 is a binary hair off -15%."""
    return round(value, 12)
