"""The real Uniswap v2 on a private chain: published bytecode of its factory and pair, with tokens of our own."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from web3 import Web3

from tests.integration.anvil import Anvil
from tests.integration.solidity import built, compiled
from tests.integration.uniswap import MULTICALL3, Contract, deployed

NOWHERE = "0x" + "0" * 40
RECEIVER = Web3.to_checksum_address("0x" + "fe" * 20)


@dataclass(frozen=True)
class PairWorld:
    """One pair; whoever acts mints the tokens that he needs. `tokens` are in the order of the pair."""

    chain: Anvil
    factory: Contract
    pair: Contract
    tokens: tuple[Contract, Contract]

    @property
    def owner(self) -> str:
        return self.chain.accounts[0]

    @property
    def reserves(self) -> tuple[int, int]:
        reserve0, reserve1, _ = self.pair.read("getReserves")
        return reserve0, reserve1

    def give(self, side: int, amount: int) -> None:
        """Raw units into the pair, by a transfer and nothing else."""
        self.tokens[side].send(self.owner, "mint", self.owner, amount)
        self.tokens[side].send(self.owner, "transfer", self.pair.address, amount)

    def mint(self, who: str, amount0: int, amount1: int) -> None:
        for side, amount in enumerate((amount0, amount1)):
            self.give(side, amount)
        self.pair.send(self.owner, "mint", who)

    def burn(self, who: str, shares: int, to: str) -> None:
        self.pair.send(who, "transfer", self.pair.address, shares)
        self.pair.send(who, "burn", to)

    def swap(self, side: int, amount: int) -> None:
        """Sell raw units of one token for the other, for what the pair asks at a fee of 0.3%."""
        mine, other = self.reserves if side == 0 else reversed(self.reserves)
        bought = amount * 997 * other // (mine * 1000 + amount * 997)
        self.give(side, amount)
        out = (0, bought) if side == 0 else (bought, 0)
        self.pair.send(self.owner, "swap", *out, self.owner, b"")

    def take_fees(self, on: bool) -> None:
        """Whether the factory names a receiver of the protocol's shares."""
        self.factory.send(self.owner, "setFeeTo", RECEIVER if on else NOWHERE)

    def held(self, who: str) -> tuple[int, int]:
        return self.tokens[0].read("balanceOf", who), self.tokens[1].read("balanceOf", who)

    @contextmanager
    def tried(self) -> Iterator[None]:
        """What is done inside is undone."""
        mark = self.chain.change("evm_snapshot")
        try:
            yield
        finally:
            self.chain.change("evm_revert", mark)

    def left(self, who: str) -> tuple[tuple[int, int], tuple[int, int]]:
        """Shares of a holder burned in truth, and undone: what the pair says that it paid, and what arrived."""
        with self.tried():
            to = Web3.to_checksum_address(f"0x{random.Random(who).getrandbits(160):040x}")
            shares = self.pair.read("balanceOf", who)
            self.pair.send(who, "transfer", self.pair.address, shares)
            receipt = self.pair.send(who, "burn", to)
            said = receipt["logs"][-1]["data"][2:]
            return (int(said[:64], 16), int(said[64:], 16)), self.held(to)

    def stir(self, dice: random.Random) -> str:
        """One act of chance; what it was."""
        act = dice.choice(("mint", "mint", "burn", "swap", "swap", "swap", "swap", "give", "sync", "skim", "fees"))
        who = dice.choice(self.chain.accounts[1:4])
        reserve0, reserve1 = self.reserves
        if act == "mint":
            part = dice.uniform(0.001, 0.3)
            self.mint(who, int(reserve0 * part) + 1, int(reserve1 * part * dice.uniform(0.8, 1.2)) + 1)
        elif act == "burn":
            shares = self.pair.read("balanceOf", who)
            if shares > 1000:
                self.burn(who, dice.randrange(shares // 10, shares // 2), self.owner)
        elif act == "swap":
            side = dice.randrange(2)
            self.swap(side, int((reserve0, reserve1)[side] * 10 ** dice.uniform(-5, -0.3)) + 1)
        elif act == "give":
            self.give(side := dice.randrange(2), dice.randrange(1, (reserve0, reserve1)[side] // 50))
        elif act == "fees":
            self.take_fees(self.factory.read("feeTo") == NOWHERE)
        else:
            self.pair.send(self.owner, act, *((self.owner,) if act == "skim" else ()))
        return act


def open_pair(chain: Anvil, *tokens: Contract) -> PairWorld:
    """A factory of its own and an empty pair of two tokens."""
    chain.change("anvil_setCode", MULTICALL3, compiled()["BatchCaller"]["runtime"])
    factory = deployed(chain, built("UniswapV2Factory"), chain.accounts[0])
    factory.send(chain.accounts[0], "createPair", *(token.address for token in tokens))
    pair = Contract(chain, Web3.to_checksum_address(factory.read("getPair", *(token.address for token in tokens))), built("UniswapV2Pair")["abi"])
    token0, token1 = sorted(tokens, key=lambda token: int(token.address, 16))
    return PairWorld(chain, factory, pair, (token0, token1))


def token(chain: Anvil, symbol: str, decimals: int, contract: str = "Token") -> Contract:
    return deployed(chain, compiled()[contract], symbol, decimals)
