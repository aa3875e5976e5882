"""The brain: one event in, effects out. Pure of time, chance and the outside world; live, restart and replay all call `apply`.

A pass goes: take the event in, judge the rules whose inputs changed or whose clock is due (needed rules first), open and close
episodes, ask the gates about layers, look after the ledger and the sources. Each effect is folded as it is made, so what comes later in
the pass sees it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from monitor.core import layers, notices, operator, revisions
from monitor.core.effects import Effect, EpisodeClosed, EpisodeOpened, Judged
from monitor.core.events import Batch, Configured, Event, Signal, Tick
from monitor.core.mind import REARM_MS, Mind
from monitor.core.rule import Gate, Input, Rule
from monitor.core.scope import exposed_positions, subjects_of
from monitor.core.settings import read_settings
from monitor.core.state import Instance
from monitor.core.verdict import State as Truth
from monitor.core.verdict import Unknown, Verdict
from monitor.core.view import View


class Catalogue(Protocol):
    """Builds plug-ins from their settings; the core does not know which exist."""

    def rule(self, rule_id: str, settings: Mapping[str, Any]) -> Rule: ...

    def gate(self, gate_id: str, settings: Mapping[str, Any]) -> Gate: ...


class Engine(Mind):
    """A mind that thinks. `apply` is the only way in."""

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__()
        self.catalogue = catalogue
        self._readers: dict[tuple[str, str], list[Instance]] = {}
        self._provided: set[tuple[str, str]] = set()

    # --- the way in -------------------------------------------------------------------------------------------------

    def apply(self, event: Event) -> tuple[Effect, ...]:
        """Think about one event. Returns what must be recorded and told, in order."""
        self.effects = []
        revised = [found for o in event.observations if (found := revisions.revision(self.market, o))] if isinstance(event, Batch) else []
        dirty = self.absorb(event)
        before = {instance: self.state.verdicts[instance] for instance in dirty if instance in self.state.verdicts} if revised else {}
        if isinstance(event, Signal):
            operator.obey(self, event)
        for instance in self._in_order(dirty):
            self._judge(instance)
        revisions.tell(self, revised, before)
        layers.look_after(self)
        if isinstance(event, Tick):
            notices.look_after(self)
        return tuple(self.effects)

    def absorb(self, event: Event) -> set[Instance]:
        """Take an event in without thinking; a restart does only this. Returns the instances whose inputs it changed."""
        if isinstance(event, Signal) and event.action == operator.CLOCK_SET_BACK:
            return self._set_back(event)
        self.now = max(self.now, event.now)
        # A wall clock that was set back must not make every source look as silent as the step was long.
        self.state.hear(event if event.now == self.now else replace(event, now=self.now))
        if isinstance(event, Configured):
            self._configure(event.settings)
            return set(self.rules)
        if isinstance(event, Signal):
            self.state.signals.add(event.id)
        dirty: set[Instance] = set()
        if isinstance(event, Batch):
            for observation in event.observations:
                if self.market.put(observation):
                    dirty.update(self._readers.get((observation.metric, observation.subject), ()))
        return dirty

    def _set_back(self, event: Signal) -> set[Instance]:
        """The one event that takes the time back: its stamp is confirmed, and what was stamped later was stamped by a clock that was ahead."""
        self.state.signals.add(event.id)
        self.now = event.now
        self.state.rewind(event.now)
        return set(self.rules)

    def look_again(self) -> None:
        """Every verdict as of now, for who restored a store to look at it: recorded are the numbers of its last change. Nothing is emitted."""
        for instance, rule in self.rules.items():
            self.state.verdicts[instance] = self._verdict(rule, instance, self.view())

    def due_at(self) -> int | None:
        """The earliest instant at which the passing of time alone could change something; None when nothing is waiting."""
        waiting = [*self.dues.values(), *layers.dues(self), *notices.dues(self)]
        return min(waiting, default=None)

    # --- configuration ----------------------------------------------------------------------------------------------

    def _configure(self, plain_settings: Mapping[str, Any]) -> None:
        self.settings = read_settings(plain_settings)
        self.rules = self._instances()
        enabled = (gate_id for gate_id, plug in self.settings.gates.items() if plug.enabled)
        gates = [self.catalogue.gate(gate_id, self.settings.gates[gate_id].settings) for gate_id in enabled]
        self.gates = tuple(sorted(gates, key=lambda gate: (gate.rank, gate.id)))
        self.state.cadences = {name: source.cadence_ms for name, source in self.settings.sources.items()}
        self._provided = {(metric, subject) for source in self.settings.sources.values() for metric, subject in source.provides}
        self._readers = _by_input(self.rules)
        self.dues = {}
        self.state.verdicts = {i: v for i, v in self.state.verdicts.items() if i in self.rules}

    def _instances(self) -> dict[Instance, Rule]:
        """Rules by instance, needed rules before those that need them."""
        plugs = {rule_id: plug for rule_id, plug in self.settings.rules.items() if plug.enabled}
        rules: dict[str, dict[Instance, Rule]] = {}
        for rule_id, plug in plugs.items():
            rule = self.catalogue.rule(rule_id, plug.settings)
            rules[rule_id] = {
                Instance(rule_id, subject): self.catalogue.rule(rule_id, {**plug.settings, **plug.overrides[subject]})
                if subject in plug.overrides
                else rule
                for subject in subjects_of(rule.scope, self.settings)
                if rule.concerns(subject)
            }
        return {instance: rule for rule_id in needed_first(rules) for instance, rule in rules[rule_id].items()}

    # --- judging ----------------------------------------------------------------------------------------------------

    def _in_order(self, dirty: set[Instance]) -> Iterable[Instance]:
        judged: set[str] = set()
        for instance, rule in list(self.rules.items()):
            due = self.dues.get(instance)
            if instance in dirty or (due is not None and due <= self.now) or not judged.isdisjoint(rule.needs):
                judged.add(instance.rule)
                yield instance

    def _judge(self, instance: Instance) -> None:
        rule, view = self.rules[instance], self.view()
        verdict = self._verdict(rule, instance, view)
        self.state.verdicts[instance] = verdict
        if self.state.recorded.get(instance) != (verdict.state, verdict.code):
            self.emit(Judged(self.now, instance.rule, instance.subject, verdict))
        self._keep_episode(rule, instance, view, verdict)
        if verdict.state is Truth.FIRED:
            layers.ask_for(self, rule, instance, view, verdict)
        self.dues.pop(instance, None)
        if view.due is not None:
            self.dues[instance] = view.due

    def _verdict(self, rule: Rule, instance: Instance, view: View) -> Verdict:
        if not rule.configured(instance.subject, self.has):
            missing = ", ".join(f"{i.metric} {i.subject}" for i in rule.inputs(instance.subject) if not self.has(i))
            return Verdict(Truth.NOT_CONFIGURED, f"no source gives {missing}" if missing else "a rule it needs is not configured")
        blind = self._blind_need(rule, instance)
        if blind is not None:
            return blind
        try:
            verdict = rule.judge(view, instance.subject)
        except Unknown as why:
            verdict = Verdict(Truth.UNKNOWN, why.reason, why.code)
        return replace(verdict, evidence=view.evidence)

    def _blind_need(self, rule: Rule, instance: Instance) -> Verdict | None:
        for needed in rule.needs:
            candidates = [v for (r, _), v in self.state.verdicts.items() if r == needed]
            if not candidates or all(v.state is Truth.NOT_CONFIGURED for v in candidates):
                return Verdict(Truth.NOT_CONFIGURED, f"{instance.rule} needs {needed}, which is not configured")
        return None

    def has(self, one: Input) -> bool:
        """A metric is configured when a source of ours will bring it, or the store holds one observation of it."""
        return (one.metric, one.subject) in self._provided or bool(self.market.sources(one.metric, one.subject))

    def _keep_episode(self, rule: Rule, instance: Instance, view: View, verdict: Verdict) -> None:
        episode = self.state.episodes.get(instance)
        if episode is None:
            if verdict.state is Truth.FIRED:
                self._open_episode(rule, instance, view, verdict)
            return
        view.wake(episode.since + REARM_MS)
        if verdict.state is Truth.QUIET and self._is_over(rule, instance, view, episode.since):
            self._close_episode(instance, episode.since, "past its exit")
        elif verdict.state is Truth.FIRED and self.now >= episode.since + REARM_MS and self._is_uncovered(rule, instance, verdict, episode.since):
            self._close_episode(instance, episode.since, "14 days of firing and still uncovered: armed again")
            self._open_episode(rule, instance, view, verdict)

    def _is_over(self, rule: Rule, instance: Instance, view: View, since: int) -> bool:
        try:
            return rule.over(view, instance.subject, since)
        except Unknown:
            return False

    def _is_uncovered(self, rule: Rule, instance: Instance, verdict: Verdict, since: int) -> bool:
        """Whether a position is exposed, a layer is what the rule asks for, and none of this episode's is in force."""
        if rule.intent(verdict) is None or not exposed_positions(rule.scope, instance.subject, self.settings, self.market):
            return False
        return not any(layer.live for layer in self.state.ledger.of_episode(*instance, since))

    def _open_episode(self, rule: Rule, instance: Instance, view: View, verdict: Verdict) -> None:
        view.wake(self.now + REARM_MS)
        self.emit(EpisodeOpened(self.now, *instance))
        exposed = [p.id for p in exposed_positions(rule.scope, instance.subject, self.settings, self.market)]
        data = {"rule": instance.rule, "subject": instance.subject, "exposed": exposed, "verdict": verdict}
        tail = "" if exposed or rule.intent(verdict) is None else "; no position is exposed"
        summary = f"{instance.rule} fired for {instance.subject}: {verdict.reason}{tail}"
        severity = "critical" if rule.kind == "safety" else "warning"
        self.alert("trigger.fired", (*instance, self.now), severity, summary, data)

    def _close_episode(self, instance: Instance, since: int, reason: str) -> None:
        self.emit(EpisodeClosed(self.now, *instance, since, reason))
        data = {"rule": instance.rule, "subject": instance.subject, "since": since, "verdict": self.state.verdicts[instance]}
        self.alert("trigger.resolved", (*instance, since), "info", f"{instance.rule} for {instance.subject} is over: {reason}", data)


def needed_first(rules: Mapping[str, Mapping[Instance, Rule]]) -> list[str]:
    """Rule ids, each after the rules it needs, otherwise alphabetical. Raises ValueError for a circle."""
    ordered: list[str] = []
    waiting = {rule_id: set(next(iter(own.values())).needs) & rules.keys() if own else set() for rule_id, own in rules.items()}
    while waiting:
        ready = sorted(rule_id for rule_id, needs in waiting.items() if needs <= set(ordered))
        if not ready:
            raise ValueError(f"rules need each other in a circle: {', '.join(sorted(waiting))}")
        ordered.append(ready[0])
        del waiting[ready[0]]
    return ordered


def _by_input(rules: Mapping[Instance, Rule]) -> dict[tuple[str, str], list[Instance]]:
    readers: dict[tuple[str, str], list[Instance]] = defaultdict(list)
    for instance, rule in rules.items():
        for one in rule.inputs(instance.subject):
            readers[(one.metric, one.subject)].append(instance)
    return dict(readers)
