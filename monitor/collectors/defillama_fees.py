"""DefiLlama: the fees that users pay to a protocol, day by day (no key).

API: https://api-docs.defillama.com (`/summary/fees/{slug}?dataType=dailyFees`, whose `totalDataChart` holds rows of seconds and USD).
"""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar
from urllib.parse import quote

from monitor.core.book import Watch
from monitor.core.decode import items, number
from monitor.core.endpoint import at_endpoint
from monitor.core.observation import Reading
from monitor.core.units import DAY, HOUR, Duration, iso
from monitor.errors import BadPayload
from monitor.llama import BODY_TIMEOUT_SECONDS, between, finished_days, found
from monitor.source import Collector, Harvest, Page, Ports, each

API = "https://api.llama.fi"


@dataclass(frozen=True, kw_only=True)
class DefiLlamaFees(Collector):
    """`fees.daily_usd` of the watched protocols, each finished UTC day. A day that is not over is never given.

    `recent` is how far back a poll looks: DefiLlama fills and corrects days later. The rest is history.
    """

    title: ClassVar[str] = "DefiLlama fees"
    homepage: ClassVar[str] = "https://defillama.com/fees"

    cadence: Duration = 3 * HOUR
    recent: Duration = 7 * DAY

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """Fees of every whole protocol that is watched; those of one chain alone are not asked for."""
        return frozenset(("fees.daily_usd", subject) for subject in _protocols(watch))

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """The recent days of each protocol. One that fails does not take the others with it."""
        from_ms = ports.clock.now_ms() - self.recent
        return await each([partial(self._protocol, ports, subject, from_ms) for subject in _protocols(watch)])

    def streams(self, watch: Watch) -> tuple[str, ...]:
        """One history for each protocol."""
        return tuple(f"fees.daily_usd/{subject}" for subject in _protocols(watch))

    async def page(self, ports: Ports, watch: Watch, stream: str, from_ms: int, to_ms: int) -> Page:
        """A protocol's whole history comes in one answer."""
        return Page(between(await self._protocol(ports, stream.partition("/")[2], from_ms), from_ms, to_ms))

    async def _protocol(self, ports: Ports, subject: str, from_ms: int) -> Harvest:
        slug = subject.removeprefix("protocol:")
        url = at_endpoint(self.endpoint, f"{API}/summary/fees/{quote(slug)}")
        request = ports.net.get_json(url, params={"dataType": "dailyFees"}, timeout_seconds=BODY_TIMEOUT_SECONDS)
        return parse(await found(subject, slug, request), subject, ports.clock.now_ms(), from_ms)


def parse(body: object, subject: str, received_at: int, from_ms: int) -> Harvest:
    """`fees.daily_usd` of one protocol, oldest first. A day of zero fees is a value; null is refused."""
    try:
        rows = items(body, "totalDataChart")
    except BadPayload as error:
        raise BadPayload(f"{subject}: {error}") from None
    days, rejected = finished_days(rows, 0, subject, received_at, from_ms)
    readings = []
    for day in days:
        try:
            readings.append(Reading("fees.daily_usd", subject, number(day.row, 1), day.at))
        except BadPayload as error:
            rejected.append(f"{subject} {iso(day.at)[:10]}: {error}")
    return Harvest(readings, rejected)


def _protocols(watch: Watch) -> tuple[str, ...]:
    return tuple(subject for subject in watch.tvl_subjects if subject.startswith("protocol:") and "@" not in subject)
