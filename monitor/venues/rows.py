"""Pure parsing of what ccxt hands over for perpetual venues: rows in, readings and refusals out.

ccxt turns a missing or malformed number into None and lets `float` accept "1_000" or "1e400", so rates and quotes are read
from the venue's own fields (`info`), strictly. A refused row never takes its neighbours with it.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from monitor.core.observation import Reading
from monitor.core.units import DAY, HOUR, MINUTE, iso
from monitor.core.vocabulary import METRICS
from monitor.errors import BadPayload
from monitor.source import Harvest

BAR_MS = 4 * HOUR
PARTS = ("open", "high", "low", "close", "volume")
EARLIEST_MS = METRICS["funding.rate"].earliest
LATEST_MS = 10**13
SHORTEST_MS, LONGEST_MS = 15 * MINUTE, DAY

_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)


def number(info: Mapping[str, Any], field: str) -> float:
    """The finite number in one field of a venue's row, whether JSON number or decimal text. Raises BadPayload that names the field."""
    if not isinstance(info, Mapping):
        raise BadPayload("the row is not an object")
    value = info.get(field)
    if value is None or value == "":
        raise BadPayload(f"field {field} is missing")
    return finite(value, f"field {field}")


def finite(value: object, name: str) -> float:
    """`value` as a finite float; only JSON numbers and plain ASCII decimals will do. Raises BadPayload that names it."""
    text = isinstance(value, str) and _DECIMAL.fullmatch(value) is not None
    if isinstance(value, bool) or not (text or isinstance(value, int | float)):
        raise BadPayload(f"{name} is not a number: {value!r:.40}")
    result = float(value)  # type: ignore[arg-type]  # narrowed above
    if not math.isfinite(result):
        raise BadPayload(f"{name} is not finite: {value!r:.40}")
    return result


def checked_hours(hours: float) -> float:
    """`hours` if a funding interval can be that long. Raises BadPayload otherwise: what the number means would be a guess."""
    if not SHORTEST_MS <= hours * HOUR <= LONGEST_MS:
        raise BadPayload(f"interval_unparsed: {hours:g} hours")
    return hours


def intervals(times: Sequence[int], current_hours: float | None, table_hours: float | None) -> dict[int, float]:
    """Hours that each settlement covers, by settlement time; settlements whose interval nobody can tell are absent.

    `times` are distinct slots in ascending order. A spacing counts when the neighbouring spacing or the venue's present setting says
    the same: the present setting alone would re-price the past after a change, and a spacing alone would take a missing row for a
    longer interval. `table_hours` is the exchange's documented interval, for venues that publish none.
    """
    spacings = [later - earlier for earlier, later in pairwise(times)]
    current_ms = None if current_hours is None else round(current_hours * HOUR)
    told: dict[int, float] = {}
    for index, spacing in enumerate(spacings):
        neighbours = {current_ms, *spacings[max(index - 1, 0) : index], *spacings[index + 1 : index + 2]}
        if spacing in neighbours and SHORTEST_MS <= spacing <= LONGEST_MS:
            told[times[index + 1]] = spacing / HOUR
    if len(times) == 1 and current_hours is not None:
        told[times[0]] = current_hours
    if table_hours is not None:
        return {time: told.get(time, table_hours) for time in times}
    return told


def holes(times: Sequence[int]) -> list[str]:
    """One line for each spacing that is longer than the spacings on both its sides: settlements that did not arrive."""
    spacings = [later - earlier for earlier, later in pairwise(times)]
    return [
        f"gap: no settlement between {iso(times[index])} and {iso(times[index + 1])}"
        for index in range(1, len(spacings) - 1)
        if spacings[index] > max(spacings[index - 1], spacings[index + 1])
    ]


def settlement_times(rows: Iterable[Mapping[str, Any]]) -> list[int]:
    """Distinct settlement slots of the rows, rounded to the minute, ascending; rows without a believable time are left out."""
    stamps = (row.get("timestamp") for row in rows)
    slots = {slot(stamp) for stamp in stamps if isinstance(stamp, int) and EARLIEST_MS <= stamp < LATEST_MS}
    return sorted(slots)


