"""Runs of pytest in forks of one process that has imported what takes long, each in a copy of the tree with some of it changed.

The process that forks has imported neither the program nor its tests: a fork takes them from its copy as they stand there by then.
"""

import gc
import importlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import pytest

J = TypeVar("J")
Results = list[tuple[str, str, str]]
"""(node id, outcome, message) of each test that ran; outcomes are junit's: passed, failure, error, skipped."""

# What the tests import most of their time; none of it is patched.
SLOW_IMPORTS = (
    "aiohttp",
    "aiohttp.web",
    "hypothesis",
    "numpy",
    "pydantic",
    "structlog",
    "talib",
    "typer.testing",
    "web3",
    "yaml",
    "standardwebhooks",
)
OURS = ("monitor", "tests")
LOOK_SECONDS = 0.02
QUIETLY = ("-q", "--tb=native", "-p", "no:cacheprovider", "-p", "no:cov")


@dataclass(frozen=True)
class Run(Generic[J]):
    """One run of pytest. `prepare` changes the copy; it raises ValueError where that cannot be done. `compiles`: leaves compiled files behind."""

    job: J
    tests: Sequence[str]
    seconds: float
    prepare: Callable[[Path], object] = lambda tree: None
    options: Sequence[str] = ()
    compiles: bool = False


@dataclass(frozen=True)
class Ended(Generic[J]):
    """`results` is None where the run had to be stopped; `trouble` says why there was none."""

    job: J
    results: Results | None
    seconds: float
    trouble: str = ""
    said: str = ""


class _Reports:
    """A pytest plug-in that keeps what became of each test, in junit's words."""

    def __init__(self) -> None:
        self.results: Results = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.results.append((report.nodeid, _word(report), _message(report)))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.outcome == "failed":
            self.results.append((report.nodeid, "error", _message(report)))


def _word(report: pytest.TestReport) -> str:
    if report.outcome != "failed":
        return report.outcome
    return "failure" if report.when == "call" else "error"


def _message(report: pytest.TestReport | pytest.CollectReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        return str(crash.message)
    skipped = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    return str(skipped or "")


def warm() -> None:
    """Import once what every fork would, and spare each fork's garbage collector from looking through it."""
    for name in SLOW_IMPORTS:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def run_all(runs: Sequence[Run[J]], source: Path, trees: Sequence[Path]) -> Iterator[Ended[J]]:
    """As many runs at once as there are trees, each of which is `source` again afterwards. In the order in which they end."""
    waiting, free, running = list(reversed(runs)), list(trees), dict[int, tuple[Run[J], Path, float]]()
    try:
        while waiting or running:
            while waiting and free:
                run, tree = waiting.pop(), free.pop()
                try:
                    run.prepare(tree)
                except ValueError as error:
                    free.append(restored(tree, source))
                    yield Ended(run.job, [], 0.0, str(error))
                    continue
                running[_fork(tree, run)] = run, tree, time.monotonic()
            for child in _over(running):
                run, tree, began = running.pop(child)
                yield _ended(run, tree, began)
                free.append(restored(tree, source))
            time.sleep(LOOK_SECONDS)
    finally:
        for child in running:
            _end(child)


def _over(running: "dict[int, tuple[Run[J], Path, float]]") -> list[int]:
    """The children that have ended, and those whose time is up."""
    found = []
    for child, (run, _, began) in running.items():
        ended = os.waitpid(child, os.WNOHANG)[0] == child
        if ended or time.monotonic() - began > run.seconds:
            _end(child, reaped=ended)
            found.append(child)
    return found


def _end(child: int, *, reaped: bool = False) -> None:
    """End a child and all that its tests started: they stand in the session that it made."""
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if not reaped:
        os.waitpid(child, 0)


def _ended(run: Run[J], tree: Path, began: float) -> Ended[J]:
    report, said = tree / "report.json", (tree / "said").read_text(errors="replace")
    seconds = time.monotonic() - began
    if not report.exists():
        late = seconds > run.seconds
        return Ended(run.job, None if late else [], seconds, "" if late else f"pytest ended early: {said[-300:]}", said)
    return Ended(run.job, [(name, outcome, message) for name, outcome, message in json.loads(report.read_text())], seconds, "", said)


def restored(tree: Path, source: Path) -> Path:
    """Put back every file that differs from the source by time or size, and forget what was compiled of it."""
    for name in ("report.json", "said"):
        (tree / name).unlink(missing_ok=True)
    for file in changed(tree, source):
        shutil.copy2(source / file, tree / file)
        forget_compiled(tree / file)
    return tree


def changed(tree: Path, source: Path) -> list[Path]:
    """The source's files that stand otherwise in the tree."""
    files = [path.relative_to(source) for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return [file for file in files if not (tree / file).exists() or _stamp(tree / file) != _stamp(source / file)]


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


def forget_compiled(file: Path) -> None:
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*"):
        compiled.unlink()


def _fork(tree: Path, run: Run[J]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.setsid()
        _become(tree)
        sys.dont_write_bytecode = not run.compiles
        reports = _Reports()
        # pytest keeps the temporary folders of its last three runs, and there are more than that at once.
        pytest.main([*QUIETLY, f"--basetemp={tree.with_name('temporary')}", *run.options, *run.tests], plugins=[reports])
        (tree / "report.tmp").write_text(json.dumps(reports.results))
        (tree / "report.tmp").rename(tree / "report.json")
        code = 0
    finally:
        sys.stdout.flush()
        os._exit(code)


def _become(tree: Path) -> None:
    """Live in this tree alone: its words into a file, its modules and no others."""
    os.chdir(tree)
    said = os.open(tree / "said", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.environ |= {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    sys.path[:] = [str(tree), *(place for place in sys.path if place and not (Path(place) / "monitor" / "__init__.py").exists())]
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
