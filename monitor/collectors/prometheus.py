"""The user's own numbers from a Prometheus (https://prometheus.io/docs/prometheus/latest/querying/api/), or what speaks its query API.

Values are taken as they stand, in the unit of the vocabulary: scale them in the query. A sample is of the instant it was asked for, unless a
label says when it was true; Prometheus answers with values up to five minutes old as if they were new.
"""

import hashlib
import json
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple
from urllib.parse import urlencode

from monitor.core.book import Watch
from monitor.core.decode import decode_json, items, number, text
from monitor.core.decode import field as cell
from monitor.core.endpoint import at_endpoint, is_http_url
from monitor.core.observation import Reading
from monitor.core.rows import parse_instant, parse_value
from monitor.core.secret import Secret
from monitor.core.text import safe_text
from monitor.core.units import MINUTE, SECOND, Duration
from monitor.core.vocabulary import Publication, find_metric, subject_fits
from monitor.errors import BadPayload, SourceError
from monitor.source import Collector, Harvest, Page, Ports, side_by_side

MOST_SAMPLES = 50_000
# Prometheus gives at most 11,000 points a series in one answer.
POINTS_A_PAGE = 10_000
# With these it says in its own JSON what it did not like.
TELLING = frozenset({400, 422, 503})
LONGEST_REASON = 160


@dataclass(frozen=True, kw_only=True)
class Query:
    """One metric. Labels may say more of a sample: `subject_label` of whom, `source_label` who says so, `at_label` and `known_at_label` when
    (ISO-8601 or epoch milliseconds), `value_label` the value itself, for whole numbers that a double cannot hold.

    `step` is the spacing of its history.
    """

    metric: str
    query: str
    subject: str = ""
    subject_label: str = ""
    source: str = ""
    source_label: str = ""
    at_label: str = ""
    known_at_label: str = ""
    value_label: str = ""
    step: Duration = MINUTE

    def __post_init__(self) -> None:
        metric = find_metric(self.metric)
        if metric is None:
            raise ValueError(f"there is no metric {self.metric[:60]!r}; the README names them, under Your own data")
        if bool(self.subject) == bool(self.subject_label):
            raise ValueError("give either `subject` or `subject_label`: whom the value is about, or the label that names it")
        if self.subject and not subject_fits(metric, self.subject):
            raise ValueError(f"subject {self.subject[:60]!r} does not fit {self.metric}, which is about {metric.subject}")
        if metric.publication is not Publication.AT and not self.at_label:
            raise ValueError(f"{self.metric} is dated, so it needs `at_label`, the label that holds its time")
        if metric.exact and not self.value_label:
            raise ValueError(f"{self.metric} is a chain integer, and Prometheus keeps doubles: put it into a label, and name that by `value_label`")
        if self.step < SECOND:
            raise ValueError("step must be at least 1s")

    @property
    def name(self) -> str:
        """What the bookmarks of its history are kept under: another query is another history."""
        return f"{self.metric}/{self.subject or self.subject_label}/{hashlib.sha256(self.query.encode()).hexdigest()[:8]}"


class Sample(NamedTuple):
    """One value of one instant; `at_ms` is that of the question."""

    labels: dict[str, str]
    at_ms: int
    value: object


@dataclass(frozen=True, kw_only=True)
class Prometheus(Collector):
    """`queries` asked of the server at `url`. `token` is sent as a bearer token."""

    title: ClassVar[str] = "Your own data from Prometheus"
    homepage: ClassVar[str] = "https://prometheus.io"

    cadence: Duration = MINUTE
    url: str = field(default="", repr=False)
    token: Secret = field(default_factory=lambda: Secret(""))
    timeout: Duration = 10 * SECOND
    queries: tuple[Query, ...] = ()

    def __post_init__(self) -> None:
        if self.url and not is_http_url(self.url):
            raise ValueError("url: is not an http or https URL; write http://host:9090")
        if bool(self.url) != bool(self.queries):
            raise ValueError("`url` and `queries` belong together; give both, or neither")
        names = [one.name for one in self.queries]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"queries: {twice[0][:80]} stands there twice")
        if self.timeout < SECOND:
            raise ValueError("timeout must be at least 1s")

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """The queries that name their subject. What labels name is seen when it comes."""
        return frozenset((one.metric, one.subject) for one in self.queries if one.subject)

    def has_work(self, watch: Watch) -> bool:
        """Whether there is a query."""
        return bool(self.queries)

    def urls(self) -> tuple[str, ...]:
        """The server's, beside the endpoint."""
        return (self.endpoint, self.url)

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """Every query at one instant, side by side. Raises as `Collector.poll` only where all of them failed."""
        now = ports.clock.now_ms()

        async def turn(one: Query) -> Harvest:
            return parse(await self._ask(ports, "query", one, {"time": _seconds(now)}), one)

        return await side_by_side({one.name: turn(one) for one in self.queries})

    def streams(self, watch: Watch) -> tuple[str, ...]:
        """One history for each query."""
        return tuple(one.name for one in self.queries)

    async def page(self, ports: Ports, watch: Watch, stream: str, from_ms: int, to_ms: int) -> Page:
        """As many steps as one answer may hold."""
        (one,) = [one for one in self.queries if one.name == stream]
        end_ms = min(to_ms, from_ms + POINTS_A_PAGE * one.step)
        last_ms = from_ms + (end_ms - 1 - from_ms) // one.step * one.step
        asked = {"start": _seconds(from_ms), "end": _seconds(last_ms), "step": _seconds(one.step)}
        harvest = parse(await self._ask(ports, "query_range", one, asked), one)
        return Page(harvest, end_ms if end_ms < to_ms else None)

    async def _ask(self, ports: Ports, path: str, one: Query, asked: dict[str, str]) -> object:
        """The answer's body. An error that Prometheus explains is asked for once more by POST, whose refusals can be read."""
        url = at_endpoint(self.endpoint, f"{self.url.rstrip('/')}/api/v1/{path}")
        headers = {"Authorization": f"Bearer {self.token.reveal()}"} if self.token else {}
        question = urlencode({"query": one.query, **asked})
        try:
            return await ports.net.get_json(f"{url}?{question}", headers=headers, timeout_seconds=self.timeout / SECOND)
        except SourceError as error:
            if error.status not in TELLING:
                raise
            form = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
            answer = await ports.net.post(url, question.encode(), form, timeout_seconds=self.timeout / SECOND)
            raise SourceError(_explained(answer.body, str(error)), status=error.status, permanent=answer.status in {400, 422}) from None


