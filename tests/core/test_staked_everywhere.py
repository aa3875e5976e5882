"""Value, amounts, delta, loss and liquidation of one position agree with each other, in every kind that can hold a token that redeems for more."""

from typing import Any

import pytest

from monitor.core.exposure import Exposure, Scenario
from monitor.core.liquidation import of_account
from monitor.core.loss import deposit, loss_exposure, loss_of
from monitor.core.observation import Observation
from monitor.core.stableswap import StableSwap
from monitor.core.standing import fees_of
from monitor.core.units import MINUTE
from monitor.core.valuation import value_position
from monitor.core.view import View
from tests.builders import START
from tests.core.books import book, priced

ADDRESS = "0x" + "7" * 40
POOL = f"pool:ethereum/{ADDRESS}"
USD = {"ETH": 2000.0, "USDC": 1.0}
NOW = Scenario(USD)
PLACE = {"chain": "ethereum", "pool": ADDRESS, "account": ADDRESS}
ROOT = 2400**0.5 * 1e-6
ROOM = 10**16 * (1 / ROOT - 1.0001**98_500), 10**16 * (ROOT - 1.0001**-100_000)
RANGE: dict[str, float] = {
    "tick": -198_460, "tick_lower": -200_000, "tick_upper": -197_000, "liquidity": 10**16, "sqrt_price_x96": int(ROOT * 2**96),
    "decimals0": 18, "decimals1": 6, "amount0": int(ROOM[0]), "amount1": int(ROOM[1]), "fees0": 10**17, "fees1": 60 * 10**6,
}  # fmt: skip
POOLED: dict[str, float] = {"decimals0": 18, "decimals1": 6, "amount0": 10 * 10**18, "amount1": 24_000 * 10**6, "shares": 7}
BY_NAME = {"amount.WSTETH": 10.0, "amount.USDC": 24_000.0, "shares": 10**18}
STABLE = {
    "amount.WSTETH": 500.0, "amount.WETH": 600.0, "shares": 1200 * 10**18, "pool.amplification": 100.0, "pool.virtual_price": 1.0,
    "pool.rate.WSTETH": 1.2, "pool.rate.WETH": 1.0,
}  # fmt: skip
# What arbitrage leaves in a pool that counts one for one, where one of them is worth 1.2 of the other.
BALANCED = {name: float(held) for name, held in StableSwap(("W", "E"), 1200.0, 100.0, (1.0, 1.0)).deltas(Scenario({"W": 1.2, "E": 1.0})).items()}
LOAN = {"supplied.WSTETH": 10.0, "borrowed.USDC": 12_000.0, "liquidation_threshold.WSTETH": 0.8}
LOAN = {f"account.{name}.{asset}": 0.0 for name in ("supplied", "borrowed", "liquidation_threshold") for asset in ("WSTETH", "USDC")} | {
    f"account.{name}": value for name, value in LOAN.items()
}

PAIR = {**PLACE, "assets": ["WSTETH", "USDC"]}
HELD: dict[str, tuple[dict[str, Any], dict[str, float]]] = {
    "declared": ({"kind": "tokens", "amounts": {"WSTETH": 10.0, "USDC": 5.0}}, {}),
    "wallet": ({"kind": "tokens", "chain": "ethereum", "account": ADDRESS, "assets": ["WSTETH"]}, {"amount.WSTETH": 10.0}),
    "erc-4626": ({"kind": "erc-4626", **PLACE, "assets": ["WSTETH"]}, {"amount.WSTETH": 10.0, "shares": 7}),
    "uniswap-v2": ({"kind": "uniswap-v2", **PAIR, "deposited": {"WSTETH": 9.0, "USDC": 26_000}}, POOLED),
    "uniswap-v3": ({"kind": "uniswap-v3", "chain": "ethereum", "token_id": 1, "assets": PAIR["assets"]}, RANGE),
    "uniswap-v4": ({"kind": "uniswap-v4", "chain": "ethereum", "token_id": 1, "assets": PAIR["assets"]}, RANGE),
    "balancer": ({"kind": "balancer", **PAIR}, BY_NAME | {"pool.weight.WSTETH": 0.5, "pool.weight.USDC": 0.5}),
    "balancer of one coin": (
        {"kind": "balancer", **PLACE, "assets": ["WSTETH", "WETH"]},
        {"amount.WSTETH": 10.0, "amount.WETH": 12.0, "shares": 7, "pool.weight.WSTETH": 0.5, "pool.weight.WETH": 0.5},
    ),
    "curve": ({"kind": "curve", **PLACE, "assets": ["WSTETH", "WETH"]}, STABLE),
    "curve by prices": (
        {"kind": "curve", **PLACE, "assets": ["WSTETH", "WETH"]},
        STABLE | {"pool.rate.WSTETH": 1.0, "amount.WSTETH": BALANCED["W"], "amount.WETH": BALANCED["E"]},
    ),
    "aave-v3": ({"kind": "aave-v3", "chain": "ethereum", "account": ADDRESS, "assets": ["WSTETH", "USDC"]}, LOAN),
    "treasury": (
        {"kind": "treasury", "protocol": "protocol:x"},
        {"treasury.tokens.WSTETH": 10.0, "treasury.tokens.USDC": 5.0, "treasury.liabilities_usd": 50.0},
    ),
}  # fmt: skip


