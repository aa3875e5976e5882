"""The built-in stress keeps its promises: in the real engine it proposes once, is refused once, is blind once and grows calm."""

from dataclasses import dataclass, field

import pytest

from monitor.core.codec import plain
from monitor.core.door import Rejection, admit
from monitor.core.effects import Alerted, Effect, EpisodeOpened, Held, Judged, LayerMoved, SourceMoved
from monitor.core.engine import Engine
from monitor.core.events import Batch, Configured, Event, Failed, Tick
from monitor.core.observation import Reading
from monitor.core.state import Instance
from monitor.core.units import DAY, HOUR, iso
from monitor.core.verdict import State
from monitor.pipeline import only_news
from monitor.registry import Catalogue
from monitor.story import book, plot, scenario
from monitor.story.paths import paths

CHAIN = Instance("tvl-drawdown", "chain:ethereum")
SPIKES = (Instance("funding-spike", "BTC"), Instance("funding-spike", "ETH"))
START, END = scenario.START_MS, scenario.END_MS


@dataclass
class Played:
    """All that came of it. `distances` holds, for each full hour, how far each instance was from firing."""

    engine: Engine = field(default_factory=lambda: Engine(Catalogue()))
    effects: list[Effect] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    distances: dict[int, dict[Instance, float | None]] = field(default_factory=dict)

    def process(self, event: Event) -> None:
        self.effects += self.engine.apply(event)

    def receive(self, source: str, readings: list[Reading], now: int) -> None:
        admission = admit(readings, source=source, received_at=now)
        self.rejections += admission.rejections
        news = tuple(only_news(self.engine.market, admission.observations, now))
        self.process(Batch(now, source, news, len(admission.rejections)))

    def alerts(self, kind: str) -> list[Alerted]:
        return [effect for effect in self.effects if isinstance(effect, Alerted) and effect.type == kind]


@pytest.fixture(scope="module")
def played() -> Played:
    """History first, then scene after scene, with a tick wherever the engine waits for one: the steps of the daemon."""
    play = Played()
    play.process(Configured(START, plain(scenario.settings(*Catalogue().defaults()))))
    for source, readings in scenario.history():
        play.receive(source, readings, START)
    for scene in scenario.scenes():
        while (due := play.engine.due_at()) is not None and due < scene.at_ms:
            play.process(Tick(max(due, play.engine.now + 1)))
        if scene.harvest is None:
            play.process(Failed(scene.at_ms, scene.source, scene.failure))
        else:
            play.receive(scene.source, list(scene.harvest.readings), scene.at_ms)
        if scene.at_ms % HOUR == 0:
            play.distances[scene.at_ms] = {instance: verdict.distance for instance, verdict in play.engine.state.verdicts.items()}
    return play


def share(at: int) -> float:
    """How much of the story has been told."""
    return (at - START) / (END - START)


def test_everything_it_says_passes_the_door(played: Played):
    assert played.rejections == []
    assert sum(source.rejected for source in played.engine.state.sources.values()) == 0


def test_exactly_one_layer_is_proposed_by_the_print_and_it_still_stands_at_the_end(played: Played):
    [alert] = played.alerts("layer.proposed")
    [layer] = played.engine.state.ledger

    assert alert.at == plot.CPI_PRINT_MS
    assert (layer.proposal.rule, layer.proposal.subject, layer.proposal.position) == ("defi-layer", "chain:ethereum", book.LP)
    assert layer.state == "proposed"
    assert layer.proposal.notional_usd > 50_000


def test_the_print_that_is_a_leg_neither_blocks_nor_halves_its_own_layer(played: Played):
    [layer] = played.engine.state.ledger
    said = {gate.gate: gate.outcome for gate in layer.gates}

    assert said["macro-blackout"] == "pass"
    assert said["session-cap"] == "cut"
    assert layer.proposal.binding == "cut by session-cap"


def test_exactly_one_proposal_is_refused_and_by_the_blackout_alone(played: Played):
    [held] = [effect for effect in played.effects if isinstance(effect, Held)]
    [alert] = played.alerts("layer.refused")

    assert (held.proposal.rule, held.proposal.subject, held.proposal.position) == ("macd-rsi-scaling", "ETH", book.LP)
    assert [gate.gate for gate in held.gates if gate.outcome == "block"] == ["macro-blackout"]
    assert alert.at == held.at
    assert plot.CPI_PRINT_MS - DAY <= held.at < plot.CPI_PRINT_MS


def test_the_refused_signal_is_over_before_the_blackout_is(played: Played):
    episodes = [effect for effect in played.effects if isinstance(effect, EpisodeOpened) and effect.rule == "macd-rsi-scaling"]
    [resolved] = [alert for alert in played.alerts("trigger.resolved") if alert.data["rule"] == "macd-rsi-scaling"]

    assert len(episodes) == 1
    assert resolved.at <= plot.CPI_PRINT_MS


