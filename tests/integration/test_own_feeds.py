"""The user's own feeds for real: a Prometheus that scrapes an exporter, and a daemon that is fed by HTTP JSON, by files and by push alone."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.collectors.prometheus import Prometheus as Collector
from monitor.config import discover
from monitor.core.book import Watch
from monitor.core.rows import HEADER
from monitor.core.units import HOUR, iso
from monitor.errors import SourceError
from monitor.net import HttpNet
from monitor.registry import build
from monitor.source import Ports
from tests.integration.daemons import command, daemon, environment
from tests.integration.prometheus import Prometheus, scraping

EXPORTED = f"""\
vault_tvl_dollars{{chain="chain:ethereum"}} 5.5e10
vault_tvl_dollars{{chain="chain:base"}} 4200000000.5
cpi_level{{month="2026-09-01",released="2026-10-14T12:30:00Z"}} 331.2
pool_liquidity{{raw="{2**100 + 1}"}} 1
nothing_yet NaN
"""
TVL = {"metric": "tvl.usd", "query": "sum by (chain) (vault_tvl_dollars)", "subject_label": "chain"}
POOL = "pool:base/0x" + "1" * 40
TOKEN = "push-token-push-token"


@contextmanager
def serving(answer: Callable[[str, dict[str, str]], tuple[int, str]]) -> Iterator[str]:
    """A small server on the loopback; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer(self.path, dict(self.headers.items()))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


# --- Prometheus ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scraped(prometheus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with serving(lambda path, headers: (200, EXPORTED)) as exporter, scraping(prometheus, exporter, tmp_path_factory.mktemp("own")) as server:
        server.wait_for(lambda: bool(server.now("vault_tvl_dollars")))
        yield server


@pytest.fixture
async def ports() -> AsyncIterator[Ports]:
    async with HttpNet() as net:
        yield Ports(net, SystemClock(), Random(0))


def source(server: Prometheus, *queries: dict[str, Any]) -> Collector:
    return build(Collector, {"url": server.url, "queries": list(queries)})


async def test_a_real_prometheus_is_read_by_its_labels(scraped: Prometheus, ports: Ports):
    dated = {"metric": "macro.cpi", "subject": "US", "query": "cpi_level", "at_label": "month", "known_at_label": "released"}
    exact = {"metric": "pool.liquidity", "subject": POOL, "query": "pool_liquidity", "value_label": "raw"}
    single = {"metric": "open_interest.usd", "subject": "ETH", "query": "scalar(sum(vault_tvl_dollars))"}
    harvest = await source(scraped, TVL, dated, exact, single).poll(ports, Watch())

    values = {(r.metric, r.subject): (r.value, r.known_at and iso(r.known_at)) for r in harvest.readings}
    assert values == {
        ("tvl.usd", "chain:ethereum"): (5.5e10, None),
        ("tvl.usd", "chain:base"): (4200000000.5, None),
        ("macro.cpi", "US"): (331.2, "2026-10-14T12:30:00Z"),
        ("pool.liquidity", POOL): (2**100 + 1, None),
        ("open_interest.usd", "ETH"): (59200000000.5, None),
    }
    assert harvest.rejected == []
    assert all(r.at is not None and (r.metric == "macro.cpi" or abs(r.at - time.time() * 1000) < 5_000) for r in harvest.readings)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({**TVL, "query": "sum by (chain (vault"}, "Prometheus answers bad_data: invalid parameter "),
        ({**TVL, "query": "vault_tvl_dollars * on (job) vault_tvl_dollars"}, "Prometheus answers execution: found duplicate series "),
    ],
)
async def test_its_own_words_are_told_when_it_refuses(scraped: Prometheus, ports: Ports, query: dict[str, Any], reason: str):
    with pytest.raises(SourceError) as refused:
        await source(scraped, query).poll(ports, Watch())
    assert str(refused.value).startswith(reason)
    assert refused.value.permanent


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({**TVL, "query": "never_scraped"}, "no sample; the query finds nothing now"),
        ({**TVL, "query": "vault_tvl_dollars", "subject": "chain:base", "subject_label": ""}, "2 samples differ about chain:base at one time"),
        ({**TVL, "query": "nothing_yet", "subject": "chain:base", "subject_label": ""}, "'NaN' is not a decimal number"),
    ],
)
async def test_what_is_no_value_is_named(scraped: Prometheus, ports: Ports, query: dict[str, Any], reason: str):
    harvest = await source(scraped, query).poll(ports, Watch())
    assert harvest.readings == [] and reason in harvest.rejected[0]


