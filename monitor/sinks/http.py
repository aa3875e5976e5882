"""The one port: page, API, metrics, health. It only answers GET and HEAD, but for a push, and computes nothing that nobody asks for."""

import errno
import json
import socket
import time
from collections.abc import Callable, Collection, Mapping
from hashlib import sha256
from importlib.resources import files
from typing import Any

from aiohttp import web

from monitor.core.codec import presented
from monitor.errors import ConfigError
from monitor.sinks.guards import add_headers, guards, must_be_safe, refusal
from monitor.sinks.openapi import SECTIONS, document
from monitor.sinks.push import PATH, Push
from monitor.sinks.stream import Broadcast

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STATIC = {
    "dom.js": "text/javascript",
    "format.js": "text/javascript",
    "page.js": "text/javascript",
    "sections.js": "text/javascript",
    "rows.js": "text/javascript",
    "chart.js": "text/javascript",
    "style.css": "text/css",
    "icon.svg": "image/svg+xml",
    "vendor/uPlot.iife.min.js": "text/javascript",
    "vendor/uPlot.min.css": "text/css",
    "vendor/uPlot-LICENSE": "text/plain",
}
PORTS_TRIED = 50
MAX_HEADER_BYTES = 8190
KEPT_SECONDS = 0.25


class Face:
    """Serves a snapshot of the view model and the metrics.

    `snapshot` gives the view model, `metrics` the Prometheus text. `alive` gives "" while the daemon is deciding, else what is wrong.
    `token` is asked of everybody when it is set; off loopback it must be. `hosts` are further names by which a proxy may ask. `push`, set before the
    start, takes rows.
    """

    def __init__(
        self,
        snapshot: Callable[[], dict[str, Any]],
        metrics: Callable[[], bytes],
        *,
        alive: Callable[[], str] = lambda: "",
        token: str | None = None,
        hosts: Collection[str] = (),
        interval_seconds: float = 1.0,
        most_streams: int = 16,
    ) -> None:
        self._compute, self._metrics, self._alive = snapshot, metrics, alive
        self._token, self._hosts = token, hosts
        self.push: Push | None = None
        self._kept: tuple[float, dict[str, Any]] | None = None
        self._streams = Broadcast(self._snapshot, interval_seconds, most_streams)
        self._runner: web.AppRunner | None = None

    def publish(self) -> None:
        """Say that the snapshot may have changed: streams are told within the interval. Costs nothing while nobody looks."""
        self._kept = None
        self._streams.publish()

    async def start(self, host: str, port: int, *, next_free: bool = False, listening: socket.socket | None = None) -> int:
        """Listen, or take over a socket that is `listening` already; returns the port. With `next_free` a port that is taken is passed over.

        Raises ConfigError off loopback without a token, and for a port that cannot be had.
        """
        must_be_safe(host, self._token)
        runner = web.AppRunner(
            self.app(host),
            access_log=None,
            handle_signals=False,
            handler_cancellation=True,  # else a reader that left keeps its stream until the next write
            keepalive_timeout=30.0,
            shutdown_timeout=0.5,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )
        await runner.setup()
        for candidate in range(port, port + (PORTS_TRIED if next_free and port else 1)):
            try:
                await (web.SockSite(runner, listening) if listening else web.TCPSite(runner, host, candidate)).start()
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    await runner.cleanup()
                    raise ConfigError(f"server: cannot listen on {host}:{candidate}: {error.strerror or error}") from error
                continue
            self._runner = runner
            self._streams.start()
            return int(runner.addresses[0][1])
        await runner.cleanup()
        raise ConfigError(f"server.port {port} is taken: stop the other program, or set server.port to another one (0 is any free one)")

    async def stop(self) -> None:
        """Close the streams and the port, within a second."""
        await self._streams.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def app(self, host: str = "127.0.0.1") -> web.Application:
        """The application, for a listening address."""
        app = web.Application(middlewares=guards(host, self._token, self._hosts, PATH if self.push else ""), client_max_size=1024)
        app.on_response_prepare.append(add_headers)
        app.router.add_get("/", _static("index.html", "text/html"))
        for name, kind in STATIC.items():
            app.router.add_get(f"/static/{name}", _static(name, kind))
        app.router.add_get("/metrics", self._serve_metrics)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/api/v1/events", self._events)
        app.router.add_get("/api/v1/openapi.json", self._openapi)
        if self.push is not None:
            app.router.add_post(PATH, self.push.serve)
        for name in SECTIONS:
            app.router.add_get(f"/api/v1/{name}", self._section(name))
        return app

    def _snapshot(self) -> dict[str, Any]:
        """The view model, computed at most four times a second however many ask."""
        now = time.monotonic()
        if self._kept is None or now - self._kept[0] > KEPT_SECONDS:
            self._kept = (now, self._compute())
        return self._kept[1]

    async def _serve_metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"Content-Type": METRICS_TYPE})

    async def _healthz(self, request: web.Request) -> web.Response:
        wrong = self._alive()
        body = {"status": "failing", "reason": wrong} if wrong else {"status": "ok"}
        return web.json_response(body, status=503 if wrong else 200)

    async def _readyz(self, request: web.Request) -> web.Response:
        waiting = [one["id"] for one in self._snapshot()["sources"] if one["required"] and "heard_at" not in one]
        body = {"status": "waiting", "waiting_for": waiting} if waiting else {"status": "ready"}
        return web.json_response(body, status=503 if waiting else 200)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if self._streams.full:
            return refusal(503, "too many streams are open: close a page, or poll the API", **{"Retry-After": "5"})
        return await self._streams.serve(request)

    async def _openapi(self, request: web.Request) -> web.Response:
        return web.json_response(document(str(self._snapshot()["now"]["version"])))

    def _section(self, name: str) -> Callable[[web.Request], Any]:
        async def section(request: web.Request) -> web.Response:
            model = self._snapshot()
            shown: Mapping[str, Any] = {"at": model["now"]["at"], **{key: model[key] for key in SECTIONS[name] if key in model}}
            return web.json_response(presented(shown), dumps=_compact)

        return section


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _static(name: str, kind: str) -> Callable[[web.Request], Any]:
    """A file of the page, read once: no path of a request ever reaches the file system."""
    body = (files("monitor.sinks") / "page" / name).read_bytes()
    tag = f'"{sha256(body).hexdigest()[:20]}"'
    headers = {"Content-Type": f"{kind}; charset=utf-8", "ETag": tag, "Cache-Control": "no-cache"}

    async def static(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers=headers)

    return static
