"""Money leaves coins for stablecoins: their share of all crypto is up by a point in a week."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from monitor.core.rule import Class, Group, Input, Rule, Scope
from monitor.core.units import DAY, HOUR, Duration, Fraction
from monitor.core.verdict import Unknown, Verdict, at_least, of_one
from monitor.core.view import View, must_be_covered
from monitor.core.windows import held_at, of_first

CAP, STABLECOINS = "market_cap.usd", "stablecoins"
# Both are read at midnight UTC: a value that old is still of that midnight.
ALIGNED_WITHIN_MS = 6 * HOUR
MOST_LAG_DAYS = 3


@dataclass(frozen=True, kw_only=True)
class CapRotation(Rule):
    """Reading of the method's market-cap vote: stablecoin market cap / crypto market cap, up `threshold` over `window`; our own numbers.

    Shares are taken at midnight UTC of days at which both caps are known. One source is never continued by another: they count differently.
    """

    title: ClassVar[str] = "Stablecoins' share of crypto market cap is up 1 point in 7 days"
    scope: ClassVar[Scope] = Scope.CRYPTO
    groups: ClassVar[tuple[Group, ...]] = (Group.FUNDAMENTAL,)
    kind: ClassVar[Class] = Class.EVIDENCE

    threshold: Fraction = 0.01
    window: Duration = 7 * DAY
    exit: Fraction = 0.005

    def __post_init__(self) -> None:
        if not 0 < self.exit < self.threshold < 1:
            raise ValueError("exit must lie between 0 and threshold, and threshold below 100%: write threshold: 1% and exit: 0.5%, say")
        if self.window < DAY or self.window % DAY:
            raise ValueError("window must be whole days: write window: 7d, say")

    def inputs(self, subject: str) -> tuple[Input, ...]:
        return (Input(CAP, STABLECOINS), Input(CAP, subject))

    def judge(self, view: View, subject: str) -> Verdict:
        share, rise = self._rise(view, subject)
        reason = f"stablecoins are {share:.1%} of all crypto, {100 * rise:+.2f} points in {self.window // DAY} days"
        return of_one(at_least("rise of the share", rise, self.threshold, unit="fraction", reason=reason))

    def over(self, view: View, subject: str, since: int) -> bool:
        return self._rise(view, subject)[1] < self.exit

    def _rise(self, view: View, subject: str) -> tuple[float, float]:
        """The newest share and its rise, as fractions."""
        cryptos = view.sources(CAP, subject)
        nobody = f"nobody has given the market cap of {subject} and of stablecoins yet"
        return of_first(
            view.sources(CAP, STABLECOINS),
            lambda stables: of_first(cryptos, lambda crypto: self._between(view, subject, stables, crypto), nobody),
            nobody,
        )

    def _between(self, view: View, subject: str, stables: str, crypto: str) -> tuple[float, float]:
        days, shares = self._shares(view, subject, stables, crypto)
        what = f"the share of stablecoins by {stables} and {crypto}"
        if not len(days) or days[-1] < view.now - MOST_LAG_DAYS * DAY:
            raise Unknown("stale", f"{what}: not known at midnight of any of the last {MOST_LAG_DAYS} days")
        base = int(days[-1]) - self.window
        if base not in days:
            raise Unknown("short", f"{what} is not known {self.window // DAY} days before its newest day")
        must_be_covered(days[days >= base], base, self.window, DAY, what)
        share = shares[days == base][0], shares[-1]
        return float(share[1]), round(float(share[1] - share[0]), 12)

    def _shares(self, view: View, subject: str, stables: str, crypto: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        first = (view.now - self.window) // DAY * DAY - MOST_LAG_DAYS * DAY
        days = np.arange(first, view.now + 1, DAY, dtype=np.int64)
        view.wake(int(days[-1]) + DAY)
        span_ms = view.now - first + ALIGNED_WITHIN_MS
        part = held_at(view.window(CAP, STABLECOINS, stables, span_ms, covered=False), days, ALIGNED_WITHIN_MS)
        whole = held_at(view.window(CAP, subject, crypto, span_ms, covered=False), days, ALIGNED_WITHIN_MS)
        known = np.isfinite(part) & (whole > 0)
        return days[known], part[known] / whole[known]
