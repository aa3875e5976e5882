"""A command without a daemon is a start of its own: the journal says so, and nothing that has run out meanwhile is approved."""

from pathlib import Path

import pytest

from monitor import commands
from monitor.config import Config, discover, load
from monitor.core.events import Configured, Tick
from monitor.core.observation import Reading
from monitor.core.units import DAY, HOUR, MINUTE
from monitor.errors import MonitorError
from monitor.replay.audit import audit
from monitor.store.sqlite import SqliteStore
from tests.builders import START
from tests.pipelines import pipeline_on
from tests.worlds import TVL, hours, opening

PROPOSED_AT = START + HOUR


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Of a store whose daemon has proposed a layer an hour after START, looked at it once more, and stopped."""
    path = tmp_path / "monitor.db"
    store = SqliteStore(str(path), role="run")
    pipeline = pipeline_on(store)
    for event in [*opening(), *hours([4.4e10]), Tick(PROPOSED_AT + MINUTE)]:
        pipeline.process(event)
    store.close()
    return load(None, {"HEDGE_MONITOR_STORE__URL": f"sqlite:///{path}"}, discover())


def at(monkeypatch: pytest.MonkeyPatch, now: int) -> None:
    monkeypatch.setattr(commands, "wall_ms", lambda: now)


def layer(config: Config) -> tuple[str, str]:
    """Id and state of the one layer."""
    store = SqliteStore(config.store.path)
    pipeline = pipeline_on(store)
    pipeline.restore()
    (found,) = pipeline.engine.state.ledger
    store.close()
    return found.id, found.state


def audited(config: Config) -> str:
    store = SqliteStore(config.store.path)
    found = audit(store, lambda line: None)
    store.close()
    return "same" if found.same else found.sentence


def test_a_word_in_time_is_carried_out_and_the_audit_agrees(config: Config, monkeypatch: pytest.MonkeyPatch):
    at(monkeypatch, PROPOSED_AT + 10 * MINUTE)
    assert commands.signal(config, "approve", layer(config)[0]).startswith("done")
    assert layer(config)[1] == "approved"
    assert audited(config) == "same"


def test_a_layer_whose_quote_has_run_out_while_nobody_watched_cannot_be_approved(config: Config, monkeypatch: pytest.MonkeyPatch):
    at(monkeypatch, START + 2 * DAY)
    with pytest.raises(MonitorError, match="is expired, it cannot become approved"):
        commands.signal(config, "approve", layer(config)[0])
    assert layer(config)[1] == "expired"
    assert audited(config) == "same"


def test_an_import_after_a_silence_passes_the_audit(config: Config, monkeypatch: pytest.MonkeyPatch):
    at(monkeypatch, START + 2 * DAY)
    assert commands.import_readings(config, [Reading("price.usd", "BTC", 60_000.0, START + DAY, source="mine")]) == "1 new"
    assert audited(config) == "same"


def test_an_import_into_a_store_that_no_daemon_ever_used_judges_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    at(monkeypatch, START)
    fresh = load(None, {"HEDGE_MONITOR_STORE__URL": f"sqlite:///{tmp_path}/new.db"}, discover())
    commands.import_readings(fresh, [Reading("tvl.usd", TVL, 4.4e10, START - HOUR, source="llama")])
    store = SqliteStore(fresh.store.path)
    assert not any(isinstance(event, Configured) for _, event in store.journal())
    store.close()
