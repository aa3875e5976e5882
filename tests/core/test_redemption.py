"""A token that redeems for more than one coin counts as so many, in every kind of position."""

from collections.abc import Mapping
from typing import Any

import pytest

from monitor.core import aave
from monitor.core.book import Position, Watch
from monitor.core.exposure import Coins, Scenario
from monitor.core.liquidation import account, health, of_account
from monitor.core.liquidity import amounts_now
from monitor.core.loss import deposit
from monitor.core.observation import Observation
from monitor.core.redemption import followed, rate, staked_tokens
from monitor.core.standing import carry_of, fees_of, range_of
from monitor.core.tokens import STABLES, STAKED, underlying
from monitor.core.units import HOUR, MINUTE
from monitor.core.valuation import value_position
from monitor.core.verdict import Unknown
from tests.builders import START, seen, view_of
from tests.core.books import book, priced

ADDRESS = "0x" + "7" * 40
MARKET = priced(ETH=2000.0, WSTETH=2400.0, USDC=1.0, BTC=90_000.0)
HOURS = (START - 2 * HOUR, START - HOUR, START)
POOL = f"pool:ethereum/{ADDRESS}"


def quoted(asset: str, *prices: float, source: str = "llama", apart_ms: int = 30 * MINUTE, end: int = START) -> list[Observation]:
    return [seen("price.usd", asset, price, end - apart_ms * (len(prices) - 1 - n), source) for n, price in enumerate(prices)]


def told(values: Mapping[str, float], family: str = "position") -> list[Observation]:
    """Three readings of each, of three blocks; a double underscore stands for a dot, a number of a pool goes under its pool."""
    rows = []
    for name, value in ((name.replace("__", "."), value) for name, value in values.items()):
        metric, subject = (name, POOL) if name.startswith("pool.") else (f"{family}.{name}", "p")
        rows += [Observation(metric, subject, "chain", at, at, value, f"0x{at}") for at in (START - 2 * MINUTE, START - MINUTE, START)]
    return rows


@pytest.mark.parametrize("token", ["ETH", "WETH", "STETH", "BTC", "WBTC", "CBBTC", "TBTC", "USDC", "AAVE"])
def test_what_is_a_coin_or_redeems_for_one_counts_as_one_without_any_price(token: str):
    assert rate(view_of(), token) == 1.0


@pytest.mark.parametrize(("token", "asked"), [("WSTETH", "WSTETH"), ("wstETH", "WSTETH"), ("RETH", "RETH"), ("CBETH", "CBETH")])
def test_what_redeems_for_more_counts_as_its_own_price_over_that_of_its_coin(token: str, asked: str):
    assert rate(view_of(*quoted("ETH", 2000.0, 2000.0, 2000.0), *quoted(asked, 2300.0, 2300.0, 2300.0)), token) == 1.15
    assert rate(view_of(*quoted("ETH", 2000.0, 2000.0, 2000.0), *quoted(asked, 1900.0, 1900.0, 1900.0)), token) == 0.95


def test_a_fall_of_the_market_is_no_change_of_what_a_token_redeems_for():
    """At other sources ETH stands 20% lower already: of two sources the ratio of their prices would be 1.38 or more."""
    rows = [*quoted("WSTETH", 2400.0, 2160.0, 2160.0), *quoted("ETH", 2000.0, 1800.0, 1800.0)]
    elsewhere = [row for venue in ("x", "y") for row in quoted("ETH", 1500.0, 1500.0, 1500.0, source=venue, apart_ms=MINUTE)]
    view = view_of(*rows, *elsewhere)
    assert view.price_usd("ETH") == 1500.0
    assert rate(view, "WSTETH") == pytest.approx(1.2, rel=1e-12)
    assert value_position(view, Position(id="w", kind="tokens", amounts={"WSTETH": 10.0})).value_usd == pytest.approx(18_000)


def test_one_price_that_is_off_is_outvoted_within_a_source_and_among_sources():
    assert rate(view_of(*quoted("WSTETH", 2400.0, 9999.0, 2420.0), *quoted("ETH", 2000.0, 2000.0, 2000.0)), "WSTETH") == 1.21
    three = [row for n, source in enumerate("abc") for row in quoted("WSTETH", *[(2400.0, 2420.0, 9999.0)[n]] * 3, source=source, apart_ms=MINUTE)]
    coins = [row for source in "abc" for row in quoted("ETH", 2000.0, 2000.0, 2000.0, source=source, apart_ms=MINUTE)]
    assert rate(view_of(*three, *coins), "WSTETH") == 1.21


