"""A folder of files: taken whole or not at all, once they are whole, and again when they change."""

import asyncio
import builtins
import os
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from monitor.collectors import folder as module
from monitor.collectors.folder import Folder
from monitor.core.book import Watch
from monitor.core.rows import HEADER
from monitor.core.units import HOUR, iso, parse_time
from monitor.errors import BadPayload, SourceError
from monitor.source import Harvest, Ports
from tests.collectors.sample import StillClock
from tests.fakes import FakeNet

NOW = parse_time("2026-11-20T12:00:00Z")
HEAD = ",".join(HEADER)


def tvl(hours: int, value: object = 7.0, known: str = "") -> str:
    return f"tvl.usd,chain:base,mine,{iso(NOW - hours * HOUR)},{known},{value}"


def write(file: Path, body: str | bytes, age_ms: int = HOUR) -> Path:
    """A file, last written to so long ago."""
    file.write_bytes(body.encode() if isinstance(body, str) else body)
    os.utime(file, ns=((NOW - age_ms) * 1_000_000,) * 2)
    return file


def csv(file: Path, rows: Iterable[str], end: str = "\n", age_ms: int = HOUR) -> Path:
    return write(file, "\n".join([HEAD, *rows]) + end, age_ms)


def ports() -> Ports:
    return Ports(FakeNet(), StillClock(NOW), Random(0))


def look(source: Folder) -> tuple[list[float], list[str]]:
    harvest: Harvest = asyncio.run(source.poll(ports(), Watch()))
    assert harvest.records
    return [r.value for r in harvest.readings], list(harvest.rejected)


def test_new_and_changed_files_are_taken_once_each(tmp_path: Path):
    source = Folder(path=str(tmp_path))
    assert look(source) == ([], [])
    csv(tmp_path / "b.csv", [tvl(2, 2)])
    csv(tmp_path / "a.csv", [tvl(1, 1), "", tvl(0, 1.5)])
    assert look(source) == ([1.0, 1.5, 2.0], [])
    assert look(source) == ([], [])
    csv(tmp_path / "b.csv", [tvl(2, 3)], age_ms=HOUR - 5_000)  # as long as before
    assert look(source) == ([3.0], [])
    csv(tmp_path / "b.csv", [tvl(2, 3), tvl(1, 4)], age_ms=HOUR - 5_000)  # as old as before
    assert look(source) == ([3.0, 4.0], [])


@pytest.mark.parametrize("name", [".a.csv", "a.txt", "a.csv.part", "sub/a.csv", "a.csv~"])
def test_other_files_are_left_alone(tmp_path: Path, name: str):
    (tmp_path / "sub").mkdir()
    csv(tmp_path / name, ["nothing,of,ours"])
    assert look(Folder(path=str(tmp_path))) == ([], [])


BAD = [
    (tvl(1, "1_000"), "a.csv: line 3: '1_000' is not a decimal number"),
    (tvl(1, -5), "a.csv: line 3: tvl.usd chain:base: value -5 is outside the plausible range"),
    (tvl(1)[:-4], "a.csv: line 3: 5 columns instead of 6"),
    (tvl(-1), "a.csv: line 3: tvl.usd chain:base: at "),
    (tvl(1, known="yesterday"), "a.csv: line 3: 'yesterday' is not a time"),
    ("macro.cpi,US,mine,2026-10-01,,331", "a.csv: line 3: macro.cpi US: known_at is missing"),
    (tvl(1, '"7'), "a.csv: line 4: not CSV: unexpected end of data"),
]


@pytest.mark.parametrize(("row", "reason"), BAD)
def test_a_bad_row_is_named_and_nothing_of_its_file_is_taken_until_the_file_changes(tmp_path: Path, row: str, reason: str):
    source = Folder(path=str(tmp_path))
    csv(tmp_path / "a.csv", [tvl(2), row, tvl(0)])
    csv(tmp_path / "b.csv", [tvl(3, 9)])
    first, then = look(source), look(source)
    assert first[0] == [9.0] and then[0] == []
    assert first[1] == then[1] and len(then[1]) == 1 and then[1][0].startswith(reason), then[1]
    csv(tmp_path / "a.csv", [tvl(2), tvl(0)])
    assert look(source) == ([7.0, 7.0], [])
    (tmp_path / "b.csv").unlink()
    assert look(source) == ([], [])


