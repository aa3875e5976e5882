"""What pairs, vaults and wallets hold and are worth: numbers of one block, at prices that may decide."""

from dataclasses import replace

import pytest

from monitor.core.book import Position
from monitor.core.constant_product import ConstantProduct
from monitor.core.exposure import Coins, Scenario
from monitor.core.observation import Observation
from monitor.core.scope import tvl_subjects
from monitor.core.units import MINUTE
from monitor.core.valuation import chain_state, value_position
from monitor.core.verdict import Unknown
from monitor.sinks.position_view import position_view
from tests.builders import START, series, view_of

ADDRESS = "0x" + "7" * 40
PAIR = Position(id="lp", kind="uniswap-v2", chain="ethereum", pool=ADDRESS, account=ADDRESS, assets=("USDC", "WETH"))
VAULT = Position(id="vault", kind="erc-4626", chain="ethereum", pool=ADDRESS, account=ADDRESS, assets=("USDC",))
WALLET = Position(id="wallet", kind="tokens", chain="ethereum", account=ADDRESS, assets=("ETH", "WETH", "USDC"))
USDC, WETH = 0xA0B86991C6218B36C1D19D4A2E9EB0CE3606EB48, 0xC02AAA39B223FE8D0A0E5C4F27EAD9083C756CC2


def read(position: Position, at: int = START, **values: float) -> list[Observation]:
    """Each metric of one position at three instants, the last at `at`; a double underscore stands for a dot."""
    times = (at - 2 * MINUTE, at - MINUTE, at)
    names = {name.replace("__", "."): value for name, value in values.items()}
    return [Observation(f"position.{name}", position.id, "s", time, time, value, f"0x{time}") for name, value in names.items() for time in times]


def priced(**prices: float) -> list[Observation]:
    return [o for asset, p in prices.items() for s in ("a", "b") for o in series("price.usd", asset, [p] * 3, step_ms=MINUTE, source=s)]


PRICES = priced(ETH=2500.0, USDC=0.5)
SHARE = {"shares": 10**15, "amount0": 15_000 * 10**6, "amount1": 3 * 10**18}
TOLD = {"decimals0": 6, "decimals1": 18}


def test_a_share_of_a_pair_is_worth_what_burning_it_pays() -> None:
    worth = value_position(view_of(*read(PAIR, **SHARE, **TOLD), *PRICES), PAIR)
    assert worth.amounts == {"USDC": 15_000.0, "ETH": 3.0}
    assert worth.delta_usd == {"USDC": 7500.0, "ETH": 7500.0}
    assert (worth.value_usd, worth.exact, worth.block_hash) == (15_000.0, SHARE, f"0x{START}")
    assert isinstance(worth.exposure, ConstantProduct)
    now, later = Scenario({"ETH": 2500.0, "USDC": 0.5}), Scenario({"ETH": 10_000.0, "USDC": 0.5})
    assert worth.exposure.value_usd(now) == pytest.approx(15_000)
    assert worth.exposure.deltas(now) == pytest.approx(worth.amounts)
    assert worth.exposure.value_usd(later) == pytest.approx(30_000)
    assert worth.exposure.deltas(later)["ETH"] == pytest.approx(1.5)


def test_the_chain_s_own_integers_need_no_price_and_no_young_age() -> None:
    view = view_of(*read(PAIR, **SHARE, **TOLD), now=START + 1000 * MINUTE)
    state = chain_state(view, PAIR)
    assert (state.numbers, state.block_hash, state.at) == (SHARE, f"0x{START}", START)
    shown = position_view(view, PAIR, Unknown("price", "no fresh price of ETH"))
    assert {name: shown[name] for name in SHARE} == {name: str(number) for name, number in SHARE.items()}
    assert (shown["block_hash"], shown["at"], shown["unknown"]) == (f"0x{START}", START, "no fresh price of ETH")


def test_well_known_tokens_of_a_pair_need_no_names_and_others_do() -> None:
    bare = replace(PAIR, assets=())
    rows = [*read(PAIR, **SHARE, **TOLD), *PRICES]
    known = read(PAIR, token0=USDC, token1=WETH)
    assert value_position(view_of(*rows, *known), bare).amounts == {"USDC": 15_000.0, "ETH": 3.0}
    with pytest.raises(Unknown, match=r"token1 0x0+7 is not a well-known one: add assets"):
        value_position(view_of(*rows, *read(PAIR, token0=USDC, token1=7)), bare)


def test_two_names_of_one_asset_are_added_up_and_are_coins() -> None:
    both = replace(PAIR, assets=("ETH", "STETH"))
    worth = value_position(view_of(*read(PAIR, shares=5, amount0=10**18, amount1=2 * 10**18, decimals0=18, decimals1=18), *PRICES), both)
    assert (worth.amounts, worth.value_usd) == ({"ETH": 3.0}, 7500.0)
    assert worth.exposure == Coins({"ETH": 3.0})


