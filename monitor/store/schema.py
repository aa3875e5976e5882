"""The tables, and the steps from each version of them to the next. A step and its version number are one transaction."""

import sqlite3

from monitor.errors import StoreError

# `value` has no declared type on purpose: SQLite then keeps a float as a float, and an integer of 160 bits as the text it is given as.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
        "CREATE TABLE log (seq INTEGER PRIMARY KEY AUTOINCREMENT, now INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL) STRICT",
        "CREATE TABLE series (id INTEGER PRIMARY KEY, metric TEXT NOT NULL, subject TEXT NOT NULL, source TEXT NOT NULL,"
        " UNIQUE (metric, subject, source)) STRICT",
        "CREATE TABLE observations (id INTEGER PRIMARY KEY, seq INTEGER NOT NULL REFERENCES log, series INTEGER NOT NULL REFERENCES series,"
        " at INTEGER NOT NULL, known_at INTEGER NOT NULL, value, block_hash TEXT NOT NULL DEFAULT '')",
        "CREATE INDEX observations_by_seq ON observations (seq)",
        "CREATE INDEX observations_by_series ON observations (series, at)",
        "CREATE INDEX observations_by_known_at ON observations (known_at, id)",
        "CREATE TABLE verdicts (seq INTEGER NOT NULL, n INTEGER NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL,"
        " PRIMARY KEY (seq, n)) STRICT",
        "CREATE TABLE ledger (seq INTEGER NOT NULL, n INTEGER NOT NULL, at INTEGER NOT NULL, layer TEXT NOT NULL, state TEXT NOT NULL,"
        " body TEXT NOT NULL, PRIMARY KEY (seq, n)) STRICT",
        "CREATE TABLE alerts (seq INTEGER NOT NULL, n INTEGER NOT NULL, at INTEGER NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL,"
        " body TEXT NOT NULL, PRIMARY KEY (seq, n)) STRICT",
        "CREATE INDEX alerts_by_id ON alerts (id)",
        "CREATE TABLE outbox (id TEXT NOT NULL, channel TEXT NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL, body BLOB NOT NULL,"
        " status TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, next_at INTEGER NOT NULL, queued_at INTEGER NOT NULL, done_at INTEGER,"
        " PRIMARY KEY (id, channel)) STRICT",
        "CREATE INDEX outbox_waiting ON outbox (status, next_at)",
        "CREATE TABLE attempts (id TEXT NOT NULL, channel TEXT NOT NULL, at INTEGER NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL) STRICT",
        "CREATE INDEX attempts_by_id ON attempts (id, channel)",
        "CREATE TABLE inbox (id TEXT PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,"
        " taken_at INTEGER) STRICT",
        "CREATE TABLE bookmarks (source TEXT NOT NULL, stream TEXT NOT NULL, span TEXT NOT NULL, next_ms INTEGER, PRIMARY KEY (source, stream, span))"
        " STRICT",
    ),
)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the store to this program's version. Raises StoreError for a store written by a newer program."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise StoreError(f"the store has version {version}, this program knows {len(MIGRATIONS)}: run the newer program that wrote it")
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
