"""The API described as data, OpenAPI 3.1. A test holds every response against it: no field is served that is not described here."""

from functools import cache
from typing import Any

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


def _text(description: str = "", *choices: str) -> Schema:
    schema: Schema = {"type": "string"}
    if description:
        schema["description"] = description
    if choices:
        schema["enum"] = list(choices)
    return schema


def _number(description: str = "") -> Schema:
    return {"type": "number", "description": description} if description else {"type": "number"}


def _integer(description: str = "") -> Schema:
    return {"type": "integer", "description": description} if description else {"type": "integer"}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _map(values: Schema, description: str = "") -> Schema:
    return {"type": "object", "additionalProperties": values, **({"description": description} if description else {})}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: str, **properties: Schema) -> Schema:
    """An object of these properties and no others; `required` names those that are always there."""
    return {"type": "object", "required": required.split(), "additionalProperties": False, "properties": properties}


TIME = _integer("epoch milliseconds, UTC")
USD = _number("US dollars")
FLAG: Schema = {"type": "boolean"}
VERDICT = _text("", "FIRED", "QUIET", "UNKNOWN", "NOT_CONFIGURED")
DISTANCE = _number("(value - threshold) / scale in the firing direction: 0 is the threshold, positive has fired")
JUDGED = {"verdict": VERDICT, "value": _number(), "threshold": _number(), "distance": DISTANCE, "unit": _text(), "reason": _text()}
EVIDENCED = {"conditions": _list(_ref("Condition")), "evidence": _list(_ref("Evidence"))}
ASKED = {
    "position": _text(), "rule": _text(), "subject": _text(), "tier": _text("", "short", "intermediate", "structural"), "action": _text(),
    "instrument": _text(), "asset": _text(), "binding": _text("the cap that cut the size"), "notional_usd": USD, "capital_usd": USD, "cost_usd": USD,
    "cost_source": _text("how the cost was reckoned"), "horizon_days": _number(), "position_value_usd": USD,
}  # fmt: skip
STATES = _text("", "proposed", "approved", "active", "closing", "closed", "rejected", "expired", "retracted")
EXACT = _text("chain integer as decimal text")


def _shared() -> dict[str, Schema]:
    return {
        "Condition": _object("name verdict", name=_text(), **JUDGED),
        "Evidence": _object(
            "metric subject source at known_at value age_seconds",
            metric=_text(), subject=_text(), source=_text(), at=TIME, known_at=TIME, unit=_text(), age_seconds=_number(), block_hash=_text(),
            value={"anyOf": [_number(), EXACT]},
        ),
        "Gate": _object(
            "gate outcome verdict",
            gate=_text(), outcome=_text("", "pass", "halve", "cut", "block", "not_built"), verdict=VERDICT, reason=_text(), factor=_number(), limit_usd=USD,
        ),
        "Error": _object("error", error=_object("status message", status=_integer(), message=_text())),
    }  # fmt: skip


def _seen() -> dict[str, Schema]:
    story = _object("from_ms to_ms speed done", from_ms=TIME, to_ms=TIME, speed=_number(), done=_number("share of the story told"), title=_text())
    return {
        "Now": _object(
            "at wall started_at version rule_set",
            at=TIME, wall=TIME, started_at=TIME, version=_text(), rule_set=_text(), notice=_text(), story=story,
        ),
        "Sight": _object(
            "state sentence sources_up sources blind",
            state=_text("", "clear", "partly", "blind", "starting"), sentence=_text(), sources_up=_integer(), sources=_integer(), blind=_list(_text()),
        ),
        "Source": _object(
            "id state up configured required",
            id=_text(), state=_text("", "up", "late", "failing", "down", "waiting"), up=FLAG, configured=FLAG, required=FLAG, heard_at=TIME,
            age_seconds=_number(), cadence_seconds=_number(), rejected=_integer(), failing_since=TIME, reason=_text(), brings=_integer("series it brings"),
        ),
        "Alert": _object(
            "id at type severity summary delivery attempts",
            id=_text(), at=TIME, type=_text(), severity=_text("", "info", "warning", "critical"), summary=_text(),
            delivery=_text("", "pending", "delivered", "failing", "silenced", "none"), attempts=_integer(), channel=_text(),
        ),
        "Health": _object(
            "uptime_seconds alerts_total alerts_by_type deliveries collect_seconds",
            uptime_seconds=_number(), loop_lag_seconds=_number(), outbox_pending=_integer(), outbox_oldest_seconds=_number(), alerts_total=_integer(),
            alerts_by_type=_map(_integer()), collect_seconds=_map(_number()),
            deliveries=_list(_object("channel outcome count", channel=_text(), outcome=_text(), count=_integer())),
            decision_seconds=_object("buckets sum", buckets=_list(_list({"anyOf": [_text(), _integer()]})), sum=_number()),
        ),
    }  # fmt: skip


