"""The real Uniswap v4 on a private chain: published bytecode of pool manager, position manager, state view and test routers, as deployed."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_abi.abi import encode
from web3 import Web3

from monitor.core.amm import MAX_SQRT_RATIO, MIN_SQRT_RATIO, Payout, TickEdge, V3Pool, sqrt_ratio_at_tick
from monitor.core.amm_v4 import V4Position
from tests.integration.anvil import Anvil
from tests.integration.solidity import compiled, published_v4
from tests.integration.uniswap import FOREVER, MULTICALL3, NOBODY, RICH, Contract, deployed

NATIVE = "0x" + "0" * 40
INCREASE, DECREASE, MINT, BURN, SETTLE, TAKE_PAIR = (bytes([code]) for code in (0x00, 0x01, 0x02, 0x03, 0x0B, 0x11))
PLENTY = 10**30
PROTOCOL_FEE = 1000 << 12 | 400

Key = tuple[str, str, int, int, str]


@dataclass(frozen=True)
class UniswapV4:
    """The contracts, and pools as `open_pool` makes them. `owner` holds every position; the position manager pays what adding costs."""

    chain: Anvil
    owner: str
    pools: Contract
    manager: Contract
    view: Contract
    swapper: Contract
    donor: Contract
    leaving: Contract
    tokens: tuple[Contract, Contract]
    keys: dict[int, Key] = field(default_factory=dict)

    def open_pool(self, currency0: str, currency1: str, spacing: int, sqrt_price_x96: int, *, hooks: str = NATIVE, protocol_fee: int = 0) -> Key:
        """A pool at 0.3 %, opened at a price."""
        key = (currency0, currency1, 3000, spacing, hooks)
        self.pools.send(self.owner, "initialize", key, sqrt_price_x96)
        if protocol_fee:
            self.pools.send(self.owner, "setProtocolFee", key, protocol_fee)
        return key

    def mint(self, key: Key, lower: int, upper: int, liquidity: int) -> int:
        """The id of a new position."""
        token_id: int = self.manager.read("nextTokenId")
        order = encode(
            ["(address,address,uint24,int24,address)", "int24", "int24", "uint256", "uint128", "uint128", "address", "bytes"],
            [key, lower, upper, liquidity, 2**128 - 1, 2**128 - 1, self.owner, b""],
        )
        self._modify(key, MINT, order)
        self.keys[token_id] = key
        return token_id

    def increase(self, token_id: int, liquidity: int) -> None:
        order = encode(["uint256", "uint256", "uint128", "uint128", "bytes"], [token_id, liquidity, 2**128 - 1, 2**128 - 1, b""])
        self._modify(self.keys[token_id], INCREASE, order)

    def decrease(self, token_id: int, liquidity: int) -> None:
        """Take liquidity out, which pays the fees too; none of it: the fees alone."""
        self._modify(self.keys[token_id], DECREASE, encode(["uint256", "uint256", "uint128", "uint128", "bytes"], [token_id, liquidity, 0, 0, b""]))

    def burn(self, token_id: int) -> None:
        self._modify(self.keys[token_id], BURN, encode(["uint256", "uint128", "uint128", "bytes"], [token_id, 0, 0, b""]))

    def _modify(self, key: Key, action: bytes, order: bytes) -> None:
        """One action, paid for out of what the position manager holds itself; what is over goes to the owner."""
        payments = [encode(["address", "uint256", "bool"], [currency, PLENTY, False]) for currency in key[:2]]
        change = encode(["address", "address", "address"], [key[0], key[1], self.owner])
        orders = encode(["bytes", "bytes[]"], [action + SETTLE + SETTLE + TAKE_PAIR, [order, *payments, change]])
        for currency in key[:2]:
            self._fund(self.manager.address, currency)
        self.manager.send(self.owner, "modifyLiquidities", orders, FOREVER)

    def _fund(self, account: str, currency: str) -> None:
        if currency == NATIVE:
            self.chain.change("anvil_setBalance", account, hex(2 * PLENTY))

    def swap(self, key: Key, zero_for_one: bool, amount: int, limit_x96: int = 0) -> None:
        """Sell an exact amount, or up to a price."""
        limit = limit_x96 or (MIN_SQRT_RATIO + 1 if zero_for_one else MAX_SQRT_RATIO - 1)
        self._route(self.swapper, key, amount, self.swapper.payload("swap", key, (zero_for_one, -amount, limit), (False, False), b""))

    def swap_to(self, key: Key, tick: int) -> None:
        """However large a swap it takes to bring the price to this tick, if it is not there."""
        goal, price = sqrt_ratio_at_tick(tick), self.view.read("getSlot0", pool_id(key))[0]
        if goal != price:
            self.swap(key, goal < price, 10**24, goal)

    def donate(self, key: Key, amount0: int, amount1: int) -> None:
        self._route(self.donor, key, amount0, self.donor.payload("donate", key, amount0, amount1, b""))

    def _route(self, router: Contract, key: Key, value: int, payload: str) -> None:
        self._fund(self.owner, key[0])
        self.chain.send(self.owner, router.address, payload, value if key[0] == NATIVE else 0)

    def paid(self, token_id: int, block: dict[str, Any]) -> tuple[int, Payout]:
        """Liquidity, and what the contracts would pay in one eth_call at a block: fees alone first, then the liquidity; and all at once the same."""
        currency0, currency1, *_ = self.keys[token_id]
        liquidity: int = self.manager.read("getPositionLiquidity", token_id, block=block)
        total = self.leaving.read("burn", currency0, currency1, token_id, block=block)
        if not liquidity:
            assert tuple(total) == (0, 0)
            return 0, Payout(0, 0, 0, 0)
        fees0, fees1, amount0, amount1 = self.leaving.read("leave", currency0, currency1, token_id, liquidity, block=block)
        assert tuple(total) == (amount0 + fees0, amount1 + fees1)
        return liquidity, Payout(amount0, amount1, fees0, fees1)

    def state(self, token_id: int, block: dict[str, Any]) -> tuple[V3Pool, V4Position]:
        """What `core.amm_v4` asks for, read through the published StateView, not through our own idea of the storage."""
        key, packed = self.manager.read("getPoolAndPositionInfo", token_id, block=block)
        lower, upper = (int.from_bytes((packed >> shift & 0xFFFFFF).to_bytes(3), signed=True) for shift in (8, 32))
        pool, salt = pool_id(key), token_id.to_bytes(32)
        price, tick, *_ = self.view.read("getSlot0", pool, block=block)
        edges = [self.view.read("getTickInfo", pool, one, block=block) for one in (lower, upper)]
        [held] = [entry for entry in self.view.abi if entry.get("name") == "getPositionInfo" and len(entry["inputs"]) == 5]
        stake = Contract(self.chain, self.view.address, [held]).read("getPositionInfo", pool, self.manager.address, lower, upper, salt, block=block)
        below, above = (TickEdge(gross > 0, outside0, outside1) for gross, _, outside0, outside1 in edges)
        growth0, growth1 = self.view.read("getFeeGrowthGlobals", pool, block=block)
        return V3Pool(price, tick, growth0, growth1, below, above), V4Position(lower, upper, *stake)

    def shake(self, dice: random.Random, live: list[int], keys: Sequence[Key], edges: Sequence[int]) -> str:
        """One random deed, and what it was: a new position, more or less of one, its end, a swap or a donation."""
        key, token_id = dice.choice(keys), dice.choice(live)
        liquidity: int = self.manager.read("getPositionLiquidity", token_id)
        # The first of each pool stays: a pool without liquidity takes no donation, and any swap drives its price to the end of the world.
        most = liquidity if token_id in live[len(keys) :] else liquidity // 3
        deeds: dict[str, tuple[int, Callable[[], None]]] = {
            "mint": (14, lambda: self._begin(dice, live, key, edges)),
            "increase": (12, lambda: self.increase(token_id, int(10 ** dice.uniform(0, 18)))),
            "decrease": (14, lambda: self._less(token_id, dice.choice((0, 1, liquidity // 3, most)))),
            "burn": (5, lambda: self._end(live, token_id, spared=live[: len(keys)])),
            "swap": (40, lambda: self._trade(dice, key, edges)),
            "donate": (15, lambda: self.donate(key, *(dice.choice((0, int(10 ** dice.uniform(0, 16)))) for _ in range(2)))),
        }
        [deed] = dice.choices(list(deeds), [weight for weight, _ in deeds.values()])
        deeds[deed][1]()
        return deed

    def _begin(self, dice: random.Random, live: list[int], key: Key, edges: Sequence[int]) -> None:
        lower, upper = sorted(dice.sample(edges, 2))
        live.append(self.mint(key, lower, upper, int(10 ** dice.uniform(3, 19))))

    def _less(self, token_id: int, liquidity: int) -> None:
        # A position without liquidity takes no touch that leaves it so.
        if self.manager.read("getPositionLiquidity", token_id):
            self.decrease(token_id, liquidity)

    def _end(self, live: list[int], token_id: int, spared: Sequence[int]) -> None:
        if token_id not in spared:
            live.remove(token_id)
            self.burn(token_id)

    def _trade(self, dice: random.Random, key: Key, edges: Sequence[int]) -> None:
        if dice.random() < 0.5:
            self.swap(key, dice.random() < 0.5, int(10 ** dice.uniform(0, 18)))
        else:
            self.swap_to(key, dice.choice((*edges[1:-1], dice.randrange(-700, 700))))


def pool_id(key: Any) -> bytes:
    return bytes(Web3.keccak(encode(["(address,address,uint24,int24,address)"], [tuple(key)])))


def deploy_v4(chain: Anvil) -> UniswapV4:
    """Deploy everything; pools are opened by `open_pool`."""
    chain.change("anvil_setCode", MULTICALL3, compiled()["BatchCaller"]["runtime"])
    owner = chain.accounts[0]
    pools = deployed(chain, published_v4("PoolManager", "default"), owner)
    pools.send(owner, "setProtocolFeeController", owner)
    # Neither permits, nor the picture of an NFT, nor wrapped ether is ever asked for.
    manager = deployed(chain, published_v4("PositionManager"), pools.address, NOBODY, 100_000, NOBODY, NOBODY)
    view = deployed(chain, published_v4("StateView"), pools.address)
    swapper = deployed(chain, published_v4("PoolSwapTest", "default"), pools.address)
    donor = deployed(chain, published_v4("PoolDonateTest"), pools.address)
    leaving = deployed(chain, compiled()["Leaving"], manager.address)
    manager.send(owner, "setApprovalForAll", leaving.address, True)
    pair = sorted((deployed(chain, compiled()["Token"], symbol, digits) for symbol, digits in (("USDX", 6), ("WETX", 18))), key=_number)
    for token in pair:
        for account in (owner, manager.address):
            token.send(owner, "mint", account, RICH)
        for router in (swapper, donor):
            token.send(owner, "approve", router.address, 2**256 - 1)
    return UniswapV4(chain, owner, pools, manager, view, swapper, donor, leaving, (pair[0], pair[1]))


def _number(token: Contract) -> int:
    return int(token.address, 16)
