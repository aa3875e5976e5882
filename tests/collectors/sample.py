"""Samples: what a source answers, written down from its documentation, and a collector set before it.

`samples/<collector module>.<name>.json` holds `now`, `watch`, `settings` of the collector and `removable`: keys whose absence is no fault, such as
one token of a list of tokens; `unbounded` are keys whose value may be any number, or null, as well. Where one URL answers several questions,
`question` tells them apart by what was posted. How a source answers decides its kind: over HTTP (`answers`: method, URL prefix, and `json` or a
`file` beside it), by a chain's node (`chain`, see sample_chain.py), by files (`files`, see sample_files.py), or through ccxt
(`samples/<collector module>.json` or `ccxt`, see sample_venue.py).
"""

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from random import Random
from typing import Any

from monitor.collectors import __name__ as COLLECTORS
from monitor.core.book import Chain, Position, Watch
from monitor.core.units import parse_time
from monitor.registry import build, plugins
from monitor.source import Collector, Harvest, Ports
from tests.fakes import Call, FakeNet

SAMPLES = Path(__file__).parent / "samples"
SAMPLE_FILES = sorted(SAMPLES.glob("*.json"))


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


Answers = tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Sample:
    """One sample, read. `answers` is what its source says; `poll` asks the collector to read them, or damaged ones in their place."""

    path: Path
    collector_class: type[Collector]
    settings: Mapping[str, Any]
    watch: Watch
    now_ms: int
    answers: Answers
    removable: frozenset[str]

    @cached_property
    def collector(self) -> Collector:
        return build(self.collector_class, self.settings)

    @property
    def has_fallback(self) -> bool:
        """Whether the source says other true things where an answer is lost: a page that cannot be read falls back to what is known without it."""
        return False

    def ports(self, answers: Answers | None = None) -> Ports:
        """The outside world, which gives these answers, or the sample's own."""
        raise NotImplementedError

    async def poll(self, answers: Answers | None = None) -> Harvest:
        return await self.collector.poll(self.ports(answers), self.watch)

    async def close(self) -> None:
        """Let go of what was kept from one poll to the next."""

    def damaged(self) -> Iterator[tuple[str, Answers]]:
        """Every answer with one value damaged, under a name that says which and how."""
        raise NotImplementedError


@dataclass(frozen=True)
class HttpSample(Sample):
    """A source that is asked over HTTP."""

    unbounded: frozenset[str] = frozenset()

    @property
    def has_fallback(self) -> bool:
        return "bytes" in self.answers[0] and self.collector.id == "us-calendar"

    def ports(self, answers: Answers | None = None) -> Ports:
        net = FakeNet()
        given = self.answers if answers is None else answers
        for answer in given:
            told = answer["json"] if "json" in answer else answer["bytes"]
            net.answer(answer["method"], answer["url"], partial(_answer_to, given) if "question" in answer else told)
        return Ports(net=net, clock=StillClock(self.now_ms), rng=Random(0))

    def damaged(self) -> Iterator[tuple[str, Answers]]:
        for index, answer in enumerate(self.answers):
            changes = damaged_json(answer["json"], self.removable, self.unbounded) if "json" in answer else damaged_text(answer["bytes"])
            for name, body in changes:
                changed = {**answer, ("json" if "json" in answer else "bytes"): body}
                yield f"{'json' if 'json' in answer else 'text'} {answer['url']} {name}", (*self.answers[:index], changed, *self.answers[index + 1 :])


def _answer_to(answers: Answers, call: Call) -> object:
    """The answer whose question is part of what was posted."""
    asked: Any = call.body
    return next(one["json"] for one in answers if "question" in one and one["question"].items() <= asked.items())


def read_sample(path: Path) -> Sample:
    """The sample of a file; the collector is the one whose module the file's name begins with."""
    from tests.collectors.sample_chain import chain_sample
    from tests.collectors.sample_files import file_sample
    from tests.collectors.sample_venue import account_sample, venue_sample

    written = json.loads(path.read_text(encoding="utf-8"))
    collector_class = plugins(COLLECTORS, Collector)[path.name.partition(".")[0].replace("_", "-")]
    if "now" not in written:
        return venue_sample(path, collector_class, written)
    answers = [a | {"bytes": (SAMPLES / a["file"]).read_bytes()} if "file" in a else a for a in written.get("answers", ())]
    sample = HttpSample(
        path,
        collector_class,
        written.get("settings", {}),
        watch_of(written["watch"]),
        parse_time(written["now"]),
        tuple(answers),
        frozenset(written.get("removable", ())),
        frozenset(written.get("unbounded", ())),
    )
    if "ccxt" in written:
        return account_sample(sample, written)
    if "files" in written:
        return file_sample(sample, written)
    return chain_sample(sample, written) if "chain" in written else sample


def watch_of(written: Mapping[str, Any]) -> Watch:
    lists = {key: tuple(value) for key, value in written.items() if key not in ("positions", "chains")}
    positions = tuple(Position(**{**one, "assets": tuple(one.get("assets", ()))}) for one in written.get("positions", ()))
    chains = {name: Chain(**chain) for name, chain in written.get("chains", {}).items()}
    return Watch(**lists, positions=positions, chains=chains)


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
Place = tuple[str | int, ...]


UNBOUNDED = ("null", "9e18", "negative")


def damaged_json(body: object, removable: frozenset[str], unbounded: frozenset[str] = frozenset()) -> Iterator[tuple[str, object]]:
    """A JSON body with one value damaged at a time."""
    for path in _paths(body):
        for name, damage in DAMAGES.items():
            if damage is REMOVED and (not path or isinstance(path[-1], int) or path[-1] in removable):
                continue  # a list that is one shorter is a list that is one shorter
            if name in UNBOUNDED and path and path[-1] in unbounded:
                continue
            yield f"{'.'.join(map(str, path)) or 'the whole body'}: {name}", with_damage(body, path, damage)


def with_damage(body: object, path: Place, damage: object) -> object:
    """A copy of a body with what stands at a place replaced, or taken out."""
    changed = [copy.deepcopy(body)]
    holder: Any = changed
    for step in (0, *path)[:-1]:
        holder = holder[step]
    last = (0, *path)[-1]
    if damage is REMOVED:
        del holder[last]
    else:
        holder[last] = damage
    return changed[0]


def _paths(body: object, path: Place = ()) -> Iterator[Place]:
    yield path
    children = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in children:
        yield from _paths(value, (*path, key))


def damaged_text(body: bytes, *, digits: bool = True) -> Iterator[tuple[str, bytes]]:
    """A text with one line damaged at a time. Without `digits` no number is made another: where any is as good as the one that was written."""
    lines = body.splitlines(keepends=True)
    nines = bytes.maketrans(b"0123456789", b"9" * 10)
    for index, line in enumerate(lines):
        for name, changed in (("removed", b""), ("cut", line[: len(line) // 2]), ("nines", line.translate(nines)))[: 3 if digits else 2]:
            yield f"line {index + 1}: {name}", b"".join([*lines[:index], changed, *lines[index + 1 :]])
    yield "empty", b""
    yield "not UTF-8", b"\xff\xfe" + body
