"""Uniswap v2 in whole numbers, and what a constant-product position is worth at other prices."""

from dataclasses import replace
from math import isqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.constant_product import MOST_RESERVE, SIXTH, ConstantProduct, Pair, ProtocolShare, burned, impermanent_loss, protocol_shares
from monitor.core.exposure import Exposure, Scenario

# 4000 x 9000 = 6000 squared; at the last mint it was 5000 squared.
GROWN = Pair(4000, 9000, 4000, 9000, 5000, 25_000_000, fee_on=True)

prices = st.floats(1e-6, 1e6)
ratios = st.floats(1e-9, 1e9)
liquidity = st.floats(0, 1e12)
reserve = st.integers(1, MOST_RESERVE)


def test_the_protocol_takes_a_sixth_of_the_growth():
    # 5000 (6000 - 5000) / (5 x 6000 + 5000) = 142.8
    assert protocol_shares(GROWN) == 142
    assert burned(GROWN, 1000) == (1000 * 4000 // 5142, 1000 * 9000 // 5142) == (777, 1750)


def test_a_fork_may_take_another_share():
    # 8 of 25: 5000 x 1000 x 8 / (17 x 6000 + 8 x 5000) = 281.7
    assert protocol_shares(GROWN, ProtocolShare(8, 25)) == 281
    assert burned(GROWN, 1000, ProtocolShare(8, 25)) == (1000 * 4000 // 5281, 1000 * 9000 // 5281)


@pytest.mark.parametrize(
    "changed",
    [
        replace(GROWN, fee_on=False),
        replace(GROWN, k_last=0),
        replace(GROWN, k_last=36_000_000),
        replace(GROWN, k_last=36_012_000),
        replace(GROWN, k_last=49_000_000),
    ],
    ids=["nobody receives it", "never noted", "no growth", "growth below a unit", "shrunk"],
)
def test_no_growth_or_no_receiver_means_no_fee(changed: Pair):
    assert protocol_shares(changed) == 0
    assert burned(changed, 1000) == (800, 1800)


def test_no_growth_means_no_fee_however_many_shares_there_are():
    assert protocol_shares(replace(GROWN, k_last=36_000_000, total_supply=10**9)) == 0


def test_growth_by_one_unit_of_the_root_counts():
    assert protocol_shares(replace(GROWN, k_last=5999**2, total_supply=36_000)) == 1
    assert protocol_shares(replace(GROWN, k_last=6000**2 - 1, total_supply=35_998)) == 0


def test_the_pair_pays_by_what_it_holds_and_not_by_what_it_wrote_down():
    donated = replace(GROWN, k_last=0, balance0=5000, balance1=8000)
    assert burned(donated, 1000) == (1000, 1600)


def test_rounding_is_down_and_everything_goes_out_with_the_last_share():
    assert burned(replace(GROWN, k_last=0, balance0=4999, balance1=9001), 1) == (0, 0), "of token0 not a unit is due: the contract refuses"
    assert burned(replace(GROWN, k_last=0, balance0=5000, balance1=9999), 1) == (1, 1)
    assert burned(replace(GROWN, k_last=0, balance0=9001, balance1=4999), 1) == (0, 0)
    assert burned(replace(GROWN, k_last=0), 5000) == (4000, 9000)


def test_no_shares_and_an_empty_pair_pay_nothing():
    assert burned(GROWN, 0) == (0, 0)
    assert burned(Pair(0, 0, 0, 0, 0, 0, fee_on=True), 0) == (0, 0)
    assert burned(Pair(0, 0, 7, 7, 0, 0, fee_on=False), 0) == (0, 0), "what was given to an empty pair is nobody's"
    assert burned(Pair(4000, 9000, 0, 9000, 5000, 0, fee_on=False), 5000) == (0, 0)


@pytest.mark.parametrize("shares", [-1, 5001])
def test_shares_that_cannot_be_are_refused(shares: int):
    with pytest.raises(ValueError, match=f"{shares} shares of 5000 cannot be"):
        burned(GROWN, shares)


@pytest.mark.parametrize("side", [0, 1])
def test_a_balance_beyond_what_the_pair_can_count_is_refused(side: int):
    def holding(large: int) -> Pair:
        balance0, balance1 = (large, 9000) if side == 0 else (4000, large)
        return Pair(4000, 9000, balance0, balance1, 2, 0, fee_on=False)

    assert burned(holding(2 * MOST_RESERVE), 1)[side] == MOST_RESERVE == int("f" * 28, 16)
    # An odd unit stays behind with the half that is not burned.
    with pytest.raises(ValueError, match=f"more of token{side} than it can count"):
        burned(holding(2 * MOST_RESERVE + 1), 1)


def test_uniswap_s_own_share_is_a_sixth_and_any_proper_fraction_may_be_another():
    assert ProtocolShare(1, 6) == SIXTH
    assert ProtocolShare(1, 2).part == 1


@pytest.mark.parametrize(("part", "whole"), [(0, 6), (6, 6), (7, 6), (-1, 6)])
def test_a_protocol_share_is_a_proper_fraction(part: int, whole: int):
    with pytest.raises(ValueError, match="between 0 and 1"):
        ProtocolShare(part, whole)


@given(reserve, reserve, st.integers(1, MOST_RESERVE), st.data())
def test_nobody_is_paid_more_than_his_share_and_the_protocol_never_more_than_a_sixth_of_the_growth(
    r0: int, r1: int, supply: int, data: st.DataObject
):
    k_last = data.draw(st.integers(1, r0 * r1))
    shares = data.draw(st.integers(0, supply))
    pair = Pair(r0, r1, r0, r1, supply, k_last, fee_on=True)
    paid0, paid1 = burned(pair, shares)
    assert paid0 * supply <= shares * r0
    assert paid1 * supply <= shares * r1
    fee, root, root_last = protocol_shares(pair), isqrt(r0 * r1), isqrt(k_last)
    assert 6 * fee * root <= (supply + fee) * (root - root_last)
    assert 6 * (fee + 1) * root > (supply + fee + 1) * (root - root_last), "rounded down by less than one share"


@pytest.mark.parametrize(("ratio", "loss"), [(1.0, 0.0), (4.0, -0.2), (0.25, -0.2), (9.0, -0.4), (2.0, 2 * 2**0.5 / 3 - 1), (1.25, -0.00619201)])
def test_the_known_losses(ratio: float, loss: float):
    assert impermanent_loss(ratio) == pytest.approx(loss, abs=1e-7)


@given(ratios)
def test_the_loss_is_never_a_gain_is_the_closed_form_and_is_the_same_both_ways(ratio: float):
    loss = impermanent_loss(ratio)
    assert -1 <= loss <= 0
    assert loss == pytest.approx(2 * ratio**0.5 / (1 + ratio) - 1, abs=1e-12)
    assert loss == pytest.approx(impermanent_loss(1 / ratio), abs=1e-9)


@pytest.mark.parametrize("ratio", [0.0, -1.0, float("nan")])
def test_a_ratio_that_is_none_is_refused(ratio: float):
    with pytest.raises(ValueError, match="above 0"):
        impermanent_loss(ratio)
    with pytest.raises(ValueError, match="above 0"):
        impermanent_loss(np.array([1.0, ratio]))


def test_the_loss_of_many_ratios_at_once():
    assert impermanent_loss(np.array([1.0, 4.0])) == pytest.approx([0, -0.2])


HELD: Exposure = ConstantProduct.of("ETH", 3.0, "USDC", 7500.0)


def at(eth: float, usdc: float = 1.0) -> Scenario:
    return Scenario({"ETH": eth, "USDC": usdc})


def test_a_position_at_four_times_the_price():
    assert HELD.value_usd(at(2500.0)) == pytest.approx(15_000)
    assert HELD.deltas(at(2500.0)) == pytest.approx({"ETH": 3.0, "USDC": 7500.0})
    assert HELD.gammas(at(2500.0)) == pytest.approx({"ETH": -3 / 5000, "USDC": -3750})
    assert HELD.value_usd(at(10_000.0)) == pytest.approx(30_000)
    assert HELD.deltas(at(10_000.0)) == pytest.approx({"ETH": 1.5, "USDC": 15_000.0})
    assert HELD.gammas(at(10_000.0)) == pytest.approx({"ETH": -1.5 / 20_000, "USDC": -7500})
    assert HELD.value_usd(at(2500.0, 0.25)) == pytest.approx(7500)
    assert HELD.deltas(at(2500.0, 0.25)) == pytest.approx({"ETH": 1.5, "USDC": 15_000.0})
    assert HELD.assets == {"ETH", "USDC"}
    assert not HELD.vegas(at(1.0))


def test_many_states_at_once_keep_their_shape():
    many = Scenario({"ETH": np.array([2500.0, 10_000.0]), "USDC": np.array([1.0, 1.0])})
    assert HELD.value_usd(many) == pytest.approx([15_000, 30_000])
    assert HELD.deltas(many)["ETH"] == pytest.approx([3.0, 1.5])
    assert HELD.gammas(many)["ETH"] == pytest.approx([-3 / 5000, -1.5 / 20_000])


def test_a_price_that_is_missing_is_named():
    with pytest.raises(ValueError, match="no price of USDC"):
        HELD.value_usd(Scenario({"ETH": 1.0}))


def test_two_names_of_one_asset_are_no_pair():
    with pytest.raises(ValueError, match="both sides are ETH"):
        ConstantProduct("ETH", "ETH", 1.0)


@given(liquidity, prices, prices)
def test_the_amounts_held_make_up_the_value_and_keep_their_product(size: float, p0: float, p1: float):
    one = ConstantProduct("A", "B", size)
    world = Scenario({"A": p0, "B": p1})
    held = one.deltas(world)
    assert float(held["A"] * p0 + held["B"] * p1) == pytest.approx(float(one.value_usd(world)), rel=1e-9)
    assert float(held["A"] * held["B"]) == pytest.approx(size**2, rel=1e-9)


@given(st.floats(1e-3, 1e9), prices, prices, st.sampled_from("AB"))
def test_delta_is_the_derivative_of_the_value_and_gamma_of_delta(size: float, p0: float, p1: float, moved: str):
    one, world = ConstantProduct("A", "B", size), Scenario({"A": p0, "B": p1})
    step = 1e-4
    up, down = (world.moved({moved: 1 + sign * step}) for sign in (1, -1))
    width = 2 * step * float(world.price(moved))
    delta, gamma = float(one.deltas(world)[moved]), float(one.gammas(world)[moved])
    assert delta == pytest.approx((float(one.value_usd(up)) - float(one.value_usd(down))) / width, rel=1e-6)
    assert gamma == pytest.approx((float(one.deltas(up)[moved]) - float(one.deltas(down)[moved])) / width, rel=1e-6)
    assert gamma < 0


@given(st.floats(1e-3, 1e9), prices, prices, st.floats(1e-3, 1e3))
def test_against_the_deposited_amounts_it_loses_what_the_closed_form_says(size: float, p0: float, p1: float, ratio: float):
    one, start = ConstantProduct("A", "B", size), Scenario({"A": p0, "B": p1})
    later = start.moved({"A": ratio})
    deposited = one.deltas(start)
    held = float(deposited["A"]) * p0 * ratio + float(deposited["B"]) * p1
    assert float(one.value_usd(later)) / held - 1 == pytest.approx(float(impermanent_loss(ratio)), abs=1e-9)