def _risk() -> dict[str, Schema]:
    session = _object("cap_usd used_usd left_usd left_ratio", cap_usd=USD, used_usd=USD, left_usd=USD, left_ratio=_number())
    layer = _object("id state tier what", id=_text(), state=STATES, tier=_text(), what=_text())
    exact = {name: EXACT for name in ("amount0", "amount1", "fees0", "fees1", "liquidity")}
    return {
        "Book": _object(
            "positions mode objective rule_set",
            positions=_integer(), mode=_text(), objective=_text(), rule_set=_text(), equity_usd=USD, valued_usd=USD, unvalued=_list(_text()),
            net_delta_usd=_map(USD, "by asset, over positions and layers in force"), capital_usd=USD, session=session,
            protected_ratio=_number("notional of the layers in force over the book's long delta, at today's prices"),
        ),
        "Position": _object(
            "id kind layers",
            id=_text(), kind=_text(), chain=_text(), value_usd=USD, amounts=_map(_number()), delta_usd=_map(USD), block_hash=_text(),
            layers=_list(layer), unknown=_text("why it cannot be valued"), **exact,
        ),
        "Markets": _object(
            "prices funding tvl",
            prices=_list(_object("asset usd", asset=_text(), usd=USD)),
            funding=_list(_object("venue asset annualised_ratio", venue=_text(), asset=_text(), annualised_ratio=_number())),
            tvl=_list(_object("subject usd", subject=_text(), usd=USD, change_48h_ratio=_number())),
        ),
    }  # fmt: skip


def _thought() -> dict[str, Schema]:
    episode = _object("open_since", open_since=TIME)
    return {
        "Trigger": _object(
            "rule subject title class groups proposes exposed verdict conditions evidence",
            rule=_text(), subject=_text(), title=_text(), groups=_list(_text("", "T", "F", "O")), proposes=FLAG, exposed=_list(_text()), episode=episode,
            **{"class": _text("", "safety", "evidence", "signal")}, **JUDGED, **EVIDENCED,
        ),
        "Layer": _object(
            "id state live what conditions evidence gates",
            id=_text(), state=STATES, live=FLAG, what=_text(), reason=_text(), by=_text(), proposed_at=TIME, moved_at=TIME, valid_until=TIME,
            gates=_list(_ref("Gate")), **ASKED, **EVIDENCED,
        ),
        "Held": _object("id at reason gates", id=_text(), at=TIME, reason=_text(), gates=_list(_ref("Gate")), **ASKED, **EVIDENCED),
        "Tier": _object(
            "tier horizon notional_usd layers held",
            tier=_text(), horizon=_text(), notional_usd=_map(USD, "by state"), layers=_list(_text()), held=_list(_text()), cost_usd=USD, capital_usd=USD,
            left_usd=_number("capital that new layers of this tier may still tie up today"),
        ),
        "GateInForce": _object("id title blocked", id=_text(), title=_text(), blocked=_integer("proposals held now that it blocks")),
        "Decision": _object(
            "number at kind tone sentence",
            number=_integer(), at=TIME, kind=_text(), tone=_text("", "fired", "refused", "proposed", "unknown", "good", "info"), sentence=_text(),
            id=_text(), layer=_text(), what=_text(), since=TIME, source=_text(), gates=_list(_ref("Gate")), **ASKED, **EVIDENCED,
        ),
    }  # fmt: skip


_OF_KEY: dict[str, Schema] = {
    "headline": _text("the whole state in one sentence"),
    "now": _ref("Now"),
    "sight": _ref("Sight"),
    "book": _ref("Book"),
    "markets": _ref("Markets"),
    "health": _ref("Health"),
    "positions": _list(_ref("Position")),
    "triggers": _list(_ref("Trigger")),
    "layers": _list(_ref("Layer")),
    "held": _list(_ref("Held")),
    "ladder": _list(_ref("Tier")),
    "gates": _list(_ref("GateInForce")),
    "alerts": _list(_ref("Alert")),
    "sources": _list(_ref("Source")),
    "decisions": _list(_ref("Decision")),
}


def _answer(description: str, schema: Schema, kind: str = "application/json") -> Schema:
    return {"description": description, "content": {kind: {"schema": schema}}}


def _get(summary: str, schema: Schema, kind: str = "application/json", **others: Schema) -> Schema:
    refused = _answer("a bearer token is needed", _ref("Error"))
    return {"get": {"summary": summary, "responses": {"200": _answer(summary, schema, kind), "401": refused, **others}}}


def _paths() -> dict[str, Schema]:
    paths = {
        f"/api/v1/{name}": _get(SUMMARIES[name], _object(f"at {' '.join(keys)}", at=TIME, **{key: _OF_KEY[key] for key in keys}))
        for name, keys in SECTIONS.items()
    }
    health = _object("status", status=_text("", "ok", "failing"), reason=_text())
    ready = _object("status", status=_text("", "ready", "waiting"), waiting_for=_list(_text()))
    stream = "Server-sent events `update`: an object with the sections of the view model that changed; the first one has them all"
    return {
        **paths,
        "/api/v1/events": _get(stream, _text(), "text/event-stream", **{"503": _answer("too many streams", _ref("Error"))}),
        "/api/v1/openapi.json": _get("This document", {"type": "object"}),
        "/healthz": _get("Alive and deciding", health, **{"503": _answer("not deciding", health)}),
        "/readyz": _get("All required sources were seen", ready, **{"503": _answer("some were not", ready)}),
        "/metrics": _get("Prometheus exposition", _text(), "text/plain"),
    }


@cache
def document(version: str) -> Schema:
    """The OpenAPI document of this program's version."""
    security: Schema = {"bearer": {"type": "http", "scheme": "bearer"}, "basic": {"type": "http", "scheme": "basic"}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "hedge-monitor",
            "version": version,
            "description": "Reads only. Times are epoch milliseconds, ages seconds, shares fractions. What was not computed is absent, never 0.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"bearer": []}, {"basic": []}],
        "paths": _paths(),
        "components": {"schemas": {**_shared(), **_seen(), **_risk(), **_thought()}, "securitySchemes": security},
    }
