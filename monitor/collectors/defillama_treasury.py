"""DefiLlama: what the treasuries of protocols hold, in four parts, by the day (no key).

API: https://api.llama.fi/treasury/{slug}, the answer that defillama.com/treasury/{slug} shows; its shape is that of `/protocol/{slug}` (`tokensInUsd`
by day, `chainTvls.OwnTokens`). DefiLlama publishes the parts for today alone, so the tokens are sorted here, by symbol: stablecoins and
majors (BTC, ETH and what is redeemed in them) as `core.tokens` lists them, the protocol's own tokens as DefiLlama keeps them apart, others
what is left. DefiLlama values each token at its own price.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar
from urllib.parse import quote

from pydantic import Field

from monitor.core.book import Watch
from monitor.core.decode import field, items, number
from monitor.core.endpoint import at_endpoint
from monitor.core.observation import Reading
from monitor.core.tokens import MAJORS, STABLES
from monitor.core.units import DAY, HOUR, Count, Duration, iso
from monitor.errors import BadPayload
from monitor.llama import BODY_TIMEOUT_SECONDS, between, finished_days, found
from monitor.source import Collector, Harvest, Page, Ports, each

API = "https://api.llama.fi"
PARTS = ("stables", "majors", "others")
OWN = "OwnTokens"
Slug = Annotated[str, Field(pattern=r"^[a-z0-9\-.]+$")]


@dataclass(frozen=True, kw_only=True)
class DefiLlamaTreasury(Collector):
    """`treasuries` lists DefiLlama's slugs, such as `[uniswap]`; each is the subject `protocol:` and its slug. Days that are over are given.

    `recent` is how far back a poll looks; `body_limit_bytes` bounds an answer, which holds years of every token.
    """

    title: ClassVar[str] = "DefiLlama treasuries"
    homepage: ClassVar[str] = "https://defillama.com/treasuries"

    cadence: Duration = 6 * HOUR
    recent: Duration = 7 * DAY
    body_limit_bytes: Count = 32 * 1024 * 1024
    treasuries: tuple[Slug, ...] = ()

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """Stables, majors and others of each treasury; its own tokens come with them where DefiLlama counts any."""
        return frozenset((f"treasury.{part}_usd", f"protocol:{slug}") for slug in self.treasuries for part in PARTS)

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """The recent days of each treasury. One that fails does not take the others with it."""
        from_ms = ports.clock.now_ms() - self.recent
        return await each([partial(self._treasury, ports, slug, from_ms) for slug in self.treasuries])

    def streams(self, watch: Watch) -> tuple[str, ...]:
        """One history for each treasury."""
        return tuple(f"treasury/{slug}" for slug in self.treasuries)

    async def page(self, ports: Ports, watch: Watch, stream: str, from_ms: int, to_ms: int) -> Page:
        """A treasury's whole history comes in one answer."""
        return Page(between(await self._treasury(ports, stream.partition("/")[2], from_ms), from_ms, to_ms))

    async def _treasury(self, ports: Ports, slug: str, from_ms: int) -> Harvest:
        subject = f"protocol:{slug}"
        url = at_endpoint(self.endpoint, f"{API}/treasury/{quote(slug)}")
        request = ports.net.get_json(url, timeout_seconds=BODY_TIMEOUT_SECONDS, max_bytes=self.body_limit_bytes)
        return parse(await found(f"treasury of {subject}", slug, request), subject, ports.clock.now_ms(), from_ms)


def parse(body: object, subject: str, received_at: int, from_ms: int) -> Harvest:
    """The parts of one treasury, oldest first. A day of which one token is damaged is refused whole: the rest of it would look like a loss."""
    try:
        series = [(items(body, "tokensInUsd"), _parts)]
        sections = {name: field(body, "chainTvls", name, kind=dict) for name in field(body, "chainTvls", kind=dict)}
        if OWN in sections:
            series.append((items(sections, OWN, "tvl"), _own))
    except BadPayload as error:
        raise BadPayload(f"treasury of {subject}: {error}") from None
    return Harvest.together(_read(rows, values, subject, received_at, from_ms) for rows, values in series)


def _read(rows: Sequence[object], values: Callable[[object], Mapping[str, float]], subject: str, received_at: int, from_ms: int) -> Harvest:
    days, rejected = finished_days(rows, "date", f"treasury of {subject}", received_at, from_ms)
    readings: list[Reading] = []
    for day in days:
        try:
            readings += [Reading(f"treasury.{part}_usd", subject, usd, day.at) for part, usd in values(day.row).items()]
        except BadPayload as error:
            rejected.append(f"treasury of {subject} {iso(day.at)[:10]}: {error}")
    return Harvest(readings, rejected)


def _parts(row: object) -> dict[str, float]:
    held = field(row, "tokens", kind=dict)
    if not held:
        raise BadPayload("no token is listed")
    worth = dict.fromkeys(PARTS, 0.0)
    for symbol in held:
        worth[_part_of(symbol)] += _not_negative(f"{symbol[:32]!a}", held[symbol])
    return worth


def _part_of(symbol: str) -> str:
    if symbol.upper() in STABLES:
        return "stables"
    return "majors" if symbol.upper() in MAJORS else "others"


def _own(row: object) -> dict[str, float]:
    key = "totalLiquidityUSD"
    return {"own_tokens": _not_negative(key, field(row, kind=dict).get(key))}


def _not_negative(name: str, value: object) -> float:
    if (usd := number({name: value}, name)) < 0:
        raise BadPayload(f"{name} is below zero")
    return usd
