"""Which liquidation threshold is in force, as each version of Aave v3 says it: a node out of tables."""

import pytest

from monitor.chain import Call
from tests.collectors.aave_node import ACCOUNT, FEED, GONE, MODE, POOL, USDC, WETH, account, configured, data, node, user
from tests.fake_chain import FakeChain


def pool(function: str, *args: object) -> Call:
    return Call(POOL, "aave_v3_pool", function, args)


def in_mode(chain: FakeChain, *, modern: bool, members: int = 0b10, threshold: int = 9300) -> FakeChain:
    """The account in efficiency mode 7, as versions up to v3.1 say it, or as those since v3.2 do."""
    chain.say(MODE, 7)
    chain.say(configured(WETH), 18 << 48 | 1 << 56 | 8250 << 16 | (0 if modern else 7 << 168))
    for token, number in ((USDC, 0), (WETH, 1)):
        chain.say(pool("getReserveData", token), *[0] * 7, number)
    chain.say(pool("getEModeCategoryData", 7), (9000, threshold, 10100, FEED, "alike"))
    for name, outputs in (("getEModeCategoryCollateralConfig", (9000, threshold, 10100)), ("getEModeCategoryCollateralBitmap", (members,))):
        chain.say(pool(name, 7), *outputs) if modern else chain.say_raw(pool(name, 7), *GONE)
    return chain


@pytest.mark.parametrize(("modern", "members", "expected"), [(False, 0, 0.93), (True, 0b10, 0.93), (True, 0b101, 0.825)])
def test_the_threshold_in_force_is_that_of_the_efficiency_mode_for_its_members(modern: bool, members: int, expected: float) -> None:
    seen, rejected = account(in_mode(node(), modern=modern, members=members))
    assert (seen["liquidation_threshold.WETH"], rejected) == (expected, [])
    assert seen["liquidation_threshold.USDC"] == 0.0


def test_what_is_switched_off_as_collateral_has_no_threshold() -> None:
    chain = node()
    chain.say(data("getUserReserveData", WETH, ACCOUNT), *user(2 * 10**18, 0, is_collateral=False))
    assert account(chain)[0]["liquidation_threshold.WETH"] == 0.0


def test_a_mode_that_cannot_be_costs_the_thresholds_alone() -> None:
    chain = in_mode(node(), modern=True, threshold=10_000)
    assert account(chain)[0]["liquidation_threshold.WETH"] == 1.0
    cases = [
        (in_mode(node(), modern=True, threshold=10_001), "loan: the efficiency mode of the account has a liquidation threshold of more than 100%"),
        (in_mode(node(), modern=False, threshold=10_001), "loan: the efficiency mode of the account has a liquidation threshold of more than 100%"),
    ]
    chain = node()
    chain.say(MODE, 256)
    cases.append((chain, "loan: getUserEMode answers 256, which is no efficiency mode"))
    chain = in_mode(node(), modern=True)
    chain.say(pool("getReserveData", WETH), *[0] * 7, 128)
    cases.append((chain, "loan: getReserveData answers the reserve number 128, of at most 127"))
    for chain, reason in cases:
        seen, rejected = account(chain)
        assert rejected == [reason]
        assert (seen["health_factor"], seen["supplied.WETH"]) == (3.3, 2.0)
        assert "liquidation_threshold.WETH" not in seen


def test_the_last_mode_and_the_last_reserve_there_can_be_are_read() -> None:
    chain = in_mode(node(), modern=True, members=1 << 127)
    chain.say(pool("getReserveData", WETH), *[0] * 7, 127)
    assert account(chain)[0]["liquidation_threshold.WETH"] == 0.93
    chain.say(MODE, 255)
    assert "does not decode" in account(chain)[1][0]
