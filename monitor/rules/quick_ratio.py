"""A treasury can no longer pay what it owes out of what it can sell at once, or is fast on the way there."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.core.rule import Class, Configured, Group, Input, Intent, Rule, Scope
from monitor.core.tokens import MAJORS, STABLES
from monitor.core.units import DAY, Duration, Fraction, Number, iso
from monitor.core.verdict import Condition, State, Unknown, Verdict, any_of, at_most, attempt, less_than
from monitor.core.view import FRESH_CADENCES, View, Window
from monitor.core.windows import held_at, of_first

LIABILITIES, RECEIVABLES, PRICE = "treasury.liabilities_usd", "treasury.receivables_usd", "price.usd"
PARTS = {"stables": "treasury.stables_usd", "majors": "treasury.majors_usd"}
LIQUID = {asset: f"treasury.tokens.{asset}" for asset in sorted(STABLES | MAJORS)}
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
        return (PARTS if self.in_usd else LIQUID)[name]


class Sheet(NamedTuple):
    """The four sums of the ratio at one instant, in USD."""

    stables: float
    majors: float
    receivables: float
    liabilities: float

    @property
    def ratio(self) -> float:
        """Liabilities must not be 0."""
        return (self.stables + self.majors + self.receivables) / self.liabilities


@dataclass(frozen=True, kw_only=True)
class QuickRatio(Rule):
    """ALVH: a falling quick ratio. (Stables + liquid majors + receivables) / current liabilities, below `threshold`, or down by `fall` against
    its value `fall_over` ago; the numbers are ours.

    Where wallets are read, amounts count at prices that may decide, stablecoins included; 30 days ago at the mean of the day before then
    (reading). Otherwise the USD sums of a provider count, at its prices. The protocol's own tokens never do. Receivables that nobody ever
    declared are none. Who owes nothing has no creditor to fail: QUIET, without a number.
    """

    title: ClassVar[str] = "A treasury's quick ratio is below 1, or down 15% in 30 days"
    scope: ClassVar[Scope] = Scope.TVL
    groups: ClassVar[tuple[Group, ...]] = (Group.FUNDAMENTAL,)
    kind: ClassVar[Class] = Class.EVIDENCE

    threshold: Number = 1.0
    fall: Fraction = 0.15
    fall_over: Duration = 30 * DAY
    exit: Number = 1.1
    exit_fall: Fraction = 0.075

    def __post_init__(self) -> None:
        if not 0 < self.threshold < self.exit:
            raise ValueError("threshold must lie between 0 and exit: write threshold: 1 and exit: 1.1, say")
        if not 0 < self.exit_fall < self.fall < 1:
            raise ValueError("exit_fall must lie between 0 and fall, and fall below 100%: write fall: 15% and exit_fall: 7.5%, say")
        if self.fall_over < DAY:
            raise ValueError("fall_over must be a day or more: write fall_over: 30d, say")

    def concerns(self, subject: str) -> bool:
        """A chain has no treasury, and a deployment has that of its protocol."""
        return subject.startswith("protocol:") and "@" not in subject

    def inputs(self, subject: str) -> tuple[Input, ...]:
        """Token amounts come in the pass that brings the liabilities."""
        return tuple(Input(metric, subject) for metric in (LIABILITIES, *PARTS.values(), RECEIVABLES))

    def configured(self, subject: str, has: Configured) -> bool:
        """What is owed, and either the wallets or a provider's sums; receivables are not needed."""
        holds = any(has(Input(metric, subject)) for metric in LIQUID.values()) or all(has(Input(metric, subject)) for metric in PARTS.values())
        return holds and has(Input(LIABILITIES, subject))

    def judge(self, view: View, subject: str) -> Verdict:
        held = self._held(view, subject)
        sheet = self._sheet_now(view, subject, held)
        parts = [_part(name, usd) for name, usd in sheet._asdict().items()]
        if sheet.liabilities == 0:
            return Verdict(State.QUIET, f"{subject} owes nothing within a year: there is no creditor", "no-creditor", conditions=tuple(parts))
        level = less_than("quick ratio", _rounded(sheet.ratio), self.threshold, unit="ratio", reason=_told(subject, sheet, held.source))
        falling = attempt("fall", lambda: self._falling(view, subject, held, sheet))
        said = "; ".join(leg.reason for leg in (level, falling) if leg.state is not State.UNKNOWN)
        return any_of([level, falling, *parts], {State.FIRED: f"{said}; withdraw first", State.QUIET: said})

    def over(self, view: View, subject: str, since: int) -> bool:
        """The ratio is above its exit and has not fallen far; or nothing is owed any more."""
        held = self._held(view, subject)
        sheet = self._sheet_now(view, subject, held)
        if sheet.liabilities == 0:
            return True
        return _rounded(sheet.ratio) > self.exit and self._change(view, subject, held, sheet) > -self.exit_fall

    def intent(self, verdict: Verdict) -> Intent:
        """Withdrawing comes before any layer, and the reason says so: it is not an action of ours."""
        return Intent(tier="intermediate", actions=("short_perp", "top_up"))

    def _falling(self, view: View, subject: str, held: Held, sheet: Sheet) -> Condition:
        change = self._change(view, subject, held, sheet)
        return at_most("fall", change, -self.fall, unit="fraction", reason=f"{change:+.1%} in {self.fall_over // DAY} days")

    def _change(self, view: View, subject: str, held: Held, sheet: Sheet) -> float:
        """Of the ratio against its value `fall_over` before the newest, as a fraction."""
        start = int(held.at[-1]) - self.fall_over
        place = int(np.searchsorted(held.at, start, side="right")) - 1
        if place < 0 or start - int(held.at[place]) > FRESH_CADENCES * held.cadence_ms:
            raise Unknown("short", f"{held.source} has no treasury of {subject} of {self.fall_over // DAY} days before its newest")
        then = int(held.at[place])
        for name in held.amounts(place):
            view.note(held.metric(name), subject, held.source, then)
        receivables, liabilities = (self._declared(view, metric, subject, then) for metric in (RECEIVABLES, LIABILITIES))
        worth = _worth(held, place, lambda asset: _price_at(view, asset, then))
        before = Sheet(worth["stables"], worth["majors"], receivables, liabilities)
        if liabilities == 0 or before.ratio == 0:
            raise Unknown("short", f"{self.fall_over // DAY} days ago there was no ratio above 0 to fall from")
        return _rounded(sheet.ratio / before.ratio - 1)

    def _sheet_now(self, view: View, subject: str, held: Held) -> Sheet:
        worth = _worth(held, -1, view.price_usd)
        receivables, liabilities = (self._declared(view, metric, subject, None) for metric in (RECEIVABLES, LIABILITIES))
        return Sheet(worth["stables"], worth["majors"], receivables, liabilities)

    def _declared(self, view: View, metric: str, subject: str, then: int | None) -> float:
        sources = view.sources(metric, subject)
        if metric == RECEIVABLES and not sources:
            return 0.0
        return of_first(sources, lambda source: self._declared_by(view, metric, subject, source, then), f"nobody says what {subject} owes")

    def _declared_by(self, view: View, metric: str, subject: str, source: str, then: int | None) -> float:
        window = view.window(metric, subject, source, self.fall_over + DECLARED_MS, covered=False)
        if then is None:
            return float(window.value[-1])
        value = float(held_at(window, np.array([then]), FRESH_CADENCES * window.cadence_ms)[0])
        if np.isnan(value):
            raise Unknown("short", f"{metric} of {subject} is not known of {iso(then)[:10]}")
        return value

    def _held(self, view: View, subject: str) -> Held:
        """Of wallets where any are read, else of a provider's sums."""
        blind: list[Unknown] = []
        for source in sorted({source for metric in LIQUID.values() for source in view.sources(metric, subject)}):
            try:
                held = self._wallets(view, subject, source)
            except Unknown as why:
                blind.append(why)
                continue
            if held is not None:
                return held
        if blind:
            raise blind[0]
        return of_first(
            view.sources(PARTS["stables"], subject), lambda source: self._sums(view, subject, source), f"nobody says what {subject} holds"
        )

    def _wallets(self, view: View, subject: str, source: str) -> Held | None:
        """What one source read; None where it has read nothing since `fall_over` ago: these wallets are no longer set up.

        Amounts that are fed by hand need not come at one instant: each counts until it is too old. A token that was taken out of the
        configuration goes stale alone, and is no longer held from then on.
        """
        windows: list[Window] = []
        reasons: list[Unknown] = []
        for metric in LIQUID.values():
            if source in view.sources(metric, subject):
                try:
                    windows.append(view.window(metric, subject, source, self.fall_over + LAG_MS, covered=False))
                except Unknown as why:
                    reasons.append(why)
        if not windows:
            if all(why.code == "missing" for why in reasons):
                return None
            raise next(why for why in reasons if why.code != "missing")
        at = np.unique(np.concatenate([window.at for window in windows]))
        cadence_ms = max(window.cadence_ms for window in windows)
        columns = {asset: _until_old(at, view.values_at(metric, subject, source, at), cadence_ms) for asset, metric in LIQUID.items()}
        return Held(source, at, cadence_ms, columns, in_usd=False)

    def _sums(self, view: View, subject: str, source: str) -> Held:
        windows = {name: view.window(metric, subject, source, self.fall_over + LAG_MS, covered=False) for name, metric in PARTS.items()}
        at = np.intersect1d(windows["stables"].at, windows["majors"].at)
        if not len(at):
            raise Unknown("missing", f"{source} gives stables and majors of {subject} at no one time")
        columns = {name: held_at(window, at, 0) for name, window in windows.items()}
        return Held(source, at, windows["stables"].cadence_ms, columns, in_usd=True)


