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
    `undated` metrics may lack `at`, and of `monthly` ones it is the first day of a month. `calendar` names the sessions
    (core/sessions.py) that a daily value is counted in, and it is fresh until two hours after the close of the `fresh_sessions`-th
    one after its own.
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
    monthly: bool = False
    calendar: str = ""
    fresh_sessions: int = 1


SESSION_CLOSE_MS = 21 * HOUR + 15 * MINUTE
ANNOUNCED_AHEAD_MS = 28 * DAY
LONG_AGO = parse_time("1900-01-01")
MAX_TICK = 887272
UINT256 = float(2**256)

ASSET = r"[A-Z0-9][A-Z0-9.\-]{0,15}"
PAIR = rf"(spot:)?{ASSET}"
TVL_SUBJECT = r"chain:[a-z0-9\-]+|protocol:[a-z0-9\-.]+(@[a-z0-9\-]+)?"
POOL = r"pool:[a-z0-9\-]+/0x[0-9a-f]{40}"
POSITION = r"[a-z0-9][a-z0-9\-]{0,62}"
CHAIN = r"chain:[a-z0-9\-]+"
PROTOCOL = r"protocol:[a-z0-9\-.]+"
LENDING = rf"lending:[a-z0-9\-]+/[a-z0-9\-]+/{ASSET}"
OPTION = rf"{ASSET}-\d{{4}}-\d{{2}}-\d{{2}}-\d+(\.\d+)?-[PC]"
SAFE = r"safe:[a-z0-9\-]+/0x[0-9a-f]{40}"
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
        Metric(
            "market_cap.usd",
            "USD",
            rf"{PROTOCOL}|crypto|stablecoins",
            0,
            1e15,
            "market value of a protocol's token, of all crypto, of all stablecoins",
        ),
        Metric("stablecoin.supply_usd", "USD", ASSET, 0, 1e13, "circulating supply of one stablecoin, at its own price"),
        Metric("iv.index", "volatility points", ASSET, 0.1, 1000, "30-day implied volatility index"),
        Metric("iv.atm.7d", "volatility points", ASSET, 0.1, 1000, "at-the-money implied volatility, 7 days"),
    ]


def _chain() -> list[Metric]:
    def exact(name: str, subject: str, low: float, unit: str, help_text: str, high: float = UINT256) -> Metric:
        return Metric(name, unit, subject, low, high, help_text, exact=True)

    return [
        Metric("tvl.usd", "USD", TVL_SUBJECT, 0, 1e13, "total value locked"),
        Metric("tvl.tokens.<asset>", "tokens", TVL_SUBJECT, 0, 1e18, "amount of one token locked"),
        Metric("tvl.apart.<part>", "USD", TVL_SUBJECT, 0, 1e13, "what is counted apart from TVL: staking, borrowed, pool2, double counted"),
        Metric(
            "fees.daily_usd",
            "USD",
            PROTOCOL,
            0,
            1e11,
            "fees that users paid in one day",
            Publication.CLOSE,
            DAY,
            DAY,
        ),
        exact("pool.sqrt_price_x96", POOL, 0, "Q64.96", "square root of token1 per token0"),
        exact("pool.tick", POOL, -MAX_TICK, "tick", "current tick", MAX_TICK),
        exact("pool.liquidity", POOL, 0, "liquidity", "liquidity in range"),
        exact("pool.reserve0", POOL, 0, "raw units", "reserve of token0"),
        exact("pool.reserve1", POOL, 0, "raw units", "reserve of token1"),
        exact("position.liquidity", POSITION, 0, "liquidity", "liquidity of the position"),
        exact("position.amount0", POSITION, 0, "raw units", "token0 paid if all liquidity were withdrawn now, without fees"),
        exact("position.amount1", POSITION, 0, "raw units", "token1 paid if all liquidity were withdrawn now, without fees"),
        exact("position.fees0", POSITION, 0, "raw units", "token0 fees that collect would pay now"),
        exact("position.fees1", POSITION, 0, "raw units", "token1 fees that collect would pay now"),
        exact("position.token0", POSITION, 0, "address", "address of token0 as a number; 0: the chain's own coin, in a v4 pool"),
        exact("position.token1", POSITION, 1, "address", "address of token1 as a number"),
        exact("position.decimals0", POSITION, 0, "digits", "decimals of token0", 255),
        exact("position.decimals1", POSITION, 0, "digits", "decimals of token1", 255),
        exact("position.sqrt_price_x96", POSITION, 0, "Q64.96", "square root of token1 per token0 in the position's pool"),
        exact("position.tick", POSITION, -MAX_TICK, "tick", "current tick of the position's pool", MAX_TICK),
        exact("position.tick_lower", POSITION, -MAX_TICK, "tick", "lower end of the position's range", MAX_TICK),
        exact("position.tick_upper", POSITION, -MAX_TICK, "tick", "upper end of the position's range", MAX_TICK),
    ]


