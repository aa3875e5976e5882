"""What `check` asks of the outside world: every source, chain, store and channel once, side by side, each with a deadline.

Nothing is stored and nothing is sent: a source is read, a chain's head is read and its hash recomputed, a channel's port is opened and
closed.
"""

import asyncio
import os
import random
import shutil
import ssl
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from monitor.app import configured_event, engine_settings, private_hosts
from monitor.chain import BlockPinnedReader
from monitor.clock import Clock, SystemClock
from monitor.config import Channel, Config
from monitor.core.book import Chain, Position, Watch
from monitor.core.engine import Engine
from monitor.core.options import expiry_ms
from monitor.core.settings import SourceSettings
from monitor.core.state import Instance
from monitor.core.units import MINUTE, SECOND, iso
from monitor.core.verdict import State as Truth
from monitor.errors import BadPayload, SourceError, StoreError
from monitor.net import EgressPolicy, HttpNet
from monitor.registry import Catalogue
from monitor.rpc import json_rpc, web3_over_net
from monitor.source import Collector, Ports
from monitor.store.sqlite import SqliteStore
from monitor.trust import trust_store
from monitor.venues import CcxtVenue
from monitor.venues.desk import known_exchanges

LEAST_FREE_BYTES = 200 * 1024 * 1024
# A wall clock may be this far from a chain's head before decisions suffer: the door refuses what lies two minutes ahead.
CLOCK_AHEAD_MS = 2 * MINUTE
HEAD_OLD_MS = 10 * MINUTE
NOT_ALLOWED = frozenset({401, 403, 451})
IDLE = "nothing that is watched needs it"
UNSENT = "nothing was sent; `hedge-monitor alerts test` sends a signed test"


class Health(StrEnum):
    """How a probe came out. Only `failed` fails a check."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    IDLE = "idle"
    OFF = "off"


@dataclass(frozen=True)
class Finding:
    """One line of a check: what was probed, how it is, what was seen or why not, and what to do about it."""

    kind: str
    name: str
    state: Health
    detail: str
    remedy: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Blind:
    """A rule instance that cannot judge with this configuration, and why."""

    rule: str
    subject: str
    reason: str


_NODES: ContextVar[set[str]] = ContextVar("nodes")


class _NotingNet(HttpNet):
    """Notes which URLs a probe posts to: a source that failed since its chain's node is dead has no fault of its own."""

    async def post_json(self, url: str, json_body: object, **how: Any) -> object:
        """See `Net.post_json`."""
        _NODES.get().add(url)
        return await super().post_json(url, json_body, **how)


async def check(config: Config, *, timeout_seconds: float, file: str = "your configuration") -> list[Finding]:
    """Probe everything at once; no probe takes longer than `timeout_seconds`. In the order of the configuration, which stands in `file`.

    Sources that failed since the node of their chain did are named in the line of the chain, and have none of their own.
    """
    clock = SystemClock()
    await _import_libraries(config)
    async with _NotingNet(EgressPolicy(allowed_hosts=private_hosts(config))) as net:
        ports = Ports(net, clock, random.Random())
        chains = {chain.rpc: name for name, chain in config.chains.items()}
        probes = list(_probes(config, ports))
        timed = await asyncio.gather(*(_timed(kind, name, probe, clock, timeout_seconds, chains) for kind, name, probe in probes))
        findings = [replace(one, remedy=one.remedy.replace(".rpc", f".rpc in {file}", 1)) for one in _once(timed)]
        await asyncio.gather(*(source.close() for source in config.enabled_sources.values()))
    off = [Finding("source", name, Health.OFF, "switched off in the configuration") for name, one in config.sources.items() if not one.enabled]
    nobody = (
        []
        if config.alerts.channels
        else [Finding("channel", "none", Health.WARNING, "no channel is set: alerts reach nobody", "add alerts.channels")]
    )
    return [*findings, *_expired(config.positions, clock.now_ms()), *off, *nobody]


async def _import_libraries(config: Config) -> None:
    """Seconds on a slow machine, which are not to be taken for an endpoint's silence."""
    if config.chains:
        await asyncio.to_thread(web3_over_net)
    if any(isinstance(source, CcxtVenue) for source in config.working_sources.values()):
        await known_exchanges()


def _expired(positions: Iterable[Position], now_ms: int) -> Iterator[Finding]:
    """An expired contract stops nothing, least of all a restart; but somebody should know that it is still listed."""
    for position in positions:
        if position.expiry and (expires := expiry_ms(position.asset, position.expiry)) <= now_ms:
            remedy = "delete it, or declare the contract that you hold now"
            yield Finding("position", position.id, Health.WARNING, f"it expired at {iso(expires)} and counts for nothing", remedy)


