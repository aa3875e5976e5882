"""What store and senders both speak of: an alert on its way to a channel, a try to bring it there, a channel that does not take it."""

from dataclasses import dataclass

from monitor.core.codec import digest

WAITING = "waiting"
DELIVERED = "delivered"
FAILED = "failed"
SILENCED = "silenced"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One alert for one channel. Times are wall-clock epoch milliseconds: deliveries live in our time, whichever the engine thinks in.

    `queued_at` is when it was last put in the queue, `attempts` counts the tries since, `failing_since` is the first of them.
    """

    id: str
    channel: str
    type: str
    body: bytes
    queued_at: int
    status: str = WAITING
    attempts: int = 0
    next_at: int = 0
    failing_since: int | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver."""

    id: str
    channel: str
    at: int
    outcome: str
    detail: str


@dataclass(frozen=True, slots=True)
class Failing:
    """A channel does not take an alert: still being tried, or given up."""

    channel: str
    alert_id: str
    type: str
    detail: str
    given_up: bool

    @property
    def id(self) -> str:
        """The same trouble has the same id, so telling it again after a restart is telling it once."""
        return "out_" + digest([self.channel, self.alert_id, self.given_up])[:24]
