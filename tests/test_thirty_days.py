"""Thirty days of the daemon in virtual time: real feeds, collectors, engine, store and sender; only net, venues and clock are fakes."""

import asyncio
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any, ClassVar

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from monitor.app import configured_event, engine_settings
from monitor.collectors.bls import Bls
from monitor.collectors.defillama import DefiLlama
from monitor.collectors.us_calendar import UsCalendar
from monitor.config import Config
from monitor.config.model import RuleEntry
from monitor.core.book import Book, Position, Watch
from monitor.core.engine import Engine
from monitor.core.observation import Reading
from monitor.core.units import DAY, HOUR, MINUTE, iso, parse_time
from monitor.core.us_calendar import release_of
from monitor.daemon import Daemon
from monitor.errors import SourceError
from monitor.feeds import LiveFeed
from monitor.net import Response
from monitor.pipeline import Pipeline, Subscription
from monitor.registry import Catalogue
from monitor.sinks.sender import Sender
from monitor.sinks.webhook import WebhookChannel
from monitor.source import Collector, Harvest, Ports
from monitor.store.sqlite import SqliteStore
from tests.fakes import Call, FakeNet
from tests.virtual_time import VirtualClock, run_virtual

BEGIN = parse_time("2026-08-31T00:07:00Z")
DAYS = 30
DEAD_FROM, DEAD_UNTIL = BEGIN + 10 * DAY, BEGIN + 12 * DAY
LLAMA = "https://api.llama.fi"
RECEIVER = "https://receiver.test/hook"
ASSETS = ("ETH",)
VENUES = ("binance", "bybit", "okx")
SETTLED_MS = 8 * HOUR
BAR_MS = 4 * HOUR


def wave(at: int, days: float, size: float) -> float:
    """A slow swing around 1: a world that moves without ever alarming."""
    return 1.0 + size * math.sin(2 * math.pi * at / (days * DAY))


@dataclass(frozen=True, kw_only=True)
class Venue(Collector):
    """A venue as the real ones answer: settled funding, closed bars, the present state, most of it known already."""

    title: ClassVar[str] = "a venue"

    cadence: int = 30 * MINUTE
    back_ms: int = DAY
    bars: int = 2

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        metrics = ("funding.rate", "funding.interval_hours", "open_interest.usd", "perp.mark", "candle.4h.close")
        return frozenset((metric, asset) for metric in metrics for asset in watch.assets)

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        now = ports.clock.now_ms()
        return Harvest([reading for asset in watch.assets for reading in self.readings(asset, now)])

    def readings(self, asset: str, now: int) -> list[Reading]:
        price = 3000.0 * wave(now, 9, 0.02)
        present = [Reading("open_interest.usd", asset, 1e9 * wave(now, 3, 0.1), None), Reading("perp.mark", asset, price, now)]
        newest, settled = now // SETTLED_MS * SETTLED_MS, []
        for at in range(newest - self.back_ms, newest + 1, SETTLED_MS):
            settled.append(Reading("funding.rate", asset, 1e-4 * wave(at, 5, 0.3), at))
            settled.append(Reading("funding.interval_hours", asset, 8, at))
        closed = now // BAR_MS * BAR_MS - BAR_MS
        bars = [Reading("candle.4h.close", asset, 3000.0 * wave(at, 9, 0.02), at) for at in range(closed - self.bars * BAR_MS, closed + 1, BAR_MS)]
        return [*present, *settled, *bars]


