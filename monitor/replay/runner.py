"""Time-shifting: the same engine at a historical clock, unable to notify.

Two orders of the same facts. `by_knowledge` asks what would have been decided had everything been received when it could be known; `by_log` thinks
the journal again in the order of receipt, and must give the recorded decisions to the byte.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from monitor.core.codec import plain
from monitor.core.effects import Effect
from monitor.core.engine import Engine
from monitor.core.events import Batch, Configured, Event, Tick
from monitor.core.observation import Observation
from monitor.core.settings import Settings, SourceSettings
from monitor.core.units import HOUR

NEVER_SILENT_MS = 10**15
Step = tuple[Event, tuple[Effect, ...]]


def by_log(engine: Engine, journal: Iterable[tuple[int, Event]]) -> Iterator[tuple[int, tuple[Effect, ...]]]:
    """Think the journal again. Yields (sequence number, effects) for each event."""
    for seq, event in journal:
        yield seq, engine.apply(event)


def by_knowledge(engine: Engine, settings: Settings, history: Iterable[Observation], until: int, ticks: Sequence[int] = ()) -> Iterator[Step]:
    """Think history in the order in which it could be known, up to and including `until` (epoch milliseconds).

    Besides each `known_at` it thinks at the log's ticks and, where there are none for an hour, on the hour; a tick at which nothing is due
    is passed over, which changes nothing.
    """
    everything = list(history)
    pairs = {(o.metric, o.subject) for o in everything}
    known = [o for o in everything if o.known_at <= until]
    first = known[0].known_at if known else until
    yield _apply(engine, Configured(first, plain(_as_of_history(settings, pairs))))
    clock = _Clock(ticks)
    for known_at, group in groupby(known, key=lambda observation: observation.known_at):
        yield from _ticks(engine, clock, known_at - 1)
        yield _apply(engine, Batch(known_at, "history", tuple(group)))
    yield from _ticks(engine, clock, until)
    if engine.now < until:
        yield _apply(engine, Tick(until))


class _Clock:
    """Instants at which a replay thinks: the log's ticks, and full hours where the log has none."""

    def __init__(self, ticks: Sequence[int]) -> None:
        self._ticks = sorted(ticks)

    def first_from(self, due: int) -> int:
        """The first instant at or after `due`. What is due can come nearer with the next fact, so each is looked up anew."""
        place = bisect_left(self._ticks, due)
        hour = -(-due // HOUR) * HOUR
        return min(hour, self._ticks[place]) if place < len(self._ticks) else hour


def _ticks(engine: Engine, clock: _Clock, until: int) -> Iterator[Step]:
    while (due := engine.due_at()) is not None:
        at = clock.first_from(max(due, engine.now + 1))
        if at > until:
            return
        yield _apply(engine, Tick(at))


def _apply(engine: Engine, event: Event) -> Step:
    return event, engine.apply(event)


def _as_of_history(settings: Settings, pairs: set[tuple[str, str]]) -> Settings:
    """The same settings, fed by history alone: it is never late, and it never beats.

    The sources stay, for what they were set up to bring and how often; never heard by their own names, they are never silent.
    """
    history = SourceSettings(cadence_ms=NEVER_SILENT_MS, provides=tuple(sorted(pairs)))
    return Settings(
        book=settings.book,
        positions=settings.positions,
        tvl_subjects=settings.tvl_subjects,
        lending_subjects=settings.lending_subjects,
        rules=settings.rules,
        gates=settings.gates,
        sources={**settings.sources, "history": history},
        unknown_pending_ms=settings.unknown_pending_ms,
        heartbeat_ms=0,
    )
