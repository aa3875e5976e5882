"""A daemon without a network stays up, says that it cannot see, and sees again by itself when there is one."""

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from monitor.core.units import DAY
from monitor.registry import plugins
from monitor.source import Collector
from tests.integration.daemons import Running, daemon, environment

# The calendar has a packaged table to stand in, and a chain without positions has nothing to read.
NETWORKED = ("binance", "bls", "bybit", "defillama", "dydx", "hyperliquid")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def written(folder: Path, port: int) -> Path:
    """Every source at one dead port and asked every second; DefiLlama is required."""
    names = plugins("monitor.collectors", Collector)
    lines = [f"  {name}: {{endpoint: 'http://127.0.0.1:{port}', cadence: 1s, required: {'yes' if name == 'defillama' else 'no'}}}" for name in names]
    file = folder / "hedge-monitor.yaml"
    file.write_text("\n".join(["server: {port: 0}", f"store: {{url: 'sqlite:///{folder}/m.db'}}", "sources:", *lines, ""]), encoding="utf-8")
    return file


def body_for(path: str) -> object | None:
    """What DefiLlama would answer now; nothing for the others."""
    today = time.time_ns() // 1_000_000 // DAY * DAY // 1000
    if "historicalChainTvl" in path:
        return [{"date": today - n * DAY // 1000, "tvl": 5e10} for n in range(9, -1, -1)]
    if "/prices/current" in path:
        coins = ("bitcoin", "ethereum", "usd-coin", "tether", "dai")
        return {"coins": {f"coingecko:{coin}": {"price": 1.0, "timestamp": int(time.time()), "confidence": 0.99} for coin in coins}}
    return None


@contextmanager
def network(port: int) -> Iterator[None]:
    """DefiLlama appears at the port; whoever else asks there gets a 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = body_for(self.path)
            answer = json.dumps(found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def sources(running: Running) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in running.get("/api/v1/sources")["sources"]}


def status(running: Running, path: str) -> int:
    host, _, port = running.url.removeprefix("http://").rstrip("/").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        return int(connection.makefile("rb").readline().split()[1])


def test_without_a_network_it_stays_up_and_says_so_and_recovers_by_itself_inv11(tmp_path: Path):
    """INV-11, INV-12: nobody restarts it; what is dead is named, what comes back is heard."""
    port = free_port()
    with daemon(tmp_path, "--config", str(written(tmp_path, port)), "run", env=environment()) as running:
        running.wait_for(lambda: all(sources(running)[name]["state"] in {"failing", "down"} for name in NETWORKED))
        dead = sources(running)
        assert not any(dead[name]["up"] for name in NETWORKED)
        assert all("127.0.0.1" in dead[name]["reason"] for name in ("bls", "defillama")), dead
        assert dead["us-calendar"]["up"] and dead["us-calendar"]["rejected"] >= 2
        assert (status(running, "/healthz"), status(running, "/readyz")) == (200, 503)
        metrics = running.text("/metrics")
        assert all(f'hedge_monitor_source_up{{source="{name}"}} 0' in metrics for name in NETWORKED)

        with network(port):
            running.wait_for(lambda: sources(running)["defillama"]["up"])
            assert (status(running, "/healthz"), status(running, "/readyz")) == (200, 200)
            assert 'hedge_monitor_source_up{source="defillama"} 1' in running.text("/metrics")
            assert not sources(running)["bls"]["up"], "a 404 is no network"

        running.wait_for(lambda: not sources(running)["defillama"]["up"])
        assert running.stop(signal.SIGTERM) == 0
        assert "Traceback" not in running.errors.read_text()
