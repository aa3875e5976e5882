"""How a position stands: its range by the hour, its fees by their rises, its carry by today's rates, and what cannot be said by its name."""

from dataclasses import replace
from typing import Any

import pytest

from monitor.core.book import Position
from monitor.core.exposure import Coins
from monitor.core.observation import Observation
from monitor.core.standing import FEES_STAY, funding_a_year, standing
from monitor.core.units import HOUR
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.worth import Carry, Fees, Standing, Valuation
from tests.builders import START, funding, seen
from tests.core.books import book, priced, volatile

LOWER, UPPER = -202_000, -200_000
MARKET = [*priced(ETH=2000.0, USDC=1.0), *volatile(ETH=80.0)]
LP = {"id": "lp", "kind": "uniswap-v3", "chain": "ethereum", "token_id": 1, "assets": ["WETH", "USDC"], "deposited": {"ETH": 1.0}}
CONSTANT = {
    "tick_lower": LOWER, "tick_upper": UPPER, "decimals0": 18, "decimals1": 6, "amount0": 10**18, "amount1": 0,
    "fees0": 0, "fees1": 0, "sqrt_price_x96": round(1.0001 ** (-201_000 / 2) * 2**96),
}  # fmt: skip


def read(name: str, history: dict[float, float], *, family: str = "position", subject: str = "lp") -> list[Observation]:
    """Values by how many hours ago they were read."""
    return [seen(f"{family}.{name}", subject, value, START - round(hours * HOUR), "chain") for hours, value in sorted(history.items(), reverse=True)]


def steady(value: float) -> dict[float, float]:
    """The same, lately read."""
    return {2 / 60: value, 1 / 60: value, 0: value}


def pool(**histories: dict[float, float]) -> tuple[View, Position]:
    """An LP whose numbers are these histories, else constant; a metric with an empty history was never read."""
    told = {**{name: steady(value) for name, value in {**CONSTANT, "tick": -201_000}.items()}, **histories}
    view = book(*MARKET, *(row for name, history in told.items() for row in read(name, history)), positions=[LP])
    return view, view.settings.positions[0]


def valued(**delta_usd: float) -> Valuation:
    return Valuation(0.0, {asset: usd / 2000 for asset, usd in delta_usd.items()}, delta_usd, Coins({}))


def stand(view: View, position: Position, valuation: Valuation | None = None) -> Standing:
    return standing(view, position, valuation or valued(ETH=0.0))


# --- ranges ---


@pytest.mark.parametrize("assets", [["WETH", "USDC"], ["USDC", "WETH"]])
def test_f056_in_a_pool_without_a_price_the_range_is_unknown_and_the_rest_still_stands(assets: list[str]):
    told = {**CONSTANT, "tick": 0, "sqrt_price_x96": 0}
    view = book(*MARKET, *(row for name, value in told.items() for row in read(name, steady(value))), positions=[{**LP, "assets": assets}])

    said = stand(view, view.settings.positions[0])

    assert (said.range, said.unknown["range"]) == (None, "its pool was never initialised: it has no price yet")
    assert said.fees is not None


@pytest.mark.parametrize(
    ("tick", "state"),
    [(LOWER - 1, "below"), (LOWER, "inside"), (UPPER - 1, "inside"), (UPPER, "above"), (UPPER + 1, "above")],
)
def test_a_range_holds_its_lower_tick_and_not_its_upper_one(tick: int, state: str):
    found = stand(*pool(tick=steady(tick))).range
    assert found is not None
    assert found.state == state
    assert (found.since is None) == (state == "inside")


def test_prices_of_a_range_are_token1_for_one_token0_in_whole_units():
    found = stand(*pool()).range
    assert found is not None
    assert [found.lower, found.price, found.upper] == pytest.approx([1.0001**tick * 10**12 for tick in (LOWER, -201_000, UPPER)])
    assert 1000 < found.lower < found.price < found.upper < 2100
    assert found.unit == "USDC per ETH"


