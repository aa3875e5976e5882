"""The program as a process of its own, as somebody would start it: its bytecode compiled before, but not beside the sources."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("binance", "bls", "bybit", "defillama", "dydx", "hyperliquid", "uniswap-v3")
NOWHERE = "http://127.0.0.1:9"
"""Nobody listens on the discard port: whoever asks there is refused at once."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        return int(opened.getsockname()[1])


def configuration(folder: Path, port: int, endpoint: str, *, slow: str = NOWHERE) -> Path:
    """A file of defaults, but for the page's port, the store, and where sources are asked: the venues at `endpoint`, the others at `slow`."""
    venues = {"binance", "bybit", "dydx", "hyperliquid"}
    lines = [f"  {name}: {{endpoint: '{endpoint if name in venues else slow}'}}" for name in SOURCES]
    file = folder / "hedge-monitor.yaml"
    file.write_text("\n".join([f"server: {{port: {port}}}", f"store: {{url: 'sqlite:///{folder}/monitor.db'}}", "sources:", *lines, ""]))
    file.chmod(0o600)
    return file


def environment(folder: Path) -> dict[str, str]:
    """Nothing of the caller's that would change a start."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HEDGE_MONITOR_"))}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


@contextmanager
def running(bytecode: Path, folder: Path, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`hedge-monitor` with these arguments; stopped at the end, killed if it does not listen."""
    command = [sys.executable, "-m", "monitor", *arguments]
    with (folder / "said.txt").open("wb") as said:
        process = subprocess.Popen(command, cwd=folder, env=environment(bytecode), stdout=said, stderr=said)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def get(port: int, path: str) -> str | None:
    """The body of a complete answer of 200; None while there is none."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return str(answer.read().decode())
    except (OSError, ValueError):
        return None


def get_json(port: int, path: str) -> dict[str, Any] | None:
    body = get(port, path)
    return None if body is None else json.loads(body)


def wait_for(process: "subprocess.Popen[bytes]", seconds: float, pause: float = 0.005) -> Iterator[float]:
    """Moments, in seconds since the first, until the caller has what he waits for. Raises RuntimeError when the process ends or time is up."""
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        if process.poll() is not None:
            raise RuntimeError(f"the program ended with {process.returncode}")
        yield passed
        time.sleep(pause)
    raise RuntimeError(f"nothing came within {seconds:.0f} s")
