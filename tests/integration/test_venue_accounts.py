"""Accounts at venues over real sockets, through unmodified ccxt classes: what is read, which keys are refused, and that no key is ever shown."""

import copy
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from monitor.collectors.venue_account import VenueAccount
from monitor.config import discover, load
from monitor.config.model import Alerts
from monitor.core.book import Position, Watch
from monitor.core.door import admit
from monitor.core.egress import EgressPolicy
from monitor.core.secret import Secret
from monitor.core.units import parse_time
from monitor.errors import BadPayload, SourceError
from monitor.net import HttpNet
from monitor.probes import Health, check
from monitor.registry import settings_of
from monitor.source import Ports
from monitor.venues import account as accounts
from monitor.venues.account import Account
from tests.collectors.sample_net import unthrottle
from tests.integration.test_venues import Fixed
from tests.integration.venue_server import VenueServer

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("no_pauses")]

NOW_MS = parse_time("2025-03-12T12:30:00Z")
CANARIES = ("canary-key-31415926", "canary-secret-27182818", "canary-phrase-16180339")
WATCH = Watch(positions=tuple(Position(id=asset.lower(), kind="perp", asset=asset, venue="main") for asset in ("ETH", "BTC", "SOL")))

BINANCE_KEY = {"ipRestrict": True, "createTime": 1, "enableReading": True, "enableWithdrawals": False, "enableInternalTransfer": False,
               "permitsUniversalTransfer": False, "enableSpotAndMarginTrading": False, "enableFutures": False, "enableMargin": False}  # fmt: skip
BINANCE_ETH = {"symbol": "ETHUSDT", "positionSide": "BOTH", "positionAmt": "5.000", "entryPrice": "2000.0", "markPrice": "1900.00",
               "unRealizedProfit": "-500.00", "liquidationPrice": "1704.08", "isolatedMargin": "1150.00", "notional": "9500.00",
               "isolatedWallet": "1650.00", "initialMargin": "2375.00", "maintMargin": "47.50", "positionInitialMargin": "2375.00",
               "updateTime": 1741780000000}  # fmt: skip
BINANCE_BTC = {**BINANCE_ETH, "symbol": "BTCUSDT", "positionAmt": "-0.250", "entryPrice": "84000.0", "markPrice": "80000.00",
               "unRealizedProfit": "1000.00", "liquidationPrice": "0", "isolatedMargin": "0", "isolatedWallet": "0", "notional": "-20000.00",
               "initialMargin": "2500.00", "maintMargin": "80.00", "positionInitialMargin": "2000.00"}  # fmt: skip
BYBIT_KEY = {"readOnly": 1, "permissions": {"ContractTrade": ["Position"], "Wallet": [], "Spot": []}, "type": 1, "isMaster": True}
BYBIT_ETH = {"symbol": "ETHUSDT", "side": "Buy", "size": "5", "avgPrice": "2000", "markPrice": "1900", "positionValue": "9500",
             "unrealisedPnl": "-500", "liqPrice": "1704.08", "positionIM": "1650", "positionMM": "47.5", "positionIdx": 0,
             "leverage": "5", "createdTime": "1", "updatedTime": "2", "positionBalance": "0"}  # fmt: skip
BYBIT_BTC = {**BYBIT_ETH, "symbol": "BTCUSDT", "side": "Sell", "size": "0.25", "avgPrice": "84000", "markPrice": "80000", "positionValue": "20000",
             "unrealisedPnl": "1000", "liqPrice": "", "positionIM": "2000", "positionMM": "80"}  # fmt: skip
BYBIT_NONE = {**BYBIT_ETH, "symbol": "SOLUSDT", "side": "", "size": "0", "avgPrice": "0", "positionValue": "", "unrealisedPnl": "", "liqPrice": ""}
OKX_ETH = {"instType": "SWAP", "instId": "ETH-USDT-SWAP", "mgnMode": "isolated", "posSide": "net", "pos": "50", "avgPx": "2000", "markPx": "1900",
           "upl": "-500", "uplRatio": "-0.3", "lever": "5", "liqPx": "1704.08", "margin": "1650", "imr": "", "mmr": "47.5", "notionalUsd": "9498",
           "cTime": "1741700000000", "uTime": "1741780000000", "posId": "1", "ccy": "USDT"}  # fmt: skip
