"""breadth-divergence: failing momentum near a high that breadth no longer carries."""

import numpy as np
import pytest
from pydantic import ValidationError

from monitor.core.indicators import macd, negative_divergence
from monitor.core.observation import Observation
from monitor.core.verdict import State, Unknown, Verdict
from monitor.registry import build
from monitor.rules.breadth_divergence import BreadthDivergence
from tests.builders import view_of
from tests.rules.sessions import END, NOW, on_sessions

RULE = BreadthDivergence()


def double_top(last: float = 4400.0) -> np.ndarray:
    """A calm, a steep rise, a dip, and a slower rise to a higher high; `last` is the close of the newest of 192 sessions."""
    calm = 4000 + 6 * np.sin(np.arange(130) * 1.3)
    legs = [np.linspace(4000, 4400, 18), np.linspace(4390, 4280, 10), np.linspace(4285, 4430, 26), np.linspace(4425, 4405, 7), [last]]
    return np.concatenate([calm, *legs])


TOP = 183  # the row of the higher high


def breadth(older: int, bars: int = 192) -> np.ndarray:
    """An A/D line whose newest high is `older` sessions before that of the price."""
    high = TOP - older
    return np.array([1000.0 * (row if row <= high else 2 * high - row) for row in range(bars)])


def story(closes: np.ndarray, line: np.ndarray) -> list[Observation]:
    return [*on_sessions("equity.close", "SPX", closes), *on_sessions("breadth.ad_line", "NYSE", line)]


def judge(closes: np.ndarray, line: np.ndarray, rule: BreadthDivergence = RULE) -> Verdict:
    return rule.judge(view_of(*story(closes, line), now=NOW), "SPX")


def states(verdict: Verdict) -> list[State]:
    return [condition.state for condition in verdict.conditions]


def test_the_story_has_its_divergence_where_it_is_told():
    closes = double_top()
    assert int(np.argmax(closes)) == TOP
    assert np.flatnonzero(negative_divergence(closes, macd(closes).histogram)).tolist() == list(range(TOP + 3, 192))


@pytest.mark.parametrize(("older", "state"), [(11, State.FIRED), (10, State.QUIET), (0, State.QUIET), (-5, State.QUIET)])
def test_the_high_of_breadth_must_be_more_than_10_sessions_older_than_that_of_the_price(older: int, state: State):
    verdict = judge(double_top(), breadth(older))
    assert verdict.state is state
    narrow = verdict.conditions[2]
    assert (narrow.value, narrow.threshold) == (older, 10)
    assert narrow.distance == pytest.approx((older - 10) / 10)
    assert states(verdict)[:2] == [State.FIRED, State.FIRED]


@pytest.mark.parametrize(("last", "state"), [(0.99 * 4430, State.FIRED), (0.98999 * 4430, State.QUIET)])
def test_the_price_must_be_within_1_percent_of_its_63_day_high(last: float, state: State):
    verdict = judge(double_top(last), breadth(20))
    assert verdict.state is state
    assert verdict.conditions[1].threshold == 0.99


def test_it_ends_with_the_divergence_and_that_is_its_exit():
    after = np.append(double_top(), [4400.0, 4400.0])
    whole = story(after, np.append(breadth(20), [0.0, 0.0]))
    verdict = RULE.judge(view_of(*whole, now=NOW), "SPX")
    assert states(verdict) == [State.QUIET, State.FIRED, State.FIRED]
    assert verdict.reason == "a negative divergence of the MACD histogram is not active"
    assert RULE.over(view_of(*whole, now=NOW), "SPX", 0)


def test_before_its_third_bar_the_high_is_not_known_and_nothing_fires():
    cut = slice(0, TOP + 3)
    assert judge(double_top()[cut], breadth(20)[cut]).state is State.QUIET
    assert judge(double_top()[: TOP + 4], breadth(20)[: TOP + 4]).state is State.FIRED


def test_price_and_breadth_are_read_of_one_day():
    """The newest close is there before the newest breadth: until then both speak of the session before."""
    closes, line = double_top(), breadth(20)
    late = [o for o in story(closes, line) if (o.metric, o.at) != ("breadth.ad_line", END)]
    verdict = RULE.judge(view_of(*late, now=NOW), "SPX")
    assert verdict.state is State.FIRED
    assert verdict.conditions[1].value == pytest.approx(closes[-2] / 4430)


def test_too_few_sessions_are_unknown():
    with pytest.raises(Unknown, match="120 are needed"):
        judge(double_top()[-119:], breadth(20)[-119:])
    with pytest.raises(Unknown, match="63 are needed"):
        judge(double_top(), breadth(20)[-62:])


def test_it_asks_for_no_layer_yet():
    assert RULE.intent(Verdict(State.FIRED, "")) is None


@pytest.mark.parametrize("settings", [{"days": "-1"}, {"days": "62"}, {"near": "100%"}, {"near": "-1%"}])
def test_settings_that_make_no_sense_are_refused_with_a_cure(settings: dict[str, str]):
    with pytest.raises(ValidationError, match="write days: 10"):
        build(BreadthDivergence, settings)
