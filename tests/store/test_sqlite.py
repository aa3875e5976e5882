"""The store: whole or not at all, safe settings on every connection, and clear words where it cannot be used."""

import os
import re
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitor.core.delivery import Delivery
from monitor.core.effects import SourceMoved
from monitor.core.events import Batch, Event, Tick
from monitor.core.observation import Observation
from monitor.errors import StoreError
from monitor.store import schema
from monitor.store.schema import MIGRATIONS, migrate
from monitor.store.sqlite import SqliteStore, StoreFull, path_of

ROOT = Path(__file__).resolve().parents[2]
NOW = 1_750_000_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "monitor.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(str(path), role="test")
    yield opened
    opened.close()


def batch(count: int, source: str = "defillama") -> Batch:
    return Batch(NOW, source, tuple(Observation("tvl.usd", f"chain:c{n}", source, NOW + n, NOW + n, n + 0.1) for n in range(count)))


def contents(store: SqliteStore) -> tuple[list[tuple[int, Event]], list[object], list[Delivery], int]:
    return list(store.journal()), list(store.effects()), list(store.outbox.every()), len(store.inbox.waiting())


def test_an_event_is_written_with_its_effects_deliveries_and_inbox_rows(store: SqliteStore):
    message_id = store.inbox.put(NOW, "me", "signal", {"action": "test"})
    effect, delivery = SourceMoved(NOW, "okx", False, "no answer", NOW - 5), Delivery("msg_1", "phone", "heartbeat", b"{}", NOW)
    seq = store.commit(batch(3), [effect], [delivery], [message_id])
    assert contents(store) == ([(seq, batch(3))], [(seq, effect)], [delivery], 0)


def test_a_disk_that_fills_mid_commit_leaves_nothing_of_it_and_the_same_event_commits_later_F_107(store: SqliteStore):
    store.commit(batch(2), [])
    message_id = store.inbox.put(NOW, "me", "signal", {"action": "test"})
    before = contents(store)
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    store.connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    large, told = batch(3_000, "okx"), [Delivery("msg_1", "phone", "heartbeat", b"{}", NOW)]
    with pytest.raises(StoreFull, match="is full: free some space"):
        store.commit(large, [SourceMoved(NOW, "okx", True, "heard", NOW)], told, [message_id])
    assert contents(store) == before
    store.connection.execute("PRAGMA max_page_count = 1000000")
    seq = store.commit(large, [SourceMoved(NOW, "okx", True, "heard", NOW)], told, [message_id])
    after = contents(store)
    assert after[0] == [*before[0], (seq, large)]
    assert (len(after[1]), len(after[2]), after[3]) == (1, 1, 0)


def test_an_error_in_the_middle_of_a_commit_leaves_nothing_of_it(store: SqliteStore):
    deliveries = [Delivery("msg_1", "phone", "heartbeat", b"{}", NOW), Delivery("msg_2", "phone", "heartbeat", "text", NOW)]  # type: ignore[arg-type]
    with pytest.raises(sqlite3.IntegrityError, match=r"cannot store TEXT value in BLOB column outbox\.body"):
        store.commit(batch(2), [SourceMoved(NOW, "okx", True, "heard", NOW)], deliveries)
    assert contents(store) == ([], [], [], 0)


def test_an_alert_that_is_queued_already_stays_as_it_is(store: SqliteStore):
    first = Delivery("msg_1", "phone", "heartbeat", b"first", NOW)
    store.commit(Tick(NOW), [], [first])
    store.commit(Tick(NOW), [], [Delivery("msg_1", "phone", "heartbeat", b"second", NOW + 1)])
    assert list(store.outbox.every()) == [first]


# --- safety settings ------------------------------------------------------------------------------------------------------------


def test_every_connection_is_in_wal_with_synchronous_full(path: Path, monkeypatch: pytest.MonkeyPatch):
    made: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def recorded(*args: object, **more: object) -> sqlite3.Connection:
        made.append(connect(*args, **more))  # type: ignore[call-overload]  # passed on as they came
        return made[-1]

    monkeypatch.setattr(sqlite3, "connect", recorded)
    SqliteStore(str(path), role="run")
    SqliteStore(str(path))
    assert len(made) == 2
    for connection in made:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_no_other_module_connects_to_sqlite():
    callers = {str(file.relative_to(ROOT)) for file in (ROOT / "monitor").rglob("*.py") if re.search(r"sqlite3\.connect\(", file.read_text())}
    assert callers == {"monitor/store/sqlite.py"}


