"""What a hostile or broken server can do to us through HTTP: nothing.

F-020, F-089, F-092 to F-094, F-097, F-098, F-136 to F-138, F-140, F-142, F-151.
"""

import asyncio
import gzip
import importlib
import logging
import re
import socket
import time
import traceback
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import formatdate
from itertools import product
from typing import Any

import pytest

from monitor.errors import BadPayload, MonitorError, SourceError
from monitor.net import RECEIPT_MAX_BYTES, EgressPolicy, HttpNet
from tests.integration.hostile import Answer, Hostile, head, plain

pytestmark = pytest.mark.integration

KIB, MIB = 1024, 1024 * 1024
CANARY = "canary-7f3a91"


@pytest.fixture
async def net() -> AsyncIterator[HttpNet]:
    async with HttpNet() as made:
        yield made


Ask = Callable[[HttpNet, str], Awaitable[object]]


async def get_json(net: HttpNet, url: str) -> object:
    return await net.get_json(url, headers={"X-Api-Key": CANARY}, timeout_seconds=1, max_bytes=MIB)


async def post_json(net: HttpNet, url: str) -> object:
    return await net.post_json(url, {"id": 1, "key": CANARY}, headers={"X-Api-Key": CANARY}, timeout_seconds=1, max_bytes=MIB)


async def get_bytes(net: HttpNet, url: str) -> object:
    return await net.get_bytes(url, headers={"X-Api-Key": CANARY}, timeout_seconds=1, max_bytes=MIB)


async def library_get(net: HttpNet, url: str) -> object:
    async with net.client_session().get(url, headers={"X-Api-Key": CANARY}) as answer:
        return await answer.json(content_type=None)


async def library_post(net: HttpNet, url: str) -> object:
    async with net.client_session().post(url, data=CANARY.encode(), headers={"X-Api-Key": CANARY}) as answer:
        return await answer.text()


async def webhook(net: HttpNet, url: str) -> object:
    return await net.post(url, CANARY.encode(), {"webhook-signature": CANARY}, timeout_seconds=5)


OWN: list[Ask] = [get_json, post_json, get_bytes]
ALL: list[Ask] = [*OWN, library_get, library_post]


# --- honest answers -------------------------------------------------------------------------------------------------------------------


async def test_an_honest_server_is_asked_plainly_and_understood(net: HttpNet) -> None:
    async with Hostile(plain(b'{"price": 1.5}')) as server:
        book = await net.get_json(server.url + "/v1/book", params={"symbol": "ETH USD", "n": 5}, headers={"X-Api-Key": "k"})
        assert book == {"price": 1.5}
        assert await net.post_json(server.url, {"id": 1}) == {"price": 1.5}
        assert await net.get_bytes(server.url) == b'{"price": 1.5}'
    first, second, _ = server.requests
    assert first.startswith(b"GET /v1/book?symbol=ETH+USD&n=5 HTTP/1.1\r\n")
    assert b"X-Api-Key: k\r\n" in first and b"Accept-Encoding: identity\r\n" in first
    assert second.endswith(b'\r\n\r\n{"id": 1}') and b"Content-Type: application/json\r\n" in second
    assert server.connections == 1


async def test_a_compressed_answer_of_honest_size_is_understood(net: HttpNet) -> None:
    async with Hostile(plain(gzip.compress(b"[1, 2]"), "200 OK", "Content-Encoding: gzip")) as server:
        assert await net.get_json(server.url) == [1, 2]


async def test_a_webhook_receipt_has_status_headers_and_body(net: HttpNet) -> None:
    async with Hostile(plain(b"thanks", "410 Gone", "X-Reason: moved")) as server:
        receipt = await net.post(server.url, b"{}", {"webhook-id": "msg_1"})
    assert (receipt.status, receipt.headers["x-reason"], receipt.body) == (410, "moved", b"thanks")
    assert b"webhook-id: msg_1\r\n" in server.requests[0]


# --- F-020: an answer that is no answer ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "sentence"),
    [(b"<html>Back soon</html>", "HTML, not JSON"), (b"", "empty"), (b'{"price": 1', "cut short"), (b'{"price": NaN}', "NaN")],
)
async def test_a_200_without_json_is_refused_and_names_the_host_F_020(net: HttpNet, body: bytes, sentence: str) -> None:
    async with Hostile(plain(body)) as server:
        with pytest.raises(BadPayload, match=f"^{server.url}/...: .*{sentence}"):
            await net.get_json(server.url + "/book")


