"""Points of TVL that are not believed: what is stuck, and what shot up for one poll."""

import numpy as np
import pytest

from monitor.core.tvl_series import believable, has_stood, stuck_since, without_spikes
from monitor.core.units import DAY, HOUR, MINUTE
from monitor.core.verdict import Unknown
from monitor.core.view import Window
from tests.builders import START, seen, series, view_of

X = "chain:x"
MOVING = [100.0 + i % 7 for i in range(40)]


def at_every(step_ms: int, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return START + step_ms * np.arange(count, dtype=np.int64)


@pytest.mark.parametrize(
    ("values", "step_ms", "is_stuck"),
    [
        (MOVING + [50.0] * 25, HOUR, True),
        (MOVING + [50.0] * 24, HOUR, False),
        (MOVING[:20] + [50.0] * 25, HOUR, True),
        (MOVING[:19] + [50.0] * 25, HOUR, False),
        ([50.0] * 90, HOUR, False),
        (MOVING + [50.0] * 2, DAY, False),
        (MOVING + [50.0] * 4, DAY, False),
        (MOVING + [50.0] * 5, DAY, True),
        (MOVING + [70.0] * 9 + MOVING + [50.0] * 25, HOUR, False),
        (MOVING + [70.0] * 8 + MOVING + [50.0] * 25, HOUR, True),
        ([70.0] * 9 + MOVING + [50.0] * 25, HOUR, False),
        (MOVING + [0.0] * 90, HOUR, False),
        (MOVING, HOUR, False),
        ([], HOUR, False),
        ([1.0], HOUR, False),
    ],
    ids=[
        "24 h", "an hour short of it", "twenty steps of history", "nineteen", "it never moved", "a daily series equal two days", "four days",
        "five days", "it did stand still for a third of that", "it stood still for less", "it stood still at its beginning",
        "what is drained stays so", "it moves", "nothing", "one value",
    ],
)  # fmt: skip
def test_f_040_a_value_that_repeats_unlike_ever_before_is_stuck(values: list[float], step_ms: int, is_stuck: bool):
    since = stuck_since(at_every(step_ms, len(values)), np.array(values))
    first = next((i for i in range(len(values)) if values and set(values[i:]) == {values[-1]}), 0)
    assert since == (START + first * step_ms if is_stuck else None)


def test_f_040_a_stuck_source_is_stale_and_another_one_takes_its_place():
    stuck = series("tvl.usd", X, MOVING + [50.0] * 25, source="a")
    with pytest.raises(Unknown, match="has not moved since 2024-03-03T00:00:00Z") as caught:
        believable(view_of(*stuck), X, 48 * HOUR)
    assert caught.value.code == "stale"
    moving = series("tvl.usd", X, [100.0 + i % 5 for i in range(60)], source="b")
    assert believable(view_of(*stuck, *moving), X, 48 * HOUR).source == "b"
    at_rest = believable(
        view_of(*moving, *series("tvl.usd", X, MOVING + [50.0] * 25, source="c", end=START + 2 * HOUR), now=START + 2 * HOUR), X, 48 * HOUR
    )
    assert at_rest.value[-1] != 50.0


def window(values: list[float], step_ms: int = HOUR) -> Window:
    at = at_every(step_ms, len(values))
    return Window(at, at, np.array(values), step_ms, "s")


@pytest.mark.parametrize(
    ("values", "before", "step_ms", "kept"),
    [
        ([100.0, 300.0, 100.0], None, HOUR, [100.0, 100.0]),
        ([100.0, 200.0, 100.0], None, HOUR, [100.0, 200.0, 100.0]),
        ([100.0, 201.0, 100.0], None, HOUR, [100.0, 100.0]),
        ([100.0, 300.0, 160.0], None, HOUR, [100.0, 300.0, 160.0]),
        ([100.0, 300.0, 300.0, 100.0], None, HOUR, [100.0, 300.0, 300.0, 100.0]),
        ([100.0, 300.0, 300.0, 100.0], None, 10 * MINUTE, [100.0, 100.0]),
        ([100.0, 300.0, 300.0, 300.0, 100.0], None, 10 * MINUTE, [100.0, 300.0, 300.0, 300.0, 100.0]),
        ([100.0, 300.0], None, HOUR, [100.0, 300.0]),
        ([300.0, 100.0], 100.0, HOUR, [100.0]),
        ([300.0, 100.0], 290.0, HOUR, [300.0, 100.0]),
        ([300.0, 100.0], None, HOUR, [300.0, 100.0]),
        ([100.0, 0.0, 100.0], None, HOUR, [100.0, 0.0, 100.0]),
        ([100.0, 300.0, 100.0, 300.0, 100.0], None, HOUR, [100.0, 100.0, 100.0]),
    ],
    ids=[
        "a spike", "a step of just over half", "more than that", "it stays above its half", "an hour stands", "two samples of ten minutes do not",
        "three do", "the newest may stand yet", "the first in the window", "no spike but the end of a high", "nobody knows what was before",
        "a dip is no spike", "two spikes",
    ],
)  # fmt: skip
def test_f_035_a_step_up_that_comes_back_before_it_has_stood_is_no_high(values: list[float], before: float | None, step_ms: int, kept: list[float]):
    assert without_spikes(window(values, step_ms), before).value.tolist() == kept


def test_what_has_stood_has_two_further_observations_or_an_hour():
    assert [has_stood(at_every(10 * MINUTE, n)) for n in (1, 2, 3)] == [False, False, True]
    assert [has_stood(at_every(step, 2)) for step in (HOUR - 1, HOUR)] == [False, True]


def test_our_own_sum_of_some_contracts_is_no_point_of_the_whole_unless_nobody_else_speaks():
    whole, own = series("tvl.usd", X, [100.0] * 49, source="s1"), series("tvl.usd", X, [10.0] * 49, source="onchain-tvl")
    later = [seen("tvl.usd", X, 10.0, START + MINUTE, "onchain-tvl")]
    assert set(believable(view_of(*whole, *own, *later, now=START + MINUTE), X, 48 * HOUR).value) == {100.0}
    assert set(believable(view_of(*own), X, 48 * HOUR).value) == {10.0}
