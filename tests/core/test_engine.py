"""The engine: verdicts in runs, episodes from the first FIRED to the exit, layers through gates, the operator's word, notices."""

import pytest

from monitor.core import layers
from monitor.core.effects import Alerted, EpisodeClosed, EpisodeOpened, Held, Judged, LayerMoved, Silenced
from monitor.core.engine import needed_first
from monitor.core.events import Batch, Configured, Event, Signal, Tick
from monitor.core.mind import REARM_MS
from monitor.core.operator import CLOCK_SET_BACK
from monitor.core.proposal import NOT_BUILT
from monitor.core.rule import Input
from monitor.core.state import Instance
from monitor.core.units import DAY, HOUR, MINUTE
from monitor.core.verdict import State
from tests.builders import START, engine_of, judged, play, seen, series, settings_of
from tests.core.levels import BLIND, CALM, ETH, MADE, ON, OVER, Level, Votes, engine, kinds, level, run, signal

# --- verdicts and episodes ---------------------------------------------------------------------------------------


def test_verdicts_are_recorded_when_their_state_or_their_code_changes():
    effects = run(engine(), 10, 12, 11, BLIND, BLIND, 8, 10)
    assert [(e.verdict.state, e.verdict.code) for e in effects if isinstance(e, Judged)] == [
        ("FIRED", "even"), ("FIRED", "odd"), ("UNKNOWN", "blind"), ("QUIET", "even"), ("FIRED", "even"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((ON, OVER), ["opened", "closed"]),
        ((ON, CALM, OVER), ["opened", "closed"]),
        ((ON, CALM, ON), ["opened"]),
        ((ON, BLIND, BLIND), ["opened"]),
        ((ON, 2.0), ["opened"]),
        ((CALM, OVER, BLIND), []),
        ((ON, OVER, ON), ["opened", "closed", "opened"]),
    ],
    ids=["exit", "calm is not over", "still the same", "unknown never ends it", "an unknown exit is no exit", "nothing", "again"],
)
def test_an_episode_runs_from_the_first_fired_to_the_exit(values: tuple[float, ...], expected: list[str]):
    effects = run(engine(), *values)
    assert [e.kind.removeprefix("episode-") for e in effects if isinstance(e, EpisodeOpened | EpisodeClosed)] == expected
    told = [e.type for e in effects if isinstance(e, Alerted) and e.type.startswith("trigger")]
    assert told == [{"opened": "trigger.fired", "closed": "trigger.resolved"}[x] for x in expected]


def test_a_safety_rule_is_critical_and_an_unexposed_one_says_so():
    book = engine(rules=("level", "votes"), book={"assets": ("ETH",)})
    told = [e for e in run(book, ON) if isinstance(e, Alerted)]
    assert [(e.severity, "no position is exposed" in e.summary) for e in told] == [("warning", True), ("critical", False)]


@pytest.mark.parametrize(("after", "covered", "reopens"), [(REARM_MS, False, True), (REARM_MS - 1, False, False), (REARM_MS, True, False)])
def test_it_arms_again_after_14_days_of_firing_uncovered(after: int, covered: bool, reopens: bool):
    gates = {} if covered else {"before": {"settings": {"says": "block"}}}
    subject = engine_of({"heartbeat_ms": 0, "rules": {"level": {}}, "gates": gates, **ETH}, *MADE)
    run(subject, ON)
    effects = play(subject, [level(ON, START + after)])
    assert [e for e in kinds(effects) if e.startswith("episode")] == (["episode-closed", "episode-opened"] if reopens else [])


@pytest.mark.parametrize("rule", ["level", "votes"])
def test_what_asks_for_no_layer_or_exposes_nobody_never_arms_again(rule: str):
    subject = engine(rules=(rule,), **({"book": {"assets": ("ETH",)}} if rule == "level" else ETH))
    run(subject, ON)
    assert "episode-closed" not in kinds(play(subject, [level(ON, START + REARM_MS)]))


def test_an_open_episode_is_looked_at_again_when_it_may_arm_again():
    subject = engine(book={"assets": ("ETH",)})
    run(subject, ON)
    assert subject.due_at() == START + REARM_MS


def test_unknown_never_arms_again():
    subject = engine_of({"heartbeat_ms": 0, "rules": {"level": {}}, "gates": {"before": {"settings": {"says": "block"}}}, **ETH}, *MADE)
    run(subject, ON)
    assert "episode-closed" not in kinds(play(subject, [level(BLIND, START + REARM_MS), Tick(START + REARM_MS + HOUR)]))


