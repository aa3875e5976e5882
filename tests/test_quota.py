"""A source's daily quota is counted across restarts: the journal of the store says when it was last asked. F-085."""

from random import Random

import pytest

from monitor.app import live_feed
from monitor.config import Config
from monitor.core.engine import Engine
from monitor.core.events import Configured, Failed
from monitor.core.units import DAY, HOUR, MINUTE
from monitor.errors import BadPayload, SourceError
from monitor.pipeline import Pipeline
from monitor.source import Ports
from monitor.store.sqlite import SqliteStore
from tests.builders import START, RealPlugins, settings_of
from tests.collectors.sample import StillClock
from tests.fakes import FakeNet
from tests.listening import Scripted, listen


@pytest.mark.parametrize(
    ("asked_before_ms", "waits_seconds"),
    [(0, 3600.0), (59 * MINUTE, 60.0), (HOUR, 0.0), (DAY, 0.0), (-DAY, 3600.0)],
    ids=["just now", "almost an hour ago", "an hour ago", "a day ago", "by a clock that has been set back since"],
)
def test_f_085_a_restart_does_not_shorten_the_pause_that_a_daily_quota_asks_for(asked_before_ms: int, waits_seconds: float):
    source = Scripted(cadence=10 * HOUR, pause=HOUR)
    listen({"a": source}, 3700, asked_at=lambda name: START - asked_before_ms)
    assert source.polled == [waits_seconds]


@pytest.mark.parametrize(
    ("answer", "times"),
    [
        (SourceError("status 503", status=503), [0.0, 3600.0]),
        (BadPayload("a notice"), [0.0, 3600.0]),
        (SourceError("no way there"), [0.0, 5.0, 15.0, 35.0]),
    ],
    ids=["a refusal was counted", "a notice was counted", "what never arrived was not"],
)
def test_f_085_a_failure_that_the_source_counted_is_not_tried_again_within_the_pause(answer: BaseException, times: list[float]):
    source = Scripted(cadence=10 * HOUR, pause=HOUR, answers=(answer,))
    listen({"a": source}, 3700)
    assert source.polled[: len(times)] == times
    assert (len(source.polled) == len(times)) == (times[1] == 3600.0)


def test_f_085_what_the_store_holds_tells_a_new_daemon_when_a_source_was_last_asked():
    """The journal of a store is the memory of the quota: a pass without news and a pass that failed were requests too."""
    store = SqliteStore(":memory:")
    first = Pipeline(Engine(RealPlugins()), store, lambda: START)
    first.process(Configured(START, settings_of()))
    first.receive((), source="bls", now=START + MINUTE)
    first.process(Failed(START + HOUR, "bls", "timed out"))
    second = Pipeline(Engine(RealPlugins()), store, lambda: START)
    second.restore()
    feed = live_feed(Config(), Ports(FakeNet(), StillClock(START), Random(0)), second)
    assert (feed.asked_at("bls"), feed.asked_at("fred")) == (START + HOUR, 0)
