"""`check` against endpoints that are dead, slow, wrong or lying: one line each that says what and what to do, and exit code 1."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from monitor.config import discover
from monitor.core.units import DAY
from monitor.registry import Catalogue
from tests.cli.speak import Said, speak
from tests.collectors.sample_net import unthrottle
from tests.fake_chain import FakeChain, header
from tests.fakes import Call
from tests.integration.hostile import Hostile, plain
from tests.integration.venue_server import VenueServer, damaged

FETCHED = ("binance", "bls", "bybit", "defillama", "dydx", "hyperliquid")
LOGIN = b"<!doctype html><html><body>Please log in</body></html>"
SECRET = "whsec_" + "A" * 44


def dead_url() -> str:
    """The address of a port on which nothing listens any more."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def written(folder: Path, *, sources: dict[str, str], more: str = "") -> Path:
    """A configuration with these sources at these endpoints and every other one switched off."""
    every = discover().collectors
    lines = [f"  {name}: {{enabled: no}}" for name in every if name not in sources]
    lines += [f"  {name}: {{endpoint: '{url}'}}" for name, url in sources.items()]
    file = folder / "hedge-monitor.yaml"
    file.write_text("\n".join([f"store: {{url: 'sqlite:///{folder}/check.db'}}", "sources:", *lines, more, ""]), encoding="utf-8")
    return file


async def checked(folder: Path, *, sources: dict[str, str] | None = None, more: str = "", seconds: float = 30) -> Said:
    """One `check`, beside the servers of this loop."""
    file = written(folder, sources=sources or {}, more=more)
    return await asyncio.to_thread(speak, "check", "--timeout", str(seconds), config=file)


def line_of(said: Said, name: str) -> str:
    """The one line about a source, chain or channel."""
    [line] = [line for line in said.out.splitlines() if f" {name}: " in line and line.split()[0] in {"ok", "failed", "warning", "idle", "off"}]
    return line


@asynccontextmanager
async def node(chain: FakeChain) -> AsyncIterator[str]:
    """A chain's JSON-RPC on loopback."""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(chain.reply(Call("POST", str(request.url), body=await request.json())))

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def mute(_server: Hostile, _writer: asyncio.StreamWriter) -> None:
    """Take every request and answer none."""
    await asyncio.sleep(60)


def chains(url: str) -> str:
    return f"chains: {{local: {{rpc: '{url}', chain_id: 31337}}}}"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def test_of_dead_endpoints_each_is_named_with_what_to_do(tmp_path: Path) -> None:
    url = dead_url()
    more = f"{chains(url)}\nalerts: {{channels: {{phone: {{url: '{url}', secret: {SECRET}}}}}}}"
    said = await checked(tmp_path, sources=dict.fromkeys(FETCHED, url), more=more)
    assert said.code == 1
    for name in FETCHED:
        assert line_of(said, name).startswith(f"failed  source {name}: ")
        assert f"is it running, and is there a way to it? try again, or set another sources.{name}.endpoint" in line_of(said, name)
    assert "set another chains.local.rpc" in line_of(said, "local")
    assert "cannot be reached: " in line_of(said, "phone") and "alerts.channels.phone.url" in line_of(said, "phone")
    assert line_of(said, "us-calendar") == "off     source us-calendar: switched off in the configuration"


def test_a_refused_connection_is_told_as_one_however_short_the_deadline_and_however_slow_the_imports(tmp_path: Path) -> None:
    """In a program of its own, which has imported nothing yet."""
    file = written(tmp_path, sources={}, more=chains(dead_url()))
    words = [sys.executable, "-m", "monitor", "--config", str(file), "check", "--timeout", "0.5"]
    said = Said(1, subprocess.run(words, capture_output=True, text=True, timeout=60, check=False).stdout, "")
    assert "Connect call failed" in line_of(said, "local")


