"""What the book as it stands makes of its layers: each number by hand, and each thing that is not known by its name."""

import math
from collections.abc import Mapping
from typing import Any

import pytest

from monitor.core.market_beta import book_beta
from monitor.core.observation import Observation
from monitor.core.prospects import _corners, book_capital, layer_outlook, position_break_even
from monitor.core.risk import layers_in_force
from monitor.core.state import State
from monitor.core.units import HOUR
from monitor.core.valuation import value_position
from monitor.core.verdict import Unknown
from monitor.core.view import View
from tests.builders import START, funding, proposal_of, seen
from tests.core.books import book, layered, priced, short, tokens, volatile
from tests.core.test_loss import in_range
from tests.core.test_market_beta import EVERY, NOW

SIGMA = 0.8 * math.sqrt(7 / 365)
FALL = 2000 * math.exp(-1.5 * SIGMA)
MARKET = [*priced(ETH=2000.0, USDC=1.0), *volatile(ETH=80.0)]
WALLET = tokens("p1", ETH=3.0, USDC=500.0)
YIELD = 0.04 * 7 / 365


def venues(yearly: float) -> list[Observation]:
    return [row for venue in ("binance", "bybit", "okx") for row in funding([yearly] * 100, venue=venue, asset="ETH")]


def outlook_of(yearly: float = 0.10, **changes: Any) -> Any:
    view = book(*MARKET, *venues(yearly), positions=[WALLET])
    return layer_outlook(view, proposal_of(**{**short(2000.0), **changes}))


def test_a_short_perp_returns_the_fall_net_of_its_cost_and_funding_that_it_receives_is_no_cost():
    found = outlook_of()
    # 5 bp of fees, 2.5 bp of half-spread, and the yield of a fifth of the notional.
    cost = 2000 * (0.0005 + 0.00025) + 400 * YIELD
    assert found.prospect.expense.usd == pytest.approx(cost)
    down, flat, up = found.prospect.layer
    assert (down.sigmas, down.price_usd, down.gain_usd) == (-1.5, pytest.approx(FALL), pytest.approx(2000 - FALL - cost))
    assert (flat.gain_usd, flat.earned.value) == (pytest.approx(-cost), pytest.approx(-cost / 400))
    assert up.gain_usd < flat.gain_usd
    assert found.prospect.hedged[0].gain_usd == pytest.approx(2 * (FALL - 2000) - cost)
    assert found.basis.startswith("1 point for each percent")


def test_funding_that_a_short_pays_is_its_dearest_week_and_dearer_in_thin_markets():
    found = outlook_of(-0.10)
    funding_usd = 2000 * 0.10 * 7 / 365
    cost = 2000 * 0.00075 + 400 * YIELD
    assert found.prospect.expense.usd == pytest.approx(cost + funding_usd)
    assert list(found.lens) == [0.3, 0.5, 0.7]
    # Half the depth is twice the half-spread.
    assert found.lens[0.5].expense.usd == pytest.approx(cost + 2000 * 0.00025 + funding_usd)


def test_a_layer_that_has_gained_already_returns_only_what_comes_from_now_on_as_its_position_does():
    # Sold at 2500: the 400 USD that the fall to 2000 has brought are no return of next week.
    found = outlook_of(notional_usd=2000.0, price_usd=2500.0)
    cost = 0.8 * 2000 * (0.0005 + 0.00025 + 0.2 * YIELD)
    assert found.prospect.expense.usd == pytest.approx(cost)
    assert [path.gain_usd for path in found.prospect.layer][:2] == pytest.approx([0.8 * (2000 - FALL) - cost, -cost])
    assert found.prospect.hedged[1].gain_usd == pytest.approx(-cost)
    assert found.prospect.break_even.with_layers.prices == pytest.approx((2000.0,))


def test_the_dearest_funding_of_thin_markets_is_on_what_the_layer_is_worth_today():
    found = outlook_of(-0.10, price_usd=2500.0)
    assert found.lens[0.3].expense.funding_usd == pytest.approx(0.8 * 2000 * 0.10 * 7 / 365)


def test_the_price_that_moves_is_the_one_that_a_perpetual_was_sold_on():
    rows = [*MARKET, *priced(BTC=50_000.0), *volatile(BTC=60.0), *venues(0.10)]
    both = tokens("p1", ETH=1.0, BTC=1.0)
    found = layer_outlook(book(*rows, positions=[both]), proposal_of(**short(2000.0)))
    cost = 2000 * (0.0005 + 0.00025 + 0.2 * YIELD)
    assert found.prospect.layer[0].price_usd == pytest.approx(FALL)
    assert found.prospect.layer[0].gain_usd == pytest.approx(2000 - FALL - cost)