def test_no_shares_are_worth_nothing_at_any_price() -> None:
    worth = value_position(view_of(*read(PAIR, shares=0, amount0=0, amount1=0, **TOLD), *PRICES), PAIR)
    assert (worth.value_usd, worth.amounts) == (0.0, {"USDC": 0.0, "ETH": 0.0})
    world = Scenario({"ETH": 1.0, "USDC": 1.0})
    assert worth.exposure.value_usd(world) == 0
    assert set(worth.exposure.gammas(world).values()) == {0}


@pytest.mark.parametrize("decimals", [0, 6, 8, 18, 36, 77])
def test_raw_units_become_coins_by_the_token_s_own_decimals_F_057(decimals: int) -> None:
    rows = read(PAIR, shares=1, amount0=3 * 10**decimals, amount1=10**18, decimals0=decimals, decimals1=18)
    assert value_position(view_of(*rows, *PRICES), PAIR).amounts["USDC"] == 3.0


@pytest.mark.parametrize("name", ["shares", "amount0", "amount1"])
def test_numbers_of_two_blocks_are_not_mixed(name: str) -> None:
    rows = [row for row in read(PAIR, **SHARE, **TOLD) if row.metric != f"position.{name}"]
    with pytest.raises(Unknown, match="more than one block, instant or source"):
        value_position(view_of(*rows, *read(PAIR, START - MINUTE, **{name: 5}), *PRICES), PAIR)
    with pytest.raises(Unknown, match="the state of position lp was not read yet"):
        value_position(view_of(*rows, *PRICES), PAIR)


def test_a_vault_is_worth_what_redeeming_brings() -> None:
    worth = value_position(view_of(*read(VAULT, shares=10**18, amount__USDC=1500.0), *PRICES), VAULT)
    assert (worth.amounts, worth.value_usd, worth.exact, worth.block_hash) == ({"USDC": 1500.0}, 750.0, {"shares": 10**18}, f"0x{START}")
    assert worth.exposure == Coins({"USDC": 1500.0})


def test_the_asset_of_a_vault_that_is_not_named_is_the_one_that_was_read() -> None:
    bare = replace(VAULT, assets=())
    worth = value_position(view_of(*read(VAULT, shares=10**18, amount__ETH=2.0), *PRICES), bare)
    assert (worth.amounts, worth.value_usd) == ({"ETH": 2.0}, 5000.0)
    with pytest.raises(Unknown, match="what the vault of position vault holds was not read yet"):
        value_position(view_of(*read(VAULT, shares=1), *PRICES), bare)
    with pytest.raises(Unknown, match="what the vault of position vault holds was not read yet"):
        value_position(view_of(*read(VAULT, shares=1, amount__ODD=2.0), *PRICES), bare)
    with pytest.raises(Unknown, match="was not read yet"):
        value_position(view_of(*read(VAULT, shares=1, amount__ETH=2.0, amount__USDC=2.0), *PRICES), bare)


def test_shares_and_worth_of_a_vault_are_of_one_block() -> None:
    rows = [*read(VAULT, shares=10**18), *read(VAULT, START - MINUTE, amount__USDC=1500.0), *PRICES]
    with pytest.raises(Unknown, match="the shares of the vault and their worth come from more than one block"):
        value_position(view_of(*rows), VAULT)


def test_a_wallet_is_worth_the_amounts_that_were_read_of_it() -> None:
    worth = value_position(view_of(*read(WALLET, amount__ETH=1.5, amount__WETH=0.5, amount__USDC=100.0), *PRICES), WALLET)
    assert (worth.amounts, worth.value_usd, worth.block_hash) == ({"ETH": 2.0, "USDC": 100.0}, 5050.0, f"0x{START}")
    assert worth.exact == {}
    with pytest.raises(Unknown, match="the amounts of the wallet come from more than one block"):
        value_position(view_of(*read(WALLET, amount__ETH=1.5, amount__WETH=0.5), *read(WALLET, START - MINUTE, amount__USDC=1.0), *PRICES), WALLET)
    with pytest.raises(Unknown, match="was not read yet"):
        value_position(view_of(*read(WALLET, amount__ETH=1.5), *PRICES), WALLET)


def test_declared_tokens_need_nothing_to_be_read() -> None:
    declared = Position(id="w", kind="tokens", amounts={"ETH": 1.0, "WETH": 0.5, "USDC": -10.0})
    worth = value_position(view_of(*PRICES), declared)
    assert (worth.amounts, worth.value_usd, worth.block_hash) == ({"ETH": 1.5, "USDC": -10.0}, 3745.0, "")


@pytest.mark.parametrize(
    ("position", "subjects"),
    [
        (PAIR, ("protocol:uniswap-v2", "protocol:uniswap-v2@ethereum", "chain:ethereum")),
        (VAULT, ("chain:ethereum",)),
        (WALLET, ("chain:ethereum",)),
        (Position(id="t", kind="treasury", protocol="protocol:x", exposed_to=("protocol:y",)), ("protocol:x", "protocol:y")),
    ],
)
def test_what_each_is_exposed_to(position: Position, subjects: tuple[str, ...]) -> None:
    assert tvl_subjects(position) == subjects
