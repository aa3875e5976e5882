"""The trend of the VIX futures: how steep later layers should be, how far out, and how often the ladder is reviewed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from monitor.core.bars import best_bars, in_step
from monitor.core.indicators import HISTORY_BARS, Floats, Macd, macd, rsi
from monitor.core.rule import Class, Configured, Group, Input, Rule, Scope
from monitor.core.schedule import scheduled
from monitor.core.sessions import session_after
from monitor.core.trends import FLAT_BARS, FLAT_SAMPLES, FLAT_SHARE, TREND_DEVIATIONS, growth_above_zero, trend, weakens
from monitor.core.units import DAY, Count, Duration, iso
from monitor.core.verdict import Condition, State, Unknown, Verdict, all_of, any_of, attempt, flag, less_than, more_than
from monitor.core.view import View

FUTURES = (Input("vix.future.30d", "VIX"), Input("vix.future.60d", "VIX"))
INDEX, BREADTH = Input("vix.close", "VIX"), Input("breadth.ad_line", "NYSE")
EVENT = "macro.event"
PRINTS, DECISION = ("CPI", "PPI"), "FOMC"
CALENDAR = "nyse"
MINIMUM_BARS = 120
BREADTH_DAYS = 10
MIDDLE = 50.0
VEGA = {
    "annotate": "the sign of vega is left open, for the source contradicts itself",
    "literal": "vega is cut while this lasts, as the source's smaller later layers say",
    "conventional": "vega is bought while this lasts, as a rise of volatility pays it",
}


class Effect(NamedTuple):
    """One thing that the state of the futures changes in the ladder: its word, and how it is judged."""

    word: str
    judge: Callable[[], Condition]


@dataclass(frozen=True, kw_only=True)
class VixMacd(Rule):
    """ALVH: histogram above zero and expanding (`expanding`: later layers at 1.5 x the initial notional); MACD flat (`flat`: outer layers
    further out); MACD rising within 7 days of FOMC with A/D weakening (`accelerating`: the ladder is reviewed twice a week). All of this is the
    method's own, the effects themselves come with the ladder.

    FIRED while one of them applies; the code names all that do, with `unconfirmed` where neither RSI(14) of the VIX is on the side of the
    30-day histogram (above 50 up, below 50 down) nor a CPI or PPI came out within 5 sessions *(reading: the last 5, for what is to come
    confirms nothing)*. *(Reading)* a state holds when the MACD of both maturities is in it; rising is over `rising_bars` sessions; 7 days are
    counted to both sides. Without an A/D line that leg is left out. `vega_sign` says in words what the expansion means for vega.
    """

    title: ClassVar[str] = "MACD of the 30- and 60-day VIX futures expands, is flat, or accelerates into FOMC"
    scope: ClassVar[Scope] = Scope.EQUITY
    groups: ClassVar[tuple[Group, ...]] = (Group.TECHNICAL,)
    kind: ClassVar[Class] = Class.SIGNAL

    rising_bars: Count = 3
    print_sessions: Count = 5
    decision_within: Duration = 7 * DAY
    vega_sign: Literal["annotate", "literal", "conventional"] = "annotate"

    def __post_init__(self) -> None:
        if not 1 <= self.rising_bars <= 20 or self.print_sessions < 0 or self.decision_within < 0:
            why = "rising_bars must be 1 to 20, print_sessions and decision_within not negative"
            raise ValueError(f"{why}: write rising_bars: 3, print_sessions: 5, decision_within: 7d, say")

    def inputs(self, subject: str) -> tuple[Input, ...]:
        return (*FUTURES, INDEX, BREADTH, *(Input(EVENT, event) for event in (*PRINTS, DECISION)))

    def configured(self, subject: str, has: Configured) -> bool:
        """The futures are enough: an index or a calendar that is missing leaves a state unconfirmed."""
        return all(has(one) for one in FUTURES)

    def judge(self, view: View, subject: str) -> Verdict:
        bars = [best_bars(view, one.metric, (one.subject,), HISTORY_BARS, MINIMUM_BARS) for one in FUTURES]
        near, far = in_step(bars[0], bars[1], MINIMUM_BARS)
        lines = macd(near.value), macd(far.value)
        parts = [attempt(effect.word, effect.judge) for effect in self._effects(view, lines)]
        fired = [part for part in parts if part.state is State.FIRED]
        confirmed, why = self._confirmation(view, up=bool(lines[0].histogram[-1] > 0))
        words = [part.name for part in fired] + ([] if confirmed or not fired else ["unconfirmed"])
        notes = ["confirmed by " + why if confirmed else "unconfirmed: " + why]
        notes += [VEGA[self.vega_sign]] if any(part.name == "expanding" for part in fired) else []
        told = "; ".join(part.reason for part in parts if part.state is not State.UNKNOWN)
        return any_of(parts, {State.FIRED: "; ".join([*(part.reason for part in fired), *notes]), State.QUIET: told}, code="-".join(words))

    def over(self, view: View, subject: str, since: int) -> bool:
        """None of its states applies any more, which is when this is asked."""
        return True

    def _effects(self, view: View, lines: tuple[Macd, Macd]) -> Iterator[Effect]:
        yield Effect("expanding", lambda: _expanding(lines))
        yield Effect("flat", lambda: _flat(lines))
        if view.expects(BREADTH.metric, BREADTH.subject):
            yield Effect("accelerating", lambda: self._accelerating(view, lines))

    def _accelerating(self, view: View, lines: tuple[Macd, Macd]) -> Condition:
        parts = (
            attempt("MACD rising", lambda: self._rising(lines)),
            attempt("A/D weakens", lambda: _narrowing(view)),
            attempt("near FOMC", lambda: self._near_decision(view)),
        )
        told = "; ".join(part.reason for part in parts if part.state is not State.UNKNOWN)
        whole = all_of(parts, {State.FIRED: told, State.QUIET: told})
        return Condition("accelerating", whole.state, whole.reason, whole.value, whole.threshold, whole.distance, whole.unit)

    def _rising(self, lines: tuple[Macd, Macd]) -> Condition:
        least = min(_latest(trend(line.macd, self.rising_bars), "a rise of MACD") for line in lines)
        unit = "standard deviations"
        return more_than("MACD rising", least, TREND_DEVIATIONS, unit=unit, reason=f"MACD has changed by {least:+.2f} {unit} at least")

    def _near_decision(self, view: View) -> Condition:
        decisions = list(scheduled(view, DECISION))
        if not decisions:
            raise Unknown("calendar", "no FOMC decision is scheduled in any calendar known")
        for at in decisions:
            view.wake(at - self.decision_within)
            view.wake(at + self.decision_within + 1)
        nearest = min(decisions, key=lambda at: abs(at - view.now))
        away = abs(nearest - view.now)
        distance = (self.decision_within - away) / max(1, self.decision_within)
        reason = f"the nearest FOMC decision is {away / DAY:.1f} days away"
        return flag("near FOMC", away <= self.decision_within, distance=distance, reason=reason)

    def _confirmation(self, view: View, *, up: bool) -> tuple[bool, str]:
        released = [f"{event} of {iso(at)[:10]}" for event in PRINTS for at in scheduled(view, event) if self._is_recent(view, at)]
        if released:
            return True, "the release of " + ", ".join(released)
        side = "above" if up else "below"
        try:
            closes = best_bars(view, INDEX.metric, (INDEX.subject,), HISTORY_BARS, MINIMUM_BARS)
            strength = _latest(rsi(closes.value), "RSI of the VIX")
        except Unknown as why:
            return False, why.reason
        told = f"RSI(14) of the VIX at {strength:.1f}, asked for is {side} {MIDDLE:g}"
        return (strength > MIDDLE if up else strength < MIDDLE), told

    def _is_recent(self, view: View, at: int) -> bool:
        """Out by now, and at most `print_sessions` sessions ago."""
        ends = session_after(CALENDAR, at, self.print_sessions) + DAY
        view.wake(at)
        view.wake(ends)
        return at <= view.now < ends


def _expanding(lines: tuple[Macd, Macd]) -> Condition:
    growth = [float(growth_above_zero(line.histogram)[-1]) for line in lines]
    least = min(growth)
    size = float(np.abs(np.concatenate([line.histogram[-3:] for line in lines])).mean())
    state = "above zero and expanding" if least > 0 else "not both above zero and expanding"
    reason = f"the histograms of 30 and 60 days, {lines[0].histogram[-1]:+.3f} and {lines[1].histogram[-1]:+.3f}, are {state}"
    return more_than("expanding", least, 0.0, scale=size or 1.0, unit="volatility points", reason=reason)


def _flat(lines: tuple[Macd, Macd]) -> Condition:
    most = max(abs(_latest(trend(line.macd, FLAT_BARS, FLAT_SAMPLES), "flatness of MACD")) for line in lines)
    reason = f"MACD has moved by {most:.2f} of its usual {FLAT_BARS}-day change at most, under {FLAT_SHARE:g} is flat"
    return less_than("flat", most, FLAT_SHARE, unit="standard deviations", reason=reason)


def _narrowing(view: View) -> Condition:
    line = best_bars(view, BREADTH.metric, (BREADTH.subject,), HISTORY_BARS, MINIMUM_BARS).value
    fall = _latest(trend(line, BREADTH_DAYS), "a fall of the A/D line")
    weak = bool(weakens(line, BREADTH_DAYS)[-1])
    below = "below" if line[-1] < line[-BREADTH_DAYS:].mean() else "not below"
    reason = f"the A/D line has changed by {fall:+.2f} standard deviations in {BREADTH_DAYS} days and is {below} its mean of these"
    return flag("A/D weakens", weak, reason=reason)


def _latest(row: Floats, what: str) -> float:
    if np.isnan(row[-1]):
        raise Unknown("short", f"{len(row)} bars are too few, or too still, to tell {what}")
    return float(row[-1])
