"""F-152, the unpinned dependency: what is installed is what was locked, each file by its hash, from wherever the user's tools fetch it."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PIN = re.compile(r"[a-z0-9][a-z0-9._-]*==[^\s=]+(?: ; [^\\\n]+)?(?: \\\n    --hash=sha256:[0-9a-f]{64})+")


def normalised(requirement: str) -> str:
    """The name alone, as the locks write it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement)[0]).lower()


def unpinned(lock: str) -> str:
    """What is left of a lock when every pin with its hashes is taken out."""
    return PIN.sub("", lock).strip()


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-test.txt"])
def test_every_line_of_a_lock_is_a_version_with_its_hashes_F_152(name: str):
    assert unpinned((ROOT / name).read_text()) == ""


@pytest.mark.parametrize(
    "line",
    ["numpy>=2", "numpy==2.4.6", "--extra-index-url file:///mirror", "numpy @ file:///wheel", "numpy==2.4.6 \\\n    --hash=md5:00"],
    ids=["range", "no-hash", "index", "address", "weak-hash"],
)
def test_a_line_that_is_not_a_pin_is_seen(line: str):
    pin = "rich==15.0.0 \\\n    --hash=sha256:" + "0" * 64

    assert unpinned(f"{pin}\n{line}\n{pin}\n") == line


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("requirements.txt", PROJECT["project"]["dependencies"] + PROJECT["build-system"]["requires"]),
        ("requirements-test.txt", PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["test"]),
    ],
)
def test_everything_declared_is_locked(name: str, declared: list[str]):
    locked = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / name).read_text(), re.MULTILINE))

    assert {normalised(requirement) for requirement in declared} - locked == set()


def test_the_locks_agree_on_what_runs():
    run, test = (set(PIN.findall((ROOT / name).read_text())) for name in ("requirements.txt", "requirements-test.txt"))

    assert run - test == set()
