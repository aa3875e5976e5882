"""VIX futures: when each monthly contract ends, and the constant-maturity levels between contracts.

Days are epoch milliseconds of their midnight UTC. Rule of the exchange (https://www.cboe.com/tradable_products/vix/vix_futures/specifications):
a contract settles on the Wednesday 30 days before the third Friday of the month after its own; where that Wednesday or that Friday is a
holiday, on the business day before that Wednesday.
"""

import itertools
from collections.abc import Mapping
from datetime import date, timedelta

from monitor.core.sessions import is_session
from monitor.core.units import DAY, iso, parse_time

CALENDAR = "nyse"
TENOR_DAYS = {"30d": 30, "60d": 60}
CONTRACTS = 4
"""So many contracts from the front on always reach beyond the longest tenor."""


def expiry(year: int, month: int) -> int:
    """The final settlement day of the contract of one month (13 is January of the next year); it trades until the day before."""
    of_options = _third_friday(year + month // 12, month % 12 + 1)
    wednesday = of_options - timedelta(days=30)
    moved = not _is_open(wednesday) or not _is_open(of_options)
    return _milliseconds(wednesday - timedelta(days=1) if moved else wednesday)


def expiries_after(day: int, count: int) -> tuple[int, ...]:
    """Final settlement days of the next `count` contracts, the front one first.

    On its own settlement day a contract is gone: it settles at the open, and the next one is the front.
    """
    first = date.fromisoformat(iso(day)[:10])
    ends = (expiry(first.year, month) for month in itertools.count(first.month))
    return tuple(itertools.islice((end for end in ends if end > day), count))


def curve(day: int, settlements: Mapping[int, float]) -> tuple[dict[str, float], list[str]]:
    """Levels of one session by name (`1`, `2`: the front and the next contract; `30d`, `60d`: constant maturity), and what is missing for others.

    `settlements` maps final settlement days to settlement prices. A constant maturity is interpolated in calendar days between the two
    contracts around it, so that at a roll nothing is spliced. For up to six days after some rolls the front itself is further away than 30
    days: then the line through it and the next contract is drawn on to 30 days (no expired contract and no index stands in).
    """
    ends = expiries_after(day, CONTRACTS)
    levels = {str(place): settlements[end] for place, end in enumerate(ends[:2], start=1) if end in settlements}
    absent = [f"{place} needs the contract of {_named(end)}" for place, end in enumerate(ends[:2], start=1) if end not in settlements]
    for name, tenor_days in TENOR_DAYS.items():
        target = day + tenor_days * DAY
        far = max(1, next(place for place, end in enumerate(ends) if end >= target))
        pair = ends[far - 1], ends[far]
        if all(end in settlements for end in pair):
            levels[name] = _on_the_line(target, *pair, settlements)
        else:
            absent.append(f"{name} needs the contracts of {_named(pair[0])} and {_named(pair[1])}")
    return levels, absent


def _on_the_line(target: int, near: int, far: int, settlements: Mapping[int, float]) -> float:
    weight = (target - near) / (far - near)
    return (1 - weight) * settlements[near] + weight * settlements[far]


def _third_friday(year: int, month: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(4 - first.weekday()) % 7 + 14)


def _is_open(day: date) -> bool:
    return is_session(CALENDAR, _milliseconds(day))


def _milliseconds(day: date) -> int:
    return parse_time(day.isoformat())


def _named(day: int) -> str:
    return iso(day)[:10]
