"""The release calendar is a table of facts: instants, reference months, and an end that it admits."""

from datetime import date

import pytest

from monitor.core.units import DAY, iso, parse_time
from monitor.core.us_calendar import COMPILED_MS, EVENTS, days_ahead, never_published, release_instant, release_of, releases


@pytest.mark.parametrize(
    ("event", "month", "instant"),
    [
        ("CPI", "2022-04-01", "2022-05-11T12:30:00Z"),
        ("CPI", "2025-09-01", "2025-10-24T12:30:00Z"),
        ("CPI", "2025-11-01", "2025-12-18T13:30:00Z"),
        ("CPI", "2026-10-01", "2026-11-10T13:30:00Z"),
        ("PPI", "2022-05-01", "2022-06-14T12:30:00Z"),
        ("PPI", "2025-10-01", "2026-01-14T13:30:00Z"),
        ("PPI", "2025-11-01", "2026-01-14T13:30:00Z"),
    ],
)
def test_a_reference_month_is_released_at_the_half_hour_of_new_york(event: str, month: str, instant: str) -> None:
    release = release_of(event, parse_time(month))
    assert release is not None
    assert iso(release.at_ms) == instant


@pytest.mark.parametrize(
    ("event", "day", "instant"),
    [
        ("CPI", "2026-03-07", "2026-03-07T13:30:00Z"),
        ("CPI", "2026-03-08", "2026-03-08T12:30:00Z"),
        ("CPI", "2026-10-31", "2026-10-31T12:30:00Z"),
        ("CPI", "2026-11-01", "2026-11-01T13:30:00Z"),
        ("FOMC", "2026-03-08", "2026-03-08T18:00:00Z"),
        ("FOMC", "2026-11-01", "2026-11-01T19:00:00Z"),
    ],
)
def test_both_days_on_which_the_clocks_change_are_right(event: str, day: str, instant: str) -> None:
    """F-087: the same New York minute is another UTC minute on the day of the change, not the day after."""
    assert iso(release_instant(event, date.fromisoformat(day))) == instant


def test_a_month_that_was_never_published_is_named_and_has_no_release() -> None:
    """F-080: October 2025 has no CPI, and nothing stands in for it."""
    october = parse_time("2025-10-01")
    assert never_published("CPI") == {october}
    assert release_of("CPI", october) is None
    assert never_published("PPI") == frozenset()


def test_a_month_outside_the_table_has_no_release() -> None:
    assert release_of("CPI", parse_time("2018-11-01")) is None
    assert release_of("CPI", parse_time("2026-12-01")) is None


@pytest.mark.parametrize("event", EVENTS)
def test_releases_rise_in_time_and_only_two_share_an_instant(event: str) -> None:
    instants = [release.at_ms for release in releases(event)]
    assert instants == sorted(instants)
    doubles = len(instants) - len(set(instants))
    assert doubles == (1 if event == "PPI" else 0), "only the PPI of October 2025 came together with November's"


@pytest.mark.parametrize("event", ["CPI", "PPI"])
def test_every_release_follows_the_end_of_its_month_within_eighty_days(event: str) -> None:
    for release in releases(event):
        assert release.reference_month is not None
        assert 33 * DAY < release.at_ms - release.reference_month < 111 * DAY, iso(release.reference_month)


def test_days_ahead_counts_whole_days_and_ends_at_zero() -> None:
    last = releases("CPI")[-1].at_ms
    assert days_ahead("CPI", last - DAY) == 1
    assert days_ahead("CPI", last - DAY + 1) == 0
    assert days_ahead("CPI", last + 400 * DAY) == 0
    assert days_ahead("FOMC", COMPILED_MS) > 365
