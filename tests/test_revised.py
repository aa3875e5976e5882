"""F-082: a revised CPI changes the verdict of today and no past decision, and is told where it alone turns the verdict over."""

from collections.abc import Sequence
from typing import Any

import pytest

from monitor.config.model import ALERT_TYPES
from monitor.core.effects import Alerted, Effect
from monitor.core.events import Configured
from monitor.core.observation import Reading
from monitor.core.settings import read_settings
from monitor.core.state import Instance
from monitor.core.units import DAY, HOUR, month_before, parse_time
from monitor.pipeline import Pipeline
from monitor.replay.audit import audit
from monitor.replay.explain import explain
from monitor.store.sqlite import SqliteStore
from tests.builders import judged, settings_of
from tests.pipelines import pipeline_on, written

JANUARY, FEBRUARY = parse_time("2024-01-01"), parse_time("2024-02-01")
PRINTED, REVISED = parse_time("2024-03-12T12:30:00Z"), parse_time("2024-03-20T12:30:00Z")
SETTINGS = settings_of(rules=["macro-rising"], sources={"bls": {"cadence_ms": 10**13, "provides": [["macro.cpi", "US"]]}})
RISING = Instance("macro-rising", "US")


def level(month: int, value: float, known_at: int, metric: str = "macro.cpi") -> Reading:
    return Reading(metric, "US", value, month, known_at)


def past() -> list[Reading]:
    """A flat year, January 3.0% above it."""
    flat = [level(month_before(JANUARY, back), 300.0, month_before(JANUARY, back - 1) + 12 * DAY) for back in range(14, 0, -1)]
    return [*flat, level(JANUARY, 309.0, parse_time("2024-02-13T13:30:00Z"))]


@pytest.fixture
def pipeline() -> Pipeline:
    """February printed 3.2% above a year ago, and macro-rising fired."""
    made = pipeline_on(SqliteStore(":memory:"))
    made.process(Configured(parse_time("2024-03-01"), SETTINGS))
    made.receive(past(), source="bls", now=parse_time("2024-03-01"))
    made.receive([level(FEBRUARY, 309.6, PRINTED)], source="bls", now=PRINTED)
    return made


def alerts(effects: Sequence[Effect]) -> list[Alerted]:
    return [effect for effect in effects if isinstance(effect, Alerted) and effect.type == "data.revised"]


def ask(pipeline: Pipeline, at: int) -> tuple[str, float, list[float]]:
    answer: dict[str, Any] = explain(pipeline.store, read_settings(SETTINGS), "macro-rising", "US", None, at)
    return answer["verdict"], answer["value"], [e["value"] for e in answer["evidence"]]


def test_f_082_a_revised_cpi_changes_today_s_verdict_and_no_past_decision(pipeline: Pipeline):
    before = written([effect for _, effect in pipeline.store.effects()])
    received = pipeline.receive([level(FEBRUARY, 308.9, REVISED)], source="bls", now=REVISED)
    assert judged(received.effects) == [(REVISED, "macro-rising", "US", "QUIET")]
    assert written([effect for _, effect in pipeline.store.effects()])[: len(before)] == before
    assert ask(pipeline, PRINTED) == ask(pipeline, REVISED - 1) == ("FIRED", 3.2, [309.6, 309.0])
    assert ask(pipeline, REVISED) == ask(pipeline, REVISED + HOUR) == ("QUIET", 3.0, [308.9, 309.0])
    in_force = pipeline.store.verdict_in_force("macro-rising", "US", REVISED - 1)
    assert in_force is not None and in_force.verdict.state == "FIRED"


def test_f_082_the_flip_is_an_event_of_its_own_that_names_the_old_print_and_the_new(pipeline: Pipeline):
    received = pipeline.receive([level(FEBRUARY, 308.9, REVISED)], source="bls", now=REVISED)
    (alert,) = alerts(received.effects)
    assert alert.type in ALERT_TYPES
    assert alert.summary == (
        "Revised: macro.cpi of 2024-02 (bls) from 309.6 to 308.9. macro-rising for US is QUIET and was FIRED; what was decided before stays"
    )
    assert (alert.data["from"], alert.data["to"]) == ("FIRED", "QUIET")
    assert "3.2% is above" in alert.data["before"] and "3.0% is equal" in alert.data["after"]
    (named,) = alert.data["revisions"]
    assert (named["before"], named["after"], named["at"], named["known_at"]) == (309.6, 308.9, FEBRUARY, REVISED)
    (body,) = pipeline.store.connection.execute("SELECT body FROM outbox WHERE type = 'data.revised'").fetchone()
    assert b'"known_at":"2024-03-20T12:30:00Z"' in body


