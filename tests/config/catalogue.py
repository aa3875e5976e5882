"""A small catalogue of made-up plug-ins, and a way to load text."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import SecretStr

from monitor.config import Catalogue, Config, load
from monitor.core.units import HOUR, MINUTE, Count, Duration, Fraction


@dataclass(frozen=True, kw_only=True)
class Drawdown:
    scope: ClassVar[str] = "tvl"
    threshold: Fraction = 0.08
    window: Duration = 48 * HOUR
    exit: Fraction = 0.04
    measure: Literal["usd", "tokens"] = "usd"

    def __post_init__(self) -> None:
        if self.exit >= self.threshold:
            raise ValueError("exit must lie inside threshold; lower exit or raise threshold")


@dataclass(frozen=True, kw_only=True)
class Funding:
    scope: ClassVar[str] = "asset"
    threshold: Fraction = 0.5
    venues: Count = 3


@dataclass(frozen=True, kw_only=True)
class Cooldown:
    hours: Duration = 6 * HOUR


@dataclass(frozen=True, kw_only=True)
class Public:
    enabled: bool = True
    required: bool = False
    cadence: Duration = 10 * MINUTE
    endpoint: str = ""


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
