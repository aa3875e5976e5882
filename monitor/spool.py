"""Rows set aside in order, in memory while they are few and in a file without a name when they are many: it is gone with the process."""

import marshal
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile

from monitor.core.observation import Observation, Reading, SeriesKey

IN_MEMORY_BYTES = 8 * 1024 * 1024
ROWS_A_BLOCK = 5_000

Row = tuple[int, int, int, int, float | int]


class Spool:
    """Observations with the line that each was on. What it holds in memory does not grow with what is put into it."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115  # it lives as long as the spool
        self._numbers: dict[SeriesKey, int] = {}
        self._block: list[Row] = []

    def put(self, line: int, observation: Observation) -> None:
        """Append one observation; its block hash is not kept."""
        o = observation
        number = self._numbers.setdefault(o.key, len(self._numbers))
        self._block.append((line, number, o.at, o.known_at, o.value))
        if len(self._block) == ROWS_A_BLOCK:
            self._write()

    def __iter__(self) -> Iterator[tuple[int, Reading]]:
        """Everything from the first on."""
        self._write()
        keys = list(self._numbers)
        self._file.seek(0)
        # Written by ourselves a moment ago, into a file that nobody else can open.
        while size := int.from_bytes(self._file.read(8), "big"):
            for line, number, at, known_at, value in marshal.loads(self._file.read(size)):
                metric, subject, source = keys[number]
                yield line, Reading(metric, subject, value, at, known_at, source)

    def close(self) -> None:
        self._file.close()

    def _write(self) -> None:
        if self._block:
            written = marshal.dumps(self._block)
            self._file.seek(0, 2)
            self._file.write(len(written).to_bytes(8, "big") + written)
            self._block = []
