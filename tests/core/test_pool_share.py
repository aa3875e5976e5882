"""Shares of Curve's and Balancer's pools: valued from readings of one block at prices that may decide."""

from dataclasses import replace

import pytest

from monitor.core.book import Position
from monitor.core.exposure import Coins, Scenario
from monitor.core.observation import Observation
from monitor.core.pool_share import coin_names
from monitor.core.scope import tvl_subjects
from monitor.core.stableswap import StableSwap
from monitor.core.units import MINUTE
from monitor.core.valuation import value_position
from monitor.core.verdict import Unknown
from monitor.core.weighted import Weighted
from tests.builders import START, series, view_of

ADDRESS = "0x" + "AB" * 20
POOL = f"pool:ethereum/{ADDRESS.lower()}"
STABLE = Position(id="lp", kind="curve", chain="ethereum", pool=ADDRESS, account="0x" + "7" * 40)
NAMED = Position(id="lp", kind="balancer", chain="ethereum", pool=ADDRESS, account="0x" + "7" * 40, assets=("AAVE", "WETH"))
WHOLE = 10**18


def told(values: dict[str, float], at: int = START, source: str = "curve") -> list[Observation]:
    """Three readings of each, a minute apart; names without a family are the position's."""
    rows = []
    for name, value in values.items():
        metric, subject = (name, POOL) if name.startswith("pool.") else (f"position.{name}", "lp")
        rows += [Observation(metric, subject, source, time, time, value, f"0x{time}") for time in (at - 2 * MINUTE, at - MINUTE, at)]
    return rows


def priced(**prices: float) -> list[Observation]:
    return [o for asset, p in prices.items() for s in ("a", "b") for o in series("price.usd", asset, [p] * 3, step_ms=MINUTE, source=s)]


def stable(**changed: float | None) -> dict[str, float]:
    """1000 shares of a pool at its peg, at a virtual price of 1.05."""
    values = {"shares": 1000 * WHOLE, "amount.USDC": 525.0, "amount.USDT": 525.0, "pool.amplification": 200.0, "pool.virtual_price": 1.05}
    merged = values | {name.replace("__", "."): value for name, value in changed.items()}
    return {name: value for name, value in merged.items() if value is not None}


def weighted(**changed: float | None) -> dict[str, float]:
    values = {"shares": 5 * WHOLE, "amount.AAVE": 80.0, "amount.WETH": 1.0, "pool.weight.AAVE": 0.8, "pool.weight.WETH": 0.2}
    merged = values | {name.replace("__", "."): value for name, value in changed.items()}
    return {name: value for name, value in merged.items() if value is not None}


PRICES = {"USDC": 1.0, "USDT": 0.98}


def test_a_share_of_a_stable_pool_is_worth_what_leaving_would_bring():
    worth = value_position(view_of(*told(stable()), *priced(**PRICES)), STABLE)
    assert worth.amounts == {"USDC": 525.0, "USDT": 525.0}
    assert worth.value_usd == pytest.approx(525 + 525 * 0.98)
    assert worth.delta_usd == pytest.approx({"USDC": 525.0, "USDT": 514.5})
    assert (worth.exact, worth.block_hash) == ({"shares": 1000 * WHOLE}, f"0x{START}")


@pytest.mark.parametrize(
    ("changed", "assets", "words"),
    [
        ({"pool__virtual_price": 0.0}, (), "says that its shares are worth nothing"),
        ({"shares": 0}, (), "says that its shares are worth nothing"),
        ({"pool__amplification": 0.0, "amount__USDC": 518.0, "amount__USDT": 532.0}, (), "amplification or rate of 0"),
        ({"pool__virtual_price": 0.525}, ("USDC",), "two coins or more"),
    ],
)
def test_a_stable_pool_that_cannot_be_is_unknown_and_stops_nothing(changed: dict[str, float], assets: tuple[str, ...], words: str):
    view = view_of(*told(stable(**changed)), *priced(**PRICES))
    with pytest.raises(Unknown, match=words):
        value_position(view, replace(STABLE, assets=assets))


def test_its_exposure_fills_with_what_falls_and_is_worth_no_more_than_what_it_holds():
    exposure = value_position(view_of(*told(stable()), *priced(**PRICES)), STABLE).exposure
    assert isinstance(exposure, StableSwap)
    assert exposure.invariant == pytest.approx(1050.0)
    assert (exposure.coins, exposure.amplification, exposure.rates) == (("USDC", "USDT"), 200.0, (1.0, 1.0))
    deltas = exposure.deltas(Scenario({"USDC": 1.0, "USDT": 0.9}))
    assert deltas["USDT"] > 900 and deltas["USDC"] < 150
    assert exposure.value_usd(Scenario(PRICES)) < 525 + 525 * 0.98


