"""The operator's word, an event like any other. What cannot be done is answered, never dropped.

The sender speaks in the same way, of channels that do not take what they are sent, the store, of a disk that is full, the door, of tokens
that changed under a position, and the clock, of itself.
"""

from monitor.core.effects import LayerMoved, Silenced
from monitor.core.events import Signal
from monitor.core.layers import tell_move
from monitor.core.mind import Mind

CLOCK_SET_BACK = "clock-set-back"
DECIMALS = "decimals"
CLOCK_WRONG, CLOCK_RIGHT = "clock-wrong", "clock-right"
STATE_OF = {"approve": "approved", "reject": "rejected", "activate": "active", "close": "closed"}
TOLD = {"approved": "layer.approved", "closed": "layer.closed"}
CLOCK = {CLOCK_SET_BACK: "warning", CLOCK_WRONG: "warning", CLOCK_RIGHT: "info"}
GIVEN_UP = {"delivery-failing": False, "delivery-given-up": True}


def obey(mind: Mind, signal: Signal) -> None:
    """Carry out one signal; a layer that cannot move is answered by an alert that says why."""
    if signal.action in STATE_OF:
        _move(mind, signal, STATE_OF[signal.action])
    elif signal.action == "silence" and signal.until is not None:
        mind.emit(Silenced(mind.now, signal.id, signal.target, signal.until, signal.actor, signal.note))
    elif signal.action == "reload-failed":
        summary = f"The configuration was not reloaded, the old one stays in force: {signal.note}"
        mind.alert("data.conflict", (signal.id,), "warning", summary, {"by": signal.actor})
    elif signal.action == "store-full":
        summary = f"The disk is full and the last reserve is in use: the next write that fails ends the daemon. {signal.note}"
        mind.alert("source.down", (signal.id,), "critical", summary, {"source": "store"})
    elif signal.action == DECIMALS:
        mind.alert("data.conflict", (signal.id,), "critical", f"{signal.target}: {signal.note}", {"by": signal.actor, "subject": signal.target})
    elif signal.action == "test":
        mind.alert("heartbeat", ("test", signal.id), "info", f"Test alert asked for by {signal.actor}", {"test": True})
    elif signal.action in CLOCK:
        severity = CLOCK[signal.action]
        mind.alert("data.conflict", (signal.id,), severity, f"Clock: {signal.note}", {"by": signal.actor, "resolved": severity == "info"})
    elif signal.action in GIVEN_UP:
        _tell_failing(mind, signal, GIVEN_UP[signal.action])


def _tell_failing(mind: Mind, signal: Signal, given_up: bool) -> None:
    """A lost alert pierces every silence; one that is still being tried may be silenced."""
    what = "was given up" if given_up else "does not arrive"
    data = {"channel": signal.target, "reason": signal.note, "given_up": given_up}
    severity = "critical" if given_up else "warning"
    mind.alert("delivery.failing", (signal.id,), severity, f"Channel {signal.target}: an alert {what}: {signal.note}", data)


def _move(mind: Mind, signal: Signal, state: str) -> None:
    refusal = mind.state.ledger.refusal(signal.target, state)
    layer = mind.state.ledger.get(signal.target)
    if refusal is not None or layer is None:
        summary = f"{signal.actor} asked to {signal.action} {signal.target}: {refusal}"
        mind.alert("layer.refused", (signal.id,), "info", summary, {"layer": {"id": signal.target}, "by": signal.actor})
        return
    moved = LayerMoved(mind.now, signal.target, state, signal.note or f"{signal.action} by {signal.actor}", by=signal.actor)
    mind.emit(moved)
    if state in TOLD:
        tell_move(mind, moved, TOLD[state], "info", f"{signal.target} for {layer.proposal.position} is {state}, by {signal.actor}")
