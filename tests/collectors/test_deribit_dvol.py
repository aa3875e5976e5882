"""Deribit's DVOL: which hour a row is of, and pages that go on until all is there."""

import asyncio
from random import Random

import pytest

from monitor.collectors.deribit_dvol import FIRST_MS, PAGE_MS, DeribitDvol, parse
from monitor.core.book import Watch
from monitor.core.units import DAY, HOUR, iso, parse_time
from monitor.errors import BadPayload, SourceError
from monitor.source import Page, Ports
from tests.collectors.sample import SAMPLES, StillClock, read_sample
from tests.fakes import Call, FakeNet

NOW = parse_time("2026-11-20T12:20:00Z")
URL = "https://www.deribit.com/api/v2/public/get_volatility_index_data"
DVOL = DeribitDvol()


def row(opened: str | int, close: float = 50.0) -> list[object]:
    return [parse_time(opened) if isinstance(opened, str) else opened, 50.0, 60.0, 40.0, close]


def body(*rows: list[object], continuation: object = None) -> dict[str, object]:
    return {"jsonrpc": "2.0", "result": {"data": list(rows), "continuation": continuation}}


def ports(fake: FakeNet, now_ms: int = NOW) -> Ports:
    return Ports(net=fake, clock=StillClock(now_ms), rng=Random(0))


def asked(call: Call) -> dict[str, str]:
    return dict(part.split("=") for part in call.url.partition("?")[2].split("&"))


def history(first: int, count: int, most: int) -> FakeNet:
    """A venue that has `count` hours from `first` on and answers with the newest `most` of those that are asked for."""

    def answer(call: Call) -> object:
        start, end = int(asked(call)["start_timestamp"]), int(asked(call)["end_timestamp"])
        held = [first + n * HOUR for n in range(count) if start <= first + n * HOUR <= end]
        rows = [row(at, 40.0 + (at - first) / HOUR % 10) for at in held[-most:]]
        return body(*rows, continuation=held[-most] - 1 if len(held) > most else None)

    return FakeNet().answer("GET", URL, answer)


def page(fake: FakeNet, from_ms: int, to_ms: int) -> Page:
    return asyncio.run(DVOL.page(ports(fake), Watch(), "iv.index/ETH", from_ms, to_ms))


def test_f_026_a_close_goes_under_the_end_of_its_hour_and_the_running_hour_is_left_out():
    harvest, older = parse(body(row("2026-11-20T10:00:00Z", 41.5), row("2026-11-20T11:00:00Z", 42.5), row("2026-11-20T12:00:00Z")), "BTC", NOW)
    assert [(r.metric, r.subject, r.value, iso(r.at or 0), r.known_at) for r in harvest.readings] == [
        ("iv.index", "BTC", 41.5, "2026-11-20T11:00:00Z", None),
        ("iv.index", "BTC", 42.5, "2026-11-20T12:00:00Z", None),
    ]
    assert (harvest.rejected, older) == ([], None)
    on_the_hour, _ = parse(body(row("2026-11-20T12:00:00Z")), "BTC", parse_time("2026-11-20T13:00:00Z"))
    assert len(on_the_hour.readings) == 1


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param([parse_time("2026-11-20T10:00:00Z"), 0.5, 0.6, 0.4, 0.55], "fraction where points belong", id="a fraction"),
        pytest.param(row("2026-11-20T10:00:00Z", 60.1), "outside low", id="F-029: above its high"),
        pytest.param(row(1763632800), "not the beginning of an hour", id="F-011: seconds"),
        pytest.param(row("2026-11-20T10:30:00Z"), "not the beginning of an hour", id="a half hour"),
        pytest.param([parse_time("2026-11-20T10:00:00Z"), 50.0, 60.0], "missing", id="a row that is cut short"),
        pytest.param("x", "expected a list", id="no row"),
    ],
)
def test_f_021_a_bad_row_is_refused_and_the_rest_is_kept(bad: object, reason: str):
    harvest, _ = parse(body(bad, row("2026-11-20T09:00:00Z")), "BTC", NOW)  # type: ignore[arg-type]  # a row of this test's own making
    assert len(harvest.readings) == 1
    assert reason in harvest.rejected[0]
    assert "row 1" in harvest.rejected[0]


