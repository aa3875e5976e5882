"""Units as a person writes them: read exactly, or refused with an example."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core import units as u


@pytest.mark.parametrize(
    ("read", "text", "inner"),
    [
        (u.parse_duration, "48h", 48 * 3_600_000),
        (u.parse_duration, "15 min", 900_000),
        (u.parse_duration, "15m", 900_000),
        (u.parse_duration, " 1.5s ", 1500),
        (u.parse_duration, "7d", 7 * 86_400_000),
        (u.parse_duration, "2w", 14 * 86_400_000),
        (u.parse_duration, "250ms", 250),
        (u.parse_duration, 42, 42),
        (u.parse_fraction, "8%", 0.08),
        (u.parse_fraction, "-80bp", -0.008),
        (u.parse_fraction, "80 bps", 0.008),
        (u.parse_fraction, "0.08", 0.08),
        (u.parse_fraction, 0.08, 0.08),
        (u.parse_usd, "10_000 USD", 10_000.0),
        (u.parse_usd, 5.0, 5.0),
        (u.parse_count, "12", 12),
        (u.parse_count, "1e-4", 1e-4),
        (u.parse_count, "1_000", 1000),
        (u.parse_count, 3, 3),
    ],
)
def test_a_unit_is_read_and_an_inner_number_passes(read, text: object, inner: object):
    assert read(text) == inner


@pytest.mark.parametrize(
    ("read", "text"),
    [(u.parse_duration, t) for t in ("48", "h", "48 hours", "1_h", "٤h", "48H", "1e400h", "")]
    + [(u.parse_fraction, t) for t in ("8 percent", "8%%", "", "1__0%", "nan")]
    + [(u.parse_usd, t) for t in ("10000", "10000 EUR", "$10", "")]
    + [(u.parse_count, t) for t in ("12h", "", "nan", "inf", "0x10", "_1", "1e999")],
)
def test_what_has_no_unit_or_another_one_is_refused_with_an_example(read, text: str):
    with pytest.raises(ValueError, match="not a"):
        read(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2022-05-11", 1_652_227_200_000),
        ("2022-05-11T12:30:00Z", 1_652_272_200_000),
        ("2022-05-11T08:30:00-04:00", 1_652_272_200_000),
        (" 1652272200000 ", 1_652_272_200_000),
        ("2022-05-11T12:30:00.250Z", 1_652_272_200_250),
    ],
)
def test_an_instant_is_utc_unless_it_says_otherwise(text: str, moment: int):
    assert u.parse_time(text) == moment


@pytest.mark.parametrize("text", ["11 May 2022", "2022-5-11", "yesterday", "", "165227"])
def test_a_time_is_not_guessed_at(text: str):
    with pytest.raises(ValueError, match="not a time"):
        u.parse_time(text)


@given(st.integers(0, 4_000_000_000_000))
def test_an_instant_written_and_read_is_itself(moment: int):
    assert u.parse_time(u.iso(moment)) == moment


@pytest.mark.parametrize(
    ("month", "count", "before"),
    [("2024-03-01", 1, "2024-02-01"), ("2024-01-01", 1, "2023-12-01"), ("2024-03-01", 12, "2023-03-01"), ("2024-12-01", 12, "2023-12-01")],
)
def test_a_month_before_is_a_calendar_month(month: str, count: int, before: str):
    assert u.month_before(u.parse_time(month), count) == u.parse_time(before)
