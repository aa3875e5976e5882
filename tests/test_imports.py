"""Imports of files that are longer than memory: checked to the end before anything is taken, then stored part by part."""

import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from monitor import commands, spool
from monitor.config import Config, discover, load
from monitor.core.book import Position
from monitor.core.candles import Candles, bar_of
from monitor.core.observation import Reading, SeriesKey
from monitor.core.units import HOUR, iso
from monitor.core.valuation import value_position
from monitor.errors import ConfigError
from monitor.imports import SHOWN_PROBLEMS, read_csv
from monitor.spool import Spool
from monitor.store.sqlite import SqliteStore
from tests.builders import START, seen, series, view_of
from tests.cli.csv_files import csv_of, tvl_rows
from tests.conftest import ROOT
from tests.pipelines import pipeline_on
from tests.worlds import opening


def config_of(path: Path) -> Config:
    return load(None, {"HEDGE_MONITOR_STORE__URL": f"sqlite:///{path}"}, discover())


def rows_of(path: Path) -> list[tuple[SeriesKey, int, int, float | int]]:
    store = SqliteStore(str(path))
    found = [(o.key, o.at, o.known_at, o.value) for o in store.history()]
    store.close()
    return found


def chart(part: str, values: Iterable[float]) -> Iterator[str]:
    return (f"candle.4h.{part},BTC,binance,{iso(START + 4 * n * HOUR)},,{value}" for n, value in enumerate(values))


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "ROWS_A_MESSAGE", 7)
    monkeypatch.setattr(spool, "ROWS_A_BLOCK", 5)


def test_what_is_put_aside_comes_back_as_often_as_it_is_asked_for(small_parts: None):
    waiting = Spool()
    observations = [seen("tvl.usd", f"chain:c{n % 3}", n / 7, START + n * HOUR) for n in range(13)]
    observations.append(seen("pool.liquidity", f"pool:base/0x{'a' * 40}", 2**200 + 1))
    with closing(waiting):
        for line, observation in enumerate(observations):
            waiting.put(line, observation)
        expected = [(n, Reading(o.metric, o.subject, o.value, o.at, o.known_at, o.source)) for n, o in enumerate(observations)]
        assert list(waiting) == expected
        waiting.put(14, observations[0])
        assert [line for line, _ in waiting] == list(range(15))


def test_f_029_a_candle_whose_parts_stand_far_apart_in_a_file_is_seen_to_contradict_itself(tmp_path: Path, small_parts: None):
    rows = [*chart("high", [10.0] * 20), *chart("low", [8.0] * 20), *chart("close", [9.0] * 11 + [10.5] + [9.0] * 8)]
    with closing(read_csv(csv_of(tmp_path / "chart.csv", rows))) as found:
        kept = list(found.readings())
        assert (found.good, found.bad, len(kept)) == (57, 3, 57)
        assert all("close 10.5 is outside low 8 to high 10" in line for line in found.problems)
        assert [line.split(":")[1] for line in found.problems] == ["13", "33", "53"]
        assert START + 44 * HOUR not in {reading.at for reading in kept}


def test_f_029_a_high_below_its_low_is_enough_to_refuse_a_bar():
    candles = Candles()
    for part, value in (("high", 4.0), ("low", 6.0)):
        candles.add(seen(f"candle.4h.{part}", "BTC", value))
    assert candles.broken() == {("candle.4h", "BTC", "s1", START): "high 4 is below low 6"}


def test_of_a_part_that_comes_twice_the_last_counts():
    candles = Candles()
    for part, value in (("high", 1.0), ("low", 2.0), ("high", 3.0), ("volume", 1.0)):
        candles.add(seen(f"candle.4h.{part}", "BTC", value))
    apart = seen("tvl.usd", "chain:base", 1.0)
    candles.add(apart)
    assert candles.broken() == {} and bar_of(apart) is None


def test_of_many_bad_rows_all_are_counted_and_the_first_are_named(tmp_path: Path):
    with closing(read_csv(csv_of(tmp_path / "bad.csv", ["tvl.usd,chain:base,me,2024-01-01,,nonsense"] * 50))) as found:
        assert (found.good, found.bad, len(found.problems)) == (0, 50, SHOWN_PROBLEMS)


def test_a_bad_last_row_keeps_everything_out_and_what_waited_is_gone(tmp_path: Path, small_parts: None):
    file = csv_of(tmp_path / "torn.csv", tvl_rows([1.0] * 50))
    file.write_text(file.read_text() + '"torn', encoding="utf-8")
    with pytest.raises(ConfigError, match="not CSV"):
        read_csv(file)


