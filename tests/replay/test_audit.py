"""The audit: the journal thought again gives the recorded bytes, in any process; a journal that was touched does not pass."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.core.engine import Engine
from monitor.core.events import Event, Failed, Signal, Tick
from monitor.core.units import HOUR, MINUTE
from monitor.pipeline import Pipeline, Subscription
from monitor.registry import Catalogue
from monitor.replay.audit import Audit, audit
from monitor.store.sqlite import DECISIONS, SqliteStore
from tests.builders import START, seen
from tests.worlds import TVL, batch, configured, hours, opening

ROOT = Path(__file__).resolve().parents[2]
# Prints what an audit says; the hash of every str differs between two processes.
PROGRAM = """
import sys
from monitor.replay.audit import audit
from monitor.store.sqlite import SqliteStore
result = audit(SqliteStore(sys.argv[1]), print)
print(result.sentence, file=sys.stderr)
"""


def started(store: SqliteStore) -> Pipeline:
    pipeline = Pipeline(Engine(Catalogue()), store, lambda: START, [Subscription("ops")])
    pipeline.restore()
    return pipeline


def live(path: Path, restart_after: frozenset[int] = frozenset()) -> None:
    """A layer proposed, approved, activated, closed; a source that fails; a revision; and the daemon started again where asked."""
    store = SqliteStore(str(path), role="run")
    pipeline = started(store)
    revised = batch(START + 5 * HOUR, [seen("tvl.usd", TVL, 4.2e10, START + 2 * HOUR, "llama", START + 5 * HOUR)])
    events: list[Event] = [*opening(), *hours([5e10, 4.4e10, 4.4e10]), Tick(START + 3 * HOUR + MINUTE)]
    events += [Signal(START + 4 * HOUR, f"in_{word}", "me", word, "") for word in ("approve", "activate", "silence", "test")]
    events += [revised, Failed(START + 5 * HOUR, "other", "down"), Tick(START + 9 * HOUR), Tick(START + 30 * HOUR)]
    for number, event in enumerate(events):
        if number in restart_after:
            pipeline = started(store)
            pipeline.process(configured(pipeline.engine.now))
        target = next((layer.id for layer in pipeline.engine.state.ledger), "L-none")
        pipeline.process(Signal(event.now, event.id, event.actor, event.action, target) if isinstance(event, Signal) else event)
    store.close()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audit") / "live.db"
    live(path)
    return path


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Iterator[SqliteStore]:
    """A copy to be damaged."""
    copy = tmp_path / "copy.db"
    copy.write_bytes(template.read_bytes())
    opened = SqliteStore(str(copy), role="test")
    yield opened
    opened.close()


def said(store: SqliteStore) -> tuple[Audit, list[str]]:
    lines: list[str] = []
    return audit(store, lines.append), lines


def test_what_was_decided_live_is_decided_again_to_the_byte(store: SqliteStore):
    found, lines = said(store)
    assert found.same and found.sentence == f"{len(lines) - 1} decisions, identical to the record"
    assert lines[:-1] == [body for _, body in store.recorded_lines() or ()]
    kinds = {json.loads(line).get("type") for line in lines}
    assert {"layer.proposed", "layer.approved", "trigger.fired", "source.down"} <= kinds


@pytest.mark.parametrize(
    "restarts", [{2}, {5}, {8, 9}, set(range(1, 14))], ids=["early", "with an open layer", "between two words", "before every event"]
)
def test_restarts_are_in_the_journal_and_do_not_trouble_the_audit(tmp_path: Path, restarts: set[int]):
    live(tmp_path / "r.db", frozenset(restarts))
    store = SqliteStore(str(tmp_path / "r.db"))
    found, lines = said(store)
    assert found.same, found.sentence
    assert sum(1 for _, event in store.journal() if event.kind == "configured") == len(restarts) + 1
    assert '"approved"' in "".join(lines)
    store.close()


def test_a_dropped_observation_changes_the_bytes_even_where_it_changes_no_decision(store: SqliteStore):
    """Each of the first twenty, one at a time: the summary's digest at least is another."""
    _, before = said(store)
    for (row_id,) in store.connection.execute("SELECT id FROM observations ORDER BY id LIMIT 20").fetchall():
        store.connection.execute("SAVEPOINT whole")
        store.connection.execute("DELETE FROM observations WHERE id = ?", (row_id,))
        assert said(store)[1] != before, row_id
        store.connection.execute("ROLLBACK TO whole")
    assert said(store)[1] == before


def test_a_value_that_was_touched_is_named_with_the_event_where_it_shows(store: SqliteStore):
    row_id, seq = store.connection.execute("SELECT id, seq FROM observations WHERE value = 4.4e10 ORDER BY id LIMIT 1").fetchone()
    store.connection.execute("UPDATE observations SET value = 4.95e10 WHERE id = ?", (row_id,))
    found, _ = said(store)
    assert not found.same and found.sentence.startswith(f"differs from the record at event {seq}: recorded, and ")


def test_a_decision_that_was_taken_out_of_the_record_shows(store: SqliteStore):
    store.connection.execute("DELETE FROM alerts WHERE type = 'layer.proposed'")
    found, _ = said(store)
    assert not found.same and "a decision that was not recorded" in found.sentence


def test_a_decision_that_was_taken_off_the_end_of_the_record_shows(store: SqliteStore):
    store.connection.execute("DELETE FROM alerts WHERE seq = (SELECT max(seq) FROM alerts)")
    found, _ = said(store)
    assert not found.same and "a decision that was not recorded" in found.sentence


def test_a_decision_that_was_added_at_the_end_of_the_record_shows(store: SqliteStore):
    store.connection.execute("INSERT INTO alerts SELECT seq + 1000, n, at, 'msg_x', type, body FROM alerts ORDER BY seq DESC LIMIT 1")
    found, _ = said(store)
    assert not found.same and "a decision that the journal does not give" in found.sentence


def test_an_event_that_was_taken_out_of_the_journal_shows(store: SqliteStore):
    seq = store.connection.execute("SELECT seq FROM ledger WHERE state = 'approved'").fetchone()[0]
    store.connection.execute("PRAGMA foreign_keys = OFF")
    store.connection.execute("DELETE FROM log WHERE seq = ?", (seq,))
    found, _ = said(store)
    assert not found.same


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_another_process_with_the_decisions_dropped_says_the_same_bytes(store: SqliteStore, seed: str):
    """Nothing of a decision comes from the decision tables, from set order or from the process."""
    _, lines = said(store)
    for table in DECISIONS:
        store.connection.execute(f"DROP TABLE {table}")
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, store.path],
        env=environment,
        cwd=store.path.rpartition("/")[0],
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert ran.stdout.decode().splitlines() == lines
    assert ran.stderr.decode().strip() == f"{len(lines) - 1} decisions; none are recorded to compare with"


def test_an_audit_changes_nothing(store: SqliteStore):
    before = hashlib.sha256("\n".join(store.connection.iterdump()).encode()).digest()
    said(store)
    assert hashlib.sha256("\n".join(store.connection.iterdump()).encode()).digest() == before
