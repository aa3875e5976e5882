"""Where each print stands, and what is told of one that is late: once, and nothing is decided."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.effects import Alerted, Effect
from monitor.core.engine import Engine
from monitor.core.events import Batch, Configured, Tick
from monitor.core.observation import Observation
from monitor.core.prints import GRACE_MS, Due, Stage, awaited, awaited_in, finest, newest_month, places, same_print, stage_of, standing
from monitor.core.units import DAY, HOUR, iso, month_before, parse_time
from monitor.core.us_calendar import releases
from tests.builders import engine_of, market_of, play, seen, settings_of

JANUARY, FEBRUARY, MARCH = (parse_time(f"2024-0{n}-01") for n in (1, 2, 3))
DUE = parse_time("2024-03-12T12:30:00Z")
OCTOBER = parse_time("2025-10-01")
TABLE = {release.at_ms: 1.0 for release in releases("CPI")}


@pytest.mark.parametrize(
    ("now", "due", "vintages", "stage"),
    [
        (DUE - 1, Due(DUE, DUE), (), Stage.SCHEDULED),
        (DUE - 1, Due(DUE, DUE - DAY), (), Stage.MOVED),
        (DUE + GRACE_MS - 1, Due(DUE, DUE - DAY), (), Stage.SCHEDULED),
        (DUE + GRACE_MS, Due(DUE, DUE), (), Stage.LATE),
        (DUE - DAY, Due(DUE, DUE), (310.1,), Stage.RELEASED),
        (DUE, Due(DUE, DUE), (310.326, 310.3), Stage.RELEASED),
        (DUE, Due(DUE, DUE), (310.326, 310.5), Stage.REVISED),
        (DUE, None, (), Stage.SCHEDULED),
    ],
    ids=["before", "moved", "in its grace", "late", "early", "the same, rounded", "revised", "no calendar knows it"],
)
def test_f_081_f_082_a_print_is_scheduled_moved_late_released_or_revised(now: int, due: Due | None, vintages: Sequence[float], stage: Stage):
    assert stage_of("CPI", FEBRUARY, now, due, vintages) is stage


def test_f_080_a_month_that_was_never_published_is_waited_for_by_nobody():
    long_after = OCTOBER + 300 * DAY
    assert stage_of("CPI", OCTOBER, long_after, None, ()) is Stage.NEVER
    assert [iso(one.month)[:7] for one in awaited("CPI", month_before(OCTOBER, 1), TABLE, long_after)] == ["2025-11", "2025-12"]


def months(*observations: Observation) -> Mapping[str, str]:
    """What is awaited on 1 March after January's level, with these observations of the calendar."""
    market = market_of(seen("macro.cpi", "US", 308.417, JANUARY, "bls", parse_time("2024-02-13T13:30:00Z")), *observations)
    return {iso(one.month)[:7]: str(one) for one in awaited_in(market, "CPI", MARCH)}


def calendar(at: str, value: float, source: str = "us-calendar") -> Observation:
    return seen("macro.event", "CPI", value, parse_time(at), source, known_at=JANUARY)


def test_without_a_word_the_table_stands():
    assert list(months().values())[:2] == ["CPI of 2024-02 scheduled, for 2024-03-12T12:30:00Z", "CPI of 2024-03 scheduled, for 2024-04-10T12:30:00Z"]


@pytest.mark.parametrize(
    "told",
    [
        (calendar("2024-03-12T12:30:00Z", 0), calendar("2024-03-14T12:30:00Z", 1)),
        (calendar("2024-03-14T12:30:00Z", 1, "mine"),),
        (calendar("2024-03-12T12:30:00Z", 1), calendar("2024-03-12T12:30:00Z", 0, "mine"), calendar("2024-03-14T12:30:00Z", 1, "mine")),
    ],
    ids=["withdrawn and set anew", "the user's own calendar wins", "the user's own over the built-in"],
)
def test_f_081_a_release_that_moved_is_moved(told: Sequence[Observation]):
    assert months(*told)["2024-02"] == "CPI of 2024-02 moved, for 2024-03-14T12:30:00Z (first for 2024-03-12T12:30:00Z)"