@pytest.mark.parametrize(("later_ms", "known"), [(15 * MINUTE, True), (15 * MINUTE + 1, False)])
def test_prices_of_two_times_are_not_divided(later_ms: int, known: bool):
    rows = [*quoted("WSTETH", 2400.0, 2400.0, 2400.0, end=START - later_ms), *quoted("ETH", 2000.0, 2000.0, 2000.0, apart_ms=2 * HOUR)]
    if known:
        assert rate(view_of(*rows), "WSTETH") == 1.2
    else:
        with pytest.raises(Unknown, match=r"how many ETH one WSTETH redeems for is not known .*: no source gives fresh prices of both at one time"):
            rate(view_of(*rows), "WSTETH")


def test_prices_of_more_than_two_rounds_ago_do_not_count():
    rows = [*quoted("WSTETH", 2600.0, 2600.0, 2400.0), *quoted("ETH", 2000.0, 2000.0, 2000.0)]
    assert rate(view_of(*rows), "WSTETH") == 1.3
    slower = [*quoted("WSTETH", 2600.0, 2600.0, 2400.0, apart_ms=HOUR), *quoted("WSTETH", 2600.0, end=START - 3 * HOUR)]
    coins = quoted("ETH", *[2000.0] * 4, apart_ms=HOUR)
    assert rate(view_of(*slower, *coins), "WSTETH") == 1.3
    assert rate(view_of(*slower, *quoted("WSTETH", 2400.0, end=START - HOUR), *coins), "WSTETH") == 1.2


def test_each_price_is_divided_by_the_nearest_one():
    rows = [*quoted("WSTETH", 2400.0, 3600.0, 3600.0), *quoted("ETH", 2000.0, 3000.0, 3000.0, end=START - 10 * MINUTE)]
    assert rate(view_of(*rows), "WSTETH") == 1.2


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], r"let defillama run, or feed price\.usd of WSTETH and ETH from one source\): no fresh price of WSTETH"),
        (quoted("WSTETH", 2400.0, 2400.0, 2400.0, end=START - 2 * HOUR), "no fresh price of WSTETH"),
        (quoted("WSTETH", 2400.0, 2400.0, 2400.0, apart_ms=MINUTE), "one source of the price of WSTETH and less than 30 minutes of it"),
        (quoted("WSTETH", 2400.0, 2400.0, 2400.0, source="hand"), "no source gives fresh prices of both at one time"),
        ([*quoted("WSTETH", 2.0, 2.0, 2.0), *quoted("ETH", 2.0, 2.0, 2.0, end=START - 2 * HOUR)], "no source gives fresh prices of both at one time"),
    ],
    ids=["never", "stale", "too short", "of different sources", "of a stale coin"],
)
def test_where_it_is_not_known_nothing_is_taken_for_one_and_the_reason_says_what_to_do(rows: list[Observation], said: str):
    view = view_of(*rows, *priced(ETH=2000.0))
    with pytest.raises(Unknown, match=said):
        rate(view, "WSTETH")
    with pytest.raises(Unknown, match="how many ETH one WSTETH redeems for is not known"):
        value_position(view, Position(id="w", kind="tokens", amounts={"WSTETH": 1.0}))


def test_of_nothing_no_rate_is_asked():
    assert followed(view_of(), [("WSTETH", 0.0), ("ETH", 2.0), ("WBTC", -1.0)]) == {"ETH": 2.0, "BTC": -1.0}


def test_the_tokens_whose_own_price_is_needed_are_those_that_positions_name():
    positions = (
        Position(id="a", kind="tokens", amounts={"wstETH": 1.0, "ETH": 1.0}),
        Position(id="b", kind="aave-v3", assets=("CBETH", "USDC")),
        Position(id="c", kind="uniswap-v2", assets=("WETH", "USDC"), deposited={"RETH": 1.0}),
    )
    assert staked_tokens(positions) == ("CBETH", "RETH", "WSTETH")
    assert staked_tokens(Watch().positions) == ()


def test_every_staked_token_follows_a_coin_that_is_none():
    assert {underlying(token) for token in STAKED} == {"ETH"}
    assert not STAKED.keys() & STABLES


