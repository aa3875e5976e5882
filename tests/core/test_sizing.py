"""Valuation and sizing: what a position is worth, what a layer would be and cost, and when neither can be said."""

from typing import Any

import pytest

from monitor.core.book import Book, Position
from monitor.core.funding import median_cost
from monitor.core.observation import Observation
from monitor.core.proposal import Proposal
from monitor.core.rule import Class, Intent
from monitor.core.sizing import requote, resize, size
from monitor.core.units import HOUR, MINUTE
from monitor.core.valuation import value_position
from monitor.core.verdict import Unknown
from monitor.core.view import View
from tests.builders import START, funding, series, view_of

BOTH = Intent("short", ("short_perp", "top_up"))
TOKEN = {"usdc": 0xA0B86991C6218B36C1D19D4A2E9EB0CE3606EB48, "weth": 0xC02AAA39B223FE8D0A0E5C4F27EAD9083C756CC2}


def priced(**prices: float) -> list[Observation]:
    return [o for asset, p in prices.items() for s in ("a", "b") for o in series("price.usd", asset, [p] * 3, step_ms=MINUTE, source=s)]


def tokens(**amounts: float) -> Position:
    return Position(id="p1", kind="tokens", amounts=amounts)


def lp(**fields: Any) -> list[Observation]:
    """One block's state of a position of 1000 USDC + 2 USDC fees and 0.5 WETH + 0.1 WETH fees."""
    values = {
        "liquidity": 10**15, "amount0": 1000 * 10**6, "amount1": 5 * 10**17, "fees0": 2 * 10**6, "fees1": 10**17,
        "decimals0": 6, "decimals1": 18, "token0": TOKEN["usdc"], "token1": TOKEN["weth"],
        "sqrt_price_x96": 1771580069046490802230235074314675, "tick": 200311, "tick_lower": 192200, "tick_upper": 207240, **fields,
    }  # fmt: skip
    rows = [(name, value, at) for name, value in values.items() for at in (START - 2 * MINUTE, START - MINUTE, START)]
    return [Observation(f"position.{name}", "p1", "chain", at, at, value, f"0x{at}") for name, value, at in rows if value is not None]


UNISWAP = Position(id="p1", kind="uniswap-v3", chain="ethereum", token_id=7)


def test_a_pool_position_is_what_it_would_pay_with_its_fees():
    worth = value_position(view_of(*lp(), *priced(USDC=1.0, ETH=2000.0)), UNISWAP)
    assert worth.value_usd == pytest.approx(1002 + 0.6 * 2000)
    assert worth.amounts == pytest.approx({"USDC": 1002.0, "ETH": 0.6})
    assert worth.risk_asset == "ETH"
    assert worth.exact["amount1"] == 5 * 10**17
    assert worth.block_hash == f"0x{START}"


def test_the_same_asset_on_both_sides_is_added_up():
    same = Position(id="p1", kind="uniswap-v3", chain="x", token_id=7, assets=("ETH", "ETH"))
    assert value_position(view_of(*lp(decimals0=18), *priced(ETH=2000.0)), same).amounts["ETH"] == pytest.approx(0.6 + 1.002e-9)


@pytest.mark.parametrize(
    ("changed", "why"),
    [({"token1": 1}, "not a well-known one"), ({"liquidity": None}, "was not read yet"), ({"fees0": None}, "was not read yet")],
)
def test_a_pool_position_that_is_not_known_whole_has_no_value(changed: dict[str, Any], why: str):
    with pytest.raises(Unknown, match=why):
        value_position(view_of(*lp(**changed), *priced(USDC=1.0, ETH=2000.0)), UNISWAP)


def test_numbers_of_two_blocks_are_not_mixed():
    late = Observation("position.amount0", "p1", "chain", START + MINUTE, START + MINUTE, 5, "0xlater")
    with pytest.raises(Unknown, match="more than one block"):
        value_position(view_of(*lp(), late, *priced(USDC=1.0, ETH=2000.0), now=START + MINUTE), UNISWAP)


def test_f_073_a_stablecoin_without_a_price_is_not_worth_a_dollar():
    with pytest.raises(Unknown, match="no fresh price of USDC"):
        value_position(view_of(*priced(ETH=2000.0)), tokens(ETH=1, USDC=100))


def test_a_perp_is_worth_its_margin_and_profit_and_a_book_of_coins_its_sum():
    short = value_position(view_of(*priced(ETH=2000.0)), Position(id="p1", kind="perp", asset="ETH", size=-3.0))
    assert short.value_usd == pytest.approx(0.2 * 6000.0)
    assert short.delta_usd == {"ETH": -6000.0}
    known = Position(id="p1", kind="perp", asset="ETH", size=-3.0, entry_price=2100.0, margin=1500.0)
    assert value_position(view_of(*priced(ETH=2000.0)), known).value_usd == pytest.approx(1500.0 + 3 * 100.0)
    assert value_position(view_of(*priced(ETH=2000.0, USDC=0.9)), tokens(ETH=1, USDC=100)).value_usd == 2090.0


