"""The user's own files: CSV with the header that `import` takes, and Parquet with the same columns, in a folder that is looked at again and again.

A file is taken whole or not at all, once it is whole, and again whenever it has changed. Its rows are records: they stay as old as they say.
"""

import asyncio
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from monitor.core.book import Watch
from monitor.core.door import admit
from monitor.core.observation import Reading
from monitor.core.rows import HEADER, csv_rows, parse_object, parse_row
from monitor.core.text import safe_text
from monitor.core.units import SECOND, Duration
from monitor.errors import BadPayload, SourceError
from monitor.source import Collector, Harvest, Ports

MOST_ROWS = 50_000
MOST_BYTES = 16 * 1024 * 1024
# A file that was written to just now may be written to again.
SETTLED_MS = 2 * SECOND
MOST_TOLD = 20
PARQUET_END = b"PAR1"
HOW_TO_READ_PARQUET = "Parquet needs pyarrow: pip install 'defi-hedge-monitor[parquet]', or write CSV"


class Stamp(NamedTuple):
    """What tells one version of a file from another."""

    size: int
    mtime_ns: int


class Waits(Exception):
    """A file is not whole yet; never leaves this module."""


@dataclass
class Shelf:
    """What is known of the files: the stamp each had when it was last looked at, of those that were read, and why some were refused."""

    looked: dict[str, Stamp] = field(default_factory=dict)
    read: dict[str, Stamp] = field(default_factory=dict)
    refused: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Folder(Collector):
    """`path` is the folder; files directly in it that end in .csv or .parquet are taken, hidden ones are not. A large history is better imported."""

    title: ClassVar[str] = "Your own files"
    homepage: ClassVar[str] = "https://www.rfc-editor.org/rfc/rfc4180"

    cadence: Duration = 10 * SECOND
    path: str = ""

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """Nothing that could be said beforehand: what the files bring is seen when they come."""
        return frozenset()

    def has_work(self, watch: Watch) -> bool:
        """Whether there is a folder."""
        return bool(self.path)

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """The rows of files that are new or have changed. Raises SourceError where the folder cannot be read."""
        if not self.path:
            return Harvest()
        # Not a field: settings are what the schema is made of, what was read is not one.
        shelf: Shelf = vars(self).setdefault("_shelf", Shelf())
        return await asyncio.to_thread(survey, Path(self.path), shelf, ports.clock.now_ms())

    async def probe(self, ports: Ports, watch: Watch) -> str:
        """Every file read, and nothing remembered."""
        harvest = await asyncio.to_thread(survey, Path(self.path), Shelf(), ports.clock.now_ms())
        if harvest.rejected:
            raise BadPayload(f"{len(harvest.rejected)} rows refused, first: {harvest.rejected[0]}")
        return f"{len(harvest.readings)} values"


