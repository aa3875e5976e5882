"""The book of the story: one liquidity position in the storm, a loan, a long perp and a treasury beside it. One million dollars, nobody's."""

from collections.abc import Mapping

from monitor.core.book import Book, Chain, Position, Watch
from monitor.core.settings import PlugIn, Settings, SourceSettings
from monitor.core.units import HOUR, MINUTE
from monitor.story import plot

ASSETS = ("BTC", "ETH")
LP, LOAN, PERP = "eth-usdc", "btc-loan", "btc-perp"
CADENCES_MS = {
    "binance": 15 * MINUTE,
    "bybit": 15 * MINUTE,
    "defillama": 15 * MINUTE,
    "dydx": 30 * MINUTE,
    "hyperliquid": 30 * MINUTE,
    "uniswap-v3": 15 * MINUTE,
    "aave-v3": 15 * MINUTE,
    "us-calendar": 12 * HOUR,
    "bls": 6 * HOUR,
}
"""How often each source is asked. Bls comes last: at the print everything else is fresh."""
STATE = (
    *("liquidity", "amount0", "amount1", "fees0", "fees1", "token0", "token1", "decimals0", "decimals1"),
    *("sqrt_price_x96", "tick", "tick_lower", "tick_upper"),
)
ACCOUNT = (
    *("health_factor", "collateral_usd", "debt_usd"),
    *(f"{part}.{asset}" for part in ("supplied", "borrowed", "liquidation_threshold") for asset in ("BTC", "USDC")),
)
CANDLE = tuple(f"candle.4h.{part}" for part in ("open", "high", "low", "close", "volume"))
FUNDING = ("funding.rate", "funding.interval_hours", "open_interest.usd", "open_interest.coins")

# `assets` gives the prices that move the position; ETH is in this one alone, so that a signal on ETH asks once.
_TEXT = """\
# The book of the built-in stress story. It is invented, and so are the prices it meets.
book:
  capital: 1_000_000 USD
  assets: [BTC, ETH]
chains:
  ethereum: {rpc: "http://127.0.0.1:8545"}
  base: {rpc: "http://127.0.0.1:8546"}
positions:
  - {id: eth-usdc, kind: uniswap-v3, chain: ethereum, token_id: 424242, assets: [USDC, ETH], exposed_to: [protocol:uniswap-v3]}
  - {id: btc-loan, kind: aave-v3, chain: base, account: "0x0000000000000000000000000000000000424242", assets: [BTC, USDC]}
  - {id: btc-perp, kind: perp, asset: BTC, size: 1.5, entry_price: 108_000 USD, margin: 36_000 USD}
  - {id: treasury, kind: tokens, amounts: {BTC: 1.2, USDC: 340000}}
sources:
  tvl:
    subjects: [chain:ethereum]
"""


def config_text() -> str:
    """The configuration a user would write for this book, as YAML."""
    return _TEXT


def book() -> Book:
    return Book(capital=1_000_000.0, assets=ASSETS)


def positions() -> tuple[Position, ...]:
    """The same book as in `config_text`."""
    return (
        Position(id=LP, kind="uniswap-v3", chain="ethereum", token_id=424242, assets=("USDC", "ETH"), exposed_to=("protocol:uniswap-v3",)),
        Position(id=LOAN, kind="aave-v3", chain="base", account="0x0000000000000000000000000000000000424242", assets=("BTC", "USDC")),
        Position(id=PERP, kind="perp", asset="BTC", size=1.5, entry_price=108_000, margin=36_000),
        Position(id="treasury", kind="tokens", amounts={"BTC": 1.2, "USDC": 340_000}),
    )


def watch() -> Watch:
    """What the sources are asked to look at."""
    chains = {"ethereum": Chain(rpc="http://127.0.0.1:8545", chain_id=1), "base": Chain(rpc="http://127.0.0.1:8546", chain_id=8453)}
    return Watch(ASSETS, tvl_subjects=tuple(plot.TVL_USD), positions=positions(), chains=chains)


def sources() -> dict[str, SourceSettings]:
    """Every source of the story with its cadence and what it brings."""
    return {name: SourceSettings(cadence_ms=cadence_ms, provides=_PROVIDES[name]) for name, cadence_ms in CADENCES_MS.items()}


def settings(rules: Mapping[str, PlugIn], gates: Mapping[str, PlugIn]) -> Settings:
    """All that the engine must know, with these rules and gates in force."""
    return Settings(book=book(), positions=positions(), tvl_subjects=("chain:ethereum",), rules=rules, gates=gates, sources=sources())


def _each(metrics: tuple[str, ...], subjects: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((metric, subject) for metric in metrics for subject in subjects)


def market(asset: str) -> str:
    """The lending market in which the loan stands."""
    return f"lending:base/aave-v3/{asset}"


_CENTRAL = _each((*FUNDING, *CANDLE, "perp.mark"), ASSETS)
_PROVIDES = {
    "binance": (*_CENTRAL, ("position.liquidation_price", PERP)),
    "bybit": _CENTRAL,
    "dydx": _each(FUNDING, ASSETS),
    "hyperliquid": _each(FUNDING, ASSETS),
    "defillama": (*_each(("tvl.usd",), tuple(plot.TVL_USD)), *_each(("price.usd",), (*ASSETS, "USDC"))),
    "uniswap-v3": _each(tuple(f"position.{name}" for name in STATE), (LP,)),
    "aave-v3": (
        *_each(tuple(f"account.{name}" for name in ACCOUNT), (LOAN,)),
        ("lending.supply_apy", market("BTC")),
        ("lending.borrow_apr", market("USDC")),
    ),
    "us-calendar": _each(("macro.event",), ("CPI", "FOMC", "PPI")),
    "bls": _each(("macro.cpi", "macro.ppi"), ("US",)),
}
