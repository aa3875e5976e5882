"""What happens to one event: think, commit, show. Live events, imports and backfills all go through here; replay thinks with the same engine.

`receive` is the way from a source's readings to an event: the one door, then everything that is already known left out.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from monitor.core.codec import dumps, presented
from monitor.core.delivery import SILENCED, WAITING, Delivery, Failing
from monitor.core.door import Admission, Rejection, admit
from monitor.core.effects import Alerted, Effect, Silenced
from monitor.core.engine import Engine
from monitor.core.events import Batch, Event, Signal
from monitor.core.market import Market
from monitor.core.observation import Observation, Reading, SeriesKey
from monitor.core.operator import DECIMALS
from monitor.core.pinned import unpinned
from monitor.core.rebasing import rebased
from monitor.store.inbox import Message
from monitor.store.sqlite import Bookmark, SqliteStore, StoreFull

# Who hands over what a person imports; a backfill, which also comes through the inbox, is nobody's word.
OPERATOR = "import"
Show = Callable[[Event, Sequence[Effect]], None]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A channel and the alert types it wants; none named means all."""

    channel: str
    types: frozenset[str] = frozenset()

    def wants(self, alert: Alerted) -> bool:
        """A channel is not told by itself that it fails."""
        about_itself = alert.type == "delivery.failing" and alert.data.get("channel") == self.channel
        return not about_itself and (not self.types or alert.type in self.types)


@dataclass(frozen=True, slots=True)
class Received:
    """What one delivery of readings came to."""

    effects: tuple[Effect, ...]
    stored: int
    rejections: tuple[Rejection, ...]


class Pipeline:
    """One engine, one store, the channels that are told, and whoever wants to see (metrics, page)."""

    def __init__(self, engine: Engine, store: SqliteStore, wall_ms: Callable[[], int], subscriptions: Sequence[Subscription] = ()) -> None:
        self.engine = engine
        self.store = store
        self.subscriptions = tuple(subscriptions)
        self.shows: list[Show] = []
        self.timed: Callable[[float], object] = lambda seconds: None
        self._wall_ms = wall_ms

    def restore(self) -> int:
        """Bring the engine to where the store left it, without deciding anything again. Returns the number of events read."""
        self.engine.market.load(self.store.points())
        effects = self.store.effects()
        pending = next(effects, None)
        count = 0
        for seq, event in self.store.events():
            count += 1
            self.engine.absorb(event)
            while pending is not None and pending[0] == seq:
                self.engine.state.fold(pending[1])
                pending = next(effects, None)
        return count

    def process(self, event: Event, inbox_ids: Sequence[str] = (), bookmark: Bookmark | None = None) -> tuple[Effect, ...]:
        """Think, commit, show. What was not committed is not shown and not sent."""
        began = time.perf_counter()
        effects = self.engine.apply(event)
        resend = (event.target, self._wall_ms()) if isinstance(event, Signal) and event.action == "resend" else None
        self._commit(event, effects, inbox_ids, resend, bookmark)
        self.timed(time.perf_counter() - began)
        for show in self.shows:
            show(event, effects)
        return effects

    def _commit(
        self, event: Event, effects: Sequence[Effect], inbox_ids: Sequence[str], resend: tuple[str, int] | None, bookmark: Bookmark | None
    ) -> None:
        """Write it all. On a full disk the reserve is given back, so that this and the alarm can still be written; the next time is the end."""
        deliveries = self._deliveries(effects)
        try:
            self.store.commit(event, effects, deliveries, inbox_ids, resend, bookmark)
        except StoreFull as full:
            if not self.store.free_reserve():
                raise
            self.store.commit(event, effects, deliveries, inbox_ids, resend, bookmark)
            self.process(Signal(event.now, f"store_full_{event.now}", "store", "store-full", "store", str(full)))

    def receive(
        self,
        readings: Sequence[Reading],
        *,
        source: str,
        now: int,
        rejected: int = 0,
        inbox_ids: Sequence[str] = (),
        records: bool = False,
        bookmark: Bookmark | None = None,
    ) -> Received:
        """Readings through the door and into one event. `rejected` counts rows that the parser refused already.

        A poll says what is so now, and says so even when it brings nothing new. `records` says that these are records instead: they may hold values
        that have been revised since, and nothing new among them is no event.
        """
        admission, changed = self._of_one_base(admit(readings, source=source, received_at=now), len(readings), by_operator=source == OPERATOR)
        observations = self.store.unheld(admission.observations) if records else admission.observations
        news = tuple(only_news(self.engine.market, observations, now, records=records))
        if not news and records and not inbox_ids:
            if bookmark is not None:
                with self.store.transaction():
                    self.store.bookmark(*bookmark)
            return Received(self._told(changed, now), 0, admission.rejections)
        batch = Batch(now, source, news, rejected + len(admission.rejections))
        effects = self.process(batch, inbox_ids, bookmark)
        return Received((*effects, *self._told(changed, now)), len(news), admission.rejections)

    def _told(self, changed: Mapping[str, str], now: int) -> tuple[Effect, ...]:
        """Tell of tokens that changed under a subject; what was told before, in this life or an earlier one, is not told again."""
        signals = {f"decimals_{subject}_{reason.partition(':')[0]}": (subject, reason) for subject, reason in changed.items()}
        new = {name: told for name, told in signals.items() if name not in self.engine.state.signals}
        return tuple(effect for name, told in new.items() for effect in self.process(Signal(now, name, "door", DECIMALS, *told)))

    def _of_one_base(self, admission: Admission, count: int, *, by_operator: bool) -> tuple[Admission, Mapping[str, str]]:
        """Without the levels that are of another base year or in another unit than those that are held, and without subjects whose tokens
        changed their decimals, which are given with the reason.
        """
        changed = unpinned(self.engine.market, admission.observations, by_operator=by_operator)
        refused = {**rebased(self.engine.market, admission.observations, by_operator=by_operator), **changed}
        if not refused:
            return admission, {}
        out = {rejection.index for rejection in admission.rejections}
        placed = zip((index for index in range(count) if index not in out), admission.observations, strict=True)
        rejections = [Rejection(index, o.metric, o.subject, refused[o]) for index, o in placed if o in refused]
        kept = tuple(o for o in admission.observations if o not in refused)
        told = tuple(sorted((*admission.rejections, *rejections), key=lambda rejection: rejection.index))
        return Admission(kept, told), {o.subject: reason for o, reason in changed.items()}

    def take(self, message: Message, now: int) -> tuple[Effect, ...]:
        """Turn one inbox message into a logged event."""
        body = message.body
        if message.kind == "observations":
            readings = [Reading(m, s, value, at, known_at, source) for m, s, source, at, known_at, value in body["rows"]]
            return self.receive(readings, source=body.get("sender", OPERATOR), now=now, inbox_ids=[message.id], records=True).effects
        return self.process(
            Signal(now, message.id, message.actor, body["action"], body["target"], body.get("note", ""), body.get("until")), [message.id]
        )

    def report(self, failing: Failing, now: int) -> tuple[Effect, ...]:
        """Tell that a channel does not take an alert; what was told before, in this life or an earlier one, is not told again."""
        if failing.id in self.engine.state.signals:
            return ()
        action = "delivery-given-up" if failing.given_up else "delivery-failing"
        note = f"{failing.type} {failing.alert_id}: {failing.detail}"
        return self.process(Signal(now, failing.id, "delivery", action, failing.channel, note))

    def _deliveries(self, effects: Iterable[Effect]) -> list[Delivery]:
        wall = self._wall_ms()
        found = []
        for alert in (e for e in effects if isinstance(e, Alerted)):
            body = message(alert)
            for subscription in self.subscriptions:
                if subscription.wants(alert):
                    status = SILENCED if self._is_silenced(alert, wall) else WAITING
                    found.append(Delivery(alert.id, subscription.channel, alert.type, body, wall, status, next_at=wall))
        return found

    def _is_silenced(self, alert: Alerted, wall: int) -> bool:
        """Criticals pierce every silence; the wall clock ends one."""
        if alert.severity == "critical":
            return False
        return any(silence.until > wall and _matches(silence, alert) for silence in self.engine.state.silences.values())


