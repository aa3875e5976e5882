"""DefiLlama: what all stablecoins are worth, by the day, and the supply of each at its own price (no key).

API: https://api-docs.defillama.com (`stablecoins.llama.fi/stablecoincharts/all`, `/stablecoins?includePrices=true`). No stablecoin is taken
to be worth a dollar: the total is that of `totalCirculatingUSD`, and a coin without a price is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

from monitor.core import decode
from monitor.core.book import Watch
from monitor.core.endpoint import at_endpoint
from monitor.core.observation import Reading
from monitor.core.units import DAY, HOUR, Duration, iso
from monitor.errors import BadPayload
from monitor.llama import BODY_TIMEOUT_SECONDS, between, finished_days
from monitor.source import Collector, Harvest, Page, Ports, each

API = "https://stablecoins.llama.fi"
TOTAL = "market_cap.usd"
ALL = "stablecoins"
FOLLOWED = ("USDC", "USDT", "DAI")
# Symbols are not unique in DefiLlama's list, CoinGecko's ids are.
COIN_IDS: Mapping[str, str] = {
    "USDC": "usd-coin",
    "USDT": "tether",
    "DAI": "dai",
    "USDS": "usds",
    "USDE": "ethena-usde",
    "FRAX": "frax",
    "LUSD": "liquity-usd",
    "GHO": "gho",
    "CRVUSD": "crvusd",
    "PYUSD": "paypal-usd",
    "FDUSD": "first-digital-usd",
    "TUSD": "true-usd",
}


@dataclass(frozen=True, kw_only=True)
class DefiLlamaStablecoins(Collector):
    """`market_cap.usd` of `stablecoins`, all pegs together, each finished UTC day; `stablecoin.supply_usd` of the followed ones.

    Followed are USDC, USDT, DAI, those among the assets and those of `coins`, which adds or replaces CoinGecko ids by asset. `recent` is how
    far back a poll looks.
    """

    title: ClassVar[str] = "DefiLlama stablecoins"
    homepage: ClassVar[str] = "https://defillama.com/stablecoins"

    cadence: Duration = 3 * HOUR
    recent: Duration = 10 * DAY
    coins: Mapping[str, str] = field(default_factory=dict)

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """The total, whatever is watched, and the supply of each followed coin."""
        return frozenset({(TOTAL, ALL)} | {("stablecoin.supply_usd", asset) for asset in self._followed(watch)})

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """The recent days, and the supplies of now."""
        return await each([partial(self._total, ports, ports.clock.now_ms() - self.recent), partial(self._supplies, ports, watch)])

    def streams(self, watch: Watch) -> tuple[str, ...]:
        """The total alone has a history here."""
        return (f"{TOTAL}/{ALL}",)

    async def page(self, ports: Ports, watch: Watch, stream: str, from_ms: int, to_ms: int) -> Page:
        """The whole history comes in one answer."""
        return Page(between(await self._total(ports, from_ms), from_ms, to_ms))

    async def _total(self, ports: Ports, from_ms: int) -> Harvest:
        url = at_endpoint(self.endpoint, f"{API}/stablecoincharts/all")
        return parse_total(await ports.net.get_json(url, timeout_seconds=BODY_TIMEOUT_SECONDS), ports.clock.now_ms(), from_ms)

    async def _supplies(self, ports: Ports, watch: Watch) -> Harvest:
        url = at_endpoint(self.endpoint, f"{API}/stablecoins")
        body = await ports.net.get_json(url, params={"includePrices": "true"}, timeout_seconds=BODY_TIMEOUT_SECONDS)
        return parse_supplies(body, self._followed(watch), ports.clock.now_ms())

    def _followed(self, watch: Watch) -> dict[str, str]:
        known = {**COIN_IDS, **self.coins}
        return {asset: known[asset] for asset in dict.fromkeys((*FOLLOWED, *watch.assets, *self.coins)) if asset in known}


def parse_total(body: object, received_at: int, from_ms: int) -> Harvest:
    """`market_cap.usd` of all stablecoins, oldest first: the sum over the pegs, each in USD. One damaged peg spoils its day."""
    days, rejected = finished_days(decode.items(body), "date", ALL, received_at, from_ms)
    readings = []
    for day in days:
        try:
            readings.append(Reading(TOTAL, ALL, _worth(decode.field(day.row, "totalCirculatingUSD", kind=dict)), day.at))
        except BadPayload as error:
            rejected.append(f"{ALL} {iso(day.at)[:10]}: {error}")
    return Harvest(readings, rejected)


def _worth(pegs: Mapping[str, object]) -> float:
    if "peggedUSD" not in pegs:
        raise BadPayload("the coins pegged to the dollar are missing")
    values = {peg: decode.number(pegs, peg) for peg in pegs}
    if below := [peg for peg, value in values.items() if value < 0]:
        raise BadPayload(f"{below[0][:20]!a} is below zero")
    return sum(values.values())


def parse_supplies(body: object, coin_of: Mapping[str, str], received_at: int) -> Harvest:
    """`stablecoin.supply_usd` by asset: circulating coins times their own price. The answer has no time of its own."""
    listed = {
        row.get("gecko_id"): row for row in decode.items(body, "peggedAssets") if isinstance(row, dict) and isinstance(row.get("gecko_id"), str)
    }
    readings, rejected = [], []
    for asset, coin in coin_of.items():
        try:
            if coin not in listed:
                raise BadPayload(f"DefiLlama lists no stablecoin with the CoinGecko id {coin!r}; correct it in `coins`")
            price, supply = decode.number(listed[coin], "price"), decode.number(listed[coin], "circulating", "peggedUSD")
            if price <= 0 or supply < 0:
                raise BadPayload("price or supply is below zero")
            readings.append(Reading("stablecoin.supply_usd", asset, price * supply, received_at))
        except BadPayload as error:
            rejected.append(f"supply of {asset}: {error}")
    return Harvest(readings, rejected)
