"""The real Aave v3 on a private chain: published bytecode of its core, linked here, with three reserves of tokens and feeds of our own."""

import json
import random
from dataclasses import dataclass
from functools import cache
from typing import Any

from web3 import Web3

from tests.integration.anvil import Anvil
from tests.integration.solidity import compiled
from tests.integration.tools import node_package
from tests.integration.uniswap import MULTICALL3, Contract, deployed

NOWHERE = "0x" + "0" * 40
RAY = 10**27
VARIABLE = 2
PRICE_UNIT = 10**8
LOGICS = ("Supply", "Borrow", "Liquidation", "EMode", "Bridge", "FlashLoan", "Pool", "Configurator")


@dataclass(frozen=True)
class Listing:
    """One reserve as it is listed: curve in hundredths of a percent, price in USD, thresholds and factor in hundredths of a percent."""

    symbol: str
    decimals: int
    price_usd: int
    optimal: int
    base: int
    slope1: int
    slope2: int
    ltv: int
    threshold: int
    reserve_factor: int


LISTINGS = (
    Listing("WETH", 18, 2000, 8000, 0, 330, 8000, 8000, 8250, 1500),
    Listing("USDC", 6, 1, 9000, 0, 550, 6000, 7700, 8000, 1000),
    Listing("WBTC", 8, 40000, 4500, 100, 400, 30000, 7000, 7500, 2000),
)


@cache
def artifact(path: str) -> dict[str, Any]:
    """What `@aave/core-v3` ships for one contract, for example `protocol/pool/Pool`."""
    file = node_package("@aave/core-v3") / "artifacts" / "contracts" / f"{path}.sol" / f"{path.rpartition('/')[2]}.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def linked(shipped: dict[str, Any], libraries: dict[str, str]) -> dict[str, Any]:
    """The artifact with each library's address in its place."""
    code = shipped["bytecode"][2:]
    for names in shipped["linkReferences"].values():
        for name, places in names.items():
            for place in places:
                start, end = 2 * place["start"], 2 * (place["start"] + place["length"])
                code = code[:start] + libraries[name][2:].lower() + code[end:]
    return {**shipped, "bytecode": "0x" + code}


