"""funding-spike: beyond 50% a year or off its habit; blind legs do not hide fired ones, and nobody assumes 8 hours."""

import pytest
from pydantic import ValidationError

from monitor.core.observation import Observation
from monitor.core.rule import Input
from monitor.core.units import DAY, HOUR
from monitor.core.verdict import Condition, State, Unknown, Verdict
from monitor.registry import build
from monitor.rules.funding_spike import FundingSpike
from tests.builders import START, funding, series, view_of

CEX = ("binance", "bybit", "okx")
RULE = FundingSpike()


def month(last: float, usual: float = 0.10, venues: tuple[str, ...] = CEX) -> list[Observation]:
    """30 days of usual 8-hour funding and one last payment, at several venues."""
    return [o for venue in venues for o in funding([usual] * 90 + [last], venue=venue)]


def judge(*observations: Observation, now: int = START, rule: FundingSpike = RULE) -> Verdict:
    return rule.judge(view_of(*observations, now=now), "BTC")


@pytest.mark.parametrize(
    ("last", "usual", "state"),
    [
        (0.4999, 0.49, State.QUIET),
        (0.5, 0.49, State.QUIET),
        (0.5001, 0.49, State.FIRED),
        (-0.4999, -0.49, State.QUIET),
        (-0.5001, -0.49, State.FIRED),
        (0.2999, 0.10, State.QUIET),
        (0.30, 0.10, State.FIRED),
        (0.3001, 0.10, State.FIRED),
        (-0.0999, 0.10, State.QUIET),
        (-0.1001, 0.10, State.FIRED),
    ],
)
def test_it_fires_beyond_half_a_year_s_notional_or_twenty_points_off_its_median(last: float, usual: float, state: State):
    assert judge(*month(last, usual)).state is state


def test_a_restless_series_needs_three_sigmas_rather_than_twenty_points():
    restless = [0.0 if i % 2 else 0.2 for i in range(90)]
    rows = [o for venue in CEX for o in funding([*restless, 0.45], venue=venue)]
    # the median is 0.0 or 0.2 by the odd one out, MAD 0.1 to 0.2: 3 x 1.4826 x 0.1 is 44 points
    assert judge(*rows).state is State.QUIET
    assert judge(*rows, rule=FundingSpike(deviation_sigmas=0.1)).state is State.FIRED


def test_the_distance_is_zero_at_the_threshold_and_the_value_keeps_its_sign():
    (level, *_) = judge(*month(-0.75, -0.75)).conditions
    assert level.value == pytest.approx(-0.75)
    assert level.threshold == -0.5
    assert level.distance == pytest.approx(0.5)


def test_f_004_a_venue_that_does_not_state_its_interval_is_unknown_and_never_taken_as_8_hours():
    silent = [o for venue in CEX for o in funding([2.0] * 91, venue=venue, interval=False)]
    verdict = judge(*silent)
    assert verdict.state is State.UNKNOWN
    assert "does not say which interval" in verdict.reason
    assert RULE.configured("BTC", lambda one: one == Input("funding.rate", "BTC"))


def test_f_005_a_change_from_8_hours_to_1_hour_makes_no_jump():
    for venue_hours in (1, 2, 3, 8):
        rows: list[Observation] = []
        for venue in CEX:
            rows += funding([0.30] * 90, venue=venue, end=START - venue_hours * HOUR)
            rows += funding([0.30] * venue_hours, venue=venue, hours=1)
        verdict = judge(*rows)
        assert verdict.state is State.QUIET
        assert verdict.conditions[0].value == pytest.approx(0.30)


def test_f_005_after_a_change_from_1_hour_to_8_hours_seven_hours_of_silence_are_not_stale():
    rows = [o for v in CEX for o in [*funding([0.1] * 900, venue=v, hours=1, end=START - 8 * HOUR), *funding([0.1], venue=v, hours=8)]]
    assert judge(*rows, now=START + 7 * HOUR).state is State.QUIET


def test_a_mean_over_8_hours_counts_each_payment_by_the_time_it_covers():
    """Seven hours at 10% and one hour at 90% make 20%, whether the seven came as one payment or as seven."""
    rows = [o for v in CEX for o in [*funding([0.1] * 90, venue=v, end=START - HOUR), *funding([0.9], venue=v, hours=1)]]
    assert judge(*rows).conditions[0].value == pytest.approx(0.20)


def test_one_venue_of_three_with_most_of_the_open_interest_weighs_60_percent_at_most():
    rows = [o for venue, y in zip(CEX, (0.9, 0.1, 0.2), strict=True) for o in funding([y] * 91, venue=venue)]
    usd = zip(CEX, (1e9, 1.0, 1.0), strict=True)
    heavy = [o for venue, value in usd for o in series("open_interest.usd", "BTC", [value] * 3, source=venue)]
    level = judge(*rows, *heavy).conditions[0]
    assert level.value == pytest.approx(0.9)
    assert "unweighted" not in level.reason
    unweighted = judge(*rows).conditions[0]
    assert unweighted.value == pytest.approx(0.2)
    assert "unweighted" in unweighted.reason


