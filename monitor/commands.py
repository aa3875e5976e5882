"""What commands do beside a running daemon, and what they do when there is none.

Beside a daemon a command only appends to the store's inbox. With none it takes the writer lock, drains the inbox through the same
pipeline, and says so.
"""

import getpass
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from monitor.app import build_pipeline
from monitor.config import Config
from monitor.core.door import Rejection
from monitor.core.effects import Alerted, Effect
from monitor.core.events import Configured, Signal
from monitor.core.observation import Reading
from monitor.errors import MonitorError
from monitor.pipeline import OPERATOR, Pipeline, row_of
from monitor.store.lock import StoreInUse
from monitor.store.sqlite import SqliteStore

ROWS_A_MESSAGE = 5_000


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


def who() -> str:
    """The operator, for the record."""
    return getpass.getuser()


def import_readings(config: Config, readings: Iterable[Reading], say: Callable[[int], object] = lambda count: None) -> str:
    """Hand readings over, some thousand at a time, telling `say` after each how many; returns what became of them, for the operator.

    Each part is an event of its own. Killed between two of them and run again, it stores the rest.
    """
    try:
        store = SqliteStore(config.store.path, role="import")
    except StoreInUse:
        _leave(config, (("observations", {"rows": [row_of(r) for r in part]}) for part in _parts(readings, say)))
        return "handed to the running daemon"
    try:
        pipeline = resumed(store, config, wall_ms)
        drain(pipeline)
        stored, refused = 0, list[Rejection]()
        for part in _parts(readings, say):
            received = pipeline.receive(part, source=OPERATOR, now=wall_ms(), records=True)
            stored += received.stored
            refused += received.rejections
    finally:
        store.close()
    why = f", {len(refused)} refused, first: {refused[0].metric} {refused[0].subject}: {refused[0].reason}" if refused else ""
    return f"{stored} new{why}"


def _parts(readings: Iterable[Reading], say: Callable[[int], object]) -> Iterator[list[Reading]]:
    waiting, count = iter(readings), 0
    while part := list(islice(waiting, ROWS_A_MESSAGE)):
        yield part
        count += len(part)
        say(count)


def signal(config: Config, action: str, target: str, note: str = "", until: int | None = None) -> str:
    """Say one word; returns what became of it, for the operator. Raises MonitorError when it was said and could not be carried out."""
    body = {"action": action, "target": target, "note": note, **({} if until is None else {"until": until})}
    try:
        store = SqliteStore(config.store.path, role=action)
    except StoreInUse:
        _leave(config, [("signal", body)])
        return "handed to the running daemon"
    try:
        pipeline = resumed(store, config, wall_ms)
        word = store.inbox.put(wall_ms(), who(), "signal", body)
        answers: list[Effect] = []
        pipeline.shows.append(lambda event, effects: answers.extend(effects if isinstance(event, Signal) and event.id == word else ()))
        drain(pipeline)
    finally:
        store.close()
    for answer in answers:
        if isinstance(answer, Alerted) and answer.type == "layer.refused":
            raise MonitorError(answer.summary)
    return "done (no daemon is running: alerts wait in the outbox for the next one)"


def resumed(store: SqliteStore, config: Config, now_ms: Callable[[], int]) -> Pipeline:
    """The engine as the store left it, woken as the daemon's start wakes it: with the settings last in force, as an event of its own.

    A quote that has run out meanwhile runs out before anyone speaks of it, and an audit sees from the journal that what had been due was
    let go here. A store that no daemon ever used has no settings, and nothing is judged.
    """
    pipeline = build_pipeline(store, config, now_ms)
    last = store.last_settings()
    if isinstance(last, Configured):
        pipeline.process(replace(last, now=now_ms()))
    return pipeline


def drain(pipeline: Pipeline) -> int:
    """Take everything that waits in the inbox. Returns how many messages there were."""
    count = 0
    while messages := pipeline.store.inbox.waiting():
        for message in messages:
            pipeline.take(message, wall_ms())
            count += 1
    return count


def _leave(config: Config, messages: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    store = SqliteStore(config.store.path)
    try:
        for kind, body in messages:
            store.inbox.put(wall_ms(), who(), kind, body)
    finally:
        store.close()