def survey(folder: Path, shelf: Shelf, now_ms: int) -> Harvest:
    """One look at a folder; `shelf` keeps what was seen. Raises SourceError."""
    try:
        files = {one.name: Stamp(one.stat().st_size, one.stat().st_mtime_ns) for one in os.scandir(folder) if _is_ours(one)}
    except OSError as error:
        raise SourceError(f"the folder cannot be read: {error.strerror or 'no reason given'}; create it, or set sources.folder.path") from None
    readings = list[Reading]()
    for name, stamp in sorted(files.items()):
        is_still = shelf.looked.get(name) == stamp
        shelf.looked[name] = stamp
        if shelf.read.get(name) == stamp or not (is_still or now_ms - stamp.mtime_ns // 1_000_000 >= SETTLED_MS):
            continue
        if len(readings) >= MOST_ROWS:  # the rest at the next look
            break
        try:
            found, problems = _take(folder / name, stamp, now_ms)
        except Waits as waits:
            # A writer that has stopped halfway is told of, for as long as it lasts.
            shelf.refused[name] = [str(waits)] if is_still else []
            continue
        except BadPayload as error:
            found, problems = [], [str(error)]
        shelf.read[name], shelf.refused[name] = stamp, problems
        readings += [] if problems else found
    for gone in shelf.looked.keys() - files.keys():
        for memory in (shelf.looked, shelf.read, shelf.refused):
            memory.pop(gone, None)
    rejected = [f"{safe_text(name)}: {reason}" for name, reasons in sorted(shelf.refused.items()) for reason in reasons]
    return Harvest(readings, rejected, records=True)


def _is_ours(one: "os.DirEntry[str]") -> bool:
    return one.name.endswith((".csv", ".parquet")) and not one.name.startswith(".") and one.is_file()


def _take(file: Path, stamp: Stamp, now_ms: int) -> tuple[list[Reading], list[str]]:
    """The rows of a file and its problems, each with its line. Raises Waits for one that is still being written, BadPayload for one that is none."""
    if stamp.size > MOST_BYTES:
        raise BadPayload(f"{stamp.size / 1e6:,.0f} MB are too much at once; take it with: hedge-monitor import")
    try:
        body = file.read_bytes()
        after = file.stat()
    except OSError as error:
        raise BadPayload(f"cannot be read: {error.strerror or 'no reason given'}") from None
    if len(body) != stamp.size or Stamp(after.st_size, after.st_mtime_ns) != stamp:
        raise Waits("it is still being written")
    numbered, problems = list[tuple[int, Reading]](), list[str]()
    for line, row in _parquet(body) if file.suffix == ".parquet" else _csv(body):
        try:
            numbered.append((line, parse_object(row) if isinstance(row, dict) else parse_row(row)))
        except BadPayload as error:
            problems.append(f"line {line}: {error}")
        if line > MOST_ROWS + 1:
            raise BadPayload(f"more than {MOST_ROWS} rows are too much at once; take it with: hedge-monitor import")
    refused = admit([reading for _, reading in numbered], source="folder", received_at=now_ms).rejections
    problems += [f"line {numbered[r.index][0]}: {safe_text(r.metric)} {safe_text(r.subject)}: {safe_text(r.reason, 160)}" for r in refused]
    more = [f"and {len(problems) - MOST_TOLD} rows more"] if len(problems) > MOST_TOLD else []
    return [reading for _, reading in numbered], [*problems[:MOST_TOLD], *more]


def _csv(body: bytes) -> Iterator[tuple[int, Any]]:
    if not body.endswith(b"\n"):
        raise Waits("no newline at its end: it is waited for until it is whole")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadPayload(f"line {body[: error.start].count(10) + 1}: it is not UTF-8 text") from None
    return csv_rows(io.StringIO(text, newline=""))


def _parquet(body: bytes) -> Iterator[tuple[int, Any]]:
    """Rows as objects, counted from 1. Raises BadPayload where pyarrow is not there."""
    if not body.endswith(PARQUET_END):
        raise Waits("no Parquet footer at its end: it is waited for until it is whole")
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise BadPayload(HOW_TO_READ_PARQUET) from None
    try:
        table = parquet.ParquetFile(pyarrow.BufferReader(body))
        if table.metadata.num_rows > MOST_ROWS:
            raise BadPayload(f"{table.metadata.num_rows} rows are too much at once; split it, or write CSV and take that with: hedge-monitor import")
        if absent := [name for name in HEADER if name not in table.schema_arrow.names and name != "known_at"]:
            raise BadPayload(f"there is no column {absent[0]}; the columns are {', '.join(HEADER)}")
        rows = table.read().to_pylist()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise BadPayload(f"not Parquet that can be read: {safe_text(str(error), 120)}") from None
    return enumerate(({key: _plain(value) for key, value in row.items()} for row in rows), start=1)


def _plain(value: Any) -> Any:
    """A time as epoch milliseconds, UTC where it says nothing else; everything else as it is."""
    if not isinstance(value, datetime):
        return value
    return round((value if value.tzinfo is not None else value.replace(tzinfo=UTC)).timestamp() * 1000)
