"""The catalogue of faults is true: every fault that is promised is in it, its tests exist and pass, and each guard taken out is missed by one."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests import guards
from tests.forked import Results, changed, restored
from tests.guards import FAILED, HUNG, ROOT, SURVIVED, Cut, judged, without

CATALOGUE = guards.catalogue()
GUARDS = guards.guards()
CUTS = [(guard.fault, cut) for guard in GUARDS for cut in guard.cuts]
WITH_TESTS = [fault for fault, entry in CATALOGUE.items() if "reason" not in entry]
# What the project says that it stands, or says why not yet.
FIRST_STOOD = (
    "4 10 11 12 13 14 15 20 21 22 23 25 26 28 29 42 53 56 57 58 59 60 61 62 64 67 73 107 112 114 120 121 122 124 127 134 136 142 143 144 150 151 152"
)
PROMISED = {*map(int, FIRST_STOOD.split()), *range(33, 42), *range(75, 107)}
CAMPAIGN_SECONDS = 900


def test_every_promised_fault_is_in_the_catalogue_and_nothing_else():
    assert set(CATALOGUE) == {f"F-{number:03}" for number in PROMISED}


@pytest.mark.parametrize("fault", CATALOGUE)
def test_a_fault_says_what_it_is_and_has_tests_and_guards_or_a_reason_why_not(fault: str):
    entry = CATALOGUE[fault]
    assert entry["what"]
    if "reason" in entry:
        assert entry.keys() == {"what", "reason"}
        assert len(entry["reason"]) > 20, "a reason is a sentence"
        return
    assert entry["tests"]
    assert entry["guard"]
    assert entry.keys() <= {"what", "tests", "guard", "seconds"}
    assert all({"file", "find", "replace"} <= one.keys() <= {"file", "find", "replace", "also", "tests", "hangs"} for one in entry["guard"])


def our_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}


def collected(tests: Sequence[str]) -> set[str]:
    """The node ids that pytest finds under these, by a process of its own. Asserts that it knows each."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=ROOT, env=our_environment(), capture_output=True, text=True, timeout=120, check=False)
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


# --- the guards, taken out ------------------------------------------------------------------------------------------------------

QUICK = [(number, guard) for number, guard in enumerate(guard for guard in GUARDS if guard.quick_tests)]