async def test_an_option_that_has_expired_is_a_warning_and_stops_nothing(tmp_path: Path) -> None:
    option = "kind: option, asset: ETH, right: put, strike: 1800 USD, size: 2, expiry: "
    more = f"positions:\n  - {{id: gone, {option} 2025-06-27}}\n  - {{id: held, {option} 2999-06-27}}\n"
    said = await checked(tmp_path, more=more)
    assert said.code == 0
    assert line_of(said, "gone").startswith("warning position gone: it expired at 2025-06-27T08:00:00Z and counts for nothing; delete it, or")
    assert "held" not in said.out


async def test_sources_that_nothing_needs_share_a_line(tmp_path: Path) -> None:
    said = await checked(tmp_path, sources=dict.fromkeys(("curve", "safe"), dead_url()))
    assert [line for line in said.out.splitlines() if "idle" in line] == ["idle    nothing that is watched needs curve, safe"]


def held(url: str, *more: str) -> str:
    """Two positions on one chain, read by two sources."""
    other = f", other: {{rpc: '{more[0]}', chain_id: 31338}}" if more else ""
    lps = "{id: lp, kind: uniswap-v3, chain: local, token_id: 7}, {id: new, kind: uniswap-v4, chain: local, token_id: 7}"
    far = ", {id: far, kind: uniswap-v4, chain: other, token_id: 7}" if more else ""
    return f"chains: {{local: {{rpc: '{url}', chain_id: 31337}}{other}}}\npositions: [{lps}{far}]"


MANAGERS = f"managers: {{local: '0x{'a' * 40}', other: '0x{'a' * 40}'}}"


async def checked_chains(folder: Path, more: str) -> Said:
    file = written(folder, sources={}, more=more)
    listed = "\n".join(f"  {name}: {{{MANAGERS}}}" for name in ("uniswap-v3", "uniswap-v4"))
    kept = [line for line in file.read_text().splitlines() if not line.startswith("  uniswap-v3:") and not line.startswith("  uniswap-v4:")]
    file.write_text("\n".join(kept).replace("sources:\n", f"sources:\n{listed}\n", 1), encoding="utf-8")
    return await asyncio.to_thread(speak, "check", "--timeout", "20", config=file)


