"""The real daemon while one of its sources hangs, and on a machine whose clock cannot be right."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

from monitor.core.events import Tick
from monitor.core.units import DAY, parse_time
from monitor.registry import plugins
from monitor.source import Collector
from monitor.store.sqlite import SqliteStore
from tests.integration.daemons import Running, daemon, environment
from tests.integration.test_no_network import body_for, sources, status

WATCHED = "defillama"


class World:
    """One host for all sources: DefiLlama's paths are answered, until they hang; every other path hangs always."""

    def __init__(self) -> None:
        self.hangs = threading.Event()
        self.over = threading.Event()
        self.asked: list[float] = []
        self.hung = 0
        self.url = ""

    @contextmanager
    def serve(self) -> Iterator["World"]:
        world = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                found = body_for(self.path)
                if "historicalChainTvl" in self.path:
                    world.asked.append(time.monotonic())
                if found is None or world.hangs.is_set():
                    world.hung += 1
                    world.over.wait(60)
                    self.close_connection = True
                    return
                body = json.dumps(found).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            self.over.set()
            server.shutdown()
            server.server_close()


def written(folder: Path, url: str) -> Path:
    names = plugins("monitor.collectors", Collector)
    lines = [f"  {name}: {{endpoint: '{url}', cadence: 1s}}" for name in names]
    file = folder / "hedge-monitor.yaml"
    file.write_text("\n".join(["server: {port: 0}", f"store: {{url: 'sqlite:///{folder}/m.db'}}", "sources:", *lines, ""]), encoding="utf-8")
    return file


def alerts_about(folder: Path, source: str) -> list[tuple[int, bool]]:
    store = SqliteStore(str(folder / "m.db"))
    try:
        return sorted((a.at, bool(a.data.get("resolved"))) for a in store.alerts(1000) if a.type == "source.down" and a.data["source"] == source)
    finally:
        store.close()


def test_with_one_source_hung_the_others_are_asked_on_time_and_it_is_reported_and_heals_F_089(tmp_path: Path) -> None:
    """All but one hang at the very host that the one is asked at: it is asked on time. Then it hangs too, is told in its time, and heals."""
    with World().serve() as world, daemon(tmp_path, "--config", str(written(tmp_path, world.url)), "run", env=environment()) as running:
        running.wait_for(lambda: sources(running)[WATCHED]["up"])
        running.wait_for(lambda: world.hung >= 4)
        first = len(world.asked)
        running.wait_for(lambda: len(world.asked) >= first + 20)
        lateness = sorted(after - before - 1.0 for before, after in pairwise(world.asked[first:]))
        assert lateness[int(0.99 * len(lateness))] <= 1.0, lateness

        world.hangs.set()
        died = heard_at(running)
        running.wait_for(lambda: sources(running)[WATCHED]["state"] == "down", 60)
        [(told, resolved)] = alerts_about(tmp_path, WATCHED)
        assert not resolved
        assert told - died <= 2_000 + 30_000 + 2_000

        world.hangs.clear()
        world.over.set()
        running.wait_for(lambda: sources(running)[WATCHED]["up"])
        running.wait_for(lambda: [over for _, over in alerts_about(tmp_path, WATCHED)] == [False, True])
        assert running.stop(signal.SIGTERM) == 0
        assert "Traceback" not in running.errors.read_text()


def heard_at(running: Running) -> int:
    """When the watched source was last heard, once its last answer has been taken in."""
    time.sleep(1.5)
    return parse_time(sources(running)[WATCHED]["heard_at"])


def test_a_daemon_whose_clock_stands_before_its_store_decides_nothing_and_says_so_F_105(tmp_path: Path) -> None:
    """The store's last event lies a month ahead of the clock, and no host can say who is right."""
    ahead = SqliteStore(str(tmp_path / "m.db"), role="run")
    ahead.commit(Tick(time.time_ns() // 1_000_000 + 30 * DAY), ())
    ahead.close()
    with World().serve() as world, daemon(tmp_path, "--config", str(written(tmp_path, world.url)), "run", env=environment()) as running:
        running.wait_for(lambda: "nothing is decided by such a clock" in running.errors.read_text())
        running.wait_for(lambda: len(world.asked) >= 1)
        assert status(running, "/healthz") == 503
        assert running.stop(signal.SIGTERM) == 0
    store = SqliteStore(str(tmp_path / "m.db"))
    assert len(list(store.journal())) == 1
    store.close()
