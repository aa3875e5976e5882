"""`layers`: the ledger shown, and moved by the operator's word."""

import json
from pathlib import Path

import pytest

from monitor.cli.common import view_of
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


OFFSET = "; the layer makes good 40% of an impermanent loss of 25 USD"
RETURNS = {
    "paths": [
        {
            "sigmas": -1.5,
            "price_usd": 1800.0,
            "layer_usd": 190.0,
            "hedged_usd": -310.4,
            "hedged_return": -0.0621,
            "loss_usd": -25.0,
            "loss_offset": 0.4,
        },
        {
            "sigmas": 0.0,
            "price_usd": 2000.0,
            "layer_usd": -10.0,
            "hedged_usd": -10.0,
            "hedged_return": -0.002,
            "loss_usd": -8.0,
            "loss_offset": -0.09,
        },
    ],
    "break_even": {"alone": {"prices_usd": [2000.0]}, "with_layers": {"prices_usd": [1900.0, 2100.5]}, "with_cost": {"prices_usd": []}},
    "lens": [{"depth_down": 0.3, "cost_usd": 12.5, "paths": [{"hedged_usd": -310.4}, {"hedged_usd": -312.6}]}],
}


def test_show_gives_what_the_page_has_size_paths_break_evens_and_until_when(speak: Speak, monkeypatch: pytest.MonkeyPatch):
    known = {
        "returns_unknown": "",
        "basis": "12,000 USD at 1,800",
        "binding": "cut by session-cap",
        "returns": RETURNS,
        "valid_until": 1_750_003_600_000,
    }
    monkeypatch.setattr("monitor.cli.layers.view_of", lambda config: {**(model := view_of(config)), "layers": [{**model["layers"][0], **known}]})
    assert speak("layers", "show", LAYER).out.splitlines()[3:13] == [
        "protects 1,000 of 5,000 USD, ties up 200 USD",
        "costs 1.50 USD over 1.16e-08 days: funding",
        "sized by: 12,000 USD at 1,800",
        "at -1.5 sigma (1,800 USD): the layer +190 USD, with its position -310 USD (-6.21%) in a week" + OFFSET,
        "at +0 sigma (2,000 USD): the layer -10 USD, with its position -10 USD (-0.20%) in a week; the layer adds 9% to an impermanent loss of 8 USD",
        "breaks even in a week alone: 2,000 USD",
        "breaks even in a week with the layer: 1,900 and 2,100.5 USD",
        "breaks even in a week with it and its cost: at no price near",
        "with depth down 30%: costs 12.50 USD, at worst -313 USD with its position",
        "valid until 2025-06-15T16:06:40Z",
    ]


def test_show_says_why_returns_are_not_known_and_folds_the_gates_that_do_not_exist(speak: Speak, monkeypatch: pytest.MonkeyPatch):
    gates = [{"gate": name, "outcome": "not_built", "reason": "this gate does not exist yet"} for name in ("consensus", "wacc")]
    known = {"returns_unknown": "no price of ETH", "gates": [{"gate": "cooldown", "outcome": "pass"}, *gates]}
    monkeypatch.setattr("monitor.cli.layers.view_of", lambda config: {**(model := view_of(config)), "layers": [{**model["layers"][0], **known}]})
    said = speak("layers", "show", LAYER).out
    assert "returns not known: no price of ETH" in said
    assert said.splitlines()[-1] == "not built yet, so not asked: consensus, wacc"
    assert "does not exist yet" not in said


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
