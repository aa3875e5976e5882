"""Linear perpetuals: equity, liquidation price, funding carry and netting, by exact numbers and by what must hold for all."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from monitor.core.perpetual import (
    Perpetual,
    backing_usd,
    funding_carry_usd,
    liquidation_price,
    maintenance_ratio,
    netted,
)

SIZES = st.floats(0.01, 1e4).flatmap(lambda size: st.sampled_from([size, -size]))
PRICES = st.floats(1, 1e5)
RATIOS = st.floats(0, 0.5)
LONG = Perpetual(2.0, 1500.0, 600.0)
SHORT = Perpetual(-2.0, 1500.0, 600.0)


def test_equity_is_margin_and_profit():
    assert (LONG.unrealised_usd(1600.0), LONG.equity_usd(1600.0)) == (200.0, 800.0)
    assert (SHORT.unrealised_usd(1600.0), SHORT.equity_usd(1600.0)) == (-200.0, 400.0)
    assert (LONG.beside_usd, SHORT.beside_usd) == (-2400.0, 3600.0)


@pytest.mark.parametrize(
    ("held", "ratio", "price"),
    [
        (LONG, 0.0, 1200.0),  # 2 x 1500 - 600 = 2400 for 2 coins
        (SHORT, 0.0, 1800.0),
        (LONG, 0.04, 1250.0),  # 2400 / (2 x 0.96)
        (SHORT, 0.2, 1500.0),  # 3600 / (2 x 1.2)
        (Perpetual(1.0, 100.0, 99.0), 0.5, 2.0),
        (Perpetual(1.0, 100.0, 100.0), 0.5, None),
        (Perpetual(1.0, 100.0, 101.0), 0.5, None),
        (Perpetual(-1.0, 100.0, -100.0), 0.5, None),
        (Perpetual(0.0, 0.0, 50.0), 0.1, None),
        (Perpetual(1.0, 100.0, -10.0), 0.0, 110.0),  # below its own entry already
    ],
)
def test_the_price_of_liquidation(held: Perpetual, ratio: float, price: float | None):
    found = liquidation_price(held, ratio)
    assert found == (None if price is None else pytest.approx(price, rel=1e-12))


def test_a_price_that_a_venue_publishes_for_an_isolated_long_is_met():
    """Hyperliquid's documented example: 0.0335 ETH from 2986.3, 95.059824 USD borrowed, 50x allowed, so 1% maintenance."""
    held = Perpetual(0.0335, 2986.3, 0.0335 * 2986.3 - 95.059824)
    assert liquidation_price(held, 0.01) == pytest.approx(2866.26936529, abs=1e-4)


@pytest.mark.parametrize("ratio", [-0.01, 1.0, float("nan")])
def test_a_maintenance_ratio_outside_of_its_range_is_refused(ratio: float):
    with pytest.raises(ValueError, match="lies from 0 to below 1"):
        liquidation_price(LONG, ratio)


@given(SIZES, PRICES, st.floats(0.001, 0.9), RATIOS)
def test_at_the_liquidation_price_the_equity_is_the_maintenance_margin_and_beyond_it_less(size: float, entry: float, share: float, ratio: float):
    held = Perpetual(size, entry, share * abs(size) * entry)
    price = liquidation_price(held, ratio)
    assert price is not None
    scale = abs(size) * max(entry, price)
    assert held.equity_usd(price) - abs(size) * price * ratio == pytest.approx(0, abs=1e-9 * scale)
    beyond, before = (0.99, 1.01) if size > 0 else (1.01, 0.99)
    assert held.equity_usd(price * beyond) < abs(size) * price * beyond * ratio + 1e-9 * scale
    assert held.equity_usd(price * before) > abs(size) * price * before * ratio - 1e-9 * scale
    if share > ratio:  # margin to spare at the entry
        assert (price < entry) == (size > 0)


@given(SIZES, PRICES, st.floats(0.01, 0.8), RATIOS)
def test_more_margin_moves_liquidation_away(size: float, entry: float, share: float, ratio: float):
    notional = abs(size) * entry
    near, far = (liquidation_price(Perpetual(size, entry, s * notional), ratio) for s in (share, share + 0.1))
    assert near is not None and far is not None
    assert (far < near) == (size > 0)


