"""The API described as data, OpenAPI 3.1. A test holds every response against it: no field is served that is not described here."""

from functools import cache
from typing import Any

from monitor.sinks.objects import OBJECTS

Schema = dict[str, Any]

SECTIONS: dict[str, tuple[str, ...]] = {
    "book": ("headline", "now", "sight", "book", "markets", "health"),
    "positions": ("positions",),
    "triggers": ("triggers",),
    "layers": ("layers", "held", "ladder", "gates"),
    "alerts": ("alerts",),
    "sources": ("sources", "sight"),
    "decisions": ("decisions",),
}
SUMMARIES = {
    "book": "Clock, sight, book, markets and health of the daemon",
    "positions": "Positions with value, exact amounts and deltas, or why they cannot be valued",
    "triggers": "Every rule about every subject: fired first, then what cannot be judged, then the nearest to firing",
    "layers": "The ladder: layers, proposals that are held, tiers, gates in force",
    "alerts": "The newest alerts with what became of them",
    "sources": "Each source with its age, and whether the monitor can see",
    "decisions": "The newest decisions as sentences, newest first, each with its evidence",
}

SECTION_TYPES = {
    "headline": "text", "now": "Now", "sight": "Sight", "book": "Book", "markets": "Markets", "health": "Health", "positions": "[Position]",
    "triggers": "[Trigger]", "layers": "[Layer]", "held": "[Held]", "ladder": "[Tier]", "gates": "[GateInForce]", "alerts": "[Alert]",
    "sources": "[Source]", "decisions": "[Decision]",
}  # fmt: skip
WORDS: dict[str, Schema] = {
    "text": {"type": "string"},
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "flag": {"type": "boolean"},
    "any": {},
    "time": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$", "description": "ISO-8601, UTC"},
    "usd": {"type": "number", "description": "US dollars"},
    "exact": {"type": "string", "pattern": "^-?[0-9]+$", "description": "chain integer as decimal text"},
}


def _type(spelt: str) -> Schema:
    if spelt in WORDS:
        return dict(WORDS[spelt])
    if spelt.startswith("["):
        return {"type": "array", "items": _type(spelt[1:-1])}
    if spelt.startswith("{"):
        return {"type": "object", "additionalProperties": _type(spelt[1:-1])}
    if "|" in spelt:
        choices = spelt.split("|")
        return {"anyOf": [_type(one) for one in choices]} if choices[0] in WORDS else {"type": "string", "enum": choices}
    return {"$ref": f"#/components/schemas/{spelt}"}


def _field(line: str) -> tuple[str, bool, Schema]:
    """Name, whether it is always there, and schema of one line."""
    declared, _, description = line.partition(" -- ")
    name, _, spelt = declared.partition(": ")
    schema = _type(spelt.strip())
    if description:
        schema["description"] = description
    return name.rstrip("?"), not name.endswith("?"), schema


def _schemas() -> dict[str, Schema]:
    schemas: dict[str, Schema] = {}
    current: Schema = {}
    for line in OBJECTS.strip().splitlines():
        if not line.startswith(" "):
            current = schemas[line] = {"type": "object", "required": [], "additionalProperties": False, "properties": {}}
        elif line.strip().startswith("+"):
            taken = schemas[line.strip()[1:]]
            current["properties"] |= taken["properties"]
            current["required"] += taken["required"]
        else:
            name, always, schema = _field(line.strip())
            current["properties"][name] = schema
            current["required"] += [name] if always else []
    return schemas


def _answer(description: str, schema: Schema, kind: str = "application/json") -> Schema:
    return {"description": description, "content": {kind: {"schema": schema}}}


def _get(summary: str, schema: Schema, kind: str = "application/json", unavailable: Schema | None = None) -> Schema:
    answers = {"200": _answer(summary, schema, kind), "401": _answer("a bearer token is needed", _type("Error"))}
    if unavailable is not None:
        answers["503"] = _answer("not now", unavailable)
    return {"get": {"summary": summary, "responses": answers}}


def _push() -> Schema:
    """The one path that takes something, where a push token is set; without one it is answered as any other POST is."""
    refused = {"401": "the push token is needed", "405": "no push token is set", "408": "the body did not come", "413": "too large",
               "415": "neither JSON nor CSV, or compressed", "503": "the store cannot take it now"}  # fmt: skip
    answers = {
        "202": _answer("Left for the daemon, which takes it within a second", _type("Taken")),
        "422": _answer("Some rows are bad, nothing was taken", _type("Refused")),
        **{status: _answer(why, _type("Error")) for status, why in refused.items()},
    }
    header = "The header is metric,subject,source,at,known_at,value"
    content = {"application/json": {"schema": _type("[Row]")}, "text/csv": {"schema": {"type": "string", "description": header}}}
    body = {"required": True, "content": content}
    return {"post": {"summary": "Observations of your own", "security": [{"push": []}], "requestBody": body, "responses": answers}}


def _section(keys: tuple[str, ...]) -> Schema:
    properties = {"at": _type("time"), **{key: _type(SECTION_TYPES[key]) for key in keys}}
    return {"type": "object", "required": list(properties), "additionalProperties": False, "properties": properties}


def _paths() -> dict[str, Schema]:
    stream = "Server-sent events `update`: an object with the sections of the view model that changed; the first one has them all"
    return {
        **{f"/api/v1/{name}": _get(SUMMARIES[name], _section(keys)) for name, keys in SECTIONS.items()},
        "/api/v1/observations": _push(),
        "/api/v1/events": _get(stream, _type("text"), "text/event-stream", _type("Error")),
        "/api/v1/openapi.json": _get("This document", {"type": "object"}),
        "/healthz": _get("Alive and deciding", _type("Alive"), unavailable=_type("Alive")),
        "/readyz": _get("All required sources were seen", _type("Ready"), unavailable=_type("Ready")),
        "/metrics": _get("Prometheus exposition", _type("text"), "text/plain"),
    }


@cache
def document(version: str) -> Schema:
    """The OpenAPI document of this program's version."""
    security: Schema = {"bearer": {"type": "http", "scheme": "bearer"}, "basic": {"type": "http", "scheme": "basic"}}
    security["push"] = {"type": "http", "scheme": "bearer", "description": "server.push_token"}
    description = (
        "Reads, and one way in for rows. Times are epoch milliseconds, ages seconds, shares fractions. What was not computed is absent, never 0."
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "hedge-monitor", "version": version, "description": description, "license": {"name": "MIT", "identifier": "MIT"}},
        "servers": [{"url": "/"}],
        "security": [{}, {"bearer": []}, {"basic": []}],
        "paths": _paths(),
        "components": {"schemas": _schemas(), "securitySchemes": security},
    }
