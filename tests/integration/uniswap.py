"""The real Uniswap v3 on a private chain: published bytecode of factory, pool, position manager and router, with two tokens of our own."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from web3 import Web3

from monitor.core.amm import Payout, sqrt_ratio_at_tick
from tests.integration.anvil import Anvil
from tests.integration.solidity import compiled, published

MULTICALL3 = "0xcA11bde05977b3631167028862bE2a173976CA11"
NOBODY = "0x000000000000000000000000000000000000dEaD"
FOREVER = 2**40
UINT128 = 2**128 - 1
RICH = 10**36
FEE = 3000
SPACING = 60
OFFLINE = Web3()


@dataclass(frozen=True)
class Contract:
    """An address with an ABI: encodes calls, sends them, reads them."""

    chain: Anvil
    address: str
    abi: list[dict[str, Any]]

    @cached_property
    def _encoder(self) -> Any:
        # Made once: it takes longer than a transaction.
        return OFFLINE.eth.contract(abi=self.abi)

    def payload(self, name: str, *args: Any) -> str:
        return str(self._encoder.encode_abi(name, args=args))

    def decoded(self, name: str, answer: str) -> Any:
        [entry] = [e for e in self.abi if e.get("type") == "function" and e["name"] == name]
        values = OFFLINE.codec.decode([_signature(output) for output in entry["outputs"]], bytes.fromhex(answer[2:]))
        return values if len(values) > 1 else values[0]

    def send(self, sender: str, name: str, *args: Any) -> dict[str, Any]:
        return self.chain.send(sender, self.address, self.payload(name, *args))

    def read(self, name: str, *args: Any, sender: str = NOBODY, block: Any = "latest") -> Any:
        """eth_call at a block tag or at `{"blockHash": ...}`."""
        request = {"from": sender, "to": self.address, "data": self.payload(name, *args)}
        return self.decoded(name, self.chain.call("eth_call", request, block))


def _signature(output: dict[str, Any]) -> str:
    kind = str(output["type"])
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_signature(part) for part in output['components'])}){kind.removeprefix('tuple')}"


def deployed(chain: Anvil, artifact: dict[str, Any], *args: Any) -> Contract:
    built = OFFLINE.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
    receipt = chain.send(chain.accounts[0], None, str(built.constructor(*args).data_in_transaction))
    return Contract(chain, Web3.to_checksum_address(receipt["contractAddress"]), artifact["abi"])


@dataclass(frozen=True)
class Uniswap:
    """One pool at 0.3 % of a 6-decimal and an 18-decimal token, in the order the pool sorts them; `owner` holds plenty of both."""

    chain: Anvil
    owner: str
    factory: Contract
    manager: Contract
    router: Contract
    tokens: tuple[Contract, Contract]
    pool: Contract

    def mint(self, tick_lower: int, tick_upper: int, amount: int, owner: str | None = None) -> int:
        """Put at most `amount` raw units of each token into a range; the id of the new position."""
        who = owner or self.owner
        token0, token1 = (token.address for token in self.tokens)
        return self._minted(who, token0, token1, FEE, tick_lower, tick_upper, amount, amount)

    def mint_beside(self, stranger: str, amount: int) -> int:
        """A position in a new pool of our first token and a stranger, out of its range, so that ours alone is paid in."""
        ours = self.tokens[0].address
        token0, token1 = sorted((ours, stranger), key=lambda address: int(address, 16))
        self.manager.send(self.owner, "createAndInitializePoolIfNecessary", token0, token1, FEE, 1 << 96)
        if ours == token0:
            return self._minted(self.owner, token0, token1, FEE, SPACING, 2 * SPACING, amount, 0)
        return self._minted(self.owner, token0, token1, FEE, -2 * SPACING, -SPACING, 0, amount)

    def _minted(self, who: str, *pool_range_and_amounts: Any) -> int:
        receipt = self.manager.send(who, "mint", (*pool_range_and_amounts, 0, 0, who, FOREVER))
        [made] = [log for log in receipt["logs"] if log["address"] == self.manager.address.lower() and len(log["topics"]) == 4]
        return int(made["topics"][3], 16)

    def swap(self, zero_for_one: bool, amount: int, limit_x96: int = 0) -> dict[str, Any]:
        """Sell raw units of one token for the other, stopping at a price limit if one is given; the receipt."""
        sold, bought = self.tokens if zero_for_one else reversed(self.tokens)
        order = (sold.address, bought.address, FEE, self.owner, FOREVER, amount, 0, limit_x96)
        return self.router.send(self.owner, "exactInputSingle", order)

    def collect(self, token_id: int) -> None:
        """Take out everything a position is owed."""
        self.manager.send(self.owner, "collect", (token_id, self.owner, UINT128, UINT128))

    def decrease(self, token_id: int, liquidity: int) -> None:
        """Take liquidity out of the range; its tokens are owed from then on."""
        self.manager.send(self.owner, "decreaseLiquidity", (token_id, liquidity, 0, 0, FOREVER))

    def paid(self, token_id: int, block: dict[str, Any], owner: str | None = None) -> tuple[int, Payout]:
        """Liquidity, and what decreaseLiquidity(all) and collect(maximum) would pay the owner in one eth_call at a block.

        The first is left out when there is nothing to take out, which the manager would refuse.
        """
        who, liquidity = owner or self.owner, self.manager.read("positions", token_id, block=block)[7]
        calls = [self.manager.payload("collect", (token_id, who, UINT128, UINT128))]
        if liquidity:
            calls.insert(0, self.manager.payload("decreaseLiquidity", (token_id, liquidity, 0, 0, FOREVER)))
        answers = self.manager.read("multicall", [bytes.fromhex(call[2:]) for call in calls], sender=who, block=block)
        amounts = [OFFLINE.codec.decode(["uint256", "uint256"], answer) for answer in answers]
        burned, collected = amounts[0] if liquidity else (0, 0), amounts[-1]
        return liquidity, Payout(burned[0], burned[1], collected[0] - burned[0], collected[1] - burned[1])

    def shake(self, dice: random.Random, edges: Sequence[int]) -> None:
        """One swap: of a random size, or however large it takes to reach a random tick, a third of them one of these edges."""
        goal = dice.choice((*edges, *dice.sample(range(-700, 700), 2 * len(edges))))
        if dice.random() < 0.5 or sqrt_ratio_at_tick(goal) == self.pool.read("slot0")[0]:
            self.swap(dice.random() < 0.5, int(10 ** dice.uniform(0, 18)))
        else:
            self.swap_to(goal)

    def swap_to(self, tick: int) -> None:
        """However large a swap it takes to bring the price to this tick, which it must not be at."""
        goal = sqrt_ratio_at_tick(tick)
        self.swap(goal < self.pool.read("slot0")[0], 10**24, goal)


@dataclass(frozen=True)
class Ranges:
    """A contract that holds ranges in the pool itself, without the position manager."""

    world: Uniswap
    owner: Contract

    def put(self, ticks: tuple[int, int], liquidity: int) -> None:
        self._send("put", *ticks, liquidity)

    def take(self, ticks: tuple[int, int], liquidity: int) -> None:
        """Burn so much; its tokens are owed from then on. Of nothing: the pool writes down what fees it owes."""
        self._send("take", *ticks, liquidity)

    def collect(self, ticks: tuple[int, int]) -> None:
        self._send("collect", *ticks)

    def liquidity(self, ticks: tuple[int, int], block: Any = "latest") -> int:
        key = Web3.solidity_keccak(["address", "int24", "int24"], [self.owner.address, *ticks])
        return int(self.world.pool.read("positions", key, block=block)[0])

    def paid(self, ticks: tuple[int, int], block: dict[str, Any]) -> tuple[int, Payout]:
        """Liquidity, and what the pool would pay for burning all of it and collecting, in one eth_call at a block."""
        liquidity = self.liquidity(ticks, block)
        burned0, burned1, paid0, paid1 = self.owner.read("leave", self.world.pool.address, *ticks, liquidity, block=block)
        return liquidity, Payout(burned0, burned1, paid0 - burned0, paid1 - burned1)

    def _send(self, name: str, *args: Any) -> None:
        self.owner.send(self.world.owner, name, self.world.pool.address, *args)


def ranges_of(world: Uniswap) -> Ranges:
    """A new owner of ranges, with plenty of both tokens."""
    owner = deployed(world.chain, compiled()["RangeOwner"])
    for token in world.tokens:
        token.send(world.owner, "mint", owner.address, RICH)
    return Ranges(world, owner)


def deploy(chain: Anvil, sqrt_price_x96: int | Callable[[int, int], int]) -> Uniswap:
    """Deploy everything and open the pool at a price, or at what its tokens' decimals make of it; two deployments do not touch each other."""
    chain.change("anvil_setCode", MULTICALL3, compiled()["BatchCaller"]["runtime"])
    owner = chain.accounts[0]
    factory = deployed(chain, published("v3-core", "UniswapV3Factory"))
    # Neither wrapped ether nor the picture of an NFT is ever asked for, so any address does for both.
    manager = deployed(chain, published("v3-periphery", "NonfungiblePositionManager"), factory.address, NOBODY, NOBODY)
    router = deployed(chain, published("v3-periphery", "SwapRouter"), factory.address, NOBODY)
    pair = [deployed(chain, compiled()["Token"], symbol, decimals) for symbol, decimals in (("USDX", 6), ("WETX", 18))]
    token0, token1 = sorted(pair, key=lambda token: int(token.address, 16))
    for token in pair:
        token.send(owner, "mint", owner, RICH)
        for spender in (manager, router):
            token.send(owner, "approve", spender.address, 2**256 - 1)
    opens_at = sqrt_price_x96 if isinstance(sqrt_price_x96, int) else sqrt_price_x96(token0.read("decimals"), token1.read("decimals"))
    manager.send(owner, "createAndInitializePoolIfNecessary", token0.address, token1.address, FEE, opens_at)
    pool = factory.read("getPool", token0.address, token1.address, FEE)
    pool_abi = published("v3-core", "UniswapV3Pool")["abi"]
    return Uniswap(chain, owner, factory, manager, router, (token0, token1), Contract(chain, Web3.to_checksum_address(pool), pool_abi))