@pytest.mark.parametrize(("tick", "state"), [(LOWER - 1, "above"), (LOWER, "inside"), (UPPER, "below")])
def test_a_range_whose_token0_is_a_stablecoin_is_turned_over(tick: int, state: str):
    view, position = pool(tick=steady(tick), decimals0=steady(18), decimals1=steady(18))
    found = stand(view, replace(position, assets=("USDC", "WETH"))).range
    assert found is not None
    assert [found.lower, found.price, found.upper] == pytest.approx([1.0001**-tick for tick in (UPPER, -201_000, LOWER)])
    assert (found.state, found.unit) == (state, "USDC per ETH")


@pytest.mark.parametrize(
    ("assets", "unit"), [(("WETH", "WBTC"), "BTC per ETH"), (("USDC", "DAI"), "DAI per USDC"), (("WETH", "USDC"), "USDC per ETH")]
)
def test_other_ranges_count_in_token1(assets: tuple[str, ...], unit: str):
    view, position = pool(tick=steady(LOWER - 1))
    found = stand(view, replace(position, assets=assets)).range
    assert found is not None and (found.unit, found.state) == (unit, "below")


def test_since_is_the_first_reading_outside_after_the_last_one_inside():
    inside, below = -201_000, LOWER - 5
    assert LOWER < inside < UPPER
    for edge in (LOWER, UPPER - 1):
        left = stand(*pool(tick={50: below, 45: inside, 40: edge, 30: below, 20: UPPER, **steady(below)})).range
        assert left is not None and left.since == START - 30 * HOUR
    never = stand(*pool(tick={50: below, **steady(below)})).range
    assert never is not None and never.since == START - 50 * HOUR


def test_hours_out_are_weighted_by_time_and_each_reading_holds_until_the_next():
    found = stand(*pool(tick={40: UPPER, 30: LOWER, 10: LOWER - 1, 4: UPPER - 1, **steady(-201_000)})).range
    assert found is not None and found.out_hours == pytest.approx(10 + 6)


def test_hours_are_of_the_last_thirty_days_with_the_reading_that_held_at_their_start():
    found = stand(*pool(tick={1000: UPPER, 700: -201_000, **steady(-201_000)})).range
    assert found is not None and found.out_hours == pytest.approx(20)


@pytest.mark.parametrize("missing", ["tick", "tick_lower", "tick_upper", "sqrt_price_x96", "decimals0"])
def test_a_range_of_which_a_part_was_not_read_is_unknown_by_name(missing: str):
    view, position = pool(**{missing: {}})
    found = stand(view, position)
    assert found.range is None
    assert found.unknown["range"] == "the state of position lp was not read yet"


def test_a_range_that_was_not_read_lately_is_unknown():
    view, position = pool(tick={hours / 60: -201_000 for hours in (30, 29, 28)})
    assert "old" in stand(view, position).unknown["range"]


# --- fees ---


def test_uncollected_fees_are_at_today_s_prices():
    fees = stand(*pool(fees0=steady(10**16), fees1=steady(5 * 10**6))).fees
    assert fees is not None and fees.uncollected_usd == pytest.approx(0.01 * 2000 + 5)


def test_earned_is_the_sum_of_rises_and_after_a_collect_what_stands_there():
    fees0 = {50: 10**15, 40: 4 * 10**15, 30: 2 * 10**15, 20: 2 * 10**15, **steady(3 * 10**15)}
    fees1 = {50: 7 * 10**6, **steady(9 * 10**6)}
    fees = stand(*pool(fees0=fees0, fees1=fees1, tick={50: -201_000, 10: LOWER - 1, **steady(LOWER - 1)})).fees
    assert fees is not None
    # 0.003 rise, 0.002 after the collect, 0.001 rise; and 2 USDC.
    assert fees.earned_usd == pytest.approx(0.006 * 2000 + 2)
    assert fees.in_range_hours == pytest.approx(40)
    assert fees.annual_usd == pytest.approx(14 * 8760 / 40)


def test_what_is_withdrawn_and_waits_beside_the_fees_was_not_earned():
    liquid: dict[float, float] = {5: 900, 4: 900, 3: 500, 2: 500, 1: 600, 0: 600}
    fees: dict[float, float] = {5: 10**6, 4: 3 * 10**6, 3: 500 * 10**6, 2: 501 * 10**6, 1: 502 * 10**6, 0: 502 * 10**6}
    found = stand(*pool(fees1=fees, liquidity=liquid)).fees
    assert found is not None
    # 2 before liquidity was taken out, then 1 and 1: adding to it, an hour ago, takes nothing back.
    assert found.earned_usd == pytest.approx(4.0)


