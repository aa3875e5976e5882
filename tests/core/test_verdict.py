"""Three-valued truth: every table in full, distances at their zero, and blind legs that say so."""

import itertools

import pytest

from monitor.core import verdict as v
from monitor.core.verdict import Condition, State, Unknown

F, Q, U = State.FIRED, State.QUIET, State.UNKNOWN
SAID = {F: "fired", Q: "quiet"}
ORDER = {Q: 0, U: 1, F: 2}


def part(state: State, distance: float | None = None) -> Condition:
    return Condition(f"leg {state}", state, f"because {state}", distance=distance)


@pytest.mark.parametrize("states", [s for n in (1, 2, 3) for s in itertools.product((F, Q, U), repeat=n)])
def test_and_is_the_least_and_or_the_greatest_of_quiet_unknown_fired(states: tuple[State, ...]):
    assert v.all_of(map(part, states), SAID).state is min(states, key=ORDER.__getitem__)
    assert v.any_of(map(part, states), SAID).state is max(states, key=ORDER.__getitem__)


def test_unknown_names_its_blind_legs_and_no_number():
    blind = v.any_of([part(Q, -1.0), part(U)], SAID)
    assert (blind.reason, blind.code, blind.distance) == ("leg UNKNOWN: because UNKNOWN", "blind", None)
    assert v.all_of([part(F), part(U)], SAID, "mine").code == "mine"


def test_and_shows_its_farthest_leg_and_or_its_nearest():
    legs = [part(F, 0.5), part(F, 0.1), part(F)]
    assert v.all_of(legs, SAID).distance == 0.1
    assert v.any_of(legs, SAID).distance == 0.5
    assert v.all_of([part(Q)], SAID).distance is None


@pytest.mark.parametrize(
    ("compare", "below", "at", "above"),
    [(v.at_least, Q, F, F), (v.more_than, Q, Q, F), (v.at_most, F, F, Q), (v.less_than, F, Q, Q)],
)
def test_comparisons_at_their_boundary(compare, below: State, at: State, above: State):
    assert [compare("x", value, 4.0).state for value in (3.0, 4.0, 5.0)] == [below, at, above]
    assert compare("x", 4.0, 4.0).distance == 0.0
    sign = 1 if above is F else -1
    assert compare("x", 5.0, 4.0).distance == sign * 0.25
    assert compare("x", 5.0, -4.0, scale=3.0).distance == sign * 3.0


@pytest.mark.parametrize("scale", [None, 0.0, -1.0])
def test_a_threshold_of_zero_needs_a_scale(scale: float | None):
    with pytest.raises(ValueError, match="positive scale"):
        v.at_least("x", 1.0, 0.0, scale=scale)


def test_a_flag_is_at_its_threshold_or_one_away_unless_it_has_a_number():
    assert (v.flag("x", True).distance, v.flag("x", False).distance, v.flag("x", False, distance=-3.0).distance) == (0.0, -1.0, -3.0)
    assert (v.flag("x", True).state, v.flag("x", False).state) == (F, Q)


def test_a_leg_that_cannot_be_judged_is_unknown_with_its_reason_and_a_bug_is_still_a_bug():
    def blind() -> Condition:
        raise Unknown("stale", "too old")

    assert v.attempt("x", blind) == Condition("x", U, "too old")
    assert v.attempt("x", lambda: v.flag("x", True)).state is F
    with pytest.raises(ZeroDivisionError):
        v.attempt("x", lambda: v.at_least("x", 1 / 0, 1.0))


def test_a_single_condition_is_its_own_verdict():
    leg = v.at_least("x", 2.0, 1.0, unit="USD", reason="r")
    verdict = v.of_one(leg, "c")
    assert (verdict.state, verdict.reason, verdict.code, verdict.value, verdict.threshold, verdict.distance, verdict.unit) == (
        F,
        "r",
        "c",
        2.0,
        1.0,
        1.0,
        "USD",
    )
    assert verdict.conditions == (leg,)
