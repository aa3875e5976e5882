"""One proposal per position, tier and episode."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from monitor.core.rule import Gate, Ruling, blocks, passes
from monitor.core.view import View

if TYPE_CHECKING:
    from monitor.core.proposal import Proposal


@dataclass(frozen=True, kw_only=True)
class Cooldown(Gate):
    """METHOD 4.3. A layer of the same episode blocks in any state: one that was rejected or has expired is not asked for twice."""

    title: ClassVar[str] = "One proposal per position, tier and episode"
    rank: ClassVar[int] = 40

    def judge(self, view: View, proposal: "Proposal") -> Ruling:
        for layer in view.ledger.of_episode(proposal.rule, proposal.subject, proposal.episode_since):
            if (layer.proposal.position, layer.proposal.tier) == (proposal.position, proposal.tier):
                return blocks(f"this episode has asked for this layer already: {layer.id} is {layer.state} ({layer.reason})")
        return passes("this episode has not asked for this layer yet")
