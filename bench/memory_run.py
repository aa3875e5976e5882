"""What `run` holds after minutes of four venues that list everything they trade, beside a process that only imports the same libraries."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from bench import child
from bench.figures import Figure, Options
from tests.integration.venue_server import FULL_SIZE, VenueServer

MOST_OF_PEER = 1.35
IMPORTS = "import aiohttp, ccxt, pandas, web3"
HELD = "import psutil; print(psutil.Process().memory_info().rss / 1e6)"


def measure(options: Options) -> list[Figure]:
    peer = [_imports(options) for _ in range(min(options.runs, 3))]
    held, most, heard = _watched(options)
    note = f"after {options.minutes:g} min, {heard} of 4 venues heard, {sum(FULL_SIZE.values()):,} markets listed, no chain configured"
    return [
        Figure("resident, run, full-size venues", "MB", [held], peer=(IMPORTS, peer), peer_at_most=MOST_OF_PEER, note=note),
        Figure("the most it held on the way", "MB", [most], peer=(IMPORTS, peer)),
    ]


def _imports(options: Options) -> float:
    command = [sys.executable, "-c", f"{IMPORTS}; {HELD}"]
    return float(subprocess.run(command, env=child.environment(options.folder), capture_output=True, text=True, check=True).stdout)


def _watched(options: Options) -> tuple[float, float, int]:
    """Resident megabytes at the end and at the worst moment, and how many venues were heard."""
    folder, port, most = options.folder / "run", child.free_port(), 0.0
    folder.mkdir(exist_ok=True)
    with _venues() as url:
        file = child.configuration(folder, port, url)
        with child.running(options.folder, folder, "--config", str(file), "run") as process:
            watched = psutil.Process(process.pid)
            for passed in child.wait_for(process, options.minutes * 60 + 60, pause=0.5):
                held = watched.memory_info().rss / 1e6
                most = max(most, held)
                if passed >= options.minutes * 60:
                    break
            answer = child.get_json(port, "/api/v1/sources") or {}
    heard = [one["id"] for one in answer.get("sources", ()) if one["id"] in FULL_SIZE and one["up"]]
    return held, most, len(heard)


@contextmanager
def _venues() -> Iterator[str]:
    """The venues on a port of their own, served by a thread; their clock is ours."""
    server = VenueServer(time.time_ns() // 1_000_000, markets=FULL_SIZE)
    ready, loop = threading.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        async with server:
            ready.set()
            while ready.is_set():
                server.now_ms = time.time_ns() // 1_000_000
                await asyncio.sleep(0.2)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield server.url
    finally:
        ready.clear()
        thread.join(10)
        loop.close()
