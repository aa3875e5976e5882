"""One settings class from its part of the tree: unknown keys, secrets, types and the class's own checks, each problem with its place."""

import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar, get_origin

from pydantic import ValidationError

from monitor.config import hidden
from monitor.config.draft import Draft, advice, near, shown
from monitor.config.yaml_text import Path, Tree
from monitor.core.units import Duration

Settings = TypeVar("Settings")
_NUMBER = re.compile(r"\s*[+-]?(?:\d[\d_]*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_NOTHING: Mapping[str, Tree] = {}
_LARGEST = 1e80  # a uint256 fits; what is larger would overflow once it is multiplied by a unit


def mapping(draft: Draft, path: Path, tree: Tree) -> dict[str, Tree]:
    """The tree as a mapping; a problem, and nothing, where it is a list or a plain value."""
    if isinstance(tree, dict):
        return tree
    draft.add(path, "must hold `key: value` lines, one setting each")
    return {}


def sequence(draft: Draft, path: Path, tree: Tree) -> list[Tree]:
    if isinstance(tree, list):
        return tree
    draft.add(path, "must be a list; write [a, b] or lines that begin with `- `")
    return []


def texts(draft: Draft, path: Path, tree: Tree) -> tuple[str, ...]:
    """A list of plain values."""
    found = []
    for index, item in enumerate(sequence(draft, path, tree)):
        if isinstance(item, str):
            found.append(item)
        else:
            draft.add((*path, index), "must be plain text")
    return tuple(found)


def switch(draft: Draft, path: Path, tree: Tree) -> bool:
    """`yes` or `no`, in YAML's several spellings."""
    word = tree.lower() if isinstance(tree, str) else ""
    if word not in {"yes", "true", "on", "no", "false", "off"}:
        draft.add(path, "must be yes or no")
    return word not in {"no", "false", "off"}


def typed(draft: Draft, cls: type[Settings], path: Path, tree: Tree, *, apart: tuple[str, ...] = ()) -> Settings | None:
    """One instance, or None with its problems told. `apart` are keys of the tree that are read elsewhere.

    Raises nothing: a ValueError of the class's own `__post_init__` becomes a problem of the section.
    """
    known: dict[str, Field[Any]] = {one.name: one for one in fields(cls) if one.init and one.name not in apart}  # type: ignore[arg-type]  # mypy cannot see that these classes are dataclasses
    settings: dict[str, Any] = {}
    before = draft.count()
    part = mapping(draft, path, tree)
    for key, value in part.items():
        if key.removesuffix(hidden.FILE) != key and key.removesuffix(hidden.FILE) in part:
            draft.add((*path, key), f"both `{key.removesuffix(hidden.FILE)}` and `{key}` are given; keep one")
        elif key not in apart:
            _take(draft, known, settings, (*path, key), value)
    broken = draft.count() > before
    return _build(draft, cls, path, settings, broken)


def partly(
    draft: Draft, cls: type[Settings], path: Path, tree: Tree, stand_in: Mapping[str, Tree] = _NOTHING, *, apart: tuple[str, ...] = ()
) -> tuple[Settings | None, frozenset[str]]:
    """As `typed`; but what is wrong, or needed and not there, is replaced by `stand_in` or its default, so that the rest can be checked at once.

    With the names of the settings that are wrong, which say nothing.
    """
    built = typed(draft, cls, path, tree, apart=apart)
    wrong = draft.wrong_in(path)
    wrong |= {name.removesuffix(hidden.FILE) for name in wrong}
    if built is None and isinstance(tree, dict):
        good = {key: value for key, value in tree.items() if key.removesuffix(hidden.FILE) not in wrong}
        absent = {name: value for name, value in stand_in.items() if name not in good and f"{name}{hidden.FILE}" not in good}
        # On a draft of its own: everything has been told already.
        built = typed(Draft(draft.environ, folder=draft.folder), cls, (), {**good, **absent}, apart=apart)
    return built, wrong


def _take(draft: Draft, known: Mapping[str, Field[Any]], settings: dict[str, Any], path: Path, value: Tree) -> None:
    key = str(path[-1])
    secret = key.removesuffix(hidden.FILE)
    if key in known:
        text = _value(draft, known[key], path, value)
        if text is not None:
            settings[key] = text
    elif key.endswith(hidden.FILE) and secret in known and hidden.is_secret(known[secret]):
        _from_file(draft, settings, path, secret, value)
    else:
        names = [*known, *(f"{name}{hidden.FILE}" for name, one in known.items() if hidden.is_secret(one))]
        draft.add(path, f"there is no such setting; {advice(path, names)}")
        if meant := near(key, names):
            draft.flawed.add((*path[:-1], meant))  # which is not missing, then


def _from_file(draft: Draft, settings: dict[str, Any], path: Path, secret: str, value: Tree) -> None:
    if not isinstance(value, str):
        draft.add(path, "must be the path of a file")
    elif (content := hidden.from_file(draft, path, value)) is not None:
        draft.hidden.add(content)
        settings[secret] = content


def _value(draft: Draft, one: Field[Any], path: Path, value: Tree) -> Any:
    if (part := hidden.part_of(one)) is not None:
        return _parts(draft, one, part, path, value)
    if hidden.holds_secrets(one):
        named = {name: _header(draft, (*path, name), item) for name, item in mapping(draft, path, value).items()}
        return {name: item for name, item in named.items() if item is not None}
    if not isinstance(value, str):
        return _nested(draft, path, value)
    text = hidden.interpolate(draft, path, value) if hidden.may_interpolate(one) and hidden.has_variable(value) else value
    if text is None or not hidden.is_secret(one):
        return text if text is None or hidden.may_interpolate(one) or _is_plain(draft, path, text) else None
    draft.hidden.add(text)
    draft.secrets_inline = draft.secrets_inline or (text == value and draft.place(path).line > 0)
    return text


def _parts(draft: Draft, one: Field[Any], part: type[Any], path: Path, value: Tree) -> Any:
    """Many settings of one class, each read as a section of its own; those with problems are left out."""
    if get_origin(one.type) is tuple:
        listed = [typed(draft, part, (*path, index), item) for index, item in enumerate(sequence(draft, path, value))]
        return tuple(item for item in listed if item is not None)
    named = {name: typed(draft, part, (*path, name), item) for name, item in mapping(draft, path, value).items()}
    return {name: item for name, item in named.items() if item is not None}


def _header(draft: Draft, path: Path, value: Tree) -> str | None:
    """One header; `${NAME}` may stand in it, and a value that is plainly a key is hidden wherever it comes from."""
    if not isinstance(value, str):
        draft.add(path, "must be plain text")
        return None
    text = hidden.interpolate(draft, path, value) if hidden.has_variable(value) else value
    if text is not None and hidden.is_telling(str(path[-1])):
        draft.hidden.add(text)
        draft.secrets_inline = draft.secrets_inline or (text == value and draft.place(path).line > 0)
    return text


def _nested(draft: Draft, path: Path, value: Tree) -> Tree:
    """The list or mapping without the scalars that cannot stand in one."""
    if isinstance(value, str):
        return value if _is_plain(draft, path, value) else ""
    items = enumerate(value) if isinstance(value, list) else value.items()
    kept = {key: _nested(draft, (*path, key), item) for key, item in items}
    return list(kept.values()) if isinstance(value, list) else {str(key): item for key, item in kept.items()}


def _is_plain(draft: Draft, path: Path, text: str) -> bool:
    if not hidden.has_variable(text):
        return _in_range(draft, path, text)
    name = "HEDGE_MONITOR_" + "__".join(re.sub("[^A-Z0-9]", "_", str(part).upper()) for part in path)
    draft.add(path, f"${{NAME}} stands only in secrets and URLs; to set this from outside, use the variable {name}")
    return False


def _in_range(draft: Draft, path: Path, text: str) -> bool:
    match = _NUMBER.match(text)
    if match is None or abs(float(re.sub("_+", "", match[0]))) <= _LARGEST:
        return True
    draft.add(path, "is larger than any amount there is; check the number")
    return False


def _build(draft: Draft, cls: type[Settings], path: Path, settings: dict[str, Any], broken: bool) -> Settings | None:
    if not settings and not broken:
        return _default(draft, cls, path)
    from monitor.registry import build  # drags the rules' base and numpy in, which the defaults do without

    problems: list[Any] = []
    try:
        built = build(cls, settings)
    except ValidationError as error:
        problems = error.errors(include_url=False)
    else:
        _not_negative(draft, cls, path, built, settings)
        return None if broken else built
    for problem in problems:
        if problem["loc"]:
            _tell(draft, cls, path, settings, problem)
    if problems:
        _tell_together(draft, cls, path, settings)
    return None


def _tell_together(draft: Draft, cls: type, path: Path, settings: Mapping[str, Any]) -> None:
    """What the class itself has against its settings taken together, unless it names one that was refused: without that it may mislead."""
    from monitor.registry import build

    wrong = draft.wrong_in(path)
    try:
        build(cls, {name: value for name, value in settings.items() if name not in wrong})
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            if not problem["loc"] and wrong.isdisjoint(re.findall(r"\w+", _words(problem, False))):
                _tell(draft, cls, path, settings, problem)


def _default(draft: Draft, cls: type[Settings], path: Path) -> Settings | None:
    """The class with nothing set, made without an adapter: that is what makes loading without a file fast."""
    missing = [one.name for one in fields(cls) if one.init and _needed(one)]  # type: ignore[arg-type]  # mypy cannot see that these classes are dataclasses
    for name in missing:
        if name not in draft.wrong_in(path):
            draft.add((*path, name), "is needed; add it")
    return None if missing else cls()


def _needed(one: Field[Any]) -> bool:
    return one.default is MISSING and one.default_factory is MISSING


def _not_negative(draft: Draft, cls: type, path: Path, built: object, settings: Mapping[str, Any]) -> None:
    for one in fields(cls):
        if one.name in settings and one.type in (Duration, "Duration") and getattr(built, one.name) < 0:
            draft.add((*path, one.name), "a duration cannot be negative; take the sign away")


def _tell(draft: Draft, cls: type, path: Path, settings: Mapping[str, Any], problem: Mapping[str, Any]) -> None:
    loc = problem["loc"]
    where: Path = (*path, *(part for part in loc if not str(part).startswith(("[", "function-", "constrained-"))))
    if problem["type"] == "missing":
        if {loc[0], f"{loc[0]}{hidden.FILE}"} & draft.wrong_in(path):
            return
        secret = loc[0] in hidden.secret_names(cls)
        draft.add(where, f"is needed; add it, or `{loc[0]}{hidden.FILE}`" if secret else "is needed; add it")
        return
    quiet = bool(loc) and any(one.name == loc[0] and hidden.may_interpolate(one) for one in fields(cls))
    draft.add(where, _words(problem, quiet))


_EXPECTED = {
    "bool": "must be yes or no",
    "int": "must be a whole number",
    "float": "must be a number",
    "finite": "must be a finite number",
    "tuple": "must be a list; write [a, b]",
    "list": "must be a list; write [a, b]",
    "set": "must be a list; write [a, b]",
    "frozen": "must be a list; write [a, b]",
    "dict": "must hold `key: value` lines",
    "mapping": "must hold `key: value` lines",
    "string": "must be plain text",
}


def _words(problem: Mapping[str, Any], quiet: bool) -> str:
    """pydantic's complaint in the user's words, with the value where that is no secret."""
    kind, value = problem["type"], problem.get("input")
    seen = f", this is {shown(value)!r}" if isinstance(value, str) and not quiet else ""
    if kind in {"value_error", "assertion_error"}:
        return "is not a value that can stand here" if quiet else str(problem["ctx"]["error"])
    if kind in {"literal_error", "enum"}:
        choices = [choice for choice in re.findall("'([^']*)'", problem["ctx"]["expected"]) if choice]
        meant = near(str(value), choices)
        return f"must be one of {', '.join(choices)}{seen}" + (f"; did you mean {meant}?" if meant else "")
    if kind == "string_pattern_mismatch":
        return f"must be {_form(problem['ctx']['pattern'])}{seen}"
    return _EXPECTED.get(kind.split("_")[0], str(problem["msg"])) + seen


def _form(pattern: str) -> str:
    """What a pattern asks for, by example."""
    examples = {
        "/0x": "a chain and an address on it, such as ethereum/0x and 40 hexadecimal digits",
        "/[A-Z": "a chain and an asset on it, such as base/CBETH",
        "0x": "an address, 0x and 40 hexadecimal digits",
    }
    examples |= {"protocol:": "a protocol, such as protocol:uniswap-v3", "A-Z": "an asset in capitals, such as ETH"}
    return next((example for part, example in examples.items() if part in pattern), "lower-case letters, digits, dashes and dots")
