"""What a rule answers: a verdict made of conditions, each with its number, its threshold and how far it is from firing.

`distance` is (value - threshold) / scale in the firing direction: 0 is the threshold, positive has fired. Truth is three-valued (Kleene):
what is not known is UNKNOWN, never QUIET.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    FIRED = "FIRED"
    QUIET = "QUIET"
    UNKNOWN = "UNKNOWN"
    NOT_CONFIGURED = "NOT_CONFIGURED"


class Unknown(Exception):
    """Raised by whatever cannot be judged; the engine turns it into an UNKNOWN verdict with this code and reason."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Evidence:
    """One value that was read for a verdict."""

    metric: str
    subject: str
    source: str
    at: int
    known_at: int
    value: float | int
    block_hash: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """One leg of a rule. Values are in the leg's own unit, named in `name` or `unit`."""

    name: str
    state: State
    reason: str
    value: float | None = None
    threshold: float | None = None
    distance: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of a rule at one instant. `code` is the short stable name of the reason: a new code is a new verdict worth recording."""

    state: State
    reason: str
    code: str = ""
    value: float | None = None
    threshold: float | None = None
    distance: float | None = None
    unit: str = ""
    conditions: tuple[Condition, ...] = ()
    evidence: tuple[Evidence, ...] = ()


def at_least(name: str, value: float, threshold: float, *, scale: float | None = None, unit: str = "", reason: str = "") -> Condition:
    """FIRED when value >= threshold. `scale` is needed where the threshold is 0."""
    return _compared(name, value, threshold, value >= threshold, (value - threshold) / _scale(threshold, scale), unit, reason)


def at_most(name: str, value: float, threshold: float, *, scale: float | None = None, unit: str = "", reason: str = "") -> Condition:
    """FIRED when value <= threshold."""
    return _compared(name, value, threshold, value <= threshold, (threshold - value) / _scale(threshold, scale), unit, reason)


def more_than(name: str, value: float, threshold: float, *, scale: float | None = None, unit: str = "", reason: str = "") -> Condition:
    """FIRED when value > threshold, strictly; at the threshold the distance is 0 and it is QUIET."""
    return _compared(name, value, threshold, value > threshold, (value - threshold) / _scale(threshold, scale), unit, reason)


def less_than(name: str, value: float, threshold: float, *, scale: float | None = None, unit: str = "", reason: str = "") -> Condition:
    """FIRED when value < threshold, strictly; at the threshold the distance is 0 and it is QUIET."""
    return _compared(name, value, threshold, value < threshold, (threshold - value) / _scale(threshold, scale), unit, reason)


def flag(name: str, fired: bool, *, distance: float | None = None, reason: str = "") -> Condition:
    """A leg that is true or false; without a natural number its distance is 0 when true and -1 when false."""
    return Condition(name, State.FIRED if fired else State.QUIET, reason, distance=distance if distance is not None else (0.0 if fired else -1.0))


def unknown(name: str, reason: str) -> Condition:
    return Condition(name, State.UNKNOWN, reason)


def attempt(name: str, judge: Callable[[], Condition]) -> Condition:
    """The condition that `judge` gives, or UNKNOWN with the reason it raised: one blind leg must not hide the others."""
    try:
        return judge()
    except Unknown as why:
        return unknown(name, why.reason)


def _scale(threshold: float, scale: float | None) -> float:
    chosen = abs(threshold) if scale is None else scale
    if chosen <= 0:
        raise ValueError("a condition with threshold 0 needs a positive scale")
    return chosen


def _compared(name: str, value: float, threshold: float, fired: bool, distance: float, unit: str, reason: str) -> Condition:
    return Condition(name, State.FIRED if fired else State.QUIET, reason, value, threshold, distance, unit)


def all_of(parts: Iterable[Condition], reasons: Mapping[State, str], code: str = "") -> Verdict:
    """FIRED when every part has fired; QUIET as soon as one is quiet; else UNKNOWN. The distance is that of the farthest part.

    `reasons` gives the sentence for FIRED and QUIET; UNKNOWN names the blind parts.
    """
    conditions = tuple(parts)
    states = {c.state for c in conditions}
    if State.QUIET in states:
        return _combined(State.QUIET, conditions, reasons, code, min)
    if State.UNKNOWN in states:
        return _combined(State.UNKNOWN, conditions, reasons, code, min)
    return _combined(State.FIRED, conditions, reasons, code, min)


def any_of(parts: Iterable[Condition], reasons: Mapping[State, str], code: str = "") -> Verdict:
    """FIRED as soon as one part has fired; QUIET when every part is quiet; else UNKNOWN. The distance is that of the nearest part."""
    conditions = tuple(parts)
    states = {c.state for c in conditions}
    if State.FIRED in states:
        return _combined(State.FIRED, conditions, reasons, code, max)
    if State.UNKNOWN in states:
        return _combined(State.UNKNOWN, conditions, reasons, code, max)
    return _combined(State.QUIET, conditions, reasons, code, max)


def _combined(state: State, conditions: tuple[Condition, ...], reasons: Mapping[State, str], code: str, pick: Callable[..., Condition]) -> Verdict:
    if state is State.UNKNOWN:
        blind = "; ".join(f"{c.name}: {c.reason}" for c in conditions if c.state is State.UNKNOWN)
        return Verdict(state, blind, code or "blind", conditions=conditions)
    known = [c for c in conditions if c.distance is not None and c.state is not State.UNKNOWN]
    lead = pick(known, key=lambda c: c.distance) if known else conditions[0]
    return Verdict(state, reasons[state], code, lead.value, lead.threshold, lead.distance, lead.unit, conditions)


def of_one(condition: Condition, code: str = "") -> Verdict:
    """The verdict of a rule with a single condition."""
    c = condition
    return Verdict(c.state, c.reason, code, c.value, c.threshold, c.distance, c.unit, (c,))
