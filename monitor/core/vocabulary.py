"""The one table of metrics: what each is called, its unit, its plausible range, when it becomes known, and how often it comes.

Imports, pushes, backfills and live polls are checked against it, and the documentation and the Prometheus help are made from it.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from monitor.core.units import DAY, HOUR, MINUTE, WEEK, parse_time


class Publication(StrEnum):
    """When a value can first be known, for rows that do not say so themselves."""

    AT = "at its own time"
    CLOSE = "at the close of its bar"
    SESSION = "21:15 UTC of its session"
    ANNOUNCED = "28 days before its time"
    STATED = "must be stated"


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the vocabulary.

    `low` and `high` bound what is plausible (inclusive), in `unit`. `cadence_ms` is the expected spacing, None where it is inferred
    from the series. `slot_ms` rounds `at` (venues jitter), `earliest` is the oldest believable `at`, `exact` marks chain integers,
    `undated` metrics may lack `at`.
    """

    name: str
    unit: str
    subject: str
    low: float
    high: float
    help: str
    publication: Publication = Publication.AT
    cadence_ms: int | None = None
    bar_ms: int = 0
    slot_ms: int = 0
    earliest: int = parse_time("2015-01-01")
    exact: bool = False
    undated: bool = False


SESSION_CLOSE_MS = 21 * HOUR + 15 * MINUTE
ANNOUNCED_AHEAD_MS = 28 * DAY
LONG_AGO = parse_time("1900-01-01")
UINT256 = float(2**256)

ASSET = r"[A-Z0-9][A-Z0-9.\-]{0,15}"
PAIR = rf"(spot:)?{ASSET}"
TVL_SUBJECT = r"chain:[a-z0-9\-]+|protocol:[a-z0-9\-.]+(@[a-z0-9\-]+)?"
POOL = r"pool:[a-z0-9\-]+/0x[0-9a-f]{40}"
POSITION = r"[a-z0-9][a-z0-9\-]{0,62}"
BARS = {"4h": 4 * HOUR, "1d": DAY, "1w": WEEK}


def _candles() -> list[Metric]:
    rows = []
    for label, bar_ms in BARS.items():
        for part in ("open", "high", "low", "close"):
            help_text = f"{part} price of a closed {label} candle"
            rows.append(Metric(f"candle.{label}.{part}", "USD", PAIR, 1e-12, 1e9, help_text, Publication.CLOSE, bar_ms, bar_ms))
        help_text = f"volume of a closed {label} candle, in the base asset"
        rows.append(Metric(f"candle.{label}.volume", "base asset", PAIR, 0, 1e18, help_text, Publication.CLOSE, bar_ms, bar_ms))
    return rows


def _funding() -> list[Metric]:
    slot = MINUTE
    return [
        Metric("funding.rate", "fraction per interval", ASSET, -0.05, 0.05, "settled funding; positive: longs pay shorts", slot_ms=slot),
        Metric("funding.interval_hours", "hours", ASSET, 0.25, 24, "interval that the funding rate of the same instant covers", slot_ms=slot),
        Metric(
            "funding.predicted",
            "fraction per interval",
            ASSET,
            -0.05,
            0.05,
            "funding the venue predicts; warns, never decides",
            undated=True,
        ),
    ]


def _markets() -> list[Metric]:
    return [
        Metric("open_interest.usd", "USD", ASSET, 0, 1e12, "open interest in dollars", undated=True),
        Metric("open_interest.coins", "coins", ASSET, 0, 1e15, "open interest in coins", undated=True),
        Metric("perp.mark", "USD", ASSET, 1e-12, 1e9, "mark price of the perpetual", undated=True),
        Metric("perp.index", "USD", ASSET, 1e-12, 1e9, "index price of the perpetual", undated=True),
        Metric("taker.net_usd", "USD", ASSET, -1e12, 1e12, "taker buys minus taker sells"),
        Metric("liquidation.usd", "USD", ASSET, 0, 1e12, "liquidated notional"),
        Metric("price.usd", "USD", ASSET, 1e-12, 1e9, "price of one unit of the asset"),
        Metric("iv.index", "volatility points", ASSET, 0.1, 1000, "30-day implied volatility index"),
        Metric("iv.atm.7d", "volatility points", ASSET, 0.1, 1000, "at-the-money implied volatility, 7 days"),
    ]