def _seconds(time_ms: int) -> str:
    return f"{time_ms // SECOND}.{time_ms % SECOND:03d}"


def _explained(body: bytes, otherwise: str) -> str:
    try:
        told = decode_json(body)
        return f"Prometheus answers {safe_text(text(told, 'errorType'), 40)}: {safe_text(text(told, 'error'), LONGEST_REASON)}"
    except BadPayload:
        return otherwise


def parse(body: object, one: Query) -> Harvest:
    """The samples of a vector, a matrix or a scalar as readings. Raises BadPayload where the answer is none of these, SourceError for an error."""
    status = text(body, "status")
    if status == "error":
        raise SourceError(_explained(json.dumps(body).encode(), "Prometheus answers with an error that it does not explain"))
    if status != "success":
        raise BadPayload("status is none that Prometheus knows")
    samples, rejected = _samples(body, one)
    told: dict[tuple[str, str, int | None, int | None], list[Reading]] = {}
    for sample in samples:
        try:
            reading = _reading(sample, one)
        except BadPayload as error:
            rejected.append(f"{one.name}: {_shown(sample.labels)}: {error}")
            continue
        alike = told.setdefault((reading.subject, reading.source, reading.at, reading.known_at), [])
        if reading not in alike:
            alike.append(reading)
    more = "name the label that tells them apart, such as subject_label, or aggregate in the query"
    rejected += [
        f"{one.metric}: {len(each)} samples differ about {each[0].subject[:60]} at one time: {more}" for each in told.values() if len(each) > 1
    ]
    return Harvest([each[0] for each in told.values() if len(each) == 1], rejected)


def _samples(body: object, one: Query) -> tuple[list[Sample], list[str]]:
    kind = text(body, "data", "resultType")
    if kind == "scalar":
        return [_sample({}, items(body, "data", "result"))], []
    if kind not in {"vector", "matrix"}:
        raise BadPayload(f"the query gives a {safe_text(kind, 20)}, not numbers")
    warnings = items(body, "warnings") if isinstance(body, dict) and "warnings" in body else []
    found, rejected = list[Sample](), [f"{one.name}: Prometheus warns: {safe_text(str(said), LONGEST_REASON)}" for said in warnings]
    rows = items(body, "data", "result")
    if not rows:
        rejected.append(f"{one.name}: no sample; the query finds nothing now")
    for row in rows:
        try:
            labels = {str(name): text(row, "metric", str(name)) for name in cell(row, "metric", kind=dict)}
            pairs = [items(row, "value")] if kind == "vector" else [items(pair) for pair in items(row, "values")]
        except BadPayload as error:
            rejected.append(f"{one.name}: {error}")
            continue
        for pair in pairs:
            try:
                found.append(_sample(labels, pair))
            except BadPayload as error:
                rejected.append(f"{one.name}: {_shown(labels)}: {error}")
    if len(found) > MOST_SAMPLES:
        raise BadPayload(f"more than {MOST_SAMPLES} samples: aggregate in the query, or take a longer step")
    return found, rejected


def _sample(labels: dict[str, str], pair: list[object]) -> Sample:
    if len(pair) != 2:
        raise BadPayload("a sample is not a time and a value")
    return Sample(labels, round(number(pair, 0) * SECOND), pair[1])


def _reading(sample: Sample, one: Query) -> Reading:
    labels = sample.labels
    subject = _label(labels, one.subject_label) if one.subject_label else one.subject
    source = _label(labels, one.source_label) if one.source_label else one.source
    at = parse_instant(_label(labels, one.at_label)) if one.at_label else sample.at_ms
    known_at = parse_instant(_label(labels, one.known_at_label)) if one.known_at_label else None
    value = parse_value(one.metric, _label(labels, one.value_label) if one.value_label else sample.value)
    return Reading(one.metric, subject, value, at, known_at, source)


def _label(labels: dict[str, str], name: str) -> str:
    if not labels.get(name):
        raise BadPayload(f"there is no label {name[:40]!r}")
    return labels[name]


def _shown(labels: dict[str, str]) -> str:
    return safe_text(", ".join(f"{name}={value}" for name, value in list(labels.items())[:4]), 80)
