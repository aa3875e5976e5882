"""What rules did over a history: time by state, episodes with their lows, and the command that prints them."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from monitor.core.effects import Effect, EpisodeClosed, EpisodeOpened, Judged
from monitor.core.events import Tick
from monitor.core.units import DAY, HOUR
from monitor.core.verdict import State, Verdict
from monitor.replay.measure import BAR_MS, CLOSE, Low, Measured, Prices, Span, closes_of, measure, median_of, of_any_time, together
from tests.builders import START, seen, series
from tests.cli.csv_files import FELL_MS, csv_of, fallen_store, print_rows, tvl_rows
from tests.cli.speak import speak


def said(at: int, state: State, rule: str = "r", subject: str = "s") -> Judged:
    return Judged(at, rule, subject, Verdict(state, f"it is {state}"))


def folded(effects: Iterable[Effect], prices: Prices | None = None, start: int = 0, end: int = 100) -> list[Measured]:
    return measure(((Tick(0), (effect,)) for effect in effects), prices or Prices(), start, end)


STORY = [said(10, State.UNKNOWN), said(20, State.QUIET), said(30, State.FIRED), said(35, State.UNKNOWN), said(45, State.FIRED), said(50, State.QUIET)]


@pytest.mark.parametrize(
    ("start", "end", "judged", "fired"),
    [(0, 100, 70, 10), (0, 60, 30, 10), (33, 60, 17, 7), (40, 48, 3, 3), (50, 100, 50, 0), (0, 50, 20, 10)],
)
def test_time_is_counted_by_state_within_the_span_and_what_is_unknown_is_not_judged(start: int, end: int, judged: int, fired: int):
    (one,) = folded([effect for effect in STORY if effect.at <= end], start=start, end=end)
    assert (one.judged_ms, one.fired_ms) == (judged, fired)
    assert one.share_fired == pytest.approx(fired / judged)


def test_what_was_never_judged_has_neither_share_nor_rate():
    (one,) = folded([said(0, State.NOT_CONFIGURED)])
    assert (one.state, one.share_fired, one.episodes_a_year, one.median_low) == (State.NOT_CONFIGURED, None, None, None)
    assert one.reason == "it is NOT_CONFIGURED"


def test_an_episode_is_counted_where_it_begins_within_the_span_and_may_be_open_in_the_end():
    effects: list[Effect] = [said(0, State.QUIET)]
    effects += [EpisodeOpened(5, "r", "s"), EpisodeClosed(12, "r", "s", 5, ""), EpisodeOpened(20, "r", "s"), EpisodeClosed(30, "r", "s", 20, "")]
    effects += [EpisodeOpened(40, "r", "s")]
    (one,) = folded(effects, start=10)
    assert one.episodes == (Span(20, 30), Span(40))


def test_rates_are_those_of_a_judged_year():
    one = Measured("r", "s", State.QUIET, "", judged_ms=round(365.25 * DAY / 2), episodes=(Span(1), Span(2)))
    assert one.episodes_a_year == pytest.approx(4.0)


def prices(values: list[float], first: int = START - 14 * DAY) -> Prices:
    return Prices([first + n * BAR_MS for n in range(len(values))], values)


def test_the_low_is_that_of_the_next_seven_days_and_the_high_that_of_the_seven_before():
    values = [100.0] * 200
    values[84 - 43] = 200.0  # a bar more than seven days before
    values[84 - 40] = 125.0
    values[84 + 10] = 90.0
    values[84 + 42] = 80.0
    values[84 + 43] = 10.0  # a bar more than seven days after
    assert prices(values).around(START) == Low(42 * BAR_MS, 80 / 100 - 1, 100 / 125 - 1)
    values[84 + 42] = 95.0
    assert prices(values).around(START + HOUR) == Low(10 * BAR_MS - HOUR, 90 / 100 - 1, 100 / 125 - 1)


def test_where_the_price_only_rises_the_low_was_in():
    rising = [100.0 + n for n in range(200)]
    found = prices(rising).around(START + HOUR)
    assert found == Low(0, 0.0, 0.0)


@pytest.mark.parametrize(("first", "count", "known"), [(START - 7 * DAY, 84, True), (START - 7 * DAY + 1, 90, False), (START - 7 * DAY, 83, False)])
def test_a_low_is_known_where_closes_cover_both_weeks(first: int, count: int, known: bool):
    assert (prices([1.0] * count, first).around(START) is not None) is known
    assert Prices().around(START) is None


def test_of_any_time_there_is_a_low_for_every_close_that_both_weeks_cover():
    falling = prices([100.0 - n / 10 for n in range(100)])
    found = of_any_time(falling, START - 14 * DAY, START + DAY)
    assert len(found) == 100 - 41 - 42
    assert median_of(found) == Low(42 * BAR_MS, pytest.approx(-0.044, abs=0.01), pytest.approx(-0.042, abs=0.01))  # type: ignore[arg-type]  # approx stands for a float
    assert of_any_time(falling, START + 30 * DAY, START + 40 * DAY) == [] and median_of([]) is None


def test_the_closes_are_of_the_perp_before_the_spot_and_of_one_source():
    spot, perp = (series(CLOSE, subject, [value] * 3, step_ms=BAR_MS) for subject, value in (("spot:ETH", 1.0), ("ETH", 2.0)))
    others = [seen(CLOSE, "BTC", 9.0), seen("candle.4h.high", "ETH", 9.0), *series(CLOSE, "ETH", [3.0], step_ms=BAR_MS, source="z")]
    assert closes_of([*spot, *perp, *others], "ETH") == Prices([START - BAR_MS, START, START + BAR_MS], [2.0, 2.0, 2.0])
    assert closes_of([*others[:2], *spot], "ETH").value == [1.0, 1.0, 1.0]
    assert closes_of(others[:2], "ETH") == Prices()


def test_together_the_subjects_that_were_judged_are_added_up():
    lows = [Low(HOUR, -0.1, -0.2), Low(3 * HOUR, -0.3, -0.4), Low(5 * HOUR, 0.0, 0.0)]
    first = Measured("r", "a", State.QUIET, "", 10, 5, (Span(5, low=lows[0]), Span(9)))
    second = Measured("r", "b", State.QUIET, "", 30, 1, (Span(1, low=lows[1]), Span(7, low=lows[2])))
    blind = Measured("r", "c", State.UNKNOWN, "")
    both = together([first, blind, second])
    assert (both.subject, both.judged_ms, both.fired_ms) == ("a, b", 40, 6)
    assert [episode.opened for episode in both.episodes] == [1, 5, 7, 9]
    assert both.median_low == Low(3 * HOUR, -0.1, -0.2)
    assert together([blind]) == blind


# --- the command --------------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """TVL falls by 10% on 13 February 2024, with the price of ETH around it."""
    store = fallen_store(tmp_path)
    closes = (f"candle.4h.close,spot:ETH,binance,{iso_at(n)},,{3000 - n if n < 160 else 3000 + n}" for n in range(300))
    assert speak("import", csv_of(tmp_path / "eth.csv", closes), store=store).code == 0
    return store


def iso_at(bar: int) -> str:
    from monitor.core.units import iso

    return iso(FELL_MS - 20 * DAY + bar * BAR_MS)


def test_the_command_prints_each_rule_and_each_episode_with_its_dates(store: Path):
    said = speak("rules", "measure", "--to", "2024-02-14", store=store)
    assert said.code == 0, said.err
    lines = [line.split() for line in said.out.splitlines()]
    assert [line[2:4] for line in lines if line[:2] == ["tvl-drawdown", "chain:ethereum"]] == [["1", "171.9"], ["2024-02-13T00:00", "open"]]
    assert [line for line in lines if line[:2] == ["(any", "time)"]] != []
    assert [line[2] for line in lines if line[:2] == ["funding-spike", "BTC:"]] == ["UNKNOWN:"]


def test_for_machines_it_gives_every_subject_with_its_numbers(store: Path):
    told = json.loads(speak("rules", "measure", "--json", store=store).out)
    said = told["rules"]
    assert told["any_time"]["n"] == 300 - 84 + 1 and told["any_time"]["median"]["fell"] < 0
    (tvl,) = [one for one in said if one["rule"] == "tvl-drawdown" and one["subject"] == "chain:ethereum"]
    assert (tvl["episodes"][0]["at"], tvl["n"]) == ("2024-02-13T00:00:00Z", 1)
    assert tvl["median"] == tvl["episodes"][0]["low"]
    assert tvl["median"]["lead_ms"] == 40 * BAR_MS and tvl["median"]["fell"] < 0
    assert 0 < tvl["share_fired"] < 1


def test_from_a_later_instant_on_earlier_episodes_do_not_count(store: Path):
    found = json.loads(speak("rules", "measure", "--from", "2024-02-13T01:00", "--json", store=store).out)["rules"]
    assert [one["episodes"] for one in found if one["subject"] == "chain:ethereum" and one["rule"] == "tvl-drawdown"] == [[]]


@pytest.mark.parametrize("words", [["--from", "2030-01-01"], ["--to", "2010-01-01"]])
def test_a_range_without_observations_says_so(store: Path, words: list[str]):
    said = speak("rules", "measure", *words, store=store)
    assert said.code == 1 and "there are no observations in this range" in said.err


def test_a_store_without_prices_has_no_lows(tmp_path: Path):
    file = csv_of(tmp_path / "t.csv", [*print_rows([100] * 15), *tvl_rows([100.0] * 72 + [80.0] * 24)])
    store = tmp_path / "no.db"
    assert speak("import", file, store=store).code == 0
    told = json.loads(speak("rules", "measure", "--json", store=store).out)
    assert told["any_time"] == {"median": None, "n": 0}
    (tvl,) = [one for one in told["rules"] if one["rule"] == "tvl-drawdown" and one["subject"] == "chain:ethereum"]
    assert (tvl["n"], tvl["median"], len(tvl["episodes"])) == (0, None, 1)
