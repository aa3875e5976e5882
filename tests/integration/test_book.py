"""The book of a running daemon: liquidity and a loan on a private chain, a perpetual on a venue; what `status` says of it, by the contracts."""

import csv
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from monitor.core.amm import sqrt_ratio_at_tick
from tests.integration import aave
from tests.integration.anvil import started
from tests.integration.daemons import Running, command, daemon
from tests.integration.uniswap import Uniswap, deploy
from tests.integration.watching import HOUR_SECONDS, come_to_now, due, settings

HOLDER = "0x1111111111111111111111111111111111111111"
ETH_USD, USDC_USD = 2000.0, 1.0
TICK = 200_310
"""Of 2,000 USDC of 6 decimals for 1 ETH of 18, counted in ETH per USDC."""
HALF_HOUR, DAY = 1_800_000, 86_400_000


META = {"universe": [{"name": "ETH", "szDecimals": 4, "maxLeverage": 25}]}
HELD = {
    "coin": "ETH", "szi": "-3.0", "leverage": {"type": "isolated", "value": 4, "rawUsd": "7600.0"}, "entryPx": "2100.0", "positionValue": "6000.0",
    "unrealizedPnl": "300.0", "returnOnEquity": "0.2", "liquidationPx": "2483.66", "marginUsed": "1600.0", "maxLeverage": 25,
    "cumFunding": {"allTime": "-12.5", "sinceOpen": "-12.5", "sinceChange": "0.0"},
}  # fmt: skip


def account() -> dict[str, Any]:
    """One short of 3 ETH, as Hyperliquid tells it now."""
    sums = {"accountValue": "1600.0", "totalNtlPos": "6000.0", "totalRawUsd": "7600.0", "totalMarginUsed": "1600.0"}
    nothing = dict.fromkeys(sums, "0.0")
    return {
        "marginSummary": sums, "crossMarginSummary": nothing, "crossMaintenanceMarginUsed": "0.0", "withdrawable": "0.0",
        "assetPositions": [{"type": "oneWay", "position": HELD}], "time": int(time.time() * 1000),
    }  # fmt: skip


@contextmanager
def venue() -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(META if question["type"] == "meta" else account()).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/info"
    finally:
        server.shutdown()
        thread.join()


def history(file: Path) -> None:
    """Two hours of prices by two sources, a hundred days of candles that swing by 4%, and an implied volatility."""
    now = int(time.time() * 1000)
    rows = [("iv.index", "ETH", "deribit", now - HALF_HOUR * n, 70.0) for n in range(5)]
    for source in ("desk-a", "desk-b"):
        for asset, usd in (("ETH", ETH_USD), ("USDC", USDC_USD)):
            rows += [("price.usd", asset, source, now - HALF_HOUR * n, usd) for n in range(5)]
    today = now - now % DAY
    for n in range(100, 0, -1):
        close, high, low = ETH_USD * (1 + 0.02 * (-1) ** n), ETH_USD * 1.03, ETH_USD * 0.97
        parts = {"open": ETH_USD, "high": high, "low": low, "close": close, "volume": 1000.0}
        rows += [(f"candle.1d.{part}", "ETH", "desk-a", today - n * DAY, value) for part, value in parts.items()]
    with file.open("w", newline="") as out:
        lines = csv.writer(out)
        lines.writerow(["metric", "subject", "source", "at", "known_at", "value"])
        lines.writerows([metric, subject, source, at, "", value] for metric, subject, source, at, value in rows)


def configuration(world: Uniswap, market: aave.Aave, token_id: int, borrower: str, venue_url: str) -> str:
    assets = "[USDC, ETH]" if world.tokens[0].read("decimals") == 6 else "[ETH, USDC]"
    return f"""
book: {{capital: 100_000 USD}}
chains: {{anvil: {{rpc: "{world.chain.url}", chain_id: {world.chain.chain_id}}}}}
positions:
  - {{id: lp, kind: uniswap-v3, chain: anvil, token_id: {token_id}, assets: {assets}}}
  - {{id: loan, kind: aave-v3, chain: anvil, account: "{borrower}", assets: [WETH, USDC]}}
  - {{id: short, kind: perp, asset: ETH, venue: hyperliquid, account: "{HOLDER}"}}
sources:
  uniswap-v3: {{managers: {{anvil: "{world.manager.address}"}}}}
  aave-v3: {{providers: {{anvil: "{market.provider.address}"}}, cadence: 1s}}
  hyperliquid-account: {{endpoint: "{venue_url}", cadence: 1s}}
"""


@dataclass(frozen=True)
class Told:
    """A daemon that has valued everything, the contracts, and the two ways to ask it."""

    running: Running
    world: Uniswap
    market: aave.Aave
    token_id: int
    borrower: str
    arguments: tuple[str, ...]

    def status(self, *more: str) -> str:
        said = command(*self.arguments, "status", *more, env=settings())
        assert said.returncode == 0, said.stderr
        return said.stdout

    def model(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.status("--json"))
        return found


