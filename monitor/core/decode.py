"""The one door for JSON and for numbers written as text: whatever is not plainly a value is refused with a sentence."""

import json
import math
import re
from collections.abc import Mapping
from typing import NoReturn, TypeVar

from monitor.errors import BadPayload

DEFAULT_MAX_BYTES = 8 * 1024 * 1024
DEFAULT_MAX_DEPTH = 64
MAX_DIGITS = 400

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_DECIMAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_OPENING_TO_SQUARE = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_NONZERO_MANTISSA = re.compile(r"-?[0.]*[1-9]")

T = TypeVar("T")


def decode_json(body: bytes, *, max_bytes: int = DEFAULT_MAX_BYTES, max_depth: int = DEFAULT_MAX_DEPTH) -> object:
    """Decode one JSON text (RFC 8259) or raise `BadPayload`.

    Stricter than the standard library: NaN and Infinity, numbers beyond a double, duplicate keys, whole numbers over
    400 digits and nesting deeper than `max_depth` are refused. A whole number stays `int`; a fraction becomes a finite `float`.
    """
    if len(body) > max_bytes:
        raise BadPayload(f"the body has {len(body)} bytes, more than the {max_bytes} allowed")
    text = _utf8(body).strip(" \t\r\n")
    if not text:
        raise BadPayload("the body is empty")
    if text.startswith("<"):
        raise BadPayload("the body is HTML, not JSON: a maintenance, login or block page")
    if _is_deeper_than(body, max_depth):
        raise BadPayload(f"the JSON is nested deeper than {max_depth} levels")
    try:
        decoded: object = json.loads(
            text, parse_int=_whole, parse_float=parse_decimal, parse_constant=_refuse_constant, object_pairs_hook=_without_duplicates
        )
    except json.JSONDecodeError as error:
        raise BadPayload(f"the JSON is cut short or malformed at character {error.pos}: {error.msg}") from None
    return decoded


def parse_decimal(value: object) -> float:
    """Return the finite number which `value` (text, int or float) plainly writes, or raise `BadPayload`.

    Python's own `float` also takes `1_000`, Arabic digits, surrounding spaces, `nan` and `1e400`; none of these is a number from a venue.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadPayload(f"expected a number, got {_shown(value)}")
    if isinstance(value, str) and (len(value) > MAX_DIGITS or _DECIMAL.fullmatch(value) is None):
        raise BadPayload(f"{_shown(value)} is not a decimal number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadPayload(f"{_shown(value)} is not a finite number")
    if number == 0 and isinstance(value, str) and _NONZERO_MANTISSA.match(value):
        raise BadPayload(f"{_shown(value)} is too small to be told from zero")
    return number


def field(source: object, *path: str | int, kind: type[T]) -> T:
    """Return the value at `path` (keys, or indexes of lists), which must be a `kind`; the error names the path and what was there."""
    value = _walk(source, path)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise BadPayload(f"{_dotted(path)}: expected {kind.__name__}, got {_shown(value)}")
    return value


def number(source: object, *path: str | int) -> float:
    """Return the finite number at `path`, written as a JSON number or as decimal text."""
    value = _walk(source, path)
    try:
        return parse_decimal(value)
    except BadPayload as error:
        raise BadPayload(f"{_dotted(path)}: {error}") from None


def whole(source: object, *path: str | int) -> int:
    """Return the whole number at `path`, written as a JSON integer or as text of digits; exact at any size up to 400 digits."""
    value = _walk(source, path)
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,400}", value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise BadPayload(f"{_dotted(path)}: expected a whole number, got {_shown(value)}")


def text(source: object, *path: str | int) -> str:
    """Return the text at `path` as it was sent; pass it through `safe_text` before showing it."""
    return field(source, *path, kind=str)


def items(source: object, *path: str | int) -> list[object]:
    """Return the list at `path`."""
    return field(source, *path, kind=list)


def _walk(source: object, path: tuple[str | int, ...]) -> object:
    value = source
    for depth, step in enumerate(path):
        if isinstance(step, str) and isinstance(value, Mapping):
            found = step in value
        elif isinstance(step, int) and isinstance(value, list):
            found = 0 <= step < len(value)
        else:
            wanted = "an object" if isinstance(step, str) else "a list"
            raise BadPayload(f"{_dotted(path[:depth])}: expected {wanted} with {step!r}, got {_shown(value)}")
        if not found:
            raise BadPayload(f"{_dotted(path[: depth + 1])} is missing")
        value = value[step]  # type: ignore[index]  # the branch above tied the step to its container
    return value


def _dotted(path: tuple[str | int, ...]) -> str:
    return ".".join(str(step) for step in path) or "the answer"


def _shown(value: object) -> str:
    """Show a hostile value briefly and in ASCII; containers only by their kind."""
    if isinstance(value, str):
        return ascii(value if len(value) <= 40 else value[:40] + "...")
    if isinstance(value, int) and value.bit_length() > 128:
        return f"a whole number of {value.bit_length()} bits"
    return repr(value) if value is None or isinstance(value, int | float) else f"a {type(value).__name__}"


def _utf8(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadPayload(f"the body is not UTF-8: byte {error.start} is {body[error.start]:#04x}") from None


def _is_deeper_than(body: bytes, max_depth: int) -> bool:
    """Say whether brackets outside strings nest deeper than `max_depth`; each pass over the brackets takes the innermost level away."""
    brackets = _STRING.sub(b"", body).translate(_OPENING_TO_SQUARE, _NOT_BRACKETS)
    run_too_long = b"[" * (max_depth + 1)
    for _ in range(max_depth):
        if run_too_long in brackets:
            return True
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return False
    # A pair left over is too deep. Without one the body is unbalanced, which the decoder says best, if it is shallow enough to try.
    return b"[]" in brackets or brackets.count(b"[") > max_depth


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise BadPayload(f"a whole number has {len(digits.lstrip('-'))} digits, more than {MAX_DIGITS}")
    return int(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise BadPayload(f"{name} is not a number in JSON")


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in found if keys.count(key) > 1)
        raise BadPayload(f"the key {_shown(twice)} appears twice in one object")
    return found
