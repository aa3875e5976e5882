"""macd-rsi-scaling: the recovery from 40 to 55 with a divergence, on closed bars without a gap."""

import numpy as np
import pytest
from pydantic import ValidationError

from monitor.core.indicators import macd, positive_divergence, rsi, rsi_recovery
from monitor.core.observation import Observation
from monitor.core.rule import Input
from monitor.core.units import HOUR
from monitor.core.verdict import State, Unknown, Verdict
from monitor.registry import build
from monitor.rules.macd_rsi_scaling import CLOSE, MacdRsiScaling
from tests.builders import START, series, view_of

BAR = 4 * HOUR
RULE = MacdRsiScaling()
NOW = START + BAR  # the bar that opened at START has just closed


def double_bottom() -> list[float]:
    """A steep fall, a bounce, a slower fall to a lower low, and a strong recovery."""
    flat = 100 + np.sin(np.arange(140) * 1.3)
    legs = [np.linspace(100, 74, 16), np.linspace(75, 84, 12), np.linspace(83.5, 72.5, 26), np.linspace(74, 92, 12)]
    return [float(x) for x in np.concatenate([flat, *legs])]


def stages() -> tuple[np.ndarray, np.ndarray]:
    """Rows of the story on which the rule's event stands, and on which it is fired."""
    closes = np.array(double_bottom())
    moves = rsi_recovery(rsi(closes), positive_divergence(closes, macd(closes).macd))
    return np.flatnonzero(moves.event), np.flatnonzero(moves.fired)


def bars(closes: list[float], source: str = "s1", subject: str = "BTC", end: int = START) -> list[Observation]:
    return series(CLOSE, subject, closes, end=end, step_ms=BAR, source=source)


def judge(*observations: Observation, now: int = NOW, rule: MacdRsiScaling = RULE) -> Verdict:
    return rule.judge(view_of(*observations, now=now), "BTC")


def test_the_story_has_one_recovery_that_begins_and_ends():
    event, fired = stages()
    assert len(event) >= 1
    assert fired[-1] + 1 < len(double_bottom())


@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_it_fires_on_the_bar_of_the_crossing_and_not_one_earlier(offset: int):
    event, _ = stages()
    verdict = judge(*bars(double_bottom()[: event[0] + 1 + offset]))
    assert verdict.state is (State.QUIET if offset < 0 else State.FIRED)
    if offset >= 0:
        assert [c.state for c in verdict.conditions] == [State.FIRED] * 4
        assert verdict.conditions[1].value is not None and verdict.conditions[1].value < 40
        assert f"{offset} bars ago" in verdict.conditions[3].reason


def test_it_falls_quiet_with_the_end_of_the_divergence_and_that_is_its_exit():
    _, fired = stages()
    observations = bars(double_bottom()[: fired[-1] + 2])
    verdict = judge(*observations)
    assert verdict.state is State.QUIET
    assert "divergence is not active" in verdict.reason
    assert RULE.over(view_of(*observations, now=NOW), "BTC", START - BAR)


def test_every_leg_shows_its_number_its_threshold_and_its_distance():
    closes = double_bottom()[:160]
    strength = rsi(np.array(closes))
    level, lowest, *_ = judge(*bars(closes)).conditions
    assert level.value == strength[-1] and level.threshold == 55 and level.distance == pytest.approx((strength[-1] - 55) / 55)
    before = strength[-31:-1].min()
    assert lowest.value == before and lowest.distance == pytest.approx((40 - before) / 40)


@pytest.mark.parametrize(("bars_since_gap", "state"), [(120, State.QUIET), (119, State.UNKNOWN)])
def test_f_025_a_gap_is_not_bridged(bars_since_gap: int, state: State):
    closes = double_bottom()[:160]
    gap_at = START - BAR * bars_since_gap
    observations = [o for o in bars(closes) if o.at != gap_at]
    if state is State.UNKNOWN:
        with pytest.raises(Unknown, match="the last gap ends"):
            judge(*observations)
    else:
        assert judge(*observations).state is state


def test_f_026_an_unfinished_candle_is_never_read():
    """A bar that clocks let in two minutes early changes nothing before its close, and is waited for."""
    event, _ = stages()
    closes = double_bottom()[: event[0] + 1]
    view = view_of(*bars(closes), now=NOW - 1)
    assert RULE.judge(view, "BTC").state is State.QUIET
    assert view.due == NOW
    assert judge(*bars(closes), now=NOW).state is State.FIRED


def test_bars_that_have_grown_old_are_unknown_and_the_view_asked_to_be_woken_for_that():
    closes = double_bottom()[:160]
    limit = NOW + 3 * BAR
    view = view_of(*bars(closes), now=limit)
    assert RULE.judge(view, "BTC").state is State.QUIET
    assert view.due == limit + 1
    with pytest.raises(Unknown, match="old"):
        judge(*bars(closes), now=limit + 1)


def test_the_freshest_source_of_the_perp_is_read_then_the_longest_run_and_the_spot_only_without_a_perp():
    event, _ = stages()
    firing, quiet = double_bottom()[: event[0] + 1], double_bottom()[:160]
    assert judge(*bars(quiet, "a", end=START - BAR), *bars(firing, "b")).state is State.FIRED
    assert judge(*bars(quiet[-130:], "b"), *bars(firing, "a")).state is State.FIRED
    assert judge(*bars(quiet), *bars(firing, subject="spot:BTC")).state is State.QUIET
    assert judge(*bars(quiet[:50]), *bars(firing, subject="spot:BTC")).state is State.FIRED


def test_without_candles_it_is_unknown_and_with_either_market_it_is_configured():
    with pytest.raises(Unknown, match="nobody"):
        judge()
    with pytest.raises(Unknown, match="120 are needed"):
        judge(*bars([1.0, 2.0]))
    assert RULE.configured("BTC", lambda one: one == Input(CLOSE, "spot:BTC"))
    assert not RULE.configured("BTC", lambda one: False)


def test_a_price_that_does_not_move_has_no_rsi():
    with pytest.raises(Unknown, match="has not moved"):
        judge(*bars([100.0] * 130))
    rising = judge(*bars([100.0] * 690 + [100.0 + i for i in range(1, 30)]))
    assert rising.conditions[1].state is State.UNKNOWN
    assert rising.state is State.QUIET


def test_it_asks_for_a_quarter_of_the_notional_in_the_short_tier():
    intent = RULE.intent(Verdict(State.FIRED, ""))
    assert (intent.tier, intent.actions, intent.share) == ("short", ("short_perp", "top_up"), 1.0)


@pytest.mark.parametrize("settings", [{"low": "55"}, {"high": "100"}, {"low": "0"}, {"lookback": "0"}, {"lookback": "81"}])
def test_settings_that_contradict_each_other_are_refused_with_a_cure(settings: dict[str, str]):
    with pytest.raises(ValidationError, match="write"):
        build(MacdRsiScaling, settings)
