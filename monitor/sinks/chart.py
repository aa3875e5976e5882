"""The chart's numbers: one price and one TVL on a common hourly grid, for the newest days. A hole in the data is a hole in the line."""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from monitor.core.rule import Scope
from monitor.core.scope import subjects_of
from monitor.core.state import Instance
from monitor.core.units import DAY, HOUR
from monitor.core.valuation import value_position
from monitor.core.verdict import Unknown
from monitor.core.vocabulary import find_metric

if TYPE_CHECKING:
    from monitor.core.engine import Engine

SPAN_MS = 14 * DAY
STEP_MS = HOUR
BRIDGED_CADENCES = 3
PRICES = ("price.usd", "perp.mark", "candle.4h.close")
DIGITS = 7


class Chart:
    """Draws when the hour, the data or the marks have changed, and else hands out the last drawing."""

    def __init__(self, span_ms: int = SPAN_MS, step_ms: int = STEP_MS) -> None:
        self._span_ms, self._step_ms = span_ms, step_ms
        self._asset = ""
        self._drawn: dict[str, Any] | None = None
        self._of: tuple[object, ...] = ()

    def draw(self, engine: "Engine", marks: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any] | None:
        """{asset, tvl_subject, at: [ms], price_usd: [..|null], tvl_usd: [..|null], marks}; None while there is nothing to draw."""
        fired = [m["subject"] for m in marks if m["mark"] == "fired" and m["at"] > engine.now - self._span_ms]
        price, tvl = self._price(engine), _tvl(engine, fired)
        of = (engine.now // self._step_ms, price, tvl, len(marks), marks[-1]["at"] if marks else 0)
        if of != self._of or self._drawn is None:
            self._of, self._drawn = of, self._draw(engine, price, tvl, marks)
        return self._drawn

    def _draw(self, engine: "Engine", price: "_Named | None", tvl: "_Named | None", marks: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
        end = engine.now - engine.now % self._step_ms
        start = end - self._span_ms
        named = [(one, column) for one, column in ((price, "price_usd"), (tvl, "tvl_usd")) if one is not None]
        columns = {column: self._column(engine, one, start, end) for one, column in named}
        first = min((_first(column) for column in columns.values()), default=0)
        grid = list(range(start, end + 1, self._step_ms))[first:]
        if not columns or not grid:  # nothing was ever given, or nothing that is still in force
            return None
        drawn: dict[str, Any] = {"at": grid, **{name: column[first:] for name, column in columns.items()}}
        if price is not None:
            drawn["asset"] = price[1]
        if tvl is not None:
            drawn["tvl_subject"] = tvl[1]
        drawn["marks"] = _marks(marks, grid[0], {drawn.get("asset"), drawn.get("tvl_subject")})
        return drawn

    def _price(self, engine: "Engine") -> "_Named | None":
        """The asset with the largest delta, which then stays: a line that changes what it is would tell nothing."""
        if self._asset not in engine.settings.assets:
            self._asset = _largest_delta(engine)
        assets = [self._asset, *engine.settings.assets]
        named = ((metric, asset, source) for asset in assets for metric in PRICES for source in engine.market.sources(metric, asset))
        return next(named, None)

    def _column(self, engine: "Engine", named: "_Named", start: int, end: int) -> list[float | None]:
        """The value in force at each point of the grid, None where the newest is over 3 of the series' own cadences old."""
        series = engine.market.series(*named)
        if series is None:
            return []
        row = find_metric(named[0])
        bar_ms = row.bar_ms if row is not None else 0
        bridged = BRIDGED_CADENCES * max(_cadence(engine, named), self._step_ms)
        column: list[float | None] = []
        for at in range(start, end + 1, self._step_ms):
            place = bisect_right(series.at, at - bar_ms) - 1
            known = place >= 0 and at - bar_ms - series.at[place] <= bridged
            column.append(_rounded(float(series.value[place])) if known else None)
        return column


_Named = tuple[str, str, str]


def _largest_delta(engine: "Engine") -> str:
    """Empty while no position can be valued."""
    net: defaultdict[str, float] = defaultdict(float)
    for position in engine.settings.positions:
        with suppress(Unknown):
            for asset, usd in value_position(engine.view(), position).delta_usd.items():
                net[asset] += abs(usd) if asset in engine.settings.assets else 0.0
    return max(sorted(net), key=lambda asset: net[asset], default="")


def _marks(marks: Iterable[Mapping[str, Any]], start: int, drawn: set[str | None]) -> list[Mapping[str, Any]]:
    """Layers, and the episodes of what is drawn. An episode that is open since before the left edge is kept."""
    return [m for m in marks if (m["at"] >= start or m["mark"] == "fired") and ("subject" not in m or m["subject"] in drawn)]


def _tvl(engine: "Engine", fired: Sequence[str]) -> _Named | None:
    """The TVL that fired first in the time that is drawn, else the one that is nearest to firing; from its longest series."""
    watched = subjects_of(Scope.TVL, engine.settings)
    nearest = sorted(watched, key=lambda subject: -_distance(engine, subject))
    for subject in [*(one for one in fired if one in watched), *nearest]:
        sources = engine.market.sources("tvl.usd", subject)
        if sources:
            return "tvl.usd", subject, max(sources, key=lambda source: _length(engine, subject, source))
    return None


def _distance(engine: "Engine", subject: str) -> float:
    verdict = engine.state.verdicts.get(Instance("tvl-drawdown", subject))
    return verdict.distance if verdict is not None and verdict.distance is not None else -math.inf


def _length(engine: "Engine", subject: str, source: str) -> int:
    series = engine.market.series("tvl.usd", subject, source)
    return len(series) if series is not None else 0


def _cadence(engine: "Engine", named: _Named) -> int:
    try:
        return engine.view().cadence(*named)
    except Unknown:
        return 0


def _first(column: Sequence[float | None]) -> int:
    return next((i for i, value in enumerate(column) if value is not None), len(column))


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
