"""How a connection is made: names looked up within a deadline, addresses allowed by the egress policy, certificates always verified.

There is no way to turn the verification off. Each lane (one source, say) has connections of its own, so that a host which hangs for one
uses up those of no other.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from threading import Thread
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection

LOOKUP_SECONDS = 5.0
# An address is not used for longer than this after the name server gave it, whatever becomes of the name server.
ADDRESS_SECONDS = 10
MOST_LOOKUPS = 64

HOST_DIALLED: ContextVar[str] = ContextVar("host_dialled", default="")
LANE: ContextVar[str] = ContextVar("lane", default="")
"""On whose behalf the current task asks. A task that sets it, and every task that it starts, dials over connections of its own."""

Found = list[tuple[Any, ...]] | OSError


class EgressRefused(OSError):
    """An `OSError`, so that the connector goes on to the next address of the name."""


class Request(aiohttp.ClientRequest):
    """Goes out over no connection on which something waits that nobody asked for: it would be taken for the answer."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Raises what aiohttp answers with a fresh connection where the method may be repeated."""
        if conn.protocol is not None and conn.protocol.should_close:
            conn.close()
            raise aiohttp.ServerDisconnectedError("the connection brought what nobody had asked for")
        return await super().send(conn)


class Resolver(AbstractResolver):
    """The machine's own resolver under a deadline. It cannot be interrupted: one thread a name at most, which nobody waits for at the end."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, int, int], asyncio.Future[Found]] = {}

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """Addresses of a name. Raises OSError when there are none within the deadline."""
        key = (host, port, int(family))
        if key not in self._running:
            if len(self._running) >= MOST_LOOKUPS:
                raise OSError(None, f"{MOST_LOOKUPS} names are being looked up already and none answers")
            self._running[key] = self._look_up(key)
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                found = await asyncio.shield(self._running[key])
        except TimeoutError:
            raise OSError(None, f"the name server did not answer within {LOOKUP_SECONDS:g} s") from None
        if isinstance(found, OSError):
            raise found
        return [_result(host, *one) for one in found]

    def _look_up(self, key: tuple[str, int, int]) -> asyncio.Future[Found]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Found] = loop.create_future()

        def ended(found: Found) -> None:
            self._running.pop(key, None)
            if not future.done():
                future.set_result(found)

        def look() -> None:
            host, port, family = key
            try:
                found: Found = list(socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG))
            except OSError as error:
                found = error
            with suppress(RuntimeError):  # the loop has been closed meanwhile
                loop.call_soon_threadsafe(ended, found)

        Thread(target=look, name=f"look up {key[0]}", daemon=True).start()
        return future

    async def close(self) -> None:
        """See `AbstractResolver.close`."""


def _result(hostname: str, family: int, _kind: int, protocol: int, _name: str, address: tuple[Any, ...]) -> ResolveResult:
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=hostname, host=address[0], port=address[1], family=family, proto=protocol, flags=flags)


def verified() -> ssl.SSLContext:
    """Certificates of the machine's trust store, of the very host that is asked, over TLS 1.2 or newer."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(("http/1.1",))
    return context


def connector(permits: Callable[[str, str], bool], requests_per_host: int, context: ssl.SSLContext) -> aiohttp.TCPConnector:
    """A pool of connections, so many to one host at most; `permits` is asked with the host's name and the address before any is dialled."""

    def open_socket(target: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, sockaddr = target
        host = HOST_DIALLED.get()
        if not permits(host, sockaddr[0]):
            raise EgressRefused(f"{host} leads to an address that the egress policy refuses")
        return socket.socket(family, kind, protocol)

    return aiohttp.TCPConnector(
        limit=0,
        limit_per_host=requests_per_host,
        socket_factory=open_socket,
        resolver=Resolver(),
        ttl_dns_cache=ADDRESS_SECONDS,
        ssl=context,
    )
