"""Perpetual positions: read from a venue as one instant, or declared; their equity, their carry and their liquidation."""

from dataclasses import replace
from typing import Any

import pytest

from monitor.core.book import Position
from monitor.core.exposure import Scenario
from monitor.core.observation import Observation
from monitor.core.positions.perp import NO_RATIO
from monitor.core.standing import standing
from monitor.core.units import MINUTE
from monitor.core.valuation import value_position
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.worth import Standing
from tests.builders import START, funding, series, view_of

READ = Position(id="eth-perp", kind="perp", asset="WETH", venue="hyperliquid", account="0x" + "7" * 40)
DECLARED = Position(id="eth-perp", kind="perp", asset="ETH", size=-3.0, entry_price=2100.0, margin=1500.0)
SOURCE = "hyperliquid-account"
NUMBERS: dict[str, float | None] = {"size": -3.0, "entry_price": 2100.0, "margin_usd": 1500.0, "maintenance_ratio": 0.02, "liquidation_price": 2500.0}


def told(at: int = START, source: str = SOURCE, **changed: float | None) -> list[Observation]:
    times = (at - 2 * MINUTE, at - MINUTE, at)
    kept = {name: value for name, value in (NUMBERS | changed).items() if value is not None}
    return [Observation(f"position.{name}", "eth-perp", source, time, time, value, f"0x{time}") for name, value in kept.items() for time in times]


def priced(usd: float = 2000.0) -> list[Observation]:
    return [o for s in ("a", "b") for o in series("price.usd", "ETH", [usd] * 3, step_ms=MINUTE, source=s)]


def held(**changed: float | None) -> View:
    return view_of(*told(START, SOURCE, **changed), *priced())


def test_a_position_with_a_venue_is_worth_its_margin_and_profit_at_the_price_that_decides():
    worth = value_position(held(), READ)
    assert (worth.value_usd, worth.amounts, worth.delta_usd) == (1500 + 300, {"ETH": -3.0}, {"ETH": -6000.0})
    assert worth.block_hash == f"0x{START}"


@pytest.mark.parametrize("position", [READ, DECLARED])
def test_its_exposure_is_worth_the_same_today_and_follows_the_price(position: Position):
    worth = value_position(held(), position)
    assert worth.exposure.value_usd(Scenario({"ETH": 2000.0})) == worth.value_usd
    assert worth.exposure.value_usd(Scenario({"ETH": 1900.0})) == worth.value_usd + 300.0
    assert worth.exposure.deltas(Scenario({"ETH": 1900.0})) == {"ETH": -3.0}


def test_what_is_declared_is_not_read_and_what_is_read_is_not_declared():
    assert value_position(held(size=9.0, margin_usd=1.0), DECLARED).amounts == {"ETH": -3.0}
    with pytest.raises(Unknown, match="was not read yet"):
        value_position(view_of(*priced()), replace(DECLARED, venue="hyperliquid"))


def test_a_closed_position_is_worth_nothing_and_has_no_liquidation():
    view = held(size=0.0, entry_price=0.0, margin_usd=0.0, maintenance_ratio=0.0, liquidation_price=0.0)
    assert value_position(view, READ).value_usd == 0.0
    assert (stands(view).liquidations, "liquidations" in stands(view).unknown) == ((), False)


@pytest.mark.parametrize("missing", ["size", "entry_price", "margin_usd"])
def test_a_number_that_was_never_read_is_no_zero(missing: str):
    with pytest.raises(Unknown, match="was not read yet"):
        value_position(held(**{missing: None}), READ)


@pytest.mark.parametrize("late", [told(START + MINUTE, size=-1.0), told(START, "import", size=-1.0)])
def test_numbers_of_two_instants_or_sources_are_not_mixed(late: list[Observation]):
    later = [row for row in late if row.metric == "position.size"]
    rows = [row for row in told() if row.metric != "position.size"]
    with pytest.raises(Unknown, match="more than one block, instant or source"):
        value_position(view_of(*rows, *later, *priced(), now=START + MINUTE), READ)


def test_a_source_that_went_silent_makes_the_position_unknown_and_not_gone():
    with pytest.raises(Unknown, match="old"):
        value_position(view_of(*told(START - 60 * MINUTE), *priced()), READ)


# --- how it stands ---


def stands(view: View, position: Position = READ) -> Standing:
    return standing(view, position, value_position(view, position))


