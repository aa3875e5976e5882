"""Shares of a v2 pair: what the collector says they pay is, to the unit, what the published pair then pays."""

import asyncio
import random
from collections import Counter
from dataclasses import replace

import pytest

from monitor.clock import SystemClock
from monitor.collectors import uniswap_v2
from monitor.collectors.uniswap_v2 import UniswapV2
from monitor.core.book import Chain, Position, Watch
from monitor.core.constant_product import burned
from monitor.core.door import admit
from monitor.errors import SourceError
from monitor.net import HttpNet
from monitor.source import Harvest, Ports
from tests.integration.anvil import Anvil
from tests.integration.uniswap_v2 import PairWorld, open_pair, token

SEED = 20260701
ACTS = 240
CHECK_EVERY = 2


def poll(world: PairWorld, who: str, source: UniswapV2 | None = None) -> Harvest:
    position = Position(id="lp", kind="uniswap-v2", chain="local", pool=world.pair.address, account=who)
    watch = Watch(positions=(position,), chains={"local": Chain(rpc=world.chain.url, chain_id=world.chain.chain_id)})

    async def run() -> Harvest:
        async with HttpNet() as net:
            return await (source or UniswapV2()).poll(Ports(net, SystemClock(), random.Random(0)), watch)

    return asyncio.run(run())


def said(world: PairWorld, who: str) -> dict[str, int]:
    """What the collector says, admitted, by metric without its family."""
    harvest = poll(world, who)
    admission = admit(harvest.readings, source="uniswap-v2", received_at=max(row.at or 0 for row in harvest.readings))
    assert (harvest.rejected, admission.rejections) == ([], ())
    [block] = {row.block_hash for row in admission.observations}
    assert block == world.chain.call("eth_getBlockByNumber", "latest", False)["hash"]
    return {row.metric.partition(".")[2]: int(row.value) for row in admission.observations}


def paid(found: dict[str, int]) -> tuple[int, int]:
    return found["amount0"], found["amount1"]


