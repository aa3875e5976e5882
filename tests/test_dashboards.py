"""What stands in grafana/ is what the code makes, asks only for what is served, and is a dashboard in Grafana's own eyes."""

import json
import re
import shutil
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard as GrafanaDashboard
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from monitor.cli import app
from monitor.dashboards import DASHBOARDS, generated
from monitor.dashboards.grafana import Dashboard, Query, Row, Stat, Step
from monitor.dashboards.queries import label_values, select
from monitor.sinks import metrics
from monitor.sinks.metrics import Exposition, exported
from monitor.sinks.view_model import view_model
from tests.sinks.stage import play

ROOT = Path(__file__).resolve().parents[1]
GRAFANA = ROOT / "grafana"
NAME = re.compile(r"hedge_monitor_\w+")
# Units as Grafana spells them.
UNITS = {"currencyUSD", "percentunit", "s", "short"}
# The Prometheus data source's own words for an annotation, which the shared schema does not have.
OF_THE_SOURCE = {"step", "titleFormat", "textFormat", "tagKeys", "useValueForTime"}
BOARDS = [board() for board in DASHBOARDS]


@pytest.fixture(params=BOARDS, ids=lambda board: board.uid)
def board(request: pytest.FixtureRequest) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(request.param.text())
    return made


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- the files --------------------------------------------------------------------------------------------------------------------------


def test_the_tree_holds_what_a_fresh_build_makes_to_the_byte(tmp_path: Path):
    told = CliRunner().invoke(app, ["dashboards", "build", "--out", str(tmp_path)])

    assert told.exit_code == 0
    assert files(tmp_path) == files(GRAFANA), "run `hedge-monitor dashboards build` and commit what it wrote"


def test_two_builds_are_the_same():
    assert generated() == generated()


def test_a_build_in_place_leaves_what_was_written_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    here = tmp_path / "grafana"
    shutil.copytree(GRAFANA, here)
    (here / "compose.yaml").write_text("mine")
    monkeypatch.setattr("monitor.dashboards.resource_dir", lambda name: tmp_path / name)
    monkeypatch.chdir(tmp_path)

    told = CliRunner().invoke(app, ["dashboards", "build"])

    assert files(here) == {**files(GRAFANA), "compose.yaml": b"mine"}
    assert told.output.split() == [f"grafana/{name}" for name in sorted(generated())]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").touch()

    told = CliRunner().invoke(app, ["dashboards", "build", "--out", str(tmp_path / "file")])

    assert told.exit_code != 0
    assert str(tmp_path / "file") in str(told.exception)


# --- what is asked for is what is served --------------------------------------------------------------------------------------------------


def asked() -> Iterator[tuple[str, str]]:
    """Every metric that a generated file or a hand-written rule test names."""
    texts = {**generated(), **{str(path): path.read_text() for path in (GRAFANA / "prometheus" / "tests").glob("*.yml")}}
    recorded = {rule["record"] for rule in yaml.safe_load(texts["prometheus/rules.yml"])["groups"][0]["rules"]}
    for where, text in texts.items():
        ours = re.sub("|".join(map(re.escape, recorded)), "", text)
        yield from ((where, name) for name in NAME.findall(ours))


def test_every_metric_asked_for_is_served():
    names = list(asked())

    assert len(names) > 50
    assert [(where, name) for where, name in names if name not in exported()] == []


def test_every_metric_served_has_a_place_on_a_dashboard_or_in_a_rule():
    assert set(exported()) - {name for _, name in asked()} == {
        "hedge_monitor_collect_seconds",
        "hedge_monitor_decision_seconds_count",
        "hedge_monitor_decision_seconds_sum",
    }


def test_the_names_are_those_of_a_real_scrape():
    staged = play()
    text = Exposition(lambda: view_model(staged.engine, staged.facts()))().decode()
    served = {
        sample.name: tuple(sorted(sample.labels))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith(metrics.PREFIX)
    }

    assert served == {name: tuple(sorted(labels)) for name, labels in exported().items() if name in served}
    assert len(served) > 25


