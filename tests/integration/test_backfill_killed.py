"""Backfill as a process: killed at a random page and started again; exported, imported into an empty store, the same replay to the byte."""

import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.cli.speak import speak
from tests.conftest import ROOT
from tests.paged import PAGES, Paged, fetch, rows_of


def killed_after(path: Path, pages: int) -> None:
    """Start the backfill as a process of its own and kill it once it has said that so many pages are stored."""
    command = [sys.executable, "-c", "from tests.paged import main; main()", str(path), "0.02"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(pages):
            assert process.stdout.readline() == "page\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_a_random_page_and_started_again_it_stores_the_same_rows(tmp_path: Path, seed: int) -> None:
    whole, broken = tmp_path / "whole.db", tmp_path / "broken.db"
    fetch(whole, Paged())
    dice = Random(seed)
    killed_after(broken, dice.randint(1, PAGES // 2))
    killed_after(broken, dice.randint(0, PAGES // 2 - 1))
    fetch(broken, Paged())
    assert rows_of(broken) == rows_of(whole)


def test_exported_and_imported_into_an_empty_store_it_replays_to_the_same_bytes(tmp_path: Path) -> None:
    first, second, file = tmp_path / "first.db", tmp_path / "second.db", tmp_path / "all.csv"
    fetch(first, Paged())
    file.write_text(speak("export", "*", store=first).out, encoding="utf-8")
    said = speak("import", file, store=second)
    assert (said.code, said.out) == (0, f"{file}: 240 rows read, 240 new\n")
    replays = [speak("replay", "--json", store=store) for store in (first, second)]
    assert replays[0].out.count("\n") > 3
    assert replays[0] == replays[1]
    assert speak("import", file, store=second).out == f"{file}: 240 rows read, 0 new\n"
