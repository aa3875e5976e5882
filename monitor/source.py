"""What a collector is: one file, one source; a thin poll and a pure parse.

A collector never stores, never decides and never guesses: it returns readings, and counts what it had to refuse.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar

from monitor.clock import Clock
from monitor.core.book import Position, Watch
from monitor.core.door import admit
from monitor.core.observation import Reading
from monitor.core.units import DAY, MINUTE, Duration
from monitor.errors import BadPayload, SourceError
from monitor.net import Net


@dataclass(frozen=True)
class Ports:
    """The outside world as a collector sees it."""

    net: Net
    clock: Clock
    rng: Random


@dataclass(frozen=True)
class Harvest:
    """One pass: the readings, and one short reason per row that was refused (`binance: ETH: rate is not a number`).

    `records` says that the readings are not what is so now but what somebody wrote down: they stay as old as they say. `notes` are sentences for
    the operator about rows that are right.
    """

    readings: Sequence[Reading] = ()
    rejected: Sequence[str] = ()
    records: bool = False
    notes: Sequence[str] = ()

    @property
    def warnings(self) -> str:
        """Its notes as the end of a line of `check`, which is a warning then."""
        return "".join(f"; WARNING: {note}" for note in self.notes)

    @staticmethod
    def together(parts: Iterable["Harvest"]) -> "Harvest":
        parts = tuple(parts)
        notes = tuple(note for p in parts for note in p.notes)
        return Harvest([r for p in parts for r in p.readings], [r for p in parts for r in p.rejected], notes=notes)


Part = Callable[[], Awaitable[Harvest]]
Failure = SourceError | BadPayload


async def each(parts: Iterable[Part]) -> Harvest:
    """Every part of a pass (a chain, a symbol, a protocol), one after the other.

    A failed one is a refusal; only if all failed does the first failure stand for the pass.
    """
    found: list[Harvest | Failure] = []
    for part in parts:
        try:
            found.append(await part())
        except (SourceError, BadPayload) as failure:
            found.append(failure)
    return _pass_of(found)


async def side_by_side(parts: Mapping[str, Awaitable[Harvest]]) -> Harvest:
    """All parts at once, as `each`; a failed one is refused under its name."""
    found = await asyncio.gather(*parts.values(), return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException) and not isinstance(one, Failure):
            raise one
    return _pass_of([one for one in found if isinstance(one, Harvest | Failure)], list(parts))


def _pass_of(found: Sequence[Harvest | Failure], names: Sequence[str] = ()) -> Harvest:
    harvests = [one for one in found if isinstance(one, Harvest)]
    failures = {place: one for place, one in enumerate(found) if isinstance(one, Failure)}
    if failures and not harvests:
        raise next(iter(failures.values()))
    return Harvest.together([*harvests, Harvest((), [named(names[place], str(one)) if names else str(one) for place, one in failures.items()])])


def named(name: str, reason: str) -> str:
    """A reason that begins with the name of what it is about."""
    return reason if reason.startswith(name) else f"{name}: {reason}"


@dataclass(frozen=True)
class Page:
    """One page of history. `next_ms` is where the next page starts, None when the stream is exhausted."""

    harvest: Harvest = field(default_factory=Harvest)
    next_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class Collector:
    """Base of every source. Its settings are its fields, its id is its file's name.

    `cadence` is how often it polls (milliseconds), `endpoint` replaces scheme, host and port of every URL it asks (a mirror, or a test),
    `required` makes `/readyz` wait for it.
    """

    id: ClassVar[str] = ""
    title: ClassVar[str] = ""
    homepage: ClassVar[str] = ""
    late_ms: ClassVar[int] = 8 * DAY
    """How long after its time a value of history can still be to come (milliseconds): a day or a week that is not over, a print that is
    published later. A backfill that goes on begins so much before the last one's end."""

    enabled: bool = True
    required: bool = False
    cadence: Duration = 10 * MINUTE
    endpoint: str = ""

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        cls.id = cls.__module__.rpartition(".")[2].replace("_", "-")

    @property
    def pause_ms(self) -> int:
        """Least time between two polls (milliseconds), kept across restarts: what a source's daily quota asks for. 0 where there is none."""
        return 0

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """The (metric, subject) pairs that this source will deliver for what is watched; empty when it has nothing to do."""
        raise NotImplementedError  # each source has its own

    def has_work(self, watch: Watch) -> bool:
        """Whether there is anything to ask for; else it is not polled. A feed of rows is, though it provides nothing beforehand."""
        return bool(self.provides(watch))

    @property
    def venues(self) -> tuple[str, ...]:
        """The names by which the `venue` of a perpetual position asks to be read here; none for most sources."""
        return ()

    def flaw_of(self, position: Position) -> str:
        """What a position with one of these venues lacks to be read, with what to do; empty where nothing is."""
        return ""

    def urls(self) -> tuple[str, ...]:
        """URLs that the user wrote himself: their hosts may lie in a private network."""
        return (self.endpoint,)

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """One pass over everything it watches. Raises SourceError or BadPayload when the pass as a whole failed."""
        raise NotImplementedError  # each source has its own

    async def probe(self, ports: Ports, watch: Watch) -> str:
        """One line for `check`: what was reached and seen. Raises SourceError or BadPayload with what to do. By default one poll."""
        harvest = await self.poll(ports, watch)
        self.must_be_sound(harvest, ports)
        return f"{len(harvest.readings)} values{harvest.warnings}"

    def must_be_sound(self, harvest: Harvest, ports: Ports) -> None:
        """Raise BadPayload that counts what the parser or the door refuses: a probe must not call good what a poll would reject."""
        at_the_door = admit(harvest.readings, source=self.id, received_at=ports.clock.now_ms()).rejections
        refused = [*harvest.rejected, *(f"{r.metric} of {r.subject}: {r.reason}" for r in at_the_door)]
        if refused:
            raise BadPayload(f"{len(refused)} of {len(harvest.rejected) + len(harvest.readings)} rows refused, first: {refused[0]}")

    def streams(self, watch: Watch) -> tuple[str, ...]:
        """Names of the histories that `page` can fetch; stable, since the backfill's bookmarks are kept under them."""
        return ()

    async def page(self, ports: Ports, watch: Watch, stream: str, from_ms: int, to_ms: int) -> Page:
        """One page of one stream's history, oldest first, from `from_ms` (inclusive) to `to_ms` (exclusive)."""
        raise NotImplementedError  # each source has its own

    async def close(self) -> None:
        """Let go of connections; called once when the daemon stops or reloads."""
