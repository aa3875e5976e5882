"""The pure parsing behind the perpetual venues."""

from typing import Any

import pytest

from monitor.core.door import admit
from monitor.core.units import HOUR, MINUTE
from monitor.errors import BadPayload
from monitor.venues.rows import BAR_MS, candles, checked_hours, funding, holes, intervals, missing_bars, number, quote, settlement_times

NOON = 1741780800000
HOURLY = [NOON + n * HOUR for n in range(4)]
EIGHTS = [NOON + n * 8 * HOUR for n in range(4)]


@pytest.mark.parametrize(("value", "read"), [("0.0001", 1e-4), ("-1.5e-5", -1.5e-5), (0.0001, 1e-4), (0, 0.0), ("-0.0", 0.0)])
def test_a_json_number_and_a_plain_decimal_are_read(value: object, read: float) -> None:
    assert number({"rate": value}, "rate") == read


@pytest.mark.parametrize("value", ["1_000", "\u0661\u0662", "NaN", "Infinity", "1e400", " 1", "1 ", "0x1", "1,0", "", None, True, [], {"a": 1}])
def test_what_only_looks_like_a_number_is_refused_by_the_name_of_its_field_f_015_f_022(value: object) -> None:
    with pytest.raises(BadPayload, match="field rate"):
        number({"rate": value}, "rate")


def test_a_renamed_field_is_missed_by_name_f_022() -> None:
    harvest = funding([{"timestamp": NOON, "info": {"funding_rate": "0.0001"}}], "BTC", "fundingRate", {})
    assert harvest.readings == []
    assert harvest.rejected == ["BTC: settled funding at 2025-03-12T12:00:00Z: field fundingRate is missing"]


@pytest.mark.parametrize("hours", [0.25, 1, 8, 24])
def test_an_interval_of_a_quarter_of_an_hour_to_a_day_is_believed(hours: float) -> None:
    assert checked_hours(hours) == hours


@pytest.mark.parametrize("hours", [0, -8, 0.2, 24.5, 480, 999, 1_800_000])
def test_an_interval_in_other_units_is_refused_f_006(hours: float) -> None:
    with pytest.raises(BadPayload, match="interval_unparsed"):
        checked_hours(hours)


CHANGE = [NOON - 16 * HOUR, NOON - 8 * HOUR, NOON, NOON + HOUR, NOON + 2 * HOUR]


@pytest.mark.parametrize(
    ("times", "current", "table", "hours"),
    [
        pytest.param(EIGHTS, None, None, [None, 8, 8, 8], id="equal spacings tell it"),
        pytest.param(EIGHTS[:1], None, None, [None], id="F-004: one row alone tells nothing, and 8 is never assumed"),
        pytest.param(EIGHTS[:2], None, None, [None, None], id="F-004: one spacing alone may be a hole"),
        pytest.param(EIGHTS[:2], 8, None, [None, 8], id="one spacing that the venue confirms"),
        pytest.param(EIGHTS[:1], 4, None, [4], id="one row: the venue's present interval"),
        pytest.param(EIGHTS[:2], 1, None, [None, None], id="the present interval does not re-price the past"),
        pytest.param(CHANGE, 1, None, [None, 8, 8, 1, 1], id="F-005: each row keeps the interval in force when it was paid"),
        pytest.param(CHANGE[:4], 1, None, [None, 8, 8, 1], id="F-005: the first row after the change, confirmed by the venue"),
        pytest.param(CHANGE[:4], None, None, [None, 8, 8, None], id="F-005: the first row after the change, unconfirmed"),
        pytest.param([HOURLY[0], HOURLY[1], HOURLY[3]], None, None, [None, None, None], id="a missing row is no longer interval"),
        pytest.param([HOURLY[0], HOURLY[1], HOURLY[3]], None, 1.0, [1, 1, 1], id="the documented interval steps in"),
        pytest.param(EIGHTS, None, 1.0, [1, 8, 8, 8], id="what is seen twice goes before what is documented"),
        pytest.param([NOON, NOON + 25 * HOUR, NOON + 50 * HOUR], None, None, [None, None, None], id="longer than a day is no interval"),
        pytest.param([], 8, 1.0, [], id="nothing"),
    ],
)
def test_intervals_are_told_by_agreement_alone(times: list[int], current: float | None, table: float | None, hours: list[float | None]) -> None:
    told = intervals(times, current, table)
    assert [told.get(time) for time in times] == hours


def test_a_late_settlement_does_not_bend_the_interval_f_012() -> None:
    rows = [{"timestamp": time + jitter} for time, jitter in zip(EIGHTS, [1, 29_999, 0, -3], strict=True)]
    assert settlement_times([*rows, *rows]) == EIGHTS


