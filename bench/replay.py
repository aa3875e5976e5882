"""How fast the demo's journal is thought again, beside the same brain without its order book of what is due, and beside pandas and TA-Lib."""

import hashlib
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench import rolling, story
from bench.figures import Figure, Options
from monitor.core.engine import Engine
from monitor.core.events import Event
from monitor.core.state import Instance
from monitor.registry import Catalogue
from monitor.store.records import write_effect

MOST_RUNS = 3
AGE = re.compile(r"\b[0-9.]+ (min|h|days) old")
"""A reason says how old a value was when its rule was judged, which is all that may differ."""


class Counting(Engine):
    """The engine as it is, counting the rules that it judges."""

    judged = 0

    def _judge(self, instance: Instance) -> None:
        self.judged += 1
        super()._judge(instance)


class Naive(Counting):
    """The same engine, judging every rule at every event: what one would write who keeps no account of what an event can change."""

    def _in_order(self, dirty: set[Instance]) -> Iterable[Instance]:
        return list(self.rules)


@dataclass(frozen=True)
class Thought:
    """What each event took, how many judgements there were, and a digest of all decisions."""

    seconds: list[float]
    judged: int
    decisions: str

    @property
    def events_a_second(self) -> float:
        return len(self.seconds) / sum(self.seconds)

    @property
    def judged_a_second(self) -> float:
        return self.judged / sum(self.seconds)


def measure(options: Options) -> list[Figure]:
    events, runs = story.events(options), min(options.runs, MOST_RUNS)
    ours, naive = ([think(kind, events) for _ in range(count)] for kind, count in ((Counting, runs), (Naive, 1)))
    frames = [rolling.events_a_second(events) for _ in range(runs)]
    same = "the same decisions" if ours[0].decisions == naive[0].decisions else "other decisions"
    speed = [run.events_a_second for run in ours]
    naively = f"the peer judges every rule at every event, {naive[0].judged:,} judgements instead of {ours[0].judged:,}, and comes to {same}"
    return [
        Figure("journal thought again", "events/s", speed, peer=("every rule, every event", [run.events_a_second for run in naive]), note=naively),
        Figure("the same", "events/s", speed, peer=("pandas and TA-Lib", frames), note=rolling.NOTE),
        Figure("rules judged", "1/s", [run.judged_a_second for run in ours]),
    ]


def think(kind: type[Counting], events: Sequence[Event]) -> Thought:
    engine, seconds, digest = kind(Catalogue()), list[float](), hashlib.sha256()
    for event in events:
        began = time.perf_counter()
        effects = engine.apply(event)
        seconds.append(time.perf_counter() - began)
        for effect in effects:
            digest.update(AGE.sub("", write_effect(effect)).encode())
    return Thought(seconds, engine.judged, digest.hexdigest())
