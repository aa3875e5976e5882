"""The US calendar: pages read strictly, the table beneath them, and releases that move."""

import asyncio
from random import Random

import pytest

from monitor.collectors.us_calendar import Scheduled, UsCalendar, merged, parse_bls, parse_fed
from monitor.core.book import Watch
from monitor.core.door import admit
from monitor.core.units import DAY, iso, parse_time
from monitor.core.us_calendar import EVENTS
from monitor.errors import BadPayload, SourceError
from monitor.source import Ports
from tests.collectors.sample import SAMPLES, StillClock, read_sample
from tests.fakes import FakeNet

NOW = parse_time("2026-11-20T12:00:00Z")
CPI_OCTOBER = parse_time("2026-10-01")
SCHEDULED = parse_time("2026-12-10T13:30:00Z")
MOVED = parse_time("2026-12-17T13:30:00Z")


def rows(live: list[Scheduled], now_ms: int = NOW, event: str = "CPI") -> list[tuple[str, float, str]]:
    return [(iso(r.at or 0), r.value, iso(r.known_at or 0)) for r in merged(live, now_ms) if r.subject == event]


def ports(fake: FakeNet, now_ms: int = NOW) -> Ports:
    return Ports(net=fake, clock=StillClock(now_ms), rng=Random(0))


DOWN = FakeNet().answer("GET", "https://", SourceError("bls.gov answered with status 403", status=403))


def test_the_table_alone_gives_what_stands_known_28_days_before_or_since_it_was_compiled() -> None:
    assert rows([]) == [("2026-12-10T13:30:00Z", 1, "2026-11-12T13:30:00Z")]
    assert rows([], event="FOMC")[:2] == [
        ("2026-12-09T19:00:00Z", 1, "2026-11-11T19:00:00Z"),
        ("2027-01-27T19:00:00Z", 1, "2026-11-20T00:00:00Z"),
    ]


@pytest.mark.parametrize(
    ("month", "at"),
    [
        pytest.param(parse_time("2026-11-01"), MOVED, id="by its reference month"),
        pytest.param(parse_time("2026-11-01"), SCHEDULED + 60 * DAY, id="by its reference month, however far"),
        pytest.param(None, MOVED, id="by nearness, where the page names no month"),
        pytest.param(None, SCHEDULED + 14 * DAY, id="14 days are near"),
    ],
)
def test_a_release_that_moved_is_withdrawn_where_it_was_and_stands_where_it_is(month: int | None, at: int) -> None:
    """F-081"""
    assert rows([Scheduled("CPI", at, month)]) == [(iso(SCHEDULED), 0, iso(NOW)), (iso(at), 1, iso(NOW))]


@pytest.mark.parametrize(
    "live",
    [
        pytest.param([], id="no page"),
        pytest.param([Scheduled("CPI", SCHEDULED, None)], id="the page agrees"),
        pytest.param([Scheduled("CPI", SCHEDULED + 14 * DAY + 1, None)], id="another release, too far to be this one"),
        pytest.param([Scheduled("CPI", MOVED, parse_time("2026-12-01"))], id="another month"),
        pytest.param([Scheduled("PPI", MOVED, parse_time("2026-11-01"))], id="another event"),
    ],
)
def test_a_release_that_no_page_shows_elsewhere_stands(live: list[Scheduled]) -> None:
    """F-081: a page that lost a row must not lift the blackout."""
    assert (iso(SCHEDULED), 1, "2026-11-12T13:30:00Z") in rows(live)


def test_a_release_beyond_the_table_is_known_when_it_is_read() -> None:
    at = parse_time("2027-02-10T13:30:00Z")
    assert (iso(at), 1, iso(NOW)) in rows([Scheduled("CPI", at, parse_time("2027-01-01"))])


def test_an_event_of_a_week_ago_is_still_told_and_an_older_one_is_not() -> None:
    instant = parse_time("2026-11-10T13:30:00Z")
    assert iso(instant) in {row[0] for row in rows([], instant + 7 * DAY)}
    assert iso(instant) not in {row[0] for row in rows([], instant + 7 * DAY + 1)}


def test_what_is_emitted_passes_the_door() -> None:
    readings = merged([Scheduled("CPI", MOVED, parse_time("2026-11-01"))], NOW)
    assert admit(readings, source="us-calendar", received_at=NOW).rejections == ()


