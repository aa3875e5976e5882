"""What must hold over any history: a restart is no restart, looking only when due misses nothing, and the future changes no past
decision.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.core.effects import Effect, EpisodeClosed, EpisodeOpened, Judged, LayerMoved
from monitor.core.engine import Engine
from monitor.core.events import Batch, Configured, Event, Failed, Signal, Tick
from monitor.core.observation import Observation
from monitor.core.rule import Class, Gate, Group, Input, Rule, Scope
from monitor.core.units import DAY, HOUR, MINUTE, month_before
from monitor.core.verdict import State, Verdict
from monitor.core.view import View
from monitor.registry import plugins
from tests.builders import START, RealPlugins, batches, engine_of, funding, play, same, seen, series, settings_of

TEN = 10 * MINUTE
VENUES = ("binance", "bybit", "okx")
SETTINGS = settings_of(
    rules=tuple(plugins("monitor.rules", Rule)),
    gates=tuple(plugins("monitor.gates", Gate)),
    positions=[{"id": "p1", "kind": "tokens", "chain": "ethereum", "amounts": {"ETH": 40}}],
    sources={"s1": {"cadence_ms": 5 * MINUTE}},
    heartbeat_ms=6 * HOUR,
)
STEP = st.tuples(
    st.integers(0, 9),
    st.sampled_from(["tvl", "tvl", "tvl", "price", "price", "cpi", "funding", "tick", "fail", "approve", "reject", "event"]),
    st.integers(0, 4),
)
STEPS = st.lists(STEP, min_size=1, max_size=40)
EASY = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def past() -> list[Event]:
    """Two days of quiet TVL, fifteen months of prices, a month of funding: enough for every rule to see."""
    levels = [100 * 1.002**i for i in range(15)]
    now = START - START % DAY
    month = month_before(now, 0)
    cpi = [seen("macro.cpi", "US", x, month_before(month, 15 - i), "s1", START - DAY) for i, x in enumerate(levels)]
    rows = [*series("tvl.usd", "chain:ethereum", [100.0] * 60, end=START - HOUR), *cpi, *prices(START - HOUR, 2500.0)]
    rows += [o for v in VENUES for o in funding([0.1] * 95, venue=v, end=START - START % (8 * HOUR) - 8 * HOUR, asset="ETH")]
    return [Batch(START - HOUR, "s1", tuple(rows))]


def prices(at: int, value: float) -> list[Observation]:
    return [o for s in ("a", "b") for o in series("price.usd", "ETH", [value] * 3, end=at, step_ms=TEN, source=s)]


def happening(kind: str, choice: int, at: int, engine: Engine) -> Event:
    """One event of a random history; the operator's word is about the last layer there is."""
    rows: list[Observation] = []
    match kind:
        case "tvl":
            rows = [seen("tvl.usd", "chain:ethereum", (100.0, 97.0, 93.0, 91.0, 70.0)[choice], at)]
        case "price":
            rows = prices(at, 2500.0 + 100 * choice)
        case "cpi":
            rows = [seen("macro.cpi", "US", 103.0 + choice - 2, month_before(START - START % DAY, 0), "s1", at)]
        case "funding":
            rows = [o for v in VENUES for o in funding([(0.1, 0.6, -0.6, 0.3, 0.2)[choice]], venue=v, end=at, asset="ETH")]
        case "event":
            rows = [seen("macro.event", "CPI", choice % 2, START + (6 + choice) * HOUR, "mine", at)]
        case "fail":
            return Failed(at, "s1", "timed out")
        case "approve" | "reject":
            known = [layer.id for layer in engine.state.ledger]
            return Signal(at, f"{kind}-{at}-{choice}", "alice", kind, known[-1] if known else "L-none")
    return Batch(at, "s1", tuple(rows)) if rows else Tick(at)


def history(engine: Engine, steps: Sequence[tuple[int, str, int]], step_ms: int = TEN) -> Iterator[Event]:
    at = START
    for wait, kind, choice in steps:
        at += wait * step_ms
        yield happening(kind, choice, at, engine)


def fresh() -> Engine:
    engine = engine_of(SETTINGS, now=START - 2 * HOUR)
    play(engine, past())
    return engine


def test_the_past_lets_every_kind_of_effect_happen():
    """Without this the properties below could hold of nothing."""
    steps = [(1, "funding", 1), (1, "price", 0), (0, "funding", 1), (1, "tvl", 3), (1, "reject", 0)]
    engine = fresh()
    seen_kinds = {e.kind for event in history(engine, steps) for e in engine.apply(event)}
    assert {"verdict", "episode-opened", "alert", "held", "layer"} <= seen_kinds


@EASY
@given(STEPS, st.integers(0, 40))
def test_a_restart_is_no_restart(steps: list[tuple[int, str, int]], cut: int):
    """Fold what was recorded, take the events in without thinking, and go on: the same effects to the byte."""
    straight = Engine(RealPlugins())
    record: list[tuple[Event, tuple[Effect, ...]]] = []

    def live(event: Event) -> None:
        record.append((event, straight.apply(event)))

    for event in (Configured(START - 2 * HOUR, SETTINGS), *past()):
        live(event)
    for event in history(straight, steps[:cut]):
        live(event)
    restarted = Engine(RealPlugins())
    for event, effects in record:
        restarted.absorb(event)
        for effect in effects:
            restarted.state.fold(effect)
    again = Configured(straight.now, SETTINGS)
    assert same(restarted.apply(again), straight.apply(again))
    assert restarted.due_at() == straight.due_at()
    began = straight.now
    for wait, kind, choice in steps[cut:]:
        event = happening(kind, choice, began + wait * TEN, straight)
        began = event.now
        assert same(restarted.apply(event), straight.apply(event))
        assert restarted.due_at() == straight.due_at()


