"""The beta of the whole book: a sum of deltas and betas by share of equity, with the error of that sum."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from monitor.core.beta import beta
from monitor.core.market_beta import Floats, at_closes, book_beta
from monitor.core.observation import Observation
from monitor.core.sessions import is_session
from monitor.core.units import DAY, HOUR, parse_time
from monitor.core.verdict import Unknown
from monitor.core.view import Window
from monitor.core.vocabulary import SESSION_CLOSE_MS
from tests.builders import seen
from tests.core.books import book, layered, priced, short, tokens

LAST = parse_time("2024-05-31")
SESSIONS = [day for day in range(LAST - 120 * DAY, LAST + DAY, DAY) if is_session("nyse", day)][-61:]
NOW = LAST + SESSION_CLOSE_MS
DICE = np.random.default_rng(12)
MARKET = DICE.normal(0, 0.01, 60)
ETHER = 2 * MARKET + DICE.normal(0, 0.02, 60)
COIN = 1.5 * MARKET + DICE.normal(0, 0.03, 60)
CLOSE = "candle.4h.close"


def levels(moves: Sequence[float] | Floats, start: float = 1000.0) -> list[float]:
    return [float(price) for price in start * np.exp(np.cumsum([0.0, *moves]))]


def closes(subject: str, moves: Sequence[float] | Floats, source: str = "s1") -> list[Observation]:
    """The 4 h bar that closes at 20:00 UTC on each session, amid bars that say something else."""
    at_close = [seen(CLOSE, subject, price, day + 16 * HOUR, source) for price, day in zip(levels(moves), SESSIONS, strict=True)]
    return [*at_close, *(seen(CLOSE, subject, 1.0, day + 12 * HOUR, source) for day in SESSIONS)]


INDEX = [seen("equity.close", "SPX", price, day) for price, day in zip(levels(MARKET, 5000.0), SESSIONS, strict=True)]
PRICES = priced(NOW, ETH=2000.0, BTC=50_000.0, USDC=1.0)
OLDER = seen("equity.close", "SPX", 1.0, max(day for day in range(SESSIONS[0] - 9 * DAY, SESSIONS[0], DAY) if is_session("nyse", day)))
EVERY = [*INDEX, *PRICES, *closes("ETH", ETHER), *closes("BTC", COIN)]


def test_it_is_the_sum_of_usd_delta_times_beta_over_equity_with_the_layers():
    view = book(*EVERY, positions=[tokens("wallet", ETH=3.0, BTC=0.04, USDC=2000.0)], state=layered(("active", short(1000.0))), now=NOW)
    found = book_beta(view)
    assert found.value == pytest.approx((5000 * beta(ETHER, MARKET).value + 2000 * beta(COIN, MARKET).value) / 10_000, rel=1e-9)
    assert found.error == pytest.approx(beta(0.5 * ETHER + 0.2 * COIN, MARKET).error, rel=1e-9)
    assert found.sessions == 60


def test_a_hedged_book_has_the_beta_of_what_is_left_and_a_short_one_a_negative_beta():
    hedged = book(*EVERY, positions=[tokens("wallet", ETH=3.0)], state=layered(("active", short(6000.0))), now=NOW)
    assert [book_beta(hedged).value, book_beta(hedged).error] == pytest.approx([0.0, 0.0])
    over = book(*EVERY, positions=[tokens("wallet", ETH=3.0)], state=layered(("active", short(12_000.0))), now=NOW)
    assert book_beta(over).value == pytest.approx(-beta(ETHER, MARKET).value)


def test_stablecoins_are_still_and_the_index_is_itself():
    cash = book(*EVERY, positions=[tokens("cash", USDC=10.0)], now=NOW)
    assert book_beta(cash) == (0.0, 0.0, 60)
    view = book(*EVERY, *priced(NOW, SPX=5000.0), positions=[tokens("fund", SPX=2.0)], now=NOW)
    assert list(book_beta(view)) == pytest.approx([1.0, 0.0, 60], abs=1e-9)


def test_a_fund_is_sampled_by_its_own_closes():
    rows = [seen("equity.close", "VXX", price, day) for price, day in zip(levels(-3 * MARKET), SESSIONS, strict=True)]
    view = book(*EVERY, *rows, *priced(NOW, VXX=50.0), positions=[tokens("fund", VXX=2.0)], now=NOW)
    assert book_beta(view).value == pytest.approx(-3.0)
    with pytest.raises(Unknown, match=r"nobody has given equity\.close of VXX yet"):
        book_beta(book(*EVERY, *priced(NOW, VXX=50.0), positions=[tokens("fund", VXX=2.0)], now=NOW))


def test_a_session_without_a_price_of_one_asset_is_left_out_for_all():
    rows = [row for row in EVERY if not (row.subject == "BTC" and row.at == SESSIONS[30] + 16 * HOUR)]
    found = book_beta(book(*rows, positions=[tokens("wallet", ETH=3.0, BTC=0.04)], now=NOW))
    kept = np.delete(np.arange(60), [29, 30])
    assert found.sessions == 58
    assert found.value == pytest.approx(beta(0.75 * ETHER[kept] + 0.25 * COIN[kept], MARKET[kept]).value, rel=1e-9)


@pytest.mark.parametrize(
    ("dropped", "why"),
    [
        (lambda row: row.subject == "SPX", "nobody has given equity.close of SPX yet"),
        (lambda row: row.metric == CLOSE and row.subject == "BTC", "nobody has given 4 h candles of BTC yet"),
        (lambda row: row.subject == "SPX" and row.at == SESSIONS[0], "60 bars in a row of equity.close SPX, 61 are needed"),
        (lambda row: row.metric == "price.usd" and row.subject == "ETH", "wallet: no fresh price of ETH"),
    ],
    ids=["no index", "no candles", "one session too few", "no price"],
)
def test_what_cannot_be_known_is_named(dropped: Callable[[Observation], bool], why: str):
    view = book(*(row for row in EVERY if not dropped(row)), positions=[tokens("wallet", ETH=3.0, BTC=0.04)], now=NOW)
    with pytest.raises(Unknown, match=why):
        book_beta(view)


def test_without_equity_or_movement_there_is_no_beta():
    debt = {"id": "perp", "kind": "perp", "asset": "ETH", "size": 1.0, "entry_price": 3000.0, "margin": 1000.0}
    with pytest.raises(Unknown, match="no equity"):
        book_beta(book(*EVERY, positions=[debt], now=NOW))
    dust = book_beta(book(*EVERY, positions=[tokens("dust", ETH=0.0001)], now=NOW))
    assert dust.value == pytest.approx(beta(ETHER, MARKET).value)
    flat = [seen("equity.close", "SPX", 5000.0, day) for day in SESSIONS]
    with pytest.raises(Unknown, match="no beta of the book: the market has not moved"):
        book_beta(book(*flat, *EVERY[61:], positions=[tokens("wallet", ETH=1.0)], now=NOW))


def equity() -> Window:
    at = np.array(SESSIONS, dtype=np.int64)
    return Window(at, at, np.array(levels(MARKET)), DAY, "s1")


def test_prices_at_closes_are_of_the_perpetual_before_spot_and_of_the_first_source_that_has_enough():
    rows = closes("ETH", ETHER, "thin")[:50]
    view = book(*rows, *closes("ETH", COIN, "whole"), *closes("spot:ETH", MARKET), now=NOW)
    assert at_closes(view, "ETH", equity()) == pytest.approx(levels(COIN))
    assert at_closes(book(*rows, *closes("spot:ETH", MARKET), now=NOW), "ETH", equity()) == pytest.approx(levels(MARKET))


@pytest.mark.parametrize(("missing", "enough"), [(range(6), True), (range(7), False), ([58], False), ([59], False), ([60], False), ([57], True)])
def test_nine_tenths_of_the_closes_are_needed_and_the_last_three(missing: Sequence[int], enough: bool):
    gone = {SESSIONS[place] + 16 * HOUR for place in missing}
    view = book(*(row for row in closes("ETH", ETHER) if row.at not in gone), now=NOW)
    if enough:
        assert np.isnan(at_closes(view, "ETH", equity())).sum() == len(missing)
    else:
        said = f"{61 - len(missing)} of 61 sessions have a 4 h close of ETH at 20:00 UTC, and the last 3 must"
        with pytest.raises(Unknown, match=said):
            at_closes(view, "ETH", equity())


def test_sessions_before_the_sixty_are_not_looked_at():
    assert is_session("nyse", OLDER.at)
    view = book(*EVERY, OLDER, positions=[tokens("wallet", ETH=3.0)], now=NOW)
    assert book_beta(view).value == pytest.approx(beta(ETHER, MARKET).value)


def test_a_session_is_sampled_at_its_close_whatever_the_hour_it_is_dated_by():
    whole = equity()
    later = Window(whole.at + 3 * HOUR, whole.known_at, whole.value, DAY, "s1")
    assert at_closes(book(*closes("ETH", ETHER), now=NOW), "ETH", later) == pytest.approx(levels(ETHER))


def test_exactly_nine_tenths_are_enough():
    whole, gone = equity(), {SESSIONS[place] + 16 * HOUR for place in range(1, 7)}
    sixty = Window(whole.at[1:], whole.known_at[1:], whole.value[1:], DAY, "s1")
    assert np.isnan(at_closes(book(*(row for row in closes("ETH", ETHER) if row.at not in gone), now=NOW), "ETH", sixty)).sum() == 6


def test_candles_that_are_no_longer_fresh_say_nothing_of_beta():
    rows = closes("ETH", ETHER)
    with pytest.raises(Unknown, match="old"):
        at_closes(book(*rows, now=NOW + 2 * DAY), "ETH", equity())
    assert math.isfinite(at_closes(book(*rows, now=NOW), "ETH", equity())[0])