def test_the_risk_asset_is_the_largest_that_is_no_stablecoin_and_a_tie_goes_by_name():
    view = view_of(*priced(ETH=2000.0, BTC=2000.0, USDC=1.0))
    assert value_position(view, tokens(ETH=1, BTC=1, USDC=9e9)).risk_asset == "BTC"
    with pytest.raises(Unknown, match="stablecoins alone"):
        _ = value_position(view, tokens(USDC=1)).risk_asset


# --- sizing ------------------------------------------------------------------------------------------------------


def ask(view: View, intent: Intent = BOTH, position: Position | None = None, book: Book | None = None) -> Proposal:
    held = position or tokens(ETH=4)
    wanted = Proposal("r", "s", held.id, Class.EVIDENCE, intent.tier, "add", "", "", 0.0, 0.0, 0.0, "", 0, 0.0, START)
    return size(view, book or Book(), held, intent, wanted)


def paid(yearly: float) -> list[Observation]:
    return funding([yearly] * 4, venue="v", asset="ETH")


@pytest.mark.parametrize(("yearly", "instrument"), [(0.10, "short_perp"), (-0.19999, "short_perp"), (-0.20001, "top_up"), (None, "top_up")])
def test_a_short_perp_is_not_asked_for_where_it_pays_more_than_20_percent(yearly: float | None, instrument: str):
    held = paid(yearly) if yearly is not None else []
    assert ask(view_of(*held, *priced(ETH=2500.0))).instrument == instrument


def test_a_short_perp_costs_its_half_spread_and_the_funding_against_it_and_ties_up_its_margin():
    against = ask(view_of(*paid(-0.10), *priced(ETH=2500.0)))
    assert (against.notional_usd, against.capital_usd, against.asset, against.action) == (2500.0, 500.0, "ETH", "add")
    assert against.cost_usd == pytest.approx(2500 * (0.00025 + 0.10 * 7 / 365))
    received = ask(view_of(*paid(0.10), *priced(ETH=2500.0)))
    assert received.cost_usd == pytest.approx(2500 * 0.00025)


def test_a_top_up_costs_the_yield_forgone_and_ties_up_all_of_it():
    layer = ask(view_of(*priced(ETH=2500.0)), Intent("short", ("top_up",), share=0.5))
    assert (layer.notional_usd, layer.capital_usd, layer.asset, layer.action) == (1250.0, 1250.0, "USDC", "top_up")
    assert layer.cost_usd == pytest.approx(1250 * 0.04 * 7 / 365)


def test_a_layer_that_cannot_be_priced_says_why_for_each_action():
    with pytest.raises(Unknown, match=r"short_perp: no venue gives the funding of ETH"):
        ask(view_of(*priced(ETH=2500.0)), Intent("short", ("short_perp",)))
    with pytest.raises(Unknown, match="would pay 30% a year"):
        ask(view_of(*paid(-0.30), *priced(ETH=2500.0)), Intent("short", ("short_perp",)))


def test_the_funding_that_a_short_would_meet_is_the_median_of_the_venues_that_can_be_read():
    held = [*funding([0.1] * 4, venue="a"), *funding([0.3] * 4, venue="b"), *funding([9.0] * 4, venue="c", interval=False)]
    assert median_cost(view_of(*held), "BTC") == pytest.approx(0.2)
    with pytest.raises(Unknown, match="does not say which interval"):
        median_cost(view_of(*funding([9.0] * 4, venue="c", interval=False)), "BTC")


def test_a_smaller_layer_is_smaller_in_everything_and_says_what_cut_it():
    layer = resize(resize(ask(view_of(*priced(ETH=2500.0))), 1000.0, "halved by a"), 500.0, "cut by b")
    assert (layer.notional_usd, layer.capital_usd, layer.binding) == (500.0, 500.0, "halved by a; cut by b")
    assert layer.cost_usd == pytest.approx(500 * 0.04 * 7 / 365)
    assert resize(resize(layer, 0.0, ""), 0.0, "").cost_usd == 0.0


def test_a_new_quote_changes_cost_and_value_and_not_the_size():
    layer = ask(view_of(*paid(0.10), *priced(ETH=2500.0)))
    again = requote(view_of(*paid(-0.10), *priced(ETH=3000.0)), Book(), tokens(ETH=4), layer)
    assert (again.notional_usd, again.position_value_usd, again.id) == (2500.0, 12_000.0, layer.id)
    assert again.cost_usd > layer.cost_usd


def test_a_price_of_an_hour_ago_values_nothing():
    with pytest.raises(Unknown, match="no fresh price"):
        ask(view_of(*priced(ETH=2500.0), now=START + HOUR))
