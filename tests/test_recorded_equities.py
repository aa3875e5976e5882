"""The recorded files of VIX and the S&P 500, read by what reads the live ones."""

import csv
from pathlib import Path

import numpy as np
import pytest

from monitor.collectors.cboe import index_readings
from monitor.core.indicators import macd
from monitor.core.sessions import is_session, last_of_week, ordinals
from monitor.core.trends import contracting, zero_crossing
from monitor.core.units import iso, parse_time
from monitor.daily_csv import table


def test_the_whole_vix_file_is_read_and_only_the_quotes_of_holidays_are_left_out(recorded_data: Path):
    rows = table((recorded_data / "datasets-finance-vix" / "vix-daily.csv").read_bytes(), ("DATE", "HIGH", "LOW", "CLOSE"))
    harvest = index_readings(rows, "vix.close", 0, parse_time("2024-01-05"))
    assert harvest.rejected == []
    assert len(rows) - len(harvest.readings) == 13
    assert {iso(r.at or 0)[:10]: r.value for r in harvest.readings}["2020-03-16"] == 82.69


def test_the_sessions_of_the_index_have_no_hole_and_weeks_warn_a_fifth_of_the_time(recorded_data: Path):
    with (recorded_data / "datasets-s-and-p-500" / "fred_sp500_daily.csv").open() as file:
        closes = {parse_time(row["observation_date"]): row["SP500"] for row in csv.DictReader(file)}
    at = np.array([day for day, close in closes.items() if is_session("nyse", day)])
    value = np.array([float(closes[day]) for day in at])
    assert set(np.diff(ordinals("nyse", at)).tolist()) == {1}
    lines = macd(value[last_of_week("nyse", at)])
    crossed, compressed = (zero_crossing(lines.macd) != 0)[60:], contracting(lines.histogram)[60:]
    assert (len(crossed), int(crossed.sum()), int(compressed.sum())) == (352, 6, 73)
    assert float((crossed | compressed).mean()) == pytest.approx(0.224, abs=0.001)
