"""The campaign of the guards: each guard of tests/faults.toml is taken out of a copy of the tree, and a test of its fault must fail.

`python -m tests.guards [--only F-015 ...] [--jobs 2]`. The same tests are run on an untouched copy too, where all must pass. Exit code 1
when a guard's absence goes unseen, or when a test cannot be trusted: it fails untouched, does not run, or breaks instead of failing.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
CATALOGUE = ROOT / "tests" / "faults.toml"
# Installed by the tests' own tools, large, and the same for every copy.
SHARED = ("node_modules", ".tools")
LEFT_BEHIND = shutil.ignore_patterns(".*", "node_modules", "dist", "build")
USUAL_SECONDS = 120.0
UNTOUCHED_SECONDS = 900.0
# What a misspelt replacement raises; such a test has not seen the fault.
BROKEN_BY = ("NameError", "UnboundLocalError", "SyntaxError", "IndentationError", "ImportError", "ModuleNotFoundError")

FAILED, SURVIVED = "failed as it must", "SURVIVED"
NOT_RUN, BROKE, HUNG = "NOT RUN", "BROKE", "HUNG"


@dataclass(frozen=True)
class Cut:
    """One text of one file, and what stands there without the guard."""

    file: str
    find: str
    replace: str


@dataclass(frozen=True)
class Guard:
    """What is taken out at once, and the tests of which one must see it. `hangs`: without it a test never ends."""

    fault: str
    cuts: tuple[Cut, ...]
    tests: tuple[str, ...]
    seconds: float
    hangs: bool

    @property
    def place(self) -> str:
        return f"{self.cuts[0].file}: {brief(self.cuts[0].find, 60)}"


@dataclass(frozen=True)
class Outcome:
    """What became of one run. `test` is the one that failed, and `why` how; or why none counts."""

    word: str
    test: str
    why: str
    seconds: float


def catalogue() -> dict[str, Any]:
    """tests/faults.toml as it stands."""
    return tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))


def guards(only: Sequence[str] = ()) -> list[Guard]:
    """Every guard, or those of the named faults, in the order of the catalogue."""
    return [guard for fault, entry in catalogue().items() if not only or fault in only for guard in _guards_of(fault, entry)]


def _guards_of(fault: str, entry: dict[str, Any]) -> Iterator[Guard]:
    for one in entry["guard"]:
        cuts = tuple(Cut(cut["file"], cut["find"], cut["replace"]) for cut in (one, *one.get("also", ())))
        tests = tuple(one.get("tests", entry["tests"]))
        yield Guard(fault, cuts, tests, float(entry.get("seconds", USUAL_SECONDS)), bool(one.get("hangs", False)))


def without(cut: Cut, source: str) -> str:
    """The source without this guard. Raises ValueError unless the guard stands there exactly once."""
    if (count := source.count(cut.find)) != 1:
        raise ValueError(f"{cut.file}: {cut.find!r} stands there {count} times, not once")
    return source.replace(cut.find, cut.replace)


def take_out(cut: Cut, tree: Path) -> None:
    """Rewrite one file of a copy, and forget what was compiled of it."""
    file = tree / cut.file
    file.write_text(without(cut, file.read_text(encoding="utf-8")), encoding="utf-8")
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*"):
        compiled.unlink()


def copy_tree(folder: Path, source: Path = ROOT) -> Path:
    """A copy of a tree, times and compiled files included, with what the tests installed linked in."""
    tree = Path(shutil.copytree(source, folder / "tree", ignore=LEFT_BEHIND))
    for name in SHARED:
        if (ROOT / name).is_dir():
            (tree / name).symlink_to(ROOT / name)
    return tree


def run_pytest(tree: Path, tests: Sequence[str], seconds: float, *options: str) -> list[tuple[str, str, str]] | None:
    """(node id, outcome, message) of each test that ran in the tree; None when it had to be stopped."""
    report = tree / "report.xml"
    more = ("-p", "no:cacheprovider", "-q", "--tb=short", "-o", "junit_family=xunit1", f"--junitxml={report}", *options)
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", *more, *tests]
    with (tree / "said").open("wb") as said:
        process = subprocess.Popen(command, cwd=tree, env=environment, stdout=said, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            # Whatever the tests started stands in the session that we made.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return list(_results(report)) if report.exists() else []


def _results(report: Path) -> Iterator[tuple[str, str, str]]:
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        found = next((child for child in case if child.tag in {"failure", "error", "skipped"}), None)
        name = f"{case.get('file')}::{case.get('name')}"
        yield (name, "passed", "") if found is None else (name, found.tag, found.get("message") or "")


def without_guard(guard: Guard, source: Path) -> Outcome:
    """Run the guard's tests where it is gone."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        tree = copy_tree(Path(folder), source)
        try:
            for cut in guard.cuts:
                take_out(cut, tree)
        except ValueError as error:
            return Outcome(BROKE, "", str(error), 0.0)
        results = run_pytest(tree, guard.tests, guard.seconds, "-x")
    return Outcome(*judged(results, hangs=guard.hangs), time.monotonic() - began)


