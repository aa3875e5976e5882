"""Foreign text made safe to show: one line, visible characters, bounded."""

import hashlib
import unicodedata

HASH_DIGITS = 8
_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Zl", "Zp"})
# Blank or joining characters which Unicode files under letters, marks and symbols.
_INVISIBLE_CHARACTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | frozenset(map(chr, range(0xFE00, 0xFE10)))
# Enough to fill the limit even where most characters are dropped; what lies beyond only feeds the hash.
_READ_AHEAD = 16


def safe_text(value: str, limit: int = 64) -> str:
    """Return `value` in NFC without control, bidi, zero-width and line-breaking characters, at most `limit` characters long.

    A lone surrogate becomes U+FFFD. What is cut ends in `~` and 8 hex digits of the SHA-256 of the whole, so that two long names stay two.
    """
    visible = "".join(_visible(character) for character in value[: limit * _READ_AHEAD])
    shown = unicodedata.normalize("NFC", visible)
    if len(shown) <= limit and len(value) <= limit * _READ_AHEAD:
        return shown
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_DIGITS]
    return f"{shown[: limit - HASH_DIGITS - 1]}~{digest}"


def _visible(character: str) -> str:
    if "\ud800" <= character <= "\udfff":
        return "\ufffd"
    hidden = character in _INVISIBLE_CHARACTERS or unicodedata.category(character) in _INVISIBLE_CATEGORIES
    return "" if hidden else character
