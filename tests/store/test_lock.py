"""One writer at a time, whoever that is and however it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.core.events import Tick
from monitor.store.lock import StoreInUse
from monitor.store.sqlite import SqliteStore

HOLD = """
import sys
from monitor.store.sqlite import SqliteStore
store = SqliteStore(sys.argv[1], role="run")
print("held", flush=True)
sys.stdin.read()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_writer_is_refused_and_told_who_holds_the_store_F_124(tmp_path: Path):
    path = tmp_path / "monitor.db"
    first = holder(path)
    try:
        with pytest.raises(StoreInUse, match=rf"in use by run, process {first.pid}: stop it first, or use another --store"):
            SqliteStore(str(path), role="run")
        SqliteStore(str(path)).close()  # a reader is welcome
    finally:
        first.communicate("")


def test_a_writer_that_was_killed_leaves_no_lock_F_124(tmp_path: Path):
    path = tmp_path / "monitor.db"
    first = holder(path)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    SqliteStore(str(path), role="run").close()


def test_a_writer_that_could_not_open_leaves_no_lock(tmp_path: Path):
    path = tmp_path / "monitor.db"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(Exception, match="as a store"):
        SqliteStore(str(path), role="run")
    path.unlink()
    SqliteStore(str(path), role="run").close()


def test_a_closed_store_can_be_opened_again_by_another_writer(tmp_path: Path):
    path = str(tmp_path / "monitor.db")
    SqliteStore(path, role="import").close()
    second = SqliteStore(path, role="run")
    with pytest.raises(StoreInUse, match="in use by run"):
        SqliteStore(path, role="import")
    second.close()


def test_a_writer_whose_lock_was_taken_away_while_it_slept_writes_and_sends_nothing_F_103(tmp_path: Path):
    """A daemon that was stopped for hours may find another in its place: it looks before each commit and before each delivery."""
    path = tmp_path / "monitor.db"
    sleeper = SqliteStore(str(path), role="run")
    sleeper.commit(Tick(1), ())
    assert sleeper.outbox.waiting("pager", 1) == []
    (tmp_path / "monitor.db.lock").unlink()
    with pytest.raises(StoreInUse, match="another process may be the writer now"):
        sleeper.commit(Tick(2), ())
    heir = SqliteStore(str(path), role="run")
    with pytest.raises(StoreInUse, match="another process may be the writer now"):
        sleeper.commit(Tick(2), ())
    with pytest.raises(StoreInUse, match="another process may be the writer now"):
        sleeper.outbox.waiting("pager", 1)
    heir.commit(Tick(3), ())
    assert [event for _, event in heir.journal()] == [Tick(1), Tick(3)]
    heir.close()
    sleeper.close()