async def test_a_200_with_an_error_code_is_the_venues_business_and_passes_F_020(net: HttpNet) -> None:
    async with Hostile(plain(b'{"code": -1, "msg": "busy"}')) as server:
        assert await net.get_json(server.url) == {"code": -1, "msg": "busy"}


# --- statuses -------------------------------------------------------------------------------------------------------------------------

NOW_SECONDS = 1_700_000_000.0


@pytest.mark.parametrize(
    ("status", "headers", "wait", "permanent"),
    [
        (401, [], None, True),
        (403, ["Retry-After: 5"], None, True),
        (451, [], None, True),
        (404, [], None, False),
        (500, ["Retry-After: 5"], None, False),
        (502, [], None, False),
        (429, [], None, False),
        (429, ["Retry-After: 7"], 7.0, False),
        (418, ["Retry-After: 120"], 120.0, False),
        (503, ["Retry-After: 0"], 0.0, False),
        (503, ["Retry-After: 3600"], 3600.0, False),
        (503, ["Retry-After: 86400"], 3600.0, False),
        (429, ["Retry-After: " + "9" * 5000], 3600.0, False),
        (429, ["Retry-After: -5"], None, False),
        (429, ["Retry-After: soon"], None, False),
        (429, ["Retry-After: 1.5"], None, False),
        (429, [f"Retry-After: {formatdate(NOW_SECONDS + 90, usegmt=True)}"], 90.0, False),
        (429, [f"Retry-After: {formatdate(NOW_SECONDS - 90, usegmt=True)}"], 0.0, False),
        (429, [f"Retry-After: {formatdate(NOW_SECONDS + 90_000, usegmt=True)}"], 3600.0, False),
        (429, ["Retry-After: Tue, 99 Nov 99999 99:99:99 GMT"], None, False),
    ],
)
async def test_a_status_says_whether_and_when_to_ask_again_F_140(
    status: int, headers: list[str], wait: float | None, permanent: bool
) -> None:
    async with HttpNet(now_seconds=lambda: NOW_SECONDS) as net, Hostile(plain(b"{}", f"{status} X", *headers)) as server:
        with pytest.raises(SourceError, match=f"answered with status {status}") as caught:
            await net.get_json(server.url + "/k")
    assert (caught.value.status, caught.value.retry_after_seconds, caught.value.permanent) == (status, wait, permanent)


# --- F-089: slow and silent servers -------------------------------------------------------------------------------------------------


async def say_nothing(server: Hostile, writer: asyncio.StreamWriter) -> None:
    await server.wait_until_the_client_leaves()


async def dribble(server: Hostile, writer: asyncio.StreamWriter, content: bytes) -> None:
    for byte in content:
        await server.send(writer, bytes([byte]))
        await asyncio.sleep(0.05)


async def dribble_the_head(server: Hostile, writer: asyncio.StreamWriter) -> None:
    await dribble(server, writer, head("200 OK", "Content-Length: 600", "X: " + "x" * 600))


async def dribble_the_body(server: Hostile, writer: asyncio.StreamWriter) -> None:
    await server.send(writer, head("200 OK", "Content-Length: 600"))
    await dribble(server, writer, b"H" * 600)


async def dribble_the_header_lines(server: Hostile, writer: asyncio.StreamWriter) -> None:
    await server.send(writer, b"HTTP/1.1 200 OK\r\n")
    for number in range(600):
        await server.send(writer, b"X-%d: 1\r\n" % number)
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("answer", [say_nothing, dribble_the_head, dribble_the_header_lines, dribble_the_body])
async def test_the_deadline_is_for_the_whole_request_F_089(net: HttpNet, answer: Answer) -> None:
    async with Hostile(answer) as server, Hostile(plain(b"1")) as healthy:
        started = time.monotonic()
        slow = asyncio.create_task(net.get_json(server.url, timeout_seconds=0.4))
        await asyncio.sleep(0.05)
        assert await net.get_json(healthy.url) == 1
        assert time.monotonic() - started < 0.35
        with pytest.raises(SourceError, match=r"no complete answer within 0\.4 s"):
            await slow
        assert time.monotonic() - started < 1.4
        await asyncio.wait_for(server.client_left.wait(), 1)


async def test_a_webhook_to_a_silent_receiver_ends_at_its_deadline_F_089(net: HttpNet) -> None:
    async with Hostile(say_nothing) as server:
        with pytest.raises(SourceError, match="no complete answer within"):
            await net.post(server.url, b"{}", {}, timeout_seconds=0.3)


