"""At which price of one asset an account is liquidated: where the health, recomputed there, is 1."""

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from monitor.core.book import Position
from monitor.core.liquidation import Account, account, found, health, known_sigma, liquidation_price, of_account, of_perpetual
from monitor.core.observation import Observation
from monitor.core.positions.perp import value as value_perp
from monitor.core.units import HOUR, MINUTE
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.worth import Liquidation
from tests.builders import START, seen
from tests.core.books import book, priced, volatile

LOAN = Account({"ETH": 8.25, "USDC": 0.0}, {"ETH": 0.0, "USDC": 8_250.0})
PRICES = {"ETH": 2000.0, "USDC": 1.0}


def test_health_is_backing_over_debt_and_endless_without_debt():
    assert health(LOAN, PRICES) == 2.0
    assert health(Account({"ETH": 1.0}, {"ETH": 0.5}), {"ETH": 1.0}) == 2.0
    assert health(Account({"ETH": 1.0}, {"ETH": 0.0}), PRICES) == math.inf


def test_collateral_liquidates_below_its_price_and_debt_above():
    assert liquidation_price(LOAN, PRICES, "ETH") == (1000.0, "below")
    assert liquidation_price(LOAN, PRICES, "USDC") == (2.0, "above")


def test_coins_and_prices_under_one_count_as_well():
    small = Account({"ETH": 0.5, "USDC": 0.0}, {"ETH": 0.0, "USDC": 0.25})
    assert liquidation_price(small, PRICES, "ETH") == (0.5, "below")
    assert liquidation_price(Account({"ETH": 0.0, "USDC": 0.5}, {"ETH": 0.125, "USDC": 0.0}), {"ETH": 1.0, "USDC": 1.0}, "USDC") == (0.25, "below")


def test_an_asset_on_both_sides_counts_net():
    both = Account({"ETH": 8.0, "USDC": 1000.0}, {"ETH": 3.0, "USDC": 6000.0})
    assert liquidation_price(both, PRICES, "ETH") == (1000.0, "below")
    short_ether = Account({"ETH": 1.0, "USDC": 9000.0}, {"ETH": 4.0, "USDC": 0.0})
    assert liquidation_price(short_ether, PRICES, "ETH") == (3000.0, "above")


@pytest.mark.parametrize(
    ("held", "asset"),
    [
        (Account({"ETH": 1.0, "USDC": 0.0}, {"ETH": 0.0, "USDC": 0.0}), "ETH"),
        (Account({"ETH": 1.0, "USDC": 0.0}, {"ETH": 0.0, "USDC": 0.0}), "USDC"),
        (Account({"ETH": 1.0, "USDC": 5000.0}, {"ETH": 0.0, "USDC": 1000.0}), "ETH"),
        (Account({"ETH": 2.0, "USDC": 10.0}, {"ETH": 2.0, "USDC": 5.0}), "ETH"),
        (Account({"ETH": 0.0, "USDC": 100.0}, {"ETH": 0.0, "USDC": 200.0}), "USDC"),
    ],
    ids=["no debt", "not held", "covered without it", "as much owed as backed", "hopeless at any price"],
)
def test_where_no_price_liquidates_there_is_none(held: Account, asset: str):
    assert liquidation_price(held, PRICES, asset) is None


amounts = st.fixed_dictionaries({asset: st.floats(0, 1e4) for asset in ("BTC", "ETH", "USDC")})


@given(amounts, amounts, amounts.filter(lambda prices: min(prices.values()) > 0.01), st.sampled_from(("BTC", "ETH", "USDC")))
def test_health_is_one_at_the_price_and_below_one_beyond_it(backing: dict[str, float], owed: dict[str, float], prices: dict[str, float], asset: str):
    held = Account(backing, owed)
    edge = liquidation_price(held, prices, asset)
    assume(edge is not None and 1e-6 < edge[0] < 1e9 and abs(backing[asset] - owed[asset]) > 1e-3)
    assert edge is not None
    price, side = edge
    backed = sum(backing[name] * {**prices, asset: price}[name] for name in prices)
    assume(backed > 1e-3)
    assert health(held, {**prices, asset: price}) == pytest.approx(1.0, rel=1e-6)
    beyond = price * (0.99 if side == "below" else 1.01)
    assert health(held, {**prices, asset: beyond}) < 1.0 + 1e-9


