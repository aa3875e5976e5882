"""A treasury's equity: what it holds and is owed, less what it owes; by the arithmetic of the quick ratio, of one instant."""

import pytest

from monitor.core.book import Position
from monitor.core.exposure import Coins
from monitor.core.observation import Observation
from monitor.core.treasury import LIABILITIES, Sheet, holdings, price_at
from monitor.core.treasury import declared as declared_at
from monitor.core.units import DAY, HOUR, MINUTE
from monitor.core.valuation import value_position
from monitor.core.verdict import Unknown
from monitor.core.worth import Valuation
from monitor.rules.quick_ratio import QuickRatio
from tests.builders import START, series, view_of

X = "protocol:x"
TREASURY = Position(id="t", kind="treasury", protocol=X)


def read(metric: str, value: float, at: int = START, source: str = "wallets", block: str = "0x") -> list[Observation]:
    times = (at - 2 * HOUR, at - HOUR, at)
    return [Observation(f"treasury.{metric}", X, source, time, time, value, block and f"{block}{time}") for time in times]


def tokens(**amounts: float) -> list[Observation]:
    return [row for asset, amount in amounts.items() for row in read(f"tokens.{asset}", amount)]


def sums(source: str = "llama", **usd: float) -> list[Observation]:
    return [row for part, amount in usd.items() for row in read(f"{part}_usd", amount, source=source, block="")]


def declared(liabilities: float, receivables: float = 0.0) -> list[Observation]:
    return sums("wallets", liabilities=liabilities, receivables=receivables)


def priced(**prices: float) -> list[Observation]:
    return [o for asset, p in prices.items() for s in ("a", "b") for o in series("price.usd", asset, [p] * 3, step_ms=MINUTE, source=s)]


def valued(*rows: list[Observation], now: int = START) -> Valuation:
    return value_position(view_of(*(row for part in rows for row in part), now=now), TREASURY)


PRICES = priced(ETH=2000.0, USDC=0.5, UNI=4.0, WSTETH=2400.0)


def test_equity_is_assets_and_receivables_less_liabilities() -> None:
    worth = valued(tokens(USDC=1000.0, ETH=1.0, WETH=2.0, UNI=25.0), declared(5000.0, 300.0), PRICES)
    assert worth.value_usd == 500 + 2000 + 4000 + 100 + 300 - 5000
    assert worth.amounts == {"USDC": 1000.0, "ETH": 3.0, "UNI": 25.0}
    assert worth.delta_usd == {"USDC": 500.0, "ETH": 6000.0, "UNI": 100.0}
    assert worth.exposure == Coins({"USDC": 1000.0, "ETH": 3.0, "UNI": 25.0}, -4700.0)
    assert (worth.block_hash, worth.risk_asset) == (f"0x{START}", "ETH")


def test_the_newest_amounts_count_and_none_before_them() -> None:
    def of(at: int, block: str, **amounts: float) -> list[Observation]:
        return [Observation(f"treasury.tokens.{asset}", X, "wallets", at, START, amount, block) for asset, amount in amounts.items()]

    earlier = [row for n in (2, 1) for row in of(START - n * HOUR, "0x", USDC=77.0 * n, ETH=77.0 * n, UNI=77.0 * n)]
    newest = of(START, "0xnew", USDC=10.0, ETH=0.0, UNI=3.0)
    # Two instants whose amounts are both recent enough: the later one counts, not the one before it.
    near = of(START - MINUTE, "0x", USDC=5.0, ETH=5.0, UNI=5.0)
    for rows in ([*earlier, *newest], [*earlier, *near, *newest]):
        worth = valued(rows, declared(1.0), PRICES)
        assert (worth.amounts, worth.value_usd, worth.block_hash) == ({"USDC": 10.0, "UNI": 3.0}, 16.0, "0xnew")


def test_it_is_the_rule_s_own_arithmetic() -> None:
    rows = [*tokens(USDC=1000.0, ETH=1.0, WSTETH=0.5), *declared(4000.0, 300.0), *PRICES]
    verdict = QuickRatio().judge(view_of(*rows), X)
    [ratio] = [one.value for one in verdict.conditions if one.name == "quick ratio"]
    assert ratio is not None
    assert value_position(view_of(*rows), TREASURY).value_usd == pytest.approx(ratio * 4000 - 4000)


def test_a_treasury_may_owe_more_than_it_has_or_nothing() -> None:
    assert valued(tokens(USDC=1000.0), declared(5000.0), PRICES).value_usd == -4500
    assert valued(tokens(USDC=1000.0), declared(0.0), PRICES).value_usd == 500
    nothing = valued(tokens(USDC=0.0), declared(7.0), PRICES)
    assert (nothing.value_usd, nothing.amounts, nothing.block_hash) == (-7.0, {}, "")


