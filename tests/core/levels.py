"""A rule that fires at a level, rules that follow it, gates that say what they are told: an engine small enough to see through."""

from dataclasses import dataclass
from typing import Any, ClassVar

from monitor.core.effects import Alerted, Effect, LayerMoved
from monitor.core.engine import Engine
from monitor.core.events import Batch, Signal
from monitor.core.proposal import Proposal
from monitor.core.rule import Class, Gate, Group, Input, Intent, Outcome, Rule, Ruling, Scope, blocks, passes
from monitor.core.units import HOUR, MINUTE
from monitor.core.verdict import State, Unknown, Verdict, at_least, of_one
from monitor.core.view import View
from tests.builders import START, engine_of, play, seen, series, settings_of

ON, CALM, OVER, BLIND = 10.0, 7.0, 1.0, 6.66


@dataclass(frozen=True, kw_only=True)
class Level(Rule):
    """Fires from 10 of `iv.index`, is over at 5, and cannot read 6.66."""

    title: ClassVar[str] = "level"
    scope: ClassVar[Scope] = Scope.ASSET
    groups: ClassVar[tuple[Group, ...]] = (Group.ONCHAIN,)
    kind: ClassVar[Class] = Class.EVIDENCE
    threshold: float = 10.0

    def inputs(self, subject: str) -> tuple[Input, ...]:
        return (Input("iv.index", subject),)

    def judge(self, view: View, subject: str) -> Verdict:
        value = self._value(view, subject)
        return of_one(at_least("level", value, self.threshold, reason=f"{value:g}"), code="odd" if value % 2 else "even")

    def over(self, view: View, subject: str, since: int) -> bool:
        value = self._value(view, subject)
        if value == 2.0:
            raise Unknown("exit", "its exit cannot be judged")
        return value <= 5

    def intent(self, verdict: Verdict) -> Intent | None:
        return Intent("short", ("top_up",))

    def _value(self, view: View, subject: str) -> float:
        value = float(view.newest("iv.index", subject, "s1", fresh=False).value)
        if value == BLIND:
            raise Unknown("blind", "it reads 6.66")
        return value


@dataclass(frozen=True, kw_only=True)
class Votes(Level):
    """The same as a safety rule that only votes."""

    kind: ClassVar[Class] = Class.SAFETY

    def intent(self, verdict: Verdict) -> Intent | None:
        return None


@dataclass(frozen=True, kw_only=True)
class Follows(Votes):
    """Fires while `level` does."""

    needs: ClassVar[tuple[str, ...]] = ("level",)

    def inputs(self, subject: str) -> tuple[Input, ...]:
        return ()

    def judge(self, view: View, subject: str) -> Verdict:
        needed = view.verdict("level", subject)
        assert needed is not None
        return Verdict(needed.state, f"level is {needed.state}")

    def over(self, view: View, subject: str, since: int) -> bool:
        return True


@dataclass(frozen=True, kw_only=True)
class Before(Gate):
    """Rules as its setting says."""

    rank: ClassVar[int] = 5
    says: str = "pass"

    def judge(self, view: View, proposal: Proposal) -> Ruling:
        if self.says == "unknown":
            raise Unknown("dark", "it is dark")
        if self.says == "block":
            return blocks("it said no")
        verdict = Verdict(State.FIRED, self.says)
        if self.says == "halve":
            return Ruling(Outcome.HALVE, verdict)
        return passes("fine") if self.says == "pass" else Ruling(Outcome.CUT, verdict, float(self.says))


@dataclass(frozen=True, kw_only=True)
class Later(Before):
    rank: ClassVar[int] = 6


Level.id, Votes.id, Follows.id, Before.id, Later.id = "level", "votes", "follows", "before", "later"
MADE = (Level, Votes, Follows, Before, Later)
ETH: dict[str, Any] = {"positions": [{"id": "p1", "kind": "tokens", "amounts": {"ETH": 4}}]}
SOURCE: dict[str, Any] = {"sources": {"s1": {"cadence_ms": MINUTE}}}


def level(value: float, at: int = START, subject: str = "ETH", price: float = 2500.0) -> Batch:
    """One pass: the level, and the price of ether by two sources."""
    prices = [o for s in ("a", "b") for o in series("price.usd", "ETH", [price] * 3, end=at, step_ms=MINUTE, source=s)]
    return Batch(at, "s1", (seen("iv.index", subject, value, at), *prices))


def engine(*, rules: tuple[str, ...] = ("level",), gates: tuple[str, ...] = (), **others: Any) -> Engine:
    return engine_of(settings_of(rules=rules, gates=gates, **others), *MADE)


def kinds(effects: list[Effect]) -> list[str]:
    return [e.type if isinstance(e, Alerted) else e.state if isinstance(e, LayerMoved) else e.kind for e in effects]


def run(subject: Engine, *values: float, start: int = START, step: int = HOUR) -> list[Effect]:
    return play(subject, [level(value, start + i * step) for i, value in enumerate(values)])


def signal(action: str, target: str = "", at: int = START + MINUTE, **more: Any) -> Signal:
    return Signal(at, f"sig-{action}-{at}", "alice", action, target, **more)
