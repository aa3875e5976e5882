"""The campaign of the mutants: the mathematics of core is changed in one place at a time, and a test must fail.

`python -m tests.mutants [--count 100] [--seed 4] [--only amm ...] [--jobs 2]`. A change is of a comparison (`<` into `<=`), of a sign (`+` into
`-`) or of a constant (`2` into `3`), drawn at random from all that there are. The tests that are run are those that import the module, or
what is made of it. Exit code 1 when fewer than 95% are seen, or when a test fails on the untouched tree.
"""

import argparse
import ast
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from tests.forked import Ended, Run, forget_compiled, run_all, warm
from tests.guards import ROOT, WHOLE, brief, compile_once, copy_tree, say, wrong_untouched

CORE = Path("monitor") / "core"
# What computes numbers: indicators, positions, risk and layers. What reads facts and believes them has guards of its own (tests/guards.py).
MATHEMATICS = (
    "aave", "amm", "amm_v4", "beta", "black", "breakeven", "capital", "cash_flow", "condor", "constant_product", "cost_of_capital",
    "exposure", "funding", "horizon", "implied", "indicators", "instruments", "iv_beta", "layer_return", "liquidation", "liquidity", "loss",
    "loss_offset", "many_ranges", "market_beta", "marks", "options", "perpetual", "pool_share", "positions.balancer", "positions.curve",
    "positions.iron_condor", "positions.lending", "positions.option", "positions.perp", "positions.tokens", "positions.treasury",
    "positions.uniswap_v2", "positions.uniswap_v3", "ranges", "redemption", "risk", "sizing", "stableswap", "standing", "tail", "treasury", "trends",
    "tvl", "vix_futures", "volatility", "weighted", "xirr",
)  # fmt: skip
COMPARISONS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
LEAST_SHARE = 0.95
MUTANT_SECONDS = 120.0
UNTOUCHED_SECONDS = 900.0


@dataclass(frozen=True)
class Mutant:
    """One change: what stands at these bytes of a file, and what is put there."""

    file: str
    line: int
    start: int
    end: int
    was: str
    becomes: str

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}: {self.was} -> {self.becomes}"

    def put(self, tree: Path) -> None:
        file = tree / self.file
        source = file.read_bytes()
        file.write_bytes(source[: self.start] + self.becomes.encode() + source[self.end :])
        forget_compiled(file)


def mutants(file: str, source: str) -> list[Mutant]:
    """Every comparison, sign and constant of a source that can be changed, in its order. Annotations and texts are left as they are."""
    tree = ast.parse(source)
    starts = _line_starts(source)
    code = source.encode()
    found = []
    for node in _computing(tree):
        for begin, end, becomes in _changes(node, code, starts):
            line = source.encode()[:begin].count(b"\n") + 1
            found.append(Mutant(file, line, begin, end, code[begin:end].decode(), becomes))
    return sorted(found, key=lambda mutant: mutant.start)


def _computing(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those of annotations: a type is not a number that is computed."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "type_params"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _computing(child)


def _changes(node: ast.AST, code: bytes, starts: Sequence[int]) -> Iterator[tuple[int, int, str]]:
    def begin(one: ast.expr) -> int:
        return starts[one.lineno - 1] + one.col_offset

    def end(one: ast.expr) -> int:
        return starts[(one.end_lineno or 0) - 1] + (one.end_col_offset or 0)

    if isinstance(node, ast.Compare):
        for left, right in zip([node.left, *node.comparators], node.comparators, strict=False):
            yield from _operator(code, end(left), begin(right), COMPARISONS)
    elif isinstance(node, ast.BinOp):
        yield from _operator(code, end(node.left), begin(node.right), {"+": "-", "-": "+"})
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield begin(node), begin(node) + 1, ""
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        yield begin(node), end(node), _other(node.value)


def _operator(code: bytes, begin: int, end: int, instead: dict[str, str]) -> Iterator[tuple[int, int, str]]:
    """The operator between two operands: alone there, but for brackets, comments and line ends."""
    found = re.search(rb"[<>=!]=?|[+-]|\*\*?|//?|%|&|\||\^|@", code[begin:end])
    if found and (other := instead.get(found.group().decode())) is not None:
        yield begin + found.start(), begin + found.end(), other


def _other(value: float) -> str:
    """A number near by that no rounding makes the same again."""
    if isinstance(value, int):
        return str(value + 1)
    return repr(value * 1.1) if value else "1.0"


def _line_starts(source: str) -> list[int]:
    starts = [0]
    for line in source.encode().split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)
    return starts


def watching(module: str, root: Path = ROOT) -> list[str]:
    """The unit tests of a module of core, as paths from the root: the one of its name, those that import it, then those of the rules, gates
    and modules of core that import it. Where there are none, those of what these are imported by, and so on.
    """
    thinking = [file for part in ("core", "rules", "gates") for file in sorted((root / "monitor" / part).rglob("*.py"))]
    tests = [file for file in sorted((root / "tests").rglob("test_*.py")) if "integration" not in file.parts]
    own = f"test_{module.rpartition('.')[2]}"
    # The series of the rules are tested by one file for all of them.
    tables = root / "tests" / "rules" / "test_yaml_files.py"
    ring, seen, found = {f"monitor.core.{module}"}, set[str](), list[Path]()
    for distance in range(len(thinking)):
        if not ring or (found and distance > 1):
            break
        of_rules = any(name.startswith("monitor.rules.") for name in ring)
        found += [file for file in tests if file not in found and (ring & imported(file) or (of_rules and file == tables))]
        seen |= ring
        ring = {_module_of(file, root) for file in thinking if ring & imported(file)} - seen
    return [str(file.relative_to(root)) for file in sorted(found, key=lambda file: file.stem != own)]