OKX_BTC = {**OKX_ETH, "instId": "BTC-USDT-SWAP", "mgnMode": "cross", "pos": "-25", "avgPx": "84000", "markPx": "80000", "upl": "1000", "liqPx": "",
           "margin": "", "imr": "2000", "mmr": "80", "notionalUsd": "19996"}  # fmt: skip


def okx_market(asset: str, coins: str, kind: str = "linear") -> dict[str, str]:
    settled, named = ("USDT", f"{asset}-USDT") if kind == "linear" else (asset, f"{asset}-USD")
    return {"instType": "SWAP", "instId": f"{named}-SWAP", "uly": named, "instFamily": named, "settleCcy": settled, "ctVal": coins, "ctMult": "1",
            "ctValCcy": asset if kind == "linear" else "USD", "ctType": kind, "state": "live", "lotSz": "1", "minSz": "1", "tickSz": "0.1",
            "lever": "100", "listTime": "1573557408000", "expTime": "", "baseCcy": "", "quoteCcy": "", "category": "1"}  # fmt: skip


def okx(data: list[Any]) -> dict[str, Any]:
    return {"code": "0", "msg": "", "data": data}


def bybit(result: Mapping[str, Any]) -> dict[str, Any]:
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": NOW_MS}


BODIES: dict[str, dict[str, Any]] = {
    "binance": {
        "/sapi/v1/account/apiRestrictions": BINANCE_KEY,
        "/fapi/v1/leverageBracket": [],
        "/fapi/v3/positionRisk": [BINANCE_ETH, BINANCE_BTC],
    },
    "bybit": {
        "/v5/user/query-api": bybit(BYBIT_KEY),
        "/v5/position/list": bybit({"list": [BYBIT_ETH, BYBIT_BTC, BYBIT_NONE], "nextPageCursor": "", "category": "linear"}),
    },
    "okx": {
        "/api/v5/account/config": okx([{"perm": "read_only", "uid": "1", "acctLv": "2"}]),
        "/api/v5/public/instruments": okx(
            [okx_market("BTC", "0.01"), okx_market("ETH", "0.1"), okx_market("SOL", "1"), okx_market("BTC", "100", "inverse")]
        ),
        "/api/v5/account/positions": okx([OKX_ETH, OKX_BTC]),
    },
}
POSITIONS = {"binance": "/fapi/v3/positionRisk", "bybit": "/v5/position/list", "okx": "/api/v5/account/positions"}
each_venue = pytest.mark.parametrize("venue", BODIES)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    unthrottle(monkeypatch)


@pytest.fixture
async def server() -> AsyncIterator[VenueServer]:
    async with VenueServer(NOW_MS) as running:
        for bodies in BODIES.values():
            running.private |= copy.deepcopy(bodies)
        yield running


@pytest.fixture
async def ports() -> AsyncIterator[Ports]:
    async with HttpNet(EgressPolicy(allow_private=True)) as net:
        yield Ports(net, Fixed(NOW_MS), Random(1))


@pytest.fixture
async def source(server: VenueServer, venue: str) -> AsyncIterator[VenueAccount]:
    key, secret, passphrase = map(Secret, CANARIES)
    account = Account(venue=venue, api_key=key, secret=secret, passphrase=passphrase)
    made = VenueAccount(endpoint=server.url, accounts={"main": account})
    yield made
    await made.close()


async def numbers(source: VenueAccount, ports: Ports) -> dict[str, dict[str, float]]:
    harvest = await source.poll(ports, WATCH)
    admission = admit(harvest.readings, source=source.id, received_at=NOW_MS)
    assert (list(harvest.rejected), admission.rejections) == ([], ())
    assert source.provides(WATCH) <= {(o.metric, o.subject) for o in admission.observations}
    told: dict[str, dict[str, float]] = {}
    for o in admission.observations:
        told.setdefault(o.subject, {})[o.metric.removeprefix("position.")] = o.value
    return told


@each_venue
async def test_positions_are_read_with_the_venues_own_margin_and_liquidation_price(source: VenueAccount, ports: Ports) -> None:
    told = await numbers(source, ports)
    assert told["eth"] == pytest.approx(
        {
            "size": 5.0,
            "entry_price": 2000.0,
            "margin_usd": 1650.0,
            "unrealised_usd": -500.0,
            "maintenance_ratio": 0.005,
            "liquidation_price": 1704.08,
        }
    )
    assert told["btc"] == pytest.approx(
        {"size": -0.25, "entry_price": 84000.0, "margin_usd": 2000.0, "unrealised_usd": 1000.0, "maintenance_ratio": 0.004, "liquidation_price": 0.0}
    )
    assert set(told["sol"].values()) == {0.0}


