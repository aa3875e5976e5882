"""What is watched and protected: the book as the user declared it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from monitor.core.units import Fraction, Number, Usd

PositionKind = Literal[
    "uniswap-v2",
    "uniswap-v3",
    "uniswap-v4",
    "curve",
    "balancer",
    "erc-4626",
    "aave-v3",
    "compound-v3",
    "perp",
    "option",
    "iron-condor",
    "tokens",
    "treasury",
]


@dataclass(frozen=True, kw_only=True)
class Position:
    """One declared position. Which fields a kind needs, and which it may have, is said by `FIELDS_OF`.

    `assets` names the tokens in the order of the pool (token0, token1) where they are not well-known ones, or what a lending account supplies
    or owes (`compound-v3`: first the base asset of its market). `pool` is a pair, a pool or a vault; `deposited` what was put in, by asset:
    what impermanent loss is measured against. `size` is in coins, negative when short, and `margin` in USD. `strike` is in USD; `strikes`
    are those of a condor from the lowest to the highest, `credit` what was received for one coin or index unit of it. `protocol` is the
    subject under which a treasury is read. `exposed_to` adds subjects to those that the kind implies.
    """

    id: str
    kind: PositionKind
    chain: str = ""
    account: str = ""
    pool: str = ""
    token_id: int | None = None
    tick_lower: int | None = None
    tick_upper: int | None = None
    assets: tuple[str, ...] = ()
    deposited: Mapping[str, Number] = field(default_factory=dict)
    venue: str = ""
    asset: str = ""
    size: Number = 0.0
    entry_price: Usd = 0.0
    margin: Usd = 0.0
    right: Literal["", "put", "call"] = ""
    strike: Usd = 0.0
    strikes: tuple[Usd, ...] = ()
    expiry: str = ""
    credit: Usd = 0.0
    amounts: Mapping[str, Number] = field(default_factory=dict)
    protocol: str = ""
    exposed_to: tuple[str, ...] = ()


class Fields(NamedTuple):
    """What one kind of position needs, and what else it may have. A name with a bar stands for any one of its parts, a plus for all of them."""

    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()


COMMON_FIELDS = ("id", "kind", "exposed_to")
FIELDS_OF: Mapping[PositionKind, Fields] = {
    "uniswap-v2": Fields(("chain", "pool", "account"), ("assets", "deposited")),
    "uniswap-v3": Fields(("chain", "token_id|pool+account+tick_lower+tick_upper"), ("account", "assets", "deposited")),
    "uniswap-v4": Fields(("chain", "token_id"), ("account", "assets", "deposited")),
    "curve": Fields(("chain", "pool", "account"), ("assets", "deposited")),
    "balancer": Fields(("chain", "pool", "account"), ("assets", "deposited")),
    "erc-4626": Fields(("chain", "pool", "account"), ("assets", "deposited")),
    "aave-v3": Fields(("chain", "account", "assets")),
    "compound-v3": Fields(("chain", "account", "assets")),
    "perp": Fields(("asset", "size|venue"), ("account", "entry_price", "margin")),
    "option": Fields(("asset", "right", "strike", "expiry", "size"), ("venue",)),
    "iron-condor": Fields(("asset", "strikes", "expiry", "size"), ("venue", "credit")),
    "tokens": Fields(("amounts|chain+account+assets",)),
    "treasury": Fields(("protocol",)),
}


@dataclass(frozen=True, kw_only=True)
class Book:
    """Capital, mode and assets; fractions of ALVH with their defaults.

    `perp_fee` (of going in), `perp_half_spread` and `perp_margin`, shares of the notional, stand in for quotes until venues' books are collected,
    `option_half_spread`, a share of the premium, does where nobody quotes an option, and `gas` for the price of a transaction;
    `treasury_bill_yield` stands in for the bill's own where that is not collected.
    """

    capital: Usd = 0.0
    mode: Literal["steward", "promoter"] = "steward"
    objective: Literal["drawdown", "il"] = "drawdown"
    assets: tuple[str, ...] = ()
    envelope: Fraction = 0.10
    layer_share: Fraction = 0.25
    minimum_layer: Usd = 100.0
    perp_fee: Fraction = 0.0005
    perp_half_spread: Fraction = 0.00025
    perp_margin: Fraction = 0.20
    option_half_spread: Fraction = 0.05
    gas: Usd = 5.0
    treasury_bill_yield: Fraction = 0.04


@dataclass(frozen=True, kw_only=True)
class Chain:
    """One chain: its JSON-RPC endpoint and its chain id, which is checked against the endpoint's own answer."""

    rpc: str = ""
    chain_id: int = 1


@dataclass(frozen=True)
class Watch:
    """Everything the collectors are asked to look at."""

    assets: tuple[str, ...] = ()
    spot_assets: tuple[str, ...] = ()
    tvl_subjects: tuple[str, ...] = ()
    lending_subjects: tuple[str, ...] = ()
    positions: tuple[Position, ...] = ()
    chains: Mapping[str, Chain] = field(default_factory=dict)
