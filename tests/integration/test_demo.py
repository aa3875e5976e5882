"""The demo as a stranger meets it: the page answers, a layer is proposed and another refused, alerts are signed, metrics move, the audit agrees."""

import json
import shlex
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from standardwebhooks import Webhook

from tests.integration.daemons import SECRET, Inbox, Running, command, daemon, environment, receiver

SPEED = "30000"


class Told(NamedTuple):
    """What one whole demo left behind."""

    store: Path
    alerts: list[dict[str, Any]]
    metrics: str
    positions: list[dict[str, Any]]
    layer: str
    answered: subprocess.CompletedProcess[str]
    inbox: Inbox
    exit_code: int


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """One demo from its start to Ctrl-C, with a receiver of ours beside the built-in one."""
    folder = tmp_path_factory.mktemp("demo")
    store = folder / "monitor.db"
    with receiver() as inbox:
        env = environment(**inbox.settings("ours"))
        with daemon(folder, "--store", f"sqlite:///{store}", "demo", "--speed", SPEED, "--port", "0", env=env) as running:
            assert "<html" in running.text("/")
            running.wait_for(lambda: _is_told(running.get("/api/v1/alerts")["alerts"]), 90)
            layer, answered = _approve(running)
            running.wait_for(lambda: _is_answered(running.get("/api/v1/alerts")["alerts"]), 30)
            alerts, metrics = running.get("/api/v1/alerts")["alerts"], running.text("/metrics")
            positions = running.get("/api/v1/positions")["positions"]
            code = running.stop(signal.SIGINT)
        yield Told(store, alerts, metrics, positions, layer, answered, inbox, code)


def _is_told(alerts: list[dict[str, Any]]) -> bool:
    back = any(a["type"] == "source.down" and "back" in a["summary"] for a in alerts)
    return back and all(a["delivery"] == "delivered" for a in alerts)


def _is_answered(alerts: list[dict[str, Any]]) -> bool:
    return any(a["type"] == "layer.approved" for a in alerts) and all(a["delivery"] == "delivered" for a in alerts)


def _approve(running: Running) -> tuple[str, subprocess.CompletedProcess[str]]:
    """Say yes to the one proposal, with the words that the page shows beside it."""
    (layer,) = (one["id"] for one in running.get("/api/v1/layers")["layers"] if one["state"] == "proposed")
    program, *options = shlex.split(running.get("/api/v1/book")["now"]["command"])
    assert program == "hedge-monitor"
    return layer, command(*options, "layers", "approve", layer)


def _of_type(told: Told, kind: str) -> list[dict[str, Any]]:
    return [alert for alert in told.alerts if alert["type"] == kind]


def test_one_layer_is_proposed_and_one_refused_by_the_blackout_and_both_are_accepted(told: Told):
    (proposed,), (refused,) = _of_type(told, "layer.proposed"), _of_type(told, "layer.refused")

    assert proposed["delivery"] == refused["delivery"] == "delivered"
    assert "short perp on ETH" in proposed["summary"]
    assert "macro-blackout" in refused["summary"]


def test_a_rule_is_blind_while_a_source_is_dead_and_says_so(told: Told):
    blind = [alert["summary"] for alert in _of_type(told, "data.stale")]

    assert any("cannot be judged" in summary for summary in blind)
    assert any("can be judged again" in summary for summary in blind)


def test_every_webhook_verifies_with_the_published_library(told: Told):
    verifier = Webhook(SECRET)

    for headers, body in told.inbox.requests:
        assert verifier.verify(body.decode(), headers)["data"]["id"] == headers["webhook-id"]
    assert "layer.proposed" in {body["type"] for body in told.inbox.bodies()}


def test_an_altered_webhook_does_not_verify(told: Told):
    headers, body = told.inbox.requests[0]

    with pytest.raises(Exception, match="signature"):
        Webhook(SECRET).verify(body.decode().replace('"type":"', '"type":"x'), headers)


def test_each_alert_came_once_with_one_body(told: Told):
    ids = [headers["webhook-id"] for headers, _ in told.inbox.requests]

    assert len(ids) == len(set(ids)) == len(told.alerts)


def test_the_metrics_have_at_least_fifty_samples_of_ours(told: Told):
    assert sum(line.startswith("hedge_monitor_") for line in told.metrics.splitlines()) >= 50


