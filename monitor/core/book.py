"""What is watched and protected: the book as the user declared it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from monitor.core.units import Fraction, Number, Usd

PositionKind = Literal["uniswap-v3", "aave-v3", "compound-v3", "perp", "tokens"]


@dataclass(frozen=True, kw_only=True)
class Position:
    """One declared position.

    `uniswap-v3` needs `chain` and `token_id`, and `assets` (token0, token1) where the tokens are not known ones; `aave-v3` and `compound-v3`
    need `chain`, `account` (0x..) and `assets`, what it supplies or owes (`compound-v3`: first the base asset of its market); `perp` needs
    `asset` and `size` in coins (negative: short); `tokens` needs `amounts` by asset. `exposed_to` adds TVL subjects to those that the kind
    implies.
    """

    id: str
    kind: PositionKind
    chain: str = ""
    token_id: int | None = None
    account: str = ""
    assets: tuple[str, ...] = ()
    asset: str = ""
    size: Number = 0.0
    amounts: Mapping[str, Number] = field(default_factory=dict)
    exposed_to: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Book:
    """Capital, mode and assets; fractions of ALVH with their defaults.

    `perp_half_spread` and `perp_margin` (margin as a share of notional) stand in for quotes until venues' books are collected.
    """

    capital: Usd = 0.0
    mode: Literal["steward", "promoter"] = "steward"
    objective: Literal["drawdown", "il"] = "drawdown"
    assets: tuple[str, ...] = ()
    envelope: Fraction = 0.10
    layer_share: Fraction = 0.25
    minimum_layer: Usd = 100.0
    perp_half_spread: Fraction = 0.00025
    perp_margin: Fraction = 0.20
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