def _shares() -> list[Metric]:
    """Positions that are a share of a pool or a vault, and wallets."""
    return [
        Metric("position.amount.<asset>", "tokens", POSITION, 0, 1e18, "amount of one token that the position would redeem now"),
        Metric("position.decimals.<asset>", "digits", POSITION, 0, 255, "decimals of one token of the position", exact=True),
        Metric("position.shares", "shares", POSITION, 0, UINT256, "shares of a pool or a vault", exact=True),
        Metric("position.pool_fee_apr", "fraction", POSITION, 0, 100, "fees a year of the position's pool over what is in it"),
        Metric("position.share_price", "tokens", POSITION, 0, 1e18, "tokens for one whole share of a vault"),
        Metric("pool.balance.<asset>", "tokens", POOL, 0, 1e18, "amount of one token in a pool"),
        Metric("pool.weight.<asset>", "fraction", POOL, 1e-6, 1, "weight of one token in a weighted pool"),
        Metric("pool.rate.<asset>", "pool units", POOL, 1e-6, 1e6, "what a stable pool counts one token as, in its own unit"),
        Metric("pool.amplification", "ratio", POOL, 0, 1e6, "amplification of a stable pool as its contract says it: A n^(n-1) of n coins"),
        Metric("pool.virtual_price", "tokens", POOL, 0, 1e6, "value of one share of a stable pool in its own unit"),
    ]


def _accounts() -> list[Metric]:
    """Perpetual positions on venues, and options."""

    def perp(name: str, unit: str, low: float, high: float, help_text: str) -> Metric:
        return Metric(f"position.{name}", unit, POSITION, low, high, help_text)

    def option(name: str, unit: str, high: float, help_text: str) -> Metric:
        return Metric(f"option.{name}", unit, OPTION, 0, high, help_text)

    return [
        perp("size", "coins", -1e15, 1e15, "size of a perpetual position, negative when short"),
        perp("entry_price", "USD", 0, 1e9, "average entry price"),
        perp("margin_usd", "USD", -1e12, 1e12, "collateral behind the position, profit and loss left out"),
        perp("unrealised_usd", "USD", -1e12, 1e12, "profit or loss at the venue's own mark"),
        perp("funding_usd", "USD", -1e12, 1e12, "funding received since the position was opened, negative when paid"),
        perp("maintenance_ratio", "fraction", 0, 0.99, "maintenance margin as a share of the notional"),
        perp("liquidation_price", "USD", 0, 1e12, "price at which the venue liquidates, as it says or by its own rule; 0 where none does"),
        option("bid", "USD", 1e9, "best bid for one coin or index unit"),
        option("ask", "USD", 1e9, "best ask for one coin or index unit"),
        option("iv", "volatility points", 1000, "implied volatility at the venue's own mark"),
    ]


