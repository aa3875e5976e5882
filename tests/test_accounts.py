"""What the sources of perpetual positions share: contradictions, hedges, closed positions, and the row of a venue that nobody knows by heart."""

from dataclasses import replace
from typing import Any

import pytest

from monitor.accounts import Held, agrees, both_ways, checked, told
from monitor.collectors.dydx_account import DydxAccount
from monitor.collectors.hyperliquid_account import HyperliquidAccount
from monitor.collectors.venue_account import VenueAccount
from monitor.core.book import Position, Watch
from monitor.core.perpetual import Perpetual
from monitor.core.secret import Secret
from monitor.errors import BadPayload
from monitor.venues.account import Account
from monitor.venues.positions import Listed, Rows, Ways, parse, parse_row

LONG = Held(held=Perpetual(2.0, 1500.0, 300.0), mark=1600.0, unrealised_usd=200.0, funding_usd=-3.0, maintenance_ratio=0.01, liquidation_price=1300.0)
SHORT = Held(held=Perpetual(-0.5, 1700.0, 100.0), mark=1600.0, unrealised_usd=50.0, funding_usd=1.0, maintenance_ratio=0.02, liquidation_price=2500.0)
ETH = Position(id="eth", kind="perp", asset="WETH", venue="main")


def numbers(*rows: Held) -> dict[str, float]:
    harvest = told([ETH], {"ETH": rows}, [], 7)
    assert (list(harvest.rejected), {r.at for r in harvest.readings}, {r.subject for r in harvest.readings}) == ([], {7}, {"eth"})
    return {r.metric: r.value for r in harvest.readings}


def named(**values: float) -> dict[str, float]:
    return {f"position.{name}": value for name, value in values.items()}


def test_one_row_is_told_as_it_is():
    assert numbers(LONG) == named(
        size=2.0, entry_price=1500.0, margin_usd=300.0, unrealised_usd=200.0, funding_usd=-3.0, maintenance_ratio=0.01, liquidation_price=1300.0
    )


def test_the_profit_is_the_venues_own_though_it_be_rounded():
    assert numbers(replace(LONG, unrealised_usd=201.0))["position.unrealised_usd"] == 201.0


def test_what_is_held_both_ways_is_netted_with_the_maintenance_and_the_liquidation_of_the_side_that_is_left():
    """0.5 of both are matched, which locks 100 in; what is left is 1.5 long."""
    assert numbers(LONG, SHORT) == named(
        size=1.5, entry_price=1500.0, margin_usd=500.0, unrealised_usd=150.0, funding_usd=-2.0, maintenance_ratio=0.01, liquidation_price=1300.0
    )
    assert both_ways({"ETH": [LONG, SHORT]}, [ETH]) == ["eth: 2 long and 0.5 short are netted"]
    assert both_ways({"ETH": [LONG, LONG]}, [ETH]) == both_ways({"ETH": [SHORT]}, [ETH]) == both_ways({}, [ETH]) == []


def test_of_two_of_one_side_the_nearer_liquidation_and_the_larger_maintenance_are_told():
    longs = numbers(LONG, replace(LONG, liquidation_price=1400.0, maintenance_ratio=0.03))
    assert (longs["position.liquidation_price"], longs["position.maintenance_ratio"]) == (1400.0, 0.03)
    assert numbers(SHORT, replace(SHORT, liquidation_price=2400.0))["position.liquidation_price"] == 2400.0
    assert numbers(LONG, replace(LONG, liquidation_price=0.0))["position.liquidation_price"] == 1300.0
    assert numbers(SHORT, replace(SHORT, liquidation_price=0.0))["position.liquidation_price"] == 2500.0


@pytest.mark.parametrize("name", ["funding_usd", "maintenance_ratio", "liquidation_price"])
def test_what_a_venue_does_not_say_is_left_out(name: str):
    nothing: dict[str, Any] = {name: None}
    silent = replace(LONG, **nothing)
    assert numbers(silent).keys() == numbers(LONG).keys() - {f"position.{name}"}
    assert f"position.{name}" not in numbers(LONG, silent)


def test_a_perfect_hedge_has_neither_maintenance_nor_liquidation():
    flat = numbers(LONG, replace(SHORT, held=Perpetual(-2.0, 1700.0, 100.0), unrealised_usd=200.0))
    assert flat == named(
        size=0.0, entry_price=0.0, margin_usd=800.0, unrealised_usd=0.0, funding_usd=-2.0, maintenance_ratio=0.0, liquidation_price=0.0
    )


def test_a_position_that_is_not_there_is_closed_but_not_where_a_row_could_not_be_read():
    assert set(numbers().values()) == {0.0}
    harvest = told([ETH], {}, ["row 3 is damaged"], 7)
    assert list(harvest.readings) == []
    assert list(harvest.rejected) == ["row 3 is damaged", "eth: not found, and not all of its account could be read: it is not called closed"]