# --- in every kind of position ---

TWO = {"chain": "ethereum", "pool": ADDRESS, "account": ADDRESS}
SHARE = {"decimals0": 18, "decimals1": 6, "amount0": 10 * 10**18, "amount1": 24_000 * 10**6}
ACCOUNT = {f"{name}__{asset}": 0.0 for name in ("supplied", "borrowed", "liquidation_threshold") for asset in ("WSTETH", "WETH", "USDC")}
ACCOUNT |= {"supplied__WSTETH": 10.0, "liquidation_threshold__WSTETH": 0.8, "liquidation_threshold__WETH": 0.825}
POSITIONS: list[tuple[dict[str, Any], dict[str, float], dict[str, float]]] = [
    ({"kind": "tokens", "amounts": {"WSTETH": 10.0, "WETH": 1.0, "WBTC": 2.0}}, {}, {"ETH": 13.0, "BTC": 2.0}),
    ({"kind": "tokens", **TWO, "assets": ("WSTETH", "STETH")}, {"amount__WSTETH": 10.0, "amount__STETH": 1.0}, {"ETH": 13.0}),
    ({"kind": "erc-4626", **TWO, "assets": ("WSTETH",)}, {"shares": 7, "amount__WSTETH": 10.0}, {"ETH": 12.0}),
    ({"kind": "uniswap-v2", **TWO, "assets": ("WSTETH", "USDC")}, {"shares": 7, **SHARE}, {"ETH": 12.0, "USDC": 24_000.0}),
    ({"kind": "uniswap-v2", **TWO, "assets": ("WSTETH", "WETH")}, {"shares": 7, **SHARE, "decimals1": 9}, {"ETH": 36.0}),
    (
        {"kind": "balancer", **TWO, "assets": ("WSTETH", "USDC")},
        {"shares": 7, "amount__WSTETH": 10.0, "amount__USDC": 24_000.0, "pool__weight__WSTETH": 0.5, "pool__weight__USDC": 0.5},
        {"ETH": 12.0, "USDC": 24_000.0},
    ),
]


@pytest.mark.parametrize(("fields", "values", "held"), POSITIONS, ids=lambda part: part.get("kind", "") if isinstance(part, dict) else "")
def test_equity_and_exposure_count_the_coins_that_it_redeems_for(fields: dict[str, Any], values: dict[str, float], held: dict[str, float]):
    worth = value_position(view_of(*told(values), *MARKET), Position(id="p", **fields))
    prices = {"ETH": 2000.0, "USDC": 1.0, "BTC": 90_000.0}
    assert worth.amounts == pytest.approx(held)
    assert worth.value_usd == pytest.approx(sum(amount * prices[asset] for asset, amount in held.items()))
    assert worth.exposure.value_usd(Scenario(prices)) == pytest.approx(worth.value_usd)
    assert dict(worth.exposure.deltas(Scenario(prices))) == pytest.approx(held)


def test_a_lending_account_counts_them_on_both_sides():
    loop = Position(id="p", kind="aave-v3", assets=("WSTETH", "WETH", "USDC"))
    rows = told(ACCOUNT | {"borrowed__WSTETH": 2.0, "borrowed__WETH": 4.0, "borrowed__USDC": 100.0}, "account")
    worth = value_position(view_of(*rows, *MARKET), loop)
    assert worth.amounts == {"ETH": pytest.approx(1.2 * 8 - 4), "USDC": -100.0}
    assert worth.value_usd == pytest.approx(5.6 * 2000 - 100)
    held = account(view_of(*rows, *MARKET), loop)
    assert held.backing == {"ETH": pytest.approx(9.6), "USDC": 0.0}
    assert held.owed == {"ETH": pytest.approx(2.4 + 4.0), "USDC": 100.0}