def test_a_metric_that_is_renamed_breaks_the_build(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(metrics.GAUGES, "outbox_waiting", metrics.GAUGES["outbox_pending"])
    monkeypatch.delitem(metrics.GAUGES, "outbox_pending")

    with pytest.raises(KeyError, match="hedge_monitor_outbox_pending"):
        generated()


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda: select("equity_eur"), "hedge_monitor_equity_eur"),
        (lambda: select("tvl_usd", asset="ETH"), "hedge_monitor_tvl_usd has no label asset"),
        (lambda: label_values("venue", "tvl_usd"), "hedge_monitor_tvl_usd has no label venue"),
    ],
    ids=["metric", "label", "variable"],
)
def test_what_is_not_served_cannot_be_asked_for(ask, sentence):
    with pytest.raises(KeyError, match=sentence):
        ask()


@pytest.mark.parametrize(
    ("matchers", "inside"),
    [
        ({}, ""),
        ({"outcome": "delivered"}, '{outcome="delivered"}'),
        ({"outcome": "!delivered"}, '{outcome!="delivered"}'),
        ({"outcome": "clock|gone"}, '{outcome=~"clock|gone"}'),
        ({"outcome": "!clock|gone"}, '{outcome!~"clock|gone"}'),
        ({"channel": "$channel", "outcome": "gone"}, '{channel=~"$channel",outcome="gone"}'),
    ],
)
def test_a_selector_matches_as_its_value_says(matchers, inside):
    assert select("deliveries_total", "5m", **matchers) == f"hedge_monitor_deliveries_total{inside}[5m]"


# --- panels -------------------------------------------------------------------------------------------------------------------------------


def test_every_panel_says_what_it_shows_in_what_unit_and_from_where_it_is_bad(board):
    for panel in panels(board):
        defaults = panel["fieldConfig"]["defaults"]
        steps = defaults["thresholds"]["steps"]
        assert panel["title"] and panel["description"].endswith("."), panel["title"]
        assert defaults["unit"] in UNITS, panel["title"]
        assert steps[0]["value"] is None, panel["title"]
        assert [s["value"] for s in steps[1:]] == sorted(s["value"] for s in steps[1:]), panel["title"]
        assert panel["targets"] and all(target["expr"] for target in panel["targets"]), panel["title"]


def test_titles_and_numbers_are_unique(board):
    titles, numbers = [p["title"] for p in panels(board)], [p["id"] for p in board["panels"]]

    assert len(set(titles)) == len(titles) and len(set(numbers)) == len(numbers)
    assert len({b.uid for b in BOARDS}) == len(BOARDS)


def overlaps(board: dict[str, Any]) -> list[tuple[str, str]]:
    def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
        place = panel["gridPos"]
        return {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}

    return [(a["title"], b["title"]) for a, b in combinations(board["panels"], 2) if cells(a) & cells(b)]


def test_no_panel_lies_on_another_or_beyond_the_edge(board):
    assert overlaps(board) == []
    assert all(0 <= p["gridPos"]["x"] <= 24 - p["gridPos"]["w"] for p in board["panels"])


def test_a_panel_that_lies_on_another_is_seen(board):
    first, second = panels(board)[:2]
    second["gridPos"]["x"] = first["gridPos"]["x"] + first["gridPos"]["w"] - 1

    assert (first["title"], second["title"]) in overlaps(board)


