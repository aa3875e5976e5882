"""Explain: one rule at one instant, with what it was made of, and a word where live decided otherwise."""

from collections.abc import Iterator
from typing import Any

import pytest

from monitor.core.engine import Engine
from monitor.core.observation import Reading
from monitor.core.settings import read_settings
from monitor.core.units import DAY, HOUR, MINUTE
from monitor.errors import ConfigError
from monitor.pipeline import Pipeline
from monitor.registry import Catalogue
from monitor.replay.explain import explain, sentences
from monitor.store.sqlite import SqliteStore
from tests import worlds
from tests.builders import START
from tests.worlds import TVL, configured, hours, opening

SETTINGS = read_settings(worlds.settings())
FALLEN = START + 2 * HOUR


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    """Two quiet hours and a fall in the third, as a daemon saw them."""
    made = Pipeline(Engine(Catalogue()), SqliteStore(":memory:"), lambda: START)
    for event in [*opening(), *hours([5e10, 4.4e10, 4.4e10])]:
        made.process(event)
    yield made
    made.store.close()


def ask(pipeline: Pipeline, rule: str, at: int = FALLEN, subject: str | None = None, position: str | None = None, **settings: Any) -> dict[str, Any]:
    return explain(pipeline.store, read_settings(worlds.settings(**settings)), rule, subject, position, at)


def test_a_fired_rule_shows_number_threshold_distance_evidence_and_its_layer(pipeline: Pipeline):
    answer = ask(pipeline, "defi-layer")
    assert (answer["verdict"], answer["subject"], answer["at"]) == ("FIRED", TVL, FALLEN)
    assert answer["episode"] == {"open_since": FALLEN}
    assert {c["name"]: c["state"] for c in answer["conditions"]} == {"tvl-drawdown": "FIRED", "macro-rising": "FIRED"}
    tvl = next(e for e in answer["evidence"] if e["metric"] == "tvl.usd")
    assert (tvl["value"], tvl["at"], tvl["age_seconds"]) == (4.4e10, FALLEN, 0)
    (layer,) = answer["layers"]
    assert layer["state"] == "proposed" and layer["proposal"]["position"] == "p1"
    assert answer["exposed"] == ["p1"] and answer["rule_set"] == SETTINGS.rule_set


@pytest.mark.parametrize(("at", "verdict"), [(FALLEN - 1, "QUIET"), (FALLEN, "FIRED"), (FALLEN + 1, "FIRED")])
def test_it_knows_what_was_known_at_that_instant(pipeline: Pipeline, at: int, verdict: str):
    answer = ask(pipeline, "tvl-drawdown", at)
    assert answer["verdict"] == verdict and answer["at"] == at


def test_between_two_facts_ages_are_of_that_instant(pipeline: Pipeline):
    evidence = ask(pipeline, "tvl-drawdown", FALLEN + 1234_000)["evidence"]
    assert [e["age_seconds"] for e in evidence] == [1234]


def test_what_was_decided_the_same_live_has_no_live_part(pipeline: Pipeline):
    assert "live" not in ask(pipeline, "tvl-drawdown")


