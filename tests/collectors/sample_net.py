"""A net without sockets: hands ccxt a session that answers from sample bodies and notes what was asked."""

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from types import SimpleNamespace, TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from monitor.core.units import parse_time
from monitor.errors import SourceError
from monitor.source import Ports

SAMPLES = Path(__file__).parent / "samples"
NOON_MS = 1741780800000  # 2025-03-12T12:00:00Z, the last settlement and the open of the unfinished candle of all samples
NOW_MS = NOON_MS + 30 * 60_000
# A venue that always says that there is more is asked until the poll's deadline; here nothing takes time, so it is a number of questions.
MOST_QUESTIONS = 500
DATE = "Wed, 12 Mar 2025 12:30:00 GMT"
assert parse_time("2025-03-12T12:00Z") == NOON_MS


@cache
def _text(venue: str) -> str:
    return (SAMPLES / f"{venue}.json").read_text()


def samples(venue: str) -> dict[str, Any]:
    """Fresh copies of a venue's sample bodies by question; tests damage them."""
    return dict(json.loads(_text(venue)))


@dataclass(frozen=True)
class Reply:
    """An answer that is not simply a good body."""

    status: int = 200
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class SampleNet:
    """Lends sessions over `bodies`, whose keys are `METHOD /path`, then ` type` where one path has several questions."""

    def __init__(self, bodies: Mapping[str, Any]) -> None:
        self.bodies = bodies
        self.asked: list[str] = []
        self.questions: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self.sessions = 0

    def client_session(self) -> "SampleNet":
        self.sessions += 1
        return self

    def get(self, url: object, **_request: Any) -> "_Exchange":
        parts = urlsplit(str(url))
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return self._answer(f"GET {parts.path}", query.get("category", ""), query)

    def post(self, url: object, *, data: bytes, **_request: Any) -> "_Exchange":
        body = json.loads(data)
        return self._answer(f"POST {urlsplit(str(url)).path}", body["type"], body)

    def _answer(self, key: str, kind: str, question: dict[str, Any]) -> "_Exchange":
        full = f"{key} {kind}" if f"{key} {kind}" in self.bodies else key
        self.asked.append(full)
        self.questions.append(question)
        if len(self.asked) > MOST_QUESTIONS:
            raise SourceError("no complete answer within the deadline of a poll")
        body = self.bodies.get(full, Reply(404, "{}"))
        return _Exchange(body if isinstance(body, Reply) else Reply(text=json.dumps(body)))


class _Exchange:
    def __init__(self, reply: Reply) -> None:
        self.status = reply.status
        self.reason = "because"
        self.headers = {"Content-Type": "application/json", "Date": DATE, **reply.headers}
        self._text = reply.text

    async def text(self, errors: str = "strict") -> str:
        return self._text

    async def __aenter__(self) -> "_Exchange":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None


async def _at_once(_throttler: object, _cost: object = None) -> None:
    return None


def unthrottle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ccxt ask without its pauses: nobody is asked here. The integration tests keep them."""
    throttler = importlib.import_module("ccxt.async_support.base.throttler")
    monkeypatch.setattr(throttler.Throttler, "__call__", _at_once)


def ports(net: object, now_ms: int = NOW_MS) -> Ports:
    """Ports over a net, at half past noon of the samples' day unless told otherwise."""
    clock = SimpleNamespace(now_ms=lambda: now_ms, monotonic=lambda: now_ms / 1000, sleep=None)
    return Ports(net=net, clock=clock, rng=Random(1))  # type: ignore[arg-type]  # the parts a venue uses