def test_a_coin_at_a_rate_is_counted_by_it_and_one_that_follows_another_by_what_it_redeems_for():
    position = Position(id="lp", kind="curve", chain="ethereum", pool=ADDRESS, account=STABLE.account, assets=("WSTETH", "WETH"))
    values = {
        "shares": 1000 * WHOLE, "amount.WSTETH": 400.0, "amount.WETH": 500.0, "pool.amplification": 100.0, "pool.virtual_price": 1.0,
        "pool.rate.WSTETH": 1.25, "pool.rate.WETH": 1.0,
    }  # fmt: skip
    worth = value_position(view_of(*told(values), *priced(ETH=2000.0)), position)
    assert worth.amounts == {"ETH": pytest.approx(1000.0)}
    assert worth.value_usd == pytest.approx(2e6)
    assert worth.exposure.value_usd(Scenario({"ETH": 1000.0})) == pytest.approx(1e6)
    assert worth.exposure.gammas(Scenario({"ETH": 1000.0}))["ETH"] == pytest.approx(0, abs=1e-6)
    staked = Position(id="lp", kind="curve", chain="ethereum", pool=ADDRESS, account=STABLE.account, assets=("SUSDE", "USDC"))
    values = {name.replace("WSTETH", "SUSDE").replace("WETH", "USDC"): value for name, value in values.items()}
    worth = value_position(view_of(*told(values), *priced(SUSDE=1.25, USDC=1.0)), staked)
    assert worth.amounts == {"SUSDE": 400.0, "USDC": 500.0}
    assert worth.exposure.deltas(Scenario({"SUSDE": 1.25, "USDC": 1.0})) == pytest.approx({"SUSDE": 400.0, "USDC": 500.0})


@pytest.mark.parametrize("price", [1.05 * 1.0102, 1.05 / 1.0102])
def test_balances_that_do_not_make_the_virtual_price_are_counted_at_rates_that_are_not_told(price: float):
    with pytest.raises(Unknown, match="counts its coins at rates that it does not tell") as why:
        value_position(view_of(*told(stable(pool__virtual_price=price)), *priced(**PRICES)), STABLE)
    assert why.value.code == "rates"


@pytest.mark.parametrize("price", [1.05 * 1.0098, 1.05 / 1.0098])
def test_a_hair_off_the_virtual_price_is_rounding(price: float):
    assert value_position(view_of(*told(stable(pool__virtual_price=price)), *priced(**PRICES)), STABLE).value_usd == pytest.approx(1039.5)


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ({"pool__amplification": None}, "amplification of"),
        ({"pool__virtual_price": None}, "virtual price of"),
        ({"shares": None}, "was not read yet"),
    ],
)
def test_what_was_never_read_is_said_and_is_no_zero(missing: dict[str, None], said: str):
    with pytest.raises(Unknown, match=said):
        value_position(view_of(*told(stable(**missing)), *priced(**PRICES)), STABLE)


def test_parts_of_two_blocks_are_not_mixed():
    rows = [*told(stable(pool__amplification=None)), *told({"pool.amplification": 200.0}, START - MINUTE)]
    with pytest.raises(Unknown, match="more than one block"):
        value_position(view_of(*rows, *priced(**PRICES)), STABLE)
    rows = [*told(stable(pool__virtual_price=None)), *told({"pool.virtual_price": 1.05}, START - MINUTE)]
    with pytest.raises(Unknown, match="more than one block"):
        value_position(view_of(*rows, *priced(**PRICES)), STABLE)
    rows = [*told(weighted(pool__weight__WETH=None)), *told({"pool.weight.WETH": 0.2}, START - MINUTE)]
    with pytest.raises(Unknown, match="more than one block"):
        value_position(view_of(*rows, *priced(AAVE=100.0, ETH=2000.0)), NAMED)


def test_another_source_s_word_of_the_pool_is_not_taken():
    rows = [*told(stable(pool__amplification=None)), *told({"pool.amplification": 200.0}, source="import")]
    with pytest.raises(Unknown, match="amplification of"):
        value_position(view_of(*rows, *priced(**PRICES)), STABLE)


