"""domain-priority: beta to the S&P 500 up over 20 sessions by more than its standard error and 0.10."""

import numpy as np
import pytest
from pydantic import ValidationError

from monitor.core.beta import Beta
from monitor.core.market_beta import CLOSE
from monitor.core.observation import Observation
from monitor.core.rule import Input
from monitor.core.sessions import is_session
from monitor.core.units import DAY, HOUR, parse_time
from monitor.core.verdict import State, Unknown, Verdict
from monitor.core.vocabulary import SESSION_CLOSE_MS
from monitor.registry import build
from monitor.rules.domain_priority import DomainPriority
from tests.builders import seen, view_of

RULE = DomainPriority()
LAST = parse_time("2024-05-31")
SESSIONS = [day for day in (LAST - n * DAY for n in range(125, -1, -1)) if is_session("nyse", day)][-81:]
NOW = LAST + SESSION_CLOSE_MS


def story(betas: list[float], *, subject: str = "ETH", noise: float = 0.0, seed: int = 5) -> list[Observation]:
    """Closes of 81 sessions in which the asset moves `betas` times as the index does, sampled by the bar that closes at 20:00 UTC."""
    dice = np.random.default_rng(seed)
    market = dice.normal(0, 0.01, 80)
    asset = np.array(betas) * market + dice.normal(0, noise, 80)
    equity, price = 4000 * np.exp(np.cumsum([0, *market])), 2000 * np.exp(np.cumsum([0, *asset]))
    rows = [seen("equity.close", "SPX", value, day) for day, value in zip(SESSIONS, equity, strict=True)]
    return [*rows, *(seen(CLOSE, subject, value, day + 16 * HOUR) for day, value in zip(SESSIONS, price, strict=True))]


def judge(*observations: Observation, now: int = NOW, rule: DomainPriority = RULE) -> Verdict:
    return rule.judge(view_of(*observations, now=now), "ETH")


@pytest.mark.parametrize(
    ("betas", "code", "state"),
    [([1.0] * 60 + [3.0] * 20, "rising", State.FIRED), ([3.0] * 60 + [1.0] * 20, "falling", State.QUIET), ([2.0] * 80, "steady", State.QUIET)],
)
def test_it_says_whether_beta_rises_falls_or_stays(betas: list[float], code: str, state: State):
    verdict = judge(*story(betas))
    assert (verdict.code, verdict.state) == (code, state)
    assert f"beta of ETH to SPX is {code}" in verdict.reason
    assert RULE.over(view_of(now=NOW), "ETH", NOW)
    assert RULE.intent(verdict) is None


@pytest.mark.parametrize(
    ("now", "before", "code", "distance"),
    [
        (Beta(1.10, 0.05), Beta(1.0, 0.5), "steady", 0.0),
        (Beta(1.1001, 0.05), Beta(1.0, 0.5), "rising", 0.001),
        (Beta(0.90, 0.05), Beta(1.0, 0.5), "steady", -2.0),
        (Beta(0.8999, 0.05), Beta(1.0, 0.5), "falling", -2.001),
        (Beta(1.50, 0.50), Beta(1.0, 0.1), "steady", 0.0),
        (Beta(1.5001, 0.50), Beta(1.0, 0.1), "rising", 0.0002),
        (Beta(0.5, 0.5), Beta(1.0, 0.1), "steady", -2.0),
        (Beta(0.4999, 0.5), Beta(1.0, 0.1), "falling", -2.0002),
    ],
)
def test_the_change_must_exceed_both_its_error_and_a_tenth(now: Beta, before: Beta, code: str, distance: float):
    verdict = RULE._verdict("ETH", now, before)
    assert (verdict.code, verdict.state) == (code, State.FIRED if code == "rising" else State.QUIET)
    assert verdict.distance == pytest.approx(distance, abs=1e-9)


def test_a_rise_within_its_error_is_none():
    wild = judge(*story([1.0] * 60 + [1.5] * 20, noise=0.05, seed=11))
    assert wild.code == "steady" and wild.value is not None and wild.threshold is not None
    assert 0.1 < wild.value < wild.threshold


def test_the_close_is_that_of_20_utc_in_summer_and_in_winter():
    betas = [1.0] * 60 + [3.0] * 20
    others = [seen(CLOSE, "ETH", 1.0, day + hours * HOUR) for day in SESSIONS for hours in (12, 20) if day < LAST]
    assert judge(*story(betas), *others).value == judge(*story(betas)).value


def test_a_spot_chart_serves_where_no_perp_does_and_another_source_where_the_first_is_thin():
    whole = story([1.0] * 60 + [3.0] * 20)
    assert judge(*story([1.0] * 60 + [3.0] * 20, subject="spot:ETH")).code == "rising"
    thin = [seen(CLOSE, "ETH", 1.0, o.at, "a") for o in whole if o.metric == CLOSE][-5:]
    assert judge(*whole, *thin).code == "rising"


@pytest.mark.parametrize(
    ("missing", "known"), [([10], True), (list(range(10, 18)), True), (list(range(10, 19)), False), ([80], False), ([78], False)]
)
def test_sessions_without_a_close_are_left_out_while_they_are_few_and_not_the_last(missing: list[int], known: bool):
    gone = {SESSIONS[n] + 16 * HOUR for n in missing}
    extra = [seen(CLOSE, "ETH", 1.0, LAST + 12 * HOUR)]
    rows = [o for o in story([1.0] * 60 + [3.0] * 20) if o.metric != CLOSE or o.at not in gone]
    if known:
        assert judge(*rows, *extra).code == "rising"
    else:
        with pytest.raises(Unknown, match="20:00 UTC"):
            judge(*rows, *extra)


def test_what_is_missing_short_stale_or_flat_is_unknown():
    rows = story([1.0] * 80)
    with pytest.raises(Unknown, match="nobody has given 4 h candles"):
        judge(*(o for o in rows if o.metric != CLOSE))
    with pytest.raises(Unknown, match="nobody has given equity"):
        judge(*(o for o in rows if o.metric == CLOSE))
    with pytest.raises(Unknown, match="81 are needed"):
        judge(*rows[1:])
    with pytest.raises(Unknown, match="old"):
        judge(*rows, now=NOW + 2 * DAY)
    with pytest.raises(Unknown, match="has not moved"):
        judge(*(seen(o.metric, o.subject, 100.0, o.at) for o in rows))


def test_it_is_configured_by_the_index_and_either_chart():
    spot, perp, index = Input(CLOSE, "spot:ETH"), Input(CLOSE, "ETH"), Input("equity.close", "SPX")
    for there, is_there in (({index, spot}, True), ({index, perp}, True), ({spot, perp}, False), ({index}, False)):
        assert RULE.configured("ETH", lambda one, there=there: one in there) is is_there  # type: ignore[misc]  # mypy does not infer a lambda's default


@pytest.mark.parametrize("settings", [{"sessions": "9"}, {"sessions": "1001"}, {"change_sessions": "0"}, {"least_change": "0"}])
def test_settings_out_of_range_are_refused_with_a_cure(settings: dict[str, str]):
    with pytest.raises(ValidationError, match="write"):
        build(DomainPriority, settings)