def liquidated(view: View, position: Position = READ) -> tuple[str, float, str, float]:
    [one] = stands(view, position).liquidations
    return one.asset, one.price_usd, one.side, one.distance


def test_the_liquidation_price_is_the_venues_own():
    assert liquidated(held()) == ("ETH", 2500.0, "above", 0.25)


def test_a_long_is_liquidated_below():
    assert liquidated(held(size=3.0, liquidation_price=1500.0)) == ("ETH", 1500.0, "below", 0.25)


def test_without_the_venues_price_it_is_that_of_the_margin_alone():
    assert liquidated(held(liquidation_price=None))[1] == pytest.approx((3 * 2100 + 1500) / (3 * 1.02))


def test_a_margin_that_pays_for_all_of_the_coins_is_never_liquidated():
    assert stands(held(size=1.0, margin_usd=2100.0, liquidation_price=None)).liquidations == ()


def test_a_venue_that_says_none_is_believed():
    found = stands(held(liquidation_price=0.0))
    assert (found.liquidations, "liquidations" in found.unknown) == ((), False)


def test_a_liquidation_price_of_another_instant_is_of_another_position():
    old = [row for row in told() if row.metric == "position.liquidation_price" and row.at < START]
    rest = [row for row in told() if row.metric != "position.liquidation_price"]
    assert liquidated(view_of(*rest, *old, *priced()))[1] == pytest.approx(7800 / 3.06)


@pytest.mark.parametrize(("source", "block_hash"), [("import", f"0x{START}"), (SOURCE, "0xother")])
def test_a_liquidation_price_of_another_source_or_block_is_not_taken_either(source: str, block_hash: str):
    other = Observation("position.liquidation_price", "eth-perp", source, START, START, 9000.0, block_hash)
    assert liquidated(view_of(*told(START, SOURCE, liquidation_price=None), other, *priced()))[1] == pytest.approx(7800 / 3.06)


def test_without_a_maintenance_margin_it_is_unknown_and_not_none():
    found = stands(held(liquidation_price=None, maintenance_ratio=None))
    assert (found.liquidations, found.unknown["liquidations"]) == ((), NO_RATIO)


def test_of_a_declared_position_it_must_be_given_too():
    assert liquidated(held(), DECLARED) == ("ETH", 2500.0, "above", 0.25)
    assert stands(held(liquidation_price=None), DECLARED).unknown["liquidations"].startswith("what is declared says nothing")


RATES: dict[str, Any] = {"asset": "ETH", "hours": 1.0}


def carry_usd(view: View) -> float | None:
    carry = stands(view).carry
    assert carry is not None
    return carry.funding_usd


def test_a_short_receives_the_funding_of_its_own_venue():
    other = [row for venue in ("binance", "bybit") for row in funding([0.5] * 10, venue=venue, **RATES)]
    view = view_of(*told(), *priced(), *funding([0.1] * 10, venue="hyperliquid", **RATES), *other)
    assert carry_usd(view) == pytest.approx(600.0)


def test_where_the_venue_gives_no_funding_the_aggregate_stands_in():
    rows = [row for venue in ("binance", "bybit", "gate") for row in funding([0.5] * 10, venue=venue, **RATES)]
    assert carry_usd(view_of(*told(), *priced(), *rows)) == pytest.approx(3000.0)


def test_without_enough_venues_the_carry_is_unknown():
    found = stands(held())
    assert found.carry is None
    assert "0 of at least 3 venues" in found.unknown["carry"]


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({}, "margin taken to be 20% of the notional: no `margin` is declared; profit taken to be nil: no `entry_price` is declared"),
        ({"margin": 500.0}, "profit taken to be nil: no `entry_price` is declared"),
        ({"entry_price": 2000.0}, "margin taken to be 20% of the notional: no `margin` is declared"),
        ({"margin": 500.0, "entry_price": 2000.0}, ""),
    ],
)
def test_what_is_assumed_of_a_declared_position_is_said(declared: dict[str, Any], said: str):
    position = Position(id="p1", kind="perp", asset="ETH", size=-2.0, **declared)
    assert value_position(view_of(*priced()), position).basis == said


def test_a_position_is_valued_once_in_a_judgement():
    position = Position(id="p1", kind="perp", asset="ETH", size=-2.0)
    view = view_of(*priced())
    assert value_position(view, position) is value_position(view, position)
    assert value_position(view, position) is not value_position(view_of(*priced()), position)
