"""The ledger: only transitions that exist, and a fold that says when its log was damaged."""

import itertools

import pytest

from monitor.core.effects import Alerted, EpisodeClosed, EpisodeOpened, Held, Judged, LayerMoved, Silenced, SourceMoved
from monitor.core.events import Batch, Failed, Tick
from monitor.core.ledger import LEADS_FROM, Ledger
from monitor.core.proposal import GateResult
from monitor.core.state import Episode, Instance, State
from monitor.core.verdict import State as Truth
from monitor.core.verdict import Verdict
from tests.builders import START, proposal_of

PROPOSAL = proposal_of()
PATHS: dict[str | None, tuple[str, ...]] = {
    None: (),
    "proposed": ("proposed",),
    "approved": ("proposed", "approved"),
    "active": ("proposed", "approved", "active"),
    "closing": ("proposed", "approved", "active", "closing"),
    "closed": ("proposed", "approved", "active", "closed"),
    "rejected": ("proposed", "rejected"),
    "expired": ("proposed", "expired"),
    "retracted": ("proposed", "retracted"),
}


def move(state: str, at: int = START, **more: object) -> LayerMoved:
    return LayerMoved(at, PROPOSAL.id, state, f"to {state}", **{"proposal": PROPOSAL, **more})  # type: ignore[arg-type]


def ledger_in(state: str | None) -> Ledger:
    ledger = Ledger()
    for step in PATHS[state]:
        ledger.fold(move(step))
    return ledger


@pytest.mark.parametrize(("before", "after"), list(itertools.product(PATHS, LEADS_FROM)))
def test_a_state_is_entered_only_from_the_states_that_lead_to_it(before: str | None, after: str):
    ledger = ledger_in(before)
    if before in LEADS_FROM[after]:
        assert ledger.refusal(PROPOSAL.id, after) is None
        ledger.fold(move(after))
        assert [layer.state for layer in ledger] == [after]
    else:
        why = ledger.refusal(PROPOSAL.id, after)
        assert why is not None and (f"is {before}" in why if before else "no layer" in why)
        with pytest.raises(ValueError, match=r"cannot become|no layer"):
            ledger.fold(move(after))


def test_a_state_that_does_not_exist_and_a_layer_without_a_proposal_are_refused():
    assert ledger_in("proposed").refusal(PROPOSAL.id, "sold") == "there is no state 'sold'"
    with pytest.raises(ValueError, match="without a proposal"):
        Ledger().fold(move("proposed", proposal=None))


def test_a_new_quote_replaces_the_old_one_and_what_is_not_said_stays():
    ledger = ledger_in(None)
    gates = (GateResult("g", "pass", "QUIET", ""),)
    ledger.fold(move("proposed", valid_until=5, gates=gates, by="a"))
    ledger.fold(move("proposed", at=START + 1, proposal=proposal_of(cost_usd=2.0), valid_until=9))
    ledger.fold(move("approved", at=START + 2, proposal=None))
    layer = ledger.get(PROPOSAL.id)
    assert layer is not None and layer.live
    assert (layer.proposal.cost_usd, layer.valid_until, layer.gates, layer.by) == (2.0, 9, gates, "a")
    assert (layer.proposed_at, layer.moved_at, layer.reason) == (START, START + 2, "to approved")


def test_layers_are_found_by_their_episode():
    ledger = ledger_in("rejected")
    assert [layer.live for layer in ledger.of_episode("funding-spike", "BTC", START)] == [False]
    assert ledger.of_episode("funding-spike", "BTC", START + 1) == ()


# --- state -------------------------------------------------------------------------------------------------------

RULE = Instance("r", "s")


def judged(state: Truth, at: int = START) -> Judged:
    return Judged(at, "r", "s", Verdict(state, "why", "code"))


def test_it_remembers_when_a_rule_last_fired_and_since_when_it_is_blind():
    state = State()
    for at, truth in enumerate([Truth.FIRED, Truth.UNKNOWN, Truth.UNKNOWN, Truth.QUIET]):
        state.fold(judged(truth, at))
        assert state.unknown_since.get(RULE) == (1 if truth is Truth.UNKNOWN else None)
    assert state.last_fired == {RULE: 1}
    assert (state.judged_at[RULE], state.recorded[RULE]) == (3, ("QUIET", "code"))


def test_a_source_is_heard_fails_goes_down_and_comes_back():
    state = State()
    state.hear(Failed(1, "s", "first"))
    state.hear(Failed(2, "s", "second"))
    known = state.sources["s"]
    assert (known.heard_at, known.failing_since, known.reason) == (1, 1, "second")
    state.fold(SourceMoved(3, "s", False, "down", 1))
    assert known.down
    state.hear(Batch(4, "s", (), rejected=2))
    state.hear(Batch(5, "s", (), rejected=1))
    assert (known.heard_at, known.failing_since, known.reason, known.rejected) == (5, None, "", 3)
    state.fold(SourceMoved(6, "t", True, "back", 2))
    assert not state.sources["t"].down
    state.hear(Tick(7))
    assert set(state.sources) == {"s", "t"}


def test_every_kind_of_effect_has_its_place():
    state = State()
    state.fold(EpisodeOpened(1, "r", "s"))
    assert state.episodes == {RULE: Episode(1)}
    state.fold(EpisodeClosed(2, "r", "s", 1, "over"))
    assert state.episodes == {}
    held = Held(1, "R-1", PROPOSAL, (), "g", "why")
    state.fold(held)
    assert state.held == {PROPOSAL.id: held}
    state.fold(move("proposed"))
    assert state.held == {}
    silence = Silenced(1, "x", "data.stale", 9, "me", "noise")
    state.fold(silence)
    assert state.silences == {"x": silence}
    state.fold(Alerted(4, "msg", "heartbeat", "info", "", 1))
    assert (state.alerts, state.heartbeat_at) == (1, 4)
    state.fold(Alerted(5, "msg", "data.stale", "warning", "", 2, {"rule": "r", "subject": "s"}))
    assert state.stale_alerted == {RULE}
    state.fold(Alerted(6, "msg", "data.stale", "info", "", 3, {"rule": "r", "subject": "s", "resolved": True}))
    assert state.stale_alerted == set()
