"""A feed of the user's own can replace every source: each source's facts, served by each of the feeds in turn, give the same verdicts.

Collectors and rules are found, not listed: a new collector joins by its sample in tests/collectors/samples, or by what it says it provides; one that
provides nothing without settings of its own is stood in for by the whole vocabulary, beyond which no source goes. A new rule joins by its file in
tests/rules.
"""

import asyncio
import csv
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote_plus

import pytest

from monitor.cli.rule_file import read_tests
from monitor.collectors.folder import Folder
from monitor.collectors.http_json import HttpJson
from monitor.collectors.prometheus import Prometheus
from monitor.core.book import Book, Chain, Position, Watch
from monitor.core.codec import plain
from monitor.core.door import admit
from monitor.core.engine import Engine
from monitor.core.events import Configured
from monitor.core.observation import Observation, Reading
from monitor.core.rows import HEADER
from monitor.core.settings import PlugIn, Settings, SourceSettings
from monitor.core.state import Instance
from monitor.core.units import DAY, HOUR, iso, month_before, parse_time
from monitor.core.verdict import State, Verdict
from monitor.core.vocabulary import METRICS, Publication, default_known_at, find_metric, subject_fits
from monitor.pipeline import Pipeline
from monitor.registry import Catalogue, build, plugins
from monitor.replay.rule_tests import RuleTest, admitted, settings_of_test
from monitor.replay.runner import by_knowledge
from monitor.source import Collector, Harvest, Ports
from monitor.store.sqlite import SqliteStore
from tests.collectors.sample import SAMPLE_FILES, StillClock, read_sample
from tests.fakes import FakeNet

RULE_FILES = sorted((Path(__file__).parent / "rules").glob("*.yaml"))
RULE_TESTS = [(file.stem, test) for file in RULE_FILES for test in read_tests(file, Catalogue().rules)]
COLLECTORS = plugins("monitor.collectors", Collector)
# The feeds themselves replace, and are not replaced.
OWN = {"http-json", "prometheus", "folder"}
MONDAY = parse_time("2024-03-04")
LATE = parse_time("9999-01-01")
URL = "http://mine.example/"

# --- the same facts by each of the feeds --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Served:
    """A feed and the world in which it finds the facts."""

    feed: Collector
    ports: Ports

    def poll(self) -> Harvest:
        return asyncio.run(self.feed.poll(self.ports, Watch()))


def row(o: Observation) -> dict[str, Any]:
    return {"metric": o.metric, "subject": o.subject, "source": o.source, "at": o.at, "known_at": o.known_at, "value": o.value}


def json_rows(facts: Sequence[Observation], now: int, folder: Path) -> Served:
    net = FakeNet().answer("GET", URL, {"rows": [row(o) for o in facts]})
    return Served(build(HttpJson, {"feeds": {"mine": {"url": URL, "rows": "$.rows[*]"}}}), Ports(net, StillClock(now), Random(0)))


def json_series(facts: Sequence[Observation], now: int, folder: Path) -> Served:
    grouped = defaultdict[tuple[str, str, str], list[Any]](list)
    for o in facts:
        grouped[o.metric, o.subject, o.source].append({"v": str(o.value), "t": iso(o.at), "k": o.known_at})
    series = [
        {"metric": m, "subject": s, "source": source, "value": f"$[{n}][*].v", "at": f"$[{n}][*].t", "known_at": f"$[{n}][*].k"}
        for n, (m, s, source) in enumerate(grouped)
    ]
    net = FakeNet().answer("GET", URL, list(grouped.values()))
    return Served(build(HttpJson, {"feeds": {"mine": {"url": URL, "series": series}}}), Ports(net, StillClock(now), Random(0)))


