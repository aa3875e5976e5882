"""The catalogue of faults is true: its tests exist, its guards stand where it says, and every fault that is promised is in it."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests import guards
from tests.guards import FAILED, HUNG, ROOT, SURVIVED, Cut, judged, without

CATALOGUE = guards.catalogue()
GUARDS = guards.guards()
CUTS = [(guard.fault, cut) for guard in GUARDS for cut in guard.cuts]
# What the project says that it stands; a fault that it does not stand yet is in neither list.
PROMISED = """
    4 10 11 12 13 14 15 20 21 22 25 26 28 29 33 34 42 53 59 60 61 83 92 93 94 95 96 98
    107 112 114 120 121 122 124 127 134 136 142 143 144 150 151 152
"""


def test_every_promised_fault_is_in_the_catalogue_and_nothing_else():
    assert list(CATALOGUE) == [f"F-{int(number):03}" for number in PROMISED.split()]


@pytest.mark.parametrize("fault", CATALOGUE)
def test_a_fault_says_what_it_is_and_has_tests_and_guards(fault: str):
    entry = CATALOGUE[fault]
    assert entry["what"]
    assert entry["tests"]
    assert entry["guard"]
    assert entry.keys() <= {"what", "tests", "guard", "seconds"}
    assert all({"file", "find", "replace"} <= one.keys() <= {"file", "find", "replace", "also", "tests", "hangs"} for one in entry["guard"])


@pytest.mark.slow
def test_pytest_knows_every_test_that_is_named():
    named = list(dict.fromkeys(test for guard in GUARDS for test in (*CATALOGUE[guard.fault]["tests"], *guard.tests)))
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *named]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}
    done = subprocess.run(command, cwd=ROOT, env=kept, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.parametrize("fault", CATALOGUE)
def test_a_test_of_a_fault_or_its_file_names_the_fault(fault: str):
    """Whoever looks for the fault's number finds its tests."""
    spelt = re.compile(rf"F[-_]?{fault[2:]}(?!\d)", re.IGNORECASE)
    assert any(spelt.search(test) or spelt.search((ROOT / test.partition("::")[0]).read_text()) for test in CATALOGUE[fault]["tests"])


@pytest.mark.parametrize(("fault", "cut"), [pytest.param(fault, cut, id=f"{fault} {n}") for n, (fault, cut) in enumerate(CUTS)])
def test_a_guard_stands_exactly_once_and_the_file_still_compiles_without_it(fault: str, cut: Cut):
    source = (ROOT / cut.file).read_text(encoding="utf-8")
    cut_out = without(cut, source)
    assert cut_out != source
    if cut.file.endswith(".py"):
        ast.parse(cut_out, cut.file)


@pytest.mark.parametrize("source", ["x = 1\n", "guard()\nguard()\n"], ids=["nowhere", "twice"])
def test_a_guard_that_is_not_found_exactly_once_is_said(source: str):
    with pytest.raises(ValueError, match="times, not once"):
        without(Cut("monitor/x.py", "guard()", "pass"), source)


# --- what counts as a test that saw the fault -----------------------------------------------------------------------------------

PASSED, SKIPPED = ("t::a", "passed", ""), ("t::b", "skipped", "chromium is missing")


@pytest.mark.parametrize(
    ("results", "word"),
    [
        ([PASSED, ("t::b", "failure", "assert 1 == 2")], FAILED),
        ([("t::b", "failure", "monitor.errors.BadPayload: no")], FAILED),
        ([PASSED, PASSED], SURVIVED),
        ([PASSED, SKIPPED], SURVIVED),
        ([SKIPPED], guards.NOT_RUN),
        ([], guards.NOT_RUN),
        ([("t::b", "failure", "NameError: name 'x' is not defined")], guards.BROKE),
        ([("t", "error", "collection failure")], guards.BROKE),
        (None, HUNG),
    ],
    ids=["assertion", "error of ours", "all pass", "some skipped", "all skipped", "nothing", "misspelt", "not collected", "hung"],
)
def test_only_a_test_that_fails_by_itself_has_seen_the_fault(results: list[tuple[str, str, str]] | None, word: str):
    assert judged(results)[0] == word


def test_a_hang_counts_where_the_fault_is_one():
    assert judged(None, hangs=True)[0] == FAILED


def tree_of(folder: Path, test: str, code: str = "def half(x):\n    return x / 2\n") -> Path:
    (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\npythonpath = ['.']\n")
    (folder / "halves.py").write_text(code)
    (folder / "test_it.py").write_text(f"from halves import half\n{test}")
    return folder


@pytest.mark.parametrize(
    ("test", "outcome"),
    [
        ("def test_it():\n    assert half(4) == 2\n", "passed"),
        ("def test_it():\n    assert half(4) == 3\n", "failure"),
        ("import nowhere\ndef test_it(): pass\n", "error"),
        ("import pytest\ndef test_it(): pytest.skip('no')\n", "skipped"),
    ],
)
def test_what_pytest_reports_is_read_as_it_is(tmp_path: Path, test: str, outcome: str):
    results = guards.run_pytest(tree_of(tmp_path, test), ["test_it.py"], 60)
    assert results is not None
    assert [found for _, found, _ in results] == [outcome]


def test_a_run_without_end_is_stopped(tmp_path: Path):
    assert guards.run_pytest(tree_of(tmp_path, "import time\ndef test_it():\n    time.sleep(60)\n"), ["test_it.py"], 4) is None


def test_a_copy_holds_the_program_and_its_tests_and_no_history(tmp_path: Path):
    tree = guards.copy_tree(tmp_path)
    assert (tree / "monitor" / "chain.py").read_bytes() == (ROOT / "monitor" / "chain.py").read_bytes()
    assert tomllib.loads((tree / "tests" / "faults.toml").read_text()) == CATALOGUE
    assert not (tree / ".git").exists()
