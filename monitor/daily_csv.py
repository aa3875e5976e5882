"""CSV tables of daily values, as exchanges and data sites publish them: what several collectors read in the same way."""

import csv
import re
from collections.abc import Mapping, Sequence

from monitor.core.decode import number, text
from monitor.core.sessions import is_session
from monitor.core.units import parse_time
from monitor.core.vocabulary import SESSION_CLOSE_MS
from monitor.errors import BadPayload

CALENDAR = "nyse"
SURPLUS = "surplus cells"
_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_AMERICAN = re.compile(r"(?P<month>[0-9]{1,2})/(?P<day>[0-9]{1,2})/(?P<year>[0-9]{4})")

Row = Mapping[str, str | None]


def table(body: bytes, columns: Sequence[str]) -> list[Row]:
    """The rows under the line that names all of `columns` (in any order, among others); what stands above it, such as a notice, is passed over.

    Raises BadPayload where no such line is found: an error page, a quota notice, or a renamed column.
    """
    try:
        lines = body.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BadPayload(f"the table is not UTF-8: byte {error.start}") from None
    for place, line in enumerate(lines):
        if set(columns) <= {name.strip() for name in line.split(",")}:
            names = [name.strip() for name in line.split(",")]
            return _rows(lines[place + 1 :], names)
    start = ascii(lines[0][:60]) if lines else "nothing"
    raise BadPayload(f"no line names the columns {', '.join(columns)}; the body begins with {start}: an error page, a used-up quota, or a new format")


def _rows(lines: list[str], names: list[str]) -> list[Row]:
    try:
        return list(csv.DictReader((line for line in lines if line.strip(", \t")), names, restkey=SURPLUS))
    except csv.Error as error:
        raise BadPayload(f"the table is malformed: {error}") from None


def session_day(row: Row, column: str) -> int:
    """The day in `column`, `2024-03-04` or `03/04/2024` (month first), as its midnight in epoch milliseconds.

    Raises BadPayload, also for a row with more cells than columns: two rows run into one, whose cells stand under names that are not theirs.
    """
    if any(row.get(SURPLUS) or ()):
        raise BadPayload("the row has more cells than there are columns: two rows that ran into one?")
    written = text(row, column).strip()
    if (american := _AMERICAN.fullmatch(written)) is not None:
        written = f"{american['year']}-{int(american['month']):02d}-{int(american['day']):02d}"
    if _ISO.fullmatch(written) is None:
        raise BadPayload(f"{column}: {written[:40]!a} is not a date")
    try:
        return parse_time(written)
    except ValueError:
        raise BadPayload(f"{column}: {written!a} is no day of the calendar") from None


def is_closed_session(day: int, received_at: int) -> bool:
    """Whether a day was a session of the NYSE whose values are final by now.

    Volatility indices and futures are also quoted on holidays, in the hours of other continents: such a quote is no close.
    """
    return day + SESSION_CLOSE_MS <= received_at and is_session(CALENDAR, day)


def close_within(row: Row, *, low: str, high: str, close: str) -> float:
    """The close, which must lie within its own low and high. Raises BadPayload."""
    value, lowest, highest = number(row, close), number(row, low), number(row, high)
    if not lowest <= value <= highest:
        raise BadPayload(f"{close} {value:g} is outside {low} {lowest:g} to {high} {highest:g}")
    return value
