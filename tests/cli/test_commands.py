"""What the commands say and with which code they leave: slips are 2, findings are 1, answers are 0 whatever they are."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from monitor.cli import app
from monitor.core.units import DAY, HOUR, iso
from monitor.registry import plugins
from monitor.source import Collector
from monitor.store.sqlite import SqliteStore
from tests.builders import START
from tests.cli.csv_files import csv_of, fallen_store, print_rows, tvl_rows
from tests.cli.speak import Said, speak
from tests.pipelines import pipeline_on
from tests.worlds import hours, opening


def paths_of(command: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command of the program, sub-commands included."""
    below = getattr(command, "commands", {})
    return [path] * bool(path) + [found for name, one in below.items() for found in paths_of(one, (*path, name))]


COMMANDS = paths_of(get_command(app))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_help_of_every_command_has_an_example_of_that_command(path: tuple[str, ...]) -> None:
    said = speak(*path, "--help")
    assert said.code == 0
    unfolded = " ".join(said.out.split())
    assert "Example: hedge-monitor " in unfolded
    assert f" {path[0]}" in unfolded.partition("Example: hedge-monitor")[2]


def test_there_are_commands_to_look_at() -> None:
    assert {("rules", "test"), ("backfill",), ("check",), ("init",), ("import",), ("export",), ("replay",), ("explain",)} <= set(COMMANDS)


@pytest.mark.parametrize(
    "words", [["check"], ["explain", "tvl-drawdown"], ["replay"], ["export"], ["import", "x.csv"], ["backfill", "--from", "2024"]]
)
def test_three_mistakes_in_a_configuration_are_all_told_with_file_and_line(tmp_path: Path, words: list[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("book:\n  capital: 5\nrules:\n  tvl-drawdwon: {}\nserver:\n  port: 99999\n", encoding="utf-8")
    said = speak(*(["backfill", "--from", "2024-01-01"] if words[0] == "backfill" else words), config=file)
    assert said.code == 2
    assert [line.split(": ")[0] for line in said.err.splitlines()] == [f"{file}:2", f"{file}:4", f"{file}:6"]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return fallen_store(tmp_path)


def told(said: Said) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(said.out)
    return answer


@pytest.mark.parametrize(
    ("rule", "at", "verdict"),
    [
        ("tvl-drawdown", "2024-02-13", "FIRED"),
        ("tvl-drawdown", "2024-02-12T23:59:59Z", "QUIET"),
        ("tvl-drawdown", "2024-03-01", "UNKNOWN"),
        ("funding-spike", "2024-02-13", "UNKNOWN"),
        ("defi-layer", "2024-02-13", "FIRED"),
    ],
)
def test_explain_exits_0_for_every_verdict_of_a_rule_that_is_set_up(store: Path, rule: str, at: str, verdict: str) -> None:
    said = speak("explain", rule, "--at", at, "--json", store=store)
    assert said.code == 0
    answer = told(said)
    assert (answer["verdict"], answer["rule"]) == (verdict, rule)
    assert answer["reason"]
    plain = speak("explain", rule, "--at", at, store=store)
    assert plain.code == 0 and f": {verdict}\n" in plain.out


def test_explain_exits_0_for_what_was_never_set_up(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("sources:\n" + "".join(f"  {name}: {{enabled: false}}\n" for name in plugins("monitor.collectors", Collector)))
    said = speak("explain", "funding-spike", "--json", store=store, config=file)
    assert (said.code, told(said)["verdict"]) == (0, "NOT_CONFIGURED")


def test_explain_has_the_shape_that_scripts_rely_on(store: Path) -> None:
    answer = told(speak("explain", "tvl-drawdown", "--subject", "chain:ethereum", "--at", "2024-02-13", "--json", store=store))
    wanted = {"rule", "subject", "position", "at", "verdict", "value", "threshold", "distance", "reason", "episode", "conditions"}
    assert wanted | {"evidence", "others", "rule_set"} <= set(answer)
    assert (answer["value"], answer["threshold"], answer["distance"]) == (-0.1, -0.08, pytest.approx(0.25))
    assert answer["episode"] == {"open_since": "2024-02-13T00:00:00Z"}
    [evidence] = answer["evidence"]
    assert set(evidence) >= {"metric", "subject", "source", "at", "known_at", "value", "age_seconds"}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["explain", "tvl-drawdwon"], "tvl-drawdown"),
        (["explain", "tvl-drawdown", "--subject", "chain:moon"], "chain:ethereum"),
        (["explain", "tvl-drawdown", "--position", "mine"], "none"),
    ],
)
def test_what_there_is_not_is_a_usage_error_that_lists_what_there_is(store: Path, words: list[str], named: str) -> None:
    said = speak(*words, store=store)
    assert said.code == 2
    assert named in said.err.partition("there are:")[2] + said.err.partition("it has:")[2]


@pytest.mark.parametrize("bad", ["yesterday", "2024-13-01", "24-01-01", ""])
@pytest.mark.parametrize(
    ("words", "option"),
    [(["explain", "tvl-drawdown"], "--at"), (["replay"], "--from"), (["replay"], "--to"), (["export"], "--from"), (["backfill"], "--from")],
)
def test_a_time_that_is_none_is_a_usage_error(store: Path, words: list[str], option: str, bad: str) -> None:
    said = speak(*words, option, bad, store=store)
    assert said.code == 2
    assert option in said.err and "is not a time" in said.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--from", "2024-02-01", "--to", "2024-01-01"], "does not lie before --to 2024-01-01"),
        (["--from", "2999-01-01"], "does not lie before now"),
        (["--from", "2024-01-01", "--to", "2999-01-01"], "lies in the future"),
        (["--from", "2024-01-01", "--source", "binanse"], "there is no enabled source 'binanse'"),
    ],
)
def test_a_span_or_source_that_is_none_is_a_usage_error(tmp_path: Path, words: list[str], why: str) -> None:
    said = speak("backfill", *words, store=tmp_path / "new.db")
    assert said.code == 2 and why in said.err
    assert list(tmp_path.iterdir()) == []


