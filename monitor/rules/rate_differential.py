"""Borrowing costs far more than the chain's stablecoins earn, or a lending market runs dry: the debt is under stress."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from monitor.core.indicators import held_for_ms
from monitor.core.rule import Class, Configured, Group, Input, Intent, Rule, Scope
from monitor.core.tokens import STABLES
from monitor.core.units import DAY, HOUR, Duration, Fraction, Number
from monitor.core.verdict import Condition, State, Unknown, Verdict, any_of, at_least, attempt, less_than
from monitor.core.view import FRESH_CADENCES, View, Window, must_be_covered

SUPPLY, BORROW, USE = "lending.supply_apy", "lending.borrow_apr", "lending.utilisation"
SPREAD_LEG, USE_LEG, JUMP_LEG = "spread", "utilisation", "jump"
USUAL_MS = 30 * DAY
LEAST_DAYS = 20
UNIT = "fraction a year"


@dataclass(frozen=True, kw_only=True)
class RateDifferential(Rule):
    """ALVH; all numbers are ours, not the source's. Per debt: best stable supply APY on the same chain less that debt's borrow APR, rewards left out.

    FIRED when the spread is below `spread` and below the 10th percentile (`percentile`) of its 30 days for `spread_for`; or `utilisation` is
    reached for `utilisation_for`; or the borrow APR is `jump` times its 30-day median. *(reading)* The percentile is that of the 30 days before
    those `spread_for`, and a time is held from the first sample that is beyond to the newest: a daily series needs two. Of rates that come by the
    minute the 30 days are the last value of each hour. A leg that nobody gives numbers for is left out. The exit asks every leg that is left to be
    past its own.
    """

    title: ClassVar[str] = "Borrowing costs 2 points more than stablecoins earn, or its market runs dry"
    scope: ClassVar[Scope] = Scope.LENDING
    groups: ClassVar[tuple[Group, ...]] = (Group.FUNDAMENTAL,)
    kind: ClassVar[Class] = Class.EVIDENCE

    spread: Fraction = -0.02
    percentile: Fraction = 0.10
    spread_for: Duration = 6 * HOUR
    utilisation: Fraction = 0.95
    utilisation_for: Duration = HOUR
    jump: Number = 2.0
    exit_spread: Fraction = -0.01
    exit_utilisation: Fraction = 0.90
    exit_jump: Number = 1.5

    def __post_init__(self) -> None:
        if not self.spread < self.exit_spread <= 0:
            raise ValueError("exit_spread must lie between spread and 0: write spread: -2% and exit_spread: -1%, say")
        if not 0 < self.exit_utilisation < self.utilisation <= 1:
            raise ValueError("exit_utilisation must lie between 0 and utilisation: write utilisation: 95% and exit_utilisation: 90%, say")
        if not 1 <= self.exit_jump < self.jump:
            raise ValueError("exit_jump must lie between 1 and jump: write jump: 2 and exit_jump: 1.5, say")
        if not 0 < self.percentile < 0.5:
            raise ValueError("percentile must lie between 0 and 50%: write percentile: 10%, say")
        if self.spread_for <= 0 or self.utilisation_for <= 0:
            raise ValueError("spread_for and utilisation_for must be above 0: write spread_for: 6h and utilisation_for: 1h, say")

    def inputs(self, subject: str) -> tuple[Input, ...]:
        return (Input(BORROW, subject), Input(USE, subject))

    def configured(self, subject: str, has: Configured) -> bool:
        """Either is enough: the legs of the other are left out."""
        return any(has(one) for one in self.inputs(subject))

    def judge(self, view: View, subject: str) -> Verdict:
        parts = list(self._legs(view, subject))
        if not parts:
            raise Unknown("missing", f"nobody has given {BORROW} or {USE} of {subject} yet")
        fired = [part for part in parts if part.state is State.FIRED]
        said = "; ".join(part.reason for part in fired or parts if part.state is not State.UNKNOWN)
        return any_of(parts, {State.FIRED: f"{said}: repay first", State.QUIET: said})

    def over(self, view: View, subject: str, since: int) -> bool:
        """Every leg past its exit. Raises Unknown while one that is given cannot be judged."""
        calm = []
        if view.sources(USE, subject):
            calm.append(_last(_since(view, USE, subject, self.utilisation_for)) < self.exit_utilisation)
        if view.sources(BORROW, subject):
            usual, now = _usual(_window(view, BORROW, subject, USUAL_MS))
            calm.append(now < _rounded(self.exit_jump * usual) or now == 0)
            if _stables(view, subject):
                calm.append(_last(self._spreads(view, subject)) > self.exit_spread)
        return all(calm)

    def intent(self, verdict: Verdict) -> Intent:
        """A top-up keeps the debt safe while it is dear; a short perp where the collateral itself is to be held."""
        return Intent(tier="short", actions=("top_up", "short_perp"))

    def _legs(self, view: View, subject: str) -> Iterator[Condition]:
        if view.sources(BORROW, subject):
            if _stables(view, subject):
                yield attempt(SPREAD_LEG, lambda: self._spread_leg(view, subject))
            yield attempt(JUMP_LEG, lambda: self._jump_leg(view, subject))
        if view.sources(USE, subject):
            yield attempt(USE_LEG, lambda: self._use_leg(view, subject))

    def _spread_leg(self, view: View, subject: str) -> Condition:
        spreads = self._spreads(view, subject)
        before = spreads.at < view.now - self.spread_for
        if (days := len(np.unique(spreads.at[before] // DAY))) < LEAST_DAYS:
            raise Unknown("coverage", f"the spread is known on {days} of the 30 days before, {LEAST_DAYS} are needed for a percentile")
        usual = _rounded(float(np.quantile(spreads.value[before], self.percentile)))
        bar = min(self.spread, usual)
        now = _last(spreads)
        reason = (
            f"stablecoins earn {now:+.2%} against the debt; stress is below {bar:+.2%} ({self.percentile:.0%} of 30 days were below {usual:+.2%})"
        )
        leg = less_than(SPREAD_LEG, now, bar, unit=UNIT, reason=reason)
        return _held(leg, spreads, lambda values: values < bar, self.spread_for)

    def _use_leg(self, view: View, subject: str) -> Condition:
        points = _since(view, USE, subject, self.utilisation_for)
        leg = at_least(USE_LEG, _last(points), self.utilisation, unit="fraction", reason=f"{_last(points):.1%} of what is supplied is borrowed")
        return _held(leg, points, lambda values: values >= self.utilisation, self.utilisation_for)

    def _jump_leg(self, view: View, subject: str) -> Condition:
        usual, now = _usual(_window(view, BORROW, subject, USUAL_MS))
        bar = _rounded(self.jump * usual)
        if now == 0:
            return Condition(JUMP_LEG, State.QUIET, "borrowing costs nothing", now, bar, -1.0, UNIT)
        if bar <= 0:
            raise Unknown("median", f"the 30-day median of the borrow rate is {usual:.2%}: there is nothing to compare with")
        return at_least(JUMP_LEG, now, bar, unit=UNIT, reason=f"borrowing costs {now:.2%} a year, usually {usual:.2%}")

    def _spreads(self, view: View, subject: str) -> Window:
        """Best stable supply APY on the chain less the borrow APR, at each time of the borrow rate: each stable as last known then."""
        span_ms = USUAL_MS + self.spread_for
        owed = _window(view, BORROW, subject, span_ms, self.spread_for)
        earned = np.full(len(owed), -np.inf)
        reasons: list[Unknown] = []
        for stable in _stables(view, subject):
            try:
                points = _window(view, SUPPLY, stable, span_ms, self.spread_for)
            except Unknown as why:
                reasons.append(why)
                continue
            earned = np.fmax(earned, _as_of(points, owed))
        known = np.isfinite(earned)
        if not known[-1]:
            raise reasons[0] if reasons else Unknown("stale", f"no stablecoin of {_chain(subject)} has a supply rate as new as the borrow rate")
        values = np.round(earned[known] - owed.value[known], 12)
        return replace(owed, at=owed.at[known], known_at=owed.known_at[known], value=values)


def _chain(subject: str) -> str:
    return subject.removeprefix("lending:").partition("/")[0]


def _stables(view: View, subject: str) -> tuple[str, ...]:
    """The stablecoin markets of the subject's chain for which somebody gives a supply rate, whatever the protocol."""
    prefix = f"lending:{_chain(subject)}/"
    return tuple(s for s in sorted(view.subjects(SUPPLY)) if s.startswith(prefix) and s.rpartition("/")[2] in STABLES)


