"""What is written is what is read: every kind of event and effect, exact to the last bit, in the order of receipt."""

import typing
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core import effects as effect_kinds
from monitor.core.effects import Effect
from monitor.core.events import Batch, Configured, Event, Failed, Signal, Tick
from monitor.core.observation import Observation
from monitor.core.proposal import GateResult, Proposal
from monitor.core.verdict import Condition, Evidence, State, Verdict
from monitor.store.records import read_effect, write_effect
from monitor.store.sqlite import MEMORY, SqliteStore

SMALL = st.integers(-(2**62), 2**62)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
CHAIN = st.integers(-(2**160), 2**160)
JSON = st.recursive(st.none() | st.booleans() | CHAIN | FINITE | st.text(max_size=5), lambda inner: st.lists(inner, max_size=2), max_leaves=4)
DATA = st.dictionaries(st.text(max_size=5), JSON, max_size=3).map(lambda found: dict(sorted(found.items())))


def made(cls: type, **chosen: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Instances of a dataclass, each field by its annotation."""
    hints = typing.get_type_hints(cls)
    return st.builds(
        cls, **{one.name: chosen.get(one.name, _by_type(hints[one.name])) for one in fields(cls) if one.name != "kind" or cls is Proposal}
    )


def _by_type(hint: Any) -> st.SearchStrategy[Any]:
    table: dict[Any, st.SearchStrategy[Any]] = {
        int: SMALL,
        float: FINITE,
        str: st.text(max_size=6),
        bool: st.booleans(),
        State: st.sampled_from(State),
        int | None: st.none() | SMALL,
        float | None: st.none() | FINITE,
        float | int: FINITE | CHAIN,
        Verdict: st.deferred(lambda: VERDICT),
        Proposal: st.deferred(lambda: PROPOSAL),
        Proposal | None: st.none() | st.deferred(lambda: PROPOSAL),
        tuple[Condition, ...]: st.lists(st.deferred(lambda: made(Condition)), max_size=2).map(tuple),
        tuple[Evidence, ...]: st.lists(st.deferred(lambda: made(Evidence)), max_size=2).map(tuple),
        tuple[GateResult, ...]: st.lists(st.deferred(lambda: made(GateResult)), max_size=2).map(tuple),
        typing.Mapping[str, Any]: DATA,
    }
    return table.get(hint, DATA)


VERDICT = made(Verdict)
PROPOSAL = made(Proposal)
KINDS = typing.get_args(Effect)


def exact(value: object) -> str:
    """As `repr`, which tells 1 from 1.0 and -0.0 from 0.0, where `==` does not."""
    return repr(value)


def test_every_kind_of_effect_is_tried():
    assert {cls.__name__ for cls in KINDS} == {
        name for name, cls in vars(effect_kinds).items() if isinstance(cls, type) and cls.__module__ == effect_kinds.__name__
    }


@pytest.mark.parametrize("cls", KINDS, ids=lambda cls: cls.__name__)
@settings(max_examples=50)
@given(data=st.data())
def test_an_effect_is_read_as_it_was_made_and_written_again_as_it_was(cls: type, data: st.DataObject):
    effect = data.draw(made(cls))
    written = write_effect(effect)
    again = read_effect(written)
    assert exact(again) == exact(effect)
    assert write_effect(again) == written


def observations(source: str) -> st.SearchStrategy[tuple[Observation, ...]]:
    subject = st.sampled_from(["chain:a", "chain:b", "coin:c"])
    each = st.builds(Observation, st.just("tvl.usd"), subject, st.just(source), SMALL, SMALL, FINITE | CHAIN, st.text(max_size=4))
    return st.lists(each, max_size=4).map(tuple)


EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.sampled_from(["okx", "bls"]).flatmap(lambda s: st.builds(Batch, SMALL, st.just(s), observations(s), st.integers(0, 9))),
    st.builds(Tick, SMALL),
    st.builds(Failed, SMALL, st.text(max_size=4), st.text(max_size=4)),
    st.builds(Signal, SMALL, st.text(max_size=4), st.text(max_size=4), st.text(max_size=4), st.text(max_size=4), st.text(), st.none() | SMALL),
    st.builds(Configured, SMALL, DATA),
)


@given(st.lists(st.tuples(EVENTS, st.lists(st.one_of([made(cls) for cls in KINDS]), max_size=2)), max_size=6))
def test_the_journal_gives_events_and_effects_back_in_the_order_of_receipt(steps: list[tuple[Event, list[Effect]]]):
    store = SqliteStore(MEMORY)
    for event, effects in steps:
        store.commit(event, effects)
    assert exact([event for _, event in store.journal()]) == exact([event for event, _ in steps])
    assert [seq for seq, _ in store.journal()] == list(range(1, len(steps) + 1))
    assert exact([effect for _, effect in store.effects()]) == exact([effect for _, effects in steps for effect in effects])
    store.close()


@given(st.lists(FINITE | CHAIN, min_size=1, max_size=5))
def test_a_value_is_kept_exactly_whatever_its_size(values: list[float | int]):
    store = SqliteStore(MEMORY)
    store.commit(Batch(1, "s", tuple(Observation("pool.liquidity", "pool:x", "s", n, n, value) for n, value in enumerate(values))), [])
    assert exact([one.value for one in store.select("*", 0, 99)]) == exact(values)
    store.close()


def test_saying_the_same_thing_at_the_same_instant_twice_is_saying_it_once():
    store = SqliteStore(MEMORY)
    ids = [store.inbox.put(1, "me", "signal", body) for body in ({"a": 1}, {"a": 1}, {"a": 2})]
    assert ids[0] == ids[1] != ids[2]
    assert [one.body for one in store.inbox.waiting()] == [{"a": 1}, {"a": 2}]


def test_a_message_that_was_taken_is_not_taken_again_however_often_it_is_put():
    store = SqliteStore(MEMORY)
    message_id = store.inbox.put(1, "me", "signal", {"a": 1})
    store.commit(Tick(2), [], [], [message_id])
    assert store.inbox.put(1, "me", "signal", {"a": 1}) == message_id
    assert store.inbox.waiting() == []
