"""The markets that are watched: fresh prices, funding by venue, TVL with its change over 48 hours. What is stale is absent."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from monitor.core.funding import annualised
from monitor.core.observation import SeriesKey
from monitor.core.rule import Scope
from monitor.core.scope import subjects_of
from monitor.core.units import HOUR
from monitor.core.verdict import Unknown
from monitor.core.view import View

if TYPE_CHECKING:
    from monitor.core.engine import Engine

CHANGE_MS = 48 * HOUR
Read = TypeVar("Read")
Asked = ParamSpec("Asked")


def markets_view(engine: "Engine") -> dict[str, Any]:
    """{prices: [{asset, usd}], funding: [{venue, asset, annualised_ratio}], tvl: [{subject, usd, change_48h_ratio}]}."""
    view = engine.view()
    return {
        "prices": [{"asset": a, "usd": usd} for a in engine.settings.assets if (usd := _maybe(view.price_usd, a)) is not None],
        "funding": [row for asset in engine.settings.assets for row in _funding(engine, view, asset)],
        "tvl": [row for subject in subjects_of(Scope.TVL, engine.settings) for row in _tvl(view, subject)],
    }


def _funding(engine: "Engine", view: View, asset: str) -> list[dict[str, Any]]:
    """The newest settled payment of each configured venue, a year, over the interval in force at that payment."""
    rows = []
    for venue in view.sources("funding.rate", asset):
        point = _maybe(view.newest, "funding.rate", asset, venue)
        if point is None or venue not in engine.settings.sources:
            continue
        hours = engine.market.value_at(SeriesKey("funding.interval_hours", asset, venue), point.at)
        if hours:
            rows.append({"venue": venue, "asset": asset, "annualised_ratio": annualised(float(point.value), float(hours))})
    return rows


def _tvl(view: View, subject: str) -> list[dict[str, Any]]:
    """The newest fresh value, from whichever source has it, and its change against the value that was in force 48 hours before."""
    points = [p for source in view.sources("tvl.usd", subject) if (p := _maybe(view.newest, "tvl.usd", subject, source)) is not None]
    if not points:
        return []
    newest = max(points, key=lambda point: point.at)
    row: dict[str, Any] = {"subject": subject, "usd": float(newest.value)}
    for point in points:
        window = _maybe(view.window, "tvl.usd", subject, point.source, CHANGE_MS)
        if window is not None and window.value[0] > 0:
            row["change_48h_ratio"] = float(newest.value) / float(window.value[0]) - 1
            break
    return [row]


def _maybe(read: Callable[Asked, Read], *args: Asked.args, **kwargs: Asked.kwargs) -> Read | None:
    try:
        return read(*args, **kwargs)
    except Unknown:
        return None
