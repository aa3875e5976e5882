"""Decisions in plain words: each effect that a person would want to hear of is one sentence, which opens into its evidence and gates."""

from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

from monitor.core.effects import Alerted, Effect, EpisodeClosed, EpisodeOpened, Held, Judged, LayerMoved, Silenced, SourceMoved
from monitor.core.layers import describe
from monitor.core.proposal import Proposal
from monitor.core.units import iso
from monitor.core.verdict import State as Truth
from monitor.core.verdict import Verdict
from monitor.sinks import shapes

KEPT = 60
MARKS = 400
Key = tuple[str, str]


class Decisions:
    """The newest decisions, newest first, and what a chart marks of them.

    Feed it every effect in order: those read back at a start, then the live ones.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._recent: deque[dict[str, Any]] = deque(maxlen=kept)
        self._marks: deque[dict[str, Any]] = deque(maxlen=MARKS)
        self._verdicts: dict[Key, Verdict] = {}
        self._blind: set[Key] = set()
        self._proposals: dict[str, Proposal] = {}
        self._said = 0
        self.alerts_by_type: Counter[str] = Counter()

    def note(self, effects: Iterable[Effect]) -> None:
        """Take in what one pass of the engine decided."""
        for effect in effects:
            self._note(effect)

    def recent(self) -> tuple[dict[str, Any], ...]:
        return tuple(self._recent)

    def marks(self) -> tuple[dict[str, Any], ...]:
        """Instants for the chart, oldest first: {at, mark: fired|over|proposed|refused|approved|active|closed, label, [since]}."""
        return tuple(self._marks)

    def _note(self, effect: Effect) -> None:
        match effect:
            case Judged():
                self._judged(effect)
            case EpisodeOpened():
                self._opened(effect)
            case EpisodeClosed():
                self._closed(effect)
            case Held():
                self._held(effect)
            case LayerMoved():
                self._moved(effect)
            case SourceMoved():
                self._source(effect)
            case Silenced():
                until = iso(effect.until)
                self._say(effect.at, "silence", "info", f"{effect.by} silenced {effect.target} until {until}: {effect.reason}")
            case Alerted():
                self.alerts_by_type[effect.type] += 1

    def _judged(self, judged: Judged) -> None:
        """Only becoming blind, and seeing again, is news: its episode tells that a rule fired. The blindness of a start is not news."""
        key, verdict = (judged.rule, judged.subject), judged.verdict
        before = self._verdicts.get(key)
        self._verdicts[key] = verdict
        about = {"rule": judged.rule, "subject": judged.subject, **_grounds(verdict, judged.at)}
        if verdict.state is Truth.UNKNOWN and before is not None and before.state in {Truth.FIRED, Truth.QUIET}:
            self._blind.add(key)
            self._say(judged.at, "blind", "unknown", f"{judged.rule} for {judged.subject} cannot be judged: {verdict.reason}", **about)
        elif verdict.state is not Truth.UNKNOWN and key in self._blind:
            self._blind.discard(key)
            self._say(judged.at, "seeing", "good", f"{judged.rule} for {judged.subject} can be judged again: {verdict.reason}", **about)

    def _opened(self, opened: EpisodeOpened) -> None:
        verdict = self._verdicts.get((opened.rule, opened.subject))
        why = f": {verdict.reason}" if verdict is not None else ""
        grounds = _grounds(verdict, opened.at) if verdict is not None else {}
        about = {"rule": opened.rule, "subject": opened.subject, **grounds}
        self._say(opened.at, "fired", "fired", f"{opened.rule} fired for {opened.subject}{why}", **about)
        self._mark(opened.at, "fired", f"{opened.rule} fired for {opened.subject}", rule=opened.rule, subject=opened.subject)

    def _closed(self, closed: EpisodeClosed) -> None:
        about = {"rule": closed.rule, "subject": closed.subject, "since": closed.since}
        self._say(closed.at, "over", "good", f"{closed.rule} for {closed.subject} is over: {closed.reason}", **about)
        self._mark(closed.at, "over", f"{closed.rule} for {closed.subject} is over", **about)

    def _held(self, held: Held) -> None:
        asked = held.proposal
        what = describe(asked) if asked.instrument else f"a layer for {asked.position}"
        sentence = f"Refused a layer for {asked.position}, because {held.reason}"
        self._say(held.at, "refused", "refused", sentence, id=held.id, what=what, **_asked(asked, held.gates, held.at))
        self._mark(held.at, "refused", f"Refused a layer for {asked.position}")

    def _moved(self, moved: LayerMoved) -> None:
        fresh = moved.id not in self._proposals
        if moved.proposal is not None:
            self._proposals[moved.id] = moved.proposal
        asked = self._proposals.get(moved.id)
        if asked is None or (moved.state == "proposed" and not fresh):
            return
        if moved.state == "proposed":
            sentence = f"Proposed {describe(asked)}, because {moved.reason}"
            self._say(moved.at, "proposed", "proposed", sentence, layer=moved.id, **_asked(asked, moved.gates, moved.at))
        else:
            sentence = f"{_layer(asked)} is {moved.state}{_by(moved)}"
            self._say(moved.at, moved.state, "info", sentence, layer=moved.id, position=asked.position, tier=asked.tier)
        self._mark(moved.at, moved.state, f"Layer for {asked.position} {moved.state}", layer=moved.id)

    def _source(self, moved: SourceMoved) -> None:
        state = "is heard again" if moved.up else f"is down: {moved.reason}"
        tone = "good" if moved.up else "unknown"
        self._say(moved.at, "source", tone, f"Source {moved.source} {state}", source=moved.source, since=moved.since)

    def _say(self, at: int, kind: str, tone: str, sentence: str, **about: object) -> None:
        self._said += 1
        self._recent.appendleft({"number": self._said, "at": at, "kind": kind, "tone": tone, "sentence": sentence, **about})

    def _mark(self, at: int, mark: str, label: str, **about: object) -> None:
        self._marks.append({"at": at, "mark": mark, "label": label, **about})


def _layer(asked: Proposal) -> str:
    name = {"short_perp": "short perp", "top_up": "collateral top-up"}.get(asked.instrument, "layer")
    return f"The {name} in {asked.asset} for {asked.position}"


def _by(moved: LayerMoved) -> str:
    """Who, and what they said unless it is only that they did it."""
    if not moved.by:
        return f": {moved.reason}"
    return f", by {moved.by}" + ("" if moved.reason.endswith(f"by {moved.by}") else f": {moved.reason}")


def _grounds(verdict: Verdict, now: int) -> dict[str, Any]:
    return {"conditions": shapes.conditions(verdict.conditions), "evidence": shapes.evidence(verdict.evidence, now)}


def _asked(asked: Proposal, results: Iterable[Any], now: int) -> dict[str, Any]:
    return {
        **shapes.proposal(asked),
        "conditions": shapes.conditions(asked.conditions),
        "evidence": shapes.evidence(asked.evidence, now),
        "gates": shapes.gates(results),
    }
