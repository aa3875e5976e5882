"""Time-shifting: thinking history again sees what could be known, when it could be known, and nothing else."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.core.effects import Alerted, EpisodeOpened, Judged
from monitor.core.engine import Engine
from monitor.core.events import Batch, Configured, Tick
from monitor.core.observation import Observation
from monitor.core.rule import Class, Group, Input, Rule, Scope
from monitor.core.settings import read_settings
from monitor.core.state import Instance
from monitor.core.units import DAY, HOUR, MINUTE, parse_time
from monitor.core.verdict import State, Verdict
from monitor.core.view import View
from monitor.replay.runner import Step, by_knowledge
from monitor.store.records import write_effect
from tests import worlds
from tests.builders import START, RealPlugins, engine_of, funding, seen, series, settings_of
from tests.worlds import TVL, history, hour, prints


def replay(observations: Iterable[Observation], until: int, *made: type[Rule], ticks: Sequence[int] = (), **others: Any) -> list[Step]:
    """Every event of a replay with its effects; the observations are put in the order in which a store gives them."""
    ordered = sorted(observations, key=lambda o: o.known_at)
    chosen = worlds.settings(**others)
    chosen["rules"] = {**chosen["rules"], **{rule.id: {} for rule in made}}
    return list(by_knowledge(Engine(RealPlugins(*made)), read_settings(chosen), ordered, until, ticks))


def decisions(steps: Iterable[Step], until: int) -> list[str]:
    return [write_effect(effect) for event, effects in steps if event.now <= until for effect in effects]


def verdicts(steps: Iterable[Step], rule: str) -> list[tuple[int, str]]:
    return [(e.at, str(e.verdict.state)) for _, effects in steps for e in effects if isinstance(e, Judged) and e.rule == rule]


# --- no look-ahead -----------------------------------------------------------------------------------------------------------


class Peeking(Rule):
    """The planted fault: it reads a shared table of everything there is, as careless research code does."""

    title: ClassVar[str] = "looks ahead"
    scope: ClassVar[Scope] = Scope.TVL
    groups: ClassVar[tuple[Group, ...]] = (Group.ONCHAIN,)
    kind: ClassVar[Class] = Class.SIGNAL
    everything: ClassVar[list[Observation]] = []

    def inputs(self, subject: str) -> tuple[Input, ...]:
        return (Input("tvl.usd", subject),)

    def judge(self, view: View, subject: str) -> Verdict:
        lowest = min(o.value for o in self.everything if o.metric == "tvl.usd")
        return Verdict(State.FIRED if lowest < 4.6e10 else State.QUIET, f"the lowest is {lowest:g}")

    def over(self, view: View, subject: str, since: int) -> bool:
        return True


def first_look_ahead(observations: list[Observation], *made: type[Rule]) -> str | None:
    """The first decision that changes when everything known after it is cut off; None when there is none."""
    end = max(o.known_at for o in observations)
    Peeking.everything = observations
    whole = replay(observations, end, *made)
    for cut in sorted({o.known_at for o in observations if o.known_at >= START}):
        Peeking.everything = [o for o in observations if o.known_at <= cut]
        alone = replay(Peeking.everything, cut, *made)
        for ours, theirs in zip(decisions(whole, cut), decisions(alone, cut), strict=False):
            if ours != theirs:
                return ours
        if len(decisions(whole, cut)) != len(decisions(alone, cut)):
            return f"at {cut} a different number of decisions"
    return None


VALUES = st.sampled_from([5e10, 4.9e10, 4.65e10, 4.6e10, 4.5e10, 3e10, 6e10])
HOURS = st.lists(VALUES, min_size=2, max_size=6)
LATE = st.lists(st.tuples(st.integers(-3, 5), VALUES, st.integers(1, 9 * 60)), max_size=3)
PRINT = st.one_of(st.none(), st.tuples(st.sampled_from([100.0, 106.0]), st.integers(1, 5 * 60)))


def world(tvls: list[float], late: list[tuple[int, float, int]], cpi: tuple[float, int] | None) -> list[Observation]:
    """A quiet past, hours as given, revisions that become known late, perhaps a print in between."""
    rows = [*prints(), *history()]
    for n, tvl in enumerate(tvls, start=1):
        rows += hour(START + n * HOUR, tvl)
    for hours_later, tvl, minutes in late:
        at = START + hours_later * HOUR
        rows.append(seen("tvl.usd", TVL, tvl, at, "llama", at + minutes * MINUTE))
    if cpi is not None:
        rows.append(seen("macro.cpi", "US", cpi[0], parse_time("2024-02-01"), "bls", START + cpi[1] * MINUTE))
    return rows


@settings(max_examples=12)
@given(HOURS, LATE, PRINT)
@example([5e10, 4.5e10, 4.5e10], [(0, 6e10, 90)], (100.0, 150))
def test_cutting_the_future_off_changes_no_past_decision_f083(tvls: list[float], late: list[tuple[int, float, int]], cpi: tuple[float, int] | None):
    """F-083: the real rules and gates, at every instant at which something became known."""
    assert first_look_ahead(world(tvls, late, cpi)) is None


def test_nor_does_it_change_what_is_thought_of_funding_and_candles_f083():
    """F-083, for the rules that read a month of funding and 120 bars: a spike and a recovery with their futures cut off."""
    end = START + 16 * HOUR
    rates = [o for venue in ("a", "b", "c") for o in funding([0.1] * 95 + [0.9, -0.9], venue=venue, asset="ETH", end=START + 8 * HOUR)]
    closes = [100 + 5 * math.sin(n / 7) - (n > 100) * 9 + (n > 124) * 14 for n in range(132)]
    bars = series("candle.4h.close", "ETH", closes, end=end - 4 * HOUR, step_ms=4 * HOUR)
    rows = [*rates, *bars, *hour(START, 5e10), *hour(end, 5e10)]
    assert "FIRED" in {state for _, state in verdicts(replay(rows, end), "funding-spike")}
    assert "QUIET" in {state for _, state in verdicts(replay(rows, end), "macd-rsi-scaling")}
    assert first_look_ahead(rows) is None


def test_a_planted_rule_that_looks_ahead_is_caught_f083():
    """The negative control: with a fall in the future, a rule that reads a shared table gives itself away."""
    ahead = world([5e10, 5e10, 4.5e10], [], None)
    found = first_look_ahead(ahead, Peeking)
    assert found is not None and Peeking.id in found
    assert first_look_ahead(ahead) is None


# --- when a fact is known ----------------------------------------------------------------------------------------------------

# BLS, CPI-U, all items, not seasonally adjusted; April 2022 was released on 11 May at 08:30 New York.
LEVELS = {"2021-02": 263.014, "2021-03": 264.877, "2021-04": 267.054, "2022-02": 283.716, "2022-03": 287.504, "2022-04": 289.109}
RELEASES = {"2022-02": "2022-03-10T13:30:00Z", "2022-03": "2022-04-12T12:30:00Z", "2022-04": "2022-05-11T12:30:00Z"}
APRIL_PRINT = parse_time(RELEASES["2022-04"])


def cpi_of_2022() -> Iterator[Observation]:
    for month, level in LEVELS.items():
        known_at = parse_time(RELEASES.get(month, "2021-05-12T12:30:00Z"))
        yield seen("macro.cpi", "US", level, parse_time(f"{month}-01"), "bls", known_at)


@pytest.mark.parametrize(("before_ms", "state"), [(1, "FIRED"), (0, "QUIET")], ids=["a millisecond before", "at the release"])
def test_a_print_is_known_from_the_second_of_its_release_and_not_before(before_ms: int, state: str):
    """8.5% in March was above February's 7.9%; April's 8.3% is below, though April was over for eleven days."""
    steps = replay(cpi_of_2022(), APRIL_PRINT - before_ms)
    assert verdicts(steps, "macro-rising")[-1][1] == state
    assert steps[-1][0].now == APRIL_PRINT - before_ms


def test_a_late_revision_is_known_from_when_it_came():
    """The high of an hour ago, told two hours late, makes a fall only then."""
    late = [*prints(), *history(), *hour(START + HOUR, 5e10), *hour(START + 2 * HOUR, 5e10), *hour(START + 3 * HOUR, 5e10)]
    late.append(seen("tvl.usd", TVL, 5.6e10, START + HOUR, "llama", START + 3 * HOUR))
    assert verdicts(replay(late, START + 4 * HOUR), "tvl-drawdown")[-1] == (START + 3 * HOUR, "FIRED")


# --- windows and the grid --------------------------------------------------------------------------------------------------------


def standing_fall() -> list[Observation]:
    """A high at START and 10% less in every hour after it."""
    rows = [*prints(), *history()]
    for n in range(1, 60):
        rows += hour(START + n * HOUR, 4.5e10)
    return rows


@pytest.mark.parametrize(("after_ms", "state"), [(0, "FIRED"), (1, "QUIET")], ids=["48 h later to the millisecond", "a millisecond more"])
def test_windows_are_closed(after_ms: int, state: str):
    at = START + 48 * HOUR + after_ms
    assert verdicts(replay(standing_fall(), at), "tvl-drawdown")[-1][1] == state


def silent_after(hours_known: int) -> list[Observation]:
    rows = [*prints(), *history()]
    for n, tvl in enumerate([4.9e10, 4.5e10, 4.4e10, 4.6e10][:hours_known], start=1):
        rows += hour(START + n * HOUR - 7 * MINUTE, tvl)
    return rows


def states(engine: Engine) -> dict[str, str]:
    return {f"{rule}/{subject}": str(v.state) for (rule, subject), v in engine.state.verdicts.items()}


@pytest.mark.parametrize("hours_known", [0, 2, 4])
def test_the_hourly_grid_gives_at_each_hour_what_thinking_every_minute_gives(hours_known: int):
    """Facts come at seven to; between them things go stale and leave their windows. Seen on the hour, both ways are the same."""
    rows = sorted(silent_after(hours_known), key=lambda o: o.known_at)
    end = START + 60 * HOUR
    by_hour: dict[int, dict[str, str]] = {}
    grid = Engine(RealPlugins())
    steps = by_knowledge(grid, read_settings(worlds.settings()), rows, end)
    seen_at = 0
    held: dict[str, str] = {}
    for event, _ in steps:
        for full in range(-(-seen_at // HOUR) * HOUR, event.now, HOUR) if seen_at else ():
            by_hour[full] = held
        seen_at, held = event.now, states(grid)
    by_hour[end] = held

    dense = Engine(RealPlugins())
    configured = next(event for event, _ in replay(rows, end) if isinstance(event, Configured))
    dense.apply(configured)
    pending = list(rows)
    checked = 0
    for now in range(START - HOUR, end + 1, MINUTE):
        while pending and pending[0].known_at <= now:
            same = [o for o in pending if o.known_at == pending[0].known_at]
            dense.apply(Batch(pending[0].known_at, "history", tuple(same)))
            pending = pending[len(same) :]
        dense.apply(Tick(now))
        if now % HOUR == 0 and now >= START:
            assert by_hour[now] == states(dense), (now - START) // HOUR
            checked += 1
    assert checked == 61


def test_a_tick_of_the_log_between_two_hours_is_thought_at():
    """Live went blind at 3 h and 5 min, because it ticked then; a replay with that tick says so too."""
    stale_from = START + 3 * HOUR + 1
    tick = START + 3 * HOUR + 5 * MINUTE
    rows = [*prints(), *history()]
    assert verdicts(replay(rows, START + DAY), "tvl-drawdown")[-1] == (START + 4 * HOUR, "UNKNOWN")
    assert verdicts(replay(rows, START + DAY, ticks=[START, tick, stale_from]), "tvl-drawdown")[-1] == (stale_from, "UNKNOWN")
    assert verdicts(replay(rows, START + DAY, ticks=[START, tick]), "tvl-drawdown")[-1] == (tick, "UNKNOWN")


def test_ticks_at_which_nothing_is_due_are_passed_over():
    rows = [*prints(), *history()]
    dense = replay(rows, START + DAY, ticks=range(START, START + DAY, MINUTE))
    assert sum(isinstance(event, Tick) for event, _ in dense) < 20


def test_a_replay_without_history_judges_once_at_its_end():
    steps = replay([], START)
    assert [type(event) for event, _ in steps] == [Configured]
    assert {state for _, state in verdicts(steps, "tvl-drawdown")} == {"UNKNOWN"}, "a source was set up to bring it"


def test_a_replay_never_calls_its_source_silent_and_has_no_heartbeat():
    steps = replay([*prints(), *history()], START + 40 * DAY)
    kinds = {e.type for _, effects in steps for e in effects if isinstance(e, Alerted)}
    assert "heartbeat" not in kinds and "source.down" not in kinds


def test_an_episode_opens_at_the_instant_of_the_fact_not_at_the_next_hour():
    rows = [*prints(), *history(), *hour(START + 7 * MINUTE, 4.4e10)]
    steps = replay(rows, START + DAY)
    opened = [e.at for _, effects in steps for e in effects if isinstance(e, EpisodeOpened) and e.rule == "tvl-drawdown"]
    assert opened == [START + 7 * MINUTE]


def test_facts_of_one_instant_are_thought_together():
    """No decision stands between two rows of one known_at: half of the truth was never known alone."""
    steps = replay([*prints(), *history()], START)
    for event, _ in steps:
        if isinstance(event, Batch) and event.now == START:
            assert {o.metric for o in event.observations} == {"tvl.usd", "price.usd"}
    assert len({event.now for event, _ in steps if isinstance(event, Batch)}) == sum(isinstance(event, Batch) for event, _ in steps)


def test_a_young_series_of_a_source_of_ours_is_as_fresh_in_a_replay_as_it_was_live():
    """Under 3 values its cadence is the polling cadence of its source, whose name must not get lost: else explain says UNKNOWN of what fired."""
    venues = ("binance", "bybit", "okx")
    chosen = settings_of(rules=["funding-spike"], sources={venue: {"cadence_ms": 5 * MINUTE} for venue in venues})
    paid = [o for venue in venues for o in funding([2.0], venue=venue)]
    live, again = engine_of(chosen), Engine(RealPlugins())
    for venue in venues:
        live.apply(Batch(START, venue, tuple(o for o in paid if o.source == venue)))
    for _ in by_knowledge(again, read_settings(chosen), paid, START):
        pass
    spike = Instance("funding-spike", "BTC")
    assert live.state.verdicts[spike].state == again.state.verdicts[spike].state == State.FIRED
