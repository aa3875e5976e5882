"""FRED: a vintage is known from its own day, without vintages a value is known from its receipt, and one bad series is alone in it."""

import asyncio
import json
from collections.abc import Mapping
from random import Random

import pytest

from monitor.collectors.fred import API, CHART, SERIES, Fred, parse_chart, parse_vintages
from monitor.core.book import Watch
from monitor.core.secret import Secret
from monitor.core.units import DAY, iso, parse_time
from monitor.errors import BadPayload, SourceError
from monitor.source import Harvest, Ports
from tests.collectors.sample import SAMPLES, StillClock, read_sample
from tests.fakes import FakeNet

NOW = parse_time("2026-11-20T18:00:00Z")
KEY = Secret("k" * 32)


def ports(fake: FakeNet, now_ms: int = NOW) -> Ports:
    return Ports(net=fake, clock=StillClock(now_ms), rng=Random(0))


def chart(fake: FakeNet, name: str, *rows: str) -> FakeNet:
    return fake.answer("GET", f"{CHART}?id={name}", "\n".join([f"observation_date,{name}", *rows, ""]).encode())


def vintages(*rows: tuple[str, ...], **changed: object) -> dict[str, object]:
    """Rows of day, value, first day of the vintage, and its last where it is over."""
    listed = [{"date": r[0], "value": r[1], "realtime_start": r[2], "realtime_end": (*r, "9999-12-31")[3]} for r in rows]
    return {"units": "lin", "count": len(listed), "observations": listed, **changed}


def told(harvest: Harvest) -> list[tuple[str, str, float, str]]:
    return [(r.metric, iso(r.at or 0)[:10], round(r.value, 6), iso(r.known_at or 0)) for r in harvest.readings]


def polled(name: str, *rows: str, now_ms: int = NOW) -> list[tuple[str, str, float, str]]:
    return told(asyncio.run(Fred(series=(name,)).poll(ports(chart(FakeNet(), name, *rows), now_ms), Watch())))


def paged(name: str, answer: object, from_ms: int = parse_time("2020-01-01"), to_ms: int = NOW) -> tuple[FakeNet, Harvest, int | None]:
    fake = FakeNet().answer("GET", API, answer)
    page = asyncio.run(Fred(key=KEY, series=(name,)).page(ports(fake), Watch(), name, from_ms, to_ms))
    return fake, page.harvest, page.next_ms


@pytest.mark.parametrize(
    ("name", "row", "metric", "value", "known"),
    [
        pytest.param("CPIAUCNS", "2026-10-01,337.912", "macro.cpi", 337.912, "2026-11-10T13:30:00Z", id="NSA CPI: final when printed"),
        pytest.param("CPIAUCSL", "2026-10-01,338.22", "macro.cpi_sa", 338.22, iso(NOW), id="SA CPI: which vintage this is nobody says"),
        pytest.param("PPIFID", "2026-09-01,157.1", "macro.ppi", 157.1, "2026-10-15T12:30:00Z", id="PPI before its revision"),
        pytest.param("PPIFID", "2026-06-01,156.31", "macro.ppi", 156.31, "2026-11-13T13:30:00Z", id="PPI revised with October's"),
        pytest.param("PPIFID", "2024-09-01,145.1", "macro.ppi", 145.1, iso(NOW), id="PPI whose revision no calendar knows"),
        pytest.param("GDP", "2026-07-01,31805.2", "macro.gdp", 31805.2, iso(NOW), id="GDP, revised twice"),
        pytest.param("RBUSBIS", "2026-09-01,109.2", "macro.reer", 109.2, iso(NOW), id="the real effective exchange rate"),
        pytest.param("DTB3", "2026-11-18,3.61", "macro.tbill_3m", 0.0361, iso(NOW), id="percent to fraction"),
        pytest.param("DFF", "2026-11-18,3.88", "macro.fed_funds", 0.0388, iso(NOW), id="federal funds"),
        pytest.param("BAMLH0A0HYM2", "2026-11-18,3.24", "macro.hy_spread", 0.0324, iso(NOW), id="high-yield spread"),
        pytest.param("VIXCLS", "2026-11-18,17.24", "vix.close", 17.24, iso(NOW), id="VIX"),
        pytest.param("SP500", "2026-11-18,6791.69", "equity.close", 6791.69, iso(NOW), id="S&P 500"),
        pytest.param("DEXUSEU", "2026-11-13,1.1622", "fx.usd", 1.1622, iso(NOW), id="dollars per euro"),
        pytest.param("DEXJPUS", "2026-11-13,160", "fx.usd", 0.00625, iso(NOW), id="yen per dollar, turned over"),
    ],
)
def test_without_a_key_a_value_is_known_from_its_receipt_or_from_the_release_that_the_calendar_knows(
    name: str, row: str, metric: str, value: float, known: str
) -> None:
    """F-083"""
    assert polled(name, row) == [(metric, row[:10], value, known)]


