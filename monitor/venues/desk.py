"""One connection to one venue through an unmodified ccxt class: imported late, pointed where it is told, its errors named by remedy."""

import asyncio
import importlib
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from monitor.clock import Clock
from monitor.core.units import DAY, SECOND
from monitor.errors import BadPayload, MonitorError, SourceError

T = TypeVar("T")
Market = Mapping[str, Any]

TIMEOUT_MS = 20 * SECOND
MAX_RETRY_AFTER_SECONDS = 3600.0
PERMANENT = frozenset({401, 403, 451})
PATIENCE = frozenset({418, 429, 503})
# What ccxt's parsers raise when a body is not what they were written for.
UNREADABLE = (TypeError, KeyError, IndexError, ValueError, AttributeError, ArithmeticError)


_IMPORTING = threading.Lock()


def _ccxt() -> tuple[Any, Any]:
    """ccxt's classes and its errors. One thread at a time: venues start together, and concurrent imports of one package deadlock."""
    with _IMPORTING:
        return importlib.import_module("ccxt.async_support"), importlib.import_module("ccxt.base.errors")


async def known_exchanges() -> Sequence[str]:
    """The names of all exchanges that ccxt has."""
    exchanges, _ = await asyncio.to_thread(_ccxt)
    names: Sequence[str] = exchanges.exchanges
    return names


@dataclass
class Answer:
    """What the venue said beside its body; filled while a question runs. Where ccxt asks several things at once, the worst status wins."""

    status: int | None = None
    retry_after_seconds: float | None = None
    server_ms: int | None = None
    foreign_rows: int = 0


_ANSWER: ContextVar[Answer | None] = ContextVar("answer", default=None)


class Desk:
    """A venue's ccxt exchange and the few markets kept of it. Belongs to the event loop it was opened in.

    `foreign_rows` counts the rows that ccxt left out of the newest answer, since they named no market or another one.
    """

    def __init__(self, exchange: Any, errors: Any) -> None:
        self.exchange = exchange
        self.server_ms: int | None = None
        self.foreign_rows = 0
        self.refused: dict[str, str] = {}
        self._errors = errors
        self._loaded: tuple[float, frozenset[str]] | None = None
        self._parse_market = exchange.parse_market
        exchange.parse_market = self._market_or_nothing
        self._parse_json = exchange.parse_json
        exchange.parse_json = self._document
        self._filter_rows = exchange.filter_by_symbol_since_limit
        exchange.filter_by_symbol_since_limit = self._rows_of_symbol
        self._lock = asyncio.Lock()

    @staticmethod
    async def open(exchange_id: str, session: object, endpoint: str) -> "Desk":
        """Import ccxt off the event loop (it takes seconds) and make the exchange on our own session, under ccxt's own rate limiter."""
        exchanges, errors = await asyncio.to_thread(_ccxt)
        settings = {"session": session, "timeout": TIMEOUT_MS, "enableRateLimit": True, "asyncio_loop": asyncio.get_running_loop()}
        exchange = getattr(exchanges, exchange_id)(settings)
        # The session is ours and has its own rules for certificates: ccxt need not load the authorities a second time.
        exchange.ssl_context = False
        exchange.timeout_on_exit = 0
        # Else the last body, megabytes for a market list, would be kept until the next one.
        exchange.enableLastHttpResponse = exchange.enableLastJsonResponse = exchange.enableLastResponseHeaders = False
        exchange.on_rest_response = _note_answer
        if endpoint:
            exchange.urls["api"] = redirected(exchange.urls["api"], endpoint)
        return Desk(exchange, errors)

    async def ask(self, what: str, question: Callable[[], Awaitable[T]]) -> T:
        """The answer to one ccxt call. Raises SourceError where none came, BadPayload where it is unreadable; without URL or body."""
        answer = Answer()
        token = _ANSWER.set(answer)
        try:
            result = await question()
        except MonitorError as error:
            raise type(error)(f"{what}: {error}") if isinstance(error, BadPayload) else error from None
        except (self._errors.BaseError, *UNREADABLE) as error:
            if answer.status is None and not isinstance(error, self._errors.BaseError):
                raise  # nobody has answered yet: the mistake is ours
            failure = self._failure(what, error, answer)
        else:
            self.server_ms = answer.server_ms or self.server_ms
            self.foreign_rows = answer.foreign_rows
            return result
        finally:
            _ANSWER.reset(token)
        # Raised out here it has no cause or context: ccxt's own message holds the whole URL and body.
        raise failure

    async def load(self, clock: Clock, questions: Mapping[str, Callable[[], Awaitable[Sequence[Market]]]], wanted: frozenset[str]) -> None:
        """Keep the `wanted` symbols of the venue's markets, and nothing else, for a day. `refused` says why each other one is not there."""
        async with self._lock:
            if self._loaded is not None and self._loaded[1] == wanted and clock.monotonic() < self._loaded[0] + DAY / SECOND:
                return
            kept: list[Market] = []
            refused = {symbol: f"no market {symbol} here" for symbol in wanted}
            for what, question in questions.items():
                kept += await self._pick(what, question, wanted, refused)
            if not kept:
                raise BadPayload(f"none of the watched markets is listed: {'; '.join(sorted(set(refused.values())))}"[:300])
            try:
                self.exchange.set_markets(kept)
            except UNREADABLE as error:
                raise BadPayload(f"the rows of the watched markets cannot be read ({type(error).__name__})") from None
            self.refused = refused
            self._loaded = (clock.monotonic(), wanted)

    def forget_markets(self) -> None:
        """Have the venue's markets told anew before the next question."""
        self._loaded = None

    def _market_or_nothing(self, row: Any) -> Market | None:
        """ccxt's own parser, row by row: one row that it cannot read would otherwise hide the whole list."""
        try:
            market: Market | None = self._parse_market(row)
        except (self._errors.BaseError, *UNREADABLE):
            return None
        return market

    def _document(self, text: str) -> Any:
        """HTML, half a document or nothing under status 200 is refused: ccxt would hand it on as text, in which its parsers find nothing."""
        document = self._parse_json(text)
        if document is None and (answer := _ANSWER.get()) is not None and answer.status == 200:
            raise BadPayload("the answer is not a JSON document")
        return document

    def _rows_of_symbol(self, rows: Sequence[Mapping[str, Any]], symbol: str | None = None, *more: Any, **named: Any) -> Any:
        """ccxt leaves out the rows of other markets, and those that it could not read, without a word: they are counted."""
        if symbol is not None and (answer := _ANSWER.get()) is not None:
            answer.foreign_rows += sum(row.get("symbol") != symbol for row in rows)
        return self._filter_rows(rows, symbol, *more, **named)

    async def _pick(
        self, what: str, question: Callable[[], Awaitable[Sequence[Market]]], wanted: frozenset[str], refused: dict[str, str]
    ) -> list[Market]:
        try:
            markets = await self.ask(what, question)
        except BadPayload as problem:
            refused[what] = str(problem)
            return []
        kept = []
        for market in markets:
            symbol = market.get("symbol")
            if isinstance(symbol, str) and symbol in wanted:
                if (reason := _unusable(market)) is None:
                    kept.append(market)
                    refused.pop(symbol, None)
                else:
                    refused[symbol] = f"{symbol} {reason}"
        return kept

    async def close(self) -> None:
        """Let go of ccxt; the session stays with the net that made it."""
        await self.exchange.close()

    def _failure(self, what: str, error: Exception, answer: Answer) -> MonitorError:
        status, kind = answer.status, type(error).__name__
        if self.exchange.apiKey and isinstance(error, self._errors.AuthenticationError):
            remedy = "is it whole, allowed from this address, and not expired? else make another one that can only read"
            return SourceError(f"{what}: the venue does not accept this key ({kind}): {remedy}", permanent=True)
        if status in PERMANENT:
            remedy = "not allowed from here: set another `endpoint`, or `enabled: false`"
            return SourceError(f"{what}: HTTP {status}, {remedy}", status=status, permanent=True)
        if status is None or status >= 500 or status in PATIENCE:
            message = f"{what}: no complete answer ({kind})" if status is None else f"{what}: HTTP {status}"
            return SourceError(message, status=status, retry_after_seconds=answer.retry_after_seconds)
        if isinstance(error, self._errors.RateLimitExceeded | self._errors.ExchangeNotAvailable | self._errors.RequestTimeout):
            return SourceError(f"{what}: {kind} (HTTP {status})", status=status, retry_after_seconds=answer.retry_after_seconds)
        return BadPayload(f"{what}: the answer cannot be read ({kind}, HTTP {status})")


