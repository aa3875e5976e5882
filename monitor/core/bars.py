"""The bars that a rule should look at where several sources have them, and series brought into step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from monitor.core.verdict import Unknown
from monitor.core.view import View, Window


def best_bars(view: View, metric: str, subjects: Sequence[str], count: int, minimum: int) -> Window:
    """Closed bars of the first subject that has any: of its freshest source, and of these the longest unbroken run.

    Raises Unknown as `View.bars` does for the first subject and source, or where nobody has given any.
    """
    reasons: list[Unknown] = []
    for subject in subjects:
        found: list[Window] = []
        for source in view.sources(metric, subject):
            try:
                found.append(view.bars(metric, subject, source, count, minimum))
            except Unknown as why:
                reasons.append(why)
        if found:
            return max(found, key=lambda bars: (int(bars.at[-1]), len(bars)))
    raise reasons[0] if reasons else Unknown("missing", f"nobody has given {metric} of {' or '.join(subjects)} yet")


def in_step(first: Window, second: Window, minimum: int) -> tuple[Window, Window]:
    """The bars of both at the instants that both have. Raises Unknown where these are fewer than `minimum`."""
    _, here, there = np.intersect1d(first.at, second.at, assume_unique=True, return_indices=True)
    if len(here) < minimum:
        raise Unknown("short", f"{len(here)} bars are common to {first.source} and {second.source}, {minimum} are needed")
    return _picked(first, here), _picked(second, there)


def _picked(bars: Window, rows: npt.NDArray[Any]) -> Window:
    return Window(bars.at[rows], bars.known_at[rows], bars.value[rows], bars.cadence_ms, bars.source)
