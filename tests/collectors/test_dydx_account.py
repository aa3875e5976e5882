"""Positions on dYdX v4: one subaccount, margined together; where it is liquidated; what contradicts itself."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from monitor.collectors.dydx_account import DydxAccount, Market, parse, parse_markets
from monitor.core.book import Position, Watch
from monitor.errors import BadPayload, SourceError
from monitor.source import Harvest
from tests.collectors.sample import SAMPLES, read_sample

SAMPLE = read_sample(SAMPLES / "dydx_account.subaccount.json")
MARKETS = parse_markets(SAMPLE.answers[0]["json"])
POSITIONS = SAMPLE.watch.positions
AT = 1741782600000


def body(change: Callable[[Any], object] = lambda account: None) -> Any:
    whole = json.loads(json.dumps(SAMPLE.answers[1]["json"]))
    change(whole["subaccount"])
    return whole


def numbers(harvest: Harvest, position: str) -> dict[str, float]:
    return {r.metric.removeprefix("position."): r.value for r in harvest.readings if r.subject == position}


def test_a_position_has_the_markets_margins_and_funding_that_was_received_is_positive():
    harvest = parse(body(), MARKETS, POSITIONS, AT)
    told = numbers(harvest, "btc-short")
    edge = told.pop("liquidation_price")
    assert told == {
        "size": -0.25,
        "entry_price": 84000.0,
        "margin_usd": 1000.0,
        "unrealised_usd": 1000.0,
        "funding_usd": 9.5,
        "maintenance_ratio": 0.03,
    }
    # Equity 6500 less 285 for the other position: 6500 - 0.25 (p - 80000) - 285 = 0.25 p 0.03.
    assert edge == pytest.approx((6500 + 20000 - 285) / (0.25 * 1.03))
    assert set(numbers(harvest, "sol-closed").values()) == {0.0}
    assert {r.at for r in harvest.readings} == {AT}


def test_a_long_is_liquidated_where_the_whole_subaccount_is_at_its_maintenance():
    edge = numbers(parse(body(), MARKETS, POSITIONS, AT), "eth-long")["liquidation_price"]
    assert edge == pytest.approx((9500 - 6500 + 600) / (5 * 0.97))


def test_a_subaccount_that_can_pay_for_all_of_its_coins_is_never_liquidated():
    def rich(account: Any) -> None:
        account["equity"], account["assetPositions"]["USDC"]["size"] = "16500", "27000"

    assert numbers(parse(body(rich), MARKETS, POSITIONS, AT), "eth-long")["liquidation_price"] == 0.0


def test_dollars_that_are_owed_count_against_the_equity():
    def owed(account: Any) -> None:
        account["assetPositions"]["USDC"] |= {"side": "SHORT", "size": "8000"}
        account["equity"] = "1500"
        del account["openPerpetualPositions"]["BTC-USD"]

    harvest = parse(body(owed), MARKETS, POSITIONS, AT)
    assert list(harvest.rejected) == []
    assert numbers(harvest, "btc-short")["size"] == 0.0


def test_an_account_without_dollars_or_positions_holds_nothing():
    def empty(account: Any) -> None:
        account |= {"equity": "0", "openPerpetualPositions": {}, "assetPositions": {}}

    harvest = parse(body(empty), MARKETS, POSITIONS, AT)
    assert (list(harvest.rejected), {r.value for r in harvest.readings}) == ([], {0.0})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda a: a["openPerpetualPositions"].pop("BTC-USD"), "26,500.00 USD, its own equity says 6,500.00"),
        (lambda a: a["assetPositions"].pop("USDC"), "-10,500.00 USD, its own equity says 6,500.00"),
        (lambda a: a["assetPositions"]["USDC"].update(size="-1"), "no side or a size below 0"),
        (lambda a: a["assetPositions"]["USDC"].update(side="BOTH"), "no side or a size below 0"),
    ],
)
def test_a_subaccount_whose_parts_are_not_its_equity_is_refused(change: Callable[[Any], object], why: str):
    with pytest.raises(BadPayload, match=why.replace(".", r"\.")):
        parse(body(change), MARKETS, POSITIONS, AT)


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("side", "SHORT", "it is 'SHORT' with a size of 5"),
        ("size", "-5", "it is 'LONG' with a size of -5"),
        ("size", "0", "with a size of 0"),
        ("market", "BTC-USD", "of another market"),
        ("status", "CLOSED", "or not open"),
        ("unrealizedPnl", "500", "its profit is not"),
    ],
)
def test_one_wrong_row_leaves_the_whole_subaccount_unknown_since_all_is_margined_together(field: str, value: object, why: str):
    harvest = parse(body(lambda account: account["openPerpetualPositions"]["ETH-USD"].update({field: value})), MARKETS, POSITIONS, AT)
    assert (list(harvest.readings), why in harvest.rejected[0]) == ([], True)
    assert [reason.partition(":")[0] for reason in harvest.rejected[1:]] == ["eth-long", "btc-short", "sol-closed"]


def test_a_market_that_cannot_be_read_is_no_closed_position():
    broken = parse_markets({"markets": {"SOL-USD": {"ticker": "SOL-USD", "oraclePrice": "0"}}})
    harvest = parse(body(), MARKETS | broken, POSITIONS, AT)
    assert list(harvest.rejected) == ["sol-closed: SOL-USD: initialMarginFraction is missing"]
    unknown = parse(body(), MARKETS, [Position(id="p", kind="perp", asset="XYZ", venue="dydx")], AT)
    assert list(unknown.rejected) == ["p: XYZ-USD: no such market here"]


ROW = {"ticker": "A-USD", "oraclePrice": "2", "initialMarginFraction": "0.05", "maintenanceMarginFraction": "0.03"}


@pytest.mark.parametrize(
    ("changed", "read"),
    [
        ({}, Market(2.0, 0.05, 0.03)),
        ({"maintenanceMarginFraction": "0.05"}, Market(2.0, 0.05, 0.05)),
        ({"maintenanceMarginFraction": "0.051"}, None),
        ({"maintenanceMarginFraction": "0"}, None),
        ({"initialMarginFraction": "1", "maintenanceMarginFraction": "1"}, None),
        ({"initialMarginFraction": "1", "maintenanceMarginFraction": "0.99"}, Market(2.0, 1.0, 0.99)),
        ({"initialMarginFraction": "1"}, Market(2.0, 1.0, 0.03)),
        ({"initialMarginFraction": "1.01"}, None),
        ({"oraclePrice": "0"}, None),
        ({"ticker": "B-USD"}, None),
    ],
)
def test_a_market_has_a_price_and_margins_that_can_be(changed: dict[str, str], read: Market | None):
    found = parse_markets({"markets": {"A-USD": ROW | changed}})["A-USD"]
    assert found == read if read is not None else isinstance(found, str)


def test_a_subaccount_is_asked_by_its_number():
    account = "dydx1" + "q" * 38
    isolated = Position(id="iso", kind="perp", asset="ETH", venue="dydx", account=f"{account}/128")
    ports = SAMPLE.ports()
    url = f"https://indexer.dydx.trade/v4/addresses/{account}/subaccountNumber/128"
    ports.net.answer("GET", url, SourceError("HTTP 404", status=404))  # type: ignore[attr-defined]  # the fake's own
    harvest = asyncio.run(DydxAccount().poll(ports, Watch(positions=(*POSITIONS, isolated))))
    assert list(harvest.rejected) == ["HTTP 404"]
    assert {r.subject for r in harvest.readings} == {"eth-long", "btc-short", "sol-closed"}


def test_nothing_is_asked_where_no_position_is_here():
    assert asyncio.run(DydxAccount().poll(SAMPLE.ports(), Watch())) == Harvest()


@pytest.mark.parametrize(
    ("account", "good"), [("dydx1" + "q" * 38, True), ("dydx1" + "q" * 38 + "/3", True), ("dydx1qq", False), ("0x" + "1" * 40, False)]
)
def test_a_dydx_address_is_needed(account: str, good: bool):
    position = Position(id="p", kind="perp", asset="BTC", venue="dydx", account=account)
    assert (DydxAccount().flaw_of(position) == "") is good
    assert bool(DydxAccount().provides(Watch(positions=(position,)))) is good