def test_one_index_that_fails_does_not_take_the_other_with_it():
    sound = body(row("2026-11-20T10:00:00Z"))
    fake = FakeNet().answer("GET", f"{URL}?currency=BTC", SourceError("down")).answer("GET", f"{URL}?currency=ETH", sound)
    harvest = asyncio.run(DVOL.poll(ports(fake), Watch()))
    assert [r.subject for r in harvest.readings] == ["ETH"]
    assert harvest.rejected == ["down"]
    with pytest.raises(SourceError, match="down"):
        asyncio.run(DVOL.poll(ports(FakeNet().answer("GET", URL, SourceError("down"))), Watch()))


def test_a_probe_tells_the_newest_close_of_each_index():
    sample = read_sample(SAMPLES / "deribit_dvol.hours.json")
    assert asyncio.run(sample.collector.probe(sample.ports(), sample.watch)) == ("BTC 42 at 2026-11-20T12:00:00Z, ETH 67.3 at 2026-11-20T12:00:00Z")
    with pytest.raises(BadPayload, match="rows refused"):
        asyncio.run(DVOL.probe(ports(FakeNet().answer("GET", URL, body(row("2026-11-20T10:00:00Z", 99.0)))), Watch()))
    assert asyncio.run(DVOL.probe(ports(FakeNet().answer("GET", URL, body())), Watch())) == "no closed hour"


@pytest.mark.parametrize("most", [1000, 100, 60])
def test_a_page_is_whole_and_in_order_however_short_the_answers_are(most: int):
    first = parse_time("2024-01-01")
    found = page(history(first - 100 * HOUR, 3000, most), first, first + 10 * DAY)
    assert [r.at for r in found.harvest.readings] == [first + n * HOUR for n in range(240)]
    assert found.harvest.rejected == []
    assert found.next_ms is None


def test_pages_join_without_a_gap_or_an_overlap_and_begin_with_the_index():
    fake = history(FIRST_MS, 3000, 1000)
    stamps: list[int] = []
    start: int | None = 0
    while start is not None:
        found = page(fake, start, FIRST_MS + 100 * DAY)
        stamps += [r.at or 0 for r in found.harvest.readings]
        start = found.next_ms
    assert stamps == [FIRST_MS + n * HOUR for n in range(1, 2400)]
    assert fake.count() == 3
    assert page(fake, 0, FIRST_MS) == Page()
    assert page(fake, FIRST_MS, FIRST_MS + PAGE_MS).next_ms is None


@pytest.mark.parametrize("continuation", [parse_time("2030-01-01"), parse_time("2024-01-09T23:00:00Z")])
def test_f_023_a_continuation_that_does_not_lead_back_is_refused(continuation: int):
    fake = FakeNet().answer("GET", URL, body(row("2024-01-05"), continuation=continuation))
    with pytest.raises(BadPayload, match="continuation"):
        page(fake, parse_time("2024-01-01"), parse_time("2024-01-10"))
    assert fake.count() <= 2


def test_f_023_a_continuation_that_creeps_is_given_up():
    fake = FakeNet().answer("GET", URL, lambda call: body(continuation=int(asked(call)["end_timestamp"]) - 1))
    with pytest.raises(BadPayload, match="continuation"):
        page(fake, parse_time("2024-01-01"), parse_time("2024-01-10"))
    assert fake.count() == 20


def test_each_index_is_a_history_and_the_endpoint_can_be_another():
    assert DVOL.streams(Watch()) == ("iv.index/BTC", "iv.index/ETH")
    fake = FakeNet().answer("GET", "http://127.0.0.1:9/api/v2/public/get_volatility_index_data", body())
    asyncio.run(DeribitDvol(endpoint="http://127.0.0.1:9").poll(ports(fake), Watch()))
    assert fake.count() == 2