def test_stale_readings_and_missing_prices_make_no_value():
    with pytest.raises(Unknown, match="old"):
        value_position(view_of(*told(stable()), *priced(**PRICES), now=START + 4 * MINUTE), STABLE)
    with pytest.raises(Unknown, match="no fresh price of USDT"):
        value_position(view_of(*told(stable()), *priced(USDC=1.0)), STABLE)


@pytest.mark.parametrize("kind", ["curve", "balancer"])
def test_a_holder_without_shares_has_nothing_and_owes_nothing_F_056(kind):
    position = Position(id="lp", kind=kind, chain="ethereum", pool=ADDRESS, account=STABLE.account)
    rows = told({"shares": 0, "amount.USDC": 0.0, "amount.USDT": 0.0, "pool.amplification": 200.0})
    worth = value_position(view_of(*rows, *priced(**PRICES)), position)
    assert (worth.value_usd, worth.amounts) == (0.0, {"USDC": 0.0, "USDT": 0.0})
    assert isinstance(worth.exposure, Coins)


def test_dust_of_which_one_coin_was_rounded_away_is_held_as_it_is():
    rows = told(stable(shares=1, amount__USDC=0.0, amount__USDT=1e-6))
    worth = value_position(view_of(*rows, *priced(**PRICES)), STABLE)
    assert worth.exposure == Coins({"USDC": 0.0, "USDT": 1e-6})
    assert worth.value_usd == pytest.approx(0.98e-6)


def test_a_share_of_a_weighted_pool():
    worth = value_position(view_of(*told(weighted(), source="balancer"), *priced(AAVE=100.0, ETH=2000.0)), NAMED)
    assert worth.amounts == {"AAVE": 80.0, "ETH": 1.0}
    assert worth.value_usd == pytest.approx(10_000.0)
    assert (worth.exact, worth.block_hash, worth.risk_asset) == ({"shares": 5 * WHOLE}, f"0x{START}", "AAVE")
    assert isinstance(worth.exposure, Weighted)
    assert worth.exposure.weights == {"AAVE": 0.8, "ETH": 0.2}
    assert worth.exposure.value_usd(Scenario({"AAVE": 25.0, "ETH": 2000.0})) == pytest.approx(10_000 * 0.25**0.8)


def test_a_weighted_share_of_nothing_is_nothing_F_056():
    rows = told(weighted(shares=0, amount__AAVE=0.0, amount__WETH=0.0))
    worth = value_position(view_of(*rows, *priced(AAVE=100.0, ETH=2000.0)), NAMED)
    assert (worth.value_usd, worth.exposure) == (0.0, Coins({"AAVE": 0.0, "ETH": 0.0}))


@pytest.mark.parametrize("missing", [("pool__weight__AAVE",), ("pool__weight__AAVE", "pool__weight__WETH")])
def test_a_pool_of_another_kind_is_not_valued_by_guess(missing: tuple[str, ...]):
    rows = told(weighted(**dict.fromkeys(missing)))
    with pytest.raises(Unknown, match="neither weights nor the amplification"):
        value_position(view_of(*rows, *priced(AAVE=100.0, ETH=2000.0)), NAMED)


def test_a_stable_pool_of_balancer_is_valued_as_one():
    position = Position(id="lp", kind="balancer", chain="ethereum", pool=ADDRESS, account=STABLE.account)
    worth = value_position(view_of(*told(stable(), source="balancer"), *priced(**PRICES)), position)
    assert isinstance(worth.exposure, StableSwap)


def test_pools_are_exposed_to_their_protocol_and_chain():
    assert tvl_subjects(STABLE) == ("protocol:curve-dex", "protocol:curve-dex@ethereum", "chain:ethereum")
    assert tvl_subjects(NAMED)[0] == "protocol:balancer-v2"


def test_a_share_of_less_than_one_coin_of_each_is_a_share_of_the_pool():
    rows = told(stable(shares=WHOLE, amount__USDC=0.525, amount__USDT=0.525))
    exposure = value_position(view_of(*rows, *priced(**PRICES)), STABLE).exposure
    assert isinstance(exposure, StableSwap) and exposure.invariant == pytest.approx(1.05)


def test_a_coin_that_is_well_known_on_another_chain_is_not_one_of_the_pool():
    elsewhere = replace(STABLE, chain="base", pool=ADDRESS)
    assert coin_names(view_of(*told(stable())), elsewhere) == ("USDC",)
    assert coin_names(view_of(*told(stable())), STABLE) == ("USDC", "USDT")
    assert coin_names(view_of(), NAMED) == ("AAVE", "WETH")