def _lending() -> list[Metric]:
    return [
        Metric("lending.supply_apy", "fraction", LENDING, -1, 100, "supply yield a year, compounded, rewards left out"),
        Metric("lending.borrow_apr", "fraction", LENDING, -1, 100, "borrow rate a year, simple, rewards left out"),
        Metric("lending.reward_apr", "fraction", LENDING, -1, 100, "rewards a year to suppliers, in other tokens"),
        Metric("lending.utilisation", "fraction", LENDING, 0, 2, "borrowed share of what is supplied"),
        Metric("lending.supplied", "tokens", LENDING, 0, 1e18, "supplied amount, interest included"),
        Metric("lending.borrowed", "tokens", LENDING, 0, 1e18, "borrowed amount, interest included"),
        Metric("lending.supply_cap", "tokens", LENDING, 0, 1e18, "most that may be supplied; absent where there is no cap"),
        Metric("lending.borrow_cap", "tokens", LENDING, 0, 1e18, "most that may be borrowed; absent where there is no cap"),
        Metric("lending.status", "0 open, 1 frozen, 2 paused", LENDING, 0, 2, "what the market lets its users do"),
        Metric("account.health_factor", "ratio", POSITION, 0, 1e60, "health factor of a lending account; below 1 it can be liquidated"),
        Metric("account.collateral_usd", "USD", POSITION, 0, 1e13, "collateral of a lending account by the protocol's own oracle"),
        Metric("account.debt_usd", "USD", POSITION, 0, 1e13, "debt of a lending account by the protocol's own oracle"),
        Metric("account.supplied.<asset>", "tokens", POSITION, 0, 1e18, "amount of one token that a lending account has supplied"),
        Metric("account.borrowed.<asset>", "tokens", POSITION, 0, 1e18, "amount of one token that a lending account owes"),
        Metric(
            "account.liquidation_threshold.<asset>",
            "fraction",
            POSITION,
            0,
            1,
            "share of a supplied token's value that debt may reach before liquidation, 0 where it is no collateral",
        ),
        Metric("account.oracle_age_seconds", "seconds", POSITION, 0, 1e9, "age of the oldest oracle answer behind an account's health"),
    ]


def _treasuries() -> list[Metric]:
    def part(name: str, help_text: str) -> Metric:
        return Metric(f"treasury.{name}_usd", "USD", PROTOCOL, 0, 1e12, help_text)

    return [
        part("stables", "stablecoins of a treasury"),
        part("majors", "liquid majors of a treasury: BTC, ETH and what stands for them"),
        part("own_tokens", "a treasury's own tokens, which pay no creditor"),
        part("others", "other tokens of a treasury"),
        part("receivables", "what is owed to a treasury within a year"),
        part("liabilities", "what a treasury owes within a year"),
        Metric("treasury.decimals.<asset>", "digits", PROTOCOL, 0, 255, "decimals of one token in a treasury's wallets", exact=True),
        Metric("treasury.tokens.<asset>", "tokens", PROTOCOL, 0, 1e18, "amount of one token in a treasury's wallets"),
    ]


def _flow() -> list[Metric]:
    def hourly(name: str, unit: str, subject: str, low: float, high: float, help_text: str, *, exact: bool = False) -> Metric:
        return Metric(name, unit, subject, low, high, help_text, Publication.CLOSE, HOUR, HOUR, exact=exact)

    return [
        hourly("swap.net0", "raw units", POOL, -UINT256, UINT256, "token0 that swaps paid in, less what they took out, in one hour", exact=True),
        hourly("swap.net1", "raw units", POOL, -UINT256, UINT256, "token1 that swaps paid in, less what they took out, in one hour", exact=True),
        hourly("swap.volume0", "raw units", POOL, 0, UINT256, "token0 that swaps moved in one hour, either way", exact=True),
        hourly("swap.volume1", "raw units", POOL, 0, UINT256, "token1 that swaps moved in one hour, either way", exact=True),
        hourly("gas.priority_fee_gwei", "gwei", CHAIN, 0, 1e9, "median priority fee per gas of one hour's blocks"),
        hourly("mev.payment_eth", "ETH", CHAIN, 0, 1e6, "median payment of block builders to proposers in one hour"),
    ]


def _safes() -> list[Metric]:
    return [
        Metric("safe.threshold", "owners", SAFE, 1, 1000, "owners of a Safe that must agree", exact=True),
        Metric("safe.owner_count", "owners", SAFE, 1, 1000, "owners of a Safe", exact=True),
        Metric("safe.owner.<n>", "address", SAFE, 1, 2.0**160, "address of a Safe's n-th owner as a number", exact=True),
    ]