def judged(results: list[tuple[str, str, str]] | None, *, hangs: bool = False) -> tuple[str, str, str]:
    """Word, test and why of a run without a guard: only a test that failed by itself has seen the fault."""
    if results is None:
        return FAILED if hangs else HUNG, "", "no end within the limit"
    for name, outcome, message in results:
        if outcome == "failure":
            return BROKE if message.startswith(BROKEN_BY) else FAILED, name, message
    for name, outcome, message in results:
        if outcome == "error":
            return BROKE, name, message
    if not any(outcome == "passed" for _, outcome, _ in results):
        return NOT_RUN, "", next((message for _, _, message in results), "nothing was collected")
    return SURVIVED, "", f"{len(results)} tests saw nothing"


def untouched(tests: Sequence[str], source: Path) -> dict[str, str]:
    """Run all tests on a copy as it is; what is wrong with each that does not pass."""
    with tempfile.TemporaryDirectory() as folder:
        tree = copy_tree(Path(folder), source)
        results = run_pytest(tree, tests, UNTOUCHED_SECONDS)
        said = (tree / "said").read_text(errors="replace")
    if results is None:
        return dict.fromkeys(tests, "it did not end")
    wrong: dict[str, str] = {}
    for test in tests:
        mine = [(outcome, message) for name, outcome, message in results if name == test or name.startswith(f"{test}[")]
        bad = next((f"{outcome}: {message[:100]}" for outcome, message in mine if outcome != "passed"), "")
        if bad or not mine:
            wrong[test] = bad or f"it did not run: {said[-200:]}"
    return wrong


def campaign(chosen: Sequence[Guard], jobs: int) -> int:
    """Run it and print the table; 0 when every guard is watched."""
    tests = list(dict.fromkeys(test for guard in chosen for test in guard.tests))
    began = time.monotonic()
    # One state of the tree for all, whatever is edited meanwhile.
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        source = copy_tree(Path(folder))
        whole = pool.submit(untouched, tests, source)
        bad = 0
        for guard, outcome in zip(chosen, pool.map(lambda guard: without_guard(guard, source), chosen), strict=True):
            bad += outcome.word != FAILED
            cells = (guard.fault, guard.place, outcome.word, f"{outcome.seconds:.1f} s", short(outcome.test), brief(outcome.why, 80))
            say(" | ".join(cells))
        wrong = whole.result()
    for test, why in wrong.items():
        say(f"NOT GREEN UNTOUCHED | {test} | {why}")
    faults = len({guard.fault for guard in chosen})
    say(f"{faults} faults, {len(chosen)} guards taken out: {len(chosen) - bad} seen by a test, {bad} not;")
    say(f"untouched: {len(tests) - len(wrong)} of {len(tests)} tests pass; {time.monotonic() - began:.0f} s")
    return 1 if bad or wrong else 0


def short(test: str) -> str:
    """A node id without its folder, and not longer than a line."""
    file, _, case = test.partition("::")
    return brief(f"{Path(file).name}::{case}", 150) if case else test


def brief(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 3] + "..."


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.guards", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="F-0xx", default=[], help="these faults alone")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once (2)")
    asked = parser.parse_args()
    if unknown := set(asked.only) - set(catalogue()):
        parser.error(f"not in {CATALOGUE.name}: {', '.join(sorted(unknown))}")
    return campaign(guards(asked.only), asked.jobs)


if __name__ == "__main__":
    sys.exit(main())
