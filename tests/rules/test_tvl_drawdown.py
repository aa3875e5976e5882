"""tvl-drawdown: 8% below the highest of 48 hours, confirmed; over at -4% through a whole day."""

import pytest
from pydantic import ValidationError

from monitor.core.observation import Observation
from monitor.core.units import DAY, HOUR, MINUTE
from monitor.core.verdict import State, Unknown, Verdict
from monitor.registry import build
from monitor.rules.tvl_drawdown import TvlDrawdown
from tests.builders import START, seen, series, view_of

X = "chain:x"


def tvl(values: list[float], step: int = HOUR, source: str = "s1", end: int = START) -> list[Observation]:
    return series("tvl.usd", X, values, step_ms=step, source=source, end=end)


def judge(*observations: Observation, rule: TvlDrawdown | None = None, now: int = START) -> Verdict:
    return (rule or TvlDrawdown()).judge(view_of(*observations, now=now), X)


@pytest.mark.parametrize(
    ("last", "state"),
    [
        (92.0, State.FIRED),
        (91.999, State.FIRED),
        (92.001, State.QUIET),
        (50.0, State.FIRED),
        (100.0, State.QUIET),
    ],
)
def test_it_fires_at_eight_percent_below_the_highest(last: float, state: State):
    verdict = judge(*tvl([100.0] * 48 + [last]))
    assert verdict.state is state
    assert verdict.value == pytest.approx(last / 100 - 1)
    assert verdict.threshold == -0.08


def test_the_highest_counts_while_it_is_in_the_closed_window_and_the_variant_takes_the_first():
    peak = [100.0, *[95.0] * 47, 91.9]
    assert judge(*tvl(peak)).state is State.FIRED
    assert judge(*tvl([*peak, 91.9])).state is State.QUIET
    later_peak = [95.0, 100.0, *[95.0] * 46, 91.9]
    assert judge(*tvl(later_peak), rule=TvlDrawdown(variant="start")).state is State.QUIET
    assert judge(*tvl(peak), rule=TvlDrawdown(variant="start")).state is State.FIRED


def test_a_series_of_zeros_has_not_fallen():
    assert judge(*tvl([0.0] * 49)).state is State.QUIET


FAST = 10 * MINUTE
SPAN = 48 * 6


@pytest.mark.parametrize(
    ("tail", "confirmed"),
    [([90.0], False), ([90.0, 90.0], False), ([90.0, 90.0, 90.0], True), ([90.0, 90.0, 95.0, 90.0], False), ([91.0, 90.5, 90.0], True)],
)
def test_a_fast_series_must_stand_for_two_further_observations(tail: list[float], confirmed: bool):
    rows = tvl([100.0] * (SPAN + 1 - len(tail)) + tail, FAST)
    if confirmed:
        assert judge(*rows).state is State.FIRED
    else:
        with pytest.raises(Unknown) as caught:
            judge(*rows)
        assert caught.value.code == "unconfirmed"


@pytest.mark.parametrize(
    ("tail", "confirmed"),
    [([49.0], False), ([50.0], True), ([0.0], False), ([49.0, 49.0], True), ([0.0, 0.0, 0.0], True)],
    ids=["a step over 50%", "a step of 50%", "a zero", "stood for an hour", "a zero that stands"],
)
def test_f_033_f_035_an_hourly_series_is_taken_as_it_is_except_a_zero_or_a_step_over_half(tail: list[float], confirmed: bool):
    rows = tvl([100.0] * (49 - len(tail)) + tail)
    if confirmed:
        assert judge(*rows).state is State.FIRED
    else:
        with pytest.raises(Unknown, match="has not stood there yet"):
            judge(*rows)


def test_a_whole_window_at_its_low_has_no_before():
    rule = TvlDrawdown(variant="start", window=2 * HOUR)
    assert judge(*tvl([100.0, 90.0, 90.0]), rule=rule).state is State.FIRED
    assert judge(*tvl([92.0, 92.5, 90.2]), rule=TvlDrawdown(threshold=0.02, exit=0.01, window=2 * HOUR)).state is State.FIRED
    slow = judge(*tvl([91.0, 91.5, 90.2], FAST), rule=TvlDrawdown(threshold=0.01, exit=0.005, window=2 * FAST))
    assert slow.state is State.FIRED


def test_the_newest_value_may_come_from_another_source_that_is_fresh():
    daily = tvl([100.0] * 49)
    newer = [seen("tvl.usd", X, 90.0, START + i * FAST, "live") for i in range(1, 4)]
    assert judge(*daily, *newer, now=START + 3 * FAST).state is State.FIRED
    stale = tvl([10.0] * 5, MINUTE, "live", START - HOUR)
    assert judge(*daily, *stale).state is State.QUIET


def test_a_provider_s_days_and_its_young_newest_values_cover_a_window_together():
    """The first two days of a fresh installation: whole days from history, and what was polled since."""
    days = tvl([100.0, 100.0, 100.0], step=DAY, source="llama", end=START - 30 * HOUR)
    polled = tvl([93.0, 91.9, 91.8, 91.7], step=10 * MINUTE, source="llama-now")
    verdict = judge(*days, *polled)
    assert verdict.state is State.FIRED
    assert verdict.value == pytest.approx(-0.083)


def test_a_hole_between_days_and_newest_values_is_not_covered():
    days = tvl([100.0, 100.0, 100.0], step=6 * HOUR, source="llama", end=START - 18 * HOUR)
    polled = tvl([93.0, 91.9, 91.8, 91.7], step=10 * MINUTE, source="llama-now")
    with pytest.raises(Unknown, match=r"coverage|hole|samples|missing"):
        judge(*days, *polled)


def test_f_025_without_a_covering_source_it_is_unknown():
    with pytest.raises(Unknown, match="5 of 48 expected"):
        judge(*tvl([100.0] * 5))
    with pytest.raises(Unknown, match="nobody has given"):
        judge()


@pytest.mark.parametrize(
    ("calm_hours", "level", "over"), [(24, 96.1, True), (23, 96.1, False), (24, 96.0, False)], ids=["a day", "an hour short", "at the exit"]
)
def test_it_is_over_when_it_has_been_above_the_exit_for_a_whole_day(calm_hours: int, level: float, over: bool):
    # a calm stretch of n hours has n + 1 samples; the peak of 100 stays within each sample's own window
    tail = [90.0, *[level] * (calm_hours + 1)]
    rows = tvl([100.0] * 48 + tail)
    assert TvlDrawdown().over(view_of(*rows), X, START - 30 * HOUR) is over


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"exit": "8%"}, "exit must lie between"),
        ({"exit": "0%"}, "exit must lie between"),
        ({"threshold": "100%"}, "exit must lie between"),
        ({"window": "9min"}, "window must be ten minutes or more"),
        ({"exit_for": "-1h"}, "exit_for not negative"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_with_a_cure(settings: dict[str, str], named: str):
    with pytest.raises(ValidationError, match=named):
        build(TvlDrawdown, settings)
