"""No layer on numbers that are old, or that sources dispute."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from monitor.core.rule import Gate, Ruling, blocks, passes
from monitor.core.scope import assets_held
from monitor.core.units import Fraction
from monitor.core.verdict import Unknown
from monitor.core.view import PRICES, View

if TYPE_CHECKING:
    from monitor.core.proposal import Proposal

TVL = "tvl.usd"
MACRO = "macro."


@dataclass(frozen=True, kw_only=True)
class DataQuality(Gate):
    """ALVH: the inputs of that rule are fresh and uncontested, and the position's assets have a price.

    Contested: sources differ by more than their tolerance and no majority agrees; of three, two that agree are enough. Macro prints are
    as old as their own rule lets them be. Stale or missing: UNKNOWN. Disputed: FIRED.
    """

    title: ClassVar[str] = "The numbers behind a proposal are fresh and undisputed"
    rank: ClassVar[int] = 10

    price_tolerance: Fraction = 0.01
    tvl_tolerance: Fraction = 0.05

    def __post_init__(self) -> None:
        if not (0 < self.price_tolerance < 1 and 0 < self.tvl_tolerance < 1):
            raise ValueError("tolerances must lie between 0 and 100%: write price_tolerance: 1% and tvl_tolerance: 5%, say")

    def judge(self, view: View, proposal: "Proposal") -> Ruling:
        """Raises Unknown when something the proposal stands on is missing or stale."""
        stands_on = {(e.metric, e.subject, e.source) for e in proposal.evidence if not e.metric.startswith(MACRO)}
        for metric, subject, source in sorted(stands_on):
            view.newest(metric, subject, source)
        for what, tolerance, values in self._compared(view, proposal):
            if not _agree(list(values.values()), tolerance):
                said = ", ".join(f"{source} {value:,.6g}" for source, value in sorted(values.items()))
                return blocks(f"contested: the sources of {what} differ by more than {tolerance:.0%} and no majority agrees ({said})")
        return passes("its inputs are fresh and undisputed")

    def _compared(self, view: View, proposal: "Proposal") -> Iterator[tuple[str, float, Mapping[str, float]]]:
        for subject in sorted({e.subject for e in proposal.evidence if e.metric == TVL}):
            yield f"the TVL of {subject}", self.tvl_tolerance, _fresh(view, TVL, subject)
        evident = {e.subject for e in proposal.evidence if e.metric in PRICES}
        for asset in sorted(evident | _assets(view, proposal)):
            prices = {source: price for (_, source), price in view.prices_usd(asset).items()}
            if not prices:
                raise Unknown("price", f"no fresh price of {asset}")
            yield f"the price of {asset}", self.price_tolerance, prices


def _assets(view: View, proposal: "Proposal") -> set[str]:
    """What the position is made of, and what the layer would short; the stablecoin of a top-up asks for no price."""
    held = {asset for p in view.settings.positions if p.id == proposal.position for asset in assets_held(p, view.market)}
    return held | ({proposal.asset} if proposal.instrument == "short_perp" else set())


def _fresh(view: View, metric: str, subject: str) -> Mapping[str, float]:
    values: dict[str, float] = {}
    for source in view.sources(metric, subject):
        try:
            values[source] = float(view.newest(metric, subject, source).value)
        except Unknown:
            continue
    return values


def _agree(values: list[float], tolerance: float) -> bool:
    """Whether more than half of the values lie within the tolerance of each other, measured against the smaller."""
    ordered = sorted(values)
    needed = len(ordered) // 2 + 1
    return any(high - low <= tolerance * low for low, high in zip(ordered, ordered[needed - 1 :], strict=False))
