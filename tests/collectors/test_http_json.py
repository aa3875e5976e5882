"""HTTP JSON feeds: where values stand, which time belongs to which, and that no feed takes another along."""

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.collectors.http_json import HttpJson
from monitor.config import discover, load
from monitor.core.book import Watch
from monitor.core.units import DAY, HOUR, parse_time
from monitor.errors import BadPayload, ConfigError, SourceError
from monitor.registry import build
from monitor.source import Harvest, Page, Ports
from tests.collectors.sample import StillClock
from tests.fakes import HANG, FakeNet

NOW = parse_time("2026-11-20T12:00:00Z")
URL = "http://mine.example/"
TVL = {"metric": "tvl.usd", "subject": "chain:base"}


def feeds(**named: dict[str, Any]) -> HttpJson:
    return build(HttpJson, {"feeds": {name.replace("_", "-"): {"url": URL + name, **feed} for name, feed in named.items()}})


def series(value: str, at: str = "", **more: str) -> dict[str, Any]:
    return {"series": [{**TVL, "value": value, "at": at, **more}]}


def polled(source: HttpJson, net: FakeNet) -> Harvest:
    return asyncio.run(source.poll(Ports(net, StillClock(NOW), Random(0)), Watch()))


def one_feed(feed: dict[str, Any], answer: object) -> tuple[list[tuple[int | None, float]], list[str]]:
    harvest = polled(feeds(mine=feed), FakeNet().answer("GET", URL, answer))
    return [(r.at, r.value) for r in harvest.readings], list(harvest.rejected)


@pytest.mark.parametrize(
    ("value", "at", "answer"),
    [
        ("$.v", "$.t", {"v": 7, "t": NOW}),
        ("$[*].v", "$[*].t", [{"v": 7, "t": NOW}]),
        ("$[*][1]", "$[*][0]", [[NOW, "7"]]),
        ("$.v[*]", "$.t[*]", {"v": [7.0], "t": [str(NOW)]}),
        ("$.*.v", "$.*.t", {"a": {"v": 7, "t": "2026-11-20T12:00:00Z"}}),
        ("$[?@.n == 'base'].v", "$[?@.n == 'base'].t", [{"n": "base", "v": 7, "t": NOW}, {"n": "op", "v": 8, "t": NOW}]),
        ("$[-1].v", "$[-1].t", [{"v": 6, "t": 1}, {"v": 7, "t": NOW}]),
    ],
)
def test_a_value_is_found_with_its_time(value: str, at: str, answer: object):
    assert one_feed(series(value, at), answer) == ([(NOW, 7.0)], [])


@pytest.mark.parametrize(
    ("value", "at", "answer", "kept", "reason"),
    [
        ("$.v[*]", "$.t[*]", {"v": [1, 2], "t": [NOW]}, 0, "2 values at $.v[*] and 1 at $.t[*]: they do not belong together"),
        ("$[*].v", "$[*].t", [{"v": 1}, {"v": 2, "t": NOW}], 1, "$[*].v at 0: at is missing"),
        ("$[*].v", "$[*].t", [{"t": NOW}, {"v": 2, "t": NOW}], 1, "$[*].v at 0: there is no value"),
        ("$[*].v", "$[*].t", [{"v": "1_0", "t": NOW}, {"v": 2, "t": NOW}], 1, "at 0: '1_0' is not a decimal number"),
        ("$.v", "$.t", {"v": None, "t": NOW}, 0, "expected a number, got None"),
        ("$.v", "$.t", {"v": True, "t": NOW}, 0, "expected a number, got True"),
        ("$.v", "$.t", {"v": 1, "t": "noon"}, 0, "'noon' is not a time"),
        ("$.v", "$.t", {"v": 1, "t": 1.7e12}, 0, "is not a time"),
        ("$.w", "$.t", {"v": 1, "t": NOW}, 0, "nothing stands at $.w"),
        ("$.v", "$.u", {"v": 1, "t": NOW}, 0, "nothing stands at $.u"),
        ("$.v[*]", "$.t[*]", {"v": [1] * 50_001, "t": [NOW] * 50_001}, 0, "more than 50000 nodes at $.v[*]"),
    ],
)
def test_what_cannot_be_told_is_refused_and_the_rest_is_kept(value: str, at: str, answer: object, kept: int, reason: str):
    readings, rejected = one_feed(series(value, at), answer)
    assert len(readings) == kept
    assert len(rejected) == 1 and rejected[0].startswith("mine: tvl.usd of chain:base: ") and reason in rejected[0]


