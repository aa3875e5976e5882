"""The view: nothing before its time, nothing stale, no hole bridged; and it knows when time alone will change the answer."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.effects import EpisodeOpened, Judged
from monitor.core.observation import Observation
from monitor.core.state import State
from monitor.core.units import DAY, HOUR, MINUTE
from monitor.core.verdict import State as Truth
from monitor.core.verdict import Unknown, Verdict
from monitor.core.view import View
from tests.builders import START, evidence_of, seen, series, view_of

BAR = 4 * HOUR
CLOSE = "candle.4h.close"


def hourly(count: int, gone: tuple[int, ...] = (), end: int = START) -> list[Observation]:
    """`count` hourly TVL values up to `end`; `gone` are left out, counted back from the newest (0)."""
    held = series("tvl.usd", "chain:x", [100.0 + i for i in range(count)], end=end)
    return [o for i, o in enumerate(reversed(held)) if i not in gone][::-1]


def fails(code: str, read: Callable[[], object]) -> str:
    with pytest.raises(Unknown) as caught:
        read()
    assert caught.value.code == code
    return caught.value.reason


# --- newest and cadence ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "fresh"), [(0, True), (3 * HOUR, True), (3 * HOUR + 1, False)])
def test_the_newest_value_is_fresh_for_three_cadences_and_the_view_wakes_when_it_is_not(age: int, fresh: bool):
    view = view_of(*hourly(5), now=START + age)
    if fresh:
        assert view.newest("tvl.usd", "chain:x", "s1").value == 104.0
        assert view.due == START + 3 * HOUR + 1
    else:
        assert "3.0 h old" in fails("stale", lambda: view.newest("tvl.usd", "chain:x", "s1"))
        assert view.newest("tvl.usd", "chain:x", "s1", fresh=False).value == 104.0
        assert view.due is None


def test_f_014_an_old_value_that_is_served_again_does_not_become_fresh():
    again = [seen("tvl.usd", "chain:x", 104.0, START, known_at=START + hours * HOUR) for hours in range(1, 6)]
    fails("stale", lambda: view_of(*hourly(5), *again, now=START + 5 * HOUR).newest("tvl.usd", "chain:x", "s1"))


def test_f_014_what_is_received_late_is_as_old_as_it_says():
    late = [seen("tvl.usd", "chain:x", 1.0, START - hours * HOUR, known_at=START + 4 * HOUR) for hours in range(5)]
    assert "4.0 h old" in fails("stale", lambda: view_of(*late, now=START + 4 * HOUR).newest("tvl.usd", "chain:x", "s1"))


def test_a_value_whose_time_has_not_come_is_not_read_but_waited_for():
    """F-013: clocks may let it in two minutes early."""
    early = seen("tvl.usd", "chain:x", 1.0, START + MINUTE)
    view = view_of(*hourly(5), early)
    assert view.newest("tvl.usd", "chain:x", "s1").value == 104.0
    assert view.due == START + MINUTE
    alone = view_of(early)
    fails("missing", lambda: alone.newest("tvl.usd", "chain:x", "s1"))
    assert alone.due == START + MINUTE


def test_missing_series_say_what_is_missing():
    assert fails("missing", lambda: view_of().newest("tvl.usd", "chain:x", "s1")) == "no tvl.usd of chain:x from s1"


@pytest.mark.parametrize(("count", "polled", "cadence"), [(3, None, HOUR), (2, MINUTE, MINUTE), (2, None, None)])
def test_a_cadence_is_the_median_spacing_or_that_of_polling_or_not_known(count: int, polled: int | None, cadence: int | None):
    state = State(cadences={"s1": polled} if polled else {})
    view = view_of(*hourly(count), state=state)
    if cadence is None:
        assert "only 2 values" in fails("short", lambda: view.cadence("tvl.usd", "chain:x", "s1"))
    else:
        assert view.cadence("tvl.usd", "chain:x", "s1") == cadence


def test_the_vocabulary_s_own_cadence_wins_and_only_the_last_20_values_count():
    assert view_of().cadence("macro.cpi", "US", "any") == 31 * DAY
    slow = series("tvl.usd", "chain:x", [1.0] * 100, end=START - 20 * MINUTE, step_ms=DAY)
    fast = series("tvl.usd", "chain:x", [1.0] * 20, step_ms=MINUTE)
    assert view_of(*slow, *fast).cadence("tvl.usd", "chain:x", "s1") == MINUTE


def test_an_unknown_metric_is_judged_by_its_spacing():
    held = [Observation("mine", "x", "s1", START + i, START + i, 1.0) for i in range(4)]
    assert view_of(*held, now=START + 3).newest("mine", "x", "s1").at == START + 3


# --- windows -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gone", "problem"),
    [
        ((), None),
        ((10, 11), None),
        ((10, 11, 12), "a hole of 4.0 h"),
        ((1,), "one of the last 3 samples is missing"),
        ((2,), "one of the last 3 samples is missing"),
        ((3,), None),
        ((20, 22, 24, 26), None),
        ((20, 22, 24, 26, 28), None),
        ((20, 22, 24, 26, 28, 30), "43 of 48 expected samples"),
    ],
)
def test_f_025_a_window_needs_90_percent_its_last_three_and_no_hole_over_three_cadences(gone: tuple[int, ...], problem: str | None):
    view = view_of(*hourly(49, gone))
    if problem is None:
        assert len(view.window("tvl.usd", "chain:x", "s1", 48 * HOUR)) == 49 - len(gone)
    else:
        assert problem in fails("coverage", lambda: view.window("tvl.usd", "chain:x", "s1", 48 * HOUR))
        assert len(view.window("tvl.usd", "chain:x", "s1", 48 * HOUR, covered=False)) == 49 - len(gone)


def test_a_window_is_closed_and_wakes_when_its_oldest_point_leaves():
    view = view_of(*hourly(60))
    window = view.window("tvl.usd", "chain:x", "s1", 2 * HOUR)
    assert [int(at) for at in window.at] == [START - 2 * HOUR, START - HOUR, START]
    assert (window.source, window.cadence_ms, list(window.known_at)) == ("s1", HOUR, list(window.at))
    assert view.due == START + 1
    fails("missing", lambda: view_of(*hourly(9), now=START + 2 * DAY).window("tvl.usd", "chain:x", "s1", HOUR))


def test_a_hole_at_the_old_end_mends_with_time_and_the_view_wakes_for_it():
    held = hourly(48 - 4)  # the window of 48 h begins five hours before its first point, two more than may be
    view = view_of(*held)
    fails("coverage", lambda: view.window("tvl.usd", "chain:x", "s1", 48 * HOUR))
    assert view.due == START + 2 * HOUR
    assert len(view_of(*held, now=START + 2 * HOUR).window("tvl.usd", "chain:x", "s1", 48 * HOUR)) == 44


def test_days_are_said_in_days_and_minutes_in_minutes():
    def age(span: int) -> str:
        held = series("tvl.usd", "chain:x", [1.0] * 4, step_ms=1000)
        return fails("stale", lambda: view_of(*held, now=START + span).newest("tvl.usd", "chain:x", "s1"))

    assert "3.0 days old" in age(3 * DAY)
    assert "47.0 h old" in age(47 * HOUR)
    assert "5 min old" in age(5 * MINUTE)


@given(st.lists(st.integers(0, 200), min_size=4, unique=True), st.integers(0, 40), st.integers(1, 60))
def test_the_answer_of_a_window_changes_with_time_alone_only_when_the_view_said_it_would(minutes: list[int], later: int, span: int):
    """Due correctness: between now and `due` the window reads the same; nobody needs to look at every minute."""
    held = [seen("tvl.usd", "chain:x", float(m), START + m * MINUTE) for m in sorted(minutes)]
    now = START + max(minutes) * MINUTE

    def read(at: int) -> tuple[object, int | None]:
        view = view_of(*held, now=at)
        try:
            return [int(x) for x in view.window("tvl.usd", "chain:x", "s1", span * MINUTE).at], view.due
        except Unknown as why:
            return why.code, view.due

    answer, due = read(now)
    moment = now + later * MINUTE
    if due is None or moment < due:
        assert read(moment)[0] == answer


# --- bars --------------------------------------------------------------------------------------------------------


def bars(count: int, gone: tuple[int, ...] = ()) -> list[Observation]:
    held = series(CLOSE, "BTC", [100.0 + i for i in range(count)], step_ms=BAR)
    return [o for i, o in enumerate(reversed(held)) if i not in gone]


@pytest.mark.parametrize(("gone", "minimum", "kept"), [((), 5, 10), ((5,), 5, 5), ((5,), 6, "gap"), ((), 11, "short"), ((9,), 9, 9)])
def test_f_025_bars_are_those_since_the_last_gap(gone: tuple[int, ...], minimum: int, kept: int | str):
    view = view_of(*bars(10, gone), now=START + BAR)
    if isinstance(kept, str):
        fails(kept, lambda: view.bars(CLOSE, "BTC", "s1", 20, minimum))
    else:
        window = view.bars(CLOSE, "BTC", "s1", 20, minimum)
        assert len(window) == len(window.known_at) == len(window.value) == kept
        assert window.value[-1] == 109.0


def test_f_026_only_closed_bars_are_read():
    assert view_of(*bars(10), now=START + BAR - 1).bars(CLOSE, "BTC", "s1", 3, 3).value[-1] == 108.0
    assert list(view_of(*bars(10), now=START + BAR).bars(CLOSE, "BTC", "s1", 3, 3).value) == [107.0, 108.0, 109.0]
    fails("missing", lambda: view_of(*bars(1), now=START).bars(CLOSE, "BTC", "s1", 3, 1))


@pytest.mark.parametrize(("after_close", "fresh"), [(3 * BAR, True), (3 * BAR + 1, False)])
def test_bars_are_fresh_for_three_bars_after_their_close(after_close: int, fresh: bool):
    view = view_of(*bars(10), now=START + BAR + after_close)
    if fresh:
        assert len(view.bars(CLOSE, "BTC", "s1", 5, 5)) == 5
    else:
        fails("stale", lambda: view.bars(CLOSE, "BTC", "s1", 5, 5))


def test_a_metric_without_bars_has_none():
    held = [Observation("mine", "x", "s1", START + i, START + i, 1.0) for i in range(4)]
    fails("gap", lambda: view_of(*held, now=START + 3).bars("mine", "x", "s1", 3, 4))


# --- vintages, joins, evidence -----------------------------------------------------------------------------------


def test_revisions_are_the_vintage_as_of_now():
    first = seen("macro.cpi", "US", 300.0, START - 40 * DAY, known_at=START - 20 * DAY)
    later = seen("macro.cpi", "US", 301.0, START - 10 * DAY, known_at=START + HOUR)
    view = view_of(first, later)
    assert view.revisions("macro.cpi", "US", "s1") == {first.at: (300.0, first.known_at)}
    assert view.due == START + HOUR
    fails("missing", lambda: view_of(later).revisions("macro.cpi", "US", "s1"))


def test_values_are_joined_by_their_instant_and_what_is_absent_is_nan():
    view = view_of(*hourly(5, (1,)))
    wanted = np.array([START - 2 * HOUR, START - HOUR, START])
    np.testing.assert_array_equal(view.values_at("tvl.usd", "chain:x", "s1", wanted), [102.0, np.nan, 104.0])
    assert np.isnan(view.values_at("tvl.usd", "chain:x", "other", wanted)).all()


def test_what_was_read_is_evidence_once_and_only_the_newest_point_has_its_block():
    held = [Observation("position.liquidity", "p1", "s1", START + i * MINUTE, START + i * MINUTE, i, f"0x{i}") for i in range(3)]
    view = view_of(*held, now=START + 2 * MINUTE)
    view.newest("position.liquidity", "p1", "s1")
    view.note("position.liquidity", "p1", "s1", START)
    view.note("position.liquidity", "p1", "s1", START)
    view.note("position.liquidity", "p1", "s1", START + 1)
    assert [(e.value, e.block_hash) for e in view.evidence] == [(2, "0x2"), (0, "")]


def test_a_needed_verdict_brings_its_evidence_and_unknown_rules_have_none():
    point = evidence_of(hourly(1)[0])
    state = State()
    state.fold(Judged(START, "r", "s", Verdict(Truth.FIRED, "x", evidence=(point,))))
    state.fold(EpisodeOpened(START, "r", "s"))
    view = view_of(state=state, now=START + HOUR)
    verdict, episode = view.verdict("r", "s"), view.episode("r", "s")
    assert verdict is not None and verdict.state is Truth.FIRED
    assert view.evidence == (point,)
    assert episode is not None and episode.since == START
    assert view.last_fired("r", "s") == START + HOUR
    assert (view.verdict("r", "t"), view.episode("r", "t"), view.last_fired("r", "t")) == (None, None, None)
    state.fold(Judged(START + MINUTE, "r", "s", Verdict(Truth.QUIET, "x")))
    assert view.last_fired("r", "s") == START + MINUTE


def test_it_wakes_at_the_earliest_of_what_was_asked_and_never_in_the_past():
    view = view_of()
    for at in (START, START - 1, START + 9, START + 5, START + 7):
        view.wake(at)
    assert view.due == START + 5


def test_subjects_and_sources_are_listed():
    view: View = view_of(*hourly(1))
    assert view.subjects("tvl.usd") == ("chain:x",)
    assert view.sources("tvl.usd", "chain:x") == ("s1",)


# --- prices that decide ------------------------------------------------------------------------------------------


def prices(*values: float, source: str = "s1", metric: str = "price.usd", step: int = MINUTE) -> list[Observation]:
    return series(metric, "ETH", values, step_ms=step, source=source)


def test_two_sources_give_their_median_and_a_source_with_price_and_mark_is_one():
    two = [*prices(10, 10, 100), *prices(10, 10, 200, source="s2")]
    assert view_of(*two).price_usd("ETH") == 150.0
    one = [*prices(10, 20, 30, step=15 * MINUTE), *prices(10, 20, 99, metric="perp.mark", step=15 * MINUTE)]
    assert view_of(*one).price_usd("ETH") == 20.0


@pytest.mark.parametrize(
    ("count", "step", "mean"), [(30, MINUTE, 15.5), (29, MINUTE, None), (3, 15 * MINUTE, 2.0), (5, HOUR, 4.0), (3, 20 * MINUTE, 2.0)]
)
def test_f_068_a_single_source_decides_by_its_mean_over_30_minutes_or_more(count: int, step: int, mean: float | None):
    view = view_of(*prices(*range(1, count + 1), step=step))
    if mean is None:
        assert "less than 30 minutes" in fails("price", lambda: view.price_usd("ETH"))
    else:
        assert view.price_usd("ETH") == mean


def test_f_073_no_price_is_no_price_even_of_a_stablecoin():
    fails("price", lambda: view_of().price_usd("USDC"))
    fails("price", lambda: view_of(*prices(1, 1, 1), now=START + HOUR).price_usd("ETH"))
