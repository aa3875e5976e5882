"""Not everything on one day: a cap on the capital of new layers between two midnights UTC."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from monitor.core.capital import defined_risk_capital_usd
from monitor.core.ledger import LIVE
from monitor.core.rule import Gate, Outcome, Ruling, blocks, passes
from monitor.core.units import DAY, Fraction
from monitor.core.verdict import State, Verdict
from monitor.core.view import View

if TYPE_CHECKING:
    from monitor.core.proposal import Proposal

COUNTED = LIVE | {"closed"}


@dataclass(frozen=True, kw_only=True)
class SessionCap(Gate):
    """ALVH: new layers of one UTC day tie up at most 25% of the defined-risk capital, and no tier more than half of that.

    *(reading)* Half of the day's allowance, not of what was added so far, else a day could have no first layer. A layer counts on the day
    it was proposed, unless it was rejected, retracted or has expired unused. The wider cap of a calm regime needs the regime, which is
    not measured yet: it is never used.
    """

    title: ClassVar[str] = "At most 25% of the defined-risk capital in new layers a day"
    rank: ClassVar[int] = 30

    share: Fraction = 0.25
    tier_share: Fraction = 0.50

    def __post_init__(self) -> None:
        if not (0 < self.share <= 1 and 0 < self.tier_share <= 1):
            raise ValueError("share and tier_share must lie between 0 and 100%: write share: 25% and tier_share: 50%, say")

    def judge(self, view: View, proposal: "Proposal") -> Ruling:
        """Raises Unknown when the book's capital is not known."""
        if proposal.capital_usd <= 0:
            return passes("it ties up no capital")
        allowed = defined_risk_capital_usd(view) * self.share
        used, used_by_tier = _added_today(view, proposal)
        room = min(allowed - used, allowed * self.tier_share - used_by_tier)
        said = (
            f"{used:,.0f} USD of today's {allowed:,.0f} are in new layers, "
            f"{used_by_tier:,.0f} of {allowed * self.tier_share:,.0f} in tier {proposal.tier} "
            "(regime not measured: the cap of a calm one is not used)"
        )
        if proposal.capital_usd <= room:
            return passes(said)
        view.wake(view.now - view.now % DAY + DAY)
        if room <= 0:
            return blocks(f"no room until midnight UTC: {said}")
        limit_usd = room * proposal.notional_usd / proposal.capital_usd
        return Ruling(Outcome.CUT, Verdict(State.FIRED, f"cut to the {room:,.0f} USD of capital that are left: {said}"), limit_usd)


def _added_today(view: View, proposal: "Proposal") -> tuple[float, float]:
    """Capital in USD of today's layers: all of them, and those of the proposal's tier."""
    others = [layer for layer in view.ledger if layer.state in COUNTED and layer.id != proposal.id]
    today = [layer for layer in others if layer.proposed_at // DAY == view.now // DAY]
    in_tier = (layer.proposal.capital_usd for layer in today if layer.proposal.tier == proposal.tier)
    return sum(layer.proposal.capital_usd for layer in today), sum(in_tier)
