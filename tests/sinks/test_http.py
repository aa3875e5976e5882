"""The port: what it answers, to whom, and that it cannot be talked into more."""

import asyncio
import base64
import json
import re
import socket
from contextlib import asynccontextmanager

import aiohttp
import pytest
from yarl import URL

from monitor.core.events import Configured, Failed
from monitor.errors import ConfigError
from monitor.sinks.http import STATIC, Face
from monitor.sinks.metrics import Exposition
from monitor.sinks.openapi import SECTIONS, document
from monitor.sinks.push import Push
from monitor.sinks.view_model import view_model
from tests.sinks.schema import mistakes
from tests.sinks.stage import START, Stage, approve_all, play, settings

pytestmark = pytest.mark.integration
TOKEN = "correct-horse-battery-staple"


class Shell:
    """What the face asks for, and how often it did."""

    def __init__(self, stage):
        self.stage, self.computed, self.wrong = stage, 0, ""

    def snapshot(self):
        self.computed += 1
        return view_model(self.stage.engine, self.stage.facts())


@asynccontextmanager
async def served(stage, host="127.0.0.1", **options):
    """A face on a free port, a client session, and the address."""
    shell = Shell(stage)
    face = Face(shell.snapshot, Exposition(shell.snapshot), alive=lambda: shell.wrong, interval_seconds=0.05, **options)
    port = await face.start(host, 0)
    async with aiohttp.ClientSession(base_url=f"http://127.0.0.1:{port}", timeout=aiohttp.ClientTimeout(total=10)) as client:
        try:
            yield client, face, shell
        finally:
            await face.stop()


async def get(client, path, status=200, **options):
    async with client.get(URL(path, encoded=True), **options) as answer:
        assert answer.status == status, await answer.text()
        return answer.headers, await answer.read()


