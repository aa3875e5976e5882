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

# An indented line is `field: type -- description`; `field?` may be absent. A type is a word of WORDS, the name of an object, `[list of]`,
# `{map of}` or the words it can be, `a|b`. `+Name` takes in that object's fields.
OBJECTS = """
Judged
  verdict: FIRED|QUIET|UNKNOWN|NOT_CONFIGURED
  value?: number
  threshold?: number
  distance?: number -- (value - threshold) / scale in the firing direction: 0 is the threshold, positive has fired
  unit?: text
  reason?: text
Condition
  +Judged
  name: text
Evidence
  metric: text
  subject: text
  source: text
  at: time -- when it was true
  known_at: time -- when anyone could have known it
  value: number|exact -- chain integers beyond 2^53 as decimal text
  unit?: text
  age_seconds: number
  block_hash?: text
Gate
  gate: text
  outcome: pass|halve|cut|block|not_built
  verdict: FIRED|QUIET|UNKNOWN|NOT_CONFIGURED
  reason?: text
  factor?: number
  limit_usd?: usd
Grounds
  conditions?: [Condition]
  evidence?: [Evidence]
Asked
  +Grounds
  position?: text
  rule?: text
  subject?: text
  tier?: short|intermediate|structural
  action?: text
  instrument?: text
  asset?: text
  binding?: text -- the cap that cut the size
  notional_usd?: usd -- what it protects
  capital_usd?: usd -- what it ties up
  cost_usd?: usd
  cost_source?: text -- how the cost was reckoned
  horizon_days?: number
  position_value_usd?: usd
Story
  from_ms: time
  to_ms: time
  speed: number -- seconds of the story in one of ours
  done: number -- share of the story told
  title?: text
Now
  at: time -- the engine's clock
  wall: time
  started_at: time
  version: text
  rule_set: text -- hash of everything that can change a decision
  notice?: text
  story?: Story
Sight
  state: clear|partly|blind|starting
  sentence: text
  sources_up: integer
  sources: integer
  blind: [text] -- rule/subject of what cannot be judged
Source
  id: text
  state: up|late|failing|down|waiting
  up: flag
  configured: flag
  required: flag
  heard_at?: time
  age_seconds?: number
  cadence_seconds?: number
  rejected?: integer
  failing_since?: time
  reason?: text
  brings?: integer -- series it was set up to bring
Alert
  id: text
  at: time
  type: text
  severity: info|warning|critical
  summary: text
  delivery: pending|delivered|failing|silenced|none
  channel?: text
Deliveries
  channel: text
  outcome: text
  count: integer
Durations
  buckets: [any] -- pairs of upper bound and number of durations up to it
  sum: number
Health
  uptime_seconds: number
  loop_lag_seconds?: number
  clock_skew_seconds?: number -- our clock less what three other hosts or more say
  clock_trouble?: text
  outbox_pending?: integer
  outbox_oldest_seconds?: number
  deliveries: [Deliveries]
  alerts_total: integer
  alerts_by_type: {integer}
  collect_seconds: {number}
  decision_seconds?: Durations
Session
  cap_usd: usd
  used_usd: usd
  left_usd: usd
  left_ratio: number
  left_by_tier_usd: {usd}
Book
  positions: integer
  mode: steward|promoter
  objective: drawdown|il
  rule_set: text
  equity_usd?: usd -- what is held, perps at their margin; absent while a position cannot be valued
  valued_usd?: usd -- then, the sum of those that can
  unvalued?: [text]
  net_delta_usd?: {usd} -- by asset, over positions and layers in force
  protected_ratio?: number -- notional of the layers in force over the book's long delta, at today's prices
  capital_usd?: usd
  session?: Session
HeldLayer
  id: text
  state: text
  tier: text
  what: text
Position
  id: text
  kind: text
  chain?: text
  layers: [HeldLayer]
  unknown?: text -- why it cannot be valued
  value_usd?: usd -- its equity: of a perp its margin and profit
  amounts?: {number}
  delta_usd?: {usd}
  amount0?: exact
  amount1?: exact
  fees0?: exact
  fees1?: exact
  liquidity?: exact
  sqrt_price_x96?: exact
  tick?: exact
  tick_lower?: exact
  tick_upper?: exact
  block_hash?: text -- the block that the exact numbers are of; they need no price, so they stand beside `unknown` too
  at?: time -- of that block
Price
  asset: text
  usd: usd
Funding
  venue: text
  asset: text
  annualised_ratio: number -- positive: longs pay shorts
Tvl
  subject: text
  usd: usd
  change_48h_ratio?: number
Markets
  prices: [Price]
  funding: [Funding]
  tvl: [Tvl]
Episode
  open_since: time
Trigger
  +Judged
  +Grounds
  rule: text
  subject: text
  title: text
  class: safety|evidence|signal
  groups: [text] -- T technical, F fundamental, O on-chain
  proposes: flag -- whether it asks for a layer when it fires
  exposed: [text] -- positions
  episode?: Episode
Layer
  +Asked
  id: text
  state: proposed|approved|active|closing|closed|rejected|expired|retracted
  live: flag
  what: text
  reason?: text
  by?: text
  proposed_at: time
  moved_at: time
  valid_until?: time
  gates: [Gate]
Held
  +Asked
  id: text
  at: time
  reason: text
  gates: [Gate]
Tier
  tier: short|intermediate|structural
  horizon: text
  notional_usd: {usd} -- by state
  layers: [text]
  held: [text]
  cost_usd?: usd
  capital_usd?: usd
  left_usd?: usd -- capital that new layers of this tier may still tie up today
GateInForce
  id: text
  title: text
  blocked: integer -- proposals held now that it blocks
Decision
  +Asked
  number: integer
  at: time
  kind: text
  tone: fired|refused|proposed|unknown|good|info
  sentence: text
  id?: text
  layer?: text
  what?: text
  since?: time
  source?: text
  gates?: [Gate]
Alive
  status: ok|failing
  reason?: text
Ready
  status: ready|waiting
  waiting_for?: [text]
Problem
  status: integer
  message: text
Error
  error: Problem
Row
  metric: text
  subject: text
  source: text
  at: text|integer -- ISO-8601 or epoch milliseconds
  known_at?: text|integer -- when it was known; by the metric's own rule where it is left out
  value: number|text
Taken
  accepted: integer
BadRow
  row: integer -- its place in the list, or its line in the CSV; 0 is the whole body
  reason: text
Refused
  error: Problem
  rows: [BadRow] -- the first of the bad ones; nothing was taken
"""
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
