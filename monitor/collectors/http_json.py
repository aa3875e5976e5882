"""The user's own numbers by HTTP JSON: any document, with JSONPath (RFC 9535) to say where the values stand, or rows in our own shape.

Values are taken as they stand, in the unit of the vocabulary; nothing is scaled or converted here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

from monitor.core.book import Watch
from monitor.core.endpoint import at_endpoint, is_http_url
from monitor.core.observation import Reading
from monitor.core.rows import parse_instant, parse_object, parse_value
from monitor.core.secret import Secret
from monitor.core.units import DAY, MINUTE, SECOND, Duration, iso
from monitor.core.vocabulary import find_metric, subject_fits
from monitor.errors import BadPayload, SourceError
from monitor.source import Collector, Harvest, Page, Ports, side_by_side

MOST_VALUES = 50_000
SOURCE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,62}")
PLACEHOLDER = re.compile(r"\{(from|to)(|_s|_iso)\}")


@dataclass(frozen=True, kw_only=True)
class Series:
    """One metric of one subject. `value`, `at` and `known_at` are JSONPaths that select one node, or many that belong together by their place.

    Without `at` the value is of now, which only some metrics allow; without `known_at` the metric's own rule holds. `source` is who says so,
    the feed's name unless it is given.
    """

    metric: str
    subject: str
    value: str
    at: str = ""
    known_at: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        metric = find_metric(self.metric)
        if metric is None:
            raise ValueError(f"there is no metric {self.metric[:60]!r}; the README names them, under Your own data")
        if not subject_fits(metric, self.subject):
            raise ValueError(f"subject {self.subject[:60]!r} does not fit {self.metric}, which is about {metric.subject}")
        if not self.at and not metric.undated:
            raise ValueError(f"{self.metric} needs `at`, the JSONPath of its time")
        for path in filter(None, (self.value, self.at, self.known_at)):
            if any(step is DEEP for step in _steps(path)) and self.at:
                raise ValueError(f"{path[:60]!r}: values and times belong together by their place, which `..` does not tell; write the path out")


@dataclass(frozen=True, kw_only=True)
class Feed:
    """One document: `series` say where its values stand, or `rows` selects objects with metric, subject, source, at, known_at and value.

    In `url`, `{from}` and `{to}` stand for epoch milliseconds, `{from_s}` for seconds and `{from_iso}` for ISO-8601 (`to` alike): such a feed
    has a history, is backfilled by `page` at a time and polled for what is `recent`. `every` is how often it is asked, where that is less often
    than the collector polls.
    """

    url: str = field(repr=False)
    headers: Mapping[str, Secret] = field(default_factory=dict)
    every: Duration = 0
    timeout: Duration = 10 * SECOND
    recent: Duration = DAY
    page: Duration = 7 * DAY
    series: tuple[Series, ...] = ()
    rows: str = ""

    def __post_init__(self) -> None:
        if not is_http_url(self.url):
            raise ValueError("url: is not an http or https URL; write https://host/path")
        if bool(self.series) == bool(self.rows):
            raise ValueError("give either `series` or `rows`: where the values stand, or where whole rows do")
        if self.timeout < SECOND or self.recent < SECOND or self.page < SECOND:
            raise ValueError("timeout, recent and page must be at least 1s")
        if self.rows:
            _steps(self.rows)

    @property
    def has_history(self) -> bool:
        return PLACEHOLDER.search(self.url) is not None


@dataclass(frozen=True, kw_only=True)
class HttpJson(Collector):
    """`feeds` by name; a name is the source of what its feed says, unless a series or a row names another."""

    title: ClassVar[str] = "Your own data by HTTP JSON"
    homepage: ClassVar[str] = "https://www.rfc-editor.org/rfc/rfc9535"

    cadence: Duration = MINUTE
    feeds: Mapping[str, Feed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if bad := [name for name in self.feeds if SOURCE_NAME.fullmatch(name) is None]:
            raise ValueError(f"feeds: {bad[0][:60]!r} cannot be a name: write letters, digits, dots and dashes")

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """The series that are written out. What rows bring is seen when they come."""
        return frozenset((one.metric, one.subject) for feed in self.feeds.values() for one in feed.series)

    def has_work(self, watch: Watch) -> bool:
        """Whether there is a feed."""
        return bool(self.feeds)

    def urls(self) -> tuple[str, ...]:
        """Every feed's, beside the endpoint."""
        return (self.endpoint, *(feed.url for feed in self.feeds.values()))

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """Every feed that is due, side by side, each under its own deadline. Raises as `Collector.poll` only where all of them failed."""
        # Not a field: settings are what the schema is made of, the next turn of a feed is not one.
        due_at: dict[str, float] = vars(self).setdefault("_due_at", {})
        now, asked_at = ports.clock.now_ms(), ports.clock.monotonic()
        due = {name: feed for name, feed in self.feeds.items() if due_at.get(name, asked_at) <= asked_at}

        async def turn(name: str, feed: Feed) -> Harvest:
            # A little early, so that the jitter of the polls does not make it wait for one more.
            later = asked_at + (feed.every - self.cadence / 2) / SECOND
            try:
                harvest = await self._ask(ports, name, feed, now - feed.recent, now)
            except (SourceError, BadPayload) as error:
                # What was answered was counted there; what never arrived was not.
                if getattr(error, "status", 0) is not None:
                    due_at[name] = later
                raise
            due_at[name] = later
            return harvest

        return await side_by_side({name: turn(name, feed) for name, feed in due.items()})

    def streams(self, watch: Watch) -> tuple[str, ...]:
        """The feeds whose URL says from when to when."""
        return tuple(name for name, feed in self.feeds.items() if feed.has_history)

    async def page(self, ports: Ports, watch: Watch, stream: str, from_ms: int, to_ms: int) -> Page:
        """One page of a feed. What lies outside of what was asked for is left out: a server that ignores the placeholders gives no history."""
        feed = self.feeds[stream]
        end_ms = min(to_ms, from_ms + feed.page)
        harvest = await self._ask(ports, stream, feed, from_ms, end_ms)
        kept = [reading for reading in harvest.readings if reading.at is not None and from_ms <= reading.at < end_ms]
        return Page(Harvest(kept, harvest.rejected), end_ms if end_ms < to_ms else None)

    async def _ask(self, ports: Ports, name: str, feed: Feed, from_ms: int, to_ms: int) -> Harvest:
        url = at_endpoint(self.endpoint, filled(feed.url, from_ms, to_ms))
        headers = {key: value.reveal() for key, value in feed.headers.items()}
        return parse(await ports.net.get_json(url, headers=headers, timeout_seconds=feed.timeout / SECOND), name, feed)