def row_of(reading: Reading) -> list[object]:
    """A reading as a message of the inbox carries it; `Pipeline.take` reads it back."""
    return [reading.metric, reading.subject, reading.source, reading.at, reading.known_at, reading.value]


def _matches(silence: Silenced, alert: Alerted) -> bool:
    rule, subject = alert.data.get("rule", ""), alert.data.get("subject", "")
    names = (alert.type, str(rule), f"{rule}/{subject}", str(alert.data.get("position", "")))
    return any(name and fnmatchcase(name, silence.target) for name in names)


def message(alert: Alerted) -> bytes:
    """The body of a webhook: the same alert has the same bytes for ever."""
    told = {"id": alert.id, "sequence": alert.sequence, "severity": alert.severity, "summary": alert.summary}
    return dumps(presented({"type": alert.type, "timestamp": alert.at, "data": {**alert.data, **told}})).encode()


def only_news(market: Market, observations: Iterable[Observation], now: int, *, records: bool = False) -> Iterable[Observation]:
    """Leave out what is known already: same value, same block. A change that does not say that it became known later became known now, and so did
    a TVL that fills a hole between values that are held: providers refill the past.

    Among `records` a value that was known before the one that is held is an older one, and stays as old as it says.
    """
    seen: dict[tuple[SeriesKey, int], Observation] = {}
    for observation in observations:
        place = (observation.key, observation.at)
        before = seen.get(place)
        held = (before.value, before.known_at) if before is not None else market.held(*place)
        if held is None:
            is_stated = records or not _fills_a_hole(market, observation)
        elif held[0] == observation.value and _is_of_block(market, before, observation):
            continue
        else:
            is_stated = observation.known_at > held[1] or (records and observation.known_at < held[1])
        seen[place] = observation if is_stated else replace(observation, known_at=max(now, observation.known_at))
        yield seen[place]


def _is_of_block(market: Market, before: Observation | None, observation: Observation) -> bool:
    if before is not None:
        return before.block_hash == observation.block_hash
    return market.is_of_block(observation.key, observation.at, observation.block_hash)


def _fills_a_hole(market: Market, observation: Observation) -> bool:
    """Whether a value of TVL comes after later ones of its series were held, so that nobody was shown it in its time."""
    series = market.series(*observation.key) if observation.metric.startswith("tvl.") else None
    return series is not None and len(series) > 0 and series.at[0] < observation.at < series.at[-1]
