"""The price and the implied volatility that an asset has now, for the scenarios that every exposure is valued in."""

from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

from monitor.core.exposure import Scenario
from monitor.core.tokens import LISTED
from monitor.core.units import DAY
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.windows import of_first

INDEX, NEAR = "iv.index", "iv.atm.7d"
NEAR_MS = 15 * DAY
VIX_OF = {"SPX": ("vix.close", "VIX"), "ES": ("vix.close", "VIX"), "VIX": ("vvix.close", "VIX")}


class Volatility(NamedTuple):
    """Annualised, as a fraction, and in words where it is from."""

    sigma: float
    basis: str


def spot_usd(view: View, asset: str) -> float:
    """The price that may decide; of an index or a US fund its newest close. Raises Unknown where there is none.

    *(reading)* `VIX` stands for its 30-day future: that, and not the index, is what options and funds on the VIX are written on.
    """
    if asset not in LISTED:
        return view.price_usd(asset)
    metric = "vix.future.30d" if asset == "VIX" else "equity.close"
    return _newest(view, metric, asset)[0]


def volatility(view: View, asset: str) -> Volatility:
    """The one volatility of an asset that scenarios move: its 30-day index (of SPX the VIX, of the VIX the VVIX), else 7 days at the money.

    Raises Unknown where neither is given and fresh.
    """
    if asset in VIX_OF:
        return _volatility(view, *VIX_OF[asset])
    try:
        return _volatility(view, INDEX, asset)
    except Unknown as why:
        try:
            return _volatility(view, NEAR, asset)
        except Unknown:
            raise Unknown("volatility", f"no implied volatility of {asset}: {why.reason}") from None


def volatility_until(view: View, asset: str, expires: int) -> Volatility:
    """The volatility to price an unquoted option at: 7 days at the money up to 15 days before its expiry (epoch ms), else the asset's own."""
    if expires - view.now <= NEAR_MS:
        try:
            return _volatility(view, NEAR, asset)
        except Unknown:
            pass
    return volatility(view, asset)


def scenario_now(view: View, assets: Iterable[str]) -> Scenario:
    """Today's prices of these assets, and the volatility of each that has one. Raises Unknown where a price is missing."""
    named = sorted(set(assets))
    sigmas: dict[str, float] = {}
    for asset in named:
        try:
            sigmas[asset] = volatility(view, asset).sigma
        except Unknown:
            continue
    return Scenario({asset: spot_usd(view, asset) for asset in named}, dict(sigmas))


def _volatility(view: View, metric: str, subject: str) -> Volatility:
    value, source = _newest(view, metric, subject)
    return Volatility(value / 100, f"{metric} of {subject} from {source}")


def _newest(view: View, metric: str, subject: str) -> tuple[float, str]:
    sources = view.sources(metric, subject)
    point = of_first(sources, partial(view.newest, metric, subject), f"nobody has given {metric} of {subject} yet")
    return float(point.value), point.source
