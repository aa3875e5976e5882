"""The settings as they were written: a tree of text, the place of each, and every problem found so far."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import NamedTuple

from monitor.config.yaml_text import Path, Tree
from monitor.errors import ConfigError

_SHORTEST_HIDDEN = 6
_MOST_LISTED = 16
_MOST_TOLD = 200


class Place(NamedTuple):
    """Where a setting stands: a file and its line, or the name of an environment variable (line 0)."""

    label: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.label}:{self.line}" if self.line else self.label


@dataclass
class Draft:
    """Collects problems, so that all of them are told at once.

    `flawed` holds the paths of what was told of, `hidden` every secret value met, which no message may repeat.
    """

    environ: Mapping[str, str]
    label: str = "defaults"
    folder: FilePath = field(default_factory=FilePath)
    tree: dict[str, Tree] = field(default_factory=dict)
    places: dict[Path, Place] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    secrets_inline: bool = False
    _problems: dict[tuple[Place, str], None] = field(default_factory=dict)  # ordered, each once
    flawed: set[Path] = field(default_factory=set)

    def add(self, path: Path, text: str) -> None:
        """One problem of one setting, placed at the nearest part of it that was written."""
        self.flawed.add(path)
        self.add_at(self.place(path), f"{path_text(path)}: {text}" if path else text)

    def wrong_in(self, path: Path) -> frozenset[str]:
        """The settings right below a path that have a problem themselves, or somewhere below them."""
        below = {str(one[len(path)]) for one in self.flawed if len(one) > len(path) and one[: len(path)] == path}
        return frozenset(below)

    def add_at(self, place: Place, text: str) -> None:
        self._problems.setdefault((place, text))

    def place(self, path: Path) -> Place:
        for length in range(len(path), 0, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return Place(self.label)

    def count(self) -> int:
        return len(self._problems)

    def close(self) -> None:
        """Raises ConfigError with every problem, in the order of the file."""
        if self._problems:
            ordered = sorted(self._problems, key=lambda one: (one[0].line == 0, one[0].line, one[0].label))
            more = [f"{self.label}: and {len(ordered) - _MOST_TOLD} more; mend these first"] if len(ordered) > _MOST_TOLD else []
            raise ConfigError(*(self._shown(f"{place}: {text}") for place, text in ordered[:_MOST_TOLD]), *more)

    def _shown(self, text: str) -> str:
        for value in sorted(self.hidden, key=lambda one: (-len(one), one)):
            if len(value) >= _SHORTEST_HIDDEN:
                text = text.replace(value, "***")
        return "".join(c if c.isprintable() else "?" for c in text)


def path_text(path: Path) -> str:
    """`positions[0].size` of a path."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{shown(part)}" if text else shown(part)
    return text


def shown(value: object, most: int = 60) -> str:
    """A value as a message may repeat it: one line, not long."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= most else text[: most - 3] + "..."


def near(word: str, known: Iterable[str]) -> str:
    """The name that a word was probably meant to be, empty where none is near."""
    folded = {name.lower().replace("_", "-"): name for name in known}
    match = difflib.get_close_matches(word.lower().replace("_", "-"), folded, 1, 0.6)
    return folded[match[0]] if match else ""


_TICK = "a range has ticks and no prices: write {name}; the README (Positions) says how a tick is got from a price"
_FED = "what an account has {what} is read from its chain; without a node feed account.{what}.<ASSET> (README, Your own data)"
_ADVICE: Mapping[Path, str] = {
    ("positions", "price_lower"): _TICK.format(name="tick_lower"),
    ("positions", "price_upper"): _TICK.format(name="tick_upper"),
    ("positions", "supplied"): _FED.format(what="supplied"),
    ("positions", "borrowed"): _FED.format(what="borrowed"),
}


def advice(path: Path, known: Iterable[str]) -> str:
    """What to do about a setting that does not exist: what people mean who write this one, else the nearest name."""
    return _ADVICE.get((path[0], path[-1])) or nearest(str(path[-1]), known)


def nearest(word: str, known: Iterable[str]) -> str:
    """`did you mean x?` for a near miss, else the list of what there is, where that is short enough to read."""
    names = list(known)
    if meant := near(word, names):
        return f"did you mean {meant}?"
    if not names:
        return "there is none yet"
    return "known: " + ", ".join(names) if len(names) <= _MOST_LISTED else "see the README for what there is"
