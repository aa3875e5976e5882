"""Any setting by environment: `HEDGE_MONITOR_STORE__URL` is `store.url`; `__` goes one level down, `_` stands for `-` and `:` in ids."""

import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from monitor.config import yaml_text
from monitor.config.draft import Draft, Place
from monitor.config.yaml_text import Path, Tree

PREFIX = "HEDGE_MONITOR_"
Known: TypeAlias = Mapping[Path, Iterable[str]]
Branch: TypeAlias = "dict[str, Tree] | list[Tree]"


def overlay(draft: Draft, known: Known) -> None:
    """Lays the environment's settings over the draft's tree. `known` gives the ids that may stand under a path.

    Variables without `__` are other programs' business (`HEDGE_MONITOR_CONFIG`) and are left alone.
    """
    for name in sorted(draft.environ):
        segments = name.removeprefix(PREFIX).lower().split("__")
        if name.startswith(PREFIX) and len(segments) > 1:
            _set(draft, known, name, segments)


def _set(draft: Draft, known: Known, name: str, segments: list[str]) -> None:
    value = _value(draft, name)
    if value is None:
        return
    node: Tree = draft.tree
    path: Path = ()
    for position, segment in enumerate(segments):
        if isinstance(node, str):
            draft.add_at(Place(name), f"{'.'.join(map(str, path))} is a plain value, nothing stands below it; check the name of the variable")
            return
        key = _key(node, segment, path, known)
        if key is None:
            draft.add_at(Place(name), f"no item {segment!r} in the list; use an item's id, or its number from 0")
            return
        path = (*path, key)
        if position == len(segments) - 1:
            _put(node, key, value)
            _mark(draft, path, name)
        else:
            node = _below(draft, node, key, path, name)


def _value(draft: Draft, name: str) -> "Tree | None":
    text = draft.environ[name].strip()
    if not text:
        draft.add_at(Place(name), "is set but empty; unset it, or give it a value")
        return None
    if (text[0], text[-1]) not in {("[", "]"), ("{", "}")}:
        return text
    document = yaml_text.read(f"value: {text}")
    if document.flaws:
        draft.add_at(Place(name), f"is not a list or mapping that can be read: {document.flaws[0].text}")
        return None
    return document.tree.get("value")


def _key(node: Branch, segment: str, path: Path, known: Known) -> str | int | None:
    if isinstance(node, dict):
        names = [*node, *known.get(path, ())]
        return next((name for name in names if _plain(name) == segment), segment.replace("_", "-") if path in known else segment)
    for index, item in enumerate(node):
        if segment == str(index) or (isinstance(item, dict) and _plain(str(item.get("id", ""))) == segment):
            return index
    return None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "_", name.lower())


def _below(draft: Draft, node: Branch, key: str | int, path: Path, name: str) -> Tree:
    if isinstance(node, list):
        return node[int(key)]
    if key not in node:
        draft.places[path] = Place(name)
    return node.setdefault(str(key), {})


def _put(node: Branch, key: str | int, value: Tree) -> None:
    if isinstance(node, list):
        node[int(key)] = value
    else:
        node[str(key)] = value


def _mark(draft: Draft, path: Path, name: str) -> None:
    """From now on this setting, and what stood below it, stands in the variable."""
    for below in [known for known in draft.places if known[: len(path)] == path]:
        del draft.places[below]
    draft.places[path] = Place(name)
