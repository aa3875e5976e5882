"""`layers`: the ledger shown, and moved by the operator's word."""

import json
from pathlib import Path

import pytest

from monitor.core.effects import LayerMoved
from monitor.store.sqlite import SqliteStore
from tests.cli.speaking import Said, Speak, filled, proposal, speaker

LAYER = proposal().id


@pytest.fixture
def speak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Speak:
    filled(tmp_path).close()
    return speaker(tmp_path, monkeypatch, capsys)


def states(folder: Path) -> list[str]:
    return [effect.state for _, effect in SqliteStore(str(folder / "monitor.db")).effects() if isinstance(effect, LayerMoved)]


@pytest.mark.parametrize("words", [("layers",), ("layers", "list")])
def test_bare_layers_lists_them_as_the_store_has_them(speak: Speak, words: tuple[str, ...]):
    said = speak(*words)
    assert said.code == 0
    assert said.out.splitlines()[1].split()[:6] == [LAYER, "eth-usdc", "short", "proposed", "1,000", "1.50"]


def test_json_is_what_the_api_serves(speak: Speak):
    told = json.loads(speak("layers", "--json").out)
    assert [(one["id"], one["state"], one["proposed_at"]) for one in told["layers"]] == [(LAYER, "proposed", "2025-06-15T15:06:40Z")]
    assert {"at", "held", "ladder", "gates"} <= told.keys()


def test_show_gives_the_gates(speak: Speak):
    said = speak("layers", "show", LAYER)
    assert "cooldown" in said.out
    assert json.loads(speak("layers", "show", LAYER, "--json").out)["id"] == LAYER


def test_a_layer_goes_from_proposed_to_closed_by_the_operators_word(tmp_path: Path, speak: Speak):
    for action in ("approve", "activate"):
        assert speak("layers", action, LAYER).code == 0
    assert speak("layers", "close", LAYER, "--note", "taken off at 14:00").code == 0
    assert states(tmp_path) == ["proposed", "approved", "active", "closed"]
    assert json.loads(speak("layers", "--json").out)["layers"][0]["reason"] == "taken off at 14:00"


def test_a_layer_can_be_rejected(tmp_path: Path, speak: Speak):
    assert speak("layers", "reject", LAYER, "--note", "too dear").code == 0
    assert states(tmp_path) == ["proposed", "rejected"]


@pytest.mark.parametrize("action", ["show", "approve", "reject", "activate", "close"])
def test_an_unknown_layer_is_named_with_exit_1(tmp_path: Path, speak: Speak, action: str):
    assert speak("layers", action, "L-none") == Said("", "there is no layer L-none: `hedge-monitor layers` lists them\n", 1)
    assert states(tmp_path) == ["proposed"]


def test_a_step_that_does_not_exist_is_refused_with_exit_1_and_changes_nothing(tmp_path: Path, speak: Speak):
    assert speak("layers", "close", LAYER) == Said("", f"{LAYER} is proposed, it cannot become closed\n", 1)
    assert states(tmp_path) == ["proposed"]


def test_beside_a_daemon_a_word_goes_to_the_inbox_and_changes_nothing_yet(tmp_path: Path, speak: Speak):
    daemon = SqliteStore(str(tmp_path / "monitor.db"), role="run")
    assert speak("layers", "approve", LAYER).out == f"approve {LAYER}: handed to the running daemon\n"
    assert states(tmp_path) == ["proposed"]
    assert [one.body["action"] for one in daemon.inbox.waiting()] == ["approve"]
