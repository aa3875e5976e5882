"""Reads the YAML of `rules test` with the configuration's own reader: every mistake at once, each with its line."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.errors import ConfigError

if TYPE_CHECKING:
    from monitor.config.draft import Draft
    from monitor.config.yaml_text import Path as TreePath
    from monitor.config.yaml_text import Tree
    from monitor.core.book import Position
    from monitor.core.rule import Rule
    from monitor.replay.rule_tests import Expectation, Line, RuleTest

KEYS = ("name", "rule", "settings", "rules", "book", "positions", "series", "expect")


def read_tests(path: Path, rules: Mapping[str, "type[Rule]"]) -> "list[RuleTest]":
    """The tests of one file. Raises ConfigError with every mistake in it."""
    from monitor.config import yaml_text
    from monitor.config.draft import Draft, Place, path_text
    from monitor.config.typed import sequence

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or 'it is not UTF-8 text'})") from None
    document = yaml_text.read(text)
    draft = Draft({}, label=str(path), tree=document.tree, places={p: Place(str(path), line) for p, (line, _) in document.places.items()})
    for flaw in document.flaws:
        draft.add_at(Place(str(path), flaw.line), f"{path_text(flaw.path)}: {flaw.text}" if flaw.path else flaw.text)
    for key in draft.tree:
        if key != "tests":
            draft.add((key,), "there is no such key; a file of tests has `tests`, a list")
    if "tests" not in draft.tree and not document.flaws:
        draft.add((), "holds no tests: write `tests:` and a list, as `hedge-monitor rules test --help` shows")
    trees = sequence(draft, ("tests",), draft.tree.get("tests", []))
    found = [_Reader(draft, rules, ("tests", index)).test(tree) for index, tree in enumerate(trees)]
    draft.close()
    return [test for test in found if test is not None]


class _Reader:
    """Reads one test; each method tells its problems and goes on."""

    def __init__(self, draft: "Draft", rules: Mapping[str, "type[Rule]"], path: "TreePath") -> None:
        self.draft = draft
        self.rules = rules
        self.path = path

    def test(self, tree: "Tree") -> "RuleTest | None":
        from monitor.config.draft import nearest
        from monitor.config.typed import mapping, typed
        from monitor.core.book import Book
        from monitor.replay.rule_tests import RuleTest

        before = self.draft.count()
        part = mapping(self.draft, self.path, tree)
        for key in part:
            if key not in KEYS:
                self.draft.add((*self.path, key), f"there is no such key; {nearest(key, KEYS)}")
        rule, name = self._text(part, "rule"), self._text(part, "name")
        if rule and rule not in self.rules:
            self.draft.add((*self.path, "rule"), f"there is no rule {rule!r}; {nearest(rule, self.rules)}")
        settings = {one: found for one in _with_needs(rule, self.rules) if (found := self._settings(part, one, rule)) is not None}
        book = typed(self.draft, Book, (*self.path, "book"), part["book"]) if "book" in part else Book()
        lines, expected = list(self._lines(part)), list(self._expected(part, rule))
        positions = self._positions(part)
        if self.draft.count() > before or book is None:
            return None
        return RuleTest(name, rule, settings, lines, expected, book, positions)

    def _text(self, part: "dict[str, Tree]", key: str) -> str:
        value = part.get(key)
        if not isinstance(value, str):
            self.draft.add((*self.path, key) if key in part else self.path, f"`{key}` is needed, plain text")
            return ""
        return value

    def _settings(self, part: "dict[str, Tree]", one: str, rule: str) -> "dict[str, object] | None":
        """The settings of the rule itself stand under `settings`, those of a rule that it needs under `rules`."""
        from monitor.config.typed import mapping, typed
        from monitor.registry import settings_of

        if one == rule:
            path, tree = (*self.path, "settings"), part.get("settings", {})
        else:
            others = mapping(self.draft, (*self.path, "rules"), part.get("rules", {}))
            path, tree = (*self.path, "rules", one), others.get(one, {})
        built = typed(self.draft, self.rules[one], path, tree)
        return None if built is None else settings_of(built)

    def _items(self, part: "dict[str, Tree]", key: str) -> "Iterator[tuple[TreePath, Tree]]":
        from monitor.config.typed import sequence

        for index, item in enumerate(sequence(self.draft, (*self.path, key), part.get(key, []))):
            yield (*self.path, key, index), item

    def _lines(self, part: "dict[str, Tree]") -> "Iterator[Line]":
        from monitor.config.typed import typed
        from monitor.replay.rule_tests import Line, admitted

        for path, item in self._items(part, "series"):
            line = typed(self.draft, Line, path, item)
            if line is None:
                continue
            _, refused = admitted(line)
            if refused:
                self.draft.add(path, f"the door refuses this series: {refused}")
            yield line

    def _expected(self, part: "dict[str, Tree]", rule: str) -> "Iterator[tuple[str, Expectation]]":
        from dataclasses import replace

        from monitor.config.typed import typed
        from monitor.core.scope import MARKET
        from monitor.replay.rule_tests import Expectation

        if not part.get("expect"):
            here = (*self.path, "expect") if "expect" in part else self.path
            self.draft.add(here, "`expect` is needed: a test that expects nothing cannot fail")
        for path, item in self._items(part, "expect"):
            one = typed(self.draft, Expectation, path, item)
            if one is None:
                continue
            if not one.subject and rule in self.rules and self.rules[rule].scope == "market":
                one = replace(one, subject=MARKET)
            if not one.subject:
                self.draft.add(path, "`subject` is needed, such as chain:ethereum or BTC")
            yield str(self.draft.place(path)), one

    def _positions(self, part: "dict[str, Tree]") -> "tuple[Position, ...]":
        from monitor.config.typed import typed
        from monitor.core.book import Position

        found = [typed(self.draft, Position, path, item) for path, item in self._items(part, "positions")]
        return tuple(one for one in found if one is not None)


def _with_needs(rule: str, rules: Mapping[str, "type[Rule]"]) -> list[str]:
    """The rule and every rule that it needs, directly or not."""
    found: list[str] = []
    waiting = [rule]
    while waiting:
        one = waiting.pop()
        if one in rules and one not in found:
            found.append(one)
            waiting += rules[one].needs
    return found
