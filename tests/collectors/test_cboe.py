"""Cboe's files: what is a close, what is a settlement, and a curve made of whole contracts."""

import asyncio
from itertools import pairwise
from random import Random

import pytest

from monitor.collectors.cboe import FUTURE_FILES, INDEX_FILES, Cboe, curve_readings, index_readings, settlements
from monitor.core.book import Watch
from monitor.core.door import admit
from monitor.core.sessions import is_session
from monitor.core.units import DAY, iso, parse_time
from monitor.core.vix_futures import expiries_after
from monitor.daily_csv import table
from monitor.errors import BadPayload, SourceError
from monitor.source import Page, Ports
from tests.collectors.sample import SAMPLES, StillClock, read_sample
from tests.fakes import Call, FakeNet

NOW = parse_time("2024-03-08T12:00:00Z")
CBOE = Cboe()
HEADER = "Trade Date,Futures,Open,High,Low,Close,Settle,Change,Total Volume,EFP,Open Interest\n"
EXPIRY = parse_time("2024-03-20")


def ports(fake: FakeNet, now_ms: int = NOW) -> Ports:
    return Ports(net=fake, clock=StillClock(now_ms), rng=Random(0))


def vix(*rows: str) -> bytes:
    return ("DATE,OPEN,HIGH,LOW,CLOSE\n" + "".join(f"{row}\n" for row in rows)).encode()


def contract(*rows: tuple[str, str]) -> bytes:
    return (HEADER + "".join(f"{day},H (Mar 2024),0,0,0,0,{settle},0,1,0,1\n" for day, settle in rows)).encode()


def settled(*rows: tuple[str, str], from_ms: int = 0, now_ms: int = NOW) -> tuple[dict[str, float], list[str]]:
    found, rejected = settlements(contract(*rows), EXPIRY, from_ms, now_ms)
    return {iso(day)[:10]: settle for day, settle in found.items()}, rejected


# --- indices -----------------------------------------------------------------------------------------------------


def test_a_close_goes_under_its_session_and_is_known_by_the_rule_of_its_metric():
    rows = table(vix("03/06/2024,14,15,13,14.5", "03/07/2024,14,15,13,14.4"), ("DATE", "CLOSE"))
    harvest = index_readings(rows, "vix.close", 0, NOW)
    seen = admit(list(harvest.readings), source="cboe", received_at=NOW).observations
    assert [(o.value, iso(o.at), iso(o.known_at)) for o in seen] == [
        (14.5, "2024-03-06T00:00:00Z", "2024-03-06T21:15:00Z"),
        (14.4, "2024-03-07T00:00:00Z", "2024-03-07T21:15:00Z"),
    ]


def test_f_026_today_s_row_is_no_close_before_it_is_over_and_a_holiday_s_is_none_at_all():
    rows = table(vix("05/27/2024,12,13,11,12.5", "05/28/2024,12,13,11,12.6"), ("DATE", "CLOSE"))
    assert index_readings(rows, "vix.close", 0, parse_time("2024-05-28T21:14:59Z")).readings == []
    harvest = index_readings(rows, "vix.close", 0, parse_time("2024-05-28T21:15:00Z"))
    assert [r.value for r in harvest.readings] == [12.6]
    assert harvest.rejected == []


def test_f_021_a_bad_row_is_refused_by_its_number_and_the_rest_is_kept():
    rows = table(vix("03/05/2024,14,15,13,15.1", "03/06/2024,14,15,13,x", "x,1,1,1,1", "03/07/2024,14,15,13,14.4"), ("DATE", "CLOSE"))
    harvest = index_readings(rows, "vix.close", 0, NOW)
    assert [r.value for r in harvest.readings] == [14.4]
    assert [reason[:17] for reason in harvest.rejected] == ["vix.close: row 1:", "vix.close: row 2:", "vix.close: row 3:"]


# --- contracts ---------------------------------------------------------------------------------------------------


def test_both_spellings_of_a_day_are_read():
    assert settled(("2024-03-06", "14.2"), ("03/07/2024", "14.1")) == ({"2024-03-06": 14.2, "2024-03-07": 14.1}, [])


