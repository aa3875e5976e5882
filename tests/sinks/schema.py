"""As much of JSON Schema as the API's description uses, and nothing silently ignored: an unknown keyword is an error."""

import re
from collections.abc import Iterator
from typing import Any

KNOWN = {"type", "properties", "required", "additionalProperties", "items", "enum", "anyOf", "pattern", "description", "$ref"}
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "number": (int, float), "integer": (int,), "boolean": (bool,),
}  # fmt: skip


def mistakes(value: Any, schema: dict[str, Any], document: dict[str, Any], place: str = "$") -> Iterator[str]:
    """Each way in which a value is not what its schema says."""
    if unknown := schema.keys() - KNOWN:
        raise ValueError(f"{place}: keywords {unknown} are not checked")
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        yield from mistakes(value, document["components"]["schemas"][name], document, place)
        return
    if "anyOf" in schema:
        if all(list(mistakes(value, one, document, place)) for one in schema["anyOf"]):
            yield f"{place}: {value!r} is none of the choices"
        return
    wanted = TYPES.get(schema.get("type", ""), (object,))
    if not isinstance(value, wanted) or (isinstance(value, bool) and schema.get("type") in {"number", "integer"}):
        yield f"{place}: {value!r} is no {schema['type']}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place}: {value!r} is not one of {schema['enum']}"
    if "pattern" in schema and not re.search(schema["pattern"], str(value)):
        yield f"{place}: {value!r} does not look like {schema['pattern']}"
    yield from _inner(value, schema, document, place)


def _inner(value: Any, schema: dict[str, Any], document: dict[str, Any], place: str) -> Iterator[str]:
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            yield from mistakes(item, schema["items"], document, f"{place}[{i}]")
    if isinstance(value, dict) and schema.get("type") == "object":
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        yield from (f"{place}: {name} is missing" for name in schema.get("required", []) if name not in value)
        for name, item in value.items():
            if name in properties:
                yield from mistakes(item, properties[name], document, f"{place}.{name}")
            elif isinstance(others, dict):
                yield from mistakes(item, others, document, f"{place}.{name}")
            elif not others:
                yield f"{place}: {name} is not described"