def _window(view: View, metric: str, subject: str, span_ms: int, whole_ms: int = 0) -> Window:
    """The window of the first source that covers it. Raises the first source's reason where none does."""
    return _first(view, metric, subject, lambda source: _by_hours(view, (metric, subject, source), span_ms, whole_ms))


def _by_hours(view: View, key: tuple[str, str, str], span_ms: int, whole_ms: int) -> Window:
    """One source's window; of what comes more often, the last value of each hour, and all of the newest `whole_ms` with the one before them.

    A month of minutes is not held, and a restart of five minutes would be a hole in it for a month.
    """
    if view.cadence(*key) >= HOUR:
        return view.window(*key, span_ms)
    points = view.window(*key, span_ms, covered=False)
    hours = points.at // HOUR
    kept = np.append(np.diff(hours) > 0, True)
    must_be_covered(hours[kept] * HOUR, view.now - span_ms, span_ms, HOUR, f"{key[0]} {key[1]} from {key[2]}")
    kept[max(0, int(np.searchsorted(points.at, view.now - whole_ms)) - 1) :] = True
    return replace(points, at=points.at[kept], known_at=points.known_at[kept], value=points.value[kept], cadence_ms=HOUR)


def _since(view: View, metric: str, subject: str, span_ms: int) -> Window:
    """The newest samples of the first fresh source, enough to tell what has held for a span, since the last hole: nothing holds through one."""

    def newest(source: str) -> Window:
        cadence_ms = view.cadence(metric, subject, source)
        points = view.window(metric, subject, source, span_ms + 2 * FRESH_CADENCES * cadence_ms, covered=False)
        holes = np.flatnonzero(np.diff(points.at) > FRESH_CADENCES * cadence_ms)
        start = int(holes[-1]) + 1 if len(holes) else 0
        return replace(points, at=points.at[start:], known_at=points.known_at[start:], value=points.value[start:])

    return _first(view, metric, subject, newest)