def test_earned_is_of_the_last_thirty_days():
    fees = stand(*pool(fees1={900: 0, 800: 10**6, 700: 3 * 10**6, **steady(3 * 10**6)}, tick={900: -201_000, **steady(-201_000)})).fees
    assert fees is not None
    assert [fees.earned_usd, fees.in_range_hours] == pytest.approx([2.0, 720.0])


@pytest.mark.parametrize(
    ("hours", "said"), [(24.0, None), (23.9, "it was in range for 23.9 of at least 24 hours that a year's fees are reckoned from")]
)
def test_a_young_position_has_no_fees_of_a_year(hours: float, said: str | None):
    found = stand(*pool(tick={hours: -201_000, **steady(-201_000)}, fees1={hours: 0, **steady(10**6)}))
    assert found.fees is not None and found.fees.earned_usd == 1.0
    assert found.unknown.get("fees.annual") == said
    assert (found.fees.annual_usd is None) == (said is not None)
    assert found.fees.in_range_hours == pytest.approx(hours)


def test_without_ticks_only_what_is_uncollected_can_be_said():
    found = stand(*pool(tick={}, fees1=steady(5 * 10**6)))
    assert found.fees == Fees(5.0)
    assert found.unknown["fees.earned"] == "the state of position lp was not read yet"


def test_fees_that_were_not_read_are_unknown():
    found = stand(*pool(fees0={}))
    assert found.fees is None
    assert "fees" in found.unknown


@pytest.mark.parametrize("kind", ["uniswap-v2", "curve", "balancer"])
def test_fees_that_stay_in_a_pool_are_said_to(kind: Any):
    found = standing(book(*MARKET), Position(id="p", kind=kind), valued())
    assert (found.fees, found.range, found.carry, found.health_factor, found.liquidations) == (None, None, None, None, ())
    assert found.unknown["fees"] == FEES_STAY
    assert set(found.unknown) == {"fees", "loss"}


def test_an_lp_has_its_loss():
    found = stand(*pool())
    assert found.loss is not None and (found.loss.usd, found.loss.basis) == (0.0, "as declared in deposited")
    assert (found.carry, found.health_factor, found.liquidations) == (None, None, ())


def test_plain_tokens_have_nothing_to_say():
    assert standing(book(), Position(id="p", kind="tokens"), valued()) == Standing()


# --- lending ---

LENDING = {"id": "loan", "kind": "aave-v3", "chain": "ethereum", "account": "0x" + "1" * 40, "assets": ["WETH", "USDC"]}
ACCOUNT = {
    "supplied.WETH": 10.0, "borrowed.WETH": 0.0, "liquidation_threshold.WETH": 0.825,
    "supplied.USDC": 100.0, "borrowed.USDC": 8250.0, "liquidation_threshold.USDC": 0.0, "health_factor": 2.0,
}  # fmt: skip


def rates(protocol: str = "aave-v3", **values: tuple[float, float]) -> list[Observation]:
    """Supply APY and borrow APR by asset."""
    rows = []
    for asset, (supply, borrow) in values.items():
        subject = f"lending:ethereum/{protocol}/{asset}"
        rows += [*read("supply_apy", steady(supply), family="lending", subject=subject)]
        rows += [*read("borrow_apr", steady(borrow), family="lending", subject=subject)]
    return rows


def loan(*others: Observation, without: str = "", **fields: Any) -> tuple[View, Position]:
    told = [row for name, value in ACCOUNT.items() if name != without for row in read(name, steady(value), family="account", subject="loan")]
    view = book(*MARKET, *told, *others, positions=[{**LENDING, **fields}])
    return view, view.settings.positions[0]


