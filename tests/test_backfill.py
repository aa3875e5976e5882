"""Backfill: whatever stops it, the same rows in the end; a bookmark never runs ahead of its rows."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from monitor.backfill import PAUSE_SECONDS, Span, streams_of
from monitor.core.book import Watch
from monitor.core.events import Batch
from monitor.core.observation import Reading
from monitor.core.units import DAY
from monitor.errors import BadPayload, ConfigError, SourceError
from monitor.pipeline import Pipeline
from monitor.source import Harvest, Page, Ports
from monitor.store.lock import WriterLock
from monitor.store.sqlite import Bookmark, SqliteStore
from tests.paged import FROM_MS, NOW_MS, PAGES, SPAN, TO_MS, Paged, Patience, config_of, fetch, rows_of

Point = Callable[[], None]


class Killed(BaseException):
    """What nobody catches, as a SIGKILL is not caught."""


def bomb(page: int) -> Point:
    """Goes off at the `page`-th call, from 0."""
    calls = count()

    def tick() -> None:
        if next(calls) == page:
            raise Killed

    return tick


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """The rows of one run that nothing stopped."""
    path = tmp_path_factory.mktemp("whole") / "store.db"
    tallies = fetch(path, Paged())
    assert {name: (tally.pages, tally.stored) for name, tally in tallies.items()} == {
        "paged tvl.usd/chain:ethereum": (5, 120),
        "paged price.usd/ETH": (5, 120),
    }
    return list(rows_of(path))


@pytest.mark.parametrize("page", range(PAGES))
@pytest.mark.parametrize("moment", ["before the page is asked for", "inside the transaction", "after the transaction"])
def test_a_crash_at_any_page_leaves_the_same_rows_after_a_second_run(tmp_path: Path, whole: list[object], page: int, moment: str) -> None:
    path, tick = tmp_path / "store.db", bomb(page)

    def spoil(store: SqliteStore) -> None:
        honest = store.bookmark

        def bookmark(*mark: object) -> None:
            tick()
            honest(*mark)  # type: ignore[arg-type]  # passed on as it came

        store.bookmark = bookmark  # type: ignore[method-assign,assignment]  # the fault

    source = Paged(before=lambda stream, at: tick()) if moment.startswith("before") else Paged()
    with pytest.raises(Killed):
        fetch(
            path,
            source,
            spoil=spoil if moment.startswith("inside") else lambda store: None,
            say=(lambda *_: tick()) if moment.startswith("after") else (lambda *_: None),
        )
    kept = rows_of(path)
    assert len(kept) == 24 * (page + (moment == "after the transaction"))
    fetch(path, Paged())
    assert rows_of(path) == whole


def test_a_second_run_asks_for_nothing_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    fetch(path, Paged())
    asked: list[int] = []
    tallies = fetch(path, Paged(before=lambda stream, at: asked.append(at)))
    assert asked == [] and all(tally.was_done for tally in tallies.values())


def test_another_span_over_the_same_time_stores_nothing_twice(tmp_path: Path, whole: list[object]) -> None:
    path = tmp_path / "store.db"
    fetch(path, Paged())
    tallies = fetch(path, Paged(), span=Span(FROM_MS + DAY, TO_MS))
    assert [tally.stored for tally in tallies.values()] == [0, 0]
    assert rows_of(path) == whole


def test_an_open_span_goes_on_a_little_before_the_end_of_the_last_run(tmp_path: Path, whole: list[object]) -> None:
    path = tmp_path / "store.db"
    fetch(path, Paged(), span=Span(FROM_MS, FROM_MS + 3 * DAY, is_open=True))
    asked: list[int] = []
    fetch(path, Paged(before=lambda stream, at: asked.append(at)), span=Span(FROM_MS, TO_MS, is_open=True))
    assert min(asked) == FROM_MS + 2 * DAY
    assert sorted(map(repr, rows_of(path))) == sorted(map(repr, whole))


def test_what_was_not_over_when_an_open_span_ended_comes_with_the_next_run(tmp_path: Path) -> None:
    """The day on which a backfill runs has no close yet; its values must not be missing for ever."""

    class Daily(Paged):
        late_ms = 8 * DAY

        async def page(self, ports: Ports, watch: Watch, stream: str, from_ms: int, to_ms: int) -> Page:
            metric, _, subject = stream.partition("/")
            first = -(-from_ms // DAY) * DAY
            return Page(Harvest([Reading(metric, subject, 1.0, at) for at in range(first, to_ms - DAY + 1, DAY)]))

    path = tmp_path / "store.db"
    for noon in (2.5, 3.5, 4.5):
        fetch(path, Daily(), span=Span(FROM_MS, FROM_MS + int(noon * DAY), is_open=True))
    assert sorted(o.at for o in rows_of(path) if o.metric == "price.usd") == [FROM_MS + day * DAY for day in range(4)]


def test_what_passes_by_itself_is_tried_again_after_growing_pauses(tmp_path: Path, whole: list[object]) -> None:
    clock, failures = Patience(), iter([SourceError("busy"), SourceError("busy", retry_after_seconds=60)])

    def fail(stream: str, at: int) -> None:
        if (failure := next(failures, None)) is not None:
            raise failure

    path = tmp_path / "store.db"
    fetch(path, Paged(before=fail), clock=clock)
    assert rows_of(path) == whole
    assert 2 <= clock.waits[0] < 2.5 and 60 <= clock.waits[1] < 72.5
    assert set(clock.waits[2:]) == {PAUSE_SECONDS} and len(clock.waits) == 2 + PAGES - 2


@pytest.mark.parametrize(
    ("failure", "calls"), [(SourceError("down"), 4), (SourceError("blocked", permanent=True), 1), (BadPayload("a page of HTML"), 1)]
)
def test_a_stream_that_fails_says_why_and_the_others_come(tmp_path: Path, failure: Exception, calls: int) -> None:
    asked: list[int] = []

    def fail(stream: str, at: int) -> None:
        if stream.startswith("tvl") and at == FROM_MS + DAY:
            asked.append(at)
            raise failure

    path = tmp_path / "store.db"
    broken, other = fetch(path, Paged(before=fail)).values()
    assert (broken.failed, broken.stored, len(asked)) == (str(failure), 24, calls)
    assert (other.failed, other.stored) == ("", 120)
    assert sum(tally.stored for tally in fetch(path, Paged()).values()) == 96


class Stuck(Paged):
    """Its next page begins where this one did."""

    async def page(self, ports: Ports, watch: Watch, stream: str, from_ms: int, to_ms: int) -> Page:
        return Page(Harvest(), from_ms)


def test_a_page_that_leads_nowhere_does_not_turn_for_ever_F_023(tmp_path: Path) -> None:
    tallies = fetch(tmp_path / "store.db", Stuck())
    assert {tally.failed for tally in tallies.values()} == {"its next page does not begin after this one"}


class Lying(Paged):
    """One row in a page that the door refuses, and one that the parser did."""

    async def page(self, ports: Ports, watch: Watch, stream: str, from_ms: int, to_ms: int) -> Page:
        page = await super().page(ports, watch, stream, from_ms, to_ms)
        first, *rest = page.harvest.readings
        bad = type(first)(first.metric, first.subject, -1.0, first.at)
        return Page(Harvest([bad, *rest], ["a row without a value"]), page.next_ms)


def test_refused_rows_are_counted_by_name_and_in_the_log(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    tvl, _ = fetch(path, Lying()).values()
    assert (tvl.stored, len(tvl.refused)) == (115, 10)
    assert tvl.refused[0] == "a row without a value" and "outside the plausible range" in tvl.refused[1]
    store = SqliteStore(str(path))
    assert sum(event.rejected for _, event in store.journal() if isinstance(event, Batch)) == 20
    store.close()


def test_history_does_not_make_a_source_look_alive(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    fetch(path, Paged())
    store = SqliteStore(str(path))
    assert {event.source for _, event in store.journal() if isinstance(event, Batch)} == {"backfill"}
    assert {o.source for o in store.history()} == {"paged"}
    store.close()


def test_beside_a_daemon_the_rows_go_through_its_inbox_and_nothing_else_is_written(tmp_path: Path, whole: list[object]) -> None:
    path = tmp_path / "store.db"
    SqliteStore(str(path), role="run").close()
    daemon = WriterLock(path)
    daemon.acquire("run")
    fetch(path, Paged())
    assert rows_of(path) == []
    assert all(tally.was_done for tally in fetch(path, Paged()).values())
    daemon.release()
    fetch(path, Paged())  # without a daemon the inbox is drained first
    assert [(o.metric, o.at, o.source, o.value) for o in rows_of(path)] == [
        (o.metric, o.at, o.source, o.value)  # type: ignore[attr-defined]  # observations
        for o in whole
    ]


def test_the_bookmark_of_a_page_without_news_is_kept_without_an_event(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with_store = SqliteStore(str(path), role="backfill")
    from monitor.core.engine import Engine
    from monitor.registry import Catalogue

    pipeline = Pipeline(Engine(Catalogue()), with_store, lambda: NOW_MS)
    pipeline.receive([], source="backfill", now=NOW_MS, records=True, bookmark=Bookmark("paged", "x", SPAN.name, 5))
    assert with_store.find_bookmark("paged", "x", SPAN.name) == (5,)
    assert list(with_store.journal()) == []
    with_store.close()


def test_a_source_that_is_not_there_or_has_no_history_is_a_usage_error() -> None:
    with pytest.raises(ConfigError, match="there is no enabled source 'pagde'; there are: paged"):
        streams_of({"paged": Paged()}, Watch(), "pagde")
    with pytest.raises(ConfigError, match="no enabled source has a history to fetch"):
        streams_of({}, Watch())


def test_the_store_of_a_configuration_is_the_one_written_to(tmp_path: Path) -> None:
    assert config_of(tmp_path / "a.db").store.path == str(tmp_path / "a.db")
