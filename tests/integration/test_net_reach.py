"""Whom the program reaches, through which session, and what it tells of it (F-092, F-098, F-137, F-138, F-151)."""

import asyncio
import importlib
import logging
import socket
import traceback
from collections.abc import AsyncIterator
from itertools import product
from typing import Any

import pytest

from monitor.errors import MonitorError, SourceError
from monitor.net import EgressPolicy, HttpNet
from tests.integration.asks import ALL, CANARY, MIB, OWN, Ask, get_json, post_json, webhook
from tests.integration.hostile import Answer, Hostile, plain, say_nothing

pytestmark = pytest.mark.integration


@pytest.fixture
async def net() -> AsyncIterator[HttpNet]:
    async with HttpNet() as made:
        yield made


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

    def getaddrinfo(host: str, port: int, **kwargs: object) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


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


async def test_a_name_listed_after_the_start_may_lead_inside_from_then_on_F_137(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reload brings a node or a receiver of the user's own: it must not need a restart to be reached."""
    resolve_inside(monkeypatch)
    async with HttpNet() as net, Hostile(plain(b"1")) as server:
        with pytest.raises(SourceError):
            await net.get_json(f"http://node.lan:{server.port}")
        net.obey(EgressPolicy(allowed_hosts=frozenset({"node.lan"})))
        assert await net.get_json(f"http://node.lan:{server.port}") == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "2130706433"])
async def test_no_way_of_writing_the_loopback_opens_it_where_it_is_forbidden_F_138(host: str) -> None:
    async with HttpNet(EgressPolicy(allow_private=False)) as net, Hostile(plain(b"1")) as server:
        with pytest.raises(SourceError):
            await net.get_json(f"http://{host}:{server.port}", timeout_seconds=2)
        assert server.connections == 0


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


async def test_a_library_may_read_an_answer_twice(net: HttpNet) -> None:
    async with Hostile(plain(b'{"ok": 1}')) as server, net.client_session().get(server.url) as answer:
        assert (await answer.text(), await answer.json(content_type=None)) == ('{"ok": 1}', {"ok": 1})


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
async def test_a_url_that_cannot_be_asked_is_not_told_either_F_151(net: HttpNet, caplog: pytest.LogCaptureFixture, ask: Ask, before: str) -> None:
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
