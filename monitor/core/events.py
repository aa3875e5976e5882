"""What comes into the brain: a closed family of frozen values.

`now` is the instant at which the brain learns of it (epoch milliseconds).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from monitor.core.observation import Observation


@dataclass(frozen=True, slots=True)
class Batch:
    """One pass of one source: everything it brought, in one step. `rejected` counts the rows that the door or the parser refused."""

    now: int
    source: str
    observations: tuple[Observation, ...]
    rejected: int = 0
    kind: Literal["batch"] = "batch"


@dataclass(frozen=True, slots=True)
class Failed:
    """One pass of one source that brought nothing."""

    now: int
    source: str
    reason: str
    kind: Literal["failed"] = "failed"


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed."""

    now: int
    kind: Literal["tick"] = "tick"


@dataclass(frozen=True, slots=True)
class Signal:
    """The operator's word: approve, reject, activate or close a layer; silence alerts; send a test alert, or one again.

    Or the sender's: a channel does not take an alert (`delivery-failing`), or will not be asked again (`delivery-given-up`).
    """

    now: int
    id: str
    actor: str
    action: str
    target: str
    note: str = ""
    until: int | None = None
    kind: Literal["signal"] = "signal"


@dataclass(frozen=True, slots=True)
class Configured:
    """The daemon started or reloaded with these settings (inner units, complete, defaults included).

    `settings` has book, positions, tvl_subjects, rules, gates, sources; see `monitor.core.settings`.
    """

    now: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    kind: Literal["configured"] = "configured"


Event = Batch | Failed | Tick | Signal | Configured
