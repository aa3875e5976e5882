"""Samples of files on a disk: CSV tables, spoiled row by row and cell by cell in a folder of their own.

`files` holds `name` and `rows`, the header first. `names` are the columns whose cell is a name that the user chose: any
ASCII text is one. An empty `known_at` is the user's word too, so a sample leaves it empty where the metric has a rule of its own.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from monitor.core.units import HOUR
from monitor.registry import build
from monitor.source import Harvest, Ports
from tests.collectors.sample import DAMAGES, REMOVED, Answers, Sample, StillClock, damaged_text
from tests.fakes import FakeNet


@dataclass(frozen=True)
class FileSample(Sample):
    """A source that is read from files. They lie still, and are looked at twice: a file that lacks its end is told of when it still does."""

    names: frozenset[str] = field(default_factory=frozenset)

    def ports(self, answers: Answers | None = None) -> Ports:
        return Ports(FakeNet(), StillClock(self.now_ms), Random(0))

    async def poll(self, answers: Answers | None = None) -> Harvest:
        with TemporaryDirectory(prefix="hedge-monitor-sample-") as folder:
            self._lay_down(Path(folder), self.answers if answers is None else answers)
            collector = build(self.collector_class, {**self.settings, "path": folder})
            return Harvest.together([await collector.poll(self.ports(), self.watch) for _ in range(2)])

    def _lay_down(self, folder: Path, answers: Answers) -> None:
        for answer in answers:
            file = folder / answer["name"]
            file.write_bytes(answer["body"])
            os.utime(file, ns=((self.now_ms - HOUR) * 1_000_000,) * 2)

    def damaged(self) -> Iterator[tuple[str, Answers]]:
        for index, answer in enumerate(self.answers):
            for name, body in (*damaged_text(answer["body"], digits=False), *self._damaged_cells(answer["body"])):
                yield f"text {answer['name']} {name}", (*self.answers[:index], {**answer, "body": body}, *self.answers[index + 1 :])

    def _damaged_cells(self, body: bytes) -> Iterator[tuple[str, bytes]]:
        rows = [line.split(",") for line in body.decode().splitlines()]
        for number, row in enumerate(rows):
            for column, name in enumerate(rows[0]):
                for how, cell in _cells(is_name=name in self.names and number > 0):
                    changed = [*row[:column], *cell, *row[column + 1 :]]
                    lines = [",".join(one) + "\n" for one in (*rows[:number], changed, *rows[number + 1 :])]
                    yield f"line {number + 1}, {name}: {how}", "".join(lines).encode("utf-8", "surrogatepass")


def _cells(is_name: bool) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What stands in a cell instead, and how that is called; a column that is gone shifts the others."""
    yield "without its comma", ()
    for how, damage in DAMAGES.items():
        text = damage if isinstance(damage, str) else json.dumps(damage) if damage is not REMOVED else ""
        if not is_name or not text or not text.isascii():
            yield how.replace("removed", "empty"), (text,)


def file_sample(sample: Sample, written: dict[str, Any]) -> FileSample:
    """The same sample, answered by files."""
    own = {one.name: getattr(sample, one.name) for one in fields(Sample)}
    answers = tuple({"name": one["name"], "body": "".join(row + "\n" for row in one["rows"]).encode()} for one in written["files"])
    return FileSample(**{**own, "answers": answers}, names=frozenset(written.get("names", ())))
