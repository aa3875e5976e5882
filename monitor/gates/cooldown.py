"""One proposal per position, tier and episode."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from monitor.core.rule import Gate, Ruling, blocks, passes
from monitor.core.view import View

if TYPE_CHECKING:
    from monitor.core.proposal import Proposal


@dataclass(frozen=True, kw_only=True)
class Cooldown(Gate):
    """METHOD 4.3. A layer of the same episode blocks in any state: one that was rejected or has expired is not asked for twice.

    *(reading)* The fall of a chain's TVL and of a protocol's on it are one event for a position exposed to both, so a live layer that the
    same rule asked for about another subject blocks too.
    """

    title: ClassVar[str] = "One proposal per position, tier and episode"
    rank: ClassVar[int] = 40

    def judge(self, view: View, proposal: "Proposal") -> Ruling:
        for layer in view.ledger:
            asked = layer.proposal
            if (asked.rule, asked.position, asked.tier) != (proposal.rule, proposal.position, proposal.tier):
                continue
            if (asked.subject, asked.episode_since) == (proposal.subject, proposal.episode_since):
                return blocks(f"this episode has asked for this layer already: {layer.id} is {layer.state} ({layer.reason})")
            if layer.live and asked.subject != proposal.subject:
                return blocks(f"{asked.rule} has asked for this layer already, about {asked.subject}: {layer.id} is {layer.state}")
        return passes("this episode has not asked for this layer yet")
