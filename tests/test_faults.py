"""The catalogue of faults is true: its tests exist, its guards stand where it says, and every fault that is promised is in it."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import guards
from tests.guards import FAILED, HUNG, ROOT, SURVIVED, Cut, judged, without

CATALOGUE = guards.catalogue()
GUARDS = guards.guards()
CUTS = [(guard.fault, cut) for guard in GUARDS for cut in guard.cuts]
# What the project says that it stands; a fault that it does not stand yet is in neither list.
PROMISED = """
    4 10 11 12 13 14 15 20 21 22 25 26 28 29 33 34 35 36 37 38 39 40 41 42 53 59 60 61 73 83 92 93 94 95 96 98
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


def collected(tests: Sequence[str]) -> set[str]:
    """The node ids that pytest finds under these, by a process of its own. Asserts that it knows each."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *tests]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}
    done = subprocess.run(command, cwd=ROOT, env=kept, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return {line for line in done.stdout.splitlines() if "::" in line}


@pytest.mark.slow
def test_pytest_knows_every_test_that_is_named(request: pytest.FixtureRequest):
    """Most of them it has collected already, if the whole suite runs; only the others are asked for."""
    named = {test for guard in GUARDS for test in (*CATALOGUE[guard.fault]["tests"], *guard.tests)}
    known = {item.nodeid for item in request.session.items}
    known |= {name.partition("[")[0] for name in known}
    if strange := sorted(named - known):
        assert collected(strange)


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


ENDS = """
import pytest
def test_passes(): assert 4 / 2 == 2
def test_fails(): assert 4 / 2 == 3
def test_raises(): raise ValueError("no")
def test_skips(): pytest.skip("no tool")
@pytest.fixture
def broken(): raise RuntimeError
def test_errs(broken): pass
"""


@pytest.mark.slow
def test_what_pytest_reports_is_read_as_it_is(tmp_path: Path):
    (tmp_path / "test_ends.py").write_text(ENDS)
    (tmp_path / "test_none.py").write_text("import nowhere\n")
    results = guards.run_pytest(tmp_path, ["test_ends.py", "test_none.py"], 60, "--continue-on-collection-errors")
    assert results is not None
    assert {name.rpartition("::")[2]: outcome for name, outcome, _ in results} == {
        "test_none": "error",
        "test_passes": "passed",
        "test_fails": "failure",
        "test_raises": "failure",
        "test_skips": "skipped",
        "test_errs": "error",
    }
    assert ("test_ends.py::test_raises", "failure", "ValueError: no") in results


@pytest.mark.slow
def test_a_run_without_end_is_stopped(tmp_path: Path):
    (tmp_path / "test_it.py").write_text("import time\ndef test_it():\n    time.sleep(60)\n")
    assert guards.run_pytest(tmp_path, ["test_it.py"], 4) is None


def test_a_copy_holds_the_program_and_its_tests_and_no_history(tmp_path: Path):
    tree = guards.copy_tree(tmp_path)
    assert (tree / "monitor" / "chain.py").read_bytes() == (ROOT / "monitor" / "chain.py").read_bytes()
    assert tomllib.loads((tree / "tests" / "faults.toml").read_text()) == CATALOGUE
    assert not (tree / ".git").exists()
