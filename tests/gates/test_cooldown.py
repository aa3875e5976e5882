"""cooldown: one proposal per position, tier and episode, whatever became of the first."""

import pytest

from monitor.core.effects import LayerMoved
from monitor.core.rule import Outcome
from monitor.core.state import State
from monitor.gates.cooldown import Cooldown
from tests.builders import START, proposal_of, view_of

FIRST = proposal_of()


@pytest.mark.parametrize("states", [(), ("rejected",), ("expired",), ("approved", "active", "closed")])
def test_a_layer_of_the_same_episode_blocks_in_any_state_and_is_named(states: tuple[str, ...]):
    state = State()
    state.fold(LayerMoved(START, FIRST.id, "proposed", "first", proposal=FIRST))
    for name in states:
        state.fold(LayerMoved(START, FIRST.id, name, "then"))
    ruling = Cooldown().judge(view_of(state=state), proposal_of())
    assert ruling.outcome is Outcome.BLOCK
    assert FIRST.id in ruling.verdict.reason and (states[-1] if states else "proposed") in ruling.verdict.reason


@pytest.mark.parametrize("other", [{"position": "p2"}, {"tier": "structural"}, {"episode_since": START + 1}, {"rule": "macd-rsi-scaling"}])
def test_another_position_tier_episode_or_rule_passes(other: dict[str, object]):
    state = State()
    state.fold(LayerMoved(START, FIRST.id, "proposed", "first", proposal=FIRST))
    assert Cooldown().judge(view_of(state=state), proposal_of(**other)).outcome is Outcome.PASS


@pytest.mark.parametrize(("states", "outcome"), [((), Outcome.BLOCK), (("approved", "active"), Outcome.BLOCK), (("rejected",), Outcome.PASS)])
def test_a_live_layer_that_the_same_rule_asked_for_about_another_subject_blocks(states: tuple[str, ...], outcome: Outcome):
    state = State()
    state.fold(LayerMoved(START, FIRST.id, "proposed", "first", proposal=FIRST))
    for name in states:
        state.fold(LayerMoved(START, FIRST.id, name, "then"))
    ruling = Cooldown().judge(view_of(state=state), proposal_of(subject="protocol:other"))
    assert ruling.outcome is outcome
    assert (FIRST.id in ruling.verdict.reason) is (outcome is Outcome.BLOCK)