def test_after_hundreds_of_acts_of_chance_the_amounts_are_what_burning_pays(chain: Anvil) -> None:
    dice, acts, fees, grown = random.Random(SEED), Counter[str](), 0, 0
    world = open_pair(chain, token(chain, "USDX", 6), token(chain, "WETX", 18))
    holders = chain.accounts[1:4]
    world.take_fees(True)
    for who in holders:
        world.mint(who, 10**12, 4 * 10**20)
    for step in range(ACTS):
        acts[world.stir(dice)] += 1
        if step % CHECK_EVERY:
            continue
        who = dice.choice(holders)
        found = said(world, who)
        assert (found["shares"], world.reserves) == (world.pair.read("balanceOf", who), (found["reserve0"], found["reserve1"]))
        assert world.left(who) == (paid(found), paid(found)), f"step {step}"
        balances = world.held(world.pair.address)
        naive = tuple(found["shares"] * balance // world.pair.read("totalSupply") for balance in balances)
        fees += paid(found) != naive
        grown += balances != world.reserves
    assert min(acts.values()) >= 10
    # Where nothing differed, nothing was proved.
    assert fees > 20
    assert grown > 5


def test_the_comparison_sees_an_amount_that_leaves_out_what_the_protocol_takes(chain: Anvil, monkeypatch: pytest.MonkeyPatch) -> None:
    world, who = open_pair(chain, token(chain, "USDX", 6), token(chain, "WETX", 18)), chain.accounts[1]
    world.take_fees(True)
    world.mint(who, 10**12, 4 * 10**20)
    world.swap(0, 10**11)
    world.give(1, 10**15)
    told, arrived = world.left(who)
    assert told == arrived == paid(said(world, who))
    for wrong in ({"k_last": 0}, {"balance0": world.reserves[0], "balance1": world.reserves[1]}):
        with monkeypatch.context() as broken:
            broken.setattr(uniswap_v2, "burned", lambda pair, shares, share, wrong=wrong: burned(replace(pair, **wrong), shares, share))
            assert paid(said(world, who)) != told


def test_a_token_that_keeps_a_part_of_each_transfer_is_shown_as_the_pair_pays_it_out_F_057(chain: Anvil) -> None:
    world, who = open_pair(chain, token(chain, "TAX", 18, "Taxed"), token(chain, "USDX", 6)), chain.accounts[1]
    world.mint(who, 10**15, 10**15)
    found = paid(said(world, who))
    told, arrived = world.left(who)
    assert told == found
    taxed = 0 if world.tokens[0].read("symbol") == "TAX" else 1
    assert arrived[taxed] == found[taxed] - found[taxed] // 100
    assert arrived[1 - taxed] == found[1 - taxed]


@pytest.mark.parametrize("index", [2 * 10**18, 5 * 10**17, 10**18 + 1], ids=["doubled", "halved", "a hair more"])
def test_a_token_whose_balances_move_by_themselves_counts_as_it_stands_and_not_as_it_was_written_down_F_057(chain: Anvil, index: int) -> None:
    rebasing = token(chain, "REB", 18, "Rebasing")
    world, who = open_pair(chain, rebasing, token(chain, "USDX", 6)), chain.accounts[1]
    world.mint(who, 10**18, 10**18)
    rebasing.send(world.owner, "setIndex", index)
    found = said(world, who)
    assert (found["reserve0"], found["reserve1"]) == (10**18, 10**18)
    side = 0 if world.tokens[0].address == rebasing.address else 1
    assert paid(found)[side] == found["shares"] * (10**18 * index // 10**18) // 10**18
    assert world.left(who)[0] == paid(found)


@pytest.mark.parametrize("decimals", [0, 6, 8, 18, 36])
def test_decimals_change_no_unit_F_057(chain: Anvil, decimals: int) -> None:
    world, who = open_pair(chain, token(chain, "ODD", decimals), token(chain, "USDX", 6)), chain.accounts[1]
    world.mint(who, 12_345_678, 87_654_321)
    world.swap(0, 1000)
    found = said(world, who)
    assert world.left(who)[1] == paid(found)
    assert {found["decimals0"], found["decimals1"]} == {decimals, 6}


def test_an_empty_pair_and_a_holder_without_shares_are_worth_nothing_and_say_so(chain: Anvil) -> None:
    world, nobody = open_pair(chain, token(chain, "USDX", 6), token(chain, "WETX", 18)), chain.accounts[5]
    found = said(world, nobody)
    assert (found["shares"], *paid(found), *world.reserves) == (0, 0, 0, 0, 0)
    world.give(0, 10**6)
    assert paid(said(world, nobody)) == (0, 0)
    world.give(1, 10**6)
    world.pair.send(world.owner, "mint", chain.accounts[1])
    assert paid(said(world, nobody)) == (0, 0)


def test_shares_of_which_no_unit_is_due_pay_nothing_since_the_pair_refuses_them(chain: Anvil) -> None:
    world, who = open_pair(chain, token(chain, "A", 0), token(chain, "B", 18)), chain.accounts[1]
    world.mint(world.owner, 2000, 10**18)
    world.pair.send(world.owner, "transfer", who, 1000)
    assert paid(said(world, who)) == (0, 0)
    with world.tried():
        world.pair.send(who, "transfer", world.pair.address, 1000)
        with pytest.raises(SourceError, match="INSUFFICIENT_LIQUIDITY_BURNED"):
            chain.call("eth_call", {"from": who, "to": world.pair.address, "data": world.pair.payload("burn", who)}, "latest")


def test_a_pair_that_holds_more_than_it_can_count_is_refused_until_it_is_skimmed(chain: Anvil) -> None:
    world, who = open_pair(chain, token(chain, "A", 18), token(chain, "B", 18)), chain.accounts[1]
    world.mint(who, 10**18, 10**18)
    world.give(0, 2**128)
    assert poll(world, who).rejected[0].startswith("lp: an amount of")
    world.pair.send(world.owner, "skim", world.owner)
    # Who holds a thousandth cannot take out enough of it; the other, who holds nearly all, can.
    small = chain.accounts[2]
    world.pair.send(who, "transfer", small, 10**15)
    world.give(0, 2**113)
    with world.tried():
        world.pair.send(small, "transfer", world.pair.address, 10**15)
        with pytest.raises(SourceError, match="OVERFLOW"):
            chain.call("eth_call", {"from": small, "to": world.pair.address, "data": world.pair.payload("burn", small)}, "latest")
    assert poll(world, small).rejected == ["lp: the pair holds more of token0 than it can count: burning fails until somebody calls its skim"]
    assert world.left(who)[0] == paid(said(world, who))


def test_an_address_that_is_no_pair_is_a_refused_row(chain: Anvil) -> None:
    world = open_pair(chain, token(chain, "A", 18), token(chain, "B", 18))
    harvest = poll(replace(world, pair=world.factory), chain.accounts[1])
    assert list(harvest.readings) == []
    [reason] = harvest.rejected
    assert reason == "lp: factory reverted"
