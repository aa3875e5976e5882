"""How events and effects are written down and read back: canonical JSON, one spelling for ever."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from monitor.core.codec import dumps
from monitor.core.effects import Effect
from monitor.core.events import Batch, Configured, Event, Failed, Signal, Tick
from monitor.core.observation import Observation


@cache
def _effects() -> TypeAdapter[Effect]:
    return TypeAdapter(Annotated[Effect, Field(discriminator="kind")])


def write_effect(effect: Effect) -> str:
    return dumps(effect)


def read_effect(body: str) -> Effect:
    return _effects().validate_json(body)


def write_event(event: Event) -> str:
    """The event without its observations, which have a table of their own."""
    if isinstance(event, Batch):
        return dumps({"source": event.source, "rejected": event.rejected})
    return dumps(event)


def read_event(kind: str, now: int, body: str, observations: tuple[Observation, ...]) -> Event:
    """The event as it was. Raises ValueError for a kind that this program does not know."""
    fields: Mapping[str, Any] = json.loads(body)
    match kind:
        case "batch":
            return Batch(now, fields["source"], observations, fields["rejected"])
        case "tick":
            return Tick(now)
        case "failed":
            return Failed(now, fields["source"], fields.get("reason", ""))
        case "signal":
            return Signal(now, fields["id"], fields["actor"], fields["action"], fields["target"], fields.get("note", ""), fields.get("until"))
        case "configured":
            return Configured(now, fields["settings"])
    raise ValueError(f"the log holds an event of unknown kind {kind!r}")


def write_value(value: float | int) -> float | str:
    """A chain integer as text: SQLite's own integers end at 64 bits."""
    return str(value) if isinstance(value, int) else value


def read_value(stored: float | str) -> float | int:
    return int(stored) if isinstance(stored, str) else stored
