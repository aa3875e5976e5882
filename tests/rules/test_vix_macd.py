"""vix-macd: its states, what confirms them, and what the code says."""

import numpy as np
import pytest
from pydantic import ValidationError

from monitor.core.indicators import macd, rsi
from monitor.core.observation import Observation
from monitor.core.trends import growth_above_zero, trend
from monitor.core.units import DAY, parse_time
from monitor.core.verdict import State, Verdict
from monitor.registry import build
from monitor.rules.vix_macd import VEGA, VixMacd
from tests.builders import seen, view_of
from tests.rules.sessions import END, NOW, on_sessions

RULE = VixMacd()
BARS = 320


def waves(rise: float, bars: int = BARS, height: float = 1.0) -> np.ndarray:
    """A calm in waves that breaks out at the end: `rise` points at the last of ten bars, faster and faster."""
    calm = 18 + height * np.sin(np.arange(bars) * 0.37)
    return np.asarray(calm + np.concatenate([np.zeros(bars - 10), rise * (np.arange(1, 11) / 10) ** 2]))


def futures(near: np.ndarray, far: np.ndarray) -> list[Observation]:
    return [*on_sessions("vix.future.30d", "VIX", near), *on_sessions("vix.future.60d", "VIX", far)]


def index(values: np.ndarray) -> list[Observation]:
    return on_sessions("vix.close", "VIX", values)


def narrow(fall: float = 40.0) -> list[Observation]:
    """An A/D line that falls for its last ten days."""
    line = np.concatenate([10 * np.sin(np.arange(BARS - 10) * 0.5), -fall * np.arange(1, 11)])
    return on_sessions("breadth.ad_line", "NYSE", line)


def event(name: str, at: int, value: float = 1) -> Observation:
    return seen("macro.event", name, value, at)


def judge(*observations: Observation, now: int = NOW, rule: VixMacd = RULE) -> Verdict:
    return rule.judge(view_of(*observations, now=now), "SPX")


def state_of(verdict: Verdict, name: str) -> State:
    return next(condition.state for condition in verdict.conditions if condition.name == name)


RISING, CALM = waves(8), waves(0)


def test_the_stories_are_what_they_say():
    assert growth_above_zero(macd(RISING).histogram)[-1] > 0
    assert growth_above_zero(macd(CALM).histogram)[-1] < 0
    assert trend(macd(RISING).macd, 3)[-1] > 0.5
    assert rsi(RISING)[-1] > 50 > rsi(36 - RISING)[-1]


# --- expanding -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("near", "far", "state"),
    [
        pytest.param(RISING, RISING, State.FIRED, id="both"),
        pytest.param(RISING, CALM, State.QUIET, id="30 days alone"),
        pytest.param(CALM, RISING, State.QUIET, id="60 days alone"),
        pytest.param(36 - RISING, 36 - RISING, State.QUIET, id="both, but below zero"),
    ],
)
def test_expanding_is_above_zero_and_growing_in_both_maturities(near: np.ndarray, far: np.ndarray, state: State):
    verdict = judge(*futures(near, far))
    assert state_of(verdict, "expanding") is state
    least = min(growth_above_zero(macd(line).histogram)[-1] for line in (near, far))
    assert verdict.conditions[0].value == least
    assert (verdict.conditions[0].distance or 0) * least > 0


@pytest.mark.parametrize(
    ("strength", "code"),
    [
        pytest.param(RISING, "expanding", id="RSI of the index above 50"),
        pytest.param(36 - RISING, "expanding-unconfirmed", id="RSI below 50"),
        pytest.param(np.full(BARS, 18.0), "expanding-unconfirmed", id="an index that has not moved has none"),
    ],
)
def test_rsi_of_the_index_confirms_a_rise_above_50_alone(strength: np.ndarray, code: str):
    verdict = judge(*futures(RISING, RISING), *index(strength))
    assert (verdict.state, verdict.code) == (State.FIRED, code)
    assert ("unconfirmed: " in verdict.reason) == code.endswith("unconfirmed")


def test_where_the_histogram_is_not_above_zero_an_rsi_under_50_confirms():
    still = np.full(BARS, 18.0)
    assert judge(*futures(still, still), *index(36 - RISING)).code == "flat"
    assert judge(*futures(still, still), *index(RISING)).code == "flat-unconfirmed"


def test_an_index_that_is_stale_leaves_it_unconfirmed_and_not_unknown():
    old = [o for o in index(RISING) if o.at < END - 7 * DAY]
    verdict = judge(*futures(RISING, RISING), *old)
    assert (verdict.state, verdict.code) == (State.FIRED, "expanding-unconfirmed")
    assert "old" in verdict.reason


@pytest.mark.parametrize(
    ("at", "value", "code"),
    [
        pytest.param("2024-03-28T12:30:00Z", 1, "expanding", id="today"),
        pytest.param("2024-03-21T12:30:00Z", 1, "expanding", id="5 sessions ago"),
        pytest.param("2024-03-20T12:30:00Z", 1, "expanding-unconfirmed", id="6 sessions ago"),
        pytest.param("2024-03-29T12:30:00Z", 1, "expanding-unconfirmed", id="tomorrow"),
        pytest.param("2024-03-28T12:30:00Z", 0, "expanding-unconfirmed", id="withdrawn"),
    ],
)
def test_a_print_of_the_last_5_sessions_confirms(at: str, value: float, code: str):
    for name in ("CPI", "PPI"):
        assert judge(*futures(RISING, RISING), event(name, parse_time(at), value)).code == code
    assert judge(*futures(RISING, RISING), event("FOMC", parse_time(at), value)).code == "expanding-unconfirmed"