def recorded(effects: Sequence[Effect]) -> dict[tuple[str, str], list[str]]:
    """Verdicts and episodes of each instance, in order, without their instants."""
    told: dict[tuple[str, str], list[str]] = {}
    for e in effects:
        if isinstance(e, Judged):
            told.setdefault((e.rule, e.subject), []).append(f"{e.verdict.state} {e.verdict.code}")
        elif isinstance(e, EpisodeOpened | EpisodeClosed):
            told.setdefault((e.rule, e.subject), []).append(e.kind)
    return told


@EASY
@given(STEPS)
def test_looking_only_when_due_misses_nothing_that_looking_all_the_time_would_see(steps: list[tuple[int, str, int]]):
    timed, restless = fresh(), fresh()
    seen_when_due: list[Effect] = []
    seen_always: list[Effect] = []
    last = START
    for event in history(timed, steps):
        while (due := timed.due_at()) is not None and due < event.now:
            seen_when_due += timed.apply(Tick(max(due, timed.now)))
            if timed.due_at() == due:
                break
        seen_when_due += timed.apply(event)
        for moment in range(last, event.now + 1, TEN):
            seen_always += restless.apply(Configured(moment, SETTINGS))
        seen_always += restless.apply(event)
        last = event.now
    assert recorded(seen_when_due) == recorded(seen_always)


# --- the future --------------------------------------------------------------------------------------------------

Make = Callable[[Sequence[Observation]], Engine]


def decisions(make: Make, observations: Sequence[Observation]) -> list[Effect]:
    return play(make(observations), batches(observations))


def cutting_changes_nothing(make: Make, observations: Sequence[Observation], cut_at: int) -> None:
    """What is decided up to `cut_at` must be the same without all that became known later."""
    whole = [e for e in decisions(make, observations) if e.at <= cut_at]
    cut = decisions(make, [o for o in observations if o.known_at <= cut_at])
    assert same(cut, whole)


def story(falls: Sequence[int]) -> list[Observation]:
    rows = [seen("tvl.usd", "chain:ethereum", (100.0, 93.0, 91.0, 70.0)[fall], START + i * HOUR) for i, fall in enumerate(falls, 1)]
    prints = [seen("macro.cpi", "US", 104.0 - i, START - (50 - 30 * i) * DAY, "s1", START + (9 + 20 * i) * HOUR) for i in range(2)]
    steady = [o for i in range(len(falls) + 1) for o in prices(START + i * HOUR, 2500.0)]
    return [o for event in past() if isinstance(event, Batch) for o in event.observations] + rows + prints + steady


def honest(_: Sequence[Observation]) -> Engine:
    return engine_of(SETTINGS, now=START - 2 * DAY * 400)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(0, 30))
def test_f_083_cutting_the_future_off_changes_no_past_decision(falls: list[int], cut: int):
    cutting_changes_nothing(honest, story(falls), START + cut * HOUR)


@dataclass(frozen=True, kw_only=True)
class Peeks(Rule):
    """Knows the whole series beforehand, as a careless sweep over a table would."""

    title: ClassVar[str] = "looks ahead"
    scope: ClassVar[Scope] = Scope.TVL
    groups: ClassVar[tuple[Group, ...]] = (Group.ONCHAIN,)
    kind: ClassVar[Class] = Class.EVIDENCE
    table: ClassVar[Sequence[Observation]] = ()

    def inputs(self, subject: str) -> tuple[Input, ...]:
        return (Input("tvl.usd", subject),)

    def judge(self, view: View, subject: str) -> Verdict:
        lowest = min(o.value for o in self.table if o.metric == "tvl.usd")
        return Verdict(State.FIRED if lowest < 80 else State.QUIET, "it will fall")


Peeks.id = "peeks"


def test_f_083_a_rule_that_looks_ahead_is_caught(monkeypatch: pytest.MonkeyPatch):
    def careless(observations: Sequence[Observation]) -> Engine:
        monkeypatch.setattr(Peeks, "table", observations)
        return engine_of(settings_of(rules=("peeks",), tvl_subjects=("chain:ethereum",)), Peeks, now=0)

    observations = story([0, 0, 0, 3])
    with pytest.raises(AssertionError):
        cutting_changes_nothing(careless, observations, START + 2 * HOUR)
    cutting_changes_nothing(careless, observations, START + 4 * HOUR)


def test_the_same_evidence_gives_the_same_layer_and_the_next_episode_another():
    def layer_ids(engine: Engine, steps: Sequence[tuple[int, str, int]]) -> list[str]:
        effects = [e for event in history(engine, steps) for e in engine.apply(event)]
        return [e.id for e in effects if isinstance(e, LayerMoved) and e.reason.endswith("ETH")]

    steps: Any = [(1, "price", 0), (1, "funding", 1)]
    first = layer_ids(fresh(), steps)
    assert len(first) == 1
    assert layer_ids(fresh(), steps) == first
    assert layer_ids(fresh(), [(1, "price", 0), (2, "funding", 1)]) != first
