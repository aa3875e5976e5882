"""Stooq: closes, a history that is written anew, and one that was rewritten in part."""

import asyncio
from random import Random

import pytest
from pydantic import ValidationError

from monitor.collectors.stooq import Stooq, closes
from monitor.core.book import Watch
from monitor.core.door import admit
from monitor.core.market import Market
from monitor.core.units import HOUR, iso, parse_time
from monitor.errors import BadPayload, SourceError
from monitor.pipeline import only_news
from monitor.registry import build
from monitor.source import Harvest, Page, Ports
from tests.collectors.sample import SAMPLES, StillClock, read_sample
from tests.fakes import FakeNet

NOW = parse_time("2024-03-08T12:00:00Z")
DAYS = ("2024-03-01", "2024-03-04", "2024-03-05", "2024-03-06", "2024-03-07")
STOOQ = Stooq()
URL = "https://stooq.com/q/d/l/"


def ports(fake: FakeNet, now_ms: int = NOW) -> Ports:
    return Ports(net=fake, clock=StillClock(now_ms), rng=Random(0))


def body(*values: float, days: tuple[str, ...] = DAYS) -> bytes:
    rows = "".join(f"{day},{v},{v},{v},{v},1\r\n" for day, v in zip(days, values, strict=True))
    return f"Date,Open,High,Low,Close,Volume\r\n{rows}".encode()


def read(content: bytes, now_ms: int = NOW, from_ms: int = 0) -> Harvest:
    return closes(content, "VXX", from_ms, now_ms, 2.5)


def values(harvest: Harvest) -> list[float]:
    return [r.value for r in harvest.readings]


def test_a_close_goes_under_its_session_and_today_s_is_none_before_it_is_over():
    week = (*DAYS, "2024-03-08")
    assert values(read(body(1, 2, 3, 4, 5, 6, days=week), parse_time("2024-03-08T21:14:59Z"))) == [1, 2, 3, 4, 5]
    harvest = read(body(1, 2, 3, 4, 5, 6, days=week), parse_time("2024-03-08T21:15:00Z"), parse_time("2024-03-08"))
    assert [(r.metric, r.subject, r.value, iso(r.at or 0)) for r in harvest.readings] == [("equity.close", "VXX", 6, "2024-03-08T00:00:00Z")]


def test_rows_come_oldest_first_whatever_their_order_and_a_rest_day_is_none():
    days = ("2024-03-07", "2024-03-02", "2024-03-06")
    assert values(read(body(12, 2, 11, days=days))) == [11, 12]


def test_f_021_a_bad_row_is_refused_and_the_rest_is_kept():
    bad = b"2024-03-07,1,1,1,1.5,1\r\n2024-03-06,1,1,1,,1\r\n"
    harvest = read(body(1, 1, 1, days=DAYS[:3]) + bad)
    assert values(harvest) == [1, 1, 1]
    assert [reason[:11] for reason in harvest.rejected] == ["VXX: row 4:", "VXX: row 5:"]


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        pytest.param((10, 10, 25, 25, 26), 3, id="shares merged 4 to 10, of which only the newest sessions know"),
        pytest.param((10, 10, 24.99, 25, 26), 5, id="a hair less may be a move"),
        pytest.param((25, 10, 10, 10, 10), 4, id="shares divided"),
        pytest.param((24.99, 10, 10, 10, 10), 5, id="a hair less may be a fall"),
        pytest.param((10, 40, 40, 10, 10), 2, id="the newest break counts"),
        pytest.param((10, 10, 10, 10, 40), 1, id="the newest session alone is left"),
    ],
)
def test_what_stands_before_a_change_of_scale_is_refused(told: tuple[float, ...], kept: int):
    harvest = read(body(*told))
    assert values(harvest) == list(told[-kept:])
    assert len(harvest.rejected) == (kept < 5)
    assert kept == 5 or f"{5 - kept} sessions before it are refused" in harvest.rejected[0]


