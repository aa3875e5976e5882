"""Observations from and to CSV: the header metric,subject,source,at,known_at,value, read strictly and written so that it can be read again.

A file may be longer than memory. It is read once, each row is checked as it comes, and the good ones wait on disk until the last is known to be good.
"""

import csv
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from monitor.core.candles import Bar, Candles, bar_of
from monitor.core.door import Refused, check
from monitor.core.observation import Observation, Reading
from monitor.core.rows import HEADER, parse_row
from monitor.core.units import iso
from monitor.errors import BadPayload, ConfigError
from monitor.spool import Spool

SHOWN_PROBLEMS = 20
ROWS_A_WORD = 10_000
Say = Callable[[int], object]


@dataclass
class Rows:
    """One file, read to its end: how many rows are good and how many bad, and a line for each of the first bad ones: file, line, reason.

    To be closed: the good rows lie on disk.
    """

    path: Path
    good: int = 0
    bad: int = 0
    problems: list[str] = field(default_factory=list)
    _spool: Spool = field(default_factory=Spool)
    _broken: dict[Bar, str] = field(default_factory=dict)

    def readings(self) -> Iterator[Reading]:
        """The good rows in the order of the file, as the door left them."""
        for _, reading in self._spool:
            if not self._broken or bar_of(reading) not in self._broken:
                yield reading

    def close(self) -> None:
        self._spool.close()

    def refuse(self, line: int, reason: str) -> None:
        self.bad += 1
        if len(self.problems) < SHOWN_PROBLEMS:
            self.problems.append(f"{self.path}:{line}: {reason}")

    def keep(self, line: int, observation: Observation) -> None:
        self.good += 1
        self._spool.put(line, observation)

    def leave_out(self, broken: dict[Bar, str]) -> None:
        """Take back the candles whose parts contradict each other."""
        if not broken:
            return
        for line, reading in self._spool:
            if (bar := bar_of(reading)) in broken:
                self.good -= 1
                self.refuse(line, f"{reading.metric} {reading.subject}: {broken[bar]}")
        self._broken = broken


def read_csv(path: Path, say: Say = lambda count: None) -> Rows:
    """Read one file to its end and check every row; `say` is told now and then how many there were. Raises ConfigError when it is no such file."""
    rows = Rows(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            _check_all(rows, _cells(path, file), say)
    except (OSError, UnicodeDecodeError) as error:
        rows.close()
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {reason}") from None
    except BaseException:
        rows.close()
        raise
    return rows


def _check_all(rows: Rows, numbered: Iterable[tuple[int, list[str]]], say: Say) -> None:
    candles, now = Candles(), time.time_ns() // 1_000_000
    for count, (line, cells) in enumerate(numbered, start=1):
        try:
            reading = parse_row(cells)
            observation = check(reading, source="import", received_at=now)
        except BadPayload as error:
            rows.refuse(line, str(error))
        except Refused as why:
            rows.refuse(line, f"{reading.metric} {reading.subject}: {why}")
        else:
            rows.keep(line, observation)
            candles.add(observation)
        if count % ROWS_A_WORD == 0:
            say(count)
    rows.leave_out(candles.broken())


def _cells(path: Path, file: IO[str]) -> Iterator[tuple[int, list[str]]]:
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
