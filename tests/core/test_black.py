"""Option prices against textbooks, a 420-digit distribution function, parity, limits and differences; volatility found again from prices."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.black import Greeks, Right, black_76, black_scholes, implied_volatility, normal_cdf
from monitor.core.verdict import Unknown

RIGHTS: tuple[Right, Right] = ("put", "call")
rights = st.sampled_from(RIGHTS)
moneyness, sigmas, terms, rates = (st.floats(low, high) for low, high in ((0.5, 2.0), (0.1, 2.0), (0.02, 2.0), (-0.05, 0.15)))


def exact_cdf(x: float) -> Decimal:
    """The distribution function to 400 digits, by its series around 0."""
    with localcontext() as context:
        context.prec = 420
        t, term, total, odd = Decimal(x), Decimal(x), Decimal(0), 1
        while term and abs(term) > abs(total).scaleb(-420):
            total += term
            odd += 2
            term = term * t * t / odd
        return Decimal("0.5") + (-t * t / 2).exp() / (2 * pi()).sqrt() * total


def pi() -> Decimal:
    """By Machin: 16 arctan(1/5) - 4 arctan(1/239)."""

    def arctan_of_one_by(n: int) -> Decimal:
        power, total, odd = Decimal(1) / n, Decimal(0), 1
        while abs(power) > Decimal("1e-420"):
            total += power / odd if odd % 4 == 1 else -power / odd
            power, odd = power / (n * n), odd + 2
        return total

    return 16 * arctan_of_one_by(5) - 4 * arctan_of_one_by(239)


LINE = [*np.linspace(-37.0, 9.0, 93).tolist(), -1.9999, 0.0, 1e-300, -1e-9, 0.674489750196082]


@pytest.mark.parametrize("x", LINE)
def test_the_distribution_function_is_exact_to_what_it_states_over_the_whole_line(x: float):
    exact = exact_cdf(x)
    error = abs((Decimal(float(normal_cdf(x))) - exact) / exact)
    assert error < (Decimal("1e-15") if x > -2 else Decimal(2e-16 * (4 + x * x)))


def test_an_array_and_its_numbers_agree_to_the_bit():
    line = np.array([*LINE, np.inf, -np.inf])
    assert np.asarray(normal_cdf(line)).tolist() == [normal_cdf(x) for x in line.tolist()]
    assert np.asarray(normal_cdf(line.reshape(4, -1))).tolist() == np.asarray(normal_cdf(line)).reshape(4, -1).tolist()
    assert (normal_cdf(-math.inf), normal_cdf(0.0), normal_cdf(math.inf)) == (0.0, 0.5, 1.0)


HULL = {
    # Hull, Options, Futures, and Other Derivatives, 8th edition: examples of chapters 14 (stock), 17 (futures) and 18 (greeks), as printed.
    "stock option, call": (black_scholes("call", 42, 40, 0.20, 0.5, 0.10).price, 4.76, 0.005),
    "stock option, put": (black_scholes("put", 42, 40, 0.20, 0.5, 0.10).price, 0.81, 0.005),
    "put on a future": (black_76("put", 20, 20, 0.25, 4 / 12, 0.09).price, 1.12, 0.005),
    "delta": (black_scholes("call", 49, 50, 0.20, 0.3846, 0.05).delta, 0.522, 0.0005),
    "theta a year": (365 * black_scholes("call", 49, 50, 0.20, 0.3846, 0.05).theta, -4.31, 0.005),
    "gamma": (black_scholes("call", 49, 50, 0.20, 0.3846, 0.05).gamma, 0.066, 0.0005),
    "vega of a whole unit": (100 * black_scholes("call", 49, 50, 0.20, 0.3846, 0.05).vega, 12.1, 0.05),
    "implied volatility": (implied_volatility("call", 1.875, 21 * math.exp(0.025), 20, 0.25, 0.10), 0.235, 0.0005),
}


@pytest.mark.parametrize(("ours", "printed", "rounding"), HULL.values(), ids=HULL)
def test_it_gives_the_textbooks_numbers(ours: float, printed: float, rounding: float):
    assert ours == pytest.approx(printed, abs=rounding)


@pytest.mark.parametrize("right", RIGHTS)
def test_prices_agree_with_forty_digits(right: Right):
    sign = 1 if right == "call" else -1
    d1 = math.log(110 / 100) / (0.6 * math.sqrt(0.25)) + 0.15
    exact = sign * (110 * exact_cdf(sign * d1) - 100 * exact_cdf(sign * (d1 - 0.3)))
    assert black_76(right, 110.0, 100.0, 0.6, 0.25).price == pytest.approx(float(exact), rel=1e-14)


def test_a_pinned_option_has_these_greeks():
    # Reckoned apart from this program, in 60-digit arithmetic: the distribution's series, the greeks as differences.
    put = black_scholes("put", 2000.0, 1800.0, 0.8, 30 / 365, 0.04)
    assert put == pytest.approx((89.214399752, -0.278134366255, 0.000731472857342, 1.92387381657, -2.49442721125), rel=1e-11)
    on_the_future = black_76("put", 2000.0, 1800.0, 0.8, 30 / 365, 0.04)
    assert on_the_future == pytest.approx((91.0560476753, -0.282035459692, 0.00073517168034, 1.93360222774, -2.56815755871), rel=1e-11)


def test_where_no_rate_is_named_it_is_0():
    assert black_76("put", 2000.0, 1800.0, 0.8, 30 / 365) == black_76("put", 2000.0, 1800.0, 0.8, 30 / 365, 0.0)
    assert black_scholes("put", 2000.0, 1800.0, 0.8, 30 / 365) == black_scholes("put", 2000.0, 1800.0, 0.8, 30 / 365, 0.0)
    price = float(black_76("put", 2000.0, 1800.0, 0.8, 30 / 365).price)
    assert implied_volatility("put", price, 2000.0, 1800.0, 30 / 365) == pytest.approx(0.8)


@given(moneyness, sigmas, terms, rates)
def test_put_call_parity_holds(forward: float, sigma: float, years: float, rate: float):
    call, put = (black_76(right, forward, 1.0, sigma, years, rate) for right in ("call", "put"))
    discount = math.exp(-rate * years)
    assert call.price - put.price == pytest.approx(discount * (forward - 1), abs=1e-14)
    assert call.delta - put.delta == pytest.approx(discount, abs=1e-14)
    assert (call.gamma, call.vega) == pytest.approx((put.gamma, put.vega), rel=1e-12)
    call, put = (black_scholes(right, forward, 1.0, sigma, years, rate) for right in ("call", "put"))
    assert call.price - put.price == pytest.approx(forward - discount, abs=1e-14)
    assert call.delta - put.delta == pytest.approx(1.0, abs=1e-14)
    assert call.theta - put.theta == pytest.approx(-rate * discount / 365, abs=1e-14)


@given(rights, moneyness, sigmas, terms, rates)
def test_greeks_are_the_differences_of_the_price(right: Right, price: float, sigma: float, years: float, rate: float):
    for model in (black_76, black_scholes):
        here, step = model(right, price, 1.0, sigma, years, rate), 1e-5
        up, down = (model(right, price + move, 1.0, sigma, years, rate) for move in (step, -step))
        assert here.delta == pytest.approx((up.price - down.price) / (2 * step), abs=1e-6)
        assert here.gamma == pytest.approx((up.delta - down.delta) / (2 * step), abs=1e-6, rel=1e-6)
        up, down = (model(right, price, 1.0, sigma + move, years, rate) for move in (step, -step))
        assert here.vega == pytest.approx((up.price - down.price) / (200 * step), abs=1e-6)
        later, sooner = (model(right, price, 1.0, sigma, years + move, rate) for move in (-step, step))
        assert here.theta == pytest.approx((later.price - sooner.price) / (730 * step), abs=1e-6, rel=1e-6)


@given(rights, st.floats(0.01, 100.0), st.floats(0.0, 5.0), st.floats(0.0, 3.0), rates)
def test_a_price_stays_between_exercise_and_the_most_it_can_bring(right: Right, forward: float, sigma: float, years: float, rate: float):
    price, discount = black_76(right, forward, 1.0, sigma, years, rate).price, math.exp(-rate * years)
    exercise = max(forward - 1, 0.0) if right == "call" else max(1 - forward, 0.0)
    assert discount * exercise <= price <= discount * (forward if right == "call" else 1.0) * (1 + 1e-15)
    assert black_76(right, forward, 1.0, sigma + 0.1, years, rate).price >= price - 1e-15


@pytest.mark.parametrize("right", RIGHTS)
@pytest.mark.parametrize(("sigma", "years"), [(0.0, 1.0), (0.5, 0.0), (0.5, -0.1)])
def test_without_volatility_or_time_it_is_worth_what_exercise_brings(right: Right, sigma: float, years: float):
    forwards, sign = np.array([0.0, 50.0, 100.0, 130.0]), 1.0 if right == "call" else -1.0
    found, discount = black_76(right, forwards, 100.0, sigma, years, 0.10), math.exp(-0.10 * max(years, 0.0))
    exercise = np.maximum(sign * (forwards - 100), 0)
    assert np.asarray(found.price).tolist() == pytest.approx((discount * exercise).tolist())
    inside = [0.0, 0.0, 0.5, 1.0] if right == "call" else [-1.0, -1.0, -0.5, 0.0]
    assert np.asarray(found.delta).tolist() == pytest.approx([discount * delta for delta in inside])
    assert np.asarray(found.gamma).tolist() == [0.0] * 4
    if years <= 0:
        assert np.asarray(found.theta).tolist() == np.asarray(found.vega).tolist() == [0.0] * 4
        assert np.asarray(black_scholes(right, forwards, 100.0, sigma, years, 0.10).theta).tolist() == [0.0] * 4


def test_deep_inside_it_is_the_forward_and_deep_outside_nothing():
    deep = black_76("call", 1e6, 1.0, 0.5, 1.0, 0.05)
    assert deep.price == pytest.approx(math.exp(-0.05) * (1e6 - 1), rel=1e-15) and deep.delta == math.exp(-0.05)
    assert black_76("put", 1e6, 1.0, 0.5, 1.0)[:4] == pytest.approx((0.0, 0.0, 0.0, 0.0), abs=1e-100)
    assert black_76("put", 0.0, 100.0, 0.5, 1.0) == pytest.approx((100.0, -1.0, 0.0, 0.0, 0.0))
    assert black_76("call", 100.0, 100.0, 1e9, 1.0).price == 100.0


def test_a_volatile_hour_is_worth_more_than_a_calm_one():
    spot, sigma = np.array([1900.0, 2000.0]), np.array([0.5, 0.9])
    together = black_scholes("put", spot, 2000.0, sigma, 7 / 365)
    apart = [black_scholes("put", s, 2000.0, v, 7 / 365) for s, v in zip(spot.tolist(), sigma.tolist(), strict=True)]
    for name in Greeks._fields:
        assert np.asarray(getattr(together, name)).tolist() == pytest.approx([getattr(one, name) for one in apart], rel=1e-13)
    assert all(isinstance(value, float) for value in apart[0])


@given(rights, moneyness, sigmas, terms, rates)
def test_the_volatility_is_found_again_from_the_price(right: Right, forward: float, sigma: float, years: float, rate: float):
    priced = black_76(right, forward, 1.0, sigma, years, rate)
    if float(priced.vega) > 1e-6:  # else rounding of the price hides the volatility
        found = implied_volatility(right, float(priced.price), forward, 1.0, years, rate)
        assert found == pytest.approx(sigma, abs=1e-14 / float(priced.vega) + 1e-12)


NONE = {
    "a call at what exercise brings": ("call", 10.0, 110.0, 1.0, "a call of 100 at 10 is at or below what exercise would bring"),
    "a put below what exercise brings": ("put", 9.5, 90.0, 1.0, "a put of 100 at 9.5 is at or below what exercise would bring"),
    "an option for nothing": ("put", 0.0, 110.0, 1.0, "at or below what exercise would bring"),
    "a call at its forward": ("call", 90.0, 90.0, 1.0, "at or above the most that any volatility gives"),
    "a put at its strike": ("put", 100.0, 110.0, 1.0, "at or above the most that any volatility gives"),
    "an expired option": ("put", 5.0, 100.0, 0.0, "has expired"),
}


@pytest.mark.parametrize(("right", "price", "forward", "years", "why"), NONE.values(), ids=NONE)
def test_where_no_volatility_gives_a_price_it_says_so(right: Right, price: float, forward: float, years: float, why: str):
    with pytest.raises(Unknown, match=why) as caught:
        implied_volatility(right, price, forward, 100.0, years)
    assert caught.value.code == "volatility"


@pytest.mark.parametrize("right", RIGHTS)
def test_just_inside_the_bounds_there_is_a_volatility(right: Right):
    low = implied_volatility(right, 1e-12, 110.0 if right == "put" else 90.0, 100.0, 1.0)
    high = implied_volatility(right, (90.0 if right == "call" else 100.0) * (1 - 1e-9), 90.0, 100.0, 1.0)
    assert 0.01 < low < 0.02 and 11.0 < high < 14.0
    assert implied_volatility(right, 40.0, 100.0, 100.0, 0.25) == pytest.approx(2 * implied_volatility(right, 40.0, 100.0, 100.0, 1.0), rel=1e-12)


def test_a_price_is_discounted_before_its_volatility_is_sought():
    price = float(black_76("call", 100.0, 100.0, 0.5, 2.0, 0.10).price)
    assert implied_volatility("call", price, 100.0, 100.0, 2.0, 0.10) == pytest.approx(0.5, rel=1e-12)


def test_a_price_of_cents_has_its_bounds_as_well():
    with pytest.raises(Unknown, match=r"a call of 0\.5 at 0\.5 is at or above the most"):
        implied_volatility("call", 0.5, 0.5, 0.5, 1.0)


def test_the_volatility_is_the_middle_of_one_of_2_to_the_80_equal_parts_of_64_deviations():
    # A binary number this small holds every such middle exactly: an odd number of halves of 64 / 2^80.
    halves = Fraction(implied_volatility("call", 1e-8, 1.0, 1.0, 1.0)) * 2**81 / 64
    assert halves.denominator == 1 and halves.numerator % 2 == 1


def test_of_the_volatilities_whose_prices_round_to_one_number_it_is_the_least():
    price = float(black_76("call", 1.0, 1.0, 1e-15, 1.0).price)
    found = implied_volatility("call", price, 1.0, 1.0, 1.0)
    assert float(black_76("call", 1.0, 1.0, found * (1 - 1e-6), 1.0).price) < price
    assert float(black_76("call", 1.0, 1.0, found * (1 + 1e-6), 1.0).price) == price