def test_progress_is_told_while_reading_and_while_storing(tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("monitor.imports.ROWS_A_WORD", 10)
    read, stored = list[int](), list[int]()
    with closing(read_csv(csv_of(tmp_path / "f.csv", tvl_rows([1.0 + n for n in range(25)])), read.append)) as found:
        assert commands.import_readings(config_of(tmp_path / "s.db"), found.readings(), stored.append) == "25 new"
    assert (read, stored) == ([10, 20], [7, 14, 21, 25])


def test_in_parts_or_at_once_the_same_is_stored_and_said_again_nothing_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = csv_of(tmp_path / "f.csv", [*tvl_rows([1.0 + n for n in range(40)]), *tvl_rows([5.0] * 10)])
    said: list[str] = []
    for name, size in (("whole", 1000), ("whole", 1000), ("parts", 7), ("parts", 7)):
        monkeypatch.setattr(commands, "ROWS_A_MESSAGE", size)
        with closing(read_csv(file)) as found:
            said.append(commands.import_readings(config_of(tmp_path / f"{name}.db"), found.readings()))
    assert said == ["49 new", "0 new", "49 new", "0 new"]
    # A value that is said anew without saying when became known when it came.
    assert rows_of(tmp_path / "whole.db")[:40] == rows_of(tmp_path / "parts.db")[:40]


def test_beside_a_daemon_the_rows_go_through_its_inbox_in_parts(tmp_path: Path, small_parts: None):
    config, file = config_of(tmp_path / "s.db"), csv_of(tmp_path / "f.csv", tvl_rows([1.0 + n for n in range(20)], start="2024-03-01"))
    daemon = SqliteStore(config.store.path, role="run")
    pipeline = pipeline_on(daemon)
    for event in opening():
        pipeline.process(event)
    before = len(rows_of(tmp_path / "s.db"))
    for expected in (3, 3):
        with closing(read_csv(file)) as found:
            assert commands.import_readings(config, found.readings()) == "handed to the running daemon"
        waiting = daemon.inbox.waiting()
        assert len(waiting) == expected
        for message in waiting:
            pipeline.take(message, START)
    daemon.close()
    assert len(rows_of(tmp_path / "s.db")) == before + 20


def test_a_long_file_is_not_held_in_memory(tmp_path: Path):
    """A hundred thousand rows as readings would be 30 MB and more; what may grow is the market, 24 bytes a row."""
    file = tmp_path / "long.csv"
    with file.open("w", encoding="utf-8") as out:
        out.write("metric,subject,source,at,known_at,value\n")
        out.writelines(f"{row}\n" for n in range(5) for row in tvl_rows([1.0] * 10_000, start="2021-01-01", subject=f"chain:c{n}"))
    tracemalloc.start()
    with closing(read_csv(file)) as found:
        assert sum(1 for _ in islice(found.readings(), None)) == 50_000
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5e6


IMPORTING = """
import sys
from pathlib import Path
from unittest.mock import patch
from monitor import commands
from monitor.imports import read_csv
from tests.test_imports import config_of
commands.ROWS_A_MESSAGE = 50
rows = read_csv(Path(sys.argv[2]))
print(commands.import_readings(config_of(Path(sys.argv[1])), rows.readings(), lambda count: print(count, flush=True)), flush=True)
"""


@pytest.mark.integration
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_between_or_within_parts_and_run_again_the_same_rows_are_stored(tmp_path: Path, seed: int):
    file = csv_of(tmp_path / "f.csv", tvl_rows([1.0 + n for n in range(2000)], start="2023-01-01"))
    dice, counts = Random(seed), []
    command = [sys.executable, "-c", IMPORTING, str(tmp_path / "s.db"), str(file)]
    for _ in range(2):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(dice.randint(1, 15)):
                assert process.stdout.readline().strip().isdigit()
            process.send_signal(signal.SIGKILL)
        counts.append(len(rows_of(tmp_path / "s.db")))
    assert 0 < counts[0] <= counts[1] < 2000
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    assert [row[1] for row in rows_of(tmp_path / "s.db")] == sorted({row[1] for row in rows_of(tmp_path / "s.db")})
    assert len(rows_of(tmp_path / "s.db")) == 2000


def test_quotes_of_options_that_a_file_brings_price_a_position(tmp_path: Path):
    name = "ETH-2024-04-26-1800-P"
    quotes = [
        f"option.{side},{name},mine,{iso(START - n * HOUR)},,{usd}" for side, usd in (("bid", 110), ("ask", 120), ("iv", 80)) for n in (2, 1, 0)
    ]
    bad = [
        "option.bid,ETH-26APR24-1800-P,mine,2024-03-04,,110",
        f"option.iv,{name},mine,2024-03-04,,1000.5",
        f"option.ask,{name},mine,2024-03-04,,-1",
    ]
    with closing(read_csv(csv_of(tmp_path / "quotes.csv", [*quotes, *bad]))) as found:
        assert (found.good, found.bad) == (9, 3)
        rows = [seen(r.metric, r.subject, float(r.value), r.at or 0, "mine") for r in found.readings()]
    rows += [o for source in "ab" for o in series("price.usd", "ETH", [2000.0] * 3, step_ms=HOUR, source=source)]
    rows += series("iv.index", "ETH", [80.0] * 3, step_ms=HOUR)
    put = Position(id="p1", kind="option", asset="ETH", right="put", strike=1800.0, expiry="2024-04-26", size=2.0)
    assert value_position(view_of(*rows), put).value_usd == 220.0