def test_a_provider_s_sums_give_a_value_and_no_amounts() -> None:
    worth = valued(sums(stables=100.0, majors=40.0, others=3.0, own_tokens=1e9), declared(50.0, 8.0))
    assert (worth.value_usd, worth.amounts, worth.delta_usd, worth.block_hash) == (101.0, {}, {}, "")
    assert worth.exposure == Coins({}, 101.0)
    assert valued(sums(stables=100.0, majors=40.0), declared(50.0)).value_usd == 90.0


def test_wallets_stand_before_a_provider_s_sums() -> None:
    assert valued(tokens(USDC=1000.0), sums(stables=1e6, majors=0.0, others=0.0), declared(0.0), PRICES).value_usd == 500


def test_receivables_that_nobody_declared_are_none_and_liabilities_must_be_said() -> None:
    assert valued(tokens(USDC=1000.0), sums("hand", liabilities=100.0), PRICES).value_usd == 400
    with pytest.raises(Unknown, match="nobody says what protocol:x owes"):
        valued(tokens(USDC=1000.0), PRICES)
    with pytest.raises(Unknown, match="nobody says what protocol:x holds"):
        valued(declared(100.0))


def test_holdings_of_several_instants_are_not_added_up() -> None:
    late = read("tokens.ETH", 1.0, START - HOUR)
    with pytest.raises(Unknown, match="the holdings of protocol:x come from more than one block, instant or source"):
        valued(tokens(USDC=1000.0), late, declared(0.0), PRICES)
    with pytest.raises(Unknown, match="the holdings of protocol:x come from more than one"):
        valued(sums(stables=1.0, majors=1.0), read("others_usd", 3.0, START - HOUR, "llama", ""), declared(0.0))


def test_a_token_that_was_taken_out_is_held_no_longer_once_it_is_old() -> None:
    gone = read("tokens.ETH", 1.0, START - 4 * HOUR)
    assert valued(tokens(USDC=1000.0), gone, declared(0.0), PRICES).value_usd == 500


def test_prices_and_holdings_must_be_fresh() -> None:
    with pytest.raises(Unknown, match="no fresh price of UNI"):
        valued(tokens(UNI=1.0), declared(0.0), priced(ETH=1.0))
    with pytest.raises(Unknown, match="old"):
        valued(tokens(USDC=1.0), declared(0.0), PRICES, now=START + 4 * HOUR)


def test_the_four_sums() -> None:
    sheet = Sheet(1.0, 20.0, 300.0, 4000.0)
    assert (sheet.ratio, sheet.equity_usd(50_000.0)) == (321 / 4000, 46_321.0)


# --- how far back ---


def test_holdings_are_read_eight_days_further_back_than_asked_for() -> None:
    rows = [row for part in ("stables", "majors") for row in series(f"treasury.{part}_usd", X, [1.0] * 12, step_ms=DAY)]
    assert holdings(view_of(*rows), X, 0).at.tolist() == [START - days * DAY for days in range(8, -1, -1)]
    wallets = series("treasury.tokens.ETH", X, [1.0] * 12, step_ms=DAY)
    assert holdings(view_of(*wallets), X, DAY).at.tolist() == [START - days * DAY for days in range(9, -1, -1)]


def test_a_provider_s_sums_count_where_both_are_given() -> None:
    stables, majors = (series(f"treasury.{part}_usd", X, [1.0, 2.0, 3.0, 4.0], step_ms=DAY) for part in ("stables", "majors"))
    held = holdings(view_of(*stables, majors[0], *majors[2:]), X, 0)
    assert held.at.tolist() == [START - 3 * DAY, START - DAY, START]
    assert [column.tolist() for column in held.columns.values()] == [[1.0, 3.0, 4.0]] * 2


def test_what_was_declared_counts_for_a_hundred_days() -> None:
    view = view_of(*series(LIABILITIES, X, [float(days) for days in range(110, -1, -1)], step_ms=DAY))
    assert declared_at(view, LIABILITIES, X, 0, START - 100 * DAY) == 100.0
    with pytest.raises(Unknown, match=f"{LIABILITIES} of {X} is not known of 2023-11-24$"):
        declared_at(view, LIABILITIES, X, 0, START - 101 * DAY)


def test_an_amount_is_held_for_exactly_three_cadences() -> None:
    wallets = [row for asset in ("ETH", "USDC") for row in series(f"treasury.tokens.{asset}", X, [5.0] * 3)]
    for late_ms, amounts in ((3 * HOUR, {"ETH": 5.0, "USDC": 7.0}), (3 * HOUR + 1, {"USDC": 7.0})):
        newest = Observation("treasury.tokens.USDC", X, "s1", START + late_ms, START + late_ms, 7.0)
        assert holdings(view_of(*wallets, newest, now=START + late_ms), X, 0, ("USDC", "ETH")).amounts(-1) == amounts


def test_a_price_of_then_is_read_no_further_back_than_the_day_before() -> None:
    view = view_of(*series("price.usd", "ETH", [float(hours) for hours in range(99, -1, -1)]))
    assert price_at(view, "ETH", START - 2 * DAY) == sum(range(48, 72)) / 24
    # It is thought of again when the oldest of what was read has left that day, which is the first after now.
    assert view.due == START + 1