def test_its_health_and_liquidation_price_are_those_of_aave_s_own_arithmetic():
    loan = {"id": "p", "kind": "aave-v3", "chain": "ethereum", "account": ADDRESS, "assets": ["WSTETH", "USDC"]}
    view = book(*told(ACCOUNT | {"borrowed__USDC": 12_000.0}, "account"), *MARKET, positions=[loan])
    [position] = view.settings.positions

    def factor(ether: int) -> float:
        """Of 10 wstETH at the price cap's ratio of 1.2 to ETH and 12,000 USDC of debt, as getUserAccountData reckons it."""
        pledge = aave.Holding(10 * 10**18, 0, ether * 12 * 10**7, 18, aave.Bps(8000))
        return aave.fraction_of_wad(aave.health([pledge, aave.Holding(0, 12_000 * 10**6, 10**8, 6, aave.Bps(7800))]).factor)

    held = account(view, position)
    assert health(held, {"ETH": 2000.0, "USDC": 1.0}) == pytest.approx(factor(2000)) == pytest.approx(1.6)
    ether, dollar = of_account(view, position, lambda asset: None)
    assert (ether.asset, ether.side, dollar.asset, dollar.side) == ("ETH", "below", "USDC", "above")
    assert [ether.price_usd, dollar.price_usd] == pytest.approx([1250.0, 1.6])
    assert factor(1250) == pytest.approx(1.0)


def test_interest_is_paid_on_what_the_token_is_worth():
    loan = Position(id="p", kind="aave-v3", chain="ethereum", assets=("WSTETH",))
    rates = [seen("lending.supply_apy", "lending:ethereum/aave-v3/WSTETH", 0.01, START - n * MINUTE) for n in (2, 1, 0)]
    view = view_of(*told(ACCOUNT, "account"), *rates, *MARKET)
    assert carry_of(view, loan, value_position(view, loan), {}).supplied_usd == pytest.approx(240.0)


RANGE: dict[str, Any] = {"id": "p", "kind": "uniswap-v3", "chain": "ethereum", "token_id": 1, "assets": ["WSTETH", "USDC"]}
TICKS = {"tick": -198_500, "tick_lower": -200_000, "tick_upper": -197_000, "liquidity": 10**16, "sqrt_price_x96": 3_881_294_061_093_064_704_000_000}


def in_range(**changed: Any) -> dict[str, Any]:
    """A range around 2,400 USDC for one wstETH, which is 2,000 for one ETH."""
    return {**TICKS, **SHARE, "fees0": 10**18, "fees1": 600 * 10**6, **changed}


def test_a_range_stands_where_the_prices_of_its_tokens_put_it():
    """With 1.2 coins in each token the liquidity over prices of coins is the root of 1.2 times larger, and its ends are 1.2 times lower."""
    root, low, high = 2400**0.5 * 1e-6, 1.0001**-100_000, 1.0001**-98_500
    raw0, raw1 = 10**16 * (1 / root - 1 / high), 10**16 * (root - low)
    values = in_range(sqrt_price_x96=int(root * 2**96), amount0=int(raw0), amount1=int(raw1))
    worth = value_position(view_of(*told(values), *MARKET), Position(**{**RANGE, "assets": ("WSTETH", "USDC")}))
    coins, dollars = (raw0 / 10**18 + 1) * 1.2, raw1 / 10**6 + 600
    assert worth.amounts == {"ETH": pytest.approx(coins), "USDC": pytest.approx(dollars)}
    assert worth.value_usd == pytest.approx(coins * 2000 + dollars)
    now = Scenario({"ETH": 2000.0, "USDC": 1.0})
    assert worth.exposure.value_usd(now) == pytest.approx(worth.value_usd)
    assert dict(worth.exposure.deltas(now)) == pytest.approx(dict(worth.amounts))
    gone = Scenario({"ETH": 1.0001**-200_000 * 1e12 / 1.2 * 0.999, "USDC": 1.0})
    assert worth.exposure.deltas(gone)["USDC"] == pytest.approx(600)
    near = Scenario({"ETH": 1.0001**-200_000 * 1e12 / 1.2 * 1.001, "USDC": 1.0})
    assert worth.exposure.deltas(near)["USDC"] > 600


def test_the_same_the_other_way_round():
    root, low, high = (1 / 2400) ** 0.5 * 1e6, 1.0001**98_500, 1.0001**100_000
    raw0, raw1 = 10**16 * (1 / root - 1 / high), 10**16 * (root - low)
    values = in_range(
        decimals0=6, decimals1=18, fees0=0, fees1=0, tick_lower=197_000, tick_upper=200_000, tick=198_500,
        sqrt_price_x96=int(root * 2**96), amount0=int(raw0), amount1=int(raw1),
    )  # fmt: skip
    worth = value_position(view_of(*told(values), *MARKET), Position(**{**RANGE, "assets": ("USDC", "WSTETH")}))
    assert worth.amounts == {"USDC": pytest.approx(raw0 / 10**6), "ETH": pytest.approx(raw1 / 10**18 * 1.2)}
    now = Scenario({"ETH": 2000.0, "USDC": 1.0})
    assert worth.exposure.value_usd(now) == pytest.approx(worth.value_usd)
    assert dict(worth.exposure.deltas(now)) == pytest.approx(dict(worth.amounts))


