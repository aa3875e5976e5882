"""The Aave v3 collector against a node out of tables: what each version of the protocol answers, and what each gap costs."""

import pytest

from monitor.chain import Call
from monitor.collectors.aave_v3 import AaveV3
from monitor.core.aave import HEALTHIEST, RAY, apy
from monitor.core.book import Chain, Position, Watch
from monitor.core.door import admit
from monitor.errors import SourceError
from monitor.registry import build
from monitor.source import Harvest
from tests.collectors.aave_node import (
    ACCOUNT,
    BALANCE,
    BEHIND,
    BRIDGED,
    CURVE,
    DATA,
    DEFICIT,
    FEED,
    GONE,
    JOINT,
    LOAN,
    MARKET,
    NOW,
    OLD_PARTS,
    ORACLE,
    OTHER,
    POOL,
    PROVIDER,
    RPC,
    SETTINGS,
    SOURCE,
    USDC,
    WETH,
    account,
    configured,
    data,
    feed,
    node,
    old_strategy,
    poll,
    reserve,
    user,
    values,
    watch,
)
from tests.fake_chain import FakeChain


def test_a_market_and_an_account_are_read_at_one_block_and_pass_the_door_whole() -> None:
    chain = node()
    harvest = poll(chain, watch(LOAN))
    assert harvest.rejected == []
    assert values(harvest) == {
        "supplied": 1_000_000.0,
        "borrowed": 900_000.0,
        "status": 0.0,
        "utilisation": 0.9,
        "supply_apy": apy(0.0405),
        "borrow_apr": 0.05,
    }
    assert values(harvest, "loan") == {
        "supplied.USDC": 0.0,
        "borrowed.USDC": 1000.0,
        "supplied.WETH": 2.0,
        "borrowed.WETH": 0.0,
        "liquidation_threshold.USDC": 0.0,
        "liquidation_threshold.WETH": 0.825,
        "oracle_age_seconds": 600.0,
        "health_factor": 3.3,
        "collateral_usd": 4000.0,
        "debt_usd": 1000.0,
    }
    assert {(row.at, row.block_hash) for row in harvest.readings} == {(NOW * 1000, chain.head["hash"])}
    assert admit(harvest.readings, source="aave-v3", received_at=NOW * 1000).rejections == ()
    assert SOURCE.provides(watch(LOAN)) <= {(row.metric, row.subject) for row in harvest.readings}


@pytest.mark.parametrize(
    "watched",
    [
        watch(markets=("lending:local/compound-v3/USDC", "lending:moon/aave-v3/USDC")),
        watch(Position(id="p", kind="aave-v3", chain="moon", account=ACCOUNT, assets=("USDC",)), markets=()),
        watch(Position(id="p", kind="perp", asset="ETH", size=1.0), markets=()),
    ],
)
def test_what_is_not_its_own_costs_no_request(watched: Watch) -> None:
    chain = node()
    assert SOURCE.provides(watched) == frozenset()
    assert poll(chain, watched) == Harvest([], [])
    assert chain.asked == []


# --- versions ---


def newer(chain: FakeChain, is_virtual: bool = True) -> FakeChain:
    """The same market as v3.3 answers: a balance of its own count, bad debt, one strategy for all reserves."""
    chain.say(data("getVirtualUnderlyingBalance"), 3 * 10**11)
    chain.say(data("getIsVirtualAccActive"), is_virtual)
    chain.say(DEFICIT, 12 * 10**11)
    chain.say(JOINT, *CURVE)
    for part in OLD_PARTS:
        chain.say_raw(old_strategy(part), *GONE)
    return chain


def test_since_v3_1_the_market_s_own_count_is_what_is_available_and_bad_debt_dilutes_the_suppliers() -> None:
    seen = values(poll(newer(node()), watch()))
    assert seen["utilisation"] == 0.75
    assert seen["borrow_apr"] == pytest.approx(0.05 * 0.75 / 0.9)
    assert seen["supply_apy"] == pytest.approx(apy(0.05 * 0.75 / 0.9 * (9 / 24) * 0.9))


def test_a_token_that_is_only_minted_has_no_utilisation_and_its_stored_rates() -> None:
    harvest = poll(newer(node(), is_virtual=False), watch())
    assert "utilisation" not in values(harvest)
    assert (values(harvest)["borrow_apr"], values(harvest)["supply_apy"]) == (0.05, apy(0.04))
    assert harvest.rejected == [f"{MARKET}: this token is minted, not lent out of a reserve: it has no utilisation"]