def test_a_line_ends_where_the_next_panel_does_not_fit():
    def stat(title: str, width: int, height: int) -> Stat:
        steps, queries = (Step(None, "blue"),), (Query("1"),)
        return Stat(title=title, description="It.", unit="s", steps=steps, queries=queries, width=width, height=height)

    rows = [Row("a", (stat("wide", 20, 2), stat("fits", 4, 5), stat("next", 5, 3))), Row("b", (stat("under", 24, 1),))]
    made = Dashboard("uid", "t", "d", (), rows, (), ()).json()

    places = {panel["title"]: (panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in made["panels"]}
    assert places == {"a": (0, 0), "wide": (0, 1), "fits": (20, 1), "next": (0, 6), "b": (0, 9), "under": (0, 10)}


# --- Grafana's own schema -----------------------------------------------------------------------------------------------------------------


def lost(ours: Any, theirs: Any, where: str = "") -> Iterator[str]:
    """What Grafana's schema does not take over as we wrote it."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            yield from lost(value, theirs[key], f"{where}/{key}") if key in theirs else [f"{where}/{key}"]
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for i, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from lost(one, other, f"{where}/{i}")
    elif ours != theirs:
        yield where


def read_back(board: dict[str, Any]) -> Any:
    register_default_plugins()
    return json.loads(json.dumps(GrafanaDashboard.from_json(board), cls=JSONEncoder))


def test_grafanas_schema_knows_every_word_of_ours(board):
    unknown = list(lost(board, read_back(board)))

    assert {where for where in unknown if where.rsplit("/", 1)[-1] not in OF_THE_SOURCE} == set()
    assert all(where.startswith("/annotations/list/") for where in unknown)
    assert board["schemaVersion"] == read_back(board)["schemaVersion"] == 41


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda board: board.update(refreshes="10s"), "/refreshes"),
        (lambda board: board["panels"][1]["options"].update(graph="area"), "/panels/1/options/graph"),
        (lambda board: board["panels"][1]["targets"][0].update(query="up"), "/panels/1/targets/0/query"),
        (lambda board: board["panels"][1]["fieldConfig"]["defaults"].update(units="s"), "/panels/1/fieldConfig/defaults/units"),
        (lambda board: board["templating"]["list"][1].update(all=True), "/templating/list/1/all"),
    ],
    ids=["dashboard", "options", "query", "field", "variable"],
)
def test_a_word_that_grafana_does_not_know_is_seen(board, change, where):
    change(board)

    assert where in lost(board, read_back(board))


# --- the files beside them -----------------------------------------------------------------------------------------------------------------


def mounts(service: dict[str, Any]) -> dict[str, Path]:
    """What is mounted from the tree, by where it appears."""
    shared = [volume.split(":") for volume in service["volumes"] if volume.startswith("./")]
    return {to: (GRAFANA / here).resolve() for here, to, _ in shared}


def test_what_provisions_points_at_what_is_mounted():
    compose = yaml.safe_load((GRAFANA / "compose.yaml").read_text())["services"]
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/hedge-monitor.yaml").read_text())["providers"]
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())["datasources"]

    assert mounts(compose["grafana"]) == {
        "/etc/grafana/provisioning": GRAFANA / "provisioning",
        provider["options"]["path"]: GRAFANA / "dashboards",
    }
    assert source["url"].removeprefix("http://") in " ".join(compose["prometheus"]["command"])


def test_images_are_pinned_by_their_hash_and_what_is_mounted_cannot_be_written():
    services = yaml.safe_load((GRAFANA / "compose.yaml").read_text())["services"].values()

    assert all(re.search(r":v?\d+\.\d+\.\d+@sha256:[0-9a-f]{64}$", service["image"]) for service in services)
    assert all(mount.endswith(":ro") for service in services for mount in service["volumes"] if mount.startswith("./"))


def test_every_alert_has_a_severity_a_summary_and_a_test():
    rules = yaml.safe_load(generated()["prometheus/alerts.yml"])["groups"][0]["rules"]
    files = [yaml.safe_load(path.read_text()) for path in (GRAFANA / "prometheus/tests").glob("*_test.yml")]
    cases = [case for file in files for test in file["tests"] for case in test.get("alert_rule_test", ())]

    assert {rule["labels"]["severity"] for rule in rules} == {"critical", "warning", "info"}
    assert all(rule["annotations"]["summary"] and rule["annotations"]["description"].endswith(".") for rule in rules)
    fires = {case["alertname"] for case in cases if case["exp_alerts"]}
    rests = {case["alertname"] for case in cases if not case["exp_alerts"]}
    names = {rule["alert"] for rule in rules}
    assert names == fires
    assert names - rests == set()


def test_every_recorded_series_has_a_test():
    rules = yaml.safe_load(generated()["prometheus/rules.yml"])["groups"][0]["rules"]
    tests = (GRAFANA / "prometheus/tests/rules_test.yml").read_text()

    assert [rule["record"] for rule in rules if f"expr: {rule['record']}\n" not in tests and f"({rule['record']}," not in tests] == []
