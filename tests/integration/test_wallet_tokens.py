"""Wallets on a running chain: what a position of kind tokens is said to hold equals what each contract says, at the same block."""

import asyncio
import random
from fractions import Fraction

from web3 import Web3

from monitor.clock import SystemClock
from monitor.collectors.wallet_tokens import WalletTokens
from monitor.core.book import Chain, Position, Watch
from monitor.core.door import admit
from monitor.net import HttpNet
from monitor.registry import build
from monitor.source import Harvest, Ports
from tests.integration.anvil import Anvil
from tests.integration.solidity import compiled
from tests.integration.uniswap import MULTICALL3
from tests.integration.uniswap_v2 import token

SEED = 20260703
DECIMALS = {"ODD0": 0, "USDX": 6, "WBTX": 8, "DAIX": 18, "ODD36": 36, "TAX": 18, "REB": 18}
CONTRACTS = {"TAX": "Taxed", "REB": "Rebasing"}


def poll(chain: Anvil, source: WalletTokens, *positions: Position) -> Harvest:
    async def run() -> Harvest:
        async with HttpNet() as net:
            watch = Watch(positions=positions, chains={"local": Chain(rpc=chain.url, chain_id=chain.chain_id)})
            return await source.poll(Ports(net, SystemClock(), random.Random(0)), watch)

    return asyncio.run(run())


def test_amounts_equal_what_each_contract_says_whatever_its_decimals_and_its_habits_F_057(chain: Anvil) -> None:
    dice, owner = random.Random(SEED), chain.accounts[0]
    chain.change("anvil_setCode", MULTICALL3, compiled()["BatchCaller"]["runtime"])
    tokens = {asset: token(chain, asset, decimals, CONTRACTS.get(asset, "Token")) for asset, decimals in DECIMALS.items()}
    wallet = Web3.to_checksum_address(f"0x{dice.getrandbits(160):040x}")
    position = Position(id="wallet", kind="tokens", chain="local", account=wallet, assets=("ETH", *tokens))
    named = {f"local/{asset}": one.address for asset, one in tokens.items()}
    source = build(WalletTokens, {"tokens": named, "native": {"local": "ETH"}})
    for asset, one in tokens.items():
        one.send(owner, "mint", owner, 10 ** (DECIMALS[asset] + 6))
    for turn in range(8):
        for asset, one in tokens.items():
            one.send(owner, "transfer", wallet, dice.randrange(1, 10 ** (DECIMALS[asset] + 3)))
        if turn % 3 == 2:
            tokens["REB"].send(owner, "setIndex", dice.randrange(10**17, 10**19))
        chain.change("anvil_setBalance", wallet, hex(dice.randrange(10**20)))
        chain.change("evm_mine")
        harvest = poll(chain, source, position)
        admission = admit(harvest.readings, source=source.id, received_at=max(row.at or 0 for row in harvest.readings))
        assert (harvest.rejected, admission.rejections) == ([], ())
        [block] = {row.block_hash for row in admission.observations}
        pinned = {"blockHash": block}
        held = {asset: Fraction(one.read("balanceOf", wallet, block=pinned), 10 ** DECIMALS[asset]) for asset, one in tokens.items()}
        held["ETH"] = Fraction(int(chain.call("eth_getBalance", wallet, pinned), 16), 10**18)
        amounts = [row for row in admission.observations if ".amount." in row.metric]
        told = {row.metric.removeprefix("position.amount."): row.value for row in amounts}
        assert told == {a: float(v) for a, v in held.items()}


def test_a_wallet_that_is_empty_holds_nothing_and_one_of_which_a_token_is_none_is_refused_whole(chain: Anvil) -> None:
    chain.change("anvil_setCode", MULTICALL3, compiled()["BatchCaller"]["runtime"])
    real, nothing = token(chain, "USDX", 6), "0x00000000000000000000000000000000000000ee"
    source = build(WalletTokens, {"tokens": {"local/USDX": real.address, "local/GONE": nothing}})
    empty = Position(id="empty", kind="tokens", chain="local", account="0x" + "5e" * 20, assets=("USDX",))
    broken = Position(id="broken", kind="tokens", chain="local", account="0x" + "5e" * 20, assets=("USDX", "GONE"))
    harvest = poll(chain, source, empty, broken)
    assert [(row.subject, row.metric, row.value) for row in harvest.readings] == [
        ("empty", "position.amount.USDX", 0.0),
        ("empty", "position.decimals.USDX", 6),
    ]
    [reason] = harvest.rejected
    assert reason.startswith("broken: the answer of decimals does not decode")
    assert reason.endswith(f"at {nothing}")
