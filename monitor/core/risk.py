"""The risk of the book: what it holds together with its layers, how it moves, and what of it a layer would protect.

Sizes are USD. The book is the declared positions; layers count while they are active or closing, so that one exposure is never hedged twice.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import fsum

from monitor.core.book import Position
from monitor.core.exposure import Coins, Exposure, Scenario, Together
from monitor.core.implied import scenario_now
from monitor.core.ledger import Layer
from monitor.core.tokens import STABLES
from monitor.core.valuation import value_position
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.volatility import HORIZON_DAYS, shocked, with_market

IN_FORCE = frozenset({"active", "closing"})
SHOCK_SIGMAS = 1.5
GAMMA_MOVE = 0.01


def positions_exposure(view: View) -> Together:
    """All positions as one, layers left out. Raises Unknown, naming the position, where one cannot be valued."""
    return view.once(("positions exposure",), lambda: Together(tuple(position_exposure(view, one) for one in view.settings.positions)))


def position_exposure(view: View, position: Position) -> Exposure:
    """One position as a function of prices. Raises Unknown, naming it, where it cannot be valued."""
    try:
        return value_position(view, position).exposure
    except Unknown as why:
        raise Unknown(why.code, f"{position.id}: {why.reason}") from None


def layers_in_force(view: View) -> tuple[Layer, ...]:
    """Layers that are active or closing."""
    return tuple(layer for layer in view.ledger if layer.state in IN_FORCE)


def layer_exposure(view: View, layer: Layer) -> Exposure:
    """One layer as a function of prices, worth nothing at the price at which it was quoted. A top-up moves no delta: it is no exposure.

    A layer from before quotes were kept has no price: today's stands in for it. Raises Unknown for an instrument that is not known.
    """
    asked = layer.proposal
    if asked.instrument == "top_up":
        return Coins({})
    if asked.instrument != "short_perp":
        raise Unknown("instrument", f"layer {layer.id} is a {asked.instrument}, whose exposure is not known")
    price = asked.price_usd or view.price_usd(asked.asset)
    return Coins({asked.asset: -asked.notional_usd / price}, asked.notional_usd)


def book_exposure(view: View) -> Together:
    """All positions and all layers in force. Raises Unknown as their parts do."""
    layers = tuple(layer_exposure(view, layer) for layer in layers_in_force(view))
    return Together((positions_exposure(view), *layers))


@contextmanager
def told() -> Iterator[None]:
    """Within it, what a scenario out of a view has no number of is Unknown, as everything that a view could not tell."""
    try:
        yield
    except ValueError as why:
        raise Unknown("scenario", str(why)) from None


def worth_usd(exposure: Exposure, scenario: Scenario) -> float:
    """What an exposure is worth in one state. Raises Unknown where the scenario lacks what that takes, such as an option's volatility."""
    with told():
        return float(exposure.value_usd(scenario))


@dataclass(frozen=True, slots=True)
class Moves:
    """What the book without layers loses (negative: gains) in a fall and in a rise of 1.5 sigma_H, in USD."""

    fall_usd: float
    rise_usd: float

    @property
    def sign(self) -> int:
        """-1 where the fall costs more, else +1. At a tie, such as an empty book, -1: a fall is what liquidity leaves in."""
        return -1 if self.fall_usd >= self.rise_usd else 1

    @property
    def loss_usd(self) -> float:
        """The larger loss; negative where the book gains both ways: then the adverse side is the one where it gains less."""
        return max(self.fall_usd, self.rise_usd)


def moves(view: View, days: float = HORIZON_DAYS) -> Moves:
    """The losses of the book without layers in both 1.5 sigma moves over `days`. Raises Unknown as prices and volatilities do."""
    whole = positions_exposure(view)
    now = scenario_now(view, whole.assets)
    held = worth_usd(whole, now)
    fall, rise = (held - worth_usd(whole, now.moved(shocked(view, whole.assets, sign * SHOCK_SIGMAS, days))) for sign in (-1, 1))
    return Moves(fall, rise)