def _chain() -> list[Metric]:
    def exact(name: str, subject: str, low: float, unit: str, help_text: str) -> Metric:
        return Metric(name, unit, subject, low, UINT256, help_text, exact=True)

    return [
        Metric("tvl.usd", "USD", TVL_SUBJECT, 0, 1e13, "total value locked"),
        Metric("tvl.tokens.<asset>", "tokens", TVL_SUBJECT, 0, 1e18, "amount of one token locked"),
        exact("pool.sqrt_price_x96", POOL, 0, "Q64.96", "square root of token1 per token0"),
        exact("pool.tick", POOL, -887272, "tick", "current tick"),
        exact("pool.liquidity", POOL, 0, "liquidity", "liquidity in range"),
        exact("pool.reserve0", POOL, 0, "raw units", "reserve of token0"),
        exact("pool.reserve1", POOL, 0, "raw units", "reserve of token1"),
        exact("position.liquidity", POSITION, 0, "liquidity", "liquidity of the position"),
        exact("position.amount0", POSITION, 0, "raw units", "token0 paid if all liquidity were withdrawn now, without fees"),
        exact("position.amount1", POSITION, 0, "raw units", "token1 paid if all liquidity were withdrawn now, without fees"),
        exact("position.fees0", POSITION, 0, "raw units", "token0 fees that collect would pay now"),
        exact("position.fees1", POSITION, 0, "raw units", "token1 fees that collect would pay now"),
        exact("position.token0", POSITION, 1, "address", "address of token0 as a number"),
        exact("position.token1", POSITION, 1, "address", "address of token1 as a number"),
        exact("position.decimals0", POSITION, 0, "digits", "decimals of token0"),
        exact("position.decimals1", POSITION, 0, "digits", "decimals of token1"),
        Metric("lending.supply_apy", "fraction", r"lending:.+/.+/.+", -1, 100, "supply yield a year"),
        Metric("lending.borrow_apr", "fraction", r"lending:.+/.+/.+", -1, 100, "borrow rate a year"),
        Metric("lending.utilisation", "fraction", r"lending:.+/.+/.+", 0, 2, "borrowed share of what is supplied"),
        Metric("account.health_factor", "ratio", POSITION, 0, 1e60, "health factor of a lending account"),
    ]


def _sessions() -> list[Metric]:
    def session(name: str, subject: str, unit: str, low: float, high: float, help_text: str) -> Metric:
        return Metric(name, unit, subject, low, high, help_text, Publication.SESSION, DAY, earliest=LONG_AGO)

    rows = [
        session("vix.close", "VIX", "volatility points", 1, 300, "VIX at the close"),
        session("vvix.close", "VIX", "volatility points", 1, 500, "volatility of the VIX at the close"),
        session("equity.close", "SPX", "index points", 1, 1e6, "index level at the close"),
        session("breadth.ad_line", "NYSE|crypto", "issues", -1e9, 1e9, "cumulated advancing minus declining issues"),
    ]
    for tenor in ("30d", "60d", "1", "2"):
        rows.append(session(f"vix.future.{tenor}", "VIX", "volatility points", 1, 300, f"VIX future, {tenor}"))
    return rows


def _macro() -> list[Metric]:
    month = 31 * DAY
    return [
        Metric("macro.cpi", "index level", "US", 1, 10_000, "CPI-U, all items, level", Publication.STATED, month, earliest=LONG_AGO),
        Metric("macro.ppi", "index level", "US", 1, 10_000, "PPI final demand, level", Publication.STATED, month, earliest=LONG_AGO),
        Metric("macro.tbill_3m", "fraction", "US", -0.05, 0.5, "3-month treasury bill yield", Publication.SESSION, DAY, earliest=LONG_AGO),
        Metric("macro.hy_spread", "fraction", "US", 0, 0.5, "high-yield spread over treasuries", Publication.SESSION, DAY, earliest=LONG_AGO),
        Metric(
            "macro.event",
            "1 scheduled, 0 withdrawn",
            "CPI|PPI|FOMC",
            0,
            1,
            "instant of a release or decision",
            Publication.ANNOUNCED,
            earliest=LONG_AGO,
        ),
    ]


METRICS: dict[str, Metric] = {m.name: m for m in [*_candles(), *_funding(), *_markets(), *_chain(), *_sessions(), *_macro()]}
_TOKENS = "tvl.tokens."


@lru_cache(maxsize=4096)
def find_metric(name: str) -> Metric | None:
    """The vocabulary's row for a metric name, or None. `tvl.tokens.WETH` is found under `tvl.tokens.<asset>`."""
    if name.startswith(_TOKENS) and re.fullmatch(r"[A-Za-z0-9.\-]{1,32}", name.removeprefix(_TOKENS)):
        return METRICS[_TOKENS + "<asset>"]
    return METRICS.get(name) if "<" not in name else None


@lru_cache(maxsize=65536)
def subject_fits(metric: Metric, subject: str) -> bool:
    """Whether a subject has the form that the metric's rows have."""
    return re.fullmatch(metric.subject, subject) is not None


def default_known_at(metric: Metric, at: int) -> int | None:
    """When a value of this metric with this `at` is known, by the metric's publication rule; None where it must be stated."""
    match metric.publication:
        case Publication.AT:
            return at
        case Publication.CLOSE:
            return at + metric.bar_ms
        case Publication.SESSION:
            return at - at % DAY + SESSION_CLOSE_MS
        case Publication.ANNOUNCED:
            return at - ANNOUNCED_AHEAD_MS
        case _:
            return None
