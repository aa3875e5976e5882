"""Aave's whole-number arithmetic against fractions that round nothing until the end, and hand-worked vectors. The contracts' own answers are in
tests/integration/test_aave_v3.py.
"""

import math
from dataclasses import asdict
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.aave import (
    NO_DEBT,
    PERCENT,
    RAY,
    WAD,
    YEAR_SECONDS,
    Bps,
    Configuration,
    Curve,
    EfficiencyMode,
    Holding,
    PerSecond,
    Ray,
    Stored,
    Use,
    Wad,
    apr_of_second,
    apy,
    compounded_interest,
    configuration,
    fraction_of_ray,
    fraction_of_wad,
    health,
    health_factor,
    linear_interest,
    normalized_debt,
    normalized_income,
    percent_mul,
    rates,
    ray_div,
    ray_mul,
    threshold_in_force,
)

amounts = st.integers(0, 2**112)
shares = st.integers(0, 4 * RAY)
seconds = st.integers(0, 10 * YEAR_SECONDS)


def half_up(exact: Fraction) -> int:
    return math.floor(exact + Fraction(1, 2))


@given(amounts, shares)
def test_products_and_quotients_round_halves_up_F_075(amount: int, share: int) -> None:
    assert ray_mul(amount, share) == half_up(Fraction(amount * share, RAY))
    assert ray_div(amount, share + 1) == half_up(Fraction(amount * RAY, share + 1))
    assert percent_mul(amount, Bps(1234)) == half_up(Fraction(amount * 1234, PERCENT))