# --- what it answers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", SECTIONS)
async def test_each_section_is_what_the_description_says(staged, section):
    async with served(staged) as (client, _, _):
        described = json.loads((await get(client, "/api/v1/openapi.json"))[1])
        _, body = await get(client, f"/api/v1/{section}")
    schema = described["paths"][f"/api/v1/{section}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert list(mistakes(json.loads(body), schema, described)) == []


async def test_the_description_holds_for_layers_in_force_and_for_a_start():
    started, active = Stage(), play()
    approve_all(active)
    started.apply(Configured(START, settings()))
    for stage in (started, active):
        async with served(stage) as (client, _, _):
            for section in SECTIONS:
                body = json.loads((await get(client, f"/api/v1/{section}"))[1])
                described = document("0.1.0")
                schema = described["paths"][f"/api/v1/{section}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
                assert list(mistakes(body, schema, described)) == []


def test_the_description_describes_every_route_and_nothing_else(staged):
    face = Face(dict, bytes)
    face.push = Push("x" * 16, lambda readings: None, int)
    app = face.app()
    routes = {resource.canonical for resource in app.router.resources()}
    assert {r for r in routes if not r.startswith("/static/")} - {"/"} == document("0")["paths"].keys()


def test_every_reference_of_the_description_leads_somewhere():
    spelt = json.dumps(document("0"))
    assert set(re.findall(r"#/components/schemas/(\w+)", spelt)) <= document("0")["components"]["schemas"].keys()
    assert document("0")["openapi"].startswith("3.1")


async def test_metrics_are_prometheus_text(staged):
    async with served(staged) as (client, _, _):
        headers, body = await get(client, "/metrics")
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"hedge_monitor_build_info{" in body


async def test_healthz_says_what_is_wrong(staged):
    async with served(staged) as (client, _, shell):
        assert json.loads((await get(client, "/healthz"))[1]) == {"status": "ok"}
        shell.wrong = "no decision for 61 s"
        assert json.loads((await get(client, "/healthz", 503))[1]) == {"status": "failing", "reason": "no decision for 61 s"}


async def test_readyz_waits_for_the_required_sources_alone(staged):
    stage = Stage()
    stage.apply(Configured(START, settings()))
    async with served(stage) as (client, _, _):
        assert json.loads((await get(client, "/readyz", 503))[1]) == {"status": "waiting", "waiting_for": ["defillama", "binance"]}
    async with served(staged) as (client, _, _):
        assert json.loads((await get(client, "/readyz"))[1]) == {"status": "ready"}


async def test_the_page_and_its_files_are_served_with_their_types(staged):
    async with served(staged) as (client, _, _):
        headers, body = await get(client, "/")
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert b"<script" in body and not re.search(rb"<script(?![^>]*src=)|<style| style=| on\w+=", body)
        for name, kind in STATIC.items():
            assert (await get(client, f"/static/{name}"))[0]["Content-Type"] == f"{kind}; charset=utf-8"
        tag = headers["ETag"]
        await get(client, "/", 304, headers={"If-None-Match": tag})


async def test_many_requests_cost_one_computation(staged):
    async with served(staged) as (client, face, shell):
        for _ in range(5):
            await get(client, "/api/v1/book")
        assert shell.computed == 1
        face.publish()
        await get(client, "/api/v1/book")
        assert shell.computed == 2


# --- who may ask, and how -----------------------------------------------------------------------------------------------


async def test_every_answer_carries_the_headers_that_bind_a_browser(staged):
    async with served(staged) as (client, _, _):
        for path, status in (("/", 200), ("/metrics", 200), ("/nothing", 404), ("/api/v1/book", 200)):
            headers, _ = await get(client, path, status)
            policy = headers["Content-Security-Policy"]
            assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
            assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
            assert headers["Server"] == "hedge-monitor"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_only_get_and_head_are_answered(staged, method):
    async with served(staged) as (client, _, _):
        async with client.request(method, "/api/v1/book") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
            assert (await answer.json())["error"]["status"] == 405
        async with client.head("/api/v1/book") as answer:
            assert (answer.status, await answer.read()) == (200, b"")


async def test_a_request_with_a_body_is_refused(staged):
    async with served(staged) as (client, _, _):
        _, body = await get(client, "/api/v1/book", 413, data=b"x" * 100)
        assert json.loads(body)["error"]["message"] == "a request to this port has no body"


ESCAPES = [
    "/static/../http.py",
    "/static/%2e%2e/http.py",
    "/static/..%2f..%2fsettings.py",
    "/static//etc/passwd",
    "/static/vendor/",
    "/static/",
]


@pytest.mark.parametrize("path", ESCAPES)
async def test_no_path_leads_out_of_the_page(staged, path):
    async with served(staged) as (client, _, _):
        _, body = await get(client, path, 404)
        assert json.loads(body)["error"]["status"] == 404


HOSTS = [
    ("127.0.0.1:9464", 200), ("localhost", 200), ("LOCALHOST:1", 200), ("[::1]:9464", 200), ("monitor.example", 421),
    ("127.0.0.1.evil.example", 421), ("evil.example:127.0.0.1", 421), ("localhost@evil.example", 421), ("", 421),
]  # fmt: skip


@pytest.mark.parametrize(("host", "status"), HOSTS)
async def test_on_loopback_only_its_own_names_are_answered(staged, host, status):
    """DNS rebinding: the browser sends the attacker's name."""
    async with served(staged) as (client, _, _):
        await get(client, "/api/v1/book", status, headers={"Host": host})


async def test_a_proxy_may_ask_by_a_name_that_was_allowed(staged):
    async with served(staged, hosts=["Monitor.example"]) as (client, _, _):
        await get(client, "/api/v1/book", 200, headers={"Host": "monitor.example"})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "monitor.example"])
async def test_off_loopback_it_does_not_start_without_a_token(host):
    with pytest.raises(ConfigError, match=r"set server\.token"):
        await Face(dict, bytes).start(host, 0)


async def test_a_token_that_can_be_guessed_is_refused():
    with pytest.raises(ConfigError, match="too short"):
        await Face(dict, bytes, token="fifteen chars..").start("127.0.0.1", 0)


def basic(password):
    return "Basic " + base64.b64encode(f"anyone:{password}".encode()).decode()


CREDENTIALS = [
    (None, 401), ("Bearer wrong", 401), (f"Bearer {TOKEN}", 200), (f"bearer {TOKEN}", 200), (f"Bearer {TOKEN}x", 401), ("Bearer", 401),
    (basic(TOKEN), 200), (basic("wrong"), 401), ("Basic !!!", 401), (f"Digest {TOKEN}", 401), ("Bearer \xe9\xff", 401),
]  # fmt: skip


