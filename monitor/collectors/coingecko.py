"""CoinGecko: what all crypto is worth, and the market caps of protocols' tokens (public API, no key; a few calls a minute).

API: https://docs.coingecko.com (`/global`, `/simple/price` with `include_market_cap`, `/coins/{id}/market_chart`). These are the smallest
answers that hold a market cap: DefiLlama's list of protocols has it too, in a body of megabytes. The total has no history without a key, a
token's market cap one year.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, ClassVar
from urllib.parse import quote

from pydantic import Field

from monitor.core.book import Watch
from monitor.core.decode import items, number, whole
from monitor.core.endpoint import at_endpoint
from monitor.core.observation import Reading
from monitor.core.units import DAY, HOUR, MINUTE, Duration
from monitor.core.vocabulary import PROTOCOL
from monitor.errors import BadPayload
from monitor.source import Collector, Harvest, Page, Ports, each

API = "https://api.coingecko.com/api/v3"
CAP = "market_cap.usd"
CRYPTO = "crypto"
FREE_HISTORY_DAYS = 365
_JITTER_MS = 2 * HOUR
Protocol = Annotated[str, Field(pattern=f"^(?:{PROTOCOL})$")]
# A version's token is that of the whole protocol.
COIN_IDS: Mapping[str, str] = {
    "protocol:aave": "aave",
    "protocol:aave-v2": "aave",
    "protocol:aave-v3": "aave",
    "protocol:compound-v3": "compound-governance-token",
    "protocol:curve-dex": "curve-dao-token",
    "protocol:gmx": "gmx",
    "protocol:gmx-v2-perps": "gmx",
    "protocol:lido": "lido-dao",
    "protocol:uniswap": "uniswap",
    "protocol:uniswap-v2": "uniswap",
    "protocol:uniswap-v3": "uniswap",
    "protocol:uniswap-v4": "uniswap",
}


@dataclass(frozen=True, kw_only=True)
class CoinGecko(Collector):
    """`market_cap.usd` of `crypto`, and of each watched protocol whose token is known.

    `coins` adds or replaces CoinGecko ids by protocol: `coins: {"protocol:morpho": morpho}`.
    """

    title: ClassVar[str] = "CoinGecko"
    homepage: ClassVar[str] = "https://www.coingecko.com"

    cadence: Duration = 30 * MINUTE
    coins: Mapping[Protocol, str] = field(default_factory=dict)

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """All crypto, whatever is watched, and the protocols that have a token here."""
        return frozenset((CAP, subject) for subject in (CRYPTO, *self._coin_ids(watch)))

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """Two requests: the total, and all tokens at once. One that fails does not take the other with it."""
        coin_of = self._coin_ids(watch)
        return await each([partial(self._total, ports), *([partial(self._caps, ports, coin_of)] if coin_of else [])])

    def streams(self, watch: Watch) -> tuple[str, ...]:
        """The protocols' market caps, one year back. The total has none: import it."""
        return tuple(f"{CAP}/{subject}" for subject in self._coin_ids(watch))

    async def page(self, ports: Ports, watch: Watch, stream: str, from_ms: int, to_ms: int) -> Page:
        """One token's daily values in one answer; what is older than a year is not to be had without a key."""
        subject = stream.partition("/")[2]
        now_ms = ports.clock.now_ms()
        days = min(FREE_HISTORY_DAYS, max(1, -(-(now_ms - from_ms) // DAY)))
        url = at_endpoint(self.endpoint, f"{API}/coins/{quote(self._coin_ids(watch)[subject])}/market_chart")
        params: dict[str, str | int] = {"vs_currency": "usd", "days": days, "interval": "daily"}
        return Page(parse_history(await ports.net.get_json(url, params=params), subject, now_ms, from_ms, to_ms))

    async def _total(self, ports: Ports) -> Harvest:
        return parse_total(await ports.net.get_json(at_endpoint(self.endpoint, f"{API}/global")))

    async def _caps(self, ports: Ports, coin_of: Mapping[str, str]) -> Harvest:
        params: dict[str, str | int] = {
            "ids": ",".join(sorted(set(coin_of.values()))),
            "vs_currencies": "usd",
            "include_market_cap": "true",
            "include_last_updated_at": "true",
        }
        return parse_caps(await ports.net.get_json(at_endpoint(self.endpoint, f"{API}/simple/price"), params=params), coin_of)

    def _coin_ids(self, watch: Watch) -> dict[str, str]:
        known = {**COIN_IDS, **self.coins}
        return {subject: known[subject] for subject in watch.tvl_subjects if subject in known}


def parse_total(body: object) -> Harvest:
    """`market_cap.usd` of `crypto` at the time that the answer gives for itself. BadPayload where it is damaged."""
    return Harvest([Reading(CAP, CRYPTO, _cap(body, "data", "total_market_cap", "usd"), whole(body, "data", "updated_at") * 1000)])


def parse_caps(body: object, coin_of: Mapping[str, str]) -> Harvest:
    """`market_cap.usd` by protocol, each at its own time."""
    readings, rejected = [], []
    for subject, coin in coin_of.items():
        try:
            readings.append(Reading(CAP, subject, _cap(body, coin, "usd_market_cap"), whole(body, coin, "last_updated_at") * 1000))
        except BadPayload as error:
            rejected.append(f"market cap of {subject}: {error}; CoinGecko's id of its token is set in `coins`")
    return Harvest(readings, rejected)


def parse_history(body: object, subject: str, received_at: int, from_ms: int, to_ms: int) -> Harvest:
    """The daily market caps of one token, oldest first; the newest row is not a day's and is left out."""
    readings, rejected, rows = [], [], items(body, "market_caps")
    for place, row in enumerate(rows, start=1):
        try:
            stamp = whole(row, 0)
            day = (stamp + DAY // 2) // DAY * DAY
            if place == len(rows) and stamp % DAY and stamp > received_at - DAY:
                continue
            if abs(stamp - day) > _JITTER_MS:
                raise BadPayload("a row is of no day: days begin at midnight UTC")
            if from_ms <= day < to_ms:
                readings.append(Reading(CAP, subject, _cap(row, 1), day))
        except BadPayload as error:
            rejected.append(f"market cap of {subject}: {error}")
    return Harvest(readings, rejected)


def _cap(source: object, *path: str | int) -> float:
    """A market cap; 0 is how CoinGecko writes one that it does not know."""
    value = number(source, *path)
    if value <= 0:
        raise BadPayload(f"{'.'.join(map(str, path))} is {value:g}, which stands for a market cap that is not known")
    return value