def test_a_layer_that_ends_lets_an_old_episode_arm_again_without_news():
    subject = engine(gates=("cooldown",), **ETH)
    (layer,) = [e for e in run(subject, ON) if isinstance(e, LayerMoved)]
    play(subject, [level(ON, START + REARM_MS)])
    assert "episode-opened" in kinds(play(subject, [signal("reject", layer.id, START + REARM_MS + 1)]))


def test_what_was_never_set_up_is_not_configured_and_says_what_is_missing():
    subject = engine(book={"assets": ("ETH", "BTC")})
    effects = run(subject, ON)
    assert judged(effects, "level") == [(START, "level", "ETH", "FIRED")]
    missing = subject.state.verdicts[Instance("level", "BTC")]
    assert (missing.state, missing.reason) == (State.NOT_CONFIGURED, "no source gives iv.index BTC")


def test_a_source_that_will_bring_it_makes_a_rule_configured_and_until_then_unknown():
    sources = {"s1": {"cadence_ms": MINUTE, "provides": [("iv.index", "ETH")]}}
    subject = engine(book={"assets": ("ETH",)}, sources=sources)
    assert subject.state.verdicts[Instance("level", "ETH")].state is State.UNKNOWN


def test_a_composite_is_judged_after_what_it_needs_in_the_same_pass():
    subject = engine(rules=("follows", "level"), book={"assets": ("ETH",)})
    effects = run(subject, ON, OVER)
    assert [(rule, state) for _, rule, _, state in judged(effects)] == [
        ("level", "FIRED"), ("follows", "FIRED"), ("level", "QUIET"), ("follows", "QUIET"),
    ]  # fmt: skip
    assert [e.kind for e in effects if isinstance(e, EpisodeClosed)] == ["episode-closed"] * 2


def test_a_composite_of_what_is_not_there_is_not_configured():
    alone = engine(rules=("follows",), book={"assets": ("ETH",)})
    dark = engine(rules=("follows", "level"), book={"assets": ("ETH",)})
    for subject in (alone, dark):
        verdict = subject.state.verdicts[Instance("follows", "ETH")]
        assert (verdict.state, "needs level" in verdict.reason) == (State.NOT_CONFIGURED, True)


def test_a_rule_that_could_not_be_configured_without_naming_an_input_says_so():
    class Shy(Votes):
        def configured(self, subject: str, has: object) -> bool:
            return False

        def inputs(self, subject: str) -> tuple[Input, ...]:
            return ()

    Shy.id = "shy"
    subject = engine_of(settings_of(rules=("shy",), book={"assets": ("ETH",)}), Shy)
    assert subject.state.verdicts[Instance("shy", "ETH")].reason == "a rule it needs is not configured"


def test_rules_come_after_what_they_need_and_a_circle_is_refused():
    class A(Level):
        needs = ("b",)

    class B(Level):
        needs = ("a",)

    a, b, plain = Instance("a", "s"), Instance("b", "s"), Instance("c", "s")
    assert needed_first({"a": {a: A()}, "b": {b: Level()}, "c": {plain: Level()}, "d": {}}) == ["b", "a", "c", "d"]
    with pytest.raises(ValueError, match="circle: a, b"):
        needed_first({"a": {a: A()}, "b": {b: B()}})


def test_one_subject_may_have_a_threshold_of_its_own_and_a_rule_may_be_off():
    plug = {"settings": {"threshold": 10}, "overrides": {"BTC": {"threshold": 5}}}
    subject = engine_of({"heartbeat_ms": 0, "rules": {"level": plug, "votes": {"enabled": False}}, "book": {"assets": ("BTC", "ETH")}}, *MADE)
    effects = play(subject, [level(7, subject="BTC"), level(7)])
    assert [(s, state) for _, _, s, state in judged(effects)] == [("BTC", "FIRED"), ("ETH", "QUIET")]
    assert {i.rule for i in subject.rules} == {"level"}


def test_a_new_configuration_forgets_rules_that_are_gone_and_judges_the_rest():
    subject = engine(rules=("level", "votes"), **ETH)
    (layer,) = [e for e in run(subject, ON) if isinstance(e, LayerMoved)]
    effects = play(subject, [Configured(START + 1, settings_of(rules=("votes",), **ETH))])
    assert set(subject.state.verdicts) == {Instance("votes", "ETH")}
    expired = [e for e in effects if isinstance(e, LayerMoved)]
    assert [(e.id, e.state, e.reason) for e in expired] == [(layer.id, "expired", "the rule that asked for it is switched off")]


