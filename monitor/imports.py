"""Observations from and to CSV: the header metric,subject,source,at,known_at,value, read strictly and written so that it can be read again."""

import csv
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from monitor.core.door import admit
from monitor.core.observation import Observation, Reading
from monitor.core.rows import HEADER, parse_row
from monitor.core.units import iso
from monitor.errors import BadPayload, ConfigError

SHOWN_PROBLEMS = 20


@dataclass(frozen=True)
class Rows:
    """The readings of one file, how many rows are bad, and a line for each of the first bad ones: file, line, reason."""

    readings: list[Reading]
    bad: int
    problems: list[str]


def read_csv(path: Path) -> Rows:
    """Read one file whole. Raises ConfigError when it is not such a file at all."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            numbered = list(_rows(path, file))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {reason}") from None
    readings, problems = [], []
    for line, cells in numbered:
        try:
            readings.append((line, parse_row(cells)))
        except BadPayload as error:
            problems.append(f"{path}:{line}: {error}")
    admission = admit([reading for _, reading in readings], source="import", received_at=time.time_ns() // 1_000_000)
    problems += [f"{path}:{readings[r.index][0]}: {r.metric} {r.subject}: {r.reason}" for r in admission.rejections]
    refused = {rejection.index for rejection in admission.rejections}
    kept = [reading for index, (_, reading) in enumerate(readings) if index not in refused]
    return Rows(kept, len(problems), problems[:SHOWN_PROBLEMS])


def _rows(path: Path, file: IO[str]) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(file, strict=True)
    header = next(reader, [])
    if header != HEADER:
        raise ConfigError(f"{path}:1: the header must be {','.join(HEADER)}, it is {','.join(header)[:120] or 'empty'}")
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise ConfigError(f"{path}:{reader.line_num}: not CSV: {error}") from None


def write_csv(observations: Iterable[Observation], file: IO[str]) -> int:
    """Write observations so that `read_csv` gives the same ones back. Returns how many."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(HEADER)
    count = 0
    for o in observations:
        count += 1
        value = str(o.value) if isinstance(o.value, int) else repr(o.value)
        writer.writerow([o.metric, o.subject, o.source, iso(o.at), iso(o.known_at), value])
    return count
