"""Concentrated ranges as functions of prices: exact numbers at every boundary, and properties against arithmetic of sixty digits."""

from decimal import Decimal, localcontext
from math import isqrt, sqrt

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.amm import MAX_TICK, MIN_TICK, Q96, amounts_for_liquidity, sqrt_ratio_at_tick
from monitor.core.exposure import Scenario
from monitor.core.ranges import V3Range, edge_jumps, range_of

# Roots 2 and 3, so that every amount is a short fraction.
HELD = V3Range("ETH", "USDC", 60.0, 4.0, 9.0)
AT_LOWER, AT_UPPER, HALFWAY = (10.0, 0.0), (0.0, 60.0), (4.0, 30.0)
PRICES = st.floats(1e-6, 1e6)
# Ends from a thousandth to a thousand, and widths from a hundredth of a percent to a thousandfold.
RANGES = st.builds(
    lambda liquidity, lower, width: V3Range("ETH", "USDC", liquidity, lower, lower * (1 + width)),
    st.floats(1e-6, 1e12),
    st.floats(1e-3, 1e3),
    st.floats(1e-4, 1e3),
)


def at(eth: float, usdc: float = 1.0) -> Scenario:
    return Scenario({"ETH": eth, "USDC": usdc})


@pytest.mark.parametrize(
    ("price", "amounts"),
    [(1.0, AT_LOWER), (4.0, AT_LOWER), (6.25, HALFWAY), (9.0, AT_UPPER), (10.0, AT_UPPER), (1e-30, AT_LOWER), (1e30, AT_UPPER)],
)
def test_a_range_holds_all_of_one_asset_below_and_all_of_the_other_above(price: float, amounts: tuple[float, float]) -> None:
    assert HELD.amounts(price) == pytest.approx(amounts, rel=1e-15)
    deltas = HELD.deltas(at(2 * price, 2.0))
    assert (deltas["ETH"], deltas["USDC"]) == pytest.approx(amounts, rel=1e-15)
    assert HELD.value_usd(at(2 * price, 2.0)) == pytest.approx(amounts[0] * 2 * price + amounts[1] * 2, rel=1e-15)


@pytest.mark.parametrize(
    ("price", "gamma", "other"),
    [
        (4.0 - 1e-12, 0.0, 0.0),
        (4.0, -60 / 16, -60.0),
        (6.25, -60 / 31.25, -75.0),
        (9.0 - 1e-12, -60 / 54, -90.0),
        (9.0, 0.0, 0.0),
        (9.0 + 1e-12, 0.0, 0.0),
        (1e-300, 0.0, 0.0),
        (1e300, 0.0, 0.0),
    ],
)
def test_gamma_is_minus_half_the_liquidity_over_the_price_to_one_and_a_half_inside_and_nothing_outside(
    price: float, gamma: float, other: float
) -> None:
    gammas = HELD.gammas(at(price))
    assert (gammas["ETH"], gammas["USDC"]) == pytest.approx((gamma, other), rel=1e-11)
    in_cents = HELD.gammas(at(price * 0.01, 0.01))
    assert (in_cents["ETH"], in_cents["USDC"]) == pytest.approx((gamma * 100, other * 100), rel=1e-11)


def test_gamma_falls_in_at_the_lower_end_and_out_at_the_upper_one() -> None:
    assert edge_jumps(HELD) == (-60 / 16, 60 / 54)
    for end, jump in zip((4.0, 9.0), edge_jumps(HELD), strict=True):
        below, above = (HELD.gammas(at(end * (1 + step)))["ETH"] for step in (-1e-12, 1e-12))
        assert above - below == pytest.approx(jump, rel=1e-9)


def test_it_names_its_assets_and_has_no_vega() -> None:
    assert HELD.assets == {"ETH", "USDC"}
    assert HELD.vegas(at(6.25)) == {}


def test_many_states_at_once_are_each_of_them_alone() -> None:
    prices = np.array([1.0, 4.0, 6.25, 8.999, 9.0, 20.0])
    many = at(prices)  # type: ignore[arg-type]  # the helper is for one state
    alone = [at(float(price)) for price in prices]
    assert HELD.value_usd(many) == pytest.approx([HELD.value_usd(one) for one in alone], rel=1e-15)
    for asset in HELD.assets:
        assert HELD.deltas(many)[asset] == pytest.approx([HELD.deltas(one)[asset] for one in alone], rel=1e-15)
        assert HELD.gammas(many)[asset] == pytest.approx([HELD.gammas(one)[asset] for one in alone], rel=1e-15)


