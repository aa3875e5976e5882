"""Prometheus as a source: what a sample is about, what it says when it refuses, and whole numbers that a double cannot hold."""

import asyncio
import json
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.collectors.prometheus import Prometheus, parse
from monitor.core.book import Watch
from monitor.core.units import DAY, HOUR, MINUTE, parse_time
from monitor.errors import BadPayload, SourceError
from monitor.net import Response
from monitor.registry import build
from monitor.source import Harvest, Page, Ports
from tests.collectors.sample import StillClock
from tests.fakes import HANG, FakeNet

NOW = parse_time("2026-11-20T12:00:00Z")
URL = "http://prometheus.example:9090"
TVL = {"metric": "tvl.usd", "query": "tvl", "subject": "chain:base"}
BY_CHAIN = {"metric": "tvl.usd", "query": "tvl", "subject_label": "chain"}
POOL = "pool:base/0x" + "1" * 40
EXACT = {"metric": "pool.liquidity", "query": "liquidity", "subject": POOL, "value_label": "raw"}


def source(*queries: dict[str, Any], **settings: Any) -> Prometheus:
    return build(Prometheus, {"url": URL, "queries": list(queries), **settings})


def vector(*samples: tuple[dict[str, str], str], at: float = NOW / 1000) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "vector", "result": [{"metric": m, "value": [at, v]} for m, v in samples]}}


def read(query: dict[str, Any], body: object) -> tuple[list[tuple[Any, ...]], list[str]]:
    harvest = parse(body, source(query).queries[0])
    return [(r.subject, r.source, r.at, r.known_at, r.value) for r in harvest.readings], list(harvest.rejected)


def polled(one: Prometheus, net: FakeNet) -> Harvest:
    return asyncio.run(one.poll(Ports(net, StillClock(NOW), Random(0)), Watch()))


@pytest.mark.parametrize(
    ("query", "samples", "readings"),
    [
        (TVL, [({}, "4.2e+09")], [("chain:base", "", NOW, None, 4.2e9)]),
        (
            BY_CHAIN,
            [({"chain": "chain:base"}, "1"), ({"chain": "chain:op"}, "2")],
            [("chain:base", "", NOW, None, 1.0), ("chain:op", "", NOW, None, 2.0)],
        ),
        ({**TVL, "source": "vault"}, [({"job": "x"}, "1")], [("chain:base", "vault", NOW, None, 1.0)]),
        (
            {**TVL, "source_label": "by"},
            [({"by": "a"}, "1"), ({"by": "b"}, "2")],
            [("chain:base", "a", NOW, None, 1.0), ("chain:base", "b", NOW, None, 2.0)],
        ),
        (
            {**TVL, "at_label": "at", "known_at_label": "known"},
            [({"at": "2026-11-20", "known": str(NOW)}, "1")],
            [("chain:base", "", NOW - 12 * HOUR, NOW, 1.0)],
        ),
        (EXACT, [({"raw": str(2**100 + 1)}, "1")], [(POOL, "", NOW, None, 2**100 + 1)]),
    ],
)
def test_labels_say_what_a_sample_is(query: dict[str, Any], samples: list[tuple[dict[str, str], str]], readings: list[tuple[Any, ...]]):
    assert read(query, vector(*samples)) == (readings, [])


def test_a_vector_of_several_samples_needs_a_label_that_names_the_subject():
    readings, rejected = read(TVL, vector(({"pod": "a"}, "1"), ({"pod": "b"}, "2")))
    assert readings == []
    (told,) = rejected
    assert told.startswith("tvl.usd: 2 samples differ about chain:base at one time: ") and "subject_label" in told


@pytest.mark.parametrize(
    ("query", "body", "reason"),
    [
        (TVL, vector(({}, "NaN")), "'NaN' is not a decimal number"),
        (TVL, vector(({}, "+Inf")), "'+Inf' is not a decimal number"),
        (TVL, vector(), "no sample; the query finds nothing now"),
        (BY_CHAIN, vector(({"pod": "x"}, "1")), "pod=x: there is no label 'chain'"),
        ({**TVL, "at_label": "at"}, vector(({"at": "noon"}, "1")), "'noon' is not a time"),
        (EXACT, vector(({"raw": "1.5"}, "1")), "is not a whole number"),
        (TVL, {**vector(), "warnings": ["partial response"]}, "Prometheus warns: partial response"),
        (TVL, {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1]}]}}, "not a time and a value"),
        (TVL, {"status": "success", "data": {"resultType": "vector", "result": [{"value": [1, "1"]}]}}, "metric is missing"),
    ],
)
def test_what_is_no_value_is_refused_by_name(query: dict[str, Any], body: object, reason: str):
    readings, rejected = read(query, body)
    assert readings == []
    assert reason in rejected[0]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"status": "success", "data": {"resultType": "string", "result": [1, "x"]}}, "the query gives a string, not numbers"),
        ({"status": "odd"}, "status is none that Prometheus knows"),
        ({"data": []}, "status is missing"),
        (vector(*[({"n": str(n)}, "1") for n in range(50_001)]), "more than 50000 samples"),
    ],
)
def test_what_is_no_answer_is_refused_whole(body: object, reason: str):
    with pytest.raises(BadPayload, match=reason):
        read(TVL, body)


def test_an_error_in_its_own_json_is_named():
    with pytest.raises(SourceError, match="Prometheus answers execution: too many samples"):
        read(TVL, {"status": "error", "errorType": "execution", "error": "too many samples\n"})