def test_a_level_seen_before_its_scheduled_release_is_known_from_its_receipt() -> None:
    """F-081: an early release is not said to come from the future."""
    early = parse_time("2026-11-10T13:29:00Z")
    assert polled("CPIAUCNS", "2026-10-01,337.912", now_ms=early)[0][3] == iso(early)


def test_a_value_that_is_carried_over_a_weekend_is_not_taken() -> None:
    rows = polled("DFF", "2026-11-13,3.88", "2026-11-14,3.88", "2026-11-15,3.88", "2026-11-16,3.87")
    assert [day for _, day, _, _ in rows] == ["2026-11-13", "2026-11-16"]


def test_each_value_is_counted_in_the_sessions_of_its_own_market() -> None:
    """On Columbus Day bonds rest and shares are traded; on a holiday of the exchange there is no close."""
    assert [day for _, day, _, _ in polled("VIXCLS", "2026-10-12,19.5", "2026-09-07,18.1")] == ["2026-10-12"]
    assert [day for _, day, _, _ in polled("SP500", "2026-10-12,6601.1", "2026-11-11,6702.2")] == ["2026-10-12", "2026-11-11"]
    assert polled("DTB3", "2026-10-12,3.61") == []


@pytest.mark.parametrize("blank", [".", "", " . "])
def test_a_day_without_a_value_has_none(blank: str) -> None:
    """F-084, F-080: neither zero nor an error."""
    rows, rejected = parse_chart(f"DATE,CPIAUCNS\n2025-09-01,324.8\n2025-10-01,{blank}\n".encode(), "CPIAUCNS")
    assert ([row.day for row in rows], rejected) == (["2025-09-01"], [])
    rows, rejected = parse_vintages(vintages(("2025-10-01", blank, "2025-12-18")))
    assert (rows, rejected) == ([], [])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("2025-09-01,-", "not a decimal number"),
        ("2025-09-01,324.8 (p)", "not a decimal number"),
        ("2025-09-01,324,8", "3 cells"),
        ("2025-09-31,324.8", "not a day"),
        ("09/01/2025,324.8", "not a day"),
        ("2025-08-01,324.1", "twice"),
    ],
)
def test_f_084_a_cell_that_is_neither_a_number_nor_the_known_blank_is_refused_and_the_others_stay(line: str, why: str) -> None:
    rows, rejected = parse_chart(f"DATE,CPIAUCNS\n2025-08-01,324.1\n{line}\n".encode(), "CPIAUCNS")
    assert [row.day for row in rows] == ["2025-08-01"]
    assert len(rejected) == 1 and why in rejected[0]


@pytest.mark.parametrize(
    "body",
    [b"", b"<!DOCTYPE html>\n", b"observation_date,CPIAUCSL\n2026-10-01,1\n", b"observation_date,CPIAUCNS\n2026-10-01,33"],
    ids=["empty", "a notice", "another series", "cut short, in the middle of a number"],
)
def test_f_084_what_is_not_the_csv_of_the_series_is_refused_whole(body: bytes) -> None:
    with pytest.raises(BadPayload, match="CPIAUCNS"):
        parse_chart(body, "CPIAUCNS")


@pytest.mark.parametrize(
    ("changed", "why"),
    [({"units": "pc1"}, "not the levels"), ({"count": 2}, "cut short"), ({"count": None}, "count"), ({"observations": {}}, "observations")],
)
def test_f_084_an_answer_in_another_unit_or_cut_short_is_refused_whole(changed: dict[str, object], why: str) -> None:
    with pytest.raises(BadPayload, match=why):
        parse_vintages(vintages(("2026-10-01", "337.912", "2026-11-10"), **changed))


def test_a_vintage_before_its_own_day_is_refused_and_the_others_stay() -> None:
    rows, rejected = parse_vintages(vintages(("2026-09-01", "337.4", "2026-08-30"), ("2026-10-01", "337.9", "2026-11-10")))
    assert [row.day for row in rows] == ["2026-10-01"]
    assert rejected == ["realtime_start: 2026-08-30 is before 2026-09-01, the day of the value"]


