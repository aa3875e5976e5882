"""Reads that several rules share."""

import numpy as np
import pytest

from monitor.core.units import HOUR
from monitor.core.verdict import Unknown
from monitor.core.view import Window
from monitor.core.windows import held_at, of_first


def window(*points: tuple[int, float]) -> Window:
    at = np.array([at for at, _ in points], dtype=np.int64)
    return Window(at, at, np.array([value for _, value in points]), HOUR, "s1")


def test_what_held_at_an_instant_is_the_newest_value_of_then_unless_it_was_too_old():
    held = held_at(window((10, 1.0), (20, 2.0)), np.array([9, 10, 15, 20, 25, 26], dtype=np.int64), 5)
    assert [None if np.isnan(value) else value for value in held] == [None, 1.0, 1.0, 2.0, 2.0, None]


def test_the_first_source_that_can_answer_is_taken_and_else_the_first_reason_given():
    def read(source: str) -> str:
        if source.startswith("blind"):
            raise Unknown("stale", source)
        return source

    assert of_first(("blind-1", "b", "c"), read, "nobody") == "b"
    with pytest.raises(Unknown, match="blind-1"):
        of_first(("blind-1", "blind-2"), read, "nobody")
    with pytest.raises(Unknown, match="nobody") as caught:
        of_first((), read, "nobody")
    assert caught.value.code == "missing"
