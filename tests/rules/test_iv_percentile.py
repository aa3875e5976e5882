"""iv-percentile: the newest implied volatility among its own 90 days, while MACD diverges from the price."""

import numpy as np
import pytest
from pydantic import ValidationError

from monitor.core.indicators import macd, negative_divergence, positive_divergence
from monitor.core.observation import Observation
from monitor.core.rule import Input
from monitor.core.sessions import is_session
from monitor.core.units import DAY, HOUR
from monitor.core.verdict import State, Unknown, Verdict
from monitor.core.vocabulary import SESSION_CLOSE_MS
from monitor.registry import build
from monitor.rules.iv_percentile import CLOSE, IvPercentile
from tests.builders import START, seen, series, view_of

BAR = 4 * HOUR
RULE = IvPercentile()
VARIED = [40.0 + n / 10 for n in range(90)]
"""Ninety different values of the days before, from 40.0 to 48.9."""


def two_lows() -> list[float]:
    """A steep fall, a bounce, a slower fall to a lower low, and the three bars that make it known."""
    flat = 100 + np.sin(np.arange(140) * 1.3)
    legs = [np.linspace(100, 74, 16), np.linspace(75, 84, 12), np.linspace(83.5, 72.5, 26), [73.0, 73.5, 74.0]]
    return [float(price) for price in np.concatenate([flat, *legs])]


def two_highs() -> list[float]:
    return [200 - price for price in two_lows()]


def calm() -> list[float]:
    """A price on which nothing diverges."""
    return [float(price) for price in 100 + np.arange(200) * 0.01 + np.sin(np.arange(200) * 1.3)]


def volatility(newest: float, before: list[float] | None = None, metric: str = "iv.index", subject: str = "BTC") -> list[Observation]:
    return series(metric, subject, [*(VARIED if before is None else before), newest], step_ms=DAY)


def chart(closes: list[float], subject: str = "BTC") -> list[Observation]:
    return series(CLOSE, subject, closes, end=START - BAR, step_ms=BAR)


def judge(*observations: Observation, now: int = START, rule: IvPercentile = RULE, subject: str = "BTC") -> Verdict:
    return rule.judge(view_of(*observations, now=now), subject)


def test_the_stories_diverge_as_they_should():
    for closes, positive, negative in ((two_lows(), True, False), (two_highs(), False, True), (calm(), False, False)):
        prices = np.array(closes)
        line = macd(prices).macd
        assert (bool(positive_divergence(prices, line)[-1]), bool(negative_divergence(prices, line)[-1])) == (positive, negative)


@pytest.mark.parametrize(
    ("newest", "state", "rank"),
    [(46.25, State.FIRED, 63 / 90), (46.15, State.QUIET, 62 / 90), (46.2, State.QUIET, 62.5 / 90), (99.0, State.FIRED, 1.0), (1.0, State.QUIET, 0.0)],
)
def test_it_fires_from_the_seventieth_percentile_on_with_ties_counted_half(newest: float, state: State, rank: float):
    verdict = judge(*volatility(newest), *chart(two_lows()))
    assert verdict.state is state
    level = verdict.conditions[0]
    assert level.value == pytest.approx(rank) and level.distance == pytest.approx((rank - 0.7) / 0.7)


@pytest.mark.parametrize(("closes", "code"), [(two_lows(), "positive"), (two_highs(), "negative")])
@pytest.mark.parametrize("wing_side", ["buy", "sell"])
def test_either_divergence_will_do_and_the_wings_are_named(closes: list[float], code: str, wing_side: str):
    rule: IvPercentile = build(IvPercentile, {"wing_side": wing_side})
    verdict = judge(*volatility(60.0), *chart(closes), rule=rule)
    assert (verdict.state, verdict.code) == (State.FIRED, code)
    assert f"a {code} divergence of MACD is active: {wing_side} outer wings" in verdict.reason
    assert rule.intent(verdict) is None


def test_without_a_divergence_it_is_quiet_whatever_the_rank():
    verdict = judge(*volatility(60.0), *chart(calm()))
    assert (verdict.state, verdict.code) == (State.QUIET, "")
    assert "no divergence of MACD is active" in verdict.reason


@pytest.mark.parametrize(("newest", "over"), [(45.35, False), (45.25, True)])
def test_its_episode_lasts_until_the_rank_is_below_sixty(newest: float, over: bool):
    """54 of the 90 are below 45.35: exactly the exit is not past it."""
    assert RULE.over(view_of(*volatility(newest), *chart(calm()), now=START), "BTC", START - DAY) is over


@pytest.mark.parametrize(("newest", "state", "place"), [(47.0, State.FIRED, 0.7), (46.99, State.QUIET, 0.699), (80.0, State.FIRED, 1.0)])
def test_the_variant_takes_the_position_in_the_range(newest: float, state: State, place: float):
    before = [40.0, 50.0, *[40.5] * 88]
    rule: IvPercentile = build(IvPercentile, {"variant": "range"})
    verdict = judge(*volatility(newest, before), *chart(two_lows()), rule=rule)
    assert verdict.state is state
    assert verdict.conditions[0].value == pytest.approx(place)
    with pytest.raises(Unknown, match="has not moved"):
        judge(*volatility(40.0, [40.0] * 90), *chart(two_lows()), rule=rule)


