"""Whether a fall of TVL may be believed, and what it is made of: prices, outflow, or neither."""

from monitor.core.tvl import explains_half
from monitor.core.tvl_parts import Fall, Parts, apart_since, own_change
from monitor.core.tvl_series import STEP, has_stood, standing
from monitor.core.units import HOUR, MINUTE
from monitor.core.verdict import Condition, State, Unknown
from monitor.core.view import View, Window

SLOW_CADENCE_MS = HOUR
AGREES_WITHIN = 0.03
ASK_AGAIN_MS = 10 * MINUTE


def must_be_flow(view: View, subject: str, fall: Fall, threshold: float) -> None:
    """Raise Unknown (composition) for a fall that comes back in the parts that are counted apart: reclassified or lent out, but not gone.

    It is one if TVL together with what those parts have grown is less than the threshold (a fraction) below where it was.
    """
    apart = apart_since(view, subject, fall)
    together = round((fall.after.usd + sum(apart.values())) / fall.before.usd - 1, 12)
    if apart and together > -threshold:
        grown = ", ".join(f"{part} by {usd:,.0f} USD" for part, usd in apart.items())
        raise Unknown("composition", f"TVL of {subject} is {fall.change:+.1%}, but with what is counted apart {together:+.1%}: {grown}")


def must_be_confirmed(view: View, subject: str, points: Window, fall: Fall, threshold: float, parts: Parts | None) -> None:
    """Raise Unknown (unconfirmed) for a fall that nothing vouches for (yet).

    ALVH: the price effect by two price sources explains half of it, or our on-chain sum agrees within 3 points, or it has stood: a fall that goes
    on from one sample to the next stands. A series that comes hourly or slower is taken as it is, but for a zero or a step over 50%.
    """
    explained = parts is None or (parts.split is not None and explains_half(parts.split.change_usd, fall.usd))
    if parts is not None and parts.is_most and not explained:
        raise Unknown("unconfirmed", f"{_fell(fall)}; less than half of it is {_told(parts)}: the rest can be minted at will")
    if parts is not None and explains_half(parts.vouched_usd, fall.usd):
        return
    own = own_change(view, subject, fall)
    if own is not None and round(abs(own - fall.change), 12) <= AGREES_WITHIN:
        return
    stood = standing(points, fall.before.usd * (1 - threshold))
    if has_stood(points.at[-stood:]) or (points.cadence_ms >= SLOW_CADENCE_MS and explained and not _is_steep(points, stood)):
        return
    view.wake(view.now + ASK_AGAIN_MS)  # prices and our own sum come at times of their own
    raise Unknown("unconfirmed", f"{_fell(fall)} and has not stood there yet{f': {_told(parts)}' if parts is not None else ''}")


def conditions(parts: Parts | None) -> tuple[Condition, ...]:
    """The parts as legs that decide nothing alone: FIRED says that it is half of the fall or more."""
    if parts is None:
        return ()
    if parts.split is None:
        return (Condition("parts", State.UNKNOWN, parts.missing),)
    told = parts.split
    fall_usd = -(told.change_usd + told.unexplained_usd)
    named = {"price effect": told.price_usd, "outflow": told.outflow_usd, "unexplained": told.unexplained_usd}
    return tuple(_condition(name, usd, fall_usd) for name, usd in named.items())


def _condition(name: str, usd: float, fall_usd: float) -> Condition:
    state = State.FIRED if explains_half(usd, fall_usd) else State.QUIET
    return Condition(name, state, f"{name} {usd:+,.0f} USD", value=usd, unit="USD")


def _told(parts: Parts) -> str:
    unpriced = f"; no price source knows {', '.join(parts.unpriced)}" if parts.unpriced else ""
    return ", ".join(condition.reason for condition in conditions(parts)) + unpriced


def _fell(fall: Fall) -> str:
    return f"TVL fell from {fall.before.usd:,.0f} to {fall.after.usd:,.0f} USD"


def _is_steep(points: Window, stood: int) -> bool:
    """Whether the newest level was reached in one step of over 50%: a zero always is."""
    return stood < len(points) and float(points.value[-1]) < (1 - STEP) * float(points.value[-stood - 1])
