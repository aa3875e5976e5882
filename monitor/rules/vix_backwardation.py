"""The VIX curve is inverted while large companies are cheap on their cash flow: fear now, at prices that have already paid for it."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from monitor.core.rule import Class, Group, Input, Rule, Scope
from monitor.core.trends import MEDIAN_MONTHS, month_end_median
from monitor.core.units import Count, Number, iso, month_before, parse_time
from monitor.core.verdict import Condition, State, Unknown, Verdict, all_of, attempt, less_than, more_than
from monitor.core.view import View

CURVES = {"constant-maturity": ("vix.future.30d", "vix.future.60d"), "contracts": ("vix.future.1", "vix.future.2")}
CASH_FLOW = Input("equity.price_to_cash_flow", "TOP50")
VIX = "VIX"


@dataclass(frozen=True, kw_only=True)
class VixBackwardation(Rule):
    """ALVH: the front VIX future above the next, and P/CF of the top 50 below its historical median: both words are the method's own.

    *(reading)* Front and next are the constant maturities of 30 and 60 days, which no roll moves; `curve: contracts` takes the two contracts
    themselves. The median is that of the month-ends of the last 10 years, `minimum_months` of them at least. The exit asks for a ratio below
    `exit`. It asks for no layer yet: condor wings come with the ladder.
    """

    title: ClassVar[str] = "VIX futures inverted while P/CF of the top 50 is below its median"
    scope: ClassVar[Scope] = Scope.EQUITY
    groups: ClassVar[tuple[Group, ...]] = (Group.FUNDAMENTAL,)
    kind: ClassVar[Class] = Class.SIGNAL

    threshold: Number = 1.0
    exit: Number = 0.97
    minimum_months: Count = 60
    curve: Literal["constant-maturity", "contracts"] = "constant-maturity"

    def __post_init__(self) -> None:
        if not 0 < self.exit < self.threshold:
            raise ValueError("exit must lie between 0 and threshold: write threshold: 1 and exit: 0.97, say")
        if not 1 <= self.minimum_months <= MEDIAN_MONTHS:
            raise ValueError(f"minimum_months must be 1 to {MEDIAN_MONTHS}: write minimum_months: 60, say")

    def inputs(self, subject: str) -> tuple[Input, ...]:
        return (*(Input(metric, VIX) for metric in CURVES[self.curve]), CASH_FLOW)

    def judge(self, view: View, subject: str) -> Verdict:
        parts = (attempt("front over next", lambda: self._inverted(view)), attempt("P/CF of the top 50", lambda: self._cheap(view)))
        told = "; ".join(part.reason for part in parts if part.state is not State.UNKNOWN)
        return all_of(parts, {State.FIRED: told, State.QUIET: told})

    def over(self, view: View, subject: str, since: int) -> bool:
        """The ratio is below the exit, whatever P/CF does."""
        return self._ratio(view) < self.exit

    def _inverted(self, view: View) -> Condition:
        ratio = self._ratio(view)
        names = " over ".join(metric.rpartition(".")[2] for metric in CURVES[self.curve])
        return more_than("front over next", ratio, self.threshold, unit="ratio", reason=f"VIX futures, {names}, stand at {ratio:.3f}")

    def _ratio(self, view: View) -> float:
        """Front over next, both of one source and one session. Raises Unknown."""
        reasons: list[Unknown] = []
        front_metric, next_metric = CURVES[self.curve]
        for source in view.sources(front_metric, VIX):
            try:
                front, following = view.newest(front_metric, VIX, source), view.newest(next_metric, VIX, source)
            except Unknown as why:
                reasons.append(why)
                continue
            if front.at == following.at:
                return round(float(front.value) / float(following.value), 12)
            reasons.append(Unknown("gap", f"{front_metric} is of {iso(front.at)[:10]}, {next_metric} of {iso(following.at)[:10]}"))
        raise reasons[0] if reasons else Unknown("missing", "nobody has given VIX futures yet")

    def _cheap(self, view: View) -> Condition:
        first_month = parse_time(iso(view.now)[:7] + "-01")
        # The newest value may be of the month before: ten years of month-ends then begin a month earlier.
        span_ms = view.now - month_before(first_month, MEDIAN_MONTHS + 1)
        reasons: list[Unknown] = []
        for source in view.sources(*_pair(CASH_FLOW)):
            try:
                known = view.window(*_pair(CASH_FLOW), source, span_ms, covered=False)
            except Unknown as why:
                reasons.append(why)
                continue
            median = float(month_end_median(known.at, known.value, minimum=self.minimum_months)[-1])
            if median > 0:
                reason = f"P/CF of the top 50 is {known.value[-1]:g} against a median of {median:g}"
                return less_than("P/CF of the top 50", float(known.value[-1]), median, unit="ratio", reason=reason)
            reasons.append(Unknown("short", f"{source} has month-ends of P/CF for no median of at least {self.minimum_months}"))
        raise reasons[0] if reasons else Unknown("missing", "nobody has given P/CF of the top 50 yet")


def _pair(one: Input) -> tuple[str, str]:
    return one.metric, one.subject
