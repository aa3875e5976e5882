"""The JSON Schema of a configuration, for editors: made from the same classes that read it."""

from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any, get_origin

from monitor.config import hidden
from monitor.config.model import Alerts, Catalogue, Channel, QuietChain, Server, Store
from monitor.core.book import Book, Position

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(catalogue: Catalogue) -> Schema:
    """The schema of `hedge-monitor.yaml` with every plug-in of the catalogue. Unknown keys are refused at every level, as in reading."""
    sections = {
        "book": _of(Book),
        "positions": {"type": "array", "items": _of(Position)},
        "chains": {"type": "object", "additionalProperties": _of(QuietChain)},
        "sources": _sources(catalogue),
        "rules": _closed({name: _rule(cls) for name, cls in catalogue.rules.items()}),
        "gates": _closed({name: _of(cls) for name, cls in catalogue.gates.items()}),
        "governance": _closed({}, description="not available yet"),
        "alerts": _alerts(),
        "store": _of(Store),
        "server": _of(Server),
    }
    shared: Schema = {}
    _hoist(sections, shared)
    return {"$schema": DIALECT, "title": "hedge-monitor.yaml", **_closed(sections), "$defs": shared}


def _hoist(node: Any, shared: Schema) -> None:
    """Moves every `$defs` to the root, where its references point."""
    for below in list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else ():
        _hoist(below, shared)
    if isinstance(node, dict):
        shared.update(node.pop("$defs", {}))


def _closed(properties: Mapping[str, Schema], **more: Any) -> Schema:
    return {"type": "object", "properties": dict(properties), "additionalProperties": False, **more}


def _of(cls: type[Any]) -> Schema:
    """One settings class. A secret may be given as a file instead, so no secret is required by itself."""
    from pydantic import TypeAdapter  # schemas are made when the package is built, not when it runs

    raw = TypeAdapter(cls).json_schema()
    properties = {one.name: _many(one) or _loose(raw["properties"].get(one.name, {})) for one in fields(cls)}
    secrets = [one for one in fields(cls) if hidden.is_secret(one)]
    properties |= {f"{one.name}{hidden.FILE}": {"type": "string", "description": f"file that holds {one.name}"} for one in secrets}
    required = [name for name in raw.get("required", []) if name not in {one.name for one in secrets}]
    schema = _closed(properties, required=required) if required else _closed(properties)
    pairs = [_one_of(one) for one in secrets if one.name in raw.get("required", [])]
    more: Schema = {key: raw[key] for key in ("description", "$defs") if key in raw}
    if pairs:
        more["allOf"] = pairs
    return {**schema, **more}


def _many(one: Field[Any]) -> Schema:
    """A field that holds many of another settings class; nothing for any other field."""
    part = hidden.part_of(one)
    if part is None:
        return {}
    is_row = get_origin(one.type) is tuple
    return {"type": "array", "items": _of(part)} if is_row else {"type": "object", "additionalProperties": _of(part)}


def _one_of(one: Field[Any]) -> Schema:
    return {"oneOf": [{"required": [one.name]}, {"required": [f"{one.name}{hidden.FILE}"]}]}


def _loose(schema: Schema) -> Schema:
    """A scalar as an editor sees it: YAML shows it `0.08` or `12` as a number, where we read text."""
    wide = {
        "string": ["string", "number"],
        "number": ["number", "string"],
        "integer": ["integer", "string"],
        "boolean": ["boolean", "string"],
    }
    loose = {key: value for key, value in schema.items() if key not in {"default", "writeOnly", "format"}}
    if "enum" not in loose and "const" not in loose and isinstance(kind := loose.get("type"), str):
        loose["type"] = wide.get(kind, kind)
    return loose


def _rule(cls: type[Any]) -> Schema:
    settings = _of(cls)
    overrides = {"type": "object", "additionalProperties": _closed(settings["properties"])}
    more = {"enabled": {"type": ["boolean", "string"]}, "overrides": overrides}
    return {**settings, "properties": {**settings["properties"], **more}}


def _sources(catalogue: Catalogue) -> Schema:
    listed = {"type": "array", "items": {"type": "string"}}
    watched = {"tvl": _closed({"subjects": listed}), "lending": _closed({"subjects": listed}), "spot": listed}
    return _closed({**{name: _of(cls) for name, cls in catalogue.collectors.items()}, **watched})


def _alerts() -> Schema:
    alerts = _of(Alerts)
    alerts.pop("$defs", None)
    return {**alerts, "properties": {**alerts["properties"], "channels": {"type": "object", "additionalProperties": _of(Channel)}}}
