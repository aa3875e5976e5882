"""macro-rising by vintage as published, and defi-layer's latch on it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.effects import Effect, EpisodeClosed, EpisodeOpened, Judged
from monitor.core.observation import Observation
from monitor.core.rule import Input
from monitor.core.state import State as Memory
from monitor.core.units import DAY, month_before, parse_time
from monitor.core.verdict import State, Unknown, Verdict
from monitor.rules.defi_layer import DefiLayer
from monitor.rules.macro_rising import MacroRising, round_half_up
from tests.builders import START, seen, view_of

MONTH = parse_time("2024-02-01")
RELEASED = START - DAY


def prints(*yearly: float, metric: str = "macro.cpi", released: int = RELEASED, base: float = 100.0) -> list[Observation]:
    """The newest months with the given changes on a year of flat base levels."""
    count = len(yearly)
    flat = [seen(metric, "US", base, month_before(MONTH, 12 + i), known_at=released - 300 * DAY) for i in range(count)]
    rows = [
        seen(metric, "US", base * (1 + y / 100), month_before(MONTH, count - 1 - i), known_at=released - 30 * DAY * (count - 1 - i))
        for i, y in enumerate(yearly)
    ]
    return flat + rows


def judge(*observations: Observation, rule: MacroRising | None = None, now: int = START) -> Verdict:
    return (rule or MacroRising()).judge(view_of(*observations, now=now), "US")


@pytest.mark.parametrize(
    ("before", "newest", "state"),
    [(3.1, 3.2, State.FIRED), (3.1, 3.1, State.QUIET), (3.14, 3.149, State.QUIET), (3.149, 3.151, State.FIRED), (3.2, 3.1, State.QUIET)],
)
def test_a_print_is_compared_as_published_to_a_tenth_of_a_point(before: float, newest: float, state: State):
    verdict = judge(*prints(before, newest))
    assert verdict.state is state
    assert len(verdict.conditions) == 1


@pytest.mark.parametrize(("percent", "published"), [(3.15, 3.2), (3.149, 3.1), (-3.15, -3.2), (0.05, 0.1), (0.04999, 0.0), (2.25, 2.3)])
def test_halves_are_rounded_away_from_zero(percent: float, published: float):
    assert round_half_up(percent) == pytest.approx(published)


@given(st.floats(-50, 50))
def test_rounding_moves_by_half_a_tenth_at_most(percent: float):
    assert abs(round_half_up(percent) - percent) <= 0.05 + 1e-9


def test_a_print_that_a_source_is_to_bring_and_has_not_yet_is_unknown_and_no_quiet_leg():
    settings = {"sources": {"bls": {"cadence_ms": DAY, "provides": [["macro.cpi", "US"], ["macro.ppi", "US"]]}}}
    quiet = MacroRising().judge(view_of(*prints(3.5, 3.0), settings=settings), "US")
    assert (quiet.state, quiet.reason) == (State.UNKNOWN, "PPI: no print of the PPI is known yet")
    assert MacroRising().judge(view_of(*prints(3.0, 3.5), settings=settings), "US").state is State.FIRED


def test_either_print_is_enough_and_a_blind_one_hides_nothing():
    rising, falling = prints(3.0, 3.5, metric="macro.ppi"), prints(3.5, 3.0)
    assert judge(*rising, *falling).state is State.FIRED
    assert judge(*falling, prints(3.0, metric="macro.ppi")[-1]).state is State.UNKNOWN
    with pytest.raises(Unknown, match="no CPI or PPI"):
        judge()
    assert MacroRising().configured("US", lambda one: one == Input("macro.ppi", "US"))


@pytest.mark.parametrize(("age", "state"), [(45 * DAY, State.FIRED), (45 * DAY + 1, State.UNKNOWN)])
def test_a_print_counts_for_45_days_after_its_release_and_the_view_wakes_after_them(age: int, state: State):
    view = view_of(*prints(3.0, 3.5), now=RELEASED + age)
    assert MacroRising().judge(view, "US").state is state
    assert view.due == (RELEASED + 45 * DAY + 1 if state is State.FIRED else None)


def test_f_080_a_month_that_was_never_published_is_passed_over_for_the_one_before():
    rows = [o for o in prints(3.0, 9.9, 3.2) if o.at != month_before(MONTH, 1)]
    verdict = judge(*rows)
    assert verdict.state is State.FIRED
    assert "3.0% of 2023-12" in verdict.reason


def test_without_the_level_of_a_year_ago_it_is_unknown_and_by_the_month_it_is_not():
    rows = prints(1.0, 3.0)
    assert judge(*rows[-2:]).state is State.UNKNOWN
    assert judge(rows[-1]).state is State.UNKNOWN
    three = [*rows[-2:], seen("macro.cpi", "US", 100.5, month_before(MONTH, 2), known_at=RELEASED - 60 * DAY)]
    adjusted = [replace(one, metric="macro.cpi_sa") for one in three]
    assert judge(*adjusted, rule=MacroRising(variant="mom")).state is State.FIRED


def test_f_082_a_revision_counts_from_when_it_is_known():
    revised = seen("macro.cpi", "US", 102.0, MONTH, known_at=RELEASED + 10 * DAY)
    assert judge(*prints(3.0, 3.5)).state is State.FIRED
    assert judge(*prints(3.0, 3.5), revised, now=RELEASED + 11 * DAY).state is State.QUIET


def test_it_is_over_with_the_next_print_that_does_not_rise():
    assert MacroRising().over(view_of(), "US", START)


# --- defi-layer --------------------------------------------------------------------------------------------------

TVL, MACRO = "tvl-drawdown", "macro-rising"
F, Q, U, N = State.FIRED, State.QUIET, State.UNKNOWN, State.NOT_CONFIGURED


def told(at: int, rule: str, state: State) -> Judged:
    subject = "chain:x" if rule == TVL else "US"
    return Judged(at, rule, subject, Verdict(state, f"{rule} {state}", distance=0.5 if state is F else -0.5))


def combined(*effects: Effect) -> Verdict:
    memory = Memory()
    for effect in effects:
        memory.fold(effect)
    return DefiLayer().judge(view_of(state=memory, now=100), "chain:x")


@pytest.mark.parametrize(
    ("tvl", "macro", "state"), [(F, F, F), (F, Q, Q), (Q, F, Q), (Q, U, Q), (F, U, U), (U, F, U), (U, Q, Q), (U, U, U), (Q, Q, Q)]
)
def test_both_legs_must_fire(tvl: State, macro: State, state: State):
    assert combined(told(1, TVL, tvl), told(1, MACRO, macro)).state is state


@pytest.mark.parametrize(
    ("history", "state"),
    [
        ([told(1, MACRO, F), EpisodeOpened(2, TVL, "chain:x"), told(3, MACRO, Q)], F),
        ([told(1, MACRO, F), EpisodeOpened(2, TVL, "chain:x"), told(3, MACRO, U)], F),
        ([told(1, MACRO, F), told(2, MACRO, Q), EpisodeOpened(3, TVL, "chain:x")], Q),
        ([told(1, MACRO, F), told(2, MACRO, Q), EpisodeOpened(2, TVL, "chain:x")], Q),
        ([told(1, MACRO, Q), EpisodeOpened(2, TVL, "chain:x")], Q),
        ([EpisodeOpened(1, TVL, "chain:x"), told(2, MACRO, U)], U),
        ([told(1, MACRO, F), EpisodeOpened(2, TVL, "chain:x"), told(3, MACRO, Q), EpisodeClosed(4, TVL, "chain:x", 2, "over")], Q),
    ],
    ids=["rising since it began", "blind since", "rising before only", "turned as it began", "never", "never known", "ended"],
)
def test_f_033_the_macro_leg_is_latched_until_the_tvl_episode_ends(history: list[Effect], state: State):
    verdict = combined(told(1, TVL, F), *history)
    assert verdict.state is state
    if state is F:
        assert "latched" in verdict.reason


@pytest.mark.parametrize("effects", [[], [told(1, TVL, N), told(1, MACRO, F)], [told(1, TVL, F)]])
def test_a_leg_that_is_not_judged_is_unknown(effects: list[Effect]):
    with pytest.raises(Unknown, match="is not judged"):
        combined(*effects)


def test_its_exit_is_the_end_of_the_tvl_episode_and_it_asks_for_a_short_layer():
    memory = Memory()
    assert DefiLayer().over(view_of(state=memory), "chain:x", 1)
    memory.fold(EpisodeOpened(1, TVL, "chain:x"))
    assert not DefiLayer().over(view_of(state=memory), "chain:x", 1)
    intent = DefiLayer().intent(Verdict(F, ""))
    assert (intent.tier, intent.actions) == ("short", ("short_perp", "top_up"))