def test_one_rule_is_unknown_for_a_while_because_one_source_dies_and_heals(played: Played):
    verdicts = [effect for effect in played.effects if isinstance(effect, Judged) and effect.at > START]
    blind = [effect for effect in verdicts if effect.verdict.state is State.UNKNOWN]
    moved = [(effect.source, effect.up) for effect in played.effects if isinstance(effect, SourceMoved)]

    assert moved == [(plot.DEAD_VENUE, False), (plot.DEAD_VENUE, True)]
    assert sorted((effect.rule, effect.subject) for effect in blind) == sorted(SPIKES)
    for instance in SPIKES:
        [lost] = [effect.at for effect in blind if effect.subject == instance.subject]
        [seen] = [effect.at for effect in verdicts if (effect.rule, effect.subject) == instance and effect.at > lost]
        last_paid = plot.DEAD_FROM_MS - HOUR
        assert lost == last_paid + 3 * HOUR + 1, "past three of its cadences"
        assert seen == plot.HEALS_MS
        assert played.engine.state.verdicts[instance].state is State.QUIET


def test_what_died_is_told_and_what_healed_too(played: Played):
    down, back = played.alerts("source.down")
    stale = played.alerts("data.stale")

    assert down.at < stale[0].at < back.at
    assert [bool(alert.data.get("resolved")) for alert in stale] == [False, False, True, True]
    assert back.data["resolved"] is True


BEATS = [
    ("TVL of the chain has fallen 8%", "trigger.fired", "tvl-drawdown", 0.30, 0.45),
    ("the signal fires", "trigger.fired", "macd-rsi-scaling", 0.65, 0.70),
    ("the blackout refuses it", "layer.refused", None, 0.65, 0.70),
    ("the print is rising", "trigger.fired", "macro-rising", 0.75, 0.76),
    ("both legs stand", "trigger.fired", "defi-layer", 0.75, 0.76),
    ("the layer is proposed", "layer.proposed", None, 0.75, 0.76),
    ("a source dies", "source.down", None, 0.83, 0.85),
    ("a rule is blind", "data.stale", None, 0.84, 0.86),
]


@pytest.mark.parametrize(("kind", "rule", "earliest", "latest"), [pytest.param(*row[1:], id=row[0].replace(" ", "-")) for row in BEATS])
def test_each_beat_comes_in_its_part_of_the_story(played: Played, kind: str, rule: str | None, earliest: float, latest: float):
    first = next(alert for alert in played.alerts(kind) if rule is None or alert.data["rule"] == rule)

    assert earliest <= share(first.at) <= latest, f"{share(first.at):.3f} {iso(first.at)} {first.summary}"


def test_only_four_triggers_ever_fire(played: Played):
    fired = [(alert.data["rule"], alert.data["subject"]) for alert in played.alerts("trigger.fired")]

    assert fired == [CHAIN, ("macd-rsi-scaling", "ETH"), ("macro-rising", "US"), ("defi-layer", "chain:ethereum")]


def test_after_a_fifth_tvl_already_slips_and_after_three_fifths_it_has_fired(played: Played):
    at_start, at_fifth, at_three_fifths = (played.distances[START + hours * HOUR][CHAIN] or 0.0 for hours in (1, 48, 144))

    assert at_start < -0.9
    assert -0.8 < at_fifth < -0.5
    assert at_three_fifths > 0


def test_funding_turns_and_comes_near_a_spike_without_being_one(played: Played):
    [nearest] = [max(hour[instance] or -1.0 for hour in played.distances.values()) for instance in SPIKES[1:]]
    funding, start = paths().funding["ETH"], paths().row(START)

    assert -0.30 < nearest < -0.02
    assert funding[start - 672 : start].mean() > 0.08, "the week before"
    assert funding[paths().row(START + 6 * DAY)] < -0.05


def test_it_ends_calm_with_the_layer_waiting_for_a_word(played: Played):
    states = {instance: verdict.state for instance, verdict in played.engine.state.verdicts.items()}
    requoted = [effect for effect in played.effects if isinstance(effect, LayerMoved) and effect.state == "proposed"][1:]

    judged = {instance: state for instance, state in states.items() if state is not State.NOT_CONFIGURED}
    assert {instance.rule for instance in judged} >= {"tvl-drawdown", "macro-rising", "defi-layer", "funding-spike", "macd-rsi-scaling"}
    assert {instance for instance, state in judged.items() if state is not State.QUIET} == {Instance("macro-rising", "US")}
    assert len(requoted) > 24