@pytest.mark.parametrize(
    ("news", "told"),
    [
        ([level(FEBRUARY, 309.61, REVISED)], 0),
        ([level(month_before(FEBRUARY, 12), 301.0, REVISED)], 1),
        ([level(JANUARY, 311.0, REVISED)], 1),
        ([level(month_before(FEBRUARY, -1), 300.0, REVISED)], 0),
        ([level(month_before(FEBRUARY, -1), 300.0, REVISED), level(FEBRUARY, 309.7, REVISED)], 0),
        ([level(FEBRUARY, 308.9, REVISED, "macro.cpi_sa")], 0),
    ],
    ids=["no flip", "its base was revised", "the print before was revised", "a new print", "a new print with a revision", "another series"],
)
def test_f_082_only_a_revision_that_turns_the_verdict_over_is_told(pipeline: Pipeline, news: Sequence[Reading], told: int):
    assert len(alerts(pipeline.receive(news, source="bls", now=REVISED).effects)) == told


def test_f_082_a_revision_that_makes_it_fire_is_told_too_and_each_turn_once(pipeline: Pipeline):
    values = (308.9, 308.9, 309.6, 309.5)
    effects = [e for i, v in enumerate(values) for e in pipeline.receive([level(FEBRUARY, v, REVISED + i)], source="bls", now=REVISED + i).effects]
    assert [(a.data["from"], a.data["to"]) for a in alerts(effects)] == [("FIRED", "QUIET"), ("QUIET", "FIRED")]
    assert len({alert.id for alert in alerts(effects)}) == 2


def test_f_086_the_same_print_from_a_coarser_source_changes_nothing_and_is_no_revision(pipeline: Pipeline):
    """309.64 rounds to 309.6: the year on year of the coarse one would be another, and is not read."""
    exact = [level(FEBRUARY, 309.64, REVISED), level(JANUARY, 309.04, REVISED)]
    pipeline.receive(exact, source="bls", now=REVISED)
    coarse = [Reading(r.metric, r.subject, round(float(r.value), 1), r.at, REVISED, "alfred") for r in [*past(), level(FEBRUARY, 309.64, REVISED)]]
    received = pipeline.receive(coarse, source="alfred", now=REVISED + 1)
    assert [e for e in received.effects if not isinstance(e, Alerted)] == []
    assert alerts(received.effects) == []
    assert {e.source for e in pipeline.engine.state.verdicts[RISING].evidence} == {"bls"}


def test_sources_that_disagree_by_more_than_rounding_are_contested_and_nothing_is_decided_on_them(pipeline: Pipeline):
    other = [Reading(r.metric, r.subject, float(r.value) + 0.9, r.at, PRINTED, "fred") for r in [*past(), level(FEBRUARY, 309.6, PRINTED)]]
    received = pipeline.receive(other, source="fred", now=PRINTED)
    assert judged(received.effects) == [(PRINTED, "macro-rising", "US", "UNKNOWN")]
    verdict = pipeline.engine.state.verdicts[RISING]
    assert "the sources of the CPI of 2024-02 differ by more than their rounding (bls 309.6, fred 310.5)" in verdict.reason


def test_a_restart_between_print_and_revision_tells_the_same(pipeline: Pipeline):
    restarted = pipeline_on(pipeline.store)
    restarted.restore()
    restarted.process(Configured(REVISED - 1, SETTINGS))
    assert len(alerts(restarted.receive([level(FEBRUARY, 308.9, REVISED)], source="bls", now=REVISED).effects)) == 1


def test_the_audit_thinks_the_revision_again_to_the_byte(pipeline: Pipeline):
    pipeline.receive([level(FEBRUARY, 308.9, REVISED)], source="bls", now=REVISED)
    lines: list[str] = []
    found = audit(pipeline.store, lines.append)
    assert found.same, found.sentence
    assert any('"data.revised"' in line for line in lines)
