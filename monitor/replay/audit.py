"""The audit: the journal thought again must give the recorded decisions, byte for byte."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from monitor.core.codec import dumps
from monitor.core.engine import Engine
from monitor.core.events import Event
from monitor.registry import Catalogue
from monitor.replay.runner import by_log
from monitor.store.records import write_effect
from monitor.store.sqlite import SqliteStore

SHOWN = 300


@dataclass(frozen=True)
class Audit:
    """Whether the decisions agree (None: nothing was recorded to compare with) and a sentence for the operator."""

    same: bool
    sentence: str


def audit(store: SqliteStore, say: Callable[[str], object]) -> Audit:
    """Think the journal again, say each decision as a line, and compare with what the store recorded.

    The last line said is a digest of the journal, so that a changed input shows even where it changed no decision.
    """
    recorded = store.recorded_lines()
    journal = _Journal(store.journal())
    rethought = _rethought(journal)
    count, first_difference = 0, ""
    for line in rethought:
        count += 1
        say(line[1])
        if recorded is not None and not first_difference and (held := next(recorded, None)) != line:
            first_difference = _told(held, line)
    say(dumps({"kind": "summary", "events": journal.count, "journal": journal.digest.hexdigest()}))
    if recorded is None:
        return Audit(True, f"{count} decisions; none are recorded to compare with")
    if not first_difference and (surplus := next(recorded, None)) is not None:
        first_difference = _told(surplus, None)
    if first_difference:
        return Audit(False, first_difference)
    return Audit(True, f"{count} decisions, identical to the record")


def _told(held: tuple[int, str] | None, given: tuple[int, str] | None) -> str:
    """The first difference, by the earlier of the two: what the record holds, or what the journal gives."""
    if held is not None and (given is None or held[0] < given[0]):
        return f"differs from the record at event {held[0]}: recorded, and a decision that the journal does not give: {held[1][:SHOWN]}"
    if given is not None and (held is None or given[0] < held[0]):
        return f"differs from the record at event {given[0]}: a decision that was not recorded: {given[1][:SHOWN]}"
    return f"differs from the record at event {given[0]}: {given[1][:SHOWN]}" if given is not None else ""


class _Journal:
    """The journal, counted and digested as it is read."""

    def __init__(self, events: Iterator[tuple[int, Event]]) -> None:
        self._events = events
        self.count = 0
        self.digest = hashlib.sha256()

    def __iter__(self) -> Iterator[tuple[int, Event]]:
        for seq, event in self._events:
            self.count += 1
            self.digest.update(dumps([seq, event]).encode())
            yield seq, event


def _rethought(journal: _Journal) -> Iterator[tuple[int, str]]:
    for seq, effects in by_log(Engine(Catalogue()), journal):
        for effect in effects:
            yield seq, write_effect(effect)