def test_a_row_without_a_believable_time_is_no_evidence_for_an_interval_f_010_f_011() -> None:
    rows: list[dict[str, Any]] = [{"timestamp": NOON}, {"timestamp": None}, {"timestamp": NOON // 1000}, {"timestamp": NOON * 1000}, {}]
    assert settlement_times(rows) == [NOON]


def test_a_hole_is_longer_than_both_its_neighbours_and_a_change_of_interval_is_none() -> None:
    assert holes(CHANGE) == []
    assert holes([HOURLY[0], HOURLY[1], HOURLY[3], HOURLY[3] + HOUR]) == ["gap: no settlement between 2025-03-12T13:00:00Z and 2025-03-12T15:00:00Z"]


def test_one_bad_row_among_four_hundred_is_refused_and_the_rest_are_kept_f_021() -> None:
    rows = [{"timestamp": NOON - n * HOUR, "info": {"fundingRate": "0.0001"}} for n in range(400)]
    rows[137]["info"] = {"fundingRate": "1_000"}
    harvest = funding(rows, "BTC", "fundingRate", {})
    assert len(harvest.readings) == 399
    assert len(harvest.rejected) == 1


@pytest.mark.parametrize(
    ("stamp", "reason"),
    [
        pytest.param(NOON // 1000, "seconds", id="seconds"),
        pytest.param(NOON * 1000, "microseconds", id="microseconds"),
        pytest.param(None, "no time of its own", id="none"),
    ],
)
def test_settled_funding_with_another_kind_of_time_reaches_the_door_and_is_refused_there_f_010_f_011(stamp: int | None, reason: str) -> None:
    harvest = funding([{"timestamp": stamp, "info": {"fundingRate": "0.0001"}}], "BTC", "fundingRate", {})
    (rejection,) = admit(harvest.readings, source="binance", received_at=NOON).rejections
    assert reason in rejection.reason


@pytest.mark.parametrize(("after_close_ms", "taken"), [(-1, 0), (0, 5), (1, 5)])
def test_a_candle_counts_from_the_very_millisecond_of_its_close_f_026(after_close_ms: int, taken: int) -> None:
    harvest = candles([[NOON, 1.0, 2.0, 0.5, 1.5, 10.0]], "BTC", NOON + BAR_MS + after_close_ms)
    assert len(harvest.readings) == taken
    assert harvest.rejected == []


@pytest.mark.parametrize(
    "row",
    [
        [None, 1.0, 2.0, 0.5, 1.5, 10.0],
        [NOON, None, 2.0, 0.5, 1.5, 10.0],
        [NOON, 1.0, float("inf"), 0.5, 1.5, 10.0],
        [NOON, 1.0, 2.0, 0.0, 1.5, 10.0],
        [NOON, 1.0, 2.0, 0.5, 1.5, -1.0],
        [NOON, 1.0, 2.0, 0.5, 1.5],
        [],
    ],
)
def test_a_broken_candle_is_refused_whole_and_its_neighbour_kept_f_021_f_029(row: list[float | None]) -> None:
    harvest = candles([row, [NOON - BAR_MS, 1.0, 2.0, 0.5, 1.5, 0.0]], "spot:BTC", NOON + BAR_MS)
    assert [(r.metric, r.at) for r in harvest.readings] == [
        (f"candle.4h.{part}", NOON - BAR_MS) for part in ("open", "high", "low", "close", "volume")
    ]
    assert len(harvest.rejected) == 1


def test_missing_bars_are_named_by_their_range_and_never_bridged_f_025() -> None:
    opens = [NOON + 3 * BAR_MS, NOON, NOON, NOON + 4 * BAR_MS]
    assert missing_bars(opens) == ["gap: no candle from 2025-03-12T16:00:00Z to 2025-03-13T00:00:00Z"]


FIELDS = {"funding.predicted": "f", "perp.mark": "m", "open_interest.coins": "c"}


def test_dollars_of_open_interest_are_coins_times_mark_where_the_venue_gives_none() -> None:
    harvest = quote({"f": "0.0001", "m": "100", "c": "3"}, NOON, "BTC", FIELDS)
    assert {r.metric: r.value for r in harvest.readings} == {
        "funding.predicted": 1e-4,
        "perp.mark": 100.0,
        "open_interest.coins": 3.0,
        "open_interest.usd": 300.0,
    }


def test_a_quote_without_a_time_keeps_what_may_lack_one_f_010() -> None:
    harvest = quote({"f": "0.0001", "m": "100", "c": "3"}, None, "BTC", FIELDS)
    assert {(r.metric, r.at) for r in harvest.readings} == {
        ("funding.predicted", None),
        ("open_interest.coins", None),
        ("open_interest.usd", None),
        ("perp.mark", None),
    }


def test_a_field_that_is_missing_from_a_quote_costs_no_other_f_022() -> None:
    harvest = quote({"m": "100", "c": {"nested": 3}}, NOON, "BTC", FIELDS)
    assert [r.metric for r in harvest.readings] == ["perp.mark"]
    assert harvest.rejected == [
        "BTC: funding.predicted: field f is missing",
        "BTC: open_interest.coins: field c is not a number: {'nested': 3}",
    ]


def test_readings_round_to_the_minute_at_the_door_so_that_jitter_makes_no_second_row_f_012() -> None:
    rows = [{"timestamp": NOON + jitter, "info": {"fundingRate": "0.0001"}} for jitter in (0, 7, 431)]
    harvest = funding(rows, "BTC", "fundingRate", {NOON: 8.0})
    admitted = admit(harvest.readings, source="binance", received_at=NOON + MINUTE).observations
    assert {(o.metric, o.at) for o in admitted} == {("funding.rate", NOON), ("funding.interval_hours", NOON)}
