"""Positions on Hyperliquid: what an account says of each, what it does not hold, and what contradicts itself."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.collectors.hyperliquid_account import HyperliquidAccount, parse
from monitor.core.book import Position, Watch
from monitor.errors import BadPayload, SourceError
from monitor.source import Harvest
from tests.collectors.sample import SAMPLES, read_sample

SAMPLE = read_sample(SAMPLES / "hyperliquid_account.positions.json")
MARKETS = frozenset({"BTC", "ETH", "SOL"})
POSITIONS = SAMPLE.watch.positions


def body(change: Callable[[Any], object] = lambda body: None) -> Any:
    whole = json.loads(json.dumps(SAMPLE.answers[1]["json"]))
    change(whole)
    return whole


def numbers(harvest: Harvest, position: str) -> dict[str, float]:
    return {r.metric.removeprefix("position."): r.value for r in harvest.readings if r.subject == position}


def test_an_isolated_long_has_the_margin_that_was_put_in_and_funding_that_was_paid_is_negative():
    told = numbers(parse(body(), MARKETS, POSITIONS), "eth-long")
    assert told == pytest.approx(
        {
            "size": 5.0,
            "entry_price": 2000.0,
            "margin_usd": 1650.0,
            "unrealised_usd": -500.0,
            "funding_usd": -12.5,
            "maintenance_ratio": 0.02,
            "liquidation_price": 1704.0816327,
        }
    )


def test_a_cross_short_has_the_margin_that_is_set_aside_for_it():
    told = numbers(parse(body(), MARKETS, POSITIONS), "btc-short")
    assert (told["size"], told["margin_usd"], told["funding_usd"], told["maintenance_ratio"]) == (-0.25, 2000.0, 9.5, 0.0125)


def test_a_position_that_the_account_does_not_hold_is_closed():
    assert set(numbers(parse(body(), MARKETS, POSITIONS), "sol-closed").values()) == {0.0}


def test_all_is_of_the_instant_that_the_answer_names():
    assert {r.at for r in parse(body(), MARKETS, POSITIONS).readings} == {1741782599500}


def test_a_venue_that_names_no_liquidation_price_says_that_there_is_none():
    def none(body: Any) -> None:
        body["assetPositions"][1]["position"]["liquidationPx"] = None

    assert numbers(parse(body(none), MARKETS, POSITIONS), "btc-short")["liquidation_price"] == 0.0


def test_where_a_row_cannot_be_read_nothing_is_called_closed():
    def spoil(body: Any) -> None:
        body["assetPositions"][0]["position"]["szi"] = "1_000"

    harvest = parse(body(spoil), MARKETS, POSITIONS)
    assert {r.subject for r in harvest.readings} == {"btc-short"}
    assert [reason.partition(":")[0] for reason in harvest.rejected] == ["hyperliquid", "eth-long", "sol-closed"]


def test_rows_that_are_missing_are_seen_by_the_accounts_own_total():
    with pytest.raises(BadPayload, match=r"20,000\.00 USD together, its own total says 29,500\.00: rows are missing"):
        parse(body(lambda body: body["assetPositions"].pop(0)), MARKETS, POSITIONS)


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("szi", "0.0", "without a size"),
        ("positionValue", "0", "without a size or a value"),
        ("unrealizedPnl", "500.0", "its profit is not"),
        ("entryPx", "-2000.0", "not above 0"),
        ("marginUsed", "1300.0", "what its value leaves"),
        ("maxLeverage", 0, "none that is allowed"),
        ("coin", "ETX", "'ETX' is no listed market"),
        ("leverage", {"type": "portfolio"}, "neither isolated nor"),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(field: str, value: object, why: str):
    def spoil(body: Any) -> None:
        body["assetPositions"][0]["position"][field] = value

    harvest = parse(body(spoil), MARKETS, POSITIONS)
    assert why in harvest.rejected[0]
    assert not numbers(harvest, "eth-long")


def test_an_asset_that_is_not_listed_is_no_closed_position():
    harvest = parse(body(), MARKETS - {"SOL"}, POSITIONS)
    assert list(harvest.rejected) == ["sol-closed: no market of SOL here"]


def test_two_accounts_are_read_one_by_one_and_a_position_elsewhere_is_not():
    other = Position(id="other", kind="perp", asset="BTC", venue="hyperliquid", account="0x" + "2" * 40)
    elsewhere = [Position(id="a", kind="perp", asset="BTC", venue="dydx", account="dydx1x"), Position(id="b", kind="perp", asset="BTC", size=1)]
    watch = Watch(positions=(*POSITIONS, other, *elsewhere))
    ports = SAMPLE.ports()
    harvest = asyncio.run(HyperliquidAccount().poll(ports, watch))
    assert {r.subject for r in harvest.readings} == {"eth-long", "btc-short", "sol-closed", "other"}
    assert {subject for _, subject in HyperliquidAccount().provides(watch)} == {"eth-long", "btc-short", "sol-closed", "other"}
    asked: list[Any] = [call.body for call in ports.net.calls]  # type: ignore[attr-defined]  # the fake notes its calls
    assert [one.get("user", "") for one in asked] == ["", "0x" + "1" * 40, "0x" + "2" * 40]


def test_a_venue_that_answers_with_an_error_closes_nothing():
    ports = SAMPLE.ports()
    ports.net.answer("POST", "https://api.hyperliquid.xyz/info", SourceError("down", status=500))  # type: ignore[attr-defined]  # the fake's own
    with pytest.raises(SourceError):
        asyncio.run(HyperliquidAccount().poll(ports, SAMPLE.watch))


def test_nothing_is_asked_where_no_position_is_here():
    ports = SAMPLE.ports()
    assert asyncio.run(HyperliquidAccount().poll(ports, Watch())) == Harvest()
    assert not HyperliquidAccount().has_work(Watch())


@pytest.mark.parametrize("account", ["", "main", "0x12"])
def test_an_address_is_needed(account: str):
    position = Position(id="p", kind="perp", asset="BTC", venue="hyperliquid", account=account)
    assert "needs `account`" in HyperliquidAccount().flaw_of(position)
    assert not HyperliquidAccount().provides(Watch(positions=(position,)))


@pytest.mark.recorded
def test_a_recorded_account_is_read_whole(recorded_data: Path):
    """Of June 2023: `time`, `maxLeverage` and `cumFunding` came later and are added."""
    recorded = json.loads((recorded_data / "hyperliquid-sdk-cassettes/json/test_get_user_state.0.json").read_text())["response"]
    recorded["time"] = 1686000000000
    coins = [row["position"]["coin"] for row in recorded["assetPositions"]]
    for row in recorded["assetPositions"]:
        row["position"] |= {"maxLeverage": 50, "cumFunding": {"sinceOpen": "0"}}
    positions = [Position(id=coin.lower(), kind="perp", asset=coin, venue="hyperliquid", account="0x" + "5" * 40) for coin in coins]
    harvest = parse(recorded, frozenset(coins), positions)
    assert (len(coins), list(harvest.rejected), len(harvest.readings)) == (12, [], 12 * 7)
    assert numbers(harvest, "btc") == pytest.approx(
        {
            "size": -0.00785,
            "entry_price": 26951.0,
            "margin_usd": 10.582271,
            "unrealised_usd": -0.08007,
            "funding_usd": 0.0,
            "maintenance_ratio": 0.01,
            "liquidation_price": 173198.69592357,
        }
    )
    assert numbers(harvest, "eth")["liquidation_price"] == 0.0
