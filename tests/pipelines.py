"""Pipelines for tests: on a store of their own, after given events, with one channel that wants everything."""

from collections.abc import Callable, Sequence
from typing import Any

from monitor.core.effects import Effect
from monitor.core.engine import Engine
from monitor.core.events import Event
from monitor.core.units import DAY
from monitor.pipeline import Pipeline, Subscription
from monitor.store.records import write_effect
from monitor.store.sqlite import SqliteStore
from tests.builders import START, RealPlugins

WALL = START + 365 * DAY
EVERYTHING = (Subscription("ops"),)


def pipeline_on(store: SqliteStore, wall_ms: Callable[[], int] = lambda: WALL) -> Pipeline:
    return Pipeline(Engine(RealPlugins()), store, wall_ms, EVERYTHING)


def fresh() -> Pipeline:
    return pipeline_on(SqliteStore(":memory:"))


def after(*events: Event) -> Pipeline:
    pipeline = fresh()
    for event in events:
        pipeline.process(event)
    return pipeline


def written(effects: Sequence[Effect]) -> list[str]:
    return [write_effect(effect) for effect in effects]


def outbox(store: SqliteStore) -> list[tuple[Any, ...]]:
    return store.connection.execute("SELECT id, channel, seq, type, body, status, next_at, queued_at FROM outbox ORDER BY seq, id").fetchall()
