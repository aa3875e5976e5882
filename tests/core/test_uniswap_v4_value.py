"""Positions of Uniswap v4 in the book: valued like those of v3, the chain's own coin by the chain's name."""

from dataclasses import replace

import pytest

from monitor.core.book import Position
from monitor.core.observation import Observation
from monitor.core.scope import assets_held, tvl_subjects
from monitor.core.units import MINUTE
from monitor.core.valuation import chain_state, value_position
from monitor.core.verdict import Unknown
from monitor.core.vocabulary import find_metric
from tests.builders import START, series, view_of

USDC = 0xA0B86991C6218B36C1D19D4A2E9EB0CE3606EB48
HELD = Position(id="p1", kind="uniswap-v4", chain="ethereum", token_id=7)
STATE = {
    **dict.fromkeys(("liquidity", "tick", "tick_lower"), 0),
    "amount0": 5 * 10**17,
    "amount1": 1000 * 10**6,
    "fees0": 10**17,
    "fees1": 2 * 10**6,
    "token0": 0,
    "token1": USDC,
    "decimals0": 18,
    "decimals1": 6,
    "sqrt_price_x96": 1 << 96,
    "tick_upper": 60,
    "liquidity": 10**15,
}


def read(**changes: int) -> list[Observation]:
    rows = [(name, value, at) for name, value in (STATE | changes).items() for at in (START - 2 * MINUTE, START - MINUTE, START)]
    return [Observation(f"position.{name}", "p1", "uniswap-v4", at, at, value, "0xb10c") for name, value, at in rows]


def priced(**prices: float) -> list[Observation]:
    return [o for asset, p in prices.items() for s in ("a", "b") for o in series("price.usd", asset, [p] * 3, step_ms=MINUTE, source=s)]


def test_the_chains_own_coin_is_held_and_hedged_by_its_name() -> None:
    view = view_of(*read(), *priced(ETH=2000.0, USDC=1.0))
    worth = value_position(view, HELD)
    assert worth.amounts == pytest.approx({"ETH": 0.6, "USDC": 1002.0})
    assert worth.value_usd == pytest.approx(0.6 * 2000 + 1002)
    assert (worth.risk_asset, worth.block_hash) == ("ETH", "0xb10c")
    assert assets_held(HELD, view.market) == {"ETH", "USDC"}


@pytest.mark.parametrize(
    ("chain", "coin"),
    [
        *((chain, "ETH") for chain in ("ethereum", "arbitrum", "base", "optimism", "unichain")),
        *(("polygon", "POL"), ("bsc", "BNB"), ("avalanche", "AVAX")),
    ],
)
def test_each_well_known_chain_has_its_coin(chain: str, coin: str) -> None:
    view = view_of(*read(token1=0), *priced(**{coin: 3.0}))
    assert value_position(view, replace(HELD, chain=chain)).delta_usd == pytest.approx({coin: 3.0 * (0.6 + 1002.0)})


def test_the_coin_of_another_chain_is_asked_for_and_never_guessed() -> None:
    view = view_of(*read(), *priced(ETH=2000.0, USDC=1.0))
    with pytest.raises(Unknown, match=r"token0 0x0{40} is not a well-known one: add assets"):
        value_position(view, replace(HELD, chain="moon"))
    declared = replace(HELD, chain="moon", assets=("ETH", "USDC"))
    assert value_position(view, declared).amounts == pytest.approx({"ETH": 0.6, "USDC": 1002.0})


def test_its_integers_are_shown_without_a_price() -> None:
    state = chain_state(view_of(*read()), HELD)
    assert state.numbers["amount0"] == 5 * 10**17
    assert state.block_hash == "0xb10c"


def test_it_is_exposed_to_its_protocol_its_deployment_and_its_chain() -> None:
    assert tvl_subjects(HELD) == ("protocol:uniswap-v4", "protocol:uniswap-v4@ethereum", "chain:ethereum")


@pytest.mark.parametrize(("name", "low"), [("position.token0", 0), ("position.token1", 1)])
def test_only_token0_can_be_the_chains_own_coin(name: str, low: int) -> None:
    metric = find_metric(name)
    assert metric is not None and metric.low == low
