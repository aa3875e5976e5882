"""Our own sum of contracts on a running chain: equal, to the last unit, to sums that are made in two other ways over the same block."""

import asyncio
import random
from collections import Counter
from fractions import Fraction
from pathlib import Path

from monitor.chain import BlockPinnedReader
from monitor.clock import SystemClock
from monitor.collectors.onchain_tvl import Contracts, OnchainTvl, sums_of, total_of
from monitor.core.book import Chain, Watch
from monitor.core.door import admit
from monitor.net import HttpNet
from monitor.rpc import json_rpc
from monitor.source import Harvest, Ports
from tests.integration.anvil import Anvil, started
from tests.integration.solidity import compiled
from tests.integration.uniswap import MULTICALL3, Contract, deployed

X = "protocol:x@local"
TOKENS = {"NONE": 0, "USDX": 6, "WETX": 18, "FINE": 36}
TRANSFERS = 40
Ledger = dict[str, Counter[str]]


def opened(chain: Anvil) -> dict[str, Contract]:
    chain.change("anvil_setCode", MULTICALL3, compiled()["BatchCaller"]["runtime"])
    return {asset: deployed(chain, compiled()["Token"], asset, decimals) for asset, decimals in TOKENS.items()}


def shuffle(chain: Anvil, tokens: dict[str, Contract], ledger: Ledger, dice: random.Random) -> None:
    """Mint and move random amounts between the chain's accounts, and keep books of our own."""
    for _ in range(TRANSFERS):
        asset, (sender, receiver) = dice.choice(sorted(tokens)), dice.sample(chain.accounts, 2)
        minted = dice.randrange(10 ** (6 + TOKENS[asset]))
        tokens[asset].send(sender, "mint", sender, minted)
        ledger[asset][sender] += minted
        moved = dice.randrange(ledger[asset][sender] + 1)
        tokens[asset].send(sender, "transfer", receiver, moved)
        ledger[asset][sender] -= moved
        ledger[asset][receiver] += moved


def test_the_sum_is_that_of_every_single_balance_of_its_block_to_the_last_unit(anvil: Path) -> None:
    with started(anvil) as chain:
        tokens, ledger = opened(chain), {asset: Counter[str]() for asset in TOKENS}
        shuffle(chain, tokens, ledger, random.Random(20_260_103))
        holders = tuple(chain.accounts[:7])
        contracts = Contracts(chain="local", holders=holders, tokens={asset: token.address for asset, token in tokens.items()})
        harvest, totals = asyncio.run(both_ways(chain, contracts))
        [at_block] = {row.block_hash for row in harvest.readings}
        shuffle(chain, tokens, {asset: Counter(held) for asset, held in ledger.items()}, random.Random(2))
        one_by_one = {
            asset: sum(token.read("balanceOf", holder, block={"blockHash": at_block}) for holder in holders) for asset, token in tokens.items()
        }
    booked = {asset: sum(ledger[asset][holder] for holder in holders) for asset in TOKENS}
    assert totals == booked == one_by_one
    assert all(booked.values())
    assert harvest.rejected == []
    assert {row.metric: row.value for row in harvest.readings} == {
        f"tvl.tokens.{asset}": float(Fraction(booked[asset], 10**decimals)) for asset, decimals in TOKENS.items()
    }
    admission = admit(harvest.readings, source=OnchainTvl.id, received_at=max(row.at or 0 for row in harvest.readings))
    assert admission.rejections == ()


async def both_ways(chain: Anvil, contracts: Contracts) -> tuple[Harvest, dict[str, int]]:
    """What the collector gives, and the whole numbers behind it, of the same block."""
    watch = Watch(chains={"local": Chain(rpc=chain.url, chain_id=chain.chain_id)})
    async with HttpNet() as net:
        harvest = await OnchainTvl(contracts={X: contracts}, block="latest").poll(Ports(net, SystemClock(), random.Random(0)), watch)
        reader = BlockPinnedReader(json_rpc(net, chain.url), chain.chain_id)
        block = await reader.pin("latest")
        totals = {one.asset: total_of(await reader.read(block, one.calls))[0] for one in sums_of(X, contracts)}
    assert {row.block_hash for row in harvest.readings} == {block.hash}
    return harvest, totals
