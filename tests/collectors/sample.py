"""Samples: what a source answers, written down from its documentation, and a collector set before it.

`samples/<collector module>.<name>.json` holds `now`, `watch`, `settings` of the collector, `answers` (method, URL prefix, and `json` or a
`file` beside it) and `removable`: keys whose absence is no fault, such as one token of a list of tokens.
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from monitor.collectors import __name__ as COLLECTORS
from monitor.core.book import Watch
from monitor.core.units import parse_time
from monitor.registry import build, plugins
from monitor.source import Collector, Harvest, Ports
from tests.fakes import FakeNet

SAMPLES = Path(__file__).parent / "samples"
SAMPLE_FILES = sorted(SAMPLES.glob("*.*.json"))


class StillClock:
    """A clock that stands at one instant."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("a poll does not sleep")


@dataclass(frozen=True)
class Sample:
    """One sample file, read."""

    collector: Collector
    watch: Watch
    now_ms: int
    answers: tuple[dict[str, Any], ...]
    removable: frozenset[str]

    def ports(self, answers: tuple[dict[str, Any], ...] | None = None) -> Ports:
        net = FakeNet()
        for answer in self.answers if answers is None else answers:
            net.answer(answer["method"], answer["url"], answer["json"] if "json" in answer else answer["bytes"])
        return Ports(net=net, clock=StillClock(self.now_ms), rng=Random(0))

    async def poll(self, answers: tuple[dict[str, Any], ...] | None = None) -> Harvest:
        return await self.collector.poll(self.ports(answers), self.watch)


def read_sample(path: Path) -> Sample:
    """The sample of a file; the collector is the one whose module the file's name begins with."""
    written = json.loads(path.read_text(encoding="utf-8"))
    collector_class = plugins(COLLECTORS, Collector)[path.name.partition(".")[0].replace("_", "-")]
    answers = [a if "json" in a else a | {"bytes": (SAMPLES / a["file"]).read_bytes()} for a in written["answers"]]
    watch = Watch(**{key: tuple(value) for key, value in written["watch"].items()})  # type: ignore[arg-type]  # samples watch lists alone
    collector = build(collector_class, written.get("settings", {}))
    return Sample(collector, watch, parse_time(written["now"]), tuple(answers), frozenset(written.get("removable", ())))


REMOVED = object()
DAMAGES: dict[str, object] = {
    "removed": REMOVED,
    "null": None,
    "NaN": "NaN",
    "9e18": 9e18,
    "wrong type": {"unexpected": []},
    "negative": -7,
    "lone surrogate": "\ud800",
}


def damaged(sample: Sample) -> Iterator[tuple[str, tuple[dict[str, Any], ...]]]:
    """Every answer of a sample with one value damaged, under a name that says which and how."""
    for index, answer in enumerate(sample.answers):
        changes = _damaged_json(answer["json"], sample.removable) if "json" in answer else _damaged_text(answer["bytes"])
        for name, body in changes:
            changed = {**answer, ("json" if "json" in answer else "bytes"): body}
            yield f"{answer['url']} {name}", (*sample.answers[:index], changed, *sample.answers[index + 1 :])


def _damaged_json(body: object, removable: frozenset[str]) -> Iterator[tuple[str, object]]:
    for path in _paths(body):
        for name, damage in DAMAGES.items():
            if damage is REMOVED and (not path or isinstance(path[-1], int) or path[-1] in removable):
                continue  # a list that is one shorter is a list that is one shorter
            changed = [copy.deepcopy(body)]
            holder: Any = changed
            for step in (0, *path)[:-1]:
                holder = holder[step]
            last = (0, *path)[-1]
            if damage is REMOVED:
                del holder[last]
            else:
                holder[last] = damage
            yield f"{'.'.join(map(str, path)) or 'the whole body'}: {name}", changed[0]


def _paths(body: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    children = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in children:
        yield from _paths(value, (*path, key))


def _damaged_text(body: bytes) -> Iterator[tuple[str, bytes]]:
    lines = body.splitlines(keepends=True)
    nines = bytes.maketrans(b"0123456789", b"9" * 10)
    for index, line in enumerate(lines):
        for name, changed in (("removed", b""), ("cut", line[: len(line) // 2]), ("nines", line.translate(nines))):
            yield f"line {index + 1}: {name}", b"".join([*lines[:index], changed, *lines[index + 1 :]])
    yield "empty", b""
    yield "not UTF-8", b"\xff\xfe" + body
