"""Prometheus exposition: a projection of the view model. Nothing is kept between scrapes, so a gauge does not outlive its fact.

Labels come from the configuration alone, are made printable, and are counted: a series too many is dropped and counted, never served.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from monitor.core.text import safe_text
from monitor.core.verdict import State as Truth

PREFIX = "hedge_monitor_"
MOST_SERIES = 5000
LABEL_CHARACTERS = 128
HISTOGRAM = "decision_seconds"
DROPPED = "series_dropped"
CODES = {Truth.QUIET: 0, Truth.FIRED: 1, Truth.UNKNOWN: 2, Truth.NOT_CONFIGURED: 3}
Model = Mapping[str, Any]
Row = tuple[Mapping[str, str], float]


class Exposition(Collector):
    """`exposition()` gives the bytes of one scrape."""

    def __init__(self, snapshot: Callable[[], Model], most_series: int = MOST_SERIES) -> None:
        self._snapshot, self._most_series = snapshot, most_series
        self._dropped = 0
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def __call__(self) -> bytes:
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Nothing beforehand: what is served depends on what is known."""
        return []

    def collect(self) -> Iterator[Metric]:
        model = self._snapshot()
        left = self._most_series
        for name, (help_text, labels, rows) in GAUGES.items():
            family = GaugeMetricFamily(PREFIX + name, help_text, labels=labels)
            left -= self._fill(family, labels, list(rows(model)), left)
            yield from _unless_empty(family)
        for name, (help_text, labels, rows) in COUNTERS.items():
            counter = CounterMetricFamily(PREFIX + name, help_text, labels=labels)
            left -= self._fill(counter, labels, list(rows(model)), left)
            yield from _unless_empty(counter)
        yield from _histogram(model)
        help_text = "series left out of scrapes: too many, or the same name twice"
        yield CounterMetricFamily(PREFIX + DROPPED, help_text, value=self._dropped)

    def _fill(self, family: GaugeMetricFamily | CounterMetricFamily, labels: tuple[str, ...], rows: list[Row], left: int) -> int:
        """Add the rows that there is room for; two labels that look the same once printable are one series, and the first one stays."""
        seen: set[tuple[str, ...]] = set()
        for named, value in rows:
            values = tuple(safe_text(named[label], LABEL_CHARACTERS) for label in labels)
            if values in seen or len(seen) >= left:
                self._dropped += 1
                continue
            seen.add(values)
            family.add_metric(values, value)
        return len(seen)


def _unless_empty(family: Metric) -> Iterator[Metric]:
    if family.samples:
        yield family


def _histogram(model: Model) -> Iterator[Metric]:
    timings = model["health"].get("decision_seconds")
    if timings is not None:
        help_text = "time from an event to its decisions being recorded"
        yield HistogramMetricFamily(PREFIX + HISTOGRAM, help_text, buckets=timings["buckets"], sum_value=timings["sum"])


def _one(section: str, key: str) -> Callable[[Model], Iterator[Row]]:
    def rows(model: Model) -> Iterator[Row]:
        if key in model[section]:
            yield {}, model[section][key]

    return rows


def _each(section: str, key: str, **labels: str) -> Callable[[Model], Iterator[Row]]:
    """A row for each element of a section that has `key`; `labels` maps label to field."""

    def rows(model: Model) -> Iterator[Row]:
        for one in model[section]:
            if key in one:
                yield {label: one[name] for label, name in labels.items()}, float(one[key])

    return rows


def _market(section: str, key: str, *labels: str) -> Callable[[Model], Iterator[Row]]:
    def rows(model: Model) -> Iterator[Row]:
        for one in model["markets"][section]:
            if key in one:
                yield {label: one[label] for label in labels}, one[key]

    return rows


def _sources(key: str) -> Callable[[Model], Iterator[Row]]:
    """Configured sources alone: the source names of an imported file are foreign text."""

    def rows(model: Model) -> Iterator[Row]:
        for one in model["sources"]:
            if one["configured"] and key in one:
                yield {"source": one["id"]}, float(one[key])

    return rows


