"""`POST /api/v1/observations`: rows that the user's own programs bring, through the same door as everything else, all of them or none.

Off unless `server.push_token` is set. The token opens this and nothing else; it is asked for before a byte of the body is read.
"""

import asyncio
import hmac
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from aiohttp import web

from monitor.core.decode import decode_json
from monitor.core.door import admit
from monitor.core.observation import Reading
from monitor.core.rows import csv_rows, parse_object, parse_row
from monitor.core.text import safe_text
from monitor.errors import BadPayload, StoreError
from monitor.sinks.guards import given_token, must_be_long, refusal

PATH = "/api/v1/observations"
MOST_BYTES = 2 * 1024 * 1024
MOST_ROWS = 5_000
MOST_TOLD = 20
MAX_DEPTH = 4
BODY_SECONDS = 10.0
JSON, CSV = "application/json", "text/csv"

Keep = Callable[[Sequence[Reading]], None]
Row = tuple[int, Reading | str]


class Unwelcome(Exception):
    """Why a body is not taken at all; never leaves this module."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Push:
    """Takes rows for whoever has the token.

    `keep` puts them where the daemon finds them, and raises StoreError where it cannot; `now_ms` is the daemon's clock.
    """

    def __init__(self, token: str, keep: Keep, now_ms: Callable[[], int]) -> None:
        must_be_long("server.push_token", token)
        self._token, self._keep, self._now_ms = token.encode(), keep, now_ms

    async def serve(self, request: web.Request) -> web.Response:
        """202 with the number of rows, 422 with those that are bad (then nothing was taken), or what else was wrong."""
        if not hmac.compare_digest(given_token(request.headers.get("Authorization", "")), self._token):
            return refusal(401, "the push token is needed as a bearer token", **{"WWW-Authenticate": "Bearer", "Connection": "close"})
        try:
            rows = await _rows(request)
        except Unwelcome as unwelcome:
            return refusal(unwelcome.status, str(unwelcome), Connection="close")
        except BadPayload as error:
            return _bad([(0, str(error))], 0)
        return self._take(rows)

    def _take(self, rows: Sequence[Row]) -> web.Response:
        numbered = [(place, row) for place, row in rows if isinstance(row, Reading)]
        bad = [(place, row) for place, row in rows if isinstance(row, str)]
        readings = [reading for _, reading in numbered]
        bad += [(numbered[r.index][0], r.reason) for r in admit(readings, source="push", received_at=self._now_ms()).rejections]
        if bad:
            return _bad(sorted(bad), len(rows))
        try:
            self._keep(readings)
        except StoreError as error:
            return refusal(503, safe_text(str(error), 200), **{"Retry-After": "30"})
        return web.json_response({"accepted": len(readings)}, status=202)


def _bad(bad: Sequence[tuple[int, str]], count: int) -> web.Response:
    message = f"{len(bad)} of {count} rows are bad, nothing was taken" if count else "this is no list of rows, nothing was taken"
    named = [{"row": place, "reason": safe_text(reason, 200)} for place, reason in bad[:MOST_TOLD]]
    return web.json_response({"error": {"status": 422, "message": message}, "rows": named}, status=422)


async def _rows(request: web.Request) -> list[Row]:
    """The rows of a body. Raises Unwelcome, and BadPayload where it is none of ours."""
    if request.content_type not in (JSON, CSV) or "Content-Encoding" in request.headers:
        raise Unwelcome(415, f"send {JSON} or {CSV}, uncompressed")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _read(request)
    except TimeoutError:
        raise Unwelcome(408, f"the body did not come within {BODY_SECONDS:.0f} s") from None
    rows = list(_csv(body) if request.content_type == CSV else _json(body))
    if len(rows) > MOST_ROWS:
        raise Unwelcome(413, f"a push takes at most {MOST_ROWS} rows, these are {len(rows)}; send more of them")
    return rows


async def _read(request: web.Request) -> bytes:
    """The body, cut off as soon as it is too large: what a header says of its length proves nothing."""
    parts, size = list[bytes](), request.content_length or 0
    if size <= MOST_BYTES:
        size = 0
        async for part in request.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > MOST_BYTES:
                break
    if size > MOST_BYTES:
        raise Unwelcome(413, f"a push takes at most {MOST_BYTES} bytes; send more of them")
    return b"".join(parts)


def _json(body: bytes) -> Iterable[Row]:
    """Rows of a JSON list, counted from 1. Raises BadPayload where it is no such list."""
    rows = decode_json(body, max_bytes=MOST_BYTES, max_depth=MAX_DEPTH)
    if not isinstance(rows, list):
        raise BadPayload("expected a list of objects")
    return [(place, _reading(parse_object, row)) for place, row in enumerate(rows, start=1)]


def _csv(body: bytes) -> Iterable[Row]:
    """Rows of a CSV text, each with the number of its line. Raises BadPayload where it is none."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadPayload("it is not UTF-8 text") from None
    return [(line, _reading(parse_row, cells)) for line, cells in csv_rows(io.StringIO(text, newline=""))]


def _reading(parse: Callable[[Any], Reading], row: object) -> Reading | str:
    try:
        return parse(row)
    except BadPayload as error:
        return str(error)
