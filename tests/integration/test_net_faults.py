"""What a hostile or broken server can do to us by its answer: nothing.

F-020, F-089, F-092 to F-094, F-097, F-136, F-140, F-142.
"""

import asyncio
import gzip
import re
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from email.utils import formatdate

import pytest

from monitor.errors import BadPayload, SourceError
from monitor.net import RECEIPT_MAX_BYTES, HttpNet
from tests.integration.asks import ALL, CANARY, MIB, Ask
from tests.integration.hostile import Answer, Hostile, head, plain, say_nothing

pytestmark = pytest.mark.integration

KIB = 1024


@pytest.fixture
async def net() -> AsyncIterator[HttpNet]:
    async with HttpNet() as made:
        yield made


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
async def test_a_status_says_whether_and_when_to_ask_again_F_140(status: int, headers: list[str], wait: float | None, permanent: bool) -> None:
    async with HttpNet(now_seconds=lambda: NOW_SECONDS) as net, Hostile(plain(b"{}", f"{status} X", *headers)) as server:
        with pytest.raises(SourceError, match=f"answered with status {status}") as caught:
            await net.get_json(server.url + "/k")
    assert (caught.value.status, caught.value.retry_after_seconds, caught.value.permanent) == (status, wait, permanent)


# --- F-089: slow and silent servers -------------------------------------------------------------------------------------------------


async def dribble(server: Hostile, writer: asyncio.StreamWriter, content: bytes) -> None:
    for byte in content:
        await server.send(writer, bytes([byte]))
        await asyncio.sleep(0.05)


async def dribble_the_head(server: Hostile, writer: asyncio.StreamWriter) -> None:
    await dribble(server, writer, head("200 OK", "Content-Length: 100", "X: " + "x" * 100))


async def dribble_the_body(server: Hostile, writer: asyncio.StreamWriter) -> None:
    await server.send(writer, head("200 OK", "Content-Length: 100"))
    await dribble(server, writer, b"H" * 100)


async def dribble_the_header_lines(server: Hostile, writer: asyncio.StreamWriter) -> None:
    await server.send(writer, b"HTTP/1.1 200 OK\r\n")
    for number in range(100):
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
        started = time.monotonic()
        with pytest.raises(SourceError, match=r"no complete answer within 0\.3 s"):
            await net.post(server.url, b"{}", {}, timeout_seconds=0.3)
        assert time.monotonic() - started < 1.3


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
    writer.close()


async def endless_length(server: Hostile, writer: asyncio.StreamWriter) -> None:
    await server.send(writer, head("200 OK", f"Content-Length: {KIB * MIB}"))
    for _ in range(4 * KIB):
        await server.send(writer, b" " * 65536)
    writer.close()


async def endless_without_length(server: Hostile, writer: asyncio.StreamWriter) -> None:
    await server.send(writer, head("200 OK", "Connection: close"))
    for _ in range(4 * KIB):
        await server.send(writer, b" " * 65536)
    writer.close()


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