def test_a_range_of_a_coin_and_what_redeems_for_it_is_coins():
    same = Position(id="p", kind="uniswap-v3", chain="ethereum", token_id=1, assets=("WSTETH", "WETH"))
    worth = value_position(view_of(*told(in_range(decimals1=18, amount1=3 * 10**18, fees1=0)), *MARKET), same)
    assert worth.amounts == {"ETH": pytest.approx(12 + 1.2 + 3)}
    assert worth.exposure.deltas(Scenario({"ETH": 7.0})) == {"ETH": pytest.approx(16.2)}


def test_fees_deposits_and_a_range_s_own_price():
    view = book(*told(in_range()), *MARKET, positions=[RANGE])
    [position] = view.settings.positions
    assert fees_of(view, position, {}).uncollected_usd == pytest.approx(2400 + 600)
    assert amounts_now(view, position) == {"ETH": pytest.approx(12.0), "USDC": 24_000.0}
    assert deposit(view, position).amounts == {"ETH": pytest.approx(12.0), "USDC": 24_000.0}
    stands = range_of(view, position)
    assert stands.unit == "USDC per WSTETH"
    assert stands.price == pytest.approx(2400.0, rel=1e-3)
    [declared] = book(positions=[RANGE | {"deposited": {"WSTETH": 10.0, "WETH": 1.0, "USDC": 5.0}}]).settings.positions
    assert deposit(view, declared).amounts == {"ETH": pytest.approx(13.0), "USDC": 5.0}


STABLE: dict[str, Any] = {"kind": "curve", **TWO, "assets": ("WSTETH", "WETH")}
BALANCED = {"shares": 1000 * 10**18, "amount__WSTETH": 500.0, "amount__WETH": 500.0, "pool__amplification": 100.0, "pool__virtual_price": 1.0}


@pytest.mark.parametrize("more", [{}, {"pool__rate__WSTETH": 1.0, "pool__rate__WETH": 1.0}], ids=["no rates", "rates of one"])
def test_a_stable_pool_that_knows_of_no_rate_holds_tokens_that_redeem_for_more_all_the_same(more: dict[str, float]):
    worth = value_position(view_of(*told(BALANCED | more), *MARKET), Position(id="p", **STABLE))
    assert worth.amounts == {"ETH": pytest.approx(1100.0)}
    assert worth.value_usd == pytest.approx(2_200_000)


def test_a_stable_pool_s_own_rate_stands_before_prices():
    rows = told(BALANCED | {"amount__WSTETH": 400.0, "pool__rate__WSTETH": 1.25, "pool__rate__WETH": 1.0})
    assert value_position(view_of(*rows, *MARKET), Position(id="p", **STABLE)).amounts == {"ETH": pytest.approx(1000.0)}


def test_a_treasury_s_coins_are_those_that_its_tokens_redeem_for_at_prices_of_their_own():
    def treasury(**values: float) -> list[Observation]:
        return [Observation(f"treasury.{n.replace('__', '.')}", "protocol:x", "w", t, t, v, f"0x{t}") for n, v in values.items() for t in HOURS]

    rows = treasury(tokens__WSTETH=10.0, tokens__STETH=5.0, tokens__WETH=1.0, tokens__USDC=100.0, liabilities_usd=50.0)
    worth = value_position(view_of(*rows, *MARKET, *priced(STETH=1900.0)), Position(id="p", kind="treasury", protocol="protocol:x"))
    assert worth.value_usd == 24_000 + 9_500 + 2_000 + 100 - 50
    assert worth.amounts == {"ETH": pytest.approx(18.0), "USDC": 100.0}
    assert isinstance(worth.exposure, Coins) and worth.exposure.usd == pytest.approx(-500 - 50)
    assert worth.exposure.value_usd(Scenario({"ETH": 2000.0, "USDC": 1.0})) == pytest.approx(worth.value_usd)
