"""The reserve: some disk is held back, so that a full disk can still be written about (F-107)."""

from pathlib import Path

import pytest

from monitor.core.effects import Alerted
from monitor.core.engine import Engine
from monitor.core.events import Batch, Configured
from monitor.core.observation import Observation
from monitor.pipeline import Pipeline, Subscription
from monitor.registry import Catalogue
from monitor.store.sqlite import RESERVE_BYTES, SqliteStore, StoreFull

NOW = 1_750_000_000_000
MANY = Batch(NOW, "okx", tuple(Observation("price.usd", f"A{n}", "okx", NOW, NOW, 1.0) for n in range(3_000)))


class Disk(SqliteStore):
    """A store on a disk that is full until the reserve is given back."""

    def fill(self) -> None:
        pages = self.connection.execute("PRAGMA page_count").fetchone()[0]
        self.connection.execute(f"PRAGMA max_page_count = {pages + 2}")

    def free_reserve(self) -> bool:
        freed = super().free_reserve()
        if freed:
            self.connection.execute("PRAGMA max_page_count = 1000000")
        return freed


@pytest.fixture
def store(tmp_path: Path):
    opened = Disk(str(tmp_path / "monitor.db"), role="test")
    yield opened
    opened.close()


def pipeline_on(store: SqliteStore) -> Pipeline:
    pipeline = Pipeline(Engine(Catalogue()), store, lambda: NOW, [Subscription("phone")])
    pipeline.process(Configured(NOW, {}))
    return pipeline


def test_a_store_holds_some_disk_back_for_its_owner_alone(store: Disk):
    reserve = Path(f"{store.path}.reserve")
    assert (reserve.stat().st_size, oct(reserve.stat().st_mode)[-3:]) == (RESERVE_BYTES, "600")


def test_on_a_full_disk_the_reserve_lets_the_event_and_an_alarm_be_written_f_107(store: Disk):
    pipeline = pipeline_on(store)
    store.fill()
    pipeline.process(MANY)
    (alarm,) = (effect for _, effect in store.effects() if isinstance(effect, Alerted) and effect.severity == "critical")
    assert "The disk is full" in alarm.summary
    assert alarm.id in {delivery.id for delivery in store.outbox.waiting("phone", NOW)}
    assert MANY in (event for _, event in store.journal())


def test_the_reserve_serves_once_and_then_a_full_disk_is_the_end_f_107(store: Disk):
    pipeline = pipeline_on(store)
    store.fill()
    pipeline.process(MANY)
    store.fill()
    before = list(store.journal())
    with pytest.raises(StoreFull):
        pipeline.process(MANY)
    assert list(store.journal()) == before


def test_a_reader_holds_nothing_back(tmp_path: Path):
    SqliteStore(str(tmp_path / "monitor.db"), role="test").close()
    (tmp_path / "monitor.db.reserve").unlink()
    SqliteStore(str(tmp_path / "monitor.db")).close()
    assert not (tmp_path / "monitor.db.reserve").exists()
