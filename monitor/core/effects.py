"""What goes out of the brain: a closed family of frozen values, recorded in the same transaction as the event that caused them.

Folding the effects, and nothing else, gives the state back after a restart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from monitor.core.proposal import GateResult, Proposal
from monitor.core.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Judged:
    """A rule's verdict changed its state or its kind of reason; recorded run-length."""

    at: int
    rule: str
    subject: str
    verdict: Verdict
    kind: Literal["verdict"] = "verdict"


@dataclass(frozen=True, slots=True)
class EpisodeOpened:
    at: int
    rule: str
    subject: str
    kind: Literal["episode-opened"] = "episode-opened"


@dataclass(frozen=True, slots=True)
class EpisodeClosed:
    at: int
    rule: str
    subject: str
    since: int
    reason: str
    kind: Literal["episode-closed"] = "episode-closed"


@dataclass(frozen=True, slots=True)
class Held:
    """A proposal that was not made, with what every gate said of it. `signature` tells one way of being held from another."""

    at: int
    id: str
    proposal: Proposal
    gates: tuple[GateResult, ...]
    signature: str
    reason: str
    kind: Literal["held"] = "held"


@dataclass(frozen=True, slots=True)
class LayerMoved:
    """A layer entered a state. `proposal` and `gates` come with `proposed` (first, and whenever it is quoted anew)."""

    at: int
    id: str
    state: str
    reason: str
    by: str = ""
    valid_until: int | None = None
    proposal: Proposal | None = None
    gates: tuple[GateResult, ...] = ()
    kind: Literal["layer"] = "layer"


@dataclass(frozen=True, slots=True)
class SourceMoved:
    """A source went down or came back. `since` is when it was last heard of."""

    at: int
    source: str
    up: bool
    reason: str
    since: int
    kind: Literal["source"] = "source"


@dataclass(frozen=True, slots=True)
class Alerted:
    """Something to tell. `id` is the webhook id: the same cause has the same id for ever. `data` is complete; delivery adds nothing."""

    at: int
    id: str
    type: str
    severity: str
    summary: str
    sequence: int
    data: Mapping[str, Any] = field(default_factory=dict)
    kind: Literal["alert"] = "alert"


@dataclass(frozen=True, slots=True)
class Silenced:
    """Alerts whose type and subject match `target` are not sent until `until`."""

    at: int
    id: str
    target: str
    until: int
    by: str
    reason: str
    kind: Literal["silence"] = "silence"


Effect = Judged | EpisodeOpened | EpisodeClosed | Held | LayerMoved | SourceMoved | Alerted | Silenced
