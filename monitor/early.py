"""Answers on the port while the rest of the program is still being imported: whoever scrapes at once is told the truth, that it starts.

Nothing heavy is imported here. The daemon's own face takes over the same listening socket, so no connection is refused in between.
"""

import ipaddress
import json
import socket
import socketserver
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from monitor import __version__

MOST_BYTES = 8190
MOST_FILE_BYTES = 1 << 20
READ_SECONDS = 2.0
POLL_SECONDS = 0.02
HOST, PORT = "127.0.0.1", 9464
PREFIX = "HEDGE_MONITOR_SERVER__"
METRICS_TYPE, JSON_TYPE = "text/plain; version=0.0.4; charset=utf-8", "application/json; charset=utf-8"
HEADERS = "Connection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
METRICS = f"""# HELP hedge_monitor_build_info 1, labelled with the program's version
# TYPE hedge_monitor_build_info gauge
hedge_monitor_build_info{{version="{__version__}"}} 1.0
# HELP hedge_monitor_starting 1 while the program starts and knows nothing yet; gone once it does
# TYPE hedge_monitor_starting gauge
hedge_monitor_starting 1.0
"""


def own_names(host: str, further: Collection[str] = ()) -> frozenset[str]:
    """The names by which a port that listens on `host` may be asked for."""
    return frozenset({"localhost", "127.0.0.1", "::1", host.strip("[]").lower(), *(name.lower() for name in further)})


def hostname(header: str) -> str:
    """The name in a `Host` header without its port; empty where there is none."""
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""


class Early(socketserver.ThreadingTCPServer):
    """Listens once made; `take` hands the listening socket over, `close` gives it up. Raises OSError for a port that cannot be had."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.names = own_names(host)
        super().__init__((host, port), _Answer)
        self.place = (host, port)
        self._thread: threading.Thread | None = threading.Thread(target=self.serve_forever, args=(POLL_SECONDS,), daemon=True)
        self._thread.start()

    def take(self) -> socket.socket:
        """Stop answering; who connects from now on waits in the queue of the socket, which is the caller's."""
        self._stop()
        return self.socket

    def close(self) -> None:
        """Stop, and give the port up unless it was taken over (closing a closed socket does nothing)."""
        self._stop()
        self.server_close()

    def _stop(self) -> None:
        if self._thread is not None:
            self.shutdown()
            self._thread = None


class _Answer(socketserver.BaseRequestHandler):
    server: Early

    def handle(self) -> None:
        with suppress(OSError):  # who went away, or says nothing in time, gets no answer
            asked, *lines = self._head().split("\r\n")
            fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            status, kind, body = self._reply(asked.split(" "), fields.get("host", ""))
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{HEADERS}\r\n"
            self.request.sendall((head if asked.startswith("HEAD ") else head + body).encode("latin-1"))

    def _head(self) -> str:
        """Everything up to the empty line. Raises TimeoutError."""
        head, give_up_at = b"", time.monotonic() + READ_SECONDS
        while b"\r\n\r\n" not in head and len(head) <= MOST_BYTES:
            self.request.settimeout(max(0.001, give_up_at - time.monotonic()))
            more = self.request.recv(MOST_BYTES)
            if not more:
                raise TimeoutError
            head += more
        return head.partition(b"\r\n\r\n")[0].decode("latin-1")

    def _reply(self, asked: list[str], host: str) -> tuple[HTTPStatus, str, str]:
        if asked[0] not in {"GET", "HEAD"}:
            return _error(HTTPStatus.METHOD_NOT_ALLOWED, "this port only answers GET and HEAD")
        if hostname(host) not in self.server.names:
            return _error(HTTPStatus.MISDIRECTED_REQUEST, "this port is asked for by another name: use http://127.0.0.1 or http://localhost")
        match "".join(asked[1:2]).partition("?")[0]:
            case "/metrics":
                return HTTPStatus.OK, METRICS_TYPE, METRICS
            case "/healthz":
                return HTTPStatus.OK, JSON_TYPE, json.dumps({"status": "starting"})
        return _error(HTTPStatus.SERVICE_UNAVAILABLE, "starting: ask again in a second")


def _error(status: HTTPStatus, message: str) -> tuple[HTTPStatus, str, str]:
    return status, JSON_TYPE, json.dumps({"error": {"status": status.value, "message": message}})


def start(file: Path | None, environ: Mapping[str, str]) -> Early | None:
    """Listen where a configuration says, as far as it can be told without reading the whole of it.

    None where that is not plain, where a token is asked for, off loopback, and where the port cannot be had: the configuration's reader
    says why.
    """
    try:
        given = _server(file) | {name.removeprefix(PREFIX).lower(): text for name, text in environ.items() if name.startswith(PREFIX)}
        host, port = given.pop("host", HOST), int(given.pop("port", str(PORT)))
        return Early(host, port) if not given and ipaddress.ip_address(host).is_loopback else None
    except (OSError, ValueError, OverflowError):
        return None


def _server(file: Path | None) -> dict[str, str]:
    """The `server` section of a file, all text. Raises OSError or ValueError where it is not a plain one."""
    if file is None:
        return {}
    import yaml

    with file.open("rb") as opened:
        text = opened.read(MOST_FILE_BYTES)
    try:
        tree = yaml.load(text, getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # plain text alone: it makes no object
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError("not a plain file") from error
    section = tree.get("server", {}) if isinstance(tree, dict) else None
    if not isinstance(section, dict) or not all(isinstance(value, str) for value in section.values()):
        raise ValueError("not a plain section")
    return section
