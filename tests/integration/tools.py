"""The programs that integration tests drive: where each one is, and how it comes here if it is not.

Each `*_path()` gives an executable, or skips the test with one line that says what is missing and how to get it; with CI=true it fails.
Node packages come from package-lock.json into node_modules/, Prometheus from the Debian package into .tools/ (unpacked, so that no
service is started), Chromium by the package manager.
"""

import fcntl
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]
NODE_MODULES = ROOT / "node_modules"
UNPACKED = ROOT / ".tools"
INSTALL_SECONDS = 300


def missing(what: str, how: str) -> NoReturn:
    """Ends the test: a failure with CI=true, where every tool is promised, else a skip."""
    line = f"{what} is missing: {how}"
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(line, pytrace=False)
    pytest.skip(line)


def node_package(name: str) -> Path:
    """The folder of a locked node package, such as `@uniswap/v3-core`."""
    folder = NODE_MODULES / name
    with _one_at_a_time():
        if not folder.is_dir():
            _install_node_packages()
    return folder if folder.is_dir() else missing(name, "npm install --ignore-scripts")


def anvil_path() -> Path:
    """Foundry's local chain, at the locked version."""
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return node_package(f"@foundry-rs/anvil-{sys.platform}-{architecture}") / "bin" / "anvil"


def prometheus_path() -> Path:
    """The Prometheus server."""
    return _prometheus_program("prometheus")


def promtool_path() -> Path:
    """Prometheus' checker of rules and their unit tests."""
    return _prometheus_program("promtool")


def chromium_path() -> Path:
    """A Chromium that Playwright can drive by `executable_path`."""
    names = ("chromium", "chromium-browser", "google-chrome")
    with _one_at_a_time():
        found = _first(names)
        if found is None and _is_root():
            _update_package_lists()
            _succeeds("apt-get", "-qq", "install", "--yes", "--no-install-recommends", "chromium")
            found = _first(names)
    return found or missing("chromium", "apt-get install chromium")


def _prometheus_program(name: str) -> Path:
    with _one_at_a_time():
        found = _first((name, str(UNPACKED / "usr" / "bin" / name)))
        if found is None:
            _unpack_debian_package("prometheus")
            found = _first((str(UNPACKED / "usr" / "bin" / name),))
    return found or missing(name, "apt-get install prometheus")


def _first(names: tuple[str, ...]) -> Path | None:
    return next((Path(path) for path in map(shutil.which, names) if path), None)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Tests run side by side in processes of their own: none may see what another has installed by half."""
    UNPACKED.mkdir(exist_ok=True)
    with (UNPACKED / "installing.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@cache
def _install_node_packages() -> None:
    # Not `npm ci`: it refuses a lock without the binaries of other platforms. This too holds every package to its locked hash.
    _succeeds("npm", "install", "--ignore-scripts", "--no-save", "--no-audit", "--no-fund")


@cache
def _unpack_debian_package(name: str) -> None:
    if not _succeeds("apt-get", "-qq", "download", name, folder=UNPACKED):
        if not _is_root():
            return
        _update_package_lists()
        _succeeds("apt-get", "-qq", "download", name, folder=UNPACKED)
    for package in UNPACKED.glob(f"{name}_*.deb"):
        _succeeds("dpkg-deb", "-x", str(package), str(UNPACKED))


@cache
def _update_package_lists() -> None:
    _succeeds("apt-get", "-qq", "update")


def _is_root() -> bool:
    return os.geteuid() == 0


def _succeeds(*command: str, folder: Path = ROOT) -> bool:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"{error}\n")
        return False
    if done.returncode:
        sys.stderr.write(done.stderr)
    return done.returncode == 0
