"""weekly-warning: weeks made of sessions, and the bar on which they warn."""

from itertools import groupby

import numpy as np
import pytest
from pydantic import ValidationError

from monitor.core.indicators import macd
from monitor.core.observation import Observation
from monitor.core.trends import contracting, zero_crossing
from monitor.core.units import DAY, iso, parse_time
from monitor.core.verdict import State, Verdict
from monitor.core.vocabulary import SESSION_CLOSE_MS
from monitor.registry import build
from monitor.rules.weekly_warning import WeeklyWarning
from tests.builders import seen, view_of
from tests.rules.sessions import END, days_until

RULE = WeeklyWarning()
# Weeks of sessions by their Monday; the first one is not whole.
WEEKS = [list(days) for _, days in groupby(days_until(END, 600), key=lambda day: (day // DAY + 3) // 7)][1:]


def path() -> np.ndarray:
    """Closes of as many weeks as there are: a long rise in waves, and a fall."""
    weeks = np.arange(len(WEEKS))
    return np.asarray(4000 + 12 * weeks + 160 * np.sin(weeks / 7.0) - np.where(weeks > 90, 18 * (weeks - 90), 0))


def history(weekly: np.ndarray) -> list[Observation]:
    """Sessions whose last of each week closes on the path; the others stand far off it, which must not matter."""
    rows = []
    for days, close in zip(WEEKS, weekly, strict=True):
        rows += [seen("equity.close", "SPX", close + 40 * (-1) ** n, day) for n, day in enumerate(days[:-1])]
        rows.append(seen("equity.close", "SPX", float(close), days[-1]))
    return rows


ROWS = history(path())


def judged_at(now: int) -> Verdict:
    return RULE.judge(view_of(*(o for o in ROWS if o.known_at <= now), now=now), "SPX")


def close_of(week: int) -> int:
    return WEEKS[week][-1] + SESSION_CLOSE_MS


def rows(flags: np.ndarray) -> list[int]:
    return [int(row) for row in np.flatnonzero(flags) if row >= 60]


LINES = macd(path())
CROSSES, COMPRESSED = rows(zero_crossing(LINES.macd) != 0), rows(contracting(LINES.histogram))


def test_the_story_has_weeks_of_every_kind():
    assert len(WEEKS) > 110
    assert CROSSES
    assert set(COMPRESSED) - set(CROSSES)
    assert set(range(60, len(WEEKS))) - set(COMPRESSED) - set(CROSSES)
    assert min(map(len, WEEKS)) == 4


@pytest.mark.parametrize("week", range(60, len(WEEKS)))
def test_each_closed_week_warns_on_its_own_bar_of_what_it_holds(week: int):
    expected = [name for name, weeks in (("zero-cross", CROSSES), ("compression", COMPRESSED)) if week in weeks]
    verdict = judged_at(close_of(week))
    assert verdict.code == "-".join(expected)
    assert verdict.state is (State.FIRED if expected else State.QUIET)
    assert iso(WEEKS[week][-1])[:10] in verdict.conditions[1].reason


@pytest.mark.parametrize("week", CROSSES)
def test_a_week_that_is_not_over_says_nothing(week: int):
    """Until the last session of the week has closed, the week before is the newest."""
    assert judged_at(close_of(week) - 1).conditions == judged_at(close_of(week - 1)).conditions
    assert judged_at(close_of(week)).conditions[0].state is State.FIRED
    assert ("upwards" in judged_at(close_of(week)).reason) == (LINES.macd[week] > 0)


def test_a_week_cut_short_by_good_friday_is_closed_on_thursday():
    assert iso(WEEKS[-1][-1])[:10] == "2024-03-28"
    assert "the week of 2024-03-28" in judged_at(parse_time("2024-03-28T21:15:00Z")).conditions[1].reason
    assert "the week of 2024-03-22" in judged_at(parse_time("2024-03-28T21:14:59Z")).conditions[1].reason


def test_the_distance_counts_the_weeks_since_a_cross():
    week = next(week for week in range(CROSSES[0] + 1, len(WEEKS)) if week not in CROSSES)
    verdict = judged_at(close_of(week))
    since = week - max(cross for cross in CROSSES if cross < week)
    assert verdict.conditions[0].distance == -since
    assert f"{since} weeks ago" in verdict.conditions[0].reason


def test_it_ends_with_a_week_that_warns_of_nothing_and_asks_for_no_layer():
    assert RULE.over(view_of(now=0), "SPX", 0)
    assert RULE.intent(Verdict(State.FIRED, "")) is None


@pytest.mark.parametrize("weeks", ["35", "721"])
def test_a_history_too_short_for_the_words_is_refused_with_a_cure(weeks: str):
    with pytest.raises(ValidationError, match="write minimum_weeks: 60"):
        build(WeeklyWarning, {"minimum_weeks": weeks})
