"""Value at risk and expected shortfall: which order statistic, how much of the edge, and whole books revalued day by day."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.exposure import Coins, Together
from monitor.core.observation import Observation
from monitor.core.sessions import is_session
from monitor.core.tail import (
    STRESS_DAYS,
    daily_returns,
    expected_shortfall,
    historical_tail,
    scenario_tail,
    value_at_risk,
)
from monitor.core.units import DAY, HOUR, parse_time
from monitor.core.verdict import Unknown
from tests.builders import START, seen
from tests.core.books import book, layered, priced, short, tokens, volatile

TODAY = START // DAY


# --- order statistics ---


@pytest.mark.parametrize(
    ("count", "percent", "rank"),
    [
        (100, 95, 95),
        (100, 99, 99),
        (101, 95, 96),
        (60, 95, 57),
        (60, 99, 60),
        (61, 95, 58),
        (20, 95, 19),
        (19, 95, 19),
        (1, 95, 1),
        (1, 1, 1),
        (365, 99, 362),
    ],
)
def test_value_at_risk_is_the_least_loss_that_so_many_states_do_not_exceed(count: int, percent: int, rank: int):
    losses = np.random.default_rng(3).permutation(np.arange(1.0, count + 1))
    assert value_at_risk(losses, percent) == rank
    assert (losses <= rank).sum() * 100 >= count * percent > (losses <= rank - 1).sum() * 100


def test_expected_shortfall_is_the_mean_of_the_worst_with_the_part_of_the_edge_that_is_inside():
    hundred = list(range(1, 101))
    assert expected_shortfall(hundred, 95) == (100 + 99 + 98 + 97 + 96) / 5
    assert expected_shortfall(hundred, 99) == 100
    # Of 30 states 5% are one and a half.
    assert expected_shortfall([0.0] * 28 + [20.0, 50.0], 95) == pytest.approx((50 + 0.5 * 20) / 1.5)
    assert expected_shortfall([7.0], 99) == pytest.approx(7.0)
    assert expected_shortfall([3.0, 1.0], 1) == pytest.approx((3 + 0.98 * 1) / 1.98)


def test_gains_are_negative_losses():
    assert value_at_risk([-1.0, -2.0, -3.0], 95) == -1.0
    assert expected_shortfall([-1.0, -2.0, -3.0], 95) == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("losses", "percent", "why"),
    [
        ([], 95, "one row"),
        ([[1.0]], 95, "one row"),
        ([math.nan], 95, "finite"),
        ([math.inf], 95, "finite"),
        ([1.0], 0, "1 to 99"),
        ([1.0], 100, "1 to 99"),
    ],
)
def test_what_has_no_tail_is_refused(losses: Sequence[float], percent: int, why: str):
    for measure in (value_at_risk, expected_shortfall):
        with pytest.raises(ValueError, match=why):
            measure(losses, percent)


states = st.integers(1, 200).flatmap(lambda n: st.tuples(*[st.lists(st.floats(-1e6, 1e6), min_size=n, max_size=n)] * 2))


@given(states, st.integers(1, 99))
def test_expected_shortfall_is_no_less_than_value_at_risk_and_subadditive_on_the_same_states(pair: tuple[list[float], list[float]], percent: int):
    first, second = (np.array(losses) for losses in pair)
    for losses in (first, second):
        assert expected_shortfall(losses, percent) >= value_at_risk(losses, percent) - 1e-6
    together = expected_shortfall(first + second, percent)
    assert together <= expected_shortfall(first, percent) + expected_shortfall(second, percent) + 1e-6


# --- as days were ---


def daily(prices: Sequence[float], *, asset: str = "ETH", source: str = "s1", end: int = START) -> list[Observation]:
    """Daily closes of which the last is of the day that ends at `end`."""
    first = end - len(prices) * DAY
    return [seen("candle.1d.close", asset, price, first + n * DAY, source) for n, price in enumerate(prices)]


def path(returns: Sequence[float], start: float = 1000.0) -> list[float]:
    return [float(price) for price in start * np.exp(np.cumsum([0.0, *returns]))]


RETURNS = [float(one) for one in np.random.default_rng(8).normal(0, 0.03, 100)]
MARKET = [*priced(ETH=2000.0, USDC=1.0), *volatile(ETH=80.0)]


def test_a_coin_loses_what_each_day_took_from_it():
    tail = historical_tail(book(*MARKET, *daily(path(RETURNS)), positions=[tokens("wallet", ETH=3.0)]))
    losses = [6000 * (1 - math.exp(move)) for move in RETURNS]
    assert tail.losses_usd == pytest.approx(losses)
    assert tail.var_usd == {95: pytest.approx(sorted(losses)[94]), 99: pytest.approx(sorted(losses)[98])}
    assert tail.es_usd == {95: pytest.approx(np.mean(sorted(losses)[95:])), 99: pytest.approx(max(losses))}
    assert (tail.names[0], tail.names[-1]) == ("2023-11-25", "2024-03-03")
    assert tail.worst == tail.names[int(np.argmin(RETURNS))]
    assert tail.still == ()


def test_a_layer_takes_its_part_away_and_a_single_exposure_can_be_asked_for():
    view = book(*MARKET, *daily(path(RETURNS)), positions=[tokens("wallet", ETH=3.0)], state=layered(("active", short(4000.0))))
    whole, bare = historical_tail(view), historical_tail(view, Coins({"ETH": 3.0}))
    assert np.array(whole.losses_usd) == pytest.approx(np.array(bare.losses_usd) / 3)
    hedged = historical_tail(view, Together((Coins({"ETH": 3.0}), Coins({"ETH": -3.0}, 6000.0))))
    assert hedged.es_usd == {95: pytest.approx(0, abs=1e-9), 99: pytest.approx(0, abs=1e-9)}


def test_an_empty_book_and_one_of_still_stablecoins_lose_nothing():
    nothing = {95: 0.0, 99: 0.0}
    empty = historical_tail(book())
    assert (empty.var_usd, empty.es_usd, empty.names, empty.still, empty.losses_usd) == (nothing, nothing, ("today",), (), (0.0,))
    cash = historical_tail(book(*MARKET, positions=[tokens("cash", USDC=9.0)]))
    assert (cash.var_usd, cash.es_usd, cash.still) == (nothing, nothing, ("USDC",))
    table = scenario_tail(book())
    assert (table.var_usd, table.es_usd) == (nothing, nothing)


def test_a_stablecoin_without_candles_is_named_and_one_with_candles_moves():
    position = tokens("wallet", ETH=1.0, USDC=100.0)
    rows = [*MARKET, *daily(path(RETURNS))]
    assert historical_tail(book(*rows, positions=[position])).still == ("USDC",)
    broken = path([0.0] * 50 + [math.log(0.9)] + [0.0] * 49, 1.0)
    tail = historical_tail(book(*rows, *daily(broken, asset="USDC"), positions=[position]))
    assert tail.still == ()
    assert tail.losses_usd[50] == pytest.approx(2000 * (1 - math.exp(RETURNS[50])) + 100 * 0.1)
    assert tail.losses_usd[49] == pytest.approx(2000 * (1 - math.exp(RETURNS[49])))


def test_under_sixty_common_days_there_is_no_tail():
    position = tokens("wallet", ETH=1.0, BTC=1.0)
    market = [*MARKET, *priced(BTC=40_000.0), *daily(path(RETURNS))]
    assert len(historical_tail(book(*market, *daily(path(RETURNS[:60]), asset="BTC"), positions=[position])).names) == 60
    with pytest.raises(Unknown, match="59 days are common to the prices of BTC, ETH, 60 are needed"):
        historical_tail(book(*market, *daily(path(RETURNS[:59]), asset="BTC"), positions=[position]))
    with pytest.raises(Unknown, match="nobody has given daily closes of BTC yet"):
        historical_tail(book(*market, positions=[position]))


def test_no_more_than_a_year_is_looked_at():
    moves = [0.5, *[0.001] * 364, -0.002]
    tail = historical_tail(book(*MARKET, *daily(path(moves)), positions=[tokens("wallet", ETH=1.0)]))
    assert len(tail.names) == 365
    assert max(tail.losses_usd) == pytest.approx(2000 * (1 - math.exp(-0.002)))
    assert min(tail.losses_usd) == pytest.approx(2000 * (1 - math.exp(0.001)))


def test_assets_move_together_on_the_days_that_both_have():
    other = [0.01] * 40 + [-0.04] * 60
    rows = [o for o in daily(path(other), asset="BTC") if o.at != START - 30 * DAY]
    view = book(*MARKET, *priced(BTC=40_000.0), *daily(path(RETURNS)), *rows, positions=[tokens("wallet", ETH=1.0, BTC=0.1)])
    tail = historical_tail(view)
    # A day that is missing takes two returns with it: the one to it and the one from it.
    assert len(tail.names) == 98
    assert "2024-02-03" not in tail.names and "2024-02-04" not in tail.names
    assert tail.losses_usd[0] == pytest.approx(2000 * (1 - math.exp(RETURNS[0])) + 4000 * (1 - math.exp(0.01)))
    assert tail.losses_usd[-1] == pytest.approx(2000 * (1 - math.exp(RETURNS[-1])) + 4000 * (1 - math.exp(-0.04)))


def four_hourly(returns: Sequence[float], *, asset: str = "ETH") -> list[Observation]:
    """4 h closes whose days end with these returns; the bars within a day say something else."""
    prices, first = path(returns), START - (len(returns) + 1) * DAY
    return [
        seen("candle.4h.close", asset, price * (1.0 if hour == 20 else 5.0), first + day * DAY + hour * HOUR)
        for day, price in enumerate(prices)
        for hour in range(0, 24, 4)
    ]


def test_without_daily_candles_the_last_4_h_close_of_each_day_is_its_close():
    days, moves = daily_returns(book(*four_hourly(RETURNS)), "ETH")
    assert moves == pytest.approx(RETURNS)
    assert (int(days[0]), int(days[-1])) == (TODAY - 100, TODAY - 1)


def test_a_bar_that_has_not_closed_is_not_a_day():
    early = [*daily(path(RETURNS)), seen("candle.1d.close", "ETH", 9999.0, START, known_at=START)]
    assert daily_returns(book(*early), "ETH")[1] == pytest.approx(RETURNS)
    assert len(daily_returns(book(*early, now=START + DAY - 1), "ETH")[1]) == 100
    assert len(daily_returns(book(*early, now=START + DAY), "ETH")[1]) == 101


def test_the_source_with_the_most_days_is_taken_of_the_perpetual_or_of_spot():
    few, many = daily(path(RETURNS[:70])), daily(path(RETURNS), asset="spot:ETH", source="s2")
    assert len(daily_returns(book(*few, *many), "ETH")[1]) == 100
    stale = [seen("candle.1d.close", "ETH", 1.0, START - n * DAY) for n in range(200, 4, -1)]
    assert len(daily_returns(book(*stale, *many), "ETH")[1]) == 100
    with pytest.raises(Unknown, match="old"):
        daily_returns(book(*stale), "ETH")


FRIDAY = parse_time("2024-03-01")
SESSIONS = [day for day in range(FRIDAY - 200 * DAY, FRIDAY + DAY, DAY) if is_session("nyse", day)]


def test_where_all_candles_are_old_the_daily_ones_say_so():
    old = [seen(f"candle.{bar}.close", "ETH", 1.0, START - n * DAY) for bar in ("1d", "4h") for n in range(200, 10, -1)]
    with pytest.raises(Unknown, match=r"candle\.1d\.close"):
        daily_returns(book(*old), "ETH")


def test_of_an_index_the_returns_are_from_session_to_session():
    moves = [float(one) for one in np.random.default_rng(2).normal(0, 0.01, len(SESSIONS) - 1)]
    rows = [seen("equity.close", "SPX", price, day) for price, day in zip(path(moves, 5000.0), SESSIONS, strict=True)]
    rest = seen("equity.close", "SPX", 1.0, FRIDAY - 6 * DAY)  # a Saturday
    days, found = daily_returns(book(*rows, rest), "SPX")
    assert found == pytest.approx(moves)
    assert [int(day) * DAY for day in days] == SESSIONS[1:]
    holed, _ = daily_returns(book(*(row for row in rows if row.at != SESSIONS[-3])), "SPX")
    assert len(holed) == len(days) - 2


# --- by the table ---


def test_the_table_revalues_the_book_in_named_states():
    tail = scenario_tail(book(*MARKET, positions=[tokens("wallet", ETH=3.0, USDC=500.0)]))
    assert tail.names == (*STRESS_DAYS, "-3 sigma", "-2 sigma", "-1 sigma", "+1 sigma", "+2 sigma", "+3 sigma")
    sigmas = [6000 * (1 - math.exp(n * 0.8 / math.sqrt(365))) for n in (-3, -2, -1, 1, 2, 3)]
    assert tail.losses_usd == pytest.approx([6000 * loss for loss in (0.446, 0.2774, 0.1156, 0.1568, 0.1738, 0.062)] + sigmas)
    assert (tail.worst, tail.still) == ("2020-03-12", ("USDC",))
    assert tail.var_usd == tail.es_usd == {95: pytest.approx(2676.0), 99: pytest.approx(2676.0)}


def test_each_asset_moves_by_its_own_column_and_other_coins_as_eth_does():
    view = book(
        *priced(BTC=1.0, ETH=1.0, SOL=1.0),
        seen("equity.close", "SPX", 1.0, FRIDAY),
        *volatile(BTC=50.0, ETH=50.0, SOL=50.0),
        seen("vix.close", "VIX", 20.0, FRIDAY),
        positions=[],
    )
    losses = {asset: scenario_tail(view, Coins({asset: 100.0})).losses_usd for asset in ("BTC", "ETH", "SOL", "SPX")}
    assert losses["BTC"][:6] == pytest.approx((39.50, 14.38, 11.64, 15.38, 14.15, 6.19))
    assert losses["SPX"][:6] == pytest.approx((9.51, 0.29, 3.20, 3.88, 2.08, 1.85))
    assert losses["SOL"] == losses["ETH"]


def test_what_the_table_does_not_know_is_not_guessed():
    view = book(*priced(ETH=1.0), seen("equity.close", "VXX", 50.0, FRIDAY))
    with pytest.raises(Unknown, match="the table of stress events has no moves of VXX"):
        scenario_tail(view, Coins({"VXX": 1.0}))
    with pytest.raises(Unknown, match="the volatility of ETH is not known"):
        scenario_tail(view, Coins({"ETH": 1.0}))


def test_where_a_day_is_missing_none_of_before_the_year_stands_in():
    rows = [row for row in daily(path([0.01] * 400)) if row.at != START - 100 * DAY]
    days, _ = daily_returns(book(*rows), "ETH")
    # 367 days back to the first close of all: 366 steps, less the two of the day that is missing.
    assert (len(days), int(days[0])) == (364, TODAY - 366)
