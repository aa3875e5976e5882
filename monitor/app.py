"""The composition root: builds the object graph from a configuration. The only module that knows every other."""

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from monitor import __version__
from monitor.clock import Clock, SystemClock
from monitor.config import Config, decision_settings
from monitor.core.codec import plain
from monitor.core.engine import Engine
from monitor.core.events import Configured, Signal
from monitor.core.settings import PlugIn, Settings, SourceSettings, read_settings
from monitor.daemon import Daemon
from monitor.errors import ConfigError
from monitor.feeds import Feed, LiveFeed
from monitor.pipeline import Pipeline, Subscription
from monitor.registry import Catalogue
from monitor.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from monitor.sinks.facts import Story
    from monitor.source import Ports

log = structlog.get_logger("app")


def engine_settings(config: Config) -> Settings:
    """What the engine must know of a configuration."""
    decided = decision_settings(config)
    watch = config.watch
    sources = {
        name: SourceSettings(cadence_ms=one.cadence, required=one.required, provides=tuple(sorted(one.provides(watch))))
        for name, one in config.enabled_sources.items()
    }
    return Settings(
        book=config.book,
        positions=config.positions,
        tvl_subjects=config.tvl_subjects,
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
    return LiveFeed(config.enabled_sources, ports, config.watch, pipeline.engine.due_at)
