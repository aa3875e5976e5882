"""A JSON-RPC proxy in front of a node, which says what the node says until a test bends it."""

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Ask = Callable[[dict[str, Any]], dict[str, Any]]
Bend = Callable[[dict[str, Any], Ask], dict[str, Any]]
"""From a request, and the way to the node, to the reply."""
ASK_SECONDS = 30.0


def straight(request: dict[str, Any], ask: Ask) -> dict[str, Any]:
    """What an honest node does."""
    return ask(request)


def of(method: str, change: Callable[[Any], Any]) -> Bend:
    """Rewrites the whole reply to one method."""
    return lambda request, ask: change(ask(request)) if request["method"] == method else ask(request)


def result_of(method: str, change: Callable[[Any], Any]) -> Bend:
    """Rewrites the result of one method."""
    return of(method, lambda reply: {**reply, "result": change(reply["result"])})


@dataclass
class Proxy:
    """Its own address, and how it bends what passes now."""

    url: str
    bend: Bend = straight


@contextmanager
def proxy(node: str) -> Iterator[Proxy]:
    """A proxy on loopback in front of the node at this URL."""
    front = Proxy("")

    def ask(request: dict[str, Any]) -> dict[str, Any]:
        sent = urllib.request.Request(node, json.dumps(request).encode(), {"content-type": "application/json"})
        with urllib.request.urlopen(sent, timeout=ASK_SECONDS) as reply:
            answer: dict[str, Any] = json.load(reply)
        return answer

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            body = json.dumps(front.bend(request, ask)).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    front.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield front
    finally:
        server.shutdown()
        server.server_close()
