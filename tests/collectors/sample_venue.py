"""Samples of perpetual venues: the bodies that ccxt reads, by question (see sample_net.py)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.core.book import Watch
from monitor.registry import build
from monitor.source import Collector, Harvest, Ports
from tests.collectors.sample import Answers, Sample, damaged_json
from tests.collectors.sample_net import NOW_MS, SampleNet, ports


@dataclass(frozen=True)
class VenueSample(Sample):
    """A venue that is asked through ccxt. Each poll is made by a collector of its own: ccxt remembers the markets it was told."""

    def ports(self, answers: Answers | None = None) -> Ports:
        return ports(SampleNet({answer["url"]: answer["json"] for answer in answers or self.answers}))

    async def poll(self, answers: Answers | None = None) -> Harvest:
        venue = build(self.collector_class, self.settings)
        try:
            return await venue.poll(self.ports(answers), self.watch)
        finally:
            await venue.close()

    def damaged(self) -> Iterator[tuple[str, Answers]]:
        for index, answer in enumerate(self.answers):
            for name, body in damaged_json(answer["json"], self.removable):
                yield f"{answer['url']} {name}", (*self.answers[:index], {**answer, "json": body}, *self.answers[index + 1 :])


def venue_sample(path: Path, collector_class: type[Collector], written: Mapping[str, Any]) -> VenueSample:
    """The bodies of one venue, as a daemon that watches Bitcoin asks for them."""
    spot = ("BTC",) if any("spot" in question or "/api/v3/" in question for question in written) else ()
    answers = tuple({"url": question, "json": body} for question, body in written.items())
    return VenueSample(path, collector_class, {}, Watch(assets=("BTC",), spot_assets=spot), NOW_MS, answers, frozenset())
