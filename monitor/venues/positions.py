"""Pure parsing of the positions that ccxt hands over, each number by the venue's own field where ccxt would make one up that is absent."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from monitor.accounts import Held, agrees, checked
from monitor.core.decode import field, number, text
from monitor.core.perpetual import INVERSE, Perpetual, maintenance_ratio
from monitor.errors import BadPayload

# Margins are dollar coins, which may stand some percent off the dollars in which a venue tells the value.
NOTIONAL_TOLERANCE = 0.05
MOST = 1e15


class Listed(NamedTuple):
    """What must be known of a listed market: its symbol, its base asset, whether it is margined in dollars."""

    symbol: str
    base: str
    linear: bool


@dataclass(frozen=True)
class Rows:
    """What an account holds, as ccxt tells it, and the markets that there are by symbol and by the venue's own name."""

    rows: Sequence[Mapping[str, Any]]
    listed: Mapping[str, Listed]


def _margin_of_binance(info: object) -> float:
    """What was put in; an isolated position says it with its profit too, a cross one says 0 to both."""
    put_in, with_profit = number(info, "isolatedWallet"), number(info, "isolatedMargin")
    if put_in == with_profit == 0:
        return number(info, "positionInitialMargin")
    if not agrees(with_profit, put_in + number(info, "unRealizedProfit"), abs(number(info, "notional"))):
        raise BadPayload("its isolated margin is not what was put in and its profit: one of them is wrong")
    return put_in


def _margin_of_bybit(info: object) -> float:
    return number(info, "positionIM")


def _margin_of_okx(info: object) -> float:
    mode = text(info, "mgnMode")
    if mode not in ("cross", "isolated"):
        raise BadPayload(f"mgnMode is {mode!a:.20}")
    return number(info, "imr" if mode == "cross" else "margin")


class Ways(NamedTuple):
    """How one venue is asked and read: which kinds of markets, which positions; where its rows stand in the answer (None: not known); the fields of
    its own liquidation price and maintenance margin (empty: not known); and its margin out of its own row (None: as ccxt tells it).
    """

    types: tuple[str, ...] = ()
    parameters: Mapping[str, str] = {}
    rows: tuple[str, ...] | None = None
    liquidation: str = ""
    maintenance: str = ""
    margin: Callable[[object], float] | None = None


WAYS: Mapping[str, Ways] = {
    "binance": Ways(("linear",), {}, (), "liquidationPrice", "maintMargin", _margin_of_binance),
    "bybit": Ways(("linear",), {}, ("result", "list"), "liqPrice", "positionMM", _margin_of_bybit),
    "okx": Ways(("swap",), {"instType": "SWAP"}, ("data",), "liqPx", "mmr", _margin_of_okx),
}


def parse(found: Rows, ways: Ways, symbols: frozenset[str]) -> tuple[dict[str, list[Held]], list[str], set[str]]:
    """What is held by base asset, of the markets `symbols`, why rows were refused, and which other assets are held.

    Of a market that nobody watches no more is read than its name and that it is open; a row of no market at all might be any. A market of the
    same asset that is settled otherwise is a part of the exposure that is not read, and is told.
    """
    bases = {symbol.partition("/")[0] for symbol in symbols}
    held: dict[str, list[Held]] = {}
    refused: list[str] = []
    others = set[str]()
    for place, row in enumerate(found.rows, 1):
        try:
            market = _market(row, found.listed)
            if market.base not in bases:
                others |= {market.base} if row.get("contracts") != 0 else set()
                continue
            if (contracts := _number(row, "contracts")) == 0:
                continue
            if not market.linear:
                raise BadPayload(f"{market.symbol}: {INVERSE}")
            if market.symbol not in symbols:
                raise BadPayload(f"{market.symbol} is settled in another coin: give it an account of its own, with its `settle`")
            held.setdefault(market.base, []).append(parse_row(row, contracts, ways))
        except BadPayload as problem:
            refused.append(f"position {place}: {problem}")
    return held, refused, others


def _market(row: Mapping[str, Any], listed: Mapping[str, Listed]) -> Listed:
    name = row.get("symbol")
    if not isinstance(name, str) or name not in listed:
        raise BadPayload(f"it is of no listed market: {name!a:.40}")
    return listed[name]


def parse_row(row: Mapping[str, Any], contracts: float, ways: Ways) -> Held:
    """One position out of ccxt's structure, contracts made coins."""
    side = row.get("side")
    if side not in ("long", "short") or contracts < 0:
        raise BadPayload(f"it is neither long nor short: {side!a:.20}")
    coins = contracts * _number(row, "contractSize")
    mark = _mark(row, coins)
    margin_usd = _margin(row) if ways.margin is None else ways.margin(field(row, "info", kind=dict))
    if margin_usd < 0:
        raise BadPayload(f"its margin of {margin_usd:g} is below 0")
    size = coins if side == "long" else -coins
    return checked(
        Held(
            held=Perpetual(size, _number(row, "entryPrice"), margin_usd),
            mark=mark,
            unrealised_usd=_number(row, "unrealizedPnl"),
            maintenance_ratio=maintenance_ratio(number(row, "info", ways.maintenance), size, mark) if ways.maintenance else None,
            liquidation_price=_edge(row, ways.liquidation) if ways.liquidation else None,
        )
    )


def _mark(row: Mapping[str, Any], coins: float) -> float:
    """The mark price. BadPayload where the venue's two ways to say it contradict each other."""
    mark, notional = _optional(row, "markPrice"), _optional(row, "notional")
    if coins <= 0 or (mark is None and notional is None):
        raise BadPayload("it has no size, or neither a mark nor a value")
    if mark is None:
        return abs(notional or 0.0) / coins
    if mark <= 0 or (notional is not None and abs(abs(notional) - coins * mark) > NOTIONAL_TOLERANCE * coins * mark):
        raise BadPayload("its value is not its size times its mark: one of them is wrong")
    return mark


def _margin(row: Mapping[str, Any]) -> float:
    """What was put in where it is isolated, what is set aside for it where it is cross."""
    put_in = _optional(row, "positionMargin") if row.get("marginMode") == "isolated" else None
    return _number(row, "initialMargin") if put_in is None else put_in


def _edge(row: Mapping[str, Any], name: str) -> float:
    """The liquidation price in the venue's own words; where it has none it writes nothing or 0."""
    return 0.0 if field(row, "info", name, kind=object) == "" else number(row, "info", name)


def _optional(row: Mapping[str, Any], name: str) -> float | None:
    return None if row.get(name) is None else _number(row, name)


def _number(row: Mapping[str, Any], name: str) -> float:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MOST:
        raise BadPayload(f"{name} is not a number: {value!a:.40}")
    return float(value)
