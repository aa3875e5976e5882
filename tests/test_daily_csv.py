"""CSV tables of daily values: what is a table, what is a day, and what is not yet a close."""

import pytest

from monitor.core.units import iso, parse_time
from monitor.daily_csv import close_within, is_closed_session, session_day, table
from monitor.errors import BadPayload

COLUMNS = ("Date", "Close")


def test_the_line_that_names_the_columns_begins_the_table_whatever_stands_above_it():
    body = b"\xef\xbb\xbfThis data is furnished without responsibility\r\nClose, Date ,Volume\r\n1.5,2024-03-04,9\r\n\r\n2.5,2024-03-05\r\n,,\r\n"
    rows = table(body, COLUMNS)
    assert [(row["Date"], row["Close"], row["Volume"]) for row in rows] == [("2024-03-04", "1.5", "9"), ("2024-03-05", "2.5", None)]


def test_two_rows_that_ran_into_one_are_refused_and_a_comma_at_the_end_is_not():
    """F-021: what stands under a name there is another column's value."""
    glued, ended = table(b"Date,High,Close\n2024-03-04,12024-03-05,9,8\n2024-03-06,3,2,,\n", COLUMNS)
    assert glued["Close"] == "9"
    with pytest.raises(BadPayload, match="ran into one"):
        session_day(glued, "Date")
    assert iso(session_day(ended, "Date"))[:10] == "2024-03-06"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"Exceeded the daily hits limit", id="F-020: a used-up quota with status 200"),
        pytest.param(b"<html><body>Maintenance</body></html>", id="F-020: a maintenance page"),
        pytest.param(b"Date,Last\n2024-03-04,1\n", id="F-022: a renamed column"),
        pytest.param(b"Date;Close\n2024-03-04;1\n", id="F-022: another separator"),
        pytest.param(b"Date,Close\n\xff\xfe,1\n", id="not UTF-8"),
        pytest.param(b'Date,Close\n"' + b"x" * 200_000 + b'",1\n', id="a cell without end"),
    ],
)
def test_what_is_no_table_is_refused_whole(body: bytes):
    with pytest.raises(BadPayload) as caught:
        table(body, COLUMNS)
    assert len(str(caught.value)) <= 300


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2024-03-04", "2024-03-04"),
        (" 2024-03-04 ", "2024-03-04"),
        ("03/04/2024", "2024-03-04"),
        ("3/4/2024", "2024-03-04"),
        ("2024-02-30", None),
        ("13/04/2024", None),
        ("04.03.2024", None),
        ("2024-03-04T00:00:00Z", None),
        ("20240304", None),
        ("", None),
        (None, None),
    ],
)
def test_a_day_is_written_in_one_of_two_ways_and_nothing_is_guessed(written: str | None, day: str | None):
    if day is None:
        with pytest.raises(BadPayload, match="Date"):
            session_day({"Date": written}, "Date")
    else:
        assert iso(session_day({"Date": written}, "Date"))[:10] == day


@pytest.mark.parametrize(
    ("day", "now", "closed"),
    [
        pytest.param("2024-03-04", "2024-03-04T21:14:59.999Z", False, id="F-026: a millisecond before its close is known"),
        pytest.param("2024-03-04", "2024-03-04T21:15:00Z", True, id="at that time"),
        pytest.param("2024-03-02", "2024-03-04T21:15:00Z", False, id="a Saturday"),
        pytest.param("2022-05-30", "2022-06-30", False, id="Memorial Day, on which VIX was quoted in the hours of other continents"),
    ],
)
def test_a_close_is_that_of_a_session_which_is_over(day: str, now: str, closed: bool):
    assert is_closed_session(parse_time(day), parse_time(now)) is closed


@pytest.mark.parametrize(
    ("low", "close", "high", "sound"),
    [("1", "1", "2", True), ("1", "2", "2", True), ("1", "0.99", "2", False), ("1", "2.01", "2", False), ("", "1", "2", False)],
)
def test_f_029_a_close_outside_its_own_range_is_refused(low: str, close: str, high: str, sound: bool):
    row = {"L": low, "C": close, "H": high}
    if sound:
        assert close_within(row, low="L", high="H", close="C") == float(close)
    else:
        with pytest.raises(BadPayload):
            close_within(row, low="L", high="H", close="C")
