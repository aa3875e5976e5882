"""What every collector keeps: whatever one damaged value does to its source's answer, no bad number passes and no loss is silent.

Samples are found by file name (see sample.py): a new collector joins by laying one down.
"""

import asyncio
import math
from pathlib import Path

import pytest

from monitor.core.door import admit
from monitor.core.observation import Observation
from monitor.core.vocabulary import find_metric
from monitor.errors import BadPayload
from monitor.registry import plugins
from monitor.source import Collector
from tests.collectors.sample import SAMPLE_FILES, Sample, damaged, read_sample

MAX_REASON_CHARACTERS = 300
each_sample = pytest.mark.parametrize("path", SAMPLE_FILES, ids=lambda path: path.stem)


def fact(observation: Observation) -> tuple[object, ...]:
    return (observation.metric, observation.subject, observation.source, observation.at, observation.value)


Seen = tuple[dict[tuple[object, ...], int], int, list[str]]


async def seen(sample: Sample, answers: tuple[dict[str, object], ...] | None = None) -> Seen:
    """Facts that passed the door with their known_at, how many readings the door refused, and the collector's own reasons."""
    try:
        harvest = await sample.poll(answers)
    except BadPayload as error:
        return {}, 0, [str(error)]
    admission = admit(list(harvest.readings), source=sample.collector.id, received_at=sample.now_ms)
    for observation in admission.observations:
        metric = find_metric(observation.metric)
        assert metric is not None
        assert math.isfinite(observation.value)
        assert metric.low <= observation.value <= metric.high
    return {fact(o): o.known_at for o in admission.observations}, len(admission.rejections), list(harvest.rejected)


@each_sample
def test_a_whole_answer_passes_whole(path: Path) -> None:
    sample = read_sample(path)
    facts, refused, reasons = asyncio.run(seen(sample))
    assert (refused, reasons) == (0, [])
    assert facts


@each_sample
def test_what_a_collector_provides_it_delivers(path: Path) -> None:
    sample = read_sample(path)
    facts, _, _ = asyncio.run(seen(sample))
    assert sample.collector.provides(sample.watch) <= {(metric, subject) for metric, subject, *_ in facts}


@each_sample
def test_one_damaged_value_lets_no_bad_number_in_and_is_never_silent(path: Path) -> None:
    sample = read_sample(path)
    is_text = "bytes" in sample.answers[0]
    damages = list(damaged(sample))

    async def every_damage() -> None:
        whole, _, _ = await seen(sample)
        for name, answers in damages:
            facts, refused, reasons = await seen(sample, answers)
            assert all(reason.isprintable() and 0 < len(reason) <= MAX_REASON_CHARACTERS for reason in reasons), (name, reasons)
            if is_text:  # a page falls back to what is known without it: other facts, all true ones
                continue
            assert facts.keys() <= whole.keys(), (name, facts.keys() - whole.keys())
            assert all(known_at >= whole[key] for key, known_at in facts.items()), f"{name}: known earlier than it was"
            assert facts.keys() == whole.keys() or refused or reasons, f"{name}: lost in silence"

    assert len(damages) > 20
    asyncio.run(every_damage())


def test_every_sample_belongs_to_a_collector_and_every_collector_has_a_sample_or_its_own_tests() -> None:
    collectors = plugins("monitor.collectors", Collector)
    sampled = {path.name.partition(".")[0].replace("_", "-") for path in SAMPLE_FILES}
    own_tests = {path.stem.removeprefix("test_").replace("_", "-") for path in Path(__file__).parent.glob("test_*.py")}
    assert sampled <= collectors.keys()
    assert collectors.keys() <= sampled | own_tests
