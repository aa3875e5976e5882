"""Notices: silent sources, blind rules, the heartbeat; and the real rules and gates together."""

from monitor.core.effects import Alerted, SourceMoved
from monitor.core.events import Batch, Configured, Failed, Tick
from monitor.core.proposal import NOT_BUILT
from monitor.core.rule import Gate
from monitor.core.units import DAY, HOUR, MINUTE
from monitor.registry import plugins
from tests.builders import START, play, settings_of
from tests.core.levels import BLIND, CALM, ON, SOURCE, engine, kinds, level, run


def test_a_source_is_down_after_two_cadences_and_a_grace_and_back_when_heard():
    subject = engine(rules=(), **SOURCE)
    subject.apply(level(ON))
    limit = START + 2 * MINUTE + 30_000
    assert subject.due_at() == limit + 1
    assert kinds(play(subject, [Tick(limit)])) == []
    play(subject, [Failed(limit, "s1", "timed out")])
    effects = play(subject, [Tick(limit + 1), Tick(limit + 2)])
    assert kinds(effects) == ["source", "source.down"]
    assert isinstance(effects[0], SourceMoved) and effects[0].reason == "timed out"
    assert subject.due_at() is None
    play(subject, [level(ON, limit + 3)])
    assert subject.due_at() == limit + 3
    effects = play(subject, [Tick(limit + 3)])
    assert kinds(effects) == ["source", "source.down"]
    assert isinstance(effects[0], SourceMoved) and effects[0].up


def test_a_silent_source_without_an_error_has_no_answer_and_one_never_heard_is_not_down():
    sources = {"s1": {"cadence_ms": MINUTE}, "s2": {"cadence_ms": MINUTE}}
    subject = engine(rules=(), sources=sources)
    effects = play(subject, [level(ON), Tick(START + HOUR)])
    assert [(e.source, e.reason) for e in effects if isinstance(e, SourceMoved)] == [("s1", "no answer")]


def test_a_rule_that_stays_blind_is_told_after_its_pending_time_and_told_again_when_it_sees():
    subject = engine(book={"assets": ("ETH",)})
    run(subject, BLIND)
    assert subject.due_at() == START + 10 * MINUTE
    assert kinds(play(subject, [Tick(START + 10 * MINUTE - 1)])) == []
    (told,) = play(subject, [Tick(START + 10 * MINUTE)])
    assert isinstance(told, Alerted)
    assert (told.type, told.data["reason"]) == ("data.stale", "it reads 6.66")
    assert subject.due_at() is None
    play(subject, [level(CALM, START + HOUR)])
    assert subject.due_at() == START + HOUR
    (again,) = play(subject, [Tick(START + HOUR)])
    assert isinstance(again, Alerted) and again.data["resolved"] is True
    assert play(subject, [Tick(START + HOUR + 1)]) == []


def test_after_a_start_a_rule_that_was_blind_before_gets_its_pending_time_anew():
    subject = engine(book={"assets": ("ETH",)})
    run(subject, BLIND)
    start = START + DAY
    play(subject, [Configured(start, settings_of(rules=("level",), book={"assets": ("ETH",)})), Tick(start + 1)])
    assert "data.stale" not in kinds(play(subject, [Tick(start + 10 * MINUTE - 1)]))
    assert "data.stale" in kinds(play(subject, [Tick(start + 10 * MINUTE)]))


def test_the_heartbeat_comes_at_its_period_and_names_the_blind():
    subject = engine(book={"assets": ("ETH",)}, heartbeat_ms=HOUR, unknown_pending_ms=DAY)
    run(subject, BLIND)
    effects = play(subject, [Tick(START + i * HOUR // 2) for i in range(5)])
    told = [e for e in effects if isinstance(e, Alerted)]
    assert [(e.at, e.summary) for e in told] == [(START + i * HOUR, "Alive and deciding; blind: level/ETH") for i in range(3)]
    assert [e.sequence for e in told] == [1, 2, 3]
    assert subject.due_at() == START + 3 * HOUR


# --- the real ones -----------------------------------------------------------------------------------------------


def test_no_gate_is_both_built_and_not_built():
    assert not set(NOT_BUILT) & set(plugins("monitor.gates", Gate))
    assert {"data-quality", "macro-blackout", "session-cap", "cooldown"} <= set(plugins("monitor.gates", Gate))


def test_the_heartbeat_does_not_call_a_rule_blind_that_was_switched_off():
    subject = engine(book={"assets": ("ETH",)}, heartbeat_ms=HOUR, unknown_pending_ms=DAY)
    run(subject, BLIND)
    off = settings_of(rules=[], heartbeat_ms=HOUR, book={"assets": ("ETH",)})
    told = [e for e in play(subject, [Configured(START + 1, off), Tick(START + HOUR)]) if isinstance(e, Alerted)]
    assert [(e.type, e.summary, e.data["blind"]) for e in told] == [("heartbeat", "Alive and deciding", [])]


def test_a_clock_set_back_an_hour_makes_no_source_silent_that_is_heard_F_101():
    subject = engine(rules=(), **SOURCE)
    play(subject, [level(ON, START + HOUR)])
    back = [event for n in range(1, 90) for event in (Batch(START + n * MINUTE, "s1", ()), Tick(START + n * MINUTE + 1))]
    assert kinds(play(subject, back)) == []