def test_a_monthly_value_in_the_middle_of_a_month_is_refused_and_so_is_a_worthless_dollar() -> None:
    for name, row, why in (("CPIAUCNS", "2026-10-15,337.9", "first day"), ("DEXJPUS", "2026-11-13,0", "above zero")):
        harvest = asyncio.run(Fred(series=(name,)).poll(ports(chart(FakeNet(), name, row)), Watch()))
        assert not harvest.readings
        assert len(harvest.rejected) == 1 and why in harvest.rejected[0] and harvest.rejected[0].startswith(f"{name}: {row[:10]}")


# --- by vintage ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "day", "vintage", "known"),
    [
        pytest.param("CPIAUCNS", "2026-02-01", "2026-03-11", "2026-03-11T12:30:00Z", id="CPI in summer time"),
        pytest.param("CPIAUCSL", "2025-12-01", "2026-02-13", "2026-02-13T13:30:00Z", id="SA CPI in winter time"),
        pytest.param("PPIFID", "2026-02-01", "2026-03-06", "2026-03-06T13:30:00Z", id="PPI, the Friday before the clocks change"),
        pytest.param("PPIFID", "2026-02-01", "2026-03-09", "2026-03-09T12:30:00Z", id="PPI, the Monday after"),
        pytest.param("GDP", "2026-07-01", "2026-10-30", "2026-10-30T12:30:00Z", id="GDP, the Friday before the clocks change back"),
        pytest.param("GDP", "2026-07-01", "2026-11-02", "2026-11-02T13:30:00Z", id="GDP, the Monday after"),
        pytest.param("DTB3", "2026-11-17", "2026-11-18", "2026-11-18T21:15:00Z", id="a yield, on the day after"),
        pytest.param("RBUSBIS", "2026-09-01", "2026-10-21", "2026-10-21T21:15:00Z", id="an exchange rate"),
        pytest.param("VIXCLS", "2026-11-19", "2026-11-20", iso(NOW), id="of today, and seen before 21:15"),
    ],
)
def test_f_087_a_vintage_is_known_at_the_half_hour_of_new_york_on_its_day(name: str, day: str, vintage: str, known: str) -> None:
    _, harvest, _ = paged(name, vintages((day, "3.5", vintage)))
    assert [iso(r.known_at or 0) for r in harvest.readings] == [known]


def test_f_082_history_keeps_every_vintage_and_a_poll_only_the_one_that_stands() -> None:
    answer = vintages(
        ("2025-12-01", "326.131", "2026-02-13"), ("2025-12-01", "326.104", "2026-01-13", "2026-02-12"), ("2025-11-01", ".", "2025-12-18")
    )
    _, harvest, _ = paged("CPIAUCSL", answer)
    first, revised = ("macro.cpi_sa", "2025-12-01", 326.104, "2026-01-13T13:30:00Z"), ("macro.cpi_sa", "2025-12-01", 326.131, "2026-02-13T13:30:00Z")
    assert told(harvest) == [first, revised]
    fake = FakeNet().answer("GET", API, answer)
    assert told(asyncio.run(Fred(key=KEY, series=("CPIAUCSL",)).poll(ports(fake), Watch()))) == [revised]


def test_a_page_asks_for_no_vintage_before_its_first_day_and_for_few_of_a_daily_series() -> None:
    asked, _, next_ms = paged("CPIAUCNS", vintages())
    assert next_ms is None
    assert {**asked.calls[0].params, "api_key": ""} == {
        "observation_start": "2020-01-01", "observation_end": "2026-11-20", "realtime_start": "2020-01-01", "realtime_end": "9999-12-31",
        "file_type": "json", "limit": 100_000, "api_key": "",
    }  # fmt: skip
    asked, _, next_ms = paged("DFF", vintages())
    assert next_ms == parse_time("2022-01-01")
    assert (asked.calls[0].params["observation_end"], asked.calls[0].params["realtime_end"]) == ("2021-12-31", "2023-01-02")
    asked, _, next_ms = paged("DFF", vintages(), parse_time("2025-01-01"))
    assert next_ms is None
    assert (asked.calls[0].params["observation_end"], asked.calls[0].params["realtime_end"]) == ("2026-11-20", "9999-12-31")


