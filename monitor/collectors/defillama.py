"""DefiLlama: total value locked of chains, protocols and protocols on one chain, and prices of assets and stablecoins (no key).

API: https://api-docs.defillama.com (`/v2/historicalChainTvl/{chain}`, `/protocol/{slug}`, `/tvl/{slug}`, `coins.llama.fi/prices/current`).
Protocol bodies hold years of every token and can exceed tens of megabytes; they are read up to `body_limit_bytes` and never beyond.

A daily series ends in a point that is not a day's: the latest hourly value, stamped with its own time or rounded to a day's start. It goes
under a source of its own, so that a window of daily points never mixes the two.

What a protocol's TVL leaves out (staking, pool2, borrowed and so on) is collected beside it, so that what moves from one to the other is not taken
for money that left. Of chains DefiLlama publishes no such parts at this address.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, NamedTuple
from urllib.parse import quote

from monitor.core.book import Watch
from monitor.core.decode import field, items, number, whole
from monitor.core.endpoint import at_endpoint
from monitor.core.observation import Reading
from monitor.core.redemption import staked_tokens
from monitor.core.units import DAY, HOUR, MINUTE, Count, Duration, iso, parse_time
from monitor.core.vocabulary import find_metric
from monitor.errors import BadPayload
from monitor.llama import BODY_TIMEOUT_SECONDS, found
from monitor.source import Collector, Harvest, Page, Part, Ports, each

Cell = tuple[str, object, str]

API = "https://api.llama.fi"
COINS_API = "https://coins.llama.fi"
CHART_SPAN_DAYS = 500
NOW_SOURCE = "defillama-now"
LOWEST_CONFIDENCE = 0.9
_OLDEST_MS = parse_time("2015-01-01")
_LABEL_JITTER_MS = 2 * HOUR
_SKEW_MS = 2 * MINUTE
# What DefiLlama keeps out of TVL, under keys beside the chains: docs.llama.fi/list-your-project/what-to-include-as-tvl.
APART = ("borrowed", "doublecounted", "liquidstaking", "offers", "pool2", "staking", "treasury", "vesting")
STABLECOINS = ("USDC", "USDT", "DAI")
# DefiLlama's names where they are not the capitalised form of ours; the first is the current one.
CHAIN_NAMES: Mapping[str, tuple[str, ...]] = {
    "bsc": ("BSC", "Binance"),
    "optimism": ("OP Mainnet", "Optimism"),
    "gnosis": ("Gnosis", "xDai"),
    "zksync": ("ZKsync Era", "zkSync Era"),
    "polygon-zkevm": ("Polygon zkEVM",),
    "near": ("Near",),
    "ton": ("TON",),
    "unichain": ("Unichain",),
    "hyperliquid": ("Hyperliquid L1",),
}
COIN_IDS: Mapping[str, str] = {
    "BTC": "bitcoin",
    "ETH": "ethereum",
    "USDC": "usd-coin",
    "USDT": "tether",
    "DAI": "dai",
    "WBTC": "wrapped-bitcoin",
    "WETH": "weth",
    "STETH": "staked-ether",
    "WSTETH": "wrapped-steth",
    "RETH": "rocket-pool-eth",
    "CBETH": "coinbase-wrapped-staked-eth",
    "SOL": "solana",
    "BNB": "binancecoin",
    "AVAX": "avalanche-2",
    "ARB": "arbitrum",
    "OP": "optimism",
    "LINK": "chainlink",
    "UNI": "uniswap",
    "AAVE": "aave",
    "LDO": "lido-dao",
    "CRV": "curve-dao-token",
    "GMX": "gmx",
}


@dataclass(frozen=True, kw_only=True)
class DefiLlama(Collector):
    """Daily points go under `defillama`, the newest point under `defillama-now`.

    `coins` adds or replaces CoinGecko ids by asset, each priced whether it is watched or not, `chain_names` DefiLlama's names of chains by
    ours. `tokens` bounds how many tokens of each protocol are followed, by worth; `recent` is how far back a poll looks (the rest is
    history). A whole-protocol subject whose body is too large falls back to the current number.
    """

    title: ClassVar[str] = "DefiLlama"
    homepage: ClassVar[str] = "https://defillama.com"

    cadence: Duration = 30 * MINUTE
    recent: Duration = 7 * DAY
    tokens: Count = 20
    body_limit_bytes: Count = 32 * 1024 * 1024
    coins: Mapping[str, str] = dataclasses.field(default_factory=dict)
    chain_names: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """TVL of every subject, and the price of every asset that has a CoinGecko id, with those of the staked tokens that positions name."""
        locked = {("tvl.usd", subject) for subject in watch.tvl_subjects}
        return frozenset(locked | {("price.usd", asset) for asset in self._coin_ids(watch)})

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """Recent days, "now", and prices. One subject that fails does not take the others with it."""
        received_at = ports.clock.now_ms()
        from_ms = received_at - self.recent
        chains = [subject for subject in watch.tvl_subjects if subject.startswith("chain:")]
        parts: list[Part] = [partial(self._prices, ports, watch)]
        parts += [partial(self._chain, ports, subject, received_at, from_ms) for subject in chains]
        parts += [partial(self._protocol, ports, slug, group, received_at, from_ms) for slug, group in _by_slug(watch.tvl_subjects).items()]
        return await each(parts)

    async def probe(self, ports: Ports, watch: Watch) -> str:
        """One poll, told in words."""
        harvest = await self.poll(ports, watch)
        self.must_be_sound(harvest, ports)
        newest = {reading.subject: reading.value for reading in harvest.readings if reading.metric == "tvl.usd"}
        return ", ".join([*(f"{subject} {value / 1e9:.2f} bn USD" for subject, value in newest.items()), f"{len(harvest.readings)} values"])

    def streams(self, watch: Watch) -> tuple[str, ...]:
        """One history for each TVL subject and each priced asset."""
        return tuple([f"tvl.usd/{subject}" for subject in watch.tvl_subjects] + [f"price.usd/{asset}" for asset in self._coin_ids(watch)])

    async def page(self, ports: Ports, watch: Watch, stream: str, from_ms: int, to_ms: int) -> Page:
        """TVL comes whole in one page, prices in pages of 500 days. "Now" is not history and is left out."""
        metric, _, subject = stream.partition("/")
        if metric == "price.usd":
            return await self._price_page(ports, watch, subject, from_ms, to_ms)
        received_at = ports.clock.now_ms()
        if subject.startswith("chain:"):
            harvest = await self._chain(ports, subject, received_at, from_ms)
        else:
            slug = subject.removeprefix("protocol:").partition("@")[0]
            harvest = self._protocol_parts(await self._body(ports, slug), [subject], received_at, from_ms)
        return Page(_between(harvest, from_ms, to_ms))

    async def _price_page(self, ports: Ports, watch: Watch, asset: str, from_ms: int, to_ms: int) -> Page:
        coin = self._coin_ids(watch)[asset]
        params: dict[str, str | int] = {"start": from_ms // 1000, "span": CHART_SPAN_DAYS, "period": "1d"}
        body = await ports.net.get_json(at_endpoint(self.endpoint, f"{COINS_API}/chart/coingecko:{quote(coin)}"), params=params)
        harvest = price_history(body, asset, coin)
        end = from_ms + CHART_SPAN_DAYS * DAY
        return Page(_between(harvest, from_ms, min(end, to_ms)), end if end < to_ms else None)

    async def _prices(self, ports: Ports, watch: Watch) -> Harvest:
        coin_of = self._coin_ids(watch)
        asked = ",".join(f"coingecko:{quote(coin)}" for coin in sorted(set(coin_of.values())))
        return price_readings(await ports.net.get_json(at_endpoint(self.endpoint, f"{COINS_API}/prices/current/{asked}")), coin_of)

    async def _chain(self, ports: Ports, subject: str, received_at: int, from_ms: int) -> Harvest:
        name = self._names(subject.removeprefix("chain:"))[0]
        body = await found(subject, name, ports.net.get_json(at_endpoint(self.endpoint, f"{API}/v2/historicalChainTvl/{quote(name)}")))
        if not isinstance(body, list):
            raise BadPayload(f"{subject}: DefiLlama has no history under the name {name!r}; set chain_names")
        return tvl_readings(body, "tvl", subject, received_at, from_ms)

    async def _protocol(self, ports: Ports, slug: str, subjects: list[str], received_at: int, from_ms: int) -> Harvest:
        try:
            body = await self._body(ports, slug)
        except BadPayload as error:
            return Harvest.together([await self._current(ports, slug, subjects), Harvest((), [str(error)])])
        return self._protocol_parts(body, subjects, received_at, from_ms)

    async def _body(self, ports: Ports, slug: str) -> object:
        url = at_endpoint(self.endpoint, f"{API}/protocol/{quote(slug)}")
        request = ports.net.get_json(url, timeout_seconds=BODY_TIMEOUT_SECONDS, max_bytes=self.body_limit_bytes)
        return await found(f"protocol:{slug}", slug, request)

    async def _current(self, ports: Ports, slug: str, subjects: list[str]) -> Harvest:
        if f"protocol:{slug}" not in subjects:
            return Harvest()
        body = await found(f"protocol:{slug}", slug, ports.net.get_json(at_endpoint(self.endpoint, f"{API}/tvl/{quote(slug)}")))
        value = number({f"the current TVL of {slug}": body}, f"the current TVL of {slug}")
        return Harvest([Reading("tvl.usd", f"protocol:{slug}", value, ports.clock.now_ms(), source=NOW_SOURCE)])

    def _protocol_parts(self, body: object, subjects: list[str], received_at: int, from_ms: int) -> Harvest:
        parts = []
        for subject in subjects:
            try:
                chain = subject.partition("@")[2]
                source, key = (self._on_chain(body, subject, chain), "tvl") if chain else (body, "tvl")
                parts.append(tvl_readings(items(source, key), "totalLiquidityUSD", subject, received_at, from_ms))
                parts.append(token_readings(source, subject, received_at, from_ms, self.tokens))
                parts.append(self._apart(body, subject, chain, received_at, from_ms))
            except BadPayload as error:
                parts.append(Harvest((), [f"{subject}: {error}"]))
        return Harvest.together(parts)

    def _on_chain(self, body: object, subject: str, chain: str) -> object:
        deployments = field(body, "chainTvls", kind=dict)
        for name in self._names(chain):
            if name in deployments:
                return deployments[name]
        raise BadPayload(f"DefiLlama lists no deployment on {self._names(chain)[0]!r} any more")

    def _apart(self, body: object, subject: str, chain: str, received_at: int, from_ms: int) -> Harvest:
        """`tvl.apart.<part>`: of the whole protocol under the part's own name, of one chain under `<chain>-<part>`."""
        listed = field(body, "chainTvls", kind=dict) if isinstance(body, Mapping) and "chainTvls" in body else {}
        names = [f"{name}-" for name in self._names(chain)] if chain else [""]
        keys = [(part, f"{name}{part}") for name in names for part in APART if f"{name}{part}" in listed]
        return Harvest.together([apart_readings(items(listed, key, "tvl"), part, subject, received_at, from_ms) for part, key in keys])

    def _names(self, chain: str) -> tuple[str, ...]:
        if chain in self.chain_names:
            return (self.chain_names[chain],)
        return CHAIN_NAMES.get(chain) or (" ".join(word.capitalize() for word in chain.split("-")),)

    def _coin_ids(self, watch: Watch) -> dict[str, str]:
        known = {**COIN_IDS, **self.coins}
        return {
            asset: known[asset]
            for asset in dict.fromkeys((*watch.assets, *STABLECOINS, *staked_tokens(watch.positions), *self.coins))
            if asset in known
        }


