"""F-084: a level of another base year or in another unit is never mixed with those that are held."""

from collections.abc import Sequence

import pytest

from monitor.core.observation import Observation, Reading
from monitor.core.rebasing import FARTHEST_REVISION, rebased
from monitor.core.units import DAY, month_before, parse_time
from monitor.pipeline import Pipeline
from tests.builders import market_of, seen
from tests.pipelines import fresh

NOW = parse_time("2026-11-20")
MONTHS = [month_before(parse_time("2026-10-01"), i) for i in range(23, -1, -1)]
LEVELS = [300.0 + 1.237 * i + (i * i % 7) / 10 for i in range(24)]


def rows(levels: Sequence[float], *, metric: str = "macro.cpi", known_at: int = NOW, months: Sequence[int] = MONTHS) -> list[Observation]:
    return [seen(metric, "US", round(level, 3), month, "bls", known_at) for month, level in zip(months, levels, strict=True)]


HELD = rows(LEVELS, known_at=NOW - DAY)


def refused(news: Sequence[Observation], *, by_operator: bool = False, held: Sequence[Observation] = HELD) -> int:
    return len(rebased(market_of(*held), news, by_operator=by_operator))


@pytest.mark.parametrize("factor", [1 / 2.9957, 0.95, 0.985, 1.02, 100.0, 1000.0, 0.001])
def test_f_084_every_month_moved_by_one_factor_is_refused_whole(factor: float):
    assert refused(rows([level * factor for level in LEVELS])) == 24


def test_f_084_the_newest_month_is_refused_with_the_vintage_that_it_came_in():
    november = month_before(MONTHS[-1], -1)
    news = [*rows([level / 3 for level in LEVELS]), *rows([110.0], months=[november])]
    assert refused(news) == 25


def test_f_084_one_month_far_from_the_one_held_is_refused_and_says_why():
    (why,) = rebased(market_of(*HELD), rows([LEVELS[-1] * 10], months=MONTHS[-1:])).values()
    assert why.startswith("the level of 2026-10 is 10 times the one held: another base year or another unit")


@pytest.mark.parametrize(
    "news",
    [
        rows(LEVELS),
        rows([level + (0.3 if i % 2 else -0.2) for i, level in enumerate(LEVELS)]),
        rows([LEVELS[-1] * (1 + FARTHEST_REVISION * 0.99)], months=MONTHS[-1:]),
        rows([round(level, 1) for level in LEVELS]),
        rows([LEVELS[0] * 1.02, LEVELS[1] * 1.02], months=MONTHS[:2]),
        rows([1.01] * 24, metric="macro.tbill_3m"),
        rows([110.0], months=[month_before(MONTHS[-1], -1)]),
    ],
    ids=["the same", "revised up and down", "revised a lot", "rounded", "two months alone", "no level", "a month that is not held"],
)
def test_what_is_no_rebasing_passes(news: Sequence[Observation]):
    assert refused(news) == 0


def test_one_correction_that_three_months_of_one_level_share_is_no_rebasing():
    held = rows([300.0] * 24, known_at=NOW - DAY)
    assert refused(rows([303.0] * 3, months=MONTHS[-3:]), held=held) == 0


def test_vintages_before_the_rebased_one_pass_and_those_from_it_on_do_not():
    old = rows([level + 0.4 for level in LEVELS[-2:]], months=MONTHS[-2:], known_at=NOW)
    new = rows([level / 3 for level in LEVELS], known_at=NOW + DAY)
    later = rows([level / 3 + 0.2 for level in LEVELS[-2:]], months=MONTHS[-2:], known_at=NOW + 2 * DAY)
    found = rebased(market_of(*HELD), [*later, *new, *old])
    assert set(found) == {*new, *later}


def test_two_bases_in_one_delivery_are_seen_though_nothing_is_held():
    assert set(rebased(market_of(), [*HELD, *rows([level / 3 for level in LEVELS])])) == set(rows([level / 3 for level in LEVELS]))


def test_the_operator_admits_a_series_anew_if_it_is_whole():
    anew = rows([level / 3 for level in LEVELS])
    assert refused(anew, by_operator=True) == 0
    assert refused(anew[1:], by_operator=True) == 23


# --- through the pipeline --------------------------------------------------------------------------------------------


def hand_over(pipeline: Pipeline, factor: float, source: str, now: int) -> tuple[int, list[str]]:
    readings = [Reading("macro.cpi", "US", round(level * factor, 3), month, now, "bls") for month, level in zip(MONTHS, LEVELS, strict=True)]
    received = pipeline.receive([Reading("macro.cpi", "US", -1.0, MONTHS[0], now, "bls"), *readings], source=source, now=now, records=source != "bls")
    return received.stored, [f"{r.index} {r.reason[:20]}" for r in received.rejections]


def test_f_084_a_rebased_vintage_is_refused_from_every_poll_and_backfill_until_the_operator_imports_it():
    pipeline = fresh()
    assert hand_over(pipeline, 1.0, "bls", NOW - DAY)[0] == 24
    for source in ("bls", "backfill"):
        stored, reasons = hand_over(pipeline, 1 / 3, source, NOW)
        assert (stored, len(reasons)) == (0, 25)
        assert reasons[:2] == ["0 value -1 is outside ", "1 the level of 2026-10"]
    assert hand_over(pipeline, 1 / 3, "import", NOW + DAY) == (24, ["0 value -1 is outside "])
    assert hand_over(pipeline, 1 / 3, "bls", NOW + 2 * DAY)[0] == 0
    assert pipeline.engine.market.value_at(HELD[0].key, MONTHS[-1]) == round(LEVELS[-1] / 3, 3)


def test_a_backfill_beside_a_daemon_is_not_the_operator_s_word():
    pipeline = fresh()
    hand_over(pipeline, 1.0, "bls", NOW - DAY)
    rows_of = [["macro.cpi", "US", "bls", month, NOW, round(level / 3, 3)] for month, level in zip(MONTHS, LEVELS, strict=True)]
    for body, stored in (({"rows": rows_of, "sender": "backfill"}, False), ({"rows": rows_of}, True)):
        pipeline.store.inbox.put(NOW, "me", "observations", body)
        (message,) = pipeline.store.inbox.waiting()
        pipeline.take(message, NOW)
        assert (pipeline.engine.market.value_at(HELD[0].key, MONTHS[-1]) == round(LEVELS[-1] / 3, 3)) is stored