def test_a_layer_from_before_quotes_were_kept_is_taken_at_today_s_price():
    assert outlook_of(price_usd=0.0).prospect.layer == outlook_of().prospect.layer


def test_a_top_up_returns_what_it_costs_and_moves_no_break_even():
    found = outlook_of(instrument="top_up", asset="USDC", notional_usd=1000.0)
    assert found.prospect.expense.usd == pytest.approx(1000 * YIELD + 5)
    assert [path.gain_usd for path in found.prospect.layer] == pytest.approx([-(1000 * YIELD + 5)] * 3)
    assert found.prospect.break_even.alone.prices == pytest.approx((2000.0,))


def test_a_short_perp_within_what_was_put_in_makes_none_of_the_loss_good():
    # What a liquidity of 1e5 (in whole units) held at 1,900 in its range.
    lower, upper = (1.0001**tick * 1e12 for tick in (LOWER, UPPER))
    put_in = in_range(1e5, lower, upper, 1900.0)
    view = book(*MARKET, *venues(0.10), *lp_rows(10**4), positions=[{**LP, "deposited": put_in}])
    found = layer_outlook(view, proposal_of(**{**short(2000.0), "position": "lp"}))
    cost = found.prospect.expense.usd
    assert [one.counted_usd for one in found.offsets] == pytest.approx([-cost] * 3)
    there = in_range(1e5, lower, upper, FALL)
    loss_usd = (there["ETH"] - put_in["ETH"]) * FALL + there["USDC"] - put_in["USDC"]
    assert found.offsets[0].loss_usd == pytest.approx(loss_usd, abs=1.0)
    assert found.offsets[0].ratio == pytest.approx(cost / loss_usd)
    # Of one that sells more than was put in the surplus counts.
    coins = put_in["ETH"] + 100
    large = layer_outlook(view, proposal_of(**{**short(coins * 2000), "position": "lp"}))
    assert large.offsets[0].counted_usd == pytest.approx(100 * (2000 - FALL) - large.prospect.expense.usd)


def test_an_offset_is_told_of_liquidity_alone_and_says_what_it_wants():
    assert (outlook_of().offsets, outlook_of().offsets_unknown) == ((), "")
    emptied = {**LP, "deposited": {"DOGE": 1.0}}
    found = layer_outlook(book(*MARKET, *venues(0.10), *lp_rows(10**4), positions=[emptied]), proposal_of(**{**short(200.0), "position": "lp"}))
    assert found.offsets == ()
    assert "DOGE" in found.offsets_unknown


def test_a_deposit_that_cannot_be_right_offsets_nothing():
    """Half of what it holds: no loss is told of it, so none can be made good either."""
    view = book(*MARKET, *venues(0.10), *lp_rows(10**4), positions=[{**LP, "deposited": {"ETH": 0.5}}])
    found = layer_outlook(view, proposal_of(position="lp", **short(1000.0)))
    assert found.offsets == ()
    assert "more than its deposit" in found.offsets_unknown


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"position": "sold"}, "gone"), ({"instrument": "put"}, "instrument"), ({"instrument": ""}, "instrument")],
)
def test_what_has_no_outlook_says_why(changes: Mapping[str, Any], code: str):
    with pytest.raises(Unknown) as why:
        outlook_of(**changes)
    assert why.value.code == code


def test_interest_of_which_one_side_is_not_known_is_not_counted_by_halves():
    asked = proposal_of(**{**short(2000.0), "position": "loan"})

    def still(**rates: float) -> float:
        view = book(*MARKET, *venues(0.10), *loan_rows(**rates), positions=[LOAN], now=START)
        found = layer_outlook(view, asked).prospect
        return found.hedged[1].gain_usd + found.expense.usd

    assert still(supply_apy_WETH=0.02, borrow_apr_USDC=0.06) == pytest.approx((20_000 * 0.02 - 8000 * 0.06) * 7 / 365)
    assert still(supply_apy_WETH=0.02) == pytest.approx(0.0)


# --- break-even ---


def even(view: View, place: int = 0) -> Any:
    position = view.settings.positions[place]
    return position_break_even(view, position, value_position(view, position))


def test_coins_break_even_at_today_s_price_and_a_layer_turns_its_cost_into_a_distance():
    view = book(*MARKET, positions=[WALLET], state=layered(("active", {**short(2000.0), "cost_usd": 20.0}), ("proposed", short(4000.0))))
    assert len(layers_in_force(view)) == 1
    found = even(view)
    assert found.alone.prices == found.with_layers.prices == pytest.approx((2000.0,))
    # Two coins are left open: 10 USD each.
    assert found.with_cost.prices == pytest.approx((2010.0,))