def test_time_never_runs_backwards():
    subject = engine(book={"assets": ("ETH",)})
    run(subject, ON)
    subject.apply(Tick(START - DAY))
    assert subject.now == START


# --- layers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "notional", "binding"),
    [
        ("pass", "pass", 2500.0, ""),
        ("halve", "pass", 1250.0, "halved by before"),
        ("halve", "halve", 625.0, "halved by before; halved by later"),
        ("1000", "halve", 500.0, "cut by before; halved by later"),
        ("halve", "2000", 1250.0, "halved by before"),
    ],
)
def test_a_layer_passes_the_gates_in_the_order_of_their_rank(first: str, second: str, notional: float, binding: str):
    gates = {"later": {"settings": {"says": second}}, "before": {"settings": {"says": first}}}
    subject = engine_of({"heartbeat_ms": 0, "rules": {"level": {}}, "gates": gates, **ETH}, *MADE)
    (moved,) = [e for e in run(subject, ON) if isinstance(e, LayerMoved)]
    assert moved.proposal is not None
    assert (moved.state, moved.proposal.notional_usd, moved.proposal.binding) == ("proposed", notional, binding)
    assert [g.gate for g in moved.gates] == ["before", "later", *NOT_BUILT]
    assert moved.valid_until == START + HOUR


@pytest.mark.parametrize(
    ("first", "second", "signature", "reason"),
    [
        ("block", "pass", "before", "before: it said no"),
        ("unknown", "block", "before,later", "before: it is dark; later: it said no"),
        ("99", "pass", "minimum", "below the minimum layer: 99 of at least 100 USD (cut by before)"),
    ],
)
def test_a_refusal_is_told_once_with_every_reason(first: str, second: str, signature: str, reason: str):
    gates = {"later": {"settings": {"says": second}}, "before": {"settings": {"says": first}}}
    subject = engine_of({"heartbeat_ms": 0, "rules": {"level": {}}, "gates": gates, **ETH}, *MADE)
    effects = run(subject, ON, ON, ON)
    held = [e for e in effects if isinstance(e, Held)]
    assert [(e.signature, e.reason) for e in held] == [(signature, reason)]
    assert [e.type for e in effects if isinstance(e, Alerted)] == ["trigger.fired", "layer.refused"]


def test_a_book_too_small_for_a_layer_says_so_without_a_cut():
    subject = engine(positions=[{"id": "p1", "kind": "tokens", "amounts": {"ETH": 0.01}}])
    (held,) = [e for e in run(subject, ON) if isinstance(e, Held)]
    assert held.reason == "below the minimum layer: 6 of at least 100 USD"


def test_a_layer_that_cannot_be_sized_is_held_and_proposed_as_soon_as_it_can_be():
    subject = engine(**ETH)
    (held,) = [e for e in play(subject, [Batch(START, "s1", (seen("iv.index", "ETH", ON),))]) if isinstance(e, Held)]
    assert (held.signature, held.reason, held.gates[0].state) == ("sizing", "no fresh price of ETH", "UNKNOWN")
    (moved,) = [e for e in run(subject, ON, start=START + HOUR) if isinstance(e, LayerMoved)]
    assert moved.id == held.proposal.id
    assert subject.state.held == {}


def test_a_layer_is_asked_for_once_and_expires_with_its_episode():
    subject = engine(**ETH)
    effects = [e for e in run(subject, ON, ON, OVER, step=MINUTE) if isinstance(e, LayerMoved)]
    assert [(e.state, e.reason) for e in effects][1:] == [("expired", "the episode that asked for it is over")]
    again = [e for e in run(subject, ON, start=START + DAY) if isinstance(e, LayerMoved)]
    assert again[0].id != effects[0].id


def test_without_the_cooldown_gate_a_layer_that_has_ended_is_still_not_proposed_twice():
    subject = engine(**ETH)
    (layer,) = [e for e in run(subject, ON) if isinstance(e, LayerMoved)]
    effects = play(subject, [signal("reject", layer.id), level(ON, START + HOUR)])
    (held,) = [e for e in effects if isinstance(e, Held)]
    assert held.reason == f"{layer.id} is rejected, it cannot become proposed"


