"""Replay as lines: one when a verdict changes, when gates answer, when a layer moves, and a summary at the end."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from monitor.core.codec import presented
from monitor.core.effects import Effect, EpisodeClosed, EpisodeOpened, Held, Judged, LayerMoved
from monitor.core.engine import Engine
from monitor.core.proposal import GateResult
from monitor.core.settings import Settings
from monitor.core.units import iso
from monitor.registry import Catalogue
from monitor.replay.runner import by_knowledge
from monitor.store.sqlite import SqliteStore


@dataclass(frozen=True)
class Line:
    """One thing that happened, for machines and for people. `at` is epoch milliseconds."""

    at: int
    fields: dict[str, Any]

    @property
    def json(self) -> str:
        return json.dumps(presented(self.fields), sort_keys=True, allow_nan=False)

    @property
    def row(self) -> tuple[str, str, str, str]:
        what = self.fields.get("rule") or self.fields.get("id") or self.fields["kind"]
        part = f"/{self.fields['subject']}" if "subject" in self.fields else f" {self.fields['gate']}" if "gate" in self.fields else ""
        # Of a gate it counts what it did, not what it found.
        names = ("state",) if "gate" in self.fields else ("verdict", "state")
        came = next((str(self.fields[name]) for name in names if self.fields.get(name)), "")
        return iso(self.at), f"{what}{part}", came, str(self.fields.get("reason", ""))


def lines(store: SqliteStore, settings: Settings, start: int | None, end: int | None) -> Iterator[Line] | None:
    """Replay a store's history by knowledge from `start` to `end` (epoch milliseconds). None when nothing was known in that range."""
    first, last = store.known_span()
    if first is None or last is None or (start is not None and start > last) or (end is not None and end < first):
        return None
    return _lines(store, settings, start if start is not None else first, end if end is not None else last)


def rows(found: Iterable[Line]) -> Iterator[tuple[str, str, str, str]]:
    """The lines for people: the gates that are not built are one row of a layer, which names them."""
    for _, group in groupby(enumerate(found), lambda one: one[1].fields["id"] if one[1].fields.get("state") == "not_built" else one[0]):
        first, *more = (line for _, line in group)
        if first.fields.get("state") == "not_built":
            names = ", ".join(line.fields["gate"] for line in (first, *more))
            yield iso(first.at), first.fields["id"], "not_built", f"not asked, since they do not exist yet: {names}"
        else:
            yield first.row


def _lines(store: SqliteStore, settings: Settings, start: int, end: int) -> Iterator[Line]:
    counts: Counter[str] = Counter()
    engine = Engine(Catalogue())
    for event, effects in by_knowledge(engine, settings, store.history(), end, list(store.ticks())):
        if event.now < start:
            continue
        for effect in effects:
            for line in of_effect(effect):
                counts[line.fields["kind"]] += 1
                yield line
    summary = {"kind": "summary", "from": iso(start), "to": iso(end), "counts": dict(sorted(counts.items())), "rule_set": settings.rule_set}
    yield Line(end, summary)


def of_effect(effect: Effect) -> Iterator[Line]:
    """The lines of one effect; alerts and sources have none: a replay does not notify."""
    match effect:
        case Judged(at, rule, subject, verdict):
            head = {"kind": "verdict", "at": at, "rule": rule, "subject": subject, "verdict": verdict.state, "reason": verdict.reason}
            yield Line(at, head | _numbers(verdict) | {"conditions": verdict.conditions})
        case EpisodeOpened(at, rule, subject):
            yield Line(at, {"kind": "episode", "at": at, "rule": rule, "subject": subject, "state": "opened"})
        case EpisodeClosed(at, rule, subject, since, reason):
            yield Line(at, {"kind": "episode", "at": at, "rule": rule, "subject": subject, "state": "closed", "since": since, "reason": reason})
        case Held(at):
            yield from _gates(at, effect.proposal.id, effect.gates)
            held = {"kind": "layer", "at": at, "id": effect.proposal.id, "state": "refused", "reason": effect.reason, "proposal": effect.proposal}
            yield Line(at, held)
        case LayerMoved(at):
            yield from _gates(at, effect.id, effect.gates)
            moved = {"kind": "layer", "at": at, "id": effect.id, "state": effect.state, "reason": effect.reason}
            yield Line(at, moved | ({"proposal": effect.proposal} if effect.proposal else {}))
        case _:
            return


def _numbers(verdict: Any) -> dict[str, float]:
    named = {name: getattr(verdict, name) for name in ("value", "threshold", "distance")}
    return {name: number for name, number in named.items() if number is not None}


def _gates(at: int, layer_id: str, gates: tuple[GateResult, ...]) -> Iterator[Line]:
    for gate in gates:
        answer = {"gate": gate.gate, "state": gate.outcome, "verdict": gate.state, "reason": gate.reason}
        yield Line(at, {"kind": "gate", "at": at, "id": layer_id, **answer})