class World(FakeNet):
    """What the real collectors find on the net, by the virtual clock; DefiLlama is dead for two days, the receiver accepts."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock
        self.answer("GET", LLAMA, self.alive(self.tvl))
        self.answer("GET", "https://coins.llama.fi/prices/current", self.alive(self.prices))
        self.answer("POST", "https://api.bls.gov", lambda call: self.prints())
        self.answer("GET", "https://www.bls.gov", SourceError("the calendar page is not reachable"))
        self.answer("GET", "https://www.federalreserve.gov", SourceError("the calendar page is not reachable"))
        self.answer("POST", RECEIVER, Response(204, {}, b""))

    def alive(self, body: Callable[[], object]) -> Callable[[Call], object]:
        def answered(call: Call) -> object:
            return SourceError("no route to host") if DEAD_FROM <= self._clock.now_ms() < DEAD_UNTIL else body()

        return answered

    def tvl(self) -> object:
        now = self._clock.now_ms()
        today = now // DAY * DAY
        days = [today - n * DAY for n in range(9, 0, -1)]
        return [{"date": at // 1000, "tvl": 6e10 * wave(at, 20, 0.02)} for at in days] + [{"date": today // 1000, "tvl": 6e10 * wave(now, 20, 0.02)}]

    def prices(self) -> object:
        now = self._clock.now_ms()
        coins = {"bitcoin": 90_000.0, "ethereum": 3000.0, "usd-coin": 1.0, "tether": 1.0, "dai": 1.0}
        return {
            "coins": {f"coingecko:{c}": {"price": p * wave(now, 9, 0.02), "timestamp": now // 1000, "confidence": 0.99} for c, p in coins.items()}
        }

    def prints(self) -> object:
        series = [{"seriesID": name, "data": self.months(event)} for name, event in (("CUUR0000SA0", "CPI"), ("WPUFD4", "PPI"))]
        return {"status": "REQUEST_SUCCEEDED", "message": [], "Results": {"series": series}}

    def months(self, event: str) -> list[dict[str, Any]]:
        rows = []
        for count in range(24, 0, -1):
            year, month = (2026 * 12 + 9 - count) // 12, (2026 * 12 + 9 - count) % 12 + 1
            release = release_of(event, parse_time(f"{year}-{month:02d}-01"))
            if release is not None and release.at_ms <= self._clock.now_ms():
                rows.append({"year": str(year), "period": f"M{month:02d}", "value": f"{300 * 1.002 ** (24 - count):.3f}", "footnotes": [{}]})
        return rows


def config_of(venues: dict[str, Venue]) -> Config:
    rules, gates = Catalogue().rules, Catalogue().gates
    return Config(
        book=Book(assets=ASSETS),
        positions=(Position(id="p1", kind="tokens", amounts={"ETH": 40}, exposed_to=("chain:ethereum",)),),
        sources={"defillama": DefiLlama(), "bls": Bls(), "us-calendar": UsCalendar(), **venues},
        rules={name: RuleEntry(cls()) for name, cls in rules.items()},
        gates={name: cls() for name, cls in gates.items()},
    )


@dataclass
class Month:
    """What is left of thirty days."""

    store: SqliteStore
    net: World
    daemon: Daemon
    sender: Sender
    tasks: list[int]
    polls: Counter[str]


async def live(clock: VirtualClock) -> Month:
    venues = {name: Venue() for name in VENUES}
    config, net, store = config_of(venues), World(clock), SqliteStore(":memory:")
    pipeline = Pipeline(Engine(Catalogue()), store, clock.now_ms, [Subscription("ops")])
    ports = Ports(net, clock, Random(1))
    daemon = Daemon(pipeline, LiveFeed(config.enabled_sources, ports, config.watch, pipeline.engine.due_at), clock)
    secret = SecretStr("whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    channel = WebhookChannel("ops", SecretStr(RECEIVER), secret, None, net, clock)
    sender = Sender(store.outbox, {"ops": channel}, clock, ports.rng, lambda failing: pipeline.report(failing, clock.now_ms()))
    polls: Counter[str] = Counter()
    pipeline.shows.append(sender.show)
    pipeline.shows.append(lambda event, effects: polls.update([getattr(event, "source", event.kind)]))
    past = Venue(back_ms=31 * DAY, bars=200)
    for name in venues:
        pipeline.receive([r for asset in ASSETS for r in past.readings(asset, clock.now_ms())], source=name, now=clock.now_ms())
    pipeline.process(configured_event(engine_settings(config), clock.now_ms()))
    polls.clear()
    loop, tasks = asyncio.get_running_loop(), []
    for day in range(1, DAYS):
        loop.call_at(day * 86_400, lambda: tasks.append(len(asyncio.all_tasks())))
    loop.call_at(DAYS * 86_400 - 1, daemon.stop)
    await daemon.run([sender.run], wind_up=lambda: sender.stop(5.0))
    return Month(store, net, daemon, sender, tasks, polls)


@pytest.fixture(scope="module")
def month() -> Month:
    with pytest.MonkeyPatch.context() as patch:
        # Both look around twice a second: ten million times a month, of which nothing depends.
        patch.setattr("monitor.daemon.INBOX_SECONDS", 600.0)
        patch.setattr("monitor.daemon.LAG_SECONDS", 600.0)
        began = time.perf_counter()
        with capture_logs():
            found = run_virtual(live, BEGIN)
        sys.stdout.write(f"thirty days took {time.perf_counter() - began:.1f} s\n")
        return found


def alerts(month: Month, kind: str) -> list[dict[str, Any]]:
    rows = month.store.connection.execute("SELECT body FROM alerts WHERE type = ? ORDER BY seq, n", (kind,))
    return [json.loads(body) for (body,) in rows]


def test_every_source_was_polled_at_its_cadence(month: Month):
    """A pass is an event, whether it brought news or not."""
    expected = {**dict.fromkeys(VENUES, 1440), "bls": 576, "us-calendar": 60}
    assert {name: month.polls[name] for name in expected} == pytest.approx(expected, rel=0.02)
    assert month.net.count("POST", "https://api.bls.gov") == month.polls["bls"]
    assert month.daemon.feed.crashes == {}  # type: ignore[attr-defined]  # the feed is the live one


def test_a_dead_source_is_asked_less_than_a_live_one_and_its_failure_logged_once(month: Month):
    dead = [call for call in month.net.calls if call.url.startswith(LLAMA)]
    assert len(dead) == pytest.approx(DAYS * 48, rel=0.03)
    assert month.store.connection.execute("SELECT count(*) FROM log WHERE kind = 'failed'").fetchone() == (1,)


def test_the_dead_source_was_told_and_healed_by_itself(month: Month):
    """INV-11, INV-12: source.down is told once, data.stale at once, and each is taken back without a human.

    The midnight after, the window still lacks the days that nobody was there for: a few minutes more of blindness are told too.
    """
    down, back = alerts(month, "source.down")
    assert down["summary"].startswith("Source defillama is down: ") and "no route to host" in down["summary"]
    assert back["summary"] == "Source defillama is back"
    assert DEAD_FROM < down["at"] <= DEAD_FROM + 2 * HOUR
    assert DEAD_UNTIL <= back["at"] <= DEAD_UNTIL + HOUR
    stale = [a for a in alerts(month, "data.stale") if a["at"] > DEAD_FROM and a["data"]["subject"] == "chain:ethereum"]
    assert {a["data"]["rule"] for a in stale} == {"tvl-drawdown"}
    assert [a["data"].get("resolved", False) for a in stale] == [False, True] * (len(stale) // 2)
    assert DEAD_FROM < stale[0]["at"] < DEAD_UNTIL <= stale[1]["at"] <= DEAD_UNTIL + HOUR


def test_there_is_one_heartbeat_a_day(month: Month):
    beats = [a["at"] for a in alerts(month, "heartbeat")]
    assert len(beats) == DAYS
    assert {b - a for a, b in pairwise(beats)} == {DAY}


def test_a_tick_an_hour_at_least_and_few_more(month: Month):
    ticks = [row[0] for row in month.store.connection.execute("SELECT now FROM log WHERE kind = 'tick' ORDER BY seq")]
    assert max(b - a for a, b in pairwise(ticks)) <= HOUR
    assert DAYS * 24 - 1 <= len(ticks) < DAYS * 24 * 12


def test_every_alert_was_delivered_once_and_nothing_is_left(month: Month):
    """INV-1 and INV-3: with a receiver that accepts there is one copy of each, and an empty outbox."""
    sent = [call.headers["webhook-id"] for call in month.net.calls if call.url == RECEIVER]
    told = [row[0] for row in month.store.connection.execute("SELECT id FROM alerts")]
    assert sorted(sent) == sorted(told) and len(set(sent)) == len(sent)
    assert month.store.outbox.backlog() == (0, None)
    assert month.sender.deliveries == {("ops", "delivered"): len(told)}


def test_nothing_grows(month: Month):
    """INV-10: the same tasks on every day, nothing left after the stop."""
    assert len(month.tasks) == DAYS - 1 and len(set(month.tasks)) == 1


def test_the_rules_were_judged_to_the_end(month: Month):
    states = {f"{rule}/{subject}": str(v.state) for (rule, subject), v in month.daemon.pipeline.engine.state.verdicts.items()}
    assert states == {
        "funding-spike/ETH": "QUIET",
        "macd-rsi-scaling/ETH": "QUIET",
        "macro-rising/US": "QUIET",
        "tvl-drawdown/chain:ethereum": "QUIET",
        "defi-layer/chain:ethereum": "QUIET",
    }, iso(month.daemon.pipeline.engine.now)
