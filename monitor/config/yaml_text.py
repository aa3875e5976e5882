"""YAML as text: every scalar stays what it looks like, and remembers where it stands.

YAML would read `no` as false, `12:30` as 750 and `0x10` as 16; here only the model gives a scalar its type.
"""

import re
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

import yaml

Tree: TypeAlias = "dict[str, Tree] | list[Tree] | str"
Path: TypeAlias = tuple[str | int, ...]

MOST_BYTES = 1 << 20
DEEPEST = 16
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_NOTHING = {"", "~", "null", "Null", "NULL"}  # what YAML reads as null where it is not quoted
_PARSER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Flaw:
    """One thing that is wrong in the text: its line (from 1), the setting concerned, and what to do."""

    line: int
    path: Path
    text: str


@dataclass
class Document:
    """The tree of one document. `places` gives line and column (both from 1) of each path."""

    tree: dict[str, Tree] = field(default_factory=dict)
    places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    flaws: list[Flaw] = field(default_factory=list)


class _Unreadable(Exception):
    """Nothing after this can be trusted: the flaw that ends the reading."""

    def __init__(self, line: int, text: str, path: Path = ()) -> None:
        super().__init__(text)
        self.flaw = Flaw(line, path, text)


def read(text: str) -> Document:
    """The document in a YAML text. Never raises: what is wrong stands in `flaws`, all of it unless the text cannot be parsed."""
    document = Document()
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    document.flaws.extend(_forbidden(text))
    if document.flaws:
        return document
    try:
        _Builder(document).run(text)
    except _Unreadable as stop:
        document.flaws.append(stop.flaw)
    except yaml.MarkedYAMLError as error:
        document.flaws.append(_syntax(error, text))
    except yaml.YAMLError:
        document.flaws.append(Flaw(1, (), "this is not YAML; start from `hedge-monitor init`"))
    return document


def _forbidden(text: str) -> list[Flaw]:
    if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        return [Flaw(1, (), f"the file is larger than {MOST_BYTES >> 20} MiB; a configuration is a few kilobytes, is this the right file?")]
    flaws = []
    for number, line in enumerate(text.split("\n"), start=1):
        indent = line[: len(line) - len(line.lstrip(" \t"))]
        if "\t" in indent and line.strip():
            flaws.append(Flaw(number, (), "a tab indents this line; YAML takes spaces only, put two spaces for each level"))
        elif found := _UNPRINTABLE.search(line):
            place = f"in column {found.start() + 1}"
            flaws.append(Flaw(number, (), f"an unprintable character (U+{ord(found[0]):04X}) stands {place}; delete it"))
    return flaws


_SYNTAX = (
    ("mapping values are not allowed", "a colon where none can stand; check the indentation, and put text that holds ': ' in quotes"),
    ("could not find expected ':'", "a key without its colon; write `key: value`"),
    ("did not find expected key", "the indentation does not fit the lines above, or a bracket is left open; line it up"),
    ("expected <block end>", "the indentation does not fit the lines above; line it up with its siblings"),
    ("unexpected end of stream", "a quote is opened and never closed; close it"),
    ("',' or", "a bracket is opened and never closed, or a comma is missing; close it"),
    ("found undefined tag handle", "tags (`!`) are not used here; put text that starts with ! in quotes"),
    ("undefined alias", "aliases (`*name`) are not used here; put text that starts with * in quotes"),
    ("cannot start any token", "this character cannot begin a value; put the value in quotes"),
)


def _syntax(error: yaml.MarkedYAMLError, text: str) -> Flaw:
    """PyYAML's complaint in words that help; its snippet of the text is left out, since that may be a secret."""
    mark = error.problem_mark or error.context_mark
    line = min(mark.line + 1, text.count("\n") + 1) if mark else 1
    problem = error.problem or ""
    for known, advice in _SYNTAX:
        if known in problem:
            return Flaw(line, (), advice)
    return Flaw(line, (), "this is not valid YAML; check the indentation, brackets and quotes here")