def test_a_file_that_goes_is_forgotten_with_its_refusal(tmp_path: Path):
    source = Folder(path=str(tmp_path))
    bad = csv(tmp_path / "a.csv", ["x"])
    assert len(look(source)[1]) == 1
    bad.unlink()
    assert look(source) == ([], [])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("metric,subject\n", "a.csv: line 1: the header must be metric,subject,source,at,known_at,value, it is 'metric,subject'"),
        (b"", "a.csv: no newline at its end"),
        (HEAD.encode() + b"\n\xff\n", "a.csv: line 2: it is not UTF-8 text"),
        ("\n".join([HEAD, *[tvl(2, "x")] * 30, ""]), "a.csv: and 10 rows more"),
    ],
)
def test_a_file_that_is_none_of_ours_is_refused_in_words(tmp_path: Path, body: str | bytes, reason: str):
    source = Folder(path=str(tmp_path))
    write(tmp_path / "a.csv", body)
    look(source)
    assert look(source)[1][-1].startswith(reason)


def test_a_half_written_file_waits_and_is_told_of_only_once_its_writer_has_stopped(tmp_path: Path):
    source = Folder(path=str(tmp_path))
    csv(tmp_path / "a.csv", [tvl(2)], end="")
    assert look(source) == ([], [])
    assert look(source) == ([], ["a.csv: no newline at its end: it is waited for until it is whole"])
    csv(tmp_path / "a.csv", [tvl(2)])
    assert look(source) == ([7.0], [])


def test_a_file_that_was_just_written_to_waits_until_it_stands_still(tmp_path: Path):
    source = Folder(path=str(tmp_path))
    csv(tmp_path / "a.csv", [tvl(2)], age_ms=500)
    assert look(source) == ([], [])
    csv(tmp_path / "a.csv", [tvl(2), tvl(1)], age_ms=100)
    assert look(source) == ([], [])
    assert look(source) == ([7.0, 7.0], [])


def test_a_file_that_grows_while_it_is_read_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = Folder(path=str(tmp_path))
    csv(tmp_path / "a.csv", [tvl(2)])
    read = Path.read_bytes

    def grown(path: Path) -> bytes:
        body = read(path)
        csv(path, [tvl(2), tvl(1)], age_ms=100)
        return body

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", grown)
        assert look(source) == ([], [])
    look(source)
    assert look(source) == ([7.0, 7.0], [])


def test_too_much_at_once_is_sent_to_import_and_many_files_come_by_and_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_ROWS", 3)
    source = Folder(path=str(tmp_path))
    csv(tmp_path / "a.csv", [tvl(n) for n in range(5)])
    for name in "bcd":
        csv(tmp_path / f"{name}.csv", [tvl(1), tvl(2)])
    counts, told = zip(*(look(source) for _ in range(3)), strict=True)
    assert [len(values) for values in counts] == [4, 2, 0]
    assert set(map(tuple, told)) == {("a.csv: more than 3 rows are too much at once; take it with: hedge-monitor import",)}
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    assert "too much at once" in look(Folder(path=str(tmp_path)))[1][0]