def test_a_close_of_nothing_is_left_to_the_door_and_hides_no_break():
    harvest = read(body(10, 40, 0, 40, 40))
    assert values(harvest) == [40, 0, 40, 40]
    assert len(admit(list(harvest.readings), source="stooq", received_at=NOW).observations) == 3


def test_a_history_that_is_written_anew_is_a_later_vintage_and_no_move():
    """What was known in the past stays known as it was."""
    market = Market()
    for content, now in ((body(10, 11, 12, 11, 10), NOW), (body(40, 44, 48, 44, 40), NOW + 3_600_000)):
        admitted = admit(list(read(content, now).readings), source="stooq", received_at=now).observations
        news = list(only_news(market, admitted, now))
        for one in news:
            market.put(one)
    series = market.series("equity.close", "VXX", "stooq")
    assert series is not None
    assert list(series.value) == [40, 44, 48, 44, 40]
    assert {one.known_at for one in news} == {NOW + 3_600_000}


def test_a_poll_asks_for_each_symbol_and_one_that_fails_does_not_take_the_others_with_it():
    fake = FakeNet().answer("GET", f"{URL}?s=%5Espx", body(1, 1, 1, 1, 1)).answer("GET", f"{URL}?s=vxx.us", b"Exceeded the daily hits limit")
    fake.answer("GET", f"{URL}?s=uvxy.us", SourceError("HTTP 502"))
    harvest = asyncio.run(STOOQ.poll(ports(fake), Watch()))
    assert {r.subject for r in harvest.readings} == {"SPX"}
    assert harvest.rejected[0].startswith("VXX: no line names the columns Date, High, Low, Close; the body begins with 'Exceeded")
    assert harvest.rejected[1] == "HTTP 502"
    assert fake.calls[0].url == f"{URL}?s=%5Espx&i=d&d1=20230202&d2=20240308"
    with pytest.raises(BadPayload, match="SPX"):
        asyncio.run(STOOQ.poll(ports(FakeNet().answer("GET", URL, b"No data")), Watch()))


def test_what_stooq_refuses_is_not_asked_again_hotly():
    """F-085: a used-up quota comes as a notice with status 200, and every further question counts."""
    assert Stooq().pause_ms == HOUR <= Stooq().cadence


def test_symbols_are_added_and_replaced_by_setting():
    stooq: Stooq = build(Stooq, {"symbols": {"ES": "es.f", "SPX": "^gspc"}})
    assert stooq.provides(Watch()) == {("equity.close", subject) for subject in ("SPX", "ES", "VXX", "UVXY")}
    assert stooq.streams(Watch()) == ("equity.close/SPX", "equity.close/VXX", "equity.close/UVXY", "equity.close/ES")
    with pytest.raises(ValidationError, match="write break_factor"):
        build(Stooq, {"break_factor": "1"})


def test_history_comes_ten_years_at_a_time():
    fake = FakeNet().answer("GET", URL, body(1, 1, 1, 1, 1))
    first = asyncio.run(STOOQ.page(ports(fake), Watch(), "equity.close/SPX", parse_time("2018-01-01"), NOW))
    assert len(first.harvest.readings) == 5
    assert first.next_ms is None
    older = asyncio.run(STOOQ.page(ports(fake), Watch(), "equity.close/SPX", parse_time("2010-01-01"), NOW))
    assert older == Page(Harvest([], []), parse_time("2020-01-02"))


def test_the_endpoint_can_be_another():
    sample = read_sample(SAMPLES / "stooq.closes.json")
    fake = FakeNet()
    for answer in sample.answers:
        fake.answer("GET", answer["url"].replace("https://stooq.com", "http://127.0.0.1:9"), answer["bytes"])
    assert asyncio.run(Stooq(endpoint="http://127.0.0.1:9").poll(ports(fake, sample.now_ms), Watch())) == asyncio.run(sample.poll())
