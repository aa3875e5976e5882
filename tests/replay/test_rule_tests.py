"""Times of the samples of a rule's test."""

import pytest

from monitor.core.units import iso
from monitor.replay.rule_tests import Line, readings


@pytest.mark.parametrize(
    ("every", "days"),
    [
        ("session", ["2024-03-27", "2024-03-28", "2024-04-01", "2024-04-03"]),
        ("1d", ["2024-03-27", "2024-03-28", "2024-03-29", "2024-03-31"]),
        ("month", ["2024-03-01", "2024-04-01", "2024-05-01", "2024-07-01"]),
    ],
)
def test_samples_are_spaced_by_sessions_days_or_months_and_a_missing_one_keeps_its_place(every: str, days: list[str]):
    line = Line(metric="vix.close", subject="VIX", values="15x2 _ 16", start="2024-03-27" if every != "month" else "2024-03-01", every=every)
    assert [iso(reading.at or 0)[:10] for reading in readings(line)] == days


def test_another_word_is_no_spacing():
    with pytest.raises(ValueError, match="month or session"):
        Line(metric="vix.close", subject="VIX", values="15", start="2024-03-27", every="0h")
