"""The campaign of the guards: each guard of tests/faults.toml is taken out of a copy of the tree, and a test of its fault must fail.

`python -m tests.guards [--only F-015 ...] [--jobs 2] [--quick]`. The same tests are run on an untouched copy too, where all must pass. Exit
code 1 when a guard's absence goes unseen, or when a test cannot be trusted: it fails untouched, does not run, or breaks instead of failing.

`--quick` leaves out the tests that start programs (daemons, chains, browsers), and with them the guards that only such a test watches: it is
what the test suite runs.
"""

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from tests.forked import Ended, Results, Run, forget_compiled, run_all, warm

ROOT = Path(__file__).resolve().parents[1]
CATALOGUE = ROOT / "tests" / "faults.toml"
# Installed by the tests' own tools, large, and the same for every copy.
SHARED = ("node_modules", ".tools")
LEFT_BEHIND = shutil.ignore_patterns(".*", "node_modules", "dist", "build")
USUAL_SECONDS = 120.0
UNTOUCHED_SECONDS = 900.0
# The run in which nothing is taken out; the others are numbered from 0.
WHOLE = -1
# What a misspelt replacement raises; such a test has not seen the fault.
BROKEN_BY = ("NameError", "UnboundLocalError", "SyntaxError", "IndentationError", "ImportError", "ModuleNotFoundError")

# Test tools are imported by `from tests.integration.x import y` or `from tests.integration import x`.
_BESIDE = re.compile(r"^from tests\.integration(?:\.| import )(\w+)", re.MULTILINE)

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

    @property
    def quick_tests(self) -> tuple[str, ...]:
        """Those that start no program."""
        return tuple(test for test in self.tests if not starts_programs(ROOT / test.partition("::")[0]))


@dataclass(frozen=True)
class Outcome:
    """What became of one guard, the `number`th of those that were taken out. `test` is the one that failed, and `why` how; or why none counts."""

    number: int
    fault: str
    place: str
    word: str
    test: str
    why: str
    seconds: float


def catalogue(file: Path = CATALOGUE) -> dict[str, Any]:
    """tests/faults.toml as it stands."""
    return tomllib.loads(file.read_text(encoding="utf-8"))


def guards(only: Sequence[str] = (), file: Path = CATALOGUE) -> list[Guard]:
    """Every guard, or those of the named faults, in the order of the catalogue. A fault with a `reason` has none."""
    return [guard for fault, entry in catalogue(file).items() if not only or fault in only for guard in _guards_of(fault, entry)]


def _guards_of(fault: str, entry: dict[str, Any]) -> Iterator[Guard]:
    for one in entry.get("guard", ()):
        cuts = tuple(Cut(cut["file"], cut["find"], cut["replace"]) for cut in (one, *one.get("also", ())))
        tests = tuple(one.get("tests", entry["tests"]))
        yield Guard(fault, cuts, tests, float(entry.get("seconds", USUAL_SECONDS)), bool(one.get("hangs", False)))


@cache
def starts_programs(file: Path) -> bool:
    """Whether an integration test starts daemons, chains or browsers: it, or a module beside it that it imports, starts processes."""
    if "integration" not in file.parts:
        return False
    text = file.read_text(encoding="utf-8")
    beside = (Path(file.parent, f"{name}.py") for name in _BESIDE.findall(text))
    return "subprocess" in text or "playwright" in text or any(map(starts_programs, beside))


def without(cut: Cut, source: str) -> str:
    """The source without this guard. Raises ValueError unless the guard stands there exactly once."""
    if (count := source.count(cut.find)) != 1:
        raise ValueError(f"{cut.file}: {cut.find!r} stands there {count} times, not once")
    return source.replace(cut.find, cut.replace)


def take_out(guard: Guard, tree: Path) -> None:
    """Rewrite the files of a copy, and forget what was compiled of them."""
    for cut in guard.cuts:
        file = tree / cut.file
        file.write_text(without(cut, file.read_text(encoding="utf-8")), encoding="utf-8")
        forget_compiled(file)


def copy_tree(folder: Path, source: Path = ROOT) -> Path:
    """A copy of a tree, times and compiled files included, with what the tests installed linked in."""
    tree = Path(shutil.copytree(source, folder / "tree", ignore=LEFT_BEHIND))
    for name in SHARED:
        if (ROOT / name).is_dir():
            (tree / name).symlink_to(ROOT / name)
    return tree


def judged(results: Results | None, *, hangs: bool = False) -> tuple[str, str, str]:
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


def outcome_of(number: int, guard: Guard, ended: Ended[int]) -> Outcome:
    word, test, why = (BROKE, "", ended.trouble) if ended.trouble else judged(ended.results, hangs=guard.hangs)
    return Outcome(number, guard.fault, guard.place, word, test, why, ended.seconds)


