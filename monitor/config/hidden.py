"""Secrets: from `${NAME}` in the environment or from a file beside (`token_file`), never shown, never short."""

import base64
import binascii
import re
import stat
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from pathlib import Path as FilePath
from typing import Any, get_args, get_origin

from monitor.config.draft import Draft
from monitor.config.yaml_text import Path

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_URL_NAMES = {"rpc", "url", "endpoint"}
_LARGEST_FILE = 64 * 1024
WHSEC = "whsec_"
WEBHOOK_SECRET_BYTES = range(24, 65)
FILE = "_file"
HEADERS = "headers"


def is_secret(one: Field[Any]) -> bool:
    """Whether a settings field holds a secret: its type says so."""
    return "Secret" in str(one.type) and get_origin(one.type) is not Mapping


def holds_secrets(one: Field[Any]) -> bool:
    """Whether a settings field is a mapping of secrets by name, such as the headers of a request."""
    return get_origin(one.type) is Mapping and "Secret" in str(get_args(one.type)[1])


def part_of(one: Field[Any]) -> type[Any] | None:
    """The settings class of which a field holds many, by name (`Mapping[str, Feed]`) or in a row (`tuple[Series, ...]`)."""
    kind, inner = get_origin(one.type), get_args(one.type)
    part = inner[1] if kind is Mapping else inner[0] if kind is tuple and inner else None
    return part if isinstance(part, type) and is_dataclass(part) else None


def secret_names(cls: type) -> set[str]:
    return {one.name for one in fields(cls) if is_secret(one)}


def may_interpolate(one: Field[Any]) -> bool:
    """`${NAME}` stands in secrets, and in URLs since those often carry a key."""
    return is_secret(one) or one.name in _URL_NAMES


def interpolate(draft: Draft, path: Path, text: str) -> str | None:
    """The text with each `${NAME}` replaced by that variable; None, and a problem, where one is unset or empty."""
    if text.count("${") != len(_VARIABLE.findall(text)):
        draft.add(path, "write ${NAME} with the name of an environment variable: letters, digits and _")
        return None
    missing = sorted({name for name in _VARIABLE.findall(text) if not draft.environ.get(name)})
    for name in missing:
        draft.add(path, f"the environment variable {name} is not set or is empty; export it, or use `{path[-1]}_file`")
    if missing:
        return None
    found = _VARIABLE.findall(text)
    draft.hidden.update(draft.environ[name] for name in found)
    return _VARIABLE.sub(lambda match: draft.environ[match[1]], text)


def has_variable(text: str) -> bool:
    return "${" in text


def from_file(draft: Draft, path: Path, name: str) -> str | None:
    """The content of a secret's file without its closing newline; a relative path starts at the configuration's folder."""
    file = draft.folder / FilePath(name).expanduser()
    try:
        content = _content(file)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        draft.add(path, f"the secret's file cannot be read ({reason}); check the path and its permissions")
        return None
    if not content:
        draft.add(path, "the secret's file is empty; write the secret into it")
        return None
    if file.stat().st_mode & stat.S_IROTH:
        draft.warnings.append(f"{draft.place(path)}: {'.'.join(map(str, path))}: everyone on this machine can read the file; run chmod 600 on it")
    return content


def _content(file: FilePath) -> str:
    if not file.is_file():
        raise ValueError("there is no such file")
    with file.open("rb") as opened:
        raw = opened.read(_LARGEST_FILE + 1)
    if len(raw) > _LARGEST_FILE:
        raise ValueError("it is larger than a secret")
    return raw.decode("utf-8").rstrip("\r\n")


def webhook_secret_flaw(secret: str) -> str:
    """What is wrong with a Standard Webhooks secret (`whsec_`, 24 to 64 bytes in base64), empty where nothing is; never repeats it."""
    make = "make one with: echo whsec_$(openssl rand -base64 32)"
    if not secret.startswith(WHSEC):
        return f"a webhook secret begins with whsec_; {make}"
    try:
        size = len(base64.b64decode(secret.removeprefix(WHSEC), validate=True))
    except (binascii.Error, ValueError):
        return f"what follows whsec_ is not base64; {make}"
    if size not in WEBHOOK_SECRET_BYTES:
        return f"the secret has {size} bytes, 24 to 64 are needed; {make}"
    return ""


def is_hidden_path(path: Path) -> bool:
    """Whether a path is that of a secret or of a URL, by its name alone: used where no class is known yet."""
    name = str(path[-1]) if path else ""
    return name in _URL_NAMES or HEADERS in path[:-1] or re.fullmatch(r"(.+_)?(secret|token|key|password)", name) is not None


def is_telling(header: str) -> bool:
    """Whether a header's value is a secret even where it is written out: an `Accept` is not, an `Authorization` is."""
    return re.search(r"auth|cookie|key|token|secret|password", header.lower()) is not None


def carries_key(url: str) -> bool:
    """Whether a URL is more than a host, so that a key may stand in it."""
    return "@" in url or re.fullmatch(r"[a-z]+://[^/?#]+/?", url) is None