@pytest.mark.parametrize(
    ("now", "price", "side", "distance", "sigmas"),
    [
        (2000.0, 1000.0, "below", 0.5, math.log(2) / 0.1),
        (1000.0, 2000.0, "above", 1.0, math.log(2) / 0.1),
        (1000.0, 1250.0, "below", -0.25, -math.log(1.25) / 0.1),
        (1000.0, 800.0, "above", -0.2, -math.log(1.25) / 0.1),
        (1000.0, 1000.0, "below", 0.0, 0.0),
    ],
)
def test_distance_is_room_as_a_share_of_today_s_price_and_sigmas_of_its_logarithm(
    now: float, price: float, side: Any, distance: float, sigmas: float
):
    one = found("ETH", now, price, side, 0.1)
    assert (one.asset, one.price_usd, one.side) == ("ETH", price, side)
    assert [one.distance, one.sigmas] == pytest.approx([distance, sigmas])
    assert found("ETH", now, price, side, None).sigmas is None
    assert found("ETH", now, price, side, 0.0).sigmas is None


# --- out of a view ---

BLOCK = {"supplied.WETH": 10.0, "liquidation_threshold.WETH": 0.825, "borrowed.WETH": 0.0}
BLOCK |= {"supplied.USDC": 500.0, "liquidation_threshold.USDC": 0.0, "borrowed.USDC": 8_250.0}
MARKET = [*priced(ETH=2000.0, USDC=1.0), *volatile(ETH=80.0)]
LENDING = {"id": "loan", "kind": "aave-v3", "chain": "ethereum", "account": "0x" + "1" * 40, "assets": ["WETH", "USDC"]}


def rows(values: dict[str, float], *, family: str = "account", subject: str = "loan") -> list[Observation]:
    return [seen(f"{family}.{name}", subject, value, START - n * MINUTE, "chain") for name, value in values.items() for n in (3, 2, 1, 0)]


def lending(values: dict[str, float], *others: Observation) -> tuple[View, Position]:
    view = book(*MARKET, *rows(values), *others, positions=[LENDING])
    return view, view.settings.positions[0]


def test_an_account_is_read_as_backing_and_debt_by_asset():
    view, position = lending(BLOCK)
    assert account(view, position) == Account({"ETH": 8.25, "USDC": 0.0}, {"ETH": 0.0, "USDC": 8250.0})
    staked = Position(id="loan", kind="aave-v3", chain="ethereum", account="0x1", assets=("WETH", "STETH"))
    view, _ = lending(BLOCK | {"supplied.STETH": 2.0, "liquidation_threshold.STETH": 0.5, "borrowed.STETH": 0.25})
    assert account(view, staked) == Account({"ETH": 9.25}, {"ETH": 0.25})


def test_its_liquidation_prices_come_with_their_sigmas_or_the_reason_why_not():
    view, position = lending(BLOCK)
    unknown: dict[str, str] = {}
    sigma_h = 0.8 * math.sqrt(7 / 365)
    ether, dollar = of_account(view, position, known_sigma(view, unknown))
    assert (ether.asset, ether.price_usd, ether.side, ether.distance) == ("ETH", 1000.0, "below", 0.5)
    assert ether.sigmas == pytest.approx(math.log(2) / sigma_h)
    assert dollar == Liquidation("USDC", 2.0, "above", 1.0, None)
    assert unknown == {}, "a stablecoin has no weekly sigma, and needs none"


def test_of_an_asset_whose_volatility_nobody_gives_the_sigmas_are_not_known():
    unknown: dict[str, str] = {}
    assert known_sigma(lending(BLOCK)[0], unknown)("UNI") is None
    assert list(unknown) == ["sigmas.UNI"]
    assert unknown["sigmas.UNI"].startswith("the volatility of UNI is not known")


def test_an_account_without_debt_has_no_liquidation_price():
    view, position = lending(BLOCK | {"borrowed.USDC": 0.0})
    assert of_account(view, position, lambda asset: 0.1) == ()


@pytest.mark.parametrize("missing", ["supplied.WETH", "liquidation_threshold.WETH", "borrowed.USDC"])
def test_an_account_of_which_a_part_was_not_read_is_unknown(missing: str):
    view, position = lending({name: value for name, value in BLOCK.items() if name != missing})
    with pytest.raises(Unknown, match="was not read yet"):
        account(view, position)


@pytest.mark.parametrize("odd", ["supplied.USDC", "liquidation_threshold.WETH", "borrowed.WETH"])
def test_parts_of_several_instants_are_no_account(odd: str):
    view = book(*(row for row in rows(BLOCK) if (row.metric, row.at) != (f"account.{odd}", START)), positions=[LENDING])
    with pytest.raises(Unknown, match="the amounts and thresholds of the account come from more than one block"):
        account(view, view.settings.positions[0])


