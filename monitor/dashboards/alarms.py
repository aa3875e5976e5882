"""Prometheus' own watch over the monitor: alerting rules for what it cannot say itself, and recording rules.

The monitor's webhooks carry its decisions; these rules are the second pair of eyes, for when it is silent, blind or unheard.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import yaml

from monitor.core.verdict import State as Truth
from monitor.dashboards.queries import JOB, quantile, select
from monitor.sinks.metrics import CODES

# A heartbeat comes once a day unless it is configured otherwise.
HEARTBEAT = "25h"
HEARTBEAT_SECONDS = 25 * 3600


@dataclass(frozen=True)
class Alert:
    """Fires once `expr` has given a series for `pending`; `severity` is critical, warning or info."""

    name: str
    expr: str
    pending: str
    severity: str
    summary: str
    description: str

    def json(self) -> dict[str, object]:
        texts = {"summary": self.summary, "description": self.description}
        return {"alert": self.name, "expr": self.expr, "for": self.pending, "labels": {"severity": self.severity}, "annotations": texts}


@dataclass(frozen=True)
class Record:
    """A series that is computed ahead; its name says level, metric and operation."""

    name: str
    expr: str

    def json(self) -> dict[str, object]:
        return {"record": self.name, "expr": self.expr}


@dataclass(frozen=True)
class Group:
    name: str
    rules: Sequence[Alert | Record]


def text(group: Group) -> str:
    """A rule file."""
    body = {"groups": [{"name": group.name, "rules": [rule.json() for rule in group.rules]}]}
    note = "# Made by `hedge-monitor dashboards build`: change monitor/dashboards/alarms.py and build again.\n"
    return note + yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=1000)


def alerts() -> Group:
    return Group("hedge-monitor-alerts", (*_silent(), *_blind(), *_unheard(), *_slow(), _fired()))


def records() -> Group:
    return Group("hedge-monitor-records", tuple(_records()))


def _records() -> Iterable[Record]:
    yield Record("job:hedge_monitor_decision_seconds:p50_rate5m", quantile(0.5, "5m"))
    yield Record("job:hedge_monitor_decision_seconds:p99_rate5m", quantile(0.99, "5m"))
    yield Record("job:hedge_monitor_source_up:avg", f"avg({select('source_up')})")
    yield Record("job:hedge_monitor_trigger_state:fired", f"sum({select('trigger_state')} == bool {CODES[Truth.FIRED]})")
    yield Record("job:hedge_monitor_trigger_state:unknown", f"sum({select('trigger_state')} == bool {CODES[Truth.UNKNOWN]})")
    yield Record("position_state:hedge_monitor_layer_notional_usd:sum", f"sum by (position, state) ({select('layer_notional_usd')})")


def _silent() -> Iterable[Alert]:
    up, beat = f'up{{job="{JOB}"}}', select("alerts_total", HEARTBEAT, type="heartbeat")
    started = f'process_start_time_seconds{{job="{JOB}"}}'
    yield Alert(
        "HedgeMonitorDown", f"{up} == 0 or absent({up})", "2m", "critical",
        "The hedge monitor is down", "Prometheus has not reached the monitor for 2 minutes: nothing watches the book.",
    )  # fmt: skip
    yield Alert(
        "HedgeMonitorHeartbeatAbsent",
        f"(time() - {started} > {HEARTBEAT_SECONDS}) unless on (job, instance) increase({beat}) > 0",
        "5m", "critical",
        "The hedge monitor's heartbeat is absent",
        f"The monitor answers and has told no heartbeat for {HEARTBEAT}: its engine stands still. "
        "Needs a longer time if alerts.heartbeat is above 24h.",
    )  # fmt: skip


def _blind() -> Iterable[Alert]:
    yield Alert(
        "HedgeMonitorSourceDown", f"{select('source_up')} == 0", "15m", "warning",
        "Source {{ $labels.source }} is down", "Nothing was heard from {{ $labels.source }} for 15 minutes beyond its rhythm.",
    )  # fmt: skip
    yield Alert(
        "HedgeMonitorRuleUnknown", f"{select('trigger_state')} == {CODES[Truth.UNKNOWN]}", "1h", "warning",
        "{{ $labels.rule }} cannot be judged for {{ $labels.subject }}",
        "The rule has been blind for an hour: it would not fire whatever happens.",
    )  # fmt: skip
    yield Alert(
        "HedgeMonitorSeriesDropped", f"increase({select('series_dropped_total', '1h')}) > 0", "0m", "warning",
        "Metrics are left out of scrapes", "The configuration makes more series than a scrape may hold, or two with the same name.",
    )  # fmt: skip


def _unheard() -> Iterable[Alert]:
    yield Alert(
        "HedgeMonitorOutboxOld", f"{select('outbox_oldest_seconds')} > 300", "1m", "critical",
        "Alerts have waited for more than 5 minutes",
        "The oldest alert has waited {{ $value | humanizeDuration }} for its delivery: what the monitor says does not arrive.",
    )  # fmt: skip
    failed = select("deliveries_total", "15m", outcome="!delivered")
    yield Alert(
        "HedgeMonitorDeliveryFailing", f"sum by (channel, outcome) (increase({failed})) > 0", "5m", "warning",
        "Deliveries to {{ $labels.channel }} fail",
        "Tries to deliver to {{ $labels.channel }} ended as {{ $labels.outcome }} in the last 15 minutes.",
    )  # fmt: skip


def _slow() -> Iterable[Alert]:
    yield Alert(
        "HedgeMonitorLoopLagHigh", f"{select('event_loop_lag_seconds')} > 0.5", "5m", "warning",
        "The event loop is held up", "For 5 minutes it woke late each time it was asked, now by {{ $value | humanizeDuration }}.",
    )  # fmt: skip
    yield Alert(
        "HedgeMonitorClockWrong", f"abs({select('clock_skew_seconds')}) > 60", "5m", "warning",
        "The clock of the monitor's machine is wrong",
        "It stands {{ $value | humanizeDuration }} from what other hosts say: receivers may take signatures for old ones. Set it.",
    )  # fmt: skip
    yield Alert(
        "HedgeMonitorDecisionsSlow", f"{quantile(0.99, '5m')} > 1", "5m", "warning",
        "Decisions take long",
        "One event in a hundred takes more than {{ $value | humanizeDuration }} from its arrival to its recorded decisions.",
    )  # fmt: skip


def _fired() -> Alert:
    return Alert(
        "HedgeMonitorTriggerFired", f"{select('trigger_state')} == {CODES[Truth.FIRED]}", "0m", "info",
        "{{ $labels.rule }} has fired for {{ $labels.subject }}",
        "Look at the monitor's page for its proposal, or for the gate that refuses it.",
    )  # fmt: skip
