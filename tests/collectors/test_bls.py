"""BLS: what is a month, what is no value, and when a level was known."""

import asyncio
from pathlib import Path
from random import Random

import pytest

from monitor.collectors.bls import SERIES, Bls, parse
from monitor.core.book import Watch
from monitor.core.decode import decode_json
from monitor.core.observation import Reading
from monitor.core.secret import Secret
from monitor.core.units import iso, parse_time
from monitor.errors import BadPayload, SourceError
from monitor.source import Ports
from tests.collectors.sample import SAMPLES, StillClock, read_sample
from tests.fakes import FakeNet

NOW = parse_time("2026-11-20T12:00:00Z")
SAMPLE = SAMPLES / "bls.levels.json"


def body(*rows: dict[str, object], series: str = "CUUR0000SA0", status: str = "REQUEST_SUCCEEDED") -> dict[str, object]:
    found = [{"seriesID": name, "data": list(rows) if name == series else []} for name in SERIES]
    return {"status": status, "responseTime": 1, "message": [], "Results": {"series": found}}


def row(month: str, value: str, code: str = "") -> dict[str, object]:
    return {"year": month[:4], "period": f"M{month[5:]}", "periodName": "x", "value": value, "footnotes": [{"code": code} if code else {}]}


def ports(fake: FakeNet, now_ms: int = NOW) -> Ports:
    return Ports(net=fake, clock=StillClock(now_ms), rng=Random(0))


def polled(answer: object, now_ms: int = NOW) -> dict[tuple[str, str], tuple[float, str]]:
    fake = FakeNet().answer("POST", "https://api.bls.gov/", answer)
    readings: list[Reading] = list(asyncio.run(Bls().poll(ports(fake, now_ms), Watch())).readings)
    return {(r.metric, iso(r.at or 0)[:7]): (r.value, iso(r.known_at or 0)) for r in readings}


def test_a_level_is_known_from_its_release_on() -> None:
    """F-083: dated on the first of its month, known only when it was released."""
    assert polled(body(row("2026-10", "337.912"))) == {("macro.cpi", "2026-10"): (337.912, "2026-11-10T13:30:00Z")}


def test_a_level_seen_before_its_scheduled_release_is_known_when_it_is_received() -> None:
    """F-081: an early release is not said to come from the future."""
    early = parse_time("2026-11-10T13:29:00Z")
    assert polled(body(row("2026-10", "337.912")), early) == {("macro.cpi", "2026-10"): (337.912, iso(early))}


def test_a_level_whose_release_no_calendar_knows_is_known_when_it_is_received() -> None:
    assert polled(body(row("2024-12", "145.1", "P"), series="WPUFD4"))["macro.ppi", "2024-12"][1] == iso(NOW)


@pytest.mark.parametrize(
    ("code", "known"),
    [
        pytest.param("P", "2026-07-15T12:30:00Z", id="the first print, with its month's release"),
        pytest.param("", "2026-11-13T13:30:00Z", id="the final one, with the release four months later"),
    ],
)
def test_a_revised_ppi_is_a_print_of_its_own(code: str, known: str) -> None:
    """F-082: the revision of June comes with October's release and must not be known in July."""
    assert polled(body(row("2026-06", "156.310", code), series="WPUFD4")) == {("macro.ppi", "2026-06"): (156.31, known)}


@pytest.mark.parametrize(
    ("month", "known"),
    [
        pytest.param("2026-10", "2026-11-10T13:30:00Z", id="not adjusted anew yet"),
        pytest.param("2025-12", "2026-02-13T13:30:00Z", id="adjusted anew with January"),
        pytest.param("2024-06", "2026-02-13T13:30:00Z", id="adjusted anew twice"),
        pytest.param("2020-06", "2025-02-12T13:30:00Z", id="adjusted anew for the last time"),
        pytest.param("2011-06", "2026-11-20T12:00:00Z", id="so long ago that no calendar knows when"),
    ],
)
def test_f_082_an_adjusted_cpi_is_known_from_the_release_that_last_adjusted_it(month: str, known: str) -> None:
    assert polled(body(row(month, "330.1"), series="CUSR0000SA0")) == {("macro.cpi_sa", month): (330.1, known)}


@pytest.mark.parametrize("written", ["-", ".", "", " - "])
def test_a_month_without_a_value_has_none_and_nothing_stands_in(written: str) -> None:
    """F-080, F-084: October 2025 was never published; that is neither zero nor an error."""
    prints, rejected = parse(body(row("2025-10", written, "X"), row("2025-09", "324.800")))
    assert [(iso(p.month)[:7], p.level) for p in prints] == [("2025-09", 324.8), ("2025-10", None)]
    assert rejected == []
    assert list(polled(body(row("2025-10", written, "X"), row("2025-09", "324.800")))) == [("macro.cpi", "2025-09")]


@pytest.mark.parametrize("written", ["n/a", "1_000", "NaN", "-5-", "324,8"])
def test_a_value_that_is_neither_a_number_nor_a_known_blank_is_refused(written: str) -> None:
    """F-084"""
    prints, rejected = parse(body(row("2025-09", written)))
    assert prints == []
    assert len(rejected) == 1
    assert "CUUR0000SA0" in rejected[0]


def test_the_average_of_a_year_is_no_month() -> None:
    assert parse(body(row("2025-13", "321.9"))) == ([], [])