@pytest.mark.parametrize(
    ("status", "body", "reason", "permanent"),
    [
        (400, {"status": "error", "errorType": "bad_data", "error": "1:4: parse error"}, "Prometheus answers bad_data: 1:4: parse error", True),
        (503, {"status": "error", "errorType": "timeout", "error": "query timed out"}, "Prometheus answers timeout: query timed out", False),
        (422, b"<html>", "HTTP 422 from prometheus.example", True),
    ],
)
def test_an_error_with_a_status_is_asked_for_once_more_and_named(status: int, body: object, reason: str, permanent: bool):
    written = body if isinstance(body, bytes) else json.dumps(body).encode()
    net = (
        FakeNet()
        .answer("GET", URL, SourceError(f"HTTP {status} from prometheus.example", status=status))
        .answer("POST", URL, Response(status, {}, written))
    )
    with pytest.raises(SourceError, match=reason) as failed:
        polled(source(TVL, token="secret-token"), net)
    assert (failed.value.status, failed.value.permanent) == (status, permanent)
    asked = net.calls[-1]
    assert asked.body == b"query=tvl&time=1795176000.000"
    assert {call.headers["Authorization"] for call in net.calls} == {"Bearer secret-token"}


def test_another_failure_is_not_asked_about():
    net = FakeNet().answer("GET", URL, SourceError("HTTP 401", status=401, permanent=True))
    with pytest.raises(SourceError, match="HTTP 401"):
        polled(source(TVL), net)
    assert net.count() == 1 and net.calls[0].headers == {}


@pytest.mark.parametrize("trouble", [HANG, SourceError("down"), b"<html>", {"status": "error", "errorType": "internal", "error": "x"}], ids=repr)
def test_one_query_that_fails_does_not_take_the_others_along(trouble: object):
    net = FakeNet().answer("GET", f"{URL}/api/v1/query?query=tvl&", vector(({}, "1"))).answer("GET", f"{URL}/api/v1/query?query=bad&", trouble)
    harvest = polled(source(TVL, {**TVL, "query": "bad"}, timeout=1_000), net)
    assert [r.value for r in harvest.readings] == [1.0]
    assert len(harvest.rejected) == 1 and harvest.rejected[0].startswith("tvl.usd/chain:base/")


def test_history_is_asked_for_step_by_step_and_has_no_seam():
    def answer(call: Any) -> object:
        words = dict(part.split("=") for part in call.url.partition("?")[2].split("&"))
        start, end, step = (float(words[name]) for name in ("start", "end", "step"))
        times = [start + n * step for n in range(round((end - start) / step) + 1)]
        return {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": [[at, "1"] for at in times]}]}}

    one = source({**TVL, "step": "1h"})
    ports = Ports(FakeNet().answer("GET", f"{URL}/api/v1/query_range?", answer), StillClock(NOW), Random(0))
    (stream,) = one.streams(Watch())

    async def pages() -> list[Page]:
        found, start = list[Page](), NOW - 500 * DAY
        while not found or found[-1].next_ms is not None:
            found.append(await one.page(ports, Watch(), stream, start, NOW + 1))
            start = found[-1].next_ms or NOW
        return found

    found = asyncio.run(pages())
    assert [len(page.harvest.readings) for page in found] == [10_000, 2_001]
    assert [r.at for page in found for r in page.harvest.readings] == list(range(NOW - 500 * DAY, NOW + 1, HOUR))


def test_a_dated_sample_that_is_repeated_at_every_step_is_one():
    body = {
        "status": "success",
        "data": {"resultType": "matrix", "result": [{"metric": {"at": str(NOW)}, "values": [[n, "1"] for n in range(1, 9)]}]},
    }
    assert read({**TVL, "at_label": "at"}, body) == ([("chain:base", "", NOW, None, 1.0)], [])


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"url": "prometheus:9090", "queries": [TVL]}, "is not an http or https URL"),
        ({"queries": []}, "`url` and `queries` belong together"),
        ({"url": "", "queries": [TVL]}, "`url` and `queries` belong together"),
        ({"queries": [TVL, TVL]}, "stands there twice"),
        ({"queries": [TVL], "timeout": 0}, "timeout must be at least 1s"),
        ({"queries": [{**TVL, "metric": "tvl"}]}, "there is no metric 'tvl'"),
        ({"queries": [{**TVL, "subject": ""}]}, "either `subject` or `subject_label`"),
        ({"queries": [{**TVL, "subject_label": "x"}]}, "either `subject` or `subject_label`"),
        ({"queries": [{**TVL, "subject": "base"}]}, "subject 'base' does not fit tvl.usd"),
        ({"queries": [{**TVL, "metric": "macro.cpi", "subject": "US"}]}, "macro.cpi is dated, so it needs `at_label`"),
        ({"queries": [{**EXACT, "value_label": ""}]}, "is a chain integer, and Prometheus keeps doubles"),
        ({"queries": [{**TVL, "step": 10}]}, "step must be at least 1s"),
    ],
)
def test_a_query_that_cannot_work_is_refused_when_it_is_read(settings: dict[str, Any], reason: str):
    with pytest.raises(ValidationError, match=reason):
        build(Prometheus, {"url": URL, **settings})


def test_what_it_brings_is_known_as_far_as_subjects_are_named():
    one = source(TVL, {**BY_CHAIN, "query": "other"}, cadence=MINUTE)
    assert one.provides(Watch()) == {("tvl.usd", "chain:base")}
    assert one.has_work(Watch()) and one.urls() == ("", URL)
