"""What the recorded spring and autumn of 2022 say, through the program's own commands: `import`, `replay --json`, `explain --at`."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from monitor.core.units import parse_time
from tests.cli.speak import speak
from tests.recorded import cpi_csv, ppi_csv, releases_csv, tvl_csv

TVL, LAYER, MACRO = "tvl-drawdown", "defi-layer", "macro-rising"
ETHEREUM = "chain:ethereum"


@pytest.fixture(scope="module")
def store(recorded_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ethereum's TVL, CPI, PPI and release instants, imported as a user would."""
    folder = tmp_path_factory.mktemp("recorded")
    files = [make(recorded_data, folder) for make in (tvl_csv, cpi_csv, ppi_csv, releases_csv)]
    said = speak("import", *files, store=folder / "recorded.db")
    assert (said.code, said.err) == (0, "")
    return folder / "recorded.db"


@cache
def replayed(store: Path) -> list[dict[str, Any]]:
    """The verdict lines of one replay of everything."""
    said = speak("replay", "--json", store=store)
    assert said.code == 0
    return [line for line in map(json.loads, said.out.splitlines()) if line["kind"] == "verdict"]


def in_force(store: Path, rule: str, at: str) -> dict[str, Any]:
    """The last verdict line of a rule at or before an instant."""
    own = [line for line in replayed(store) if line["rule"] == rule and line["subject"] in (ETHEREUM, "US")]
    return [line for line in own if parse_time(line["at"]) <= parse_time(at)][-1]


def explained(store: Path, rule: str, at: str) -> dict[str, Any]:
    said = speak("explain", rule, "--at", at, "--json", store=store)
    assert said.code == 0
    answer: dict[str, Any] = json.loads(said.out)
    return answer


ACCEPTED = [
    *((TVL, day, "FIRED") for day in ("2022-05-10", "2022-05-12", "2022-05-13", "2022-06-14", "2022-11-09", "2022-11-10")),
    (TVL, "2023-03-11", "QUIET"),
    (LAYER, "2022-05-10", "FIRED"),
    (LAYER, "2022-05-13", "FIRED"),
    (LAYER, "2022-11-10", "QUIET"),
]


@pytest.mark.parametrize(("rule", "day", "verdict"), ACCEPTED)
def test_the_verdict_in_force_at_midnight_is_the_same_by_replay_and_by_explain(store: Path, rule: str, day: str, verdict: str) -> None:
    at = f"{day}T00:00:00Z"
    assert in_force(store, rule, at)["verdict"] == verdict
    answer = explained(store, rule, at)
    assert (answer["verdict"], answer["subject"], answer["at"]) == (verdict, ETHEREUM, at)


def test_the_layer_of_may_is_latched_although_the_prints_had_turned(store: Path) -> None:
    at = "2022-05-13T00:00:00Z"
    assert explained(store, MACRO, at)["verdict"] == "QUIET"
    assert "latched: a print was rising until 2022-05-1" in explained(store, LAYER, at)["reason"]
    assert "latched: " not in explained(store, LAYER, "2022-05-10T00:00:00Z")["reason"]


def test_in_november_no_print_has_been_rising_since_the_episode_began(store: Path) -> None:
    reason = explained(store, LAYER, "2022-11-10T00:00:00Z")["reason"]
    assert "no print has been rising since the episode began 2022-11-09" in reason


def test_a_print_counts_from_its_release_and_not_a_second_earlier_F_083(store: Path) -> None:
    before, after = (explained(store, MACRO, f"2022-05-11T12:{time}Z") for time in ("29:59", "30:00"))
    assert "CPI of 2022-03" in before["reason"] and "2022-04" not in before["reason"].partition(";")[0]
    assert "CPI of 2022-04" in after["reason"]
    assert all(evidence["known_at"] <= "2022-05-11T12:29:59Z" for evidence in before["evidence"])
    [april] = [evidence for evidence in after["evidence"] if evidence["metric"] == "macro.cpi" and evidence["at"].startswith("2022-04")]
    assert april["known_at"] == "2022-05-11T12:30:00Z"