def test_a_range_without_liquidity_is_worth_nothing() -> None:
    empty = V3Range("ETH", "USDC", 0.0, 4.0, 9.0)
    assert (empty.value_usd(at(6.25)), empty.deltas(at(6.25))["ETH"], empty.gammas(at(6.25))["ETH"]) == (0, 0, 0)
    assert edge_jumps(empty) == (0, 0)


@pytest.mark.parametrize(
    ("liquidity", "lower", "upper"),
    [
        *((1.0, 0.0, 1.0), (1.0, -1.0, 1.0), (1.0, 2.0, 2.0), (1.0, 3.0, 2.0), (-1e-9, 1.0, 2.0), (float("nan"), 1.0, 2.0)),
        *((1.0, float("nan"), 2.0), (1.0, 1.0, float("inf")), (float("inf"), 1.0, 2.0), (1.0, 1.0, float("nan"))),
    ],
)
def test_a_range_that_cannot_be_is_refused(liquidity: float, lower: float, upper: float) -> None:
    with pytest.raises(ValueError, match="no range of liquidity"):
        V3Range("ETH", "USDC", liquidity, lower, upper)


def test_one_asset_on_both_sides_is_no_range() -> None:
    with pytest.raises(ValueError, match="both sides of the range are ETH: their prices never part"):
        V3Range("ETH", "ETH", 1.0, 1.0, 2.0)


# --- properties ------------------------------------------------------------------------------------------------------


def exact_value(held: V3Range, price0: Decimal, price1: Decimal) -> Decimal:
    """The same in decimal arithmetic, as the definition has it: L (1/sqrt P - 1/sqrt b) of one asset and L (sqrt P - sqrt a) of the other."""
    lower, upper = Decimal(held.lower), Decimal(held.upper)
    root = min(max(price0 / price1, lower), upper).sqrt()
    return Decimal(held.liquidity) * ((1 / root - 1 / upper.sqrt()) * price0 + (root - lower.sqrt()) * price1)


def differences(held: V3Range, price0: float, price1: float, side: int) -> tuple[float, float]:
    """First and second central difference of the value by the price of asset0 (side 0) or asset1, in sixty digits."""
    with localcontext(prec=60):
        prices = [Decimal(price0), Decimal(price1)]
        step = prices[side] * Decimal("1e-15")
        here = [exact_value(held, *(p + (side == n) * move * step for n, p in enumerate(prices))) for move in (-1, 0, 1)]
        return float((here[2] - here[0]) / (2 * step)), float((here[2] - 2 * here[1] + here[0]) / step**2)


@given(RANGES, PRICES, st.floats(1e-3, 1e3))
@example(HELD, 6.25, 1.0)
@example(HELD, 4.0001, 1.0)
@example(HELD, 8.9999, 1.0)
def test_delta_is_the_slope_of_the_value_and_gamma_its_bend(held: V3Range, price: float, price1: float) -> None:
    price0 = price * price1
    # On an end itself the bend has two sides; a step there would take both.
    near = any(abs(price0 / price1 / end - 1) < 1e-12 for end in (held.lower, held.upper))
    scenario = at(price0, price1)
    full = {"ETH": float(held.amounts(0.0)[0]), "USDC": float(held.amounts(1e30)[1])}
    for side, asset in enumerate(("ETH", "USDC")):
        slope, bend = differences(held, price0, price1, side)
        assert held.deltas(scenario)[asset] == pytest.approx(slope, rel=1e-6, abs=1e-9 * full[asset])
        if not near:
            assert held.gammas(scenario)[asset] == pytest.approx(bend, rel=1e-6, abs=1e-12 * full[asset] / max(price0, price1))
        assert held.gammas(scenario)[asset] <= 0


@given(RANGES)
@example(HELD)
def test_the_value_has_no_step_at_either_end(held: V3Range) -> None:
    for end in (held.lower, held.upper):
        below, here, above = (held.value_usd(at(end * (1 + step))) for step in (-1e-9, 0.0, 1e-9))
        assert below == pytest.approx(here, rel=1e-8)
        assert above == pytest.approx(here, rel=1e-8)


