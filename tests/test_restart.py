"""A restart is no restart: folding what was recorded gives the brain that recorded it, at whatever point."""

from collections.abc import Callable
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.core.effects import Silenced
from monitor.core.events import Event, Failed, Signal, Tick
from monitor.core.units import DAY, HOUR, MINUTE, parse_time
from monitor.pipeline import Pipeline
from monitor.store.sqlite import SqliteStore
from tests.builders import START, seen
from tests.pipelines import WALL, after, fresh, outbox, pipeline_on, written
from tests.worlds import TVL, batch, configured, hour, hours, opening

FALL = hours([4.4e10])[0]
SIGNALS = ("approve", "reject", "activate", "close")
Step = tuple[str, Any]
STEPS = st.one_of(
    st.tuples(st.just("hour"), st.sampled_from([5e10, 4.9e10, 4.65e10, 4.6e10, 4.5e10, 4e10, 1e10, 0.0])),
    st.tuples(st.just("tick"), st.sampled_from([MINUTE, 11 * MINUTE, HOUR, 3 * HOUR, 26 * HOUR, 15 * DAY, 50 * DAY])),
    st.tuples(st.sampled_from(SIGNALS), st.integers(0, 3)),
    st.tuples(st.just("silence"), st.sampled_from(["*", "layer.*"])),
    st.tuples(st.just("test"), st.just("")),
    st.tuples(st.just("failed"), st.sampled_from(["llama", "other"])),
    st.tuples(st.just("revised"), st.sampled_from([4e10, 6e10])),
    st.tuples(st.just("print"), st.sampled_from([100.0, 110.0])),
    st.tuples(st.just("book"), st.sampled_from([[], ["uniswap"], ["p1"]])),
)


def event_of(step: Step, number: int, pipeline: Pipeline) -> Event:
    """The event of a step, by what the pipeline knows: the next hour, a layer that exists."""
    kind, value = step
    now, identity = pipeline.engine.now, f"in_{number}"
    next_hour = now - now % HOUR + HOUR
    if kind in SIGNALS:
        layers = [layer.id for layer in pipeline.engine.state.ledger]
        return Signal(now, identity, "me", kind, layers[value] if value < len(layers) else "L-none")
    made: dict[str, Callable[[], Event]] = {
        "hour": lambda: batch(next_hour, hour(next_hour, value)),
        "tick": lambda: Tick(now + value),
        "silence": lambda: Signal(now, identity, "me", "silence", value, "", WALL + HOUR),
        "test": lambda: Signal(now, identity, "me", "test", ""),
        "failed": lambda: Failed(now, value, "down"),
        "revised": lambda: batch(now, [seen("tvl.usd", TVL, value, START - HOUR, "llama", now)]),
        "print": lambda: batch(now, [seen("macro.cpi", "US", value, parse_time("2024-02-01"), "bls", now)], "bls"),
        "book": lambda: configured(now, positions=positions(value)),
    }
    return made[kind]()


def positions(which: list[str]) -> list[dict[str, Any]]:
    known: dict[str, dict[str, Any]] = {
        "p1": {"id": "p1", "kind": "tokens", "amounts": {"ETH": 40}, "exposed_to": [TVL]},
        "uniswap": {"id": "lp", "kind": "uniswap-v3", "chain": "ethereum", "token_id": 1},
    }
    return [known[name] for name in which]


def restored_from(store: SqliteStore) -> Pipeline:
    copy = SqliteStore(":memory:")
    store.connection.backup(copy.connection)
    pipeline = pipeline_on(copy)
    pipeline.restore()
    return pipeline


@settings(max_examples=15)
@given(st.lists(STEPS, min_size=2, max_size=7))
@example([("hour", 4.4e10), ("approve", 0), ("activate", 0), ("tick", 15 * DAY), ("hour", 4.4e10), ("close", 0)])
@example([("book", ["uniswap"]), ("hour", 4.4e10), ("book", ["p1"]), ("hour", 4.4e10), ("hour", 4.4e10)])
@example([("hour", 4.4e10), ("reject", 0), ("print", 100.0), ("tick", 50 * DAY), ("test", ""), ("hour", 5e10)])
@example([("tick", 3 * HOUR), ("failed", "llama"), ("tick", 3 * HOUR), ("hour", 4e10), ("tick", MINUTE), ("silence", "*"), ("hour", 4e10)])
@example([("hour", 4.4e10), ("book", []), ("hour", 4.4e10), ("tick", HOUR), ("hour", 4.4e10)])
def test_a_restart_at_any_point_changes_nothing_that_follows_inv6(steps: list[Step]):
    """INV-6: after every event, one pipeline goes on and one is restored from the store; both are configured and given the same future."""
    for cut in range(len(steps) + 1):
        running = after(*opening())
        for number, step in enumerate(steps[:cut]):
            running.process(event_of(step, number, running))
        restored = restored_from(running.store)
        start = configured(running.engine.now)
        assert written(restored.process(start)) == written(running.process(start))
        for number, step in enumerate(steps[cut:], start=cut):
            event = event_of(step, number, running)
            assert written(restored.process(event)) == written(running.process(event)), (cut, step)
            assert restored.engine.due_at() == running.engine.due_at()
        assert outbox(restored.store) == outbox(running.store)


def test_a_restart_decides_nothing_and_sends_nothing():
    running = after(*opening(), FALL)
    restored = restored_from(running.store)
    assert list(restored.store.connection.iterdump()) == list(running.store.connection.iterdump())
    assert restored.engine.state.alerts == running.engine.state.alerts


def test_an_empty_store_restores_to_nothing():
    assert fresh().restore() == 0


def test_a_layer_that_could_not_be_sized_survives_a_restart():
    """Its instrument and asset are empty text: what is written must be readable again."""
    running = after(*opening(), configured(START, positions=positions(["uniswap"])), FALL)
    (held,) = running.engine.state.held.values()
    assert (held.proposal.instrument, held.signature) == ("", "sizing")
    restored = restored_from(running.store)
    assert restored.engine.state.held == running.engine.state.held


def test_a_silence_without_a_reason_survives_a_restart():
    running = after(configured(), Signal(START, "in_*", "me", "silence", "*", "", WALL + HOUR))
    assert list(restored_from(running.store).engine.state.silences.values()) == [Silenced(START, "in_*", "*", WALL + HOUR, "me", "")]
