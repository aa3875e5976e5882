"""Reads that several rules share: the first source that can answer, and what held at an instant."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from monitor.core.verdict import Unknown
from monitor.core.view import Window

Source = TypeVar("Source")
Result = TypeVar("Result")


def of_first(sources: Sequence[Source], read: Callable[[Source], Result], otherwise: str) -> Result:
    """What `read` gives of the first source that can answer. Raises the first one's Unknown where none can, `otherwise` where there is none."""
    reasons: list[Unknown] = []
    for source in sources:
        try:
            return read(source)
        except Unknown as why:
            reasons.append(why)
    raise reasons[0] if reasons else Unknown("missing", otherwise)


def held_at(window: Window, instants: npt.NDArray[np.int64], within_ms: int) -> npt.NDArray[np.float64]:
    """At each instant the newest value of then, NaN where that was older than `within_ms` or there was none."""
    place = np.searchsorted(window.at, instants, side="right") - 1
    found = place >= 0
    found &= instants - window.at[np.maximum(place, 0)] <= within_ms
    return np.where(found, window.value[np.maximum(place, 0)], np.nan)