@each_venue
async def test_an_account_without_positions_holds_nothing(source: VenueAccount, server: VenueServer, ports: Ports, venue: str) -> None:
    body = server.private[POSITIONS[venue]]
    (body if venue == "binance" else body["result"]["list"] if venue == "bybit" else body["data"]).clear()
    told = await numbers(source, ports)
    assert [set(values.values()) for values in told.values()] == [{0.0}] * 3


# --- keys ---

MAY_TRADE = [
    (
        "binance",
        "/sapi/v1/account/apiRestrictions",
        {**BINANCE_KEY, "enableFutures": True, "enableWithdrawals": True},
        "enableWithdrawals, enableFutures",
    ),
    ("binance", "/sapi/v1/account/apiRestrictions", {**BINANCE_KEY, "permitsUniversalTransfer": True}, "permitsUniversalTransfer"),
    ("binance", "/sapi/v1/account/apiRestrictions", {**BINANCE_KEY, "enableSomethingNew": True}, "enableSomethingNew"),
    ("binance", "/sapi/v1/account/apiRestrictions", {**BINANCE_KEY, "canTransfer": True, "tradingAuthorityExpirationTime": 5}, "canTransfer"),
    ("bybit", "/v5/user/query-api", bybit({**BYBIT_KEY, "readOnly": 0}), "ContractTrade"),
    ("bybit", "/v5/user/query-api", bybit({"readOnly": 0, "permissions": {"Spot": []}}), "it is not read-only"),
    ("okx", "/api/v5/account/config", okx([{"perm": "read_only,trade"}]), "trade"),
    ("okx", "/api/v5/account/config", okx([{"perm": "read_only,withdraw, trade"}]), "trade, withdraw"),
]


@pytest.mark.parametrize(("venue", "path", "body", "rights"), MAY_TRADE)
async def test_a_key_that_may_do_more_than_read_is_refused_before_it_is_used(
    source: VenueAccount, server: VenueServer, ports: Ports, venue: str, path: str, body: Any, rights: str
) -> None:
    server.private[path] = body
    with pytest.raises(SourceError) as refused:
        await source.poll(ports, WATCH)
    assert refused.value.permanent
    assert str(refused.value) == (
        f"main: its key may do more than read ({rights}) and is not used: delete it at {venue}, make one that can only read, and put that into"
        " sources.venue-account.accounts.main"
    )
    with pytest.raises(SourceError, match="may do more than read"):
        await source.probe(ports, WATCH)
    assert set(server.asked) == {f"GET {path}"}


@pytest.mark.parametrize(
    ("venue", "path", "body"),
    [
        ("binance", "/sapi/v1/account/apiRestrictions", {"enableReading": True}),
        ("binance", "/sapi/v1/account/apiRestrictions", {**BINANCE_KEY, "enableFutures": "false"}),
        ("binance", "/sapi/v1/account/apiRestrictions", []),
        ("bybit", "/v5/user/query-api", bybit({"permissions": {}})),
        ("bybit", "/v5/user/query-api", bybit({"readOnly": 2, "permissions": {}})),
        ("bybit", "/v5/user/query-api", bybit({"readOnly": 1})),
        ("okx", "/api/v5/account/config", okx([{"perm": ""}])),
        ("okx", "/api/v5/account/config", okx([])),
    ],
)
async def test_a_venue_that_does_not_say_what_the_key_may_do_when_it_should_is_not_read(
    source: VenueAccount, server: VenueServer, ports: Ports, path: str, body: Any
) -> None:
    server.private[path] = body
    with pytest.raises(BadPayload, match="main: what its key may do"):
        await source.poll(ports, WATCH)
    assert set(server.asked) == {f"GET {path}"}


@each_venue
async def test_check_says_that_the_key_can_only_read(source: VenueAccount, ports: Ports, venue: str) -> None:
    assert await source.probe(ports, WATCH) == f"main: 2 of 3 positions are held at {venue}, its key can only read"


@pytest.mark.parametrize("venue", ["bybit"])
async def test_where_a_venue_does_not_tell_check_says_that_it_could_not_be_verified(
    source: VenueAccount, ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "PERMISSIONS", {})
    line = "main: 2 of 3 positions are held at bybit; WARNING: main: bybit does not tell whether its key can only read"
    assert await source.probe(ports, WATCH) == line


