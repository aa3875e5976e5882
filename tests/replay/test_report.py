"""Replay as lines: what changed, when, and a summary; and never a notification."""

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from monitor.core.effects import Alerted, SourceMoved
from monitor.core.engine import Engine
from monitor.core.proposal import NOT_BUILT
from monitor.core.settings import read_settings
from monitor.core.units import HOUR
from monitor.pipeline import Pipeline, Subscription
from monitor.registry import Catalogue
from monitor.replay.report import Line, lines, of_effect, rows
from monitor.store.sqlite import SqliteStore
from tests import worlds
from tests.builders import START
from tests.worlds import CPI_RELEASED, TVL, batch, configured, history, hours, prints

SETTINGS = read_settings(worlds.settings())
LAST = START + 3 * HOUR


@pytest.fixture
def store() -> Iterator[SqliteStore]:
    """History imported by one command: nothing in it was decided live but by the import."""
    opened = SqliteStore(":memory:")
    pipeline = Pipeline(Engine(Catalogue()), opened, lambda: START, [Subscription("ops")])
    for event in [configured(), batch(LAST, prints(), "import"), batch(LAST, history(), "import"), *hours([5e10, 4.4e10, 4.4e10])]:
        pipeline.process(event)
    yield opened
    opened.close()


def report(store: SqliteStore, start: int | None = None, end: int | None = None) -> list[Line]:
    found = lines(store, SETTINGS, start, end)
    assert found is not None
    return list(found)


def test_a_replay_says_verdicts_episodes_gates_and_layers_in_order_and_counts_them(store: SqliteStore):
    said = report(store)
    *rows, summary = said
    counts = Counter(line.fields["kind"] for line in rows)
    assert summary.fields == {
        "kind": "summary", "from": "2024-02-13T13:30:00Z", "to": "2024-03-04T03:00:00Z",
        "counts": dict(sorted(counts.items())), "rule_set": SETTINGS.rule_set,
    }  # fmt: skip
    assert [line.at for line in rows] == sorted(line.at for line in rows)
    assert rows[0].at == CPI_RELEASED
    layer = next(i for i, line in enumerate(rows) if line.fields["kind"] == "layer")
    gates = [line.fields for line in rows[:layer] if line.fields["kind"] == "gate"]
    assert rows[layer].fields["state"] == "proposed" and rows[layer].at == START + 2 * HOUR
    assert {gate["id"] for gate in gates} == {rows[layer].fields["id"]}
    assert {gate["gate"]: gate["state"] for gate in gates}["session-cap"] == "cut"


def test_for_people_the_gates_that_do_not_exist_share_a_row_and_the_others_are_named(store: SqliteStore):
    said = report(store)
    told = [row for row in rows(said) if row[1].startswith("L-")]
    layer = said[next(i for i, line in enumerate(said) if line.fields["kind"] == "layer")].fields["id"]
    unbuilt = f"not asked, since they do not exist yet: {', '.join(NOT_BUILT)}"
    assert [row[1:] for row in told if row[2] == "not_built"] == [(layer, "not_built", unbuilt)]
    assert [row[1:3] for row in told if row[1] == f"{layer} session-cap"] == [(f"{layer} session-cap", "cut")]
    assert len(list(rows(said))) == len(said) - len(NOT_BUILT) + 1


def test_two_layers_of_one_instant_have_a_row_each_of_gates_that_do_not_exist():
    lines = [Line(0, {"kind": "gate", "at": 0, "id": layer, "gate": "wacc", "state": "not_built", "reason": ""}) for layer in ("L-1", "L-2", "L-2")]
    assert [row[1:] for row in rows(lines)] == [
        ("L-1", "not_built", "not asked, since they do not exist yet: wacc"),
        ("L-2", "not_built", "not asked, since they do not exist yet: wacc, wacc"),
    ]


def test_the_same_store_gives_the_same_bytes_twice(store: SqliteStore):
    assert [line.json for line in report(store)] == [line.json for line in report(store)]


def test_every_line_is_json_with_iso_times_and_a_row_for_people(store: SqliteStore):
    for line in report(store):
        read = json.loads(line.json)
        assert "at" not in read or read["at"].endswith("Z")
        assert all(isinstance(cell, str) for cell in line.row)
    fired = next(line for line in report(store) if line.fields.get("rule") == "tvl-drawdown" and line.fields.get("verdict") == "FIRED")
    assert fired.row == ("2024-03-04T02:00:00Z", f"tvl-drawdown/{TVL}", "FIRED", fired.fields["reason"])
    assert (fired.fields["value"], fired.fields["threshold"]) == (-0.12, -0.08)


def test_what_lies_before_the_start_is_thought_but_not_said(store: SqliteStore):
    """TVL is judged at 02:00 on the hours before; the first line is of 02:00 all the same."""
    said = report(store, START + 2 * HOUR, START + 2 * HOUR)
    assert {line.at for line in said} == {START + 2 * HOUR}
    assert any(line.fields.get("verdict") == "FIRED" for line in said)


def test_the_end_cuts_the_future_off(store: SqliteStore):
    early = [line.json for line in report(store, None, START + HOUR)][:-1]
    assert early == [line.json for line in report(store)][: len(early)]
    assert not any(read.get("verdict") == "FIRED" for line in early if (read := json.loads(line)).get("rule") == "tvl-drawdown")


@pytest.mark.parametrize(
    ("start", "end", "some"),
    [
        (LAST + 1, None, False),
        (LAST, None, True),
        (None, CPI_RELEASED - 1, False),
        (None, CPI_RELEASED, True),
        (START - HOUR, START - HOUR + 1, True),
    ],
    ids=["after the last fact", "at the last fact", "before the first fact", "at the first fact", "between two"],
)
def test_a_range_without_knowledge_gives_none(store: SqliteStore, start: int | None, end: int | None, some: bool):
    assert (lines(store, SETTINGS, start, end) is not None) == some


def test_an_empty_store_gives_none():
    assert lines(SqliteStore(":memory:"), SETTINGS, None, None) is None


def test_a_replay_notifies_nobody_and_writes_nothing(store: SqliteStore):
    before = list(store.connection.iterdump())
    report(store)
    assert list(store.connection.iterdump()) == before


@pytest.mark.parametrize("effect", [Alerted(START, "msg", "heartbeat", "info", "x", 1, {}), SourceMoved(START, "s", False, "x", START)])
def test_alerts_and_sources_have_no_line(effect: Alerted | SourceMoved):
    assert list(of_effect(effect)) == []


def test_a_refusal_is_said_with_every_gate_and_an_end_with_its_reason(store: SqliteStore):
    blind = read_settings(worlds.settings(positions=[{"id": "lp", "kind": "uniswap-v3", "chain": "ethereum", "token_id": 1}]))
    found = lines(store, blind, None, None)
    refused = next(line for line in found or () if line.fields["kind"] == "layer")
    assert refused.fields["state"] == "refused" and "was not read yet" in refused.fields["reason"]
    pipeline = Pipeline(Engine(Catalogue()), store, lambda: START)
    pipeline.restore()
    pipeline.process(configured(START + 4 * HOUR))
    for event in hours([5e10] * 48, START + 4 * HOUR):
        pipeline.process(event)
    ended = [line for line in report(store) if line.fields.get("state") == "closed" and line.fields["kind"] == "episode"]
    assert [(line.fields["rule"], line.fields["reason"]) for line in ended][:1] == [("tvl-drawdown", "past its exit")]
