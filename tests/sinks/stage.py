"""A stage for the face: a real engine played through synthetic weeks, so that every part of the page has something true to show.

The story ends with TVL falling under a rising CPI: one layer is proposed, one is refused by a gate, a dead source has blinded a rule.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from monitor.core.engine import Engine
from monitor.core.events import Batch, Configured, Event, Failed, Signal, Tick
from monitor.core.observation import Observation
from monitor.core.proposal import Proposal
from monitor.core.rule import Gate, Rule, Ruling, blocks, passes
from monitor.core.units import DAY, HOUR, parse_time
from monitor.core.view import View
from monitor.registry import build, plugins
from monitor.sinks.chart import Chart
from monitor.sinks.decisions import Decisions
from monitor.sinks.facts import AlertFact, ShellFacts, Story, Timings

START = parse_time("2022-04-28T00:00:00Z")
FALL = START + 10 * DAY
END = START + 12 * DAY
HISTORY_DAYS = 120
BLOCK = "0x" + "5c" * 32
WETH, USDC = int("c02aaa39b223fe8d0a0e5c4f27ead9083c756cc2", 16), int("a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", 16)
CPI = {"2021-02": 263.014, "2021-03": 264.877, "2021-04": 267.054, "2022-02": 283.716, "2022-03": 287.504, "2022-04": 289.8}


@dataclass(frozen=True, kw_only=True)
class Blackout(Gate):
    """Stands in for a gate: refuses layers for one position."""

    id: ClassVar[str] = "macro-blackout"
    title: ClassVar[str] = "No new layer around CPI, PPI and FOMC"
    refuses: str = "wallet"

    def judge(self, view: View, proposal: Proposal) -> Ruling:
        if proposal.position == self.refuses:
            return blocks("the CPI of 2022-05-11 is 11.5 h away; the window is open until 2 h after it")
        return passes("no release within 24 h")


@dataclass(frozen=True, kw_only=True)
class Cap(Gate):
    """Stands in for the session cap: it has the name that the view model reads its room by."""

    id: ClassVar[str] = "session-cap"
    title: ClassVar[str] = "At most 25% of the defined-risk capital in new layers a day"
    share: float = 0.25

    def judge(self, view: View, proposal: Proposal) -> Ruling:
        return passes(f"{proposal.capital_usd:,.0f} USD of new capital is within today's room")


Blackout.id, Cap.id = "macro-blackout", "session-cap"


class StageCatalogue:
    """The real rules, and the stand-in gates."""

    def rule(self, rule_id: str, settings: Mapping[str, Any]) -> Rule:
        rule: Rule = build(plugins("monitor.rules", Rule)[rule_id], dict(settings))
        return rule

    def gate(self, gate_id: str, settings: Mapping[str, Any]) -> Gate:
        return build({"macro-blackout": Blackout, "session-cap": Cap}[gate_id], dict(settings))


def settings(**changed: Any) -> dict[str, Any]:
    """A book of an LP, a wallet and a perp, under the three rules of the first trigger."""
    chain = {"chain": "ethereum", "token_id": 204811, "exposed_to": ["protocol:anchor"]}
    plain: dict[str, Any] = {
        "book": {"capital": 250_000, "mode": "steward"},
        "positions": [
            {"id": "eth-usdc", "kind": "uniswap-v3", **chain},
            {"id": "wallet", "kind": "tokens", "amounts": {"ETH": 22, "USDC": 30_000}, "exposed_to": ["protocol:uniswap-v3"]},
            {"id": "btc-short", "kind": "perp", "asset": "BTC", "size": -0.6},
        ],
        "tvl_subjects": ["chain:ethereum"],
        "rules": {"tvl-drawdown": {}, "macro-rising": {}, "defi-layer": {}},
        "gates": {"macro-blackout": {}, "session-cap": {}},
        "sources": {
            "defillama": {
                "cadence_ms": HOUR,
                "required": True,
                "provides": [["tvl.usd", "chain:ethereum"], ["tvl.usd", "protocol:uniswap-v3"]],
            },
            "anchor-feed": {"cadence_ms": HOUR, "provides": [["tvl.usd", "protocol:anchor"]]},
            "binance": {"cadence_ms": HOUR, "required": True, "provides": [["funding.rate", "ETH"], ["perp.mark", "ETH"]]},
            "okx": {"cadence_ms": HOUR, "provides": [["funding.rate", "ETH"], ["perp.mark", "ETH"]]},
            "ethereum": {"cadence_ms": HOUR, "provides": [["position.liquidity", "eth-usdc"]]},
            "bls": {"cadence_ms": DAY, "provides": [["macro.cpi", "US"]]},
        },
    }
    return {**plain, **changed}


@dataclass
class Stage:
    """The engine with what the shell would keep beside it."""

    engine: Engine = field(default_factory=lambda: Engine(StageCatalogue()))
    decisions: Decisions = field(default_factory=Decisions)
    chart: Chart = field(default_factory=Chart)
    timings: Timings = field(default_factory=Timings)

    def apply(self, event: Event) -> None:
        self.decisions.note(self.engine.apply(event))
        self.timings.observe(0.0008)

    def facts(self, **changed: Any) -> ShellFacts:
        made: dict[str, Any] = {
            "wall_now_ms": self.engine.now + 1,
            "started_at": self.engine.now - 90_000,
            "version": "0.1.0",
            "notice": "This is a played story: prices and TVL are recorded, the book is invented.",
            "story": Story(START, START + 14 * DAY, 4800.0, "May 2022"),
            "outbox_pending": 1,
            "outbox_oldest_seconds": 2.5,
            "deliveries": {("ops", "delivered"): 7, ("ops", "failed"): 1},
            "alerts": (
                AlertFact("msg_2", self.engine.now - HOUR, "layer.proposed", "warning", "Proposed a short perp", "pending", "ops"),
                AlertFact("msg_1", self.engine.now - 2 * HOUR, "trigger.fired", "warning", "tvl-drawdown fired", "delivered", "ops"),
            ),
            "alerts_by_type": dict(self.decisions.alerts_by_type),
            "decisions": self.decisions.recent(),
            "decision_seconds": self.timings,
            "loop_lag_seconds": 0.0004,
            "collect_seconds": {"binance": 0.21, "defillama": 0.09},
            "chart": self.chart.draw(self.engine, self.decisions.marks()),
        }
        return ShellFacts(**{**made, **changed})


def play(stage: Stage | None = None, end: int = END, step: int = HOUR) -> Stage:
    """Play from the beginning to `end`: history in one batch, then one pass of every source an hour."""
    stage = stage or Stage()
    stage.apply(Configured(START, settings()))
    stage.apply(Batch(START, "defillama", tuple(tvl_history("defillama", ("chain:ethereum", "protocol:uniswap-v3")))))
    stage.apply(Batch(START, "anchor-feed", tuple(tvl_history("anchor-feed", ("protocol:anchor",)))))
    stage.apply(Batch(START, "binance", tuple(funding_history("binance", 0.00006))))
    stage.apply(Batch(START, "okx", tuple(funding_history("okx", 0.00004))))
    stage.apply(Batch(START, "bls", tuple(prints(START))))
    for now in range(START, end + 1, step):
        hour(stage, now)
    return stage


def hour(stage: Stage, now: int) -> None:
    """One pass of every source, in the order of their names."""
    dead = now > END - 9 * HOUR
    if dead:
        stage.apply(Failed(now, "anchor-feed", "HTTP 503 from the gateway, 3 tries"))
    else:
        stage.apply(Batch(now, "anchor-feed", (tvl(now, "protocol:anchor", "anchor-feed"),)))
    stage.apply(Batch(now, "binance", (*marks(now, "binance"), *funding(now, "binance", 0.00006))))
    stage.apply(Batch(now, "bls", tuple(prints(now))))
    subjects = ("chain:ethereum", "protocol:uniswap-v3")
    stage.apply(Batch(now, "defillama", tuple(tvl(now, subject, "defillama") for subject in subjects)))
    stage.apply(Batch(now, "ethereum", tuple(position(now)), rejected=1 if now == FALL else 0))
    stage.apply(Batch(now, "okx", (*marks(now, "okx"), *funding(now, "okx", 0.00004))))
    stage.apply(Tick(now))


def approve_all(stage: Stage, actor: str = "alice") -> None:
    """Approve and activate every proposed layer."""
    for layer in [one for one in stage.engine.state.ledger if one.state == "proposed"]:
        for action in ("approve", "activate"):
            stage.apply(Signal(stage.engine.now, f"{action}-{layer.id}", actor, action, layer.id))


def price(now: int, asset: str = "ETH") -> float:
    """A price that drifts for ten days and then falls by a quarter."""
    hours = (now - START) / HOUR
    fallen = 1 - 0.22 * _progress(now)
    base = 2_900.0 if asset == "ETH" else 39_500.0
    return base * fallen * (1 + 0.012 * math.sin(hours / 9) + 0.006 * math.sin(hours / 2.3))


def tvl(now: int, subject: str, source: str) -> Observation:
    scale = {"chain:ethereum": 6.4e10, "protocol:anchor": 1.3e10}.get(subject, 6.6e9)
    depth = {"chain:ethereum": 0.075, "protocol:anchor": 0.03}.get(subject, 0.19)
    hours = (now - START) / HOUR
    value = scale * (1 - depth * _progress(now)) * (1 + 0.004 * math.sin(hours / 7) + 0.0015 * math.sin(hours / 1.7))
    return Observation("tvl.usd", subject, source, now, now, value)


def _progress(now: int) -> float:
    """0 before the fall, 1 two days after it began, and smooth between."""
    share = min(1.0, max(0.0, (now - FALL) / (2 * DAY)))
    return share * share * (3 - 2 * share)


def tvl_history(source: str, subjects: tuple[str, ...]) -> list[Observation]:
    times = range(START - HISTORY_DAYS * DAY, START, HOUR)
    return [tvl(at, subject, source) for subject in subjects for at in times]


def marks(now: int, source: str) -> tuple[Observation, ...]:
    names = (("perp.mark", "ETH"), ("perp.mark", "BTC"), ("price.usd", "USDC"))
    values = (price(now), price(now, "BTC"), 0.9998)
    return tuple(Observation(m, a, source, now, now, v) for (m, a), v in zip(names, values, strict=True))


def funding(now: int, source: str, rate: float) -> tuple[Observation, ...]:
    if now % (8 * HOUR):
        return ()
    return tuple(o for a in ("ETH", "BTC") for o in _payment(now, source, a, rate * (1 - 2.2 * _progress(now))))


def funding_history(source: str, rate: float) -> list[Observation]:
    times = range(START - 40 * DAY, START, 8 * HOUR)
    return [o for at in times for asset in ("ETH", "BTC") for o in _payment(at, source, asset, rate)]


def _payment(at: int, source: str, asset: str, rate: float) -> tuple[Observation, ...]:
    return (
        Observation("funding.interval_hours", asset, source, at, at, 8.0),
        Observation("funding.rate", asset, source, at, at, rate),
    )


def prints(now: int) -> list[Observation]:
    """CPI levels known by `now`: a month's print comes on the 12th of the next, and April's, on 2022-05-08, is above March's."""
    known = []
    for month, level in CPI.items():
        at = parse_time(f"{month}-01")
        released = at + 41 * DAY if month != "2022-04" else FALL - 2 * DAY
        known.append(Observation("macro.cpi", "US", "bls", at, released, level + (3.2 if month == "2022-04" else 0)))
    return [one for one in known if one.known_at <= now]


def position(now: int) -> list[Observation]:
    """An LP whose ETH grows as its price falls."""
    spot = price(now)
    amount0 = int(31 * 10**18 * (2_900 / spot) ** 1.4)
    amount1 = int(84_000 * 10**6 * (spot / 2_900) ** 1.6)
    numbers = {
        "liquidity": 4_512_889_014_577_332_118, "amount0": amount0, "amount1": amount1, "fees0": 412 * 10**15, "fees1": 1_180 * 10**6,
        "token0": WETH, "token1": USDC, "decimals0": 18, "decimals1": 6,
        "sqrt_price_x96": math.isqrt((int(spot * 10**6) << 192) // 10**18), "tick": math.floor(math.log(spot * 1e-12, 1.0001)),
        "tick_lower": -207_240, "tick_upper": -188_040,
    }  # fmt: skip
    return [Observation(f"position.{name}", "eth-usdc", "ethereum", now, now, value, BLOCK) for name, value in numbers.items()]
