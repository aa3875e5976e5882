"""rate-differential: a debt that costs far more than stablecoins earn, a market that runs dry, a rate that doubles; rewards count for nothing."""

import pytest
from pydantic import ValidationError

from monitor.core.observation import Observation
from monitor.core.rule import Input
from monitor.core.units import DAY, HOUR, MINUTE
from monitor.core.verdict import State, Unknown, Verdict
from monitor.registry import build
from monitor.rules.rate_differential import RateDifferential
from tests.builders import START, series, view_of

RULE = RateDifferential()
DEBT, STABLE, OTHER = "lending:ethereum/aave-v3/WETH", "lending:ethereum/compound-v3/USDC", "lending:ethereum/aave-v3/USDT"
HOURS = 30 * 24 + 6
Rows = list[Observation]


def owed(*last: float, usual: float = 0.04, hours: int = 1, count: int | None = None) -> Rows:
    """30 days and 6 hours of a usual borrow rate, of which the newest are these."""
    total = count or HOURS // hours + 1
    return series("lending.borrow_apr", DEBT, [usual] * (total - len(last)) + list(last), step_ms=hours * HOUR)


def earned(rate: float = 0.03, subject: str = STABLE, hours: int = 1, count: int | None = None, metric: str = "lending.supply_apy") -> Rows:
    return series(metric, subject, [rate] * (count or HOURS // hours + 1), step_ms=hours * HOUR)


def used(*shares: float, step_ms: int = HOUR, before: float = 0.5) -> Rows:
    return series("lending.utilisation", DEBT, [before] * 10 + list(shares), step_ms=step_ms)


def judge(*parts: Rows, now: int = START, rule: RateDifferential = RULE) -> Verdict:
    return rule.judge(view_of(*(row for part in parts for row in part), now=now), DEBT)


def leg(verdict: Verdict, name: str):
    [found] = [one for one in verdict.conditions if one.name == name]
    return found


# --- the spread ---


@pytest.mark.parametrize(
    ("rate", "state"),
    [(0.05, State.QUIET), (0.0500001, State.FIRED), (0.0499999, State.QUIET)],
    ids=["exactly -2% is not below", "a hair below", "a hair above"],
)
def test_the_spread_fires_strictly_below_minus_two_points(rate: float, state: State):
    found = leg(judge(owed(*[rate] * 7), earned()), "spread")
    assert found.state is state
    assert found.threshold == -0.02


def test_the_spread_must_hold_for_six_hours_counted_from_its_first_sample():
    assert leg(judge(owed(*[0.06] * 7), earned()), "spread").state is State.FIRED
    short = leg(judge(owed(*[0.06] * 6), earned()), "spread")
    assert (short.state, short.distance) == (State.QUIET, pytest.approx(5 / 6 - 1))
    assert "for 5.0 of 6 h" in short.reason
    broken = leg(judge(owed(*[0.06] * 4, 0.05, *[0.06] * 2), earned()), "spread")
    assert broken.state is State.QUIET


def test_a_spread_that_is_always_low_is_no_stress_and_one_below_its_own_percentile_is():
    always = leg(judge(owed(usual=0.08), earned()), "spread")
    assert (always.state, always.threshold) == (State.QUIET, -0.05)
    assert leg(judge(owed(*[0.0800001] * 7, usual=0.08), earned()), "spread").state is State.FIRED


def test_the_percentile_is_that_of_the_thirty_days_before_the_six_hours():
    """A fifth of the hours at -5%: the spread must be below those, and the six hours themselves do not move the bar."""
    rates = [0.08 if hour % 5 == 0 else 0.04 for hour in range(HOURS - 6)]
    for last, state in ((0.0800001, State.FIRED), (0.08, State.QUIET)):
        rows = series("lending.borrow_apr", DEBT, [*rates, *[last] * 7])
        found = leg(judge(rows, earned()), "spread")
        assert (found.threshold, found.state) == (-0.05, state)


def test_the_best_stablecoin_of_the_chain_counts_whatever_its_protocol_and_no_other_chain():
    dear = owed(*[0.06] * 7)
    assert leg(judge(dear, earned(), earned(0.05, OTHER)), "spread").value == pytest.approx(-0.01)
    assert leg(judge(dear, earned(), earned(0.05, "lending:base/aave-v3/USDC")), "spread").value == pytest.approx(-0.03)
    assert leg(judge(dear, earned(), earned(0.05, "lending:ethereum/aave-v3/WBTC")), "spread").value == pytest.approx(-0.03)


@pytest.mark.parametrize("reward", [-1.0, 0.001, 0.5, 100.0])
def test_f_079_rewards_are_not_added_to_what_a_stablecoin_earns(reward: float):
    view = view_of(*owed(*[0.06] * 7), *earned(), *earned(reward, metric="lending.reward_apr"))
    found = leg(RULE.judge(view, DEBT), "spread")
    assert (found.state, found.value) == (State.FIRED, -0.03)
    assert {one.metric for one in view.evidence} == {"lending.supply_apy", "lending.borrow_apr"}


def test_daily_series_are_judged_too_and_one_day_is_not_six_hours():
    yields = earned(hours=24, count=32)
    assert leg(judge(owed(0.06, 0.06, hours=24, count=32), yields), "spread").state is State.FIRED
    one = leg(judge(owed(0.06, hours=24, count=32), yields), "spread")
    assert (one.state, one.distance) == (State.QUIET, -1.0)


def test_a_daily_yield_counts_at_each_hour_until_it_is_too_old():
    verdict = judge(owed(*[0.06] * 7), earned(hours=24, count=32))
    assert leg(verdict, "spread").state is State.FIRED


def test_a_stablecoin_without_its_history_is_passed_over_and_none_at_all_is_unknown():
    dear = owed(*[0.06] * 7)
    assert leg(judge(dear, earned(), earned(0.09, OTHER, count=48)), "spread").value == pytest.approx(-0.03)
    blind = leg(judge(dear, earned(count=48)), "spread")
    assert (blind.state, "48 of 726 expected samples" in blind.reason) == (State.UNKNOWN, True)


def test_a_percentile_needs_twenty_days():
    monthly = series("lending.supply_apy", STABLE, [0.03] * 6, step_ms=31 * DAY)
    blind = leg(judge(owed(*[0.06] * 7), monthly), "spread")
    assert (blind.state, "the spread is known on 0 of the 30 days before, 20 are needed" in blind.reason) == (State.UNKNOWN, True)


def test_a_borrow_rate_that_is_newer_than_any_yield_makes_no_spread():
    ends_early = series("lending.supply_apy", STABLE, [0.03] * HOURS, end=START - 2 * HOUR)
    assert leg(judge(owed(), ends_early), "spread").state is State.QUIET
    before_all = [row for row in earned(hours=24, count=32) if row.at <= START]
    minutes = series("lending.borrow_apr", DEBT, [0.04] * 3, step_ms=MINUTE)
    assert leg(judge(minutes, before_all), "spread").state is State.UNKNOWN


def by_minutes(metric: str, subject: str, usual: float, last: float, minutes: int = 360, gone: range = range(0)) -> Rows:
    """31 days of minutes, of which the newest have another value; `gone` are minutes before now."""
    rows = series(metric, subject, [usual] * (31 * 24 * 60 - minutes - 1) + [last] * (minutes + 1), step_ms=MINUTE)
    return [row for row in rows if (START - row.at) // MINUTE not in gone]


@pytest.mark.parametrize(("minutes", "state"), [(360, State.FIRED), (359, State.QUIET)])
def test_rates_by_the_minute_are_judged_by_thirty_days_of_hours_and_the_six_hours_to_the_minute(minutes: int, state: State):
    """As Aave and Compound are polled; ten minutes were missed a week ago."""
    missed = range(7 * 24 * 60, 7 * 24 * 60 + 10)
    debt = by_minutes("lending.borrow_apr", DEBT, 0.04, 0.06, minutes, missed)
    verdict = judge(debt, by_minutes("lending.supply_apy", STABLE, 0.03, 0.03, gone=missed))
    assert leg(verdict, "spread").state is state
    assert (leg(verdict, "jump").state, leg(verdict, "jump").threshold) == (State.QUIET, 0.08)


def test_minutes_of_a_few_days_are_no_thirty_days():
    few = series("lending.borrow_apr", DEBT, [0.04] * 2000, step_ms=MINUTE)
    assert "35 of 720 expected samples" in judge(few).reason


# --- utilisation ---


@pytest.mark.parametrize(
    ("shares", "state"),
    [
        ((0.95, 0.95), State.FIRED),
        ((0.9499999, 0.95), State.QUIET),
        ((0.95, 0.9499999), State.QUIET),
        ((1.0, 1.0), State.FIRED),
        ((1.0,), State.QUIET),
    ],
    ids=["95% for an hour", "for less", "no more", "full use is true and fires", "a glance"],
)
def test_utilisation_of_95_percent_must_hold_for_an_hour_F_076(shares: tuple[float, ...], state: State):
    assert judge(used(*shares)).state is state


def test_utilisation_by_the_minute_counts_its_minutes():
    assert judge(used(*[0.96] * 61, step_ms=MINUTE)).state is State.FIRED
    short = judge(used(*[0.96] * 60, step_ms=MINUTE))
    assert short.state is State.QUIET
    assert short.distance == pytest.approx(59 / 60 - 1)


def test_a_hole_does_not_bridge_an_hour_of_utilisation():
    with_hole = [row for row in used(*[0.96] * 61, step_ms=MINUTE) if not START - 50 * MINUTE < row.at < START - 10 * MINUTE]
    verdict = judge(with_hole)
    assert (verdict.state, "for 0.2 of 1 h" in verdict.reason) == (State.QUIET, True)


# --- the jump ---


@pytest.mark.parametrize(("rate", "state"), [(0.08, State.FIRED), (0.0799999, State.QUIET), (0.5, State.FIRED)])
def test_a_borrow_rate_of_twice_its_median_fires(rate: float, state: State):
    found = leg(judge(owed(rate)), "jump")
    assert (found.state, found.threshold) == (state, 0.08)


def test_the_newest_value_is_no_part_of_its_own_median():
    rates = [0.04] * 360 + [0.06] * 360
    assert leg(judge(series("lending.borrow_apr", DEBT, [*rates, 0.09])), "jump").threshold == pytest.approx(0.10)


def test_a_monthly_rate_has_no_median_of_thirty_days():
    monthly = judge(series("lending.borrow_apr", DEBT, [0.04] * 6, step_ms=31 * DAY))
    assert (monthly.state, "no median" in monthly.reason) == (State.UNKNOWN, True)


def test_a_market_that_costs_nothing_has_nothing_to_compare_with():
    blind = leg(judge(owed(0.01, usual=0.0)), "jump")
    assert (blind.state, blind.reason) == (State.UNKNOWN, "the 30-day median of the borrow rate is 0.00%: there is nothing to compare with")


def test_a_token_that_nobody_borrows_is_quiet_and_not_blind_for_ever():
    """What serves as collateral alone has a borrow rate of 0, now as always."""
    free = leg(judge(owed(usual=0.0)), "jump")
    assert (free.state, free.value, free.distance) == (State.QUIET, 0.0, -1.0)
    assert free.reason == "borrowing costs nothing"


# --- legs together ---


def test_one_blind_leg_hides_no_other():
    verdict = judge(owed(0.5), earned(count=48), used(0.5))
    assert verdict.state is State.FIRED
    assert [part.state for part in verdict.conditions] == [State.UNKNOWN, State.FIRED, State.QUIET]
    assert verdict.reason == "borrowing costs 50.00% a year, usually 4.00%: repay first"
    assert judge(owed(), earned(count=48), used(0.5)).state is State.UNKNOWN


def test_a_leg_that_nobody_gives_numbers_for_is_left_out():
    assert [part.name for part in judge(owed()).conditions] == ["jump"]
    assert [part.name for part in judge(used(0.5)).conditions] == ["utilisation"]
    assert [part.name for part in judge(owed(), earned(), used(0.5)).conditions] == ["spread", "jump", "utilisation"]
    assert judge(owed(), used(0.5)).state is State.QUIET
    with pytest.raises(Unknown, match="nobody has given"):
        judge(earned())


def test_another_source_is_asked_where_the_first_is_stale():
    stale = series("lending.utilisation", DEBT, [0.99] * 9, end=START - DAY, source="a")
    assert judge(stale, used(0.5)).state is State.QUIET
    blind = judge(stale)
    assert (blind.state, "in the last 7.0 h" in blind.reason) == (State.UNKNOWN, True)


@pytest.mark.parametrize(("metric", "known"), [("lending.borrow_apr", True), ("lending.utilisation", True), ("lending.supply_apy", False)])
def test_one_of_its_inputs_is_enough_to_be_set_up(metric: str, known: bool):
    assert RULE.configured(DEBT, lambda one: one == Input(metric, DEBT)) is known


# --- the exit ---


@pytest.mark.parametrize(
    ("rate", "share", "over"),
    [
        (0.0399999, 0.8999999, True),
        (0.04, 0.8999999, False),
        (0.0399999, 0.90, False),
        (0.07, 0.5, False),
    ],
    ids=["all past", "the spread is at -1%", "utilisation is at 90%", "the rate is dear"],
)
def test_the_exit_asks_every_leg(rate: float, share: float, over: bool):
    view = view_of(*owed(rate), *earned(), *used(share, 0.5 if over else share))
    assert RULE.over(view, DEBT, START - DAY) is over


@pytest.mark.parametrize(("rate", "over"), [(0.0599999, True), (0.06, False)])
def test_the_exit_of_the_jump_is_below_one_and_a_half(rate: float, over: bool):
    assert RULE.over(view_of(*owed(rate)), DEBT, START - DAY) is over


def test_a_rate_of_nothing_is_past_every_jump():
    assert RULE.over(view_of(*owed(usual=0.0)), DEBT, START - DAY)


def test_the_exit_of_one_leg_alone_and_no_exit_while_a_leg_is_blind():
    assert RULE.over(view_of(*used(0.5)), DEBT, START - DAY)
    with pytest.raises(Unknown):
        RULE.over(view_of(*owed(), *earned(count=48)), DEBT, START - DAY)


def test_it_asks_for_a_top_up_before_a_short_perp_and_says_repay_first():
    verdict = judge(owed(0.5))
    assert (RULE.intent(verdict).tier, RULE.intent(verdict).actions) == ("short", ("top_up", "short_perp"))
    assert verdict.reason.endswith(": repay first")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"exit_spread": "-2%"}, "exit_spread must lie"),
        ({"exit_spread": "1%"}, "exit_spread must lie"),
        ({"exit_utilisation": "95%"}, "exit_utilisation must lie"),
        ({"utilisation": "101%"}, "exit_utilisation must lie"),
        ({"exit_jump": "2"}, "exit_jump must lie"),
        ({"exit_jump": "0.9"}, "exit_jump must lie"),
        ({"percentile": "50%"}, "percentile must lie"),
        ({"spread_for": "0h"}, "must be above 0"),
        ({"utilisation_for": "0h"}, "must be above 0"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_with_a_cure(settings: dict[str, str], named: str):
    with pytest.raises(ValidationError, match=named):
        build(RateDifferential, settings)