def test_the_final_settlement_is_no_point_of_the_curve():
    assert settled(("2024-03-19", "14.2"), ("2024-03-20", "13.9"), now_ms=parse_time("2024-04-01")) == ({"2024-03-19": 14.2}, [])


@pytest.mark.parametrize("settle", ["0", "0.0000", "-1", "", "n/a"])
def test_a_settlement_of_0_is_none(settle: str):
    found, rejected = settled(("2024-03-06", settle), ("2024-03-07", "14.1"))
    assert found == {"2024-03-07": 14.1}
    assert len(rejected) == 1
    assert "VX 2024-03-20: row 1" in rejected[0]


def test_a_session_with_two_settlements_has_none_and_one_that_is_repeated_has_it():
    found, rejected = settled(("2024-03-06", "14.2"), ("2024-03-06", "14.3"), ("2024-03-07", "14.1"), ("2024-03-07", "14.1"))
    assert found == {"2024-03-07": 14.1}
    assert rejected == ["VX 2024-03-20: row 2: 2024-03-06 has two settlements, 14.2 and 14.3"]


def test_a_level_whose_contract_did_not_settle_is_refused_and_no_other_stands_in():
    day = parse_time("2024-03-07")
    ends = expiries_after(day, 4)
    harvest = curve_readings({end: {day: 15.0} for end in ends if end != ends[1]})
    assert [r.metric for r in harvest.readings] == ["vix.future.1"]
    assert harvest.rejected[0].startswith("vix.future of 2024-03-07: no settlement: 2 needs the contract of 2024-04-17")
    assert len(harvest.rejected) == 1


# --- the whole ---------------------------------------------------------------------------------------------------


def exchange(level: float = 15.0) -> FakeNet:
    """An exchange whose contract of each expiry settles at `level` plus a cent for each day of 2013-2040 up to that expiry."""

    def file(call: Call) -> object:
        expiry = parse_time(call.url[-14:-4])
        days = (expiry - n * DAY for n in range(270, -1, -1))
        return contract(*((iso(day)[:10], f"{level + (expiry - DAY * 15700) / DAY / 100:.4f}") for day in days if is_session("nyse", day)))

    fake = FakeNet().answer("GET", f"{FUTURE_FILES}/VX_", file)
    fake.answer("GET", f"{INDEX_FILES}/VIX_History.csv", vix("03/07/2024,14,15,13,14.4"))
    return fake.answer("GET", f"{INDEX_FILES}/VVIX_History.csv", b"DATE,VVIX\n03/07/2024,80.5\n")


def test_a_poll_brings_both_indices_and_the_curve_of_the_last_sessions_from_the_contracts_that_matter():
    fake = exchange()
    harvest = asyncio.run(CBOE.poll(ports(fake), Watch()))
    assert harvest.rejected == []
    assert CBOE.provides(Watch()) == {(r.metric, r.subject) for r in harvest.readings}
    assert {iso(r.at or 0)[:10] for r in harvest.readings if r.metric == "vix.future.30d"} >= {"2024-02-26", "2024-03-07"}
    assert fake.count("GET", FUTURE_FILES) == 4
    over_a_roll = exchange()
    asyncio.run(CBOE.poll(ports(over_a_roll, parse_time("2024-03-27")), Watch()))
    assert over_a_roll.count("GET", FUTURE_FILES) == 5


def test_before_the_files_of_today_are_there_nothing_is_missing():
    fake = exchange()
    fake.answer("GET", f"{FUTURE_FILES}/VX_", lambda call: contract(("2024-03-06", "15"), ("2024-03-07", "15")))
    assert asyncio.run(CBOE.poll(ports(fake, parse_time("2024-03-08T21:20:00Z")), Watch())).rejected == []