def _until_old(at: npt.NDArray[np.int64], values: npt.NDArray[np.float64], cadence_ms: int) -> npt.NDArray[np.float64]:
    """Each value also at the instants after it, until it is stale: a token that one pass does not name is not a token of which there is none."""
    place = np.maximum.accumulate(np.where(np.isnan(values), 0, np.arange(len(values))))
    return np.where(at - at[place] <= FRESH_CADENCES * cadence_ms, values[place], np.nan)


def _worth(held: Held, place: int, price: Callable[[str], float]) -> dict[str, float]:
    """Stables and majors in USD at one of the instants. A price is asked of what is held, and of nothing else."""
    worth = dict.fromkeys(PARTS, 0.0)
    if held.in_usd:
        return worth | held.amounts(place)
    for asset, amount in held.amounts(place).items():
        worth["stables" if asset in STABLES else "majors"] += amount * price(REDEEMED_FOR.get(asset, asset))
    return worth


def _price_at(view: View, asset: str, then: int) -> float:
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


def _part(name: str, usd: float) -> Condition:
    return Condition(name, State.QUIET, f"{name} {usd:,.0f} USD", usd, unit="USD")


def _told(subject: str, sheet: Sheet, source: str) -> str:
    quick = f"{sheet.stables:,.0f} stables + {sheet.majors:,.0f} majors + {sheet.receivables:,.0f} receivables"
    return f"quick ratio of {subject} is {sheet.ratio:.2f}: ({quick}) / {sheet.liabilities:,.0f} USD owed, by {source}"


def _rounded(value: float) -> float:
    """To 12 decimals: 85 / 100 - 1 is a binary hair off -15%."""
    return round(value, 12)
