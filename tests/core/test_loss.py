"""Impermanent loss: the closed form, what it is measured against, and which fees are in it."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.book import Position
from monitor.core.exposure import Exposure, Scenario
from monitor.core.liquidity import readings
from monitor.core.loss import deposit, loss_exposure, loss_of, of_amounts
from monitor.core.observation import Observation
from monitor.core.units import HOUR, MINUTE
from monitor.core.valuation import value_position
from monitor.core.verdict import Unknown
from monitor.core.view import View
from tests.builders import START, seen
from tests.core.books import book, priced

Amounts = dict[str, float]


def full_range(liquidity: float, price: float) -> Amounts:
    """What a position over all prices holds: x y = L squared at y / x = price."""
    return {"ETH": liquidity / math.sqrt(price), "USDC": liquidity * math.sqrt(price)}


def in_range(liquidity: float, lower: float, upper: float, price: float) -> Amounts:
    """What a concentrated position holds, as the paper of Uniswap v3 has it (6.29 and 6.30), at a price of USDC for ETH."""
    root, low, high = math.sqrt(min(max(price, lower), upper)), math.sqrt(lower), math.sqrt(upper)
    return {"ETH": liquidity * (1 / root - 1 / high), "USDC": liquidity * (root - low)}


@pytest.mark.parametrize(("k", "ratio"), [(4.0, -0.2), (0.25, -0.2), (1.0, 0.0), (9.0, -0.4), (1.5, 2 * math.sqrt(1.5) / 2.5 - 1)])
def test_over_all_prices_it_is_the_closed_form(k: float, ratio: float):
    found = of_amounts(full_range(100.0, 2000 * k), full_range(100.0, 2000.0), {"ETH": 2000 * k, "USDC": 1.0}, "test")
    assert 2 * math.sqrt(k) / (1 + k) - 1 == pytest.approx(ratio)
    assert found.ratio == pytest.approx(ratio, abs=1e-12)
    put_in_usd = 100 / math.sqrt(2000) * 2000 * k + 100 * math.sqrt(2000)
    assert found.usd == pytest.approx(ratio * put_in_usd, abs=1e-9)
    assert found.basis == "test"


prices = st.floats(200.0, 20_000.0)


@given(prices, prices, prices, prices)
def test_it_is_never_a_gain_while_prices_alone_have_moved(first: float, second: float, then: float, now: float):
    lower, upper = min(first, second), max(first, second) + 1
    held, put_in = (in_range(100.0, lower, upper, price) for price in (now, then))
    found = of_amounts(held, put_in, {"ETH": now, "USDC": 1.0}, "test")
    assert found.usd <= 1e-6 and found.ratio <= 1e-9


def test_nothing_put_in_has_no_loss():
    with pytest.raises(Unknown, match="nothing to measure a loss against"):
        of_amounts({"ETH": 1.0}, {"ETH": 0.0}, {"ETH": 2000.0}, "test")


# --- out of a view ---


def read(name: str, values: list[float], *, ends: int = START, step_ms: int = MINUTE) -> list[Observation]:
    return [seen(f"position.{name}", "lp", value, ends - step_ms * (len(values) - 1 - n), "chain") for n, value in enumerate(values)]


def raw(amounts: list[Amounts]) -> list[Observation]:
    sides = [*read("amount0", [round(one["ETH"] * 10**18) for one in amounts]), *read("amount1", [round(one["USDC"] * 10**6) for one in amounts])]
    return [*sides, *read("decimals0", [18] * len(amounts)), *read("decimals1", [6] * len(amounts))]


def lp(**fields: Any) -> dict[str, Any]:
    kind = {"id": "lp", "kind": "uniswap-v3", "chain": "ethereum", "token_id": 1, "assets": ["WETH", "USDC"]}
    return {**kind, **fields}


def world(*observations: Observation, price: float = 8000.0, **fields: Any) -> tuple[View, Position]:
    view = book(*observations, *priced(ETH=price, USDC=1.0), positions=[lp(**fields)])
    return view, view.settings.positions[0]


THEN, NOW = full_range(1000.0, 2000.0), full_range(1000.0, 8000.0)


def test_it_is_measured_against_the_declared_deposit():
    view, position = world(*raw([NOW] * 3), deposited={"WETH": THEN["ETH"] / 2, "ETH": THEN["ETH"] / 2, "USDC": THEN["USDC"]})
    found = loss_of(view, position)
    assert found is not None
    assert found.ratio == pytest.approx(-0.2)
    assert found.basis == "as declared in deposited"
    assert found.usd == pytest.approx(-0.2 * (THEN["ETH"] * 8000 + THEN["USDC"]))


def test_a_deposit_that_no_price_can_turn_into_what_is_held_is_told_as_such():
    less = {asset: amount / 1.0099 for asset, amount in NOW.items()}
    found = loss_of(*world(*raw([NOW] * 3), deposited=less))
    assert found is not None and found.ratio == pytest.approx(0.0099)
    less = {asset: amount / 1.0101 for asset, amount in NOW.items()}
    with pytest.raises(Unknown, match=r"lp is worth 1\.0% more than its deposit, without fees: no price does that, correct deposited"):
        loss_of(*world(*raw([NOW] * 3), deposited=less))


def test_it_is_measured_against_what_was_first_read_since_the_liquidity_changed():
    before = full_range(500.0, 1000.0)
    view, position = world(*raw([before, THEN, full_range(1000.0, 3000.0), NOW]), *read("liquidity", [5, 10, 10, 10]))
    put_in = deposit(view, position)
    assert put_in.amounts == {"ETH": pytest.approx(THEN["ETH"]), "USDC": pytest.approx(THEN["USDC"], abs=1e-6)}
    assert put_in.basis == "what it held at 2024-03-03T23:58:00Z, when it was first read with today's liquidity"
    found = loss_of(view, position)
    assert found is not None and found.ratio == pytest.approx(-0.2)


def test_liquidity_that_never_changed_dates_from_the_first_reading():
    view, position = world(*raw([THEN, NOW, NOW]), *read("liquidity", [10, 10, 10]))
    assert deposit(view, position).amounts["ETH"] == pytest.approx(THEN["ETH"])


def test_readings_of_other_instants_are_not_mixed():
    view, position = world(*raw([THEN, NOW, NOW]), *read("liquidity", [9, 9, 9, 9]))
    with pytest.raises(Unknown, match=r"position\.amount0 of lp was not read at 2024-03-03T23:57:00Z, when its liquidity last changed"):
        loss_of(view, position)


def test_what_was_never_read_is_unknown():
    view, position = world()
    with pytest.raises(Unknown, match="the state of position lp was not read yet"):
        loss_of(view, position)


def test_amounts_that_are_old_are_no_loss_of_today():
    view = book(*raw([NOW] * 3), *priced(START + HOUR, ETH=8000.0, USDC=1.0), positions=[lp(deposited={"ETH": 1.0})], now=START + HOUR)
    with pytest.raises(Unknown, match="old"):
        loss_of(view, view.settings.positions[0])


@pytest.mark.parametrize("kind", ["tokens", "perp", "aave-v3", "erc-4626"])
def test_other_kinds_have_none(kind: Any):
    assert loss_of(book(), Position(id="p", kind=kind)) is None


def test_the_fees_in_a_pair_s_reserves_are_taken_out_by_the_growth_of_the_root():
    grown = {asset: 1.1 * amount for asset, amount in NOW.items()}
    view, position = world(*raw([THEN, grown, grown]), *read("shares", [7, 7, 7]), kind="uniswap-v2", pool="0x" + "1" * 40, account="0x" + "2" * 40)
    found = loss_of(view, position)
    assert found is not None and found.ratio == pytest.approx(-0.2)
    assert found.basis == "what it held at 2024-03-03T23:58:00Z, when it was first read with today's liquidity"


def pair(held: Amounts, **deposited: float) -> tuple[View, Position]:
    return world(*raw([held] * 3), kind="uniswap-v2", pool="0x" + "1" * 40, account="0x" + "2" * 40, deposited=deposited)


def test_a_pair_that_holds_less_than_its_deposit_makes_was_withdrawn_from():
    less = {asset: 0.99 * amount for asset, amount in NOW.items()}
    with pytest.raises(Unknown, match="lp holds less than its deposit makes: something was withdrawn, correct deposited"):
        loss_of(*pair(less, **THEN))
    just = {asset: (1 - 1e-10) * amount for asset, amount in NOW.items()}
    found = loss_of(*pair(just, **THEN))
    assert found is not None and found.ratio == pytest.approx(-0.2)
    gone = loss_of(*pair({"ETH": 0.0, "USDC": 0.0}, ETH=0.0, USDC=10.0))
    assert gone is not None and (gone.usd, gone.ratio) == (-10.0, -1.0)
    dust = loss_of(*pair({"ETH": 0.0001, "USDC": 0.4}, ETH=0.00005, USDC=0.2))
    assert dust is not None and dust.usd == pytest.approx(0)
    lopsided = loss_of(*pair({"ETH": 2.0, "USDC": 0.0}, ETH=2.0, USDC=0.0))
    assert lopsided is not None and lopsided.usd == 0


@pytest.mark.parametrize(("more", "withdrawn"), [(0.95e-9, False), (1e-9, False), (1.05e-9, True)])
def test_a_deposit_that_makes_a_billionth_more_than_is_held_is_rounding(more: float, withdrawn: bool):
    view, position = pair({"ETH": 1.0, "USDC": 1.0}, ETH=1 + more, USDC=1 + more)
    if withdrawn:
        with pytest.raises(Unknown, match="something was withdrawn"):
            loss_of(view, position)
    else:
        assert loss_of(view, position) is not None


def test_a_deposit_of_other_assets_cannot_be_freed_of_fees():
    found = loss_of(*pair(NOW, USDC=1000.0))
    assert found is not None
    assert found.usd == pytest.approx(NOW["ETH"] * 8000 + NOW["USDC"] - 1000)
    assert found.basis == "as declared in deposited; fees stay in the pool and lessen the loss"


def test_shares_of_other_pools_are_read_by_the_names_of_their_assets():
    rows = [*read("amount.WETH", [2.0, 1.0, 1.0]), *read("amount.STETH", [0.0, 0.5, 0.5]), *read("shares", [4, 4, 4])]
    view, position = world(*rows, kind="curve", pool="0x" + "1" * 40, account="0x" + "2" * 40, assets=["WETH", "STETH"])
    found = loss_of(view, position)
    assert found is not None
    assert (found.usd, found.ratio) == (-0.5 * 8000, -0.25)
    assert found.basis.endswith("today's liquidity; fees stay in the pool and lessen the loss")


def test_a_pool_whose_well_known_coins_are_not_named_is_read_by_what_was_read_of_it():
    rows = [*read("amount.USDC", [600.0, 500.0, 500.0]), *read("amount.USDT", [400.0, 480.0, 480.0]), *read("shares", [4, 4, 4])]
    fields: dict[str, Any] = {"kind": "curve", "pool": "0x" + "1" * 40, "account": "0x" + "2" * 40, "assets": []}
    view, position = world(*rows, *priced(USDT=1.0), **fields)
    found = loss_of(view, position)
    assert found is not None and found.ratio == pytest.approx(-0.02)
    view, position = world(*rows, *priced(USDT=1.0), **fields, deposited={"USDC": 500.0, "USDT": 500.0})
    found = loss_of(view, position)
    assert found is not None and found.usd == pytest.approx(-20.0)


# --- readings ---


@pytest.mark.parametrize(
    ("span_hours", "at", "value", "hours"),
    [
        (None, [-6, -5, -2], [1.0, 2.0, 3.0], [1.0, 3.0, 2.0]),
        (7, [-6, -5, -2], [1.0, 2.0, 3.0], [1.0, 3.0, 2.0]),
        (6, [-6, -5, -2], [1.0, 2.0, 3.0], [1.0, 3.0, 2.0]),
        (5.5, [-5.5, -5, -2], [1.0, 2.0, 3.0], [0.5, 3.0, 2.0]),
        (5, [-5, -2], [2.0, 3.0], [3.0, 2.0]),
        (1, [-1], [3.0], [1.0]),
    ],
)
def test_readings_of_a_span_begin_with_the_one_that_still_held_and_each_holds_until_the_next(
    span_hours: float | None, at: list[float], value: list[float], hours: list[float]
):
    rows = [seen("position.shares", "lp", size, START - hour * HOUR, "chain") for size, hour in ((1, 6), (2, 5), (3, 2))]
    view, position = world(*rows, seen("position.shares", "lp", 9, START + 5, "chain", known_at=START))
    known = readings(view, "position.shares", position, None if span_hours is None else round(span_hours * HOUR))
    assert [round((one - START) / HOUR, 9) for one in known.at.tolist()] == at
    assert known.value.tolist() == value
    assert (known.held_ms / HOUR).tolist() == hours


def test_what_is_only_announced_is_no_history_yet():
    view, _ = world(seen("position.shares", "lp", 9, START + 5, "chain", known_at=START))
    with pytest.raises(Unknown, match=r"chain has no position\.shares of lp yet"):
        view.history("position.shares", "lp", "chain")
    with pytest.raises(Unknown, match=r"no position\.liquidity of lp from chain"):
        view.history("position.liquidity", "lp", "chain")
    assert view.evidence == ()


# --- as a function of prices ---


def on_chain(state: dict[str, int]) -> list[Observation]:
    times = [START - n * MINUTE for n in (2, 1, 0)]
    return [Observation(f"position.{name}", "lp", "chain", at, at, value, f"0x{at}") for at in times for name, value in state.items()]


def lossy(view: View, position: Position) -> tuple[Exposure, Amounts]:
    put_in = dict(deposit(view, position).amounts)
    return loss_exposure(view, position, value_position(view, position), put_in), put_in


def prices_of(eth: float) -> Scenario:
    return Scenario({"ETH": eth, "USDC": 1.0})


@pytest.mark.parametrize("grown", [1.0, 1.1])
@pytest.mark.parametrize("there", [2000.0, 4000.0, 8000.0, 32_000.0])
def test_the_loss_of_a_pair_at_other_prices_is_the_closed_form_whatever_fees_it_has_earned(grown: float, there: float):
    state = {"amount0": round(grown * NOW["ETH"] * 1e18), "amount1": round(grown * NOW["USDC"] * 1e6), "shares": 7, "decimals0": 18, "decimals1": 6}
    view, position = world(*on_chain(state), kind="uniswap-v2", pool="0x" + "1" * 40, account="0x" + "2" * 40, deposited=THEN)
    loss, put_in = lossy(view, position)
    k = there / 2000.0
    put_in_usd = put_in["ETH"] * there + put_in["USDC"]
    assert loss.value_usd(prices_of(there)) == pytest.approx((2 * math.sqrt(k) / (1 + k) - 1) * put_in_usd, abs=1e-3)


def test_fees_that_are_collected_apart_are_no_part_of_the_loss_at_any_price():
    lower, upper = (1.0001**tick * 1e12 for tick in (-204_000, -196_000))
    amounts, then = in_range(1e5, lower, upper, 2000.0), in_range(1e5, lower, upper, 1900.0)
    numbers = {"liquidity": 10**17, "tick": round(math.log(2000e-12, 1.0001)), "tick_lower": -204_000, "tick_upper": -196_000}
    fees = {"fees0": 10**17, "fees1": 300 * 10**6, "sqrt_price_x96": round(math.sqrt(2000e-12) * 2**96)}
    state = {**numbers, **fees, "amount0": round(amounts["ETH"] * 1e18), "amount1": round(amounts["USDC"] * 1e6), "decimals0": 18, "decimals1": 6}
    view, position = world(*on_chain(state), price=2000.0, deposited=then)
    loss, put_in = lossy(view, position)
    for price in (1500.0, 2000.0, 2600.0, 4000.0):
        held = in_range(1e5, lower, upper, price)
        by_hand = (held["ETH"] - put_in["ETH"]) * price + held["USDC"] - put_in["USDC"]
        assert loss.value_usd(prices_of(price)) == pytest.approx(by_hand, abs=1e-3)
    now = loss_of(view, position)
    assert now is not None and loss.value_usd(prices_of(2000.0)) == pytest.approx(now.usd, abs=1e-3)