def _once(timed: Sequence[tuple[Finding, Sequence[str]]]) -> list[Finding]:
    """One finding for each chain that failed, with the sources that need it."""
    dead = {finding.name for finding, _ in timed if finding.kind == "chain" and finding.state is Health.FAILED}
    blind = {finding.name: dead & set(chains) for finding, chains in timed if finding.kind == "source" and finding.state is Health.FAILED}
    kept = [finding for finding, _ in timed if finding.kind != "source" or not blind.get(finding.name)]
    needed = {chain: [source for source, chains in blind.items() if chain in chains] for chain in dead}
    return [
        replace(one, detail=f"{one.detail}; without it {', '.join(needed[one.name])} cannot read")
        if one.kind == "chain" and needed.get(one.name)
        else one
        for one in kept
    ]


def _probes(config: Config, ports: Ports) -> Iterator[tuple[str, str, Awaitable[Finding]]]:
    yield "store", config.store.url, _store(config.store.path)
    yield "trust", "certificates", _trust()
    for name, chain in config.chains.items():
        yield "chain", name, _chain(name, chain, ports)
    for name, source in config.enabled_sources.items():
        yield "source", name, _source(name, source, ports, config.watch)
    for name, channel in config.alerts.channels.items():
        yield "channel", name, _channel(name, channel)


async def _timed(
    kind: str, name: str, probe: Awaitable[Finding], clock: Clock, timeout_seconds: float, chains: Mapping[str, str]
) -> tuple[Finding, Sequence[str]]:
    """The finding with the time it took, and the chains (by URL) whose nodes were asked; what went wrong becomes a finding too."""
    began, asked = clock.monotonic(), set[str]()
    _NODES.set(asked)
    try:
        async with asyncio.timeout(timeout_seconds):
            found = await probe
    except TimeoutError:
        remedy = f"try again with a longer --timeout; if it stays slow, set another {_setting(kind, name, _named(asked, chains))}"
        found = Finding(kind, name, Health.FAILED, f"no complete answer within {timeout_seconds:g} s", remedy)
    except (SourceError, BadPayload) as error:
        found = Finding(kind, name, Health.FAILED, str(error), _remedy(kind, name, error, _named(asked, chains)))
    except StoreError as error:
        found = Finding(kind, name, Health.FAILED, str(error))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        found = Finding(kind, name, Health.FAILED, f"cannot be reached: {reason}", _remedy(kind, name, SourceError(reason), []))
    return replace(found, seconds=round(clock.monotonic() - began, 3)), _named(asked, chains)


def _named(asked: Iterable[str], chains: Mapping[str, str]) -> Sequence[str]:
    return sorted(chains[url] for url in asked if url in chains)


def _setting(kind: str, name: str, chains: Sequence[str]) -> str:
    """Where the address stands: what a source reads of chains, it reads by theirs."""
    own = {"source": f"sources.{name}.endpoint", "channel": f"alerts.channels.{name}.url", "store": "store.url"}
    return f"chains.{chains[0] if chains else name}.rpc" if kind == "chain" or chains else own.get(kind, "address")


def _remedy(kind: str, name: str, error: SourceError | BadPayload, chains: Sequence[str]) -> str:
    setting = _setting(kind, name, chains)
    switch = f", or switch it off: sources.{name}.enabled: no" if kind == "source" else ""
    if isinstance(error, BadPayload) and chains and kind == "source":
        return f"do as it says; if it says nothing to do, check what stands at {setting}{switch}"
    if isinstance(error, BadPayload):
        return f"this answer is not to be trusted: check what stands at {setting} (a proxy, a login page, another server?){switch}"
    if error.status in NOT_ALLOWED:
        return f"it does not serve you from here: set another {setting}{switch}"
    if error.permanent:
        cure = "do as it says, or correct" if kind == "source" else "correct"
        return f"trying again will not help: {cure} {setting}{switch}"
    return f"is it running, and is there a way to it? try again, or set another {setting}{switch}"


async def _source(name: str, source: Collector, ports: Ports, watch: Watch) -> Finding:
    if not source.has_work(watch):
        return Finding("source", name, Health.IDLE, IDLE)
    said = await source.probe(ports, watch)
    # A source that can help itself says so in its line instead of failing.
    helped = "WARNING" in said or "stands in" in said
    return Finding("source", name, Health.WARNING if helped else Health.OK, said)