def perpetual(size: float, edge: float | None) -> tuple[View, Position]:
    declared = {"id": "perp", "kind": "perp", "asset": "WETH", "size": size}
    told = rows({"liquidation_price": edge}, family="position", subject="perp") if edge is not None else []
    view = book(*MARKET, *told, positions=[declared])
    return view, view.settings.positions[0]


@pytest.mark.parametrize(
    ("size", "edge", "side", "distance"), [(0.5, 1500.0, "below", 0.25), (-2.0, 2500.0, "above", 0.25), (9.0, 0.5, "below", 0.99975)]
)
def test_a_perpetual_is_liquidated_where_its_venue_says(size: float, edge: float, side: str, distance: float):
    view, position = perpetual(size, edge)
    [one] = of_perpetual(view, position, value_perp(view, position), lambda asset: {"ETH": 0.1}[asset])
    assert (one.asset, one.price_usd, one.side, one.distance) == ("ETH", edge, side, distance)
    assert one.sigmas == pytest.approx(abs(math.log(2000 / edge)) / 0.1)


@pytest.mark.parametrize(("size", "edge"), [(2.0, 0.0), (0.0, 1500.0)])
def test_a_perpetual_that_no_price_liquidates_has_none(size: float, edge: float):
    view, position = perpetual(size, edge)
    assert of_perpetual(view, position, value_perp(view, position), lambda asset: 0.1) == ()


def test_a_liquidation_price_that_was_not_read_or_is_old_is_unknown():
    view, position = perpetual(1.0, None)
    with pytest.raises(Unknown, match="maintenance margin"):
        of_perpetual(view, position, value_perp(view, position), lambda asset: 0.1)
    late = book(*priced(START + HOUR, ETH=2000.0), *rows({"liquidation_price": 1500.0}, family="position", subject="perp"), now=START + HOUR)
    with pytest.raises(Unknown, match="old"):
        of_perpetual(late, position, value_perp(late, position), lambda asset: 0.1)


@pytest.mark.parametrize(("told", "known"), [(2.1, True), (1.906, True), (2.106, False), (1.904, False), (1.5, False), (0.0, False)])
def test_by_assets_that_do_not_make_the_market_s_own_health_no_liquidation_price_is_reckoned(told: float, known: bool):
    """The named assets make 2.0: where the account owes another asset as well, its own health is lower, and it is liquidated earlier."""
    view, position = lending(BLOCK | {"health_factor": told})
    if known:
        assert [one.price_usd for one in of_account(view, position, lambda asset: None)] == [1000.0, 2.0]
        return
    with pytest.raises(Unknown, match=rf"make a health of 2 at today's prices, the market says {told:.3g}: name all assets that it uses") as why:
        of_account(view, position, lambda asset: None)
    assert why.value.code == "health"


def test_a_health_of_another_block_is_not_compared():
    view, position = lending(BLOCK, *(seen("account.health_factor", "loan", 1.5, START - n * MINUTE, "chain") for n in (3, 2, 1)))
    assert len(of_account(view, position, lambda asset: None)) == 2


def test_without_debt_the_market_s_endless_health_is_ours():
    view, position = lending(BLOCK | {"borrowed.USDC": 0.0, "health_factor": 1e6})
    assert of_account(view, position, lambda asset: None) == ()
    view, position = lending(BLOCK | {"borrowed.USDC": 1e-9, "health_factor": 1e6})
    assert [one.side for one in of_account(view, position, lambda asset: None)] == ["below", "above"]


@pytest.mark.parametrize(("owed", "known"), [(500.0, True), (499.9, False)])
def test_five_percent_off_the_market_s_health_are_still_the_same_account(owed: float, known: bool):
    """8 ETH at a threshold of 0.65625 back 10,500 USD: 21 times a debt of 500, where the market says 20."""
    values = BLOCK | {"supplied.WETH": 8.0, "liquidation_threshold.WETH": 0.65625, "borrowed.USDC": owed, "health_factor": 20.0}
    view, position = lending(values)
    if known:
        assert len(of_account(view, position, lambda asset: None)) == 2
        return
    with pytest.raises(Unknown, match=r"a health of 21 at today's prices, the market says 20"):
        of_account(view, position, lambda asset: None)


def test_an_account_of_one_asset_is_compared_as_well():
    alone = {name: value for name, value in BLOCK.items() if name.endswith("WETH")} | {"borrowed.WETH": 4.0, "health_factor": 1.0}
    view = book(*MARKET, *rows(alone), positions=[{**LENDING, "assets": ["WETH"]}])
    with pytest.raises(Unknown, match=r"a health of 2\.06 at today's prices, the market says 1:"):
        of_account(view, view.settings.positions[0], lambda asset: None)