def _between(harvest: Harvest, from_ms: int, to_ms: int) -> Harvest:
    """The history in a harvest: what has a day, from `from_ms` to `to_ms` (exclusive), without the point of "now"."""
    return Harvest([r for r in harvest.readings if not r.source and r.at is not None and from_ms <= r.at < to_ms], harvest.rejected)


def _by_slug(subjects: tuple[str, ...]) -> dict[str, list[str]]:
    """Group `protocol:` subjects by slug, so that each body is read once."""
    groups: dict[str, list[str]] = {}
    for subject in subjects:
        if subject.startswith("protocol:"):
            groups.setdefault(subject.removeprefix("protocol:").partition("@")[0], []).append(subject)
    return groups


class Dated(NamedTuple):
    """One row of a series with the time and the source that it goes under (empty: the daily series)."""

    at: int
    source: str
    row: object


def dated(rows: list[object], about: str, received_at: int, from_ms: int) -> tuple[list[Dated], list[str]]:
    """Sort the rows of one series from `from_ms` on into day labels and the point of "now"; the strings say what was refused and why."""
    kept: dict[tuple[int, str], Dated] = {}
    rejected: list[str] = []
    for index, row in enumerate(rows):
        try:
            point = _placed(row, received_at, is_last=index == len(rows) - 1)
        except BadPayload as error:
            rejected.append(f"{about}: {error}")
            continue
        if point.at < from_ms:
            continue
        if (first := kept.setdefault((point.at, point.source), point)) is not point:
            rejected.append(f"{about}: two points on the day {iso(first.at)[:10]}, the later one is left out")
    return sorted(kept.values(), key=lambda point: point.at), rejected


