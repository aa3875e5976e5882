"""The converted recordings pass the door whole and hold the landmarks that their own notes name."""

import csv
from pathlib import Path

import pytest

from monitor.core.door import admit
from monitor.core.observation import Observation, Reading
from monitor.core.units import DAY, HOUR, iso, parse_time
from monitor.core.us_calendar import releases
from tests import recorded

RECEIVED = parse_time("2026-11-20")


def admitted(path: Path) -> list[Observation]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    readings = [
        Reading(
            row["metric"],
            row["subject"],
            float(row["value"]),
            parse_time(row["at"]),
            parse_time(row["known_at"]) if row["known_at"] else None,
            row["source"],
        )
        for row in rows
    ]
    admission = admit(readings, source="import", received_at=RECEIVED)
    assert admission.rejections == ()
    assert len(admission.observations) == len(rows) > 0
    return list(admission.observations)


@pytest.mark.parametrize(("day", "change"), [("2020-03-14", -0.335), ("2022-05-13", -0.220), ("2022-11-10", -0.212), ("2023-03-11", -0.052)])
def test_the_tvl_of_ethereum_falls_as_it_did(recorded_data: Path, tmp_path: Path, day: str, change: float) -> None:
    tvl = {o.at: o.value for o in admitted(recorded.tvl_csv(recorded_data, tmp_path))}
    at = parse_time(day)
    assert tvl[at] / tvl[at - 2 * DAY] - 1 == pytest.approx(change, abs=0.0005)
    assert len(tvl) == (max(tvl) - min(tvl)) // DAY + 1


def test_a_print_is_known_at_its_release_and_never_before(recorded_data: Path, tmp_path: Path) -> None:
    cpi = {iso(o.at)[:7]: o for o in admitted(recorded.cpi_csv(recorded_data, tmp_path))}
    assert iso(cpi["2022-04"].known_at) == "2022-05-11T12:30:00Z"
    assert cpi["2022-06"].value == 296.311
    assert cpi["2018-11"].known_at - cpi["2018-11"].at == 45 * DAY
    assert iso(cpi["2018-12"].known_at) == "2019-01-11T13:30:00Z"
    assert min(cpi) == "2017-01"


def test_a_ppi_before_the_recorded_releases_is_only_the_base_of_a_year(recorded_data: Path, tmp_path: Path) -> None:
    ppi = {iso(o.at)[:7]: o for o in admitted(recorded.ppi_csv(recorded_data, tmp_path))}
    assert iso(ppi["2022-05"].known_at) == "2022-06-14T12:30:00Z"
    assert ppi["2019-11"].known_at - ppi["2019-11"].at == 45 * DAY
    assert iso(ppi["2019-12"].known_at) == "2020-01-15T13:30:00Z"


def test_the_packaged_calendar_holds_every_recorded_release(recorded_data: Path, tmp_path: Path) -> None:
    events = admitted(recorded.releases_csv(recorded_data, tmp_path))
    packaged = {(event, release.at_ms) for event in ("CPI", "PPI", "FOMC") for release in releases(event)}
    assert {(o.subject, o.at) for o in events} <= packaged
    assert len(events) == 198
    assert all(o.at - o.known_at == 28 * DAY for o in events)


@pytest.mark.parametrize(("as_perp", "subject"), [(False, "spot:ETH"), (True, "ETH")])
def test_the_candles_hold_their_lows(recorded_data: Path, tmp_path: Path, as_perp: bool, subject: str) -> None:
    candles = admitted(recorded.candles_csv(recorded_data, tmp_path, asset="ETH", as_perp=as_perp))
    lows = [o for o in candles if o.metric == "candle.4h.low" and iso(o.at).startswith("2022-06-18")]
    assert min(o.value for o in lows) == 881.56
    assert {o.subject for o in candles} == {subject}


@pytest.mark.parametrize(("venue", "hours"), [("binance", {0, 8, 16}), ("gate", {0, 8, 16}), ("kucoin", {4, 12, 20}), ("dydx", set(range(24)))])
def test_funding_settles_at_the_hours_of_its_venue_in_utc(recorded_data: Path, tmp_path: Path, venue: str, hours: set[int]) -> None:
    funding = admitted(recorded.funding_csv(recorded_data, tmp_path, venue=venue, asset="BTC"))
    assert {o.at % DAY // HOUR for o in funding} == hours
    assert {o.value for o in funding if o.metric == "funding.interval_hours"} == {24 / len(hours)}


def test_the_lowest_funding_of_march_2020_stands_where_it_was_paid(recorded_data: Path, tmp_path: Path) -> None:
    funding = admitted(recorded.funding_csv(recorded_data, tmp_path, venue="binance", asset="BTC"))
    lowest = min((o for o in funding if o.metric == "funding.rate"), key=lambda o: o.value)
    assert (iso(lowest.at), lowest.value) == ("2020-03-13T08:00:00Z", -0.003)


def test_the_vix_and_the_index_close_where_their_notes_say(recorded_data: Path, tmp_path: Path) -> None:
    vix = {iso(o.at)[:10]: o for o in admitted(recorded.vix_csv(recorded_data, tmp_path))}
    spx = {iso(o.at)[:10]: o for o in admitted(recorded.spx_csv(recorded_data, tmp_path))}
    assert (vix["2020-03-16"].value, spx["2020-03-23"].value, spx["2022-06-13"].value) == (82.69, 2237.40, 3749.63)
    assert iso(vix["2020-03-16"].known_at) == "2020-03-16T21:15:00Z"
    assert "2022-07-04" not in spx and "2022-07-05" in spx


def test_the_volatility_index_is_true_at_the_end_of_its_hour(recorded_data: Path, tmp_path: Path) -> None:
    dvol = admitted(recorded.dvol_csv(recorded_data, tmp_path))
    assert iso(dvol[0].at) == "2021-03-24T01:00:00Z" and dvol[0].value == 84.88
    highest = max(dvol, key=lambda o: o.value)
    assert iso(highest.at)[:7] == "2021-05" and highest.value <= 167.83


def test_lending_rates_are_fractions_of_their_days_and_a_debt_is_simple(recorded_data: Path, tmp_path: Path) -> None:
    rates = admitted(recorded.lending_csv(recorded_data, tmp_path))
    day = {(o.metric, o.subject): o.value for o in rates if iso(o.at).startswith("2020-03-13")}
    assert day["lending.supply_apy", "lending:ethereum/compound/DAI"] == pytest.approx(0.1384, abs=5e-5)
    assert 0 < day["lending.borrow_apr", "lending:ethereum/compound/DAI"] < 0.3
    assert [o.at for o in rates] == sorted(o.at for o in rates)
    assert max(o.value for o in rates if o.metric == "lending.borrow_apr") < 2


def test_what_rules_are_measured_on_is_written(recorded_data: Path, tmp_path: Path) -> None:
    files = recorded.for_rules(recorded_data, tmp_path / "rules")
    assert len(files) == len(set(files)) == 16


def test_everything_for_a_replay_is_written(recorded_data: Path, tmp_path: Path) -> None:
    files = recorded.everything(recorded_data, tmp_path / "import")
    assert len(files) == len(set(files)) == 16
    assert all(path.read_text(encoding="utf-8").startswith("metric,subject,source,at,known_at,value\n") for path in files)
