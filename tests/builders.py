"""Small builders for tests of the brain: series, markets, views, settings and engines over the real plug-ins."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from monitor.core.codec import plain
from monitor.core.effects import Effect, Judged
from monitor.core.engine import Engine
from monitor.core.events import Batch, Configured, Event
from monitor.core.market import Market
from monitor.core.observation import Observation
from monitor.core.proposal import Proposal
from monitor.core.rule import Class, Gate, Rule
from monitor.core.settings import Settings, read_settings
from monitor.core.state import State
from monitor.core.units import DAY, HOUR, parse_time
from monitor.core.verdict import Evidence
from monitor.core.view import View
from monitor.core.vocabulary import default_known_at, find_metric
from monitor.registry import build, plugins

START = parse_time("2024-03-04T00:00:00Z")


def seen(metric: str, subject: str, value: float, at: int = START, source: str = "s1", known_at: int | None = None) -> Observation:
    """One observation; `known_at` by the metric's own rule, else its own instant."""
    row = find_metric(metric)
    by_rule = default_known_at(row, at) if row is not None else at
    known = known_at if known_at is not None else (by_rule if by_rule is not None else at)
    held = value if row is not None and row.exact else float(value)
    return Observation(metric, subject, source, at, known, held)


def series(metric: str, subject: str, values: Iterable[float], *, end: int = START, step_ms: int = HOUR, source: str = "s1") -> list[Observation]:
    """Evenly spaced observations of which the last is at `end`."""
    listed = list(values)
    first = end - step_ms * (len(listed) - 1)
    return [seen(metric, subject, value, first + i * step_ms, source) for i, value in enumerate(listed)]


def funding(
    yearly: Iterable[float], *, venue: str, hours: float = 8, end: int = START, asset: str = "BTC", interval: bool = True
) -> list[Observation]:
    """Settled funding as rates a year, paid every `hours`, with its interval unless that is left out."""
    step_ms = round(hours * HOUR)
    rates = series("funding.rate", asset, [y * hours / 8760 for y in yearly], end=end, step_ms=step_ms, source=venue)
    stated = [seen("funding.interval_hours", asset, hours, r.at, venue) for r in rates if interval]
    return [*rates, *stated]


def market_of(*observations: Observation) -> Market:
    market = Market()
    for observation in observations:
        market.put(observation)
    return market


def view_of(*observations: Observation, now: int = START, state: State | None = None, settings: Mapping[str, Any] | None = None) -> View:
    """What a rule or a gate sees at `now`."""
    return View(market_of(*observations), state or State(), now, read_settings(settings or {}))


class RealPlugins:
    """The catalogue over the plug-ins of the package, with test-made ones in front of them."""

    def __init__(self, *made: type[Rule] | type[Gate]) -> None:
        self.rules = {**plugins("monitor.rules", Rule), **{cls.id: cls for cls in made if issubclass(cls, Rule)}}
        self.gates = {**plugins("monitor.gates", Gate), **{cls.id: cls for cls in made if issubclass(cls, Gate)}}

    def rule(self, rule_id: str, settings: Mapping[str, Any]) -> Rule:
        rule: Rule = build(self.rules[rule_id], dict(settings))
        return rule

    def gate(self, gate_id: str, settings: Mapping[str, Any]) -> Gate:
        gate: Gate = build(self.gates[gate_id], dict(settings))
        return gate


def settings_of(*, rules: Sequence[str] = (), gates: Sequence[str] = (), **others: Any) -> dict[str, Any]:
    """Settings as a `Configured` event carries them; no heartbeat unless asked for."""
    enabled: dict[str, Any] = {"rules": {name: {} for name in rules}, "gates": {name: {} for name in gates}}
    return {"heartbeat_ms": 0, **enabled, **others}


def engine_of(settings: Mapping[str, Any], *made: type[Rule] | type[Gate], now: int = START) -> Engine:
    """An engine that has just been configured."""
    engine = Engine(RealPlugins(*made))
    engine.apply(Configured(now, settings))
    return engine


def batches(observations: Iterable[Observation]) -> list[Event]:
    """One batch per instant of becoming known and per source, in order of time: how history would have come in live."""
    grouped: dict[tuple[int, str], list[Observation]] = {}
    for observation in sorted(observations, key=lambda o: (o.known_at, o.source, o.at, o.metric, o.subject)):
        grouped.setdefault((observation.known_at, observation.source), []).append(observation)
    return [Batch(now, source, tuple(rows)) for (now, source), rows in grouped.items()]


def play(engine: Engine, events: Iterable[Event]) -> list[Effect]:
    """Apply the events in order; every effect, in order."""
    return [effect for event in events for effect in engine.apply(event)]


def judged(effects: Iterable[Effect], rule: str | None = None) -> list[tuple[int, str, str, str]]:
    """(at, rule, subject, state) of the recorded verdicts."""
    return [(e.at, e.rule, e.subject, str(e.verdict.state)) for e in effects if isinstance(e, Judged) and rule in (None, e.rule)]


def proposal_of(**changes: Any) -> Proposal:
    """A plausible proposal of a top-up of 1000 USD."""
    base: dict[str, Any] = {
        "rule": "funding-spike", "subject": "BTC", "position": "p1", "kind": Class.EVIDENCE, "tier": "short", "action": "top_up",
        "instrument": "top_up", "asset": "USDC", "notional_usd": 1000.0, "capital_usd": 1000.0, "cost_usd": 1.0, "cost_source": "test",
        "horizon_ms": 7 * DAY, "position_value_usd": 4000.0, "episode_since": START,
    }  # fmt: skip
    return Proposal(**{**base, **changes})


def evidence_of(observation: Observation) -> Evidence:
    o = observation
    return Evidence(o.metric, o.subject, o.source, o.at, o.known_at, o.value)


def same(left: Iterable[Effect], right: Iterable[Effect]) -> bool:
    """Whether effects are equal, to the byte."""
    return [plain(e) for e in left] == [plain(e) for e in right]


__all__ = ["DAY", "HOUR", "START", "Settings"]