def test_what_is_found_is_told_though_another_row_be_damaged():
    harvest = told([ETH], {"ETH": [LONG]}, ["row 3 is damaged"], 7, block_hash="0xab")
    assert (len(harvest.readings), list(harvest.rejected)) == (7, ["row 3 is damaged"])
    assert {r.block_hash for r in harvest.readings} == {"0xab"}


def test_an_asset_without_a_market_is_refused_and_closes_no_other():
    btc = Position(id="btc", kind="perp", asset="BTC", venue="main")
    harvest = told([ETH, btc], {}, [], 7, missing={"ETH": "no market here"})
    assert (list(harvest.rejected), {r.subject for r in harvest.readings}) == (["eth: no market here"], {"btc"})


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"unrealised_usd": float("nan")}, "not finite"),
        ({"mark": float("inf")}, "not finite"),
        ({"mark": 0.0}, "not above 0"),
        ({"held": Perpetual(2.0, 0.0, 300.0)}, "not above 0"),
        ({"maintenance_ratio": 1.0}, "its maintenance margin is 1 of its notional"),
        ({"maintenance_ratio": -0.1}, "its maintenance margin is -0.1 of its notional"),
        ({"unrealised_usd": 217.0}, "its profit is not"),
        ({"unrealised_usd": -200.0}, "its profit is not"),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(changed: dict[str, Any], why: str):
    with pytest.raises(BadPayload, match=why):
        checked(replace(LONG, **changed))


@pytest.mark.parametrize("changed", [{}, {"maintenance_ratio": None}, {"maintenance_ratio": 0.0}, {"unrealised_usd": 216.0}])
def test_a_row_that_does_not_is_kept(changed: dict[str, Any]):
    row = replace(LONG, **changed)
    assert checked(row) is row


def test_figures_agree_within_half_a_percent_of_the_notional_and_two_cents():
    assert agrees(105.0, 100.0, 1000.0) and agrees(100.0, 105.02, 1000.0) and agrees(0.02, 0.0, 0.0)
    assert not agrees(105.03, 100.0, 1000.0) and not agrees(94.97, 100.0, 1000.0) and not agrees(0.03, 0.0, 0.0)


# --- a venue of which no more is known than what ccxt makes of it ---

ROW: dict[str, Any] = {"symbol": "ETH/USDT:USDT", "side": "short", "contracts": 20, "contractSize": 0.1, "entryPrice": 1500.0, "markPrice": 1400.0,
       "notional": 2800.0, "unrealizedPnl": 200.0, "marginMode": "cross", "initialMargin": 280.0, "liquidationPrice": 9.0, "info": {}}  # fmt: skip


def test_contracts_become_coins_and_what_ccxt_makes_up_is_left_out():
    assert parse_row(ROW, 20, Ways()) == Held(held=Perpetual(-2.0, 1500.0, 280.0), mark=1400.0, unrealised_usd=200.0)


@pytest.mark.parametrize(
    ("changed", "margin"),
    [
        ({"marginMode": "isolated", "positionMargin": 300.0}, 300.0),
        ({"marginMode": "isolated", "positionMargin": None}, 280.0),
        ({"marginMode": "cross", "positionMargin": 300.0}, 280.0),
    ],
)
def test_the_margin_is_what_was_put_in_or_what_is_set_aside(changed: dict[str, Any], margin: float):
    assert parse_row(ROW | changed, 20, Ways()).held.margin_usd == margin


@pytest.mark.parametrize("missing", ["markPrice", "notional"])
def test_a_mark_is_told_or_follows_from_the_value(missing: str):
    assert parse_row(ROW | {missing: None}, 20, Ways()).mark == 1400.0


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"side": None}, "neither long nor short"),
        ({"contractSize": 0.0}, "it has no size"),
        ({"contractSize": None}, "contractSize is not a number"),
        ({"markPrice": None, "notional": None}, "neither a mark nor a value"),
        ({"markPrice": -1400.0, "notional": None}, "its value is not"),
        ({"notional": 2950.0}, "its value is not its size times its mark"),
        ({"notional": 2650.0}, "its value is not its size times its mark"),
        ({"initialMargin": -0.01}, "its margin of -0.01 is below 0"),
        ({"initialMargin": None}, "initialMargin is not a number"),
        ({"entryPrice": True}, "entryPrice is not a number: True"),
        ({"unrealizedPnl": float("nan")}, "unrealizedPnl is not a number"),
        ({"unrealizedPnl": 2e15}, "unrealizedPnl is not a number"),
        ({"unrealizedPnl": -200.0}, "its profit is not"),
    ],
)
def test_a_row_of_ccxt_that_cannot_be_is_refused(changed: dict[str, Any], why: str):
    with pytest.raises(BadPayload, match=why):
        parse_row(ROW | changed, 20, Ways())