@given(RANGES, PRICES, st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
@example(HELD, 6.25, 1.0, 2.0)
def test_twice_the_prices_is_twice_the_value(held: V3Range, price: float, price1: float, factor: float) -> None:
    value = held.value_usd(at(price * price1, price1))
    assert held.value_usd(at(price * price1 * factor, price1 * factor)) == pytest.approx(factor * value, rel=1e-9)


@given(RANGES, PRICES, PRICES)
@example(HELD, 6.25, 4.0)
@example(HELD, 9.0, 4.0)
def test_a_range_is_never_worth_more_than_what_it_held_at_any_other_price(held: V3Range, start: float, end: float) -> None:
    amount0, amount1 = held.amounts(start)
    kept = amount0 * end + amount1
    lost = held.value_usd(at(end)) - kept
    assert lost <= 1e-12 * kept


def test_impermanent_loss_from_the_middle_to_the_ends_is_a_known_number() -> None:
    # 4 ETH and 30 USDC at 6.25: worth 46 at 4 against 40 of the range, and 66 at 9 against 60.
    amount0, amount1 = HELD.amounts(6.25)
    assert HELD.value_usd(at(4.0)) - (amount0 * 4.0 + amount1) == pytest.approx(-6.0, rel=1e-12)
    assert HELD.value_usd(at(9.0)) - (amount0 * 9.0 + amount1) == pytest.approx(-6.0, rel=1e-12)


# --- from the chain's integers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("decimals", [(0, 0), (6, 18), (18, 6), (8, 18), (36, 0), (0, 36), (18, 18), (7, 0)])
@pytest.mark.parametrize(("ticks", "tick"), [((-600, 600), 13), ((-600, 600), -900), ((-600, 600), 900), ((MIN_TICK, MAX_TICK), 200_000)])
def test_whole_tokens_are_the_chains_amounts_at_any_decimals(decimals: tuple[int, int], ticks: tuple[int, int], tick: int) -> None:
    liquidity, price = 10**30, sqrt_ratio_at_tick(tick)
    raw = amounts_for_liquidity(price, *ticks, liquidity)
    held = range_of(("A", "B"), liquidity, ticks, decimals)
    amounts = held.amounts(price**2 * 10 ** decimals[0] / (Q96**2 * 10 ** decimals[1]))
    assert amounts == pytest.approx((raw[0] / 10 ** decimals[0], raw[1] / 10 ** decimals[1]), rel=1e-9, abs=1.0 / 10 ** min(decimals))


def test_the_liquidity_of_a_range_is_that_of_whole_tokens() -> None:
    held = range_of(("USDC", "ETH"), 10**15, (0, 60), (6, 18))
    assert held == V3Range("USDC", "ETH", 1000.0, 1e-12, held.upper)
    assert held.upper == pytest.approx(1.0001**60 * 1e-12, rel=1e-12)
    assert range_of(("A", "B"), 10**10, (0, 1), (7, 0)).liquidity == pytest.approx(10**10 / sqrt(10**7), rel=1e-15)
    assert isqrt(10**20) == 10**10


@pytest.mark.parametrize("ticks", [(60, 0), (0, 0), (MIN_TICK - 1, 0), (0, MAX_TICK + 1)])
def test_ticks_that_are_no_range_are_refused(ticks: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"no range of|outside the range"):
        range_of(("A", "B"), 1, ticks, (6, 18))


def test_tokens_that_redeem_for_several_coins_make_a_range_of_coins():
    """Of 2 coins in each token0 and 5 in each token1 a price of 6 tokens is one of 15 coins, and the liquidity the root of 10 times larger."""
    plain, coins = (range_of(("A", "B"), 10**18, (0, 6000), (18, 18), rates) for rates in ((1.0, 1.0), (2.0, 5.0)))
    assert (coins.lower, coins.upper) == pytest.approx((plain.lower * 2.5, plain.upper * 2.5))
    assert coins.liquidity == pytest.approx(plain.liquidity * sqrt(10))
    tokens, held = plain.amounts(1.4), coins.amounts(1.4 * 2.5)
    assert (tokens[0] * 2, tokens[1] * 5) == pytest.approx(held)
    assert range_of(("A", "B"), 10**18, (0, 6000), (18, 18)) == plain
