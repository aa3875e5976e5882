"""What `status` says of a trigger is what the daemon's own page says at that moment, not what was recorded when the verdict last changed."""

from pathlib import Path
from typing import Any

from monitor.cli.common import view_of
from monitor.clock import SystemClock
from monitor.config import discover, load
from monitor.shell import Shell
from monitor.store.sqlite import SqliteStore
from tests.pipelines import pipeline_on
from tests.worlds import hours, opening


def test_a_quiet_trigger_is_shown_with_the_numbers_of_now(tmp_path: Path):
    """Unchanged verdicts are recorded run-length: their numbers must be worked out again."""
    path = tmp_path / "monitor.db"
    store = SqliteStore(str(path), role="run")
    pipeline = pipeline_on(store)
    for event in [*opening(), *hours([5e10, 4.8e10, 4.7e10])]:
        pipeline.process(event)
    live: dict[str, Any] = Shell(pipeline, SystemClock()).model()
    recorded = list(store.recorded_lines() or ())
    beside = view_of(load(None, {"HEDGE_MONITOR_STORE__URL": f"sqlite:///{path}"}, discover()))
    assert [one["value"] for one in live["triggers"] if one["rule"] == "tvl-drawdown"] == [-0.06]
    assert beside["triggers"] == live["triggers"]
    assert list(store.recorded_lines() or ()) == recorded
    store.close()
