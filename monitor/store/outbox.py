"""What waits to be sent, and what became of it. A row is written with the decision it tells, and its bytes never change."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence

from monitor.core.delivery import DELIVERED, FAILED, SILENCED, WAITING, Attempt, Delivery
from monitor.errors import StoreError

__all__ = ["DELIVERED", "FAILED", "LONGEST_WAIT_MS", "SILENCED", "WAITING", "Attempt", "Delivery", "Outbox"]

# No row is ever put off for longer, so one that seems to be was put off by a clock that has stepped back since.
LONGEST_WAIT_MS = 3_600_000


class Outbox:
    """The outbox of one store."""

    def __init__(self, connection: sqlite3.Connection, must_lead: Callable[[], object] = lambda: None) -> None:
        self._connection = connection
        self._must_lead = must_lead

    def queue(self, seq: int, deliveries: Sequence[Delivery]) -> None:
        """Add rows inside the caller's transaction; an alert that is there already stays as it is."""
        rows = [(d.id, d.channel, seq, d.type, d.body, d.status, d.next_at, d.queued_at) for d in deliveries]
        columns = "(id, channel, seq, type, body, status, next_at, queued_at)"
        self._connection.executemany(f"INSERT OR IGNORE INTO outbox {columns} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def waiting(self, channel: str, now: int, limit: int = 50) -> list[Delivery]:
        """Rows of one channel whose turn has come: first those never tried, so that old trouble holds up no news; then oldest first.

        Raises StoreInUse where another process may be the one that sends by now.
        """
        self._must_lead()
        where = "WHERE status = 'waiting' AND channel = ? AND NOT next_at BETWEEN ? AND ? ORDER BY attempts > 0, seq, id LIMIT ?"
        return list(map(_delivery, self._connection.execute(f"{_SELECT} {where}", (channel, now + 1, now + LONGEST_WAIT_MS, limit))))

    def next_at(self, channel: str) -> int | None:
        """When the turn of the channel's next row comes."""
        select = "SELECT min(next_at) FROM outbox WHERE status = 'waiting' AND channel = ?"
        found: int | None = self._connection.execute(select, (channel,)).fetchone()[0]
        return found

    def oldest(self) -> list[Delivery]:
        """Of each channel for which something waits, the oldest row, however far off its turn is."""
        first: dict[str, Delivery] = {}
        for row in map(_delivery, self._connection.execute(f"{_SELECT} WHERE status = 'waiting' ORDER BY seq, id")):
            first.setdefault(row.channel, row)
        return list(first.values())

    def record(self, attempt: Attempt, status: str, next_at: int = 0) -> None:
        """Write one try and what follows from it, in one transaction. Raises StoreError when it cannot be written now."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._write(attempt, status, next_at)
            self._connection.execute("COMMIT")
        except BaseException as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError):
                raise StoreError(f"what became of a delivery could not be written: {error}") from error
            raise

    def _write(self, attempt: Attempt, status: str, next_at: int) -> None:
        done_at = None if status == WAITING else attempt.at
        row = (attempt.id, attempt.channel, attempt.at, attempt.outcome, attempt.detail)
        self._connection.execute("INSERT INTO attempts VALUES (?, ?, ?, ?, ?)", row)
        change = "UPDATE outbox SET status = ?, attempts = attempts + 1, next_at = ?, done_at = ? WHERE id = ? AND channel = ?"
        self._connection.execute(change, (status, next_at, done_at, attempt.id, attempt.channel))

    def resend(self, alert_id: str, now: int) -> int:
        """Put every row of one alert back in the queue, as if it were new, inside the caller's transaction. Returns how many there are."""
        change = "UPDATE outbox SET status = 'waiting', attempts = 0, queued_at = ?, next_at = ?, done_at = NULL WHERE id = ?"
        return self._connection.execute(change, (now, now, alert_id)).rowcount

    def find(self, alert_id: str) -> list[Delivery]:
        return list(map(_delivery, self._connection.execute(f"{_SELECT} WHERE id = ? ORDER BY channel", (alert_id,))))

    def attempts(self, alert_id: str) -> Iterator[Attempt]:
        rows = self._connection.execute("SELECT id, channel, at, outcome, detail FROM attempts WHERE id = ? ORDER BY at, rowid", (alert_id,))
        return (Attempt(*row) for row in rows)

    def backlog(self) -> tuple[int, int | None]:
        """How many rows wait, and since when the oldest does."""
        count, oldest = self._connection.execute("SELECT count(*), min(queued_at) FROM outbox WHERE status = 'waiting'").fetchone()
        return int(count), oldest

    def every(self) -> Iterator[Delivery]:
        """Every row, newest alert first."""
        return map(_delivery, self._connection.execute(f"{_SELECT} ORDER BY seq DESC, id, channel"))

    def statuses(self, alert_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """Status of each delivery of these alerts: alert id, then channel."""
        found: dict[str, dict[str, str]] = {}
        marks = ",".join("?" * len(alert_ids))
        for alert_id, channel, status in self._connection.execute(f"SELECT id, channel, status FROM outbox WHERE id IN ({marks})", alert_ids):
            found.setdefault(alert_id, {})[channel] = status
        return found


_FAILING_SINCE = "(SELECT min(a.at) FROM attempts a WHERE a.id = outbox.id AND a.channel = outbox.channel AND a.at >= outbox.queued_at)"
_SELECT = f"SELECT id, channel, type, body, queued_at, status, attempts, next_at, {_FAILING_SINCE} FROM outbox"


def _delivery(row: tuple[str, str, str, bytes, int, str, int, int, int | None]) -> Delivery:
    return Delivery(*row)
