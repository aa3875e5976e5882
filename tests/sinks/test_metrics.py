"""The exposition says what the view model says, for as long as it says it, and cannot be made to raise or to grow without end."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from monitor.core.events import Batch, Configured, Tick
from monitor.core.units import HOUR
from monitor.sinks.facts import Timings
from monitor.sinks.metrics import Exposition
from monitor.sinks.view_model import view_model
from tests.sinks.stage import START, play, settings


def samples(model, **changed):
    """{(name, labels): value} of one scrape."""
    text = Exposition(lambda: {**model, **changed})().decode()
    read = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {(s.name.removeprefix("hedge_monitor_"), tuple(sorted(s.labels.items()))): s.value for s in read}


def named(scraped, name):
    return {labels: value for (sample, labels), value in scraped.items() if sample == name}


@pytest.fixture(scope="module")
def model(staged):
    return view_model(staged.engine, staged.facts())


VALUES = [
    ("trigger_state", {"rule": "tvl-drawdown", "subject": "protocol:uniswap-v3"}, 1),
    ("trigger_state", {"rule": "tvl-drawdown", "subject": "chain:ethereum"}, 0),
    ("trigger_state", {"rule": "tvl-drawdown", "subject": "protocol:anchor"}, 2),
    ("trigger_state", {"rule": "tvl-drawdown", "subject": "protocol:uniswap-v3@ethereum"}, 3),
    ("gate_blocked", {"gate": "macro-blackout"}, 1),
    ("gate_blocked", {"gate": "session-cap"}, 0),
    ("source_up", {"source": "defillama"}, 1),
    ("source_up", {"source": "anchor-feed"}, 0),
    ("source_age_seconds", {"source": "anchor-feed"}, 9 * 3600),
    ("source_rejected_total", {"source": "ethereum"}, 1),
    ("collect_seconds", {"source": "binance"}, 0.21),
    ("outbox_pending", {}, 1),
    ("outbox_oldest_seconds", {}, 2.5),
    ("deliveries_total", {"channel": "ops", "outcome": "delivered"}, 7),
    ("event_loop_lag_seconds", {}, 0.0004),
    ("alerts_total", {"type": "layer.proposed"}, 1),
    ("layer_budget_remaining_ratio", {"scope": "session"}, 1.0),
    ("series_dropped_total", {}, 0),
]


@pytest.mark.parametrize(("name", "labels", "value"), VALUES)
def test_a_fact_is_a_sample(model, name, labels, value):
    assert samples(model)[name, tuple(sorted(labels.items()))] == value


def test_money_and_markets_are_those_of_the_view_model(model):
    scraped = samples(model)
    lp = model["positions"][0]
    assert scraped["position_value_usd", (("position", "eth-usdc"),)] == lp["value_usd"]
    assert scraped["position_delta_usd", (("asset", "ETH"), ("position", "eth-usdc"))] == lp["delta_usd"]["ETH"]
    proposed = model["layers"][0]["notional_usd"]
    assert scraped["layer_notional_usd", (("position", "eth-usdc"), ("state", "proposed"), ("tier", "short"))] == proposed
    assert {dict(labels)["subject"] for labels in named(scraped, "tvl_change_48h_ratio")} == {"protocol:uniswap-v3", "chain:ethereum"}
    assert len(named(scraped, "funding_annualised_ratio")) == 4
    assert [value for _, value in named(scraped, "build_info").items()] == [1.0]


def test_a_gauge_does_not_outlive_its_fact():
    stage = play(end=START + HOUR)
    exposition = Exposition(lambda: view_model(stage.engine, stage.facts()))
    gone = (b"hedge_monitor_tvl_usd{", b"hedge_monitor_position_value_usd{", b"hedge_monitor_funding_annualised_ratio{")
    assert all(name in exposition() for name in gone)
    stage.apply(Tick(START + 40 * HOUR))
    assert not any(name in exposition() for name in gone)
    assert b'hedge_monitor_source_up{source="defillama"} 0.0' in exposition()


def test_a_position_that_was_sold_leaves_no_series_behind():
    stage = play(end=START + HOUR)
    exposition = Exposition(lambda: view_model(stage.engine, stage.facts()))
    assert b'position="wallet"' in exposition()
    kept = [p for p in settings()["positions"] if p["id"] != "wallet"]
    stage.apply(Configured(START + HOUR, settings(positions=kept)))
    assert b'position="wallet"' not in exposition()


def test_no_chain_text_hash_or_exact_integer_becomes_a_label(staged, model):
    text = Exposition(lambda: model)().decode()
    assert "0x5c5c" not in text
    configured = set(re.findall(r'source="([^"]*)"', text))
    assert configured <= staged.engine.settings.sources.keys()


def test_the_source_of_an_imported_file_is_no_label():
    stage = play(end=START + HOUR)
    stage.apply(Batch(START + HOUR, "evil\ud800{}", ()))
    text = Exposition(lambda: view_model(stage.engine, stage.facts()))().decode()
    assert "evil" not in text


# F-152: hostile labels, label explosion, `/metrics` crash by surrogate.


@given(st.text(alphabet=st.characters(), max_size=200))
def test_f_152_no_name_breaks_the_exposition(name):
    model = one_trigger(name)
    states = named(samples(model), "trigger_state")
    assert list(states.values()) == [1.0]


@pytest.mark.parametrize("name", ["\ud800", 'a"} 1\nforged_total 7\n#', "line\u2028break", "x" * 100_000])
def test_f_152_a_hostile_name_is_one_printable_label(name):
    text = Exposition(lambda: one_trigger(name))().decode()
    assert "\nforged_total" not in text
    assert max(map(len, text.splitlines())) < 400


def test_f_152_two_names_that_look_the_same_are_one_series_and_are_counted():
    model = one_trigger("a\u200bb")
    model["triggers"] = [*model["triggers"], *one_trigger("ab")["triggers"]]
    scraped = samples(model)
    assert len(named(scraped, "trigger_state")) == 1
    assert scraped["series_dropped_total", ()] == 1


def test_f_152_series_beyond_the_cap_are_dropped_and_counted():
    model = one_trigger("a")
    model["triggers"] = [row for i in range(50) for row in one_trigger(f"s{i}")["triggers"]]
    exposition = Exposition(lambda: model, most_series=20)
    for scrapes in (1, 2):
        text = exposition().decode()
        assert sum(line.startswith("hedge_monitor_") and "bucket" not in line for line in text.splitlines()) < 30
        [dropped] = re.findall(r"^hedge_monitor_series_dropped_total (\S+)", text, re.MULTILINE)
        assert float(dropped) == 31 * scrapes


def one_trigger(subject):
    trigger = {"rule": "r", "subject": subject, "verdict": "FIRED"}
    empty: dict[str, Any] = {name: [] for name in ("layers", "positions", "gates", "sources")}
    health: dict[str, Any] = {"deliveries": [], "collect_seconds": {}, "alerts_by_type": {}}
    return {
        **empty, "triggers": [trigger], "book": {}, "markets": {"prices": [], "funding": [], "tvl": []}, "health": health,
        "now": {"version": "0", "rule_set": "0"},
    }  # fmt: skip


TIMES = [(0.001, '0.001"} 1.0'), (0.0010001, '0.0025"} 1.0'), (99.0, '+Inf"} 1.0')]


@pytest.mark.parametrize(("seconds", "bucket"), TIMES)
def test_a_duration_is_counted_in_the_bucket_that_includes_its_bound(seconds, bucket):
    timings = Timings()
    timings.observe(seconds)
    counted = {"buckets": [list(pair) for pair in timings.buckets], "sum": timings.sum_seconds}
    model = one_trigger("a")
    model["health"]["decision_seconds"] = counted
    text = Exposition(lambda: model)().decode()
    first = next(line for line in text.splitlines() if "decision_seconds_bucket" in line and line.endswith(" 1.0"))
    assert first.endswith(bucket)
    assert "hedge_monitor_decision_seconds_count 1.0" in text
