"""A real Prometheus scrapes the real demo, and every query of every dashboard is asked of it: no panel stays empty, no rule is broken."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from monitor.dashboards import DASHBOARDS
from tests.integration.daemons import Running, daemon
from tests.integration.prometheus import PUT_IN, SHIPPED, Prometheus, scraping

SPEED = "30000"
# What Grafana escapes in a chosen value, once for the pattern and once for the text that holds it.
SPECIAL = re.compile(r"[$^*{}\[\]'+?.()|\\]")
BOARDS = {board.uid: json.loads(board.text()) for board in (make() for make in DASHBOARDS)}


class Watched(NamedTuple):
    """The demo at its end, and the Prometheus that saw all of it."""

    demo: Running
    prometheus: Prometheus


@pytest.fixture(scope="module")
def watched(prometheus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("prometheus")
    with daemon(folder, "demo", "--speed", SPEED, "--port", "0") as demo, scraping(prometheus, urlsplit(demo.url).netloc, folder) as server:
        demo.wait_for(lambda: is_told(demo), 120)
        # What was told last, too, is seen by a scrape, and by the rules after it.
        told = sum(float(count) for count in re.findall(r"^hedge_monitor_alerts_total\{.*\} (\S+)$", demo.text("/metrics"), re.MULTILINE))
        server.wait_for(lambda: bool(server.now(f"sum(hedge_monitor_alerts_total) >= {told}")))
        server.wait_for(lambda: bool(server.over_time("position_state:hedge_monitor_layer_notional_usd:sum")))
        yield Watched(demo, server)


def is_told(demo: Running) -> bool:
    """The story is over once its dead source is back, and everything was delivered."""
    alerts = demo.get("/api/v1/alerts")["alerts"]
    back = any(alert["type"] == "source.down" and "back" in alert["summary"] for alert in alerts)
    return back and all(alert["delivery"] == "delivered" for alert in alerts)


def queries(board: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every expression of a dashboard with the name of what it is for."""
    for panel in board["panels"]:
        yield from ((f"panel {panel['title']}", target["expr"]) for target in panel.get("targets", ()))
    yield from ((f"annotation {one['name']}", one["expr"]) for one in board["annotations"]["list"])


def substituted(expr: str, values: dict[str, list[str]]) -> str:
    """The expression as Grafana sends it with every value of every variable chosen."""
    for word, text in PUT_IN.items():
        expr = expr.replace(word, text)
    for name, chosen in values.items():
        pattern = "|".join(SPECIAL.sub(r"\\\\\g<0>", value) for value in chosen)
        expr = expr.replace(f"${name}", f"({pattern})")
    assert "$" not in expr, expr
    return expr


def variables(server: Prometheus, board: dict[str, Any]) -> dict[str, list[str]]:
    listed = [one for one in board["templating"]["list"] if one["type"] == "query"]
    return {one["name"]: server.values(one["query"]["query"]) for one in listed}


def empty(server: Prometheus, board: dict[str, Any]) -> list[str]:
    """What would show nothing, in words: each query, and each metric within one, so that no `or` hides another's absence."""
    chosen = variables(server, board)
    missing = [f"variable {name}" for name, values in chosen.items() if not values]
    for what, expr in queries(board):
        asked = substituted(expr, chosen)
        selectors = re.findall(r"hedge_monitor_\w+(?:\{[^}]*\})?", asked)
        missing += [f"{what}: {one}" for one in [asked, *selectors] if not server.over_time(one)]
    return missing


@pytest.mark.parametrize("uid", BOARDS)
def test_every_query_of_every_panel_variable_and_annotation_has_data(watched: Watched, uid: str):
    assert len(list(queries(BOARDS[uid]))) > 10
    assert empty(watched.prometheus, BOARDS[uid]) == []


@pytest.mark.parametrize(
    ("uid", "metric", "panel"),
    [
        ("hedge-monitor-overview", "hedge_monitor_gate_blocked", "Gates that block"),
        ("hedge-monitor-lp-lending", "hedge_monitor_impermanent_loss_ratio", "Impermanent loss"),
    ],
)
def test_a_renamed_metric_is_seen(watched: Watched, uid: str, metric: str, panel: str):
    renamed = json.loads(json.dumps(BOARDS[uid]).replace(metric, f"{metric}_once"))

    assert {missing.split(": ")[0] for missing in empty(watched.prometheus, renamed)} == {f"panel {panel}"}