def test_an_instant_beyond_the_table_is_of_the_month_before_it():
    beyond = month_before(max(r.reference_month or 0 for r in releases("CPI")), 0)
    market = market_of(
        seen("macro.cpi", "US", 340.0, beyond, "bls", beyond + 45 * DAY),
        seen("macro.event", "CPI", 1, month_before(beyond, -2) + 10 * DAY, "mine", known_at=beyond),
    )
    assert [one.month for one in awaited_in(market, "CPI", beyond + 50 * DAY)] == [month_before(beyond, -1)]


def test_two_prints_that_share_an_instant_are_both_awaited():
    both = awaited("PPI", parse_time("2025-09-01"), {release.at_ms: 1.0 for release in releases("PPI")}, OCTOBER)
    assert [(iso(one.month)[:7], iso(one.due.at)[:10]) for one in both if one.due][:2] == [("2025-10", "2026-01-14"), ("2025-11", "2026-01-14")]


def test_where_no_level_is_held_nothing_is_awaited():
    assert newest_month(market_of(), "CPI") is None
    assert awaited_in(market_of(), "CPI", MARCH) == []
    assert standing(market_of(), "CPI", JANUARY, JANUARY + DAY) == {}


# --- late --------------------------------------------------------------------------------------------------------------

SETTINGS = settings_of(
    rules=["macro-rising"],
    sources={"bls": {"cadence_ms": 10**13, "provides": [["macro.cpi", "US"], ["macro.ppi", "US"]]}},
    unknown_pending_ms=10**13,
)


def level(month: int, value: float, known_at: int) -> Batch:
    return Batch(known_at, "bls", (seen("macro.cpi", "US", value, month, "bls", known_at),))


def daemon(started: int = MARCH) -> Engine:
    engine = engine_of(SETTINGS, now=started)
    first = [seen("macro.cpi", "US", 300 + i, month_before(JANUARY, 14 - i), "bls", month_before(JANUARY, 13 - i) + 13 * DAY) for i in range(15)]
    play(engine, [Batch(started, "bls", tuple(first))])
    return engine


def told(effects: Sequence[Effect]) -> list[tuple[str, str, bool]]:
    return [(e.type, e.summary, bool(e.data.get("resolved"))) for e in effects if isinstance(e, Alerted)]


def test_f_081_a_late_print_is_told_once_decides_nothing_and_is_taken_back_when_it_comes():
    engine = daemon()
    late = DUE + GRACE_MS
    assert engine.due_at() == late
    assert told(play(engine, [Tick(late - 1)])) == []
    effects = play(engine, [Tick(late), Tick(late + 1), Tick(late + HOUR)])
    assert told(effects) == [("data.stale", "CPI of 2024-02 is late: it was due 2024-03-12T12:30:00Z and no source has it", False)]
    assert [e.kind for e in effects] == ["alert"], "no verdict, no episode and no layer comes of it"
    assert engine.due_at() != late
    came = late + 2 * HOUR
    play(engine, [level(FEBRUARY, 310.326, came)])
    assert engine.due_at() == came
    assert told(play(engine, [Tick(came), Tick(came + 1)])) == [("data.stale", "CPI of 2024-02 is no longer late", True)]


def test_f_081_a_late_print_that_is_then_moved_is_late_again_only_after_its_new_instant():
    engine = daemon()
    moved = DUE + 2 * DAY
    play(engine, [Tick(DUE + GRACE_MS)])
    rows = (seen("macro.event", "CPI", 0, DUE, "us-calendar", DUE + DAY), seen("macro.event", "CPI", 1, moved, "us-calendar", DUE + DAY))
    effects = play(engine, [Batch(DUE + DAY, "us-calendar", rows), Tick(DUE + DAY), Tick(moved + GRACE_MS - 1)])
    assert told(effects) == [("data.stale", "CPI of 2024-02 is no longer late", True)]
    assert [(kind, back) for kind, _, back in told(play(engine, [Tick(moved + GRACE_MS)]))] == [("data.stale", False)]


