"""Series: one value an instant, newest revision on top, whatever the order of arrival."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core import market as market_module
from monitor.core.market import Market
from monitor.core.observation import Observation, SeriesKey
from monitor.core.units import HOUR, MINUTE
from tests.builders import market_of

KEY = SeriesKey("price.usd", "ETH", "s1")


def point(at: int, value: float, known_at: int | None = None, block_hash: str = "", metric: str = "price.usd") -> Observation:
    return Observation(metric, "ETH", "s1", at, at if known_at is None else known_at, value, block_hash)


def columns(market: Market, key: SeriesKey = KEY) -> tuple[list[int], list[float], list[int]]:
    series = market.series(*key)
    assert series is not None
    assert list(series.floats) == [float(value) for value in series.value]
    return list(series.at), list(series.value), list(series.known_at)


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 9)), max_size=30), st.randoms(use_true_random=False))
def test_f_028_neither_the_order_of_arrival_nor_repetition_changes_what_is_held(rows: list[tuple[int, int]], chance: Random):
    """Every instant ends with the revision that became known last."""
    revisions = [point(at, at + known / 10, known) for at, known in rows]
    arriving = revisions + revisions
    chance.shuffle(arriving)
    market = market_of(*arriving)
    newest = {at: max(known for other, known in rows if other == at) for at, _ in rows}
    expected = sorted(newest), [at + newest[at] / 10 for at in sorted(newest)], [newest[at] for at in sorted(newest)]
    assert not rows or columns(market) == expected


def test_a_repeated_value_changes_nothing_and_says_so():
    market = Market()
    assert market.put(point(1, 5.0)) is True
    assert market.put(point(1, 5.0)) is False
    assert market.put(point(1, 6.0, known_at=9)) is True
    assert market.put(point(1, 7.0, known_at=8)) is False
    assert columns(market) == ([1], [6.0], [9])


def test_the_block_is_that_of_the_newest_point():
    market = market_of(point(1, 5.0, block_hash="0xa"), point(3, 6.0, block_hash="0xb"), point(2, 7.0, block_hash="0xc"))
    series = market.series(*KEY)
    assert series is not None and series.block_hash == "0xb"


def test_the_same_value_from_another_block_of_the_same_time_is_of_that_block_from_then_on_F_048():
    market = market_of(point(1, 4.0, block_hash="0xa"), point(2, 5.0, block_hash="0xb"))
    assert market.put(point(2, 5.0, block_hash="0xb")) is False
    assert market.put(point(2, 5.0, block_hash="0xc")) is True
    assert market.put(point(2, 5.0)) is False
    assert market.put(point(1, 4.0, block_hash="0xd")) is False
    series = market.series(*KEY)
    assert series is not None and (series.block_hash, list(series.value)) == ("0xc", [4.0, 5.0])


def test_chain_integers_are_kept_exact():
    market = market_of(point(1, 2**200 + 1, metric="pool.liquidity"))
    assert market.value_at(SeriesKey("pool.liquidity", "ETH", "s1"), 1) == 2**200 + 1


def test_the_oldest_points_fall_off_in_strides(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(market_module, "MAX_POINTS", 10)
    market = market_of(*(point(at * HOUR, float(at)) for at in range(11)))
    assert len(columns(market)[0]) == 11
    market.put(point(11 * HOUR, 11.0))
    assert columns(market)[1] == list(range(2, 12))


@pytest.mark.parametrize("metric", ["price.usd", "pool.liquidity"])
def test_of_what_comes_by_the_minute_the_last_of_each_hour_is_kept_for_long(monkeypatch: pytest.MonkeyPatch, metric: str):
    monkeypatch.setattr(market_module, "MAX_POINTS", 100)
    minutes = range(0, 20 * 60, 3)
    market = market_of(*(point(minute * MINUTE, minute, metric=metric) for minute in minutes))
    at, value, known_at = columns(market, SeriesKey(metric, "ETH", "s1"))
    assert at == known_at == [minute * MINUTE for minute in value]
    assert value[:10] == [hour * 60 + 57 for hour in range(10)]
    assert value[-75:] == list(minutes)[-75:]
    assert len(value) <= 110


def test_a_revision_of_a_point_that_has_fallen_off_does_not_come_back_as_the_newest(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(market_module, "MAX_POINTS", 10)
    market = market_of(*(point(at, float(at)) for at in range(5, 17)))
    market.put(point(1, 1.0))
    assert columns(market)[0][-1] == 16


def test_what_is_there_can_be_listed_and_what_is_not_is_none():
    market = market_of(point(2, 1.0), point(4, 2.0))
    assert market.sources("price.usd", "ETH") == ("s1",)
    assert market.sources("price.usd", "BTC") == ()
    assert market.subjects("price.usd") == ("ETH",)
    assert market.subjects("tvl.usd") == ()
    assert list(market.keys()) == [KEY]
    assert [market.value_at(KEY, at) for at in (1, 2, 3, 4, 5)] == [None, 1.0, None, 2.0, None]
    assert [market.held(KEY, at) for at in (1, 2, 3, 4, 5)] == [None, (1.0, 2), None, (2.0, 4), None]
    nobody = SeriesKey("price.usd", "BTC", "s1")
    assert (market.value_at(nobody, 2), market.held(nobody, 2)) == (None, None)


def test_the_metrics_of_a_subject_are_found_by_how_they_begin() -> None:
    market = Market()
    for metric, subject in (("treasury.tokens.ETH", "protocol:x"), ("treasury.tokens.DAI", "protocol:x"), ("treasury.tokens.UNI", "protocol:y")):
        market.put(Observation(metric, subject, "s", 0, 0, 1.0))
    market.put(Observation("treasury.others_usd", "protocol:x", "s", 0, 0, 1.0))
    assert market.metrics("treasury.tokens.", "protocol:x") == ("treasury.tokens.DAI", "treasury.tokens.ETH")
    assert market.metrics("treasury.", "protocol:z") == ()
