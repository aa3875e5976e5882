"""reer-volatility: the week's volatility against a basket, beside that of the thirty days before it."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from pydantic import ValidationError

from monitor.core.observation import Observation
from monitor.core.rule import Input
from monitor.core.units import DAY, HOUR, MINUTE
from monitor.core.verdict import State, Unknown, Verdict
from monitor.registry import build
from monitor.rules.reer_volatility import CLOSE, FX, ReerVolatility
from tests.builders import START, seen, series, view_of

BAR = 4 * HOUR
NOW = START + BAR
RULE = ReerVolatility()
STEP = math.log(1.01)


def closes(recent: float, before: float = 1.0, bars: int = 223) -> list[float]:
    """Prices that swing up and down by so many steps, for 30 days and then for 7."""
    moves = [(-1) ** n * STEP * (before if n < bars - 43 else recent) for n in range(bars - 1)]
    return [float(price) for price in 100 * np.exp(np.cumsum([0.0, *moves]))]


def chart(values: Sequence[float], subject: str = "SOL", end: int = START, source: str = "s1") -> list[Observation]:
    return series(CLOSE, subject, values, end=end, step_ms=BAR, source=source)


def fixings(values: Sequence[float], currency: str = "EUR", source: str = "fred") -> list[Observation]:
    """Daily, of trading days only, the last of which is START's Friday."""
    days = [START - 3 * DAY - n * DAY for n in range(len(values) * 2)]
    days = [day for day in days if (day // DAY + 3) % 7 < 5][: len(values)][::-1]
    return [seen(FX, currency, value, day, source) for day, value in zip(days, values, strict=True)]


def judge(*observations: Observation, now: int = NOW, subject: str = "SOL", rule: ReerVolatility = RULE) -> Verdict:
    return rule.judge(view_of(*observations, now=now), subject)


@pytest.mark.parametrize(("recent", "state"), [(2.0, State.FIRED), (2.0001, State.FIRED), (1.9999, State.QUIET), (1.0, State.QUIET)])
def test_it_fires_at_exactly_twice_the_volatility_of_before(recent: float, state: State):
    verdict = judge(*chart(closes(recent)))
    assert verdict.state is state
    assert verdict.value == pytest.approx(recent) and verdict.distance == pytest.approx((recent - 2) / 2)
    assert "without EUR, JPY, BTC, ETH, which nobody gives" in verdict.reason


@pytest.mark.parametrize(("recent", "over"), [(1.5, False), (1.4999, True)])
def test_it_is_over_below_one_and_a_half(recent: float, over: bool):
    assert RULE.over(view_of(*chart(closes(recent)), now=NOW), "SOL", START) is over


def test_the_days_before_end_where_the_week_begins():
    """A wild week does not stand in its own measure."""
    assert judge(*chart(closes(10.0))).value == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("subject", "coin", "weight"),
    [("SOL", "BTC", 0.15 / 0.65), ("SOL", "ETH", 0.15 / 0.65), ("ETH", "BTC", 0.15 / 0.65), ("BTC", "ETH", 0.15 / 0.65)],
)
def test_a_coin_of_the_basket_takes_its_weight_of_what_is_there(subject: str, coin: str, weight: float):
    """A coin that moves as the asset does takes its share away from both volatilities, and from the week's alone where it moves only then."""
    alike = judge(*chart(closes(2.0), subject), *chart(closes(2.0), coin), subject=subject)
    assert alike.value == pytest.approx(2.0)
    week_alone = judge(*chart(closes(2.0), subject), *chart(closes(2.0, before=0.0), coin), subject=subject)
    assert week_alone.value == pytest.approx(2.0 * (1 - weight))


@pytest.mark.parametrize("hours", range(0, 7 * 24, 12))
def test_currencies_that_are_published_a_week_at_a_time_are_enough_on_every_day_of_the_week(hours: int):
    """As the Federal Reserve does it: the five days of a week, on the Monday after it. On the weekend the newest is nine days old."""
    now = START + 2 * DAY + hours * HOUR
    rows = [seen(o.metric, o.subject, o.value, o.at, o.source, known_at=_monday_after(o.at)) for o in fixings([1.1 + n / 1000 for n in range(60)])]
    later = [seen(FX, "EUR", 1.2, START + n * DAY, "fred", known_at=_monday_after(START)) for n in range(5)]
    known = [row for row in (*rows, *later) if row.known_at <= now]
    assert judge(*chart(closes(2.0), end=now - now % BAR - BAR), *known, now=now).state is not State.UNKNOWN


def _monday_after(at: int) -> int:
    return at + (7 - (at // DAY + 3) % 7) * DAY + 21 * HOUR + 15 * MINUTE


def test_all_five_parts_are_weighed_and_none_is_left_out():
    usual, calm = closes(2.0), closes(2.0, before=0.0)
    flat = [1.1] * 40
    verdict = judge(*chart(usual), *chart(calm, "BTC"), *chart(calm, "ETH"), *fixings(flat), *fixings(flat, "JPY"))
    assert verdict.value == pytest.approx(2.0 * (1 - 0.30))
    assert "without" not in verdict.reason


def test_the_asset_itself_is_no_part_of_its_basket():
    verdict = judge(*chart(closes(2.0), "ETH"), subject="ETH")
    assert verdict.value == pytest.approx(2.0)
    assert "without EUR, JPY, BTC, which" in verdict.reason


def test_a_currency_moves_only_when_its_fixing_is_known_and_weekends_carry_fridays():
    """On a steady price the basket moves with the euro alone: at the first bar that closes after 21:15 UTC, which is that of midnight."""
    euro = [1.10 * (1 + 0.001 * (-1) ** n) for n in range(40)]
    steady = chart([100.0] * 223)
    verdict = judge(*steady, *fixings(euro))
    # 22 fixings in the 30 days before and 5 in the week move it; weekends do not.
    week, month = 5 / 42, 21 / 180
    assert verdict.value == pytest.approx(math.sqrt(week / month), rel=0.03)


def test_a_fixing_that_was_revised_later_was_not_known_before():
    euro = fixings([1.1] * 40)
    late = [seen(FX, "EUR", 2.0, euro[-3].at, "fred", known_at=NOW - HOUR)]
    assert judge(*chart(closes(2.0)), *euro, *late).value == pytest.approx(judge(*chart(closes(2.0)), *euro).value)


@pytest.mark.parametrize(("count", "why"), [(10, "expected samples"), (26, "before the first bar|expected samples|hole")])
def test_a_currency_that_does_not_reach_back_makes_it_unknown_and_is_not_left_out(count: int, why: str):
    with pytest.raises(Unknown, match=why):
        judge(*chart(closes(2.0)), *fixings([1.1] * count))


def test_of_two_sources_of_a_currency_the_one_that_reaches_back_is_read():
    thin, whole = fixings([1.1] * 10, source="a"), fixings([1.1] * 40, source="b")
    assert judge(*chart(closes(2.0)), *thin, *whole).state is State.FIRED


def test_the_first_bar_may_not_stand_before_the_first_fixing_that_was_known():
    late = [seen(FX, "EUR", 1.1, o.at, known_at=max(o.known_at, START - 36 * DAY)) for o in fixings([1.1] * 40)]
    with pytest.raises(Unknown, match="from before the first bar"):
        judge(*chart(closes(2.0)), *late)


def test_a_bar_that_one_chart_does_not_have_yet_is_waited_for():
    """The newest bar of the asset alone says nothing; that of before is judged, with the same bars of all."""
    longer = [*closes(2.0), 500.0]
    assert judge(*chart(longer, end=NOW), *chart(closes(2.0), "BTC"), now=NOW + BAR).value == pytest.approx(2.0)


def test_a_chart_of_the_basket_that_is_too_old_makes_it_unknown():
    with pytest.raises(Unknown, match="old"):
        judge(*chart(closes(2.0)), *chart(closes(2.0), "BTC", end=START - 4 * BAR))
    with pytest.raises(Unknown, match="common to all"):
        judge(*chart(closes(2.0)), *chart(closes(2.0), "BTC", end=START - 2 * BAR))


@pytest.mark.parametrize(("bars", "known"), [(223, True), (222, False)])
def test_thirty_seven_days_are_needed(bars: int, known: bool):
    if known:
        assert judge(*chart(closes(2.0, bars=bars))).state is State.FIRED
    else:
        with pytest.raises(Unknown, match="223 are needed"):
            judge(*chart(closes(2.0, bars=bars)))


def test_a_price_that_did_not_move_before_has_no_measure():
    with pytest.raises(Unknown, match="has not moved before"):
        judge(*chart(closes(2.0, before=0.0)))


def test_it_is_configured_by_either_chart_of_the_asset_and_asks_for_a_layer_on_it():
    assert RULE.configured("SOL", lambda one: one == Input(CLOSE, "spot:SOL"))
    assert not RULE.configured("SOL", lambda one: one == Input(CLOSE, "BTC"))
    assert {Input(FX, "JPY"), Input(CLOSE, "spot:BTC"), Input(CLOSE, "SOL")} <= set(RULE.inputs("SOL"))
    assert RULE.intent(Verdict(State.FIRED, "")).actions == ("short_perp", "top_up")


@pytest.mark.parametrize("settings", [{"exit": "2"}, {"exit": "0"}, {"recent": "12h"}, {"recent": "31d"}])
def test_settings_that_contradict_each_other_are_refused_with_a_cure(settings: dict[str, str]):
    with pytest.raises(ValidationError, match="write"):
        build(ReerVolatility, settings)
