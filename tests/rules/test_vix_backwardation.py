"""vix-backwardation: which source it reads, and what it asks for. The boundaries stand in vix-backwardation.yaml."""

import pytest
from pydantic import ValidationError

from monitor.core.observation import Observation
from monitor.core.units import DAY, parse_time
from monitor.core.verdict import State, Unknown, Verdict
from monitor.registry import build
from monitor.rules.vix_backwardation import VixBackwardation
from tests.builders import seen, view_of
from tests.rules.sessions import END, NOW, on_sessions

RULE = VixBackwardation()


def cash_flow(now: float, source: str = "s1", months: int = 60) -> list[Observation]:
    ends = [parse_time(f"{2019 + n // 12}-{n % 12 + 1:02d}-28") for n in range(62 - months, 62)]
    rows = [seen("equity.price_to_cash_flow", "TOP50", 10.0, at, source) for at in ends]
    return [*rows, *on_sessions("equity.price_to_cash_flow", "TOP50", [now], source=source)]


def futures(front: float, following: float, source: str = "s1", *, late: bool = False) -> list[Observation]:
    pair = on_sessions("vix.future.30d", "VIX", [front], source=source), on_sessions("vix.future.60d", "VIX", [following], source=source)
    before = on_sessions("vix.future.60d", "VIX", [following], source=source, end=END - DAY)
    return [*pair[0], *(before if late else pair[1])]


def judge(*observations: Observation, now: int = NOW) -> Verdict:
    return RULE.judge(view_of(*observations, now=now), "SPX")


def test_a_source_whose_two_levels_are_of_different_sessions_leaves_the_word_to_the_next():
    verdict = judge(*futures(30, 20, "a", late=True), *futures(21, 20, "b"), *cash_flow(9))
    assert verdict.state is State.FIRED
    assert verdict.conditions[0].value == 1.05


def test_a_source_without_enough_months_leaves_the_word_to_the_next():
    assert judge(*futures(21, 20), *cash_flow(9, "a", 30), *cash_flow(11, "b")).state is State.QUIET
    assert judge(*futures(21, 20), *cash_flow(9, "a", 30)).state is State.UNKNOWN


def test_ten_years_are_whole_on_the_first_day_of_a_month_too():
    """Until its close the newest value is of the month before."""
    ends = [parse_time(f"{2014 + n // 12}-{n % 12 + 1:02d}-28") for n in range(2, 122)]
    rows = [seen("equity.price_to_cash_flow", "TOP50", 10.0, at) for at in ends]
    newest = on_sessions("equity.price_to_cash_flow", "TOP50", [9.0])
    rule: VixBackwardation = build(VixBackwardation, {"minimum_months": "120"})
    for now in (NOW, parse_time("2024-04-01T12:00:00Z")):
        assert rule.judge(view_of(*futures(21, 20), *rows, *newest, now=now), "SPX").state is State.FIRED


def test_what_was_never_given_is_unknown_and_not_quiet():
    verdict = judge()
    assert verdict.state is State.UNKNOWN
    assert verdict.reason == "front over next: nobody has given VIX futures yet; P/CF of the top 50: nobody has given P/CF of the top 50 yet"


def test_a_leg_that_is_stale_is_unknown_and_the_exit_is_not_judged():
    later = NOW + 10 * DAY
    verdict = judge(*futures(21, 20), *cash_flow(9), now=later)
    assert [condition.state for condition in verdict.conditions] == [State.UNKNOWN, State.UNKNOWN]
    with pytest.raises(Unknown, match="old"):
        RULE.over(view_of(*futures(19, 20), now=later), "SPX", 0)


def test_the_distance_is_that_of_the_farther_leg():
    verdict = judge(*futures(22, 20), *cash_flow(9.9))
    assert verdict.distance == pytest.approx(0.01)
    assert [condition.distance for condition in verdict.conditions] == pytest.approx([0.1, 0.01])


def test_it_asks_for_no_layer_yet():
    assert RULE.intent(judge(*futures(22, 20), *cash_flow(9))) is None


@pytest.mark.parametrize("settings", [{"exit": "1"}, {"exit": "0"}, {"threshold": "0.9"}, {"minimum_months": "0"}, {"minimum_months": "121"}])
def test_settings_that_contradict_each_other_are_refused_with_a_cure(settings: dict[str, str]):
    with pytest.raises(ValidationError, match="write"):
        build(VixBackwardation, settings)
