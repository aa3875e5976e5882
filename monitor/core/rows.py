"""One row of observations as files, feeds and pushes spell it: metric, subject, source, at, known_at, value; read strictly, nothing guessed."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from monitor.core.decode import parse_decimal, text
from monitor.core.observation import Reading
from monitor.core.units import parse_time
from monitor.core.vocabulary import find_metric
from monitor.errors import BadPayload

HEADER = ["metric", "subject", "source", "at", "known_at", "value"]
_WHOLE = re.compile(r"-?[0-9]{1,400}")
_SHOWN = 40


def parse_row(cells: Sequence[str]) -> Reading:
    """The reading of one CSV row under `HEADER`; an empty `known_at` asks the door for the metric's own rule. Raises BadPayload."""
    if len(cells) != len(HEADER):
        raise BadPayload(f"{len(cells)} columns instead of {len(HEADER)}")
    metric, subject, source, at, known_at, value = cells
    if not source:
        raise BadPayload("source is missing: say who the value is from")
    known = parse_instant(known_at) if known_at.strip() else None
    return Reading(metric, subject, parse_value(metric, value), parse_instant(at), known, source)


def csv_rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV text under `HEADER`, each with the number of its line. Raises BadPayload, with the line, where it is no such text."""
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, [])
        if header != HEADER:
            raise BadPayload(f"line 1: the header must be {','.join(HEADER)}, it is {_shown(','.join(header))}")
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise BadPayload(f"line {reader.line_num}: not CSV: {error}") from None


def parse_object(row: object, source: str = "") -> Reading:
    """The reading of one JSON object with the names of `HEADER`; `known_at` may be absent or null, `source` where one is given. Raises BadPayload."""
    if not isinstance(row, Mapping):
        raise BadPayload(f"expected an object with {', '.join(HEADER)}, got {_shown(row)}")
    if unknown := [key for key in row if key not in HEADER]:
        raise BadPayload(f"there is no column {_shown(unknown[0])}; the columns are {', '.join(HEADER)}")
    named = text(row, "source") if row.get("source") is not None else source
    if not named:
        raise BadPayload("source is missing: say who the value is from")
    if absent := [key for key in ("at", "value") if row.get(key) is None]:
        raise BadPayload(f"{absent[0]} is missing")
    metric, known_at = text(row, "metric"), row.get("known_at")
    known = parse_instant(known_at) if known_at not in (None, "") else None
    return Reading(metric, text(row, "subject"), parse_value(metric, row["value"]), parse_instant(row["at"]), known, named)


def parse_instant(value: object) -> int:
    """Epoch milliseconds of an ISO-8601 text, or of epoch milliseconds as a whole number or as text. Raises BadPayload."""
    is_whole = isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 64
    try:
        return parse_time(value if isinstance(value, str) else str(value) if is_whole else "")
    except ValueError:
        raise BadPayload(f"{_shown(value)} is not a time: write ISO-8601 such as 2022-05-11T12:30:00Z, or epoch milliseconds") from None


def parse_value(metric: str, value: object) -> float | int:
    """The value as the metric wants it: chain integers exact to the unit, everything else a finite number. Raises BadPayload."""
    row = find_metric(metric)
    if row is None or not row.exact:
        return parse_decimal(value)
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise BadPayload(f"value {_shown(value)} is not a whole number, and this metric is a chain integer")


def _shown(value: object) -> str:
    """A foreign value briefly and in ASCII; a container only by its kind."""
    if isinstance(value, str):
        shown = ascii(value[: _SHOWN + 1])
        return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
    is_short = value is None or isinstance(value, bool | float) or (isinstance(value, int) and value.bit_length() <= 64)
    return repr(value) if is_short else f"a {type(value).__name__}"
