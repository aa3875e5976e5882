"""The ledger: layers as the fold of their events. A state is only ever entered from the states that lead to it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from monitor.core.effects import LayerMoved
from monitor.core.proposal import GateResult, Proposal

LEADS_FROM: Mapping[str, frozenset[str | None]] = {
    "proposed": frozenset({None, "proposed"}),
    "approved": frozenset({"proposed"}),
    "active": frozenset({"approved"}),
    "closing": frozenset({"active"}),
    "closed": frozenset({"active", "closing"}),
    "rejected": frozenset({"proposed", "approved"}),
    "expired": frozenset({"proposed", "approved"}),
    "retracted": frozenset({"proposed", "approved"}),
}
LIVE = frozenset({"proposed", "approved", "active", "closing"})


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer as its events have left it. Times are epoch milliseconds."""

    id: str
    state: str
    proposal: Proposal
    gates: tuple[GateResult, ...]
    proposed_at: int
    moved_at: int
    valid_until: int | None
    reason: str
    by: str = ""

    @property
    def live(self) -> bool:
        return self.state in LIVE


class Ledger:
    """Layers by id."""

    def __init__(self) -> None:
        self._layers: dict[str, Layer] = {}

    def __iter__(self) -> Iterator[Layer]:
        return iter(self._layers.values())

    def get(self, layer_id: str) -> Layer | None:
        return self._layers.get(layer_id)

    def held(self, layer_id: str) -> Layer:
        """A layer that is known to be there. Raises KeyError otherwise."""
        return self._layers[layer_id]

    def refusal(self, layer_id: str, state: str) -> str | None:
        """Why a layer cannot enter a state; None when it can."""
        layer = self._layers.get(layer_id)
        if state not in LEADS_FROM:
            return f"there is no state {state!r}"
        current = layer.state if layer else None
        if current in LEADS_FROM[state]:
            return None
        return f"{layer_id} is {current}, it cannot become {state}" if layer else f"there is no layer {layer_id}"

    def fold(self, moved: LayerMoved) -> None:
        """Apply one event. Raises ValueError for a transition that does not exist: the log was damaged or written by something else."""
        if (why := self.refusal(moved.id, moved.state)) is not None:
            raise ValueError(why)
        known = self._layers.get(moved.id)
        if known is None:
            if moved.proposal is None:
                raise ValueError(f"{moved.id} is proposed without a proposal")
            known = Layer(moved.id, moved.state, moved.proposal, moved.gates, moved.at, moved.at, moved.valid_until, moved.reason)
        self._layers[moved.id] = replace(
            known,
            state=moved.state,
            proposal=moved.proposal or known.proposal,
            gates=moved.gates or known.gates,
            moved_at=moved.at,
            valid_until=moved.valid_until or known.valid_until,
            reason=moved.reason,
            by=moved.by or known.by,
        )

    def of_episode(self, rule: str, subject: str, since: int) -> tuple[Layer, ...]:
        """Layers that one episode of one rule has proposed, in any state."""
        return tuple(
            layer
            for layer in self._layers.values()
            if (layer.proposal.rule, layer.proposal.subject, layer.proposal.episode_since) == (rule, subject, since)
        )
