"""A small server on the loopback that answers as badly as it is told to, and counts what reaches it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType

Answer = Callable[["Hostile", asyncio.StreamWriter], Awaitable[None]]


def plain(body: bytes, status: str = "200 OK", *headers: str) -> Answer:
    """Answer with this body, truthfully measured, on a connection that may be kept."""

    async def answer(server: "Hostile", writer: asyncio.StreamWriter) -> None:
        await server.send(writer, head(status, f"Content-Length: {len(body)}", *headers) + body)

    return answer


def head(status: str, *headers: str) -> bytes:
    """Return the status line and headers."""
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode()


class Hostile:
    """`async with Hostile(answer) as server:`; each request is read to its end and then given to `answer`."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.connections = 0
        self.requests: list[bytes] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.sent_bytes = 0
        self.client_left = asyncio.Event()
        self.port = 0
        self._reader = asyncio.StreamReader()

    @property
    def url(self) -> str:
        """The server's root, by its literal address."""
        return f"http://127.0.0.1:{self.port}"

    async def send(self, writer: asyncio.StreamWriter, piece: bytes) -> None:
        """Send at the pace at which the client reads."""
        writer.write(piece)
        await writer.drain()
        self.sent_bytes += len(piece)

    async def wait_until_the_client_leaves(self) -> None:
        """Return when the client of the latest connection has closed it."""
        await self._reader.read(1)

    async def __aenter__(self) -> "Hostile":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self._reader = reader
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while True:
                    self.requests.append(await _request(reader))
                    await self._count_in_flight(writer)
        finally:
            self.client_left.set()
            writer.close()

    async def _count_in_flight(self, writer: asyncio.StreamWriter) -> None:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self._answer(self, writer)
        finally:
            self.in_flight -= 1


async def _request(reader: asyncio.StreamReader) -> bytes:
    """Read one request: its head, and a body as long as Content-Length says."""
    request = await reader.readuntil(b"\r\n\r\n")
    for line in request.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            request += await reader.readexactly(int(line.split(b":")[1]))
    return request


async def say_nothing(server: Hostile, writer: asyncio.StreamWriter) -> None:
    """Take the request and never answer."""
    await server.wait_until_the_client_leaves()
