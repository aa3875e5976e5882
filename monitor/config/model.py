"""What a configuration holds once it is read: frozen, complete, in inner units."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import SecretStr

from monitor.core.book import Book, Chain, Position, Watch
from monitor.core.settings import Settings
from monitor.core.units import DAY, MINUTE, Duration

if TYPE_CHECKING:
    from monitor.core.rule import Gate, Rule
    from monitor.source import Collector

AlertType = Literal[
    "layer.proposed",
    "layer.approved",
    "layer.closed",
    "layer.retracted",
    "layer.refused",
    "trigger.fired",
    "trigger.resolved",
    "data.stale",
    "data.revised",
    "data.conflict",
    "source.down",
    "budget.exhausted",
    "delivery.failing",
    "heartbeat",
]
ALERT_TYPES: tuple[str, ...] = get_args(AlertType)
DEFAULT_TVL_SUBJECTS = ("chain:ethereum",)
# Keys of `sources` that say what to watch, not whom to ask.
WATCHED = ("tvl", "lending", "spot")


@dataclass(frozen=True, kw_only=True)
class QuietChain(Chain):
    """A chain whose endpoint, which often carries a key, is not shown."""

    rpc: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One receiver of alerts. `previous_secret` is signed with too while the receiver changes over; no `types` means all of them."""

    kind: Literal["webhook"] = "webhook"
    url: SecretStr
    secret: SecretStr
    previous_secret: SecretStr | None = None
    types: tuple[AlertType, ...] = ()

    def wants(self, alert_type: str) -> bool:
        return not self.types or alert_type in self.types


@dataclass(frozen=True, kw_only=True)
class Alerts:
    """How alerts leave. A rule that cannot be judged alerts after `unknown_pending`; every channel gets a heartbeat. Milliseconds."""

    channels: Mapping[str, Channel] = field(default_factory=dict)
    unknown_pending: Duration = 10 * MINUTE
    heartbeat: Duration = DAY


@dataclass(frozen=True, kw_only=True)
class Store:
    """Where history and decisions are kept: `sqlite:///relative`, `sqlite:////absolute`."""

    url: str = "sqlite:///hedge-monitor.db"

    @property
    def path(self) -> str:
        """The file of the store, as `sqlite3.connect` takes it."""
        return self.url.removeprefix("sqlite:///")


@dataclass(frozen=True, kw_only=True)
class Server:
    """Where page, API and metrics are served. Off loopback a token is needed; port 0 is any free one. `push_token` lets rows in."""

    host: str = "127.0.0.1"
    port: int = 9464
    token: SecretStr | None = None
    push_token: SecretStr | None = None


@dataclass(frozen=True)
class RuleEntry:
    """One rule with its settings; `overrides` holds the rule again for each subject that differs."""

    rule: "Rule"
    enabled: bool = True
    overrides: Mapping[str, "Rule"] = field(default_factory=dict)

    def at(self, subject: str) -> "Rule":
        """The rule as it is set for one subject."""
        return self.overrides.get(subject, self.rule)


@dataclass(frozen=True)
class Catalogue:
    """The plug-ins there are, by id. `discover` finds the installed ones; tests bring their own."""

    rules: Mapping[str, type] = field(default_factory=dict)
    gates: Mapping[str, type] = field(default_factory=dict)
    collectors: Mapping[str, type] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if taken := set(WATCHED) & set(self.collectors):
            raise TypeError(f"a collector cannot be called {', '.join(sorted(taken))}: that key of `sources` says what to watch")
        for cls in self.rules.values():
            if taken := {"enabled", "overrides"} & {one.name for one in fields(cls)}:
                raise TypeError(f"{cls.__name__} cannot have a setting called {', '.join(sorted(taken))}: every rule has that key")


