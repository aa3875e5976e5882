"""Units as a person writes them, and the one unit each quantity has inside.

Times and durations are int milliseconds, rates are fractions, money is float US dollars. In a configuration every scalar is text, so a
unit is required there; the numbers that a stored configuration carries are already in the inner unit and pass unchanged.
"""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

_DURATION_UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "min": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}
_NUMBER = r"[+-]?(?:[0-9]+(?:_[0-9]+)*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?"


def parse_duration(value: object) -> object:
    """Milliseconds of `48h`, `15 min`, `90s`; a number is taken as milliseconds. Raises ValueError without a unit."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(rf"({_NUMBER})\s*([a-z]+)", value.strip())
    if match is None or match[2] not in _DURATION_UNITS:
        raise ValueError(f"{value!r} is not a duration: write a number and a unit, such as 48h, 15min or 7d")
    return round(float(match[1]) * _DURATION_UNITS[match[2]])


def parse_fraction(value: object) -> object:
    """Fraction of `8%`, `80bp` or `0.08`; a number is taken as a fraction."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(rf"({_NUMBER})\s*(%|bp|bps|)", value.strip())
    if match is None:
        raise ValueError(f"{value!r} is not a rate: write 8%, 80bp or 0.08")
    scale = {"%": 100.0, "bp": 10_000.0, "bps": 10_000.0, "": 1.0}[match[2]]
    return float(match[1]) / scale


def parse_usd(value: object) -> object:
    """US dollars of `10_000 USD`; a number is taken as dollars. Raises ValueError for another currency or none."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(rf"({_NUMBER})\s*USD", value.strip())
    if match is None:
        raise ValueError(f"{value!r} is not an amount of money: write 10_000 USD")
    return float(match[1])


def parse_count(value: object) -> object:
    """Number of `12` or `1e-4`; underscores between digits are fine, units are not."""
    if not isinstance(value, str):
        return value
    if re.fullmatch(_NUMBER, value.strip()) is None:
        raise ValueError(f"{value!r} is not a plain number")
    number = float(value)
    return int(number) if number.is_integer() else number


Duration = Annotated[int, BeforeValidator(parse_duration), WithJsonSchema({"type": "string", "examples": ["48h", "15min", "7d"]})]
Fraction = Annotated[float, BeforeValidator(parse_fraction), WithJsonSchema({"type": "string", "examples": ["8%", "80bp", "0.08"]})]
Usd = Annotated[float, BeforeValidator(parse_usd), WithJsonSchema({"type": "string", "examples": ["10_000 USD"]})]
Count = Annotated[int, BeforeValidator(parse_count)]
Number = Annotated[float, BeforeValidator(parse_count)]


def parse_time(text: str) -> int:
    """Epoch milliseconds of an ISO-8601 instant or date (UTC unless it says otherwise), or of a string of epoch milliseconds.

    Raises ValueError: a two-digit hour, a month name and the like are not guessed at.
    """
    stripped = text.strip()
    if re.fullmatch(r"-?[0-9]{10,14}", stripped):
        return int(stripped)
    try:
        moment = datetime.fromisoformat(stripped)
    except ValueError:
        raise ValueError(f"{text!r} is not a time: write ISO-8601 such as 2022-05-11T12:30:00Z, or epoch milliseconds") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def iso(time_ms: int) -> str:
    """ISO-8601 UTC text of epoch milliseconds, to the second where the milliseconds are 0."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{time_ms % 1000:03d}Z" if time_ms % 1000 else "Z")


def month_before(month_ms: int, count: int) -> int:
    """First day of the month `count` months before a month's first day; both in epoch milliseconds, UTC."""
    moment = datetime.fromtimestamp(month_ms / 1000, UTC)
    months = moment.year * 12 + moment.month - 1 - count
    return round(datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC).timestamp() * 1000)
