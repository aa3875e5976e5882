"""Positions on GMX v2: sizes and fees by its Reader, prices by its API; what is refused, and what was recorded of the API."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.chain import Failed
from monitor.collectors.gmx_account import CONTRACTS, GmxAccount, Listing, Market, Row, Token, least_share_key, parse_listing, parse_row
from monitor.core.book import Chain, Position, Watch
from monitor.errors import BadPayload, SourceError
from monitor.source import Harvest
from tests.collectors.sample import SAMPLES, Sample, read_sample

SAMPLE = read_sample(SAMPLES / "gmx_account.positions.json")
USDC, WETH, BTC, ETH_MARKET, BTC_MARKET = ("0x" + digit * 20 for digit in ("dc", "e1", "b1", "e0", "b0"))
ACCOUNT = "0x" + "1" * 40
ETH = Token("ETH", 18, 1899 * 10**12, 1901 * 10**12)
LISTING = Listing(
    {USDC: Token("USDC", 6, 10**24, 10**24), WETH: ETH, BTC: Token("BTC", 8, 8 * 10**26, 8 * 10**26)},
    {ETH_MARKET: Market(WETH, WETH, USDC), BTC_MARKET: Market(BTC, BTC, USDC)},
)
LONG = Row((ACCOUNT, ETH_MARKET, USDC), (10_000 * 10**30, 5 * 10**18, 1660 * 10**6, 0, 0, 0, 0, 0, 0, 0), (True,))
SHORT = Row((ACCOUNT, BTC_MARKET, USDC), (21_000 * 10**30, 25 * 10**6, 2000 * 10**6, 0, 0, 0, 0, 0, 0, 0), (False,))


def answers(row: Row, profit_usd: int, *, funding: int = 0, borrowing: int = 0, least: int = 5 * 10**27) -> list[tuple[Any, ...]]:
    fees = ((), (), (funding, 0, 0), (0, borrowing))
    return [((row.key, tuple(row), fees, (), 0, profit_usd * 10**30, 0),), (least,)]


def read(sample: Sample = SAMPLE, positions: Sequence[Position] = SAMPLE.watch.positions) -> Harvest:
    return asyncio.run(sample.collector.poll(sample.ports(), replace(sample.watch, positions=tuple(positions))))


def test_a_position_is_read_in_one_block_with_its_fees_taken_off_its_margin():
    harvest = read()
    told = {r.metric.removeprefix("position."): r.value for r in harvest.readings if r.subject == "eth-long"}
    assert told == pytest.approx(
        {
            "size": 5.0,
            "entry_price": 2000.0,
            "margin_usd": 1650.0,
            "unrealised_usd": -500.0,
            "maintenance_ratio": 0.005,
            "liquidation_price": (10_000 - 1650 + 50) / 5,
        }
    )
    assert {r.value for r in harvest.readings if r.subject == "btc-closed"} == {0.0}
    assert len({(r.at, r.block_hash) for r in harvest.readings}) == 1
    assert (harvest.readings[0].at, harvest.readings[0].block_hash[:2]) == (1741782599000, "0x")


def test_a_short_is_liquidated_above_where_the_least_share_of_its_entry_is_left():
    held = parse_row(SHORT, LISTING.tokens[BTC], LISTING, answers(SHORT, 1000))
    assert (held.held.size, held.held.entry_price, held.mark) == pytest.approx((-0.25, 84_000.0, 80_000.0))
    assert held.liquidation_price == pytest.approx((21_000 + 2000 - 105) / 0.25)


def test_both_fees_that_are_due_are_taken_at_the_collaterals_price():
    listing = replace(LISTING, tokens={**LISTING.tokens, USDC: Token("USDC", 6, 98 * 10**22, 10**24)})
    held = parse_row(LONG, ETH, listing, answers(LONG, -500, funding=7 * 10**6, borrowing=3 * 10**6)).held
    assert held.margin_usd == pytest.approx(1650 * 0.99)


def test_a_long_that_can_pay_for_all_of_its_coins_is_never_liquidated():
    rich = LONG._replace(numbers=(*LONG.numbers[:2], 10_051 * 10**6, *LONG.numbers[3:]))
    assert parse_row(rich, ETH, LISTING, answers(rich, -500)).liquidation_price == 0.0


@pytest.mark.parametrize(
    ("row", "told", "why"),
    [
        (LONG, answers(SHORT, 1000), "another position"),
        (LONG, [*answers(LONG, -500)[:1], Failed("getUint reverted", reverted=True)], "getUint reverted"),
        (LONG, answers(LONG, 500), "its profit is not"),
        (LONG, answers(LONG, -500, least=2 * 10**30), "its maintenance margin is 2 of its notional"),
        (LONG, answers(LONG, -500, funding=2**129), "more than there is of any token"),
        (LONG, answers(LONG, -500, borrowing=2**129), "more than there is of any token"),
        (LONG._replace(addresses=(ACCOUNT, ETH_MARKET, WETH)), None, "its collateral is 'ETH', which is no stablecoin"),
        (LONG._replace(addresses=(ACCOUNT, ETH_MARKET, ACCOUNT)), None, "its collateral is not listed"),
        (LONG._replace(numbers=(0, *LONG.numbers[1:])), None, "it has no size"),
        (LONG._replace(numbers=(LONG.numbers[0], 0, *LONG.numbers[2:])), None, "it has no size"),
    ],
)
def test_a_position_that_cannot_be_is_refused(row: Row, told: Any, why: str):
    with pytest.raises(BadPayload, match=why):
        parse_row(row, ETH, LISTING, answers(row, -500) if told is None else told)


def changed(function: str, outputs: object) -> Sample:
    return replace(SAMPLE, answers=tuple(one | {"outputs": outputs} if one.get("function") == function else one for one in SAMPLE.answers))


def test_an_account_without_positions_holds_nothing():
    harvest = read(changed("getAccountPositions", [[]]))
    assert ({r.value for r in harvest.readings}, list(harvest.rejected)) == ({0.0}, [])


def test_a_row_that_cannot_be_read_closes_nothing():
    row = json.loads(json.dumps(SAMPLE.answers[3]["outputs"][0][0]))
    row[0][1] = "0x" + "9" * 40
    harvest = read(changed("getAccountPositions", [[row]]))
    assert list(harvest.readings) == []
    assert [reason.partition(":")[0] for reason in harvest.rejected] == ["gmx", "eth-long", "btc-closed"]
    assert "the API lists no market 0x9999" in harvest.rejected[0]
    row[0][0] = "0x" + "2" * 40
    assert "it is another account's" in read(changed("getAccountPositions", [[row]])).rejected[0]


def test_a_full_answer_may_not_be_all_there_is():
    row = SAMPLE.answers[3]["outputs"][0][0]
    with pytest.raises(BadPayload, match="100 positions in one answer: there may be more"):
        read(changed("getAccountPositions", [[row] * 100]))


def test_positions_of_assets_that_nobody_declared_are_told_and_an_asset_without_a_market_is_refused():
    sol = Position(id="sol", kind="perp", asset="SOL", venue="gmx", account=ACCOUNT)
    harvest = read(positions=[SAMPLE.watch.positions[1], sol])
    assert {r.subject for r in harvest.readings} == {"btc-closed"}
    assert list(harvest.rejected) == ["sol: GMX has no market of SOL with a price here"]
    assert [note.partition(", ")[0] for note in harvest.notes] == ["gmx: the account of position btc-closed also holds ETH"]


def test_a_chain_or_a_contract_that_is_not_known_is_asked_for():
    position = Position(id="p", kind="perp", asset="ETH", venue="gmx", account=ACCOUNT)
    with pytest.raises(SourceError, match="read on chain arbitrum: add it under `chains`") as refused:
        asyncio.run(GmxAccount().poll(SAMPLE.ports(), Watch(positions=(position,))))
    assert refused.value.permanent
    local = Watch(positions=(position,), chains={"arbitrum": Chain(rpc="https://node.test/", chain_id=5)})
    with pytest.raises(SourceError, match="is not known: add reader, data_store, referrals, api to this source"):
        asyncio.run(GmxAccount().poll(SAMPLE.ports(), local))
    with pytest.raises(SourceError, match="is not known: add referrals, api to this source"):
        asyncio.run(GmxAccount(reader=ACCOUNT, data_store=ACCOUNT).poll(SAMPLE.ports(), local))
    assert asyncio.run(GmxAccount().poll(SAMPLE.ports(), Watch())) == Harvest()
    assert GmxAccount(api="https://mine.example").urls() == ("", "https://mine.example")


@pytest.mark.parametrize(("account", "good"), [(ACCOUNT, True), ("", False), ("dydx1x", False)])
def test_an_address_is_needed(account: str, good: bool):
    position = Position(id="p", kind="perp", asset="ETH", venue="gmx", account=account)
    assert (GmxAccount().flaw_of(position) == "") is good


# --- the API ---

NOW_MS = 1_741_782_599_000
TOKEN = {"symbol": "WETH", "address": WETH.upper().replace("X", "x"), "decimals": 18}
TICKER = {"tokenAddress": WETH, "minPrice": "1899000000000000", "maxPrice": "1901000000000000", "timestamp": NOW_MS // 1000}
MARKET = {"marketToken": ETH_MARKET, "indexToken": WETH, "longToken": WETH, "shortToken": USDC}


def listing(token: dict[str, Any] | None = None, ticker: dict[str, Any] | None = None, market: dict[str, Any] | None = None) -> Listing:
    return parse_listing({"tokens": [TOKEN | (token or {})]}, [TICKER | (ticker or {})], {"markets": [MARKET | (market or {})]}, NOW_MS)


def test_tokens_have_prices_and_markets_their_tokens():
    assert listing() == Listing({WETH: ETH}, {ETH_MARKET: Market(WETH, WETH, USDC)})
    assert listing().tokens[WETH].usd == 1900.0


@pytest.mark.parametrize(
    "ticker",
    [
        {"minPrice": "0"},
        {"minPrice": "1901000000000001"},
        {"minPrice": "-1"},
        {"maxPrice": 1.9},
        {"timestamp": NOW_MS // 1000 - 301},
        {"timestamp": NOW_MS // 1000 + 301},
        {"tokenAddress": "0x12"},
    ],
)
def test_a_price_that_is_none_or_old_is_not_used(ticker: dict[str, Any]):
    assert listing(ticker=ticker).tokens == {}


@pytest.mark.parametrize("ticker", [{"timestamp": NOW_MS // 1000 - 300}, {"timestamp": NOW_MS // 1000 + 300}, {"minPrice": TICKER["maxPrice"]}])
def test_a_price_at_the_edge_is_used(ticker: dict[str, Any]):
    assert WETH in listing(ticker=ticker).tokens


@pytest.mark.parametrize("token", [{"decimals": -1}, {"decimals": 31}, {"decimals": "x"}, {"symbol": 5}, {"address": USDC}])
def test_a_token_that_cannot_be_is_left_out(token: dict[str, Any]):
    assert listing(token=token).tokens == {}


def test_decimals_may_be_none_or_as_many_as_a_price_has_digits():
    assert [listing(token={"decimals": decimals}).tokens[WETH].decimals for decimals in (0, 30)] == [0, 30]


@pytest.mark.parametrize("market", [{"indexToken": "0x" + "0" * 40}, {"longToken": "ETH"}, {"marketToken": None}])
def test_a_market_that_trades_nothing_or_cannot_be_read_is_left_out(market: dict[str, Any]):
    assert listing(market=market).markets == {}


@pytest.mark.parametrize("gone", [{"token": {"decimals": "x"}}, {"market": {"marketToken": BTC_MARKET}}])
def test_a_market_without_its_token_is_no_market(gone: dict[str, Any]):
    with pytest.raises(BadPayload, match="the API lists no market"):
        listing(**gone).of(ETH_MARKET)


def test_the_least_share_stands_under_the_name_that_the_contracts_give_it():
    """keccak256(abi.encode(keccak256(abi.encode(name)), market)), its bytes laid out by hand."""
    from eth_utils.crypto import keccak

    name = b"MIN_COLLATERAL_FACTOR_FOR_LIQUIDATION"
    text = (32).to_bytes(32) + len(name).to_bytes(32) + name.ljust(64, b"\0")
    assert least_share_key(ETH_MARKET) == keccak(keccak(text) + bytes(12) + bytes.fromhex(ETH_MARKET[2:]))


@pytest.mark.recorded
def test_the_recorded_listing_of_arbitrum_is_read_and_the_known_contracts_are_the_deployed_ones(recorded_data: Path):
    folder = recorded_data / "gmx-interface-fixtures"
    tokens, tickers, markets = (json.loads((folder / f"arbitrum{name}.json").read_text()) for name in ("Tokens", "Tickers", "Markets"))
    found = parse_listing(tokens, tickers, markets, max(row["timestamp"] for row in tickers) * 1000)
    ether = [market for market in found.markets.values() if market.traded in found.tokens and found.tokens[market.traded].asset == "ETH"]
    assert len(ether) == 3
    assert found.tokens[ether[0].traded].usd == pytest.approx(1739.495434, abs=1e-6)
    assert found.tokens["0x47904963fc8b2340414262125af798b9655e58cd"].usd == pytest.approx(61536.387, abs=1e-3)
    deployed = {name: json.loads((recorded_data / "gmx-v2-abi" / f"{name}.arbitrum.json").read_text())["address"] for name in ("Reader", "DataStore")}
    assert (CONTRACTS[42161].reader, CONTRACTS[42161].data_store) == (deployed["Reader"], deployed["DataStore"])
