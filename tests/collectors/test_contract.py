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
from monitor.errors import BadPayload, SourceError
from monitor.registry import plugins
from monitor.source import Collector
from tests.collectors.sample import SAMPLE_FILES, Answers, Sample, read_sample
from tests.collectors.sample_net import unthrottle

MAX_REASON_CHARACTERS = 300
each_sample = pytest.mark.parametrize("path", SAMPLE_FILES, ids=lambda path: path.stem)
# A venue's answers are long, and ccxt takes its time over each.
each_sample_in_time = pytest.mark.parametrize(
    "path", [pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if "." not in path.stem else []) for path in SAMPLE_FILES]
)


def fact(observation: Observation) -> tuple[object, ...]:
    return (observation.metric, observation.subject, observation.source, observation.at, observation.value)


Seen = tuple[dict[tuple[object, ...], int], int, list[str]]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    unthrottle(monkeypatch)


async def seen(sample: Sample, answers: Answers | None = None) -> Seen:
    """Facts that passed the door with their known_at, how many readings the door refused, and the collector's own reasons."""
    try:
        harvest = await sample.poll(answers)
    except (BadPayload, SourceError) as error:
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


@each_sample_in_time
def test_one_damaged_value_lets_no_bad_number_in_and_is_never_silent(path: Path) -> None:
    sample = read_sample(path)
    damages = sample.damaged()

    async def every_damage() -> int:
        whole, _, _ = await seen(sample)
        count = 0
        for name, answers in damages:
            count += 1
            facts, refused, reasons = await seen(sample, answers)
            assert all(reason.isprintable() and 0 < len(reason) <= MAX_REASON_CHARACTERS for reason in reasons), (name, reasons)
            if sample.has_fallback:  # other facts, all true ones
                continue
            assert facts.keys() <= whole.keys(), (name, facts.keys() - whole.keys())
            assert all(known_at >= whole[key] for key, known_at in facts.items()), f"{name}: known earlier than it was"
            # A text that is one row shorter is a text that is one row shorter.
            one_row_less = name.startswith("text ") and name.endswith(": removed")
            assert facts.keys() == whole.keys() or refused or reasons or one_row_less, f"{name}: lost in silence"
        await sample.close()
        return count

    assert asyncio.run(every_damage()) > 20


def test_every_collector_has_a_sample_and_every_sample_a_collector() -> None:
    collectors = plugins("monitor.collectors", Collector)
    assert {path.name.partition(".")[0].replace("_", "-") for path in SAMPLE_FILES} == collectors.keys()
