"""Funding is far from zero, or far from its own habit: leverage leans hard to one side."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from monitor.core.funding import Aggregate, aggregate, venues_of
from monitor.core.indicators import MAD_TO_SIGMA
from monitor.core.rule import Class, Configured, Group, Input, Intent, Rule, Scope
from monitor.core.units import Fraction, Number
from monitor.core.verdict import Condition, State, Unknown, Verdict, any_of, at_least, attempt, more_than, unknown
from monitor.core.view import View

LEVEL = "funding"
DEVIATION = "off its median"
UNIT = "fraction a year"

MOST_A_YEAR = 10.0


@dataclass(frozen=True, kw_only=True)
class FundingSpike(Rule):
    """ALVH: an aggregate beyond +-50% a year, or off its 30-day median by max(3 x 1.4826 MAD, 20 points). The 50% is the method's
    own number.

    Beyond is strict, off by at least is not. Aggregate `dex` is left out while no such venue has ever given funding. The exit asks every
    aggregate to be below `exit` and less than `exit_deviation` off its median.
    """

    title: ClassVar[str] = "Funding beyond 50% a year, or far off its 30-day median"
    scope: ClassVar[Scope] = Scope.ASSET
    groups: ClassVar[tuple[Group, ...]] = (Group.ONCHAIN,)
    kind: ClassVar[Class] = Class.EVIDENCE

    threshold: Fraction = 0.50
    deviation: Fraction = 0.20
    deviation_sigmas: Number = 3.0
    exit: Fraction = 0.25
    exit_deviation: Fraction = 0.10

    def __post_init__(self) -> None:
        if not 0 < self.exit < self.threshold <= MOST_A_YEAR:
            raise ValueError("exit must lie between 0 and threshold, and threshold below 1000%: write threshold: 50% and exit: 25%, say")
        if not 0 < self.exit_deviation < self.deviation:
            raise ValueError("exit_deviation must lie between 0 and deviation: write deviation: 20% and exit_deviation: 10%, say")
        if self.deviation_sigmas <= 0:
            raise ValueError("deviation_sigmas must be above 0: write deviation_sigmas: 3, say")

    def inputs(self, subject: str) -> tuple[Input, ...]:
        return tuple(Input(metric, subject) for metric in ("funding.rate", "funding.interval_hours", "open_interest.usd"))

    def configured(self, subject: str, has: Configured) -> bool:
        """Rates are enough to be set up: a missing interval is UNKNOWN, a missing open interest weighs all venues the same."""
        return has(Input("funding.rate", subject))

    def judge(self, view: View, subject: str) -> Verdict:
        parts = [part for name in _names(view, subject) for part in self._legs(view, subject, name)]
        fired = [part for part in parts if part.state is State.FIRED]
        said = "; ".join(part.reason for part in fired or parts if part.state is not State.UNKNOWN)
        code = ("shorts-pay" if _leans_short(parts) else "longs-pay") if fired else ""
        return any_of(parts, {State.FIRED: said, State.QUIET: said}, code)

    def over(self, view: View, subject: str, since: int) -> bool:
        return all(self._is_calm(aggregate(view, subject, name), view.now) for name in _names(view, subject))

    def intent(self, verdict: Verdict) -> Intent:
        """A short perp receives positive funding and would pay negative: then only collateral helps."""
        actions = ("top_up",) if _leans_short(verdict.conditions) else ("short_perp", "top_up")
        return Intent(tier="intermediate", actions=actions)

    def _is_calm(self, known: Aggregate, now: int) -> bool:
        return _rounded(abs(known.now)) < self.exit and _rounded(abs(known.now - known.usual(now)[0])) < self.exit_deviation

    def _legs(self, view: View, subject: str, name: str) -> Iterator[Condition]:
        try:
            known = aggregate(view, subject, name)
        except Unknown as why:
            yield unknown(f"{name}: {LEVEL}", why.reason)
            yield unknown(f"{name}: {DEVIATION}", why.reason)
            return
        yield self._level(known, name)
        yield attempt(f"{name}: {DEVIATION}", lambda: self._deviation(known, name, view.now))

    def _level(self, known: Aggregate, name: str) -> Condition:
        weighing = "" if known.weighted else " (unweighted: no venue gives its open interest)"
        reason = f"{name} funding is {known.now:+.1%} a year over {len(known.venues)} venues{weighing}"
        leg = more_than(f"{name}: {LEVEL}", _rounded(abs(known.now)), self.threshold, unit=UNIT, reason=reason)
        return _signed(leg, known.now)

    def _deviation(self, known: Aggregate, name: str, now: int) -> Condition:
        middle, spread = known.usual(now)
        allowed = max(self.deviation_sigmas * MAD_TO_SIGMA * spread, self.deviation)
        off = known.now - middle
        reason = f"{name} funding is {100 * off:+.1f} points off its 30-day median of {middle:+.1%}, {100 * allowed:.1f} are a spike"
        return _signed(at_least(f"{name}: {DEVIATION}", _rounded(abs(off)), _rounded(allowed), unit=UNIT, reason=reason), off)


def _names(view: View, subject: str) -> tuple[str, ...]:
    return ("all", "dex") if venues_of(view, subject, "dex") else ("all",)


def _rounded(value: float) -> float:
    """To 12 decimals: 30% less 10% are 20 points, not a binary hair below them."""
    return round(value, 12)


def _signed(leg: Condition, value: float) -> Condition:
    """The leg with its value's own sign, and the threshold of that side."""
    return replace(leg, value=value, threshold=-(leg.threshold or 0.0) if value < 0 else leg.threshold)


def _leans_short(parts: tuple[Condition, ...] | list[Condition]) -> bool:
    """Whether any aggregate is negative, or a leg has fired downwards: one is enough to keep a short perp away."""
    return any((part.value or 0.0) < 0 and (part.state is State.FIRED or part.name.endswith(LEVEL)) for part in parts)
