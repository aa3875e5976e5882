"""Valuation and sizing: what a position is worth, what a layer would be and cost, and when neither can be said."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, event, example, given
from hypothesis import strategies as st

from monitor.core.book import Book, Position
from monitor.core.codec import plain
from monitor.core.effects import LayerMoved
from monitor.core.funding import funding_against_short, median_cost, newest_cost
from monitor.core.observation import Observation
from monitor.core.proposal import Proposal
from monitor.core.rule import Class, Intent
from monitor.core.sizing import requote, resize, size
from monitor.core.state import State
from monitor.core.units import DAY, HOUR, MINUTE
from monitor.core.valuation import value_position
from monitor.core.verdict import Unknown
from monitor.core.view import View
from tests.builders import START, funding, proposal_of, seen, series, view_of

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
    known = priced(ETH=2000.0, BTC=2000.0, USDC=1.0)
    assert value_position(view_of(*known), tokens(ETH=1, BTC=1, USDC=9e9)).risk_asset == "BTC"
    with pytest.raises(Unknown, match="stablecoins alone"):
        _ = value_position(view_of(*known), tokens(USDC=1)).risk_asset


# --- sizing ------------------------------------------------------------------------------------------------------


WANTED = Proposal("r", "s", "p1", Class.EVIDENCE, "short", "add", "", "", 0.0, 0.0, 0.0, "", 0, 0.0, START)
SIGMA_H = 0.6 * math.sqrt(7 / 365)
DOWN, UP = math.exp(-1.5 * SIGMA_H), math.exp(1.5 * SIGMA_H)
WEEK = 7 / 365
ETH4 = Position(id="p1", kind="tokens", amounts={"ETH": 4})


def paid(*yearly: float, venue: str = "v") -> list[Observation]:
    return funding([*yearly] * (1 if len(yearly) > 1 else 4), venue=venue, asset="ETH")


def volatile(percent: float = 60.0, asset: str = "ETH") -> list[Observation]:
    return series("iv.index", asset, [percent] * 3)


def book_of(*observations: Observation, positions: tuple[Position, ...] = (ETH4,), layers: tuple[LayerMoved, ...] = (), now: int = START) -> View:
    state = State()
    for moved in layers:
        state.fold(moved)
    return view_of(*observations, now=now, state=state, settings={"positions": plain(positions)})


def layer(notional: float, state: str = "active", rule: str = "other", **changes: Any) -> list[LayerMoved]:
    """A layer that has come as far as `state`."""
    asked = proposal_of(instrument="short_perp", asset="ETH", notional_usd=notional, price_usd=2500.0, rule=rule, **changes)
    way = ["proposed", "approved", "active", "closing", "closed"]
    states = way[: way.index(state) + 1] if state in way else ["proposed", state]
    return [LayerMoved(START, asked.id, one, "", valid_until=START + HOUR, proposal=asked if one == "proposed" else None) for one in states]


def ask(view: View, intent: Intent = BOTH, position: Position = ETH4, book: Book | None = None) -> Proposal:
    return size(view, book or Book(), position, intent, replace(WANTED, position=position.id))


@pytest.mark.parametrize(("yearly", "instrument"), [(0.10, "short_perp"), (-0.19999, "short_perp"), (-0.20001, "top_up"), (None, "top_up")])
def test_a_short_perp_is_not_asked_for_where_it_pays_more_than_20_percent(yearly: float | None, instrument: str):
    held = paid(yearly) if yearly is not None else []
    assert ask(book_of(*held, *priced(ETH=2500.0), *volatile())).instrument == instrument


def test_a_layer_is_sized_on_what_the_position_would_be_exposed_to_at_the_adverse_price():
    layer = ask(book_of(*paid(0.1), *priced(ETH=2500.0), *volatile()))
    assert layer.notional_usd == pytest.approx(0.25 * 4 * 2500 * DOWN)
    assert (layer.capital_usd, layer.asset, layer.action, layer.instrument) == (layer.notional_usd * 0.20, "ETH", "add", "short_perp")
    assert (layer.position_value_usd, layer.price_usd, layer.horizon_ms, layer.binding) == (10_000.0, 2500.0, 7 * DAY, "")
    assert layer.basis == (
        f"stressed exposure of {10_000 * DOWN:,.0f} USD of ETH at {2500 * DOWN:,.6g} USD, a fall of 1.5 sigma in 7 days; times the layer share of 25%"
    )


def test_the_shares_of_book_and_rule_multiply():
    view = book_of(*paid(0.1), *priced(ETH=2500.0), *volatile())
    layer = ask(view, Intent("short", ("short_perp",), share=0.5), book=Book(layer_share=0.5, perp_margin=0.1))
    assert layer.notional_usd == pytest.approx(0.5 * 0.5 * 4 * 2500 * DOWN)
    assert layer.capital_usd == pytest.approx(0.1 * layer.notional_usd)
    assert layer.basis.endswith("; times the layer share of 50%; times the rule's share of 50%")


def test_stablecoins_beside_the_risk_asset_are_not_hedged():
    held = Position(id="p1", kind="tokens", amounts={"ETH": 4, "USDC": 50_000})
    layer = ask(book_of(*paid(0.1), *priced(ETH=2500.0, USDC=1.0), *volatile(), positions=(held,)), position=held)
    assert layer.notional_usd == pytest.approx(0.25 * 4 * 2500 * DOWN)


def test_without_a_volatility_todays_exposure_stands_in_and_it_says_why():
    layer = ask(book_of(*paid(0.1), *priced(ETH=2500.0)))
    assert layer.notional_usd == 2500.0
    assert layer.basis.startswith("today's exposure of 10,000 USD of ETH, as the stressed one is not known (the volatility of ETH is not known")
    short = Position(id="p1", kind="perp", asset="ETH", size=-4.0)
    assert ask(book_of(*priced(ETH=2500.0), positions=(short,)), position=short).notional_usd == 2500.0


def test_a_position_that_gains_where_the_book_loses_is_not_protected():
    short = Position(id="p2", kind="perp", asset="ETH", size=-1.0)
    with pytest.raises(Unknown, match="p2 loses nothing in ETH where the book loses") as told:
        ask(book_of(*paid(0.1), *priced(ETH=2500.0), *volatile(), positions=(ETH4, short)), position=short)
    assert told.value.code == "hedge"


def test_a_book_that_is_short_loses_in_a_rise_and_no_short_perp_is_added_to_it():
    short = Position(id="p2", kind="perp", asset="ETH", size=-4.0)
    view = book_of(*paid(0.1), *priced(ETH=2500.0), *volatile(), positions=(short,))
    layer = ask(view, position=short)
    assert layer.instrument == "top_up"
    assert layer.notional_usd == pytest.approx(0.25 * 4 * 2500 * UP)
    assert "a rise of 1.5 sigma" in layer.basis
    with pytest.raises(Unknown, match="short_perp: p2 is not long of ETH"):
        ask(view, Intent("short", ("short_perp",)), position=short)


def test_a_position_of_cents_is_protected_and_one_of_nothing_is_not():
    cents, nothing = (Position(id=name, kind="tokens", amounts={"ETH": coins}) for name, coins in (("p2", 0.0001), ("p3", 0.0)))
    view = book_of(*paid(0.1), *priced(ETH=2500.0), *volatile(), positions=(ETH4, cents))
    found = ask(view, position=cents)
    assert found.instrument == "short_perp"
    assert found.notional_usd == pytest.approx(0.25 * 0.25 * DOWN)
    with pytest.raises(Unknown, match="p3 loses nothing in ETH"):
        ask(view, position=nothing)
    with pytest.raises(Unknown, match="short_perp: p3 is not long of ETH"):
        ask(book_of(*paid(0.1), *priced(ETH=2500.0)), Intent("short", ("short_perp",)), position=nothing)
    left = book_of(*paid(0.1), *priced(ETH=2500.0), *volatile(), layers=tuple(layer(9_999.5)))
    assert ask(left).notional_usd == pytest.approx(0.5)


# --- one exposure is never hedged twice ---


@pytest.mark.parametrize("state", ["proposed", "approved", "active", "closing"])
def test_a_short_perp_is_cut_to_what_positions_and_layers_leave_unhedged(state: str):
    view = book_of(*paid(0.1), *priced(ETH=2500.0), *volatile(), layers=tuple(layer(9_000.0, state)))
    cut = ask(view)
    assert cut.notional_usd == pytest.approx(1_000.0)
    assert cut.capital_usd == pytest.approx(200.0)
    assert cut.cost_usd == pytest.approx(1_000 * (0.0005 + 0.00025 + 0.04 * 0.2 * WEEK))
    assert cut.binding == "cut to the 1,000 USD of ETH that positions and layers leave unhedged"


@pytest.mark.parametrize("state", ["closed", "rejected", "expired", "retracted"])
def test_a_layer_that_is_past_hedges_nothing(state: str):
    view = book_of(*paid(0.1), *priced(ETH=2500.0), *volatile(), layers=tuple(layer(9_000.0, state)))
    assert ask(view).binding == ""


@pytest.mark.parametrize(("hedged", "net"), [(10_000.0, "0"), (10_500.0, "-500")])
def test_what_is_hedged_already_is_not_hedged_again_by_any_action(hedged: float, net: str):
    with pytest.raises(Unknown, match=f"already hedged: positions and layers together are {net} USD net of ETH") as told:
        ask(book_of(*paid(0.1), *priced(ETH=2500.0), *volatile(), layers=tuple(layer(hedged))))
    assert told.value.code == "hedged"


def test_a_layer_is_not_cut_at_exactly_what_is_left_and_is_cut_a_hair_short_of_it():
    view = book_of(*paid(0.1), *priced(ETH=2500.0), *volatile())
    wanted = ask(view).notional_usd
    for left, cut in ((wanted + 0.01, False), (wanted - 0.01, True)):
        again = ask(book_of(*paid(0.1), *priced(ETH=2500.0), *volatile(), layers=tuple(layer(10_000 - left))))
        assert (again.binding != "") is cut
        assert again.notional_usd == pytest.approx(min(left, wanted))


def test_a_short_that_the_user_holds_himself_counts_too():
    own = Position(id="p2", kind="perp", asset="ETH", size=-3.9)
    cut = ask(book_of(*paid(0.1), *priced(ETH=2500.0), *volatile(), positions=(ETH4, own)))
    assert cut.notional_usd == pytest.approx(250.0)


def test_where_the_rest_of_the_book_is_not_known_no_short_perp_is_asked_for():
    lost = Position(id="p2", kind="tokens", amounts={"BTC": 1})
    view = book_of(*paid(0.1), *priced(ETH=2500.0), *volatile(), positions=(ETH4, lost))
    with pytest.raises(Unknown, match="short_perp: p2: no fresh price of BTC"):
        ask(view, Intent("short", ("short_perp",)))
    assert ask(view).instrument == "top_up"


@given(st.floats(-5, 5), st.floats(-5, 5), st.lists(st.floats(1, 20_000), max_size=3), st.floats(0.01, 1.0))
@example(4.0, 0.0, [], 0.25)
@example(4.0, 0.0, [9_000.0], 0.25)
@example(4.0, -4.0, [], 1.0)
@example(2.0, 2.0, [20_000.0], 1.0)
def test_adding_a_layer_never_increases_the_net_delta_it_is_there_to_reduce(one: float, other: float, hedged: list[float], share: float):
    assume(abs(one) > 1e-3)
    positions = (Position(id="p1", kind="perp", asset="ETH", size=one), Position(id="p2", kind="perp", asset="ETH", size=other))
    layers = tuple(moved for number, usd in enumerate(hedged) for moved in layer(usd, rule=f"r{number}"))
    view = book_of(*paid(0.1), *priced(ETH=2500.0), *volatile(), positions=positions, layers=layers)
    before = 2500 * (one + other) - sum(hedged)
    try:
        made = ask(view, position=positions[0], book=Book(layer_share=share))
    except Unknown as why:
        event(why.code)
        return
    after = before - (made.notional_usd if made.instrument == "short_perp" else 0.0)
    assert abs(after) <= abs(before) + 1e-6
    assert made.notional_usd >= 0


# --- what it costs ---


def test_a_short_perp_costs_fees_half_spread_dear_funding_and_the_yield_of_its_margin():
    rates = [0.01 * place for place in range(-20, 1)]
    layer = ask(book_of(*paid(*rates), *priced(ETH=2500.0), *volatile()))
    assert funding_against_short(book_of(*paid(*rates)), "ETH") == pytest.approx(0.19)
    assert layer.cost_usd == pytest.approx(layer.notional_usd * (0.0005 + 0.00025 + 0.19 * WEEK + 0.04 * 0.20 * WEEK))
    assert layer.fixed_usd == 0.0
    assert layer.cost_source == (
        "fees 5.0 bp, half-spread 2.5 bp, funding 36.4 bp, yield forgone on margin 1.5 bp over 7 days: the 95th percentile of 30 days of funding is "
        "+19.0% a year against a short, the yield of a margin of 20% is 4.00% (book.treasury_bill_yield); "
        "getting out costs another 7.5 bp"
    )


def test_funding_that_a_short_always_receives_is_no_income():
    layer = ask(book_of(*paid(0.10), *priced(ETH=2500.0), *volatile()))
    assert layer.cost_usd == pytest.approx(layer.notional_usd * (0.00075 + 0.04 * 0.20 * WEEK))
    assert "funding 0.0 bp" in layer.cost_source
    assert "the 95th percentile of 30 days of funding is -10.0% a year against a short" in layer.cost_source


def test_a_collected_bill_is_what_margin_and_stablecoins_forgo():
    bill = seen("macro.tbill_3m", "US", 0.05, START - DAY, "fred")
    short = ask(book_of(bill, *paid(0.10), *priced(ETH=2500.0), *volatile()), book=Book(perp_fee=0.001, perp_half_spread=0.002, perp_margin=0.5))
    assert short.cost_usd == pytest.approx(short.notional_usd * (0.003 + 0.05 * 0.5 * WEEK))
    assert "the yield of a margin of 50% is 5.00% (3-month T-bill by fred); getting out costs another 30.0 bp" in short.cost_source
    top_up = ask(book_of(bill, *priced(ETH=2500.0), *volatile()), book=Book(gas=7.5))
    assert top_up.cost_usd == pytest.approx(top_up.notional_usd * 0.05 * WEEK + 7.5)
    assert top_up.cost_source == "forgone yield of 5.00% a year (3-month T-bill by fred) over 7 days, and gas of 7.50 USD"


def test_a_top_up_costs_the_yield_forgone_and_gas_and_ties_up_all_of_it():
    layer = ask(book_of(*priced(ETH=2500.0)), Intent("short", ("top_up",), share=0.5))
    assert (layer.notional_usd, layer.capital_usd, layer.asset, layer.action) == (1250.0, 1250.0, "USDC", "top_up")
    assert (layer.cost_usd, layer.fixed_usd, layer.price_usd) == pytest.approx((1250 * 0.04 * WEEK + 5.0, 5.0, 0.0))


def test_a_layer_that_cannot_be_priced_says_why_for_each_action():
    with pytest.raises(Unknown, match=r"short_perp: no venue gives the funding of ETH"):
        ask(book_of(*priced(ETH=2500.0)), Intent("short", ("short_perp",)))
    with pytest.raises(Unknown, match="would pay 30% a year"):
        ask(book_of(*paid(-0.30), *priced(ETH=2500.0)), Intent("short", ("short_perp",)))


def test_no_short_perp_is_offered_while_shorts_pay_dearly_now_though_30_days_were_cheap():
    turned = [0.10] * 20 + [-0.60]
    assert median_cost(view_of(*paid(*turned)), "ETH") == pytest.approx(0.10)
    assert newest_cost(view_of(*paid(*turned)), "ETH") == pytest.approx(-0.60)
    assert ask(book_of(*paid(*turned), *priced(ETH=2500.0))).instrument == "top_up"
    with pytest.raises(Unknown, match="would pay 60% a year"):
        ask(book_of(*paid(*turned), *priced(ETH=2500.0)), Intent("short", ("short_perp",)))
    # And not after a month of it either, however it stands now.
    with pytest.raises(Unknown, match="would pay 60% a year"):
        ask(book_of(*paid(*[-0.60] * 20, 0.10), *priced(ETH=2500.0)), Intent("short", ("short_perp",)))
    assert ask(book_of(*paid(*[0.10] * 20, -0.20), *priced(ETH=2500.0))).instrument == "short_perp"


def test_the_newest_funding_is_the_median_of_the_venues_each_over_8_hours():
    rows = [*funding([0.5, 0.1, 0.3], venue="a", hours=4), *funding([-0.4], venue="b"), *funding([0.5, 0.6], venue="c")]
    assert newest_cost(view_of(*rows), "BTC") == pytest.approx(0.2)


def test_the_funding_that_a_short_would_meet_is_the_median_of_the_venues_that_can_be_read():
    held = [*funding([0.1] * 4, venue="a"), *funding([0.3] * 4, venue="b"), *funding([9.0] * 4, venue="c", interval=False)]
    assert median_cost(view_of(*held), "BTC") == pytest.approx(0.2)
    assert funding_against_short(view_of(*held), "BTC") == pytest.approx(-0.2)
    assert funding_against_short(view_of(*paid(-0.1, -0.2, -0.3)), "ETH", 0.99) == pytest.approx(0.298)
    with pytest.raises(Unknown, match="does not say which interval"):
        median_cost(view_of(*funding([9.0] * 4, venue="c", interval=False)), "BTC")


def test_a_smaller_layer_is_smaller_in_everything_and_says_what_cut_it():
    layer = resize(resize(ask(book_of(*priced(ETH=2500.0))), 1000.0, "halved by a"), 500.0, "cut by b")
    assert (layer.notional_usd, layer.capital_usd, layer.binding) == (500.0, 500.0, "halved by a; cut by b")
    assert layer.cost_usd == pytest.approx(500 * 0.04 * WEEK + 5.0)
    assert resize(resize(layer, 0.0, ""), 0.0, "").cost_usd == 5.0
    once = resize(ask(book_of(*priced(ETH=2500.0))), 1000.0, "")
    assert (once.cost_usd, once.capital_usd) == pytest.approx((1000 * 0.04 * WEEK + 5.0, 1000.0))
    small = replace(layer, notional_usd=0.5, capital_usd=0.2, cost_usd=7.0)
    assert resize(small, 0.25, "").capital_usd == 0.1
    nothing = resize(replace(small, notional_usd=0.0), 0.0, "")
    assert (nothing.capital_usd, nothing.cost_usd) == (0.0, 5.0)


def test_a_new_quote_changes_cost_and_value_and_not_the_size():
    layer = ask(book_of(*paid(0.10), *priced(ETH=2500.0)))
    again = requote(book_of(*paid(-0.10), *priced(ETH=3000.0)), Book(), ETH4, layer)
    assert (again.notional_usd, again.position_value_usd, again.price_usd, again.id) == (2500.0, 12_000.0, 3000.0, layer.id)
    assert again.cost_usd == pytest.approx(2500 * (0.00075 + 0.10 * WEEK + 0.008 * WEEK))
    top_up = requote(book_of(*priced(ETH=3000.0)), Book(gas=1.0), ETH4, ask(book_of(*priced(ETH=2500.0))))
    assert (top_up.notional_usd, top_up.cost_usd, top_up.fixed_usd) == pytest.approx((2500.0, 2500 * 0.04 * WEEK + 1.0, 1.0))


def test_a_new_quote_is_cut_where_another_layer_has_come_and_refused_where_it_has_hedged_it_all():
    asked = ask(book_of(*paid(0.10), *priced(ETH=2500.0)))
    itself = LayerMoved(START, asked.id, "proposed", "", valid_until=START + HOUR, proposal=asked)
    market = [*paid(0.10), *priced(ETH=2500.0)]
    assert requote(book_of(*market, layers=(itself,)), Book(), ETH4, asked).notional_usd == 2500.0
    cut = requote(book_of(*market, layers=(itself, *layer(8_000.0))), Book(), ETH4, asked)
    assert (cut.notional_usd, cut.capital_usd) == pytest.approx((2000.0, 400.0))
    with pytest.raises(Unknown, match="already hedged"):
        requote(book_of(*market, layers=(itself, *layer(10_000.0))), Book(), ETH4, asked)


def test_a_price_of_an_hour_ago_values_nothing():
    with pytest.raises(Unknown, match="no fresh price"):
        ask(book_of(*priced(ETH=2500.0), now=START + HOUR))


def test_a_short_perp_is_asked_for_at_exactly_20_percent():
    view = book_of(*paid(-0.2), *priced(ETH=2500.0))
    assert median_cost(view, "ETH") == -0.20
    assert ask(view).instrument == "short_perp"


def test_a_layer_as_large_as_what_is_left_is_not_cut():
    left = book_of(*paid(0.1), *priced(ETH=2500.0), layers=tuple(layer(7_500.0)))
    assert (ask(left).notional_usd, ask(left).binding) == (2500.0, "")
