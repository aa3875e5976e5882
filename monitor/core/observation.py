"""A fact with two times: when it was true, and when anyone could have known it."""

from dataclasses import dataclass
from typing import NamedTuple


class SeriesKey(NamedTuple):
    """What one series is about: a metric of the vocabulary, a subject, and who says so."""

    metric: str
    subject: str
    source: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a parser saw, before the door: nothing is checked yet.

    `at` and `known_at` are epoch milliseconds; None asks the door for the metric's own rule. `source` is left empty by collectors that
    have one name.
    """

    metric: str
    subject: str
    value: float | int
    at: int | None
    known_at: int | None = None
    source: str = ""
    block_hash: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """A fact that passed the door. `value` is a finite float, or an exact int where the vocabulary says so (chain integers)."""

    metric: str
    subject: str
    source: str
    at: int
    known_at: int
    value: float | int
    block_hash: str = ""

    @property
    def key(self) -> SeriesKey:
        return SeriesKey(self.metric, self.subject, self.source)
