"""What a treasury holds, is owed and owes: the sheet that its quick ratio and its equity are made of.

Where wallets are read, amounts count at prices that may decide, stablecoins included; otherwise a provider's USD sums, at its prices. The
protocol's own tokens never do: they pay no creditor.
"""

from collections.abc import Callable, Iterable
from statistics import median
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.core.tokens import MAJORS, STABLES
from monitor.core.units import DAY, iso
from monitor.core.verdict import Unknown
from monitor.core.view import FRESH_CADENCES, View, Window
from monitor.core.windows import held_at, of_first

LIABILITIES, RECEIVABLES, PRICE = "treasury.liabilities_usd", "treasury.receivables_usd", "price.usd"
PARTS = {"stables": "treasury.stables_usd", "majors": "treasury.majors_usd"}
TOKENS = "treasury.tokens."
LIQUID = tuple(sorted(STABLES | MAJORS))
# Its contract pays one for one, so it needs no price of its own. Every other token does.
REDEEMED_FOR = {"WETH": "ETH"}
LAG_MS = 8 * DAY
DECLARED_MS = 100 * DAY


class Held(NamedTuple):
    """What one source says that a treasury holds: instants, and by part or asset a column of USD or tokens, NaN where nothing is said."""

    source: str
    at: npt.NDArray[np.int64]
    cadence_ms: int
    columns: dict[str, npt.NDArray[np.float64]]
    in_usd: bool

    def amounts(self, place: int) -> dict[str, float]:
        """What is held at one of the instants, by part or asset."""
        return {name: float(column[place]) for name, column in self.columns.items() if column[place] > 0}

    def metric(self, name: str) -> str:
        return PARTS[name] if self.in_usd else TOKENS + name


class Sheet(NamedTuple):
    """The four sums of the quick ratio at one instant, in USD."""

    stables: float
    majors: float
    receivables: float
    liabilities: float

    @property
    def ratio(self) -> float:
        """Liabilities must not be 0."""
        return (self.stables + self.majors + self.receivables) / self.liabilities

    def equity_usd(self, others: float) -> float:
        """What is left to the treasury once it has paid; `others` is what it holds that is not liquid."""
        return self.stables + self.majors + others + self.receivables - self.liabilities


def holdings(view: View, subject: str, back_ms: int, assets: Iterable[str] = LIQUID) -> Held:
    """Of wallets where any are read, else of a provider's sums; `back_ms` and a lag into the past. Raises Unknown where nobody says it."""
    assets = tuple(assets)
    blind: list[Unknown] = []
    for source in sorted({source for asset in assets for source in view.sources(TOKENS + asset, subject)}):
        try:
            held = _wallets(view, subject, source, back_ms, assets)
        except Unknown as why:
            blind.append(why)
            continue
        if held is not None:
            return held
    if blind:
        raise blind[0]
    return of_first(
        view.sources(PARTS["stables"], subject), lambda source: _sums(view, subject, source, back_ms), f"nobody says what {subject} holds"
    )


def sheet_of(view: View, subject: str, held: Held, back_ms: int, place: int = -1, then: int | None = None) -> Sheet:
    """The sums at one place of the holdings: now, or at `then`, at prices and debts of then. Raises Unknown where a part is not known."""
    receivables, liabilities = (declared(view, metric, subject, back_ms, then) for metric in (RECEIVABLES, LIABILITIES))
    liquid = worth(held, place, view.price_usd if then is None else lambda asset: price_at(view, asset, then))
    return Sheet(liquid["stables"], liquid["majors"], receivables, liabilities)


def declared(view: View, metric: str, subject: str, back_ms: int, then: int | None) -> float:
    """What is owed, or due, now or at `then`. Receivables that nobody ever declared are none."""
    sources = view.sources(metric, subject)
    if metric == RECEIVABLES and not sources:
        return 0.0
    return of_first(sources, lambda source: _declared_by(view, metric, subject, source, back_ms, then), f"nobody says what {subject} owes")


def worth(held: Held, place: int, price: Callable[[str], float]) -> dict[str, float]:
    """Stables, majors and others in USD at one of the instants. A price is asked of what is held, and of nothing else."""
    found = {"stables": 0.0, "majors": 0.0, "others": 0.0}
    if held.in_usd:
        return found | held.amounts(place)
    for asset, amount in held.amounts(place).items():
        part = "stables" if asset in STABLES else "majors" if asset in MAJORS else "others"
        found[part] += amount * price(REDEEMED_FOR.get(asset, asset))
    return found


def price_at(view: View, asset: str, then: int) -> float:
    """The median over the sources of each one's mean over the day before `then`."""
    means = []
    for source in view.sources(PRICE, asset):
        try:
            window = view.window(PRICE, asset, source, view.now - then + DAY, covered=False)
        except Unknown:
            continue
        inside = (window.at > then - DAY) & (window.at <= then)
        if inside.any():
            means.append(float(window.value[inside].mean()))
    if not means:
        raise Unknown("short", f"the price of {asset} is not known of {iso(then)[:10]}")
    return median(means)


def _declared_by(view: View, metric: str, subject: str, source: str, back_ms: int, then: int | None) -> float:
    window = view.window(metric, subject, source, back_ms + DECLARED_MS, covered=False)
    if then is None:
        return float(window.value[-1])
    value = float(held_at(window, np.array([then]), FRESH_CADENCES * window.cadence_ms)[0])
    if np.isnan(value):
        raise Unknown("short", f"{metric} of {subject} is not known of {iso(then)[:10]}")
    return value


def _wallets(view: View, subject: str, source: str, back_ms: int, assets: tuple[str, ...]) -> Held | None:
    """What one source read; None where it has read nothing since `back_ms` ago: these wallets are no longer set up.

    Amounts that are fed by hand need not come at one instant: each counts until it is too old. A token that was taken out of the
    configuration goes stale alone, and is no longer held from then on.
    """
    windows: list[Window] = []
    reasons: list[Unknown] = []
    for metric in (TOKENS + asset for asset in assets):
        if source in view.sources(metric, subject):
            try:
                windows.append(view.window(metric, subject, source, back_ms + LAG_MS, covered=False))
            except Unknown as why:
                reasons.append(why)
    if not windows:
        if all(why.code == "missing" for why in reasons):
            return None
        raise next(why for why in reasons if why.code != "missing")
    at = np.unique(np.concatenate([window.at for window in windows]))
    cadence_ms = max(window.cadence_ms for window in windows)
    columns = {asset: _until_old(at, view.values_at(TOKENS + asset, subject, source, at), cadence_ms) for asset in assets}
    return Held(source, at, cadence_ms, columns, in_usd=False)


def _sums(view: View, subject: str, source: str, back_ms: int) -> Held:
    windows = {name: view.window(metric, subject, source, back_ms + LAG_MS, covered=False) for name, metric in PARTS.items()}
    at = np.intersect1d(windows["stables"].at, windows["majors"].at)
    if not len(at):
        raise Unknown("missing", f"{source} gives stables and majors of {subject} at no one time")
    columns = {name: window.value[np.isin(window.at, at)] for name, window in windows.items()}
    return Held(source, at, windows["stables"].cadence_ms, columns, in_usd=True)


def _until_old(at: npt.NDArray[np.int64], values: npt.NDArray[np.float64], cadence_ms: int) -> npt.NDArray[np.float64]:
    """Each value also at the instants after it, until it is stale: a token that one pass does not name is not a token of which there is none."""
    place = np.maximum.accumulate(np.where(np.isnan(values), 0, np.arange(len(values))))
    return np.where(at - at[place] <= FRESH_CADENCES * cadence_ms, values[place], np.nan)
