"""Rows of observations as files, feeds and pushes spell them."""

from typing import Any

import pytest

from monitor.core.observation import Reading
from monitor.core.rows import HEADER, parse_object, parse_row
from monitor.errors import BadPayload

NOON = 1_704_110_400_000
CELLS = ["tvl.usd", "chain:base", "mine", "2024-01-01T12:00:00Z", "", "5e9"]
EXACT = ["pool.liquidity", f"pool:base/0x{'1' * 40}", "mine", str(NOON), str(NOON), str(2**200 + 1)]
ROW = dict(zip(HEADER, CELLS, strict=True))


def cells(**changes: str) -> list[str]:
    return list({**ROW, **changes}.values())


def test_a_row_is_read_and_what_it_leaves_open_stays_open():
    assert parse_row(CELLS) == Reading("tvl.usd", "chain:base", 5e9, NOON, None, "mine")


def test_a_chain_integer_stays_exact():
    assert parse_row(EXACT) == Reading("pool.liquidity", EXACT[1], 2**200 + 1, NOON, NOON, "mine")


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (CELLS[:5], "5 columns instead of 6"),
        (cells(source=""), "source is missing"),
        (cells(at=""), "'' is not a time"),
        (cells(at="x" * 500), "is not a time"),
        (cells(known_at="noon"), "'noon' is not a time"),
        (cells(value="1_000"), "'1_000' is not a decimal number"),
        (cells(value="nan"), "'nan' is not a decimal number"),
        ([*EXACT[:5], "1.5"], "value '1.5' is not a whole number, and this metric is a chain integer"),
        ([*EXACT[:5], "9" * 5000], "is not a whole number"),
        ([*EXACT[:5], "--1"], "is not a whole number"),
    ],
)
def test_a_row_that_is_not_one_is_refused_with_a_short_reason(written: list[str], reason: str):
    with pytest.raises(BadPayload) as refused:
        parse_row(written)
    assert reason in str(refused.value)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("changes", "reading"),
    [
        ({}, Reading("tvl.usd", "chain:base", 5e9, NOON, None, "mine")),
        ({"at": NOON, "known_at": NOON + 1, "value": 5}, Reading("tvl.usd", "chain:base", 5.0, NOON, NOON + 1, "mine")),
        ({"known_at": None, "source": None}, Reading("tvl.usd", "chain:base", 5e9, NOON, None, "feed")),
        ({"metric": EXACT[0], "subject": EXACT[1], "value": 2**200 + 1}, Reading(EXACT[0], EXACT[1], 2**200 + 1, NOON, None, "mine")),
    ],
)
def test_an_object_is_read_as_a_row_is(changes: dict[str, Any], reading: Reading):
    assert parse_object({**ROW, **changes}, "feed") == reading


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([1, 2], "expected an object with metric, subject, source, at, known_at, value, got a list"),
        (7, "got 7"),
        (None, "got None"),
        ({**ROW, "knownAt": 1}, "there is no column 'knownAt'"),
        ({**ROW, "\ud800" * 99: 1}, "there is no column"),
        ({**ROW, "source": ""}, "source is missing"),
        ({**ROW, "source": 7}, "source: expected str, got 7"),
        ({key: value for key, value in ROW.items() if key != "at"}, "at is missing"),
        ({**ROW, "value": None}, "value is missing"),
        ({**ROW, "value": True}, "expected a number, got True"),
        ({**ROW, "value": {}}, "expected a number, got a dict"),
        ({**ROW, "metric": EXACT[0], "value": 1.0}, "value 1.0 is not a whole number"),
        ({**ROW, "metric": EXACT[0], "value": True}, "value True is not a whole number"),
        ({**ROW, "metric": EXACT[0], "value": []}, "value a list is not a whole number"),
        ({**ROW, "at": 1.7e12}, "1700000000000.0 is not a time"),
        ({**ROW, "at": True}, "True is not a time"),
        ({**ROW, "at": 17}, "17 is not a time"),
        ({**ROW, "at": 10**300}, "a int is not a time"),
        ({**ROW, "known_at": {}}, "a dict is not a time"),
        ({**ROW, "subject": 5}, "subject: expected str, got 5"),
    ],
)
def test_an_object_that_is_not_a_row_is_refused_with_a_short_reason(row: object, reason: str):
    with pytest.raises(BadPayload) as refused:
        parse_object(row)
    assert reason in str(refused.value)
    assert str(refused.value).isprintable() and len(str(refused.value)) < 200