def test_longs_pay_positive_funding_and_shorts_receive_it():
    assert funding_carry_usd(2000.0, 0.1) == -200.0
    assert funding_carry_usd(-2000.0, 0.1) == 200.0
    assert funding_carry_usd(2000.0, -0.1) == 200.0


@given(st.floats(-1e6, 1e6), st.floats(-2, 2))
def test_funding_is_paid_from_one_side_to_the_other(delta_usd: float, rate: float):
    paid = funding_carry_usd(delta_usd, rate)
    assert paid == -funding_carry_usd(-delta_usd, rate)
    assert paid * delta_usd * rate <= 0
    assert abs(paid) == pytest.approx(abs(delta_usd) * abs(rate))


def test_the_maintenance_ratio_is_of_the_notional_whichever_side_it_is():
    assert maintenance_ratio(20.0, -2.0, 1000.0) == maintenance_ratio(20.0, 2.0, 1000.0) == 0.01
    with pytest.raises(ValueError, match="without a notional"):
        maintenance_ratio(20.0, 0.0, 1000.0)


def test_what_backs_one_position_of_an_account_is_its_equity_without_that_profit_and_what_the_others_need():
    assert backing_usd(1000.0, 150.0, 50.0) == 800.0
    assert backing_usd(1000.0, -150.0, 50.0) == 1100.0


@given(SIZES, SIZES, PRICES, PRICES, PRICES, RATIOS)
def test_in_a_cross_margined_account_liquidation_is_where_the_whole_account_is_at_its_maintenance(
    size: float, other: float, entry: float, price: float, other_price: float, ratio: float
):
    collateral = 0.6 * (abs(size) * entry + abs(other) * other_price)
    others_usd = abs(other) * other_price * ratio
    equity = collateral + size * (price - entry)
    backing = backing_usd(equity, size * (price - entry), others_usd)
    edge = liquidation_price(Perpetual(size, entry, backing), ratio)
    assume(edge is not None)
    assert edge is not None
    needed = abs(size) * edge * ratio + others_usd
    assert collateral + size * (edge - entry) == pytest.approx(needed, abs=1e-6 * max(collateral, needed))


# --- held both ways ---


def test_a_hedge_is_closed_against_itself_and_its_profit_becomes_margin():
    """2 long from 1500 and 0.5 short from 1700: 1.5 long from 1500 are left, and 0.5 x 200 are locked in."""
    assert netted([Perpetual(2.0, 1500.0, 300.0), Perpetual(-0.5, 1700.0, 100.0)]) == Perpetual(1.5, 1500.0, 500.0)


def test_the_side_that_is_larger_keeps_its_entry():
    assert netted([Perpetual(0.5, 1500.0, 300.0), Perpetual(-2.0, 1700.0, 100.0)]) == Perpetual(-1.5, 1700.0, 500.0)


def test_two_of_one_side_have_their_mean_entry_by_size():
    assert netted([Perpetual(1.0, 1000.0, 10.0), Perpetual(3.0, 2000.0, 20.0)]) == Perpetual(4.0, 1750.0, 30.0)


def test_a_perfect_hedge_is_flat_and_so_is_nothing():
    assert netted([Perpetual(2.0, 1500.0, 300.0), Perpetual(-2.0, 1400.0, 100.0)]) == Perpetual(0.0, 0.0, 200.0)
    assert netted([]) == Perpetual(0, 0.0, 0)


LEGS = st.lists(st.builds(Perpetual, SIZES, PRICES, st.floats(0, 1e5)), min_size=1, max_size=4)


@given(LEGS, PRICES)
def test_netting_changes_the_equity_at_no_price(legs: list[Perpetual], price: float):
    scale = sum(abs(leg.size) * (leg.entry_price + price) + leg.margin_usd for leg in legs)
    assert netted(legs).equity_usd(price) == pytest.approx(sum(leg.equity_usd(price) for leg in legs), abs=1e-9 * scale)
