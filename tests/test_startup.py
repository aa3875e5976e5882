"""What `run` must not import before it answers: each of these costs more than the whole of the answer. No test here measures time."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NEVER_AT_START = {"pandas", "ccxt", "web3", "talib"}
HEAVY = {"aiohttp", "asyncio", "monitor.app", "monitor.config", "monitor.core", "numpy", "prometheus_client", "rich", "sqlite3", "structlog"}

# The command itself, stopped where it says its address; what it has imported is told on its first answer and on its own.
DRIVER = """
import json, os, sys, typer
from monitor import early

def told():
    return sorted(name for name in sys.modules if name.startswith("monitor.") or "." not in name)

def start(file, environ):
    global first
    first = told()

def echo(line):
    os.write(1, json.dumps({"line": line, "first": first, "own": told()}).encode())
    os._exit(0)

early.start, typer.echo = start, echo
from monitor.__main__ import main
main()
"""


def started(folder: Path, *path: Path) -> dict[str, list[str]]:
    """What is imported when the port first answers (`first`), and when the daemon's own face does (`own`)."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, [*path, ROOT])), "HEDGE_MONITOR_SERVER__PORT": "0"}
    command = [sys.executable, "-c", DRIVER, "run"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    assert "http://127.0.0.1:" in found["line"]
    return found


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    return started(tmp_path_factory.mktemp("start"))


@pytest.mark.parametrize("package", sorted(HEAVY | NEVER_AT_START))
def test_the_port_answers_before_anything_heavy_is_imported(imported: dict[str, list[str]], package: str):
    assert "monitor" in imported["first"]
    assert package not in imported["first"]


@pytest.mark.parametrize("package", sorted(NEVER_AT_START))
def test_the_daemon_starts_without_what_only_a_question_needs(imported: dict[str, list[str]], package: str):
    assert "aiohttp" in imported["own"]
    assert package not in imported["own"]


def test_the_check_sees_a_package_that_is_imported(tmp_path: Path):
    (tmp_path / "sitecustomize.py").write_text("import sys, types\nsys.modules['pandas'] = types.ModuleType('pandas')\n")

    found = started(tmp_path, tmp_path)

    assert "pandas" in found["first"]
    assert "pandas" in found["own"]
