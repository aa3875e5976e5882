"""Real daemons for tests: the command line in a process of its own, ended by its process id, and a receiver that keeps what it was sent."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

from tests.integration.tools import ROOT

T = TypeVar("T")
SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes....").decode()


@dataclass
class Running:
    """One daemon: its process, the address of its page, and what it wrote on standard error."""

    process: subprocess.Popen[str]
    url: str
    errors: Path

    def get(self, path: str) -> Any:
        """JSON of one path."""
        with urllib.request.urlopen(self.url + path.lstrip("/"), timeout=10) as answer:
            return json.load(answer)

    def text(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path.lstrip("/"), timeout=10) as answer:
            return str(answer.read().decode())

    def wait_for(self, look: Callable[[], T | None], seconds: float = 60.0) -> T:
        """The first true answer of `look`; fails with the daemon's own words when none comes."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"the daemon ended with {self.process.returncode}:\n{self.errors.read_text()[-3000:]}"
            try:
                found = look()
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                found = None
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(f"nothing came within {seconds} s:\n{self.errors.read_text()[-3000:]}")

    def stop(self, number: int = signal.SIGINT, seconds: float = 20.0) -> int:
        """Send a signal and wait for the end. Returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(seconds)


def environment(**more: str) -> dict[str, str]:
    """A bare environment: nothing of the machine's own settings reaches the daemon."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": os.environ.get("HOME", "/"), **more}


def command(*arguments: str, env: Mapping[str, str] | None = None, seconds: float = 120.0) -> subprocess.CompletedProcess[str]:
    """One command line to its end."""
    full = [sys.executable, "-m", "monitor", *arguments]
    return subprocess.run(full, env=dict(env or environment()), capture_output=True, text=True, timeout=seconds, check=False, cwd="/")


@contextmanager
def daemon(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Running]:
    """A daemon that has said where its page is; killed at the end if it still runs."""
    errors = folder / f"stderr-{time.monotonic_ns()}.log"
    with errors.open("w") as log:
        full = [sys.executable, "-m", "monitor", *arguments]
        process = subprocess.Popen(full, env=dict(env or environment()), stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://"), errors.read_text()
        yield Running(process, url, errors)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


@dataclass
class Inbox:
    """A receiver of webhooks: each request's headers and raw body, in the order of arrival."""

    url: str
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def settings(self, name: str = "test") -> dict[str, str]:
        """This receiver as a channel, by environment."""
        head = f"HEDGE_MONITOR_ALERTS__CHANNELS__{name.upper()}__"
        return {head + "KIND": "webhook", head + "URL": self.url, head + "SECRET": SECRET}

    def bodies(self) -> Sequence[dict[str, Any]]:
        return [json.loads(body) for _, body in self.requests]


@contextmanager
def receiver() -> Iterator[Inbox]:
    """Accepts everything, keeps everything."""
    inbox = Inbox("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            inbox.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    inbox.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield inbox
    finally:
        server.shutdown()
        server.server_close()