def campaign(folder: Path, *options: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, report and words of a campaign by a process of its own: this one has imported the program already."""
    report = folder / "report.json"
    command = [sys.executable, "-m", "tests.guards", "--quick", "--report", str(report), *options]
    done = subprocess.run(command, cwd=ROOT, env=our_environment(), capture_output=True, text=True, timeout=CAMPAIGN_SECONDS, check=False)
    assert report.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    return done.returncode, json.loads(report.read_text()), done.stdout


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Any]:
    """What became of each guard that a quick test watches, by its place among them; under "wrong", the tests that fail with every guard in."""
    _, report, _ = campaign(tmp_path_factory.mktemp("campaign"))
    return {**{one["number"]: one for one in report["outcomes"]}, -1: report["wrong"]}


@pytest.mark.slow
@pytest.mark.parametrize("number", [pytest.param(number, id=f"{guard.fault} {guard.place}") for number, guard in QUICK])
def test_without_its_guard_a_test_of_the_fault_fails(outcomes: dict[int, Any], number: int):
    assert (outcomes[number]["word"], outcomes[number]["why"]) == (FAILED, outcomes[number]["why"])


@pytest.mark.slow
def test_with_every_guard_in_place_the_same_tests_run_and_pass(outcomes: dict[int, Any]):
    assert outcomes[-1] == {}


def test_only_guards_that_running_programs_watch_are_left_to_the_campaign_command():
    for guard in GUARDS:
        files = {ROOT / test.partition("::")[0] for test in guard.tests}
        assert guard.quick_tests or all(guards.starts_programs(file) for file in files)
    assert len(QUICK) > 0.9 * len(GUARDS)


@pytest.mark.parametrize(("name", "starts"), [("test_no_network", True), ("test_kill", True), ("test_page", True), ("test_net_faults", False)])
def test_a_test_that_starts_programs_is_known_by_what_it_imports(name: str, starts: bool):
    assert guards.starts_programs(ROOT / "tests" / "integration" / f"{name}.py") is starts


UNWATCHED = r"""
[F-901]
what = "nobody watches this guard"
tests = ["tests/core/test_text.py"]
[[F-901.guard]]
file = "monitor/core/delivery.py"
find = 'WAITING = "waiting"'
replace = 'WAITING = "wait" "ing"'

[F-902]
what = "this one is watched"
tests = ["tests/core/test_text.py"]
[[F-902.guard]]
file = "monitor/core/text.py"
find = "def safe_text("
replace = "def safe_text(*arguments: object) -> str:\n    return ''\n\n\ndef unused("

[F-903]
what = "the guard has gone"
tests = ["tests/core/test_text.py"]
[[F-903.guard]]
file = "monitor/core/text.py"
find = "this text stands nowhere"
replace = ""

[F-904]
what = "the replacement is misspelt"
tests = ["tests/core/test_text.py"]
[[F-904.guard]]
file = "monitor/core/text.py"
find = "def safe_text("
replace = "def safe_text(*arguments: object) -> str:\n    return misspelt\n\n\ndef unused("
"""


@pytest.mark.slow
def test_a_guard_whose_absence_nobody_sees_is_reported(tmp_path: Path):
    """The negative control: the campaign itself can fail."""
    (tmp_path / "faults.toml").write_text(UNWATCHED)
    code, report, said = campaign(tmp_path, "--catalogue", str(tmp_path / "faults.toml"))
    assert code == 1
    assert {one["fault"]: one["word"] for one in report["outcomes"]} == {
        "F-901": SURVIVED,
        "F-902": FAILED,
        "F-903": guards.BROKE,
        "F-904": guards.BROKE,
    }
    assert "1 seen by a test, 3 not" in said


@pytest.mark.parametrize("fault", WITH_TESTS)
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
def test_only_a_test_that_fails_by_itself_has_seen_the_fault(results: Results | None, word: str):
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


FORK = """
import json, sys
from pathlib import Path
from tests.forked import Run, run_all
folder = Path(sys.argv[1])
runs = [Run("it", sys.argv[3:], float(sys.argv[2]), options=["--continue-on-collection-errors", f"--rootdir={folder}"])]
print(json.dumps([ended.results for ended in run_all(runs, folder, [folder])]))
"""


def forked(folder: Path, seconds: float, *tests: str) -> Results | None:
    """What pytest finds in a folder, run in a fork of a fresh process."""
    command = [sys.executable, "-c", FORK, str(folder), str(seconds), *tests]
    done = subprocess.run(command, cwd=ROOT, env=our_environment(), capture_output=True, text=True, timeout=120, check=True)
    results = json.loads(done.stdout)[0]
    return results if results is None else [(name, outcome, message) for name, outcome, message in results]


@pytest.mark.slow
def test_what_pytest_reports_is_read_as_it_is(tmp_path: Path):
    (tmp_path / "test_ends.py").write_text(ENDS)
    (tmp_path / "test_none.py").write_text("import nowhere\n")
    results = forked(tmp_path, 60, "test_ends.py", "test_none.py")
    assert results is not None
    assert {name.rpartition("::")[2]: outcome for name, outcome, _ in results} == {
        "test_none.py": "error",
        "test_passes": "passed",
        "test_fails": "failure",
        "test_raises": "failure",
        "test_skips": "skipped",
        "test_errs": "error",
    }
    assert ("test_ends.py::test_raises", "failure", "ValueError: no") in results
    assert ("test_ends.py::test_skips", "skipped", "Skipped: no tool") in results


@pytest.mark.slow
def test_a_run_without_end_is_stopped(tmp_path: Path):
    (tmp_path / "test_it.py").write_text("import time\ndef test_it():\n    time.sleep(60)\n")
    assert forked(tmp_path, 2, "test_it.py") is None


def test_a_tree_is_whole_again_after_a_run(tmp_path: Path):
    tree, source = guards.copy_tree(tmp_path / "a"), guards.copy_tree(tmp_path / "b")
    guards.take_out(GUARDS[0], tree)
    assert [str(file) for file in changed(tree, source)] == [GUARDS[0].cuts[0].file]
    restored(tree, source)
    assert changed(tree, source) == []


def test_a_copy_holds_the_program_and_its_tests_and_no_history(tmp_path: Path):
    tree = guards.copy_tree(tmp_path)
    assert (tree / "monitor" / "chain.py").read_bytes() == (ROOT / "monitor" / "chain.py").read_bytes()
    assert tomllib.loads((tree / "tests" / "faults.toml").read_text()) == CATALOGUE
    assert not (tree / ".git").exists()
