"""What a rule is and what a gate is: frozen dataclasses whose fields are their settings.

A rule judges one subject. A gate is a rule whose subject is a proposal: FIRED blocks, halves or cuts it, QUIET lets it pass, UNKNOWN
blocks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from monitor.core.verdict import State, Verdict
from monitor.core.view import View

if TYPE_CHECKING:
    from monitor.core.proposal import Proposal


class Scope(StrEnum):
    """What one instance of a rule is about."""

    POSITION = "position"
    ASSET = "asset"
    TVL = "tvl"
    LENDING = "lending"
    INDEX = "index"
    EQUITY = "equity"
    CRYPTO = "crypto"
    MARKET = "market"


class Group(StrEnum):
    """The three independent kinds of evidence."""

    TECHNICAL = "T"
    FUNDAMENTAL = "F"
    ONCHAIN = "O"


class Class(StrEnum):
    """How much stands between a rule and a proposal."""

    SAFETY = "safety"
    EVIDENCE = "evidence"
    SIGNAL = "signal"


@dataclass(frozen=True, slots=True)
class Input:
    """One series a rule reads; any source will do."""

    metric: str
    subject: str


@dataclass(frozen=True, slots=True)
class Intent:
    """The layer a fired rule asks for. `actions` is in order of preference, `share` is of the notional that sizing allows."""

    tier: str
    actions: tuple[str, ...]
    share: float = 1.0


Configured = Callable[[Input], bool]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Base of every trigger. Its id is its file's name.

    `title` is one line for the catalogue, `source_note` says which of its numbers are the method's own.
    """

    id: ClassVar[str] = ""
    title: ClassVar[str] = ""
    scope: ClassVar[Scope]
    groups: ClassVar[tuple[Group, ...]]
    kind: ClassVar[Class]
    needs: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        cls.id = cls.__module__.rpartition(".")[2].replace("_", "-")

    def concerns(self, subject: str) -> bool:
        """Whether the rule can be about this subject of its scope at all; by default it can be about each."""
        return True

    def inputs(self, subject: str) -> tuple[Input, ...]:
        """The series whose news makes this rule think again."""
        return ()

    def configured(self, subject: str, has: Configured) -> bool:
        """Whether the required inputs were ever set up; by default all of them are required."""
        return all(has(one) for one in self.inputs(subject))

    def judge(self, view: View, subject: str) -> Verdict:
        """The verdict of this instant. May raise Unknown."""
        raise NotImplementedError  # every rule judges for itself

    def over(self, view: View, subject: str, since: int) -> bool:
        """Whether an episode that began at `since` has met its exit, on this rule's own inputs. May raise Unknown: then it goes on."""
        raise NotImplementedError  # an exit that a rule forgot must not pass for one that never comes

    def intent(self, verdict: Verdict) -> Intent | None:
        """The layer to propose when FIRED; None for a rule that only votes or warns."""
        return None


class Outcome(StrEnum):
    """What a gate does to a proposal."""

    PASS = "pass"
    HALVE = "halve"
    CUT = "cut"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Ruling:
    """A gate's answer: its verdict, what follows, and for CUT the notional in USD that is left."""

    outcome: Outcome
    verdict: Verdict
    limit_usd: float | None = None


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Base of every gate. Its id is its file's name; gates are asked in the order of `rank`, then of id."""

    id: ClassVar[str] = ""
    title: ClassVar[str] = ""
    rank: ClassVar[int] = 50

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        cls.id = cls.__module__.rpartition(".")[2].replace("_", "-")

    def judge(self, view: View, proposal: "Proposal") -> Ruling:
        """Pass, halve, cut or block one proposal. May raise Unknown, which blocks."""
        raise NotImplementedError  # every gate judges for itself


def passes(reason: str) -> Ruling:
    return Ruling(Outcome.PASS, Verdict(State.QUIET, reason))


def blocks(reason: str, verdict: Verdict | None = None) -> Ruling:
    return Ruling(Outcome.BLOCK, verdict or Verdict(State.FIRED, reason))