def test_a_file_that_fails_costs_what_it_would_have_brought_and_is_told():
    fake = exchange().answer("GET", f"{INDEX_FILES}/VVIX_History.csv", BadPayload("maintenance"))
    fake.answer("GET", f"{FUTURE_FILES}/VX_2024-03-20.csv", SourceError("HTTP 404"))
    harvest = asyncio.run(CBOE.poll(ports(fake), Watch()))
    assert {r.metric for r in harvest.readings} == {"vix.close", "vix.future.2", "vix.future.60d"}
    assert "maintenance" in harvest.rejected
    assert "VX 2024-03-20: HTTP 404" in harvest.rejected


def test_where_no_file_is_there_the_pass_has_failed():
    with pytest.raises(SourceError, match="HTTP 503"):
        asyncio.run(CBOE.poll(ports(FakeNet().answer("GET", "https://cdn.cboe.com/", SourceError("HTTP 503"))), Watch()))


def page(fake: FakeNet, stream: str, from_ms: int, to_ms: int) -> Page:
    return asyncio.run(CBOE.page(ports(fake, parse_time("2026-11-20")), Watch(), stream, from_ms, to_ms))


def test_history_goes_contract_by_contract_without_a_gap_or_an_overlap():
    start, end = parse_time("2023-12-01"), parse_time("2024-04-01")
    days: list[int] = []
    pages = 0
    following: int | None = start
    while following is not None:
        found = page(exchange(), "vix.future", following, end)
        assert found.harvest.rejected == []
        days += [r.at or 0 for r in found.harvest.readings if r.metric == "vix.future.30d"]
        pages, following = pages + 1, found.next_ms
    assert days == [day for day in range(start, end, DAY) if is_session("nyse", day)]
    assert pages == 5


def test_history_of_futures_begins_where_the_files_have_settlements():
    fake = exchange()
    found = page(fake, "vix.future", 0, parse_time("2013-08-01"))
    assert iso(found.harvest.readings[0].at or 0)[:10] == "2013-07-22"
    assert page(fake, "vix.future", 0, parse_time("2013-07-01")) == Page()


def test_an_index_comes_whole_in_one_page():
    fake = exchange().answer("GET", f"{INDEX_FILES}/VIX_History.csv", vix("01/02/1990,17.24,17.24,17.24,17.24", "01/03/1990,18,19,17,18"))
    found = page(fake, "vix.close", parse_time("1990-01-01"), parse_time("1990-01-03"))
    assert [(r.value, iso(r.at or 0)[:10]) for r in found.harvest.readings] == [(17.24, "1990-01-02")]
    assert found.next_ms is None
    assert page(fake, "vvix.close", 0, NOW).harvest.readings[0].value == 80.5


def test_every_file_can_come_from_elsewhere():
    sample = read_sample(SAMPLES / "cboe.daily.json")
    fake = FakeNet()
    for answer in sample.answers:
        fake.answer("GET", answer["url"].replace("https://cdn.cboe.com", "http://127.0.0.1:9/mirror"), answer["bytes"])
    mirrored = asyncio.run(Cboe(endpoint="http://127.0.0.1:9/mirror").poll(ports(fake, sample.now_ms), Watch()))
    assert mirrored == asyncio.run(sample.poll())


def test_on_a_curve_that_stands_still_the_raw_front_jumps_at_each_roll_and_the_constant_maturity_does_not():
    """The exchange's curve rises by a cent a day: 30 days slide by a cent a day, the front leaps by the whole month."""
    harvest = page(exchange(), "vix.future", parse_time("2024-01-02"), parse_time("2024-01-17")).harvest
    after = page(exchange(), "vix.future", parse_time("2024-01-17"), parse_time("2024-02-01")).harvest
    readings = [*harvest.readings, *after.readings]
    levels = {name: [(r.at or 0, float(r.value)) for r in readings if r.metric == f"vix.future.{name}"] for name in ("1", "30d", "60d")}
    leaps = {name: max(abs(b - a - (u - t) / DAY / 100) for (t, a), (u, b) in pairwise(line)) for name, line in levels.items()}
    assert leaps["30d"] < 1e-9
    assert leaps["60d"] < 1e-9
    assert leaps["1"] > 0.2