def test_a_variable_offers_what_the_demo_has(watched: Watched):
    chosen = variables(watched.prometheus, BOARDS["hedge-monitor-overview"])

    assert chosen == {
        "position": ["btc-loan", "btc-perp", "eth-usdc", "treasury"],
        "asset": ["BTC", "ETH", "USDC"],
        "venue": ["binance", "bybit", "dydx", "hyperliquid"],
    }


def test_a_layer_is_marked_once_when_it_is_proposed(watched: Watched):
    board = BOARDS["hedge-monitor-overview"]
    (expr,) = [expr for what, expr in queries(board) if what == "annotation Layer proposed"]

    (series,) = watched.prometheus.over_time(substituted(expr, {}))

    assert len(series["values"]) == 1


def test_the_recorded_series_are_there_and_no_rule_fails(watched: Watched):
    watched.prometheus.wait_for(lambda: all(rule["health"] == "ok" for rule in rules(watched.prometheus)))

    recorded = [rule["name"] for rule in rules(watched.prometheus) if rule["type"] == "recording"]
    assert len(recorded) == 6
    assert [name for name in recorded if not watched.prometheus.over_time(name)] == []


def rules(server: Prometheus) -> list[dict[str, Any]]:
    return [rule for group in server.ask("rules")["groups"] for rule in group["rules"]]


def test_a_fired_trigger_is_an_alert_and_a_monitor_that_is_well_is_not(watched: Watched):
    fired = {alert["metric"]["alertname"] for alert in watched.prometheus.over_time('ALERTS{alertstate="firing"}')}

    assert fired == {"HedgeMonitorTriggerFired"}


def test_a_scrape_is_worth_its_name_and_passes_promtool(watched: Watched, promtool: Path):
    text = watched.demo.text("/metrics")

    assert len([line for line in text.splitlines() if line.startswith("hedge_monitor_")]) >= 50
    linted = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=30, check=False)
    assert (linted.returncode, linted.stderr) == (0, "")


def test_a_scrape_that_promtool_does_not_like_is_seen(promtool: Path):
    text = "# HELP sent_total_count of what\n# TYPE sent_total_count counter\nsent_total_count 1\n"

    linted = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=30, check=False)

    assert linted.returncode != 0


def promtool_says(promtool: Path, *words: str | Path) -> tuple[int, str]:
    done = subprocess.run([promtool, *words], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_configuration_and_its_rules_are_valid(promtool: Path):
    code, said = promtool_says(promtool, "check", "config", SHIPPED / "prometheus.yml")

    assert code == 0, said
    assert "11 rules found" in said and "6 rules found" in said


def test_the_rules_do_what_their_tests_say(promtool: Path):
    code, said = promtool_says(promtool, "test", "rules", *sorted((SHIPPED / "tests").glob("*.yml")))

    assert code == 0, said


@pytest.mark.parametrize(
    ("was", "becomes"),
    [("outbox_oldest_seconds > 300", "outbox_oldest_seconds > 200"), ("for: 2m", "for: 1m"), ("== 1", "== 2"), ("{outcome!=", "{outcome=")],
    ids=["threshold", "patience", "state", "matcher"],
)
def test_a_rule_that_is_changed_fails_its_test(promtool: Path, tmp_path: Path, was: str, becomes: str):
    text = (SHIPPED / "alerts.yml").read_text()
    assert was in text
    (tmp_path / "tests").mkdir()
    (tmp_path / "alerts.yml").write_text(text.replace(was, becomes))
    (tmp_path / "tests" / "alerts_test.yml").write_text((SHIPPED / "tests" / "alerts_test.yml").read_text())

    code, said = promtool_says(promtool, "test", "rules", tmp_path / "tests" / "alerts_test.yml")

    assert code != 0 and "FAILED" in said