def prometheus(facts: Sequence[Observation], now: int, folder: Path) -> Served:
    net, queries = FakeNet(), []
    for metric in sorted({o.metric for o in facts}):
        labelled = [
            ({"s": o.subject, "by": o.source, "at": str(o.at), "known": iso(o.known_at), "raw": str(o.value)}, o) for o in facts if o.metric == metric
        ]
        result = [{"metric": labels, "value": [now / 1000, repr(float(o.value))]} for labels, o in labelled]
        net.answer("GET", f"{URL}api/v1/query?query={quote_plus(metric)}&", {"status": "success", "data": {"resultType": "vector", "result": result}})
        is_exact = getattr(find_metric(metric), "exact", False)
        labels = {"subject_label": "s", "source_label": "by", "at_label": "at", "known_at_label": "known", "value_label": "raw" if is_exact else ""}
        queries.append({"metric": metric, "query": metric, **labels})
    return Served(build(Prometheus, {"url": URL, "queries": queries}), Ports(net, StillClock(now), Random(0)))


def csv_folder(facts: Sequence[Observation], now: int, folder: Path) -> Served:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "facts.csv"
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows([o.metric, o.subject, o.source, iso(o.at), o.known_at, str(o.value)] for o in facts)
    os.utime(file, ns=(10**18, 10**18))
    return Served(Folder(path=str(folder)), Ports(FakeNet(), StillClock(now), Random(0)))


Way = Callable[[Sequence[Observation], int, Path], Served]
WAYS: dict[str, Way] = {"HTTP JSON rows": json_rows, "HTTP JSON series": json_series, "Prometheus": prometheus, "CSV folder": csv_folder}
each_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def facts_by(way: Way, facts: Sequence[Observation], now: int, folder: Path) -> list[Observation]:
    """The facts as they come back through a feed and the door."""
    served = way(facts, now, folder)
    harvest = served.poll()
    assert list(harvest.rejected) == []
    admission = admit(harvest.readings, source=served.feed.id, received_at=now)
    return list(admission.observations)


def readings(facts: Iterable[Observation]) -> list[Reading]:
    """The facts as their own source would bring them."""
    return [Reading(o.metric, o.subject, o.value, o.at, o.known_at, o.source) for o in facts]


def hundredfold(facts: Sequence[Observation]) -> list[Observation]:
    """What a feed would bring that scales by 100."""
    return [replace(o, value=o.value * 100) for o in facts]


# --- the series of the rules' own tests ---------------------------------------------------------------------------------


def history_of(test: RuleTest) -> list[Observation]:
    return [o for line in test.series for o in admitted(line)[0]]


@cache
def _told(place: int) -> list[Verdict | None]:
    """What a rule says of its own series, from its own sources."""
    return verdicts_over(RULE_TESTS[place][1], history_of(RULE_TESTS[place][1]))


def verdicts_over(test: RuleTest, facts: Sequence[Observation]) -> list[Verdict | None]:
    """The verdict at every instant at which the test expects one, in one pass over the history."""
    instants = sorted({(parse_time(expected.at), expected.subject) for _, expected in test.expect})
    engine, found = Engine(Catalogue()), list[Verdict | None]()
    ordered = sorted(facts, key=lambda o: o.known_at)
    before: dict[Instance, Verdict] = {}
    for event, _ in by_knowledge(engine, settings_of_test(test), ordered, instants[-1][0], [at for at, _ in instants]):
        while len(found) < len(instants) and instants[len(found)][0] < event.now:
            found.append(before.get(Instance(test.rule, instants[len(found)][1])))
        before = dict(engine.state.verdicts)
    return [*found, *(before.get(Instance(test.rule, subject)) for _, subject in instants[len(found) :])]


@each_way
@pytest.mark.parametrize("stem", [file.stem for file in RULE_FILES])
def test_every_rule_says_the_same_of_its_series_whichever_feed_brings_them(stem: str, way: Way, tmp_path: Path):
    for place, (file, test) in enumerate(RULE_TESTS):
        if file == stem and (facts := history_of(test)):
            assert verdicts_over(test, facts_by(way, facts, LATE, tmp_path / str(place))) == _told(place), test.name


