"""The composition root: builds the object graph from a configuration. The only module that knows every other."""

import asyncio
import random
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import structlog

from monitor.clock import Clock
from monitor.config import Config, decision_settings
from monitor.core.codec import digest, plain
from monitor.core.delivery import Delivery
from monitor.core.effects import Alerted
from monitor.core.egress import EgressPolicy
from monitor.core.engine import Engine
from monitor.core.events import Configured, Signal
from monitor.core.observation import Reading
from monitor.core.settings import PlugIn, Settings, SourceSettings, read_settings
from monitor.daemon import Daemon
from monitor.errors import ConfigError
from monitor.feeds import Feed, LiveFeed
from monitor.pipeline import Pipeline, Subscription, message, row_of
from monitor.registry import Catalogue
from monitor.steady import WRITTEN_MS, SteadyClock, Witnesses
from monitor.store.sqlite import SqliteStore, StoreFull
from monitor.trust import trust_store

if TYPE_CHECKING:
    from monitor.early import Early
    from monitor.net import Net
    from monitor.shell import Shell
    from monitor.sinks.facts import Story
    from monitor.sinks.push import Push
    from monitor.sinks.sender import Channel, Sender
    from monitor.source import Ports

log = structlog.get_logger("app")

STOP_SECONDS = 10.0


def engine_settings(config: Config) -> Settings:
    """What the engine must know of a configuration."""
    decided = decision_settings(config)
    watch = config.watch
    sources = {
        name: SourceSettings(cadence_ms=one.cadence, required=one.required, provides=tuple(sorted(one.provides(watch))))
        for name, one in config.working_sources.items()
    }
    return Settings(
        book=config.book,
        positions=config.positions,
        tvl_subjects=config.tvl_subjects,
        lending_subjects=config.lending_subjects,
        rules={name: PlugIn(**plug) for name, plug in decided["rules"].items()},
        gates={name: PlugIn(settings=settings) for name, settings in decided["gates"].items()},
        sources=sources,
        unknown_pending_ms=config.alerts.unknown_pending,
        heartbeat_ms=config.alerts.heartbeat,
    )


def settings_in_force(store: SqliteStore, config: Config, *, config_given: bool) -> Settings:
    """The user's own configuration if one was given, else what the store's daemon last ran with, else the defaults."""
    last = None if config_given else store.last_settings()
    return read_settings(last.settings) if isinstance(last, Configured) else engine_settings(config)


def configured_event(settings: Settings, now: int) -> Configured:
    """The event that puts settings in force, in the form in which the log keeps them."""
    fields: Mapping[str, Any] = plain(settings)
    return Configured(now, fields)


def build_pipeline(store: SqliteStore, config: Config, wall_ms: Callable[[], int]) -> Pipeline:
    """An engine restored from the store, ready for the next event."""
    pipeline = Pipeline(Engine(Catalogue()), store, wall_ms, subscriptions(config))
    pipeline.restore()
    return pipeline


def subscriptions(config: Config) -> list[Subscription]:
    return [Subscription(name, frozenset(channel.types)) for name, channel in config.alerts.channels.items()]


def live_feed(config: Config, ports: "Ports", pipeline: Pipeline) -> LiveFeed:
    def asked_at(name: str) -> int:
        known = pipeline.engine.state.sources.get(name)
        return known.asked_at if known is not None else 0

    return LiveFeed(config.working_sources, ports, config.watch, pipeline.engine.due_at, asked_at)


@dataclass(frozen=True)
class Play:
    """What a run is given instead of the world: a feed of its own, made from what the engine waits for; its sources; what the page says of it."""

    feed: Callable[[Callable[[], int | None]], Feed]
    sources: Mapping[str, SourceSettings]
    notice: str
    story: "Story"


async def serve(
    config: Config,
    *,
    announce: Callable[[str], object],
    reread: Callable[[], Config] | None = None,
    play: Play | None = None,
    next_free_port: bool = False,
    early: "Early | None" = None,
) -> None:
    """Run the daemon until SIGTERM or SIGINT. `announce` is told the page's address once it answers; `reread` gives the configuration anew on SIGHUP.

    `early` is what has answered on the port so far.
    """
    from monitor.net import HttpNet
    from monitor.shell import Shell
    from monitor.sinks.http import Face
    from monitor.sinks.metrics import Exposition
    from monitor.sinks.sender import Sender
    from monitor.source import Ports

    clock = SteadyClock(witnesses := Witnesses())
    async with AsyncExitStack() as stack:
        store = SqliteStore(config.store.path, role="run")
        stack.callback(store.close)
        net = await stack.enter_async_context(HttpNet(EgressPolicy(allowed_hosts=private_hosts(config)), on_date=witnesses.hear))
        pipeline = Pipeline(Engine(Catalogue()), store, clock.now_ms, subscriptions(config))
        ports = Ports(net, clock, random.Random())
        feed = play.feed(pipeline.engine.due_at) if play else live_feed(config, ports, pipeline)
        daemon = Daemon(pipeline, feed, clock)
        daemon.listen_to_signals()  # first, so that a SIGTERM during the start stops as cleanly as one after it
        shell = Shell(pipeline, clock, command=_command(config), notice=play.notice if play else "", story=play.story if play else None)
        face = Face(shell.model, Exposition(shell.model), alive=shell.trouble, token=_token(config))
        face.push = _push(config, store, daemon)
        listening = early.take() if early is not None else None
        port = await face.start(config.server.host, config.server.port, next_free=next_free_port, listening=listening)
        stack.push_async_callback(face.stop)
        announce(f"http://{config.server.host}:{port}/")
        await asyncio.sleep(0)  # whoever waits for the port is answered before the history is read
        _recall(pipeline, shell, daemon)
        receivers = channels(config, net, clock)
        sender = Sender(store.outbox, receivers, clock, ports.rng, lambda failing: pipeline.report(failing, daemon.feed.now_ms()))
        shell.deliveries = lambda: sender.deliveries
        pipeline.shows += [shell.show, sender.show, lambda event, effects: face.publish()]
        pipeline.timed = shell.timed
        daemon.on_reload(lambda: _reload(reread, pipeline, daemon, sender, ports, net.obey))
        if play is None:
            await _trust_the_machine(daemon, clock, live_feed(config, ports, pipeline))
        await _decide(daemon, sender, receivers, _settings_of(config, play))