async def test_a_dead_node_is_one_line_that_names_who_needs_it_and_where_its_address_stands(tmp_path: Path) -> None:
    chain = FakeChain(chain_id=31338, head=header(seconds=now_ms() // 1000))
    async with node(chain) as alive:
        said = await checked_chains(tmp_path, held(dead_url(), alive))
    assert said.code == 1
    line = line_of(said, "local")
    assert line.startswith("failed  chain local: ")
    assert "; without it uniswap-v3, uniswap-v4 cannot read; " in line
    assert f"set another chains.local.rpc in {tmp_path}/hedge-monitor.yaml" in line and "endpoint" not in line
    assert [one for one in said.out.splitlines() if one.startswith("failed")] == [line]
    assert line_of(said, "other").startswith("ok ") and "without it" not in line_of(said, "other")


async def test_a_source_that_fails_on_a_live_node_keeps_its_line_and_is_sent_to_the_chain_s_setting(tmp_path: Path) -> None:
    async with node(FakeChain(head=header(seconds=now_ms() // 1000))) as url:
        said = await checked_chains(tmp_path, held(url))
    assert line_of(said, "local").startswith("ok ")
    for name in ("uniswap-v3", "uniswap-v4"):
        assert line_of(said, name).startswith(f"failed  source {name}: ")
        cure = f"do as it says; if it says nothing to do, check what stands at chains.local.rpc in {tmp_path}/hedge-monitor.yaml, or switch it off"
        assert cure in line_of(said, name)


async def test_slow_endpoints_cost_the_deadline_once_and_not_one_after_the_other(tmp_path: Path) -> None:
    async with Hostile(mute) as server:
        await checked(tmp_path, sources=dict.fromkeys(FETCHED, server.url), seconds=0.1)  # ccxt is imported by now
        began = time.monotonic()
        said = await checked(tmp_path, sources=dict.fromkeys(FETCHED, server.url), more=chains(server.url), seconds=2)
        assert time.monotonic() - began < 8
    assert said.code == 1
    for name in (*FETCHED, "local"):
        assert "no complete answer within 2 s; try again with a longer --timeout" in line_of(said, name)
        setting = f"chains.local.rpc in {tmp_path}" if name == "local" else f"sources.{name}.endpoint"
        assert f"if it stays slow, set another {setting}" in line_of(said, name)


async def test_a_page_of_html_with_status_200_is_not_taken_for_an_answer(tmp_path: Path) -> None:
    async with Hostile(plain(LOGIN, "200 OK", "Content-Type: text/html")) as server:
        said = await checked(tmp_path, sources=dict.fromkeys(FETCHED, server.url), more=chains(server.url))
    assert said.code == 1
    for name in (*FETCHED, "local"):
        assert line_of(said, name).startswith("failed")
        assert "this answer is not to be trusted: check what stands at" in line_of(said, name)
        assert "Please log in" not in line_of(said, name)


async def test_another_chain_than_the_configured_one_is_named_F_053(tmp_path: Path) -> None:
    async with node(FakeChain(chain_id=5)) as url:
        said = await checked(tmp_path, more=chains(url))
    assert said.code == 1
    assert "the endpoint is chain 5, not 31337" in line_of(said, "local")
    assert "trying again will not help: correct chains.local.rpc" in line_of(said, "local")


async def test_a_header_that_does_not_hash_to_its_hash_is_a_lie_F_045(tmp_path: Path) -> None:
    chain = FakeChain(head=header(seconds=now_ms() // 1000))
    chain.spoil("eth_getBlockByNumber", lambda head: {**head, "gasUsed": "0x1"})
    async with node(chain) as url:
        said = await checked(tmp_path, more=chains(url))
    assert said.code == 1
    assert "does not hash to the hash it claims" in line_of(said, "local")
    assert "correct chains.local.rpc" in line_of(said, "local")


def crossed(row: list[Any]) -> None:
    row[2], row[3] = row[3], row[2]
    row[2] = str(float(row[3]) / 2)


def greedy(row: dict[str, Any]) -> None:
    row["fundingRate"] = "3"


@pytest.mark.parametrize(
    ("question", "change", "words"),
    [
        ("GET /fapi/v1/klines", crossed, "below low"),
        ("GET /fapi/v1/fundingRate", greedy, "value 3 is outside the plausible range -0.05 to 0.05"),
    ],
)
async def test_a_venue_that_says_what_cannot_be_is_not_called_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, question: str, change: Callable[[Any], None], words: str
) -> None:
    unthrottle(monkeypatch)
    async with VenueServer(now_ms()) as server:
        healthy = await checked(tmp_path, sources={"binance": server.url})
        server.damage[question] = damaged(list, 2, change)
        said = await checked(tmp_path, sources={"binance": server.url})
    assert (healthy.code, line_of(healthy, "binance").split()[0]) == (0, "ok")
    assert said.code == 1
    assert words in line_of(said, "binance") and "not to be trusted" in line_of(said, "binance")


async def test_all_well_is_exit_0_and_sends_nothing(tmp_path: Path) -> None:
    async with node(FakeChain(head=header(seconds=now_ms() // 1000))) as url, Hostile(plain(b"")) as receiver:
        more = f"{chains(url)}\nalerts: {{channels: {{phone: {{url: '{receiver.url}', secret: {SECRET}}}}}}}"
        said = await checked(tmp_path, more=more)
        assert receiver.requests == []
    assert said.code == 0, said.out
    assert line_of(said, "local").startswith("ok      chain local: chain 31337, block 100")
    assert "nothing was sent; `hedge-monitor alerts test` sends a signed test" in line_of(said, "phone")
    assert "not there yet; `run` or `import` makes it" in said.out


@pytest.mark.parametrize(("ahead_ms", "words"), [(-11 * 60_000, "the node is behind or this machine's clock is ahead"), (DAY, "in the future")])
async def test_a_head_far_from_our_clock_is_a_warning(tmp_path: Path, ahead_ms: int, words: str) -> None:
    async with node(FakeChain(head=header(seconds=(now_ms() + ahead_ms) // 1000))) as url:
        said = await checked(tmp_path, more=chains(url))
    assert said.code == 0
    assert line_of(said, "local").startswith("warning") and words in line_of(said, "local")


async def test_a_calendar_that_runs_out_is_a_warning_and_its_table_stands_in(tmp_path: Path) -> None:
    said = await checked(tmp_path, sources={"us-calendar": dead_url()})
    assert line_of(said, "us-calendar").startswith("warning")
    assert "the packaged calendar stands in" in line_of(said, "us-calendar")


async def test_rules_without_a_source_are_listed_with_what_they_miss(tmp_path: Path) -> None:
    said = await checked(tmp_path)
    listed = said.out.partition("NOT_CONFIGURED")[2]
    assert all(name in listed for name in Catalogue().rules)
    assert "no source gives tvl.usd chain:ethereum" in listed
    file = tmp_path / "tvl.csv"
    file.write_text("metric,subject,source,at,known_at,value\ntvl.usd,chain:ethereum,x,2022-05-01,,1e9\n", encoding="utf-8")
    assert speak("import", file, store=tmp_path / "check.db").code == 0
    said = await checked(tmp_path)
    assert "no source gives tvl.usd chain:ethereum" not in said.out


async def test_a_protocol_that_is_only_used_is_no_treasury(tmp_path: Path) -> None:
    perp = "{id: p, kind: perp, asset: ETH, size: 1, exposed_to: [protocol:aave-v3, protocol:curve-dex]}"
    said = await checked(tmp_path, more=f"positions: [{perp}, {{id: t, kind: treasury, protocol: 'protocol:uniswap'}}]")
    told = [line.split(maxsplit=2) for line in said.out.splitlines() if line.startswith("quick-ratio")]
    assert [subject for _, subject, _ in told] == ["no", "protocol:uniswap"]
    assert told[0][2].startswith("treasury is watched: declare one as a position, or under sources.treasury-wallets.treasuries")
    file = tmp_path / "owed.csv"
    file.write_text("metric,subject,source,at,known_at,value\ntreasury.liabilities_usd,protocol:aave-v3,x,2022-05-01,,1e9\n", encoding="utf-8")
    assert speak("import", file, store=tmp_path / "check.db").code == 0
    said = await checked(tmp_path, more=f"positions: [{perp}]")
    assert [line.split()[1] for line in said.out.splitlines() if line.startswith("quick-ratio")] == ["protocol:aave-v3", "no"]


async def test_machines_get_every_finding(tmp_path: Path) -> None:
    file = written(tmp_path, sources={"defillama": dead_url()})
    said = await asyncio.to_thread(speak, "check", "--json", config=file)
    answer = json.loads(said.out)
    assert (said.code, answer["ok"]) == (1, False)
    [llama] = [one for one in answer["findings"] if one["name"] == "defillama"]
    assert llama["state"] == "failed" and llama["remedy"] and llama["seconds"] >= 0
    assert {one["rule"] for one in answer["not_configured"]} >= {"macro-rising"}


async def test_a_store_that_is_none_fails_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "check.db").write_bytes(b"not a database, but long enough to look at" * 40)
    said = await checked(tmp_path)
    assert said.code == 1
    [line] = [line for line in said.out.splitlines() if line.startswith("failed")]
    assert "cannot be" in line


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "1e9"])
def test_a_deadline_that_is_none_is_a_usage_error(tmp_path: Path, timeout: str) -> None:
    assert speak("check", "--timeout", timeout, config=written(tmp_path, sources={})).code == 2


def test_a_configuration_that_does_not_read_is_exit_2_and_nothing_is_probed(tmp_path: Path) -> None:
    file = tmp_path / "hedge-monitor.yaml"
    file.write_text("sources:\n  binanse: {}\nbook:\n  capital: 5\n", encoding="utf-8")
    said = speak("check", config=file)
    assert said.code == 2 and said.out == ""
    assert f"{file}:2:" in said.err and f"{file}:4:" in said.err