def slot(stamp: int) -> int:
    """The minute nearest to `stamp`: venues settle some milliseconds late."""
    return (stamp + MINUTE // 2) // MINUTE * MINUTE


def funding(rows: Sequence[Mapping[str, Any]], subject: str, field: str, hours: Mapping[int, float]) -> Harvest:
    """`funding.rate` and, where `hours` knows it, `funding.interval_hours` of each settled row (ccxt funding-rate-history structures)."""
    readings: list[Reading] = []
    rejected: list[str] = []
    for row in rows:
        at = row.get("timestamp")
        try:
            rate = number(row.get("info") or {}, field)
        except BadPayload as problem:
            rejected.append(f"{subject}: settled funding at {_when(at)}: {problem}")
            continue
        readings.append(Reading("funding.rate", subject, rate, at))
        if isinstance(at, int) and (interval := hours.get(slot(at))) is not None:
            readings.append(Reading("funding.interval_hours", subject, interval, at))
    return Harvest(readings, rejected)


def candles(rows: Sequence[Sequence[Any]], subject: str, closed_by_ms: int) -> Harvest:
    """The five readings of each 4-hour candle that had closed by `closed_by_ms` (ccxt OHLCV lists); a candle is taken whole or not."""
    readings: list[Reading] = []
    rejected: list[str] = []
    for row in rows:
        try:
            at, values = _candle(row)
        except BadPayload as problem:
            rejected.append(f"{subject}: candle at {_when(row[0] if row else None)}: {problem}")
            continue
        if at > closed_by_ms + BAR_MS:
            rejected.append(f"{subject}: candle at {_when(at)}: it opens in the future")
        elif at + BAR_MS <= closed_by_ms:
            readings += [Reading(f"candle.4h.{part}", subject, value, at) for part, value in zip(PARTS, values, strict=True)]
    return Harvest(readings, rejected)


def _candle(row: Sequence[Any]) -> tuple[int, list[float]]:
    if len(row) != 1 + len(PARTS) or not isinstance(row[0], int):
        raise BadPayload("no open time")
    values = [finite(value, part) for part, value in zip(PARTS, row[1:], strict=True)]
    if min(values[:4]) <= 0 or values[4] < 0:
        raise BadPayload("a price is not positive, or the volume is negative")
    return row[0], values


def missing_bars(opens: Iterable[int]) -> list[str]:
    """One line for each run of absent 4-hour bars between two that are there."""
    return [f"gap: no candle from {iso(a + BAR_MS)} to {iso(b)}" for a, b in pairwise(sorted(set(opens))) if b - a > BAR_MS]


def quote(info: Mapping[str, Any], at: int | None, subject: str, fields: Mapping[str, str]) -> Harvest:
    """Readings of one market's present state. `fields` maps metrics to the venue's field names; `at` None is left to the door.

    Open interest in dollars is coins times mark (index where there is no mark) for venues that do not publish it.
    """
    values: dict[str, float] = {}
    rejected: list[str] = []
    for metric, field in fields.items():
        try:
            values[metric] = number(info, field)
        except BadPayload as problem:
            rejected.append(f"{subject}: {metric}: {problem}")
    price = values.get("perp.mark" if "perp.mark" in fields else "perp.index")
    if "open_interest.usd" not in fields and "open_interest.coins" in values and price is not None:
        values["open_interest.usd"] = values["open_interest.coins"] * price
    readings = [Reading(metric, subject, value, at) for metric, value in values.items() if at is not None or METRICS[metric].undated]
    return Harvest(readings, rejected)


def _when(stamp: object) -> str:
    believable = isinstance(stamp, int) and EARLIEST_MS <= stamp < LATEST_MS
    return iso(stamp) if believable else f"{stamp!r:.24}"  # type: ignore[arg-type]  # believable means int
