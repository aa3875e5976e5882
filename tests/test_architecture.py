"""The rules of the house hold, and each guard is seen to fail where its rule is broken."""

import ast
import os
import re
import shutil
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_socket import SocketBlockedError

import monitor
from tests.integration import tools

ROOT = Path(__file__).resolve().parents[1]
TOOLS = Path(sys.executable).parent
FILE_LINES = 400
FUNCTION_LINES = 50


def run(folder: Path, *command: str) -> tuple[int, str]:
    """Exit code and everything said, with nothing inherited that would lead a tool back to this tree."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST", "PYTHON"))}
    environment = kept | {"COLUMNS": "240", "NO_COLOR": "1"}
    program = str(TOOLS / command[0])
    done = subprocess.run([program, *command[1:]], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def plant(folder: Path, files: dict[str, str]) -> None:
    for name, source in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))


# --- the order of imports -------------------------------------------------------------------------------------------------------

VIOLATIONS = [
    ("a rule reaches the store", "rules/planted.py", "import sqlite3", "monitor.rules.planted -> sqlite3"),
    ("a rule knows a rule", "rules/planted_a.py", "import monitor.rules.planted", "monitor.rules.planted_a -> monitor.rules.planted"),
    ("a gate knows a gate", "gates/planted_a.py", "import monitor.gates.planted", "monitor.gates.planted_a -> monitor.gates.planted"),
    (
        "a venue knows a venue",
        "collectors/planted_a.py",
        "import monitor.collectors.planted",
        "monitor.collectors.planted_a -> monitor.collectors.planted",
    ),
    ("the core awaits", "core/planted.py", "import asyncio", "monitor.core.planted -> asyncio"),
    ("the core looks up", "core/planted_up.py", "import monitor.store", "monitor.core.planted_up -> monitor.store"),
    ("a gate reads files", "gates/planted_up.py", "import monitor.resources", "monitor.gates.planted_up -> monitor.resources"),
    ("a sink knows the store", "sinks/planted.py", "import monitor.store", "monitor.sinks.planted -> monitor.store"),
]


@pytest.fixture(scope="module")
def import_report(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str]:
    """What lint-imports says of this tree with every violation planted at once: each shows on its own line."""
    folder = tmp_path_factory.mktemp("imports")
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(ROOT / "monitor", folder / "monitor", ignore=shutil.ignore_patterns("__pycache__"))
    plant(folder, {f"monitor/{name}/planted.py": "" for name in ("rules", "gates", "collectors")})
    plant(folder, {f"monitor/{name}": source + "\n" for _, name, source, _ in VIOLATIONS})
    return run(folder, "lint-imports", "--no-cache")


@pytest.mark.parametrize("chain", [pytest.param(chain, id=case.replace(" ", "-")) for case, _, _, chain in VIOLATIONS])
def test_lint_imports_fails_and_names_the_import(import_report: tuple[int, str], chain: str):
    code, said = import_report

    assert code == 1
    assert re.search(rf"{re.escape(chain)} \(l\.1\)", said), said


@pytest.mark.parametrize(
    "contract",
    [
        "imports run one way",
        "rules and gates import core alone",
        "no rule knows a rule",
        "no gate knows a gate",
        "no venue knows a venue",
        "the brain reads no clock, file, socket or dice",
    ],
)
def test_each_import_contract_is_broken_by_its_violation(import_report: tuple[int, str], contract: str):
    assert re.search(rf"^{contract} BROKEN", import_report[1], re.MULTILINE), import_report[1]


def test_lint_imports_refuses_a_module_that_has_no_place_in_the_order(tmp_path: Path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "monitor", tmp_path / "monitor", ignore=shutil.ignore_patterns("__pycache__"))
    plant(tmp_path, {"monitor/utils.py": ""})

    code, said = run(tmp_path, "lint-imports", "--no-cache")

    assert code == 1
    assert "monitor.utils" in said


# --- lint, types, coverage, sockets ---------------------------------------------------------------------------------------------

CLOCK = """
import datetime
import time

