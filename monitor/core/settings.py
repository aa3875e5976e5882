"""The settings a `Configured` event carries, typed: what the engine needs and nothing of the shell's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from monitor import __version__
from monitor.core.book import Book, Position
from monitor.core.codec import digest
from monitor.core.tokens import LISTED, STABLES, underlying
from monitor.core.units import HOUR, MINUTE


@dataclass(frozen=True, kw_only=True)
class PlugIn:
    """A rule's or a gate's settings in inner units, complete; `overrides` replace some of them for one subject."""

    enabled: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SourceSettings:
    """What the engine must know of a source: how often it is heard of, and which (metric, subject) pairs it will bring."""

    cadence_ms: int
    required: bool = False
    provides: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that changes what the engine thinks."""

    book: Book = field(default_factory=Book)
    positions: tuple[Position, ...] = ()
    tvl_subjects: tuple[str, ...] = ()
    lending_subjects: tuple[str, ...] = ()
    rules: Mapping[str, PlugIn] = field(default_factory=dict)
    gates: Mapping[str, PlugIn] = field(default_factory=dict)
    sources: Mapping[str, SourceSettings] = field(default_factory=dict)
    unknown_pending_ms: int = 10 * MINUTE
    heartbeat_ms: int = 24 * HOUR

    @property
    def rule_set(self) -> str:
        """Hash of everything that can change a decision: rules, gates, book and the program's version."""
        parts = {"version": __version__, "rules": self.rules, "gates": self.gates, "book": self.book}
        return digest(parts)[:16]

    @property
    def assets(self) -> tuple[str, ...]:
        """Assets watched: the book's own list, else those of the positions, else BTC and ETH."""
        if self.book.assets:
            return self.book.assets
        named = {underlying(a) for p in self.positions for a in (*p.assets, p.asset, *p.amounts) if a and a not in STABLES | LISTED}
        return tuple(sorted(named)) or ("BTC", "ETH")


@cache
def _adapter() -> TypeAdapter[Settings]:
    return TypeAdapter(Settings)


def read_settings(plain_settings: Mapping[str, Any]) -> Settings:
    """Settings from their journalled form. Raises pydantic.ValidationError for a journal of another kind."""
    return _adapter().validate_python(plain_settings)
