"""The store: one SQLite file with the log, the decisions and what waits to be sent, written in one transaction per event.

WAL with synchronous=FULL: what `commit` has returned from survives a power cut.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from monitor.core.effects import Alerted, Effect, Judged, LayerMoved
from monitor.core.events import Batch, Event
from monitor.core.ledger import Ledger
from monitor.core.observation import Observation, SeriesKey
from monitor.errors import StoreError
from monitor.store.inbox import Inbox
from monitor.store.lock import WriterLock
from monitor.store.outbox import Delivery, Outbox
from monitor.store.records import read_effect, read_event, read_value, write_effect, write_event, write_value
from monitor.store.schema import MIGRATIONS, migrate

MEMORY = ":memory:"
RESERVE_BYTES = 4 * 1024 * 1024
CACHE_KIB = 16 * 1024
_NOT_WRITABLE = "{} cannot be written: check the permissions of the file and of its folder"
DECISIONS = ("verdicts", "ledger", "alerts")
_OBSERVATION = "SELECT s.metric, s.subject, s.source, o.at, o.known_at, o.value, o.block_hash"


class Bookmark(NamedTuple):
    """Where a backfill of one stream over one span goes on; `next_ms` None: it is done."""

    source: str
    stream: str
    span: str
    next_ms: int | None


class StoreFull(StoreError):
    """The disk is full: nothing of the last transaction was written."""


def path_of(url: str) -> str:
    """The file of a `sqlite:///path` URL. Raises StoreError for any other kind of store."""
    if not url.startswith("sqlite:///"):
        raise StoreError(f"store url {url!r} is not understood: write sqlite:///path/to/monitor.db")
    return url.removeprefix("sqlite:///")


class SqliteStore:
    """One connection to one store. Only a store opened with a `role` may write decisions, and only one process at a time has one."""

    def __init__(self, path: str, *, role: str | None = None) -> None:
        self.path = path
        self._lock = WriterLock(Path(path)) if role and path != MEMORY else None
        self._series: dict[SeriesKey, int] = {}
        if path != MEMORY:
            _must_be_usable(Path(path), create=role is not None)
        if self._lock is not None and role is not None:
            self._lock.acquire(role)
        try:
            self.connection = _connect(path)
            self._prepare(writes=role is not None or path == MEMORY)
            if role is not None:
                self._keep_reserve()
        except BaseException:
            self._unlock()
            raise
        self.outbox = Outbox(self.connection, self.must_lead)
        self.inbox = Inbox(self.connection)

    def _prepare(self, *, writes: bool) -> None:
        try:
            if writes:
                migrate(self.connection)
            version = int(self.connection.execute("PRAGMA user_version").fetchone()[0])
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self.path} cannot be used as a store: {error}") from error
        if version != len(MIGRATIONS):
            cure = "start `run` once, or use the program that wrote it"
            raise StoreError(f"{self.path} has version {version}, this program needs {len(MIGRATIONS)}: {cure}")

    def close(self) -> None:
        self.connection.close()
        self._unlock()

    @property
    def _reserve(self) -> Path:
        return Path(f"{self.path}.reserve")

    def _keep_reserve(self) -> None:
        """Hold some disk back for the day when there is none: enough to write down that it is full. A disk full already has none to hold."""
        if self.path == MEMORY or self._reserve.exists():
            return
        descriptor = os.open(self._reserve, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
        except OSError:
            self._reserve.unlink()
        finally:
            os.close(descriptor)

    def free_reserve(self) -> bool:
        """Give the reserve back to the disk; False when it was given back already."""
        if self.path == MEMORY or not self._reserve.exists():
            return False
        self._reserve.unlink()
        return True

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def must_lead(self) -> None:
        """Raise StoreInUse if another process may be the writer by now: after a long sleep of this one, say."""
        if self._lock is not None:
            self._lock.must_be_held()

    # --- writing ----------------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. Raises StoreFull when the disk is full."""
        self.must_lead()
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            yield
            self.connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            self._roll_back()
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise StoreFull(f"the disk of {self.path} is full: free some space and start again; nothing is lost") from error
            raise StoreError(f"{self.path}: {error}") from error
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        self._series.clear()
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    def commit(
        self,
        event: Event,
        effects: Sequence[Effect],
        deliveries: Sequence[Delivery] = (),
        inbox_ids: Sequence[str] = (),
        resend: tuple[str, int] | None = None,
        bookmark: Bookmark | None = None,
    ) -> int:
        """Write an event, what was decided and what must be sent, and mark the inbox rows it came from. Returns its sequence number.

        `resend`: the id of an alert to send again, and the wall clock's now. `bookmark`: where the backfill that brought the event goes on.
        """
        with self.transaction():
            row = (event.now, event.kind, write_event(event))
            seq = int(self.connection.execute("INSERT INTO log (now, kind, body) VALUES (?, ?, ?)", row).lastrowid or 0)
            if isinstance(event, Batch):
                self._insert_observations(seq, event.observations)
            for n, effect in enumerate(effects):
                self._insert_effect(seq, n, effect)
            self.outbox.queue(seq, deliveries)
            if resend is not None:
                self.outbox.resend(*resend)
            self.inbox.mark_taken(inbox_ids, event.now)
            if bookmark is not None:
                self.bookmark(*bookmark)
        return seq

    def _insert_observations(self, seq: int, observations: Iterable[Observation]) -> None:
        rows = [(seq, self._series_id(o.key), o.at, o.known_at, write_value(o.value), o.block_hash) for o in observations]
        self.connection.executemany("INSERT INTO observations (seq, series, at, known_at, value, block_hash) VALUES (?, ?, ?, ?, ?, ?)", rows)

    def _series_id(self, key: SeriesKey) -> int:
        if key not in self._series:
            self.connection.execute("INSERT OR IGNORE INTO series (metric, subject, source) VALUES (?, ?, ?)", key)
            found = self.connection.execute("SELECT id FROM series WHERE (metric, subject, source) = (?, ?, ?)", key).fetchone()
            self._series[key] = int(found[0])
        return self._series[key]

    def _insert_effect(self, seq: int, n: int, effect: Effect) -> None:
        body = write_effect(effect)
        match effect:
            case LayerMoved():
                self.connection.execute("INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?)", (seq, n, effect.at, effect.id, effect.state, body))
            case Alerted():
                self.connection.execute("INSERT INTO alerts VALUES (?, ?, ?, ?, ?, ?)", (seq, n, effect.at, effect.id, effect.type, body))
            case _:
                self.connection.execute("INSERT INTO verdicts VALUES (?, ?, ?, ?, ?)", (seq, n, effect.kind, effect.at, body))

    def bookmark(self, source: str, stream: str, span: str, next_ms: int | None) -> None:
        """Remember where a backfill goes on; None: this stream is done."""
        self.connection.execute("INSERT OR REPLACE INTO bookmarks VALUES (?, ?, ?, ?)", (source, stream, span, next_ms))

    # --- reading ----------------------------------------------------------------------------------------------------

    def find_bookmark(self, source: str, stream: str, span: str) -> tuple[int | None] | None:
        """Where a backfill goes on, as a 1-tuple (None in it: done); None when it never began."""
        row = self.connection.execute("SELECT next_ms FROM bookmarks WHERE (source, stream, span) = (?, ?, ?)", (source, stream, span)).fetchone()
        return None if row is None else (row[0],)

    def journal(self) -> Iterator[tuple[int, Event]]:
        """Every event in the order in which this store received it."""
        observations = groupby(self._rows_by_seq(), key=lambda row: row[0])
        pending = next(observations, None)
        for seq, now, kind, body in self.connection.execute("SELECT seq, now, kind, body FROM log ORDER BY seq"):
            mine: tuple[Observation, ...] = ()
            if pending is not None and pending[0] == seq:
                mine = tuple(_observation(row[1:]) for row in pending[1])
                pending = next(observations, None)
            yield seq, read_event(kind, now, body, mine)

    def events(self) -> Iterator[tuple[int, Event]]:
        """The journal without its observations: `points` has these."""
        for seq, now, kind, body in self.connection.execute("SELECT seq, now, kind, body FROM log ORDER BY seq"):
            yield seq, read_event(kind, now, body, ())

    def points(self) -> Iterator[tuple[SeriesKey, int, int, float | int, str]]:
        """Series, `at`, `known_at`, value and block hash of every observation in the order of receipt: the cheapest way to all of them."""
        keys = {number: SeriesKey(*key) for number, *key in self.connection.execute("SELECT id, metric, subject, source FROM series")}
        for number, at, known_at, value, block_hash in self.connection.execute(
            "SELECT series, at, known_at, value, block_hash FROM observations ORDER BY id"
        ):
            yield keys[number], at, known_at, read_value(value), block_hash

    def _rows_by_seq(self) -> Iterator[tuple[int, ...]]:
        select = "SELECT o.seq, " + _OBSERVATION.removeprefix("SELECT ")
        yield from self.connection.execute(f"{select} FROM observations o JOIN series s ON s.id = o.series ORDER BY o.seq, o.id")

    def effects(self) -> Iterator[tuple[int, Effect]]:
        """Every recorded effect, in the order in which it was made."""
        for seq, body in self.recorded_lines() or ():
            yield seq, read_effect(body)

    def recorded_lines(self, wanted: Sequence[str] | None = None) -> Iterator[tuple[int, str]] | None:
        """Recorded effects as they are written, all or of the wanted tables; None where these tables are gone."""
        tables = {row[0] for row in self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        chosen = wanted or DECISIONS
        if not set(chosen) <= tables:
            return None
        parts = " UNION ALL ".join(f"SELECT seq, n, body FROM {table}" for table in chosen)
        return ((seq, body) for seq, _, body in self.connection.execute(f"SELECT * FROM ({parts}) ORDER BY seq, n"))

    def history(self) -> Iterator[Observation]:
        """Every observation in the order in which it could be known: (known_at, order of receipt)."""
        rows = self.connection.execute(f"{_OBSERVATION} FROM observations o JOIN series s ON s.id = o.series ORDER BY o.known_at, o.id")
        return map(_observation, rows)

    def select(self, pattern: str, start: int, end: int) -> Iterator[Observation]:
        """Observations whose metric matches a GLOB pattern, with start <= at <= end, by series and time, revisions in order of receipt."""
        where = "WHERE s.metric GLOB ? AND o.at BETWEEN ? AND ? ORDER BY s.metric, s.subject, s.source, o.at, o.known_at, o.id"
        rows = self.connection.execute(f"{_OBSERVATION} FROM observations o JOIN series s ON s.id = o.series {where}", (pattern, start, end))
        return map(_observation, rows)

    def unheld(self, observations: Iterable[Observation]) -> list[Observation]:
        """Those that are not stored yet: the same value of the same instant, known at the same time."""
        spans: dict[SeriesKey, tuple[int, int, int] | None] = {}
        found = []
        for o in observations:
            if (key := o.key) not in spans:
                spans[key] = self._span(key)
            span = spans[key]
            # History mostly comes in order, beyond what is there: then no row need be looked for.
            if span is None or not span[1] <= o.at <= span[2] or not self._holds(span[0], o):
                found.append(o)
        return found

    def _span(self, key: SeriesKey) -> tuple[int, int, int] | None:
        """A series' id, and the first and last instant that are stored of it; None when none is."""
        ends = (
            "SELECT id, (SELECT min(at) FROM observations WHERE series = s.id), (SELECT max(at) FROM observations WHERE series = s.id) FROM series s"
        )
        row: tuple[int, int | None, int] | None = self.connection.execute(f"{ends} WHERE (metric, subject, source) = (?, ?, ?)", key).fetchone()
        return None if row is None or row[1] is None else (row[0], row[1], row[2])

    def _holds(self, series: int, o: Observation) -> bool:
        where = "series = ? AND at = ? AND (known_at, value) = (?, ?)"
        row = (series, o.at, o.known_at, write_value(o.value))
        return self.connection.execute(f"SELECT 1 FROM observations WHERE {where}", row).fetchone() is not None

    def last_settings(self) -> Event | None:
        """The newest `Configured` event."""
        row = self.connection.execute("SELECT now, kind, body FROM log WHERE kind = 'configured' ORDER BY seq DESC LIMIT 1").fetchone()
        return None if row is None else read_event(row[1], row[0], row[2], ())

    def known_span(self) -> tuple[int | None, int | None]:
        """When the first and the last observation could be known."""
        first, last = self.connection.execute("SELECT min(known_at), max(known_at) FROM observations").fetchone()
        return first, last

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Every (metric, subject) of which something was ever stored."""
        return tuple(self.connection.execute("SELECT DISTINCT metric, subject FROM series ORDER BY metric, subject"))

    def newest(self) -> int | None:
        """The instant up to which this store tells: its daemon's newest event; where none ever ran, the newest thing that could be known."""
        return self.last_seen() if self.last_settings() is not None else self.known_span()[1]

    def last_seen(self) -> int | None:
        """`now` of the newest event."""
        found: int | None = self.connection.execute("SELECT max(now) FROM log").fetchone()[0]
        return found

    def verdict_in_force(self, rule: str, subject: str, at: int) -> Judged | None:
        """The last verdict that was recorded live for a rule at or before `at`."""
        where = "kind = 'verdict' AND at <= ? AND body ->> 'rule' = ? AND body ->> 'subject' = ? ORDER BY seq DESC, n DESC LIMIT 1"
        row = self.connection.execute(f"SELECT body FROM verdicts WHERE {where}", (at, rule, subject)).fetchone()
        found = None if row is None else read_effect(row[0])
        return found if isinstance(found, Judged) else None

    def ledger(self, at: int) -> Ledger:
        """The layers that were recorded live, as they stood at an instant."""
        found = Ledger()
        for (body,) in self.connection.execute("SELECT body FROM ledger WHERE at <= ? ORDER BY seq, n", (at,)):
            if isinstance(moved := read_effect(body), LayerMoved):
                found.fold(moved)
        return found

    def ticks(self) -> Iterator[int]:
        return (row[0] for row in self.connection.execute("SELECT now FROM log WHERE kind = 'tick' ORDER BY seq"))

    def find_alert(self, alert_id: str) -> Alerted | None:
        row = self.connection.execute("SELECT body FROM alerts WHERE id = ? ORDER BY seq, n LIMIT 1", (alert_id,)).fetchone()
        found = None if row is None else read_effect(row[0])
        return found if isinstance(found, Alerted) else None

    def alerts(self, limit: int = 200) -> list[Alerted]:
        """The newest alerts, newest first."""
        rows = self.connection.execute("SELECT body FROM alerts ORDER BY seq DESC, n DESC LIMIT ?", (limit,))
        return [effect for (body,) in rows if isinstance(effect := read_effect(body), Alerted)]


def _observation(row: Sequence[object]) -> Observation:
    metric, subject, source, at, known_at, value, block_hash = row
    return Observation(metric, subject, source, at, known_at, read_value(value), block_hash)  # type: ignore[arg-type]  # columns are typed by the schema


def _must_be_usable(path: Path, *, create: bool) -> None:
    try:
        _check_usable(path, create=create)
    except PermissionError:
        raise StoreError(_NOT_WRITABLE.format(path)) from None


def _check_usable(path: Path, *, create: bool) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise StoreError(f"the folder {folder} of the store does not exist: create it, or choose another --store")
    if not path.exists() and not create:
        raise StoreError(f"there is no store at {path}: run `hedge-monitor run`, `backfill` or `import` first, or choose another --store")
    if path.is_dir():
        raise StoreError(f"{path} is a folder, not a store: give the name of a file in it")
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise StoreError(_NOT_WRITABLE.format(path))
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _connect(path: str) -> sqlite3.Connection:
    """A connection in autocommit mode; transactions are ours. Raises StoreError when the safety settings do not hold."""
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=5.0)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # History comes series by series, and an index by time is then written all over.
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        synchronous = connection.execute("PRAGMA synchronous").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} cannot be opened as a store: {error}") from error
    if synchronous != 2:
        raise StoreError(f"{path}: synchronous=FULL could not be set, so a power cut could lose decisions")
    return connection