BAD = ["tvl.usd,chain:ethereum,llama,2024-02-10,,-1", "tvl.eur,chain:ethereum,llama,2024-02-10,,1", "macro.cpi,US,bls,2024-01-01,,300"]


def test_a_bad_row_is_named_and_nothing_of_its_file_is_taken(tmp_path: Path) -> None:
    store, good = tmp_path / "s.db", tvl_rows([1.0, 2.0])
    file = csv_of(tmp_path / "bad.csv", [good[0], *BAD, good[1]])
    said = speak("import", file, store=store)
    assert said.code == 1
    assert [f"{file}:{line}:" in said.err for line in (2, 3, 4, 5, 6)] == [False, True, True, True, False]
    assert "nothing was taken (3 bad rows)" in said.err
    assert speak("export", store=store).code != 0


def test_skip_bad_takes_the_rest_and_prints_the_count(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    said = speak("import", "--skip-bad", csv_of(tmp_path / "bad.csv", [*tvl_rows([1.0, 2.0]), *BAD]), store=store)
    assert said.code == 0
    assert "2 rows read, 2 new, 3 bad rows left out" in said.out
    assert speak("export", "tvl.*", store=store).out.count("\n") == 3


def test_a_bad_file_does_not_keep_a_good_one_out(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    bad, good = csv_of(tmp_path / "bad.csv", BAD), csv_of(tmp_path / "good.csv", tvl_rows([1.0]))
    said = speak("import", bad, tmp_path / "none.csv", good, store=store)
    assert said.code == 1
    assert "1 new" in said.out and "none.csv: cannot be read" in said.err


def test_what_is_exported_can_be_imported_and_is_the_same(tmp_path: Path, store: Path) -> None:
    file, copy = tmp_path / "all.csv", tmp_path / "copy.db"
    first = speak("export", "*", store=store)
    file.write_text(first.out, encoding="utf-8")
    assert speak("import", file, store=copy).code == 0
    assert speak("export", "*", store=copy) == first
    assert first.out.count("\n") == 1 + 15 + 96
    assert speak("replay", "--json", store=copy) == speak("replay", "--json", store=store)


def test_a_revision_survives_the_way_out_and_in(tmp_path: Path) -> None:
    rows = [*print_rows([100.0, 101.0]), "macro.cpi,US,bls,2024-01-01,2024-03-15,102.5"]
    first, second, file = tmp_path / "a.db", tmp_path / "b.db", tmp_path / "out.csv"
    speak("import", csv_of(tmp_path / "in.csv", rows), store=first)
    file.write_text(speak("export", store=first).out, encoding="utf-8")
    speak("import", file, store=second)
    assert speak("export", store=second).out == file.read_text(encoding="utf-8")
    assert [line.split(",")[-1] for line in file.read_text(encoding="utf-8").splitlines()] == ["value", "100.0", "101.0", "102.5"]


def test_a_query_that_matches_nothing_says_so(store: Path) -> None:
    said = speak("export", "price.*", store=store)
    assert said.code == 2 and "nothing matches 'price.*'" in said.err


@pytest.mark.parametrize("words", [["--from", "2030-01-01"], ["--to", "2010-01-01"]])
def test_a_replay_of_nothing_says_so_and_exits_1(store: Path, words: list[str]) -> None:
    said = speak("replay", *words, store=store)
    assert (said.code, said.out) == (1, "")
    assert "there are no observations in this range" in said.err


def test_a_replay_ends_in_a_summary_and_begins_where_it_is_told(store: Path) -> None:
    lines = [json.loads(line) for line in speak("replay", "--json", "--from", "2024-02-13", store=store).out.splitlines()]
    assert lines[-1]["kind"] == "summary" and sum(line["kind"] == "summary" for line in lines) == 1
    assert all(line["at"] >= "2024-02-13" for line in lines[:-1])
    assert {"rule": "defi-layer", "verdict": "FIRED"}.items() <= next(line for line in lines if line.get("rule") == "defi-layer").items()


def test_a_store_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    said = speak("replay", store=tmp_path / "none.db")
    assert said.code == 1 and "there is no store at" in said.err


def test_decisions_and_layers_of_a_range_are_those_decided_in_it(tmp_path: Path) -> None:
    path = tmp_path / "decided.db"
    held = SqliteStore(str(path), role="test")
    pipeline = pipeline_on(held)
    for event in [*opening(), *hours([4.4e10, 4.4e10])]:
        pipeline.process(event)
    held.close()

    def exported(*words: str) -> list[int]:
        return [json.loads(line)["effect"]["at"] for line in speak("export", *words, store=path).out.splitlines()]

    proposed_at = START + HOUR
    assert {START, proposed_at} <= set(exported("decisions"))
    assert set(exported("decisions", "--from", iso(proposed_at), "--to", iso(proposed_at))) == {proposed_at}
    assert exported("layers", "--to", iso(proposed_at)) == [proposed_at]
    assert speak("export", "layers", "--from", iso(proposed_at + DAY), store=path).code == 2
