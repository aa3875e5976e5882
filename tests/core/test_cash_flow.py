"""Price to cash flow, and the share of an exposure that it justifies to hedge."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.book import Position
from monitor.core.cash_flow import CashFlow, Share, cash_flow_share, daily_ratios, justified_share, price_to_cash_flow
from monitor.core.exposure import Coins
from monitor.core.observation import Observation
from monitor.core.units import HOUR, MINUTE
from monitor.core.verdict import Unknown
from monitor.core.worth import Fees, Valuation
from tests.builders import START, series, view_of

OWN = CashFlow(10.0, "its fees of 30 days")


def test_price_to_cash_flow_is_the_value_over_the_fees_of_a_year():
    assert price_to_cash_flow(1000.0, Fees(1.0, annual_usd=100.0)) == OWN
    assert price_to_cash_flow(1000.0, Fees(1.0, annual_usd=100.0), pool_fee_apr=0.5) == OWN
    assert price_to_cash_flow(1000.0, Fees(1.0), pool_fee_apr=0.2) == CashFlow(5.0, "the fee APR of its pool")
    assert price_to_cash_flow(0.5, Fees(1.0, annual_usd=0.25)).ratio == 2.0


@pytest.mark.parametrize(
    ("value", "fees", "apr", "why"),
    [
        (0.0, Fees(0.0, annual_usd=1.0), None, "worth nothing"),
        (-1.0, Fees(0.0, annual_usd=1.0), None, "worth nothing"),
        (1.0, Fees(0.0), None, "not known yet"),
        (1.0, Fees(0.0, annual_usd=0.0), None, "by its fees of 30 days it earns nothing"),
        (1.0, Fees(0.0), 0.0, "by the fee APR of its pool it earns nothing"),
    ],
)
def test_without_value_or_fees_there_is_none(value: float, fees: Fees, apr: float | None, why: str):
    with pytest.raises(Unknown, match=why):
        price_to_cash_flow(value, fees, apr)


@pytest.mark.parametrize(
    ("history", "factor"),
    [([5.0] * 5, 0.5), ([4.9] * 5, 0.5), ([5.1] * 5, 0.51), ([9.0] * 5, 0.9), ([10.0] * 5, 1.0), ([10.1] * 5, 1.0), ([1, 2, 8, 9, 99], 0.8)],
)
def test_a_dear_position_is_hedged_less_and_never_below_half(history: list[float], factor: float):
    assert justified_share(OWN, history).factor == pytest.approx(factor)


def test_what_was_weighed_is_said():
    assert justified_share(OWN, [8.0] * 34) == Share(0.8, "P/CF 10.0 by its fees of 30 days against a median of 8.0 over 34 days")
    assert justified_share(OWN, [1.0] * 4) == Share(1.0, "P/CF 10.0 by its fees of 30 days, whose history is 4 of at least 5 days: not weighed")


@given(st.floats(0.01, 1e4), st.lists(st.floats(0.01, 1e4), max_size=12))
@example(10.0, [5.0] * 5)
@example(10.0, [10.0] * 5)
def test_the_share_is_between_a_half_and_one(ratio: float, history: list[float]):
    assert 0.5 <= justified_share(CashFlow(ratio, ""), history).factor <= 1.0


# --- of a position, from its own readings ---

LP = Position(id="p1", kind="uniswap-v3", chain="ethereum", token_id=7, assets=("USDC", "ETH"))
WORTH = Valuation(1_000_000.0, {}, {}, Coins({}))
EVERY_HOUR = [START - hours * HOUR for hours in range(40 * 24, -1, -1)]


def read(
    times: list[int] = EVERY_HOUR, *, fees0: Callable[[int], float] = lambda hour: hour * 10.0, tick: Callable[[int], int] = lambda hour: 0
) -> list[Observation]:
    """A range from tick -10 to 10 of 700,000 and 300,000 raw units; fees of token0 by the hour since the first reading, none of token1."""
    rows = []
    for at in times:
        hour = (at - times[0]) // HOUR
        numbers = {
            "tick": tick(hour), "tick_lower": -10, "tick_upper": 10, "amount0": 700_000, "amount1": 300_000, "fees0": int(fees0(hour)), "fees1": 0,
            "decimals0": 0, "decimals1": 0, "liquidity": 1,
        }  # fmt: skip
        rows += [Observation(f"position.{name}", "p1", "chain", at, at, value, "0x1") for name, value in numbers.items()]
    return rows


def test_each_midnight_has_its_ratio_once_there_are_24_hours_in_range():
    found = daily_ratios(view_of(*read()), LP)
    # On the n-th day there are 240 x min(n, 30) of fees in 24 x min(n, 30) hours, and all fees that were not collected are part of the worth.
    assert found == pytest.approx([(1_000_000 + 240 * day) / (10 * 8760) for day in range(1, 40)], rel=1e-9)


def test_fees_and_hours_are_those_of_the_30_days_before():
    late = read(fees0=lambda hour: max(0, hour - 5 * 24) * 20.0)
    found = daily_ratios(view_of(*late), LP)
    assert len(found) == 34, "none as long as it earned nothing"
    assert found[0] == pytest.approx((1_000_000 + 480) / (480 / (6 * 24) * 8760))
    assert found[-1] == pytest.approx((1_000_000 + 34 * 480) / (20 * 8760))
    assert found[25] == pytest.approx((1_000_000 + 26 * 480) / (26 * 480 / (30 * 24) * 8760))


def test_hours_out_of_range_do_not_count():
    half = read(tick=lambda hour: 0 if hour % 2 else 10)
    found = daily_ratios(view_of(*half), LP)
    price = 1.0001**10
    # At midnight it stands at tick 10, just outside: what is worth and what was earned are at that price.
    expected = (700_000 * price + 300_000 + 240 * 40 * price - 240 * price) / (20 * price * 8760)
    assert found[-1] == pytest.approx(expected, rel=1e-9)
    assert len(found) == 38
    assert daily_ratios(view_of(*read(tick=lambda hour: -11)), LP) == []
    assert len(daily_ratios(view_of(*read(tick=lambda hour: -10)), LP)) == 39


def test_while_nothing_comes_in_nothing_is_earned():
    flat = read(fees0=lambda hour: min(hour, 48) * 10.0)
    found = daily_ratios(view_of(*flat), LP)
    assert found[:3] == pytest.approx([(1_000_000 + earned) * hours / (earned * 8760) for earned, hours in ((240, 24), (480, 48), (480, 72))])


def test_the_first_midnight_is_that_after_the_first_reading():
    found = daily_ratios(view_of(*read([START - hours * HOUR for hours in (100, 28, *range(27, -1, -1))])), LP)
    # 96 hours before now came after 4 hours in range; 72, 48 and 24 hours before now after 28 and more, and the first rise is 28 hours old.
    assert found == pytest.approx([(1_000_000 + 760) * 76 / (760 * 8760)])


def test_one_raw_unit_of_worth_and_fees_is_enough_and_none_is_not():
    rows = [o for o in read(fees0=lambda hour: 1 if 0 < hour < 60 else 0) if "amount" not in o.metric]
    rows += [Observation(f"position.amount{side}", "p1", "chain", at, at, 0, "0x1") for side in (0, 1) for at in EVERY_HOUR]
    assert daily_ratios(view_of(*rows), LP) == pytest.approx([24 / 8760, 48 / 8760])


def test_a_collect_takes_nothing_from_what_was_earned():
    collected = read(fees0=lambda hour: (hour % 240) * 10.0)
    found = daily_ratios(view_of(*collected), LP)
    assert found[0] == pytest.approx((1_000_000 + 240) / (10 * 8760))
    # By day 35 there were three collects in 30 days, each of which hides an hour.
    assert found[34] == pytest.approx((1_000_000 + 5 * 240) / (10 * (720 - 3) / 720 * 8760))


def test_now_is_no_earlier_day():
    assert len(daily_ratios(view_of(*read(), now=START + MINUTE), LP)) == 40


def prices() -> list[Observation]:
    return [o for asset in ("USDC", "ETH") for source in ("a", "b") for o in series("price.usd", asset, [1.0] * 3, step_ms=MINUTE, source=source)]


def test_a_position_that_has_become_dear_is_hedged_less():
    slow = read(fees0=lambda hour: min(hour, 20 * 24) * 20.0 + max(0, hour - 20 * 24) * 12.0)
    found = cash_flow_share(view_of(*slow, *prices()), LP, WORTH)
    assert found is not None
    ratios = daily_ratios(view_of(*slow), LP)
    assert len(ratios) == 39
    earned = 10 * 24 * 20 + 20 * 24 * 12
    assert found.factor == pytest.approx(sorted(ratios)[19] / (1_000_000 / (earned * 8760 / 720)))
    assert 0.5 < found.factor < 1.0
    assert (
        found.basis
        == f"P/CF {1_000_000 / (earned * 8760 / 720):.1f} by its fees of 30 days against a median of {sorted(ratios)[19]:.1f} over 39 days"
    )


def test_what_earns_no_fees_is_not_weighed_and_what_is_not_known_says_so():
    assert cash_flow_share(view_of(), Position(id="p1", kind="tokens", amounts={"ETH": 1}), WORTH) is None
    young = read(EVERY_HOUR[-20:])
    found = cash_flow_share(view_of(*young, *prices()), LP, WORTH)
    assert found is not None
    assert found.factor == 1.0
    assert found.basis.startswith("P/CF not known, so not weighed: it was in range for 19.0 of at least 24 hours")
    blind = cash_flow_share(view_of(), LP, WORTH)
    assert blind is not None
    assert blind.basis.startswith("P/CF not known, so not weighed: ")


def test_a_young_position_is_reckoned_by_the_fee_apr_of_its_pool_where_somebody_feeds_it():
    young, fed = [*read(EVERY_HOUR[-20:]), *prices()], series("position.pool_fee_apr", LP.id, [0.25] * 3)
    found = cash_flow_share(view_of(*young, *fed), LP, WORTH)
    assert found is not None
    assert (found.factor, found.basis) == (1.0, "P/CF 4.0 by the fee APR of its pool, whose history is 0 of at least 5 days: not weighed")
    own = cash_flow_share(view_of(*read(), *prices(), *fed), LP, WORTH)
    assert own is not None and "by its fees of 30 days" in own.basis


def test_an_old_fee_apr_of_a_pool_is_none():
    fed = series("position.pool_fee_apr", LP.id, [0.25] * 3, end=START - 20 * HOUR)
    found = cash_flow_share(view_of(*read(EVERY_HOUR[-20:]), *prices(), *fed), LP, WORTH)
    assert found is not None
    assert found.factor == 1.0 and "P/CF not known" in found.basis