def _placed(row: object, received_at: int, *, is_last: bool) -> Dated:
    stamp = whole(row, "date") * 1000
    if not _OLDEST_MS <= stamp <= received_at + DAY:
        raise BadPayload("date is not a time in seconds that can be")
    label = (stamp + DAY // 2) // DAY * DAY
    if is_last and (stamp % DAY or stamp > received_at - DAY):
        own_time = stamp % DAY and stamp <= received_at + _SKEW_MS
        return Dated(stamp if own_time else received_at, NOW_SOURCE, row)
    if abs(stamp - label) > _LABEL_JITTER_MS:
        raise BadPayload(f"the point of {iso(stamp)} is neither a day's start nor the newest")
    return Dated(label, "", row)


def tvl_readings(rows: list[object], key: str, subject: str, received_at: int, from_ms: int) -> Harvest:
    """`tvl.usd` of one subject; `key` names the value in each row. A zero is a value; null or a missing key is refused, never read as 0."""
    if not rows:
        raise BadPayload(f"{subject}: the series is empty")
    points, rejected = dated(rows, subject, received_at, from_ms)
    return _read(points, rejected, subject, lambda row: [("tvl.usd", row, key)])


def token_readings(body: object, subject: str, received_at: int, from_ms: int, limit: int) -> Harvest:
    """`tvl.tokens.<asset>` of the `limit` tokens worth most today; nothing where the protocol has no breakdown by token.

    Tokens whose symbol is not a plain name have no place in the vocabulary and are not counted among the `limit`.
    """
    if not isinstance(body, Mapping) or not {"tokens", "tokensInUsd"} <= body.keys():
        return Harvest()
    worth, rows = items(body, "tokensInUsd"), items(body, "tokens")
    chosen = _worth_most(worth[-1], limit) if worth else []
    points, rejected = dated(rows, f"{subject} tokens", received_at, from_ms)

    def amounts(row: object) -> list[Cell]:
        held = field(row, "tokens", kind=dict)
        found: list[Cell] = [(f"tvl.tokens.{symbol}", held, symbol) for symbol in chosen if symbol in held]
        if chosen and not found:
            raise BadPayload("none of the tokens worth most is in it")
        return found

    return _read(points, rejected, subject, amounts)


def apart_readings(rows: list[object], part: str, subject: str, received_at: int, from_ms: int) -> Harvest:
    """`tvl.apart.<part>` of one subject; nothing of a part that is listed and empty."""
    points, rejected = dated(rows, f"{subject} {part}", received_at, from_ms)
    return _read(points, rejected, subject, lambda row: [(f"tvl.apart.{part}", row, "totalLiquidityUSD")])


def _worth_most(row: object, limit: int) -> list[str]:
    worth = field(row, "tokens", kind=dict)
    named = {symbol: number(worth, symbol) for symbol in worth if find_metric(f"tvl.tokens.{symbol}")}
    return sorted(named, key=lambda symbol: (-named[symbol], symbol))[:limit]


def _read(points: list[Dated], rejected: list[str], subject: str, cells: Callable[[object], list[Cell]]) -> Harvest:
    readings = []
    for point in points:
        try:
            found = cells(point.row)
        except BadPayload as error:
            rejected.append(f"{subject} {iso(point.at)}: {error}")
            continue
        for metric, holder, key in found:
            try:
                readings.append(Reading(metric, subject, number(holder, key), point.at, source=point.source))
            except BadPayload as error:
                rejected.append(f"{subject} {iso(point.at)}: {error}")
    return Harvest(readings, rejected)


def price_readings(body: object, coin_of: Mapping[str, str]) -> Harvest:
    """`price.usd` by asset from `/prices/current`; `coin_of` gives CoinGecko's id by asset. A price carries its own time, however old."""
    coins = field(body, "coins", kind=dict)
    readings, rejected = [], []
    for asset, coin in coin_of.items():
        try:
            row = field(coins, f"coingecko:{coin}", kind=dict)
            if "confidence" in row and number(row, "confidence") < LOWEST_CONFIDENCE:
                raise BadPayload(f"confidence {number(row, 'confidence'):g} is below {LOWEST_CONFIDENCE:g}")
            readings.append(Reading("price.usd", asset, number(row, "price"), whole(row, "timestamp") * 1000))
        except BadPayload as error:
            rejected.append(f"price of {asset}: {error}")
    return Harvest(readings, rejected)


def price_history(body: object, asset: str, coin: str) -> Harvest:
    """`price.usd` of one asset from `/chart`, oldest first."""
    readings, rejected = [], []
    for row in items(field(body, "coins", kind=dict), f"coingecko:{coin}", "prices"):
        try:
            readings.append(Reading("price.usd", asset, number(row, "price"), whole(row, "timestamp") * 1000))
        except BadPayload as error:
            rejected.append(f"price of {asset}: {error}")
    return Harvest(sorted(readings, key=lambda reading: reading.at or 0), rejected)