@pytest.fixture(scope="module")
def told(anvil: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("book")
    with started(anvil, "--timestamp", str(int(time.time()) - HOUR_SECONDS)) as chain, venue() as url:
        world = deploy(chain, lambda decimals0, _: sqrt_ratio_at_tick(TICK if decimals0 == 6 else -TICK))
        here = TICK if world.tokens[0].read("decimals") == 6 else -TICK
        lower, upper = (60 * round((here + away) / 60) for away in (-6000, 6000))
        token_id = world.mint(lower, upper, 20 * 10**18)
        for sells_first in (True, False, True):
            world.swap(sells_first, 10**8 if sells_first is (here > 0) else 5 * 10**16)
        market = aave.deploy(chain)
        lender, borrower = market.users[:2]
        market.supply(lender, "USDC", 100_000 * 10**6)
        market.supply(borrower, "WETH", 5 * 10**18)
        market.borrow(borrower, "USDC", 4_000 * 10**6)
        come_to_now(world)
        market.refresh()
        # A chain that stands still is a chain that is not heard.
        chain.change("evm_setIntervalMining", 1)
        file, store, rows = folder / "mine.yaml", folder / "store.db", folder / "rows.csv"
        file.write_text(configuration(world, market, token_id, borrower, url))
        file.chmod(0o600)
        history(rows)
        arguments = ("--config", str(file), "--store", f"sqlite:///{store}")
        taken = command(*arguments, "import", str(rows), env=settings())
        assert taken.returncode == 0, taken.stderr
        with daemon(folder, *arguments, "run", env=settings()) as running:
            running.wait_for(lambda: all("value_usd" in row for row in running.get("/api/v1/positions")["positions"]), 60)
            yield Told(running, world, market, token_id, borrower, arguments)


def test_the_whole_book_stands_in_status_by_the_contracts_own_numbers(told: Told) -> None:
    model = told.model()
    lp, loan, short = model["positions"]
    exact = due(told.world, told.token_id, lp["block_hash"])
    assert {name: lp[name] for name in exact} == exact
    assert (lp["range"]["state"], lp["range"]["unit"]) == ("inside", "USDC per ETH")
    assert lp["range"]["price"] == pytest.approx(ETH_USD, rel=0.01)
    assert lp["gamma_usd"]["ETH"] < 0 < lp["fees"]["uncollected_usd"]
    data = told.market.pool.read("getUserAccountData", told.borrower)
    assert loan["health_factor"] == pytest.approx(data[5] / 10**18, rel=1e-4)
    assert loan["value_usd"] == pytest.approx((data[0] - data[1]) / 10**8, rel=1e-4)
    [eth] = [one for one in loan["liquidations"] if one["asset"] == "ETH"]
    threshold, debt = data[3] / 10**4, data[1] / 10**8
    assert (eth["side"], eth["price_usd"]) == ("below", pytest.approx(debt / (5 * threshold), rel=1e-4))
    assert (short["amounts"], short["value_usd"]) == ({"ETH": -3.0}, pytest.approx(1600.0))
    assert [one["side"] for one in short["liquidations"]] == ["above"]


def test_the_book_is_the_sum_of_its_positions(told: Told) -> None:
    model = told.model()
    book, positions = model["book"], model["positions"]
    assert book["equity_usd"] == pytest.approx(sum(one["value_usd"] for one in positions))
    assert book["net_delta_usd"]["ETH"] == pytest.approx(sum(one["delta_usd"]["ETH"] for one in positions))
    risk = book["risk"]
    assert risk["stress"]["loss_usd"] == risk["stress"]["protected_loss_usd"]
    assert 0 < risk["historical"]["var_95_usd"] <= risk["historical"]["es_99_usd"]
    assert risk["scenario"]["worst"] == "2020-03-12"
    assert set(risk["unknown"]) == {"beta"}


def test_status_reads_as_plain_sentences(told: Told) -> None:
    text = told.status()
    for words in (
        "Equity ", "Net delta: ETH ", "sigma in 7 days would cost", "In range: ", "Fees: ", "Health factor ", "Liquidated with ETH below ",
        "Liquidated with ETH above 2,483.66 USD",
    ):  # fmt: skip
        assert words in text, text


def test_a_price_that_leaves_the_range_is_seen_and_the_position_keeps_its_worth(told: Told) -> None:
    here = told.world.pool.read("slot0")[1]
    told.world.swap_to(here + 7000)

    def out() -> dict[str, Any] | None:
        lp: dict[str, Any] = told.running.get("/api/v1/positions")["positions"][0]
        return lp if lp.get("range", {}).get("state") in {"above", "below"} else None

    lp = told.running.wait_for(out, 30)
    assert lp["value_usd"] > 0
    assert sum(amount in {"0"} for amount in (lp["amount0"], lp["amount1"])) == 1
    assert "it earns no fees" in told.status()
