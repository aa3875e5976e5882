"""Samples of perpetual venues: the bodies that ccxt reads, by question (see sample_net.py)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from monitor.core.book import Watch
from monitor.registry import build
from monitor.source import Collector, Harvest, Ports
from monitor.venues import CcxtVenue
from tests.collectors.sample import Answers, Sample, damaged_json
from tests.collectors.sample_net import NOW_MS, SampleNet, ports


@dataclass(frozen=True)
class VenueSample(Sample):
    """A venue that is asked through ccxt. Making its exchange takes four times as long as a poll: one is kept, and told its markets anew."""

    def ports(self, answers: Answers | None = None) -> Ports:
        return ports(SampleNet(_bodies(answers or self.answers)))

    async def poll(self, answers: Answers | None = None) -> Harvest:
        if "_kept" not in vars(self):
            vars(self)["_kept"] = build(self.collector_class, self.settings), SampleNet({})
        venue: CcxtVenue
        net: SampleNet
        venue, net = vars(self)["_kept"]
        net.asked.clear()
        net.bodies = _bodies(answers or self.answers)
        if (desk := vars(venue).get("_desk")) is not None:
            desk.forget_markets()
        return await venue.poll(ports(net), self.watch)

    async def close(self) -> None:
        if (kept := vars(self).pop("_kept", None)) is not None:
            await kept[0].close()

    def damaged(self) -> Iterator[tuple[str, Answers]]:
        for index, answer in enumerate(self.answers):
            for name, body in damaged_json(answer["json"], self.removable):
                yield f"{answer['url']} {name}", (*self.answers[:index], {**answer, "json": body}, *self.answers[index + 1 :])


@dataclass(frozen=True)
class AccountSample(VenueSample):
    """Accounts that are asked through ccxt with a key; what a connection remembers of one pass is forgotten before the next."""

    unbounded: frozenset[str] = frozenset()

    async def poll(self, answers: Answers | None = None) -> Harvest:
        collector = build(self.collector_class, self.settings)
        try:
            return await collector.poll(ports(SampleNet(_bodies(answers or self.answers)), self.now_ms), self.watch)
        finally:
            await collector.close()

    def damaged(self) -> Iterator[tuple[str, Answers]]:
        for index, answer in enumerate(self.answers):
            for name, body in damaged_json(answer["json"], self.removable, self.unbounded):
                yield f"{answer['url']} {name}", (*self.answers[:index], {**answer, "json": body}, *self.answers[index + 1 :])


def account_sample(sample: Sample, written: Mapping[str, Any]) -> AccountSample:
    """The same sample, answered by a venue that knows the key."""
    own = {one.name: getattr(sample, one.name) for one in fields(Sample)}
    answers = tuple({"url": question, "json": body} for question, body in written["ccxt"].items())
    return AccountSample(**own | {"answers": answers}, unbounded=frozenset(written.get("unbounded", ())))


def _bodies(answers: Answers) -> dict[str, Any]:
    return {answer["url"]: answer["json"] for answer in answers}


def venue_sample(path: Path, collector_class: type[Collector], written: Mapping[str, Any]) -> VenueSample:
    """The bodies of one venue, as a daemon that watches Bitcoin asks for them."""
    spot = ("BTC",) if any("spot" in question or "/api/v3/" in question for question in written) else ()
    answers = tuple({"url": question, "json": body} for question, body in written.items())
    return VenueSample(path, collector_class, {}, Watch(assets=("BTC",), spot_assets=spot), NOW_MS, answers, frozenset())
