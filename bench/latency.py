"""One decision: from an event in hand to its decisions on this disk (synchronous=FULL), and the thinking alone."""

from collections.abc import Sequence

from bench import replay, story
from bench.figures import Figure, Options

MOST_RUNS = 3


def measure(options: Options) -> list[Figure]:
    runs = min(options.runs, MOST_RUNS)
    committed = [story.decision_seconds(options), *(story.play(options.folder / f"again{n}.db") for n in range(runs - 1))]
    thought = [replay.think(replay.Counting, story.events(options)).seconds for _ in range(runs)]
    note = "the story's longest events are its history: months of one source in one event"
    return [
        Figure("decision with commit, p50", "ms", [_percentile(run, 50) for run in committed]),
        Figure("decision with commit, p99", "ms", [_percentile(run, 99) for run in committed], note=note),
        Figure("decision without commit, p50", "ms", [_percentile(run, 50) for run in thought]),
        Figure("decision without commit, p99", "ms", [_percentile(run, 99) for run in thought]),
    ]


def _percentile(seconds: Sequence[float], share: int) -> float:
    """In milliseconds."""
    return 1000 * sorted(seconds)[len(seconds) * share // 100]