def test_of_a_day_the_last_value_counts_and_today_is_not_ranked_against_itself():
    """Each day of hourly values ends low: what stood at noon is no part of the ninety."""
    noon = [seen("iv.index", "BTC", 90.0, START - n * DAY - 12 * HOUR) for n in range(1, 90)]
    evening = [seen("iv.index", "BTC", 40.0, START - n * DAY - HOUR) for n in range(90)]
    today = [seen("iv.index", "BTC", 30.0, START), seen("iv.index", "BTC", 41.0, START + HOUR)]
    level = judge(*noon, *evening, *today, *chart(two_lows()), now=START + HOUR).conditions[0]
    assert level.value == 1.0


@pytest.mark.parametrize(("there", "known"), [(60, True), (59, False)])
def test_sixty_of_the_ninety_days_are_needed(there: int, known: bool):
    rows = volatility(60.0)
    kept = [*rows[:5], *rows[-(there - 5) - 1 :]]
    if known:
        assert judge(*kept, *chart(two_lows())).state is State.FIRED
    else:
        with pytest.raises(Unknown, match=f"{there} of 90 days"):
            judge(*kept, *chart(two_lows()))


def test_days_before_the_ninety_do_not_count():
    old = series("iv.index", "BTC", [99.0] * 20, end=START - 91 * DAY, step_ms=DAY)
    assert judge(*old, *volatility(60.0), *chart(two_lows())).conditions[0].value == 1.0


def equities(newest: float, closes: list[float], *, gone: int = 0) -> tuple[list[Observation], int]:
    """VIX and SPX by session up to the last before START, and the instant at which the last is known."""
    days = [day for day in (START - n * DAY for n in range(1, 420)) if is_session("nyse", day)][::-1]
    vix = [seen("vix.close", "VIX", value, day) for day, value in zip(days[-91:], [*VARIED, newest], strict=True)]
    spx = [seen("equity.close", "SPX", value, day) for day, value in zip(days[-len(closes) :], closes, strict=True)]
    return [*vix[:1], *vix[1 + gone :], *spx], days[-1] + SESSION_CLOSE_MS


def test_on_the_index_it_counts_sessions_of_the_vix_and_daily_bars():
    rows, now = equities(46.25, two_highs())
    verdict = judge(*rows, now=now, subject="SPX")
    assert (verdict.state, verdict.code) == (State.FIRED, "negative")
    assert verdict.conditions[0].value == pytest.approx(63 / 90)
    assert "vix.close of VIX" in verdict.reason


def test_a_weekend_does_not_age_the_vix_and_two_sessions_do():
    rows, now = equities(60.0, two_highs())
    monday_morning = START + 12 * HOUR
    assert now == START - 3 * DAY + SESSION_CLOSE_MS
    assert judge(*rows, now=monday_morning, subject="SPX").state is State.FIRED
    with pytest.raises(Unknown, match="old"):
        judge(*rows, now=START + SESSION_CLOSE_MS + 2 * HOUR + 1, subject="SPX")


def test_what_is_missing_or_stale_is_unknown():
    with pytest.raises(Unknown, match=r"nobody has given iv\.index of BTC"):
        judge(*chart(two_lows()))
    with pytest.raises(Unknown, match="nobody has given candle"):
        judge(*volatility(60.0))
    with pytest.raises(Unknown, match="old"):
        judge(*volatility(60.0), *chart(two_lows()), now=START + 4 * DAY)


def test_of_two_sources_the_one_that_can_be_ranked_is_read():
    young = series("iv.index", "BTC", [10.0] * 10, step_ms=DAY, source="a")
    assert judge(*young, *volatility(60.0), *chart(two_lows())).state is State.FIRED


def test_it_is_configured_by_the_volatility_and_either_chart_of_its_subject():
    dvol, spot, perp = Input("iv.index", "BTC"), Input(CLOSE, "spot:BTC"), Input(CLOSE, "BTC")
    vix, spx = Input("vix.close", "VIX"), Input("equity.close", "SPX")
    cases = [("BTC", {dvol, spot}, True), ("BTC", {dvol, perp}, True), ("BTC", {dvol}, False), ("BTC", {spot, perp, vix}, False)]
    cases += [("SPX", {vix, spx}, True), ("SPX", {vix}, False), ("SPX", {spx, dvol, perp}, False)]
    for subject, there, is_there in cases:
        assert RULE.configured(subject, lambda one, there=there: one in there) is is_there  # type: ignore[misc]  # mypy does not infer a lambda's default


@pytest.mark.parametrize("settings", [{"exit": "70%"}, {"exit": "0%"}, {"threshold": "101%"}, {"days": "2"}, {"days": "366"}])
def test_settings_that_contradict_each_other_are_refused_with_a_cure(settings: dict[str, str]):
    with pytest.raises(ValidationError, match="write"):
        build(IvPercentile, settings)
