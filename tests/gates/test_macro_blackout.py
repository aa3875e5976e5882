"""macro-blackout: signals wait, evidence is halved, safety is untouched, by the calendar as known at that time."""

import pytest
from pydantic import ValidationError

from monitor.core.observation import Observation
from monitor.core.proposal import Proposal
from monitor.core.rule import Class, Outcome, Ruling
from monitor.core.units import DAY, HOUR, parse_time
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.gates.macro_blackout import MacroBlackout
from monitor.registry import build
from tests.builders import evidence_of, proposal_of, seen, view_of

GATE = MacroBlackout()
CPI = parse_time("2024-03-12T12:30:00Z")
SIGNAL, EVIDENCE, SAFETY = (proposal_of(kind=kind) for kind in (Class.SIGNAL, Class.EVIDENCE, Class.SAFETY))


def event(at: int = CPI, name: str = "CPI", value: int = 1, source: str = "us-calendar", known_at: int | None = None) -> Observation:
    return seen("macro.event", name, value, at, source, known_at if known_at is not None else CPI - 90 * DAY)


def rule_on(proposal: Proposal, now: int, *events: Observation) -> Ruling:
    return GATE.judge(view_of(*events, now=now), proposal)


@pytest.mark.parametrize(
    ("offset", "inside"),
    [(-24 * HOUR - 1, False), (-24 * HOUR, True), (0, True), (2 * HOUR, True), (2 * HOUR + 1, False)],
)
def test_the_window_runs_from_24_hours_before_to_2_hours_after_edges_included(offset: int, inside: bool):
    events = (event(), event(CPI + 10 * DAY, "FOMC"))
    assert rule_on(SIGNAL, CPI + offset, *events).outcome is (Outcome.BLOCK if inside else Outcome.PASS)
    assert rule_on(EVIDENCE, CPI + offset, *events).outcome is (Outcome.HALVE if inside else Outcome.PASS)
    assert rule_on(SAFETY, CPI + offset, *events).outcome is Outcome.PASS


def test_it_says_which_release_and_that_it_halved():
    assert rule_on(EVIDENCE, CPI, event()).verdict.reason == "halved: inside the blackout of CPI at 2024-03-12T12:30:00Z"


@pytest.mark.parametrize(
    ("offset", "wakes_in"),
    [(-30 * HOUR, 6 * HOUR), (-24 * HOUR, 26 * HOUR + 1), (0, 2 * HOUR + 1), (-61 * DAY, DAY)],
    ids=["its opening", "its end", "its end, too", "its coming into sight"],
)
def test_the_view_is_woken_at_the_edges_of_the_window(offset: int, wakes_in: int):
    view: View = view_of(event(), now=CPI + offset)
    GATE.judge(view, EVIDENCE)
    assert view.due == CPI + offset + wakes_in


def test_f_081_a_release_that_was_moved_opens_no_window_where_it_stood():
    moved = (event(), event(value=0, known_at=CPI - 3 * DAY), event(CPI + 5 * DAY, known_at=CPI - 3 * DAY))
    assert rule_on(SIGNAL, CPI, *moved).outcome is Outcome.PASS
    assert rule_on(SIGNAL, CPI + 5 * DAY, *moved).outcome is Outcome.BLOCK


def test_a_schedule_that_nobody_can_know_yet_is_not_read():
    """F-083: replayed before the announcement, the release does not exist."""
    view = view_of(event(known_at=CPI - HOUR), event(CPI + 9 * DAY, "FOMC"), now=CPI - 2 * HOUR)
    assert GATE.judge(view, SIGNAL).outcome is Outcome.PASS
    assert view.due == CPI - HOUR


