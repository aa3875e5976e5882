"""Beta against numpy's own least squares, against an independent library's recorded values, and at its edges."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.beta import Beta, beta

RETURNS = st.lists(st.tuples(st.floats(-0.2, 0.2), st.floats(-0.1, 0.1)), min_size=5, max_size=80)


@given(RETURNS)
def test_it_is_the_slope_of_least_squares_with_its_standard_error(rows: list[tuple[float, float]]):
    y, x = np.array(rows).T
    if np.ptp(x) < 1e-3:
        x = np.linspace(-0.1, 0.1, len(y))
    design = np.column_stack((np.ones_like(x), x))
    (_, slope), *_ = np.linalg.lstsq(design, y, rcond=None)
    residuals = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    error = np.sqrt(residuals @ residuals / (len(y) - 2) * np.linalg.inv(design.T @ design)[1, 1])
    found = beta(y, x)
    assert found.value == pytest.approx(slope, rel=1e-9, abs=1e-9)
    assert found.error == pytest.approx(error, rel=1e-6, abs=1e-9)


def test_it_equals_an_independent_library(recorded_data: Path):
    rows = json.loads((recorded_data / "skender-stock-indicators" / "results" / "beta.standard.json").read_text())
    known = [n for n, row in enumerate(rows) if row["beta"] is not None]
    assert len(known) > 400
    for n in known:
        window = rows[n - 49 : n + 1]
        found = beta([row["returnsEval"] for row in window], [row["returnsMrkt"] for row in window])
        assert found.value == pytest.approx(rows[n]["beta"], abs=1e-9)


def test_an_asset_that_is_the_market_twice_over_has_beta_two_without_error():
    market = [0.01, -0.02, 0.03, 0.0]
    assert beta([2 * move + 0.001 for move in market], market) == pytest.approx(Beta(2.0, 0.0), abs=1e-12)


@pytest.mark.parametrize(
    ("asset", "market", "why"),
    [
        ([0.1, 0.2], [0.1, 0.2], "at least 3"),
        ([0.1, 0.2, 0.3], [0.1, 0.2], "same length"),
        ([0.1, 0.2, float("nan")], [0.1, 0.2, 0.3], "not finite"),
        ([0.1, 0.2, 0.3], [0.1, 0.1, 0.1], "has not moved"),
    ],
)
def test_what_has_no_slope_is_refused(asset: list[float], market: list[float], why: str):
    with pytest.raises(ValueError, match=why):
        beta(asset, market)