def test_what_a_layer_has_gained_already_moves_no_break_even_that_is_counted_from_today():
    view = book(*MARKET, positions=[WALLET], state=layered(("active", {**short(2000.0, price=2500.0), "cost_usd": 22.0})))
    found = even(view)
    assert found.alone.prices == found.with_layers.prices == pytest.approx((2000.0,))
    # 0.8 coins of 3 are sold.
    assert found.with_cost.prices == pytest.approx((2010.0,))


def test_layers_of_other_positions_do_not_count():
    state = layered(("active", {**short(2000.0), "cost_usd": 20.0, "position": "other"}))
    assert even(book(*MARKET, positions=[WALLET], state=state)).with_cost.prices == pytest.approx((2000.0,))


def test_a_perpetual_breaks_even_past_the_funding_that_it_pays():
    position = {"id": "p1", "kind": "perp", "asset": "ETH", "size": 2.0}
    found = even(book(*MARKET, *venues(0.10), positions=[position]))
    assert found.alone.prices == pytest.approx((2000 + 2000 * 0.10 * 7 / 365,))


def test_without_any_funding_known_none_is_counted():
    position = {"id": "p1", "kind": "perp", "asset": "ETH", "size": 2.0}
    assert even(book(*MARKET, positions=[position])).alone.prices == pytest.approx((2000.0,))


LOWER, UPPER = -204_000, -198_000
LP = {"id": "lp", "kind": "uniswap-v3", "chain": "ethereum", "token_id": 1, "assets": ["WETH", "USDC"]}
POOL = {
    "liquidity": 10**17, "tick": -200_311, "tick_lower": LOWER, "tick_upper": UPPER, "decimals0": 18, "decimals1": 6,
    "amount0": 3 * 10**17, "amount1": 700 * 10**6, "sqrt_price_x96": round(1.0001 ** (-200_311 / 2) * 2**96),
}  # fmt: skip


def lp_rows(earned: int, away: int = 0) -> list[Observation]:
    """Read each hour for four days with fees of so many raw USDC an hour; for the last `away` hours and now above the range, holding USDC alone."""
    rows = []
    for hour in range(96, -1, -1):
        at, out = START - hour * HOUR, hour <= away and away > 0
        state = (
            {**POOL, "tick": UPPER, "sqrt_price_x96": round(1.0001 ** (UPPER / 2) * 2**96), "amount0": 0, "amount1": 1300 * 10**6} if out else POOL
        )
        rows += [Observation(f"position.{name}", "lp", "chain", at, at, value, f"0x{at}") for name, value in state.items()]
        fees = {"fees0": 0, "fees1": earned * (96 - max(hour, away))}
        rows += [Observation(f"position.{name}", "lp", "chain", at, at, value, f"0x{at}") for name, value in fees.items()]
    return rows


def test_liquidity_breaks_even_on_both_sides_once_it_earns_and_further_out_the_more_it_earns():
    poor, rich = (even(book(*MARKET, *lp_rows(earned), positions=[LP])).alone for earned in (10**4, 10**5))
    assert (poor.count, rich.count) == ("one", "one")
    assert rich.prices[0] < poor.prices[0] < 2000


def test_fees_that_an_lp_out_of_its_range_does_not_earn_make_no_loss_good():
    rows = [*priced(ETH=2600.0, USDC=1.0), *volatile(ETH=80.0)]
    poor, rich = (even(book(*rows, *lp_rows(earned, away=24), positions=[LP])).alone for earned in (0, 10**6))
    assert (poor.prices, poor.stretches) == (rich.prices, rich.stretches)


def test_an_option_breaks_even_where_it_is_worth_what_it_is_worth_now():
    expiry = "2024-06-28"
    option = {"id": "p1", "kind": "option", "asset": "ETH", "right": "put", "strike": 1800.0, "expiry": expiry, "size": 1.0}
    found = even(book(*MARKET, positions=[option])).alone
    # A week of decay has to be made good by a lower price.
    assert found.count == "one"
    assert 1900 < found.prices[0] < 2000


def test_without_a_volatility_there_is_no_horizon():
    with pytest.raises(Unknown, match="volatility of ETH"):
        even(book(*priced(ETH=2000.0, USDC=1.0), positions=[WALLET]))


@pytest.mark.parametrize(
    ("assets", "share"), [(("WETH", "USDC"), 1.0), (("WSTETH", "USDC"), 1.2), (("WETH", "WBTC"), None), (("WBTC", "USDC"), None)]
)
def test_a_range_bends_at_its_ends_in_dollars_of_the_coin(assets: tuple[str, str], share: float | None):
    """A token of 1.2 coins reaches an end where the coin stands 1.2 times lower; ends in bitcoin, or of bitcoin, are no prices of ether."""
    view = book(*MARKET, *priced(WSTETH=2400.0), *lp_rows(0), positions=[LP | {"assets": list(assets)}])
    ends = () if share is None else tuple(1.0001**tick * 1e12 / share for tick in (LOWER, UPPER))
    assert _corners(view, view.settings.positions[0], "ETH") == pytest.approx(ends)


