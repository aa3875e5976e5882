"""DefiLlama's bodies into readings: pure, and strict about which point is a day's and which is "now".

A daily series ends in a point that is not a day's: the latest hourly value, stamped with its own time or rounded to a day's start. It goes
under a source of its own, so that a window of daily points never mixes the two.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from monitor.core.decode import field, items, number, whole
from monitor.core.observation import Reading
from monitor.core.units import DAY, HOUR, MINUTE, iso, parse_time
from monitor.core.vocabulary import find_metric
from monitor.errors import BadPayload
from monitor.source import Harvest

NOW_SOURCE = "defillama-now"
LOWEST_CONFIDENCE = 0.9
_OLDEST_MS = parse_time("2015-01-01")
_LABEL_JITTER_MS = 2 * HOUR
_SKEW_MS = 2 * MINUTE


Cell = tuple[str, object, str]


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
