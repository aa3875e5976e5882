"""Beta to the S&P 500: an asset's prices at the closes of its sessions, and how far the whole book moves with it."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.core.bars import best_bars
from monitor.core.beta import Beta, beta
from monitor.core.implied import scenario_now
from monitor.core.risk import book_exposure, positions_exposure, told, worth_usd
from monitor.core.tokens import LISTED, STABLES
from monitor.core.units import DAY, HOUR
from monitor.core.verdict import Unknown
from monitor.core.view import COVERAGE, View, Window
from monitor.core.windows import of_first

Floats = npt.NDArray[np.float64]

CLOSE, EQUITY, INDEX = "candle.4h.close", "equity.close", "SPX"
# The 4 h bar that closes at 20:00 UTC.
BAR_OF_CLOSE_MS = 16 * HOUR
LAST = 3
SESSIONS = 60


def charts(asset: str) -> tuple[str, str]:
    """The subjects of an asset's candles: its perpetual, then spot."""
    return asset, f"spot:{asset}"


def at_closes(view: View, asset: str, equity: Window) -> Floats:
    """The asset's prices at the closes of these sessions, NaN where there is none, of the first market and source that has them.

    Of crypto that is the newest 4 h close at or before 16:00 in New York: the one of 20:00 UTC, which is that very moment in summer and an hour
    before it in winter (a shortened session is taken at 20:00 too). Raises Unknown unless 90% are there, and the last 3.
    """
    read = [(subject, source) for subject in charts(asset) for source in view.sources(CLOSE, subject)]
    return of_first(read, lambda chart: _sampled(view, asset, *chart, equity), f"nobody has given 4 h candles of {asset} yet")


def _sampled(view: View, asset: str, subject: str, source: str, equity: Window) -> Floats:
    view.newest(CLOSE, subject, source)
    samples = view.values_at(CLOSE, subject, source, equity.at - equity.at % DAY + BAR_OF_CLOSE_MS)
    there = np.isfinite(samples)
    if there.mean() < COVERAGE or not there[-LAST:].all():
        raise Unknown("coverage", f"{int(there.sum())} of {there.size} sessions have a 4 h close of {asset} at 20:00 UTC, and the last {LAST} must")
    return samples


def beta_of(moves: Floats, market: Floats, what: str) -> Beta:
    """Beta over the sessions that both have. Raises Unknown, naming `what`, where there is none."""
    both = np.isfinite(moves) & np.isfinite(market)
    try:
        return beta(moves[both], market[both])
    except ValueError as error:
        raise Unknown("flat", f"no beta of {what}: {error}") from None


class BookBeta(NamedTuple):
    """How far the equity of the book moves with the S&P 500, and the standard error of that; `sessions` is how many returns it stands on."""

    value: float
    error: float
    sessions: int


def book_beta(view: View) -> BookBeta:
    """Sum of (USD delta x beta) over equity, with the layers in force, over 60 sessions.

    Reckoned as one regression, of the book's own return (each asset's return by its share of equity) on the index: its slope is that very sum
    wherever all assets have all sessions, and its standard error counts how their errors go together. Sessions in which one asset has no price
    are left out for all. Stablecoins count as still. Raises Unknown without equity, or where an asset's closes are not known.
    """
    whole = book_exposure(view)
    now = scenario_now(view, whole.assets)
    equity_usd = worth_usd(positions_exposure(view), now)
    if equity_usd <= 0:
        raise Unknown("equity", "the book has no equity that a beta could be a share of")
    equity = best_bars(view, EQUITY, (INDEX,), SESSIONS + 1, SESSIONS + 1)
    market = np.diff(np.log(equity.value))
    with told():
        deltas = whole.deltas(now)
    returns = np.zeros(SESSIONS)
    for asset, coins in sorted(deltas.items()):
        if asset not in STABLES:
            returns = returns + float(coins) * float(now.price(asset)) / equity_usd * np.diff(np.log(_closes(view, asset, equity)))
    found = beta_of(returns, market, "the book")
    return BookBeta(found.value, found.error, int(np.isfinite(returns).sum()))


def _closes(view: View, asset: str, equity: Window) -> Floats:
    if asset == INDEX:
        return equity.value
    if asset in LISTED:
        return of_first(
            view.sources(EQUITY, asset),
            lambda source: view.values_at(EQUITY, asset, source, equity.at),
            f"nobody has given closes of {asset} yet",
        )
    return at_closes(view, asset, equity)