def discover() -> Catalogue:
    """Every installed plug-in. Imports all of them, and with the collectors the HTTP client."""
    from monitor.core.rule import Gate, Rule  # plug-ins are only loaded by who needs them
    from monitor.registry import plugins
    from monitor.source import Collector

    return Catalogue(plugins("monitor.rules", Rule), plugins("monitor.gates", Gate), plugins("monitor.collectors", Collector))


@dataclass(frozen=True, kw_only=True)
class Config:
    """One whole configuration. `sources` holds every collector that can work with what it was told, disabled ones included.

    `warnings` are lines for the operator that stop nothing; `secrets` is all that must never be shown, for the redactor.
    """

    book: Book = field(default_factory=Book)
    positions: tuple[Position, ...] = ()
    chains: Mapping[str, Chain] = field(default_factory=dict)
    sources: Mapping[str, "Collector"] = field(default_factory=dict)
    tvl_subjects: tuple[str, ...] = DEFAULT_TVL_SUBJECTS
    lending_subjects: tuple[str, ...] = ()
    spot_assets: tuple[str, ...] = ()
    rules: Mapping[str, RuleEntry] = field(default_factory=dict)
    gates: Mapping[str, "Gate"] = field(default_factory=dict)
    alerts: Alerts = field(default_factory=Alerts)
    store: Store = field(default_factory=Store)
    server: Server = field(default_factory=Server)
    warnings: tuple[str, ...] = ()
    secrets: tuple[SecretStr, ...] = field(default=(), repr=False)

    @property
    def enabled_sources(self) -> dict[str, "Collector"]:
        return {name: one for name, one in self.sources.items() if one.enabled}

    @property
    def working_sources(self) -> dict[str, "Collector"]:
        """The enabled sources that have something to ask for; the others are not polled."""
        watch = self.watch
        return {name: one for name, one in self.enabled_sources.items() if one.has_work(watch)}

    @property
    def watch(self) -> Watch:
        """What the collectors are asked to look at: as declared, and as the positions imply."""
        tvl, lending = (self.subjects_of(scope) for scope in ("tvl", "lending"))
        return Watch(self.assets, self.spot_assets, tvl, lending, self.positions, self.chains)

    def subjects_of(self, scope: str) -> tuple[str, ...]:
        """The subjects for which a rule of this scope is judged, as the engine sees it."""
        from monitor.core.rule import Scope  # drags numpy in, which a quick command can do without
        from monitor.core.scope import subjects_of

        return subjects_of(Scope(scope), self._settings)

    @property
    def _settings(self) -> Settings:
        return Settings(book=self.book, positions=self.positions, tvl_subjects=self.tvl_subjects, lending_subjects=self.lending_subjects)

    @property
    def assets(self) -> tuple[str, ...]:
        """The assets the engine will judge: `book.assets`, without those the positions' own, else BTC and ETH."""
        return self._settings.assets


def rule_settings(config: Config) -> dict[str, dict[str, Any]]:
    """Every rule's complete settings in inner units, JSON-ready: `{id: {enabled, settings, overrides}}`."""
    from monitor.registry import settings_of  # builds an adapter for each rule, which loading avoids

    return {
        name: {
            "enabled": entry.enabled,
            "settings": settings_of(entry.rule),
            "overrides": {subject: settings_of(rule) for subject, rule in entry.overrides.items()},
        }
        for name, entry in config.rules.items()
    }


def decision_settings(config: Config) -> dict[str, Any]:
    """All that decisions depend on, in inner units, JSON-ready and without a secret: what is journalled and hashed."""
    from monitor.registry import settings_of

    return {
        "book": settings_of(config.book),
        "positions": [settings_of(one) for one in config.positions],
        "assets": list(config.assets),
        "tvl_subjects": list(config.subjects_of("tvl")),
        "lending_subjects": list(config.subjects_of("lending")),
        "rules": rule_settings(config),
        "gates": {name: settings_of(gate) for name, gate in config.gates.items()},
        "sources": sorted(config.enabled_sources),
    }
