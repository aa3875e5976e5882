"""Reads a configuration: the file, then the environment, then every section; all problems are told at once."""

import re
import stat
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

from pydantic import SecretStr

from monitor.config import checks, environment, hidden, position_checks, venue_checks, yaml_text
from monitor.config.draft import Draft, Place, nearest, path_text, shown
from monitor.config.model import DEFAULT_TVL_SUBJECTS, WATCHED, Alerts, Catalogue, Channel, Config, QuietChain, RuleEntry, Server, Store
from monitor.config.typed import mapping, partly, sequence, switch, texts, typed
from monitor.config.yaml_text import Path, Tree
from monitor.core.book import Book, Chain, Position
from monitor.core.units import MINUTE, SECOND
from monitor.core.vocabulary import ASSET
from monitor.errors import ConfigError

SECTIONS = ("book", "positions", "chains", "sources", "rules", "gates", "governance", "alerts", "store", "server")
SHORTEST_TOKEN = 16
_NAME = r"[a-z0-9][a-z0-9\-]{0,62}"
_HIGHEST_PORT = 65535


def load(path: FilePath | None, environ: Mapping[str, str], catalogue: Catalogue) -> Config:
    """The configuration of a file (None: all defaults) with the environment's settings over it.

    Raises ConfigError with every problem at once, one `place: setting: what is wrong; what to do` each.
    """
    draft = Draft(environ)
    if path is not None:
        _read_file(draft, path)
    environment.overlay(draft, _known_ids(catalogue))
    config = _Reader(draft, catalogue).config()
    draft.close()
    return config


def _read_file(draft: Draft, path: FilePath) -> None:
    draft.label, draft.folder = str(path), path.parent
    try:
        with path.open("rb") as opened:
            raw = opened.read(yaml_text.MOST_BYTES + 1)
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{path}: cannot be read ({reason}); check the path, or write one with `hedge-monitor init`") from None
    document = yaml_text.read(_decoded(path, raw))
    draft.tree = document.tree
    draft.places = {where: Place(str(path), line) for where, (line, _) in document.places.items()}
    for flaw in document.flaws:
        draft.add_at(Place(str(path), flaw.line), f"{path_text(flaw.path)}: {flaw.text}" if flaw.path else flaw.text)
        draft.flawed.add(flaw.path)
    if not document.tree:
        draft.close()
    if mode & stat.S_IROTH:
        draft.warnings.append(f"{path}: holds a secret and everyone on this machine can read it; run chmod 600 on it")


