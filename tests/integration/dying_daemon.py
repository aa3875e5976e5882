"""The daemon, wrapped so that it kills itself, or finds its disk full, at a chosen point of its first alert.

`python -m tests.integration.dying_daemon POINT --config FILE run`

The product has no hooks for this: its methods are replaced from outside.
"""

import os
import signal
import sys
from typing import Any

from monitor.__main__ import main
from monitor.core.delivery import DELIVERED, Delivery
from monitor.sinks.sender import Sender
from monitor.sinks.webhook import Answer, WebhookChannel
from monitor.store.outbox import Outbox
from monitor.store.sqlite import SqliteStore, StoreFull


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def around(cls: type, name: str, *, before: bool, when: Any = lambda *_: True) -> None:
    """Die before or after the first call for which `when` holds."""
    real = getattr(cls, name)

    def plain(self: Any, *args: Any) -> Any:
        chosen = when(*args)
        if chosen and before:
            die()
        answer = real(self, *args)
        if chosen:
            die()
        return answer

    async def awaited(self: Any, *args: Any) -> Any:
        answer = await real(self, *args)
        die()
        return answer

    setattr(cls, name, awaited if name == "deliver" else plain)


def tells(_event: object, _effects: object, deliveries: Any = (), *_: object) -> bool:
    return bool(deliveries)


honest_commit = SqliteStore.commit


def full(self: SqliteStore, *args: Any) -> int:
    if tells(*args):
        raise StoreFull("the disk is full")
    return honest_commit(self, *args)


async def mark_first(self: Any, row: Delivery) -> None:
    """The control: a sender that marks before it sends, and dies in between."""
    await self._mark(row, Answer("delivered", ""), DELIVERED)
    die()


def wrap(point: str) -> None:
    match point:
        case "before-commit":
            around(SqliteStore, "commit", before=True, when=tells)
        case "mid-commit":
            around(Outbox, "queue", before=False, when=lambda _seq, deliveries: bool(deliveries))
        case "after-commit":
            around(SqliteStore, "commit", before=False, when=tells)
        case "after-send":
            around(WebhookChannel, "deliver", before=False)
        case "before-mark":
            around(Outbox, "record", before=True)
        case "mid-mark":
            around(Outbox, "_write", before=False)
        case "after-mark":
            around(Outbox, "record", before=False)
        case "mark-first":
            Sender._send = mark_first  # type: ignore[method-assign]  # the control
        case "disk-full":
            SqliteStore.commit = full  # type: ignore[method-assign,assignment]  # a disk that is full from the first alert on
        case _:
            raise ValueError(point)


if __name__ == "__main__":
    wrap(sys.argv.pop(1))
    main()
