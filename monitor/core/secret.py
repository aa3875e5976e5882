"""Values that must not be shown, and the one way to blot them out of text.

A secret hides itself (`Secret`), a URL is shown without what may be secret in it (`display_url`), and what slips into a
log line all the same, through another library's message or a traceback, is blotted there (`Redactor`).
"""

import hmac
import json
import re
from typing import NoReturn
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from pydantic_core import core_schema

MASK = "***"
# A shorter piece of a URL (`v2`, `mainnet`, `limit=1000`) is a word or a number that ordinary messages need.
MIN_PATH_PIECE_CHARACTERS = 12
MIN_QUERY_VALUE_CHARACTERS = 8

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*://)([^\s\"'<>\\]*)")
_WHOLE_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*://)(.*)", re.DOTALL)
_HOST_AND_PORT = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^:@\[\]\s]+)(?::[0-9]+)?")


class Secret:
    """A text that shows itself as `***` everywhere; `reveal()` is the only way to the value, and easy to search for."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself: hand it to the wire, never to a message."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: object) -> "Secret":
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> core_schema.CoreSchema:
        """Let a pydantic model take a secret as text and give it back as `***`."""
        from_text = core_schema.no_info_after_validator_function(cls, core_schema.str_schema())
        hidden = core_schema.plain_serializer_function_ser_schema(str, return_schema=core_schema.str_schema())
        return core_schema.json_or_python_schema(
            json_schema=from_text,
            python_schema=core_schema.union_schema([core_schema.is_instance_schema(cls), from_text]),
            serialization=hidden,
        )


def display_url(url: str) -> str:
    """Return `scheme://host[:port]`, with `/...` where there was more: no user, no password, no path, no query."""
    whole = _WHOLE_URL.fullmatch(url)
    return _cut(whole) if whole else "a URL without a host"


def redact_urls(text: str) -> str:
    """Return `text` with each URL in it cut after the host; of a malformed one only the scheme is left."""
    return _URL.sub(_cut, text)


def _cut(url: re.Match[str]) -> str:
    scheme, rest = url.groups()
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    host = authority.rpartition("@")[2]
    if _HOST_AND_PORT.fullmatch(host) is None:
        return f"{scheme}..."
    return f"{scheme}{host}{rest[len(authority) :] if rest[len(authority) :] in ('', '/') else '/...'}"


class Redactor:
    """Blots known secrets, in each form in which libraries print them, and everything in a URL after its host."""

    def __init__(self, *secrets: Secret) -> None:
        self._forms: set[str] = set()
        self._pattern = re.compile(r"(?!)")
        for secret in secrets:
            self.add(secret)

    def add(self, secret: Secret) -> None:
        """Blot this secret from now on; an empty one is nothing to hide. A secret URL's long pieces are secrets of their own."""
        for piece in (secret.reveal(), *_url_pieces(secret.reveal())):
            self._forms |= _printed_forms(piece)
        # The longest first, so that a secret which contains another is blotted whole.
        ordered = sorted(self._forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, ordered)) or r"(?!)")

    def redact(self, text: str) -> str:
        """Return `text` as it may be shown."""
        return redact_urls(self._pattern.sub(MASK, text))


def _printed_forms(value: str) -> set[str]:
    forms = {value, quote(value), quote(value, safe=""), quote_plus(value), unquote(value), json.dumps(value)[1:-1], repr(value)[1:-1]}
    return forms - {""}


def _url_pieces(value: str) -> list[str]:
    """Return the parts of a URL that may be a key by themselves: a library may print them without the host in front."""
    if "://" not in value:
        return []
    parts = urlsplit(value)
    in_path = [piece for piece in (*parts.path.split("/"), parts.fragment) if len(piece) >= MIN_PATH_PIECE_CHARACTERS]
    in_query = [value for _, value in parse_qsl(parts.query) if len(value) >= MIN_QUERY_VALUE_CHARACTERS]
    return [*in_path, *in_query, parts.password or ""]