def read(kind: str, wsteth_usd: float = 2400.0, **changed: float) -> View:
    """A book of one position, read three times."""
    fields, values = HELD[kind]
    rows = []
    for name, value in {**values, **changed}.items():
        metric = name if name.partition(".")[0] in ("pool", "account", "treasury") else f"position.{name}"
        subject = POOL if metric.startswith("pool.") else "protocol:x" if metric.startswith("treasury.") else "p"
        rows += [Observation(metric, subject, "chain", at, at, value, f"0x{at}") for at in (START - 2 * MINUTE, START - MINUTE, START)]
    return book(*rows, *priced(ETH=USD["ETH"], USDC=USD["USDC"], WSTETH=wsteth_usd), positions=[{"id": "p", **fields}])


def must_slope(exposure: Exposure) -> None:
    """Deltas are dV/dp by finite differences."""
    deltas = exposure.deltas(NOW)
    for asset in exposure.assets:
        step = USD[asset] * 1e-5
        high, low = (float(exposure.value_usd(Scenario({**USD, asset: USD[asset] + way * step}))) for way in (1, -1))
        assert float(deltas[asset]) == pytest.approx((high - low) / (2 * step), rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("kind", HELD)
def test_what_is_held_is_worth_its_coins_and_moves_with_them(kind: str):
    view = read(kind)
    [position] = view.settings.positions
    worth = value_position(view, position)
    beside_usd = -50.0 if kind == "treasury" else 0.0
    assert worth.delta_usd == pytest.approx({asset: amount * USD[asset] for asset, amount in worth.amounts.items()})
    assert worth.value_usd == pytest.approx(sum(worth.delta_usd.values()) + beside_usd)
    assert float(worth.exposure.value_usd(NOW)) == pytest.approx(worth.value_usd, rel=1e-4)
    deltas = {asset: float(delta) for asset, delta in worth.exposure.deltas(NOW).items()}
    assert deltas == pytest.approx(dict(worth.amounts), rel=2e-3)
    must_slope(worth.exposure)


@pytest.mark.parametrize("kind", [kind for kind in HELD if kind not in ("uniswap-v3", "uniswap-v4", "curve")])
def test_a_token_that_redeems_for_a_tenth_more_counts_for_a_tenth_more_and_only_once(kind: str):
    """Held at the same coins; the price of the coin is the same."""
    before, after = (value_position(view, view.settings.positions[0]) for view in (read(kind), read(kind, 2640.0)))
    token = BALANCED["W"] if kind == "curve by prices" else 10.0
    assert after.amounts["ETH"] - before.amounts["ETH"] == pytest.approx(0.12 * token)
    assert after.value_usd - before.value_usd == pytest.approx(240 * token)


@pytest.mark.parametrize("kind", ["uniswap-v3", "uniswap-v4"])
def test_fees_are_the_same_part_of_the_value_as_they_are_by_themselves(kind: str):
    view, bare = read(kind), read(kind, fees0=0, fees1=0)
    [position] = view.settings.positions
    fees_usd = value_position(view, position).value_usd - value_position(bare, position).value_usd
    assert fees_of(view, position, {}).uncollected_usd == pytest.approx(fees_usd) == pytest.approx(0.1 * 2400 + 60)


@pytest.mark.parametrize("kind", ["uniswap-v2", "uniswap-v3", "uniswap-v4", "balancer", "curve", "curve by prices"])
def test_the_loss_of_today_is_that_of_the_loss_by_prices(kind: str):
    view = read(kind)
    [position] = view.settings.positions
    worth, put_in = value_position(view, position), deposit(view, position).amounts
    exposure, loss = loss_exposure(view, position, worth, put_in), loss_of(view, position)
    assert loss is not None
    assert float(exposure.value_usd(NOW)) == pytest.approx(loss.usd, abs=1e-4 * worth.value_usd)
    must_slope(exposure)


def test_an_account_is_liquidated_at_the_price_at_which_its_tokens_no_longer_cover():
    view = read("aave-v3")
    ether, _ = of_account(view, view.settings.positions[0], lambda asset: None)
    assert ether.price_usd * 1.2 * 10 * 0.8 == pytest.approx(12_000)
