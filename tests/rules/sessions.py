"""Daily values on the sessions of the NYSE, for rules that count in them."""

from collections.abc import Iterable
from functools import cache

from monitor.core.observation import Observation
from monitor.core.sessions import is_session
from monitor.core.units import DAY, parse_time
from monitor.core.vocabulary import SESSION_CLOSE_MS
from tests.builders import seen

END = parse_time("2024-03-28")  # a Thursday that ends its week: the next day is Good Friday
NOW = END + SESSION_CLOSE_MS


@cache
def days_until(end: int, count: int) -> tuple[int, ...]:
    """The last `count` sessions up to `end`, oldest first."""
    found: list[int] = []
    day = end
    while len(found) < count:
        if is_session("nyse", day):
            found.append(day)
        day -= DAY
    return tuple(reversed(found))


def on_sessions(metric: str, subject: str, values: Iterable[float], *, end: int = END, source: str = "s1") -> list[Observation]:
    """One value for each session, of which the last is at `end`."""
    listed = list(values)
    return [seen(metric, subject, value, day, source) for day, value in zip(days_until(end, len(listed)), listed, strict=True)]