def test_two_rows_that_each_lack_a_half_do_not_become_a_whole_one():
    readings, rejected = one_feed(series("$[*].v", "$[*].t"), [{"v": 1}, {"t": NOW}])
    assert readings == []
    assert ["at is missing" in rejected[0], "there is no value" in rejected[1]] == [True, True]


def test_a_row_that_lacks_both_is_not_lost_in_silence():
    assert one_feed(series("$[*].v", "$[*].t"), [None, {"v": 1, "t": NOW}]) == (
        [(NOW, 1.0)],
        ["mine: tvl.usd of chain:base: $[*].v at 0: there is no value"],
    )


def test_values_without_a_time_are_refused_unless_there_is_one_alone():
    feed = {"series": [{"metric": "open_interest.usd", "subject": "BTC", "value": "$[*]"}]}
    assert one_feed(feed, [5]) == ([(None, 5.0)], [])
    assert one_feed(feed, [5, 6]) == ([], ["mine: open_interest.usd of BTC: value: 2 values without a time; give `at`, or a path that selects one"])


def test_known_at_is_read_where_it_is_said_and_left_to_the_metric_elsewhere():
    answer = {"v": 7, "t": NOW - HOUR, "k": NOW}
    source = feeds(said=series("$.v", "$.t", known_at="$.k"), unsaid=series("$.v", "$.t"))
    harvest = polled(source, FakeNet().answer("GET", URL, answer))
    assert {r.source: r.known_at for r in harvest.readings} == {"said": NOW, "unsaid": None}


def test_rows_name_themselves_and_a_bad_one_is_named():
    good = {"metric": "tvl.usd", "subject": "chain:base", "at": NOW, "value": 7}
    harvest = polled(
        feeds(mine={"rows": "$.rows[*]"}), FakeNet().answer("GET", URL, {"rows": [good, {**good, "source": "other"}, {**good, "value": "x"}]})
    )
    assert [(r.source, r.value) for r in harvest.readings] == [("mine", 7.0), ("other", 7.0)]
    assert harvest.rejected == ["mine: $.rows[*] at 2: 'x' is not a decimal number"]


def test_a_feed_without_rows_says_so():
    assert one_feed({"rows": "$.rows[*]"}, {"error": "maintenance"}) == ([], ["mine: rows: nothing stands at $.rows[*]"])


@pytest.mark.parametrize("trouble", [HANG, SourceError("HTTP 500 from mine.example", status=500), b"<html>", b"{", {"v": []}], ids=repr)
def test_one_feed_that_hangs_or_breaks_does_not_take_the_others_along(trouble: object):
    source = feeds(bad=series("$.v", "$.t") | {"timeout": 1_000}, good=series("$.v", "$.t"))
    harvest = polled(source, FakeNet().answer("GET", URL + "bad", trouble).answer("GET", URL + "good", {"v": 7, "t": NOW}))
    assert [(r.source, r.value) for r in harvest.readings] == [("good", 7.0)]
    assert len(harvest.rejected) == 1 and harvest.rejected[0].startswith("bad: ")


def test_a_pass_in_which_every_feed_fails_has_failed():
    with pytest.raises(SourceError, match="HTTP 500"):
        polled(feeds(a=series("$.v", "$.t"), b=series("$.v", "$.t")), FakeNet().answer("GET", URL, SourceError("HTTP 500", status=500)))


def test_a_bug_is_not_taken_for_a_failing_feed():
    with pytest.raises(ZeroDivisionError):
        polled(feeds(a=series("$.v", "$.t"), b=series("$.v", "$.t")), FakeNet().answer("GET", URL, ZeroDivisionError()))


def test_headers_are_sent_and_the_endpoint_replaces_the_host():
    net = FakeNet().answer("GET", "http://127.0.0.1:9/", {"v": 7, "t": NOW})
    feed = {"url": "https://far.example/x?y=1", "headers": {"Authorization": "Bearer abc"}, **series("$.v", "$.t")}
    polled(build(HttpJson, {"endpoint": "http://127.0.0.1:9", "feeds": {"mine": feed}}), net)
    assert [(call.url, call.headers) for call in net.calls] == [("http://127.0.0.1:9/x?y=1", {"Authorization": "Bearer abc"})]


class Ticking(StillClock):
    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


