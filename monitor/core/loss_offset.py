"""How much of an impermanent loss a layer makes good, and how many strangles an LP's gamma asks for (ALVH, objective `il`)."""

from collections.abc import Mapping
from typing import NamedTuple

from monitor.core.exposure import Exposure, Scenario
from monitor.core.verdict import Unknown

NO_LOSS = 1e-9


class Offset(NamedTuple):
    """One path, in USD: the impermanent loss there (negative), and what a layer brings that counts against it; `ratio` is the share made good.

    Negative where the layer only costs; None where there is no loss to make good.
    """

    loss_usd: float
    counted_usd: float
    ratio: float | None


def loss_offset(gain_usd: float, layer: Exposure, loss: Exposure, put_in: Mapping[str, float], now: Scenario, there: Scenario) -> Offset:
    """IL offset: what a layer gained net of its cost (`gain_usd`, from `now` to `there`), less what plain delta brought of that, over |IL| there.

    `loss` is the impermanent loss as a function of prices, `put_in` the deposited amounts in coins by asset. *(reading)* Impermanent loss is LP
    minus deposited amounts: so a layer's delta of today counts for nothing as far as it goes against these and is no larger, whether it gained
    by it or lost. What counts is its bend, and a delta beyond the deposit; a short perpetual within it offsets nothing and costs. A loss of under
    1e-9 of what was put in is none.
    """
    loss_usd = float(loss.value_usd(there))
    counted_usd = gain_usd - plain_delta_usd(layer, put_in, now, there)
    put_in_usd = sum(coins * float(there.price(asset)) for asset, coins in put_in.items())
    return Offset(loss_usd, counted_usd, counted_usd / -loss_usd if loss_usd < -NO_LOSS * put_in_usd else None)


def plain_delta_usd(layer: Exposure, put_in: Mapping[str, float], now: Scenario, there: Scenario) -> float:
    """What a layer makes merely by going against the deposited amounts: its delta of now against them, times the move of the price."""
    against = {asset: -min(max(-float(delta), 0.0), put_in.get(asset, 0.0)) for asset, delta in layer.deltas(now).items()}
    return sum(coins * (float(there.price(asset)) - float(now.price(asset))) for asset, coins in against.items())


def strangle_size(lp_gamma: float, strangle_gamma: float) -> float:
    """How many strangles bend as much upwards as the liquidity bends downwards; both gammas in coins per USD, the strangle's of one unit.

    0 where the liquidity does not bend downwards, as out of its range. Raises Unknown for a strangle that does not bend upwards.
    """
    if not strangle_gamma > 0:
        raise Unknown("gamma", "the strangle has no gamma that could stand against the liquidity's")
    return max(0.0, -lp_gamma) / strangle_gamma