def _decoded(path: FilePath, raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(raw) > yaml_text.MOST_BYTES:
            return raw.decode("utf-8", "replace")
        line = raw[: error.start].count(b"\n") + 1
    raise ConfigError(f"{path}:{line}: this line is not UTF-8 text; save the file as UTF-8")


def _known_ids(catalogue: Catalogue) -> dict[Path, Iterable[str]]:
    return {
        (): SECTIONS,
        ("rules",): catalogue.rules,
        ("gates",): catalogue.gates,
        ("sources",): [*catalogue.collectors, *WATCHED],
        ("chains",): (),
        ("alerts", "channels"): (),
    }


class _Reader:
    """Reads section after section; each method tells its problems and goes on."""

    def __init__(self, draft: Draft, catalogue: Catalogue) -> None:
        self.draft = draft
        self.catalogue = catalogue
        self.unsure = False

    def config(self) -> Config:
        draft = self.draft
        for key in draft.tree:
            if key not in SECTIONS:
                draft.add((key,), f"there is no such section; {nearest(key, SECTIONS)}")
        self._addresses()
        book = self._one("book", Book, lambda draft, book, _: checks.check_book(draft, book)) or Book()
        checks.warn_of_idle_settings(draft, book)
        chains = self._chains()
        positions, wrong = self._positions(chains)
        # A subject whose position or list has a mistake may well be watched.
        self.unsure = any(wrong.values()) or len(positions) < len(wrong) or bool(draft.wrong_in(("book",)) | draft.wrong_in(("sources",)))
        partial = replace(self._watched(), book=book, positions=tuple(positions.values()), chains=chains)
        sections: dict[str, Any] = {"sources": self._sources(), "rules": self._rules(partial), "gates": self._gates()}
        # A source that could not be read might have been the one.
        if all(name in sections["sources"] for name in self._part("sources") if name in self.catalogue.collectors):
            told = {index: one for index, one in positions.items() if not wrong[index] & {"kind", "asset", "venue", "account"}}
            venue_checks.check_venues(self.draft, told, sections["sources"])
        self._governance()
        sections |= {"alerts": self._alerts(), "store": self._one("store", Store, _check_store) or Store()}
        sections |= {"server": self._one("server", Server, _check_server) or Server()}
        secrets = tuple(SecretStr(value) for value in sorted(draft.hidden))
        config = replace(partial, **sections, secrets=secrets)
        if not draft.count() and any(position.kind == "treasury" for position in config.positions):
            provided = frozenset().union(*(source.provides(config.watch) for source in config.enabled_sources.values()))
            position_checks.warn_of_treasuries(draft, config.positions, provided)
        return replace(config, warnings=self._warnings())

    def _warnings(self) -> tuple[str, ...]:
        """The file's own readability matters only where a secret stands in it."""
        return tuple(w for w in self.draft.warnings if self.draft.secrets_inline or "holds a secret" not in w)

    def _part(self, *path: str) -> dict[str, Tree]:
        tree: Tree = self.draft.tree
        for position, key in enumerate(path, start=1):
            if not isinstance(tree, dict) or key not in tree:
                return {}
            tree = tree[key]
            if position == len(path):
                return mapping(self.draft, path, tree)
        return {}

    def _one(self, section: str, cls: type[Any], check: Callable[[Draft, Any, Container[str]], None]) -> Any:
        if section not in self.draft.tree:
            return cls()
        built, wrong = partly(self.draft, cls, (section,), self.draft.tree[section])
        if built is not None:
            check(self.draft, built, wrong)
        return built

    def _addresses(self) -> None:
        for path, text in checks.scalars(self.draft.tree):
            if hidden.is_hidden_path(path) or "${" in text:
                continue
            if flaw := checks.address_flaw(text):
                self.draft.add(path, flaw)

    def _chains(self) -> dict[str, Chain]:
        chains: dict[str, Chain] = {}
        for name, tree in self._part("chains").items():
            self._name(("chains", name), name)
            chain, wrong = partly(self.draft, QuietChain, ("chains", name), tree)
            chains[name] = chain or Chain()
            if chain is None:
                continue
            given = isinstance(tree, dict) and "chain_id" in tree
            chains[name] = chain if given else replace(chain, chain_id=checks.CHAIN_IDS.get(name, 1))
            checks.check_chain(self.draft, name, chain, given, wrong)
            if hidden.carries_key(chain.rpc):
                self.draft.hidden.add(chain.rpc)
        return chains

    def _name(self, path: Path, name: str) -> None:
        if re.fullmatch(_NAME, name) is None:
            self.draft.add(path, "a name is made of lower-case letters, digits and dashes, at most 63")

    def _positions(self, chains: Mapping[str, object]) -> tuple[dict[int, Position], dict[int, frozenset[str]]]:
        """Those that can be read, by their place in the list, each without what is wrong in it; and the names of that."""
        trees = sequence(self.draft, ("positions",), self.draft.tree.get("positions", []))
        read = {index: partly(self.draft, Position, ("positions", index), tree, {"id": "", "kind": "tokens"}) for index, tree in enumerate(trees)}
        positions = {index: position for index, (position, _) in read.items() if position is not None}
        wrong = {index: names for index, (_, names) in read.items()}
        position_checks.check_positions(self.draft, positions, chains, wrong)
        return positions, wrong

    def _watched(self) -> Config:
        """What the sources are asked to look at."""
        sources = self._part("sources")
        spot = texts(self.draft, ("sources", "spot"), sources["spot"]) if "spot" in sources else ()
        for index, asset in enumerate(spot):
            if re.fullmatch(ASSET, asset) is None:
                advice = "write the asset alone, in capitals, such as ETH; it is charted against the dollar coin of each venue"
                self.draft.add(("sources", "spot", index), f"{shown(asset)!r} is not an asset; {advice}")
        tvl, lending = self._subjects("tvl", DEFAULT_TVL_SUBJECTS), self._subjects("lending", ())
        return Config(tvl_subjects=tvl, lending_subjects=lending, spot_assets=spot)

    def _subjects(self, kind: str, default: tuple[str, ...]) -> tuple[str, ...]:
        part = self._part("sources", kind)
        for key in part:
            if key != "subjects":
                self.draft.add(("sources", kind, key), f"there is no such setting; {nearest(key, ['subjects'])}")
        if "subjects" not in part:
            return default
        subjects = texts(self.draft, ("sources", kind, "subjects"), part["subjects"])
        for index, subject in enumerate(subjects):
            checks.check_subject(self.draft, ("sources", kind, "subjects", index), subject, kind)
        return subjects

    def _sources(self) -> dict[str, Any]:
        part = {key: tree for key, tree in self._part("sources").items() if key not in WATCHED}
        self._unknown(("sources",), part, [*self.catalogue.collectors, *WATCHED])
        sources: dict[str, Any] = {}
        for name, cls in self.catalogue.collectors.items():
            before = self.draft.count()
            source = partly(self.draft, cls, ("sources", name), part[name])[0] if name in part else _by_itself(cls)
            if source is not None:
                if self.draft.count() == before:
                    sources[name] = source
                self._check_source(("sources", name), source)
        return sources

    def _check_source(self, path: Path, source: Any) -> None:
        if source.cadence < SECOND:
            self.draft.add((*path, "cadence"), "must be at least 1s; a source that is asked more often shuts the door")
        if source.endpoint and (flaw := checks.url_flaw(source.endpoint)):
            self.draft.add((*path, "endpoint"), flaw)

    def _unknown(self, path: Path, part: Mapping[str, Tree], known: Iterable[str]) -> None:
        known = list(known)
        for key in part:
            if key not in known:
                self.draft.add((*path, key), f"there is no such {str(path[0])[:-1]}; {nearest(key, known)}")

    def _rules(self, partial: Config) -> dict[str, RuleEntry]:
        part = self._part("rules")
        self._unknown(("rules",), part, self.catalogue.rules)
        entries: dict[str, RuleEntry] = {}
        for name, cls in self.catalogue.rules.items():
            entry = self._rule(("rules", name), cls, part[name], partial) if name in part else RuleEntry(cls())
            if entry is not None:
                entries[name] = entry
        return entries

    def _rule(self, path: Path, cls: type[Any], tree: Tree, partial: Config) -> RuleEntry | None:
        if isinstance(tree, str):
            self.draft.add(path, f"must hold settings; to switch the rule off write {path[-1]}: {{enabled: no}}")
            return None
        settings = mapping(self.draft, path, tree)
        enabled = "enabled" not in settings or switch(self.draft, (*path, "enabled"), settings["enabled"])
        rule = typed(self.draft, cls, path, settings, apart=("enabled", "overrides"))
        base = {key: value for key, value in settings.items() if key not in {"enabled", "overrides"}} if rule is not None else {}
        overrides = self._overrides((*path, "overrides"), cls, base, settings.get("overrides", {}), partial)
        return None if rule is None else RuleEntry(rule, enabled, overrides)

    def _overrides(self, path: Path, cls: type[Any], base: Mapping[str, Tree], tree: Tree, partial: Config) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for subject, own in mapping(self.draft, path, tree).items():
            here = (*path, subject)
            self._check_scope(here, getattr(cls, "scope", ""), subject, partial)
            one = typed(self.draft, cls, here, {**base, **mapping(self.draft, here, own)})
            if one is not None:
                found[subject] = one
        return found

    def _check_scope(self, path: Path, scope: str, subject: str, partial: Config) -> None:
        """An override for a subject that is not watched would be silently without effect."""
        if scope in ("tvl", "lending"):
            checks.check_subject(self.draft, path, subject, scope)
        watched = partial.subjects_of(scope)
        if subject not in watched and not self.unsure:
            self.draft.add(path, f"{shown(subject)!r} is not watched, so this would have no effect; {nearest(subject, watched)}")

    def _gates(self) -> dict[str, Any]:
        part = self._part("gates")
        self._unknown(("gates",), part, self.catalogue.gates)
        read: dict[str, Any] = {name: typed(self.draft, cls, ("gates", name), part.get(name, {})) for name, cls in self.catalogue.gates.items()}
        return {name: gate for name, gate in read.items() if gate is not None}

    def _governance(self) -> None:
        for key in self._part("governance"):
            self.draft.add(("governance", key), "is not available yet; delete it, and approve with `hedge-monitor layers approve`")

    def _alerts(self) -> Alerts:
        part = self._part("alerts")
        alerts = partly(self.draft, Alerts, ("alerts",), part, apart=("channels",))[0] or Alerts()
        if alerts.heartbeat < MINUTE:
            self.draft.add(("alerts", "heartbeat"), "must be at least 1min")
        channels: dict[str, Channel] = {}
        for name, tree in self._part("alerts", "channels").items():
            self._name(("alerts", "channels", name), name)
            channel, wrong = partly(self.draft, Channel, ("alerts", "channels", name), tree, {"url": "none", "secret": "none"})
            if channel is not None:
                channels[name] = channel
                _check_channel(self.draft, ("alerts", "channels", name), channel, wrong)
        return replace(alerts, channels=channels)


def _by_itself(cls: type[Any]) -> Any:
    """The source as it is without a word about it; None where it needs one."""
    try:
        return cls()
    except (TypeError, ValueError):
        return None


def _check_channel(draft: Draft, path: Path, channel: Channel, wrong: Container[str]) -> None:
    if "url" not in wrong and (flaw := checks.url_flaw(channel.url.get_secret_value(), plain_only_on_loopback=True)):
        draft.add((*path, "url"), flaw)
    for name in ("secret", "previous_secret"):
        secret = getattr(channel, name)
        flaw = hidden.webhook_secret_flaw(secret.get_secret_value()) if secret is not None and name not in wrong else ""
        if flaw:
            draft.add(_given(draft, (*path, name)), flaw)


def _given(draft: Draft, path: Path) -> Path:
    """The path of a secret as it was written: itself, or its `_file`."""
    beside = (*path[:-1], f"{path[-1]}{hidden.FILE}")
    return beside if beside in draft.places else path


def _check_store(draft: Draft, store: Store, _: Container[str]) -> None:
    if store.url.startswith(("postgres:", "postgresql:", "postgresql+")):
        draft.add(("store", "url"), "PostgreSQL stores are not available yet; write sqlite:///path")
    elif not store.url.startswith("sqlite:///") or not store.path:
        draft.add(("store", "url"), "must be sqlite:///path (three slashes, four for an absolute path)")


def _check_server(draft: Draft, server: Server, wrong: Container[str]) -> None:
    if not 0 <= server.port <= _HIGHEST_PORT:
        draft.add(("server", "port"), "must be a port from 0 (any free one) to 65535")
    if re.search(r"[\s/]", server.host):
        draft.add(("server", "host"), "must be a host name or an address, without scheme and port")
    for name, token in (("token", server.token), ("push_token", server.push_token)):
        if token is not None and len(token.get_secret_value()) < SHORTEST_TOKEN:
            draft.add(_given(draft, ("server", name)), f"must have at least {SHORTEST_TOKEN} characters; make one with: openssl rand -hex 32")
    if server.token is None and "token" not in wrong and not checks.is_loopback(server.host):
        draft.add(("server", "host"), "off loopback the page needs a token; set `token_file`, or serve on 127.0.0.1")
