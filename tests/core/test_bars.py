"""The best bars of several sources, and series in step."""

import pytest

from monitor.core.bars import best_bars, in_step
from monitor.core.observation import Observation
from monitor.core.units import DAY, HOUR
from monitor.core.verdict import Unknown
from monitor.core.view import View
from tests.builders import START, series, view_of

NOW = START + 23 * HOUR  # Friday's close is still fresh


def closes(count: int, source: str, *, subject: str = "SPX", late_days: int = 0) -> list[Observation]:
    """Sessions up to START, a Monday; without weekends, since these are never read."""
    days = series("equity.close", subject, range(100, 100 + 3 * count), end=START - late_days * DAY, step_ms=DAY, source=source)
    return [one for one in days if (one.at // DAY + 3) % 7 < 5][-count:]


def best(view: View, *subjects: str, minimum: int = 2) -> tuple[str, int]:
    bars = best_bars(view, "equity.close", subjects, 50, minimum)
    return bars.source, len(bars)


def test_the_freshest_source_wins_and_of_these_the_longest_run():
    assert best(view_of(*closes(9, "a", late_days=3), *closes(5, "b"), now=NOW), "SPX") == ("b", 5)
    assert best(view_of(*closes(9, "a"), *closes(5, "b"), now=NOW), "SPX") == ("a", 9)


def test_another_subject_stands_in_only_where_the_first_has_none():
    both = [*closes(5, "a"), *closes(9, "b", subject="ES")]
    assert best(view_of(*both, now=NOW), "SPX", "ES") == ("a", 5)
    assert best(view_of(*both, now=NOW), "SPX", "ES", minimum=6) == ("b", 9)


def test_where_none_has_enough_the_first_reason_is_told():
    with pytest.raises(Unknown, match="5 bars in a row"):
        best(view_of(*closes(5, "a"), now=NOW), "SPX", "ES", minimum=6)
    with pytest.raises(Unknown, match=r"nobody has given .* of SPX or ES"):
        best(view_of(now=NOW), "SPX", "ES")


def test_bars_in_step_are_those_that_both_have():
    view = view_of(*closes(9, "a"), *closes(7, "b", late_days=3, subject="ES"), now=NOW)
    first, second = (view.bars("equity.close", subject, source, 50, 1) for subject, source in (("SPX", "a"), ("ES", "b")))
    here, there = in_step(first, second, 5)
    assert here.at.tolist() == there.at.tolist() == first.at.tolist()[-len(here) - 1 : -1]
    assert len(here.value) == len(there.known_at) == len(here)
    with pytest.raises(Unknown, match=f"{len(here)} bars are common to a and b, 50 are needed"):
        in_step(first, second, 50)
