"""No rule looks ahead: whatever becomes known after t, is changed then or never comes, the verdict of t stays the same to the byte. F-083.

The material is every rule's own YAML tests: a rule joins by its file, and a rule without one fails here. For each instant t of which something is
expected, history is thought through three times: with nothing that was known later than t; up to t, with everything that was known later dropped,
altered and added to; and past t with the same. Of the last, the verdict is taken as it stood at t. What is configured stays the same throughout.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import ClassVar

import pytest

from monitor.cli.rule_file import read_tests
from monitor.core.codec import dumps
from monitor.core.engine import Engine
from monitor.core.observation import Observation
from monitor.core.rule import Class, Group, Input, Rule, Scope
from monitor.core.settings import PlugIn, Settings, SourceSettings
from monitor.core.state import Instance
from monitor.core.units import DAY, HOUR, iso, parse_time
from monitor.core.verdict import State, Verdict
from monitor.core.view import View
from monitor.core.vocabulary import find_metric
from monitor.registry import Catalogue, plugins
from monitor.replay.rule_tests import RuleTest, admitted, settings_of_test
from monitor.replay.runner import by_knowledge
from tests.builders import START, RealPlugins, seen

FOLDER = Path(__file__).parent / "rules"
TESTS = {rule: read_tests(file, Catalogue().rules) for rule in Catalogue().rules if (file := FOLDER / f"{rule}.yaml").exists()}
CASES = [pytest.param(test, id=f"{rule}: {test.name}") for rule, tests in TESTS.items() for test in tests if test.series]
LATER_MS = 30 * DAY
Make = Callable[[Sequence[Observation]], Engine]


def real(_: Sequence[Observation]) -> Engine:
    return Engine(Catalogue())


def perturbed(rows: Sequence[Observation], t: int, rng: Random) -> list[Observation]:
    """Known by t: as it was. Known later: a third is dropped, a third altered, and to each row of old comes now and then a later revision."""
    changed: list[Observation] = []
    for row in rows:
        if row.known_at <= t:
            changed.append(row)
            if rng.random() < 0.2:
                changed.append(replace(row, value=altered(row, rng), known_at=t + rng.randint(1, LATER_MS)))
        elif (chance := rng.random()) > 1 / 3:
            changed.append(row if chance > 2 / 3 else replace(row, value=altered(row, rng)))
    newest = {row.key: row for row in rows}
    for row in newest.values():
        at = max(row.at, t) + rng.randint(1, DAY)
        changed.append(replace(row, at=at, known_at=at, value=altered(row, rng)))
    return changed


def altered(row: Observation, rng: Random) -> float | int:
    """Another value that the vocabulary lets in."""
    metric = find_metric(row.metric)
    assert metric is not None
    value = min(max(row.value * rng.choice([0.3, 0.8, 1.3, 3.0]), metric.low), metric.high)
    return int(value) if metric.exact else float(value)


def said_at(make: Make, settings: Settings, instance: Instance, rows: Sequence[Observation], t: int, until: int) -> str:
    """The verdict as it stood at t, in the canonical spelling; where history was to end at t, the last there is, as `explain --at` takes it."""
    ordered = sorted(rows, key=lambda row: row.known_at)
    engine = make(ordered)
    stood = None
    for event, _ in by_knowledge(engine, settings, ordered, until, [t]):
        if event.now <= t or until == t:
            stood = engine.state.verdicts.get(instance)
    return dumps(stood)


def nothing_later_matters(make: Make, settings: Settings, instance: Instance, rows: Sequence[Observation], t: int) -> None:
    """Raises AssertionError where the verdict of t knows what became known later. The altered histories go first: nothing may remember them."""
    pairs = tuple(sorted({(row.metric, row.subject) for row in rows}))
    fed = replace(settings, sources={"all": SourceSettings(cadence_ms=10**15, provides=pairs)})
    # History begins with its first row, and that must not be one of those that are altered.
    anchor = seen("iv.index", "ANCHOR", 50.0, min([t, *(row.known_at for row in rows)]) - HOUR)
    rows = [anchor, *rows]
    later = perturbed(rows, t, Random(f"{instance} {t}"))
    assert later != rows, "nothing was perturbed"
    past_t = said_at(make, fed, instance, later, t, t + LATER_MS)
    up_to_t = said_at(make, fed, instance, later, t, t)
    cut = said_at(make, fed, instance, [row for row in rows if row.known_at <= t], t, t)
    assert up_to_t == cut, f"at {iso(t)}"
    assert past_t == cut, f"at {iso(t)}, seen from later"


@pytest.mark.parametrize("rule", sorted(plugins("monitor.rules", Rule)))
def test_f_083_every_rule_has_material_here(rule: str):
    assert [test for test in TESTS.get(rule, ()) if test.series and test.expect], f"{rule} has no tests/rules/{rule}.yaml with series in it"


@pytest.mark.parametrize("test", CASES)
def test_f_083_what_becomes_known_later_changes_no_verdict(test: RuleTest):
    rows = [row for line in test.series for row in admitted(line)[0]]
    for _, expected in test.expect:
        nothing_later_matters(real, settings_of_test(test), Instance(test.rule, expected.subject), rows, parse_time(expected.at))


# --- that it is seen when one does ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Honest(Rule):
    """What the planted rules share: TVL, by the hour."""

    title: ClassVar[str] = "planted"
    scope: ClassVar[Scope] = Scope.TVL
    groups: ClassVar[tuple[Group, ...]] = (Group.ONCHAIN,)
    kind: ClassVar[Class] = Class.EVIDENCE

    def inputs(self, subject: str) -> tuple[Input, ...]:
        return (Input("tvl.usd", subject),)

    def judge(self, view: View, subject: str) -> Verdict:
        total = self.total(float(view.newest("tvl.usd", subject, "s1", fresh=False).value))
        return Verdict(State.QUIET, f"it reads {total:g}")

    def over(self, view: View, subject: str, since: int) -> bool:
        return True

    def total(self, now: float) -> float:
        return now


Honest.id = "honest"


@dataclass(frozen=True, kw_only=True)
class Peeks(Honest):
    """Knows the whole table beforehand, as a careless sweep would."""

    table: ClassVar[Sequence[Observation]] = ()

    def total(self, now: float) -> float:
        return sum(float(row.value) for row in self.table if row.metric == "tvl.usd")


Peeks.id = "peeks"


@dataclass(frozen=True, kw_only=True)
class Remembers(Honest):
    """Keeps what it saw in another run."""

    memory: ClassVar[list[float]] = []

    def total(self, now: float) -> float:
        self.memory.append(now)
        return sum(self.memory)


Remembers.id = "remembers"

ROWS = [seen("tvl.usd", "chain:ethereum", 100.0, START + n * HOUR) for n in range(12)]


def planted(rule: type[Honest]) -> None:
    def make(rows: Sequence[Observation]) -> Engine:
        Peeks.table = rows
        return Engine(RealPlugins(rule))

    settings = Settings(tvl_subjects=("chain:ethereum",), rules={rule.id: PlugIn()})
    nothing_later_matters(make, settings, Instance(rule.id, "chain:ethereum"), ROWS, START + 6 * HOUR)


def test_f_083_an_honest_rule_among_the_planted_passes():
    planted(Honest)


@pytest.mark.parametrize("rule", [Peeks, Remembers])
def test_f_083_a_planted_rule_that_looks_ahead_is_caught(rule: type[Honest], forgotten: None):
    with pytest.raises(AssertionError, match="at 2024-03-04T06:00:00Z"):
        planted(rule)


@pytest.fixture
def forgotten() -> Iterator[None]:
    """No planted rule's memory outlives its test."""
    yield
    Peeks.table = ()
    Remembers.memory.clear()
