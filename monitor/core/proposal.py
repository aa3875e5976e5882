"""A proposal: one layer, named with everything a person needs to say yes or no."""

from dataclasses import dataclass

from monitor.core.codec import digest
from monitor.core.verdict import Condition, Evidence


@dataclass(frozen=True, slots=True)
class Proposal:
    """One layer asked for by one episode of one rule, for one position.

    `notional_usd` is what it protects, `capital_usd` what it ties up, `cost_usd` what it is expected to cost over `horizon_ms`, with
    `cost_source` saying how that was reckoned. `price_usd` is the asset's price when it was quoted, 0 for a layer that holds no coins.
    `fixed_usd` is the part of the cost that does not shrink with the size. `basis` says what the size was made of, and `binding` names the cap
    that cut it, empty when none did.
    """

    rule: str
    subject: str
    position: str
    kind: str
    tier: str
    action: str
    instrument: str
    asset: str
    notional_usd: float
    capital_usd: float
    cost_usd: float
    cost_source: str
    horizon_ms: int
    position_value_usd: float
    episode_since: int
    price_usd: float = 0.0
    binding: str = ""
    basis: str = ""
    fixed_usd: float = 0.0
    conditions: tuple[Condition, ...] = ()
    evidence: tuple[Evidence, ...] = ()

    @property
    def id(self) -> str:
        """The same evidence gives the same id: rule, subject, position, tier and the beginning of the episode."""
        return "L-" + digest([self.rule, self.subject, self.position, self.tier, self.episode_since])[:12]


@dataclass(frozen=True, slots=True)
class GateResult:
    """What one gate said of one proposal."""

    gate: str
    outcome: str
    state: str
    reason: str
    factor: float = 1.0
    limit_usd: float | None = None


NOT_BUILT = (
    "consensus",
    "order-flow",
    "layer-budget",
    "hedge-budget",
    "credit-cover",
    "execution-cost",
    "irr-floor",
    "wacc",
)