NOW = datetime.datetime.now(tz=datetime.UTC), time.time()
"""


@pytest.mark.parametrize("folder", ["core", "rules", "gates"])
def test_ruff_refuses_a_clock_where_thinking_is_done(tmp_path: Path, folder: str):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    plant(tmp_path, {f"monitor/{folder}/planted.py": CLOCK, f"monitor/{folder}/deeper/planted.py": CLOCK, "monitor/sinks/planted.py": CLOCK})

    code, said = run(tmp_path, "ruff", "check", "--no-cache", "--output-format", "concise", "--select", "TID251", ".")

    assert code == 1
    for place in (f"monitor/{folder}/planted.py", f"monitor/{folder}/deeper/planted.py"):
        assert f"{place}:3:8: TID251 `time` is banned" in said
        assert f"{place}:5:7: TID251 `datetime.datetime.now` is banned" in said
    assert "sinks" not in said


def test_mypy_refuses_a_function_without_types(tmp_path: Path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    plant(tmp_path, {"monitor/core/planted.py": "def double(value):\n    return 2 * value\n", "tests/test_planted.py": "1 + ''\n"})

    code, said = run(tmp_path, "mypy")

    assert code == 1
    assert "monitor/core/planted.py:1: error: Function is missing a type annotation  [no-untyped-def]" in said
    assert "tests/test_planted.py:1: error: Unsupported operand types" in said


# With 2 alone every line runs and one branch does not.
BRANCH = "def cap(value: float) -> float:\n    if value > 1:\n        value = 1.0\n    return value\n"


@pytest.mark.parametrize("folder", ["core", "rules", "gates"])
@pytest.mark.parametrize(("values", "gate"), [("(2,)", 2), ("(2, 1)", 0)], ids=["one-branch-untested", "all-tested"])
def test_the_coverage_gate_wants_every_branch_of_what_thinks(tmp_path: Path, folder: str, values: str, gate: int):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    plant(tmp_path, {"monitor/__init__.py": "", f"monitor/{folder}/__init__.py": "", f"monitor/{folder}/planted.py": BRANCH})
    plant(tmp_path, {"monitor/sinks/__init__.py": "", "monitor/sinks/untested.py": BRANCH})
    plant(tmp_path, {"use.py": f"from monitor.{folder}.planted import cap\nfor value in {values}:\n    cap(value)\n"})

    assert run(tmp_path, "coverage", "run", "use.py") == (0, "")
    code, said = run(tmp_path, "coverage", "report")

    assert code == gate
    assert ("planted.py" in said) == (gate != 0)
    assert "untested" not in said


@pytest.mark.filterwarnings("ignore:A test tried to use")
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["ipv4", "ipv6"])
def test_a_unit_test_cannot_open_a_socket(family: socket.AddressFamily):
    with pytest.raises(SocketBlockedError):
        socket.socket(family)


@pytest.mark.filterwarnings("ignore:A test tried to use")
def test_a_unit_test_cannot_resolve_a_name():
    with pytest.raises(SocketBlockedError):
        socket.getaddrinfo("localhost", 80)


@pytest.mark.parametrize("ci", ["true", "1"])
def test_in_ci_a_missing_tool_is_a_failure(ci: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CI", ci)

    with pytest.raises(pytest.fail.Exception, match="anvil is missing: npm install"):
        tools.missing("anvil", "npm install")


@pytest.mark.parametrize("ci", ["", "false"])
def test_elsewhere_a_missing_tool_is_a_skip_of_one_line(ci: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CI", ci)

    with pytest.raises(pytest.skip.Exception, match=r"\Aanvil is missing: npm install\Z"):
        tools.missing("anvil", "npm install")


# --- the codemap ----------------------------------------------------------------------------------------------------------------


DISCOVERED = {"rules", "gates", "collectors", "cli"}


def modules(package: Path) -> set[str]:
    """Every file and folder of the package as the codemap writes it: `errors.py`, `core/`, `core/amm.py`.

    Of the plug-ins and the commands only the folder has a line: adding one touches no existing file.
    """
    files = {path.relative_to(package) for path in package.rglob("*.py")}
    folders = {path.parent for path in files if path.parent != Path()}
    named = {path for path in files if not path.name.startswith("__") and str(path.parent) not in DISCOVERED}
    return {str(path) for path in named} | {f"{path}/" for path in folders}


def mapped(codemap: str) -> list[str]:
    """The names that have a line of their own, each followed by what it is."""
    return re.findall(r"^ {4}(\S+(?:/|\.py)) +\S", codemap, re.MULTILINE)


def test_the_codemap_names_every_module_once_and_nothing_else():
    here, named = modules(ROOT / "monitor"), mapped(monitor.__doc__ or "")

    assert sorted(here - set(named)) == [], "add a line to the docstring of monitor/__init__.py for each"
    assert sorted(set(named) - here) == [], "gone: take their lines out of the docstring of monitor/__init__.py"
    assert len(named) == len(set(named))


def test_a_module_without_its_line_is_seen(tmp_path: Path):
    plant(tmp_path, {"__init__.py": "", "errors.py": "", "core/__init__.py": "", "core/amm.py": ""})

    assert modules(tmp_path) == {"errors.py", "core/", "core/amm.py"}
    assert mapped("Flow.\n\n    errors.py   by who can mend them\n    core/   think\n    core/amm.py\n    a -> b/ c\n") == [
        "errors.py",
        "core/",
    ]


# --- sizes ----------------------------------------------------------------------------------------------------------------------


def too_large(name: str, source: str) -> Iterator[str]:
    lines = len(source.splitlines())
    if lines > FILE_LINES:
        yield f"{name}: {lines} lines"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{name}:{node.lineno}: {node.name} has {length} lines"


def test_no_file_and_no_function_is_too_large():
    files = [path for folder in ("monitor", "tests", "bench") for path in (ROOT / folder).rglob("*.py")]

    assert [problem for path in files for problem in too_large(str(path.relative_to(ROOT)), path.read_text())] == []


@pytest.mark.parametrize(
    ("source", "problems"),
    [
        ("\n" * 400, []),
        ("\n" * 401, ["x.py: 401 lines"]),
        ("def f():\n" + "    f()\n" * 49, []),
        ("def f():\n" + "    f()\n" * 50, ["x.py:1: f has 51 lines"]),
        ("class A:\n    async def f(self):\n" + "        f()\n" * 50, ["x.py:2: f has 51 lines"]),
    ],
    ids=["400-lines", "401-lines", "50-line-function", "51-line-function", "51-line-method"],
)
def test_the_limits_on_size_are_exact(source: str, problems: list[str]):
    assert list(too_large("x.py", source)) == problems
