"""Webhooks as Standard Webhooks 1.0.0 has them: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

The signature covers id, time of sending and body. The id and the body of an alert never change; the time is that of each try.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import SecretStr

from monitor.clock import Clock
from monitor.core.delivery import Delivery
from monitor.core.secret import display_url
from monitor.errors import SourceError
from monitor.net import Net, Response, retry_after_seconds

if TYPE_CHECKING:
    from standardwebhooks import Webhook

ACCEPTED = "delivered"
# The receiver said no in a way that may pass by itself: busy, broken.
FAILED = "failed"
# It said no, and its clock is not ours: our signature may look old to it. Passes when the clock is set.
CLOCK = "clock"
# No answer came, so it may or may not have arrived: sent again, the same id lets the receiver see that.
AMBIGUOUS = "ambiguous"
# The receiver said no in a way that somebody must mend: a wrong address, a wrong secret, a redirect.
REFUSED = "refused"
# The receiver asks never to be called again.
GONE = "gone"

TIMEOUT_SECONDS = 10.0
CLOCK_TOLERANCE_SECONDS = 60.0
_PASSING = frozenset({408, 409, 421, 425, 429})


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one try. `detail` is for the operator and holds no secret; `retry_after_seconds` is what the receiver asked for."""

    outcome: str
    detail: str
    retry_after_seconds: float | None = None


class WebhookChannel:
    """One receiver. Signs with the previous secret too while the receiver changes over."""

    def __init__(self, name: str, url: SecretStr, secret: SecretStr, previous_secret: SecretStr | None, net: Net, clock: Clock) -> None:
        self.name = name
        self._url = url
        self._secrets = [secret, previous_secret] if previous_secret is not None else [secret]
        self._net = net
        self._clock = clock

    async def deliver(self, delivery: Delivery) -> Answer:
        """Send once. Every way in which that can end is an `Answer`."""
        try:
            response = await self._net.post(self._url.get_secret_value(), delivery.body, self._headers(delivery), timeout_seconds=TIMEOUT_SECONDS)
        except SourceError as error:
            return Answer(REFUSED if error.permanent else AMBIGUOUS, str(error))
        return self._judged(response)

    def _headers(self, delivery: Delivery) -> dict[str, str]:
        sent_at = datetime.fromtimestamp(self._clock.now_ms() // 1000, UTC)
        signatures = (signer.sign(delivery.id, sent_at, delivery.body.decode()) for signer in self._signers)
        return {
            "content-type": "application/json",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(int(sent_at.timestamp())),
            "webhook-signature": " ".join(signatures),
        }

    @cached_property
    def _signers(self) -> "list[Webhook]":
        from standardwebhooks import Webhook

        return [Webhook(secret.get_secret_value()) for secret in self._secrets]

    def _judged(self, response: Response) -> Answer:
        now_seconds = self._clock.now_ms() / 1000
        status = response.status
        said = f"{display_url(self._url.get_secret_value())} answered with status {status}"
        if 200 <= status < 300:
            return Answer(ACCEPTED, f"status {status}")
        if 300 <= status < 400:
            return Answer(REFUSED, f"{said}: redirects are not followed, give the address it leads to")
        apart = _clocks_apart_seconds(response.headers, now_seconds) if status in (400, 401) else 0.0
        if abs(apart) > CLOCK_TOLERANCE_SECONDS:
            return Answer(CLOCK, f"{said}: its clock is {apart:+.0f} s from ours, so our signature may look old to it; check our clock")
        if status == 410:
            return Answer(GONE, f"{said}: it asks not to be called again")
        if 400 <= status < 500 and status not in _PASSING:
            return Answer(REFUSED, said)
        return Answer(FAILED, said, retry_after_seconds(response.headers.get("retry-after", ""), now_seconds))


def _clocks_apart_seconds(headers: Mapping[str, str], now_seconds: float) -> float:
    """The receiver's clock less ours, by its Date header; 0 where it has none that can be read."""
    try:
        theirs = parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return 0.0
    return (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)).timestamp() - now_seconds