def _sessions() -> list[Metric]:
    def session(name: str, subject: str, unit: str, low: float, high: float, help_text: str) -> Metric:
        return Metric(name, unit, subject, low, high, help_text, Publication.SESSION, DAY, earliest=LONG_AGO, calendar="nyse")

    rows = [
        session("vix.close", "VIX", "volatility points", 1, 300, "VIX at the close"),
        session("vvix.close", "VIX", "volatility points", 1, 500, "volatility of the VIX at the close"),
        session("equity.close", "SPX|ES|VXX|UVXY", "index points, USD", 1e-3, 1e9, "index level or fund price at the close"),
        session("equity.price_to_cash_flow", "TOP50", "ratio", 0, 1e4, "price to cash flow of the 50 largest US companies"),
        session("equity.price_to_earnings", "TOP50", "ratio", 0, 1e4, "price to earnings of the 50 largest US companies"),
        session("breadth.ad_line", "NYSE|crypto", "issues", -1e9, 1e9, "cumulated advancing minus declining issues"),
    ]
    for tenor in ("30d", "60d", "1", "2"):
        rows.append(session(f"vix.future.{tenor}", "VIX", "volatility points", 1, 300, f"VIX future, {tenor}"))
    return rows


def _macro() -> list[Metric]:
    def level(name: str, high: float, help_text: str, cadence_ms: int = 31 * DAY, unit: str = "index level") -> Metric:
        return Metric(f"macro.{name}", unit, "US", 1, high, help_text, Publication.STATED, cadence_ms, earliest=LONG_AGO, monthly=True)

    def daily(name: str, low: float, help_text: str) -> Metric:
        name = f"macro.{name}"
        return Metric(name, "fraction", "US", low, 0.5, help_text, Publication.SESSION, DAY, earliest=LONG_AGO, calendar="bonds", fresh_sessions=3)

    return [
        level("cpi", 10_000, "CPI-U, all items, level, not seasonally adjusted"),
        level("cpi_sa", 10_000, "CPI-U, all items, level, seasonally adjusted"),
        level("ppi", 10_000, "PPI final demand, level"),
        level("gdp", 1e6, "gross domestic product at an annual rate, first day of the quarter", 92 * DAY, "billion USD"),
        level("reer", 10_000, "real effective exchange rate of the dollar"),
        daily("tbill_3m", -0.05, "3-month treasury bill yield"),
        daily("hy_spread", 0, "high-yield spread over treasuries"),
        daily("fed_funds", -0.05, "effective federal funds rate"),
        Metric(
            "fx.usd",
            "USD",
            "EUR|JPY",
            1e-6,
            1e3,
            "dollars for one unit of a currency",
            Publication.SESSION,
            DAY,
            earliest=LONG_AGO,
            calendar="bonds",
            fresh_sessions=6,  # a week's are published together, after the close of the first session of the next one
        ),
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


TABLE = [_candles, _funding, _markets, _chain, _shares, _accounts, _lending, _treasuries, _flow, _safes, _sessions, _macro]
METRICS: dict[str, Metric] = {metric.name: metric for part in TABLE for metric in part()}
_AT, _CLOSE, _SESSION, _ANNOUNCED = Publication.AT, Publication.CLOSE, Publication.SESSION, Publication.ANNOUNCED
# `tvl.tokens.<asset>` stands for one metric each token: the prefix, and the row that they share.
_FAMILIES = {name.partition("<")[0]: row for name, row in METRICS.items() if "<" in name}


@lru_cache(maxsize=4096)
def find_metric(name: str) -> Metric | None:
    """The vocabulary's row for a metric name, or None. `tvl.tokens.WETH` is found under `tvl.tokens.<asset>`."""
    if name in METRICS:
        return METRICS[name] if "<" not in name else None
    for prefix, row in _FAMILIES.items():
        if name.startswith(prefix) and re.fullmatch(r"[A-Za-z0-9.\-]{1,32}", name.removeprefix(prefix)):
            return row
    return None


@lru_cache(maxsize=65536)
def subject_fits(metric: Metric, subject: str) -> bool:
    """Whether a subject has the form that the metric's rows have."""
    return re.fullmatch(metric.subject, subject) is not None


def default_known_at(metric: Metric, at: int) -> int | None:
    """When a value of this metric with this `at` is known, by the metric's publication rule; None where it must be stated."""
    # Asked for every row of an import: comparisons by identity cost a tenth of matching by value.
    publication = metric.publication
    if publication is _AT:
        return at
    if publication is _CLOSE:
        return at + metric.bar_ms
    if publication is _SESSION:
        return at - at % DAY + SESSION_CLOSE_MS
    return at - ANNOUNCED_AHEAD_MS if publication is _ANNOUNCED else None
