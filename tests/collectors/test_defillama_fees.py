"""DefiLlama's fees: days that are over, names that vanish, history in one answer."""

import asyncio
from random import Random

import pytest

from monitor.collectors.defillama_fees import DefiLlamaFees, parse
from monitor.core.book import Watch
from monitor.core.units import DAY, HOUR, parse_time
from monitor.errors import BadPayload, SourceError
from monitor.source import Harvest, Page, Ports
from tests.collectors.sample import StillClock
from tests.fakes import FakeNet

RECEIVED = parse_time("2026-11-20T12:00:00Z")
TODAY = parse_time("2026-11-20")
URL = "https://api.llama.fi/summary/fees/"
WATCH = Watch(tvl_subjects=("protocol:x", "protocol:y", "protocol:x@base", "chain:base"))


def body(*rows: tuple[int, object]) -> dict[str, object]:
    return {"totalDataChart": [[at // 1000, value] for at, value in rows]}


def read(*rows: tuple[int, object]) -> Harvest:
    return parse(body(*rows), "protocol:x", RECEIVED, RECEIVED - 7 * DAY)


def ports(fake: FakeNet) -> Ports:
    return Ports(net=fake, clock=StillClock(RECEIVED), rng=Random(0))


def poll(fake: FakeNet) -> Harvest:
    return asyncio.run(DefiLlamaFees().poll(ports(fake), WATCH))


def test_a_day_that_is_not_over_is_never_given() -> None:
    """F-038"""
    harvest = read((TODAY - 2 * DAY, 5.0), (TODAY - DAY, 6.0), (TODAY, 1.0), (RECEIVED, 2.0))
    assert [(reading.at, reading.value) for reading in harvest.readings] == [(TODAY - 2 * DAY, 5.0), (TODAY - DAY, 6.0)]
    assert harvest.rejected == []


def test_a_day_is_over_at_its_midnight_and_not_a_second_before() -> None:
    for late, days in ((0, 1), (-1000, 0)):
        assert len(parse(body((TODAY, 5.0)), "protocol:x", TODAY + DAY + late, 0).readings) == days


def test_zero_fees_are_a_value_and_null_is_none() -> None:
    """F-034"""
    harvest = read((TODAY - 3 * DAY, 0), (TODAY - 2 * DAY, None), (TODAY - DAY, 6.0))
    assert [reading.value for reading in harvest.readings] == [0.0, 6.0]
    assert harvest.rejected == ["protocol:x 2026-11-18: 1: expected a number, got None"]


@pytest.mark.parametrize(("shift", "kept"), [(2 * HOUR, True), (-2 * HOUR, True), (2 * HOUR + 1000, False), (12 * HOUR, False)])
def test_a_day_that_begins_up_to_two_hours_off_is_that_day_and_no_further(shift: int, kept: bool) -> None:
    """F-038"""
    harvest = read((TODAY - 3 * DAY + shift, 5.0))
    assert [reading.at for reading in harvest.readings] == ([TODAY - 3 * DAY] if kept else [])
    assert bool(harvest.rejected) is not kept


def test_a_second_row_of_one_day_is_left_out_and_counted() -> None:
    """F-038"""
    harvest = read((TODAY - 2 * DAY, 5.0), (TODAY - 2 * DAY + HOUR, 6.0))
    assert [reading.value for reading in harvest.readings] == [5.0]
    assert harvest.rejected == ["protocol:x: two rows of the day 2026-11-18, the later one is left out"]


def test_times_that_cannot_be_are_refused() -> None:
    """F-011"""
    harvest = parse({"totalDataChart": [[TODAY - DAY, 5.0], [1, 5.0]]}, "protocol:x", RECEIVED, 0)
    assert harvest.readings == []
    assert harvest.rejected == ["protocol:x: the time of a row is none in seconds that can be"] * 2


def test_an_empty_series_is_refused_by_name() -> None:
    """F-034"""
    with pytest.raises(BadPayload, match="protocol:x: the series is empty"):
        read()
    with pytest.raises(BadPayload, match="protocol:x: totalDataChart is missing"):
        parse({"message": "?"}, "protocol:x", RECEIVED, 0)


@pytest.mark.parametrize("status", [400, 404])
def test_f_034_a_protocol_that_defillama_does_not_know_is_named_and_the_others_come(status: int) -> None:
    fake = FakeNet().answer("GET", URL + "x", SourceError("no", status=status)).answer("GET", URL + "y", body((TODAY - DAY, 6.0)))
    harvest = poll(fake)
    assert [(reading.subject, reading.value) for reading in harvest.readings] == [("protocol:y", 6.0)]
    assert harvest.rejected == ["protocol:x: DefiLlama knows nothing called 'x' here (renamed, split, or never counted?)"]
    assert fake.calls[0].params == {"dataType": "dailyFees"}


def test_an_outage_is_an_outage_and_no_unknown_name() -> None:
    with pytest.raises(SourceError, match="down"):
        poll(FakeNet().answer("GET", URL, SourceError("down", status=503)))


def test_history_comes_whole_between_its_bounds() -> None:
    rows = [(TODAY - n * DAY, float(n)) for n in range(400, 0, -1)]
    fake = FakeNet().answer("GET", URL, body(*rows))
    collector = DefiLlamaFees()
    assert collector.streams(WATCH) == ("fees.daily_usd/protocol:x", "fees.daily_usd/protocol:y")
    page = asyncio.run(collector.page(ports(fake), WATCH, "fees.daily_usd/protocol:y", TODAY - 300 * DAY, TODAY - 298 * DAY))
    assert page == Page(page.harvest, None)
    assert [(r.subject, r.value) for r in page.harvest.readings] == [("protocol:y", 300.0), ("protocol:y", 299.0)]