def test_a_quote_is_renewed_when_it_runs_out_and_an_unpriceable_layer_expires():
    subject = engine(**ETH)
    (layer,) = [e for e in run(subject, ON) if isinstance(e, LayerMoved)]
    assert list(layers.dues(subject)) == [START + HOUR]
    prices = [o for s in ("a", "b") for o in series("price.usd", "ETH", [3000.0] * 3, end=START + HOUR, step_ms=MINUTE, source=s)]
    (fresh,) = [e for e in play(subject, [Batch(START + HOUR, "x", tuple(prices))]) if isinstance(e, LayerMoved)]
    assert fresh.proposal is not None
    assert (fresh.reason, fresh.valid_until, fresh.proposal.position_value_usd) == (layer.reason, START + 2 * HOUR, 12_000.0)
    (gone,) = [e for e in play(subject, [Tick(START + 2 * HOUR)]) if isinstance(e, LayerMoved)]
    assert (gone.state, gone.reason) == ("expired", "it could not be quoted anew: no fresh price of ETH")


def test_a_quote_of_a_clock_that_was_ahead_is_made_anew_F_102():
    """It would be valid for thirty days and an hour; once the clock is set back it is quoted again, or expires."""
    subject = engine(**ETH)
    (layer,) = [e for e in run(subject, ON, start=START + 30 * DAY) if isinstance(e, LayerMoved)]
    assert layer.valid_until == START + 30 * DAY + HOUR
    effects = play(subject, [Signal(START, "c1", "clock", CLOCK_SET_BACK, "clock")])
    assert subject.now == START
    assert [e.state for e in effects if isinstance(e, LayerMoved)] == ["expired"]
    assert [e.type for e in effects if isinstance(e, Alerted)] == ["data.conflict"]


def test_a_layer_whose_position_is_gone_expires():
    subject = engine(**ETH)
    run(subject, ON)
    subject.apply(Configured(START + 1, settings_of(rules=("level",), book={"assets": ("ETH",)})))
    (gone,) = [e for e in play(subject, [Tick(START + HOUR)]) if isinstance(e, LayerMoved)]
    assert "its position is no longer in the book" in gone.reason


# --- the operator ------------------------------------------------------------------------------------------------


def test_the_operator_moves_a_layer_and_each_move_that_matters_is_told():
    subject = engine(**ETH)
    (layer,) = [e for e in run(subject, ON) if isinstance(e, LayerMoved)]
    events: list[Event] = [signal(action, layer.id, START + i) for i, action in enumerate(["approve", "activate", "close"], 1)]
    effects = play(subject, events)
    assert kinds(effects) == ["approved", "layer.approved", "active", "closed", "layer.closed"]
    assert subject.state.signals == {e.id for e in events if isinstance(e, Signal)}


def test_what_cannot_be_done_is_answered():
    subject = engine(**ETH)
    (answer,) = play(subject, [signal("approve", "L-none")])
    assert isinstance(answer, Alerted)
    assert (answer.type, answer.summary) == ("layer.refused", "alice asked to approve L-none: there is no layer L-none")
    (layer,) = [e for e in run(subject, ON, start=START + HOUR) if isinstance(e, LayerMoved)]
    (answer,) = play(subject, [signal("close", layer.id, START + 2 * HOUR - 1)])
    assert isinstance(answer, Alerted) and "is proposed, it cannot become closed" in answer.summary


def test_a_silence_a_test_and_a_word_nobody_knows():
    subject = engine()
    effects = play(
        subject, [signal("silence", "data.stale", until=START + DAY, note="noise"), signal("test"), signal("dance"), signal("silence", "x")]
    )
    silenced, told = effects
    assert isinstance(silenced, Silenced) and isinstance(told, Alerted)
    assert (silenced.target, silenced.until, silenced.reason) == ("data.stale", START + DAY, "noise")
    assert told.data["test"] is True
    assert list(subject.state.silences) == [silenced.id]


@pytest.mark.parametrize(
    ("action", "kind", "severity", "said"),
    [
        ("reload-failed", "data.conflict", "warning", "the old one stays in force: bad unit"),
        ("delivery-failing", "delivery.failing", "warning", "an alert does not arrive: bad unit"),
        ("delivery-given-up", "delivery.failing", "critical", "an alert was given up: bad unit"),
    ],
)
def test_the_shell_s_own_troubles_are_told(action: str, kind: str, severity: str, said: str):
    (told,) = play(engine(), [signal(action, "ops", note="bad unit")])
    assert isinstance(told, Alerted)
    assert (told.type, told.severity, said in told.summary) == (kind, severity, True)
