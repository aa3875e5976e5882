"""What a lending position holds and is worth: supplied less owed, of one instant, at prices that may decide."""

import pytest

from monitor.core.book import Book, Position
from monitor.core.observation import Observation
from monitor.core.rule import Class, Intent
from monitor.core.sizing import size
from monitor.core.units import MINUTE
from monitor.core.valuation import value_position
from monitor.core.verdict import Unknown
from monitor.core.worth import newest
from tests.builders import START, proposal_of, series, view_of

LOAN = Position(id="loan", kind="aave-v3", chain="ethereum", account="0x" + "7" * 40, assets=("WETH", "USDC"))


def account(metric: str, value: float, at: int = START, source: str = "aave-v3") -> list[Observation]:
    times = (at - 2 * MINUTE, at - MINUTE, at)
    return [Observation(f"account.{metric}", "loan", source, time, time, value, f"0x{time}") for time in times]


def loan(**amounts: float) -> list[Observation]:
    names = {"supplied.WETH": 3.0, "borrowed.WETH": 0.5, "supplied.USDC": 100.0, "borrowed.USDC": 2100.0}
    return [row for metric, value in (names | amounts).items() for row in account(metric, value)]


def priced(**prices: float) -> list[Observation]:
    return [o for asset, p in prices.items() for s in ("a", "b") for o in series("price.usd", asset, [p] * 3, step_ms=MINUTE, source=s)]


PRICES = {"ETH": 2000.0, "USDC": 0.99}


def test_what_is_owed_is_taken_off_what_is_supplied():
    worth = value_position(view_of(*loan(), *priced(**PRICES)), LOAN)
    assert worth.amounts == {"ETH": 2.5, "USDC": -2000.0}
    assert worth.value_usd == pytest.approx(5000 - 1980)
    assert (worth.risk_asset, worth.block_hash) == ("ETH", f"0x{START}")


def test_a_short_of_the_collateral_can_be_sized_on_it():
    proposal = size(view_of(*loan(), *priced(**PRICES)), Book(), LOAN, Intent("short", ("top_up",)), proposal_of(kind=Class.EVIDENCE))
    assert proposal.notional_usd == pytest.approx(0.25 * 5000)


def test_an_amount_that_was_never_read_is_no_zero():
    rows = [row for row in loan() if row.metric != "account.borrowed.USDC"]
    with pytest.raises(Unknown, match="was not read yet"):
        value_position(view_of(*rows, *priced(**PRICES)), LOAN)


@pytest.mark.parametrize("changed", [account("supplied.WETH", 9.0, START + MINUTE), account("supplied.WETH", 9.0, START + MINUTE, "import")])
def test_amounts_of_two_instants_or_sources_are_not_mixed(changed: list[Observation]):
    rows = [row for row in loan() if row.metric != "account.supplied.WETH"]
    with pytest.raises(Unknown, match="more than one block, instant or source"):
        value_position(view_of(*rows, *changed, *priced(**PRICES), now=START + MINUTE), LOAN)


def test_stale_amounts_and_missing_prices_make_no_value():
    with pytest.raises(Unknown, match="old"):
        value_position(view_of(*loan(), *priced(**PRICES), now=START + 10 * MINUTE), LOAN)
    with pytest.raises(Unknown, match="no fresh price of USDC"):
        value_position(view_of(*loan(), *priced(ETH=2000.0)), LOAN)


@pytest.mark.parametrize("before", ["a", "z"])
def test_what_another_source_said_before_under_the_same_id_is_passed_over_for_what_is_read_now(before: str):
    names = ("supplied.WETH", "borrowed.WETH", "supplied.USDC", "borrowed.USDC")
    rows = [row for name in names for row in account(name, 7.0, START - 30 * MINUTE, before)]
    assert value_position(view_of(*rows, *loan(), *priced(**PRICES)), LOAN).amounts == {"ETH": 2.5, "USDC": -2000.0}
    later = view_of(*rows, *loan(), now=START + 30 * MINUTE)
    assert newest(later, "account.supplied.WETH", LOAN, fresh=False).value == 3.0
    with pytest.raises(Unknown, match="from aave-v3 is 30 min old"):
        newest(later, "account.supplied.WETH", LOAN)
    to_come = Observation("account.supplied.WETH", "loan", before, START + MINUTE, START, 7.0)
    assert newest(view_of(*loan(), to_come), "account.supplied.WETH", LOAN).value == 3.0
