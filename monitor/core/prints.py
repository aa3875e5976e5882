"""The state of each print of CPI and PPI: scheduled, moved, late, released, revised, or never published.

Pure: from the calendar's observations (`macro.event`), the packaged table of releases, and the levels by vintage. A month that was never published
is waited for by nobody, and nothing stands in for it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from monitor.core.market import Market
from monitor.core.units import DAY, HOUR, iso, month_before, parse_time
from monitor.core.us_calendar import Release, never_published, releases

LEVELS = {"CPI": "macro.cpi", "PPI": "macro.ppi"}
SUBJECT = "US"
CALENDAR = "macro.event"
BUILT_IN = "us-calendar"
GRACE_MS = 3 * HOUR
"""Sources need a while: a print is late when it is not there so long after its release."""
MONTHS_AHEAD = 3
FARTHEST_MOVE_MS = 60 * DAY
RELEASED_WITHIN_MS = 200 * DAY


class Stage(StrEnum):
    SCHEDULED = "scheduled"
    MOVED = "moved"
    LATE = "late"
    RELEASED = "released"
    REVISED = "revised"
    NEVER = "never published"


class Due(NamedTuple):
    """When a print comes out as scheduled now, and as the table first had it; epoch milliseconds."""

    at: int
    first_at: int


class Print(NamedTuple):
    """One print: its event, the first day of its month (epoch milliseconds), where it stands; `due` is None where no calendar knows it."""

    event: str
    month: int
    stage: Stage
    due: Due | None

    @property
    def name(self) -> str:
        return f"{self.event} of {iso(self.month)[:7]}"

    def __str__(self) -> str:
        when = f", {'due' if self.stage == Stage.LATE else 'for'} {iso(self.due.at)}" if self.due is not None else ""
        was = f" (first for {iso(self.due.first_at)})" if self.due is not None and self.due.at != self.due.first_at else ""
        return f"{self.name} {self.stage}{when}{was}"


def stage_of(event: str, month: int, now: int, due: Due | None, vintages: Sequence[float]) -> Stage:
    """Where one print stands at `now`; `vintages` are its levels as they became known, oldest first."""
    if vintages:
        return Stage.REVISED if any(not same_print(vintages[0], later) for later in vintages[1:]) else Stage.RELEASED
    if month in never_published(event):
        return Stage.NEVER
    if due is None or now < due.at:
        return Stage.MOVED if due is not None and due.at != due.first_at else Stage.SCHEDULED
    return Stage.LATE if now >= due.at + GRACE_MS else Stage.SCHEDULED


def awaited(event: str, newest: int, rows: Mapping[int, float], now: int) -> list[Print]:
    """The next prints after the month `newest`, as far as a calendar knows them. `rows` is what `standing` gives."""
    dues = _dues(event, rows)
    months = [month_before(newest, -ahead) for ahead in range(1, MONTHS_AHEAD + 1)]
    return [Print(event, month, stage_of(event, month, now, dues[month], ()), dues[month]) for month in months if month in dues]


def awaited_in(market: Market, event: str, now: int) -> list[Print]:
    """The same, after the newest level that the market holds; empty where it holds none."""
    newest = newest_month(market, event)
    if newest is None:
        return []
    return awaited(event, newest, standing(market, event, newest, newest + RELEASED_WITHIN_MS), now)


def newest_month(market: Market, event: str) -> int | None:
    """The newest month that any source has a level of."""
    found = [market.series(LEVELS[event], SUBJECT, source) for source in market.sources(LEVELS[event], SUBJECT)]
    return max((series.at[-1] for series in found if series), default=None)


def standing(market: Market, event: str, start: int, end: int) -> dict[int, float]:
    """Instants from `start` to `end`: 1 where a release stands, 0 where it was moved away from.

    The table, then the built-in calendar, then the user's own, which wins over both within the same UTC month.
    """
    rows = {release.at_ms: 1.0 for release in releases(event) if start <= release.at_ms <= end}
    sources = market.sources(CALENDAR, event)
    for source in sorted(sources, key=lambda name: name != BUILT_IN):
        series = market.series(CALENDAR, event, source)
        inside = series.between(start, end) if series is not None else slice(0)
        told = list(zip(series.at[inside], series.value[inside], strict=True)) if series is not None else []
        if source != BUILT_IN:
            months = {iso(at)[:7] for at, value in told if value == 1}
            rows |= {at: 0.0 for at in rows if iso(at)[:7] in months}
        rows |= {at: float(value) for at, value in told}
    return rows


def _dues(event: str, rows: Mapping[int, float]) -> dict[int, Due]:
    """The instant of each reference month. One that the table does not have is a moved one, or that of the month before it."""
    table = [release for release in releases(event) if release.at_ms in rows and release.reference_month is not None]
    dues = {r.reference_month: Due(r.at_ms, r.at_ms) for r in table if r.reference_month is not None and rows[r.at_ms] == 1}
    withdrawn = [release for release in table if rows[release.at_ms] == 0]
    known = {release.at_ms for release in table}
    for at in sorted(at for at, value in rows.items() if value == 1 and at not in known):
        moved = _nearest(withdrawn, at)
        if moved is not None and moved.reference_month is not None:
            withdrawn.remove(moved)
            dues[moved.reference_month] = Due(at, moved.at_ms)
        else:
            dues.setdefault(month_before(parse_time(f"{iso(at)[:7]}-01"), 1), Due(at, at))
    return dues


def _nearest(withdrawn: Iterable[Release], at: int) -> Release | None:
    near = [release for release in withdrawn if abs(release.at_ms - at) <= FARTHEST_MOVE_MS]
    return min(near, key=lambda release: abs(release.at_ms - at), default=None)


# --- the precision in which levels are published ---------------------------------------------------------------------


def places(values: Iterable[float]) -> int:
    """Decimal places in which a source publishes: the most that any of its values has."""
    return max((max(0, -int(Decimal(repr(float(value))).normalize().as_tuple().exponent)) for value in values), default=0)


def same_print(one: float, other: float, published: int | None = None) -> bool:
    """Whether two levels are the same print, written with more places and with fewer.

    `published` is the number of places of the coarser one; without it, what the two numbers show.
    """
    coarse = min(places([one]), places([other])) if published is None else published
    return abs(one - other) <= 0.5 * 10.0**-coarse * (1 + 1e-9)


def finest(levels: Mapping[str, tuple[float, int, int]]) -> Iterator[str]:
    """Of several sources' levels of one month (level, places, known_at) the sources that more than half agree with, the most precise first.

    Where no majority agrees, the one that was known last, since it is a revision; none where several were known last and disagree.
    """

    def agree(one: str, other: str) -> bool:
        return same_print(levels[one][0], levels[other][0], min(levels[one][1], levels[other][1]))

    chosen = [name for name in levels if 2 * sum(agree(name, other) for other in levels) > len(levels)]
    if not chosen:
        last = max(known_at for _, _, known_at in levels.values())
        latest = [name for name in levels if levels[name][2] == last]
        chosen = latest if all(agree(latest[0], other) for other in latest) else []
    yield from sorted(chosen, key=lambda name: (-levels[name][1], name))