def test_a_strategy_that_shows_no_curve_leaves_the_stored_rates_and_is_no_error() -> None:
    chain = node()
    for part in OLD_PARTS:
        chain.say_raw(old_strategy(part), *GONE)
    chain.say(data("getReserveData"), *reserve(rate=RAY * 7))
    harvest = poll(chain, watch())
    assert (values(harvest)["borrow_apr"], values(harvest)["supply_apy"]) == (7.0, apy(0.04))
    assert harvest.rejected == []


def test_a_curve_of_which_a_part_is_missing_is_refused_and_not_taken_for_none() -> None:
    chain = node()
    chain.say_raw(old_strategy("getVariableRateSlope1"), *GONE)
    assert poll(chain, watch()).rejected == [f"{MARKET}: its strategy shows 3 of the 4 parts of its curve"]


@pytest.mark.parametrize("damaged", ["getVirtualUnderlyingBalance", "getIsVirtualAccActive"])
def test_a_function_that_answers_nonsense_is_not_taken_for_one_that_is_not_there(damaged: str) -> None:
    chain = newer(node())
    chain.say_raw(data(damaged), b"short")
    assert poll(chain, watch()).rejected == [f"{MARKET}: the answer of {damaged} does not decode: InsufficientDataBytes"]


def test_a_virtual_balance_that_reverts_is_not_replaced_by_what_lies_there() -> None:
    chain = newer(node())
    chain.say_raw(data("getVirtualUnderlyingBalance"), *GONE)
    assert poll(chain, watch()).rejected == [f"{MARKET}: getVirtualUnderlyingBalance reverted"]


def test_amounts_and_decimals_that_no_token_has_are_refused() -> None:
    chain = node()
    chain.say(BALANCE, 2**128)
    assert poll(chain, watch()).rejected == [f"{MARKET}: an amount of 3.4e+38 raw units is more than there is of any token: ask another node"]
    chain.say(BALANCE, 2**128 - 1)
    assert poll(chain, watch()).rejected == []
    chain.say(configured(USDC), 78 << 48)
    assert poll(chain, watch()).rejected == [f"{MARKET}: getConfiguration answers 78 decimals, which no amount can have"]


def test_a_curve_that_the_contract_itself_could_not_follow_costs_the_rates_alone() -> None:
    chain = node()
    chain.say(data("getReserveData"), *reserve(borrowed=0, rate=0))
    chain.say(old_strategy("OPTIMAL_USAGE_RATIO"), 0)
    harvest = poll(chain, watch())
    assert harvest.rejected == [f"{MARKET}: its curve gives no rates: division by zero, where the contract reverts"]
    assert values(harvest)["supplied"] == 1_000_000.0


# --- what is not believed ---