def _first(view: View, metric: str, subject: str, read: Callable[[str], Window]) -> Window:
    reasons: list[Unknown] = []
    for source in view.sources(metric, subject):
        try:
            return read(source)
        except Unknown as why:
            reasons.append(why)
    raise reasons[0]


def _as_of(points: Window, other: Window) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The value last known at each time of another window; -infinity where there is none or it is too old to count."""
    places = np.searchsorted(points.at, other.at, side="right") - 1
    fresh = (places >= 0) & (other.at - points.at[places] <= FRESH_CADENCES * points.cadence_ms)
    return np.where(fresh, points.value[places], -np.inf)


def _usual(points: Window) -> tuple[float, float]:
    """The median of the window without its newest value, and that value. Raises Unknown where there is no other."""
    if len(points) < 2:
        raise Unknown("short", "one borrow rate in 30 days has no median to be compared with")
    return float(np.median(points.value[:-1])), _last(points)


def _last(points: Window) -> float:
    return _rounded(float(points.value[-1]))


def _rounded(value: float) -> float:
    """To 12 decimals: 3% less 5% are -2%, not a binary hair below it."""
    return round(value, 12)


def _held(leg: Condition, points: Window, beyond: Callable[[np.ndarray], np.ndarray], needed_ms: int) -> Condition:
    """The leg, QUIET while it has not held for long enough: its distance is then the share of the time that is missing."""
    held_ms = held_for_ms(points.at, beyond(np.round(points.value, 12)))
    if held_ms is None or held_ms >= needed_ms:
        return leg
    reason = f"{leg.reason}; for {held_ms / HOUR:.1f} of {needed_ms / HOUR:g} h"
    return replace(leg, state=State.QUIET, reason=reason, distance=held_ms / needed_ms - 1)