@pytest.mark.parametrize("stem", [file.stem for file in RULE_FILES])
def test_a_feed_that_scales_by_100_is_seen(stem: str, tmp_path: Path):
    """A rule of ratios may say the same word of it, but not of the same numbers."""
    for place, (file, test) in enumerate(RULE_TESTS):
        facts, told = history_of(test), _told(place)
        if file == stem and any(seen.value for verdict in told if verdict is not None for seen in verdict.evidence):
            scaled = admit(
                [Reading(o.metric, o.subject, o.value, o.at, o.known_at, o.source) for o in hundredfold(facts)], source="x", received_at=LATE
            )
            by_feed = facts_by(json_rows, scaled.observations, LATE, tmp_path / str(place)) if scaled.observations else []
            assert verdicts_over(test, by_feed) != told, test.name


def test_funding_that_is_scaled_by_100_is_another_verdict():
    states = set()
    for place, (file, test) in enumerate(RULE_TESTS):
        if file == "funding-spike":
            scaled = verdicts_over(test, hundredfold(history_of(test)))
            states |= {(str(before and before.state), str(after and after.state)) for before, after in zip(_told(place), scaled, strict=True)}
    assert any(before != after for before, after in states)


# --- what each collector brings -----------------------------------------------------------------------------------------

POSITIONS = (
    Position(id="lp", kind="uniswap-v3", chain="ethereum", token_id=1, assets=("USDC", "WETH"), exposed_to=("protocol:uniswap-v3",)),
    Position(id="loan", kind="aave-v3", chain="ethereum", account="0x" + "1" * 40, assets=("ETH", "USDC")),
    Position(id="wallet", kind="tokens", amounts={"ETH": 2.0, "USDC": 5_000.0}),
)
WATCH = Watch(
    assets=("BTC", "ETH"),
    spot_assets=("ETH",),
    tvl_subjects=("chain:ethereum", "protocol:aave-v3"),
    lending_subjects=("lending:ethereum/aave-v3/USDC",),
    positions=POSITIONS,
    chains={"ethereum": Chain(rpc="http://node.example/", chain_id=1)},
)
SUBJECTS = (
    "ETH", "spot:ETH", "chain:ethereum", "protocol:aave-v3", "lp", "pool:ethereum/0x" + "1" * 40, "lending:ethereum/aave-v3/USDC",
    "safe:ethereum/0x" + "1" * 40, "US", "CPI", "EUR", "VIX", "SPX", "TOP50", "NYSE", "crypto", "ETH-2026-12-25-2000-P",
)  # fmt: skip


@dataclass(frozen=True)
class Material:
    """What one source brings in one pass, for what is watched."""

    source: Collector
    watch: Watch
    now: int
    facts: tuple[Observation, ...]


def sampled(path: Path) -> Material:
    """What a collector makes of its sample."""
    sample = read_sample(path)
    harvest = asyncio.run(sample.poll())
    admission = admit(harvest.readings, source=sample.collector.id, received_at=sample.now_ms)
    return Material(sample.collector, sample.watch, sample.now_ms, tuple(replace(o, block_hash="") for o in admission.observations))


def stand_in(source: Collector, pairs: Iterable[tuple[str, str]]) -> Material:
    """Sixty values of each pair, which fall by a tenth at the end."""
    found = [reading for metric, subject in sorted(pairs) for reading in _sixty(metric, subject)]
    admission = admit(found, source=source.id, received_at=MONDAY)
    assert admission.rejections == ()
    return Material(source, WATCH, MONDAY, admission.observations)


def _sixty(metric: str, subject: str) -> list[Reading]:
    found = find_metric(metric)
    assert found is not None, metric
    high = found.high * 0.9 if found.high <= 1 else max(found.low, 1.0) * 100 if found.high > 200 * max(found.low, 1.0) else found.high
    step_ms = max(found.bar_ms or found.cadence_ms or HOUR, HOUR)
    listed = []
    for n, value in enumerate([high] * 57 + [max(found.low, high * 0.9)] * 3):
        at = MONDAY - (60 - n) * step_ms - (DAY if found.publication in (Publication.SESSION, Publication.STATED) else 0)
        if found.monthly:
            months = (60 - n) * (round(step_ms / (31 * DAY)) or 1) + 1
            at = month_before(parse_time(iso(MONDAY)[:7] + "-01"), months)
        known_at = default_known_at(found, at) or at + DAY
        listed.append(Reading(metric, subject, int(value) if found.exact else value, at, known_at))
    return listed


