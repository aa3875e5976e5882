"""A Uniswap v3 position from readings to its worth as a function of prices."""

from math import isqrt
from typing import Any

import pytest

from monitor.core.amm import MAX_TICK, MIN_TICK, amounts_for_liquidity, sqrt_ratio_at_tick, tick_at_sqrt_ratio
from monitor.core.book import Position
from monitor.core.exposure import Coins, Scenario, Together
from monitor.core.observation import Observation
from monitor.core.positions.uniswap_v3 import EXACT_FIELDS
from monitor.core.ranges import V3Range
from monitor.core.units import MINUTE
from monitor.core.valuation import chain_state, value_position
from monitor.core.verdict import Unknown
from monitor.core.worth import Valuation
from tests.builders import START, series, view_of

LP = Position(id="p1", kind="uniswap-v3", chain="local", token_id=7, assets=("ETH", "USDC"))
TICKS = (-207_240, -188_040)
LIQUIDITY = 10**17


def pool_price(usd: float, decimals: tuple[int, int] = (18, 6)) -> int:
    return isqrt((round(usd * 10**6) * 10 ** decimals[1] << 192) // (10**6 * 10 ** decimals[0]))


def state(**changed: Any) -> dict[str, int]:
    """A position at 2,000 USD with fees of 0.25 ETH and 300 USDC."""
    price = changed.get("sqrt_price_x96", pool_price(2000.0))
    lower, upper = changed.get("tick_lower", TICKS[0]), changed.get("tick_upper", TICKS[1])
    amounts = amounts_for_liquidity(price, lower, upper, changed.get("liquidity", LIQUIDITY)) if price else (0, 0)
    tick = tick_at_sqrt_ratio(price) if price else 0
    return {
        "liquidity": LIQUIDITY, "amount0": amounts[0], "amount1": amounts[1], "fees0": 25 * 10**16, "fees1": 300 * 10**6, "decimals0": 18,
        "decimals1": 6, "sqrt_price_x96": price, "tick": tick, "tick_lower": lower, "tick_upper": upper, "token0": 1, "token1": 2, **changed,
    }  # fmt: skip


def read(**changed: Any) -> list[Observation]:
    rows = [(name, value, at) for name, value in state(**changed).items() for at in (START - 2 * MINUTE, START - MINUTE, START)]
    return [Observation(f"position.{name}", "p1", "chain", at, at, value, f"0x{at}") for name, value, at in rows]


def priced(**prices: float) -> list[Observation]:
    return [o for asset, p in prices.items() for s in ("a", "b") for o in series("price.usd", asset, [p] * 3, step_ms=MINUTE, source=s)]


def valued(position: Position = LP, usd: float = 2000.0, **changed: Any) -> Valuation:
    return value_position(view_of(*read(**changed), *priced(ETH=usd, USDC=1.0)), position)


def test_the_exposure_is_the_range_with_its_fees_as_coins_beside_it() -> None:
    worth = valued()
    assert isinstance(worth.exposure, Together)
    held, fees = worth.exposure.parts
    assert isinstance(held, V3Range)
    assert (held.asset0, held.asset1) == ("ETH", "USDC")
    assert (held.liquidity, held.lower, held.upper) == pytest.approx(
        (10**17 / 10**12, 1.0001 ** TICKS[0] * 1e12, 1.0001 ** TICKS[1] * 1e12), rel=1e-9
    )
    assert fees == Coins({"ETH": 0.25, "USDC": 300.0})


@pytest.mark.parametrize("usd", [900.0, 1000.0, 2000.0, 6700.0, 7000.0])
def test_where_the_pool_stands_the_exposure_says_what_the_integers_say(usd: float) -> None:
    worth = valued(usd=usd, sqrt_price_x96=pool_price(usd))
    now = Scenario({"ETH": usd, "USDC": 1.0})
    assert worth.exposure.value_usd(now) == pytest.approx(worth.value_usd, rel=1e-9)
    assert dict(worth.exposure.deltas(now)) == pytest.approx(dict(worth.amounts), rel=1e-9, abs=1e-6)
    assert worth.amounts["ETH"] >= 0.25 and worth.amounts["USDC"] >= 300.0


def test_all_numbers_come_from_one_block() -> None:
    assert set(EXACT_FIELDS) >= {"sqrt_price_x96", "tick", "tick_lower", "tick_upper"}
    view = view_of(*read(), *priced(ETH=2000.0, USDC=1.0))
    assert {name: state()[name] for name in EXACT_FIELDS} == dict(value_position(view, LP).exact) == dict(chain_state(view, LP).numbers)
    late = Observation("position.tick_lower", "p1", "chain", START + MINUTE, START + MINUTE, TICKS[0], "0xlater")
    with pytest.raises(Unknown, match="more than one block"):
        value_position(view_of(*read(), late, *priced(ETH=2000.0, USDC=1.0), now=START + MINUTE), LP)


def test_a_position_without_liquidity_is_worth_its_fees_and_has_no_gamma() -> None:
    worth = valued(liquidity=0, sqrt_price_x96=0, amount0=0, amount1=0)
    now = Scenario({"ETH": 2000.0, "USDC": 1.0})
    assert worth.value_usd == worth.exposure.value_usd(now) == 0.25 * 2000 + 300
    assert dict(worth.exposure.deltas(now)) == {"ETH": 0.25, "USDC": 300.0}
    assert worth.exposure.gammas(now)["ETH"] == 0


def test_of_one_asset_on_both_sides_the_range_is_what_it_holds_now() -> None:
    same = Position(id="p1", kind="uniswap-v3", chain="local", token_id=7, assets=("STETH", "WETH"))
    worth = valued(same, decimals0=18, decimals1=18, amount0=3 * 10**18, amount1=5 * 10**18, fees0=0, fees1=10**18)
    assert worth.exposure == Together((Coins({"ETH": 8.0}), Coins({"ETH": 1.0})))
    assert dict(worth.amounts) == {"ETH": 9.0}


@pytest.mark.parametrize("decimals", [(0, 0), (6, 18), (8, 6), (36, 0), (0, 36), (77, 77)])
def test_any_decimals_give_a_worth_and_more_than_a_chain_can_count_give_none_F_057(decimals: tuple[int, int]) -> None:
    worth = valued(decimals0=decimals[0], decimals1=decimals[1])
    units = 10 ** decimals[0], 10 ** decimals[1]
    said = state()
    held = (said["amount0"] + said["fees0"]) / units[0], (said["amount1"] + said["fees1"]) / units[1]
    assert (worth.amounts["ETH"], worth.amounts["USDC"]) == pytest.approx(held, rel=1e-12)
    for side in (0, 1):
        with pytest.raises(Unknown, match=f"token{side} of position p1 has 78 decimals"):
            valued(LP, 2000.0, **{f"decimals{side}": 78})


@pytest.mark.parametrize(("lower", "upper"), [(60, 60), (60, -60), (MIN_TICK - 1, 0), (0, MAX_TICK + 1)])
def test_ticks_that_are_no_range_give_no_worth(lower: int, upper: int) -> None:
    with pytest.raises(Unknown) as refused:
        value_position(view_of(*read(amount0=1, amount1=1, sqrt_price_x96=0, tick_lower=lower, tick_upper=upper), *priced(ETH=2e3, USDC=1.0)), LP)
    assert refused.value.code == "range"


def test_the_whole_domain_is_a_range() -> None:
    price = sqrt_ratio_at_tick(-200_000)
    worth = valued(tick_lower=MIN_TICK, tick_upper=MAX_TICK, sqrt_price_x96=price)
    assert worth.amounts["ETH"] > 0.25 and worth.amounts["USDC"] > 300.0


USDC, WETH = 0xA0B86991C6218B36C1D19D4A2E9EB0CE3606EB48, 0xC02AAA39B223FE8D0A0E5C4F27EAD9083C756CC2


@pytest.mark.parametrize(
    ("assets", "said"),
    [
        (("WETH", "USDC"), "token0 of position p1 is USDC, its assets declare WETH: correct them, in the order of the pool"),
        (("USDC", "WSTETH"), "token1 of position p1 is ETH, its assets declare WSTETH"),
        (("USDC", "WBTC"), "token1 of position p1 is ETH, its assets declare WBTC"),
    ],
)
def test_well_known_tokens_that_are_declared_as_others_have_no_worth(assets: tuple[str, str], said: str) -> None:
    """The wrong way round 15,000 USDC would be as many ETH."""
    wrong = Position(id="p1", kind="uniswap-v3", chain="ethereum", token_id=7, assets=assets)
    with pytest.raises(Unknown, match=said) as why:
        valued(wrong, token0=USDC, token1=WETH, decimals0=6, decimals1=18)
    assert why.value.code == "token"


@pytest.mark.parametrize("assets", [("USDC", "WETH"), ("USDC", "ETH"), ("USDC", "weth"), ()])
def test_and_by_either_of_their_names_they_have_one(assets: tuple[str, ...]) -> None:
    named = Position(id="p1", kind="uniswap-v3", chain="ethereum", token_id=7, assets=assets)
    assert set(valued(named, token0=USDC, token1=WETH, decimals0=6, decimals1=18).amounts) == {"USDC", "ETH"}