@dataclass(frozen=True)
class Aave:
    """One market. Accounts 1 to 5 of the chain are its users; account 0 may do everything."""

    chain: Anvil
    provider: Contract
    pool: Contract
    configurator: Contract
    data: Contract
    oracle: Contract
    tokens: dict[str, Contract]
    feeds: dict[str, Contract]
    strategies: dict[str, Contract]

    @property
    def admin(self) -> str:
        return self.chain.accounts[0]

    @property
    def users(self) -> list[str]:
        return self.chain.accounts[1:6]

    def supply(self, user: str, symbol: str, amount: int) -> None:
        token = self.tokens[symbol]
        token.send(user, "mint", user, amount)
        token.send(user, "approve", self.pool.address, amount)
        self.pool.send(user, "supply", token.address, amount, user, 0)

    def borrow(self, user: str, symbol: str, amount: int) -> None:
        self.pool.send(user, "borrow", self.tokens[symbol].address, amount, VARIABLE, 0, user)

    def repay(self, user: str, symbol: str, amount: int) -> None:
        token = self.tokens[symbol]
        token.send(user, "mint", user, amount)
        token.send(user, "approve", self.pool.address, amount)
        self.pool.send(user, "repay", token.address, amount, VARIABLE, user)

    def withdraw(self, user: str, symbol: str, amount: int) -> None:
        self.pool.send(user, "withdraw", self.tokens[symbol].address, amount, user)

    def price(self, symbol: str, answer: int, age_seconds: int = 0) -> None:
        """A new answer of a feed, in hundred-millionths of a dollar, given so long before the newest block."""
        now = int(self.chain.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        self.feeds[symbol].send(self.admin, "set", answer, now - age_seconds)

    def refresh(self) -> None:
        """Every feed answers anew what it answered last."""
        for symbol, feed in self.feeds.items():
            self.price(symbol, feed.read("latestAnswer"))

    def wait(self, seconds: int) -> None:
        self.chain.change("evm_increaseTime", seconds)
        self.chain.change("evm_mine")

    def configure(self, name: str, *args: Any) -> None:
        self.configurator.send(self.admin, name, *args)

    def shake(self, dice: random.Random) -> str:
        """One random deed that the market lets through, in words; what it refuses counts as done."""
        user, symbol = dice.choice(self.users), dice.choice(list(self.tokens))
        unit = 10 ** self.tokens[symbol].read("decimals")
        deed = dice.choice(("supply", "supply", "borrow", "borrow", "borrow", "repay", "withdraw", "price", "wait"))
        amount = int(unit * 10 ** dice.uniform(-6, 3)) + 1
        try:
            if deed == "price":
                self.price(symbol, int(self.feeds[symbol].read("latestAnswer") * dice.uniform(0.9, 1.1)))
            elif deed == "wait":
                self.wait(int(10 ** dice.uniform(0, 7)))
            else:
                getattr(self, deed)(user, symbol, amount)
        except RuntimeError:
            return f"{deed} of {symbol} was refused"
        return f"{deed} of {symbol}"


def deploy(chain: Anvil, listings: tuple[Listing, ...] = LISTINGS) -> Aave:
    """Deploy a market of its own; two on one chain do not touch each other."""
    chain.change("anvil_setCode", MULTICALL3, compiled()["BatchCaller"]["runtime"])
    admin = chain.accounts[0]
    provider = deployed(chain, artifact("protocol/configuration/PoolAddressesProvider"), "private", admin)
    provider.send(admin, "setACLAdmin", admin)
    roles = deployed(chain, artifact("protocol/configuration/ACLManager"), provider.address)
    provider.send(admin, "setACLManager", roles.address)
    for role in ("addPoolAdmin", "addRiskAdmin", "addEmergencyAdmin", "addAssetListingAdmin"):
        roles.send(admin, role, admin)
    libraries: dict[str, str] = {}
    for name in LOGICS:
        shipped = artifact(f"protocol/libraries/logic/{name}Logic")
        libraries[f"{name}Logic"] = deployed(chain, linked(shipped, libraries)).address
    data = deployed(chain, artifact("misc/AaveProtocolDataProvider"), provider.address)
    provider.send(admin, "setPoolDataProvider", data.address)
    implementation = deployed(chain, linked(artifact("protocol/pool/Pool"), libraries), provider.address)
    provider.send(admin, "setPoolImpl", implementation.address)
    pool = Contract(chain, Web3.to_checksum_address(provider.read("getPool")), implementation.abi)
    behind = deployed(chain, linked(artifact("protocol/pool/PoolConfigurator"), libraries))
    provider.send(admin, "setPoolConfiguratorImpl", behind.address)
    configurator = Contract(chain, Web3.to_checksum_address(provider.read("getPoolConfigurator")), behind.abi)
    tokens = {one.symbol: deployed(chain, compiled()["Token"], one.symbol, one.decimals) for one in listings}
    feeds = {one.symbol: deployed(chain, compiled()["Feed"], one.price_usd * PRICE_UNIT, NOWHERE) for one in listings}
    places = [[contracts[one.symbol].address for one in listings] for contracts in (tokens, feeds)]
    oracle = deployed(chain, artifact("misc/AaveOracle"), provider.address, *places, NOWHERE, NOWHERE, PRICE_UNIT)
    provider.send(admin, "setPriceOracle", oracle.address)
    world = Aave(chain, provider, pool, configurator, data, oracle, tokens, feeds, {})
    _list(world, listings)
    return world


def _list(world: Aave, listings: tuple[Listing, ...]) -> None:
    chain, pool = world.chain, world.pool.address
    kinds = [deployed(chain, artifact(f"protocol/tokenization/{kind}"), pool).address for kind in ("AToken", "StableDebtToken", "VariableDebtToken")]
    for one in listings:
        token = world.tokens[one.symbol].address
        curve = [part * RAY // 10_000 for part in (one.optimal, one.base, one.slope1, one.slope2, 0, 0, 0, 0)]
        strategy = deployed(chain, artifact("protocol/pool/DefaultReserveInterestRateStrategy"), world.provider.address, *curve, RAY // 5)
        world.strategies[one.symbol] = strategy
        names = [part for side in ("a", "variableDebt", "stableDebt") for part in (f"{side} {one.symbol}", f"{side}{one.symbol}")]
        treasury = chain.accounts[9]
        world.configure("initReserves", [(*kinds, one.decimals, strategy.address, token, treasury, NOWHERE, *names, b"")])
        world.configure("configureReserveAsCollateral", token, one.ltv, one.threshold, 10500)
        world.configure("setReserveBorrowing", token, True)
        world.configure("setReserveFactor", token, one.reserve_factor)
