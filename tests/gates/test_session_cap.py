"""session-cap: a quarter of the defined-risk capital a day, half of that in one tier; cut to the room, blocked without."""

from typing import Any

import pytest
from pydantic import ValidationError

from monitor.core.capital import defined_risk_capital_usd, portfolio_capital_usd
from monitor.core.effects import LayerMoved
from monitor.core.proposal import Proposal
from monitor.core.rule import Outcome, Ruling
from monitor.core.state import State
from monitor.core.units import DAY, MINUTE
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.gates.session_cap import SessionCap
from monitor.registry import build
from tests.builders import START, proposal_of, series, view_of

GATE = SessionCap()
NOW = START + DAY // 2


def view(*moves: LayerMoved, now: int = NOW, **book: Any) -> View:
    """A book of 40 ETH at 2500: 100 000 USD, so 2 500 of new layers a day and 1 250 in one tier."""
    state = State()
    for moved in moves:
        state.fold(moved)
    prices = [o for s in ("a", "b") for o in series("price.usd", "ETH", [2500.0] * 3, end=now, step_ms=MINUTE, source=s)]
    settings = {"positions": [{"id": "p1", "kind": "tokens", "amounts": {"ETH": 40}}], "book": book}
    return view_of(*prices, now=now, state=state, settings=settings)


def proposed(capital: float, *, at: int = START, tier: str = "short", position: str = "p9") -> LayerMoved:
    layer = proposal_of(capital_usd=capital, notional_usd=capital, tier=tier, position=position)
    return LayerMoved(at, layer.id, "proposed", "", valid_until=at + 1, proposal=layer)


def rule_on(proposal: Proposal, *moves: LayerMoved, now: int = NOW) -> Ruling:
    return GATE.judge(view(*moves, now=now), proposal)


@pytest.mark.parametrize(
    ("capital", "notional", "outcome", "limit"),
    [
        (1250.0, 1250.0, Outcome.PASS, None),
        (1251.0, 1251.0, Outcome.CUT, 1250.0),
        (2000.0, 10_000.0, Outcome.CUT, 6250.0),
        (0.0, 500.0, Outcome.PASS, None),
    ],
    ids=["exactly the tier's half", "a dollar more", "the limit is notional, the room is capital", "no capital"],
)
def test_a_first_layer_may_take_half_of_the_day(capital: float, notional: float, outcome: Outcome, limit: float | None):
    ruling = rule_on(proposal_of(capital_usd=capital, notional_usd=notional))
    assert (ruling.outcome, ruling.limit_usd) == (outcome, limit)


def test_it_says_that_the_regime_is_not_measured():
    assert "regime not measured" in rule_on(proposal_of()).verdict.reason


@pytest.mark.parametrize(
    ("used", "outcome"),
    [
        ((1250.0, 1000.0), Outcome.CUT),
        ((1250.0, 1250.0), Outcome.BLOCK),
        ((1250.0, 1300.0), Outcome.BLOCK),
        ((750.0, 750.0), Outcome.PASS),
    ],
)
def test_all_tiers_together_have_the_day(used: tuple[float, float], outcome: Outcome):
    moves = [proposed(used[0], tier="intermediate"), proposed(used[1], tier="structural")]
    assert rule_on(proposal_of(capital_usd=1000.0), *moves).outcome is outcome


def test_a_blocked_layer_is_looked_at_again_at_midnight():
    seen = view(proposed(1250.0), now=START + DAY - MINUTE)
    assert GATE.judge(seen, proposal_of()).outcome is Outcome.BLOCK
    assert seen.due == START + DAY
    assert rule_on(proposal_of(), proposed(1250.0), now=START + DAY).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("states", "counts"),
    [
        ((), True),
        (("approved",), True),
        (("approved", "active", "closed"), True),
        (("rejected",), False),
        (("expired",), False),
        (("retracted",), False),
    ],
)
def test_a_layer_counts_unless_it_was_never_used(states: tuple[str, ...], counts: bool):
    first = proposed(1250.0)
    moves = [first, *(LayerMoved(START, first.id, state, "") for state in states)]
    assert rule_on(proposal_of(), *moves).outcome is (Outcome.BLOCK if counts else Outcome.PASS)


def test_a_layer_does_not_crowd_itself_out():
    own = proposal_of(capital_usd=1250.0)
    assert rule_on(own, LayerMoved(START, own.id, "proposed", "", proposal=own)).outcome is Outcome.PASS


@pytest.mark.parametrize(("cap", "capital"), [(0, 100_000.0), (60_000, 60_000.0), (200_000, 100_000.0)])
def test_capital_is_the_book_s_equity_capped_where_a_cap_is_set(cap: float, capital: float):
    assert portfolio_capital_usd(view(capital=cap)) == capital
    assert defined_risk_capital_usd(view(capital=cap)) == capital * 0.10


def test_a_perp_counts_with_its_margin_and_a_debt_does_not_make_negative_room():
    prices = [o for s in ("a", "b") for o in series("price.usd", "ETH", [2500.0] * 3, step_ms=MINUTE, source=s)]
    perp = {"positions": [{"id": "p1", "kind": "perp", "asset": "ETH", "size": -4}]}
    assert portfolio_capital_usd(view_of(*prices, settings=perp)) == pytest.approx(2000.0)
    owed = {"positions": [{"id": "p1", "kind": "tokens", "amounts": {"ETH": -4}}]}
    assert defined_risk_capital_usd(view_of(*prices, settings=owed)) == 0.0


CONDOR = {"id": "c", "kind": "iron-condor", "asset": "ETH", "strikes": [1500, 1700, 2300, 2500], "credit": 40, "size": 3, "expiry": "2024-03-15"}


@pytest.mark.parametrize(
    ("changed", "most_lost"),
    [
        ({}, 3 * (200 - 40)),
        ({"size": -3}, 3 * 40),
        ({"strikes": [1500, 1700, 2300, 2600]}, 3 * (300 - 40)),
        ({"expiry": "2024-03-01"}, 0),
        ({"credit": 250}, 0),
        ({"credit": 0}, 0),
    ],
)
def test_the_most_that_open_condors_can_lose_is_defined_risk_too(changed: dict[str, object], most_lost: float):
    prices = [o for s in ("a", "b") for o in series("price.usd", "ETH", [2000.0] * 3, step_ms=MINUTE, source=s)]
    wallet = {"id": "w", "kind": "tokens", "amounts": {"ETH": 50}}
    known = view_of(
        *prices, *series("iv.index", "ETH", [60.0] * 3), settings={"positions": [wallet, {**CONDOR, **changed}], "book": {"capital": 60_000}}
    )
    assert defined_risk_capital_usd(known) == pytest.approx(6_000 + most_lost)


def test_a_book_that_cannot_be_valued_blocks_as_unknown_and_names_the_position():
    settings = {"positions": [{"id": "p1", "kind": "tokens", "amounts": {"ETH": 40}}]}
    with pytest.raises(Unknown, match="p1: no fresh price of ETH"):
        GATE.judge(view_of(settings=settings), proposal_of())


@pytest.mark.parametrize("settings", [{"share": "0%"}, {"tier_share": "101%"}])
def test_shares_out_of_range_are_refused(settings: dict[str, str]):
    with pytest.raises(ValidationError, match="must lie between"):
        build(SessionCap, settings)


def test_a_capital_of_cents_caps_as_well():
    assert portfolio_capital_usd(view(capital=0.5)) == 0.5