def test_a_release_that_the_user_s_own_calendar_moved_confirms_at_its_new_time_alone():
    built_in = seen("macro.event", "CPI", 1, parse_time("2024-03-21T12:30:00Z"), "us-calendar")
    moved = seen("macro.event", "CPI", 1, parse_time("2024-03-29T12:30:00Z"), "mine")
    assert judge(*futures(RISING, RISING), built_in).code == "expanding"
    assert judge(*futures(RISING, RISING), built_in, moved).code == "expanding-unconfirmed"


def test_a_print_that_is_not_known_yet_confirms_nothing():
    unknown = seen("macro.event", "CPI", 1, END, known_at=NOW + 1)
    assert judge(*futures(RISING, RISING), unknown).code == "expanding-unconfirmed"


@pytest.mark.parametrize("sign", list(VEGA))
def test_the_sign_of_vega_is_said_and_only_of_an_expansion(sign: str):
    rule: VixMacd = build(VixMacd, {"vega_sign": sign})
    assert judge(*futures(RISING, RISING), rule=rule).reason.endswith(VEGA[sign])
    assert "vega" not in judge(*futures(np.full(BARS, 18.0), np.full(BARS, 18.0)), rule=rule).reason


# --- flat ------------------------------------------------------------------------------------------------------------


def test_flat_is_told_of_both_maturities_and_unknown_before_136_bars():
    still = np.full(BARS, 18.0)
    assert judge(*futures(still, still)).code == "flat-unconfirmed"
    assert state_of(judge(*futures(still, RISING)), "flat") is State.QUIET
    assert state_of(judge(*futures(still[-136:], still[-136:])), "flat") is State.FIRED
    assert state_of(judge(*futures(still[-135:], still[-135:])), "flat") is State.UNKNOWN


def test_what_can_be_told_fires_though_another_state_cannot():
    young = RISING[-130:]
    verdict = judge(*futures(young, young))
    assert (state_of(verdict, "expanding"), state_of(verdict, "flat")) == (State.FIRED, State.UNKNOWN)
    assert verdict.code == "expanding-unconfirmed"


# --- accelerating --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("away_ms", "state"),
    [(7 * DAY, State.FIRED), (7 * DAY + 1, State.QUIET), (-7 * DAY, State.FIRED), (-7 * DAY - 1, State.QUIET), (0, State.FIRED)],
)
def test_it_accelerates_within_7_days_of_fomc_on_either_side(away_ms: int, state: State):
    verdict = judge(*futures(RISING, RISING), *narrow(), event("FOMC", NOW + away_ms))
    assert state_of(verdict, "accelerating") is state
    assert verdict.code == ("expanding-accelerating-unconfirmed" if state is State.FIRED else "expanding-unconfirmed")


def test_the_view_is_asked_to_wake_when_a_decision_comes_near():
    view = view_of(*futures(CALM, CALM), *narrow(), event("FOMC", NOW + 7 * DAY + 3600_000), now=NOW)
    RULE.judge(view, "SPX")
    assert view.due == NOW + 3600_000


@pytest.mark.parametrize(
    ("near", "breadth", "state"),
    [
        pytest.param(CALM, narrow(), State.QUIET, id="MACD does not rise"),
        pytest.param(RISING, narrow(-40), State.QUIET, id="breadth does not weaken"),
        pytest.param(RISING, narrow()[-100:], State.UNKNOWN, id="breadth is too young"),
        pytest.param(RISING[-280:], narrow(), State.UNKNOWN, id="the futures are too young for a rise"),
    ],
)
def test_it_accelerates_only_with_all_of_its_legs(near: np.ndarray, breadth: list[Observation], state: State):
    assert state_of(judge(*futures(near, near), *breadth, event("FOMC", NOW)), "accelerating") is state


def test_an_a_d_line_that_a_source_is_to_bring_is_waited_for():
    settings = {"sources": {"mine": {"cadence_ms": DAY, "provides": [["breadth.ad_line", "NYSE"]]}}}
    verdict = RULE.judge(view_of(*futures(RISING, RISING), event("FOMC", NOW), now=NOW, settings=settings), "SPX")
    assert state_of(verdict, "accelerating") is State.UNKNOWN


def test_without_a_calendar_acceleration_is_unknown_and_without_breadth_it_is_left_out():
    assert state_of(judge(*futures(RISING, RISING), *narrow()), "accelerating") is State.UNKNOWN
    assert [c.name for c in judge(*futures(RISING, RISING), event("FOMC", NOW)).conditions] == ["expanding", "flat"]


def test_it_ends_when_none_of_its_states_applies_and_asks_for_no_layer():
    verdict = judge(*futures(CALM, CALM), *narrow(), event("FOMC", NOW))
    assert (verdict.state, verdict.code) == (State.QUIET, "")
    assert RULE.over(view_of(now=NOW), "SPX", 0)
    assert RULE.intent(verdict) is None


@pytest.mark.parametrize("settings", [{"rising_bars": "0"}, {"rising_bars": "21"}, {"print_sessions": "-1"}, {"decision_within": "-1d"}])
def test_settings_that_make_no_sense_are_refused_with_a_cure(settings: dict[str, str]):
    with pytest.raises(ValidationError, match="write rising_bars: 3"):
        build(VixMacd, settings)