def filled(url: str, from_ms: int, to_ms: int) -> str:
    """The URL with its placeholders put in."""

    def put_in(found: re.Match[str]) -> str:
        time_ms = from_ms if found[1] == "from" else to_ms
        return {"": str(time_ms), "_s": str(time_ms // SECOND), "_iso": iso(time_ms)}[found[2]]

    return PLACEHOLDER.sub(put_in, url)


def parse(body: object, name: str, feed: Feed) -> Harvest:
    """What a document says, and what of it was refused; a series or a row that cannot be read does not take the others along."""
    if feed.rows:
        return _rows(body, name, feed.rows)
    return Harvest.together(_series(body, name, one) for one in feed.series)


def _rows(body: object, name: str, path: str) -> Harvest:
    readings, rejected = list[Reading](), list[str]()
    try:
        found = _select(body, path)
    except BadPayload as error:
        return Harvest(rejected=[f"{name}: rows: {error}"])
    for place, row in found.items():
        try:
            readings.append(parse_object(row, name))
        except BadPayload as error:
            rejected.append(f"{name}: {_place(path, place)}: {error}")
    return Harvest(readings, rejected)


def _series(body: object, name: str, one: Series) -> Harvest:
    what = f"{name}: {one.metric} of {one.subject}"
    readings, rejected = list[Reading](), list[str]()
    try:
        values = _select(body, one.value)
        times = _beside(body, one, one.at, values)
        known = _beside(body, one, one.known_at, values)
        if not one.at and len(values) > 1:
            raise BadPayload(f"value: {len(values)} values without a time; give `at`, or a path that selects one")
    except BadPayload as error:
        return Harvest(rejected=[f"{what}: {error}"])
    for place in values:
        try:
            at = parse_instant(_at(times, place, "at")) if one.at else None
            known_at = parse_instant(_at(known, place, "known_at")) if one.known_at else None
            readings.append(Reading(one.metric, one.subject, parse_value(one.metric, values[place]), at, known_at, one.source or name))
        except BadPayload as error:
            rejected.append(f"{what}: {_place(one.value, place)}: {error}")
    empty = [place for place in _holders(body, one.value) if place not in values]
    return Harvest(readings, [*rejected, *(f"{what}: {_place(one.value, place)}: there is no value" for place in empty)])


Place = tuple[str | int, ...]
DEEP = object()
ONE = object()
MANY = object()


def _holders(body: object, path: str) -> Mapping[Place, object]:
    """What should hold a value each: the nodes at the last step that leads to many. None where no step does, and for a path that goes deep."""
    steps = _steps(path)
    if MANY not in steps or DEEP in steps:
        return {}
    last = len(steps) - steps[::-1].index(MANY)
    return _select(body, "$" + "".join(str(segment) for segment in _compiled(path).segments[:last]))


def _beside(body: object, one: Series, path: str, values: Mapping[Place, object]) -> Mapping[Place, object]:
    """What stands beside each value. Arrays that run side by side must be equally long, else nobody knows which belong together."""
    if not path:
        return {}
    found = _select(body, path)
    runs = any((steps := _steps(each)) and steps[-1] is MANY for each in (one.value, path))
    if runs and found.keys() != values.keys():
        raise BadPayload(f"{len(values)} values at {one.value[:60]} and {len(found)} at {path[:60]}: they do not belong together")
    return found


def _at(found: Mapping[Place, object], place: Place, what: str) -> object:
    if place not in found:
        raise BadPayload(f"{what} is missing")
    return found[place]


def _select(body: object, path: str) -> dict[Place, object]:
    """The nodes that a path selects, by the part of their place that the path leaves open. Raises BadPayload where it selects none, or too many."""
    from jsonpath import JSONPathError

    steps = _steps(path)
    is_open = [step is MANY for step in steps]
    found: dict[Place, object] = {}
    try:
        for match in _compiled(path).finditer(body):
            parts = match.parts
            found[parts if DEEP in steps else tuple(part for part, free in zip(parts, is_open, strict=True) if free)] = match.obj
            if len(found) > MOST_VALUES:
                raise BadPayload(f"more than {MOST_VALUES} nodes at {path[:60]}: ask for less at a time")
    except JSONPathError as error:
        raise BadPayload(f"{path[:60]} cannot be followed in this answer: {str(error)[:80]!a}") from None
    if not found:
        raise BadPayload(f"nothing stands at {path[:60]}")
    return found


@lru_cache(maxsize=1024)
def _compiled(path: str) -> Any:
    """The path, read by RFC 9535 without the library's own extensions. Raises ValueError where it is none."""
    from jsonpath import JSONPath, JSONPathEnvironment, JSONPathError  # takes a while, and few have a feed

    try:
        found = JSONPathEnvironment(strict=True).compile(path)
    except JSONPathError as error:
        raise ValueError(f"{path[:60]!r} is not a JSONPath (RFC 9535): {str(error).splitlines()[0][:120]}") from None
    if not isinstance(found, JSONPath):
        raise ValueError(f"{path[:60]!r} joins paths, which RFC 9535 does not know")
    return found


def _steps(path: str) -> Sequence[object]:
    """For each step of a path whether it leads to ONE node, to MANY, or DEEP into all that is below."""
    from jsonpath.segments import JSONPathRecursiveDescentSegment
    from jsonpath.selectors import IndexSelector, NameSelector

    def kind(segment: Any) -> object:
        if isinstance(segment, JSONPathRecursiveDescentSegment):
            return DEEP
        return ONE if len(segment.selectors) == 1 and isinstance(segment.selectors[0], IndexSelector | NameSelector) else MANY

    return [kind(segment) for segment in _compiled(path).segments]


def _place(path: str, place: Place) -> str:
    """A node's place for a message: the path, and what it left open."""
    shown = ", ".join(ascii(part)[:40] for part in place[:4])
    return f"{path[:60]} at {shown}" if shown else path[:60]
