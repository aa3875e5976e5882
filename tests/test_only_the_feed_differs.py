"""What thinks and decides does not know whether it is being played to: a live run and a played stress differ in the feed alone."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "monitor"
WORDS = re.compile(r"\b(demo|story)\b", re.IGNORECASE)
THINKS = ("core", "rules", "gates", "collectors", "replay", "pipeline.py", "daemon.py", "registry.py")
# The page says where a played history stands, by a value that it is handed, and the store names the command; neither reaches for it.
SHOWS = ("sinks", "store")


def modules(names: tuple[str, ...], package: Path = PACKAGE) -> Iterator[Path]:
    for name in names:
        path = package / name
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path] if path.exists() else []


def mentions(path: Path) -> list[str]:
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    return [f"{path.name}:{number}: {line.strip()}" for number, line in lines if WORDS.search(line)]


def reaches(path: Path) -> list[str]:
    """Imports of the played stress, however they are written."""
    named: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            named += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            named += [f"{node.module}.{alias.name}" for alias in node.names]
    return [f"{path.name}: {name}" for name in named if name.startswith("monitor.story")]


def test_nothing_that_thinks_mentions_a_played_stress():
    found = [line for path in modules(THINKS) for line in mentions(path)]

    assert found == []


def test_nothing_that_shows_reaches_for_one():
    found = [line for path in modules((*THINKS, *SHOWS)) for line in reaches(path)]

    assert found == []


def test_there_is_something_to_look_at():
    assert len(list(modules(THINKS))) > 40
    assert len(list(modules(SHOWS))) > 3


@pytest.mark.parametrize(
    ("line", "seen"),
    [("if demo:", True), ("# as in the Demo", True), ("told = story.at", True), ("history = democracy(stories)", False)],
)
def test_whole_words_are_seen_and_parts_of_words_are_not(tmp_path: Path, line: str, seen: bool):
    path = tmp_path / "planted.py"
    path.write_text(line + "\n")

    assert bool(mentions(path)) is seen


@pytest.mark.parametrize("line", ["import monitor.story.plot", "from monitor.story import scenario", "from monitor import story"])
def test_every_way_to_import_it_is_seen(tmp_path: Path, line: str):
    path = tmp_path / "planted.py"
    path.write_text(f"def later() -> None:\n    {line}\n")

    assert len(reaches(path)) == 1