@pytest.mark.parametrize("venue", ["binanceusdm"])
async def test_a_sister_of_a_venue_is_asked_like_it(source: VenueAccount, server: VenueServer, ports: Ports) -> None:
    server.private["/sapi/v1/account/apiRestrictions"] = {**BINANCE_KEY, "enableFutures": True}
    with pytest.raises(SourceError, match="may do more than read"):
        await source.poll(ports, WATCH)


@pytest.mark.parametrize("venue", ["okx"])
@pytest.mark.parametrize(("perm", "state"), [("read_only", Health.WARNING), ("read_only,withdraw", Health.FAILED)])
async def test_check_has_a_row_for_the_accounts_and_what_to_do(server: VenueServer, venue: str, perm: str, state: Health, tmp_path: Path) -> None:
    server.private["/api/v5/account/config"] = okx([{"perm": perm}])
    file = tmp_path / "hedge-monitor.yaml"
    keys = "{main: {venue: okx, api_key: '${KEY}', secret: '${SECRET}', passphrase: '${PHRASE}'}}"
    file.write_text(
        f"store: {{url: 'sqlite:///{tmp_path}/x.db'}}\nsources: {{venue-account: {{endpoint: '{server.url}', accounts: {keys}}}}}\n"
        "positions: [{id: eth, kind: perp, asset: ETH, venue: main}]\n"
    )
    config = load(file, dict(zip(("KEY", "SECRET", "PHRASE"), CANARIES, strict=True)), discover())
    only = replace(config, chains={}, alerts=Alerts(), sources={"venue-account": config.sources["venue-account"]})
    [row] = [found for found in await check(only, timeout_seconds=20) if found.name == "venue-account"]
    assert row.state is state
    must_not_show(repr(row))
    if state is Health.WARNING:
        assert row.detail == (
            "main: 1 of 1 positions are held at okx, its key can only read; WARNING: main: the account of position eth also holds BTC, which no "
            "position names and the book lacks: add one of the same venue and account with asset: BTC"
        )
    else:
        assert "its key may do more than read (withdraw) and is not used: delete it at okx" in row.detail
        assert row.remedy.startswith("trying again will not help: do as it says, or correct sources.venue-account.endpoint")


REFUSALS = [
    ("binance", 401, '{"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}'),
    ("bybit", 200, '{"retCode": 10003, "retMsg": "API key is invalid.", "result": {}, "time": 1}'),
    ("okx", 401, '{"code": "50111", "msg": "Invalid OK-ACCESS-KEY", "data": []}'),
]