def test_after_a_start_the_sources_get_their_time_anew():
    started = DUE + 10 * DAY
    engine = daemon(started)
    assert told(play(engine, [Tick(started + GRACE_MS - 1)])) == []
    assert len(told(play(engine, [Tick(started + GRACE_MS)]))) == 1


def test_a_restart_tells_nothing_twice_and_a_print_that_no_source_of_ours_brings_is_not_waited_for():
    engine = daemon()
    (alert,) = (e for e in play(engine, [Tick(DUE + GRACE_MS)]) if isinstance(e, Alerted))
    again = daemon()
    again.state.fold(alert)
    assert told(play(again, [Tick(DUE + GRACE_MS)])) == []
    deaf = engine_of(settings_of(rules=["macro-rising"], unknown_pending_ms=10**13), now=MARCH)
    assert told(play(deaf, [level(JANUARY, 308.4, MARCH), Tick(DUE + DAY)])) == []


def test_f_080_the_month_that_never_was_is_never_late():
    engine = engine_of(SETTINGS, now=OCTOBER)
    effects = play(engine, [level(month_before(OCTOBER, 1), 324.8, parse_time("2025-10-24T12:30:00Z")), Tick(parse_time("2025-12-01"))])
    assert told(effects) == []
    effects = play(engine, [Configured(parse_time("2025-12-02"), SETTINGS), Tick(parse_time("2025-12-18T13:30:00Z") + GRACE_MS)])
    assert [summary[:15] for _, summary, _ in told(effects)] == ["CPI of 2025-11 "]


# --- rounding ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [(311.054, 311.1, True), (311.1, 311.054, True), (311.04, 311.1, False), (311.05, 311.1, True), (311.054, 311.055, False), (311.0, 311.4, True)],
)
def test_f_086_two_levels_are_the_same_print_within_the_rounding_of_the_coarser(one: float, other: float, same: bool):
    assert same_print(one, other) is same


@given(st.integers(100_000, 999_999), st.integers(0, 3))
def test_f_086_a_level_is_always_the_same_print_as_itself_rounded(thousandths: int, kept: int):
    level = thousandths / 1000
    assert same_print(level, round(level, kept), kept)


@pytest.mark.parametrize(("values", "count"), [([311.054, 311.1], 3), ([311.0, 312.0], 0), ([1e-7], 7), ([], 0), ([31805.2], 1)])
def test_places_are_the_most_that_any_value_shows(values: list[float], count: int):
    assert places(values) == count


@pytest.mark.parametrize(
    ("levels", "chosen"),
    [
        ({"bls": (311.054, 3, 10)}, ["bls"]),
        ({"a": (311.1, 1, 20), "bls": (311.054, 3, 10)}, ["bls", "a"]),
        ({"a": (311.054, 3, 10), "b": (311.2, 3, 10)}, []),
        ({"a": (311.054, 3, 10), "b": (311.2, 3, 20)}, ["b"]),
        ({"a": (311.054, 3, 10), "b": (311.2, 3, 20), "c": (311.1, 1, 10)}, ["a", "c"]),
        ({"a": (1.0, 0, 10), "b": (20.0, 0, 10), "c": (300.0, 0, 10)}, []),
    ],
    ids=["alone", "they agree: the most precise", "contested", "the later one is a revision", "two of three", "three against each other"],
)
def test_f_086_of_several_sources_the_most_precise_that_is_not_outvoted(levels: Mapping[str, tuple[float, int, int]], chosen: list[str]):
    assert list(finest(levels)) == chosen