def _command(config: Config) -> str:
    """What to type before a command's name: a store of its own must be named, wherever its configuration lies."""
    from monitor.config.model import Store
    from monitor.sinks.facts import COMMAND

    return COMMAND if config.store == Store() else f"{COMMAND} --store {shlex.quote(config.store.url)}"


def _recall(pipeline: Pipeline, shell: "Shell", daemon: Daemon) -> None:
    pipeline.restore()
    shell.recall()
    shell.daemon = daemon


async def _trust_the_machine(daemon: Daemon, clock: SteadyClock, feed: Feed) -> None:
    """Decide by no clock that cannot be right, and say so where certificates cannot be checked."""
    daemon.hour = clock
    floor = max(WRITTEN_MS, daemon.pipeline.engine.now)
    await daemon.until_sane(lambda: clock.insane(floor), feed)
    if problem := trust_store().problem:
        log.warning("the trust store of this machine", problem=problem)


async def _decide(daemon: Daemon, sender: "Sender", receivers: "Mapping[str, Channel]", settings: Settings) -> None:
    """Put the settings in force and go on until stopped."""
    if daemon.stopped.is_set():
        return
    try:
        daemon.pipeline.process(configured_event(settings, daemon.feed.now_ms()))
        await daemon.run([sender.run], wind_up=lambda: sender.stop(STOP_SECONDS))
    except StoreFull as full:
        await _cry(full, daemon.feed.now_ms(), receivers)
        raise


def _settings_of(config: Config, play: Play | None) -> Settings:
    settings = engine_settings(config)
    return replace(settings, sources=play.sources) if play else settings


async def _cry(full: StoreFull, now: int, receivers: "Mapping[str, Channel]") -> None:
    """Nothing can be written any more, so this one alert is sent from memory, once, to whoever takes it; then the daemon ends."""
    identity = "msg_" + digest(["store-full", now])[:24]
    alert = Alerted(now, identity, "source.down", "critical", f"The monitor has stopped: {full}", 0, {"source": "store", "status": "confirmed"})
    delivery = Delivery(identity, "", alert.type, message(alert), now)
    for name, answer in zip(receivers, await asyncio.gather(*(one.deliver(delivery) for one in receivers.values())), strict=True):
        log.error("told from memory that the disk is full", channel=name, outcome=answer.outcome, detail=answer.detail)


def channels(config: Config, net: "Net", clock: Clock) -> "dict[str, Channel]":
    """The receivers of a configuration."""
    from monitor.sinks.webhook import WebhookChannel

    named = config.alerts.channels.items()
    return {name: WebhookChannel(name, one.url, one.secret, one.previous_secret, net, clock) for name, one in named}


def _reload(
    reread: Callable[[], Config] | None,
    pipeline: Pipeline,
    daemon: Daemon,
    sender: "Sender",
    ports: "Ports",
    dial_by: "Callable[[EgressPolicy], object]",
) -> Feed | None:
    """Atomic: a configuration with a mistake changes nothing, and says so by log and alert."""
    if reread is None:
        return None
    now = daemon.feed.now_ms()
    try:
        config = reread()
    except ConfigError as error:
        log.error("the configuration was not reloaded", problems=list(error.problems))
        identity = f"reload_{now}"
        pipeline.process(Signal(now, identity, "SIGHUP", "reload-failed", "configuration", "; ".join(error.problems)[:1000]))
        return None
    pipeline.subscriptions = tuple(subscriptions(config))
    dial_by(EgressPolicy(allowed_hosts=private_hosts(config)))
    sender.replace(channels(config, ports.net, ports.clock))
    pipeline.process(configured_event(engine_settings(config), now))
    log.info("the configuration was reloaded", rule_set=pipeline.engine.settings.rule_set)
    return live_feed(config, ports, pipeline)


def private_hosts(config: Config) -> frozenset[str]:
    """Hosts by name that the user wrote himself may lie in a private network: his own node, his own receiver."""
    from urllib.parse import urlsplit

    urls = [chain.rpc for chain in config.chains.values()]
    urls += [url for one in config.enabled_sources.values() for url in one.urls()]
    urls += [channel.url.get_secret_value() for channel in config.alerts.channels.values()]
    return frozenset(host.lower() for url in urls if (host := urlsplit(url).hostname))


def _push(config: Config, store: SqliteStore, daemon: Daemon) -> "Push | None":
    """The way in for rows that are pushed: into the inbox, as an import beside a daemon."""
    from monitor.sinks.push import Push

    if config.server.push_token is None:
        return None

    def now_ms() -> int:
        return daemon.feed.now_ms()  # another feed after a reload

    def keep(readings: Sequence[Reading]) -> None:
        with store.transaction():
            store.inbox.put(now_ms(), "push", "observations", {"rows": [row_of(reading) for reading in readings]})

    return Push(config.server.push_token.get_secret_value(), keep, now_ms)


def _token(config: Config) -> str | None:
    return config.server.token.get_secret_value() if config.server.token is not None else None
