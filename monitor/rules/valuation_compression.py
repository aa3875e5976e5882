"""The market pays less for a protocol's fees than it used to: its price-to-fees is far below its own median."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from monitor.core.rule import Class, Group, Input, Rule, Scope
from monitor.core.units import DAY, Duration, Fraction
from monitor.core.verdict import Unknown, Verdict, less_than, of_one
from monitor.core.view import COVERAGE, View, must_be_covered
from monitor.core.windows import held_at, of_first

CAP, FEES = "market_cap.usd", "fees.daily_usd"
DAYS_A_YEAR = 365
# A finished day is published within three, and its market cap is the newest one of that day.
MOST_LAG_MS = 4 * DAY


@dataclass(frozen=True, kw_only=True)
class ValuationCompression(Rule):
    """Reading of the method's P/E vote: market cap / annualised fees below `threshold` of its own median over `median_over`; our own numbers.

    Annualised fees are their mean over `mean_over` times 365 (reading). The newest market cap stands over the newest finished days; the median
    is that of the ratio at the end of each day. A protocol that earned nothing has no such ratio: UNKNOWN.
    """

    title: ClassVar[str] = "Market cap over annualised fees is 15% below its 90-day median"
    scope: ClassVar[Scope] = Scope.TVL
    groups: ClassVar[tuple[Group, ...]] = (Group.FUNDAMENTAL,)
    kind: ClassVar[Class] = Class.EVIDENCE

    threshold: Fraction = 0.85
    exit: Fraction = 0.95
    mean_over: Duration = 30 * DAY
    median_over: Duration = 90 * DAY

    def __post_init__(self) -> None:
        if not 0 < self.threshold < self.exit:
            raise ValueError("threshold must lie between 0 and exit: write threshold: 85% and exit: 95%, say")
        if min(self.mean_over, self.median_over) < 7 * DAY or self.mean_over % DAY or self.median_over % DAY:
            raise ValueError("mean_over and median_over must be whole days, 7 or more: write mean_over: 30d, say")

    def concerns(self, subject: str) -> bool:
        """A chain has no token, and a deployment has that of its protocol."""
        return subject.startswith("protocol:") and "@" not in subject

    def inputs(self, subject: str) -> tuple[Input, ...]:
        return (Input(CAP, subject), Input(FEES, subject))

    def judge(self, view: View, subject: str) -> Verdict:
        ratio, usual = self._ratios(view, subject)
        reason = f"{subject} is worth {ratio:.1f} years of its fees, {ratio / usual:.0%} of its {self.median_over // DAY}-day median of {usual:.1f}"
        return of_one(less_than("ratio to its median", _rounded(ratio / usual), self.threshold, unit="fraction", reason=reason))

    def over(self, view: View, subject: str, since: int) -> bool:
        ratio, usual = self._ratios(view, subject)
        return _rounded(ratio / usual) > self.exit

    def _ratios(self, view: View, subject: str) -> tuple[float, float]:
        """Market cap in years of fees, now and as the median."""
        caps = view.sources(CAP, subject)
        return of_first(
            view.sources(FEES, subject),
            lambda fees: of_first(caps, lambda cap: self._of(view, subject, fees, cap), f"nobody has given the market cap of {subject} yet"),
            f"nobody has given the fees of {subject} yet",
        )

    def _of(self, view: View, subject: str, fees: str, cap: str) -> tuple[float, float]:
        days, yearly = self._yearly_fees(view, subject, fees)
        caps = view.window(CAP, subject, cap, self.median_over + MOST_LAG_MS, covered=False)
        if np.isnan(yearly[-1]):
            raise Unknown("coverage", f"{FEES} {subject} from {fees}: under {COVERAGE:.0%} of the last {self.mean_over // DAY} days")
        if yearly[-1] == 0:
            raise Unknown("no-fees", f"{subject} earned no fees in {self.mean_over // DAY} days: there is nothing to divide by")
        at_close = held_at(caps, days + DAY, DAY)
        known = np.isfinite(at_close) & (yearly > 0)
        what = f"market cap over fees of {subject} by {cap} and {fees}"
        must_be_covered(days[known], int(days[0]) - DAY, self.median_over, DAY, what)
        return float(caps.value[-1] / yearly[-1]), float(np.median(at_close[known] / yearly[known]))

    def _yearly_fees(self, view: View, subject: str, source: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """The days of the median, and the annualised fees of each; NaN where too few days of the mean are known."""
        mean_days, median_days = self.mean_over // DAY, self.median_over // DAY
        window = view.window(FEES, subject, source, self.mean_over + self.median_over + MOST_LAG_MS, covered=False)
        days = int(window.at[-1]) + DAY * np.arange(2 - mean_days - median_days, 1, dtype=np.int64)
        daily = held_at(window, days, 0)
        ones = np.ones(mean_days)
        count = np.convolve(np.isfinite(daily), ones, "valid")
        total = np.convolve(np.nan_to_num(daily), ones, "valid")
        enough = count >= COVERAGE * mean_days
        return days[mean_days - 1 :], np.where(enough, DAYS_A_YEAR * total / np.maximum(count, 1), np.nan)


def _rounded(value: float) -> float:
    """To 12 decimals: 85 / 100 must not lie a binary hair below 0.85."""
    return round(value, 12)
