"""What the commands say to the daemon: rows that it turns into events. Commands never write decisions themselves."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.core.codec import digest, dumps


@dataclass(frozen=True, slots=True)
class Message:
    """One word of an operator or a command. `kind` is `signal` or `observations`."""

    id: str
    at: int
    actor: str
    kind: str
    body: Mapping[str, Any]


class Inbox:
    """The inbox of one store."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, at: int, actor: str, kind: str, body: Mapping[str, Any]) -> str:
        """Append one message; saying the same thing at the same instant twice is saying it once. Returns its id."""
        message_id = "in_" + digest([at, actor, kind, body])[:24]
        row = (message_id, at, actor, kind, dumps(body))
        self._connection.execute("INSERT OR IGNORE INTO inbox (id, at, actor, kind, body) VALUES (?, ?, ?, ?, ?)", row)
        return message_id

    def waiting(self, limit: int = 100) -> list[Message]:
        """Messages not taken yet, oldest first."""
        rows = self._connection.execute("SELECT id, at, actor, kind, body FROM inbox WHERE taken_at IS NULL ORDER BY at, rowid LIMIT ?", (limit,))
        return [Message(i, at, actor, kind, json.loads(body)) for i, at, actor, kind, body in rows]

    def mark_taken(self, ids: Sequence[str], at: int) -> None:
        """Inside the caller's transaction."""
        self._connection.executemany("UPDATE inbox SET taken_at = ? WHERE id = ?", [(at, message_id) for message_id in ids])
