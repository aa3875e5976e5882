"""The audit: the journal, thought again, gives the recorded decisions; without them too, in another process, whatever the hash seed."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.app import build_pipeline, configured_event, engine_settings
from monitor.config import Config, discover, load
from monitor.core.effects import LayerMoved
from monitor.core.events import Failed, Signal, Tick
from monitor.core.observation import Reading
from monitor.core.units import DAY, HOUR, month_before, parse_time
from monitor.store.sqlite import DECISIONS, SqliteStore
from tests.cli.speak import speak
from tests.conftest import ROOT

BEGIN_MS = parse_time("2024-02-10")
FELL_HOUR = 72
HOURS = 100
CONFIG = """\
store: {url: "sqlite:///STORE"}
book: {capital: 100_000 USD, mode: promoter}
positions:
  - {id: wallet, kind: tokens, amounts: {ETH: 10}, exposed_to: [chain:ethereum]}
alerts:
  channels:
    phone: {url: "http://127.0.0.1:9/", secret: whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA}
"""


def written(folder: Path) -> Config:
    file = folder / "mine.yaml"
    file.write_text(CONFIG.replace("STORE", str(folder / "live.db")), encoding="utf-8")
    return load(file, {}, discover())


def prints() -> Iterator[Reading]:
    """CPI: level until the print of January, which rises."""
    for n, level in enumerate([100.0] * 12 + [103.0, 103.0, 103.1]):
        at = month_before(parse_time("2024-01-01"), 14 - n)
        if at + 42 * DAY <= BEGIN_MS:
            yield Reading("macro.cpi", "US", level, at, at + 42 * DAY, "bls")


def hour(n: int) -> list[Reading]:
    """What is received in one hour; a revision of the hour before comes with every tenth."""
    at = BEGIN_MS + n * HOUR
    tvl = 90e9 if n >= FELL_HOUR else 100e9
    rows = [Reading("tvl.usd", "chain:ethereum", tvl, at, source="llama")]
    rows += [Reading("price.usd", "ETH", 3000.0 + n, at, source=source) for source in ("a", "b")]
    if n % 10 == 9:
        rows.append(Reading("price.usd", "ETH", 3001.0 + n, at - HOUR, source="a"))
    if n == 48:
        january = parse_time("2024-01-01")
        rows.append(Reading("macro.cpi", "US", 103.1, january, january + 42 * DAY, "bls"))
    return rows


def live(folder: Path) -> Path:
    """A store as a daemon leaves it: settings, four days of news, a failure, ticks, an approval, and a restart in the middle."""
    config = written(folder)
    path = Path(config.store.path)
    for part in (range(FELL_HOUR + 2), range(FELL_HOUR + 2, HOURS)):
        store = SqliteStore(str(path), role="run")
        pipeline = build_pipeline(store, config, lambda: BEGIN_MS)
        pipeline.process(configured_event(engine_settings(config), BEGIN_MS + part.start * HOUR - 1))
        if part.start == 0:
            pipeline.receive(list(prints()), source="import", now=BEGIN_MS)
        for n in part:
            now = BEGIN_MS + n * HOUR
            pipeline.receive(hour(n), source="test", now=now)
            pipeline.process(Tick(now + HOUR // 2))
            if n % 30 == 7:
                pipeline.process(Failed(now + 1, "binance", "no answer"))
        waiting = [e.id for _, e in store.effects() if isinstance(e, LayerMoved) and e.state == "proposed"]
        if waiting and part.start:
            pipeline.process(Signal(BEGIN_MS + HOURS * HOUR, "in_1", "tester", "approve", waiting[0], "looks right"))
        store.close()
    return path


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return live(tmp_path_factory.mktemp("live"))


@pytest.fixture
def store(recorded: Path, tmp_path: Path) -> Path:
    """A copy, to be tampered with."""
    return Path(shutil.copy(recorded, tmp_path / "copy.db"))


def tampered(store: Path, *statements: str) -> int:
    """How many rows the statements changed."""
    connection = sqlite3.connect(store)
    with connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        changed = sum(connection.execute(statement).rowcount for statement in statements)
    connection.close()
    return changed


def test_the_story_holds_every_kind_of_decision(recorded: Path) -> None:
    store = SqliteStore(str(recorded))
    kinds = {effect.kind for _, effect in store.effects()}
    store.close()
    assert kinds >= {"verdict", "episode-opened", "source", "alert"}
    assert kinds & {"layer", "held"}


def test_the_journal_thought_again_is_the_record(store: Path) -> None:
    said = speak("replay", "--log", store=store)
    assert said.code == 0
    assert said.err.endswith(" decisions, identical to the record\n")
    rows = tampered(store, *(f"UPDATE {table} SET n = n" for table in DECISIONS))
    *decisions, summary = said.out.splitlines()
    assert len(decisions) == rows > 20
    assert json.loads(summary)["kind"] == "summary"


OBSERVATION = "SELECT o.id FROM observations o JOIN series s ON s.id = o.series WHERE s.metric = '{}' AND o.at = {}"


@pytest.mark.parametrize(
    ("metric", "at"),
    [("tvl.usd", BEGIN_MS + FELL_HOUR * HOUR), ("macro.cpi", parse_time("2024-01-01")), ("macro.cpi", parse_time("2023-01-01"))],
)
def test_one_row_less_changes_the_bytes_and_is_found_out(recorded: Path, store: Path, metric: str, at: int) -> None:
    whole = {words: speak("replay", *words, store=recorded) for words in (("--log",), ("--json",))}
    assert tampered(store, f"DELETE FROM observations WHERE id IN ({OBSERVATION.format(metric, at)})") == 1
    said = speak("replay", "--log", store=store)
    assert said.code == 1
    assert "differs from the record at event " in said.err or "that the journal does not give" in said.err
    assert said.out != whole["--log",].out
    assert speak("replay", "--json", store=store).out != whole["--json",].out


def test_one_decision_changed_by_hand_is_found_out(store: Path) -> None:
    assert tampered(store, "UPDATE verdicts SET body = replace(body, 'FIRED', 'QUIET') WHERE body LIKE '%tvl-drawdown%FIRED%'") >= 1
    said = speak("replay", "--log", store=store)
    assert said.code == 1 and "differs from the record at event " in said.err


def test_a_decision_that_the_journal_does_not_give_is_found_out(store: Path) -> None:
    assert tampered(store, "INSERT INTO verdicts SELECT seq + 100000, n, kind, at, body FROM verdicts LIMIT 1") == 1
    said = speak("replay", "--log", store=store)
    assert said.code == 1 and "that the journal does not give" in said.err


@pytest.mark.parametrize("words", [("--log",), ("--json",)])
def test_without_the_decisions_another_process_with_another_hash_seed_gives_the_same_bytes(
    recorded: Path, store: Path, words: tuple[str, ...]
) -> None:
    whole = speak("replay", *words, store=recorded)
    tampered(store, *(f"DROP TABLE {table}" for table in DECISIONS))
    command = [sys.executable, "-m", "monitor", "--store", f"sqlite:///{store}", "replay", *words]
    for seed in ("1", "31337"):
        done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.decode() == whole.out
    assert b"none are recorded to compare with" in done.stderr or words == ("--json",)
