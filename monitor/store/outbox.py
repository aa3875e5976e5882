"""What waits to be sent, and what became of it. A row is written with the decision it tells, and its bytes never change."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WAITING = "waiting"
DELIVERED = "delivered"
FAILED = "failed"
SILENCED = "silenced"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One alert for one channel. Times are wall-clock epoch milliseconds: deliveries live in our time, not in the story's."""

    id: str
    channel: str
    type: str
    body: bytes
    queued_at: int
    status: str = WAITING
    attempts: int = 0
    next_at: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver."""

    id: str
    channel: str
    at: int
    outcome: str
    detail: str


class Outbox:
    """The outbox of one store."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def queue(self, seq: int, deliveries: Sequence[Delivery]) -> None:
        """Add rows inside the caller's transaction; an alert that is there already stays as it is."""
        rows = [(d.id, d.channel, seq, d.type, d.body, d.status, d.next_at, d.queued_at) for d in deliveries]
        columns = "(id, channel, seq, type, body, status, next_at, queued_at)"
        self._connection.executemany(f"INSERT OR IGNORE INTO outbox {columns} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def waiting(self, now: int, limit: int = 50) -> list[Delivery]:
        """Rows whose turn has come, oldest first."""
        where = "WHERE status = 'waiting' AND next_at <= ? ORDER BY seq, id, channel LIMIT ?"
        return list(map(_delivery, self._connection.execute(f"{_SELECT} {where}", (now, limit))))

    def next_at(self) -> int | None:
        """When the next row's turn comes."""
        found: int | None = self._connection.execute("SELECT min(next_at) FROM outbox WHERE status = 'waiting'").fetchone()[0]
        return found

    def record(self, attempt: Attempt, status: str, next_at: int = 0) -> None:
        """Write one try and what follows from it, in one transaction."""
        done_at = None if status == WAITING else attempt.at
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            row = (attempt.id, attempt.channel, attempt.at, attempt.outcome, attempt.detail)
            self._connection.execute("INSERT INTO attempts VALUES (?, ?, ?, ?, ?)", row)
            change = "UPDATE outbox SET status = ?, attempts = attempts + 1, next_at = ?, done_at = ? WHERE id = ? AND channel = ?"
            self._connection.execute(change, (status, next_at, done_at, attempt.id, attempt.channel))
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def resend(self, alert_id: str, now: int) -> int:
        """Put every row of one alert back in the queue. Returns how many there are."""
        change = "UPDATE outbox SET status = 'waiting', next_at = ?, done_at = NULL WHERE id = ?"
        return self._connection.execute(change, (now, alert_id)).rowcount

    def find(self, alert_id: str) -> list[Delivery]:
        return list(map(_delivery, self._connection.execute(f"{_SELECT} WHERE id = ? ORDER BY channel", (alert_id,))))

    def attempts(self, alert_id: str) -> Iterator[Attempt]:
        rows = self._connection.execute("SELECT id, channel, at, outcome, detail FROM attempts WHERE id = ? ORDER BY at, rowid", (alert_id,))
        return (Attempt(*row) for row in rows)

    def backlog(self) -> tuple[int, int | None]:
        """How many rows wait, and since when the oldest does."""
        count, oldest = self._connection.execute("SELECT count(*), min(queued_at) FROM outbox WHERE status = 'waiting'").fetchone()
        return int(count), oldest

    def statuses(self) -> dict[str, dict[str, str]]:
        """Status of each delivery: alert id, then channel."""
        found: dict[str, dict[str, str]] = {}
        for alert_id, channel, status in self._connection.execute("SELECT id, channel, status FROM outbox"):
            found.setdefault(alert_id, {})[channel] = status
        return found


_SELECT = "SELECT id, channel, type, body, queued_at, status, attempts, next_at FROM outbox"


def _delivery(row: tuple[str, str, str, bytes, int, str, int, int]) -> Delivery:
    return Delivery(*row)