@pytest.mark.parametrize(
    ("a", "b", "product"),
    [(1, RAY // 2, 1), (1, RAY // 2 - 1, 0), (3, RAY // 2, 2), (0, RAY, 0), (7 * RAY, 3 * RAY, 21 * RAY)],
    ids=["a half goes up", "less than a half goes down", "one and a half goes up", "nothing", "rays"],
)
def test_ray_products_by_hand_F_075(a: int, b: int, product: int) -> None:
    assert ray_mul(a, b) == product


@pytest.mark.parametrize(("a", "b", "quotient"), [(1, 2, RAY // 2), (1, 3, (RAY - 1) // 3), (2, 3, (2 * RAY + 1) // 3), (5, 5, RAY)])
def test_ray_quotients_by_hand_F_075(a: int, b: int, quotient: int) -> None:
    assert ray_div(a, b) == quotient


def test_a_quotient_by_zero_is_an_error_where_the_contract_reverts() -> None:
    with pytest.raises(ValueError, match="by zero"):
        ray_div(1, 0)


@pytest.mark.parametrize(
    ("convert", "one", "fraction"),
    [
        (fraction_of_ray, Ray(5 * 10**25), 0.05),
        (fraction_of_wad, Wad(5 * 10**16), 0.05),
        (fraction_of_wad, Wad(1_500_000_000_000_000_000), 1.5),
        (apr_of_second, PerSecond(10**9), 0.031536),
        (apr_of_second, PerSecond(1_585_489_599), float(Fraction(1_585_489_599 * 31_536_000, 10**18))),
    ],
    ids=["5% in rays", "5% in wads", "a health factor of 1.5", "a billionth a second", "5% a year, a second at a time"],
)
def test_each_unit_is_converted_once_to_the_nearest_float_F_075(convert, one: int, fraction: float) -> None:
    assert convert(one) == fraction


@given(st.integers(0, 10 * RAY))
def test_a_rate_in_rays_is_the_nearest_float_of_its_fraction_F_075(rate: int) -> None:
    assert fraction_of_ray(Ray(rate)) == float(Fraction(rate, RAY))


def compounded_by_the_second(apr: Fraction) -> Fraction:
    """(1 + apr / 31,536,000) ^ 31,536,000 - 1 by squaring, each step cut at 60 decimals."""
    scale, power, left = 10**60, 10**60, YEAR_SECONDS
    factor = scale + int(apr * scale / YEAR_SECONDS)
    while left:
        if left & 1:
            power = power * factor // scale
        factor = factor * factor // scale
        left >>= 1
    return Fraction(power, scale) - 1


@pytest.mark.parametrize("apr", ["0", "0.0001", "0.05", "0.655", "3.05", "10"])
def test_a_yield_compounds_every_second_F_075(apr: str) -> None:
    assert apy(float(apr)) == pytest.approx(float(compounded_by_the_second(Fraction(apr))), rel=1e-12)


def test_a_rate_beyond_all_floats_is_an_infinite_yield_which_the_door_refuses() -> None:
    assert math.isfinite(apy(700.0))
    assert apy(701.0) == math.inf


def test_simple_interest_of_a_year_is_the_rate_and_is_rounded_down() -> None:
    assert linear_interest(Ray(RAY // 20), YEAR_SECONDS) == RAY + RAY // 20
    assert linear_interest(Ray(1), YEAR_SECONDS - 1) == RAY


@given(st.integers(0, 3 * RAY), seconds)
def test_compounded_interest_is_three_terms_of_the_binomial_within_their_rounding(rate: int, time: int) -> None:
    a_second = Fraction(rate, RAY * YEAR_SECONDS)
    terms = [a_second * time, a_second**2 * time * max(time - 1, 0) / 2, a_second**3 * time * max(time - 1, 0) * max(time - 2, 0) / 6]
    exact = sum(terms, Fraction(1)) * RAY
    # Each power is rounded to a unit before it is multiplied by the pairs and triples of seconds.
    slack = 2 + Fraction(time**2, 2) + Fraction(time**3, 6)
    assert abs(compounded_interest(Ray(rate), time) - exact) <= slack


@pytest.mark.parametrize(("time", "grown"), [(0, RAY), (1, RAY + RAY // 10 // YEAR_SECONDS)])
def test_compounded_interest_of_no_time_and_of_one_second(time: int, grown: int) -> None:
    assert compounded_interest(Ray(RAY // 10), time) == grown


def test_compounded_interest_of_two_and_three_seconds_by_hand() -> None:
    rate = YEAR_SECONDS * 10**24  # 0.1% a second
    assert compounded_interest(Ray(rate), 2) == RAY + 2 * 10**24 + 10**21
    assert compounded_interest(Ray(rate), 3) == RAY + 3 * 10**24 + 3 * 10**21 + 10**18


def test_indices_grow_from_the_last_touch_to_the_block() -> None:
    stored = Stored(Ray(RAY // 10), Ray(RAY // 5), Ray(2 * RAY), Ray(3 * RAY), touched=1_000)
    assert normalized_income(stored, 1_000) == 2 * RAY
    assert normalized_income(stored, 1_000 + YEAR_SECONDS) == 2 * RAY + RAY // 5
    assert normalized_debt(stored, 1_000) == 3 * RAY
    assert normalized_debt(stored, 1_000 + YEAR_SECONDS) / RAY == pytest.approx(3 * math.exp(0.2), rel=1e-4)


CURVE = Curve(Ray(RAY * 8 // 10), Ray(RAY // 100), Ray(RAY * 4 // 100), Ray(RAY * 60 // 100))


@pytest.mark.parametrize(
    ("available", "borrowed", "percent"),
    [(100, 0, 1), (60, 40, 3), (20, 80, 5), (10, 90, 35), (0, 100, 65)],
    ids=["unused", "half of the optimum", "the optimum", "half of the rest", "full"],
)
def test_the_curve_has_two_slopes_by_hand(available: int, borrowed: int, percent: int) -> None:
    found = rates(CURVE, Use(available * 10**6, borrowed * 10**6), Bps(1000))
    assert found.borrow == RAY * percent // 100
    assert found.supply == RAY * percent * borrowed * 9 // 100_000
    assert found.borrow <= CURVE.maximum == RAY * 65 // 100


@given(amounts, amounts, st.integers(0, 10_000))
def test_no_use_charges_more_than_the_curve_does_at_full_use_F_076(available: int, borrowed: int, factor: int) -> None:
    use = Use(available, borrowed)
    assert 0 <= use.utilisation <= RAY
    found = rates(CURVE, use, Bps(factor))
    assert CURVE.base <= found.borrow <= CURVE.maximum
    assert 0 <= found.supply <= found.borrow


def test_stable_debt_pays_its_own_rate_and_what_is_unbacked_earns_its_share() -> None:
    use = Use(0, 50 * WAD, stable_debt=50 * WAD, stable_rate=Ray(RAY * 10 // 100), unbacked=100 * WAD)
    found = rates(CURVE, use, Bps(0))
    assert found.borrow == RAY * 65 // 100
    assert found.supply == RAY * 375 // 2000  # the mean of 65% and 10%, spread over twice as much


def test_a_curve_without_an_optimum_has_no_rates_where_the_contract_reverts() -> None:
    with pytest.raises(ValueError, match="by zero"):
        rates(Curve(Ray(0), Ray(0), Ray(0), Ray(0)), Use(1, 0), Bps(0))


FIELDS = {
    "ltv": (0, 16), "liquidation_threshold": (16, 16), "decimals": (48, 8), "active": (56, 1), "frozen": (57, 1), "borrowable": (58, 1),
    "paused": (60, 1), "reserve_factor": (64, 16), "borrow_cap": (80, 36), "supply_cap": (116, 36), "category": (168, 8),
}  # fmt: skip


@pytest.mark.parametrize("name", FIELDS)
def test_each_setting_has_its_own_bits_of_the_word_and_no_others(name: str) -> None:
    first, count = FIELDS[name]
    own = (2**count - 1) << first
    full = {field: 2**size - 1 for field, (_, size) in FIELDS.items()}
    assert asdict(configuration(own)) == {**dict.fromkeys(FIELDS, 0), name: full[name]}
    assert asdict(configuration(2**256 - 1 - own)) == {**full, name: 0}


def test_the_settings_of_a_reserve_are_read_out_of_their_word() -> None:
    word = 8000 | 8250 << 16 | 10500 << 32 | 18 << 48 | 1 << 56 | 1 << 58 | 1500 << 64 | 1_400_000 << 80 | 1_800_000 << 116
    settings = configuration(word | 7 << 168)
    assert settings == Configuration(Bps(8000), Bps(8250), 18, True, False, True, False, Bps(1500), 1_400_000, 1_800_000, 7)
    assert configuration(word | 1 << 57).frozen
    assert configuration(word | 1 << 60).paused
    assert not configuration(word & ~(1 << 56)).active


@pytest.mark.parametrize(
    ("own", "category", "mode", "reserve_id", "expected"),
    [
        (8250, 0, None, 0, 8250),
        (8250, 1, None, 0, 8250),
        (8250, 1, EfficiencyMode(1, Bps(9300), None), 0, 9300),
        (8250, 2, EfficiencyMode(1, Bps(9300), None), 0, 8250),
        (8250, 1, EfficiencyMode(1, Bps(9300), 0b100), 0, 8250),
        (8250, 0, EfficiencyMode(1, Bps(9300), 0b101), 0, 9300),
        (8250, 0, EfficiencyMode(1, Bps(9300), 0b100), 2, 9300),
        (8250, 0, EfficiencyMode(1, Bps(9300), 0b011), 2, 8250),
        (8250, 0, EfficiencyMode(1, Bps(9300), 0b1000), 2, 8250),
        (1, 1, EfficiencyMode(1, Bps(9300), None), 0, 9300),
        (0, 1, EfficiencyMode(1, Bps(9300), None), 0, 0),
        (0, 1, EfficiencyMode(1, Bps(9300), 0b1), 0, 0),
    ],
)
def test_an_efficiency_mode_lends_its_threshold_to_its_members_alone(
    own: int, category: int, mode: EfficiencyMode | None, reserve_id: int, expected: int
) -> None:
    assert threshold_in_force(configuration(own << 16 | category << 168), mode, reserve_id) == expected


def test_health_is_collateral_at_its_threshold_over_debt() -> None:
    ether = Holding(2 * WAD, 0, 2000 * 10**8, 18, Bps(8250))
    dollars = Holding(1000 * 10**6, 1500 * 10**6, 10**8, 6, Bps(8000))
    found = health([ether, dollars])
    assert (found.collateral, found.debt, found.threshold) == (5000 * 10**8, 1500 * 10**8, 8200)
    assert found.factor == half_up(Fraction(4100 * WAD, 1500))


def test_what_has_no_threshold_is_no_collateral_and_nothing_owed_is_no_debt() -> None:
    assert health([Holding(WAD, 0, 10**8, 18, Bps(0))]) == health([])
    assert health([]).threshold == 0
    assert health([]).factor == NO_DEBT == 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF
    assert health_factor(0, Bps(0), 1) == 0
    # Four sevenths: the last digit is rounded half up.
    assert health_factor(4, Bps(10_000), 7) == 571_428_571_428_571_429


def test_nothing_is_stable_or_unbacked_unless_said() -> None:
    assert Use(1, 2) == Use(available=1, variable_debt=2, stable_debt=0, stable_rate=Ray(0), unbacked=0)