async def test_its_history_is_paged(scraped: Prometheus, ports: Ports):
    one = source(scraped, {**TVL, "step": "1s"})
    now = int(time.time() * 1000)
    scraped.wait_for(lambda: any(len(one["values"]) > 3 for one in scraped.over_time("vault_tvl_dollars")))
    page = await one.page(ports, Watch(), one.streams(Watch())[0], now - 3 * HOUR, now)
    assert page.next_ms == now - 3 * HOUR + 10_000_000
    page = await one.page(ports, Watch(), one.streams(Watch())[0], page.next_ms, now + 5_000)
    assert page.next_ms is None and page.harvest.rejected == []
    assert {r.subject for r in page.harvest.readings} == {"chain:ethereum", "chain:base"}


# --- a daemon on feeds alone --------------------------------------------------------------------------------------------


def fall(now: int) -> list[tuple[int, float]]:
    """Hourly TVL that falls by a tenth in the last three hours."""
    return [(now - n * HOUR, 9e9 if n < 3 else 1e10) for n in range(60, -1, -1)]


def config(folder: Path, feed: str) -> Path:
    off = "".join(f"  {name}: {{enabled: no}}\n" for name in discover().collectors if name not in {"http-json", "prometheus", "folder"})
    (folder / "inbox").mkdir()
    file = folder / "own.yaml"
    file.write_text(f"""\
sources:
  tvl: {{subjects: [chain:ethereum, chain:base, chain:optimism]}}
  http-json:
    cadence: 1s
    feeds:
      vault:
        url: http://{feed}/tvl
        headers: {{Authorization: "Bearer ${{FEED_KEY}}"}}
        series: [{{metric: tvl.usd, subject: "chain:ethereum", value: "$[*].usd", at: "$[*].time"}}]
  folder: {{path: {folder / "inbox"}, cadence: 1s}}
{off}store: {{url: "sqlite:///{folder / "own.db"}"}}
server: {{port: 0, push_token: "${{PUSH_KEY}}"}}
""")
    file.chmod(0o600)
    return file


def push(url: str, rows: object, token: str = TOKEN) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    asked = urllib.request.Request(f"{url}api/v1/observations", json.dumps(rows).encode(), headers)
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_daemon_lives_on_the_users_own_feeds_alone(tmp_path: Path):
    now = int(time.time() * 1000) // 60_000 * 60_000
    asked: list[dict[str, str]] = []

    def vault(path: str, headers: dict[str, str]) -> tuple[int, str]:
        asked.append(headers)
        return 200, json.dumps([{"time": iso(at), "usd": usd} for at, usd in fall(now)])

    with serving(vault) as feed:
        file = config(tmp_path, feed)
        env = environment(PUSH_KEY=TOKEN, FEED_KEY="canary-161803398")
        rows = [["tvl.usd", "chain:base", "desk", iso(at), "", str(usd)] for at, usd in fall(now)]
        (tmp_path / "inbox" / "tvl.csv").write_text("\n".join(",".join(cells) for cells in [HEADER, *rows]) + "\n")
        (tmp_path / "inbox" / "bad.csv").write_text(",".join(HEADER) + "\ntvl.usd,chain:base,desk,yesterday,,1\n")
        with daemon(tmp_path, "--config", str(file), "run", env=env) as running:
            pushed = [{"metric": "tvl.usd", "subject": "chain:optimism", "source": "job", "at": at, "value": usd} for at, usd in fall(now)]
            assert push(running.url, pushed, "x" * 20)[0] == 401
            assert push(running.url, [*pushed, {**pushed[0], "value": "x"}])[0] == 422
            assert push(running.url, pushed) == (202, {"accepted": 61})

            def fired() -> bool:
                triggers = running.get("/api/v1/triggers")["triggers"]
                states = {one["subject"]: one["verdict"] for one in triggers if one["rule"] == "tvl-drawdown"}
                return states == dict.fromkeys(("chain:ethereum", "chain:base", "chain:optimism"), "FIRED")

            running.wait_for(fired, 60)
            sources = {one["id"]: one for one in running.get("/api/v1/sources")["sources"]}
            assert (sources["folder"]["up"], sources["http-json"]["up"]) == (True, True)
            assert sources["folder"]["rejected"] >= 1
            running.wait_for(lambda: "bad.csv: line 2: 'yesterday' is not a time" in running.errors.read_text())
            assert "canary-161803398" not in running.errors.read_text()
            assert running.stop() == 0
        assert asked[0]["Authorization"] == "Bearer canary-161803398"
        thought = command("--config", str(file), "replay", "--log", env=env)
        assert thought.returncode == 0, thought.stdout + thought.stderr
