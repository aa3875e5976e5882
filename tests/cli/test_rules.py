"""`rules`: the catalogue, and what `rules test` says of tests that fail and of files that are none."""

import json
from pathlib import Path

import pytest

from monitor.cli.rules import duration_text
from monitor.core.units import DAY, HOUR, MINUTE, SECOND
from monitor.registry import Catalogue
from monitor.replay.rule_tests import expand
from tests.cli.speak import speak

FALL = """\
tests:
  - name: a fall
    rule: tvl-drawdown
    series:
      - {metric: tvl.usd, subject: "chain:ethereum", start: 2024-01-01, every: 1h, values: "100x47 92"}
    expect:
      - {at: 2024-01-03, subject: "chain:ethereum", EXPECTED}
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "rules.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_list_has_every_rule_with_its_settings_in_the_units_of_a_configuration() -> None:
    said = speak("rules", "list", "--json")
    listed = {rule["id"]: rule for rule in json.loads(said.out)}
    assert set(listed) == set(Catalogue().rules)
    settings = {one["name"]: one["default"] for one in listed["tvl-drawdown"]["settings"]}
    assert settings == {"threshold": "8%", "window": "48h", "exit": "4%", "exit_for": "24h", "variant": "high"}
    assert listed["defi-layer"]["needs"] == ["macro-rising", "tvl-drawdown"]
    assert "threshold 8%, window 48h" in speak("rules").out


def test_show_tells_a_rule_with_units_needs_and_intent() -> None:
    said = speak("rules", "show", "defi-layer").out
    assert "needs: macro-rising, tvl-drawdown" in said
    assert "asks for: a short layer: short_perp or top_up" in said
    assert "window: 48h  (a duration)" in speak("rules", "show", "tvl-drawdown").out


def test_an_unknown_rule_is_answered_with_those_there_are() -> None:
    said = speak("rules", "show", "tvl-drawdwon")
    assert said.code == 2
    assert all(name in said.err for name in Catalogue().rules)


@pytest.mark.parametrize(
    ("expected", "difference"),
    [
        ("verdict: FIRED, value: -0.08, threshold: -0.08, distance: 0, reason: -8.0%, episode: open", ""),
        ("verdict: QUIET", "expected QUIET, got FIRED: TVL of chain:ethereum is -8.0%"),
        ("verdict: FIRED, distance: 0.1", "expected distance 0.1, got 0"),
        ("verdict: FIRED, value: -0.080002", "expected value -0.080002, got -0.08"),
        ("verdict: FIRED, value: -0.0800005", ""),
        ("verdict: FIRED, threshold: 1", "expected threshold 1, got -0.08"),
        ("verdict: FIRED, code: stale", "expected code 'stale', got ''"),
        ("verdict: FIRED, reason: rises", "expected a reason with 'rises'"),
        ("verdict: FIRED, episode: none", "expected episode none, got open"),
    ],
)
def test_a_failure_names_file_line_test_expected_and_got(tmp_path: Path, expected: str, difference: str) -> None:
    file = written(tmp_path, FALL.replace("EXPECTED", expected))
    said = speak("rules", "test", file)
    if not difference:
        assert (said.code, said.out) == (0, "1 passed, 0 failed\n")
        return
    assert said.code == 1
    assert said.out.startswith(f"{file}:7: a fall: at 2024-01-03T00:00:00Z chain:ethereum: {difference}")
    assert said.out.endswith("0 passed, 1 failed\n")


def test_machines_get_the_counts_and_the_failures(tmp_path: Path) -> None:
    said = speak("rules", "test", "--json", written(tmp_path, FALL.replace("EXPECTED", "verdict: QUIET")))
    answer = json.loads(said.out)
    assert (said.code, answer["passed"], answer["failed"], len(answer["failures"])) == (1, 0, 1, 1)


@pytest.mark.parametrize(
    ("before", "after", "line", "words"),
    [
        ("rule: tvl-drawdown", "rule: tvl-drawdwon", 3, "did you mean tvl-drawdown?"),
        ("rule: tvl-drawdown", "rule: tvl-drawdown\n    settings: {threshold: 8 apples}", 4, "is not a rate"),
        ("rule: tvl-drawdown", "rule: tvl-drawdown\n    setings: {threshold: 8%}", 4, "did you mean settings?"),
        ("name: a fall", "name: [a]", 2, "`name` is needed"),
        ("metric: tvl.usd", "metric: tvl.eur", 5, "unknown metric 'tvl.eur'"),
        ("chain:ethereum", "chain ethereum", 5, "does not fit tvl.usd"),
        ("100x47 92", "100x47 -92", 5, "outside the plausible range"),
        ("100x47 92", "100x47 92%", 5, "'92%', number 2, is not understood"),
        ("100x47 92", "100 stale 92", 5, "stale may only stand at the end"),
        ("100x47 92", "100x30000", 5, "more than 20000 samples"),
        ("every: 1h", "every: 0h", 5, "is not a spacing"),
        ("every: 1h", "every: hour", 5, "is not a duration"),
        ("start: 2024-01-01", "start: yesterday", 5, "is not a time"),
        ("at: 2024-01-03", "at: noon", 7, "is not a time"),
        ("EXPECTED", "verdict: MAYBE", 7, "must be one of FIRED, QUIET, UNKNOWN, NOT_CONFIGURED"),
        ("EXPECTED", "reason: none", 7, "verdict: is needed"),
        ('at: 2024-01-03, subject: "chain:ethereum", EXPECTED', "at: 2024-01-03, verdict: QUIET", 7, "`subject` is needed"),
        ("expect:\n      - {at", "expected:\n      - {at", 6, "did you mean expect?"),
        ("tests:", "test:", 1, "a file of tests has `tests`"),
        ("tests:", "tests: [", 2, "this is not valid YAML"),
    ],
)
def test_a_malformed_file_is_named_with_its_line_and_exits_2(tmp_path: Path, before: str, after: str, line: int, words: str) -> None:
    text = FALL.replace(before, after).replace("EXPECTED", "verdict: FIRED")
    file = written(tmp_path, text)
    said = speak("rules", "test", file)
    assert said.code == 2
    assert any(told.startswith(f"{file}:{line}: ") and words in told for told in said.err.splitlines()), said.err


def test_three_mistakes_in_two_files_are_told_at_once(tmp_path: Path) -> None:
    first = written(tmp_path, FALL.replace("EXPECTED", "verdict: MAYBE").replace("every: 1h", "every: 0h"))
    second = tmp_path / "more.yaml"
    second.write_text("tests: []\nmore: 1\n", encoding="utf-8")
    said = speak("rules", "test", first, second)
    assert [told.split(": ")[0] for told in said.err.splitlines()] == [f"{first}:5", f"{first}:7", f"{second}:2"]
    assert said.code == 2


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    said = speak("rules", "test", tmp_path / "none.yaml")
    assert said.code == 2 and "cannot be read" in said.err


@pytest.mark.parametrize(
    ("values", "samples"),
    [
        ("5", [5]),
        ("5x3", [5, 5, 5, 5]),
        ("5+2x3", [5, 7, 9, 11]),
        ("5-2x3", [5, 3, 1, -1]),
        ("-5x1 0.5", [-5, -5, 0.5]),
        ("1e-4 0.5+0.25x1", [1e-4, 0.5, 0.75]),
        ("1 _ 2", [1, None, 2]),
        ("1 _x3 2", [1, None, None, None, 2]),
        ("1 stale", [1]),
        ("", []),
    ],
)
def test_values_read_as_promtool_reads_them(values: str, samples: list[float | None]) -> None:
    assert expand(values) == samples


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [(48 * HOUR, "48h"), (3 * DAY, "3d"), (45 * DAY, "45d"), (10 * MINUTE, "10min"), (90 * SECOND, "90s"), (1500, "1500ms"), (0, "0ms")],
)
def test_a_duration_reads_as_a_person_writes_it(duration_ms: int, text: str) -> None:
    assert duration_text(duration_ms) == text