def test_the_pages_are_read_in_new_york_time() -> None:
    """F-087: the same 08:30 is 13:30 UTC in winter; a stamp in Z is UTC; other releases and notation votes are left out."""
    bls = parse_bls((SAMPLES / "us_calendar.ics").read_bytes())
    assert [(row.event, iso(row.at_ms), iso(row.month)[:7] if row.month else None) for row in bls] == [
        ("PPI", "2026-11-13T13:30:00Z", "2026-10"),
        ("CPI", "2026-12-17T13:30:00Z", "2026-11"),
        ("PPI", "2026-12-15T13:30:00Z", None),
        ("CPI", "2027-01-14T13:30:00Z", "2026-12"),
    ]
    fed = parse_fed((SAMPLES / "us_calendar.html").read_bytes())
    decided = ["2026-10-28T18:00:00Z", "2026-12-09T19:00:00Z", "2027-01-27T19:00:00Z", "2027-05-01T18:00:00Z"]
    assert [iso(row.at_ms) for row in fed] == decided


def event(summary: str, start: str, *more: str) -> bytes:
    return "\r\n".join(["BEGIN:VEVENT", f"DTSTART{start}", f"SUMMARY:{summary}", *more, "END:VEVENT", ""]).encode()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>Access Denied</html>", id="a page that blocks us"),
        pytest.param(event("Consumer Price Index", ";VALUE=DATE:20261210"), id="a day without a time"),
        pytest.param(event("Consumer Price Index", ":20261310T083000"), id="month 13"),
        pytest.param(event("Consumer Price Index for All Urban Areas", ":20261210T083000"), id="another release of a like name"),
        pytest.param(event("Consumer Price Index", ":20261210T083000", "STATUS:CANCELLED"), id="cancelled"),
    ],
)
def test_a_calendar_without_a_release_that_can_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(BadPayload, match="no CPI or PPI"):
        parse_bls(body)


@pytest.mark.parametrize("body", [b"", b"2026 FOMC Meetings", b"fomc-meeting__month><strong>May</strong> fomc-meeting__date>1-2<"])
def test_a_page_without_a_meeting_is_refused(body: bytes) -> None:
    with pytest.raises(BadPayload, match="no FOMC meeting"):
        parse_fed(body)


def test_pages_that_cannot_be_read_leave_the_table_and_a_reason() -> None:
    harvest = asyncio.run(UsCalendar().poll(ports(DOWN), Watch()))
    assert {reading.subject for reading in harvest.readings} == set(EVENTS)
    assert list(harvest.rejected) == ["bls.gov answered with status 403; the packaged calendar stands in"] * 2


@pytest.mark.parametrize(
    ("now", "warned"),
    [("2026-10-11T13:30:00Z", False), ("2026-10-11T13:30:01Z", True)],
)
def test_the_probe_warns_below_sixty_days_ahead(now: str, warned: bool) -> None:
    line = asyncio.run(UsCalendar().probe(ports(DOWN, parse_time(now)), Watch()))
    assert ("WARNING: CPI is known for 59 days only" in line) is warned


def test_the_probe_fails_when_nothing_is_ahead() -> None:
    with pytest.raises(BadPayload, match="no release of CPI, PPI is known ahead"):
        asyncio.run(UsCalendar().probe(ports(DOWN, parse_time("2027-01-01")), Watch()))


def test_pages_extend_the_reach_of_the_table() -> None:
    sample = read_sample(SAMPLES / "us_calendar.pages.json")
    line = asyncio.run(UsCalendar().probe(sample.ports(), sample.watch))
    assert "CPI 55 days ahead" in line


def test_history_is_the_table_by_the_rule_of_28_days() -> None:
    page = asyncio.run(UsCalendar().page(ports(DOWN), Watch(), "calendar", parse_time("2022-05-01"), parse_time("2022-06-01")))
    assert [(r.subject, iso(r.at or 0), r.known_at) for r in page.harvest.readings] == [
        ("FOMC", "2022-05-04T18:00:00Z", None),
        ("CPI", "2022-05-11T12:30:00Z", None),
        ("PPI", "2022-05-12T12:30:00Z", None),
    ]


def test_history_holds_nothing_that_is_not_yet_announced() -> None:
    page = asyncio.run(UsCalendar().page(ports(DOWN), Watch(), "calendar", parse_time("2026-11-01"), parse_time("2030-01-01")))
    assert max(r.at or 0 for r in page.harvest.readings) < NOW + 28 * DAY
    assert admit(list(page.harvest.readings), source="us-calendar", received_at=NOW).rejections == ()
