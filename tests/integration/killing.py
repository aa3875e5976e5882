"""A real daemon that is killed without warning, again and again, and the receiver that sees what arrives."""

import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from standardwebhooks import Webhook

from monitor.config import load
from monitor.config.model import discover
from monitor.store.sqlite import SqliteStore

ROOT = Path(__file__).resolve().parents[2]
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
START_SECONDS = 60.0


@dataclass
class Ear:
    """Takes everything that is signed, after a moment in which the sender may die; `heard` has each copy in the order of arrival."""

    heard: list[tuple[str, bytes]] = field(default_factory=list)
    forged: int = 0
    rng: random.Random = field(default_factory=lambda: random.Random(7))
    url: str = ""

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            Webhook(SECRET).verify(body, dict(request.headers))
        except Exception:  # noqa: BLE001  # whatever is wrong with it, it is not ours
            self.forged += 1
            return web.Response(status=401)
        self.heard.append((request.headers["webhook-id"], body))
        await asyncio.sleep(self.rng.uniform(0.0, 0.03))
        return web.Response()

    async def __aenter__(self) -> "Ear":
        app = web.Application()
        app.router.add_post("/", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def copies(self) -> Counter[str]:
        return Counter(name for name, _ in self.heard)


@dataclass
class Home:
    """A configuration without sources and with one channel, its store, and the daemon's lives in it."""

    folder: Path
    ear: Ear
    kills: int = 0
    asked: int = 0

    def __post_init__(self) -> None:
        sources = ", ".join(f"{name}: {{enabled: no}}" for name in load(None, {}, discover()).enabled_sources)
        self.file = self.folder / "hedge-monitor.yaml"
        self.file.write_text(
            f"sources: {{{sources}}}\nalerts: {{channels: {{ear: {{url: '{self.ear.url}', secret: {SECRET}}}}}}}\n"
            f"store: {{url: 'sqlite:///{self.folder}/monitor.db'}}\nserver: {{port: 0}}\n"
        )
        self.file.chmod(0o600)

    @contextmanager
    def store(self) -> Iterator[SqliteStore]:
        opened = SqliteStore(str(self.folder / "monitor.db"))
        try:
            yield opened
        finally:
            opened.close()

    def ask(self, count: int) -> None:
        """Leave words in the inbox, each of which must become one alert."""
        with self.store() as store:
            for _ in range(count):
                self.asked += 1
                store.inbox.put(time.time_ns() // 1_000_000, f"tester {self.asked}", "signal", {"action": "test", "target": "all"})

    async def begin(self, *program: str) -> asyncio.subprocess.Process:
        """Start the daemon, or a program that plays it, and wait until it says where its page is."""
        words = [sys.executable, "-m", *(program or ("monitor",)), "--config", str(self.file), "run"]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        with (self.folder / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(*words, cwd=self.folder, env=env, stdout=asyncio.subprocess.PIPE, stderr=log)
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        assert line.startswith(b"http://"), (self.folder / "log").read_text()[-3000:]
        return process

    async def die_after(self, process: asyncio.subprocess.Process, seconds: float) -> None:
        await asyncio.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL
        self.kills += 1

    async def finish(self) -> None:
        """A last life: until nothing waits, then a clean stop."""
        process = await self.begin()
        async with asyncio.timeout(30):
            while not self._is_done():  # noqa: ASYNC110  # what is waited for happens in another process
                await asyncio.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0

    def _is_done(self) -> bool:
        with self.store() as store:
            return store.last_seen() is not None and not store.inbox.waiting() and store.outbox.backlog()[0] == 0

    def told(self) -> dict[str, bytes]:
        """Every alert that was decided, with its bytes."""
        with self.store() as store:
            return {row.id: row.body for row in store.outbox.every()}

    def tests_decided(self) -> int:
        with self.store() as store:
            return sum(alert.data.get("test") is True for alert in store.alerts(limit=100_000))


def check(home: Home) -> None:
    """Nothing is lost, nothing is decided twice, one id has one body, and no more copies than deaths explain."""
    told, copies = home.told(), home.ear.copies
    assert home.tests_decided() == home.asked
    assert set(told) == set(copies), f"lost: {sorted(set(told) - set(copies))}"
    assert {(name, body) for name, body in home.ear.heard} == set(told.items())
    assert home.ear.forged == 0
    assert max(copies.values()) <= 1 + home.kills
    assert sum(copies.values()) <= len(copies) + home.kills