def _states(model: Model) -> Iterator[Row]:
    for one in model["triggers"]:
        yield {"rule": one["rule"], "subject": one["subject"]}, CODES[Truth(one["verdict"])]


def _notional(model: Model) -> Iterator[Row]:
    sums: dict[tuple[str, str, str], float] = {}
    for one in model["layers"]:
        if one["live"]:
            key = (one["position"], one["tier"], one["state"])
            sums[key] = sums.get(key, 0.0) + one["notional_usd"]
    for (position, tier, state), usd in sums.items():
        yield {"position": position, "tier": tier, "state": state}, usd


def _session(model: Model) -> Iterator[Row]:
    session = model["book"].get("session")
    if session is not None:
        yield {"scope": "session"}, session["left_ratio"]


def _deltas(model: Model) -> Iterator[Row]:
    for one in model["positions"]:
        for asset, usd in one.get("delta_usd", {}).items():
            yield {"position": one["id"], "asset": asset}, usd


def _gammas(model: Model) -> Iterator[Row]:
    for one in model["positions"]:
        if gammas := one.get("gamma_usd"):
            yield {"position": one["id"]}, max(gammas.values(), key=abs)


def _part(part: str, key: str) -> Callable[[Model], Iterator[Row]]:
    def rows(model: Model) -> Iterator[Row]:
        for one in model["positions"]:
            if key in one.get(part, {}):
                yield {"position": one["id"]}, one[part][key]

    return rows


def _risk(model: Model) -> Mapping[str, Any]:
    found: Mapping[str, Any] = model["book"].get("risk", {})
    return found


def _by_asset(key: str) -> Callable[[Model], Iterator[Row]]:
    def rows(model: Model) -> Iterator[Row]:
        for asset, greeks in _risk(model).get("greeks", {}).items():
            if key in greeks:
                yield {"asset": asset}, greeks[key]

    return rows


def _net_delta(model: Model) -> Iterator[Row]:
    for asset, usd in model["book"].get("net_delta_usd", {}).items():
        yield {"asset": asset}, usd


def _stress(model: Model) -> Iterator[Row]:
    if (stress := _risk(model).get("stress")) is not None:
        yield {"layers": "without"}, stress["loss_usd"]
        yield {"layers": "with"}, stress["protected_loss_usd"]


def _tails(kind: str) -> Callable[[Model], Iterator[Row]]:
    def rows(model: Model) -> Iterator[Row]:
        for method in ("historical", "scenario"):
            for level in ("95", "99"):
                if method in _risk(model):
                    yield {"method": method, "level": level}, _risk(model)[method][f"{kind}_{level}_usd"]

    return rows


def _collected(model: Model) -> Iterator[Row]:
    configured = {one["id"] for one in model["sources"] if one["configured"]}
    for source, seconds in model["health"]["collect_seconds"].items():
        if source in configured:
            yield {"source": source}, seconds


def _build(model: Model) -> Iterator[Row]:
    yield {"version": model["now"]["version"], "rule_set": model["now"]["rule_set"]}, 1.0


def _deliveries(model: Model) -> Iterator[Row]:
    for one in model["health"]["deliveries"]:
        yield {"channel": one["channel"], "outcome": one["outcome"]}, one["count"]


def _alerts(model: Model) -> Iterator[Row]:
    for kind, count in model["health"]["alerts_by_type"].items():
        yield {"type": kind}, count