def test_full_use_passes_and_a_rate_beyond_the_curve_is_refused_F_076() -> None:
    chain = node()
    chain.say(BALANCE, 0)
    chain.say(data("getReserveData"), *reserve(rate=RAY * 65 // 100))
    full = poll(chain, watch())
    assert (values(full)["utilisation"], values(full)["borrow_apr"], full.rejected) == (1.0, 0.65, [])
    chain.say(data("getReserveData"), *reserve(rate=RAY * 65 // 100 + 1))
    beyond = poll(chain, watch())
    assert values(beyond).keys() & {"borrow_apr", "supply_apy"} == set()
    assert values(beyond)["utilisation"] == 1.0
    assert "beyond the 65.0% that its own curve charges at full use" in beyond.rejected[0]


def test_rates_are_those_of_now_and_not_of_the_last_touch_F_077() -> None:
    chain = node()
    chain.say(data("getReserveData"), *reserve(rate=RAY // 100))
    assert values(poll(chain, watch()))["borrow_apr"] == 0.05


@pytest.mark.parametrize(
    ("bits", "status"),
    [(0, 0), (1 << 57, 1), (1 << 60, 2), (1 << 57 | 1 << 60, 2)],
    ids=["open", "frozen", "paused", "frozen and paused"],
)
def test_the_state_of_a_market_and_its_caps_are_told_F_077(bits: int, status: int) -> None:
    chain = node()
    chain.say(configured(USDC), SETTINGS | bits | 5_000 << 80 | 7_000 << 116)
    seen = values(poll(chain, watch()))
    assert (seen["status"], seen["borrow_cap"], seen["supply_cap"]) == (status, 5_000, 7_000)


def test_a_market_that_is_not_active_is_paused() -> None:
    chain = node()
    chain.say(configured(USDC), SETTINGS & ~(1 << 56))
    assert values(poll(chain, watch()))["status"] == 2


def test_rewards_are_no_part_of_a_rate_and_are_never_given_F_079() -> None:
    harvest = poll(node(), watch(LOAN))
    assert values(harvest)["supply_apy"] == apy(0.0405)
    assert "lending.reward_apr" not in {row.metric for row in harvest.readings}


@pytest.mark.parametrize(
    "call",
    [data("getReserveData"), configured(USDC), data("getReserveTokensAddresses"), data("getInterestRateStrategyAddress"), BALANCE],
    ids=lambda call: call.function,
)
def test_a_missing_part_refuses_its_market_and_is_never_a_zero(call: Call) -> None:
    chain = node()
    chain.say_raw(call, *GONE)
    assert poll(chain, watch()) == Harvest([], [f"{MARKET}: {call.function} reverted"])


def test_an_asset_that_the_market_does_not_list_is_named_with_a_cure() -> None:
    harvest = poll(node(), watch(markets=("lending:local/aave-v3/GHO", MARKET)))
    assert harvest.rejected == ["lending:local/aave-v3/GHO: 0 reserves of this market are called GHO: add reserves: {local/GHO: 0x..} to this source"]
    assert values(harvest)["borrow_apr"] == 0.05


def test_two_tokens_of_one_symbol_are_told_apart_by_hand_alone() -> None:
    chain = node()
    chain.say(Call(DATA, "aave_v3_data_provider", "getAllReservesTokens"), [("USDC", BRIDGED), ("USDC", USDC)])
    assert "2 reserves of this market are called USDC" in poll(chain, watch()).rejected[0]
    source = AaveV3(providers={"local": PROVIDER}, reserves={"local/USDC": USDC.upper().replace("0X", "0x")})
    assert values(poll(chain, watch(), source))["borrow_apr"] == 0.05


def test_a_well_known_token_needs_no_symbol() -> None:
    chain, known = node(), "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
    chain.say(Call(DATA, "aave_v3_data_provider", "getAllReservesTokens"), [("USDC", BRIDGED), ("USDC", known)])
    source = AaveV3(providers={"ethereum": PROVIDER})
    watched = watch(markets=("lending:ethereum/aave-v3/USDC",), chains={"ethereum": Chain(rpc=RPC, chain_id=31337)})
    [reason] = poll(chain, watched, source).rejected
    assert reason.endswith("the answer of getReserveTokensAddresses does not decode: InsufficientDataBytes")
    assert any(known[2:] in str(params) for _, params in chain.asked)


# --- accounts ---


def test_health_on_a_price_that_is_too_old_is_refused_and_its_age_shown_F_078() -> None:
    chain = node()
    feed(chain, FEED, NOW - 26 * 3600)
    assert "health_factor" in account(chain)[0]
    feed(chain, FEED, NOW - 26 * 3600 - 1)
    seen, rejected = account(chain)
    assert seen["oracle_age_seconds"] == 26 * 3600 + 1
    assert seen.keys() & {"health_factor", "collateral_usd", "debt_usd"} == set()
    assert rejected == ["loan: the oldest price behind its health is 26.0 h old, older than oracle_limit, 26 h"]
    assert "health_factor" in account(chain, build(AaveV3, {"providers": {"local": PROVIDER}, "oracle_limit": "27h"}))[0]


def test_the_time_of_a_feed_is_found_behind_an_adapter_and_by_its_simpler_clock_F_078() -> None:
    chain = node()
    feed(chain, FEED, behind=BEHIND)
    feed(chain, BEHIND, simple=NOW - 77)
    assert account(chain)[0]["oracle_age_seconds"] == 77


def test_a_feed_that_answered_after_its_block_is_refused_F_078() -> None:
    chain = node()
    feed(chain, FEED, NOW + 1)
    assert account(chain) == ({}, ["loan: a price feed says that it answered after the block it was read at"])


def test_an_account_whose_answer_contradicts_itself_is_refused() -> None:
    chain = node()
    chain.say(Call(POOL, "aave_v3_pool", "getUserAccountData", (ACCOUNT,)), 4000 * 10**8, 1000 * 10**8, 0, 8250, 8000, 32 * 10**17)
    assert "getUserAccountData contradicts itself" in account(chain)[1][0]


def test_units_and_shares_that_cannot_be_are_refused() -> None:
    chain = node()
    chain.say(Call(ORACLE, "aave_v3_oracle", "BASE_CURRENCY_UNIT"), 10**8 - 1)
    assert "which is no power of ten" in account(chain)[1][0]
    chain.say(configured(USDC), SETTINGS | 10_001)
    assert poll(chain, watch()).rejected == [f"{MARKET}: getConfiguration answers shares of more than 100%"]
    chain = node()
    chain.say(old_strategy("OPTIMAL_USAGE_RATIO"), RAY + 1)
    assert poll(chain, watch()).rejected == [f"{MARKET}: its curve has an optimal use of more than 100%"]


def test_feeds_without_a_clock_give_no_age_but_a_reason_and_the_health_stands_F_078() -> None:
    chain = node()
    feed(chain, FEED)
    seen, rejected = account(chain)
    assert "oracle_age_seconds" not in seen
    silence = f"loan: the price feed {FEED} does not say when it answered: how old the prices behind its health are is not known"
    assert (seen["health_factor"], rejected) == (3.3, [silence])


def test_the_price_of_what_is_no_collateral_does_not_age_a_health_F_078() -> None:
    chain = node()
    chain.say(data("getUserReserveData", WETH, ACCOUNT), *user(10**18, 0, is_collateral=False))
    chain.say(Call(ORACLE, "aave_v3_oracle", "getSourceOfAsset", (WETH,)), BEHIND)
    feed(chain, BEHIND, NOW - 10**6)
    assert account(chain)[0]["oracle_age_seconds"] == 600


def test_an_account_without_debt_has_the_highest_health_there_is() -> None:
    chain = node()
    chain.say(Call(POOL, "aave_v3_pool", "getUserAccountData", (ACCOUNT,)), 4000 * 10**8, 0, 0, 8250, 8000, 2**256 - 1)
    assert account(chain)[0]["health_factor"] == HEALTHIEST == 1_000_000


def test_an_oracle_that_counts_in_another_currency_is_refused() -> None:
    chain = node()
    chain.say(Call(ORACLE, "aave_v3_oracle", "BASE_CURRENCY"), WETH)
    assert account(chain) == ({}, [f"loan: this market's oracle counts in the token {WETH}, not in USD"])


def test_what_an_account_uses_beyond_its_named_assets_is_told() -> None:
    seen, rejected = account(node(), position=Position(id="loan", kind="aave-v3", chain="local", account=ACCOUNT, assets=("USDC",)))
    assert rejected == ["loan: the account also uses wETH, which its assets do not name: add it there"]
    assert seen["borrowed.USDC"] == 1000.0


def test_an_account_that_cannot_be_read_harms_no_market() -> None:
    chain = node()
    chain.say_raw(Call(POOL, "aave_v3_pool", "getUserAccountData", (ACCOUNT,)), *GONE)
    harvest = poll(chain, watch(LOAN))
    assert harvest.rejected == ["loan: getUserAccountData reverted"]
    assert values(harvest)["borrow_apr"] == 0.05


# --- chains ---


def test_an_address_that_is_no_provider_is_named() -> None:
    chain = node()
    chain.say_raw(Call(PROVIDER, "aave_v3_addresses_provider", "getPool"), *GONE)
    with pytest.raises(Exception, match="is not the PoolAddressesProvider of an Aave v3: getPool reverted"):
        poll(chain, watch())


def test_a_chain_that_is_down_is_a_refused_row_while_another_answers_and_an_error_when_none_does() -> None:
    chains = {"local": Chain(rpc=RPC, chain_id=31337), "far": Chain(rpc=OTHER, chain_id=1)}
    far = "lending:far/aave-v3/USDC"
    harvest = poll(node(), watch(markets=(MARKET, far), chains=chains), other=SourceError("far is down"))
    assert harvest.rejected == ["far is down"]
    assert values(harvest)["borrow_apr"] == 0.05
    with pytest.raises(SourceError, match="far is down"):
        poll(node(), watch(markets=(far,), chains=chains), other=SourceError("far is down"))


def test_a_chain_without_a_known_market_says_what_to_add() -> None:
    with pytest.raises(SourceError, match=r"add providers: \{local: 0x..\}") as refused:
        poll(node(), watch(), AaveV3())
    assert refused.value.permanent


@pytest.mark.parametrize("block", ["latest", "safe", "finalized"])
def test_a_pass_reads_at_the_block_that_is_configured(block: str) -> None:
    chain = node()
    poll(chain, watch(), build(AaveV3, {"block": block, "providers": {"local": PROVIDER}}))
    assert [params[0] for method, params in chain.asked if method == "eth_getBlockByNumber"] == [block]
