"""valuation-compression and cap-rotation: several sources, thin windows, settings."""

import pytest
from pydantic import ValidationError

from monitor.core.observation import Observation
from monitor.core.units import DAY, HOUR
from monitor.core.verdict import State, Unknown
from monitor.registry import build
from monitor.rules.cap_rotation import CapRotation
from monitor.rules.valuation_compression import ValuationCompression
from tests.builders import START, series, view_of

X = "protocol:x"
FEES, CAP = "fees.daily_usd", "market_cap.usd"


def fees(values: list[float], *, source: str = "llama", end: int = START - DAY) -> list[Observation]:
    return series(FEES, X, values, step_ms=DAY, source=source, end=end)


def caps(values: list[float], *, subject: str = X, source: str = "gecko", end: int = START) -> list[Observation]:
    return series(CAP, subject, values, step_ms=DAY, source=source, end=end)


def test_a_source_that_cannot_answer_leaves_it_to_the_next():
    rows = [*fees([1.0] * 5, source="a"), *fees([100.0] * 125), *caps([1.0] * 5, source="a"), *caps([365_000.0] * 100)]
    verdict = ValuationCompression().judge(view_of(*rows), X)
    assert (verdict.state, verdict.value) == (State.QUIET, 1.0)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "nobody has given the fees of protocol:x yet"),
        (fees([100.0] * 125), "nobody has given the market cap of protocol:x yet"),
        ([*fees([100.0] * 125), *caps([1.0] * 20)], "20 of 90 expected samples"),
        ([*fees([100.0] * 60), *caps([1.0] * 120)], "34 of 90 expected samples"),
    ],
)
def test_what_is_missing_is_named(rows: list[Observation], said: str):
    with pytest.raises(Unknown, match=said):
        ValuationCompression().judge(view_of(*rows), X)


def test_days_of_the_median_without_fees_are_no_ratio_of_infinity():
    rows = [*fees([0.0] * 30 + [100.0] * 100), *caps([365_000.0] * 130)]
    verdict = ValuationCompression().judge(view_of(*rows), X)
    assert verdict.value is not None and 0 < verdict.value <= 1


def test_the_newest_market_cap_counts_before_its_day_is_over():
    rows = [*fees([100.0] * 125), *caps([365_000.0] * 130), *series(CAP, X, [182_500.0], source="gecko", end=START + HOUR)]
    assert ValuationCompression().judge(view_of(*rows, now=START + HOUR), X).value == 0.5


def share(parts: list[float], whole: list[float], *, stables: str = "llama", crypto: str = "gecko", end: int = START) -> list[Observation]:
    return [*caps(parts, subject="stablecoins", source=stables, end=end), *caps(whole, subject="crypto", source=crypto, end=end)]


def test_a_midnight_that_passes_is_noticed_without_news():
    """Caps of ten in the evening are those of the midnight after them."""
    evening = START - 2 * HOUR
    view = view_of(*share([80.0] * 10 + [100.0], [1000.0] * 11, end=evening), now=START - 1)
    assert CapRotation().judge(view, "crypto").value == 0.0
    assert view.due == START
    at_midnight = view_of(*share([80.0] * 10 + [100.0], [1000.0] * 11, end=evening), now=START)
    assert CapRotation().judge(at_midnight, "crypto").value == 0.02


def test_one_source_of_a_total_is_never_continued_by_another():
    """Two sources that count differently would make a point out of nothing."""
    rows = [*share([80.0] * 11, [1000.0] * 5, end=START), *caps([800.0] * 6, subject="crypto", source="old", end=START - 5 * DAY)]
    with pytest.raises(Unknown, match="is not known 7 days before its newest day"):
        CapRotation().judge(view_of(*rows), "crypto")
    whole = caps([800.0] * 11, subject="crypto", source="old")
    assert CapRotation().judge(view_of(*share([80.0] * 11, [1000.0] * 5), *whole), "crypto").value == 0.0


@pytest.mark.parametrize("metrics", [("crypto",), ("stablecoins",)])
def test_one_half_alone_is_no_share(metrics: tuple[str, ...]):
    rows = [row for subject in metrics for row in caps([1.0] * 10, subject=subject)]
    with pytest.raises(Unknown, match="nobody has given the market cap of crypto and of stablecoins yet"):
        CapRotation().judge(view_of(*rows), "crypto")


def test_a_total_that_is_never_known_near_midnight_is_no_share():
    rows = [*caps([80.0] * 10, subject="stablecoins"), *caps([1000.0] * 10, subject="crypto", end=START - 12 * HOUR)]
    with pytest.raises(Unknown, match="not known at midnight of any of the last 3 days"):
        CapRotation().judge(view_of(*rows), "crypto")


def test_a_share_whose_newest_midnight_is_older_than_three_days_is_stale():
    late = series(CAP, "crypto", [1000.0] * 20, source="gecko", end=START, step_ms=HOUR)
    old = caps([1000.0] * 7, subject="crypto", end=START - 4 * DAY)
    rows = [*caps([80.0] * 12, subject="stablecoins", end=START - 2 * DAY), *old, *late]
    with pytest.raises(Unknown, match="not known at midnight"):
        CapRotation().judge(view_of(*rows), "crypto")


def test_they_only_vote():
    rows = share([80.0] * 9 + [100.0], [1000.0] * 10)
    verdict = CapRotation().judge(view_of(*rows), "crypto")
    assert verdict.state is State.FIRED
    assert CapRotation().intent(verdict) is None
    assert ValuationCompression().intent(verdict) is None


@pytest.mark.parametrize("settings", [{"exit": "1%"}, {"exit": "0%"}, {"threshold": "100%"}, {"window": "30h"}, {"window": "12h"}])
def test_settings_of_the_rotation_that_make_no_sense_are_refused_with_what_to_write(settings: dict[str, str]):
    with pytest.raises(ValidationError, match="write "):
        build(CapRotation, settings)


@pytest.mark.parametrize("settings", [{"exit": "80%"}, {"threshold": "0%"}, {"mean_over": "2d"}, {"mean_over": "170h"}, {"median_over": "300h"}])
def test_settings_of_the_valuation_that_make_no_sense_are_refused_with_what_to_write(settings: dict[str, str]):
    with pytest.raises(ValidationError, match="write "):
        build(ValuationCompression, settings)
