"""The README's examples of own data, typed into a shell as they are printed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.daemons import environment
from tests.test_readme import fences, section


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """A shell that finds the command and this Python by their names."""
    for name, words in (("hedge-monitor", f"{sys.executable} -m monitor"), ("python3", sys.executable)):
        (tmp_path / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    return environment(PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


def typed(text: str, folder: Path, env: dict[str, str]) -> str:
    done = subprocess.run(["sh", "-e"], input=text, env=env, cwd=folder, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_book_without_a_node_has_the_equity_that_the_readme_says(tmp_path: Path, shell: dict[str, str]) -> None:
    (book,) = [fence for fence in fences("yaml") if "book.db" in fence]
    (commands,) = [fence for fence in fences("sh") if "make_book.py" in fence]
    (tmp_path / "book.yaml").write_text(book, encoding="utf-8")

    said = typed(commands, tmp_path, shell)

    promised = section("#### A book without a node").partition("It says ")[2].partition("\n")[0].split("`")[1::2]
    assert promised == ["Equity 31,100 USD", "Net delta: ETH +35,700 USD", "Liquidated with ETH below 1,511.72 USD (46.0% away)"]
    assert [line for line in promised if line not in said] == [], said


def test_four_days_of_tvl_fire_as_the_readme_says(tmp_path: Path, shell: dict[str, str]) -> None:
    (commands,) = [fence for fence in fences("sh") if "make_csv.py" in fence]

    said = typed(commands, tmp_path, shell)

    printed = section("## Your own data").partition("\n```\nhistory.csv")[2].partition("```")[0]
    assert [line for line in f"history.csv{printed}".splitlines() if line not in said] == [], said