def test_a_folder_that_is_not_there_is_a_source_that_fails(tmp_path: Path):
    with pytest.raises(SourceError, match=r"the folder cannot be read: No such file or directory; create it, or set sources\.folder\.path"):
        look(Folder(path=str(tmp_path / "none")))
    assert not Folder().has_work(Watch()) and asyncio.run(Folder().poll(ports(), Watch())) == Harvest()


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    csv(tmp_path / "a.csv", [tvl(2)])
    monkeypatch.setattr(Path, "read_bytes", lambda path: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    assert look(Folder(path=str(tmp_path))) == ([], ["a.csv: cannot be read: Permission denied"])


def test_a_probe_remembers_nothing(tmp_path: Path):
    source = Folder(path=str(tmp_path))
    csv(tmp_path / "a.csv", [tvl(2)])
    assert asyncio.run(source.probe(ports(), Watch())) == "1 values"
    assert look(source) == ([7.0], [])
    csv(tmp_path / "b.csv", ["x"])
    with pytest.raises(BadPayload, match=r"b\.csv: line 2: 1 columns instead of 6"):
        asyncio.run(source.probe(ports(), Watch()))


# --- Parquet ------------------------------------------------------------------------------------------------------------


def table(file: Path, **columns: Any) -> Path:
    base: dict[str, Any] = {
        "metric": ["tvl.usd", "tvl.usd"],
        "subject": ["chain:base"] * 2,
        "source": ["mine"] * 2,
        "at": [NOW - 2 * HOUR, NOW - HOUR],
        "known_at": [None, None],
        "value": [1.5, 2.5],
    }
    parquet.write_table(pyarrow.table({key: value for key, value in {**base, **columns}.items() if value is not None}), file)
    os.utime(file, ns=((NOW - HOUR) * 1_000_000,) * 2)
    return file


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"known_at": None},
        {"at": [iso(NOW - 2 * HOUR), iso(NOW - HOUR)]},
        {"at": pyarrow.array([NOW - 2 * HOUR, NOW - HOUR], pyarrow.timestamp("ms"))},
        {"at": pyarrow.array([NOW - 2 * HOUR, NOW - HOUR], pyarrow.timestamp("ms")).cast(pyarrow.timestamp("us", tz="America/New_York"))},
        {"value": ["1.5", "2.5"]},
    ],
    ids=["numbers", "no known_at", "text", "naive", "zone", "decimal text"],
)
def test_parquet_is_read_as_csv_is(tmp_path: Path, columns: dict[str, Any]):
    table(tmp_path / "a.parquet", **columns)
    harvest = asyncio.run(Folder(path=str(tmp_path)).poll(ports(), Watch()))
    assert [(r.at, r.known_at, r.value, r.source) for r in harvest.readings] == [(NOW - 2 * HOUR, None, 1.5, "mine"), (NOW - HOUR, None, 2.5, "mine")]
    assert harvest.rejected == []


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"value": [1.0, float("nan")]}, "a.parquet: line 2: nan is not a finite number"),
        ({"value": [1.0, None]}, "a.parquet: line 2: value is missing"),
        ({"source": None}, "a.parquet: there is no column source"),
        ({"scale": [1, 2]}, "a.parquet: line 1: there is no column 'scale'"),
        ({"subject": ["chain:base", "base"]}, "a.parquet: line 2: tvl.usd base: subject 'base' does not fit"),
    ],
)
def test_a_bad_row_of_parquet_is_named_and_nothing_of_its_file_is_taken(tmp_path: Path, columns: dict[str, Any], reason: str):
    table(tmp_path / "a.parquet", **columns)
    values, rejected = look(Folder(path=str(tmp_path)))
    assert values == [] and rejected[0].startswith(reason), rejected


def test_parquet_that_is_cut_waits_and_that_is_broken_or_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = Folder(path=str(tmp_path))
    whole = table(tmp_path / "a.parquet").read_bytes()
    write(tmp_path / "a.parquet", whole[:-4])
    look(source)
    assert look(source)[1] == ["a.parquet: no Parquet footer at its end: it is waited for until it is whole"]
    write(tmp_path / "a.parquet", whole[:40] + b"\xff" * 20 + whole[-4:])
    assert look(source)[1][0].startswith("a.parquet: not Parquet that can be read: ")
    write(tmp_path / "a.parquet", whole)
    monkeypatch.setattr(module, "MOST_ROWS", 1)
    assert look(source)[1] == ["a.parquet: 2 rows are too much at once; split it, or write CSV and take that with: hedge-monitor import"]


def test_without_pyarrow_a_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name.partition(".")[0] == "pyarrow":
            raise ImportError(name)
        return real(name, *rest, **named)

    table(tmp_path / "a.parquet")
    csv(tmp_path / "b.csv", [tvl(1)])
    monkeypatch.setattr(builtins, "__import__", without)
    assert look(Folder(path=str(tmp_path))) == ([7.0], ["a.parquet: Parquet needs pyarrow: pip install 'defi-hedge-monitor[parquet]', or write CSV"])