def redirected(urls: Any, endpoint: str) -> Any:
    """A tree of URLs with scheme, host and port replaced by those of `endpoint`, paths kept."""
    if isinstance(urls, Mapping):
        return {name: redirected(part, endpoint) for name, part in urls.items()}
    if not isinstance(urls, str):
        return urls
    there = urlsplit(endpoint)
    return urlunsplit(urlsplit(urls)._replace(scheme=there.scheme, netloc=there.netloc))


def _unusable(market: Market) -> str | None:
    if not all(isinstance(market.get(name), str) for name in ("id", "type")):
        return "has a row that cannot be read"
    if market.get("active") is False:
        return "is not trading"
    if (size := market.get("contractSize")) not in (None, 1, 1.0):
        return f"has contracts of {size} coins, which is not what is watched"
    return None


def _note_answer(code: int, _reason: str, _url: str, _method: str, headers: Mapping[str, str], body: str, *_request: object) -> str:
    """ccxt's hook for each response: what it says beside its body is noted."""
    if (answer := _ANSWER.get()) is not None and (answer.status is None or answer.status == 200):
        answer.status = code
        answer.server_ms = _time_of(headers.get("Date", ""))
        answer.retry_after_seconds = _patience(headers.get("Retry-After", ""), answer.server_ms)
    return body.strip()


def _time_of(written: str) -> int | None:
    try:
        return round(parsedate_to_datetime(written).timestamp()) * SECOND
    except ValueError:
        return None


def _patience(written: str, server_ms: int | None) -> float | None:
    """Seconds of a Retry-After header, which holds seconds or a date; the date counts from the server's own clock. At most an hour."""
    if written.isascii() and written.isdigit() and len(written) < 8:
        return min(float(written), MAX_RETRY_AFTER_SECONDS)
    until = _time_of(written)
    if until is None or server_ms is None:
        return None
    return min(max((until - server_ms) / SECOND, 0.0), MAX_RETRY_AFTER_SECONDS)
