"""Candles whose parts contradict each other. The parts may come in any order and far apart: a file has all the highs before all the lows."""

import math
from array import array
from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from monitor.core.observation import Observation, Reading

Bar = tuple[str, str, str, int]
"""A chart (`candle.4h`, subject, source) and the open of one of its bars, epoch milliseconds."""
Columns = tuple["array[int]", "array[float]"]
PRICES = ("open", "high", "low", "close")


def bar_of(observation: Observation | Reading) -> Bar | None:
    """The bar that an observation is a part of; None for what is no candle."""
    if not observation.metric.startswith("candle.") or observation.at is None:
        return None
    return observation.metric.rpartition(".")[0], observation.subject, observation.source, observation.at


class Candles:
    """The prices of bars, 16 bytes each. Of a part that comes twice the last counts."""

    def __init__(self) -> None:
        self._charts: dict[tuple[str, str, str], dict[str, Columns]] = defaultdict(dict)

    def add(self, observation: Observation) -> None:
        """Take the part of a candle in; anything else is passed over."""
        if not observation.metric.startswith("candle."):
            return
        head, _, part = observation.metric.rpartition(".")
        parts = self._charts[head, observation.subject, observation.source]
        at, value = parts.setdefault(part, (array("q"), array("d")))
        at.append(observation.at)
        value.append(observation.value)

    def broken(self) -> dict[Bar, str]:
        """What is wrong with each bar whose parts contradict each other."""
        return {(*chart, at): reason for chart, parts in self._charts.items() for at, reason in _contradictions(parts).items()}


def _contradictions(parts: Mapping[str, Columns]) -> dict[int, str]:
    opens_at = np.unique(np.concatenate([np.asarray(at) for at, _ in parts.values()]))
    prices = np.full((len(PRICES), len(opens_at)), np.nan)
    for row, part in enumerate(PRICES):
        if part in parts:
            at, value = parts[part]
            prices[row, np.searchsorted(opens_at, np.asarray(at))] = np.asarray(value)
    first, high, low, last = prices
    highest, lowest = np.where(np.isnan(high), math.inf, high), np.where(np.isnan(low), -math.inf, low)
    off = (highest < lowest) | (first < lowest) | (first > highest) | (last < lowest) | (last > highest)
    return {int(opens_at[n]): _sentence(*(float(price) for price in (first[n], highest[n], lowest[n], last[n]))) for n in np.flatnonzero(off)}


def _sentence(first: float, high: float, low: float, last: float) -> str:
    if high < low:
        return f"high {high:g} is below low {low:g}"
    name, price = ("open", first) if first < low or first > high else ("close", last)
    return f"{name} {price:g} is outside low {low:g} to high {high:g}"
