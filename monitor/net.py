"""The network as a port: what leaves the process goes through `HttpNet`, under one set of limits.

No redirect is followed, no proxy is taken from the environment, every request has one deadline from the first byte to the
last, every body a cap counted after decompression, and the address actually dialled must pass the egress policy. Errors
never carry more of a URL than its host. How a connection is made stands in dial.py.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn, Protocol
from urllib.parse import urlsplit

import aiohttp

from monitor.core.decode import decode_json
from monitor.core.egress import EgressPolicy
from monitor.core.secret import display_url, redact_urls
from monitor.dial import HOST_DIALLED, LANE, EgressRefused, Request, connector, verified
from monitor.errors import BadPayload, SourceError

__all__ = ["EgressPolicy", "HttpNet", "Net", "Response"]

DEFAULT_TIMEOUT_SECONDS = 10.0
DEFAULT_MAX_BYTES = 8 * 1024 * 1024
# Whole option chains and exchange listings come through the libraries' sessions, and are larger than what we ask for ourselves.
LIBRARY_MAX_BYTES = 32 * 1024 * 1024
LIBRARY_TIMEOUT_SECONDS = 60.0
RECEIPT_MAX_BYTES = 4 * 1024
MAX_RETRY_AFTER_SECONDS = 3600.0
USER_AGENT = "defi-hedge-monitor"

_PERMANENT = frozenset({401, 403, 451})
_OLD_TLS = frozenset({"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION"})
_ASKS_FOR_PATIENCE = frozenset({418, 429, 503})

Params = Mapping[str, str | int]
Headers = Mapping[str, str]


@dataclass(frozen=True)
class Response:
    """What a receiver answered: the status, the headers (names in lower case) and at most the first 4 KiB of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Net(Protocol):
    """What collectors and sinks may know of the network.

    Each method raises `SourceError` where no complete answer came; all but `post` also where its status is not 2xx.
    """

    async def get_json(
        self,
        url: str,
        *,
        params: Params | None = None,
        headers: Headers | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> object:
        """GET one JSON document; `BadPayload` if the body is not one or is larger than `max_bytes`."""
        ...

    async def post_json(
        self,
        url: str,
        json_body: object,
        *,
        headers: Headers | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> object:
        """POST one JSON document and return the JSON answer; errors as `get_json`."""
        ...

    async def get_bytes(
        self,
        url: str,
        *,
        params: Params | None = None,
        headers: Headers | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> bytes:
        """GET a body as it is after decompression; `BadPayload` if it is larger than `max_bytes`."""
        ...

    async def post(self, url: str, body: bytes, headers: Headers, *, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> Response:
        """POST bytes and return whatever status came back, a redirect included; `SourceError` only where none came."""
        ...


class HttpNet:
    """`Net` over aiohttp. Make it inside a running loop and `close()` it there."""

    def __init__(
        self,
        policy: EgressPolicy | None = None,
        *,
        requests_per_host: int = 4,
        library_max_bytes: int = LIBRARY_MAX_BYTES,
        now_seconds: Callable[[], float] = time.time,
        on_date: Callable[[str, str, str], object] = lambda host, date, age: None,
    ) -> None:
        self._now_seconds = now_seconds
        self._on_date = on_date
        self._library_max_bytes = library_max_bytes
        self._policy = policy or EgressPolicy()
        self._requests_per_host = requests_per_host
        self._context = verified()
        self._connectors: dict[str, aiohttp.TCPConnector] = {}
        self._own: dict[str, aiohttp.ClientSession] = {}
        self._lent: list[aiohttp.ClientSession] = []

    def obey(self, policy: EgressPolicy) -> None:
        """Dial by this policy from now on; connections that stand are kept."""
        self._policy = policy

    def _permits(self, host: str, address: str) -> bool:
        return self._policy.permits(host, address)

    async def __aenter__(self) -> "HttpNet":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every session, those given to libraries included, and every connection."""
        for session in (*self._own.values(), *self._lent):
            await session.close()
        for each in self._connectors.values():
            await each.close()

    def client_session(self) -> aiohttp.ClientSession:
        """Return a new session under the same rules for a library that makes its own calls (ccxt, web3); closed by `close()`.

        ccxt: pass it to the constructor, `binance({"session": session})`; set afterwards, `exchange.close()` would close it.
        web3: `await AsyncHTTPProvider(url).cache_async_session(session)`.
        Oversized bodies raise `BadPayload` and redirects `SourceError`, which both libraries let through.
        """
        session = self._new_session(
            _bounded_response(self._library_max_bytes), (_note_host, self._note_date, _refuse_redirect), LIBRARY_TIMEOUT_SECONDS
        )
        self._lent.append(session)
        return session

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
        body = await self.get_bytes(url, params=params, headers=headers, timeout_seconds=timeout_seconds, max_bytes=max_bytes)
        return _decoded(url, body, max_bytes)

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
        body = json.dumps(json_body, allow_nan=False).encode()
        typed = {"Content-Type": "application/json", **(headers or {})}
        return _decoded(url, await self._read("POST", url, timeout_seconds, max_bytes, headers=typed, data=body), max_bytes)

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
        return await self._read("GET", url, timeout_seconds, max_bytes, headers=headers, params=params)

    async def post(self, url: str, body: bytes, headers: Headers, *, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> Response:
        """See `Net.post`."""
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        try:
            async with asyncio.timeout_at(deadline):
                answer = await self._session.post(url, data=body, headers=headers, allow_redirects=False)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = _failure(url, timeout_seconds, error)
        else:
            excerpt = await _read_excerpt(answer, deadline)
            return Response(answer.status, {name.lower(): value for name, value in answer.headers.items()}, excerpt)
        raise failure

    async def _read(self, method: str, url: str, timeout_seconds: float, max_bytes: int, **request: Any) -> bytes:
        try:
            async with asyncio.timeout(timeout_seconds), self._session.request(method, url, allow_redirects=False, **request) as answer:
                _require_success(answer, self._now_seconds)
                return await _read_capped(answer, max_bytes)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = _failure(url, timeout_seconds, error)
        # Raised out here, the error has no cause or context: the library's own message has the whole URL in it.
        raise failure

    async def _note_date(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        """Every answer tells the hour of the host that gave it."""
        answer = await handler(request)
        self._on_date(request.url.host or "", answer.headers.get("Date", ""), answer.headers.get("Age", ""))
        return answer

    @property
    def _session(self) -> aiohttp.ClientSession:
        """The session for our own requests in this lane. Each of them carries its deadline; the session's is for libraries that forget theirs."""
        lane = LANE.get()
        if lane not in self._own:
            self._own[lane] = self._new_session(aiohttp.ClientResponse, (_note_host, self._note_date), None)
        return self._own[lane]

    def _connector(self) -> aiohttp.TCPConnector:
        lane = LANE.get()
        if lane not in self._connectors:
            self._connectors[lane] = connector(self._permits, self._requests_per_host, self._context)
        return self._connectors[lane]

    def _new_session(
        self,
        response_class: type[aiohttp.ClientResponse],
        middlewares: tuple[aiohttp.ClientMiddlewareType, ...],
        timeout_seconds: float | None,
    ) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=self._connector(),
            connector_owner=False,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity", "User-Agent": USER_AGENT},
            timeout=aiohttp.ClientTimeout(total=timeout_seconds),
            request_class=Request,
            response_class=response_class,
            middlewares=middlewares,
        )


async def _note_host(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Tell the socket factory, which is given an address alone, for which host it is dialled; turn its refusal into our error."""
    token = HOST_DIALLED.set(request.url.host or "")
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.__cause__, EgressRefused):
            raise SourceError(str(error.__cause__), permanent=True) from None
        raise
    finally:
        HOST_DIALLED.reset(token)


async def _refuse_redirect(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Stop a redirect before aiohttp follows it, which it does by default, headers and body and all."""
    answer = await handler(request)
    if 300 <= answer.status < 400:
        answer.close()
        _raise_redirect(answer)
    return answer


def _raise_redirect(answer: aiohttp.ClientResponse) -> NoReturn:
    target = urlsplit(answer.headers.get("Location", "")).hostname
    towards = f" to {target[:80]!a}" if target else ""
    message = f"{display_url(str(answer.url))} redirects{towards}; redirects are not followed"
    raise SourceError(message, status=answer.status, permanent=True)


def _bounded_response(max_bytes: int) -> type[aiohttp.ClientResponse]:
    class BoundedResponse(aiohttp.ClientResponse):
        async def read(self) -> bytes:
            """Read as the library's class does, which json() and text() build on, but never past the cap."""
            if self._body is None:
                self._body = await _read_capped(self, max_bytes)
            return await super().read()

    return BoundedResponse


async def _read_capped(answer: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """Read a body piece by piece; past `max_bytes` after decompression, drop the connection and refuse."""
    pieces = bytearray()
    try:
        async for piece in answer.content.iter_any():
            pieces += piece
            if len(pieces) > max_bytes:
                raise BadPayload(f"{display_url(str(answer.url))}: the answer is larger than the {max_bytes} bytes allowed")
    except BaseException:
        answer.close()
        raise
    return bytes(pieces)


async def _read_excerpt(answer: aiohttp.ClientResponse, deadline: float) -> bytes:
    """Read at most the first 4 KiB, then close: the status has been given, and a broken, slow or endless body does not take it back."""
    pieces = bytearray()
    try:
        with suppress(aiohttp.ClientError, OSError):
            async with asyncio.timeout_at(deadline):
                while len(pieces) < RECEIPT_MAX_BYTES and (piece := await answer.content.read(RECEIPT_MAX_BYTES - len(pieces))):
                    pieces += piece
    finally:
        answer.close()
    return bytes(pieces)


def _require_success(answer: aiohttp.ClientResponse, now_seconds: Callable[[], float]) -> None:
    status = answer.status
    if 200 <= status < 300:
        return
    answer.close()
    if 300 <= status < 400:
        _raise_redirect(answer)
    wait = retry_after_seconds(answer.headers.get("Retry-After", ""), now_seconds()) if status in _ASKS_FOR_PATIENCE else None
    message = f"{display_url(str(answer.url))} answered with status {status}"
    raise SourceError(message, status=status, retry_after_seconds=wait, permanent=status in _PERMANENT)


def retry_after_seconds(written: str, now_seconds: float) -> float | None:
    """Read seconds or an HTTP date (RFC 9110, 10.2.3), at most an hour; None where there is nothing or nothing sensible."""
    if written.isascii() and written.isdigit():
        return MAX_RETRY_AFTER_SECONDS if len(written) > 6 else min(float(written), MAX_RETRY_AFTER_SECONDS)
    try:
        when = parsedate_to_datetime(written)
    except ValueError:
        return None
    wait = (when if when.tzinfo else when.replace(tzinfo=UTC)) - datetime.fromtimestamp(now_seconds, UTC)
    return min(max(wait.total_seconds(), 0.0), MAX_RETRY_AFTER_SECONDS)


def _decoded(url: str, body: bytes, max_bytes: int) -> object:
    try:
        return decode_json(body, max_bytes=max_bytes)
    except BadPayload as error:
        raise BadPayload(f"{display_url(url)}: {error}") from None


def _speaks_too_old_tls(error: Exception) -> bool:
    return isinstance(error, aiohttp.ClientConnectorError) and getattr(error.os_error, "reason", None) in _OLD_TLS


def _failure(url: str, timeout_seconds: float, error: Exception) -> SourceError:
    """Say in our words, with the host alone, why no answer came."""
    place = display_url(url)
    if isinstance(error, TimeoutError):
        return SourceError(f"{place}: no complete answer within {timeout_seconds:g} s")
    if isinstance(error, aiohttp.ClientSSLError):
        refused = isinstance(error, aiohttp.ClientConnectorCertificateError) or _speaks_too_old_tls(error)
        return SourceError(f"{place}: no secure connection: {redact_urls(str(error))}", permanent=refused)
    # After TLS, because a certificate error is a ValueError too. Only the kind: the text of these has the URL or the header in it.
    if isinstance(error, ValueError):
        return SourceError(f"{place}: this request cannot be sent ({type(error).__name__})", permanent=True)
    reason = f": {error.os_error.strerror}" if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.strerror else ""
    return SourceError(f"{place}: no complete answer ({type(error).__name__}{reason})")
