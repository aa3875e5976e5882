"""Fakes of the ports, for tests: they keep the port's promises and record what was asked of them."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from monitor.core.decode import decode_json
from monitor.errors import BadPayload, SourceError
from monitor.net import DEFAULT_MAX_BYTES, DEFAULT_TIMEOUT_SECONDS, Headers, Params, Response


@dataclass(frozen=True)
class Call:
    """One request as it was made; `body` is the JSON value of `post_json` or the bytes of `post`."""

    method: str
    url: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None


@dataclass(frozen=True)
class Delayed:
    """Answer after so many seconds (virtual ones, on a virtual loop); beyond the request's deadline it fails as the real thing does."""

    seconds: float
    answer: object = None


HANG = Delayed(float("inf"))


class FakeNet:
    """`monitor.net.Net` from a table: `net.answer("GET", "https://venue/book", {...}, SourceError("down"), HANG)`.

    The longest prefix of the URL wins. Answers are given in turn and the last one repeats. An answer is a JSON value,
    `bytes` (a raw body), a `Response` (for `post`), an exception (raised), `Delayed`, `HANG`, or a function of the `Call`
    that returns one of these.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._answers: dict[tuple[str, str], list[object]] = {}

    def answer(self, method: str, url_prefix: str, *answers: object) -> "FakeNet":
        """Set the answers for a method and URL prefix, in place of earlier ones; returns itself, to chain."""
        self._answers[method, url_prefix] = list(answers)
        return self

    def count(self, method: str = "", url_prefix: str = "") -> int:
        """Return how many requests were made, of this method and prefix where given."""
        return sum(call.method in (method or call.method,) and call.url.startswith(url_prefix) for call in self.calls)

    async def get_json(
        self,
        url: str,
        *,
        params: Params | None = None,
        headers: Headers | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> object:
        """See `Net.get_json`."""
        call = Call("GET", url, dict(params or {}), dict(headers or {}))
        return _as_json(await self._next(call, timeout_seconds), max_bytes)

    async def post_json(
        self,
        url: str,
        json_body: object,
        *,
        headers: Headers | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> object:
        """See `Net.post_json`."""
        call = Call("POST", url, headers=dict(headers or {}), body=json_body)
        return _as_json(await self._next(call, timeout_seconds), max_bytes)

    async def get_bytes(
        self,
        url: str,
        *,
        params: Params | None = None,
        headers: Headers | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> bytes:
        """See `Net.get_bytes`."""
        found = await self._next(Call("GET", url, dict(params or {}), dict(headers or {})), timeout_seconds)
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        if len(body) > max_bytes:
            raise BadPayload(f"{url}: larger than {max_bytes} bytes")
        return body

    async def post(self, url: str, body: bytes, headers: Headers, *, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> Response:
        """See `Net.post`."""
        found = await self._next(Call("POST", url, headers=dict(headers), body=body), timeout_seconds)
        assert isinstance(found, Response), f"post needs a Response as its answer, not {found!r}"
        return found

    async def _next(self, call: Call, timeout_seconds: float) -> object:
        self.calls.append(call)
        found = self._planned(call)
        if isinstance(found, Callable):  # type: ignore[arg-type]  # collections.abc.Callable serves isinstance
            found = found(call)  # type: ignore[operator]  # narrowed by the line above
        if isinstance(found, Delayed):
            await asyncio.sleep(min(found.seconds, timeout_seconds))
            late = SourceError(f"{call.url}: no complete answer within {timeout_seconds:g} s")
            found = late if found.seconds >= timeout_seconds else found.answer
        if isinstance(found, Exception):
            raise found
        return found

    def _planned(self, call: Call) -> object:
        prefixes = [prefix for method, prefix in self._answers if method == call.method and call.url.startswith(prefix)]
        assert prefixes, f"FakeNet has no answer for {call.method} {call.url}"
        answers = self._answers[call.method, max(prefixes, key=len)]
        return answers.pop(0) if len(answers) > 1 else answers[0]


def _as_json(found: object, max_bytes: int) -> object:
    """Pass every value through the real decoder, so that a test cannot rely on what JSON could not carry."""
    body = found if isinstance(found, bytes) else json.dumps(found).encode()
    return decode_json(body, max_bytes=max_bytes)
