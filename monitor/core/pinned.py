"""What must not change under a position: how many decimals its tokens have.

An upgraded token, or a node that lies, moves every amount by a power of ten. What comes with another number than the first one is refused whole,
until the operator says that it is right.
"""

from collections.abc import Iterable, Mapping

from monitor.core.market import Market
from monitor.core.observation import Observation

PINNED = ("position.decimals", "treasury.decimals.")


def unpinned(market: Market, observations: Iterable[Observation], *, by_operator: bool = False) -> Mapping[Observation, str]:
    """The observations that must not be let in, and why: all that a source says of a subject whose decimals are others than those held.

    `by_operator` admits the new number.
    """
    rows = [] if by_operator else list(observations)
    first: dict[tuple[str, str, str], float | int] = {}
    changed: dict[tuple[str, str], str] = {}
    for row in (row for row in rows if row.metric.startswith(PINNED)):
        series = market.series(*row.key)
        pinned = first.setdefault((row.metric, row.subject, row.source), series.value[-1] if series else row.value)
        if row.value != pinned:
            changed.setdefault((row.subject, row.source), _reason(row, int(pinned)))
    return {row: changed[row.subject, row.source] for row in rows if (row.subject, row.source) in changed}


def _reason(row: Observation, pinned: int) -> str:
    cure = "give the position another id" if row.metric.startswith("position.") else f"import {row.metric} of it anew (hedge-monitor import)"
    return (
        f"{row.metric.partition('.')[2]} is {row.value}, and was {pinned} when it was first read: a token that was changed, or a node that lies; "
        f"nothing of {row.subject} is taken. Look at the token; if the new number is right, {cure}"
    )