def test_a_fact_that_came_late_is_known_later_than_decided(pipeline: Pipeline):
    """The feed had missed the high at 01:00; imported at 10:00 it makes 01:30 a fall, which live did not see."""
    high = Reading("tvl.usd", TVL, 5.6e10, START + HOUR // 2, START + HOUR // 2, "llama")
    pipeline.receive([high], source="import", now=START + 10 * HOUR, records=True)
    answer = ask(pipeline, "tvl-drawdown", START + HOUR)
    assert answer["verdict"] == "FIRED"
    assert {key: answer["live"][key] for key in ("verdict", "note")} == {"verdict": "QUIET", "note": "known later than decided"}
    assert any("live decided QUIET (known later than decided)" in line for line in sentences(answer))


def test_layers_of_the_record_stand_beside_those_of_replay_where_they_differ():
    """Two facts reach the daemon three minutes after they could be known: replay proposes at once, the daemon did when it heard of them."""
    late = 3 * MINUTE
    made = Pipeline(Engine(Catalogue()), SqliteStore(":memory:"), lambda: START)
    for event in opening():
        made.process(event)
    for n, usd in enumerate([5e10, 4.4e10, 4.4e10]):
        known_at = START + (n + 1) * HOUR
        made.receive([Reading("tvl.usd", TVL, usd, known_at, known_at, "llama")], source="llama", now=known_at + late)
    answer = ask(made, "defi-layer", FALLEN + 2 * late)
    (replayed,), (recorded,) = answer["layers"], answer["live_layers"]
    assert (replayed["at"], recorded["at"]) == (FALLEN, FALLEN + late) and replayed["id"] != recorded["id"]
    assert [line for line in sentences(answer) if line.startswith("  layer ")] == [
        f"  layer {replayed['id']} proposed 2024-03-04T02:00:00Z, in replay alone (known later than decided): {replayed['reason']}",
        f"  layer {recorded['id']} proposed 2024-03-04T02:03:00Z, on record: {recorded['reason']}",
    ]
    made.store.close()


def test_layers_that_replay_gives_as_they_are_on_record_stand_once(pipeline: Pipeline):
    assert "live_layers" not in ask(pipeline, "defi-layer")


def test_without_a_subject_the_worst_comes_first_and_the_rest_are_others(pipeline: Pipeline):
    answer = ask(pipeline, "tvl-drawdown", tvl_subjects=["chain:base", TVL])
    assert (answer["subject"], answer["verdict"]) == (TVL, "FIRED")
    assert [(o["subject"], o["verdict"]) for o in answer["others"]] == [("chain:base", "NOT_CONFIGURED")]
    chosen = ask(pipeline, "tvl-drawdown", subject="chain:base", tvl_subjects=["chain:base", TVL])
    assert (chosen["subject"], chosen["verdict"], chosen["others"][0]["subject"]) == ("chain:base", "NOT_CONFIGURED", TVL)


def test_a_position_chooses_among_the_subjects_it_is_exposed_to(pipeline: Pipeline):
    positions = [{"id": "p1", "kind": "tokens", "amounts": {"ETH": 1}, "exposed_to": ["chain:base"]}]
    answer = ask(pipeline, "tvl-drawdown", position="p1", positions=positions, tvl_subjects=[TVL])
    assert (answer["subject"], answer["position"]) == ("chain:base", "p1")
    assert ask(pipeline, "macro-rising", position="p1")["subject"] == "US"


def test_a_refused_layer_is_shown_with_its_reason(pipeline: Pipeline):
    blind = [{"id": "lp", "kind": "uniswap-v3", "chain": "ethereum", "token_id": 1}]
    answer = ask(pipeline, "defi-layer", positions=blind)
    (refused,) = answer["refused"]
    assert "was not read yet" in refused["reason"] and answer["layers"] == []
    assert any(line.startswith("  refused 2024-03-04T02:00:00Z: ") for line in sentences(answer))


def test_before_anything_was_known_the_answer_is_unknown_not_an_error(pipeline: Pipeline):
    answer = ask(pipeline, "tvl-drawdown", START - 40 * DAY)
    assert answer["verdict"] == "UNKNOWN" and answer["episode"] is None


@pytest.mark.parametrize(
    ("question", "problem"),
    [
        ({"rule": "tvl-dropdown"}, "there is no rule 'tvl-dropdown' in force; there are: defi-layer, funding-spike, "),
        ({"rule": "tvl-drawdown", "subject": "chain:bse"}, f"tvl-drawdown has no subject 'chain:bse'; it has: {TVL}"),
        ({"rule": "tvl-drawdown", "position": "p9"}, "there is no position 'p9'; there are: p1"),
        ({"rule": "tvl-drawdown", "position": "p9", "positions": []}, "there is no position 'p9'; there are: none"),
    ],
)
def test_what_does_not_exist_is_named_with_what_does(pipeline: Pipeline, question: dict[str, Any], problem: str):
    with pytest.raises(ConfigError) as raised:
        ask(pipeline, **question)
    assert problem in str(raised.value)


def test_the_sentences_tell_verdict_legs_episode_and_layer(pipeline: Pipeline):
    answer = ask(pipeline, "defi-layer", START + 3 * HOUR)
    first, reason, *rest = sentences(answer)
    assert first == f"defi-layer/{TVL} at 2024-03-04T03:00:00Z: FIRED"
    assert reason.strip() == answer["reason"]
    assert rest[0].startswith("  - tvl-drawdown: FIRED (value -0.12, threshold -0.08), distance +0.50: ")
    assert "  episode open since 2024-03-04T02:00:00Z" in rest
    assert any(line.startswith("  layer L-") for line in rest)


def test_explaining_writes_nothing(pipeline: Pipeline):
    before = list(pipeline.store.connection.iterdump())
    ask(pipeline, "defi-layer")
    assert list(pipeline.store.connection.iterdump()) == before
    assert configured().kind == "configured"