def test_two_venues_are_too_few_for_all_and_the_verdict_is_unknown():
    verdict = judge(*month(0.9, venues=CEX[:2]))
    assert verdict.state is State.UNKNOWN
    assert "2 of at least 3 venues" in verdict.reason


def test_a_fired_leg_fires_although_the_other_aggregate_is_blind():
    """Kleene: dex has one venue of the two it needs."""
    verdict = judge(*month(0.9), *funding([0.1] * 91, venue="hyperliquid"))
    assert verdict.state is State.FIRED
    assert [c.state for c in verdict.conditions if c.name.startswith("dex")] == [State.UNKNOWN] * 2


def test_quiet_with_a_blind_dex_is_unknown_and_without_any_dex_venue_it_is_quiet():
    assert judge(*month(0.1), *funding([0.1] * 91, venue="hyperliquid")).state is State.UNKNOWN
    assert judge(*month(0.1)).state is State.QUIET


def test_dex_alone_beyond_the_threshold_fires():
    verdict = judge(*month(0.1), *(o for v in ("dydx", "hyperliquid") for o in funding([0.8] * 91, venue=v)), rule=FundingSpike())
    assert verdict.state is State.FIRED
    assert verdict.conditions[2].name == "dex: funding"


@pytest.mark.parametrize(("payments", "state"), [(81, State.QUIET), (80, State.UNKNOWN)], ids=["90% of 30 days is enough", "one less is not"])
def test_the_median_needs_90_percent_of_its_slots(payments: int, state: State):
    rows = [o for v in CEX for o in funding([0.1] * payments, venue=v)]
    if state is State.QUIET:  # 81 slots in a row leave a hole of 9 at the old end; spread them
        at_all = [o for v in CEX for o in funding([0.1] * 90, venue=v)]
        missing = {START - 8 * HOUR * i for i in range(8, 89, 9)}
        rows = [o for o in at_all if o.at not in missing]
        assert len({o.at for o in rows}) == 81
    assert judge(*rows).state is state


@pytest.mark.parametrize(
    ("missing", "state"),
    [((0,), State.QUIET), ((1,), State.UNKNOWN), ((2,), State.UNKNOWN), ((5, 6), State.QUIET), ((5, 6, 7), State.UNKNOWN)],
    ids=["just ended, not known yet", "of the last three", "of the last three, too", "a hole of three steps", "a hole of four steps"],
)
def test_the_median_needs_its_last_slots_and_no_hole_over_three(missing: tuple[int, ...], state: State):
    gone = {START - 8 * HOUR * i for i in missing}
    rows = [o for v in CEX for o in funding([0.1] * 91, venue=v) if o.at not in gone]
    assert judge(*rows).state is state


@pytest.mark.parametrize(
    ("last", "usual", "over"),
    [
        (0.2499, 0.20, True),
        (0.25, 0.20, False),
        (0.1999, 0.10, True),
        (0.20, 0.10, False),
        (-0.2499, -0.20, True),
        (-0.25, -0.2, False),
    ],
)
def test_the_exit_is_below_25_percent_and_within_10_points(last: float, usual: float, over: bool):
    assert RULE.over(view_of(*month(last, usual)), "BTC", START - DAY) is over


def test_a_blind_aggregate_is_no_exit():
    view = view_of(*month(0.1), *funding([0.1] * 91, venue="gmx"))
    with pytest.raises(Unknown):
        RULE.over(view, "BTC", START - DAY)


@pytest.mark.parametrize(
    ("last", "usual", "actions"),
    [
        (0.6, 0.6, ("short_perp", "top_up")),
        (-0.6, -0.6, ("top_up",)),
        (0.05, 0.30, ("top_up",)),
        (-0.05, -0.40, ("top_up",)),
    ],
    ids=["positive", "negative", "positive but falling out of its habit", "rising but still negative"],
)
def test_a_short_perp_is_asked_for_only_where_it_is_paid(last: float, usual: float, actions: tuple[str, ...]):
    verdict = judge(*month(last, usual))
    assert verdict.state is State.FIRED
    assert RULE.intent(verdict).actions == actions
    assert RULE.intent(verdict).tier == "intermediate"


def test_a_quiet_leg_without_a_value_leans_nowhere():
    blank = Verdict(State.FIRED, "", conditions=(Condition("all: funding", State.UNKNOWN, ""),))
    assert RULE.intent(blank).actions == ("short_perp", "top_up")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"exit": "50%"}, "exit must lie between"),
        ({"exit": "0%"}, "exit must lie between"),
        ({"threshold": "50"}, "threshold below 1000%"),
        ({"exit_deviation": "20%"}, "exit_deviation must lie"),
        ({"deviation_sigmas": "0"}, "deviation_sigmas must be above"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_with_a_cure(settings: dict[str, str], named: str):
    with pytest.raises(ValidationError, match=named):
        build(FundingSpike, settings)


def test_settings_are_read_with_their_units():
    assert build(FundingSpike, {"threshold": "60%", "exit": "2500bp"}) == FundingSpike(threshold=0.6, exit=0.25)