# --- the cost of capital ---

LOAN = {"id": "loan", "kind": "aave-v3", "chain": "ethereum", "account": "0x" + "1" * 40, "assets": ["WETH", "USDC"]}


def loan_rows(**rates: float) -> list[Observation]:
    held = {"supplied.WETH": 10.0, "borrowed.WETH": 0.0, "supplied.USDC": 0.0, "borrowed.USDC": 8000.0}
    rows = [seen(f"account.{name}", "loan", value, START - n * HOUR // 60) for name, value in held.items() for n in (2, 1, 0)]
    for name, value in rates.items():
        metric, _, asset = name.rpartition("_")
        rows += [seen(f"lending.{metric}", f"lending:ethereum/aave-v3/{asset}", value, START - n * HOUR // 60) for n in (2, 1, 0)]
    return rows


PERP = {"id": "perp", "kind": "perp", "asset": "ETH", "size": 2.0, "margin": 1000.0, "entry_price": 2000.0}


def test_capital_costs_interest_funding_the_yield_of_margin_and_the_premium_of_a_year():
    state = layered(("active", {**short(2000.0), "cost_usd": 30.0, "position": "perp"}))
    rows = loan_rows(supply_apy_WETH=0.02, borrow_apr_USDC=0.06)
    found = book_capital(book(*MARKET, *venues(0.10), *rows, positions=[LOAN, PERP], state=state, now=START + HOUR // 60))
    equity = 10 * 2000 - 8000 + 1000
    assert found.risk_free.rate == 0.04
    assert found.wacc == pytest.approx((8000 * 0.06 + 2 * 2000 * 0.10 + 0.04 * 1000 + 30) / equity)
    assert found.native_yield == pytest.approx(10 * 2000 * 0.02 / equity)
    assert (found.capm_return, set(found.unknown)) == (None, {"capm_return"})


def test_what_is_carried_at_an_unknown_rate_makes_the_cost_unknown_and_names_it():
    found = book_capital(book(*MARKET, *venues(0.10), *loan_rows(supply_apy_WETH=0.02), positions=[LOAN]))
    assert found.wacc is None
    assert found.unknown["wacc"].startswith("loan: ")
    assert found.native_yield is not None
    short_of_funding = book_capital(book(*MARKET, positions=[PERP]))
    assert "venues give the funding of ETH" in short_of_funding.unknown["wacc"]


def test_the_fees_of_a_young_lp_make_the_yield_unknown():
    young = [row for row in lp_rows(10**4) if row.at > START - 6 * HOUR]
    found = book_capital(book(*MARKET, *young, positions=[LP]))
    assert found.unknown["native_yield"].startswith("lp: it was in range for ")
    old = book_capital(book(*MARKET, *lp_rows(10**4), positions=[LP]))
    assert old.native_yield == pytest.approx(0.01 * 96 * 8760 / 96 / (0.3 * 2000 + 700 + 0.96))


def test_what_an_lp_earns_by_itself_is_spread_over_the_hours_out_of_its_range_as_well():
    rows = [*priced(ETH=2600.0, USDC=1.0), *volatile(ETH=80.0)]
    found = book_capital(book(*rows, *lp_rows(10**4, away=24), positions=[LP]))
    # 72 hours of fees in 96; it pays out 1,300 USDC and 0.72 of fees.
    assert found.native_yield == pytest.approx(0.01 * 72 * 8760 / 96 / (1300 + 0.72))


def test_a_book_that_owes_more_than_it_has_earns_no_share_of_anything():
    found = book_capital(book(*MARKET, positions=[tokens("p1", ETH=1.0, USDC=-5000.0)]))
    assert set(found.unknown) == {"wacc", "native_yield"}
    assert (found.wacc, found.native_yield, found.capm_return) == (None, None, None)


def test_it_ought_to_earn_the_risk_free_rate_its_beta_times_the_premium_and_its_own_yield():
    view = book(*EVERY, positions=[tokens("wallet", ETH=3.0, BTC=0.04, USDC=2000.0)], now=NOW)
    found = book_capital(view)
    assert found.capm_return == pytest.approx(0.04 + 0.05 * book_beta(view).value + 0.0)
    assert (found.unknown, found.wacc) == ({}, 0.0)


def test_an_empty_book_has_no_capital():
    assert set(book_capital(book(*MARKET, state=State())).unknown) == {"wacc", "native_yield"}


def test_a_position_that_cannot_be_valued_leaves_no_capital_to_take_shares_of():
    with pytest.raises(Unknown, match=r"^doge: no fresh price of DOGE"):
        book_capital(book(*MARKET, positions=[WALLET, tokens("doge", DOGE=1.0)]))