@pytest.mark.parametrize(
    ("name", "own_at", "built_in_counts"),
    [
        ("CPI", CPI + 3 * DAY, False),
        ("CPI", parse_time("2024-04-01T12:30:00Z"), True),
        ("FOMC", CPI + HOUR, False),
        ("FOMC", CPI + 3 * DAY, True),
    ],
    ids=["another day of the month", "another month", "same day", "another day"],
)
def test_the_user_s_own_calendar_wins_in_the_same_month_for_prints_and_on_the_same_day_for_fomc(name: str, own_at: int, built_in_counts: bool):
    events = (event(name=name), event(own_at, name, source="mine"))
    outcome = rule_on(SIGNAL, CPI - 22 * HOUR - HOUR // 2, *events).outcome
    withdrawn = rule_on(SIGNAL, CPI - HOUR, event(name=name), event(own_at, name, value=0, source="mine"), event(CPI + 9 * DAY, "PPI")).outcome
    assert withdrawn is (Outcome.BLOCK if built_in_counts else Outcome.PASS)
    assert outcome is (Outcome.BLOCK if built_in_counts or own_at == CPI + HOUR else Outcome.PASS)


def test_the_user_s_own_calendar_alone_is_enough():
    assert rule_on(SIGNAL, CPI, event(source="mine")).outcome is Outcome.BLOCK


@pytest.mark.parametrize(
    ("metric", "known_at", "own"),
    [
        ("macro.cpi", CPI, True),
        ("macro.cpi", CPI - 24 * HOUR, True),
        ("macro.cpi", CPI - 24 * HOUR - 1, False),
        ("macro.ppi", CPI, False),
        ("tvl.usd", CPI, False),
    ],
)
def test_a_print_that_is_itself_a_leg_is_not_blocked_by_its_own_window(metric: str, known_at: int, own: bool):
    leg = evidence_of(seen(metric, "US", 300.0, CPI - 40 * DAY, known_at=known_at))
    for proposal, otherwise in ((SIGNAL, Outcome.BLOCK), (EVIDENCE, Outcome.HALVE)):
        standing = proposal_of(kind=proposal.kind, evidence=(leg,))
        ruling = rule_on(standing, CPI + HOUR, event(), event(CPI + 9 * DAY, "FOMC"))
        assert ruling.outcome is (Outcome.PASS if own else otherwise)
        assert ("one of its own legs" in ruling.verdict.reason) is own


def test_another_release_s_window_still_counts_for_a_proposal_that_stands_on_a_print():
    leg = evidence_of(seen("macro.cpi", "US", 300.0, CPI - 40 * DAY, known_at=CPI))
    ruling = rule_on(proposal_of(kind=Class.SIGNAL, evidence=(leg,)), CPI + HOUR, event(), event(CPI + DAY, "PPI"))
    assert ruling.outcome is Outcome.BLOCK
    assert "PPI" in ruling.verdict.reason and "CPI" not in ruling.verdict.reason


@pytest.mark.parametrize("events", [(), (event(),), (event(CPI + 61 * DAY + 3 * HOUR),)], ids=["none", "run out", "too far ahead"])
def test_without_a_calendar_a_signal_cannot_be_judged_and_evidence_passes_with_a_note(events: tuple[Observation, ...]):
    now = CPI + 3 * HOUR
    with pytest.raises(Unknown, match="calendar"):
        rule_on(SIGNAL, now, *events)
    ruling = rule_on(EVIDENCE, now, *events)
    assert ruling.outcome is Outcome.PASS
    assert "no window can be seen" in ruling.verdict.reason


def test_a_schedule_that_was_never_given_is_named():
    assert "no schedule of FOMC, PPI is known" in rule_on(SIGNAL, CPI - 3 * DAY, event()).verdict.reason
    whole = (event(), event(CPI + DAY, "PPI"), event(CPI + 8 * DAY, "FOMC"))
    assert "no schedule" not in rule_on(SIGNAL, CPI - 3 * DAY, *whole).verdict.reason


@pytest.mark.parametrize("settings", [{"before": -1}, {"after": -1}, {"ahead": "1h"}])
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, object]):
    with pytest.raises(ValidationError, match="cannot be negative"):
        build(MacroBlackout, settings)
