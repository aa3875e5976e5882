"""vol-spike: what a spike is called, by shapes of the index made for it."""

import numpy as np
import pytest

from monitor.core.indicators import macd, positive_divergence, rsi
from monitor.core.observation import Observation
from monitor.core.rule import Input
from monitor.core.sessions import session_after
from monitor.core.units import DAY, HOUR, MINUTE, parse_time
from monitor.core.verdict import State, Unknown, Verdict
from monitor.rules.vol_spike import VolSpike
from tests.builders import seen, view_of

LAST = parse_time("2024-02-14")
NOW = LAST + 21 * HOUR + 15 * MINUTE


def sessions(metric: str, subject: str, values: list[float], source: str = "s1") -> list[Observation]:
    days = [session_after("nyse", LAST, -back) for back in range(len(values) - 1, -1, -1)]
    return [seen(metric, subject, value, day, source) for day, value in zip(days, values, strict=True)]


SPIKE = sessions("vix.close", "VIX", [10.0] * 5 + [12.0])
FALLING = list(np.linspace(5000, 4000, 130))
RISING = list(np.linspace(4000, 5000, 130))


def diverging() -> list[float]:
    """A deep fall, a rebound, a slow drift to a lower low, and the turn that confirms it."""
    flat = list(5000 + 5 * np.sin(np.arange(90)))
    fall = list(np.linspace(4990, 4500, 12))
    rebound = list(np.linspace(4520, 4640, 10))
    drift = list(np.linspace(4630, 4490, 18))
    return [float(x) for x in [*flat, *fall, *rebound, *drift, 4520, 4545, 4570, 4600]]


def judge(*more: Observation, rule: VolSpike | None = None) -> Verdict:
    return (rule or VolSpike()).judge(view_of(*SPIKE, *more, now=NOW), "SPX")


def line(values: list[float]) -> list[Observation]:
    return sessions("breadth.ad_line", "NYSE", values)


def test_the_shape_of_the_divergence_is_one():
    closes = np.array(diverging())
    assert positive_divergence(closes, macd(closes).macd)[-1]
    assert rsi(closes)[-1] > 30


@pytest.mark.parametrize(
    ("closes", "breadth", "code", "why"),
    [
        (FALLING, [], "exhaustion", "RSI of the S&P 500 is 0.0"),
        (RISING, [], "momentum", "without a positive divergence"),
        (diverging(), [float(x) for x in range(10, 20)], "exhaustion", "above its 10-day low"),
        (diverging(), [float(x) for x in range(20, 10, -1)], "momentum", "at its 10-day low"),
        (diverging(), [], "unannotated", "no breadth.ad_line of NYSE"),
        (diverging(), [10.0] * 9, "unannotated", "9 bars in a row"),
        ([5000.0] * 130, [], "unannotated", "has not moved"),
        (RISING[-119:], [], "unannotated", "119 bars in a row"),
        ([], [], "unannotated", "no equity.close of SPX"),
    ],
    ids=["oversold", "strong", "divergence and breadth", "breadth too falls", "no line", "a short line", "flat", "a short chart", "no index"],
)
def test_a_spike_is_called_momentum_or_exhaustion(closes: list[float], breadth: list[float], code: str, why: str):
    verdict = judge(*sessions("equity.close", "SPX", closes), *line(breadth))
    assert (verdict.state, verdict.code) == (State.FIRED, code)
    assert why in verdict.reason


def test_a_quiet_verdict_is_called_nothing_and_reads_no_index():
    quiet = VolSpike(vix_rise=0.3).judge(view_of(*SPIKE, *sessions("equity.close", "SPX", FALLING), now=NOW), "SPX")
    assert (quiet.state, quiet.code) == (State.QUIET, "")


def test_the_rsi_at_its_threshold_is_exhausted():
    closes = RISING[:100] + diverging()[-30:]
    strength = float(rsi(np.array(closes))[-1])
    for limit, code in ((strength, "exhaustion"), (strength - 1e-6, "momentum")):
        assert judge(*sessions("equity.close", "SPX", closes), rule=VolSpike(exhausted=limit)).code == code


def test_the_freshest_source_is_read_and_a_stale_one_does_not_hide_it():
    old = [seen("vix.close", "VIX", 50.0, LAST - i * DAY, "a-old") for i in range(40, 20, -1)]
    assert judge(*old).value == 0.2


def test_without_either_input_it_cannot_be_judged_and_a_blind_exit_is_no_exit():
    with pytest.raises(Unknown, match="neither"):
        VolSpike().judge(view_of(now=NOW), "SPX")
    with pytest.raises(Unknown, match="bars in a row"):
        VolSpike().over(view_of(*sessions("vix.close", "VIX", [10.0] * 3), now=NOW), "SPX", 0)
    quiet = sessions("vix.close", "VIX", [10.0] * 6)
    assert VolSpike().over(view_of(*quiet, now=NOW), "SPX", 0)
    wide = [seen("macro.hy_spread", "US", 0.03 + 0.0025 * (i == 20), session_after("bonds", LAST, i - 20)) for i in range(21)]
    assert not VolSpike().over(view_of(*quiet, *wide, now=NOW), "SPX", 0)


@pytest.mark.parametrize(
    "settings",
    [
        {"vix_rise": 0.0}, {"spread_rise": -0.01}, {"vix_sessions": 0}, {"spread_sessions": 721}, {"exit": 0.0}, {"exit": 1.1},
        {"exhausted": 0.0}, {"exhausted": 100.0},
    ],
)  # fmt: skip
def test_a_slip_in_the_settings_is_refused_with_an_example(settings: dict[str, float]):
    with pytest.raises(ValueError, match="write "):
        VolSpike(**settings)  # type: ignore[arg-type]  # one mapping of mixed settings


def test_it_votes_and_asks_for_no_layer():
    rule = VolSpike()
    assert rule.intent(judge()) is None
    assert rule.configured("SPX", lambda one: one == Input("macro.hy_spread", "US"))
    assert not rule.configured("SPX", lambda one: one.metric.startswith(("equity", "breadth")))


@pytest.mark.parametrize(("vix", "state"), [(12.0, State.FIRED), (11.0, State.UNKNOWN)], ids=["one leg has fired", "the other is not known"])
def test_a_leg_that_a_source_is_to_bring_and_has_not_yet_is_unknown_and_not_left_out(vix: float, state: State):
    settings = {"sources": {"fred": {"cadence_ms": HOUR, "provides": [["macro.hy_spread", "US"]]}}}
    view = view_of(*sessions("vix.close", "VIX", [10.0] * 5 + [vix]), now=NOW, settings=settings)
    verdict = VolSpike().judge(view, "SPX")
    assert verdict.state is state
    assert "no macro.hy_spread of US is known yet" in verdict.reason
    with pytest.raises(Unknown):
        VolSpike().over(view_of(*sessions("vix.close", "VIX", [10.0] * 6), now=NOW, settings=settings), "SPX", NOW)
