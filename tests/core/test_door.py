"""The door: what is not plausible does not get in, one bad row costs one row, and nothing is repaired."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.door import SKEW_MS, Admission, admit
from monitor.core.observation import Reading
from monitor.core.units import DAY, HOUR, iso, parse_time

NOW = parse_time("2024-03-04T12:00:30Z")
NOON = parse_time("2024-03-04T12:00:00Z")
MONTH = parse_time("2024-01-01")


def reading(value: float | int = 0.0001, at: int | None = NOON, metric: str = "funding.rate", subject: str = "BTC", **more: object) -> Reading:
    return Reading(metric, subject, value, at, **more)  # type: ignore[arg-type]


def price(**more: int) -> Reading:
    return Reading("price.usd", "ETH", 2000.0, **more)  # type: ignore[arg-type]


def one(item: Reading, source: str = "binance", received_at: int = NOW) -> Admission:
    return admit([item], source=source, received_at=received_at)


def refusal(item: Reading, source: str = "binance", received_at: int = NOW) -> str:
    admission = one(item, source, received_at)
    assert admission.observations == ()
    return admission.rejections[0].reason


def test_a_good_reading_comes_through_whole():
    (observation,) = one(reading(block_hash="0xab", source="okx")).observations
    assert (observation.source, observation.at, observation.known_at, observation.value, observation.block_hash) == (
        "okx",
        NOON,
        NOON,
        0.0001,
        "0xab",
    )


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (reading(metric="funding.nonsense"), "unknown metric"),
        (reading(metric="tvl.tokens.<asset>", subject="chain:x"), "unknown metric"),
        (reading(subject="btc"), "does not fit"),
        (reading(at=None), "no time of its own"),
        (reading(metric="candle.4h.close", value=1.0, at=NOON - 5 * HOUR), "not the open of a bar"),
        (reading(metric="macro.cpi", subject="US", value=300, at=MONTH), "known_at is missing"),
        (reading(metric="macro.cpi", subject="US", value=300, at=MONTH + DAY, known_at=NOON), "not the first day of the month"),
        (reading(metric="macro.gdp", subject="US", value=300, at=MONTH + HOUR, known_at=NOON), "not the first day of the month"),
        (reading(known_at=NOON - HOUR), "before at"),
        (reading(metric="candle.4h.close", value=1.0, at=NOON - 4 * HOUR, known_at=NOON - HOUR), "before the close of the bar"),
    ],
)
def test_what_does_not_fit_the_vocabulary_is_refused_with_its_reason(item: Reading, why: str):
    assert why in refusal(item)


@pytest.mark.parametrize("source", ["", "x" * 65, "bin\nance", "bïnance"])
def test_a_source_s_name_is_short_and_plain(source: str):
    assert "printable ASCII" in refusal(reading(), source)


def test_f_010_a_reading_without_a_time_is_taken_only_where_the_metric_permits_it():
    assert "no time of its own" in refusal(reading(at=None))
    (observation,) = one(reading(metric="open_interest.usd", value=1e9, at=None)).observations
    assert (observation.at, observation.known_at) == (NOW, NOW)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (reading(metric="prize.usd"), "unknown metric 'prize.usd': did you mean price.usd?"),
        (reading(metric="account.suplied.WETH"), "unknown metric 'account.suplied.WETH': did you mean account.supplied.<asset>?"),
        (reading(metric="funding.nonsense"), "unknown metric 'funding.nonsense'"),
        (price(at=NOON + 5 * DAY), f"at {iso(NOON + 5 * DAY)} lies in the future (received {iso(NOW)}): a slip, or a clock that is ahead?"),
        (price(at=10**13 - 1), f"at 2286-11-20T17:46:39.999Z lies in the future (received {iso(NOW)}): a slip, or a clock that is ahead?"),
        (price(at=10**13), f"at 10000000000000 lies in the future (received {iso(NOW)}): microseconds?"),
        (price(at=1_262_304_000_000), "at 2010-01-01T00:00:00Z is before 2015-01-01T00:00:00Z"),
        (price(at=10**11 + 1), "at 1973-03-03T09:46:40.001Z is before 2015-01-01T00:00:00Z"),
        (price(at=10**11), "at 100000000000 is before 2015-01-01T00:00:00Z: seconds instead of milliseconds?"),
        (price(at=NOON, known_at=NOON + DAY), f"known_at {iso(NOON + DAY)} lies in the future (received {iso(NOW)})"),
    ],
)
def test_a_refusal_names_the_date_and_the_name_that_was_meant(row: Reading, said: str):
    assert refusal(row) == said


@pytest.mark.parametrize(("at", "word"), [(NOON // 1000, "seconds"), (NOON * 1000, "microseconds"), (0, "seconds"), (-1, "seconds")])
def test_f_011_seconds_and_microseconds_are_refused_and_never_scaled(at: int, word: str):
    assert word in refusal(reading(at=at))


@pytest.mark.parametrize(("jitter", "slot"), [(1, 0), (-1, 0), (29_999, 0), (-30_000, 0), (30_000, 60_000)])
def test_f_012_a_jittered_funding_time_is_its_slot(jitter: int, slot: int):
    (observation,) = one(reading(at=NOON + jitter)).observations
    assert observation.at == NOON + slot
    (stated,) = one(reading(at=NOON + jitter, known_at=NOON + jitter)).observations
    assert stated.known_at == max(NOON + jitter, stated.at)


@pytest.mark.parametrize(("ahead", "enters"), [(SKEW_MS, True), (SKEW_MS + 1, False)])
def test_f_013_a_time_beyond_the_skew_is_refused(ahead: int, enters: bool):
    for item in (
        reading(metric="price.usd", value=1.0, at=NOW + ahead),
        reading(metric="price.usd", value=1.0, at=NOW, known_at=NOW + ahead),
    ):
        assert bool(one(item).observations) is enters


def test_f_013_a_scheduled_event_may_lie_ahead_and_be_known_before_it_is_true():
    (observation,) = one(reading(metric="macro.event", subject="CPI", value=1, at=NOW + 20 * DAY)).observations
    assert observation.known_at == NOW - 8 * DAY
    assert "known_at" in refusal(reading(metric="macro.event", subject="CPI", value=1, at=NOW + 40 * DAY))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e400])
def test_f_015_a_number_that_is_not_finite_is_refused(value: float):
    assert "not finite" in refusal(reading(value))


@pytest.mark.parametrize("value", [True, "0.0001", None, [1.0], 1j])
def test_f_015_what_is_no_number_is_refused(value: object):
    assert "not a number" in refusal(reading(value))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "enters"), [(0.05, True), (0.0500001, False), (-0.05, True), (-0.0500001, False), pytest.param(10**400, False, id="huge")]
)
def test_f_001_a_rate_outside_its_plausible_range_is_refused(value: float, enters: bool):
    assert bool(one(reading(value)).observations) is enters


@pytest.mark.parametrize(
    ("metric", "subject", "most", "beyond"),
    [
        ("position.tick", "lp", 887272, 887273),
        ("position.tick_lower", "lp", -887272, -887273),
        ("position.tick_upper", "lp", 887272, 887273),
        ("position.decimals0", "lp", 255, 256),
        ("position.decimals1", "lp", 255, 256),
        ("position.maintenance_ratio", "perp", 0.99, 1.0),
        ("pool.weight.ETH", f"pool:ethereum/0x{'a' * 40}", 1e-6, 0.0),
    ],
)
def test_what_no_arithmetic_can_go_on_with_is_refused(metric: str, subject: str, most: float, beyond: float):
    assert one(reading(most, metric=metric, subject=subject)).observations
    assert "outside the plausible range" in refusal(reading(beyond, metric=metric, subject=subject))


def test_a_chain_integer_stays_an_integer_and_other_numbers_become_floats():
    raw = 2**200 + 1
    (exact,) = one(reading(raw, metric="position.liquidity", subject="p1")).observations
    assert exact.value == raw and isinstance(exact.value, int)
    assert "stay an integer" in refusal(reading(float(raw), metric="position.liquidity", subject="p1"))
    (price,) = one(reading(1, metric="price.usd")).observations
    assert isinstance(price.value, float)


def test_f_021_one_bad_row_among_400_costs_one_row():
    rows = [reading(0.0001 + i * 1e-7, NOON - i * HOUR) for i in range(400)]
    rows[123] = reading(math.nan, NOON)
    admission = admit(rows, source="binance", received_at=NOW)
    assert len(admission.observations) == 399
    assert [r.index for r in admission.rejections] == [123]


def test_f_026_a_bar_that_is_not_closed_is_refused():
    bar = reading(100.0, NOON - 4 * HOUR, "candle.4h.close")
    assert "not closed yet" in refusal(bar, received_at=NOON - SKEW_MS - 1)
    assert one(bar, received_at=NOON - SKEW_MS).observations[0].known_at == NOON


def candle(subject: str = "BTC", **parts: float) -> list[Reading]:
    return [reading(value, NOON - 4 * HOUR, f"candle.4h.{part}", subject) for part, value in parts.items()]


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"open": 5, "high": 4, "low": 6, "close": 5}, "high 4 is below low 6"),
        ({"open": 5, "high": 6, "low": 4, "close": 7}, "close 7 is outside"),
        ({"open": 3, "high": 6, "low": 4, "close": 5}, "open 3 is outside"),
        ({"low": 4, "close": 3}, "close 3 is outside"),
    ],
)
def test_f_029_a_candle_that_contradicts_itself_is_refused_whole_and_its_neighbour_kept(parts: dict[str, float], why: str):
    other = candle("ETH", open=5, high=6, low=4, close=5)
    admission = admit([*candle("BTC", **parts), *other], source="binance", received_at=NOW)
    assert len(admission.observations) == 4
    assert [r.index for r in admission.rejections] == list(range(len(parts)))
    assert why in admission.rejections[0].reason


def test_f_029_a_zero_price_and_a_negative_volume_are_refused():
    admission = admit(candle(close=0.0, volume=-1.0), source="binance", received_at=NOW)
    assert len(admission.rejections) == 2


@given(st.lists(st.floats() | st.integers(), max_size=20))
def test_every_reading_is_either_admitted_or_refused(values: list[float]):
    admission = admit([reading(value) for value in values], source="binance", received_at=NOW)
    assert len(admission.observations) + len(admission.rejections) == len(values)
    assert all(math.isfinite(o.value) for o in admission.observations)