@pytest.mark.parametrize(("venue", "status", "text"), REFUSALS)
async def test_a_key_that_is_not_accepted_is_said_to_be_so_and_nothing_is_shown_of_it(
    source: VenueAccount, server: VenueServer, ports: Ports, status: int, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.refusal = status, text
    with pytest.raises(SourceError) as refused:
        await source.poll(ports, WATCH)
    assert refused.value.permanent
    assert "the venue does not accept this key" in str(refused.value)
    assert refused.value.__cause__ is None and refused.value.__context__ is None
    must_not_show(str(refused.value), caplog.text)


@each_venue
async def test_the_key_goes_to_the_venue_and_nowhere_else(
    source: VenueAccount, server: VenueServer, ports: Ports, venue: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    harvest = await source.poll(ports, WATCH)
    line = await source.probe(ports, WATCH)
    sent = " ".join(server.headers[POSITIONS[venue]].values())
    assert CANARIES[0] in sent and CANARIES[1] not in sent
    shown = (repr(source), str(source.accounts), repr(harvest), line, repr(settings_of(source)), caplog.text, repr(vars(source)))
    must_not_show(*shown)
    server.private[POSITIONS[venue]] = {"error": CANARIES[0]}
    with pytest.raises((SourceError, BadPayload)) as failed:
        await source.poll(ports, WATCH)
    must_not_show(str(failed.value), repr(failed.value.__cause__), repr(failed.value.__context__), caplog.text)


def must_not_show(*texts: str) -> None:
    assert not [canary for canary in CANARIES for text in texts if canary in text]


# --- what is damaged, missing or held otherwise ---


@each_venue
async def test_a_body_that_ccxt_takes_for_an_empty_account_closes_nothing(
    source: VenueAccount, server: VenueServer, ports: Ports, venue: str
) -> None:
    server.private[POSITIONS[venue]] = {"binance": {"rows": []}, "bybit": bybit({}), "okx": {"code": "0", "msg": ""}}[venue]
    with pytest.raises(BadPayload, match="main: positions: "):
        await source.poll(ports, WATCH)


@each_venue
async def test_a_venue_that_is_down_closes_nothing(source: VenueAccount, server: VenueServer, ports: Ports) -> None:
    server.refusal = 503, "{}"
    with pytest.raises(SourceError) as down:
        await source.poll(ports, WATCH)
    assert not down.value.permanent


@pytest.mark.parametrize("venue", ["okx"])
async def test_what_is_held_both_ways_is_netted_and_check_says_so(source: VenueAccount, server: VenueServer, ports: Ports) -> None:
    short = {**OKX_BTC, "posSide": "short", "pos": "25", "imr": "2000", "liqPx": "130000"}
    long = {**OKX_BTC, "posSide": "long", "pos": "10", "avgPx": "79000", "upl": "100", "imr": "800", "mmr": "32", "notionalUsd": "7998", "posId": "2"}
    server.private["/api/v5/account/positions"] = okx([short, long])
    told = await numbers(source, ports)
    assert told["btc"] == pytest.approx(
        {
            "size": -0.15,
            "entry_price": 84000.0,
            "margin_usd": 2000 + 800 + 0.1 * (84000 - 79000),
            "unrealised_usd": 600.0,
            "maintenance_ratio": 0.004,
            "liquidation_price": 130000.0,
        }
    )
    assert "btc: 0.1 long and 0.25 short are netted" in await source.probe(ports, WATCH)


@pytest.mark.parametrize("venue", ["okx"])
async def test_a_position_that_is_margined_in_its_own_coin_is_refused_with_the_reason(
    source: VenueAccount, server: VenueServer, ports: Ports
) -> None:
    inverse = {**OKX_BTC, "instId": "BTC-USD-SWAP", "pos": "-200", "upl": "0.01"}
    server.private["/api/v5/account/positions"] = okx([OKX_ETH, inverse])
    harvest = await source.poll(ports, WATCH)
    assert {r.subject for r in harvest.readings} == {"eth"}
    assert "BTC/USD:BTC: it is margined in the coin itself (inverse), which is not supported" in harvest.rejected[0]
    assert [reason.partition(":")[0] for reason in harvest.rejected] == ["main", "btc", "sol"]


@pytest.mark.parametrize("venue", ["bybit"])
async def test_a_full_page_may_not_be_all_there_is(source: VenueAccount, server: VenueServer, ports: Ports) -> None:
    server.private["/v5/position/list"]["result"]["list"] *= 67
    with pytest.raises(BadPayload, match="201 positions in one answer: there may be more"):
        await source.poll(ports, WATCH)


@pytest.mark.parametrize("venue", ["bynance"])
async def test_a_venue_that_ccxt_does_not_know_is_named_with_the_nearest(source: VenueAccount, ports: Ports) -> None:
    with pytest.raises(SourceError, match=r"ccxt knows no venue 'bynance'; did you mean binance\?") as refused:
        await source.poll(ports, WATCH)
    assert refused.value.permanent


@pytest.mark.parametrize("venue", ["binance"])
async def test_an_asset_without_a_market_is_no_closed_position(source: VenueAccount, ports: Ports) -> None:
    watch = Watch(positions=(*WATCH.positions, Position(id="xyz", kind="perp", asset="XYZ", venue="main")))
    harvest = await source.poll(ports, watch)
    assert list(harvest.rejected) == ["xyz: no market XYZ/USDT:USDT at binance"]
    assert not [r for r in harvest.readings if r.subject == "xyz"]


@pytest.mark.parametrize("venue", ["binance"])
async def test_two_accounts_are_read_side_by_side_and_one_that_fails_leaves_the_other(
    source: VenueAccount, server: VenueServer, ports: Ports
) -> None:
    other = Account(venue="bynance", api_key=Secret("a"), secret=Secret("b"))
    both = VenueAccount(endpoint=server.url, accounts={**source.accounts, "other": other})
    watch = Watch(positions=(*WATCH.positions, Position(id="elsewhere", kind="perp", asset="ETH", venue="other")))
    harvest = await both.poll(ports, watch)
    await both.close()
    assert {r.subject for r in harvest.readings} == {"eth", "btc", "sol"}
    assert list(harvest.rejected) == ["other: ccxt knows no venue 'bynance'; did you mean binance?"]