def test_the_files_of_a_store_are_for_their_owner_alone(path: Path):
    mask = os.umask(0)
    try:
        opened = SqliteStore(str(path), role="run")
        opened.commit(Tick(NOW), [])
    finally:
        os.umask(mask)
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["monitor.db", "monitor.db-shm", "monitor.db-wal", "monitor.db.lock", "monitor.db.reserve"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


# --- stores that cannot be used -------------------------------------------------------------------------------------------------


def as_nobody(use: Callable[[], object]) -> str:
    """What `use` raises in a process without rights: root may write everywhere."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        said = "it worked"
        try:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            use()
        except BaseException as error:  # noqa: BLE001  # the child must end here, whatever happens
            said = f"{type(error).__name__}: {error}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        answer = told.read()
    os.waitpid(child, 0)
    return answer


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may reach."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@pytest.mark.parametrize("what", ["folder", "file", "unreachable"])
def test_a_store_that_may_not_be_written_is_refused_at_the_start_with_what_to_check_F_112(open_folder: Path, what: str):
    inner = open_folder / "inner"
    inner.mkdir()
    path = inner / "monitor.db"
    if what == "file":
        SqliteStore(str(path), role="run").close()
        path.chmod(0o444)
    inner.chmod({"folder": 0o555, "file": 0o777, "unreachable": 0o000}[what])
    said = as_nobody(lambda: SqliteStore(str(path), role="run"))
    inner.chmod(0o777)
    assert said == f"StoreError: {path} cannot be written: check the permissions of the file and of its folder"


def test_a_folder_that_does_not_exist_is_named_F_112(tmp_path: Path):
    with pytest.raises(StoreError, match=re.escape(f"the folder {tmp_path / 'nowhere'} of the store does not exist")):
        SqliteStore(str(tmp_path / "nowhere" / "monitor.db"), role="run")


def test_a_reader_makes_no_store(path: Path):
    with pytest.raises(StoreError, match="there is no store at"):
        SqliteStore(str(path))
    assert list(path.parent.iterdir()) == []


def test_a_folder_is_no_store(tmp_path: Path):
    with pytest.raises(StoreError, match="is a folder, not a store"):
        SqliteStore(str(tmp_path), role="run")


def test_a_file_that_is_no_store_is_refused_and_left_as_it_is_F_110(path: Path):
    path.write_bytes(b"these are somebody's notes, not a database\n" * 100)
    before = path.read_bytes()
    for role in ("run", None):
        with pytest.raises(StoreError, match=r"cannot be (used|opened) as a store"):
            SqliteStore(str(path), role=role)
    assert path.read_bytes() == before


@pytest.mark.parametrize("url", ["postgresql://db/x", "monitor.db", "sqlite://monitor.db"])
def test_only_sqlite_urls_are_stores(url: str):
    with pytest.raises(StoreError, match="write sqlite:///path"):
        path_of(url)


# --- versions -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("role", "cure"), [("run", "run the newer program that wrote it"), (None, "use the program that wrote it")])
def test_a_store_of_a_newer_program_is_refused_and_left_as_it_is_F_114(path: Path, role: str | None, cure: str):
    made = SqliteStore(str(path), role="run")
    made.connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    made.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=rf"version {len(MIGRATIONS) + 1}, this program .*{cure}"):
        SqliteStore(str(path), role=role)
    assert path.read_bytes() == before


NEXT = ("CREATE TABLE later (x INTEGER) STRICT", "ALTER TABLE meta ADD COLUMN more TEXT", "INSERT INTO meta (key, value) VALUES ('a', 'b')")


@pytest.mark.parametrize("dies_at", [0, 1, 2, 3])
def test_a_migration_that_dies_at_any_statement_leaves_the_old_version_usable_F_114(path: Path, monkeypatch: pytest.MonkeyPatch, dies_at: int):
    old = SqliteStore(str(path), role="run")
    old.commit(batch(2), [])
    old.close()
    broken = (*NEXT[:dies_at], "this is no SQL", *NEXT[dies_at:])
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, broken))
    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection)
    connection.close()
    monkeypatch.setattr(schema, "MIGRATIONS", MIGRATIONS)
    again = SqliteStore(str(path), role="run")
    assert [event for _, event in again.journal()] == [batch(2)]
    assert again.connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'later'").fetchone() == (0,)
    again.close()


def test_a_store_of_the_version_before_is_brought_up_to_date_with_all_it_holds_F_114(path: Path, monkeypatch: pytest.MonkeyPatch):
    old = SqliteStore(str(path), role="run")
    old.commit(batch(2), [])
    old.close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, NEXT))
    monkeypatch.setattr("monitor.store.sqlite.MIGRATIONS", (*MIGRATIONS, NEXT))
    with pytest.raises(StoreError, match="start `run` once"):
        SqliteStore(str(path))
    new = SqliteStore(str(path), role="run")
    assert [event for _, event in new.journal()] == [batch(2)]
    assert new.connection.execute("SELECT value FROM meta WHERE key = 'a'").fetchone() == ("b",)
    new.close()
