"""The way in for rows that are pushed: closed unless a token opens it, all rows or none, and no body that hurts."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from monitor.core.observation import Reading
from monitor.core.units import HOUR, parse_time
from monitor.errors import ConfigError, StoreError
from monitor.sinks import push as module
from monitor.sinks.http import Face
from monitor.sinks.openapi import document
from monitor.sinks.push import MOST_BYTES, MOST_ROWS, PATH, Push
from tests.sinks.schema import mistakes

pytestmark = pytest.mark.integration
NOW = parse_time("2026-11-20T12:00:00Z")
TOKEN, OTHER = "push-token-push-token", "page-token-page-token"
GOOD = {"metric": "tvl.usd", "subject": "chain:base", "source": "mine", "at": "2026-11-20T11:00:00Z", "value": 7}
HEAD = "metric,subject,source,at,known_at,value\n"


class Kept(list[Reading]):
    """What was handed over, and whether it can be."""

    full = False

    def keep(self, readings: Sequence[Reading]) -> None:
        if self.full:
            raise StoreError("the disk is full")
        self.extend(readings)


@asynccontextmanager
async def served(token: str | None = None, push: bool = True):
    kept = Kept()
    face = Face(dict, bytes, token=token)
    face.push = Push(TOKEN, kept.keep, lambda: NOW) if push else None
    port = await face.start("127.0.0.1", 0)
    async with aiohttp.ClientSession(base_url=f"http://127.0.0.1:{port}", timeout=aiohttp.ClientTimeout(total=10)) as client:
        try:
            yield client, kept
        finally:
            await face.stop()


async def post(client: aiohttp.ClientSession, body: Any, *, kind: str = "application/json", given: str | None = f"Bearer {TOKEN}", **headers: str):
    written = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    own = {"Content-Type": kind, **({"Authorization": given} if given is not None else {}), **headers}
    async with client.post(PATH, data=written, headers=own) as answer:
        told = await answer.json()
        schema = document("0")["paths"][PATH]["post"]["responses"][str(answer.status)]["content"]["application/json"]["schema"]
        assert list(mistakes(told, schema, document("0"))) == []
        return answer.status, told


async def test_rows_are_taken_and_counted():
    async with served() as (client, kept):
        assert await post(client, [GOOD, {**GOOD, "at": NOW - HOUR, "known_at": None, "value": "7.5"}]) == (202, {"accepted": 2})
        assert await post(client, HEAD + "tvl.usd,chain:op,mine,2026-11-20,,9\n", kind="text/csv; charset=utf-8") == (202, {"accepted": 1})
        assert await post(client, []) == (202, {"accepted": 0})
    assert [(r.subject, r.source, r.value, r.known_at) for r in kept] == [
        ("chain:base", "mine", 7.0, None),
        ("chain:base", "mine", 7.5, None),
        ("chain:op", "mine", 9.0, None),
    ]


BAD: list[tuple[Any, str, str, int]] = [
    ([GOOD, {**GOOD, "value": "x"}, GOOD], "1 of 3 rows are bad, nothing was taken", "'x' is not a decimal number", 2),
    ([{**GOOD, "at": "2027-01-01"}], "1 of 1 rows are bad", "lies in the future", 1),
    ([{**GOOD, "at": 1_795_176_000}], "1 of 1 rows are bad", "seconds instead of milliseconds?", 1),
    ([{**GOOD, "metric": "tvl.eur"}], "1 of 1 rows are bad", "unknown metric 'tvl.eur'", 1),
    ([{key: GOOD[key] for key in GOOD if key != "source"}], "1 of 1 rows are bad", "source is missing", 1),
    ([{**GOOD, "scale": 100}], "1 of 1 rows are bad", "there is no column 'scale'", 1),
    ([7], "1 of 1 rows are bad", "expected an object", 1),
    ({"rows": [GOOD]}, "this is no list of rows", "expected a list of objects", 0),
]


@pytest.mark.parametrize(("body", "message", "reason", "place"), BAD)
async def test_bad_rows_are_named_and_nothing_is_taken(body: Any, message: str, reason: str, place: int):
    async with served() as (client, kept):
        status, told = await post(client, body)
    assert (status, kept) == (422, [])
    assert message in told["error"]["message"]
    assert (told["rows"][0]["row"], len(told["rows"])) == (place, 1) and reason in told["rows"][0]["reason"]


async def test_of_many_bad_rows_the_first_are_named():
    async with served() as (client, _):
        _, told = await post(client, HEAD + "x\n" * 30, kind="text/csv")
    assert told["error"]["message"].startswith("30 of 30 rows are bad")
    assert [row["row"] for row in told["rows"]] == list(range(2, 22))


HOSTILE = [
    pytest.param(b"[" * 100_000, id="F-095: depth"),
    pytest.param(b'[{"value": ' + b"9" * 5_000 + b"}]", id="F-095: 5,000 digits"),
    pytest.param(b'[{"metric": 1, "metric": 2}]', id="F-095: a key twice"),
    pytest.param(b'[{"value": NaN}]', id="F-095: NaN"),
    pytest.param(b"", id="empty"),
    pytest.param(b"\xff\xfe\x00", id="not UTF-8"),
    pytest.param(b"<html>", id="HTML"),
    pytest.param(b"[1,", id="cut short"),
    pytest.param(json.dumps([{**GOOD, "subject": "\ud800\x00\u202e\u200b" + "x" * 100_000}]).encode(), id="F-096: subject"),
    pytest.param(json.dumps([{**GOOD, "metric": "\ud800\u202e" + "x" * 100_000}]).encode(), id="F-096: metric"),
    pytest.param(json.dumps([{**GOOD, "source": "\u202emine"}]).encode(), id="F-096: source"),
    pytest.param(json.dumps([{**GOOD, "\ud800" * 1000: 1}]).encode(), id="F-096: key"),
    pytest.param(json.dumps([{**GOOD, "value": "٣"}]).encode(), id="F-015: Arabic digits"),
    pytest.param(json.dumps([{**GOOD, "value": 1e300}]).encode(), id="F-015: beyond every range"),
    pytest.param(json.dumps([{**GOOD, "value": None}]).encode(), id="F-015: null"),
]


@pytest.mark.parametrize("body", HOSTILE)
async def test_f_015_f_095_f_096_a_hostile_body_is_refused_in_plain_words(body: bytes):
    async with served() as (client, kept):
        for kind in ("application/json", "text/csv"):
            status, told = await post(client, body, kind=kind)
            assert (status, kept) == (422, [])
            assert all(row["reason"].isprintable() and len(row["reason"]) <= 200 for row in told["rows"])


CREDENTIALS = [None, "", "Bearer", "Bearer wrong", f"Bearer {TOKEN}x", f"Bearer {OTHER}", f"Digest {TOKEN}", "Bearer \xe9\xff", "Basic !!!"]


@pytest.mark.parametrize("given", CREDENTIALS)
@pytest.mark.parametrize("page_token", [None, OTHER])
async def test_a_foreign_token_opens_nothing(given: str | None, page_token: str | None):
    async with served(page_token) as (client, kept):
        status, told = await post(client, [GOOD], given=given)
        assert (status, told["error"]["message"], kept) == (401, "the push token is needed as a bearer token", [])


async def test_the_push_token_opens_the_push_alone():
    async with served(OTHER) as (client, kept):
        assert (await post(client, [GOOD]))[0] == 202
        async with client.get("/api/v1/openapi.json", headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
            assert answer.status == 401
    assert len(kept) == 1


async def test_the_push_token_is_compared_in_constant_time_and_before_the_body_is_read(monkeypatch: pytest.MonkeyPatch):
    compared = []
    monkeypatch.setattr("hmac.compare_digest", lambda one, other: compared.append((one, other)))
    async with served() as (client, _):
        assert (await post(client, b"x" * (MOST_BYTES + 1)))[0] == 401
    assert compared == [(TOKEN.encode(), TOKEN.encode())]


async def test_a_body_that_is_too_large_is_cut_off_whatever_it_says_of_its_length_f_094():
    async def endless():
        for _ in range(MOST_BYTES // 65_536 + 10):
            yield b" " * 65_536

    async with served() as (client, kept):
        assert (await post(client, b" " * (MOST_BYTES + 1)))[0] == 413
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        async with client.post(PATH, data=endless(), headers=headers) as answer:
            assert answer.status == 413
        assert (await post(client, [GOOD] * (MOST_ROWS + 1)))[1]["error"]["message"].startswith(f"a push takes at most {MOST_ROWS} rows")
        assert (await post(client, [GOOD] * MOST_ROWS))[0] == 202
    assert len(kept) == MOST_ROWS


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "BODY_SECONDS", 0.2)

    async def slow():
        yield b"["
        await asyncio.sleep(5)

    async with served() as (client, _):
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        async with client.post(PATH, data=slow(), headers=headers) as answer:
            assert answer.status == 408


@pytest.mark.parametrize(("kind", "headers"), [("text/plain", {}), ("application/xml", {}), ("application/json", {"Content-Encoding": "gzip"})])
async def test_another_kind_of_body_is_refused(kind: str, headers: dict[str, str]):
    async with served() as (client, kept):
        assert (await post(client, b"[]", kind=kind, **headers))[0] == 415
    assert kept == []


async def test_a_store_that_cannot_take_it_says_so():
    async with served() as (client, kept):
        kept.full = True
        assert await post(client, [GOOD]) == (503, {"error": {"status": 503, "message": "the disk is full"}})


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_the_path_takes_nothing_but_a_post(method: str):
    async with served() as (client, _), client.request(method, PATH) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/api/v1/book", "/", PATH + "/", PATH + "/x", "/metrics"])
async def test_every_other_post_stays_refused(path: str):
    async with served() as (client, _), client.post(path, json=[GOOD], headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


async def test_it_is_closed_unless_a_token_is_set():
    async with served(push=False) as (client, _):
        assert (await post(client, [GOOD]))[0] == 405
        async with client.get(PATH) as answer:
            assert answer.status == 404


async def test_on_loopback_a_foreign_name_is_refused_here_too():
    async with (
        served() as (client, kept),
        client.post(PATH, json=[GOOD], headers={"Host": "evil.example", "Authorization": f"Bearer {TOKEN}"}) as answer,
    ):
        assert (answer.status, kept) == (421, [])


def test_a_push_token_that_can_be_guessed_is_refused():
    with pytest.raises(ConfigError, match=r"server\.push_token is too short"):
        Push("short", Kept().keep, lambda: NOW)