Table = dict[str, tuple[str, tuple[str, ...], Callable[[Model], Iterator[Row]]]]
GAUGES: Table = {
    "build_info": ("1, labelled with the program's version and the hash of the rule set in force", ("version", "rule_set"), _build),
    "price_usd": ("price that decides: a median of sources, or a mean over 30 minutes", ("asset",), _market("prices", "usd", "asset")),
    "funding_annualised_ratio": (
        "newest settled funding a year; positive: longs pay shorts",
        ("venue", "asset"),
        _market("funding", "annualised_ratio", "venue", "asset"),
    ),
    "tvl_usd": ("total value locked", ("subject",), _market("tvl", "usd", "subject")),
    "tvl_change_48h_ratio": ("change of TVL against 48 h ago", ("subject",), _market("tvl", "change_48h_ratio", "subject")),
    "trigger_state": ("0 quiet, 1 fired, 2 unknown, 3 not configured", ("rule", "subject"), _states),
    "trigger_distance": (
        "(value - threshold) / scale in the firing direction: 0 is the threshold, positive has fired",
        ("rule", "subject"),
        _each("triggers", "distance", rule="rule", subject="subject"),
    ),
    "gate_blocked": ("proposals held now that this gate blocks", ("gate",), _each("gates", "blocked", gate="id")),
    "layer_notional_usd": ("notional of the layers that live", ("position", "tier", "state"), _notional),
    "layer_budget_remaining_ratio": ("share of a budget that new layers may still use", ("scope",), _session),
    "equity_usd": ("what the book holds, perps at their margin; absent while a position cannot be valued", (), _one("book", "equity_usd")),
    "protected_ratio": ("notional of the layers in force over the long delta of the book", (), _one("book", "protected_ratio")),
    "position_value_usd": ("equity of a position: what closing it would bring", ("position",), _each("positions", "value_usd", position="id")),
    "position_delta_usd": ("amount of an asset that a position holds, at its price", ("position", "asset"), _deltas),
    "position_gamma": ("change of a position's delta in USD by a rise of 1% of its asset that bends most", ("position",), _gammas),
    "position_fees_usd": ("fees of a position that are not collected yet", ("position",), _part("fees", "uncollected_usd")),
    "impermanent_loss_ratio": ("liquidity less what was put in, as a share of the latter, fees left out", ("position",), _part("loss", "ratio")),
    "health_factor": (
        "health factor of a lending account; below 1 it can be liquidated",
        ("position",),
        _each("positions", "health_factor", position="id"),
    ),
    "book_delta_usd": ("net delta of the book, its layers in force included", ("asset",), _net_delta),
    "book_gamma_usd": ("change of the net delta by a rise of 1%", ("asset",), _by_asset("gamma_usd")),
    "book_stress_loss_usd": ("loss in the adverse 1.5 sigma move of 7 days", ("layers",), _stress),
    "book_value_at_risk_usd": ("loss of one day that is not exceeded", ("method", "level"), _tails("var")),
    "book_expected_shortfall_usd": ("mean loss of one day beyond the value at risk", ("method", "level"), _tails("es")),
    "source_up": ("1 while a source is heard", ("source",), _sources("up")),
    "source_age_seconds": ("time since a source was last heard", ("source",), _sources("age_seconds")),
    "collect_seconds": ("duration of a source's last pass", ("source",), _collected),
    "outbox_pending": ("alerts that wait for delivery", (), _one("health", "outbox_pending")),
    "outbox_oldest_seconds": ("age of the oldest alert that waits", (), _one("health", "outbox_oldest_seconds")),
    "clock_skew_seconds": ("our clock less the median of what three other hosts or more say", (), _one("health", "clock_skew_seconds")),
    "event_loop_lag_seconds": ("how late the event loop woke last", (), _one("health", "loop_lag_seconds")),
}  # fmt: skip
COUNTERS: Table = {
    "alerts": ("alerts told since the start", ("type",), _alerts),
    "deliveries": ("deliveries tried", ("channel", "outcome"), _deliveries),
    "source_rejected": ("values that a source gave and the door refused", ("source",), _sources("rejected")),
}


def exported() -> dict[str, tuple[str, ...]]:
    """The name of every sample that a scrape may hold, and its labels. The process's own come beside these."""
    gauges = {PREFIX + name: labels for name, (_, labels, _) in GAUGES.items()}
    counters = {f"{PREFIX}{name}_total": labels for name, (_, labels, _) in COUNTERS.items()}
    histogram = PREFIX + HISTOGRAM
    timings: dict[str, tuple[str, ...]] = {f"{histogram}_bucket": ("le",), f"{histogram}_count": (), f"{histogram}_sum": ()}
    return {**gauges, **counters, **timings, f"{PREFIX}{DROPPED}_total": ()}
