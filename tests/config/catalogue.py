"""A small catalogue of made-up plug-ins, and a way to load text."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from pydantic import SecretStr

from monitor.config import Catalogue, Config, load
from monitor.core.book import Watch
from monitor.core.rule import Gate, Rule, Scope
from monitor.core.units import HOUR, Count, Duration, Fraction
from monitor.errors import ConfigError
from monitor.source import Collector


@dataclass(frozen=True, kw_only=True)
class Drawdown(Rule):
    scope: ClassVar[Scope] = Scope.TVL
    threshold: Fraction = 0.08
    window: Duration = 48 * HOUR
    exit: Fraction = 0.04
    measure: Literal["usd", "tokens"] = "usd"

    def __post_init__(self) -> None:
        if self.exit >= self.threshold:
            raise ValueError("exit must lie inside threshold; lower exit or raise threshold")


@dataclass(frozen=True, kw_only=True)
class Funding(Rule):
    scope: ClassVar[Scope] = Scope.ASSET
    threshold: Fraction = 0.5
    venues: Count = 3


@dataclass(frozen=True, kw_only=True)
class Cooldown(Gate):
    hours: Duration = 6 * HOUR


@dataclass(frozen=True, kw_only=True)
class Public(Collector):
    """A source that needs no key."""

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        return frozenset()


@dataclass(frozen=True, kw_only=True)
class Keyed(Public):
    api_key: SecretStr


CATALOGUE = Catalogue(
    rules={"tvl-drawdown": Drawdown, "funding-spike": Funding},
    gates={"cooldown": Cooldown},
    collectors={"defillama": Public, "fred": Keyed},
)
SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="


def load_text(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Config:
    file = folder / "hedge-monitor.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    file.chmod(0o600)
    return load(file, environ or {}, CATALOGUE)


def rule(config: Config, name: str) -> Any:
    """One rule, whatever its class."""
    return config.rules[name].rule


def source(config: Config, name: str) -> Any:
    return config.sources[name]


def problems(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """The lines that a text is refused with, the folder taken off."""
    with pytest.raises(ConfigError) as caught:
        load_text(folder, text, environ)
    return [line.removeprefix(f"{folder}/") for line in caught.value.problems]


def position(**more: str) -> str:
    chosen = {"id": "p", "kind": "perp", "asset": "ETH", "size": "1"} | more
    return "positions: [{" + ", ".join(f"{k}: {v}" for k, v in chosen.items() if v) + "}]"


def held(kind: str, **more: str) -> str:
    """A chain, and a position on it that is read of an account."""
    chosen = {"id": "p", "kind": kind, "chain": "base", "pool": f"'0x{'1' * 40}'", "account": f"'0x{'2' * 40}'"} | more
    written = ", ".join(f"{k}: {v}" for k, v in chosen.items() if v)
    return f'chains: {{base: {{rpc: "http://x:1"}}}}\npositions: [{{{written}}}]'


def channel(**more: str) -> str:
    chosen = {"url": '"https://hooks.example.org/x"', "secret": SECRET} | more
    return "alerts: {channels: {phone: {" + ", ".join(f"{k}: {v}" for k, v in chosen.items() if v) + "}}}"


def whsec(size: int) -> str:
    return "whsec_" + base64.b64encode(bytes(size)).decode()