def test_contracts_below_zero_are_no_position():
    with pytest.raises(BadPayload, match="neither long nor short"):
        parse_row(ROW, -20, Ways())


LISTED = {"ETH/USDT:USDT": Listed("ETH/USDT:USDT", "ETH", True), "ETH/USDC:USDC": Listed("ETH/USDC:USDC", "ETH", True),
          "SOLUSDT": Listed("SOL/USDT:USDT", "SOL", True)}  # fmt: skip


@pytest.mark.parametrize(
    ("row", "refused"),
    [
        ({"contracts": 0.0}, []),
        ({"symbol": "SOLUSDT", "contracts": 0.0}, []),
        ({"contracts": None}, ["position 1: contracts is not a number: None"]),
        ({"symbol": "XXX"}, ["position 1: it is of no listed market: 'XXX'"]),
        ({"symbol": None}, ["position 1: it is of no listed market: None"]),
        ({"symbol": "ETH/USDC:USDC"}, ["position 1: ETH/USDC:USDC is settled in another coin: give it an account of its own, with its `settle`"]),
    ],
)
def test_rows_of_other_markets_are_passed_over_and_rows_of_none_are_not(row: dict[str, Any], refused: list[str]):
    assert parse(Rows([ROW | row], LISTED), Ways(), frozenset({"ETH/USDT:USDT"})) == ({}, refused, set())


@pytest.mark.parametrize("contracts", [None, 20.0])
def test_of_another_market_the_name_is_read_where_it_may_be_open(contracts: float | None):
    row = {"symbol": "SOLUSDT", "contracts": contracts}
    assert parse(Rows([ROW | row], LISTED), Ways(), frozenset({"ETH/USDT:USDT"})) == ({}, [], {"SOL"})


def test_an_open_position_that_nobody_declared_is_told_and_is_no_refused_row():
    """The book lacks it: what its greeks and its hedges say of this account is false."""
    harvest = told([ETH], {"ETH": [LONG], "SOL": [SHORT]}, [], 7, others={"BTC", "ETH"})
    cure = "which no position names and the book lacks: add one of the same venue and account with asset:"
    assert list(harvest.notes) == [f"main: the account of position eth also holds {asset}, {cure} {asset}" for asset in ("BTC", "SOL")]
    assert harvest.rejected == [] and len(harvest.readings) == 7
    assert harvest.warnings.startswith("; WARNING: main: the account of position eth also holds BTC")
    assert told([ETH], {"ETH": [LONG]}, [], 7).warnings == ""


def test_one_account_in_two_spellings_is_one_account():
    watch = Watch(
        positions=tuple(
            Position(id=f"p{place}", kind="perp", asset="ETH", venue=venue, account=account)
            for place, (venue, account) in enumerate(
                [
                    ("hyperliquid", "0x" + "aB" * 20),
                    ("hyperliquid", "0x" + "ab" * 20),
                    ("dydx", "dydx1" + "q" * 38),
                    ("dydx", "dydx1" + "q" * 38 + "/0"),
                ]
            )
        )
    )
    assert [[one.id for one in group] for group in HyperliquidAccount().positions(watch).values()] == [["p0", "p1"]]
    assert [[one.id for one in group] for group in DydxAccount().positions(watch).values()] == [["p2", "p3"]]
    assert list(DydxAccount().positions(replace(watch, positions=(replace(watch.positions[2], account="dydx1" + "q" * 38 + "/10"),)))) == [
        "dydx1" + "q" * 38 + "/10"
    ]


def test_a_row_that_is_wanted_is_read():
    held, refused, _ = parse(Rows([ROW, ROW], LISTED), Ways(), frozenset({"ETH/USDT:USDT"}))
    assert ([row.held.size for row in held["ETH"]], refused) == ([-2.0, -2.0], [])


def test_an_account_is_checked_as_it_is_written() -> None:
    key = Secret("k")
    for venue in ("Binance", "bi nance", "binance!"):
        with pytest.raises(ValueError, match="as ccxt spells it"):
            Account(venue=venue, api_key=key, secret=key)
    with pytest.raises(ValueError, match="not supported"):
        Account(venue="binance", api_key=key, secret=key, settle="BTC")
    with pytest.raises(ValueError, match="cannot be a name"):
        VenueAccount(accounts={"My Account": Account(venue="binance", api_key=key, secret=key)})
    named = VenueAccount(accounts={"main": Account(venue="binance", api_key=key, secret=key)})
    assert named.venues == ("main",)
    assert "delete `account`" in named.flaw_of(Position(id="p", kind="perp", asset="ETH", venue="main", account="0x1"))