def by_themselves() -> Iterator[Material]:
    """The collectors that say what they bring without settings of their own."""
    for name, cls in COLLECTORS.items():
        try:
            source = cls()
        except TypeError:
            continue
        if name not in OWN and (pairs := source.provides(WATCH)):
            yield stand_in(source, pairs)


def whole_vocabulary() -> Material:
    names = [name.partition("<")[0] + ("WETH" if name.endswith("<asset>") else "1" if "<" in name else "") for name in METRICS]
    pairs = [
        (name, next(subject for subject in SUBJECTS if subject_fits(metric, subject))) for name in names if (metric := find_metric(name)) is not None
    ]
    assert len(pairs) == len(METRICS)
    return stand_in(COLLECTORS["bls"](), pairs)


MATERIALS: dict[str, Material] = {path.stem: sampled(path) for path in SAMPLE_FILES if path.name.partition(".")[0].replace("_", "-") not in OWN}
MATERIALS |= {f"{one.source.id} (stand-in)": one for one in by_themselves()}
MATERIALS["the whole vocabulary"] = whole_vocabulary()


def verdicts_live(source: Collector, material: Material, harvest: Harvest) -> Mapping[Instance, Verdict]:
    """Every rule's verdict after this source alone was polled, until each series has the three values that tell how often it comes."""
    store = SqliteStore(":memory:")
    pipeline = Pipeline(Engine(Catalogue()), store, lambda: material.now)
    rules = {name: PlugIn() for name in Catalogue().rules}
    provides = tuple(sorted({(o.metric, o.subject) for o in material.facts}))
    settings = Settings(
        book=Book(assets=material.watch.assets or ("BTC",)),
        positions=material.watch.positions,
        tvl_subjects=material.watch.tvl_subjects or ("chain:ethereum",),
        lending_subjects=material.watch.lending_subjects,
        rules=rules,
        sources={source.id: SourceSettings(cadence_ms=source.cadence, provides=provides)},
        heartbeat_ms=0,
    )
    pipeline.process(Configured(material.now, plain(settings)))
    pipeline.receive([*_polled_before(material, harvest), *harvest.readings], source=source.id, now=material.now, records=harvest.records)
    store.close()
    return dict(pipeline.engine.state.verdicts)


def _polled_before(material: Material, harvest: Harvest) -> Iterator[Reading]:
    """The two polls before, where a feed that nobody told the cadence of would have to be believed on a single value."""
    count = Counter((r.metric, r.subject) for r in harvest.readings)
    for reading in harvest.readings:
        row = find_metric(reading.metric)
        if count[reading.metric, reading.subject] < 3 and row is not None and row.cadence_ms is None and not row.bar_ms and reading.at is not None:
            for back_ms in (2 * material.source.cadence, material.source.cadence):
                yield replace(reading, at=reading.at - back_ms, known_at=None)


def test_every_collector_has_material_or_is_stood_in_for():
    silent = COLLECTORS.keys() - {one.source.id for one in MATERIALS.values()} - OWN
    assert all(not COLLECTORS[name]().provides(WATCH) for name in silent)
    assert all(one.facts for one in MATERIALS.values())
    assert len(MATERIALS) > len(SAMPLE_FILES)


@each_way
@pytest.mark.parametrize("name", MATERIALS)
def test_what_a_source_says_can_be_said_by_a_feed_and_gives_the_same_verdicts(name: str, way: Way, tmp_path: Path):
    material = MATERIALS[name]

    served = way(material.facts, material.now, tmp_path)
    by_feed = served.poll()

    assert sorted(facts_by(way, material.facts, material.now, tmp_path / "again"), key=repr) == sorted(material.facts, key=repr)
    assert verdicts_live(served.feed, material, by_feed) == verdicts_live(material.source, material, Harvest(readings(material.facts)))


def test_the_materials_make_rules_judge():
    """Else two silences would be compared."""
    told = [verdicts_live(one.source, one, Harvest(readings(one.facts))) for one in MATERIALS.values()]
    assert {verdict.state for verdicts in told for verdict in verdicts.values()} == set(State)
