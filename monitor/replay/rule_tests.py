"""Unit tests of rules, as promtool has them: a few series written short, and the verdict that is expected at an instant.

A test runs through the same replay as `explain --at`, so what passes here is what the daemon would say. `cli.rule_file` reads the YAML;
the notation of values is promtool's, and stands in `expand`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from monitor.core.book import Book, Position
from monitor.core.decode import parse_decimal
from monitor.core.door import admit
from monitor.core.engine import Engine
from monitor.core.observation import Observation, Reading
from monitor.core.rule import Scope
from monitor.core.scope import EQUITY
from monitor.core.sessions import session_after
from monitor.core.settings import PlugIn, Settings
from monitor.core.state import Instance
from monitor.core.units import Duration, Number, iso, month_before, parse_duration, parse_time
from monitor.core.verdict import State, Verdict
from monitor.registry import Catalogue
from monitor.replay.runner import by_knowledge

MONTHLY, SESSION = "month", "session"
MOST_SAMPLES = 20_000
TOLERANCE = 1e-6
# The door refuses what lies in the future, and a test may play in any year.
RECEIVED_AT = parse_time("9999-01-01")
_NUMBER = r"-?(?:[0-9]+(?:\.[0-9]+)?)(?:e[+-]?[0-9]+)?"
_TOKEN = re.compile(rf"({_NUMBER})(?:([+-](?:[0-9]+(?:\.[0-9]+)?))?x([0-9]+))?")
_MISSING = re.compile(r"_(?:x([0-9]+))?")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One series of a test, as it is written.

    `known_after` is how long after its time each sample could be known; without it the metric's own rule holds.
    """

    metric: str
    subject: str
    values: str
    start: str
    every: str
    source: str = "test"
    known_after: Duration | None = None

    def __post_init__(self) -> None:
        parse_time(self.start)
        if self.every not in (MONTHLY, SESSION) and _step_ms(self.every) <= 0:
            raise ValueError(f"every: {self.every!r} is not a spacing: write 1h, 1d, {MONTHLY} or {SESSION} (of the NYSE)")
        if len(expand(self.values)) > MOST_SAMPLES:
            raise ValueError(f"values: more than {MOST_SAMPLES} samples")


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What the verdict at one instant should be; what is not written is not compared. `reason` is a part of the sentence."""

    at: str
    verdict: State
    subject: str = ""
    code: str | None = None
    value: Number | None = None
    threshold: Number | None = None
    distance: Number | None = None
    reason: str | None = None
    episode: Literal["open", "none"] | None = None

    def __post_init__(self) -> None:
        parse_time(self.at)


@dataclass(frozen=True)
class RuleTest:
    """One test. `rules` holds the settings of the rule and of those that it needs, in inner units.

    Each expectation comes with its place in the file.
    """

    name: str
    rule: str
    rules: Mapping[str, Mapping[str, Any]]
    series: Sequence[Line]
    expect: Sequence[tuple[str, Expectation]]
    book: Book = field(default_factory=Book)
    positions: tuple[Position, ...] = ()


def _step_ms(every: str) -> int:
    found = parse_duration(every)
    return found if isinstance(found, int) else 0


def expand(values: str) -> list[float | None]:
    """Samples of a line, None where one is missing.

    `5` is one sample, `5x3` is it and three more of it, `5+2x3` is 5 7 9 11, `5-2x3` is 5 3 1 -1; `_` is a missing one, `_x3` are three;
    `stale` at the end says that nothing comes any more. Raises ValueError with the token that is none of these.
    """
    samples: list[float | None] = []
    tokens = values.split()
    for position, token in enumerate(tokens):
        if token == "stale" and position == len(tokens) - 1:
            break
        samples += _samples(token, position)
        if len(samples) > MOST_SAMPLES:
            break
    return samples


def _samples(token: str, position: int) -> list[float | None]:
    if gap := _MISSING.fullmatch(token):
        return [None] * min(int(gap[1] or 1), MOST_SAMPLES + 1)
    run = _TOKEN.fullmatch(token)
    if run is None:
        advice = "write a number, 5x3, 5+2x3, _ or _x3" + (" (stale may only stand at the end)" if token == "stale" else "")
        raise ValueError(f"values: {token!r}, number {position + 1}, is not understood; {advice}")
    first, step = parse_decimal(run[1]), parse_decimal((run[2] or "0").removeprefix("+"))
    return [first + step * n for n in range(min(int(run[3] or 0), MOST_SAMPLES) + 1)]


def readings(line: Line) -> Iterator[Reading]:
    """The samples of one line with their times."""
    start = parse_time(line.start)
    for n, value in enumerate(expand(line.values)):
        at = _instant(start, n, line.every)
        if value is not None:
            yield Reading(line.metric, line.subject, value, at, None if line.known_after is None else at + line.known_after, line.source)


def _instant(start: int, n: int, every: str) -> int:
    """The time of the n-th sample after the first."""
    if every == MONTHLY:
        return month_before(start, -n)
    return session_after("nyse", start, n) if every == SESSION else start + n * _step_ms(every)


def admitted(line: Line) -> tuple[tuple[Observation, ...], str]:
    """The observations of one line as the door lets them in, and why the first of the refused was refused."""
    admission = admit(list(readings(line)), source="test", received_at=RECEIVED_AT)
    return admission.observations, admission.rejections[0].reason if admission.rejections else ""


def failures(test: RuleTest) -> Iterator[str]:
    """One line for each expectation that is not met: where it stands, what was expected, what came."""
    history = sorted((o for line in test.series for o in admitted(line)[0]), key=lambda o: o.known_at)
    for place, expected in test.expect:
        engine = Engine(Catalogue())
        for _ in by_knowledge(engine, settings_of_test(test), history, parse_time(expected.at)):
            pass
        yield from _differences(f"{place}: {test.name}", engine, Instance(test.rule, expected.subject), expected)


def settings_of_test(test: RuleTest) -> Settings:
    """Exactly the subjects that something is expected of are watched."""
    subjects = tuple(dict.fromkeys(expected.subject for _, expected in test.expect))
    scope = Catalogue().rules[test.rule].scope
    book = replace(test.book, assets=test.book.assets or (tuple(s for s in subjects if s != EQUITY) if scope in (Scope.ASSET, Scope.INDEX) else ()))
    rules = {name: PlugIn(settings=settings) for name, settings in test.rules.items()}
    tvl, lending = (subjects if scope is one else () for one in (Scope.TVL, Scope.LENDING))
    return Settings(book=book, positions=test.positions, tvl_subjects=tvl, lending_subjects=lending, rules=rules)


def _differences(where: str, engine: Engine, instance: Instance, expected: Expectation) -> Iterator[str]:
    head = f"{where}: at {iso(parse_time(expected.at))} {instance.subject}"
    verdict = engine.state.verdicts.get(instance)
    if verdict is None:
        yield f"{head}: expected {expected.verdict}, got nothing: {instance.rule} has no such subject"
        return
    if verdict.state != expected.verdict:
        yield f"{head}: expected {expected.verdict}, got {verdict.state}: {verdict.reason}"
        return
    yield from (f"{head}: {difference}" for difference in _details(verdict, expected))
    if expected.episode is not None and expected.episode != (found := "open" if instance in engine.state.episodes else "none"):
        yield f"{head}: expected episode {expected.episode}, got {found}"


def _details(verdict: Verdict, expected: Expectation) -> Iterator[str]:
    for name in ("value", "threshold", "distance"):
        wanted, got = getattr(expected, name), getattr(verdict, name)
        if wanted is not None and (got is None or abs(got - wanted) > TOLERANCE):
            yield f"expected {name} {wanted:g}, got {'none' if got is None else f'{got:.9g}'}"
    if expected.code is not None and expected.code != verdict.code:
        yield f"expected code {expected.code!r}, got {verdict.code!r}"
    if expected.reason is not None and expected.reason not in verdict.reason:
        yield f"expected a reason with {expected.reason!r}, got {verdict.reason!r}"