def test_a_feed_is_asked_no_more_often_than_it_says():
    async def asked(*at_seconds: float) -> list[int]:
        counts = []
        for clock.seconds in at_seconds:
            await source.poll(Ports(net, clock, Random(0)), Watch())
            counts.append(net.count())
        return counts

    clock, net = Ticking(NOW), FakeNet().answer("GET", URL, SourceError("down"), {"v": 7, "t": NOW})
    source = feeds(slow=series("$.v", "$.t") | {"every": HOUR})
    with pytest.raises(SourceError):
        asyncio.run(asked(0))
    assert asyncio.run(asked(60, 120, 1800, 3661, 3720)) == [2, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("trouble", "counts"),
    [(SourceError("status 429", status=429), [1, 1, 1, 2]), (b"<html>", [1, 1, 1, 2]), (SourceError("no complete answer"), [1, 2, 2, 3])],
    ids=["refused", "nonsense", "never arrived"],
)
def test_an_answer_counts_as_asked_for_even_if_it_is_a_refusal(trouble: object, counts: list[int]):
    """Whoever writes `every: 1h` has a quota: what was answered was counted there, what never arrived was not."""
    clock, found = Ticking(NOW), list[int]()
    net = FakeNet().answer("GET", URL + "slow", trouble, {"v": 7, "t": NOW}).answer("GET", URL + "fast", {"v": 7, "t": NOW})
    source = feeds(slow=series("$.v", "$.t") | {"every": HOUR}, fast=series("$.v", "$.t"))
    for clock.seconds in (0, 60, 120, 3661):
        asyncio.run(source.poll(Ports(net, clock, Random(0)), Watch()))
        found.append(net.count("GET", URL + "slow"))
    assert found == counts


def test_history_comes_page_by_page_and_only_what_was_asked_for():
    def answer(call: Any) -> object:
        start, end = (int(part) for part in call.url.partition("?")[2].split("-"))
        return [{"v": 1, "t": at * 1000} for at in range(start - 3600, end + 3600, 3600)]

    source = feeds(mine={"url": f"{URL}x?{{from_s}}-{{to_s}}", "page": 2 * DAY, **series("$[*].v", "$[*].t")}, now=series("$.v", "$.t"))
    ports = Ports(FakeNet().answer("GET", URL, answer), StillClock(NOW), Random(0))

    async def pages() -> list[Page]:
        found, start = list[Page](), NOW - 5 * DAY
        while not found or found[-1].next_ms is not None:
            found.append(await source.page(ports, Watch(), "mine", start, NOW))
            start = found[-1].next_ms or NOW
        return found

    found = asyncio.run(pages())
    times = [r.at for page in found for r in page.harvest.readings]
    assert source.streams(Watch()) == ("mine",)
    assert [len(page.harvest.readings) for page in found] == [48, 48, 24]
    assert times == list(range(NOW - 5 * DAY, NOW, HOUR))


WRONG = [
    ({"feeds": {"a b": {"url": URL, **series("$.v", "$.t")}}}, "cannot be a name"),
    ({"feeds": {"a": {"url": "ftp://x", **series("$.v", "$.t")}}}, "is not an http or https URL"),
    ({"feeds": {"a": {"url": "http://x:99999/", **series("$.v", "$.t")}}}, "is not an http or https URL"),
    ({"feeds": {"a": {"url": URL}}}, "either `series` or `rows`"),
    ({"feeds": {"a": {"url": URL, "rows": "$", **series("$.v", "$.t")}}}, "either `series` or `rows`"),
    ({"feeds": {"a": {"url": URL, "rows": "rows[*]"}}}, "is not a JSONPath"),
    ({"feeds": {"a": {"url": URL, "rows": "$.a | $.b"}}}, "is not a JSONPath"),
    ({"feeds": {"a": {"url": URL, "timeout": 0, **series("$.v", "$.t")}}}, "at least 1s"),
    ({"feeds": {"a": {"url": URL, **series("$.v[", "$.t")}}}, "is not a JSONPath"),
    ({"feeds": {"a": {"url": URL, **series("$..v", "$..t")}}}, "write the path out"),
    ({"feeds": {"a": {"url": URL, **series("$.v")}}}, "tvl.usd needs `at`"),
    ({"feeds": {"a": {"url": URL, **series("$.v", "$.t", metric="tvl.eur")}}}, "there is no metric 'tvl.eur'"),
    ({"feeds": {"a": {"url": URL, **series("$.v", "$.t", subject="base")}}}, "subject 'base' does not fit tvl.usd"),
]


