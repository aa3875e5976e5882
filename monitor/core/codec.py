"""The one spelling of everything that is stored, hashed, signed or compared: canonical JSON.

Keys are sorted, there is no white space, text is ASCII, numbers are finite. Two processes with the same values write the same bytes.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from monitor.core.units import iso


def plain(value: object) -> Any:
    """Dataclasses, mappings and sequences as plain dicts and lists; None and empty text are left out where they are the default: absent,
    never 0.

    A field without such a default stays, empty or not: what is written must be readable again.
    """
    if value is None or isinstance(value, str | int | float):
        return value  # most of what is ever written
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = ((name, getattr(value, name), default) for name, default in _fields(type(value)))
        return {name: plain(item) for name, item, default in named if not ((item is None or item == "") and item == default)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | frozenset):
        return [plain(item) for item in value]
    return value


@cache
def _fields(cls: type) -> tuple[tuple[str, object], ...]:
    return tuple((field.name, field.default) for field in dataclasses.fields(cls))


def dumps(value: object) -> str:
    """Canonical JSON. Raises ValueError for NaN and infinity."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(dumps(value).encode()).hexdigest()


_INSTANTS = (
    "at known_at since until valid_until episode_since open_since proposed_at moved_at heard_at started_at failing_since "
    "from_ms to_ms timestamp now wall"
)
TIMES = frozenset(_INSTANTS.split())
"""Fields that hold epoch milliseconds, and are shown as ISO-8601."""
EXACT_IN_JSON = 2**53


def presented(value: object) -> Any:
    """As `plain`, for people and scripts: times as ISO-8601 UTC, and integers that JSON readers would round as text."""
    return _presented(plain(value), "")


def _presented(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _presented(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_presented(item, name) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        if name in TIMES:
            return iso(value)
        return value if abs(value) < EXACT_IN_JSON else str(value)
    return value
