"""Live updates by server-sent events: what changed since a client last heard, section by section, and never a queue that grows.

Each section of the view model has a version. A client that reads slowly skips versions; it never holds memory or others up.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

IDLE_SECONDS = 15.0
RETRY_MS = 2000


class Broadcast:
    """The newest text of each section with its version, and the clients that wait for the next one."""

    def __init__(self, snapshot: Callable[[], Mapping[str, Any]], interval_seconds: float, most_clients: int) -> None:
        self._snapshot = snapshot
        self._interval_seconds, self._most_clients = interval_seconds, most_clients
        self._sections: dict[str, tuple[int, str]] = {}
        self._version = 0
        self._news = asyncio.Event()
        self._told = asyncio.Condition()
        self._clients: set[asyncio.Task[None]] = set()
        self._ticker: asyncio.Task[None] | None = None
        self._closing = False

    @property
    def clients(self) -> int:
        return len(self._clients)

    @property
    def full(self) -> bool:
        return len(self._clients) >= self._most_clients

    def publish(self) -> None:
        """Something may have changed. Cheap: nothing is computed before the interval is over, and nothing at all while nobody listens."""
        self._news.set()

    def start(self) -> None:
        self._ticker = asyncio.create_task(self._tick(), name="page updates")

    async def close(self) -> None:
        """End every stream at once."""
        self._closing = True
        tasks = [*self._clients, *([self._ticker] if self._ticker is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One client, until it or we go."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"})
        await response.prepare(request)
        if request.method == "HEAD" or self._closing:
            return response
        task = asyncio.create_task(self._feed(response), name="page stream")
        self._clients.add(task)
        try:
            # A closed connection is not an error here: the reader left.
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await task
        finally:
            task.cancel()
            self._clients.discard(task)
        return response

    async def _feed(self, response: web.StreamResponse) -> None:
        await response.write(f"retry: {RETRY_MS}\n\n".encode())
        if not self._sections or self.clients <= 1:
            self._refresh()
        seen = 0
        while True:
            changed = {name: text for name, (version, text) in self._sections.items() if version > seen}
            if changed:
                seen = self._version
                body = ",".join(f"{json.dumps(name)}:{text}" for name, text in changed.items())
                await response.write(f"event: update\ndata: {{{body}}}\n\n".encode())
            if not await self._wait(seen):
                await response.write(b": still here\n\n")

    async def _wait(self, seen: int) -> bool:
        """True when there is a newer version than `seen`, False when it has been quiet for long."""
        try:
            async with asyncio.timeout(IDLE_SECONDS), self._told:
                await self._told.wait_for(lambda: self._version > seen)
        except TimeoutError:
            return False
        return True

    async def _tick(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            if self._clients:
                self._refresh()
                async with self._told:
                    self._told.notify_all()
            await asyncio.sleep(self._interval_seconds)

    def _refresh(self) -> None:
        """Spell the sections that changed, once for all clients."""
        version = self._version + 1
        for name, value in self._snapshot().items():
            text = json.dumps(value, separators=(",", ":"))
            if name not in self._sections or self._sections[name][1] != text:
                self._sections[name] = (version, text)
                self._version = version