async def test_a_closed_port_is_an_error_to_retry(net: HttpNet) -> None:
    async with Hostile(plain(b"1")) as server:
        pass
    with pytest.raises(SourceError, match="ClientConnectorError") as caught:
        await net.get_json(server.url)
    assert not caught.value.permanent


async def test_no_more_than_so_many_requests_are_in_flight_at_one_host() -> None:
    async def slowly(server: Hostile, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        await plain(b"1")(server, writer)

    async with HttpNet(requests_per_host=3) as net, Hostile(slowly) as server, Hostile(plain(b"2")) as other:
        answers = await asyncio.gather(*(net.get_json(server.url) for _ in range(9)), net.get_json(other.url))
    assert answers == [1] * 9 + [2]
    assert server.most_in_flight == 3


# --- F-092, F-136: redirects ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("ask", ALL)
async def test_a_redirect_is_refused_and_its_target_never_hears_of_us_F_092(net: HttpNet, ask: Ask, status: int) -> None:
    async with Hostile(plain(b"1")) as target, Hostile(plain(b"", f"{status} X", f"Location: {target.url}/steal")) as server:
        sentence = f"^{re.escape(server.url)}/\\.\\.\\. redirects to '127.0.0.1'; redirects are not followed$"
        with pytest.raises(SourceError, match=sentence) as caught:
            await ask(net, server.url + "/book")
        await asyncio.sleep(0.02)
        assert (target.connections, target.requests) == (0, [])
    assert (caught.value.status, caught.value.permanent) == (status, True)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_webhook_redirect_is_given_back_as_it_is_and_not_followed_F_136(net: HttpNet, status: int) -> None:
    async with Hostile(plain(b"1")) as target, Hostile(plain(b"", f"{status} X", f"Location: {target.url}/steal")) as server:
        receipt = await net.post(server.url, CANARY.encode(), {"webhook-signature": CANARY})
        await asyncio.sleep(0.02)
        assert (receipt.status, target.connections) == (status, 0)


# --- F-093, F-094: bodies too large -------------------------------------------------------------------------------------------------

BOMB_BYTES = 200 * MIB


def gzip_bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    megabyte = b" " * MIB
    return b"".join(packer.compress(megabyte) for _ in range(BOMB_BYTES // MIB)) + packer.flush()


@pytest.mark.parametrize("ask", ALL)
async def test_a_gzip_bomb_is_dropped_at_the_cap_F_093(ask: Ask) -> None:
    bomb = gzip_bomb()
    assert len(bomb) < 300 * KIB
    async with HttpNet(library_max_bytes=MIB) as net, Hostile(plain(bomb, "200 OK", "Content-Encoding: gzip")) as server:
        tracemalloc.start()
        try:
            with pytest.raises(BadPayload, match="larger than the 1048576 bytes"):
                await ask(net, server.url)
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak_bytes < 30 * MIB


async def endless_chunks(server: Hostile, writer: asyncio.StreamWriter) -> None:
    await server.send(writer, head("200 OK", "Transfer-Encoding: chunked"))
    for _ in range(4 * KIB):
        await server.send(writer, b"10000\r\n" + b" " * 65536 + b"\r\n")


async def endless_length(server: Hostile, writer: asyncio.StreamWriter) -> None:
    await server.send(writer, head("200 OK", f"Content-Length: {KIB * MIB}"))
    for _ in range(4 * KIB):
        await server.send(writer, b" " * 65536)


async def endless_without_length(server: Hostile, writer: asyncio.StreamWriter) -> None:
    await server.send(writer, head("200 OK", "Connection: close"))
    for _ in range(4 * KIB):
        await server.send(writer, b" " * 65536)


@pytest.mark.parametrize("answer", [endless_chunks, endless_length, endless_without_length])
@pytest.mark.parametrize("ask", ALL)
async def test_an_endless_body_is_dropped_at_the_cap_and_the_connection_closed_F_094(ask: Ask, answer: Answer) -> None:
    async with HttpNet(library_max_bytes=MIB) as net, Hostile(answer) as server:
        with pytest.raises(BadPayload, match="larger than the 1048576 bytes"):
            await ask(net, server.url)
        await asyncio.wait_for(server.client_left.wait(), 2)
    assert server.sent_bytes < 24 * MIB


async def test_the_cap_is_exact_F_094(net: HttpNet) -> None:
    async with Hostile(plain(b"x" * 1000)) as server:
        assert len(await net.get_bytes(server.url, max_bytes=1000)) == 1000
        with pytest.raises(BadPayload, match="larger than the 999"):
            await net.get_bytes(server.url, max_bytes=999)


async def test_a_body_shorter_than_its_content_length_is_no_answer_F_094(net: HttpNet) -> None:
    async def short(server: Hostile, writer: asyncio.StreamWriter) -> None:
        await server.send(writer, head("200 OK", "Content-Length: 100") + b"[1]")
        writer.close()

    async with Hostile(short) as server:
        with pytest.raises(SourceError, match="ClientPayloadError"):
            await net.get_json(server.url)


async def test_bytes_beyond_the_content_length_do_not_answer_the_next_request_F_094_F_097(net: HttpNet) -> None:
    async def long(server: Hostile, writer: asyncio.StreamWriter) -> None:
        stray = head("200 OK", "Content-Length: 3") + b"666"
        await server.send(writer, head("200 OK", "Content-Length: 1") + b"1" + stray)

    async with Hostile(long) as server:
        assert [await net.get_json(server.url) for _ in range(3)] == [1, 1, 1]


# --- F-098: proxies ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [*ALL, webhook])
async def test_proxy_variables_are_not_obeyed_F_098(monkeypatch: pytest.MonkeyPatch, ask: Ask) -> None:
    async with Hostile(plain(b"2")) as trap, Hostile(plain(b"1")) as server:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, trap.url)
            monkeypatch.setenv(name.upper(), trap.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with HttpNet() as net:
            await ask(net, server.url)
        assert (trap.connections, server.connections) == (0, 1)


# --- F-137, F-138: where a name leads ---------------------------------------------------------------------------------------------------


def resolve_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every name lead to the loopback, as a rebinding DNS server would."""

    async def getaddrinfo(host: str, port: int, **kwargs: object) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize("ask", [*ALL, webhook])
async def test_a_name_that_leads_inside_is_not_dialled_F_137_F_138(monkeypatch: pytest.MonkeyPatch, ask: Ask) -> None:
    resolve_inside(monkeypatch)
    async with HttpNet() as net, Hostile(plain(b"1")) as server:
        with pytest.raises(SourceError, match=r"^venue\.test leads to an address that the egress policy refuses$") as caught:
            await ask(net, f"http://venue.test:{server.port}/{CANARY}")
        assert server.connections == 0
    assert caught.value.permanent


async def test_a_listed_name_may_lead_inside_F_137(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_inside(monkeypatch)
    async with HttpNet(EgressPolicy(allowed_hosts=frozenset({"node.lan"}))) as net, Hostile(plain(b"1")) as server:
        assert await net.get_json(f"http://node.lan:{server.port}") == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "2130706433"])
async def test_no_way_of_writing_the_loopback_opens_it_where_it_is_forbidden_F_138(host: str) -> None:
    async with HttpNet(EgressPolicy(allow_private=False)) as net, Hostile(plain(b"1")) as server:
        with pytest.raises(SourceError):
            await net.get_json(f"http://{host}:{server.port}", timeout_seconds=2)
        assert server.connections == 0


# --- F-142: a receiver that never stops talking ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [endless_chunks, endless_length, endless_without_length])
async def test_four_kibibytes_of_a_receipt_are_read_and_then_the_connection_is_closed_F_142(net: HttpNet, answer: Answer) -> None:
    async with Hostile(answer) as server:
        receipt = await net.post(server.url, b"{}", {})
        await asyncio.wait_for(server.client_left.wait(), 2)
    assert (receipt.status, len(receipt.body)) == (200, RECEIPT_MAX_BYTES)
    assert server.sent_bytes < 24 * MIB


async def test_a_receipt_whose_body_dribbles_counts_by_its_status_F_142(net: HttpNet) -> None:
    async with Hostile(dribble_the_body) as server:
        started = time.monotonic()
        receipt = await net.post(server.url, b"{}", {}, timeout_seconds=0.4)
        assert time.monotonic() - started < 1.4
        await asyncio.wait_for(server.client_left.wait(), 1)
    assert receipt.status == 200
    assert set(receipt.body) == {ord("H")}


# --- the sessions lent to libraries -----------------------------------------------------------------------------------------------------


async def test_ccxt_uses_the_session_it_is_given_and_leaves_it_open_F_092(net: HttpNet) -> None:
    session = net.client_session()
    exchange = importlib.import_module("ccxt.async_support.base.exchange").Exchange({"session": session})
    async with Hostile(plain(b'{"ok": 1}')) as server, Hostile(plain(b"", "302 Found", f"Location: {server.url}")) as detour:
        assert await exchange.fetch(server.url) == {"ok": 1}
        with pytest.raises(SourceError, match="redirects are not followed"):
            await exchange.fetch(detour.url)
        assert exchange.session is session
        await exchange.close()
        assert not session.closed
        assert server.connections == 1


async def test_web3_uses_the_session_it_is_given_F_092(net: HttpNet) -> None:
    provider_class = importlib.import_module("web3").AsyncHTTPProvider
    async with Hostile(plain(b'{"jsonrpc": "2.0", "id": 0, "result": "0x1"}')) as server:
        async with Hostile(plain(b"", "307 X", f"Location: {server.url}")) as detour:
            for place in (server, detour):
                provider = provider_class(place.url, exception_retry_configuration=None)
                await provider.cache_async_session(net.client_session())
                if place is server:
                    assert (await provider.make_request("eth_chainId", []))["result"] == "0x1"
                else:
                    with pytest.raises(SourceError, match="redirects are not followed"):
                        await provider.make_request("eth_chainId", [])
        assert server.connections == 1


async def test_closing_the_net_closes_every_session_it_lent() -> None:
    net = HttpNet()
    lent = [net.client_session(), net.client_session()]
    await lent[0].close()
    assert not lent[1].closed
    await net.close()
    assert lent[1].closed


# --- F-151: secrets -------------------------------------------------------------------------------------------------------------------


async def hang_up(server: Hostile, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def talk_nonsense(server: Hostile, writer: asyncio.StreamWriter) -> None:
    await server.send(writer, b"SMTP ready\r\n\r\n")


NOT_JSON: list[Answer] = [plain(f"<html>{CANARY}".encode()), plain(f'{{"{CANARY}": 1, "b": 2, "b": 2}}'.encode())]
TROUBLES: list[Answer] = [
    plain(b"x", "401 X"), plain(b"x", "500 X"), plain(b" " * 2 * MIB),
    plain(b"", "302 X", f"Location: http://user:{CANARY}@else.test/{CANARY}"), plain(b"", "302 X", f"Location: http://[{CANARY}"),
    plain(b"not gzip", "200 OK", "Content-Encoding: gzip"), say_nothing, hang_up, talk_nonsense,
]  # fmt: skip


@pytest.mark.parametrize(("ask", "answer"), [*product(OWN, TROUBLES), *product([get_json, post_json], NOT_JSON)])
async def test_no_error_log_or_traceback_tells_a_secret_F_151(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, ask: Ask, answer: Answer
) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", CANARY)
    caplog.set_level(logging.DEBUG)
    async with HttpNet() as net, Hostile(answer) as server:
        url = f"http://user:{CANARY}@127.0.0.1:{server.port}/v2/{CANARY}?key={CANARY}#{CANARY}"
        with pytest.raises(MonitorError) as caught:
            async with asyncio.timeout(8):
                await ask(net, url)
    assert server.requests, "the request went out"
    assert_untold(caught.value, caplog)


@pytest.mark.parametrize("before", ["http://127.0.0.1:99999/", "http://[", "", "ftp://h/", "http:///", "http://127.0.0.1:1/"])
@pytest.mark.parametrize("ask", [*OWN, webhook])
async def test_a_url_that_cannot_be_asked_is_not_told_either_F_151(
    net: HttpNet, caplog: pytest.LogCaptureFixture, ask: Ask, before: str
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(SourceError) as caught:
        await ask(net, before + CANARY)
    assert_untold(caught.value, caplog)


async def test_a_header_that_cannot_be_sent_is_not_told_F_151(net: HttpNet, caplog: pytest.LogCaptureFixture) -> None:
    async with Hostile(plain(b"1")) as server:
        with pytest.raises(SourceError, match="this request cannot be sent") as caught:
            await net.get_json(server.url, headers={"X-Api-Key": f"{CANARY}\r\nX-Other: 1"})
    assert not server.requests
    assert_untold(caught.value, caplog)


def assert_untold(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """Assert that neither the error, its causes, nor the log has the canary; source lines of a traceback hold only its name."""
    seen: list[str] = []
    link: BaseException | None = error
    while link is not None:
        seen += [str(link), repr(link), *map(repr, link.args)]
        link = link.__cause__ or link.__context__
    seen.append("".join(traceback.format_exception(error)))
    seen.append(caplog.text)
    assert CANARY not in "\n".join(seen)