@pytest.mark.parametrize(("settings", "reason"), WRONG)
def test_a_feed_that_cannot_work_is_refused_when_it_is_read(settings: dict[str, Any], reason: str):
    with pytest.raises(ValidationError, match=reason.replace("(", r"\(")):
        build(HttpJson, settings)


CONFIG = """
sources:
  http-json:
    feeds:
      mine:
        url: https://mine.example/${PIECE}/tvl
        headers: {Authorization: "Bearer ${TOKEN}", Accept: application/json, X-Key: written-out-key}
        every: 5min
        series:
          - {metric: tvl.usd, subject: "chain:base", value: "$.v", at: "$.t"}
"""


def test_a_configured_feed_takes_its_secrets_from_the_environment_and_never_shows_them_f_151(tmp_path: Path):
    file = tmp_path / "x.yaml"
    file.write_text(CONFIG)
    file.chmod(0o600)

    config = load(file, {"TOKEN": "canary-3141592653", "PIECE": "canary-2718281828"}, discover())

    feed = config.sources["http-json"].feeds["mine"]  # type: ignore[attr-defined]  # the source is known by its name
    assert feed.headers["Authorization"].reveal() == "Bearer canary-3141592653"
    assert (feed.url, feed.every) == ("https://mine.example/canary-2718281828/tvl", 300_000)
    assert "canary" not in repr(config) and "written-out-key" not in repr(config)
    secrets = {one.get_secret_value() for one in config.secrets}
    assert {"canary-3141592653", "canary-2718281828", "written-out-key"} <= secrets
    assert "application/json" not in secrets


@pytest.mark.parametrize(
    ("was", "becomes", "line"),
    [
        ("value:", "scale: 100, value:", "x.yaml:10: sources.http-json.feeds.mine.series[0].scale: there is no such setting"),
        ("value:", "unit: bp, value:", "x.yaml:10: sources.http-json.feeds.mine.series[0].unit: there is no such setting"),
        ("every: 5min", "every: 5", "x.yaml:8: sources.http-json.feeds.mine.every: '5' is not a duration"),
        ("every: 5min", "every: -5min", "x.yaml:8: sources.http-json.feeds.mine.every: a duration cannot be negative"),
        ("${TOKEN}", "${NOBODY}", "x.yaml:7: sources.http-json.feeds.mine.headers.Authorization: the environment variable NOBODY is not set"),
        ("Accept: application/json", "Accept: [a]", "x.yaml:7: sources.http-json.feeds.mine.headers.Accept: must be plain text"),
        ("chain:base", "base", "x.yaml:10: sources.http-json.feeds.mine.series[0]: subject 'base' does not fit tvl.usd"),
        ("https://mine.example", "mine.example", "x.yaml:5: sources.http-json.feeds.mine: url: is not an http or https URL"),
        ("      mine:", "      mi ne:", "x.yaml:3: sources.http-json: feeds: 'mi ne' cannot be a name"),
    ],
)
def test_a_mistake_in_a_feed_is_told_with_its_place(tmp_path: Path, was: str, becomes: str, line: str):
    file = tmp_path / "x.yaml"
    assert was in CONFIG
    file.write_text(CONFIG.replace(was, becomes, 1))

    with pytest.raises(ConfigError) as refused:
        load(file, {"TOKEN": "canary-3141592653", "PIECE": "canary-2718281828"}, discover())

    assert any(line in problem for problem in refused.value.problems), refused.value.problems
    assert "canary" not in str(refused.value)


def test_a_feed_that_is_not_set_up_is_not_polled():
    config = load(None, {}, discover())
    own = {"http-json", "prometheus", "folder"}
    assert own <= config.enabled_sources.keys() and not own & config.working_sources.keys()
    assert polled(HttpJson(), FakeNet()) == Harvest([], [])


def test_what_a_feed_brings_is_known_as_far_as_it_is_written_out():
    source = feeds(a=series("$.v", "$.t"), b={"rows": "$[*]"})
    assert source.provides(Watch()) == {("tvl.usd", "chain:base")}
    assert feeds(b={"rows": "$[*]"}).has_work(Watch())
    assert set(source.urls()) == {"", URL + "a", URL + "b"}


def test_a_probe_calls_nothing_good_that_a_poll_would_refuse():
    net = FakeNet().answer("GET", URL, {"v": -7, "t": NOW})
    with pytest.raises(BadPayload, match="1 of 1 rows refused"):
        asyncio.run(feeds(a=series("$.v", "$.t")).probe(Ports(net, StillClock(NOW), Random(0)), Watch()))