def test_a_page_keeps_to_its_span() -> None:
    _, harvest, _ = paged("CPIAUCNS", vintages(("2019-12-01", "256.974", "2020-01-14"), ("2020-01-01", "257.971", "2020-02-13")))
    assert [day for _, day, _, _ in told(harvest)] == ["2020-01-01"]


def test_history_needs_a_key_and_an_unknown_series_is_named() -> None:
    assert Fred().streams(Watch()) == ()
    assert Fred(key=KEY).streams(Watch()) == tuple(SERIES)
    with pytest.raises(ValueError, match="M2SL is not known here"):
        Fred(series=("M2SL",))


# --- one of several --------------------------------------------------------------------------------------------------


def test_one_bad_series_takes_no_other_along() -> None:
    fake = chart(FakeNet(), "DTB3", "2026-11-18,3.61").answer("GET", f"{CHART}?id=DFF", b"<html>gone</html>\n")
    fake.answer("GET", f"{CHART}?id=SP500", SourceError("https://fred.stlouisfed.org/... answered with status 429", status=429))
    harvest = asyncio.run(Fred(series=("DTB3", "DFF", "SP500")).poll(ports(fake), Watch()))
    assert [metric for metric, *_ in told(harvest)] == ["macro.tbill_3m"]
    assert [reason[:5] for reason in harvest.rejected] == ["DFF: ", "SP500"]


def test_where_every_series_fails_the_pass_fails_with_the_pause_that_was_asked_for() -> None:
    """F-085: the limit of 120 requests a minute is the source's to tell, and ours to obey."""
    fake = FakeNet().answer("GET", CHART, SourceError("status 429", status=429, retry_after_seconds=30.0))
    with pytest.raises(SourceError, match="429") as caught:
        asyncio.run(Fred().poll(ports(fake), Watch()))
    assert caught.value.retry_after_seconds == 30


def test_a_question_that_fred_refuses_is_told_as_one_and_not_asked_again_hotly() -> None:
    """A key that FRED does not know is answered with 400, as is a question that it does not understand."""
    fake = FakeNet().answer("GET", API, SourceError("https://api.stlouisfed.org/... answered with status 400", status=400))
    with pytest.raises(SourceError, match=r"status 400.*sources\.fred\.key") as caught:
        asyncio.run(Fred(key=KEY).poll(ports(fake), Watch()))
    assert (caught.value.permanent, caught.value.status) == (True, 400)


def test_one_pass_stays_far_within_the_hundred_and_twenty_requests_of_a_minute() -> None:
    fake = FakeNet().answer("GET", API, vintages())
    asyncio.run(Fred(key=KEY).poll(ports(fake), Watch()))
    assert len(fake.calls) == len(SERIES) == 12


def test_the_key_is_in_the_query_and_in_nothing_that_is_shown() -> None:
    """INV-8"""
    fake = FakeNet().answer("GET", API, BadPayload("an answer"))
    collector = Fred(key=KEY)
    with pytest.raises(BadPayload) as caught:
        asyncio.run(collector.poll(ports(fake), Watch()))
    assert {call.params["api_key"] for call in fake.calls} == {KEY.reveal()}
    assert KEY.reveal() not in f"{collector!r} {caught.value} {' '.join(call.url for call in fake.calls)}"


@pytest.mark.parametrize(("sample", "said"), [("vintages", "fx.usd JPY 2026-11-13"), ("chart", "without a key there are no vintages")])
def test_the_probe_tells_the_newest_day_of_each_series(sample: str, said: str) -> None:
    read = read_sample(SAMPLES / f"fred.{sample}.json")
    line = asyncio.run(read.collector.probe(read.ports(), read.watch))
    assert "macro.cpi 2026-10-01" in line and said in line


def test_the_poll_reaches_back_far_enough_for_a_change_year_on_year_and_for_a_month_of_sessions() -> None:
    fake = FakeNet()
    for name in SERIES:
        chart(fake, name)
    asyncio.run(Fred().poll(ports(fake), Watch()))
    since: Mapping[str, int] = {call.url.partition("=")[2]: parse_time(str(call.params["cosd"])) for call in fake.calls}
    assert NOW - since["CPIAUCNS"] > 3 * 366 * DAY - 3 * DAY and NOW - since["VIXCLS"] > 100 * DAY
    assert json.dumps(sorted(since)) == json.dumps(sorted(SERIES))
