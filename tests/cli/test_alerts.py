"""`alerts`: what is shown, and what an operator may say."""

import getpass
import json
from pathlib import Path

import pytest

from monitor.store.sqlite import SqliteStore
from tests.cli.speaking import Said, Speak, filled, speaker


@pytest.fixture
def speak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Speak:
    return speaker(tmp_path, monkeypatch, capsys)


@pytest.fixture
def quiet(tmp_path: Path) -> Path:
    """The store with no daemon on it."""
    filled(tmp_path).close()
    return tmp_path / "monitor.db"


def reopened(path: Path) -> SqliteStore:
    return SqliteStore(str(path))


@pytest.mark.parametrize("words", [("alerts",), ("alerts", "list")])
def test_bare_alerts_lists_them_newest_first_with_what_became_of_each(quiet: Path, speak: Speak, words: tuple[str, ...]):
    said = speak(*words)
    assert said.code == 0
    lines = said.out.splitlines()
    assert [line.split()[1] for line in lines[1:3]] == ["msg_two", "msg_one"]
    assert [line.split()[4] for line in lines[1:3]] == ["pending", "delivered"]


def test_json_is_what_the_api_serves(quiet: Path, speak: Speak):
    told = json.loads(speak("alerts", "--json").out)
    assert told["at"] == "2025-06-15T15:06:40Z"
    assert [(one["id"], one["delivery"], one["channel"], one["at"]) for one in told["alerts"]] == [
        ("msg_two", "pending", "phone", "2025-06-15T15:06:40Z"),
        ("msg_one", "delivered", "phone", "2025-06-15T15:06:40Z"),
    ]


def test_show_gives_every_try(quiet: Path, speak: Speak):
    told = json.loads(speak("alerts", "show", "msg_one", "--json").out)
    assert told["data"]["subject"] == "chain:base"
    assert told["deliveries"] == [
        {
            "channel": "phone",
            "delivery": "delivered",
            "attempts": [
                {"at": "2025-06-15T15:06:40.005Z", "outcome": "failed", "detail": "status 500"},
                {"at": "2025-06-15T15:06:40.060Z", "outcome": "delivered", "detail": "status 200"},
            ],
        }
    ]
    assert "status 500" in speak("alerts", "show", "msg_one").out


@pytest.mark.parametrize("action", ["show", "resend"])
def test_an_unknown_alert_is_named_with_exit_1(quiet: Path, speak: Speak, action: str):
    assert speak("alerts", action, "msg_none") == Said("", "there is no alert msg_none: `hedge-monitor alerts` lists the newest\n", 1)


def test_resend_without_a_daemon_puts_the_same_bytes_back_in_the_queue(quiet: Path, speak: Speak):
    before = reopened(quiet).outbox.find("msg_one")[0]
    assert "no daemon is running" in speak("alerts", "resend", "msg_one").out
    store = reopened(quiet)
    row = store.outbox.find("msg_one")[0]
    assert (row.status, row.attempts, row.body) == ("waiting", 0, before.body)
    assert [event.kind for _, event in store.journal()] == ["tick", "signal"]


def test_resend_beside_a_daemon_writes_nothing_but_the_inbox(tmp_path: Path, speak: Speak):
    store = filled(tmp_path)
    assert "handed to the running daemon" in speak("alerts", "resend", "msg_one").out
    assert store.outbox.find("msg_one")[0].status == "delivered"
    assert [(one.kind, one.body["action"], one.body["target"]) for one in store.inbox.waiting()] == [("signal", "resend", "msg_one")]


def test_a_test_alert_is_queued_like_a_real_one_F_143(quiet: Path, speak: Speak):
    assert speak("alerts", "test").code == 0
    rows = [row for row in reopened(quiet).outbox.every() if row.type == "heartbeat"]
    assert [(row.channel, row.status) for row in rows] == [("phone", "waiting")]
    assert json.loads(rows[0].body)["data"]["test"] is True


def test_a_silence_is_recorded_with_its_end_its_reason_and_who_asked_F_147(tmp_path: Path, speak: Speak):
    store = filled(tmp_path)
    said = speak("alerts", "silence", "tvl-drawdown/*", "--for", "2h", "--reason", "bridge migration")
    assert said.code == 0
    asked = store.inbox.waiting()[0]
    assert (asked.body["action"], asked.body["target"], asked.body["note"]) == ("silence", "tvl-drawdown/*", "bridge migration")
    assert asked.body["until"] - asked.at == pytest.approx(2 * 3_600_000, abs=5_000)
    assert asked.actor == getpass.getuser()


@pytest.mark.parametrize(
    ("lasting", "reason", "code"),
    [
        ("7d", "x", 0),
        ("168h", "x", 0),
        ("8d", "x", 2),
        ("0s", "x", 2),
        ("-1h", "x", 2),
        ("for ever", "x", 2),
        ("120", "x", 2),
        ("2h", " ", 2),
    ],
)
def test_a_silence_needs_an_end_within_seven_days_and_a_reason_F_147(tmp_path: Path, speak: Speak, lasting: str, reason: str, code: int):
    store = filled(tmp_path)
    said = speak("alerts", "silence", "data.stale", "--for", lasting, "--reason", reason)
    assert said.code == code, said
    assert len(store.inbox.waiting()) == (0 if code else 1)


@pytest.mark.parametrize("left_out", ["--for", "--reason"])
def test_a_silence_without_its_end_or_its_reason_is_a_usage_error_F_147(quiet: Path, speak: Speak, left_out: str):
    words = {"--for": "2h", "--reason": "x"}
    words.pop(left_out)
    said = speak("alerts", "silence", "data.stale", *[word for pair in words.items() for word in pair])
    assert said.code == 2
    assert left_out in said.err