def _module_of(file: Path, root: Path) -> str:
    return ".".join(file.relative_to(root).with_suffix("").parts)


@cache
def imported(file: Path) -> frozenset[str]:
    """What a file imports, each name by itself: `from a import b` gives `a` and `a.b`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def drawn(modules: Sequence[str], count: int, seed: int, root: Path = ROOT) -> list[tuple[Mutant, tuple[str, ...]]]:
    """A random sample with the tests that must see each. ValueError for a module that no unit test imports."""
    every: list[tuple[Mutant, tuple[str, ...]]] = []
    for module in modules:
        file = CORE / f"{module.replace('.', '/')}.py"
        tests = tuple(watching(module, root))
        if not tests:
            raise ValueError(f"no unit test imports {file}: its numbers are watched by nobody")
        every += [(mutant, tests) for mutant in mutants(str(file), (root / file).read_text(encoding="utf-8"))]
    return random.Random(seed).sample(every, min(count, len(every)))


@dataclass(frozen=True)
class Outcome:
    mutant: Mutant
    killed: bool
    by: str
    seconds: float


def judged(mutant: Mutant, ended: Ended[int]) -> Outcome:
    """Killed when a test failed, when the program could no longer be imported, or when it did not end."""
    failed = next((name for name, outcome, _ in ended.results or () if outcome in {"failure", "error"}), "")
    by = "it did not end" if ended.results is None else failed or ended.trouble
    return Outcome(mutant, bool(by), by, ended.seconds)


def campaign(sample: Sequence[tuple[Mutant, tuple[str, ...]]], jobs: int, root: Path = ROOT) -> tuple[list[Outcome], dict[str, str]]:
    """What became of each mutant, and what is wrong with tests where nothing was changed."""
    every = list(dict.fromkeys(test for _, tests in sample for test in tests))
    slow = ["-m", "not slow and not recorded"]
    runs = [Run(WHOLE, every, UNTOUCHED_SECONDS, options=slow)]
    runs += [Run(n, tests, MUTANT_SECONDS, partial(Mutant.put, mutant), ["-x", *slow]) for n, (mutant, tests) in enumerate(sample)]
    outcomes: list[Outcome] = []
    wrong: dict[str, str] = {}
    warm()
    with tempfile.TemporaryDirectory() as folder:
        source = copy_tree(Path(folder), root)
        compile_once(source, every)
        trees = [copy_tree(Path(folder) / str(number), source) for number in range(jobs)]
        for ended in run_all(runs, source, trees):
            if ended.job == WHOLE:
                wrong = {test: why for test, why in _wrong_files(every, ended).items() if why}
                continue
            outcomes.append(judged(sample[ended.job][0], ended))
            say_outcome(outcomes[-1])
    return outcomes, wrong


def _wrong_files(tests: Sequence[str], ended: Ended[int]) -> dict[str, str]:
    if ended.results is None:
        return wrong_untouched(tests, ended)
    bad = [(name, message) for name, outcome, message in ended.results if outcome not in {"passed", "skipped"}]
    return {name: brief(message, 100) for name, message in bad} if ended.results else dict.fromkeys(tests, f"nothing ran: {ended.said[-200:]}")


def say_outcome(outcome: Outcome) -> None:
    say(f"{'killed' if outcome.killed else 'SURVIVED'} | {outcome.mutant.place} | {outcome.seconds:.1f} s | {brief(outcome.by, 120)}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=100, help="how many (100)")
    parser.add_argument("--seed", type=int, default=4, help="which ones (4)")
    parser.add_argument("--only", nargs="+", metavar="MODULE", default=list(MATHEMATICS), help="these modules of core alone")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once (2)")
    asked = parser.parse_args()
    began = time.monotonic()
    try:
        sample = drawn(asked.only, asked.count, asked.seed)
    except (OSError, ValueError) as problem:
        parser.error(str(problem))
    outcomes, wrong = campaign(sample, asked.jobs)
    for test, why in wrong.items():
        say(f"NOT GREEN UNTOUCHED | {test} | {why}")
    killed = sum(outcome.killed for outcome in outcomes)
    for outcome in sorted(outcomes, key=lambda one: one.mutant.place):
        if not outcome.killed:
            say(f"survivor: {outcome.mutant.place}")
    share, seconds = killed / max(1, len(outcomes)), time.monotonic() - began
    say(f"{len(outcomes)} mutants of {len(asked.only)} modules, seed {asked.seed}: {killed} killed, {share:.0%}; {seconds:.0f} s")
    return 0 if outcomes and not wrong and killed >= LEAST_SHARE * len(outcomes) else 1


if __name__ == "__main__":
    # Threads of numpy's own would not live on in a fork.
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    sys.exit(main())
