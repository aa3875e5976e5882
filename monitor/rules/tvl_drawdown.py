"""Total value locked has fallen fast: 8% or more below its highest value of the last 48 hours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from monitor.core.rule import Class, Group, Input, Rule, Scope
from monitor.core.units import HOUR, MINUTE, Duration, Fraction
from monitor.core.verdict import Unknown, Verdict, at_most, of_one
from monitor.core.view import View, Window, must_be_covered

STEP = 0.50
CONFIRMATIONS = 2
SLOW_CADENCE_MS = HOUR
STANDS_WITHIN = 1.02


@dataclass(frozen=True, kw_only=True)
class TvlDrawdown(Rule):
    """ALVH: 8% and 48 h are the method's own numbers.

    `variant` high compares with the highest value of the window, start with the value at its beginning. The exit asks for a drawdown of less than
    `exit` through `exit_for`, counted on the series' own times.
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
        points = self._points(view, subject, self.window)
        fall = self._drawdown(points, len(points) - 1)
        _must_be_confirmed(points, fall <= -self.threshold)
        against = "its highest value of" if self.variant == "high" else "its value at the start of"
        reason = f"TVL of {subject} is {_percent(fall)} against {against} the last {self.window / HOUR:g} h"
        return of_one(at_most("drawdown", fall, -self.threshold, unit="fraction", reason=reason))

    def over(self, view: View, subject: str, since: int) -> bool:
        """Drawdown above -4% at every sample of 24 h, the first of them included."""
        points = self._points(view, subject, self.window + self.exit_for)
        falls = np.array([self._drawdown(points, i) for i in range(len(points))])
        bad = np.flatnonzero(falls <= -self.exit)
        first_good = int(bad[-1]) + 1 if len(bad) else 0
        return first_good < len(points) and int(points.at[-1] - points.at[first_good]) >= self.exit_for

    def _points(self, view: View, subject: str, span_ms: int) -> Window:
        """The window of the first source that covers it, with newer points of the others; where none does alone, that of all together.

        A provider's newest value comes apart from its days: one is slow and whole, the other fast and young.
        """
        sources = view.sources("tvl.usd", subject)
        reasons: list[Unknown] = []
        for source in sources:
            try:
                covered = view.window("tvl.usd", subject, source, span_ms)
            except Unknown as why:
                reasons.append(why)
                continue
            return _joined([covered, *_fresh(view, subject, [s for s in sources if s != source], span_ms)])
        parts = sorted(_fresh(view, subject, sources, span_ms), key=lambda part: -part.cadence_ms)
        if len(parts) < 2:
            raise reasons[0] if reasons else Unknown("missing", f"nobody has given the TVL of {subject} yet")
        joined = _joined(parts)
        must_be_covered(joined.at, view.now - span_ms, span_ms, parts[0].cadence_ms, f"tvl.usd {subject}")
        return joined

    def _drawdown(self, points: Window, place: int) -> float:
        """Fall of one sample against its own window, as a fraction (0 or negative for `high`). A window of zeros has not fallen."""
        start = int(np.searchsorted(points.at, points.at[place] - self.window))
        before = points.value[start : place + 1]
        base = float(before.max() if self.variant == "high" else before[0])
        # 92 / 100 - 1 is a binary hair above -8%: a fall of exactly the threshold must count.
        return round(float(points.value[place]) / base - 1, 12) if base > 0 else 0.0


def _fresh(view: View, subject: str, sources: Sequence[str], span_ms: int) -> list[Window]:
    """What the sources have, those left out that are stale or have nothing."""
    windows = []
    for source in sources:
        try:
            windows.append(view.window("tvl.usd", subject, source, span_ms, covered=False))
        except Unknown:
            continue
    return windows


def _joined(parts: Sequence[Window]) -> Window:
    """The first window, and of each other one the points after those so far."""
    first = parts[0]
    at, known_at, value = first.at, first.known_at, first.value
    for part in parts[1:]:
        newer = part.at > at[-1]
        at, known_at = np.append(at, part.at[newer]), np.append(known_at, part.known_at[newer])
        value = np.append(value, part.value[newer])
    return Window(at, known_at, value, first.cadence_ms, first.source)


def _must_be_confirmed(points: Window, fired: bool) -> None:
    """Raise Unknown for a fall that has not stood yet: for 2 further observations, or for an hour (ALVH).

    A series that comes hourly or slower is taken as it is, except a zero or a step over 50%.
    """
    if not fired:
        return
    falls_ms, standing = _standing(points)
    before = float(points.value[-standing - 1]) if standing < len(points) else float(points.value[0])
    steep = float(points.value[-1]) < (1 - STEP) * before
    if points.cadence_ms >= SLOW_CADENCE_MS and not steep:
        return
    if standing <= CONFIRMATIONS and falls_ms < HOUR:
        raise Unknown("unconfirmed", f"TVL fell from {before:,.0f} to {points.value[-1]:,.0f} USD and has not stood there yet")


def _standing(points: Window) -> tuple[int, int]:
    """For how long (ms) and at how many of the newest points the value has stood within 2% of the newest, or below."""
    ceiling = float(points.value[-1]) * STANDS_WITHIN
    above = np.flatnonzero(points.value > ceiling)
    standing = len(points) - (int(above[-1]) + 1 if len(above) else 0)
    return int(points.at[-1] - points.at[-standing]), standing


def _percent(fraction: float) -> str:
    return f"{fraction:+.1%}"
