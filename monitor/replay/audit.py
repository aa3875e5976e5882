"""The audit: the journal thought again must give the recorded decisions, byte for byte."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from monitor.core.engine import Engine
from monitor.registry import Catalogue
from monitor.replay.runner import by_log
from monitor.store.records import write_effect
from monitor.store.sqlite import SqliteStore


@dataclass(frozen=True)
class Audit:
    """Whether the decisions agree (None: nothing was recorded to compare with) and a sentence for the operator."""

    same: bool
    sentence: str


def audit(store: SqliteStore, say: Callable[[str], object]) -> Audit:
    """Think the journal again, say each decision as a line, and compare with what the store recorded."""
    recorded = store.recorded_lines()
    rethought = _rethought(store)
    count, first_difference = 0, None
    for line in rethought:
        count += 1
        say(line[1])
        if recorded is not None and first_difference is None and next(recorded, None) != line:
            first_difference = line
    if recorded is None:
        return Audit(True, f"{count} decisions; none are recorded to compare with")
    if first_difference is not None:
        return Audit(False, f"differs from the record at event {first_difference[0]}: {first_difference[1][:300]}")
    surplus = next(recorded, None)
    if surplus is not None:
        return Audit(False, f"the record has a decision at event {surplus[0]} that the journal does not give: {surplus[1][:300]}")
    return Audit(True, f"{count} decisions, identical to the record")


def _rethought(store: SqliteStore) -> Iterator[tuple[int, str]]:
    for seq, effects in by_log(Engine(Catalogue()), store.journal()):
        for effect in effects:
            yield seq, write_effect(effect)