async def _chain(name: str, chain: Chain, ports: Ports) -> Finding:
    """The chain's identity and its head, whose hash is recomputed from its header."""
    block = await BlockPinnedReader(json_rpc(ports.net, chain.rpc), chain.chain_id).pin()
    age_ms = ports.clock.now_ms() - block.timestamp_ms
    seen = f"chain {chain.chain_id}, block {block.number}, {age_ms / SECOND:.0f} s old"
    if age_ms < -CLOCK_AHEAD_MS:
        return Finding("chain", name, Health.WARNING, f"{seen}: its head lies in the future", "set this machine's clock (timedatectl)")
    if age_ms > HEAD_OLD_MS:
        remedy = f"the node is behind or this machine's clock is ahead: wait, set the clock, or set another chains.{name}.rpc"
        return Finding("chain", name, Health.WARNING, seen, remedy)
    return Finding("chain", name, Health.OK, seen)


async def _trust() -> Finding:
    """Whether this machine can tell a true certificate from a false one."""
    found = await asyncio.to_thread(trust_store)
    seen = f"{found.authorities} authorities at {found.place}, {found.age_days:.0f} days old"
    state = Health.FAILED if not found.authorities else Health.WARNING if found.problem else Health.OK
    return Finding("trust", "certificates", state, found.problem or seen)


async def _store(path: str) -> Finding:
    """Whether the store can be used. A store that is not there yet is made by `run`: then its folder must be writable."""
    return await asyncio.to_thread(_store_now, path)


def _store_now(path: str) -> Finding:
    file = Path(path)
    folder = file.parent
    if not file.exists():
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            return Finding("store", path, Health.FAILED, f"the folder {folder} is not there or cannot be written", "create it, or set store.url")
        detail = "not there yet; `run` or `import` makes it"
    else:
        store = SqliteStore(path)
        try:
            flaw = str(store.connection.execute("PRAGMA quick_check(1)").fetchone()[0])
            last = store.last_seen()
        finally:
            store.close()
        if flaw != "ok":
            return Finding("store", path, Health.FAILED, f"it is damaged: {flaw[:200]}", "restore it from a copy, or set another store.url")
        detail = f"{file.stat().st_size / 1e6:,.1f} MB" + ("" if last is None else ", holds history")
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        return Finding("store", path, Health.WARNING, f"{detail}; only {free / 1e6:,.0f} MB are free on its disk", "free some space")
    return Finding("store", path, Health.OK, detail)


async def _channel(name: str, channel: Channel) -> Finding:
    """Whether the receiver's port answers, by TLS where the URL says so. URL and secret were checked when the configuration was read."""
    parts = urlsplit(channel.url.get_secret_value())
    secure = parts.scheme == "https"
    context = ssl.create_default_context() if secure else None
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    _, writer = await asyncio.open_connection(host, port, ssl=context)
    writer.close()
    return Finding("channel", name, Health.OK, f"{host} answers; {UNSENT}")


def blind_rules(config: Config) -> list[Blind]:
    """The rule instances that are NOT_CONFIGURED: no source of this configuration brings what they need, nor does the store hold it."""
    settings = engine_settings(config)
    held = SourceSettings(cadence_ms=1, provides=_held(config.store.path))
    sources: Mapping[str, SourceSettings] = {**settings.sources, "store": held}
    engine = Engine(Catalogue())
    engine.apply(configured_event(replace(settings, sources=sources), 0))
    blind = [Blind(*instance, verdict.reason) for instance, verdict in engine.state.verdicts.items() if verdict.state is Truth.NOT_CONFIGURED]
    idle = sorted({name for name, entry in config.rules.items() if entry.enabled} - {instance.rule for instance in engine.rules})
    return [*_of_treasuries(blind, engine, config), *(Blind(name, "", "nothing that is watched is of the kind that it judges") for name in idle)]


def _of_treasuries(blind: list[Blind], engine: Engine, config: Config) -> Iterator[Blind]:
    """Without protocols that are only used: their treasuries are judged where somebody says what they owe, and nobody has begun to."""
    declared, said = {position.protocol for position in config.positions}, set[str]()
    for one in blind:
        inputs = engine.rules[Instance(one.rule, one.subject)].inputs(one.subject)
        needless = inputs and all(each.metric.startswith("treasury.") and not engine.has(each) for each in inputs)
        if not needless or one.subject in declared:
            yield one
        elif one.rule not in said:
            said.add(one.rule)
            yield Blind(one.rule, "", "no treasury is watched: declare one as a position, or under sources.treasury-wallets.treasuries")


def _held(path: str) -> tuple[tuple[str, str], ...]:
    if not Path(path).exists():
        return ()
    try:
        store = SqliteStore(path)
    except StoreError:
        return ()  # the store's own line says why
    try:
        return store.pairs()
    finally:
        store.close()