def test_a_lending_account_stands_by_its_interest_its_health_and_its_liquidation_prices():
    found = stand(*loan(*rates(WETH=(0.02, 0.03), USDC=(0.04, 0.06))))
    assert found.carry is not None
    assert (found.carry.funding_usd, found.health_factor) == (None, 2.0)
    assert [found.carry.supplied_usd, found.carry.owed_usd] == pytest.approx([10 * 2000 * 0.02 + 100 * 0.04, -8250 * 0.06])
    assert [one.asset for one in found.liquidations] == ["ETH", "USDC"]
    assert found.liquidations[0].price_usd == pytest.approx(1000.0)
    assert (found.fees, found.range, found.loss) == (None, None, None)
    assert found.unknown == {}


def test_the_rate_of_what_is_not_held_is_not_asked_for():
    found = stand(*loan(*read("supply_apy", steady(0.02), family="lending", subject="lending:ethereum/aave-v3/WETH")))
    assert found.carry == Carry()
    cure = "the rates of lending:ethereum/aave-v3/USDC were not read yet: watch that market"
    assert (found.unknown["carry.supplied"], found.unknown["carry.borrowed"]) == (cure, cure)


def test_collateral_in_compound_earns_nothing():
    found = stand(*loan(*rates("compound-v3", USDC=(0.04, 0.06)), kind="compound-v3", assets=["USDC", "WETH"]))
    assert found.carry is not None
    assert [found.carry.supplied_usd, found.carry.owed_usd] == pytest.approx([100 * 0.04, -8250 * 0.06])


def test_a_health_that_was_not_read_and_thresholds_that_are_not_known_are_named():
    found = stand(*loan(without="health_factor"))
    assert found.health_factor is None
    assert found.unknown["health_factor"] == "the state of position loan was not read yet"
    found = stand(*loan(without="liquidation_threshold.WETH"))
    assert found.liquidations == ()
    assert found.unknown["liquidations"] == "the state of position loan was not read yet"


# --- perpetuals ---


def perp(*others: Observation, venue: str = "") -> tuple[View, Position]:
    declared = {"id": "perp", "kind": "perp", "asset": "ETH", "size": 3.0, "venue": venue}
    view = book(*MARKET, *others, positions=[declared])
    return view, view.settings.positions[0]


VENUES = [row for venue, yearly in (("binance", 0.10), ("bybit", 0.20), ("okx", 0.30)) for row in funding([yearly] * 100, venue=venue, asset="ETH")]


def test_longs_pay_funding_that_is_positive_and_shorts_receive_it():
    view, position = perp(*VENUES)
    assert stand(view, position, valued(ETH=6000.0)).carry == Carry(funding_usd=pytest.approx(-1200.0))  # type: ignore[arg-type]
    assert stand(view, position, valued(ETH=-6000.0)).carry == Carry(funding_usd=pytest.approx(1200.0))  # type: ignore[arg-type]


def test_the_venue_s_own_funding_comes_first():
    view, position = perp(*VENUES, venue="okx")
    assert funding_a_year(view, "ETH", "okx") == pytest.approx(0.30)
    assert funding_a_year(view, "ETH", "elsewhere") == funding_a_year(view, "ETH", "") == pytest.approx(0.20)
    found = stand(view, position, valued(ETH=6000.0))
    assert found.carry is not None and found.carry.funding_usd == pytest.approx(-1800.0)


def test_the_venue_s_funding_is_the_mean_of_its_last_eight_hours():
    rows = funding([0.1] * 20 + [0.2, 0.3, 0.4], venue="hourly", hours=4, asset="ETH")
    assert funding_a_year(book(*rows), "ETH", "hourly") == pytest.approx(0.35)


def test_funding_and_liquidation_that_are_not_known_are_named():
    found = stand(*perp(), valued(ETH=6000.0))
    assert (found.carry, found.liquidations, found.health_factor) == (None, (), None)
    assert "0 of at least 3 venues give the funding of ETH" in found.unknown["carry"]
    assert found.unknown["liquidations"].startswith("what is declared says nothing of its venue's maintenance margin")
    with pytest.raises(Unknown):
        funding_a_year(book(), "ETH", "okx")


def test_a_perpetual_has_the_liquidation_price_of_its_venue():
    view, position = perp(*VENUES, *read("liquidation_price", steady(1500.0), subject="perp"))
    [one] = stand(view, position, valued(ETH=6000.0)).liquidations
    assert (one.price_usd, one.side, one.distance) == (1500.0, "below", 0.25)