@pytest.mark.parametrize(("given", "status"), CREDENTIALS)
async def test_with_a_token_nothing_is_shown_without_it(staged, given, status):
    async with served(staged, token=TOKEN) as (client, _, _):
        for path in ("/", "/metrics", "/api/v1/book", "/static/page.js", "/healthz"):
            _, body = await get(client, path, status, headers={"Authorization": given} if given else {})
            assert status == 200 or json.loads(body)["error"]["message"] == "a bearer token is needed"


async def test_the_token_is_compared_in_constant_time(staged, monkeypatch):
    compared = []

    def compare(one, other):
        compared.append((one, other))
        return False

    monkeypatch.setattr("hmac.compare_digest", compare)
    async with served(staged, token=TOKEN) as (client, _, _):
        await get(client, "/healthz", 401, headers={"Authorization": "Bearer guess"})
    assert compared == [(b"guess", TOKEN.encode())]


async def test_off_loopback_with_a_token_any_name_may_ask(staged):
    async with served(staged, host="0.0.0.0", token=TOKEN) as (client, _, _):
        await get(client, "/healthz", 200, headers={"Host": "monitor.example", "Authorization": f"Bearer {TOKEN}"})


# --- the port -----------------------------------------------------------------------------------------------------------


async def test_a_port_that_is_taken_is_named_or_passed_over_when_asked():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"server.port {port} is taken"):
            await Face(dict, bytes).start("127.0.0.1", port)
        face = Face(dict, bytes)
        assert port < await face.start("127.0.0.1", port, next_free=True) < port + 50
        await face.stop()


# --- live updates -------------------------------------------------------------------------------------------------------


async def event(stream):
    """The next event's sections; comments and the retry line are passed over."""
    async with asyncio.timeout(5):
        while True:
            line = await stream.content.readline()
            if line.startswith(b"data: "):
                return json.loads(line[6:])


async def test_a_stream_begins_with_everything_and_goes_on_with_what_changed(staged):
    stage = play(end=START)
    async with served(stage) as (client, face, _), client.get("/api/v1/events") as stream:
        assert stream.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        first = await event(stream)
        assert first.keys() == view_model(stage.engine, stage.facts()).keys()
        stage.apply(Failed(stage.engine.now, "okx", "HTTP 500"))
        face.publish()
        second = await event(stream)
        assert "sources" in second
        assert "positions" not in second


async def test_nothing_is_computed_while_nobody_looks(staged):
    async with served(staged) as (_, face, shell):
        for _ in range(3):
            face.publish()
            await asyncio.sleep(0.06)
        assert shell.computed == 0


async def test_a_stream_too_many_is_told_to_come_back(staged):
    async with served(staged, most_streams=2) as (client, _, _):
        first, second = await client.get("/api/v1/events"), await client.get("/api/v1/events")
        await event(first)
        await event(second)
        headers, body = await get(client, "/api/v1/events", 503)
        assert headers["Retry-After"] == "5"
        assert json.loads(body)["error"]["status"] == 503
        first.close()
        for _ in range(50):
            await asyncio.sleep(0.05)
            again = await client.get("/api/v1/events")
            if again.status == 200:
                break
        assert again.status == 200
        second.close()
        again.close()


async def test_a_reader_that_stands_still_holds_nobody_up(staged):
    stage = play(end=START)
    async with served(stage) as (client, face, _):
        stuck, reader = await client.get("/api/v1/events"), await client.get("/api/v1/events")
        await event(reader)
        for step in range(4):
            stage.engine.now += 1000
            face.publish()
            assert (await event(reader))["now"]["at"] == START + (step + 1) * 1000
        stuck.close()
        reader.close()


async def test_stopping_ends_the_streams_at_once(staged):
    async with served(staged) as (client, face, _):
        stream = await client.get("/api/v1/events")
        await event(stream)
        started = asyncio.get_running_loop().time()
        await face.stop()
        assert asyncio.get_running_loop().time() - started < 1.5
        stream.close()