def wrong_untouched(tests: Sequence[str], ended: Ended[int]) -> dict[str, str]:
    """What is wrong with each test that does not pass on a copy as it is."""
    if ended.results is None:
        return dict.fromkeys(tests, "it did not end")
    wrong: dict[str, str] = {}
    for test in tests:
        mine = [(outcome, message) for name, outcome, message in ended.results if name == test or name.startswith(f"{test}[")]
        bad = next((f"{outcome}: {message[:100]}" for outcome, message in mine if outcome != "passed"), "")
        if bad or not mine:
            wrong[test] = bad or f"it did not run: {ended.said[-200:]}"
    return wrong


@dataclass(frozen=True)
class Report:
    """What a campaign found: an outcome for each guard, and what is wrong with tests where nothing was taken out."""

    outcomes: list[Outcome]
    wrong: dict[str, str]

    @property
    def ok(self) -> bool:
        return not self.wrong and all(outcome.word == FAILED for outcome in self.outcomes)


def campaign(chosen: Sequence[Guard], jobs: int, *, quick: bool = False) -> Report:
    """Take out each guard in turn, and say what became of it."""
    tested = [(guard, tests) for guard in chosen if (tests := guard.quick_tests if quick else guard.tests)]
    every = list(dict.fromkeys(test for _, tests in tested for test in tests))
    runs = [Run(WHOLE, every, UNTOUCHED_SECONDS)]
    runs += [Run(n, tests, guard.seconds, partial(take_out, guard), ["-x"]) for n, (guard, tests) in enumerate(tested)]
    outcomes: list[Outcome] = []
    wrong: dict[str, str] = {}
    warm()
    # One state of the tree for all, whatever is edited meanwhile.
    with tempfile.TemporaryDirectory() as folder:
        source = copy_tree(Path(folder))
        compile_once(source, every)
        trees = [copy_tree(Path(folder) / str(number), source) for number in range(jobs)]
        for ended in run_all(runs if tested else [], source, trees):
            if ended.job == WHOLE:
                wrong = wrong_untouched(every, ended)
                continue
            outcomes.append(outcome_of(ended.job, tested[ended.job][0], ended))
            say_outcome(outcomes[-1])
    return Report(outcomes, wrong)


def compile_once(source: Path, tests: Sequence[str]) -> None:
    """Leave in the tree, before it is copied, what the import of these tests compiles."""
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    for _ in run_all([Run(WHOLE, files, UNTOUCHED_SECONDS, options=["--collect-only"], compiles=True)], source, [source]):
        pass


def say_outcome(outcome: Outcome) -> None:
    cells = (outcome.fault, outcome.place, outcome.word, f"{outcome.seconds:.1f} s", short(outcome.test), brief(outcome.why, 80))
    say(" | ".join(cells))


def say_sum(report: Report, seconds: float) -> None:
    for test, why in report.wrong.items():
        say(f"NOT GREEN UNTOUCHED | {test} | {why}")
    seen = sum(outcome.word == FAILED for outcome in report.outcomes)
    faults = len({outcome.fault for outcome in report.outcomes})
    say(f"{faults} faults, {len(report.outcomes)} guards taken out: {seen} seen by a test, {len(report.outcomes) - seen} not;")
    say(f"untouched: {len(report.wrong)} tests do not pass; {seconds:.0f} s")


def short(test: str) -> str:
    """A node id without its folder, and not longer than a line."""
    file, _, case = test.partition("::")
    return brief(f"{Path(file).name}::{case}", 150) if case else test


def brief(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 3] + "..."


def say(line: str) -> None:
    sys.stdout.write(line.encode(errors="backslashreplace").decode() + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.guards", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="F-0xx", default=[], help="these faults alone")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once (2)")
    parser.add_argument("--quick", action="store_true", help="without the tests that start programs")
    parser.add_argument("--catalogue", type=Path, default=CATALOGUE, help="another catalogue than tests/faults.toml")
    parser.add_argument("--report", type=Path, help="write what was found here, as JSON")
    asked = parser.parse_args()
    if unknown := set(asked.only) - set(catalogue(asked.catalogue)):
        parser.error(f"not in {asked.catalogue.name}: {', '.join(sorted(unknown))}")
    began = time.monotonic()
    report = campaign(guards(asked.only, asked.catalogue), asked.jobs, quick=asked.quick)
    say_sum(report, time.monotonic() - began)
    if asked.report is not None:
        asked.report.write_text(json.dumps(asdict(report)), encoding="utf-8")
    return 0 if report.ok else 1


if __name__ == "__main__":
    # Threads of numpy's own would not live on in a fork.
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    sys.exit(main())
