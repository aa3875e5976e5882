"""A level that was published is published anew: told where that alone turns a rule's verdict over.

What was decided before stays decided; a print that comes for the first time is no revision.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from monitor.core.market import Market
from monitor.core.mind import Mind
from monitor.core.observation import Observation
from monitor.core.prints import same_print
from monitor.core.rule import Input
from monitor.core.state import Instance
from monitor.core.units import iso
from monitor.core.verdict import State, Verdict
from monitor.core.vocabulary import Publication, find_metric

OPPOSITES = {State.FIRED, State.QUIET}
MOST_NAMED = 3


class Revision(NamedTuple):
    """One level before and after. Times are epoch milliseconds."""

    metric: str
    subject: str
    source: str
    at: int
    known_at: int
    before: float
    after: float

    def __str__(self) -> str:
        return f"{self.metric} of {iso(self.at)[:7]} ({self.source}) from {self.before:.10g} to {self.after:.10g}"


def revision(market: Market, observation: Observation) -> Revision | None:
    """What an observation changes in a level that the market holds, where that is more than its rounding; ask before it is put there."""
    row = find_metric(observation.metric)
    if row is None or row.publication is not Publication.STATED:
        return None
    o, held = observation, market.value_at(observation.key, observation.at)
    if held is None or same_print(float(held), float(o.value)):
        return None
    return Revision(o.metric, o.subject, o.source, o.at, o.known_at, float(held), float(o.value))


def tell(mind: Mind, revisions: Sequence[Revision], before: Mapping[Instance, Verdict]) -> None:
    """One alert for each rule that these revisions turned from FIRED to QUIET or back, on the same prints as before."""
    for instance, was in sorted(before.items(), key=lambda item: item[0]):
        read = [one for one in revisions if Input(one.metric, one.subject) in mind.rules[instance].inputs(instance.subject)]
        now = mind.state.verdicts[instance]
        metrics = {one.metric for one in read}
        if {was.state, now.state} == OPPOSITES and _prints(was, metrics) == _prints(now, metrics):
            _tell(mind, instance, read, was, now)


def _prints(verdict: Verdict, metrics: Iterable[str]) -> set[tuple[str, int]]:
    return {(e.metric, e.at) for e in verdict.evidence if e.metric in metrics}


def _tell(mind: Mind, instance: Instance, read: Sequence[Revision], was: Verdict, now: Verdict) -> None:
    newest = sorted(read, key=lambda one: one.at, reverse=True)
    more = f" and {len(newest) - MOST_NAMED} more" if len(newest) > MOST_NAMED else ""
    named = "; ".join(str(one) for one in newest[:MOST_NAMED])
    turn = f"{instance.rule} for {instance.subject} is {now.state} and was {was.state}"
    summary = f"Revised: {named}{more}. {turn}; what was decided before stays"
    data = {"rule": instance.rule, "subject": instance.subject, "before": was.reason, "after": now.reason}
    turned = {"from": was.state, "to": now.state, "revisions": [one._asdict() for one in newest]}
    mind.alert("data.revised", (*instance, mind.now), "warning", summary, {**data, **turned})
