"""MEV-Boost: what block builders pay to proposers, hour by hour, from the relays' own records of delivered payloads (no key).

API: https://flashbots.github.io/relay-specs (Data API, `/relay/v1/data/bidtraces/proposer_payload_delivered`: newest slot first, `cursor` is the
highest slot wanted). One payload can be delivered by several relays; it counts once.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import ClassVar

from monitor.core.book import Watch
from monitor.core.decode import items, text
from monitor.core.endpoint import at_endpoint
from monitor.core.observation import Reading
from monitor.core.units import HOUR, MINUTE, SECOND, Count, Duration, parse_time
from monitor.errors import BadPayload, SourceError
from monitor.hours import last_closed_hours
from monitor.source import Collector, Harvest, Page, Ports

METRIC, CHAIN = "mev.payment_eth", "ethereum"
# Slot 0 of the beacon chain, and the length of a slot (https://github.com/ethereum/consensus-specs, MIN_GENESIS_TIME and what followed).
GENESIS_MS = parse_time("2020-12-01T12:00:23Z")
SLOT_MS = 12 * SECOND
WEI_PER_ETH = 10**18
PAGE_SLOTS = 200
RELAYS: Mapping[str, str] = {
    "flashbots": "https://boost-relay.flashbots.net",
    "ultrasound": "https://relay-analytics.ultrasound.money",
    "bloxroute": "https://bloxroute.max-profit.blxrbdn.com",
}
_PATH = "/relay/v1/data/bidtraces/proposer_payload_delivered"
_WHOLE = re.compile("[0-9]{1,30}")


@dataclass(frozen=True, slots=True)
class Payload:
    """A payload that a relay delivered; `value_wei` is what its builder paid."""

    slot: int
    block_hash: str
    value_wei: int


@dataclass(frozen=True, kw_only=True)
class MevBoost(Collector):
    """`mev.payment_eth` of `chain:ethereum`: the median payment of an hour's slots, asked for where that chain is configured.

    An hour has a value only if every relay answered for it whole: a relay that is missing would look like a change of the market. `relays` replaces
    the table, by name.
    """

    title: ClassVar[str] = "MEV-Boost relays"
    homepage: ClassVar[str] = "https://flashbots.github.io/relay-specs/"
    late_ms: ClassVar[int] = 6 * HOUR

    cadence: Duration = 20 * MINUTE
    hours: Count = 2
    relays: Mapping[str, str] = field(default_factory=dict)

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """One series, if Ethereum is among the chains."""
        return frozenset({(METRIC, f"chain:{CHAIN}")} if CHAIN in watch.chains else ())

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """The newest closed hours."""
        return await self._payments(ports, *last_closed_hours(ports.clock.now_ms(), self.hours)) if self.provides(watch) else Harvest()

    def streams(self, watch: Watch) -> tuple[str, ...]:
        """One history; relays keep theirs for years."""
        return ("payments",) if self.provides(watch) else ()

    async def page(self, ports: Ports, watch: Watch, stream: str, from_ms: int, to_ms: int) -> Page:
        """Six hours at a time: nine questions to each relay."""
        start, last = max(GENESIS_MS, -(-from_ms // HOUR) * HOUR), to_ms - to_ms % HOUR
        end = min(start + 6 * HOUR, last)
        harvest = await self._payments(ports, start, end) if start < end else Harvest()
        return Page(harvest, end if start < end < last else None)

    async def _payments(self, ports: Ports, from_ms: int, to_ms: int) -> Harvest:
        relays = self.relays or RELAYS
        told = await asyncio.gather(*(self._delivered(ports, url, from_ms, to_ms) for url in relays.values()), return_exceptions=True)
        silent: list[str] = []
        delivered: list[Payload] = []
        for name, answer in zip(relays, told, strict=True):
            if isinstance(answer, SourceError | BadPayload):
                silent.append(f"relay {name}: {answer}")
            elif isinstance(answer, BaseException):
                raise answer
            else:
                delivered += answer
        if silent:
            raise SourceError(f"these hours wait until every relay answers; {'; '.join(silent)}")
        return by_hour(delivered, from_ms, to_ms)

    async def _delivered(self, ports: Ports, relay: str, from_ms: int, to_ms: int) -> list[Payload]:
        """What one relay delivered in these hours, asked for page by page from the newest slot down."""
        first, cursor = slot_from(from_ms), slot_from(to_ms) - 1
        found: list[Payload] = []
        while cursor >= first:
            params: dict[str, str | int] = {"limit": PAGE_SLOTS, "cursor": cursor}
            page = parse(await ports.net.get_json(at_endpoint(self.endpoint, relay + _PATH), params=params), cursor)
            found += [payload for payload in page if payload.slot >= first]
            # A short page is not the last one: a relay may give less at a time than it is asked for.
            if not page:
                break
            cursor = page[-1].slot - 1
        return found


def slot_from(at_ms: int) -> int:
    """The first slot at or after an instant."""
    return -((GENESIS_MS - at_ms) // SLOT_MS)


def parse(body: object, cursor: int) -> list[Payload]:
    """Payloads of one page, newest first. BadPayload for a value that is no whole number, or a slot that was not asked for."""
    payloads = [_payload(row) for row in items({"the page": body}, "the page")]
    if any(payload.slot > cursor for payload in payloads):
        raise BadPayload("a payload of a slot that was not asked for")
    return sorted(payloads, key=lambda payload: -payload.slot)


def _payload(row: object) -> Payload:
    slot, value, block_hash = text(row, "slot"), text(row, "value"), text(row, "block_hash")
    if not _WHOLE.fullmatch(slot) or not _WHOLE.fullmatch(value):
        raise BadPayload("slot and value must be whole numbers")
    if not re.fullmatch("0x[0-9a-fA-F]{64}", block_hash):
        raise BadPayload("block_hash is not 32 bytes")
    return Payload(int(slot), block_hash.lower(), int(value))


def by_hour(payloads: list[Payload], from_ms: int, to_ms: int) -> Harvest:
    """The median payment of each hour. A slot for which relays name two blocks, or two values, cannot be told apart and is refused."""
    by_slot: dict[int, set[Payload]] = {}
    for payload in payloads:
        by_slot.setdefault(payload.slot, set()).add(payload)
    rejected = [f"slot {slot}: relays disagree on what was delivered" for slot, claims in sorted(by_slot.items()) if len(claims) > 1]
    agreed = {slot: next(iter(claims)).value_wei for slot, claims in by_slot.items() if len(claims) == 1}
    readings = []
    for start in range(from_ms, to_ms, HOUR):
        paid = [wei for slot, wei in agreed.items() if start <= GENESIS_MS + slot * SLOT_MS < start + HOUR]
        if paid:
            readings.append(Reading(METRIC, f"chain:{CHAIN}", median(paid) / WEI_PER_ETH, start))
    return Harvest(readings, rejected)