@pytest.mark.parametrize("status", ["REQUEST_NOT_PROCESSED", "REQUEST_FAILED", "REQUEST_NOT_PROCESSED_INVALID_KEY"])
def test_a_refusal_with_status_200_is_a_source_that_must_wait(status: str) -> None:
    """F-085: BLS answers 200 when the day's quota is used up; its empty result must not be read as no news."""
    with pytest.raises(SourceError, match=status) as caught:
        parse(body(status=status))
    assert caught.value.retry_after_seconds == 3600


@pytest.mark.parametrize("status", ["", "OK", "<html>", "REQUEST_" + "X" * 41])
def test_a_status_that_bls_does_not_have_is_a_bad_payload(status: str) -> None:
    """F-085"""
    with pytest.raises(BadPayload):
        parse(body(status=status))


def test_a_series_that_is_not_in_the_answer_is_named() -> None:
    answer = body(row("2026-10", "337.912"))
    answer["Results"] = {"series": answer["Results"]["series"][:1]}  # type: ignore[index]  # an object of this test's own making
    prints, rejected = parse(answer)
    assert len(prints) == 1
    assert rejected == ["CUSR0000SA0: the series is not in the answer", "WPUFD4: the series is not in the answer"]


@pytest.mark.parametrize(("key", "version"), [("", "v1"), ("k" * 32, "v2")])
def test_a_key_goes_into_the_body_and_never_into_the_url(key: str, version: str) -> None:
    """INV-8"""
    fake = FakeNet().answer("POST", "https://api.bls.gov/", body(row("2026-10", "337.912")))
    collector = Bls(key=Secret(key))
    asyncio.run(collector.poll(ports(fake), Watch()))
    asked = {"seriesid": ["CUUR0000SA0", "CUSR0000SA0", "WPUFD4"], "startyear": "2024", "endyear": "2026"}
    url = f"https://api.bls.gov/publicAPI/{version}/timeseries/data/"
    assert [(call.url, call.body) for call in fake.calls] == [(url, asked | ({"registrationkey": key} if key else {}))]
    assert key == "" or key not in repr(collector)


def test_history_comes_ten_years_at_a_time_and_lets_a_final_level_stand_for_its_first_print() -> None:
    final = row("2022-05", "138.1")
    fake = FakeNet().answer("POST", "https://api.bls.gov/", body(final, row("2021-12", "131.0"), series="WPUFD4"))
    page = asyncio.run(Bls().page(ports(fake), Watch(), "prints", parse_time("2013-06-01"), NOW))
    assert fake.calls[0].body == {"seriesid": ["CUUR0000SA0", "CUSR0000SA0", "WPUFD4"], "startyear": "2013", "endyear": "2022"}
    assert page.next_ms == parse_time("2023-01-01")
    assert [(iso(r.at or 0)[:7], iso(r.known_at or 0)) for r in page.harvest.readings] == [
        ("2021-12", "2022-01-13T13:30:00Z"),
        ("2022-05", "2022-06-14T12:30:00Z"),
    ]
    assert asyncio.run(Bls().page(ports(fake), Watch(), "prints", parse_time("2023-01-01"), NOW)).next_ms is None


def test_without_a_key_the_cadence_stays_within_the_twenty_five_requests_of_a_day() -> None:
    assert 24 * 3_600_000 / Bls().cadence < 25 * 0.8


@pytest.mark.parametrize(("key", "requests"), [("", 25), ("k" * 32, 500)])
def test_f_085_the_pause_between_two_polls_spreads_the_quota_over_the_day(key: str, requests: int) -> None:
    assert 24 * 3_600_000 / Bls(key=Secret(key)).pause_ms == requests


def test_the_probe_tells_the_newest_month_and_the_month_that_never_was() -> None:
    """F-080"""
    sample = read_sample(SAMPLE)
    line = asyncio.run(Bls().probe(sample.ports(), sample.watch))
    assert line == (
        "macro.cpi 2026-10 337.912, without a value: 2025-10 (never published); macro.cpi_sa 2026-10 338.22; macro.ppi 2026-10 158.204; "
        "CPI of 2026-11 scheduled, for 2026-12-10T13:30:00Z; PPI of 2026-11 scheduled, for 2026-12-15T13:30:00Z"
    )


@pytest.mark.parametrize(
    ("name", "levels", "missing"),
    [
        ("v1_CUUR0000SA0_real_trimmed", [("2026-04", 333.02), ("2026-05", 335.123)], ["CUSR0000SA0", "WPUFD4"]),
        ("v2_OEUN_dash_value_and_messages_real", [], ["CUUR0000SA0", "CUSR0000SA0", "WPUFD4"]),
        ("v2_LAUST08_preliminary_footnote_real_trimmed", [], ["CUUR0000SA0", "CUSR0000SA0", "WPUFD4"]),
    ],
)
def test_bodies_that_bls_really_sent_are_understood(recorded_data: Path, name: str, levels: list[tuple[str, float]], missing: list[str]) -> None:
    prints, rejected = parse(decode_json((recorded_data / "bls-samples" / f"{name}.json").read_bytes()))
    assert [(iso(p.month)[:7], p.level) for p in prints] == levels
    assert rejected == [f"{series}: the series is not in the answer" for series in missing]
