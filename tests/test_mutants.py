"""What the campaign of the mutants changes, and that it tells what nobody sees."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.forked import Ended
from tests.guards import ROOT
from tests.mutants import MATHEMATICS, Mutant, drawn, judged, mutants, watching

SOURCE = '''"""1 < 2 in a text is no comparison."""

LIMIT = 0.5


def f(a: "Literal[3]", b=-2):
    if 0 <= a < LIMIT:  # 7 > 6
        return (a + 1) * b
    return a - b if a != b else "4 + 4"
'''


def test_every_comparison_sign_and_constant_is_changed_and_no_annotation_or_text():
    assert [(m.line, m.was, m.becomes) for m in mutants("f.py", SOURCE)] == [
        (3, "0.5", "0.55"),
        (6, "-", ""),
        (6, "2", "3"),
        (7, "0", "1"),
        (7, "<=", "<"),
        (7, "<", "<="),
        (8, "+", "-"),
        (8, "1", "2"),
        (9, "-", "+"),
        (9, "!=", "=="),
    ]


def test_each_changed_source_is_a_program_that_differs(tmp_path: Path):
    whole = ast.dump(ast.parse(SOURCE))
    for mutant in mutants("f.py", SOURCE):
        (tmp_path / "f.py").write_text(SOURCE)
        mutant.put(tmp_path)
        assert ast.dump(ast.parse((tmp_path / "f.py").read_text())) != whole


def test_the_same_seed_draws_the_same_and_another_seed_others():
    first, again, other = (drawn(["beta", "trends"], 20, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert len(first) == 20


def test_a_module_that_no_unit_test_imports_is_told(tmp_path: Path):
    (tmp_path / "monitor" / "core").mkdir(parents=True)
    (tmp_path / "monitor" / "core" / "lonely.py").write_text("ONE = 1\n")
    (tmp_path / "tests").mkdir()
    with pytest.raises(ValueError, match=r"no unit test imports monitor/core/lonely\.py"):
        drawn(["lonely"], 1, 1, tmp_path)


@pytest.mark.parametrize("module", MATHEMATICS)
def test_each_module_is_watched_by_a_unit_test(module: str):
    assert (ROOT / "monitor" / "core" / f"{module.replace('.', '/')}.py").is_file()
    assert watching(module)


@pytest.mark.parametrize(
    ("ended", "killed", "by"),
    [
        (Ended(0, [("t::a", "passed", "")], 1.0), False, ""),
        (Ended(0, [("t::a", "passed", ""), ("t::b", "failure", "1 != 2")], 1.0), True, "t::b"),
        (Ended(0, [("t", "error", "ZeroDivisionError")], 1.0), True, "t"),
        (Ended(0, None, 9.0), True, "it did not end"),
        (Ended(0, [], 1.0, "pytest ended early: ..."), True, "pytest ended early: ..."),
    ],
)
def test_a_mutant_is_killed_by_a_failing_test_or_by_none_that_ends(ended: Ended[int], killed: bool, by: str):
    outcome = judged(Mutant("f.py", 1, 0, 1, "1", "2"), ended)
    assert (outcome.killed, outcome.by) == (killed, by)


def campaign(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
def test_the_campaign_kills_what_is_tested():
    said = campaign("-m", "tests.mutants", "--only", "beta", "--count", "2", "--seed", "1")
    assert "2 mutants of 1 modules, seed 1: 2 killed, 100%" in said.stdout, said.stdout + said.stderr
    assert said.returncode == 0


PLANTED = """
import sys
from pathlib import Path
from tests.mutants import campaign, drawn
root = Path(sys.argv[1])
campaign(drawn(["planted"], 9, 1, root), 1, root)
"""


@pytest.mark.slow
def test_the_campaign_names_what_no_test_sees(tmp_path: Path):
    """A function of two numbers whose test looks at one of them."""
    for folder in (tmp_path / "monitor", tmp_path / "monitor" / "core", tmp_path / "tests"):
        folder.mkdir()
        (folder / "__init__.py").touch()
    (tmp_path / "monitor" / "core" / "planted.py").write_text("def seen():\n    return 7\n\n\ndef unseen():\n    return 9\n")
    test = "from monitor.core.planted import seen, unseen\n\n\ndef test_it():\n    assert seen() == 7 and unseen() > 7\n"
    (tmp_path / "tests" / "test_planted.py").write_text(test)
    said = campaign("-c", PLANTED, str(tmp_path)).stdout
    assert "killed | monitor/core/planted.py:2: 7 -> 8" in said
    assert "SURVIVED | monitor/core/planted.py:6: 9 -> 10" in said
