"""What of an impermanent loss a layer makes good: by hand, with plain delta left out, and the strangles that stand against an LP's gamma."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.exposure import Coins, Exposure, Scaled, Scenario, Together
from monitor.core.loss_offset import Offset, loss_offset, plain_delta_usd, strangle_size
from monitor.core.options import OptionLeg
from monitor.core.ranges import range_of
from monitor.core.verdict import Unknown

NOW = Scenario({"ETH": 2000.0, "USDC": 1.0}, {"ETH": 0.6})
DEPOSIT = {"ETH": 2.0, "USDC": 4000.0}


def at(price: float) -> Scenario:
    return Scenario({"ETH": price, "USDC": 1.0}, {"ETH": 0.6})


def losing(usd: float) -> Coins:
    """A loss of so many USD at every price."""
    return Coins({}, -usd)


def judged(layer: Exposure, gain_usd: float, price: float, loss_usd: float = 400.0) -> Offset:
    return loss_offset(gain_usd, layer, losing(loss_usd), DEPOSIT, NOW, at(price))


@pytest.mark.parametrize("price", [1600.0, 2000.0, 2500.0])
@pytest.mark.parametrize("coins", [0.5, 2.0])
def test_a_short_perpetual_within_the_deposit_offsets_nothing_and_costs(coins: float, price: float):
    gain_usd = coins * (2000.0 - price) - 10.0
    assert judged(Coins({"ETH": -coins}, coins * 2000.0), gain_usd, price) == (-400.0, -10.0, -0.025)


def test_of_a_short_beyond_the_deposit_the_surplus_counts_both_ways():
    layer = Coins({"ETH": -3.0}, 6000.0)
    assert judged(layer, 3 * 400.0 - 10.0, 1600.0) == (-400.0, 390.0, 0.975)
    assert judged(layer, 3 * -500.0 - 10.0, 2500.0) == (-400.0, -510.0, -1.275)


def test_a_delta_that_goes_with_the_deposit_hedges_nothing_of_it_and_counts():
    assert judged(Coins({"ETH": 0.5}, -1000.0), 250.0, 2500.0).counted_usd == 250.0


def test_an_asset_that_was_not_put_in_has_no_plain_delta():
    there = Scenario({"ETH": 2000.0, "USDC": 1.0, "BTC": 40_000.0})
    now = Scenario({"ETH": 2000.0, "USDC": 1.0, "BTC": 50_000.0})
    assert plain_delta_usd(Coins({"BTC": -0.1}), DEPOSIT, now, there) == 0.0
    assert plain_delta_usd(Coins({"BTC": -0.1, "ETH": -1.0}), {**DEPOSIT, "BTC": 0.04}, now, there) == pytest.approx(400.0)


def test_of_a_bought_put_the_bend_counts():
    put = OptionLeg("ETH", "put", 2000.0, 30 / 365, 4.0)
    delta = put.deltas(NOW)["ETH"]
    assert -2.0 < delta < -1.8
    assert judged(put, 900.0, 1600.0).counted_usd == pytest.approx(900.0 - delta * (1600.0 - 2000.0))
    # In a rise it loses what its delta would, and less: the bend is a gain there too.
    lost = float(put.value_usd(at(2500.0)) - put.value_usd(NOW))
    assert lost < 0 < judged(put, lost, 2500.0).counted_usd


@pytest.mark.parametrize(
    ("loss_usd", "ratio"),
    [(0.0, None), (-5.0, None), (7200.0 * 1e-9, None), (7201e-9, 100 / 7201e-9), (8000.0, 0.0125)],
)
def test_without_a_loss_there_is_no_share_of_it(loss_usd: float, ratio: float | None):
    # What was put in is worth 7,200 USD at 1,600.
    found = judged(Coins({}), 100.0, 1600.0, loss_usd)
    assert (found.loss_usd, found.counted_usd) == (-loss_usd, 100.0)
    assert found.ratio == (None if ratio is None else pytest.approx(ratio))


# --- strangles on an LP's gamma ---


def test_strangles_stand_against_the_gamma_of_liquidity():
    assert strangle_size(-0.006, 0.002) == pytest.approx(3.0)
    assert strangle_size(0.0, 0.002) == 0.0
    assert strangle_size(0.001, 0.002) == 0.0


@pytest.mark.parametrize("gamma", [0.0, -0.001, math.nan])
def test_a_strangle_without_a_bend_has_no_size(gamma: float):
    with pytest.raises(Unknown, match="no gamma"):
        strangle_size(-0.006, gamma)


LP = range_of(("ETH", "USDC"), 10**17, (-204_000, -196_000), (18, 6))
STRANGLE = Together((OptionLeg("ETH", "put", 1850.0, 30 / 365, 1.0), OptionLeg("ETH", "call", 2200.0, 30 / 365, 1.0)))


@given(st.floats(-0.02, 0.02).filter(lambda move: abs(move) > 0.002))
@example(-0.02)
@example(0.02)
def test_so_many_strangles_make_a_small_loss_good_by_their_bend_alone(move: float):
    put_in = {asset: float(coins) for asset, coins in LP.deltas(NOW).items()}
    lp_gamma = float(LP.gammas(NOW)["ETH"])
    # L = 1e17 / 1e12 in whole units: gamma is -L / (2 S^1.5).
    assert lp_gamma == pytest.approx(-1e5 / (2 * 2000**1.5), rel=1e-9)
    layer = Scaled(STRANGLE, strangle_size(lp_gamma, float(STRANGLE.gammas(NOW)["ETH"])))
    there = at(2000.0 * (1 + move))
    loss = Together((LP, Coins({asset: -coins for asset, coins in put_in.items()})))
    gain_usd = float(layer.value_usd(there)) - float(layer.value_usd(NOW))
    # A strangle that leans to the rise has no plain delta against the deposit: its lean is taken out by a perpetual here.
    lean = float(layer.deltas(NOW)["ETH"])
    level = Together((layer, Coins({"ETH": -lean})))
    found = loss_offset(gain_usd - lean * 2000.0 * move, level, loss, put_in, NOW, there)
    assert found.loss_usd < 0
    assert found.ratio == pytest.approx(1.0, abs=0.06)