def adverse(view: View) -> int:
    """-1 or +1: the direction of the 1.5 sigma move in which the book without layers loses more, or gains less. Ties are a fall."""
    return view.once(("adverse",), lambda: moves(view)).sign


def adverse_scenario(view: View, assets: Iterable[str], sigmas: float = SHOCK_SIGMAS, days: float = HORIZON_DAYS) -> Scenario:
    """Today's scenario moved by so many sigmas in the adverse direction. Raises Unknown as its parts do."""
    named = sorted(set(assets))
    return scenario_now(view, named).moved(shocked(view, named, adverse(view) * sigmas, days))


def stressed_deltas_usd(view: View, exposure: Exposure, days: float = HORIZON_DAYS) -> Mapping[str, float]:
    """USD delta by asset, stablecoins left out, at the adverse 1.5 sigma price: coins held there, at the prices of there."""
    there = adverse_scenario(view, exposure.assets, days=days)
    with told():
        deltas = exposure.deltas(there)
    return {asset: float(coins) * float(there.price(asset)) for asset, coins in sorted(deltas.items()) if asset not in STABLES}


def stressed_exposure_usd(view: View, position: Position | None = None, days: float = HORIZON_DAYS) -> float:
    """USD delta at the adverse 1.5 sigma price, of one position or of all of them, layers left out.

    Positive where it loses in the adverse direction (a long in a fall, a short in a rise), negative where it gains there: a hedge already, as a
    long of the VIX is in a fall.
    Raises Unknown as prices, volatilities and positions do.
    """
    exposure = positions_exposure(view) if position is None else position_exposure(view, position)
    return -adverse(view) * fsum(with_market(asset) * usd for asset, usd in stressed_deltas_usd(view, exposure, days).items())


@dataclass(frozen=True, slots=True)
class Greeks:
    """USD by asset: `delta_usd` is what the coins held are worth; `gamma_usd` what is gained of these coins in a rise of 1%, at today's price
    (gamma x price squared x 0.01); `vega_usd` the change of value by one volatility point more.
    """

    delta_usd: float
    gamma_usd: float
    vega_usd: float


def net_greeks(exposure: Exposure, scenario: Scenario) -> Mapping[str, Greeks]:
    """By asset. Each is a sum over the parts: the greeks of a book are those of its positions and layers together.

    Raises Unknown where the scenario lacks what they take, such as an option's volatility.
    """
    with told():
        deltas, gammas, vegas = exposure.deltas(scenario), exposure.gammas(scenario), exposure.vegas(scenario)
    found: dict[str, Greeks] = {}
    for asset in sorted(exposure.assets):
        price = float(scenario.price(asset))
        delta, gamma, vega = (float(table.get(asset, 0.0)) for table in (deltas, gammas, vegas))
        found[asset] = Greeks(delta * price, gamma * price**2 * GAMMA_MOVE, vega)
    return found


def book_greeks(view: View) -> Mapping[str, Greeks]:
    """Of all positions and layers in force, now. Raises Unknown as `book_exposure` does."""
    whole = book_exposure(view)
    return net_greeks(whole, scenario_now(view, whole.assets))


def protected_usd(view: View) -> float:
    """Notional of the layers in force, as they were asked for."""
    return fsum(layer.proposal.notional_usd for layer in layers_in_force(view))


def hedge_ratio(view: View) -> float:
    """Protected notional over stressed exposure: where that is of a rise, a short perpetual protects nothing, it loses there as well.

    Raises Unknown where there is nothing to protect, or where the exposure is not known.
    """
    stressed = stressed_exposure_usd(view)
    if stressed <= 0:
        raise Unknown("nothing", "the book has no exposure that loses in the adverse direction: there is nothing to protect")
    if adverse(view) == -1:
        return protected_usd(view) / stressed
    return fsum(one.proposal.notional_usd for one in layers_in_force(view) if one.proposal.instrument != "short_perp") / stressed
