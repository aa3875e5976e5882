"""F-036: a provider refills the past days later. What was decided stands, and replay knows no more than was known then."""

from collections.abc import Mapping

import pytest

from monitor.core.events import Configured
from monitor.core.observation import Reading
from monitor.core.settings import read_settings
from monitor.core.units import DAY
from monitor.pipeline import Pipeline
from monitor.replay.audit import audit
from monitor.replay.explain import explain
from tests.builders import START, settings_of
from tests.pipelines import after
from tests.worlds import TVL

PROVIDES = {"defillama": {"cadence_ms": DAY, "provides": [["tvl.usd", TVL]]}}
SETTINGS = settings_of(rules=["tvl-drawdown"], tvl_subjects=[TVL], sources=PROVIDES)
REFILLED = START + 3 * DAY
Days = Mapping[int, float]
QUIET_WEEK: Days = dict.fromkeys(range(-6, 1), 5e10)


def polled(*polls: Days) -> Pipeline:
    """One poll a day from START on, each of them bringing these days (0 is START's)."""
    pipeline = after(Configured(START, SETTINGS))
    for number, days in enumerate(polls):
        rows = [Reading("tvl.usd", TVL, usd, START + day * DAY) for day, usd in days.items()]
        pipeline.receive(rows, source="defillama", now=START + number * DAY)
    return pipeline


def verdict(pipeline: Pipeline, at: int) -> tuple[str, str]:
    answer = explain(pipeline.store, read_settings(SETTINGS), "tvl-drawdown", TVL, None, at)
    return answer["verdict"], answer.get("live", {}).get("verdict", "as live")


REVISED = (QUIET_WEEK, {0: 5e10, 1: 5e10}, {1: 5e10, 2: 5e10}, {1: 6e10, 2: 5e10, 3: 5e10})
HOLE = (QUIET_WEEK, {0: 5e10}, {0: 5e10, 2: 5e10}, {0: 5e10, 1: 6e10, 2: 5e10, 3: 5e10})


@pytest.mark.parametrize(
    ("polls", "meanwhile"), [(REVISED, "QUIET"), (HOLE, "UNKNOWN")], ids=["a day was revised", "a day that was missing is filled"]
)
def test_f_036_a_refilled_day_is_known_from_the_day_it_was_refilled(polls: tuple[Days, ...], meanwhile: str):
    pipeline = polled(*polls)
    assert verdict(pipeline, REFILLED - 1) == (meanwhile, "as live")
    assert verdict(pipeline, START + 2 * DAY) == (meanwhile, "as live")
    assert verdict(pipeline, REFILLED) == ("FIRED", "as live")
    vintages = [(o.known_at, o.value) for o in pipeline.store.history() if o.at == START + DAY]
    assert vintages[-1] == (REFILLED, 6e10)


def test_f_036_both_vintages_are_kept():
    vintages = [(o.known_at, o.value) for o in polled(*REVISED).store.history() if o.at == START + DAY]
    assert vintages == [(START + DAY, 5e10), (REFILLED, 6e10)]


def test_f_036_the_journal_thought_again_gives_the_same_decisions():
    told: list[object] = []
    assert audit(polled(*REVISED).store, told.append).same
    assert len(told) > 1
