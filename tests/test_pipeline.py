"""The pipeline: committed or nothing, news or nothing, silences."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from monitor.core.effects import Alerted
from monitor.core.events import Batch, Event, Signal, Tick
from monitor.core.observation import Observation, Reading
from monitor.core.units import DAY, HOUR, MINUTE, parse_time
from monitor.errors import StoreError
from monitor.pipeline import Pipeline, Subscription, message, only_news
from monitor.store.outbox import SILENCED, WAITING
from monitor.store.sqlite import SqliteStore, StoreFull
from tests.builders import START, market_of, seen
from tests.pipelines import WALL, after, fresh, outbox, pipeline_on, written
from tests.worlds import TVL, batch, configured, hour, hours, opening

# --- committed or nothing -----------------------------------------------------------------------------------------------


def test_what_was_not_committed_is_not_shown(monkeypatch: pytest.MonkeyPatch):
    pipeline = after(*opening())
    shown: list[Event] = []
    pipeline.shows.append(lambda event, effects: shown.append(event))

    def broken(*_: object) -> int:
        raise OSError("the disk is gone")

    monkeypatch.setattr(pipeline.store, "commit", broken)
    with pytest.raises(OSError, match="the disk is gone"):
        pipeline.process(Tick(START + DAY))
    assert shown == []


def test_what_is_shown_is_already_in_the_store():
    pipeline = fresh()
    counts: list[tuple[int, int]] = []
    count = "SELECT count(*) FROM log"
    pipeline.shows.append(lambda event, effects: counts.append((len(counts) + 1, pipeline.store.connection.execute(count).fetchone()[0])))
    for event in opening():
        pipeline.process(event)
    assert counts == [(1, 1), (2, 2), (3, 3)]


def fill_up(store: SqliteStore) -> None:
    """Leave no page for the next transaction."""
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    store.connection.execute(f"PRAGMA max_page_count = {pages}")


def test_a_full_disk_leaves_nothing_of_the_event_and_the_same_decision_is_made_later_f107(tmp_path: Path):
    """F-107: the decision is not made, not shown and not sent; with space again a restart makes it, byte for byte."""
    fall = batch(START + HOUR, [*hour(START + HOUR, 4.4e10), *(seen("tvl.usd", f"chain:c{n}", 1.0, START) for n in range(2000))])
    expected = written(after(*opening()).process(fall))
    assert any('"type":"layer.proposed"' in line for line in expected)

    store = SqliteStore(str(tmp_path / "full.db"), role="run")
    pipeline = pipeline_on(store)
    for event in opening():
        pipeline.process(event)
    before = list(store.connection.iterdump())
    fill_up(store)
    with pytest.raises(StoreFull, match="free some space"):
        pipeline.process(fall)
    assert list(store.connection.iterdump()) == before
    store.close()

    store = SqliteStore(str(tmp_path / "full.db"), role="run")
    restored = pipeline_on(store)
    assert restored.restore() == len(opening())
    # A restart has judged nothing yet; the daemon's own `Configured` makes it look, as it does here.
    restored.process(configured(START))
    assert written(restored.process(fall)) == expected
    store.close()


def test_every_effect_of_one_event_is_one_transaction(monkeypatch: pytest.MonkeyPatch):
    """The outbox is written last: when that fails, neither event nor decision is there."""
    pipeline = after(*opening())
    before = list(pipeline.store.connection.iterdump())

    def broken(*_: object) -> None:
        pipeline.store.connection.execute("INSERT INTO no_such_table VALUES (1)")

    monkeypatch.setattr(pipeline.store.outbox, "queue", broken)
    with pytest.raises(StoreError, match="no_such_table"):
        pipeline.process(hours([4.4e10])[0])
    assert list(pipeline.store.connection.iterdump()) == before


# --- news ---------------------------------------------------------------------------------------------------------------------

AT = START - HOUR


def news(held: Sequence[Observation], *arriving: Observation, now: int = START) -> list[Observation]:
    return list(only_news(market_of(*held), arriving, now))


def tvl(value: float, at: int = AT, known_at: int | None = None) -> Observation:
    return seen("tvl.usd", TVL, value, at, "llama", known_at)


@pytest.mark.parametrize(
    ("held", "arriving", "kept"),
    [
        ([], [tvl(1.0)], [tvl(1.0)]),
        ([tvl(1.0)], [tvl(1.0)], []),
        ([tvl(1.0)], [tvl(1.0, known_at=START)], []),
        ([], [tvl(1.0), tvl(1.0)], [tvl(1.0)]),
        ([tvl(1.0)], [tvl(2.0)], [tvl(2.0, known_at=START)]),
        ([tvl(1.0)], [tvl(2.0, known_at=AT + MINUTE)], [tvl(2.0, known_at=AT + MINUTE)]),
        ([tvl(1.0, known_at=AT + MINUTE)], [tvl(2.0, known_at=AT)], [tvl(2.0, known_at=START)]),
        ([], [tvl(1.0), tvl(2.0)], [tvl(1.0), tvl(2.0, known_at=START)]),
        ([tvl(1.0)], [tvl(2.0), tvl(1.0)], [tvl(2.0, known_at=START), tvl(1.0, known_at=START)]),
        ([tvl(1.0)], [tvl(3.0, at=AT - HOUR), tvl(1.0), tvl(4.0, at=START)], [tvl(3.0, at=AT - HOUR), tvl(4.0, at=START)]),
    ],
    ids=[
        "new",
        "the same",
        "the same said later",
        "twice in one pass",
        "a revision became known now",
        "a revision that says when it was known",
        "a revision that claims to be older than what it revises",
        "two values of one instant in one pass",
        "there and back in one pass",
        "overlapping pages in any order",
    ],
)
def test_only_news_is_let_in_f028(held: list[Observation], arriving: list[Observation], kept: list[Observation]):
    """F-028: duplicates, overlaps and disorder change nothing; a revision is known from when it came, unless it says when."""
    assert news(held, *arriving) == kept


def test_an_import_said_twice_is_stored_once_f028():
    pipeline = after(configured())
    rows = [Reading("tvl.usd", TVL, 5e10 + n, START - n * HOUR, source="hand") for n in range(50)]
    first = pipeline.receive(rows, source="import", now=START)
    again = pipeline.receive(rows[::-1], source="import", now=START + DAY)
    assert (first.stored, again.stored) == (50, 0)
    assert pipeline.store.connection.execute("SELECT count(*) FROM observations").fetchone() == (50,)


VINTAGES = [("2024-01-15T13:30:00Z", 300.0), ("2024-02-15T13:30:00Z", 301.0), ("2024-03-01T13:30:00Z", 302.0)]


@pytest.mark.parametrize("backwards", [False, True])
def test_a_file_of_vintages_is_stored_once_and_each_stays_as_old_as_it_says_f082(backwards: bool):
    """F-082: an old vintage that comes again, or comes late, does not become what is known now."""
    pipeline = after(configured())
    rows = [Reading("macro.ppi", "US", v, parse_time("2023-12-01"), parse_time(k), "bls") for k, v in VINTAGES]
    rows = rows[::-1] if backwards else rows
    counts = [pipeline.receive(part, source="import", now=START, records=True).stored for part in (rows[:2], rows, rows[:1], rows)]
    assert counts == [2, 1, 0, 0]
    assert [(o.known_at, o.value) for o in pipeline.store.history()] == [(parse_time(k), v) for k, v in VINTAGES]
    series = pipeline.engine.market.series("macro.ppi", "US", "bls")
    assert series is not None and list(series.value) == [302.0]


def test_a_poll_that_goes_back_to_an_earlier_value_says_what_is_so_now():
    pipeline = after(configured())
    for hours_later, value in ((0, 1.0), (1, 2.0), (2, 1.0)):
        pipeline.receive([Reading("tvl.usd", TVL, value, START)], source="llama", now=START + hours_later * HOUR)
    assert [(o.known_at - START, o.value) for o in pipeline.store.history()] == [(0, 1.0), (HOUR, 2.0), (2 * HOUR, 1.0)]


def test_a_delivery_of_nothing_new_is_an_event_unless_the_caller_does_not_want_it():
    pipeline = after(configured())
    rows = [Reading("tvl.usd", TVL, 5e10, START, source="hand")]
    pipeline.receive(rows, source="import", now=START)
    quiet = pipeline.receive(rows, source="import", now=START, records=True)
    assert (quiet.effects, quiet.stored) == ((), 0)
    assert len(list(pipeline.store.journal())) == 2
    pipeline.receive(rows, source="import", now=START)
    assert len(list(pipeline.store.journal())) == 3


def test_rows_that_the_door_refuses_are_named_and_counted_with_the_parser_s():
    pipeline = after(configured())
    rows = [Reading("tvl.usd", TVL, float("nan"), START, source="hand"), Reading("tvl.usd", TVL, 5e10, START, source="hand")]
    received = pipeline.receive(rows, source="llama", now=START, rejected=3)
    assert [(r.index, r.metric) for r in received.rejections] == [(0, "tvl.usd")] and received.stored == 1
    assert pipeline.engine.state.sources["llama"].rejected == 4


def test_a_message_of_observations_passes_the_same_door_and_is_marked_as_taken():
    pipeline = after(configured())
    pipeline.store.inbox.put(
        START, "me", "observations", {"rows": [["tvl.usd", TVL, "hand", START, None, 5e10], ["no.such", TVL, "hand", START, None, 1]]}
    )
    (waiting,) = pipeline.store.inbox.waiting()
    pipeline.take(waiting, START + MINUTE)
    assert pipeline.store.inbox.waiting() == []
    _, event = list(pipeline.store.journal())[-1]
    assert isinstance(event, Batch) and (event.source, event.rejected, len(event.observations)) == ("import", 1, 1)


def test_a_message_that_brings_nothing_new_is_taken_all_the_same():
    pipeline = after(configured())
    for note in ("a", "b"):
        pipeline.store.inbox.put(START, note, "observations", {"rows": [["tvl.usd", TVL, "hand", START, None, 5e10]]})
    for waiting in pipeline.store.inbox.waiting():
        pipeline.take(waiting, START)
    assert pipeline.store.inbox.waiting() == []


# --- silences -----------------------------------------------------------------------------------------------------------------


def silence(target: str, until: int = WALL + HOUR) -> Signal:
    return Signal(START, f"in_{target}", "me", "silence", target, "", until)


def statuses(pipeline: Pipeline) -> dict[str, str]:
    return {row[3]: row[5] for row in outbox(pipeline.store)}


FALL = hours([4.4e10])[0]
SENT = {"trigger.fired": WAITING, "layer.proposed": WAITING}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("layer.proposed", {**SENT, "layer.proposed": SILENCED}),
        ("layer.*", {**SENT, "layer.proposed": SILENCED}),
        ("trigger.fired", {**SENT, "trigger.fired": SILENCED}),
        ("*-*", {**SENT, "trigger.fired": SILENCED}),
        ("*/chain:ethereum", {**SENT, "trigger.fired": SILENCED}),
        ("p1", {**SENT, "layer.proposed": SILENCED}),
        ("*", dict.fromkeys(SENT, SILENCED)),
        ("tvl-drawdown/chain:base", SENT),
        ("layer", SENT),
        ("LAYER.PROPOSED", SENT),
    ],
)
def test_a_silence_holds_back_what_it_names_by_type_rule_subject_or_position(target: str, expected: dict[str, str]):
    pipeline = after(*opening(), silence(target), FALL)
    assert {kind: statuses(pipeline)[kind] for kind in SENT} == expected


@pytest.mark.parametrize(("until", "status"), [(WALL - 1, WAITING), (WALL, WAITING), (WALL + 1, SILENCED)])
def test_a_silence_ends_by_the_wall_clock_whatever_the_story_s_clock_says(until: int, status: str):
    pipeline = after(*opening(), silence("*", until), FALL)
    assert set(statuses(pipeline).values()) >= {status}
    assert statuses(pipeline)["layer.proposed"] == status


def test_a_critical_pierces_every_silence_f147():
    """F-147: severity decides, not the name."""
    pipeline = after(configured(), silence("*"))
    critical, warning = (Alerted(START, f"msg_{s}", "trigger.fired", s, "x", 1, {}) for s in ("critical", "warning"))
    rows = {d.id: d.status for d in pipeline._deliveries([critical, warning])}
    assert rows == {"msg_critical": WAITING, "msg_warning": SILENCED}


def test_a_silence_needs_an_expiry():
    pipeline = after(configured(), Signal(START, "in_1", "me", "silence", "*"))
    assert pipeline.engine.state.silences == {}


def test_a_channel_gets_the_types_it_asked_for():
    pipeline = fresh()
    pipeline.subscriptions = (
        Subscription("all"),
        Subscription("layers", frozenset({"layer.proposed"})),
        Subscription("none", frozenset({"heartbeat"})),
    )
    for event in [*opening(), FALL]:
        pipeline.process(event)
    rows = {(row[1], row[3]) for row in outbox(pipeline.store)}
    assert {kind for channel, kind in rows if channel == "layers"} == {"layer.proposed"}
    assert {channel for channel, _ in rows} == {"all", "layers"}


def test_the_bytes_of_a_message_are_stable():
    data = {"since": START, "evidence": [{"at": START, "value": 2**200}, {"value": 0.1}], "status": "confirmed", "b": 1, "a": "é"}
    alert = Alerted(START, "msg_1", "trigger.fired", "warning", "fell", 7, data)
    assert message(alert) == (
        b'{"data":{"a":"\\u00e9","b":1,"evidence":[{"at":"2024-03-04T00:00:00Z","value":"' + str(2**200).encode() + b'"},{"value":0.1}],'
        b'"id":"msg_1","sequence":7,"severity":"warning","since":"2024-03-04T00:00:00Z","status":"confirmed","summary":"fell"},'
        b'"timestamp":"2024-03-04T00:00:00Z","type":"trigger.fired"}'
    )


def test_an_alert_read_back_from_the_store_has_the_same_bytes():
    pipeline = after(*opening(), FALL)
    bodies = {row[0]: row[4] for row in outbox(pipeline.store)}
    assert len(bodies) > 3
    assert {alert.id: message(alert) for alert in pipeline.store.alerts()} == bodies
    assert all(json.loads(body)["data"]["id"] == identity for identity, body in bodies.items())
