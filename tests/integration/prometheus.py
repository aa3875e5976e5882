"""A real Prometheus for the tests: it scrapes a real daemon with the shipped configuration, and answers what Grafana would ask."""

import json
import re
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.integration.tools import ROOT

START_SECONDS = 20.0
NOT_READY = 503
SHIPPED = ROOT / "grafana" / "prometheus"
# What Grafana puts in place of its own words: with a scrape a second its rate interval is four of them.
PUT_IN = {"$__rate_interval": "4s", "$__interval": "1s"}


@dataclass(frozen=True)
class Prometheus:
    """One server. `began` is when it was started, seconds since the epoch."""

    url: str
    process: subprocess.Popen[bytes]
    began: float

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of one answer; AssertionError with Prometheus' own words when it refuses the query."""
        query = urllib.parse.urlencode({name.replace("match", "match[]"): value for name, value in parameters.items()})
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == NOT_READY:
                raise
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error

    def over_time(self, expr: str) -> list[dict[str, Any]]:
        """The series of an expression, second by second since the start: what a panel over that time shows."""
        found = self.ask("query_range", query=expr, start=f"{self.began:.3f}", end=f"{time.time():.3f}", step="1")["result"]
        return list(found)

    def now(self, expr: str) -> list[dict[str, Any]]:
        return list(self.ask("query", query=expr)["result"])

    def values(self, query: str) -> list[str]:
        """The choices of a variable."""
        wanted = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
        assert wanted is not None, query
        return list(self.ask(f"label/{wanted[2]}/values", match=wanted[1], start=f"{self.began:.3f}"))

    def wait_for(self, look: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"prometheus ended with {self.process.returncode}"
            try:
                if look():
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                pass
            time.sleep(0.1)
        raise AssertionError(f"nothing came within {seconds} s")


@contextmanager
def scraping(binary: Path, target: str, folder: Path) -> Iterator[Prometheus]:
    """Prometheus with the shipped configuration, but for the target and its pace: a scrape a second. Ended by its process id."""
    port, began = _free_port(), time.time()
    address = f"127.0.0.1:{port}"
    options = [f"--config.file={_config(folder, target)}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([binary, *options], stdout=log, stderr=log)
    try:
        server = Prometheus(f"http://{address}", process, began)
        server.wait_for(lambda: bool(server.now('up{job="hedge-monitor"} == 1')))
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _config(folder: Path, target: str) -> Path:
    config = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
    config["global"] = dict.fromkeys(config["global"], "1s")
    config["rule_files"] = [str(SHIPPED / name) for name in config["rule_files"]]
    (job,) = config["scrape_configs"]
    job["static_configs"] = [{"targets": [target]}]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    return file


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