class _Builder:
    """Builds the tree from parse events, so that nothing is typed, merged or expanded on the way."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def run(self, text: str) -> None:
        self.loader: Any = _PARSER(text)
        try:
            self._stream()
        finally:
            self.loader.dispose()

    def _next(self) -> yaml.Event:
        event: yaml.Event = self.loader.get_event()
        line = _line(event)
        if isinstance(event, yaml.AliasEvent):
            raise _Unreadable(line, "aliases (`*name`) are not used here; write the value out, or put text that starts with * in quotes")
        if getattr(event, "anchor", None) is not None:
            raise _Unreadable(line, "anchors (`&name`) are not used here; write the value out, or put text that starts with & in quotes")
        if isinstance(event, yaml.NodeEvent) and getattr(event, "tag", None) is not None:
            raise _Unreadable(line, "tags (`!name`) are not used here: every value is text; put text that starts with ! in quotes")
        return event

    def _stream(self) -> None:
        self._next()
        if isinstance(self._next(), yaml.StreamEndEvent):
            return
        event = self._next()
        if isinstance(event, yaml.MappingStartEvent):
            self.document.tree = self._mapping((), 1)
        elif not (isinstance(event, yaml.ScalarEvent) and event.value in _NOTHING):
            raise _Unreadable(_line(event), "the file must be made of `section:` lines; start from `hedge-monitor init`")
        self._next()
        if not isinstance(event := self._next(), yaml.StreamEndEvent):
            raise _Unreadable(_line(event), "a second document (`---`) begins here; keep one")

    def _node(self, event: yaml.Event, path: Path, depth: int) -> "Tree | None":
        if depth > DEEPEST:
            raise _Unreadable(_line(event), f"nested deeper than {DEEPEST} levels; no setting is", path[:DEEPEST])
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, depth)
        assert isinstance(event, yaml.ScalarEvent)
        return self._scalar(event, path)

    def _scalar(self, event: yaml.ScalarEvent, path: Path) -> str | None:
        if not event.value.strip() or (not event.style and event.value in _NOTHING):
            self._flaw(event, path, "has no value; give it one, or delete the line to take the default")
            return None
        return str(event.value)

    def _sequence(self, path: Path, depth: int) -> Tree:
        items: list[Tree] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            self._place(event, (*path, len(items)))
            item = self._node(event, (*path, len(items)), depth + 1)
            if item is not None:
                items.append(item)
        return items

    def _mapping(self, path: Path, depth: int) -> dict[str, Tree]:
        found: dict[str, Tree] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key, line = self._key(event, path), _line(event)
            here = (*path, key)
            if key in lines:
                self._flaw(event, here, f"stands twice, in line {lines[key]} and in line {line}; keep one")
                self._skip()
                continue
            lines[key] = line
            self._place(event, here)
            value = self._node(self._next(), here, depth + 1)
            if value is not None:
                found[key] = value
        return found

    def _key(self, event: yaml.Event, path: Path) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            _stop(event, "a key must be plain text; put it in quotes if it begins with a bracket")
        if event.value == "<<" and not event.style:
            _stop(event, "merge keys (`<<`) are not used here; write the values out")
        if not event.value.strip():
            _stop(event, "a key is empty; write `key: value`")
        return str(event.value)

    def _skip(self) -> None:
        level = 0
        while True:
            event = self._next()
            level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if level == 0:
                return

    def _place(self, event: yaml.Event, path: Path) -> None:
        self.document.places[path] = (_line(event), event.start_mark.column + 1 if event.start_mark else 1)

    def _flaw(self, event: yaml.Event, path: Path, text: str) -> None:
        self.document.flaws.append(Flaw(_line(event), path, text))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _stop(event: yaml.Event, text: str) -> NoReturn:
    raise _Unreadable(_line(event), text)
