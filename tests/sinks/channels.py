"""What the tests of senders share: a store with one alert after another in it, a channel over a fake network, and receivers by script."""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from pydantic import SecretStr

from monitor.clock import Clock
from monitor.core.delivery import WAITING, Delivery, Failing
from monitor.core.events import Tick
from monitor.net import Response
from monitor.sinks.sender import Sender
from monitor.sinks.webhook import Answer, WebhookChannel
from monitor.store.sqlite import MEMORY, SqliteStore
from tests.fakes import FakeNet
from tests.virtual_time import VirtualClock

START_MS = 1_750_000_000_000
SECRET = SecretStr("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
OLDER = SecretStr("whsec_b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkISE=")
URL = "https://hooks.test/services/T0000/very-secret-path"
OK = Response(200, {}, b"")


def status(code: int, **headers: str) -> Response:
    return Response(code, {name.replace("_", "-"): value for name, value in headers.items()}, b"")


def webhook(net: FakeNet, clock: Clock, url: str = URL, previous: SecretStr | None = None) -> WebhookChannel:
    return WebhookChannel("phone", SecretStr(url), SECRET, previous, net, clock)


def row(name: str, channel: str = "phone", at: int = START_MS, kind: str = "layer.proposed") -> Delivery:
    return Delivery(name, channel, kind, b'{"id":"%s"}' % name.encode(), at, WAITING, next_at=at)


def queued(*rows: Delivery, store: SqliteStore | None = None) -> SqliteStore:
    """A store with each row committed by an event of its own."""
    store = store or SqliteStore(MEMORY)
    for one in rows:
        store.commit(Tick(one.queued_at), (), [one])
    return store


@dataclass
class Scripted:
    """A channel that answers from a list, the last one for ever, and keeps what it was sent and when."""

    clock: Clock
    answers: Sequence[str | Answer | Callable[[], Awaitable[Answer]]]
    sent: list[tuple[float, str, bytes]] = field(default_factory=list)

    async def deliver(self, delivery: Delivery) -> Answer:
        self.sent.append((self.clock.monotonic(), delivery.id, delivery.body))
        chosen = self.answers[min(len(self.sent), len(self.answers)) - 1]
        if isinstance(chosen, str):
            return Answer(chosen, "as told")
        return chosen if isinstance(chosen, Answer) else await chosen()

    @property
    def ids(self) -> list[str]:
        return [name for _, name, _ in self.sent]

    def copies(self, name: str) -> int:
        return self.ids.count(name)


@dataclass
class Desk:
    """A sender with its surroundings; `failing` is what it reported."""

    store: SqliteStore
    sender: Sender
    failing: list[Failing]


def desk(store: SqliteStore, clock: VirtualClock, seed: int = 1, **channels: Scripted | WebhookChannel) -> Desk:
    failing: list[Failing] = []
    return Desk(store, Sender(store.outbox, channels, clock, random.Random(seed), failing.append), failing)
