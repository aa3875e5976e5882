"""Every YAML file beside this one, through `rules test`'s own runner: one case a test of the file."""

from pathlib import Path

import pytest

from monitor.cli.rule_file import read_tests
from monitor.registry import Catalogue
from monitor.replay.rule_tests import RuleTest, failures

FILES = sorted(Path(__file__).parent.glob("*.yaml"))
TESTS = [(file.stem, test) for file in FILES for test in read_tests(file, Catalogue().rules)]


@pytest.mark.parametrize("test", [test for _, test in TESTS], ids=[f"{stem}: {test.name}" for stem, test in TESTS])
def test_the_rule_says_what_its_file_expects(test: RuleTest) -> None:
    assert list(failures(test)) == []


def test_each_file_is_named_after_the_rule_that_it_tests() -> None:
    assert {(stem, test.rule) for stem, test in TESTS} == {(file.stem, file.stem) for file in FILES}