def test_the_book_shows_the_health_of_the_loan_and_where_the_loan_and_the_perp_are_liquidated(told: Told):
    loan, perp = ({position["id"]: position for position in told.positions}[name] for name in ("btc-loan", "btc-perp"))

    assert 1.9 < loan["health_factor"] < 2.3
    assert [(edge["asset"], edge["side"]) for edge in loan["liquidations"]] == [("BTC", "below"), ("USDC", "above")]
    assert [(edge["asset"], edge["side"], edge["price_usd"]) for edge in perp["liquidations"]] == [("BTC", "below", 84_422.11)]


def test_it_stops_cleanly_at_ctrl_c(told: Told):
    assert told.exit_code == 0


def test_explain_tells_why_it_was_proposed_and_why_not(told: Told):
    store = f"sqlite:///{told.store}"
    why = command("--store", store, "explain", "defi-layer", "--subject", "chain:ethereum", "--at", "2025-08-12T13:00:00Z", "--json")
    why_not = command("--store", store, "explain", "macd-rsi-scaling", "--subject", "ETH", "--at", "2025-08-11T21:00:00Z", "--json")

    fired, refused = json.loads(why.stdout), json.loads(why_not.stdout)
    assert (fired["verdict"], fired["layers"][0]["state"]) == ("FIRED", "proposed")
    assert {"tvl-drawdown", "macro-rising"} == {leg["name"] for leg in fired["conditions"]}
    assert refused["verdict"] == "FIRED"
    assert "macro-blackout" in refused["refused"][0]["reason"]
    assert any(gate["outcome"] == "not_built" for gate in refused["refused"][0]["gates"])


def test_another_process_thinks_the_same_bytes_again_even_without_the_decisions(told: Told, tmp_path: Path):
    first = command("--store", f"sqlite:///{told.store}", "replay", "--log", env=environment(PYTHONHASHSEED="1"))
    bare = _changed(told.store, tmp_path / "bare.db", *(f"DROP TABLE {table}" for table in ("verdicts", "ledger", "alerts")))
    second = command("--store", f"sqlite:///{bare}", "replay", "--log", env=environment(PYTHONHASHSEED="2"))

    assert first.returncode == 0, first.stderr
    assert "identical to the record" in first.stderr
    assert second.stdout == first.stdout
    assert len(first.stdout.splitlines()) > 50


@pytest.mark.parametrize("rule", ["tvl-drawdown", "macro-rising", "macd-rsi-scaling"])
def test_dropping_one_observation_that_a_decision_rests_on_is_noticed(told: Told, tmp_path: Path, rule: str):
    metric, subject, at = _newest_evidence(told.store, rule)
    pick = f"SELECT o.id FROM observations o JOIN series s ON s.id = o.series WHERE (s.metric, s.subject, o.at) = ('{metric}', '{subject}', {at})"
    damaged = _changed(told.store, tmp_path / "damaged.db", f"DELETE FROM observations WHERE id = ({pick} LIMIT 1)")
    result = command("--store", f"sqlite:///{damaged}", "replay", "--log")

    assert result.returncode == 1, "the audit must notice"
    assert "differs from the record" in result.stderr


def test_dropping_any_observation_changes_the_bytes(told: Told, tmp_path: Path):
    untouched = command("--store", f"sqlite:///{told.store}", "replay", "--log").stdout.splitlines()
    damaged = _changed(told.store, tmp_path / "damaged.db", "DELETE FROM observations WHERE id = (SELECT max(id) / 2 FROM observations)")
    rethought = command("--store", f"sqlite:///{damaged}", "replay", "--log").stdout.splitlines()

    assert rethought[-1] != untouched[-1], "the digest of the journal"


def test_the_command_that_the_page_names_approves_the_layer(told: Told):
    assert (told.answered.returncode, told.answered.stderr) == (0, "")
    (approved,) = _of_type(told, "layer.approved")
    assert told.layer in told.answered.stdout and approved["delivery"] == "delivered"


def _newest_evidence(store: Path, rule: str) -> tuple[str, str, int]:
    connection = sqlite3.connect(store)
    where = "kind = 'verdict' AND body ->> 'rule' = ? AND body ->> '$.verdict.state' = 'FIRED'"
    (body,) = connection.execute(f"SELECT body FROM verdicts WHERE {where} ORDER BY seq LIMIT 1", (rule,)).fetchone()
    connection.close()
    newest = max(json.loads(body)["verdict"]["evidence"], key=lambda one: int(one["at"]))
    return newest["metric"], newest["subject"], newest["at"]


def _changed(store: Path, copy: Path, *statements: str) -> Path:
    shutil.copy(store, copy)
    connection = sqlite3.connect(copy)
    for statement in statements:
        assert connection.execute(statement).rowcount != 0
    connection.commit()
    connection.close()
    return copy
